//! A snapshot as callers see it.

use crate::error::{Error, Kind, Result};
use crate::format::document::hex;
use crate::store::{Packing, SnapshotEntry};
use serde::Serialize;
use serde_json::value::RawValue;

/// A snapshot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    id: String,
    name: Option<String>,
    /// `full` or `incremental`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Milliseconds since 1970.
    created_at: u64,
    /// Entries of all collections.
    vector_count: u64,
    /// Bytes that it holds itself.
    size_bytes: u64,
    compressed: bool,
    /// How it is packed; null: a folder.
    compression: Option<&'static str>,
    /// The snapshot that holds what this one does not.
    base: Option<String>,
    pinned: bool,
    path: String,
    /// SHA-256 of what it says of itself, which names everything else.
    checksum: String,
    /// Id of the store that it was taken of.
    store: String,
    collections: Vec<Collection>,
    metadata: Option<Box<RawValue>>,
}

/// A collection in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    name: String,
    vector_count: u64,
    dimension: u32,
    metric: Option<String>,
    /// The last change that is in it.
    lsn: u64,
    /// Time of that change, milliseconds since 1970.
    time: u64,
    /// Bytes of its files, those that a base holds included.
    size_bytes: u64,
}

impl Info {
    /// What there is to say of a snapshot.
    pub fn of(entry: &SnapshotEntry) -> Result<Info> {
        let found = &entry.found;
        let snapshot = &found.snapshot;
        let metadata = snapshot.metadata.clone().map(RawValue::from_string).transpose();
        let metadata = metadata.map_err(|error| {
            Error::new(Kind::Corrupt, format!("the metadata of the snapshot is not JSON: {error}")).in_file(&entry.path)
        })?;
        let collection = |content: &crate::store::SnapshotContent| Collection {
            name: content.name.clone(),
            vector_count: content.entries,
            dimension: content.dimension,
            metric: content.metric.clone(),
            lsn: content.lsn,
            time: content.time / 1_000,
            size_bytes: content.bytes,
        };
        Ok(Info {
            id: snapshot.id.clone(),
            name: snapshot.name.clone(),
            kind: snapshot.kind(),
            created_at: snapshot.created / 1_000,
            vector_count: snapshot.entries(),
            size_bytes: entry.bytes,
            compressed: entry.packing.is_some(),
            compression: entry.packing.map(Packing::name),
            base: snapshot.base.as_ref().map(|base| base.id.clone()),
            pinned: entry.pinned,
            path: entry.path.to_string_lossy().into_owned(),
            checksum: found.checksum.clone(),
            store: hex(&found.store),
            collections: snapshot.collections.iter().map(collection).collect(),
            metadata,
        })
    }
}
