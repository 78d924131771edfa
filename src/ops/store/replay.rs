//! WAL replay: after a restore, the records of the log that came after the moment that was restored.

use super::rewind::last_us;
use crate::control::Control;
use crate::error::Result;
use crate::store::{Replay, Store};
use serde::{Deserialize, Serialize};

/// Which records. The range of times is half open: `from` is not in it, `until` is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    from: Option<u64>,
    until: Option<u64>,
    from_segment: Option<u64>,
    #[serde(default)]
    verify: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    operations: u64,
    segments: u64,
    lsn: u64,
}

/// Does them again.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let replay = Replay {
        collection: request.collection.clone(),
        from: request.from.map(last_us),
        until: request.until.map(last_us),
        from_segment: request.from_segment,
        verify: request.verify,
    };
    let done = store.replay(&replay, control)?;
    Ok(Answer { operations: done.operations, segments: done.segments, lsn: done.lsn })
}
