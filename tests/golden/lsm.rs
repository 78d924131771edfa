//! The golden store of engine `lsm`: it opens, and each key and value of its runs is what `docs/format.md` says.

use super::{Content, NAME, again, assert_clean, content, copy_tree, files, long_metadata, open};
use lsm_tree::{AbstractTree, Config, Guard, SeqNo};
use ruvector_persistence::manifest::{Engine, LsmCompression, SegmentKind};
use ruvector_persistence::store::{Compact, MetadataRule};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where it is.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1-lsm")
}

/// Id, bits of the vector, metadata, LSN.
type Rows<'a> = [(&'a str, [u32; 2], &'a str, u64)];

fn expected() -> Content {
    let entry = |id: &str, vector: [u32; 2], metadata: Option<&str>| {
        (id.to_owned(), (vector.to_vec(), metadata.map(str::to_owned)))
    };
    BTreeMap::from([
        entry("a", [0x3f80_0000, 0x8000_0000], Some(r#"{"title":"two"}"#)),
        entry("c", [0x7f80_0000, 1], Some("{}")),
        entry("é", [0x7fc0_0000, 0xffc0_0001], None),
        entry("xyz", [0x3dcc_cccd, 0xc0a0_0000], Some(&long_metadata())),
        entry("f", [0x4000_0000, 0x4040_0000], None),
    ])
}

#[test]
fn the_golden_store_of_engine_lsm_opens_for_reading_and_nothing_of_it_changes() {
    let before = files(&golden());
    let store = open(&golden(), true);
    let collection = store.collection(NAME).unwrap();
    assert_eq!(content(&collection), expected());
    let manifest = collection.manifest();
    assert_eq!((manifest.settings.engine, manifest.settings.lsm.compression), (Engine::Lsm, LsmCompression::Lz4));
    assert!(manifest.segments.iter().all(|segment| segment.kind == SegmentKind::Lsm));
    assert_clean(&store, NAME);
    drop((collection, store));
    assert_eq!(files(&golden()), before);
}

#[test]
fn a_copy_of_it_opens_for_writing_and_goes_on_also_with_another_engine() {
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&golden(), folder.path());
    let store = open(folder.path(), false);
    let collection = store.collection(NAME).unwrap();
    collection.put("new", &[7.0, 8.0], None, MetadataRule::Replace, true).unwrap();
    collection.checkpoint().unwrap();
    collection.configure(|settings| settings.engine = Engine::Mmap).unwrap();
    collection.delete(&["new"], true).unwrap();
    collection.configure(|settings| settings.engine = Engine::Lsm).unwrap();
    collection.compact(Compact::All).unwrap();
    assert_eq!(content(&collection), expected());
    assert_clean(&store, NAME);
}

#[test]
fn its_files_encode_to_their_bytes_again() {
    let seen = again::encode_all(&golden(), NAME);
    assert_eq!((seen.runs, seen.segments, seen.dead, seen.logs), (2, 0, 1, 1));
}

/// The checksum and the rest of a value.
fn value(seed: u32, key: &[u8], rest: &[u8]) -> Vec<u8> {
    let sum = crc32fast::hash(&[&seed.to_le_bytes(), key, rest].concat());
    [&sum.to_le_bytes(), rest].concat()
}

/// Every key and value of a run of these rows, made by what the page says of it.
fn pairs(seed: u32, rows: &Rows) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut pairs = BTreeMap::new();
    for (number, (id, vector, metadata, lsn)) in (0_u32..).zip(rows) {
        let key = [&[1], &number.to_be_bytes()[..]].concat();
        let rest = [
            &(id.len() as u32).to_le_bytes()[..],
            &lsn.to_le_bytes(),
            &(metadata.len() as u32).to_le_bytes(),
            &vector[0].to_le_bytes(),
            &vector[1].to_le_bytes(),
            id.as_bytes(),
            metadata.as_bytes(),
        ];
        let row = value(seed, &key, &rest.concat());
        assert!(pairs.insert(key, row).is_none());
        let key = [&[2], &xxhash_rust::xxh3::xxh3_64(id.as_bytes()).to_be_bytes()[..]].concat();
        let ids = value(seed, &key, &number.to_le_bytes());
        assert!(pairs.insert(key, ids).is_none());
    }
    pairs
}

#[test]
fn every_key_and_value_of_its_runs_is_what_the_page_says() {
    let long = long_metadata();
    let runs: [(u32, &Rows); 2] = [
        (
            1,
            &[
                ("a", [0x3f80_0000, 0x8000_0000], r#"{"title":"one"}"#, 2),
                ("b", [0x4000_0000, 0x3f00_0000], "", 2),
                ("c", [0x7f80_0000, 1], "{}", 2),
            ],
        ),
        (2, &[("é", [0x7fc0_0000, 0xffc0_0001], "", 4), ("xyz", [0x3dcc_cccd, 0xc0a0_0000], &long, 4)]),
    ];
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&golden(), folder.path());
    for (number, rows) in runs {
        let path = folder.path().join(format!("collections/{NAME}/lsm/{number:08}"));
        let seal = fs::read(path.join("SEAL")).unwrap();
        let seal: serde_json::Value = serde_json::from_slice(&seal[64..seal.len() - 4]).unwrap();
        let seed = u32::try_from(seal["seed"].as_u64().unwrap()).unwrap();
        // A file that the library does not know.
        fs::remove_file(path.join("SEAL")).unwrap();
        let tree = Config::new(&path, Default::default(), Default::default()).open().unwrap();
        let found: BTreeMap<Vec<u8>, Vec<u8>> = tree
            .iter(SeqNo::MAX, None)
            .map(|pair| pair.into_inner().map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
            .collect();
        assert_eq!(found, pairs(seed, rows), "run {number}");
    }
}
