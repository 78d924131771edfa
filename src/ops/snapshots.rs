//! What the snapshot operations share: names, places and records.
//!
//! A snapshot is `<id>.<format>`, an archive, and `<id>.meta.json`, its record. The record is written last: a snapshot
//! without one does not exist.

use super::base::corrupt;
use crate::archive::Format;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::format::entry::shown;
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::store::check_id;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

const RECORD_SUFFIX: &str = ".meta.json";

/// `SnapshotMetadata`, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub id: String,
    pub name: String,
    pub timestamp: u64,
    pub vector_count: u64,
    pub dimension: u64,
    pub format: String,
    pub compressed: bool,
    pub file_size: u64,
    pub checksum: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Box<RawValue>>,
}

/// Where snapshots live.
pub(super) fn directory(base: &Path) -> PathBuf {
    base.join("snapshots")
}

fn not_found(id: &str) -> Error {
    Error::new(Kind::SnapshotNotFound, format!("Snapshot {id} not found"))
}

/// The ids that have a record.
pub(super) fn ids(base: &Path) -> Result<Vec<String>> {
    let names = env::file_names(&directory(base))?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(RECORD_SUFFIX)).map(str::to_owned).collect())
}

pub(super) fn record_path(base: &Path, id: &str) -> PathBuf {
    directory(base).join(format!("{id}{RECORD_SUFFIX}"))
}

impl Record {
    /// Reads and checks the record of `id`.
    pub fn read(base: &Path, id: &str) -> Result<Record> {
        check_id(id)?;
        let path = record_path(base, id);
        let text = env::read_small(&path, SMALL_FILE_BYTES_MAX)?.ok_or_else(|| not_found(id))?;
        let record: Record =
            serde_json::from_str(&text).map_err(|error| corrupt(format!("not a snapshot record: {error}"), &path))?;
        if record.id != id {
            return Err(corrupt(format!("is the record of '{}'", shown(&record.id)), &path));
        }
        if Format::named(&record.format).is_err() {
            return Err(corrupt(format!("names the unknown format '{}'", shown(&record.format)), &path));
        }
        Ok(record)
    }

    /// Where its archive is.
    pub fn data_path(&self, base: &Path) -> PathBuf {
        directory(base).join(format!("{}.{}", self.id, self.format))
    }

    /// The record as text, indented by two.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| Error::new(Kind::Internal, error.to_string()))
    }

    /// Removes the snapshot: its record first, so that it is gone at once, then its archive.
    pub fn remove(&self, base: &Path) -> Result<()> {
        env::remove_file(&record_path(base, &self.id))?;
        env::remove_file(&self.data_path(base))?;
        env::sync_directory(&directory(base))
    }
}

/// All readable records, newest first, and the errors of the others.
pub(super) fn records(base: &Path) -> Result<(Vec<Record>, Vec<Error>)> {
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    for id in ids(base)? {
        match Record::read(base, &id) {
            Ok(record) => records.push(record),
            Err(error) => damaged.push(error.in_file(&record_path(base, &id))),
        }
    }
    // Ids are UUIDs v7, so that those of one millisecond keep their order too.
    records.sort_by(|a, b| (b.timestamp, &b.id).cmp(&(a.timestamp, &a.id)));
    Ok((records, damaged))
}
