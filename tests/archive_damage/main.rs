//! Archives that were damaged, cut, extended or made to do harm.
//!
//! Goal: whatever the bytes of a file are, reading it ends in the very content that was written or in an error that
//! tells what is wrong; never in other content, a panic, a hang or memory that grows with what the file claims.
//! A failure means that wrong vectors could be loaded, that a file could end the process, or that the list of places
//! where damage changes nothing (`sweep::SPARE`, which `docs/format.md` quotes) is out of date.
//!
//! `sweep` damages small archives everywhere, `large` archives of several parts here and there, `documents` holds
//! archives that are wrong by design, and `bombs` those that claim or unfold to more than they are. `sqlite` does all of
//! that to SQLite archives, in which many bits carry no data and whose reader is another library; `foreign_sqlite` holds
//! databases of other programs.

mod bombs;
mod documents;
mod foreign_sqlite;
mod large;
mod sqlite;
mod sweep;

use ruvector_persistence::archive::{self, Content, Expect, Format, Options, Source, Stored};
use ruvector_persistence::codec::{Compression, Compressor, Digest};
use ruvector_persistence::control::Control;
use ruvector_persistence::error::{Error, Kind};
use ruvector_persistence::format::{Description, Entry, Metric};
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::Arc;

const COMPRESSIONS: [Compression; 4] = [Compression::None, Compression::Gzip, Compression::Brotli, Compression::Zstd];

/// Every kind that damaged bytes may end in. The others would say that the machine or this library is at fault.
const KINDS: [Kind; 11] = [
    Kind::Format,
    Kind::Checksum,
    Kind::Corrupt,
    Kind::Version,
    Kind::Dimension,
    Kind::Metric,
    Kind::Limit,
    Kind::Unsupported,
    Kind::Id,
    Kind::Metadata,
    // A compressed SQLite database whose header says that it is larger than the disk.
    Kind::NoSpace,
];

/// What reading an archive gives.
#[derive(Debug)]
struct Found {
    source: Source,
    entries: Vec<Entry>,
}

impl Found {
    /// Whether both say the same of themselves and hold the same entries, bit for bit.
    fn is(&self, other: &Found) -> bool {
        let pairs = || self.entries.iter().zip(&other.entries);
        self.source.head == other.source.head
            && self.entries.len() == other.entries.len()
            && pairs().all(|(a, b)| a.same_bits(b))
    }
}

fn entry(id: &str, vector: &[f32], metadata: Option<&str>) -> Entry {
    Entry::new(id, vector.to_vec(), metadata).unwrap()
}

/// Where scratch files are made.
fn beside() -> PathBuf {
    std::env::temp_dir().join("archive")
}

/// The archive of these entries.
fn written(entries: Vec<Entry>, format: Format, compression: Compression) -> Vec<u8> {
    let dimension = entries.first().map(|entry| entry.vector.len());
    let content = Content {
        description: Description { dimension, metric: Some(Metric::Cosine) },
        count: entries.len() as u64,
        entries: &mut entries.into_iter().map(|entry| Ok(Arc::new(entry))),
        timestamp: 1_700_000_000_123,
        stored_checksum: false,
        operation: "save",
        delta: None,
    };
    let options = Options { format, compression, level: None };
    archive::write(content, options, &beside(), Vec::new(), &Control::default()).unwrap().0
}

fn read(bytes: &[u8], verify: bool) -> Result<Found, Error> {
    let expect = Expect { verify, ..Expect::default() };
    let mut entries = Vec::new();
    let mut keep = |batch: Vec<Entry>| {
        entries.extend(batch);
        Ok(())
    };
    let stored = Stored { length: bytes.len() as u64, path: &beside(), is_file: false };
    let source = archive::read(Cursor::new(bytes.to_vec()), stored, &expect, "load", &Control::default(), &mut keep)?;
    Ok(Found { source, entries })
}

/// Reads what was damaged: `true` when that changed nothing. Other content and errors that blame others end the test.
fn is_unharmed(bytes: &[u8], whole: &Found, what: &str) -> bool {
    match read(bytes, true) {
        Ok(found) => {
            assert!(found.is(whole), "{what}: other content was read");
            true
        }
        Err(error) => {
            assert!(KINDS.contains(&error.kind), "{what}: {:?}: {error}", error.kind);
            // What only the checksum has noticed comes further when nobody asks for the checksum.
            if matches!(error.kind, Kind::Checksum | Kind::Corrupt)
                && let Err(error) = read(bytes, false)
            {
                assert!(KINDS.contains(&error.kind), "{what}, not verified: {:?}: {error}", error.kind);
            }
            false
        }
    }
}

fn compressed(bytes: &[u8], compression: Compression) -> Vec<u8> {
    let mut writer = Compressor::new(Vec::new(), compression, None).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// JSON text that ends in `}`, with the checksum it needs. The text has no white space.
fn signed(text: &str) -> String {
    let digest = Digest::start().unwrap();
    digest.update_bytes(text.as_bytes()).unwrap();
    let checksum = digest.finish().unwrap();
    format!("{},\"checksum\":\"{checksum}\"}}", text.strip_suffix('}').unwrap())
}
