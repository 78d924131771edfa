//! Journal snapshot: the journal on disk of a database as it is now, listed with the archives that are snapshots of it. Its
//! cost does not grow with the data.

use crate::control::Control;
use crate::error::Result;
use crate::ops::snapshots::{JOURNAL, Record, retain};
use crate::store::{Packing, SnapshotRequest, Store};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What to take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    name: String,
    metadata: Option<Box<RawValue>>,
    /// `gzip` or `zstd`: one file, in the stead of a folder.
    compression: Option<String>,
    /// How many snapshots to keep, this one and archives included; 0 keeps all.
    keep: usize,
}

/// Takes it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Record> {
    let taken = store.snapshot(
        &SnapshotRequest {
            name: Some(request.name.clone()),
            metadata: request.metadata.as_ref().map(|text| text.get().to_owned()),
            collections: Some(vec![JOURNAL.to_owned()]),
            packing: request.compression.as_deref().map(Packing::named).transpose()?,
            ..SnapshotRequest::default()
        },
        control,
    )?;
    let record = Record::of_native(&taken)?;
    retain(store.base(), &record.id, request.keep)?;
    Ok(record)
}
