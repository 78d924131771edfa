//! Snapshot pin: one that is pinned is removed neither by hand nor by retention.

use super::info::Info;
use crate::control::Control;
use crate::error::Result;
use crate::store::Store;
use serde::Deserialize;

/// Which, and whether.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    snapshot: String,
    pinned: bool,
}

/// Pins it, or lets it go.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Info> {
    let directory = super::folder(request.directory.as_ref())?;
    let mut entry = store.find_snapshot(directory.as_deref(), &request.snapshot)?;
    store.pin_snapshot(&entry, request.pinned)?;
    entry.pinned = request.pinned;
    Info::of(&entry)
}
