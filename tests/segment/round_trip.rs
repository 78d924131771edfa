//! Whole segments: every shape comes back, however it is held; what a builder and a reader refuse; statistics; doom.

use super::*;
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Kind;

#[test]
fn every_shape_comes_back_bit_for_bit() {
    let directory = tempfile::tempdir().unwrap();
    let shapes = [0, 1, 2, 4_095, 4_096, 4_097].map(|count| (count, 3));
    for (count, dimension) in shapes.into_iter().chain([(7, 1), (20_000, 1), (700, 384)]) {
        let kept = rows(count, dimension);
        let path = directory.path().join(format!("{count}-{dimension}.seg"));
        let expected = build(&path, &kept, dimension);
        for access in accesses() {
            let segment = open(&path, &expected, access).unwrap();
            assert_eq!((segment.rows(), segment.dimension(), segment.metric()), (count, dimension, Some(Metric::Dot)));
            assert_eq!((segment.length(), segment.number(), segment.path()), (expected.length, NUMBER, path.as_path()));
            assert_eq!(segment.checksum(), expected.checksum);
            let lsns = kept.iter().map(|row| row.lsn);
            assert_eq!(segment.lsns(), (lsns.clone().min().unwrap_or(0), lsns.max().unwrap_or(0)));
            assert_eq!(refusals(&segment, &kept), 0, "{count} x {dimension} {access:?}");
            assert_eq!(segment.verify(&Control::default()).unwrap(), []);
            let all: Vec<u32> = kept.iter().flat_map(|row| bits(&row.vector)).collect();
            assert_eq!(bits(segment.vectors(0..count).unwrap()), all);
            for wrong in [count, u32::MAX] {
                assert_eq!(segment.vector(wrong).unwrap_err().kind, Kind::Internal);
                assert_eq!(segment.id(wrong).unwrap_err().kind, Kind::Internal);
                assert_eq!(segment.metadata(wrong).unwrap_err().kind, Kind::Internal);
                assert_eq!(segment.lsn(wrong).unwrap_err().kind, Kind::Internal);
            }
        }
    }
}

#[test]
fn a_row_that_cannot_be_stored_is_refused_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let refused = |header, dimension| Builder::create(Arc::new(Disk), &path, header, dimension, None).unwrap_err().kind;
    assert_eq!(refused(header(5), 0), Kind::Dimension);
    assert_eq!(refused(header(5), 65_537), Kind::Dimension);
    assert_eq!(refused(Header { kind: FileKind::Dead, ..header(5) }, 2), Kind::Internal);
    let mut builder = Builder::create(Arc::new(Disk), &path, header(5), 2, None).unwrap();
    assert_eq!(refused(header(5), 2), Kind::Path, "the file is there");
    let good = Row { id: "a", vector: &[1.0, 2.0], metadata: None, lsn: 3 };
    builder.push(good).unwrap();
    let large = format!("{{{}}}", " ".repeat(16 << 20));
    let long = "x".repeat(1_025);
    for (row, kind) in [
        (Row { vector: &[1.0], ..good }, Kind::Dimension),
        (Row { vector: &[1.0, 2.0, 3.0], ..good }, Kind::Dimension),
        (Row { id: "", ..good }, Kind::Id),
        (Row { id: &long, ..good }, Kind::Id),
        (Row { metadata: Some(""), ..good }, Kind::Metadata),
        (Row { metadata: Some(&large), ..good }, Kind::Limit),
    ] {
        assert_eq!(builder.push(row).unwrap_err().kind, kind);
    }
    builder.push(Row { id: "b", ..good }).unwrap();
    assert_eq!(builder.rows(), 2);
    let sealed = builder.finish().unwrap();
    let expected = Expected { owner: OWNER, number: 5, length: sealed.length, checksum: sealed.checksum };
    let segment = open(&path, &expected, HEAP).unwrap();
    assert_eq!((segment.rows(), segment.metric(), segment.find("b").unwrap()), (2, None, Some(1)));
    assert_eq!(segment.verify(&Control::default()).unwrap(), []);
}

#[test]
fn an_abandoned_builder_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut builder = Builder::create(Arc::new(Disk), &directory.path().join("5.seg"), header(5), 1, None).unwrap();
    let metadata = format!(r#"{{"a":"{}"}}"#, "x".repeat(10 << 20));
    for id in ["a", "b", "c"] {
        builder.push(Row { id, vector: &[1.0], metadata: Some(&metadata), lsn: 1 }).unwrap();
    }
    assert_eq!(Disk.list(directory.path()).unwrap(), ["5.metadata.tmp", "5.seg"], "more metadata than is held");
    drop(builder);
    assert!(Disk.list(directory.path()).unwrap().is_empty());
}

#[test]
fn much_metadata_goes_through_a_file_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let mut kept = rows(50, 2);
    for (row, size) in kept.iter_mut().zip([1_usize, 1 << 20, 3 << 20, 999_999].into_iter().cycle()) {
        row.metadata = Some(format!(r#"{{"{}":"{}"}}"#, row.lsn, "y".repeat(size)));
    }
    let expected = build(&path, &kept, 2);
    assert_eq!(Disk.list(directory.path()).unwrap(), ["5.seg"]);
    let segment = open(&path, &expected, Access::default()).unwrap();
    assert_eq!(refusals(&segment, &kept), 0);
    assert_eq!(segment.verify(&Control::default()).unwrap(), []);
}

#[test]
fn a_stranger_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let good = build(&path, &rows(10, 3), 3);
    let refusal = |expected: Expected| open(&path, &expected, HEAP).unwrap_err();
    for (expected, part) in [
        (Expected { owner: Owner { store: [1; 16], ..OWNER }, ..good }, "another store"),
        (Expected { owner: Owner { collection: [1; 16], ..OWNER }, ..good }, "another collection"),
        (Expected { number: 6, ..good }, "expected segment file number 6, found number 5"),
        (Expected { length: good.length + 64, ..good }, "bytes, found"),
        (Expected { checksum: good.checksum ^ 1, ..good }, "not the file that the manifest names"),
    ] {
        let error = refusal(expected);
        assert_eq!((error.kind, error.path.as_deref()), (Kind::Corrupt, Some(path.as_path())), "{error}");
        assert!(error.message.contains(part) && error.offset.is_some(), "{error}");
    }
    let missing = open(&directory.path().join("6.seg"), &good, HEAP).unwrap_err();
    assert_eq!(missing.kind, Kind::Path);
}

#[test]
fn statistics_tell_reads_hits_and_hot_regions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    // 3 MiB of vectors: the first blocks of rows 0 and 1,999 are far apart.
    let kept = rows(2_000, 384);
    let expected = build(&path, &kept, 384);
    let segment = open(&path, &expected, Access::default()).unwrap();
    let fresh = segment.statistics();
    assert_eq!((fresh.mapped, fresh.heap, fresh.reads, fresh.hits, fresh.checked), (expected.length, 0, 0, 0, 0));
    assert!(fresh.resident.is_none_or(|bytes| bytes <= expected.length));
    for _ in 0..5 {
        segment.vector(1_999).unwrap();
    }
    segment.vector(0).unwrap();
    let used = segment.statistics();
    assert_eq!((used.reads, used.hits), (6, 4), "the first touch of each of the two is none");
    assert!((2..=4).contains(&used.checked), "{used:?}");
    let hot = segment.hot_regions(10);
    assert_eq!(hot.iter().map(|region| (region.offset, region.hits)).collect::<Vec<_>>(), [(2 << 20, 5), (0, 1)]);
    assert!(segment.prefetch(0, expected.length) && segment.prefetch(u64::MAX, 1));
    segment.advise(Advice::Sequential).unwrap();
    let heap = open(&path, &expected, HEAP).unwrap();
    let held = heap.statistics();
    assert_eq!((held.mapped, held.heap, held.resident), (0, expected.length, Some(expected.length)));
    assert!(heap.prefetch(0, 10) && heap.advise(Advice::Random).is_ok());
}

#[test]
fn a_doomed_file_goes_with_its_last_user() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let kept = rows(10, 3);
    let expected = build(&path, &kept, 3);
    drop(Arc::new(open(&path, &expected, Access::default()).unwrap()));
    assert!(path.exists(), "not doomed");
    let one = Arc::new(open(&path, &expected, Access::default()).unwrap());
    let other = one.clone();
    one.doom();
    drop(one);
    assert!(path.exists() && refusals(&other, &kept) == 0);
    drop(other);
    assert!(!path.exists());
}

#[test]
fn verify_stops_when_it_is_no_longer_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let expected = build(&path, &rows(10, 3), 3);
    let control = Control::default();
    control.cancel();
    let segment = open(&path, &expected, HEAP).unwrap();
    assert_eq!(segment.verify(&control).unwrap_err().kind, Kind::Aborted);
}
