//! WAL archive: complete files of the log are copied to a folder, and go from the log where that is asked for.

use super::moment::Moment;
use crate::control::Control;
use crate::env;
use crate::error::Result;
use crate::store::{Archive, Archived, Store};
use serde::Deserialize;

/// Of which collection, and where to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    /// The folder; the one of the settings when none is given.
    directory: Option<String>,
    /// Only files that end before this.
    before: Option<Moment>,
    #[serde(default, rename = "move")]
    remove: bool,
}

/// Copies them.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Archived> {
    let directory = super::folder(request.directory.as_ref())?;
    directory.as_deref().map_or(Ok(()), env::ensure_directory)?;
    let before = request.before.as_ref().map(Moment::before);
    let archive = Archive { directory, before, remove: request.remove };
    store.collection(&request.collection)?.archive_log(&archive, control)
}
