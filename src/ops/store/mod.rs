//! The operations on a whole store, each one file: a request, an answer, a `run`. Both are JSON, so that every face (the
//! TypeScript interface, a command line, a tool of an agent) says the same and decides nothing.

mod drill;
mod info;
mod journal_snapshot;
mod moment;
mod point;
mod prune;
mod replay;
mod rewind;
mod snapshot_create;
mod snapshot_delete;
mod snapshot_list;
mod snapshot_pin;
mod snapshot_restore;
mod snapshot_verify;
mod wal_archive;
mod wal_checkpoint;
mod wal_compact;
mod wal_export;
mod wal_import;
mod wal_status;
mod windows;

use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::store::{Store, StoredCollection};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::sync::Arc;

/// Does the operation of that name.
pub fn operate(store: &Store, name: &str, request: &str, control: &Control) -> Result<String> {
    match name {
        "snapshotCreate" => answer(store, request, control, snapshot_create::run),
        "snapshotList" => answer(store, request, control, snapshot_list::run),
        "snapshotVerify" => answer(store, request, control, snapshot_verify::run),
        "snapshotRestore" => answer(store, request, control, snapshot_restore::run),
        "snapshotDelete" => answer(store, request, control, snapshot_delete::run),
        "snapshotPin" => answer(store, request, control, snapshot_pin::run),
        "drill" => answer(store, request, control, drill::run),
        "journalSnapshot" => answer(store, request, control, journal_snapshot::run),
        "prune" => answer(store, request, control, prune::run),
        "windows" => answer(store, request, control, windows::run),
        "restorePoint" => answer(store, request, control, point::run),
        "rewind" => answer(store, request, control, rewind::run),
        "walStatus" => answer(store, request, control, wal_status::run),
        "walCheckpoint" => answer(store, request, control, wal_checkpoint::run),
        "walCompact" => answer(store, request, control, wal_compact::run),
        "walArchive" => answer(store, request, control, wal_archive::run),
        "walExport" => answer(store, request, control, wal_export::run),
        "walImport" => answer(store, request, control, wal_import::run),
        "walReplay" => answer(store, request, control, replay::run),
        _ => Err(Error::new(Kind::Internal, format!("there is no operation '{name}'"))),
    }
}

fn answer<Q: DeserializeOwned, A: Serialize>(
    store: &Store,
    request: &str,
    control: &Control,
    run: fn(&Store, &Q, &Control) -> Result<A>,
) -> Result<String> {
    let request = serde_json::from_str(request)
        .map_err(|error| Error::new(Kind::Internal, format!("the request is not understood: {error}")))?;
    let answer = run(store, &request, control)?;
    serde_json::to_string(&answer).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// A collection as it is now: a store that only reads would show what it was when it was first looked at.
fn fresh(store: &Store, name: &str) -> Result<Arc<StoredCollection>> {
    if store.is_read_only() {
        store.close_collection(name)?;
    }
    store.collection(name)
}

/// The folder of snapshots that a caller names; made where it is missing.
fn folder(path: Option<&String>) -> Result<Option<PathBuf>> {
    let Some(path) = path else { return Ok(None) };
    let path = env::checked_path(path)?;
    Ok(Some(path))
}
