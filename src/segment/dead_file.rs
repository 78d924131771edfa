//! The file of a segment's dead rows, `<number>.dead.<n>`: written once, a new one with each change.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 64 | header; its number is that of the segment |
//! | 64 | 8 | rows |
//! | 72 | 8 | dead rows |
//! | 80 | 8 | n |
//! | 88 | rows / 8, rounded up to a multiple of 8 | bitmap, row 0 in the lowest bit of the first byte; zero beyond the rows |
//! | end - 4 | 4 | CRC-32 of everything after the header |
//!
//! The manifest names it by n, length and that checksum. The sync of the directory is the caller's.

use super::dead::DeadRows;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, HEADER_BYTES, Header, Owner, array, crc};
use std::path::Path;

/// Bytes before the bitmap.
const FRONT_BYTES: usize = HEADER_BYTES + 24;

/// A file of dead rows, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadFile {
    /// Bytes.
    pub length: u64,
    /// Its checksum.
    pub checksum: u32,
}

/// The file of dead rows that a manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedDead {
    /// Whose it is.
    pub owner: Owner,
    /// The number of the segment.
    pub number: u64,
    /// Which of the segment's files of dead rows.
    pub n: u64,
    /// Rows of the segment.
    pub rows: u32,
    /// As the manifest has it.
    pub file: DeadFile,
}

/// Bytes of the file for that many rows.
fn length_for(rows: u32) -> u64 {
    FRONT_BYTES as u64 + u64::from(rows.div_ceil(64)) * 8 + 4
}

impl DeadRows {
    /// Writes file `n` of the segment that the header names, and syncs it; one that exists is refused. A file that could
    /// not be written is removed.
    pub fn write(&self, fs: &dyn Fs, path: &Path, header: Header, n: u64) -> Result<DeadFile> {
        if header.kind != FileKind::Dead {
            return Err(Error::new(Kind::Internal, "dead rows need the header of a dead-rows file"));
        }
        let mut bytes = Vec::with_capacity(length_for(self.rows()) as usize);
        bytes.extend_from_slice(&header.encode());
        for word in [u64::from(self.rows()), u64::from(self.dead()), n].into_iter().chain(self.words()) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let checksum = crc(bytes.get(HEADER_BYTES..).unwrap_or_default());
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let file = fs.create(path)?;
        let written = failpoint::hit("dead_rows.after_create")
            .and_then(|()| file.write_at(&bytes, 0))
            .and_then(|()| failpoint::hit("dead_rows.before_sync"))
            .and_then(|()| file.sync());
        drop(file);
        if written.is_err() {
            // The first error tells more; the next open of the store sweeps what stays.
            let _ = fs.remove(path);
        }
        written.map(|()| DeadFile { length: bytes.len() as u64, checksum })
    }

    /// Reads a file of dead rows, which must be the expected one.
    pub fn read(fs: &dyn Fs, path: &Path, expected: &ExpectedDead) -> Result<DeadRows> {
        let file = fs.open(path)?;
        let (length, due) = (file.length()?, length_for(expected.rows));
        if length != expected.file.length || length != due {
            let message =
                format!("expected a dead-rows file of {due} bytes for {} rows, found {length}", expected.rows);
            return Err(Error::new(Kind::Corrupt, message).at(length.min(due)).in_file(path));
        }
        let mut bytes = vec![0; length as usize];
        file.read_at(&mut bytes, 0)?;
        decode(&bytes, expected).map_err(|error| error.in_file(path))
    }
}

fn decode(bytes: &[u8], expected: &ExpectedDead) -> Result<DeadRows> {
    let refuse = |message: String, offset: usize| Err(Error::new(Kind::Corrupt, message).at(offset as u64));
    Header::expect(bytes, FileKind::Dead, expected.owner, expected.number)?;
    let end = bytes.len().saturating_sub(4);
    let stored = u32::from_le_bytes(array(bytes, end).unwrap_or_default());
    if crc(bytes.get(HEADER_BYTES..end).unwrap_or_default()) != stored {
        return refuse("these dead rows are damaged: their checksum differs".into(), HEADER_BYTES);
    }
    if stored != expected.file.checksum {
        let message = format!(
            "expected dead rows with the checksum {:08x}, found {stored:08x}: it is not the file that the manifest names",
            expected.file.checksum
        );
        return refuse(message, end);
    }
    let word = |offset: usize| u64::from_le_bytes(array(bytes, offset).unwrap_or_default());
    for (offset, what, due) in [(64, "rows", u64::from(expected.rows)), (80, "as its n", expected.n)] {
        if word(offset) != due {
            return refuse(format!("expected {due} {what}, found {}", word(offset)), offset);
        }
    }
    let bitmap = bytes.get(FRONT_BYTES..end).unwrap_or_default();
    let words: Vec<u64> = bitmap.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let set: u64 = words.iter().map(|word| u64::from(word.count_ones())).sum();
    let found = DeadRows::from_words(expected.rows, &words);
    if set != word(72) || set != u64::from(found.dead()) {
        let message = format!("expected {} dead rows, found {set} bits of {} rows", word(72), expected.rows);
        return refuse(message, 72);
    }
    Ok(found)
}
