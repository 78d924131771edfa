//! Snapshots in the format of archives, for JavaScript.

use super::archive::{ArchiveOptions, LoadInfo, LoadRequest};
use super::collection::{NativeCollection, background_collection};
use super::failure::{Answer, Failure, background};
use super::job::NativeJob;
use crate::ops::snapshot_load::Content;
use crate::ops::{snapshot_create, snapshot_delete, snapshot_list, snapshot_load};
use crate::store::{Packing, SnapshotEntry};
use napi::bindgen_prelude::{Env, Null, PromiseRaw};
use napi_derive::napi;

/// What to create.
#[napi(object)]
pub struct SnapshotRequest {
    /// The base directory.
    pub base_dir: String,
    /// A name for people.
    pub name: String,
    /// A JSON object as text.
    pub metadata: Option<String>,
    /// 'json', 'binary' or 'sqlite'.
    pub format: String,
    /// 'none', 'gzip', 'brotli' or 'zstd'.
    pub compression: String,
    /// The level of the compression.
    pub level: Option<u32>,
    /// How many snapshots to keep, this one included; 0 keeps all.
    pub max_snapshots: u32,
}

/// The snapshots of a base directory.
#[napi(object)]
pub struct SnapshotListing {
    /// Their records as JSON text, newest first.
    pub records: Vec<String>,
    /// Why others are not among them.
    pub damaged: Vec<Failure>,
}

/// Creates a snapshot; answers with its record as JSON text.
#[napi(catch_unwind)]
pub fn snapshot_create<'e>(
    env: &'e Env,
    collection: &NativeCollection,
    request: SnapshotRequest,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
    let (version, control) = (collection.version(), job.control());
    background(env, move || {
        let SnapshotRequest { base_dir, name, metadata, format, compression, level, max_snapshots } = request;
        let request = snapshot_create::Request {
            base: &base_dir,
            name: &name,
            metadata: metadata.as_deref(),
            options: ArchiveOptions { format, compression, level }.interpreted()?,
            keep: max_snapshots as usize,
        };
        snapshot_create::run(&version, &request, &control)
    })
}

/// Where the content of a native snapshot came from.
fn of_native(entry: &SnapshotEntry, count: usize) -> LoadInfo {
    LoadInfo {
        path: entry.path.to_string_lossy().into_owned(),
        format: "native".to_owned(),
        compression: entry.packing.map_or("none", Packing::name).to_owned(),
        version: String::new(),
        timestamp: (entry.found.snapshot.created / 1_000) as f64,
        count: count as f64,
        bytes: entry.bytes as f64,
        checksum: Some(entry.found.checksum.clone()),
    }
}

/// Lists the snapshots.
#[napi(catch_unwind)]
pub fn snapshot_list<'e>(env: &'e Env, base_dir: String) -> napi::Result<PromiseRaw<'e, Answer<SnapshotListing>>> {
    background(env, move || {
        let (records, damaged) = snapshot_list::run(&base_dir)?;
        Ok(SnapshotListing { records, damaged: damaged.into_iter().map(Failure::from).collect() })
    })
}

/// Loads a snapshot as a collection of its own, checked against its record; the request's path is not used.
#[napi(catch_unwind)]
pub fn snapshot_load<'e>(
    env: &'e Env,
    base_dir: String,
    id: String,
    request: LoadRequest,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    let control = job.control();
    background_collection(env, move || {
        let expect = request.expect()?;
        match snapshot_load::run(&base_dir, &id, &expect, &request.operation, &control)? {
            Content::Archive(loaded) => NativeCollection::try_from(loaded),
            Content::Native(collection, entry) => {
                let info = of_native(&entry, collection.len());
                NativeCollection::of(collection, Some(info))
            }
        }
    })
}

/// Deletes a snapshot.
#[napi(catch_unwind)]
pub fn snapshot_delete<'e>(env: &'e Env, base_dir: String, id: String) -> napi::Result<PromiseRaw<'e, Answer<Null>>> {
    background(env, move || snapshot_delete::run(&base_dir, &id).map(|()| Null))
}
