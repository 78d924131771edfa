//! One function for each target: reads what it is given in every way that the library has, and checks what was accepted.

use super::files::Files;
use super::repair::{self, NUMBER, OWNER, word};
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Advice;
use ruvector_persistence::format::Description;
use ruvector_persistence::format::header::{FileKind, HEADER_BYTES, Header};
use ruvector_persistence::format::record::{self, Change, Record};
use ruvector_persistence::manifest;
use ruvector_persistence::search::Filter;
use ruvector_persistence::segment::{Access, DeadFile, DeadRows, Expected, ExpectedDead, Segment};
use ruvector_persistence::store::{Collection, OpenStore, Store};
use ruvector_persistence::wal::{FRAMES_START, LogReader, Sealed, was_named};
use std::path::Path;
use std::sync::Arc;

/// Rows of a segment that are looked at: more only costs time.
const ROWS_MAX: u32 = 64;

/// The bytes behind the first, repaired when that one is odd.
fn input(data: &[u8], repair: fn(&mut [u8])) -> Option<Vec<u8>> {
    let (mode, rest) = data.split_first()?;
    let mut bytes = rest.to_vec();
    if mode % 2 == 1 {
        repair(&mut bytes);
    }
    Some(bytes)
}

/// Whether two changes are the same, numbers bit for bit.
fn same(a: &Change, b: &Change) -> bool {
    match (a, b) {
        (Change::Put(a), Change::Put(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b)),
        (a, b) => a == b,
    }
}

/// A record that was accepted is written as it was read.
fn comes_back(found: &Record) {
    let mut bytes = record::encode(found.lsn, found.time, &found.change).unwrap();
    record::set_synced(&mut bytes, found.synced);
    // Miri cannot call the C library that compresses.
    let packed = if cfg!(miri) { bytes.clone() } else { record::compress(bytes.clone()) };
    for bytes in [bytes, packed] {
        let again = record::decode(&bytes).unwrap();
        assert_eq!((again.lsn, again.time, again.synced), (found.lsn, found.time, found.synced));
        assert!(same(&again.change, &found.change));
    }
}

/// One record of the log.
pub fn record(data: &[u8]) {
    let repaired = input(data, |bytes| {
        // The length of the body, which else hardly ever is right, and the zeros.
        let body = (bytes.len() as u32).saturating_sub(record::HEAD_BYTES as u32);
        if let Some(head) = bytes.first_chunk_mut::<{ record::HEAD_BYTES }>() {
            head[26..28].fill(0);
            if head[25] == 0 {
                head[28..].copy_from_slice(&body.to_le_bytes());
            }
        }
    });
    if let Some(Ok(found)) = repaired.map(|bytes| record::decode(&bytes)) {
        comes_back(&found);
    }
}

/// A log file: read, applied, judged, read past damage.
/// Records that are read from portions, and where that ends.
fn decoded_ahead(mut reader: LogReader<'_>, bytes: &[u8]) -> (usize, u64) {
    let mut offset = reader.offset();
    while let Some(portion) = reader.portion_at(offset) {
        offset = portion.end();
        reader.take(portion.decoded(bytes));
    }
    let mut records = 0;
    while let Ok(Some(_)) = reader.next_record() {
        records += 1;
    }
    (records, reader.offset())
}

pub fn wal_file(data: &[u8]) {
    let Some(bytes) = input(data, repair::wal) else { return };
    let (path, first_lsn) = (Path::new("log"), word(&bytes, HEADER_BYTES + 16).unwrap_or(1));
    let open = |sealed| LogReader::new(&bytes, path, OWNER, (NUMBER, first_lsn), sealed);
    let _ = was_named(&bytes, OWNER, NUMBER);
    let Ok(mut reader) = open(None) else { return };
    let mut collection = Collection::new(Description::default());
    let (mut last, mut records) = (None, 0);
    while let Ok(Some(found)) = reader.next_record() {
        assert!(last.is_none_or(|last| found.lsn > last), "LSNs grow");
        assert!(reader.offset() as usize <= bytes.len());
        last = Some(found.last_lsn());
        records += 1;
        comes_back(&found);
        if collection.check(&found.change).is_ok() {
            collection.replay(found.last_lsn(), found.change).unwrap();
        }
    }
    assert_eq!(collection.version().entries().map(Result::unwrap).count(), collection.len());
    assert_eq!(decoded_ahead(open(None).unwrap(), &bytes), (records, reader.offset()), "the same as in order");
    let proven = reader.proven();
    assert!(proven.length <= reader.offset() && proven.length >= FRAMES_START as u64);
    assert!(reader.unproven().count() <= records);
    if let Ok(end) = reader.end() {
        assert!(end.length + end.torn <= bytes.len() as u64);
        // What was found complete is found the same once it is said to be complete.
        let mut again = open(Some(Sealed { length: end.length, last_lsn: end.last_lsn })).unwrap();
        let mut count = 0;
        while let Ok(Some(_)) = again.next_record() {
            count += 1;
        }
        assert_eq!(count, records);
        again.end().unwrap();
    }
    let mut before = reader.offset();
    while reader.skip_damage().is_some() {
        let _ = reader.next_record();
        assert!(reader.offset() >= before && reader.offset() as usize <= bytes.len());
        // A record that cannot be decoded stays where it is; a salvage ends there.
        if reader.offset() == before {
            break;
        }
        before = reader.offset();
    }
}

/// A manifest: what is accepted fits together and is written as it was read.
pub fn manifest(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let bytes = if mode % 2 == 1 { repair::manifest(rest) } else { rest.to_vec() };
    if let Ok(root) = manifest::decode(&bytes, OWNER.store) {
        root.manifest.check().unwrap();
        let again = manifest::encode(root.owner, &root.manifest).unwrap();
        assert_eq!(manifest::decode(&again, OWNER.store).unwrap().manifest, root.manifest);
    }
}

/// A segment: opened mapped and on the heap, read in every way, verified.
pub fn segment(data: &[u8]) {
    let Some(bytes) = input(data, repair::segment) else { return };
    let path = Path::new("segment");
    let expected =
        Expected { owner: OWNER, number: NUMBER, length: bytes.len() as u64, checksum: repair::last_half(&bytes) };
    for mapped in [true, false] {
        let access = Access { mapped, advice: Advice::Normal, populate: mapped, huge_pages: mapped };
        let files = Arc::new(Files::of(path, &bytes));
        let Ok(segment) = Segment::open(files, path, &expected, access) else { continue };
        for row in (0..segment.rows().min(ROWS_MAX)).chain([segment.rows(), u32::MAX]) {
            let id = segment.id(row).map(str::to_owned);
            if let Ok(entry) = segment.entry(row) {
                assert_eq!((&*entry.id, entry.vector.len()), (id.as_deref().unwrap(), segment.dimension()));
            }
            let _ = (segment.vector(row), segment.metadata(row), segment.lsn(row), segment.vectors(0..row));
            let _ = id.map(|id| segment.find(&id));
        }
        let _ = (segment.find(""), segment.find("nobody"), segment.prefetch(0, u64::MAX));
        if segment.verify(&Control::default()).unwrap().is_empty() {
            for row in 0..segment.rows().min(ROWS_MAX) {
                let entry = segment.entry(row).expect("what is verified can be read");
                assert_eq!(segment.find(&entry.id).expect("what is verified is found"), Some(row));
                assert!((segment.lsns().0..=segment.lsns().1).contains(&segment.lsn(row).unwrap()));
            }
        }
        let statistics = segment.statistics();
        assert!(statistics.checked <= statistics.blocks && segment.hot_regions(4).len() <= 4);
    }
}

/// The dead rows of a segment.
pub fn dead_rows(data: &[u8]) {
    let Some(bytes) = input(data, repair::dead_rows) else { return };
    let path = Path::new("dead");
    let (rows, n) = (word(&bytes, 64).unwrap_or(0), word(&bytes, 80).unwrap_or(0));
    let file = DeadFile { length: bytes.len() as u64, checksum: repair::last_half(&bytes) };
    let expected = ExpectedDead { owner: OWNER, number: NUMBER, n, rows: rows as u32, file };
    let Ok(dead) = DeadRows::read(&Files::of(path, &bytes), path, &expected) else { return };
    assert_eq!(dead.live() + dead.dead(), dead.rows());
    assert_eq!(dead.live_from(0).count() as u32, dead.live());
    assert!(dead.live_from(0).all(|row| row < dead.rows() && !dead.is_dead(row)));
    assert_eq!(dead.translate(&dead).dead(), 0, "nothing died since");
    let (files, header) = (Files::default(), Header::decode(&bytes, FileKind::Dead).unwrap());
    assert_eq!(dead.write(&files, path, header, n).unwrap(), file);
    assert_eq!(files.bytes(path).unwrap()[HEADER_BYTES..], bytes[HEADER_BYTES..], "it is written as it was read");
}

/// The header of every file, and the store that one makes.
pub fn store_header(data: &[u8]) {
    let Some(bytes) = input(data, repair::header_sum) else { return };
    let kinds = [FileKind::Store, FileKind::Manifest, FileKind::Wal, FileKind::Segment, FileKind::Dead];
    let accepted = kinds.into_iter().filter_map(|kind| Header::decode(&bytes, kind).ok()).inspect(|header| {
        assert_eq!(Header::decode(&header.encode(), header.kind).unwrap(), *header);
        Header::expect(&bytes, header.kind, header.owner, header.number).unwrap();
    });
    assert!(accepted.count() <= 1, "a file is of one kind");
    let base = Path::new("base");
    let files = Arc::new(Files::of(&base.join("STORE"), &bytes));
    let options = OpenStore { read_only: true, create: false, among_others: false, holder: String::new() };
    if let Ok(store) = Store::open(files, base, &options) {
        assert_eq!(store.list().unwrap(), Vec::<String>::new());
        store.close().unwrap();
    }
}

/// A filter and, behind the first line break, the metadata that it is asked about.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, metadata) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(filter) = Filter::parse(text) else { return };
    filter.matches(None).expect("no metadata is an object without members");
    let Ok(found) = filter.matches(Some(metadata)) else {
        // Only what is no JSON object is damage. (Ours takes numbers that serde_json finds too large, never the reverse.)
        let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(metadata);
        assert!(object.is_err(), "{metadata} is an object");
        return;
    };
    assert!(!filter.is_empty() || found, "no condition holds everywhere");
    if let Ok(other) = Filter::parse(&format!(r#"{{"$not":{text}}}"#)) {
        assert_eq!(other.matches(Some(metadata)).unwrap(), !found, "either it holds or it does not");
    }
    if let Ok(both) = Filter::parse(&format!(r#"{{"$and":[{text},{text}]}}"#)) {
        assert_eq!(both.matches(Some(metadata)).unwrap(), found);
    }
}
