//! Snapshots that version 1 wrote: `tests/golden/v1-snapshots`, and the file `SNAPSHOT` of `docs/format.md`.

use super::{Content, content, files, long_metadata, make, options, page};
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::store::{Restore, Store, decode_snapshot, encode_snapshot};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1-snapshots")
}

/// What each of both collections held, snapshot by snapshot.
fn expected() -> Vec<(&'static str, Content)> {
    let entry = |id: &str, vector: [u32; 2], metadata: Option<&str>| {
        (id.to_owned(), (vector.to_vec(), metadata.map(str::to_owned)))
    };
    let last = BTreeMap::from([entry("é", [7, 8], Some(&long_metadata()))]);
    vec![
        ("full", BTreeMap::from([entry("a", [1, 2], Some("{}")), entry("b", [3, 4], None)])),
        ("incremental", BTreeMap::from([entry("b", [3, 4], None), entry("c", [5, 6], None)])),
        ("packed with gzip", last.clone()),
        ("packed with zstd", last),
    ]
}

#[test]
fn the_golden_snapshots_are_whole_and_come_back() {
    let before = files(&golden());
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::default());
    let mut options = options(false);
    options.create = true;
    let store = Store::open(Arc::new(Disk), folder.path(), &options).unwrap();
    let (snapshots, damaged) = store.snapshots(Some(&golden())).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    let names: Vec<_> = snapshots.iter().map(|entry| entry.found.snapshot.name.clone().unwrap()).collect();
    assert_eq!(names, expected().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (snapshot, (name, due)) in snapshots.iter().zip(expected()) {
        assert_eq!(store.verify_snapshot(snapshot, &control).unwrap().damage, [], "{name}");
        let request = Restore {
            directory: Some(golden()),
            snapshot: name.to_owned(),
            overwrite: true,
            verify: true,
            ..Restore::default()
        };
        store.restore(&request, &control).unwrap();
        for collection in ["mapped", "sorted"] {
            assert_eq!(content(&store.collection(collection).unwrap()), due, "{collection} of '{name}'");
        }
    }
    assert_eq!(files(&golden()), before, "nothing of it changes");
}

#[test]
fn every_file_snapshot_encodes_to_its_bytes_again() {
    let of_folders =
        files(&golden()).into_iter().filter(|(path, _)| path.ends_with("SNAPSHOT")).map(|(_, bytes)| bytes);
    let of_page = page::document("snapshot");
    let all: Vec<_> = of_folders.chain([of_page]).collect();
    assert_eq!(all.len(), 3);
    for bytes in all {
        let found = decode_snapshot(&bytes).unwrap();
        assert_eq!(encode_snapshot(found.store, &found.snapshot).unwrap(), bytes);
    }
}

#[test]
#[ignore = "writes the golden snapshots, once for each version of the format"]
fn write_the_golden_snapshots() {
    assert!(!golden().exists(), "files of a version that was released are never written again");
    make::golden_snapshots(&golden());
}
