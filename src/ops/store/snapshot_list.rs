//! Snapshot list: those of a folder, oldest first, and what looks like one and cannot be read.

use super::info::Info;
use crate::control::Control;
use crate::error::Result;
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// Which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    /// Only those that hold this collection.
    collection: Option<String>,
}

/// The snapshots.
#[derive(Debug, Serialize)]
pub struct Answer {
    snapshots: Vec<Info>,
    damaged: Vec<Damaged>,
}

/// One that cannot be read.
#[derive(Debug, Serialize)]
struct Damaged {
    path: String,
    code: &'static str,
    message: String,
}

/// Lists them.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Answer> {
    let directory = super::folder(request.directory.as_ref())?;
    let (entries, damaged) = store.snapshots(directory.as_deref())?;
    let wanted = |content: &crate::store::SnapshotContent| {
        request.collection.as_ref().is_none_or(|wanted| content.name == *wanted)
    };
    let entries = entries.iter().filter(|entry| entry.found.snapshot.collections.iter().any(wanted));
    let damaged = damaged.into_iter().map(|damaged| Damaged {
        path: damaged.path.to_string_lossy().into_owned(),
        code: damaged.error.kind.code(),
        message: damaged.error.message,
    });
    Ok(Answer { snapshots: entries.map(Info::of).collect::<Result<_>>()?, damaged: damaged.collect() })
}
