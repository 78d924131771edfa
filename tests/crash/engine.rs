//! The store itself under the crash test, whole, and with each of six bugs planted beneath it.
//!
//! The bugs are in the file system that the store gets, not in the store: a sync that does nothing is a store that does
//! not sync.

use crate::model::{Content, Op, Row};
use crate::sim::{BASE, SimFs};
use crate::subject::Subject;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::{Fs, FsFile, Lock};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::format::Entry;
use ruvector_persistence::manifest::{Settings, SyncMode};
use ruvector_persistence::store::{Compact, OpenStore, Store, StoredCollection};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is planted.
pub mod bug {
    pub const NONE: u8 = 0;
    /// The log is not synced.
    pub const NO_DATA_SYNC: u8 = 1;
    /// Directories are not synced.
    pub const NO_DIRECTORY_SYNC: u8 = 2;
    /// A manifest is renamed before its content is synced.
    pub const NO_SYNC_BEFORE_RENAME: u8 = 3;
    /// A sync that failed is tried again and believed.
    pub const RETRIED_SYNC: u8 = 4;
    /// A write is acknowledged, and the sync comes with the next one.
    pub const LATE_SYNC: u8 = 5;
    /// Files are removed before the manifest that no longer names them is in place.
    pub const EARLY_REMOVAL: u8 = 6;
}

/// Settings that differ between the runs.
pub mod mode {
    pub const FSYNC: u8 = 0;
    pub const PERIODIC: u8 = 1;
    pub const ASYNC: u8 = 2;
    /// `fsync`, with records compressed and no log kept behind a checkpoint.
    pub const PACKED: u8 = 3;
}

fn settings(mode: u8) -> Settings {
    let mut settings = Settings { memtable_size: 8 << 10, compaction_threshold: 0.2, ..Settings::default() };
    settings.wal.segment_size = 4_096;
    settings.wal.preallocate = 1_024;
    settings.wal.sync_mode = match mode {
        mode::PERIODIC => SyncMode::Periodic,
        mode::ASYNC => SyncMode::Async,
        _ => SyncMode::Fsync,
    };
    settings.wal.fsync_interval = 3;
    settings.wal.compression = mode == mode::PACKED;
    settings.wal.retention = if mode == mode::PACKED { 0 } else { 60_000 };
    settings
}

/// The store with one collection.
pub struct Engine<const BUG: u8, const MODE: u8> {
    collection: Arc<StoredCollection>,
    store: Store,
}

impl<const BUG: u8, const MODE: u8> Subject for Engine<BUG, MODE> {
    fn open(fs: Arc<SimFs>) -> Result<Self> {
        let fs: Arc<dyn Fs> =
            if BUG == bug::NONE { fs } else { Arc::new(Bugged::<BUG> { inner: fs, late: Arc::default() }) };
        let options =
            OpenStore { read_only: false, create: true, among_others: false, holder: "the crash test".to_owned() };
        let store = Store::open(fs, Path::new(BASE), &options)?;
        let collection = store.collection_or_create("a", settings(MODE))?;
        Ok(Engine { collection, store })
    }

    fn apply(&mut self, op: &Op) -> Result<()> {
        let collection = &self.collection;
        let done = match op {
            Op::Put(entries) => {
                let entry = |(id, vector, metadata): &(String, Vec<f32>, Option<String>)| {
                    Entry::new(id, vector.clone(), metadata.as_deref()).map(Arc::new)
                };
                collection.put_batch(entries.iter().map(entry).collect::<Result<_>>()?, true)?
            }
            Op::Delete(ids) => collection.delete(&ids.iter().map(String::as_str).collect::<Vec<_>>(), true)?,
            Op::SetMetadata(id, metadata) => collection.set_metadata(id, metadata.as_deref(), true)?,
            Op::Clear => collection.clear(true)?,
            Op::Checkpoint => return collection.checkpoint().map(|_| ()),
            Op::Compact => return collection.compact(Compact::All).map(|_| ()),
            Op::Rotate => {
                let version = collection.version();
                return collection.replace(&version).map(|_| ());
            }
            Op::Flush => return collection.flush(),
            Op::Reopen => return Err(Error::new(Kind::Internal, "the test reopens")),
        };
        done.map_or(Ok(()), |done| collection.wait(done.lsn))
    }

    fn content(&self) -> Result<Content> {
        let version = self.collection.version();
        let mut content = Content::new();
        for entry in version.entries() {
            let entry = entry?;
            let vector = entry.vector.iter().map(|x| x.to_bits()).collect();
            let row = Row { vector, metadata: entry.metadata.as_deref().map(str::to_owned) };
            if content.insert(entry.id.to_string(), row).is_some() {
                return Err(Error::new(Kind::Corrupt, format!("'{}' is there twice", entry.id)));
            }
        }
        for id in content.keys() {
            if !self.collection.read(|state| state.has(id))? {
                return Err(Error::new(Kind::Corrupt, format!("'{id}' is not found by its id")));
            }
        }
        Ok(content)
    }

    fn verify(&self) -> Result<()> {
        let found = self.collection.verify(&Control::default())?;
        match found.damage.first() {
            None => Ok(()),
            Some(damage) => Err(Error::new(Kind::Corrupt, format!("verify found {damage:?}"))),
        }
    }

    fn close(self) -> Result<()> {
        let closed = self.collection.close();
        closed.and(self.store.close())
    }
}

/// What a bug has put off.
#[derive(Debug, Default)]
struct Late {
    file: Option<Arc<Box<dyn FsFile>>>,
    rename: Option<(PathBuf, PathBuf)>,
}

/// The file system with a bug.
#[derive(Debug)]
struct Bugged<const BUG: u8> {
    inner: Arc<SimFs>,
    late: Arc<Mutex<Late>>,
}

#[derive(Debug)]
struct BuggedFile<const BUG: u8> {
    inner: Arc<Box<dyn FsFile>>,
    late: Arc<Mutex<Late>>,
    is_log: bool,
    is_manifest: bool,
}

impl<const BUG: u8> Bugged<BUG> {
    fn wrap(&self, path: &Path, file: Box<dyn FsFile>) -> Box<dyn FsFile> {
        Box::new(BuggedFile::<BUG> {
            inner: Arc::new(file),
            late: self.late.clone(),
            is_log: path.extension().is_some_and(|extension| extension == "wal"),
            is_manifest: path.ends_with("MANIFEST.tmp"),
        })
    }

    /// Does the rename that was put off.
    fn catch_up(&self) -> Result<()> {
        let Some((from, to)) = self.late.lock().unwrap().rename.take() else { return Ok(()) };
        self.inner.rename(&from, &to)?;
        self.inner.sync_directory(to.parent().unwrap())
    }
}

impl<const BUG: u8> Fs for Bugged<BUG> {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        self.catch_up()?;
        Ok(self.wrap(path, self.inner.open(path)?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        self.catch_up()?;
        Ok(self.wrap(path, self.inner.create(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.catch_up()?;
        if BUG == bug::EARLY_REMOVAL && to.ends_with("MANIFEST") {
            self.late.lock().unwrap().rename = Some((from.to_path_buf(), to.to_path_buf()));
            return Ok(());
        }
        self.inner.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.catch_up()?;
        self.inner.link(from, to)
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        // With the bug, the removals that follow a manifest come before it.
        if path.ends_with("MANIFEST.tmp") {
            self.catch_up()?;
        }
        self.inner.remove(path)
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        self.inner.make_directory(path)
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        self.inner.remove_directory(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.catch_up()?;
        self.inner.list(path)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        let put_off = self.late.lock().unwrap().rename.is_some();
        if BUG == bug::NO_DIRECTORY_SYNC || put_off { Ok(()) } else { self.inner.sync_directory(path) }
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        self.inner.lock(path, holder)
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        self.inner.free_space(path)
    }

    fn now_us(&self) -> u64 {
        self.inner.now_us()
    }
}

impl<const BUG: u8> FsFile for BuggedFile<BUG> {
    fn length(&self) -> Result<u64> {
        self.inner.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.inner.truncate(length)
    }

    fn sync(&self) -> Result<()> {
        match BUG {
            bug::NO_DATA_SYNC if self.is_log => Ok(()),
            bug::NO_SYNC_BEFORE_RENAME if self.is_manifest => Ok(()),
            bug::RETRIED_SYNC => self.inner.sync().or_else(|_| self.inner.sync()),
            bug::LATE_SYNC if self.is_log => {
                let before = self.late.lock().unwrap().file.replace(self.inner.clone());
                before.map_or(Ok(()), |file| file.sync())
            }
            _ => self.inner.sync(),
        }
    }

    fn map(&self) -> Result<ruvector_persistence::env::fs::Bytes> {
        self.inner.map()
    }
}
