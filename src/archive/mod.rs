//! Archives: a whole collection in one portable file. One way in for each direction: [`write()`] and [`read()`].
//!
//! Both stream in bounded memory and work on every core. Reading checks everything that can be checked before it
//! says that the archive is good: what it hands out before that is to be kept apart from live data.
//!
//! A delta is an archive that holds only changes: what becomes of them, and whether it is the one that is due, is decided
//! above, by whoever knows its chain.
//!
//! JSON and MessagePack are streams; a SQLite database is a file, so both directions are told of a path beside which
//! scratch files can be made.

mod expect;
mod json;
mod msgpack;
mod read;
mod sqlite;
mod stream;
mod write;

pub use expect::Expect;
pub use read::{DeltaSink, Sink, Source, Stored, read, read_delta};
pub use write::{Content, Delta, Written, write};

use crate::codec::Compression;
use crate::error::{Error, Kind, Result};

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `DatabaseState` as JSON.
    Json,
    /// The same as MessagePack.
    Binary,
    /// The same as a SQLite database.
    Sqlite,
}

impl Format {
    /// All of them, in the order in which they are named to people.
    pub const ALL: [Format; 3] = [Format::Json, Format::Binary, Format::Sqlite];

    /// The name in options, and the extension of a snapshot's file.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Binary => "binary",
            Format::Sqlite => "sqlite",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Result<Self> {
        Format::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| Error::new(Kind::Unsupported, format!("format '{name}' is not one of json, binary, sqlite")))
    }
}

/// How an archive is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Its format.
    pub format: Format,
    /// Its compression.
    pub compression: Compression,
    /// The level of the compression; `None` is its default.
    pub level: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Control;
    use crate::format::{Description, Entry, Metric};
    use std::sync::Arc;

    /// Entries of all sizes, some larger than a block: there is one that every block boundary cuts.
    fn entries() -> Vec<Arc<Entry>> {
        let text = |i: usize| {
            format!(
                r#"{{"n":{i},"text":"{}"}}"#,
                "x\\\" {".repeat(if i == 150 { 400_000 } else { (i % 40).pow(3) / 4 })
            )
        };
        let vector = |i: usize| (0..64).map(|j| ((i * 64 + j) as f32).sin()).collect();
        (0..300).map(|i| Arc::new(Entry::new(&format!("id {i}"), vector(i), Some(&text(i))).unwrap())).collect()
    }

    #[test]
    fn every_format_gives_back_what_was_written_wherever_blocks_are_cut() {
        let (entries, control) = (entries(), Control::default());
        let description = Description { dimension: Some(64), metric: Some(Metric::Dot) };
        let directory = tempfile::tempdir().unwrap();
        let path = &directory.path().join("x");
        for format in Format::ALL {
            let content = Content {
                description,
                count: entries.len() as u64,
                entries: &mut entries.iter().cloned().map(Ok),
                timestamp: 1,
                stored_checksum: false,
                operation: "save",
                delta: None,
            };
            let options = Options { format, compression: Compression::None, level: None };
            let (bytes, written) = write(content, options, path, Vec::new(), &control).unwrap();
            let stored = Stored { length: bytes.len() as u64, path, is_file: false };
            let mut found = Vec::new();
            let expect = Expect { verify: true, description, format: Some(format) };
            let mut keep = |batch| {
                found.extend(batch);
                Ok(())
            };
            let source = read(std::io::Cursor::new(bytes), stored, &expect, "load", &control, &mut keep).unwrap();
            assert_eq!(source.head.checksum.as_ref(), Some(&written.checksum));
            assert_eq!(found.len(), entries.len());
            assert!(found.iter().zip(&entries).all(|(found, entry)| found.same_bits(entry)));
        }
    }
}
