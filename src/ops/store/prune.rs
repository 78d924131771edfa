//! Prune: snapshots that a rule of retention does not keep are removed, or only told.

use crate::control::Control;
use crate::error::{Kind, Result};
use crate::store::{Keep, SnapshotEntry, Store, Window, keep};
use serde::{Deserialize, Serialize};

/// What is kept. Of what no rule speaks, nothing is removed: at least one rule is needed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    #[serde(default)]
    dry_run: bool,
    keep: Keep,
}

/// What goes, what stays and why, and where one can go back to afterwards.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    removed: Vec<Gone>,
    kept: Vec<Kept>,
    windows: Vec<Windows>,
}

/// A snapshot that goes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gone {
    id: String,
    path: String,
    size_bytes: u64,
}

/// A snapshot that stays.
#[derive(Debug, Serialize)]
struct Kept {
    id: String,
    reasons: Vec<String>,
}

/// Moments of a collection.
#[derive(Debug, Serialize)]
struct Windows {
    collection: String,
    windows: Vec<Window>,
}

/// Removes them, newest first, so that nothing is left whose base is gone. One that is being restored or verified stays.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let directory = super::folder(request.directory.as_ref())?;
    let (entries, _) = store.snapshots(directory.as_deref())?;
    let own: Vec<SnapshotEntry> = entries.into_iter().filter(|entry| entry.found.store == store.id()).collect();
    let decided = keep(&own, &request.keep, store.now_us());
    let (mut removed, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (entry, reasons) in own.iter().zip(decided) {
        match reasons.is_empty() {
            true => gone.push(entry),
            false => kept.push(Kept { id: entry.id().to_owned(), reasons }),
        }
    }
    for entry in gone.iter().rev() {
        control.check()?;
        if !request.dry_run {
            match store.remove_snapshot(entry) {
                Err(error) if error.kind == Kind::Locked => {
                    kept.push(Kept { id: entry.id().to_owned(), reasons: vec!["being read".to_owned()] });
                    continue;
                }
                // What builds on it is being read.
                Err(error) if error.kind == Kind::Chain => {
                    kept.push(Kept {
                        id: entry.id().to_owned(),
                        reasons: vec!["base of one that is being read".to_owned()],
                    });
                    continue;
                }
                other => other?,
            }
        }
        let path = entry.path.to_string_lossy().into_owned();
        removed.push(Gone { id: entry.id().to_owned(), path, size_bytes: entry.bytes });
    }
    let ids: Vec<&str> = removed.iter().map(|gone| gone.id.as_str()).collect();
    let mut windows = Vec::new();
    for collection in store.list()? {
        super::fresh(store, &collection)?;
        if store.has_past(&collection)? {
            let left = store.windows_without(&collection, directory.clone(), &ids)?;
            windows.push(Windows { collection, windows: left });
        }
    }
    Ok(Answer { removed, kept, windows })
}
