//! A store in a folder of its own.

use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::error::Result;
use ruvector_persistence::format::Entry;
use ruvector_persistence::manifest::{Engine, Settings};
use ruvector_persistence::store::{MetadataRule, OpenStore, Store, StoredCollection};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub fn options() -> OpenStore {
    OpenStore { read_only: false, create: true, among_others: false, holder: "the tests".to_owned() }
}

pub fn open(base: &Path) -> Result<Store> {
    Store::open(Arc::new(Disk), base, &options())
}

pub fn open_reader(base: &Path) -> Result<Store> {
    Store::open(Arc::new(Disk), base, &OpenStore { read_only: true, ..options() })
}

/// Small files, so that a few entries rotate and fill.
pub fn small() -> Settings {
    let mut settings = Settings { memtable_size: 16 << 10, ..Settings::default() };
    settings.wal.segment_size = 8 << 10;
    settings.wal.preallocate = 4 << 10;
    settings
}

/// The same, of that engine.
pub fn small_of(engine: Engine) -> Settings {
    Settings { engine, ..small() }
}

/// Makes each of these functions a test for every engine that keeps its rows in a form of its own.
macro_rules! for_each_form {
    ($($name:ident),* $(,)?) => {
        mod in_files {
            $(#[test] fn $name() { super::$name(ruvector_persistence::manifest::Engine::Mmap) })*
        }
        mod in_runs {
            $(#[test] fn $name() { super::$name(ruvector_persistence::manifest::Engine::Lsm) })*
        }
    };
}
pub(crate) use for_each_form;

pub fn vector(seed: u32) -> Vec<f32> {
    (0..4).map(|i| (seed * 4 + i) as f32).collect()
}

pub fn put(collection: &StoredCollection, id: &str, seed: u32) -> u64 {
    let metadata = format!(r#"{{"seed":{seed}}}"#);
    collection.put(id, &vector(seed), Some(&metadata), MetadataRule::Replace, true).unwrap().lsn
}

pub fn fill(collection: &StoredCollection, name: &str, count: u32) {
    for seed in 0..count {
        put(collection, &format!("{name} {seed}"), seed);
    }
}

pub type Content = BTreeMap<String, (Vec<u32>, Option<String>)>;

pub fn content_of(entry: &Entry) -> (Vec<u32>, Option<String>) {
    (entry.vector.iter().map(|x| x.to_bits()).collect(), entry.metadata.as_deref().map(str::to_owned))
}

/// Everything in a collection, read by scanning; every id must come once and be found by `get` as well.
pub fn content(collection: &StoredCollection) -> Content {
    let mut found = Content::new();
    let version = collection.version();
    for entry in version.entries() {
        let entry = entry.unwrap();
        let by_id = collection.read(|state| state.get(&entry.id)).unwrap().expect("found by its id");
        assert!(by_id.same_bits(&entry), "{}", entry.id);
        assert!(found.insert(entry.id.to_string(), content_of(&entry)).is_none(), "{} comes twice", entry.id);
    }
    assert_eq!(found.len(), version.len());
    found
}
