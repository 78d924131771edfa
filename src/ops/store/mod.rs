//! The operations on a whole store, each one file: a request, an answer, a `run`. Both are JSON, so that every face (the
//! TypeScript interface, a command line, a tool of an agent) says the same and decides nothing.

mod info;
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
mod windows;

use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::store::Store;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Does the operation of that name.
pub fn operate(store: &Store, name: &str, request: &str, control: &Control) -> Result<String> {
    match name {
        "snapshotCreate" => answer(store, request, control, snapshot_create::run),
        "snapshotList" => answer(store, request, control, snapshot_list::run),
        "snapshotVerify" => answer(store, request, control, snapshot_verify::run),
        "snapshotRestore" => answer(store, request, control, snapshot_restore::run),
        "snapshotDelete" => answer(store, request, control, snapshot_delete::run),
        "snapshotPin" => answer(store, request, control, snapshot_pin::run),
        "prune" => answer(store, request, control, prune::run),
        "windows" => answer(store, request, control, windows::run),
        "restorePoint" => answer(store, request, control, point::run),
        "rewind" => answer(store, request, control, rewind::run),
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

/// The folder of snapshots that a caller names; made where it is missing.
fn folder(path: Option<&String>) -> Result<Option<PathBuf>> {
    let Some(path) = path else { return Ok(None) };
    let path = env::checked_path(path)?;
    Ok(Some(path))
}
