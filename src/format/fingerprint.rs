//! One value for the content of entries: their order does not matter, nor that of the keys in metadata (databases that
//! parse metadata give its keys back in an order of their own); everything else does, to the bit.
//!
//! Each entry is hashed (XXH3, 128 bits) and the hashes are added, so that the fingerprint of a content follows from that of
//! the one before and the change alone. It tells whether anything changed; it is no defence against someone who makes
//! collisions on purpose, and nothing depends on that. Deltas carry it: what is hashed does not change.

use super::entry::{Entry, sorted};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// The fingerprint of the entries that were added so far.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint {
    entries: u64,
    sum: u128,
    /// The bytes that are hashed, here to be allocated once.
    bytes: Vec<u8>,
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        (self.entries, self.sum) == (other.entries, other.sum)
    }
}

impl Fingerprint {
    /// Adds an entry.
    pub fn add(&mut self, entry: &Entry) {
        let sum = self.of(entry);
        self.add_sum(sum);
    }

    /// Adds an entry of which only what `of` gave is left.
    pub fn add_sum(&mut self, sum: u128) {
        self.sum = self.sum.wrapping_add(sum);
        self.entries += 1;
    }

    /// Takes such an entry away; it is among these.
    pub fn part_sum(&mut self, sum: u128) {
        self.sum = self.sum.wrapping_sub(sum);
        self.entries = self.entries.wrapping_sub(1);
    }

    /// What one entry adds; nothing is added.
    pub fn of(&mut self, entry: &Entry) -> u128 {
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend_from_slice(&(entry.id.len() as u64).to_le_bytes());
        bytes.extend_from_slice(entry.id.as_bytes());
        bytes.extend_from_slice(&(entry.vector.len() as u64).to_le_bytes());
        push_vector(bytes, &entry.vector);
        bytes.push(u8::from(entry.metadata.is_some()));
        if let Some(metadata) = entry.metadata.as_deref() {
            bytes.extend_from_slice(sorted(metadata).as_bytes());
        }
        xxh3_128(bytes)
    }

    /// Adds all entries of another.
    pub fn join(&mut self, other: &Fingerprint) {
        self.entries += other.entries;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// Takes all entries of another away; they are among these.
    pub fn part(&mut self, other: &Fingerprint) {
        self.entries = self.entries.wrapping_sub(other.entries);
        self.sum = self.sum.wrapping_sub(other.sum);
    }
}

impl Fingerprint {
    /// The fingerprint that a text is; `None` when it is none.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let (entries, sum) = text.split_once('-')?;
        let entries = u64::from_str_radix(entries, 16).ok()?;
        Some(Fingerprint { entries, sum: u128::from_str_radix(sum, 16).ok()?, bytes: Vec::new() })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:032x}", self.entries, self.sum)
    }
}

/// Appends the numbers, little-endian.
pub fn push_vector(out: &mut Vec<u8>, vector: &[f32]) {
    const AT_ONCE: usize = 16;
    let (blocks, rest) = vector.as_chunks::<AT_ONCE>();
    for block in blocks {
        out.extend_from_slice(block.map(f32::to_le_bytes).as_flattened());
    }
    for x in rest {
        out.extend_from_slice(&x.to_le_bytes());
    }
}
