//! The manifest of a collection: its settings and the list of its live files. The one mutable root: everything that is
//! not named here, directly or by what is, is not part of the collection.
//!
//! The file is its header (its number is the generation), a JSON text, and the CRC-32 of that text. It is replaced as a
//! whole and atomically; each names the SHA-256 of the one before, so that a chain can be told from a fork.

mod content;
mod lsm_options;

pub use content::{
    DeadRef, Engine, LogPlace, Manifest, MmapSettings, Origin, RestorePoint, SegmentKind, SegmentRef, Settings,
    SyncMode, Timeline, WalRef, WalSettings,
};
pub use lsm_options::{LsmCompression, LsmOptions, LsmSettings};

use crate::env::fs::{self, Fs};
use crate::error::{Error, Kind, Result};
use crate::format::document::{self, hash};
use crate::format::header::{FileKind, Header, Owner};
use crate::limits::MANIFEST_BYTES_MAX;
use std::path::Path;

/// The name of the file.
pub const FILE_NAME: &str = "MANIFEST";

/// A manifest as it stands on disk.
#[derive(Debug, Clone)]
pub struct Root {
    /// Whose it is.
    pub owner: Owner,
    /// What it says.
    pub manifest: Manifest,
    /// SHA-256 of the file, in hex.
    pub hash: String,
    /// A replacement failed so that the next manifest may be the one that a later open finds: nothing more must be
    /// written by this process.
    pub in_doubt: bool,
}

/// The bytes of a manifest file.
pub fn encode(owner: Owner, manifest: &Manifest) -> Result<Vec<u8>> {
    let (number, generation) = (manifest.generation, manifest.generation as u32);
    document::encode(&Header { kind: FileKind::Manifest, owner, number, generation }, manifest)
}

/// Reads the bytes of a manifest file of that store.
pub fn decode(bytes: &[u8], store: [u8; 16]) -> Result<Root> {
    let (header, manifest) = document::decode::<Manifest>(bytes, FileKind::Manifest)?;
    if header.owner.store != store {
        return Err(document::broken("this manifest belongs to another store".to_owned()));
    }
    if manifest.generation != header.number {
        return Err(document::broken("the manifest contradicts its header".to_owned()));
    }
    manifest.check().map_err(|what| document::broken(format!("the manifest contradicts itself: {what}")))?;
    Ok(Root { owner: header.owner, manifest, hash: hash(bytes), in_doubt: false })
}

/// Reads the manifest in `directory`.
pub fn read(fs: &dyn Fs, directory: &Path, store: [u8; 16]) -> Result<Root> {
    let path = directory.join(FILE_NAME);
    let bytes = fs::read_whole(fs, &path, MANIFEST_BYTES_MAX).map_err(|error| match error.cause_code() {
        Some("ENOENT") => {
            let message = format!("{}: the manifest of this collection is missing", path.display());
            Error { kind: Kind::Corrupt, message, ..error }
        }
        _ => error,
    })?;
    decode(&bytes, store).map_err(|error| error.in_file(&path))
}

impl Root {
    /// The first manifest of a collection.
    pub fn first(owner: Owner, settings: Settings) -> Root {
        Root { owner, manifest: Manifest::new(settings), hash: String::new(), in_doubt: false }
    }

    /// Refuses to go on when the manifest on disk is not this one: then the folder was removed, or another was put in its
    /// place, and nothing in it is ours to change.
    pub fn check_place(&mut self, fs: &dyn Fs, directory: &Path) -> Result<()> {
        if self.manifest.generation == 0 || self.in_doubt {
            return Ok(());
        }
        let path = directory.join(FILE_NAME);
        let found = fs::read_whole(fs, &path, MANIFEST_BYTES_MAX).map(|bytes| hash(&bytes));
        match found {
            Ok(found) if found == self.hash => Ok(()),
            Err(error) if error.kind == Kind::Io => Err(error),
            _ => {
                self.in_doubt = true;
                let message = "the folder of the collection was removed, or something else was put in its place";
                Err(Error::new(Kind::Io, message).in_file(&path))
            }
        }
    }

    /// Puts the next manifest in the place of this one: `change` makes it from this one. On an error this one stands,
    /// here and on disk; only a failed sync of the directory leaves open which of the two is on disk.
    pub fn replace(&mut self, fs: &dyn Fs, directory: &Path, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut next = self.manifest.clone();
        change(&mut next);
        next.generation = self.manifest.generation + 1;
        next.previous.clone_from(&self.hash);
        let bytes = encode(self.owner, &next)?;
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(Error::new(Kind::Limit, "the collection has more files than a manifest can name: compact it"));
        }
        if self.in_doubt {
            return Err(Error::new(
                Kind::Poisoned,
                "the manifest is in doubt since a failed sync: open the store again",
            ));
        }
        self.check_place(fs, directory)?;
        match fs::replace(fs, &directory.join(FILE_NAME), &bytes) {
            Ok(()) => {
                *self = Root { owner: self.owner, hash: hash(&bytes), manifest: next, in_doubt: false };
                Ok(())
            }
            Err(refused) => {
                self.in_doubt = refused.in_doubt;
                Err(refused.error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };

    fn sample() -> Manifest {
        let mut manifest =
            Manifest::new(Settings { dimension: 3, metric: Some("cosine".into()), ..Settings::default() });
        manifest.generation = 7;
        manifest.checkpoint_lsn = 20;
        manifest.next_segment = 3;
        manifest.segments = vec![
            SegmentRef { number: 1, kind: SegmentKind::File, length: 500, checksum: 9, rows: 4, dead: None },
            SegmentRef {
                number: 2,
                kind: SegmentKind::Lsm,
                length: 600,
                checksum: 8,
                rows: 5,
                dead: Some(DeadRef { version: 2, length: 96, checksum: 7, rows: 1 }),
            },
        ];
        manifest.wal = vec![
            WalRef { length: Some(4_000), last_lsn: Some(20), last_time: Some(5), ..WalRef::begun(2, 1) },
            WalRef { replay_from: Some(LogPlace { offset: 96, lsn: 20 }), ..WalRef::begun(5, 21) },
        ];
        manifest
    }

    #[test]
    fn every_flipped_bit_and_every_length_is_noticed() {
        let bytes = encode(OWNER, &sample()).unwrap();
        assert_eq!(decode(&bytes, [1; 16]).unwrap().manifest, sample());
        // Miri is slow: some of them do there.
        let step = if cfg!(miri) { 61 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged, [1; 16]).is_err(), "bit {bit}");
        }
        for length in (0..bytes.len()).step_by(step) {
            assert!(decode(&bytes[..length], [1; 16]).is_err());
        }
        for extra in 1..64 {
            assert!(decode(&[bytes.clone(), vec![0; extra]].concat(), [1; 16]).is_err());
        }
        assert!(decode(&bytes, [3; 16]).unwrap_err().message.contains("another store"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = sample();
            change(&mut manifest);
            assert_eq!(decode(&encode(OWNER, &manifest).unwrap(), [1; 16]).unwrap_err().kind, Kind::Corrupt);
        };
        refused(&|manifest| manifest.segments[1].number = 1);
        refused(&|manifest| manifest.segments[1].number = 3);
        refused(&|manifest| manifest.segments[1].dead.as_mut().unwrap().rows = 6);
        refused(&|manifest| manifest.wal[0].last_lsn = None);
        refused(&|manifest| manifest.wal[0].last_lsn = Some(21));
        refused(&|manifest| manifest.wal[1].first_lsn = 22);
        refused(&|manifest| manifest.wal[1].replay_from.as_mut().unwrap().lsn = 21);
        refused(&|manifest| manifest.wal[1].replay_from.as_mut().unwrap().lsn = 19);
        refused(&|manifest| {
            manifest.wal.remove(0);
            manifest.checkpoint_lsn = 10;
        });
        refused(&|manifest| manifest.settings.metric = Some("x".into()));
        refused(&|manifest| manifest.settings.dimension = 70_000);
    }

    #[test]
    fn a_manifest_from_before_there_were_sorted_runs_is_understood() {
        let mut older = serde_json::to_value(sample()).unwrap();
        assert!(older["settings"].get("lsm").is_none(), "defaults are not named");
        assert!(older["segments"][0].get("kind").is_none(), "a file says nothing of its kind");
        older["segments"][1].as_object_mut().unwrap().remove("kind").unwrap();
        let read: Manifest = serde_json::from_value(older).unwrap();
        assert_eq!((read.segments[1].kind, &read.settings), (SegmentKind::File, &sample().settings));
    }

    #[test]
    fn engines_that_are_not_there_are_refused_by_name() {
        for name in ["memory", "mmap", "hybrid", "lsm"] {
            assert_eq!(serde_json::to_value(Engine::named(name).unwrap()).unwrap(), name);
        }
        for (name, part) in [("rocksdb", "use 'lsm'"), ("leveldb", "use 'lsm'"), ("x", "no engine 'x'")] {
            let error = Engine::named(name).unwrap_err();
            assert!(error.kind == Kind::Unsupported && error.message.contains(part), "{error:?}");
            let refused = serde_json::from_str::<Engine>(&format!("\"{name}\"")).unwrap_err();
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }

    #[test]
    fn a_chain_of_manifests_names_each_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let disk = crate::env::fs::Disk;
        let mut root = Root::first(OWNER, Settings::default());
        root.replace(&disk, directory.path(), |_| {}).unwrap();
        let first = root.hash.clone();
        root.replace(&disk, directory.path(), |manifest| manifest.settings.read_only = true).unwrap();
        let found = read(&disk, directory.path(), [1; 16]).unwrap();
        assert_eq!((found.manifest.generation, found.manifest.previous, found.hash), (2, first, root.hash));
        assert!(found.manifest.settings.read_only);
    }
}
