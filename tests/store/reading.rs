//! A snapshot that is being restored stays until that is done, whoever wants it removed: by hand or by a rule, from this store
//! or another one.

use crate::support::{content, fill, open_reader, options, put, small};
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::{Disk, Fs, FsFile, Lock};
use ruvector_persistence::error::{Kind, Result};
use ruvector_persistence::ops::store::operate;
use ruvector_persistence::store::{Restore, SnapshotRequest, Store};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier};

/// Files as they are; but once, where it is told to, it waits before it makes a segment.
#[derive(Debug)]
struct Held {
    armed: AtomicBool,
    reached: Barrier,
    released: Barrier,
}

#[derive(Debug, Clone)]
struct Holding(Arc<Held>);

impl Fs for Holding {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Disk.open(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        if path.extension().is_some_and(|kind| kind == "seg") && self.0.armed.swap(false, SeqCst) {
            self.0.reached.wait();
            self.0.released.wait();
        }
        Disk.create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        Disk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        Disk.link(from, to)
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
        Disk.now_us()
    }
}

#[test]
fn a_snapshot_that_is_being_restored_is_not_removed_and_the_restore_ends_well() {
    for incremental in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let held =
            Arc::new(Held { armed: AtomicBool::new(false), reached: Barrier::new(2), released: Barrier::new(2) });
        let store = Store::open(Arc::new(Holding(held.clone())), folder.path(), &options()).unwrap();
        let collection = store.create("a", small()).unwrap();
        let take = |incremental| {
            let request = SnapshotRequest { incremental, ..SnapshotRequest::default() };
            store.snapshot(&request, &Control::default()).unwrap()
        };
        fill(&collection, "first", 50);
        let base = take(false);
        fill(&collection, "second", 50);
        let wanted = take(incremental);
        let before = content(&collection);
        put(&collection, "later", 1);
        take(false);
        let other = open_reader(folder.path()).unwrap();
        let prune = || operate(&other, "prune", r#"{"keep":{"last":1}}"#, &Control::default()).unwrap();
        held.armed.store(true, SeqCst);
        let restore = Restore { snapshot: wanted.id().to_owned(), overwrite: true, ..Restore::default() };
        std::thread::scope(|scope| {
            let restoring = scope.spawn(|| store.restore(&restore, &Control::default()));
            held.reached.wait();
            let refused = other.remove_snapshot(&wanted).unwrap_err();
            assert_eq!(refused.kind, Kind::Locked, "{refused}");
            assert!(refused.message.contains("is being read"), "{refused}");
            let told = prune();
            assert!(told.contains("being read"), "{told}");
            let left = other.snapshots(None).unwrap().0.len();
            assert_eq!(left, if incremental { 3 } else { 2 }, "it and what it builds on: {told}");
            held.released.wait();
            restoring.join().unwrap().unwrap();
        });
        assert_eq!(content(&collection), before);
        prune();
        assert_eq!(other.snapshots(None).unwrap().0.len(), 1, "now they go");
        let hidden = std::fs::read_dir(folder.path().join("snapshots")).unwrap();
        let hidden = hidden.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(hidden.count(), 0);
        drop(base);
    }
}
