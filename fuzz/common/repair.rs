//! Makes the checksums of a file right, whatever else is wrong with it, and gives it the identity that the targets expect.
//!
//! Where a length or an offset in the file leads nowhere, the rest stays as it is.

use ruvector_persistence::format::header::{FileKind, HEADER_BYTES, Header, Owner, crc};
use ruvector_persistence::wal::FRAMES_START;

/// Whose the files of the targets are.
pub const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };
/// The number of the files of the targets.
pub const NUMBER: u64 = 3;

const BLOCK_BYTES: usize = 16 << 10;
const FOOTER_BYTES: usize = 128;

pub fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|half| u32::from_le_bytes(*half))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// A whole header of that kind in front; the generation is what the bytes say.
fn header(bytes: &mut [u8], kind: FileKind, number: u64) {
    let generation = half(bytes, 56).unwrap_or(0);
    let header = Header { kind, owner: OWNER, number, generation };
    put(bytes, 0, &header.encode());
}

/// Only the checksum of a header: all fields are what the bytes say.
pub fn header_sum(bytes: &mut [u8]) {
    if let Some(sum) = bytes.get(..HEADER_BYTES - 4).map(crc) {
        put(bytes, HEADER_BYTES - 4, &sum.to_le_bytes());
    }
}

/// Header, preamble and every frame as far as their lengths lead.
pub fn wal(bytes: &mut [u8]) {
    header(bytes, FileKind::Wal, NUMBER);
    let Some(sum) = bytes.get(HEADER_BYTES..FRAMES_START - 4).map(crc) else { return };
    put(bytes, FRAMES_START - 4, &sum.to_le_bytes());
    let Some((head, preamble)) = bytes.get(..HEADER_BYTES - 4).zip(bytes.get(HEADER_BYTES..FRAMES_START - 4)) else {
        return;
    };
    let seed = crc(&[head, preamble].concat());
    let mut offset = FRAMES_START;
    while let Some(length) = half(bytes, offset).map(|length| length as usize).filter(|length| *length > 0) {
        let Some(record) = bytes.get(offset + 8..).and_then(|rest| rest.get(..length)) else { return };
        let mut state = crc32fast::Hasher::new_with_initial(seed);
        state.update(&(offset as u64).to_le_bytes());
        state.update(&(length as u32).to_le_bytes());
        state.update(record);
        let sum = state.finalize();
        put(bytes, offset + 4, &sum.to_le_bytes());
        offset += (8 + length).next_multiple_of(8);
    }
}

/// A manifest of that text; the header agrees with the generation in it.
pub fn manifest(text: &[u8]) -> Vec<u8> {
    let value: Option<serde_json::Value> = serde_json::from_slice(text).ok();
    let generation = value.and_then(|value| value.get("generation").and_then(serde_json::Value::as_u64)).unwrap_or(0);
    let header = Header { kind: FileKind::Manifest, owner: OWNER, number: generation, generation: generation as u32 };
    [&header.encode(), text, &crc(text).to_le_bytes()].concat()
}

/// The blocks and the table of checksums that the footer leads to, and the footer.
pub fn segment(bytes: &mut [u8]) {
    header(bytes, FileKind::Segment, NUMBER);
    let Some(footer) = bytes.len().checked_sub(FOOTER_BYTES) else { return };
    let length = bytes.len() as u64;
    put(bytes, footer + 112, &length.to_le_bytes());
    // The last of the eight offsets is that of the table.
    let table = word(bytes, footer + 56).and_then(|table| usize::try_from(table).ok()).unwrap_or(usize::MAX);
    if table <= footer {
        let sums: Vec<u8> = bytes[..table].chunks(BLOCK_BYTES).flat_map(|block| crc(block).to_le_bytes()).collect();
        if sums.len() <= footer - table {
            put(bytes, table, &sums);
            put(bytes, footer + 120, &crc(&sums).to_le_bytes());
        }
    }
    let sum = crc(&bytes[footer..footer + 124]);
    put(bytes, footer + 124, &sum.to_le_bytes());
}

pub fn dead_rows(bytes: &mut [u8]) {
    header(bytes, FileKind::Dead, NUMBER);
    let Some(end) = bytes.len().checked_sub(4) else { return };
    if let Some(sum) = bytes.get(HEADER_BYTES..end).map(crc) {
        put(bytes, end, &sum.to_le_bytes());
    }
}

/// The last four bytes, as far as there are any.
pub fn last_half(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |half| u32::from_le_bytes(*half))
}
