//! WAL checkpoint: what is in memory is moved into segments, so that opening needs no older log.

use crate::control::Control;
use crate::error::Result;
use crate::store::{Before, Shortened, Store};
use serde::Deserialize;

/// Of which collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    /// The log is made as short as opening allows, whatever the settings keep for going back.
    #[serde(default)]
    force: bool,
}

/// Makes it.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Shortened> {
    let unwanted = request.force.then_some(Before::Lsn(u64::MAX));
    store.collection(&request.collection)?.shorten_log(request.force, unwanted)
}
