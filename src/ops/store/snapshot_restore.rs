//! Snapshot restore: collections get the content that they had, or are made with it.

use crate::control::Control;
use crate::error::Result;
use crate::store::{Restore, Restored, Store};
use serde::{Deserialize, Serialize};

/// What to bring back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    snapshot: String,
    collections: Option<Vec<String>>,
    target: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    verify: bool,
}

/// What was brought back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    snapshot: String,
    collections: Vec<Restored>,
    vectors_restored: u64,
}

/// Brings it back.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let restore = Restore {
        directory: super::folder(request.directory.as_ref())?,
        snapshot: request.snapshot.clone(),
        collections: request.collections.clone(),
        target: request.target.clone(),
        overwrite: request.overwrite,
        verify: request.verify,
    };
    let (entry, collections) = store.restore(&restore, control)?;
    let vectors_restored = collections.iter().map(|restored| restored.entries).sum();
    Ok(Answer { snapshot: entry.id().to_owned(), collections, vectors_restored })
}
