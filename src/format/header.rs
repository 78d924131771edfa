//! The 64 bytes that begin every file of a store: what it is, which versions read it, whose it is.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic, by kind of file |
//! | 8 | 2 | read version: the oldest reader that understands the file |
//! | 10 | 2 | write version: the format that wrote it |
//! | 12 | 4 | zero |
//! | 16 | 16 | id of the store |
//! | 32 | 16 | id of the collection; zeros in files of the store itself |
//! | 48 | 8 | number of the file within its collection |
//! | 56 | 4 | generation of the manifest when a segment was made, or that a log file or dead rows were made for; low 32 bits |
//! | 60 | 4 | CRC-32 of the 60 bytes before |
//!
//! Numbers are little-endian.

use crate::error::{Error, Kind, Result};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 64;

/// The version that this build writes, and the newest that it reads.
pub const VERSION: u16 = 1;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `STORE`: the identity of a store.
    Store,
    /// `MANIFEST`: the live files of a collection.
    Manifest,
    /// A file of the write-ahead log.
    Wal,
    /// A segment.
    Segment,
    /// The dead rows of a segment.
    Dead,
    /// `SNAPSHOT`: what a snapshot holds.
    Snapshot,
    /// The seal of a sorted run.
    Run,
    /// `EXPORT`: what an exported log holds.
    Export,
}

impl FileKind {
    const ALL: [FileKind; 8] = [
        FileKind::Store,
        FileKind::Manifest,
        FileKind::Wal,
        FileKind::Segment,
        FileKind::Dead,
        FileKind::Snapshot,
        FileKind::Run,
        FileKind::Export,
    ];

    fn magic(self) -> &'static [u8; 8] {
        match self {
            FileKind::Store => b"RVPstore",
            FileKind::Manifest => b"RVPmanif",
            FileKind::Wal => b"RVPwalog",
            FileKind::Segment => b"RVPsegmt",
            FileKind::Dead => b"RVPdeads",
            FileKind::Snapshot => b"RVPsnaps",
            FileKind::Run => b"RVPlsmrn",
            FileKind::Export => b"RVPexprt",
        }
    }

    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Store => "STORE",
            FileKind::Manifest => "manifest",
            FileKind::Wal => "write-ahead log",
            FileKind::Segment => "segment",
            FileKind::Dead => "dead-rows",
            FileKind::Snapshot => "snapshot",
            FileKind::Run => "seal",
            FileKind::Export => "exported log",
        }
    }
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Id of the store.
    pub store: [u8; 16],
    /// Id of the collection; zeros in files of the store itself.
    pub collection: [u8; 16],
}

/// The header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub kind: FileKind,
    /// Whose it is.
    pub owner: Owner,
    /// Its number within its collection.
    pub number: u64,
    /// Generation of the manifest when it was made, or, of a log file and of dead rows, of the one that it was made for
    /// (low 32 bits).
    pub generation: u32,
}

/// CRC-32 (IEEE) of some bytes.
pub fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// `N` bytes from `offset` on.
pub fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

impl Header {
    /// The header as it is written.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(self.kind.magic());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.owner.store);
        out.extend_from_slice(&self.owner.collection);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&crc(&out).to_le_bytes());
        array(&out, 0).unwrap_or([0; HEADER_BYTES])
    }

    /// Reads a header of that kind from the front of a file.
    pub fn decode(bytes: &[u8], kind: FileKind) -> Result<Header> {
        let broken = |message: String, offset: u64| Error::new(Kind::Corrupt, message).at(offset);
        let name = kind.name();
        let Some(head) = array::<HEADER_BYTES>(bytes, 0) else {
            let message = format!("not a {name} file: {} bytes, its header alone has {HEADER_BYTES}", bytes.len());
            return Err(broken(message, 0));
        };
        let field = |offset| array::<8>(&head, offset).unwrap_or_default();
        let half = |offset| array::<2>(&head, offset).map_or(0, u16::from_le_bytes);
        let word = |offset| array::<4>(&head, offset).map_or(0, u32::from_le_bytes);
        if field(0) != *kind.magic() {
            let other = FileKind::ALL.into_iter().find(|other| field(0) == *other.magic());
            let found =
                other.map_or("its first bytes are not ours".to_owned(), |o| format!("it is a {} file", o.name()));
            return Err(broken(format!("not a {name} file: {found}"), 0));
        }
        // The version comes before the checksum: a later format may check differently.
        if half(8) > VERSION {
            let message = format!("written by version {} of the format, this build reads 1 to {VERSION}", half(8));
            return Err(Error::new(Kind::Version, message).at(8));
        }
        if word(60) != crc(head.get(..60).unwrap_or_default()) {
            return Err(broken(format!("the header of this {name} file is damaged: its checksum differs"), 0));
        }
        if half(8) == 0 || half(10) < half(8) || word(12) != 0 {
            return Err(broken(format!("the header of this {name} file is not one of version {VERSION}"), 8));
        }
        Ok(Header {
            kind,
            owner: Owner {
                store: array(&head, 16).unwrap_or_default(),
                collection: array(&head, 32).unwrap_or_default(),
            },
            number: u64::from_le_bytes(field(48)),
            generation: word(56),
        })
    }

    /// Reads a header and refuses the file of another store or collection, or another file of this one.
    pub fn expect(bytes: &[u8], kind: FileKind, owner: Owner, number: u64) -> Result<Header> {
        let found = Header::decode(bytes, kind)?;
        let name = kind.name();
        let refuse = |message: String, offset| Err(Error::new(Kind::Corrupt, message).at(offset));
        if found.owner.store != owner.store {
            return refuse(format!("this {name} file belongs to another store"), 16);
        }
        if found.owner.collection != owner.collection {
            return refuse(format!("this {name} file belongs to another collection"), 32);
        }
        if found.number != number {
            return refuse(format!("expected {name} file number {number}, found number {}", found.number), 48);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };

    #[test]
    fn every_flipped_bit_and_every_length_is_noticed() {
        let header = Header { kind: FileKind::Wal, owner: OWNER, number: 7, generation: 9 };
        let bytes = header.encode();
        assert_eq!(Header::expect(&bytes, FileKind::Wal, OWNER, 7).unwrap(), header);
        for bit in 0..HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged, FileKind::Wal).is_err(), "bit {bit}");
        }
        for length in 0..HEADER_BYTES {
            assert_eq!(Header::decode(&bytes[..length], FileKind::Wal).unwrap_err().kind, Kind::Corrupt);
        }
    }

    #[test]
    fn a_stranger_is_named() {
        let bytes = Header { kind: FileKind::Wal, owner: OWNER, number: 7, generation: 9 }.encode();
        let refusal = |kind, owner, number| Header::expect(&bytes, kind, owner, number).unwrap_err().message;
        assert!(refusal(FileKind::Segment, OWNER, 7).contains("it is a write-ahead log file"));
        assert!(refusal(FileKind::Wal, Owner { store: [3; 16], ..OWNER }, 7).contains("another store"));
        assert!(refusal(FileKind::Wal, Owner { collection: [3; 16], ..OWNER }, 7).contains("another collection"));
        assert!(refusal(FileKind::Wal, OWNER, 8).contains("expected write-ahead log file number 8, found number 7"));
        let mut newer = bytes;
        newer[8] = 3;
        newer[10] = 3;
        let error = Header::decode(&newer, FileKind::Wal).unwrap_err();
        assert_eq!(error.kind, Kind::Version);
        assert!(error.message.contains("written by version 3 of the format, this build reads 1 to 1"));
    }
}
