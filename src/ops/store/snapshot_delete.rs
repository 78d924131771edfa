//! Snapshot delete: one that nothing builds on and that is not pinned.

use crate::control::Control;
use crate::error::Result;
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// Which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    snapshot: String,
}

/// What is gone.
#[derive(Debug, Serialize)]
pub struct Answer {
    id: String,
}

/// Removes it.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Answer> {
    let directory = super::folder(request.directory.as_ref())?;
    let entry = store.find_snapshot(directory.as_deref(), &request.snapshot)?;
    store.remove_snapshot(&entry)?;
    Ok(Answer { id: entry.id().to_owned() })
}
