//! Snapshot delete: the record, then the archive. A snapshot whose record is damaged is deleted too.

use super::snapshots::{Record, directory, names, native, record_path};
use crate::archive::Format;
use crate::env;
use crate::error::{Kind, Result};
use crate::store::{check_id, remove_damaged_snapshot, remove_snapshot, snapshots_in};

/// Deletes the snapshot `id`.
pub fn run(base: &str, id: &str) -> Result<()> {
    check_id(id)?;
    let base = env::checked_path(base)?;
    match Record::read(&base, id) {
        Ok(record) => record.remove(&base),
        Err(error) if matches!(error.kind, Kind::Corrupt | Kind::Format) => remove_damaged(&base, id),
        Err(error) if error.kind == Kind::SnapshotNotFound => remove_native(&base, id),
        Err(error) => Err(error),
    }
}

/// One that is a snapshot of the store, also when it cannot be read.
fn remove_native(base: &std::path::Path, id: &str) -> Result<()> {
    let (_, damaged) = snapshots_in(&directory(base))?;
    match damaged.iter().find(|damaged| names(&damaged.path, id)) {
        Some(damaged) => remove_damaged_snapshot(id, damaged),
        None => remove_snapshot(&native(base, id)?),
    }
}

fn remove_damaged(base: &std::path::Path, id: &str) -> Result<()> {
    let directory = directory(base);
    env::remove_file(&record_path(base, id))?;
    for format in Format::ALL {
        env::remove_file(&directory.join(format!("{id}.{}", format.name())))?;
    }
    env::sync_directory(&directory)
}
