//! Snapshot verify: every byte of it and of those that it builds on is read and compared with its checksum.

use crate::control::Control;
use crate::error::Result;
use crate::store::{Store, Verified};
use serde::Deserialize;

/// Which.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    snapshot: String,
}

/// Reads it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Verified> {
    let directory = super::folder(request.directory.as_ref())?;
    let entry = store.find_snapshot(directory.as_deref(), &request.snapshot)?;
    store.verify_snapshot(&entry, control)
}
