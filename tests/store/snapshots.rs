//! Snapshots through the interface of the store: what comes back, what is refused, what damage is named.

use crate::support::{Content, content, fill, open, open_reader, put, small};
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Kind;
use ruvector_persistence::manifest::{Engine, Settings};
use ruvector_persistence::store::{Packing, Restore, SnapshotEntry, SnapshotRequest, Store};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

fn control() -> Control {
    Control::default()
}

fn take(store: &Store, request: SnapshotRequest) -> SnapshotEntry {
    store.snapshot(&request, &control()).unwrap()
}

fn by_id(entry: &SnapshotEntry) -> Restore {
    Restore { snapshot: entry.id().to_owned(), verify: true, ..Restore::default() }
}

/// Ends the writing thread also when the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn inode(path: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap())
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The store with one collection of some history: segments, dead rows, and a memtable.
fn with_history(folder: &Path) -> (Store, Content) {
    let store = open(folder).unwrap();
    let collection = store.create("a", small()).unwrap();
    fill(&collection, "first", 300);
    collection.checkpoint().unwrap();
    collection.delete(&["first 3", "first 4"], true).unwrap();
    fill(&collection, "second", 50);
    let content = content(&collection);
    (store, content)
}

#[test]
fn a_snapshot_is_links_and_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (store, before) = with_history(folder.path());
    let metadata = r#"{"reason":"ü","n":12345678901234567890}"#;
    let request = SnapshotRequest {
        name: Some("before".to_owned()),
        metadata: Some(metadata.to_owned()),
        ..SnapshotRequest::default()
    };
    let entry = take(&store, request);
    let snapshot = &entry.found.snapshot;
    assert_eq!((snapshot.kind(), snapshot.entries()), ("full", before.len() as u64));
    assert_eq!(snapshot.metadata.as_deref(), Some(metadata));
    assert!(snapshot.id.starts_with("snap-2"), "{}", snapshot.id);
    let segment = "collections/a/segments/00000001.seg";
    assert_eq!(inode(&folder.path().join(segment)), inode(&entry.path.join(segment)), "the same file");
    // The living collection goes on, loses those files, and gets them back.
    let collection = store.collection("a").unwrap();
    collection.clear(true).unwrap();
    put(&collection, "later", 1);
    collection.compact(ruvector_persistence::store::Compact::All).unwrap();
    assert!(!folder.path().join(segment).exists());
    assert_eq!(store.restore(&by_id(&entry), &control()).unwrap_err().kind, Kind::Exists);
    let word = |snapshot: &str| Restore { snapshot: snapshot.to_owned(), overwrite: true, ..by_id(&entry) };
    for way in [entry.id(), "before", "latest", entry.path.to_str().unwrap()] {
        put(&collection, "later", 1);
        let (_, restored) = store.restore(&word(way), &control()).unwrap();
        assert_eq!((restored[0].entries, restored[0].name.as_str()), (before.len() as u64, "a"));
        assert_eq!(content(&collection), before, "the handle of before sees it");
    }
    // Under another name, and with the collection gone.
    let renamed = Restore { target: Some("b".to_owned()), ..by_id(&entry) };
    store.restore(&renamed, &control()).unwrap();
    store.remove("a").unwrap();
    store.restore(&by_id(&entry), &control()).unwrap();
    store.close().unwrap();
    let store = open(folder.path()).unwrap();
    for name in ["a", "b"] {
        let collection = store.collection(name).unwrap();
        assert_eq!(content(&collection), before);
        assert_eq!(collection.manifest().settings, small_described(), "{name}");
        put(&collection, "and it goes on", 9);
        collection.flush().unwrap();
        assert!(collection.verify(&control()).unwrap().damage.is_empty());
    }
}

fn small_described() -> ruvector_persistence::manifest::Settings {
    ruvector_persistence::manifest::Settings { dimension: 4, ..small() }
}

#[test]
fn each_form_comes_back_in_another_store_too() {
    let folder = tempfile::tempdir().unwrap();
    let (store, before) = with_history(folder.path());
    for packing in [None, Some(Packing::Gzip), Some(Packing::Zstd)] {
        let entry = take(&store, SnapshotRequest { packing, ..SnapshotRequest::default() });
        assert_eq!(entry.packing, packing);
        assert!(store.verify_snapshot(&entry, &control()).unwrap().damage.is_empty());
        let elsewhere = tempfile::tempdir().unwrap();
        let other = open(elsewhere.path()).unwrap();
        let path = entry.path.to_str().unwrap().to_owned();
        other.restore(&Restore { snapshot: path, ..Restore::default() }, &control()).unwrap();
        assert_eq!(content(&other.collection("a").unwrap()), before);
    }
    let (entries, damaged) = store.snapshots(None).unwrap();
    assert_eq!((entries.len(), damaged.len()), (3, 0));
    let ids: std::collections::BTreeSet<&str> = entries.iter().map(SnapshotEntry::id).collect();
    assert_eq!(ids.len(), 3, "of one second, and different");
}

#[test]
fn a_chain_holds_only_what_changed_and_breaks_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_history(folder.path());
    let collection = store.collection("a").unwrap();
    for packing in [None, Some(Packing::Zstd)] {
        let outside = tempfile::tempdir().unwrap();
        let directory = Some(outside.path().to_path_buf());
        let taking = |incremental| SnapshotRequest {
            directory: directory.clone(),
            packing,
            incremental,
            collections: Some(vec!["a".to_owned()]),
            ..SnapshotRequest::default()
        };
        let full = take(&store, taking(true));
        assert_eq!(full.found.snapshot.kind(), "full", "there was nothing to build on");
        let mut contents = vec![content(&collection)];
        let mut chain = vec![full];
        for round in 0..3 {
            put(&collection, &format!("round {round}"), round);
            collection.delete(&[&format!("first {}", 10 + round)], true).unwrap();
            contents.push(content(&collection));
            chain.push(take(&store, taking(true)));
        }
        let bytes: Vec<u64> = chain.iter().map(|entry| entry.found.snapshot.held_bytes()).collect();
        assert!(bytes[1..].iter().all(|held| *held < bytes[0] / 2), "{bytes:?}");
        for (entry, content_then) in chain.iter().zip(&contents) {
            assert!(store.verify_snapshot(entry, &control()).unwrap().damage.is_empty());
            let target = format!("from-{}-{}", entry.id(), packing.is_some());
            let restore = Restore { directory: directory.clone(), target: Some(target.clone()), ..by_id(entry) };
            store.restore(&restore, &control()).unwrap();
            assert_eq!(content(&store.collection(&target).unwrap()), *content_then);
        }
        let names: Vec<String> =
            files(outside.path()).iter().map(|path| path.display().to_string()).filter(|p| p.contains("/.")).collect();
        assert!(names.is_empty() || names.iter().all(|name| !name.contains(".ruvector")), "{names:?}");
        // A base that is needed stays; without it the rest says what is missing.
        let refused = store.remove_snapshot(&chain[1]).unwrap_err();
        assert_eq!(refused.kind, Kind::Chain);
        assert!(refused.message.contains(chain[2].id()), "{}", refused.message);
        let moved = outside.path().join(".away");
        std::fs::rename(&chain[1].path, &moved).unwrap();
        let restore = Restore { directory: directory.clone(), overwrite: true, ..by_id(&chain[3]) };
        let refused = store.restore(&restore, &control()).unwrap_err();
        assert_eq!(refused.kind, Kind::Chain);
        assert!(refused.message.contains(&format!("'{}', which is missing", chain[1].id())), "{}", refused.message);
        assert_eq!(content(&collection), contents[3], "nothing was touched");
        let found = store.verify_snapshot(&chain[3], &control()).unwrap();
        assert!(found.damage[0].what.contains(chain[1].id()));
        // Another one in its place is not it.
        let other = SnapshotRequest { place: Some(chain[1].path.clone()), ..taking(false) };
        take(&store, other);
        assert_eq!(store.restore(&restore, &control()).unwrap_err().kind, Kind::Chain);
        if packing.is_none() {
            std::fs::remove_dir_all(&chain[1].path).unwrap();
        }
        std::fs::rename(&moved, &chain[1].path).unwrap();
        for entry in chain.iter().rev() {
            store.remove_snapshot(entry).unwrap();
            assert!(!entry.path.exists());
        }
    }
}

#[test]
fn another_process_takes_one_of_a_store_that_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            // Entry n is written before entry n + 1: a snapshot holds a beginning of them, and no other entry.
            for seed in 0.. {
                collection.wait(put(&collection, &format!("{seed}"), seed)).unwrap();
                if seed % 100 == 99 {
                    collection.compact(ruvector_persistence::store::Compact::All).unwrap();
                }
                if stop.load(Relaxed) {
                    return;
                }
            }
        });
        let mut last = 0;
        for round in 0..30 {
            let reader = open_reader(folder.path()).unwrap();
            let directory = Some(outside.path().to_path_buf());
            let packing = (round % 10 == 9).then_some(Packing::Gzip);
            let entry = take(&reader, SnapshotRequest { directory: directory.clone(), packing, ..Default::default() });
            assert!(reader.verify_snapshot(&entry, &control()).unwrap().damage.is_empty());
            let count = entry.found.snapshot.entries();
            assert!(count >= last, "{count} after {last}");
            last = count;
            let elsewhere = tempfile::tempdir().unwrap();
            let other = open(elsewhere.path()).unwrap();
            other.restore(&Restore { directory, ..by_id(&entry) }, &control()).unwrap();
            let found = content(&other.collection("a").unwrap());
            assert_eq!(found.len() as u64, count);
            assert!((0..count).all(|seed| found.contains_key(&seed.to_string())));
        }
        assert!(last > 0);
    });
}

#[test]
fn all_collections_are_taken_at_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let (a, b) = (store.create("a", small()).unwrap(), store.create("b", small()).unwrap());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            // First a, then b: at any moment a is as far as b, or one entry ahead.
            let mut seed = 0;
            while !stop.load(Relaxed) {
                a.wait(put(&a, &format!("{seed}"), seed)).unwrap();
                b.wait(put(&b, &format!("{seed}"), seed)).unwrap();
                seed += 1;
            }
        });
        for _ in 0..20 {
            let entry = take(&store, SnapshotRequest::default());
            let [a, b] = entry.found.snapshot.collections.as_slice() else { panic!("two collections") };
            assert!(a.entries == b.entries || a.entries == b.entries + 1, "{} and {}", a.entries, b.entries);
        }
    });
}

#[test]
fn every_damaged_byte_of_a_snapshot_is_found_and_nothing_of_it_is_restored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    fill(&collection, "x", 8);
    collection.checkpoint().unwrap();
    collection.delete(&["x 3"], true).unwrap();
    collection.flush().unwrap();
    let before = content(&collection);
    let reader = open_reader(folder.path()).unwrap();
    for packing in [None, Some(Packing::Gzip)] {
        // Taken by a reader, so that it holds a file of the log, too.
        let entry = take(&reader, SnapshotRequest { packing, ..SnapshotRequest::default() });
        let targets = if packing.is_some() { vec![entry.path.clone()] } else { files(&entry.path) };
        assert!(packing.is_some() || targets.len() == 5, "{targets:?}");
        for path in targets {
            // A link is a file of the store: the damage is done to a copy in its place.
            let bytes = std::fs::read(&path).unwrap();
            let step = if packing.is_some() { 7 } else { (bytes.len() / 150).max(1) };
            for at in (0..bytes.len()).step_by(step) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, &damaged).unwrap();
                let restore = Restore {
                    snapshot: entry.path.to_str().unwrap().to_owned(),
                    target: Some("b".to_owned()),
                    verify: true,
                    ..Restore::default()
                };
                match store.restore(&restore, &control()) {
                    // Bytes of a compressed stream that mean nothing (the time in its header), and padding of tar.
                    Ok(_) if packing.is_some() => {
                        assert_eq!(content(&store.collection("b").unwrap()), before, "{at} of {}", path.display());
                        store.remove("b").unwrap();
                    }
                    Ok(_) => panic!("byte {at} of {} was not noticed", path.display()),
                    Err(error) => {
                        let expected = [Kind::Corrupt, Kind::Format, Kind::Version, Kind::Checksum, Kind::Limit];
                        assert!(expected.contains(&error.kind), "{at} of {}: {error:?}", path.display());
                        assert!(store.collection("b").is_err());
                    }
                }
            }
            for length in (0..bytes.len()).step_by((bytes.len() / 40).max(1)) {
                std::fs::write(&path, &bytes[..length]).unwrap();
                let restore =
                    Restore { snapshot: entry.path.to_str().unwrap().to_owned(), verify: true, ..by_id(&entry) };
                let restore = Restore { target: Some("b".to_owned()), ..restore };
                assert!(store.restore(&restore, &control()).is_err(), "{length} bytes of {}", path.display());
            }
            std::fs::write(&path, &bytes).unwrap();
        }
        store.verify_snapshot(&entry, &control()).unwrap();
    }
}

#[test]
fn a_folder_of_strange_things_can_be_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_history(folder.path());
    let good = take(&store, SnapshotRequest::default());
    let bad = take(&store, SnapshotRequest::default());
    let snapshots = folder.path().join("snapshots");
    let path = bad.path.join("SNAPSHOT");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    std::fs::write(snapshots.join("notes.txt"), "mine").unwrap();
    std::fs::write(snapshots.join("x.tar.gz"), "not a packed snapshot").unwrap();
    std::fs::create_dir(snapshots.join("holiday")).unwrap();
    std::os::unix::fs::symlink("/etc", snapshots.join("link")).unwrap();
    let (entries, damaged) = store.snapshots(None).unwrap();
    assert_eq!(entries.iter().map(SnapshotEntry::id).collect::<Vec<_>>(), [good.id()]);
    let names: Vec<_> = damaged.iter().map(|damaged| damaged.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, [bad.id(), "x.tar.gz"]);
    let refused = store.restore(&Restore { overwrite: true, ..by_id(&bad) }, &control()).unwrap_err();
    assert_eq!(refused.kind, Kind::Corrupt, "not 'not found': {refused:?}");
    for nobody in ["nobody", "../x", "", "a/b"] {
        let restore = Restore { snapshot: nobody.to_owned(), ..Restore::default() };
        assert_eq!(store.restore(&restore, &control()).unwrap_err().kind, Kind::SnapshotNotFound, "{nobody}");
    }
    assert!(snapshots.join("notes.txt").exists());
}

#[test]
fn a_pinned_snapshot_stays_and_an_unpinned_one_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_history(folder.path());
    for packing in [None, Some(Packing::Zstd)] {
        let entry = take(&store, SnapshotRequest { packing, ..SnapshotRequest::default() });
        store.pin_snapshot(&entry, true).unwrap();
        let pinned = store.find_snapshot(None, entry.id()).unwrap();
        assert!(pinned.pinned);
        assert_eq!(store.remove_snapshot(&pinned).unwrap_err().kind, Kind::Exists);
        store.pin_snapshot(&pinned, false).unwrap();
        store.remove_snapshot(&store.find_snapshot(None, entry.id()).unwrap()).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path().join("snapshots")).unwrap().count(), 0);
}

#[test]
fn what_a_killed_process_left_is_swept_by_the_next_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_history(folder.path());
    let entry = take(&store, SnapshotRequest::default());
    let snapshots = folder.path().join("snapshots");
    let left = snapshots.join(".ruvector-persistence-snap-2020-01-01-000000.snapshot");
    crate::lifecycle::copy_tree(&entry.path, {
        std::fs::create_dir(&left).unwrap();
        &left
    });
    std::fs::write(snapshots.join(".ruvector-persistence-snap-2020-01-01-000000.lock"), "process 1").unwrap();
    take(&store, SnapshotRequest::default());
    let names: Vec<_> = std::fs::read_dir(&snapshots).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn engines_without_segment_files_are_taken_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for engine in [Engine::Lsm, Engine::Hybrid, Engine::Memory] {
        let name = format!("{engine:?}").to_lowercase();
        let collection = store.create(&name, Settings { engine, ..small() }).unwrap();
        fill(&collection, "x", 100);
        collection.delete(&["x 3"], true).unwrap();
        let taking = |incremental, packing| SnapshotRequest {
            collections: Some(vec![name.clone()]),
            directory: Some(folder.path().join("snapshots-of").join(&name)),
            incremental,
            packing,
            ..SnapshotRequest::default()
        };
        std::fs::create_dir_all(folder.path().join("snapshots-of")).unwrap();
        let mut contents = Vec::new();
        let mut taken = Vec::new();
        for (round, packing) in [None, Some(Packing::Zstd), None].into_iter().enumerate() {
            put(&collection, "later", round as u32);
            contents.push(content(&collection));
            taken.push(take(&store, taking(round > 0, packing)));
        }
        collection.clear(true).unwrap();
        for (entry, expected) in taken.iter().zip(&contents) {
            assert!(store.verify_snapshot(entry, &control()).unwrap().damage.is_empty());
            let directory = taking(false, None).directory;
            store.restore(&Restore { directory, overwrite: true, ..by_id(entry) }, &control()).unwrap();
            assert_eq!(content(&collection), *expected, "{name}");
        }
    }
}
