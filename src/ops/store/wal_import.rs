//! WAL import: a collection that was restored from a snapshot follows the one that the snapshot was taken of.

use crate::control::Control;
use crate::env;
use crate::error::Result;
use crate::store::{Import, Store};
use serde::{Deserialize, Serialize};

/// Which file, and which collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    path: String,
    collection: String,
    #[serde(default)]
    verify: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    collection: String,
    operations: u64,
    /// Records that were there already.
    skipped: u64,
    /// The last change of the collection now.
    lsn: u64,
    /// The last change of the file, and its time in milliseconds since 1970.
    to_lsn: u64,
    to_time: Option<u64>,
}

/// Follows it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let (place, collection) = (env::checked_path(&request.path)?, request.collection.clone());
    let done = store.import_log(&Import { place, collection, verify: request.verify }, control)?;
    Ok(Answer {
        collection: request.collection.clone(),
        operations: done.operations,
        skipped: done.skipped,
        lsn: done.lsn,
        to_lsn: done.descriptor.to,
        to_time: done.descriptor.to_time.map(|time| time / 1_000),
    })
}
