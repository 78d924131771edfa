//! Engines: the same content whatever holds it, and a change of engine while the collection is used.

use crate::support::{content, fill, open, small};
use ruvector_persistence::error::Kind;
use ruvector_persistence::manifest::{Engine, Settings};
use ruvector_persistence::store::Compact;

#[test]
fn the_engine_changes_while_the_collection_is_used_and_the_change_survives() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    fill(&collection, "id", 300);
    collection.checkpoint().unwrap();
    let before = content(&collection);
    collection.configure(|settings| settings.engine = Engine::Hybrid).unwrap();
    assert_eq!(content(&collection), before);
    let refused = collection.configure(|settings| settings.engine = Engine::Memory).unwrap_err();
    assert_eq!(refused.kind, Kind::Unsupported);
    drop((collection, store));
    let store = open(folder.path()).unwrap();
    let collection = store.collection("a").unwrap();
    assert_eq!(collection.manifest().settings.engine, Engine::Hybrid);
    assert_eq!(content(&collection), before);
}

#[test]
fn the_memory_engine_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings { engine: Engine::Memory, ..small() }).unwrap();
    fill(&collection, "id", 300);
    collection.flush().unwrap();
    assert_eq!(content(&collection).len(), 300);
    assert!(!folder.path().join("collections").exists());
    let statistics = collection.statistics().unwrap();
    assert_eq!((statistics.vector_count, statistics.segment_bytes, statistics.wal.enabled), (300, 0, false));
    drop((collection, store));
    assert!(open(folder.path()).unwrap().list().unwrap().is_empty());
}

#[test]
fn segments_are_read_without_mapping_when_asked_and_statistics_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut settings = small();
    settings.mmap.enabled = false;
    let collection = store.create("a", settings).unwrap();
    fill(&collection, "id", 300);
    collection.checkpoint().unwrap();
    let before = content(&collection);
    let status = collection.mmap_status();
    assert_eq!((status.enabled, status.mapped_size), (false, 0));
    collection.configure(|settings| settings.mmap.enabled = true).unwrap();
    fill(&collection, "more", 300);
    collection.compact(Compact::All).unwrap();
    assert_eq!(content(&collection).len(), before.len() + 300);
    let status = collection.mmap_status();
    assert!(status.enabled && status.mapped_size > 0, "{status:?}");
    assert!(status.reads > 0 && (0.0..=1.0).contains(&status.cache_hit_rate));
    assert!(!status.hot_regions.is_empty());
    if cfg!(target_os = "linux") {
        assert!(status.resident_size.unwrap() > 0 && status.page_faults.is_some());
    }
    assert!(collection.prefetch(&[(1, 0, 4_096)]));
}
