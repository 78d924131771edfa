//! WAL compact: a checkpoint, and then the files of the log go that the settings, or a moment that is named, do not keep.

use super::moment::Moment;
use crate::control::Control;
use crate::error::Result;
use crate::store::{Shortened, Store};
use serde::Deserialize;

/// Of which collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    /// Files that end before this go, though the settings would keep them.
    before: Option<Moment>,
}

/// Shortens it.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Shortened> {
    let before = request.before.as_ref().map(Moment::before);
    store.collection(&request.collection)?.shorten_log(true, before)
}
