//! Encodes every file of a store anew from what was read of it, and compares the bytes.
//!
//! What is not decided by the content is taken from the file: ids, salts, times. A compressed body is compared by what it
//! unpacks to: the compressor may change with its version. `LOCK` has no format.

use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::format::header::{FileKind, Header};
use ruvector_persistence::format::record::{self, Change};
use ruvector_persistence::manifest::{self, DeadRef, Root, SegmentKind, SegmentRef, WalRef};
use ruvector_persistence::segment::{Access, Builder, DeadFile, DeadRows, Expected, ExpectedDead, Row, Segment};
use ruvector_persistence::wal::{FRAMES_START, LogReader, file_name};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was compared.
#[derive(Debug, Default)]
pub struct Seen {
    pub segments: usize,
    /// Runs of engine `lsm`.
    pub runs: usize,
    pub dead: usize,
    pub logs: usize,
    /// Log files that were written again.
    pub copied: usize,
    /// Records with a compressed body.
    pub compressed: usize,
    /// The changes of all records.
    pub changes: Vec<Change>,
    files: BTreeSet<PathBuf>,
}

impl Seen {
    fn compare(&mut self, path: &Path, encoded: &[u8]) {
        let found = fs::read(path).unwrap();
        let differs = found.iter().zip(encoded).position(|(a, b)| a != b);
        assert_eq!((differs, found.len()), (None, encoded.len()), "{}", path.display());
        assert!(self.files.insert(path.to_path_buf()));
    }
}

/// The number of a change in its record.
pub fn kind_of(change: &Change) -> u8 {
    record::encode(1, 1, change).unwrap()[24]
}

/// Encodes every file of the store with that one collection; each file that is there is one of them.
pub fn encode_all(base: &Path, name: &str) -> Seen {
    let mut seen = Seen::default();
    let path = base.join("STORE");
    let header = Header::decode(&fs::read(&path).unwrap(), FileKind::Store).unwrap();
    seen.compare(&path, &header.encode());

    let home = base.join("collections").join(name);
    let root = manifest::read(&Disk, &home, header.owner.store).unwrap();
    seen.compare(&home.join("MANIFEST"), &manifest::encode(root.owner, &root.manifest).unwrap());
    for named in &root.manifest.segments {
        let dead = home.join("segments").join(format!("{:08}.dead", named.number));
        match named.kind {
            SegmentKind::File => {
                segment(&mut seen, &root, &home.join("segments").join(format!("{:08}.seg", named.number)), named)
            }
            SegmentKind::Lsm => run(&mut seen, &home.join("lsm").join(format!("{:08}", named.number)), named),
        }
        if let Some(file) = &named.dead {
            dead_rows(&mut seen, &root, &dead.with_extension(format!("dead.{}", file.version)), named, file);
        }
    }
    for named in &root.manifest.wal {
        log(&mut seen, &root, &home.join("wal").join(file_name(named.number)), named);
    }
    let mut there: BTreeSet<PathBuf> = super::files(base).into_keys().collect();
    there.remove(&base.join("LOCK"));
    assert_eq!(there, seen.files, "every file is one that was compared");
    seen
}

fn header_of(path: &Path, kind: FileKind) -> Header {
    Header::decode(&fs::read(path).unwrap(), kind).unwrap()
}

fn segment(seen: &mut Seen, root: &Root, path: &Path, named: &SegmentRef) {
    let expected = Expected { owner: root.owner, number: named.number, length: named.length, checksum: named.checksum };
    let segment = Segment::open(Arc::new(Disk), path, &expected, Access::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("again.seg");
    let header = header_of(path, FileKind::Segment);
    let mut builder = Builder::create(Arc::new(Disk), &again, header, segment.dimension(), segment.metric()).unwrap();
    for row in 0..segment.rows() {
        let (id, vector) = (segment.id(row).unwrap(), segment.vector(row).unwrap());
        let (metadata, lsn) = (segment.metadata(row).unwrap(), segment.lsn(row).unwrap());
        builder.push(Row { id, vector, metadata, lsn }).unwrap();
    }
    let sealed = builder.finish().unwrap();
    assert_eq!((sealed.length, sealed.checksum, u64::from(sealed.rows)), (named.length, named.checksum, named.rows));
    seen.compare(path, &fs::read(again).unwrap());
    seen.segments += 1;
}

/// A run: our file of it. The others are the library's, which writes the time into them; `super::lsm` compares what is in them.
fn run(seen: &mut Seen, path: &Path, named: &SegmentRef) {
    let seal = path.join("SEAL");
    let found = fs::read(&seal).unwrap();
    let text = &found[64..found.len() - 4];
    let read: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text).unwrap();
    assert_eq!((read["rows"].as_u64(), named.checksum), (Some(named.rows), crc32fast::hash(text)));
    let header = header_of(&seal, FileKind::Run);
    seen.compare(&seal, &[&header.encode(), text, &named.checksum.to_le_bytes()].concat());
    seen.files.extend(super::files(path).into_keys());
    seen.runs += 1;
}

fn dead_rows(seen: &mut Seen, root: &Root, path: &Path, named: &SegmentRef, dead: &DeadRef) {
    let file = DeadFile { length: dead.length, checksum: dead.checksum };
    let (owner, number, rows) = (root.owner, named.number, u32::try_from(named.rows).unwrap());
    let read = DeadRows::read(&Disk, path, &ExpectedDead { owner, number, n: dead.version, rows, file }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let again = folder.path().join("again");
    assert_eq!(read.write(&Disk, &again, header_of(path, FileKind::Dead), dead.version).unwrap(), file);
    seen.compare(path, &fs::read(again).unwrap());
    seen.dead += 1;
}

/// A frame, made by what the page says of it.
fn push_frame(out: &mut Vec<u8>, seed: u32, record: &[u8]) {
    let length = u32::try_from(record.len()).unwrap();
    let mut sum = crc32fast::Hasher::new_with_initial(seed);
    sum.update(&(out.len() as u64).to_le_bytes());
    sum.update(&length.to_le_bytes());
    sum.update(record);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&sum.finalize().to_le_bytes());
    out.extend_from_slice(record);
    out.resize(out.len().next_multiple_of(8), 0);
}

fn log(seen: &mut Seen, root: &Root, path: &Path, named: &WalRef) {
    let found = fs::read(path).unwrap();
    let mut out = header_of(path, FileKind::Wal).encode().to_vec();
    out.extend_from_slice(&found[64..80]);
    out.extend_from_slice(&named.first_lsn.to_le_bytes());
    let copied = found[88] == 1;
    out.extend_from_slice(&u32::from(copied).to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&out[64..]).to_le_bytes());
    assert_eq!(out.len(), FRAMES_START);
    let seed = crc32fast::hash(&[&out[..60], &out[64..92]].concat());

    // As if it were the last file: so the records behind the end that the manifest names are read too.
    let mut reader = LogReader::new(&found, path, root.owner, (named.number, named.first_lsn), None).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        let mut bytes = record::encode(record.lsn, record.time, &record.change).unwrap();
        record::set_synced(&mut bytes, record.synced);
        let stored = usize::try_from(u32::from_le_bytes(*found[out.len()..].first_chunk().unwrap())).unwrap();
        let stored = &found[out.len() + 8..][..stored];
        if stored[25] == 1 {
            let unpacked = zstd::bulk::decompress(&stored[32..], bytes.len()).unwrap();
            assert_eq!((&unpacked[..], &stored[26..32]), (&bytes[32..], &bytes[26..32]));
            push_frame(&mut out, seed, stored);
            seen.compressed += 1;
        } else {
            push_frame(&mut out, seed, &bytes);
        }
        seen.changes.push(record.change);
    }
    assert_eq!(reader.end().unwrap().torn, 0);
    assert!(named.length.is_none_or(|length| length <= out.len() as u64));
    out.resize(found.len().max(out.len()), 0);
    seen.compare(path, &out);
    seen.logs += 1;
    seen.copied += usize::from(copied);
}
