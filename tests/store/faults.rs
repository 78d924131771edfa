//! Faults that need a file system with a will of its own, on real files; and logs in a place that stores share.

use crate::support::{content, open, options, put, small, vector};
use ruvector_persistence::env::fs::{Bytes, Disk, Fs, FsFile, Lock};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::manifest::Settings;
use ruvector_persistence::store::{MetadataRule, Store, StoredCollection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// What goes wrong while it is set.
#[derive(Debug, Default)]
struct Wrong {
    /// The next sync of a directory into which something was renamed fails.
    sync_after_rename: AtomicBool,
    renamed: AtomicBool,
    /// Writes end at three quarters, because the disk is full.
    half_writes: AtomicBool,
    /// Files do not become shorter, though the call says so.
    no_truncation: AtomicBool,
}

#[derive(Debug, Default)]
struct Willful(Arc<Wrong>);

#[derive(Debug)]
struct WillfulFile(Box<dyn FsFile>, Arc<Wrong>);

impl Fs for Willful {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Disk.open(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Ok(Box::new(WillfulFile(Disk.create(path)?, self.0.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.0.renamed.store(true, SeqCst);
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        Disk.remove(path)
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        Disk.make_directory(path)
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        Disk.remove_directory(path)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        Disk.list(path)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        if self.0.renamed.swap(false, SeqCst) && self.0.sync_after_rename.swap(false, SeqCst) {
            return Err(Error::new(Kind::Io, "planted"));
        }
        Disk.sync_directory(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        Disk.lock(path, holder)
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        Disk.free_space(path)
    }

    fn now_us(&self) -> u64 {
        Disk.now_us()
    }
}

impl FsFile for WillfulFile {
    fn length(&self) -> Result<u64> {
        self.0.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if self.1.half_writes.load(SeqCst) {
            self.0.write_at(&bytes[..bytes.len() * 3 / 4], offset)?;
            return Err(Error::new(Kind::NoSpace, "planted"));
        }
        self.0.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> Result<()> {
        if self.1.no_truncation.load(SeqCst) { Ok(()) } else { self.0.truncate(length) }
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }

    fn map(&self) -> Result<Bytes> {
        self.0.map()
    }
}

fn open_on(fs: &Arc<Willful>, base: &Path) -> Store {
    Store::open(fs.clone(), base, &options()).unwrap()
}

fn written(collection: &StoredCollection, id: &str) -> Result<()> {
    let done = collection.put(id, &vector(1), None, MetadataRule::Replace, true)?;
    collection.wait(done.lsn)
}

#[test]
fn a_manifest_in_doubt_ends_writing_and_what_was_acknowledged_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let fs = Arc::new(Willful::default());
    let store = open_on(&fs, folder.path());
    let collection = store.create("a", Settings::default()).unwrap();
    written(&collection, "x").unwrap();
    fs.0.renamed.store(false, SeqCst);
    fs.0.sync_after_rename.store(true, SeqCst);
    assert_eq!(collection.checkpoint().unwrap_err().kind, Kind::Io);
    assert_eq!(written(&collection, "y").unwrap_err().kind, Kind::Poisoned);
    assert_eq!(collection.checkpoint().unwrap_err().kind, Kind::Poisoned, "nothing that it may name is touched");
    assert_eq!(content(&collection).len(), 1, "reading goes on");
    drop((collection, store));
    let store = open_on(&fs, folder.path());
    assert_eq!(content(&store.collection("a").unwrap()).len(), 1);
}

#[test]
fn a_full_disk_refuses_takes_back_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let fs = Arc::new(Willful::default());
    let store = open_on(&fs, folder.path());
    let collection = store.create("a", Settings::default()).unwrap();
    written(&collection, "x").unwrap();
    let before = content(&collection);
    fs.0.half_writes.store(true, SeqCst);
    assert_eq!(written(&collection, "y").unwrap_err().kind, Kind::NoSpace);
    assert_eq!(collection.delete(&["x"], true).unwrap().map(|done| collection.wait(done.lsn).is_err()), Some(true));
    assert_eq!(content(&collection), before, "what is not acknowledged is not there");
    // Nobody waits for this one: the next flush tells.
    collection.put("z", &vector(2), None, MetadataRule::Replace, false).unwrap();
    assert_eq!(collection.flush().unwrap_err().kind, Kind::NoSpace);
    assert_eq!(content(&collection), before);
    fs.0.half_writes.store(false, SeqCst);
    collection.flush().unwrap();
    written(&collection, "y").unwrap();
    // Bytes of a refused write lie behind the end, and cutting them off comes to nothing.
    fs.0.half_writes.store(true, SeqCst);
    assert!(
        collection.put_batch((0..50).map(entry).collect(), true).and_then(|d| collection.wait(d.unwrap().lsn)).is_err()
    );
    fs.0.half_writes.store(false, SeqCst);
    fs.0.no_truncation.store(true, SeqCst);
    let before = content(&collection);
    assert_eq!(before.len(), 2);
    drop((collection, store));
    let store = open_on(&fs, folder.path());
    assert_eq!(content(&store.collection("a").unwrap()), before);
}

fn entry(number: u32) -> Arc<ruvector_persistence::format::Entry> {
    let entry = ruvector_persistence::format::Entry::new(&format!("batch {number}"), vector(number), None);
    Arc::new(entry.unwrap())
}

#[test]
fn stores_may_keep_their_logs_in_one_place() {
    let (one, other, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings = small();
    settings.wal.directory = Some(logs.path().join("deep").to_string_lossy().into_owned());
    let contents: Vec<_> = [one.path(), other.path()]
        .map(|base| {
            let store = open(base).unwrap();
            let collection = store.create("default", settings.clone()).unwrap();
            (0..300).for_each(|seed| _ = put(&collection, &format!("{} {seed}", base.display()), seed));
            collection.flush().unwrap();
            content(&collection)
        })
        .into();
    for (base, before) in [one.path(), other.path()].into_iter().zip(&contents) {
        assert_eq!(&content(&open(base).unwrap().collection("default").unwrap()), before);
    }
    assert!(!one.path().join("collections/default/wal").exists());
    // A collection that is gone leaves nothing that hinders its successor.
    let store = open(one.path()).unwrap();
    store.remove("default").unwrap();
    assert!(content(&store.create("default", settings).unwrap()).is_empty());
    assert_eq!(&content(&open(other.path()).unwrap().collection("default").unwrap()), &contents[1]);
}

#[test]
fn a_replaced_content_keeps_what_is_known_of_the_collection() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings { metric: Some("dot".into()), ..small() }).unwrap();
    let other = store.create("b", small()).unwrap();
    put(&other, "x", 1);
    collection.replace(&other.version()).unwrap();
    assert_eq!(collection.manifest().settings.metric.as_deref(), Some("dot"));
    assert_eq!(collection.read(|state| state.description().metric.map(|metric| metric.name())), Some("dot"));
}
