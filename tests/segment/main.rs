//! Segments and their dead rows through the public API: what goes in comes out bit for bit, and nothing else ever does.

// Elsewhere a mapped file cannot be cut, and errno has other numbers.
#[cfg(unix)]
mod damage;
mod dead;
#[cfg(unix)]
mod faults;
mod round_trip;

use ruvector_persistence::env::fs::{Advice, Disk, Fs};
use ruvector_persistence::format::Metric;
use ruvector_persistence::format::header::{FileKind, Header, Owner};
use ruvector_persistence::segment::{Access, Builder, Expected, Row, Sealed, Segment};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

const OWNER: Owner = Owner { store: [7; 16], collection: [8; 16] };
const NUMBER: u64 = 5;

const HEAP: Access = Access { mapped: false, advice: Advice::Normal, populate: false, huge_pages: false };

/// Mapped as it is by default, mapped with everything that can be asked for, and on the heap.
fn accesses() -> [Access; 3] {
    let all = Access { mapped: true, advice: Advice::Sequential, populate: true, huge_pages: true };
    [Access::default(), all, HEAP]
}

/// One row as a test keeps it.
#[derive(Debug, Clone)]
struct Kept {
    id: String,
    vector: Vec<f32>,
    metadata: Option<String>,
    lsn: u64,
}

/// Rows that differ in everything: short and long ids, odd numbers, metadata absent, empty and large.
fn rows(count: u32, dimension: usize) -> Vec<Kept> {
    let odd = [f32::NAN, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0xffc0_0001), f32::from_bits(1)];
    let row = |row: u32| Kept {
        id: match row {
            0 => "a".to_owned(),
            1 => "é".repeat(512),
            _ => format!("id-{row}"),
        },
        vector: (0..dimension)
            .map(|i| if row.is_multiple_of(5) { odd[i % 6] } else { (row as f32) + i as f32 / 7.0 })
            .collect(),
        metadata: match row % 4 {
            0 => None,
            1 => Some("{}".to_owned()),
            _ if row == 6 => Some(format!(r#"{{"large":"{}"}}"#, "ü".repeat(40_000))),
            _ => Some(format!(r#"{{"row":{row}}}"#)),
        },
        lsn: 100 + u64::from(row) * 7 % 1_000,
    };
    (0..count).map(row).collect()
}

fn header(number: u64) -> Header {
    Header { kind: FileKind::Segment, owner: OWNER, number, generation: 1 }
}

fn build_on(
    fs: Arc<dyn Fs>,
    path: &Path,
    rows: &[Kept],
    dimension: usize,
) -> ruvector_persistence::error::Result<Sealed> {
    let mut builder = Builder::create(fs, path, header(NUMBER), dimension, Some(Metric::Dot))?;
    for row in rows {
        let metadata = row.metadata.as_deref();
        builder.push(Row { id: &row.id, vector: &row.vector, metadata, lsn: row.lsn })?;
    }
    builder.finish()
}

fn build(path: &Path, rows: &[Kept], dimension: usize) -> Expected {
    let sealed = build_on(Arc::new(Disk), path, rows, dimension).unwrap();
    assert_eq!((sealed.number, sealed.rows as usize), (NUMBER, rows.len()));
    Expected { owner: OWNER, number: NUMBER, length: sealed.length, checksum: sealed.checksum }
}

fn open(path: &Path, expected: &Expected, access: Access) -> ruvector_persistence::error::Result<Segment> {
    Segment::open(Arc::new(Disk), path, expected, access)
}

/// Writes over a part of a file.
fn put(mut file: &File, bytes: &[u8], offset: u64) {
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(bytes)).unwrap();
}

fn bits(vector: &[f32]) -> Vec<u32> {
    vector.iter().map(|number| number.to_bits()).collect()
}

/// Reads everything; what is returned must be what was written. Says how many reads were refused.
fn refusals(segment: &Segment, rows: &[Kept]) -> usize {
    let mut refused = 0;
    let mut count = |failed: bool| refused += usize::from(failed);
    for (row, kept) in (0_u32..).zip(rows) {
        let found = segment.find(&kept.id);
        assert!(found.as_ref().is_err() || found.as_ref().unwrap() == &Some(row), "{row}: {found:?}");
        count(found.is_err());
        let id = segment.id(row);
        assert!(id.as_ref().is_err() || *id.as_ref().unwrap() == kept.id, "{row}");
        count(id.is_err());
        let vector = segment.vector(row);
        assert!(vector.is_err() || bits(vector.as_ref().unwrap()) == bits(&kept.vector), "{row}");
        count(vector.is_err());
        let metadata = segment.metadata(row);
        assert!(metadata.is_err() || *metadata.as_ref().unwrap() == kept.metadata.as_deref(), "{row}");
        count(metadata.is_err());
        let lsn = segment.lsn(row);
        assert!(lsn.is_err() || *lsn.as_ref().unwrap() == kept.lsn, "{row}");
        count(lsn.is_err());
        if let Ok(entry) = segment.entry(row) {
            assert!(*entry.id == *kept.id && entry.metadata.as_deref() == kept.metadata.as_deref());
            assert_eq!(bits(&entry.vector), bits(&kept.vector));
        }
    }
    for absent in ["", "b", "id-", "nobody"] {
        assert_ne!(segment.find(absent).ok().flatten(), Some(0));
        assert!(segment.find(absent).is_err() || segment.find(absent).unwrap().is_none());
    }
    refused
}
