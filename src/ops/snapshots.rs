//! What the snapshot operations share: names, places and records.
//!
//! A snapshot is `<id>.<format>`, an archive, and `<id>.meta.json`, its record. The record is written last: a snapshot
//! without one does not exist. Or it is a snapshot of a store in the same folder that holds the journal of the database
//! and nothing else: format `native`, whose record is made of what it says of itself.

use super::base::corrupt;
use crate::archive::Format;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::format::entry::shown;
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::store::{SnapshotEntry, check_id, remove_snapshot, snapshots_in};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::path::{Path, PathBuf};

/// The collection that is the journal of a database.
pub(super) const JOURNAL: &str = "journal";
/// The format of a snapshot of the store.
pub(super) const NATIVE: &str = "native";

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

    /// What there is to say of a native snapshot.
    pub fn of_native(entry: &SnapshotEntry) -> Result<Record> {
        let snapshot = &entry.found.snapshot;
        let metadata = snapshot.metadata.clone().map(RawValue::from_string).transpose();
        let metadata = metadata.map_err(|error| corrupt(format!("its metadata is not JSON: {error}"), &entry.path))?;
        Ok(Record {
            id: snapshot.id.clone(),
            name: snapshot.name.clone().unwrap_or_default(),
            timestamp: snapshot.created / 1_000,
            vector_count: snapshot.entries(),
            dimension: snapshot.collections.first().map_or(0, |content| u64::from(content.dimension)),
            format: NATIVE.to_owned(),
            compressed: entry.packing.is_some(),
            file_size: entry.bytes,
            checksum: entry.found.checksum.clone(),
            metadata,
        })
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

/// Whether a snapshot of a store is one of a journal, and of nothing else.
pub(super) fn is_of_journal(entry: &SnapshotEntry) -> bool {
    matches!(entry.found.snapshot.collections.as_slice(), [only] if only.name == JOURNAL)
}

/// The native snapshot of that id.
pub(super) fn native(base: &Path, id: &str) -> Result<SnapshotEntry> {
    let (entries, damaged) = snapshots_in(&directory(base))?;
    let found = entries.into_iter().find(|entry| entry.id() == id && is_of_journal(entry));
    let broken = damaged.into_iter().find(|damaged| names(&damaged.path, id));
    found.ok_or_else(|| broken.map_or_else(|| not_found(id), |broken| broken.error))
}

/// Whether a file or folder has the name of the native snapshot of that id.
pub(super) fn names(path: &Path, id: &str) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().split(".tar").next() == Some(id))
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
    let (natives, broken) = snapshots_in(&directory(base))?;
    for entry in natives.iter().filter(|entry| is_of_journal(entry)) {
        records.push(Record::of_native(entry)?);
    }
    damaged.extend(broken.into_iter().map(|broken| broken.error.in_file(&broken.path)));
    // Ids are UUIDs v7, so that those of one millisecond keep their order too.
    records.sort_by(|a, b| (b.timestamp, &b.id).cmp(&(a.timestamp, &a.id)));
    Ok((records, damaged))
}

/// Removes the oldest snapshots beyond `keep`, never the one just made. A native one that is pinned, that another builds on
/// or that is being read stays.
pub(super) fn retain(base: &Path, newest: &str, keep: usize) -> Result<()> {
    if keep == 0 {
        return Ok(());
    }
    let (found, _) = records(base)?;
    for record in found.iter().filter(|record| record.id != newest).skip(keep - 1) {
        if record.format != NATIVE {
            record.remove(base)?;
            continue;
        }
        match native(base, &record.id).and_then(|entry| remove_snapshot(&entry)) {
            Err(error) if matches!(error.kind, Kind::Locked | Kind::Exists | Kind::Chain) => {}
            other => other?,
        }
    }
    Ok(())
}
