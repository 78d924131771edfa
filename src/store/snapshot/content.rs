//! What a snapshot says of itself: the file `SNAPSHOT`, which is written last and names every other file.

use super::id::check_id;
use crate::env::fs::{Fs, read_whole};
use crate::error::{Error, Kind, Result};
use crate::format::document::{self, hash, hex};
use crate::format::header::{FileKind, Header, Owner};
use crate::limits::{MANIFEST_BYTES_MAX, METADATA_BYTES_MAX, SNAPSHOT_FILES_MAX};
use crate::lsm;
use crate::manifest;
use crate::store::paths::{RUNS, check_name, run_number, segment_file};
use crate::wal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The name of the file.
pub const FILE_NAME: &str = "SNAPSHOT";

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Snapshot {
    /// Its name among the snapshots of a folder.
    pub id: String,
    /// A name for people; any text.
    pub name: Option<String>,
    /// When it was taken, microseconds since 1970.
    pub created: u64,
    /// The snapshot that holds what this one does not; none for a full one.
    pub base: Option<Base>,
    /// The collections, by name.
    pub collections: Vec<Content>,
    /// A JSON object as text, byte for byte as it was given.
    pub metadata: Option<String>,
}

/// Another snapshot of the same folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Base {
    /// Its id.
    pub id: String,
    /// SHA-256 of its `SNAPSHOT`, in hex.
    pub checksum: String,
}

/// A collection as it was at one LSN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Content {
    /// Its name.
    pub name: String,
    /// Its id, in hex: it stays when the name changes.
    pub id: String,
    /// The last change that is in it.
    pub lsn: u64,
    /// Time of that change, microseconds since 1970.
    pub time: u64,
    /// Live entries.
    pub entries: u64,
    /// Numbers in each vector; 0 while unknown.
    pub dimension: u32,
    /// Distance metric; null while unknown.
    pub metric: Option<String>,
    /// SHA-256 of its manifest, in hex.
    pub manifest: String,
    /// Bytes of all its files, those that a base holds included.
    pub bytes: u64,
    /// The files that are in this snapshot, and not in a base.
    pub files: Vec<File>,
}

/// A file of a collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    /// Its path within the folder of the collection, with `/`.
    pub name: String,
    /// Its bytes.
    pub length: u64,
    /// The checksum by which its manifest knows it; 0 for files of the log, whose frames have their own.
    pub checksum: u32,
}

/// A snapshot as it stands on disk.
#[derive(Debug, Clone)]
pub struct Found {
    /// Id of the store that it was taken of.
    pub store: [u8; 16],
    /// What it says.
    pub snapshot: Snapshot,
    /// SHA-256 of the file, in hex.
    pub checksum: String,
}

impl Snapshot {
    /// `full` or `incremental`.
    pub fn kind(&self) -> &'static str {
        if self.base.is_some() { "incremental" } else { "full" }
    }

    /// Live entries of all collections.
    pub fn entries(&self) -> u64 {
        self.collections.iter().map(|content| content.entries).sum()
    }

    /// Bytes of the files that it holds itself.
    pub fn held_bytes(&self) -> u64 {
        self.collections.iter().flat_map(|content| &content.files).map(|file| file.length).sum()
    }

    fn check(&self) -> Result<()> {
        check_id(&self.id)?;
        if let Some(base) = &self.base {
            check_id(&base.id)?;
        }
        if self.metadata.as_ref().is_some_and(|text| text.len() > METADATA_BYTES_MAX) {
            return Err(Error::new(Kind::Limit, "the metadata is above the limit"));
        }
        let names = self.collections.iter().map(|content| &content.name);
        if !names.clone().zip(names.skip(1)).all(|(a, b)| a < b) {
            return Err(document::broken("the collections are not in order".to_owned()));
        }
        if self.collections.iter().map(|content| content.files.len()).sum::<usize>() > SNAPSHOT_FILES_MAX {
            return Err(Error::new(Kind::Limit, "the snapshot names more files than are possible"));
        }
        self.collections.iter().try_for_each(Content::check)
    }
}

impl Content {
    /// Whether the snapshot holds that file itself. A seal has the length of its whole run in a manifest.
    pub fn holds(&self, file: &File) -> bool {
        let is_seal = file.name.ends_with(lsm::SEAL);
        let same = |own: &File| {
            own.name == file.name && own.checksum == file.checksum && (is_seal || own.length == file.length)
        };
        self.files.iter().any(same)
    }

    fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        let mut seen = BTreeSet::new();
        for file in &self.files {
            if !is_file_name(&file.name) || !seen.insert(&file.name) {
                let name: String = file.name.chars().take(80).collect();
                return Err(document::broken(format!("it names a file '{name}' that no collection has, or has twice")));
            }
        }
        match seen.contains(&manifest::FILE_NAME.to_owned()) {
            true => Ok(()),
            false => Err(document::broken("a collection without a manifest".to_owned())),
        }
    }
}

/// Whether a collection may have a file of that name: no other name is ever written or read.
fn is_file_name(name: &str) -> bool {
    match name.split_once('/') {
        None => name == manifest::FILE_NAME,
        Some(("segments", file)) => segment_file(file).is_some(),
        Some(("wal", file)) => wal::number_of(file).is_some(),
        Some((RUNS, file)) => {
            file.split_once('/').is_some_and(|(run, file)| run_number(run).is_some() && lsm::is_file_name(file))
        }
        Some(_) => false,
    }
}

/// The bytes of the file.
pub fn encode(store: [u8; 16], snapshot: &Snapshot) -> Result<Vec<u8>> {
    snapshot.check()?;
    let owner = Owner { store, collection: [0; 16] };
    document::encode(&Header { kind: FileKind::Snapshot, owner, number: 0, generation: 0 }, snapshot)
}

/// Reads the bytes of such a file.
pub fn decode(bytes: &[u8]) -> Result<Found> {
    let (header, snapshot) = document::decode::<Snapshot>(bytes, FileKind::Snapshot)?;
    snapshot.check().map_err(|error| match error.kind {
        Kind::Limit => error,
        _ => document::broken(error.message),
    })?;
    Ok(Found { store: header.owner.store, snapshot, checksum: hash(bytes) })
}

/// Reads the file in `folder`.
pub fn read(fs: &dyn Fs, folder: &Path) -> Result<Found> {
    let path = folder.join(FILE_NAME);
    read_whole(fs, &path, MANIFEST_BYTES_MAX).and_then(|bytes| decode(&bytes)).map_err(|error| error.in_file(&path))
}

/// The id of a collection as text.
pub fn collection_id(owner: Owner) -> String {
    hex(&owner.collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Snapshot {
        let file = |name: &str| File { name: name.to_owned(), length: 7, checksum: 8 };
        Snapshot {
            id: "snap-2026-11-21-213521".to_owned(),
            name: Some("before the ü".to_owned()),
            created: 9,
            base: Some(Base { id: "a".to_owned(), checksum: "00".to_owned() }),
            collections: vec![Content {
                name: "c".to_owned(),
                id: "01".to_owned(),
                lsn: 5,
                time: 6,
                entries: 4,
                dimension: 3,
                metric: None,
                manifest: "ff".to_owned(),
                bytes: 21,
                files: vec![file("MANIFEST"), file("segments/00000001.seg"), file("wal/00000000000000000001.wal")],
            }],
            metadata: Some(r#"{"b":1,"a":12345678901234567890}"#.to_owned()),
        }
    }

    #[test]
    fn every_flipped_bit_and_every_length_is_noticed() {
        let bytes = encode([1; 16], &sample()).unwrap();
        let found = decode(&bytes).unwrap();
        assert_eq!((found.snapshot, found.store), (sample(), [1; 16]));
        // Miri is slow: some of them do there.
        let step = if cfg!(miri) { 61 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length]).is_err()));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let refused = |change: &dyn Fn(&mut Snapshot)| {
            let mut snapshot = sample();
            change(&mut snapshot);
            assert!(encode([1; 16], &snapshot).is_err());
        };
        for name in ["../x", "/etc/x", "segments/../../x", "segments/1", "wal/x.wal", "MANIFEST/x", "STORE", ""] {
            refused(&|snapshot| snapshot.collections[0].files[1].name = name.to_owned());
        }
        refused(&|snapshot| snapshot.collections[0].files[1].name = "MANIFEST".to_owned());
        refused(&|snapshot| drop(snapshot.collections[0].files.remove(0)));
        refused(&|snapshot| snapshot.collections[0].name = "../x".to_owned());
        refused(&|snapshot| snapshot.collections.push(snapshot.collections[0].clone()));
        refused(&|snapshot| snapshot.id = "../x".to_owned());
        refused(&|snapshot| snapshot.base.as_mut().unwrap().id = "/x".to_owned());
        refused(&|snapshot| {
            let file = snapshot.collections[0].files[1].clone();
            snapshot.collections[0].files = vec![file; SNAPSHOT_FILES_MAX + 1];
        });
    }
}
