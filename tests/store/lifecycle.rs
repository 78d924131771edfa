//! From the first opening to the last: identity, lock, collections, settings, reading while somebody writes.

use crate::support::{content, fill, for_each_form, open, open_reader, put, small, small_of, vector};
use ruvector_persistence::error::Kind;
use ruvector_persistence::manifest::{Engine, Settings};
use ruvector_persistence::store::{Compact, MetadataRule, StoredCollection};

for_each_form! {
    what_is_written_is_there_after_closing_and_after_a_crash_of_the_process,
    checkpoints_and_compactions_change_no_content,
    replacing_the_content_is_whole_and_survives,
    a_second_writer_is_refused_with_the_holder_and_readers_are_not,
    collections_are_listed_renamed_and_removed,
    read_only_survives_reopening,
}

fn what_is_written_is_there_after_closing_and_after_a_crash_of_the_process(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings { engine, ..Settings::default() }).unwrap();
    for seed in 0..100 {
        put(&collection, &format!("id {seed}"), seed);
    }
    let lsn = collection.delete(&["id 3", "id 4", "nobody"], true).unwrap().unwrap();
    assert_eq!((lsn.lsn, lsn.entries), (101, 2));
    assert!(collection.set_metadata("id 5", Some(r#"{"x": 1}"#), true).unwrap().is_some());
    assert!(collection.set_metadata("nobody", None, true).unwrap().is_none());
    collection.flush().unwrap();
    let before = content(&collection);
    // What a killed process leaves: the files as they are now.
    let copy = tempfile::tempdir().unwrap();
    copy_tree(folder.path(), copy.path());
    drop(collection);
    store.close().unwrap();
    drop(store);
    for (base, closed) in [(folder.path(), true), (copy.path(), false)] {
        let store = open(base).unwrap();
        let collection = store.collection("a").unwrap();
        assert_eq!(content(&collection), before);
        assert_eq!(collection.recovery().closed, closed);
        assert_eq!(before["id 5"].1.as_deref(), Some(r#"{"x":1}"#));
        let refused = collection.put("x", &[1.0], None, MetadataRule::Replace, true).unwrap_err();
        assert_eq!(refused.kind, Kind::Dimension, "the dimension is known again");
        // And it goes on from there.
        put(&collection, "new", 7);
        collection.flush().unwrap();
        assert_eq!(content(&collection).len(), 99);
    }
}

pub fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    try_copy_tree(from, to).unwrap();
}

fn try_copy_tree(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            try_copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What a process that dies now leaves of the store of that collection. A copy takes longer than a death: one during which
/// the collection wrote or removed a part is made again.
pub fn copy_of_the_dead(from: &std::path::Path, collection: &StoredCollection) -> tempfile::TempDir {
    loop {
        let copy = tempfile::tempdir().unwrap();
        let generation = collection.manifest().generation;
        if try_copy_tree(from, copy.path()).is_ok() && collection.manifest().generation == generation {
            return copy;
        }
    }
}

fn checkpoints_and_compactions_change_no_content(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings { compaction_threshold: 2.0, ..small_of(engine) }).unwrap();
    for seed in 0..1_000 {
        put(&collection, &format!("id {}", seed % 700), seed);
    }
    let before = content(&collection);
    let report = collection.checkpoint().unwrap();
    assert_eq!(report.lsn, 1_000);
    assert_eq!(content(&collection), before);
    for seed in 0..350 {
        collection.delete(&[&format!("id {seed}")], false).unwrap();
    }
    put(&collection, "id 400", 5);
    let before = content(&collection);
    assert_eq!(before.len(), 350);
    assert!(collection.read(|state| state.fragmentation()) > 0.3);
    collection.checkpoint().unwrap();
    assert_eq!(content(&collection), before);
    let size = |collection: &StoredCollection| -> u64 {
        collection.manifest().segments.iter().map(|segment| segment.length).sum()
    };
    let bytes = size(&collection);
    let report = collection.compact(Compact::All).unwrap();
    assert!(report.removed >= 350 && report.bytes_after < report.bytes_before, "{report:?}");
    assert!(size(&collection) < bytes);
    assert_eq!(collection.read(|state| state.fragmentation()), 0.0);
    assert_eq!(content(&collection), before);
    drop(collection);
    store.close().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.collection("a").unwrap();
    assert_eq!(content(&collection), before);
    assert!(collection.recovery().swept.is_empty(), "{:?}", collection.recovery());
}

fn replacing_the_content_is_whole_and_survives(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small_of(engine)).unwrap();
    let other = store.create("b", small_of(engine)).unwrap();
    fill(&collection, "old", 300);
    fill(&other, "new", 200);
    let wanted = content(&other);
    collection.replace(&other.version()).unwrap();
    assert_eq!(content(&collection), wanted);
    put(&collection, "after", 1);
    let wanted = content(&collection);
    store.close().unwrap();
    drop((collection, other, store));
    let store = open(folder.path()).unwrap();
    assert_eq!(content(&store.collection("a").unwrap()), wanted);
    let empty = store.create("c", Settings { engine, ..Settings::default() }).unwrap();
    store.collection("a").unwrap().replace(&empty.version()).unwrap();
    assert!(content(&store.collection("a").unwrap()).is_empty());
}

fn a_second_writer_is_refused_with_the_holder_and_readers_are_not(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small_of(engine)).unwrap();
    fill(&collection, "id", 500);
    collection.flush().unwrap();
    let refused = open(folder.path()).err().unwrap();
    assert_eq!(refused.kind, Kind::Locked);
    assert!(refused.message.contains("the tests"), "{}", refused.message);
    let reader = open_reader(folder.path()).unwrap();
    let seen = reader.collection("a").unwrap();
    assert_eq!(content(&seen), content(&collection));
    let refused = seen.put("x", &vector(1), None, MetadataRule::Replace, true).unwrap_err();
    assert_eq!(refused.kind, Kind::ReadOnly);
    // What it sees does not change, whatever the writer does.
    collection.compact(Compact::All).unwrap();
    collection.clear(true).unwrap();
    collection.compact(Compact::All).unwrap();
    assert_eq!(content(&seen).len(), 500);
    assert_eq!(content(&open_reader(folder.path()).unwrap().collection("a").unwrap()).len(), 0);
    drop((collection, store));
    open(folder.path()).unwrap();
}

fn collections_are_listed_renamed_and_removed(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let a = store.create("a", small_of(engine)).unwrap();
    store.create("b", small_of(engine)).unwrap();
    store.create("volatile", small_of(Engine::Memory)).unwrap();
    put(&a, "x", 1);
    put(&store.collection("volatile").unwrap(), "x", 1);
    assert_eq!(store.list().unwrap(), ["a", "b", "volatile"]);
    assert_eq!(store.create("a", small_of(engine)).err().unwrap().kind, Kind::Exists);
    assert_eq!(store.collection("c").err().unwrap().kind, Kind::NotFound);
    assert_eq!(store.create("../x", small_of(engine)).err().unwrap().kind, Kind::Path);
    store.rename("a", "c").unwrap();
    assert_eq!(a.put("x", &vector(1), None, MetadataRule::Replace, true).unwrap_err().kind, Kind::Closed);
    assert_eq!(content(&store.collection("c").unwrap()).len(), 1);
    store.remove("b").unwrap();
    store.remove("volatile").unwrap();
    assert_eq!(store.list().unwrap(), ["c"]);
    drop((a, store));
    assert_eq!(open(folder.path()).unwrap().list().unwrap(), ["c"]);
    let names: Vec<_> = std::fs::read_dir(folder.path().join("collections")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left of the others");
}

fn read_only_survives_reopening(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small_of(engine)).unwrap();
    put(&collection, "x", 1);
    collection.set_read_only(true).unwrap();
    drop((collection, store));
    let store = open(folder.path()).unwrap();
    let collection = store.collection("a").unwrap();
    let refused = collection.put("y", &vector(1), None, MetadataRule::Replace, true).unwrap_err();
    assert_eq!(refused.kind, Kind::ReadOnly);
    assert_eq!(content(&collection).len(), 1);
    collection.set_read_only(false).unwrap();
    put(&collection, "y", 1);
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.doc"), "years of work").unwrap();
    assert_eq!(open(folder.path()).err().unwrap().kind, Kind::NotADatabase);
    assert_eq!(open_reader(folder.path()).err().unwrap().kind, Kind::NotADatabase);
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["thesis.doc"]);
}

#[test]
fn a_folder_that_is_taken_away_or_replaced_gets_no_more_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    put(&collection, "x", 1);
    collection.flush().unwrap();
    let home = folder.path().join("collections/a");
    let stranger = tempfile::tempdir().unwrap();
    let other = open(stranger.path()).unwrap();
    let its = other.create("a", small()).unwrap();
    put(&its, "other", 1);
    drop((its, other));
    std::fs::rename(&home, folder.path().join("moved")).unwrap();
    copy_tree_into(&stranger.path().join("collections/a"), &home);
    let before = std::fs::read(home.join("MANIFEST")).unwrap();
    // The next file of the log would go into a stranger's folder.
    let refused = (0..500).find_map(|seed| {
        let done = collection.put(&format!("id {seed}"), &vector(seed), None, MetadataRule::Replace, true);
        done.and_then(|done| collection.wait(done.lsn)).err()
    });
    assert_eq!(refused.map(|error| error.kind), Some(Kind::Io));
    let refused = collection.put("y", &vector(1), None, MetadataRule::Replace, true).unwrap_err();
    assert_eq!(refused.kind, Kind::Poisoned);
    assert!(content(&collection).contains_key("x"), "reading goes on");
    assert_eq!(std::fs::read(home.join("MANIFEST")).unwrap(), before, "the stranger's files are as they were");
    let logs = std::fs::read_dir(home.join("wal")).unwrap().count();
    assert_eq!(logs, std::fs::read_dir(stranger.path().join("collections/a/wal")).unwrap().count());
}

fn copy_tree_into(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    copy_tree(from, to);
}

#[test]
fn small_segments_become_one_unless_rewriting_is_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings::default()).unwrap();
    for round in 0..9 {
        fill(&collection, &format!("round {round}"), 3);
        collection.checkpoint().unwrap();
    }
    let before = content(&collection);
    assert_eq!(collection.compact(Compact::Above(2.0)).unwrap().segments, 9, "no share is above 1");
    assert_eq!(collection.compact(Compact::Above(0.9)).unwrap().segments, 1);
    assert_eq!(content(&collection), before);
}
