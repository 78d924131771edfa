//! Snapshot create: the store, or some of its collections, as they are now.

use super::info::Info;
use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::store::{Packing, SnapshotRequest, Store};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::path::Path;

/// What to take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    path: Option<String>,
    name: Option<String>,
    metadata: Option<Box<RawValue>>,
    collections: Option<Vec<String>>,
    #[serde(default)]
    incremental: bool,
    base: Option<String>,
    /// `gzip` or `zstd`.
    compression: Option<String>,
}

/// Takes it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Info> {
    let packing = request.compression.as_deref().map(Packing::named).transpose()?;
    let place = request.path.as_deref().map(env::checked_path).transpose()?;
    let directory = super::folder(request.directory.as_ref())?;
    let folder = place.as_deref().and_then(Path::parent).or(directory.as_deref());
    folder.map_or(Ok(()), env::ensure_directory)?;
    if let (Some(place), packing) = (&place, packing) {
        check_name(place, packing)?;
    }
    let taken = store.snapshot(
        &SnapshotRequest {
            directory,
            place,
            name: request.name.clone(),
            metadata: request.metadata.as_ref().map(|text| text.get().to_owned()),
            collections: request.collections.clone(),
            incremental: request.incremental,
            base: request.base.clone(),
            packing,
        },
        control,
    )?;
    Info::of(&taken)
}

/// The name of a file says how it is packed, and that of a folder does not look like one of a file.
fn check_name(place: &Path, packing: Option<Packing>) -> Result<()> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if Packing::of_name(&name) == packing && !name.starts_with('.') && !name.is_empty() {
        return Ok(());
    }
    let what = match packing {
        Some(packing) => format!("a snapshot that is compressed so has to end in '{}'", packing.suffix()),
        None => "a snapshot that is a folder does not begin with '.' or end as a packed one does".to_owned(),
    };
    Err(Error::new(Kind::Path, what).in_file(place))
}
