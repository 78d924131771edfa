//! Snapshot load: the archive of a snapshot, checked against its record, or a native snapshot, as a collection of its own.

use super::base::corrupt;
use super::load::{self, Loaded};
use super::snapshots::{self, JOURNAL, Record};
use crate::archive::Expect;
use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::store::{Collection, SnapshotEntry, content_of};
use std::io::Read;
use std::path::Path;

/// What was loaded.
pub enum Content {
    /// From an archive.
    Archive(Loaded),
    /// From a snapshot of the store.
    Native(Collection, SnapshotEntry),
}

/// Loads the snapshot `id`.
pub fn run(base: &str, id: &str, expect: &Expect, operation: &str, control: &Control) -> Result<Content> {
    let base = env::checked_path(base)?;
    match Record::read(&base, id) {
        Ok(record) => archived(&base, &record, expect, operation, control).map(Content::Archive),
        Err(error) if error.kind == Kind::SnapshotNotFound => native(&base, id, expect, control),
        Err(error) => Err(error),
    }
}

fn native(base: &Path, id: &str, expect: &Expect, control: &Control) -> Result<Content> {
    let entry = snapshots::native(base, id)?;
    let collection = content_of(&entry, JOURNAL, expect.verify, control)?;
    let found = collection.description();
    expect.description.agree(found, "the database").map_err(|error| error.in_file(&entry.path))?;
    Ok(Content::Native(collection, entry))
}

fn archived(base: &Path, record: &Record, expect: &Expect, operation: &str, control: &Control) -> Result<Loaded> {
    let path = record.data_path(base);
    if expect.verify {
        check_stored(record, &path, control)?;
    }
    let loaded = load::read(&path, expect, operation, control)?;
    if expect.verify && loaded.source.count != record.vector_count {
        let (said, found) = (record.vector_count, loaded.source.count);
        let message = format!("its record says {said} entries, it holds {found}: it was written incomplete");
        return Err(corrupt(message, &path));
    }
    Ok(loaded)
}

/// Compares the bytes of the file with the record.
fn check_stored(record: &Record, path: &Path, control: &Control) -> Result<()> {
    let mut input = env::open_input(path)?;
    let mut sum = crate::codec::Tally::new(std::io::sink(), true);
    let mut block = vec![0; 1 << 20];
    loop {
        control.check()?;
        let count = input.read(&mut block).map_err(|source| Error::io(source, "read", path))?;
        if count == 0 {
            break;
        }
        let read = block.get(..count).unwrap_or_default();
        std::io::Write::write_all(&mut sum, read)?;
    }
    let (_, _, checksum) = sum.finish();
    if checksum.as_deref() == Some(record.checksum.as_str()) {
        return Ok(());
    }
    let message = "Snapshot checksum verification failed - file may be corrupted";
    Err(Error::new(Kind::Checksum, format!("checksum: {message}")).in_file(path))
}
