//! A frame: length and checksum around one record, bound to its file and its place in it.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | bytes of the record, at least 32 |
//! | 4 | 4 | CRC-32 of: seed of the file (as the state to start from), offset of the frame u64, length u32, record |
//! | 8 | | record, then zeros to the next multiple of 8 |
//!
//! The seed is the CRC-32 of the file's header and preamble without the checksums of these two (with them it would be
//! the same for every file), and the preamble holds 16 random bytes: so a frame of
//! another file, of a file that had this place on the disk before, or one at the wrong offset, is never taken for one of
//! this file.

use crate::error::{Error, Kind, Result};
use crate::format::header::{FileKind, HEADER_BYTES, Header, Owner, array, crc};
use crate::format::record;

/// Bytes before a record in its frame.
pub const FRAME_HEAD_BYTES: usize = 8;
const PREAMBLE_BYTES: usize = 32;

/// Where the first frame of a file begins.
pub const FRAMES_START: usize = HEADER_BYTES + PREAMBLE_BYTES;

/// The first bytes of a log file, and the seed of its checksums.
pub fn start(header: &Header, salt: [u8; 16], first_lsn: u64, copied: bool) -> (Vec<u8>, u32) {
    let mut out = header.encode().to_vec();
    out.extend_from_slice(&salt);
    out.extend_from_slice(&first_lsn.to_le_bytes());
    out.extend_from_slice(&u32::from(copied).to_le_bytes());
    let sum = crc(out.get(HEADER_BYTES..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
    let seed = seed_of(&out);
    (out, seed)
}

fn seed_of(start: &[u8]) -> u32 {
    let mut state = crc32fast::Hasher::new();
    state.update(start.get(..HEADER_BYTES - 4).unwrap_or_default());
    state.update(start.get(HEADER_BYTES..FRAMES_START - 4).unwrap_or_default());
    state.finalize()
}

/// What the first bytes of a log file say.
pub struct Start {
    pub header: Header,
    pub first_lsn: u64,
    /// Its records were copied from an earlier file, before a manifest named this one.
    pub copied: bool,
    pub seed: u32,
}

/// Checks the first bytes of a log file.
pub fn check_start(bytes: &[u8], owner: Owner, number: u64) -> Result<Start> {
    let header = Header::expect(bytes, FileKind::Wal, owner, number)?;
    let broken = |what: &str| Error::new(Kind::Corrupt, format!("{what} of this log file")).at(HEADER_BYTES as u64);
    let preamble: [u8; PREAMBLE_BYTES] =
        array(bytes, HEADER_BYTES).ok_or_else(|| broken("the file ends in the preamble"))?;
    let (content, sum) = preamble.split_at(PREAMBLE_BYTES - 4);
    let copied = array(content, 24).map_or(0, u32::from_le_bytes);
    if sum != crc(content).to_le_bytes() || copied > 1 {
        return Err(broken("a wrong checksum in the preamble"));
    }
    let first_lsn = array(content, 16).map_or(0, u64::from_le_bytes);
    let seed = seed_of(bytes);
    Ok(Start { header, first_lsn, copied: copied == 1, seed })
}

fn checksum(seed: u32, offset: u64, record: &[u8]) -> u32 {
    let mut state = crc32fast::Hasher::new_with_initial(seed);
    state.update(&offset.to_le_bytes());
    state.update(&(record.len() as u32).to_le_bytes());
    state.update(record);
    state.finalize()
}

/// Bytes that a record takes in the log.
pub fn frame_bytes(record: usize) -> usize {
    (FRAME_HEAD_BYTES + record).next_multiple_of(8)
}

/// Frames one after another, without their checksums: those come when their place in a file is known.
#[derive(Debug, Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// Appends a frame around the record that `write` appends. Gives the bytes of the frame.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let Frames(out) = self;
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
        write(out);
        let record = out.len() - start - FRAME_HEAD_BYTES;
        if let Some(length) = out.get_mut(start..start + 4) {
            length.copy_from_slice(&(record as u32).to_le_bytes());
        }
        out.resize(start + frame_bytes(record), 0);
        out.len() - start
    }

    /// The same for a record that is there.
    pub fn push_record(&mut self, record: &[u8]) -> usize {
        self.push(|out| out.extend_from_slice(record))
    }

    /// Whole frames among them, from one place on.
    pub fn part(&mut self, start: usize, bytes: usize) -> &mut [u8] {
        self.0.get_mut(start..start + bytes).unwrap_or_default()
    }

    /// Forgets them, and keeps at most `kept` bytes of memory for those that come.
    pub fn clear(&mut self, kept: usize) {
        self.0.clear();
        self.0.shrink_to(kept);
    }
}

/// Head and record of each of whole frames.
fn each(frames: &mut [u8]) -> impl Iterator<Item = (&mut [u8; FRAME_HEAD_BYTES], &mut [u8])> {
    let mut rest = frames;
    std::iter::from_fn(move || {
        let length = u32::from_le_bytes(array(rest, 0)?) as usize;
        let (frame, after) = std::mem::take(&mut rest).split_at_mut_checked(frame_bytes(length))?;
        rest = after;
        let (head, record) = frame.split_first_chunk_mut()?;
        Some((head, record.get_mut(..length)?))
    })
}

/// The records of whole frames.
pub fn records(frames: &mut [u8]) -> impl Iterator<Item = &[u8]> {
    each(frames).map(|(_, record)| &*record)
}

/// Finishes whole frames that will stand at `offset`: their records get the LSN up to which the log is durable, and the
/// frames their checksums.
pub fn seal(frames: &mut [u8], seed: u32, offset: u64, synced: u64) {
    let mut offset = offset;
    for (head, record) in each(frames) {
        record::set_synced(record, synced);
        let [.., a, b, c, d] = head;
        [*a, *b, *c, *d] = checksum(seed, offset, record).to_le_bytes();
        offset += frame_bytes(record.len()) as u64;
    }
}

/// The record whose frame stands at `offset`, and the bytes of the frame; `None` when no whole and unharmed frame does.
pub fn at(bytes: &[u8], seed: u32, offset: usize) -> Option<(&[u8], usize)> {
    let head: [u8; FRAME_HEAD_BYTES] = array(bytes, offset)?;
    let [l0, l1, l2, l3, s0, s1, s2, s3] = head;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length < record::HEAD_BYTES {
        return None;
    }
    let whole = bytes.get(offset..)?.get(..frame_bytes(length))?;
    let (record, padding) = whole.get(FRAME_HEAD_BYTES..)?.split_at_checked(length)?;
    // Cheap doubts first: whoever looks for frames in garbage must not sum up gigabytes.
    record::peek(record)?;
    let right = padding.iter().all(|byte| *byte == 0)
        && u32::from_le_bytes([s0, s1, s2, s3]) == checksum(seed, offset as u64, record);
    right.then_some((record, whole.len()))
}
