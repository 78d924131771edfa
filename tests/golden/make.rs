//! Makes the golden store, with a clock of its own and a disk that is full when it is told to be.
//!
//! Each step is there for something that has to be in the files: every kind of record, a compressed one, a refused one,
//! a segment with dead rows, the log of a process that closed it, of two that were killed, and one that was written again.

use super::{NAME, copy_tree, long_metadata};
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::{Bytes, Disk, Fs, FsFile, Lock};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::format::{Description, Entry, Metric};
use ruvector_persistence::manifest::{Engine, LsmCompression, LsmSettings, Settings};
use ruvector_persistence::store::{
    Collection, MetadataRule, OpenStore, Packing, SnapshotRequest, Store, StoredCollection,
};

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The real disk with another clock, which goes on by a millisecond with each look at it.
#[derive(Debug)]
pub struct Bench {
    now: AtomicU64,
    full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct BenchFile {
    file: Box<dyn FsFile>,
    full: Arc<AtomicBool>,
}

impl Bench {
    /// A disk with room.
    pub fn new() -> Arc<Bench> {
        Arc::new(Bench { now: AtomicU64::new(1_700_000_000_000_000), full: Arc::default() })
    }
}

impl Fs for Bench {
    fn is_real(&self) -> bool {
        true
    }

    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Disk.open(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Ok(Box::new(BenchFile { file: Disk.create(path)?, full: self.full.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
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
        Disk.sync_directory(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        Disk.lock(path, holder)
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        Disk.free_space(path)
    }

    fn now_us(&self) -> u64 {
        self.now.fetch_add(1_000, Ordering::Relaxed)
    }
}

impl FsFile for BenchFile {
    fn length(&self) -> Result<u64> {
        self.file.length()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::NoSpace, "the disk is full"));
        }
        self.file.write_at(bytes, offset)
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.file.truncate(length)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn map(&self) -> Result<Bytes> {
        self.file.map()
    }
}

fn open(disk: &Arc<Bench>, base: &Path) -> Store {
    let options = OpenStore { read_only: false, create: true, among_others: false, holder: "process 7".to_owned() };
    Store::open(disk.clone(), base, &options).unwrap()
}

fn put(collection: &StoredCollection, id: &str, vector: [f32; 2], metadata: Option<&str>) -> Result<()> {
    let done = collection.put(id, &vector, metadata, MetadataRule::Replace, true)?;
    collection.wait(done.lsn)
}

fn entry(id: &str, vector: [u32; 2], metadata: Option<&str>) -> Arc<Entry> {
    Arc::new(Entry::new(id, vector.map(f32::from_bits).to_vec(), metadata).unwrap())
}

/// Lets a process write a store and close it; what killed processes leave are copies of it while it is open.
pub fn golden_store(target: &Path) {
    let disk = Bench::new();
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

    let mut settings = Settings { compaction_threshold: 2.0, ..Settings::default() };
    settings.wal.compression = true;
    settings.wal.preallocate = 64;
    // A hundred years: a test that writes to a copy must not find the old files of the log gone.
    settings.wal.retention = 100 * 365 * 24 * 3_600 * 1_000;
    let store = open(&disk, first.path());
    let collection = store.create(NAME, settings).unwrap();
    put(&collection, "old", [1.0, 2.0], None).unwrap();
    let known = Description { dimension: Some(2), metric: Some(Metric::Euclidean) };
    collection.describe(known).unwrap();
    collection.clear(true).unwrap();
    let mut other = Collection::new(known);
    other.insert(entry("a", [0x3f80_0000, 0x8000_0000], Some(r#"{"title":"one"}"#))).unwrap();
    other.insert(entry("b", [0x4000_0000, 0x3f00_0000], None)).unwrap();
    collection.replace(&other.version()).unwrap();
    let batch = vec![
        entry("c", [0x7f80_0000, 1], Some("{}")),
        entry("é", [0x7fc0_0000, 0xffc0_0001], None),
        entry("xyz", [0x3dcc_cccd, 0xc0a0_0000], Some(&long_metadata())),
    ];
    collection.put_batch(batch, true).unwrap();
    collection.delete(&["b"], true).unwrap();
    collection.checkpoint().unwrap();
    collection.set_metadata("a", Some(r#"{"title":"two"}"#), true).unwrap();
    collection.flush().unwrap();
    disk.full.store(true, Ordering::Relaxed);
    assert_eq!(put(&collection, "refused", [1.0, 2.0], None).unwrap_err().kind, Kind::NoSpace);
    disk.full.store(false, Ordering::Relaxed);
    put(&collection, "f", [2.0, 3.0], None).unwrap();
    drop(collection);
    store.close().unwrap();

    // This process is killed when its second write is durable, and no later record says that it is.
    let store = open(&disk, first.path());
    let collection = store.collection(NAME).unwrap();
    put(&collection, "d", [6.0, 7.0], None).unwrap();
    put(&collection, "e", [4.0, 5.0], Some(r#"{"n":123456789012345678901}"#)).unwrap();
    copy_tree(first.path(), second.path());
    drop((collection, store));

    // The next one writes that record again, goes on, and is killed as well.
    let store = open(&disk, second.path());
    let collection = store.collection(NAME).unwrap();
    let gone = collection.delete(&["d"], true).unwrap().unwrap();
    collection.wait(gone.lsn).unwrap();
    copy_tree(second.path(), target);
}

/// A store of engine `lsm` as a killed process left it: a run without compression and with a dead row, one with compression, and
/// a log.
pub fn golden_lsm_store(target: &Path) {
    let disk = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let lsm = LsmSettings { compression: LsmCompression::None, ..LsmSettings::default() };
    let mut settings = Settings { engine: Engine::Lsm, compaction_threshold: 2.0, lsm, ..Settings::default() };
    settings.wal.preallocate = 64;
    settings.wal.retention = 100 * 365 * 24 * 3_600 * 1_000;
    let store = open(&disk, folder.path());
    let collection = store.create(NAME, settings).unwrap();
    collection.describe(Description { dimension: Some(2), metric: Some(Metric::Euclidean) }).unwrap();
    let batch = vec![
        entry("a", [0x3f80_0000, 0x8000_0000], Some(r#"{"title":"one"}"#)),
        entry("b", [0x4000_0000, 0x3f00_0000], None),
        entry("c", [0x7f80_0000, 1], Some("{}")),
    ];
    collection.put_batch(batch, true).unwrap();
    collection.checkpoint().unwrap();
    collection.delete(&["b"], true).unwrap();
    collection.checkpoint().unwrap();
    collection.configure(|settings| settings.lsm.compression = LsmCompression::Lz4).unwrap();
    let batch = vec![
        entry("é", [0x7fc0_0000, 0xffc0_0001], None),
        entry("xyz", [0x3dcc_cccd, 0xc0a0_0000], Some(&long_metadata())),
    ];
    collection.put_batch(batch, true).unwrap();
    collection.checkpoint().unwrap();
    collection.set_metadata("a", Some(r#"{"title":"two"}"#), true).unwrap();
    put(&collection, "f", [2.0, 3.0], None).unwrap();
    copy_tree(folder.path(), target);
}

/// The store of the examples in `docs/format.md`: two entries, of which one is removed again, and each kind of file once.
pub fn page_store(target: &Path) {
    let disk = Bench::new();
    let settings = Settings { dimension: 2, metric: Some("cosine".into()), ..Settings::default() };
    let store = open(&disk, target);
    let collection = store.create(super::page::NAME, settings).unwrap();
    let batch = vec![
        entry("a", [0x3dcc_cccd, 0x8000_0000], Some(r#"{"title":"one"}"#)),
        entry("b", [0x3f00_0000, 0xc000_0000], None),
    ];
    collection.put_batch(batch, true).unwrap();
    collection.checkpoint().unwrap();
    collection.delete(&["a"], true).unwrap();
    collection.checkpoint().unwrap();
    let metadata = Some(r#"{"by":"clock"}"#.to_owned());
    let request = SnapshotRequest { name: Some("daily".to_owned()), metadata, ..SnapshotRequest::default() };
    store.snapshot(&request, &Control::default()).unwrap();
    drop(collection);
    store.close().unwrap();
}

/// Snapshots of one store, of engines `mmap` and `lsm`: a full one, one that lacks what that one holds, and one that is packed.
pub fn golden_snapshots(target: &Path) {
    let disk = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let store = open(&disk, folder.path());
    let mut collections = Vec::new();
    for (name, engine) in [("mapped", Engine::Mmap), ("sorted", Engine::Lsm)] {
        let mut settings = Settings { engine, compaction_threshold: 2.0, ..Settings::default() };
        settings.wal.preallocate = 64;
        collections.push(store.create(name, settings).unwrap());
    }
    let take = |name: &str, incremental: bool, packing: Option<Packing>| {
        let (name, directory) = (Some(name.to_owned()), Some(target.to_path_buf()));
        let request = SnapshotRequest { name, directory, incremental, packing, ..SnapshotRequest::default() };
        store.snapshot(&request, &Control::default()).unwrap();
    };
    let each = |change: &dyn Fn(&StoredCollection)| collections.iter().for_each(|collection| change(collection));
    each(&|collection| {
        drop(collection.put_batch(vec![entry("a", [1, 2], Some("{}")), entry("b", [3, 4], None)], true))
    });
    take("full", false, None);
    each(&|collection| drop(collection.put_batch(vec![entry("c", [5, 6], None)], true)));
    each(&|collection| drop(collection.delete(&["a"], true)));
    take("incremental", true, None);
    each(&|collection| drop(collection.clear(true)));
    each(&|collection| drop(collection.put_batch(vec![entry("é", [7, 8], Some(&long_metadata()))], true)));
    take("packed with gzip", false, Some(Packing::Gzip));
    take("packed with zstd", true, Some(Packing::Zstd));
}
