//! Rewind: a collection as it was at a moment, in the place of what it is, or beside it.

use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::store::{Rewind, Store, Target};
use serde::{Deserialize, Serialize};

/// Where to go.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    collection: String,
    lsn: Option<u64>,
    /// Milliseconds since 1970; changes of that millisecond are included.
    time: Option<u64>,
    point: Option<String>,
    target: Option<String>,
}

/// Where it is now.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    collection: String,
    lsn: u64,
    snapshot: Option<String>,
    operations: u64,
    vectors: u64,
}

/// The last microsecond of a millisecond.
pub(super) fn last_us(ms: u64) -> u64 {
    ms.saturating_mul(1_000).saturating_add(999)
}

/// Goes there.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let to = match (request.lsn, request.time, &request.point) {
        (Some(lsn), None, None) => Target::Lsn(lsn),
        (None, Some(time), None) => Target::Time(last_us(time)),
        (None, None, Some(point)) => Target::Point(point.clone()),
        _ => return Err(Error::new(Kind::Internal, "a moment is an LSN, a time, or a restore point")),
    };
    let (directory, collection) = (super::folder(request.directory.as_ref())?, request.collection.clone());
    let rewind = Rewind { collection, to, target: request.target.clone(), directory };
    let done = store.rewind(&rewind, control)?;
    let collection = request.target.clone().unwrap_or(rewind.collection);
    Ok(Answer { collection, lsn: done.lsn, snapshot: done.snapshot, operations: done.records, vectors: done.entries })
}
