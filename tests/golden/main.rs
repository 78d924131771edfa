//! Files that version 1 of the format wrote stay readable for ever: a store that was made once, and is never made again.
//!
//! `tests/golden/v1` is a whole store as a killed process left it. Each later version of this package has to open it, for
//! reading and for writing, with the content that stands here, and as long as it writes version 1 each file encodes to the
//! bytes that are there. The same is asked of the store that the hex examples of `docs/format.md` make up. A failure means
//! that the format changed: then its version has to change too, and this store moves on as the file of an old version.
//! `tests/golden/v1-lsm` is another one, of engine `lsm`; `v1-snapshots` holds snapshots. `__test__/82.store-format.spec.ts` reads the same bytes with a decoder that knows only the page.

#![expect(clippy::disallowed_methods, reason = "the tests copy files as nobody in the library may")]

mod again;
mod lsm;
mod make;
mod page;
mod snapshots;

use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::format::record;
use ruvector_persistence::store::{MetadataRule, OpenStore, Recovery, Store, StoredCollection};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the collection in the golden store.
const NAME: &str = "things";

/// Id, bits of the vector, metadata.
type Content = BTreeMap<String, (Vec<u32>, Option<String>)>;

/// Where the golden store is.
fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The metadata that make one record large enough to be compressed.
fn long_metadata() -> String {
    format!(r#"{{"text":"{}"}}"#, "all work and no play ".repeat(20))
}

/// What the golden store holds.
fn expected() -> Content {
    let entry = |id: &str, vector: [u32; 2], metadata: Option<&str>| {
        (id.to_owned(), (vector.to_vec(), metadata.map(str::to_owned)))
    };
    BTreeMap::from([
        // 1, -0; written by a replacement, its metadata by the log.
        entry("a", [0x3f80_0000, 0x8000_0000], Some(r#"{"title":"two"}"#)),
        // Infinity, 1e-45.
        entry("c", [0x7f80_0000, 1], Some("{}")),
        // The usual NaN, and one with other bits.
        entry("é", [0x7fc0_0000, 0xffc0_0001], None),
        entry("xyz", [0x3dcc_cccd, 0xc0a0_0000], Some(&long_metadata())),
        entry("f", [0x4000_0000, 0x4040_0000], None),
        entry("e", [0x4080_0000, 0x40a0_0000], Some(r#"{"n":123456789012345678901}"#)),
    ])
}

fn options(read_only: bool) -> OpenStore {
    OpenStore { read_only, create: false, among_others: false, holder: "the tests".to_owned() }
}

fn open(base: &Path, read_only: bool) -> Store {
    Store::open(Arc::new(Disk), base, &options(read_only)).unwrap()
}

/// Everything in a collection; each entry is found by its id as well.
fn content(collection: &StoredCollection) -> Content {
    let mut found = Content::new();
    for entry in collection.version().entries() {
        let entry = entry.unwrap();
        assert!(collection.read(|state| state.get(&entry.id)).unwrap().unwrap().same_bits(&entry));
        let bits = entry.vector.iter().map(|x| x.to_bits()).collect();
        assert!(found.insert(entry.id.to_string(), (bits, entry.metadata.as_deref().map(str::to_owned))).is_none());
    }
    found
}

fn assert_clean(store: &Store, name: &str) {
    let verified = store.verify(name, &Control::default()).unwrap();
    assert_eq!(verified.damage, []);
    assert!(verified.files > 3 && verified.bytes > 1_000, "{verified:?}");
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

#[test]
fn the_golden_store_opens_for_reading_and_nothing_of_it_changes() {
    let before = files(&golden());
    let store = open(&golden(), true);
    assert_eq!(store.list().unwrap(), [NAME]);
    let collection = store.collection(NAME).unwrap();
    assert_eq!(content(&collection), expected());
    let known = collection.read(|state| state.description());
    assert_eq!((known.dimension, known.metric.unwrap().name()), (Some(2), "euclidean"));
    let recovery = collection.recovery().clone();
    assert!(recovery.micros < 60_000_000 && !recovery.closed, "{recovery:?}");
    assert_eq!(recovery, Recovery { records: 6, entries: 5, files: 4, micros: recovery.micros, ..Recovery::default() });
    assert_clean(&store, NAME);
    drop((collection, store));
    assert_eq!(files(&golden()), before);
}

#[test]
fn a_copy_of_the_golden_store_opens_for_writing_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&golden(), folder.path());
    let store = open(folder.path(), false);
    let collection = store.collection(NAME).unwrap();
    assert_eq!(content(&collection), expected());
    assert_clean(&store, NAME);
    collection.put("new", &[7.0, 8.0], None, MetadataRule::Replace, true).unwrap();
    collection.delete(&["a"], true).unwrap();
    collection.checkpoint().unwrap();
    collection.put("newer", &[9.0, 10.0], None, MetadataRule::Replace, true).unwrap();
    collection.flush().unwrap();
    let mut due = expected();
    due.remove("a");
    due.insert("new".to_owned(), (vec![7.0_f32.to_bits(), 8.0_f32.to_bits()], None));
    due.insert("newer".to_owned(), (vec![9.0_f32.to_bits(), 10.0_f32.to_bits()], None));
    assert_eq!(content(&collection), due);
    store.close().unwrap();
    drop((collection, store));
    let store = open(folder.path(), false);
    let collection = store.collection(NAME).unwrap();
    assert!(collection.recovery().closed);
    assert_eq!(content(&collection), due);
    assert_clean(&store, NAME);
}

#[test]
fn every_file_of_the_golden_store_encodes_to_its_bytes_again() {
    let seen = again::encode_all(&golden(), NAME);
    assert_eq!((seen.segments, seen.dead, seen.logs, seen.copied), (2, 1, 4, 1));
    assert_eq!(seen.compressed, 1);
    let kinds: BTreeSet<u8> = seen.changes.iter().map(again::kind_of).collect();
    assert_eq!(kinds, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8]), "every kind of record is there");
    assert!(seen.changes.iter().any(|change| matches!(change, record::Change::Put(entries) if entries.len() == 3)));
}

#[test]
fn the_store_of_the_page_opens_and_encodes_to_the_bytes_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    page::write_store(folder.path());
    let seen = again::encode_all(folder.path(), page::NAME);
    assert_eq!((seen.segments, seen.dead, seen.logs, seen.changes.len()), (1, 1, 1, 3));
    for read_only in [true, false] {
        let store = open(folder.path(), read_only);
        let collection = store.collection(page::NAME).unwrap();
        let vector = vec![0.5_f32.to_bits(), (-2.0_f32).to_bits()];
        assert_eq!(content(&collection), BTreeMap::from([("b".to_owned(), (vector, None))]));
        assert!(collection.recovery().closed && collection.recovery().records == 0);
        assert_clean(&store, page::NAME);
    }
}

#[test]
#[ignore = "writes the golden files, once for each version of the format"]
fn write_the_golden_files() {
    assert!(!golden().exists(), "files of a version that was released are never written again");
    make::golden_store(&golden());
}

#[test]
#[ignore = "writes the golden files of engine lsm, once for each version of the format"]
fn write_the_golden_files_of_engine_lsm() {
    assert!(!lsm::golden().exists(), "files of a version that was released are never written again");
    make::golden_lsm_store(&lsm::golden());
}

#[test]
#[ignore = "writes the bytes of a new store into the examples of docs/format.md, when the format has changed"]
fn write_the_examples_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    make::page_store(folder.path());
    page::write_examples(folder.path());
}
