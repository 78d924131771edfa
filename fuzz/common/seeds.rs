//! Inputs to begin with: whole files of each kind, a few hundred bytes each, with and without repair.

use super::files::Files;
use super::repair::{NUMBER, OWNER};
use ruvector_persistence::format::header::{FileKind, Header};
use ruvector_persistence::format::record::{self, Change};
use ruvector_persistence::format::{Description, Entry, Metric};
use ruvector_persistence::manifest::{self, DeadRef, Manifest, SegmentKind, SegmentRef, Settings, WalRef};
use ruvector_persistence::segment::{Builder, DeadRows, Row};
use ruvector_persistence::wal::LogFile;
use std::path::Path;
use std::sync::Arc;

/// Each with repair and without.
fn both(files: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    files.iter().flat_map(|file| [[&[0], file.as_slice()].concat(), [&[1], file.as_slice()].concat()]).collect()
}

fn header(kind: FileKind) -> Header {
    Header { kind, owner: OWNER, number: NUMBER, generation: 3 }
}

fn changes() -> Vec<Change> {
    let entry = |id: &str, metadata| Arc::new(Entry::new(id, vec![1.5, f32::NAN], metadata).unwrap());
    vec![
        Change::Describe(Description { dimension: Some(2), metric: Some(Metric::Cosine) }),
        Change::Put(vec![entry("a", None), entry("ü", Some(r#"{"a":[1,{"b":"ü"}]}"#))]),
        Change::SetMetadata("a".into(), Some(r#"{"n":1}"#.into())),
        Change::Delete(vec!["a".into(), "nobody".into()]),
        Change::Void(6),
        Change::Replaced,
        Change::Clear,
        Change::Close,
    ]
}

/// Every change as a record, the LSNs as the log would have them, and one that is compressed.
fn records() -> Vec<Vec<u8>> {
    let (mut lsn, mut all) = (1, Vec::new());
    for change in changes() {
        let mut bytes = record::encode(lsn, 1_000 + lsn, &change).unwrap();
        record::set_synced(&mut bytes, lsn - 1);
        lsn = record::decode(&bytes).unwrap().last_lsn() + 1;
        all.push(bytes);
    }
    all
}

pub fn record() -> Vec<Vec<u8>> {
    let many = (0..40).map(|i| Arc::new(Entry::new(&format!("id {i}"), vec![0.5; 4], Some("{}")).unwrap()));
    let large = record::encode(9, 9, &Change::Put(many.collect())).unwrap();
    let mut all = records();
    // Miri cannot call the C library that compresses.
    all.push(if cfg!(miri) { large } else { record::compress(large) });
    both(all)
}

fn log(records: &[Vec<u8>], zeros: u64) -> Vec<u8> {
    let files = Files::default();
    let mut log = LogFile::create(&files, Path::new("log"), OWNER, (NUMBER, 1), false, zeros).unwrap();
    for bytes in records {
        let (_, synced) = record::peek(bytes).unwrap();
        log.append_records(std::iter::once(bytes.as_slice()), synced).unwrap();
    }
    files.bytes(log.path()).unwrap()
}

pub fn wal_file() -> Vec<Vec<u8>> {
    let all = records();
    let whole = log(&all, 0);
    let mut torn = log(&all[..3], 0);
    torn.truncate(torn.len() - 20);
    torn.resize(torn.len() + 64, 0);
    let mut damaged = log(&all[..7], 0);
    damaged[150] ^= 4;
    both(vec![whole, torn, damaged, log(&[], 0)])
}

fn sample() -> Manifest {
    let mut manifest = Manifest::new(Settings { dimension: 3, metric: Some("cosine".into()), ..Settings::default() });
    manifest.generation = 7;
    manifest.checkpoint_lsn = 20;
    manifest.next_segment = 3;
    let dead = Some(DeadRef { version: 2, length: 96, checksum: 7, rows: 1 });
    manifest.segments = vec![
        SegmentRef { number: 1, kind: SegmentKind::File, length: 500, checksum: 9, rows: 4, dead: None },
        SegmentRef { number: 2, kind: SegmentKind::Lsm, length: 600, checksum: 8, rows: 5, dead },
    ];
    manifest.wal = vec![
        WalRef { length: Some(4_000), last_lsn: Some(20), last_time: Some(5), ..WalRef::begun(2, 1) },
        WalRef::begun(5, 21),
    ];
    manifest
}

pub fn manifest() -> Vec<Vec<u8>> {
    let files = [Manifest::new(Settings::default()), sample()].map(|sample| manifest::encode(OWNER, &sample).unwrap());
    // A repaired input is the text alone.
    let texts = files.iter().map(|file| [&[1], &file[64..file.len() - 4]].concat());
    files.iter().map(|file| [&[0], file.as_slice()].concat()).chain(texts).collect()
}

pub fn segment() -> Vec<Vec<u8>> {
    let build = |rows: &[(&str, Option<&str>)]| {
        let (files, path) = (Arc::new(Files::default()), Path::new("segment"));
        let head = header(FileKind::Segment);
        let mut builder = Builder::create(files.clone(), path, head, 2, Some(Metric::Dot)).unwrap();
        for (lsn, (id, metadata)) in (5_u64..).zip(rows) {
            builder.push(Row { id, vector: &[lsn as f32, -0.0], metadata: *metadata, lsn }).unwrap();
        }
        builder.finish().unwrap();
        files.bytes(path).unwrap()
    };
    both(vec![build(&[]), build(&[("a", None), ("ü", Some(r#"{"n":1}"#)), ("id 3", Some("{}"))])])
}

pub fn dead_rows() -> Vec<Vec<u8>> {
    let write = |rows: u32| {
        let (files, path, mut dead) = (Files::default(), Path::new("dead"), DeadRows::new(rows));
        (0..rows).step_by(3).for_each(|row| assert!(dead.kill(row)));
        dead.write(&files, path, header(FileKind::Dead), 4).unwrap();
        files.bytes(path).unwrap()
    };
    both(vec![write(0), write(64), write(130)])
}

pub fn store_header() -> Vec<Vec<u8>> {
    let kinds = [FileKind::Store, FileKind::Manifest, FileKind::Wal];
    both(kinds.map(|kind| header(kind).encode().to_vec()).to_vec())
}

pub fn filter() -> Vec<Vec<u8>> {
    let entry =
        r#"{"id":"a","num":1,"f":1.0,"tags":["x","a"],"nested":{"k":"a","q":{"r":1}},"nul":null,"half":"\ud800"}"#;
    let filters = [
        r#"{}"#,
        r#"{"num":1.0,"id":"\u0061"}"#,
        r#"{"num":{"$gt":0,"$lte":1e0},"id":{"$ne":"b"}}"#,
        r#"{"tags":["x","a"],"nul":{"$exists":true}}"#,
        r#"{"nested":{"q":{"r":{"$in":[1,2]}}}}"#,
        r#"{"$or":[{"id":"b"},{"$not":{"num":{"$nin":[1]}}}]}"#,
        r#"{"$and":[{"f":{"$not":{"$lt":0}}},{"half":"\ud800"}]}"#,
    ];
    filters.iter().map(|filter| format!("{filter}\n{entry}").into_bytes()).collect()
}
