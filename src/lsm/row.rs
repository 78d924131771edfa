//! Keys and values of a run. Each value carries a CRC-32 over the identity of the run, its key and its bytes, so that a
//! value in the place of another is noticed by us as well as by the library.
//!
//! | key | value |
//! |---|---|
//! | 1, row (u32, big-endian) | CRC-32, bytes of id (u32), LSN (u64), bytes of metadata (u32), vector, id, metadata |
//! | 2, XXH3-64 of an id (big-endian) | CRC-32, the rows whose ids have that hash (u32 each) |
//!
//! Numbers in values are little-endian. Nothing here reads a file.

use crate::error::{Error, Kind, Result};
use crate::format::Row;
use crate::format::header::array;
use crate::limits::{ID_BYTES_MAX, METADATA_BYTES_MAX};
use xxhash_rust::xxh3::xxh3_64;

const ROW: u8 = 1;
const ID: u8 = 2;
const HEAD_BYTES: usize = 20;

/// The key of a row.
pub(super) fn row_key(row: u32) -> [u8; 5] {
    let [a, b, c, d] = row.to_be_bytes();
    [ROW, a, b, c, d]
}

/// What ids are found by.
pub(super) fn hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

/// The key of the ids with that hash.
pub(super) fn id_key(hash: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = hash.to_be_bytes();
    [ID, a, b, c, d, e, f, g, h]
}

fn crc(seed: u32, key: &[u8], value: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

fn seal(seed: u32, key: &[u8], value: &mut [u8]) {
    let Some((sum, rest)) = value.split_first_chunk_mut::<4>() else { return };
    *sum = crc(seed, key, rest);
}

/// The content of a value of that key.
fn open<'a>(seed: u32, key: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    value.split_first_chunk::<4>().filter(|(sum, rest)| **sum == crc(seed, key, rest)).map(|(_, rest)| rest)
}

/// The value of a row.
pub(super) fn encode_row(seed: u32, number: u32, row: &Row<'_>) -> Vec<u8> {
    let (vector, metadata) = (bytemuck::cast_slice::<f32, u8>(row.vector), row.metadata.unwrap_or_default());
    let mut value = Vec::with_capacity(HEAD_BYTES + vector.len() + row.id.len() + metadata.len());
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&(row.id.len() as u32).to_le_bytes());
    value.extend_from_slice(&row.lsn.to_le_bytes());
    value.extend_from_slice(&(metadata.len() as u32).to_le_bytes());
    value.extend_from_slice(vector);
    value.extend_from_slice(row.id.as_bytes());
    value.extend_from_slice(metadata.as_bytes());
    seal(seed, &row_key(number), &mut value);
    value
}

/// A row as its value has it; the vector is bytes still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub id: &'a str,
    pub vector: &'a [u8],
    pub metadata: Option<&'a str>,
    pub lsn: u64,
}

/// Reads the value of a row of that dimension.
pub(super) fn decode_row(seed: u32, number: u32, dimension: usize, value: &[u8]) -> Result<Raw<'_>> {
    let broken = |what: &str| Error::new(Kind::Corrupt, format!("row {number} of this run {what}"));
    let content = open(seed, &row_key(number), value).ok_or_else(|| broken("differs from its checksum"))?;
    let word = |at| array::<4>(content, at).map_or(0, u32::from_le_bytes) as usize;
    let (id_bytes, lsn, metadata_bytes) = (word(0), array::<8>(content, 4).map_or(0, u64::from_le_bytes), word(12));
    let rest = content.get(HEAD_BYTES - 4..).unwrap_or_default();
    let possible = (1..=ID_BYTES_MAX).contains(&id_bytes) && metadata_bytes <= METADATA_BYTES_MAX;
    if !possible || rest.len() != dimension * 4 + id_bytes + metadata_bytes {
        return Err(broken("contradicts itself"));
    }
    let (vector, texts) = rest.split_at_checked(dimension * 4).unwrap_or_default();
    let (id, metadata) = texts.split_at_checked(id_bytes).unwrap_or_default();
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| broken("holds text that is not UTF-8"));
    let metadata = if metadata.is_empty() { None } else { Some(text(metadata)?) };
    Ok(Raw { id: text(id)?, vector, metadata, lsn })
}

/// The value of the ids with that hash.
pub(super) fn encode_rows(seed: u32, hash: u64, rows: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut value = vec![0; 4];
    rows.for_each(|row| value.extend_from_slice(&row.to_le_bytes()));
    seal(seed, &id_key(hash), &mut value);
    value
}

/// Reads the value of the ids with that hash; every row is one of `rows`.
pub(super) fn decode_rows(seed: u32, hash: u64, rows: u32, value: &[u8]) -> Result<Vec<u32>> {
    let content = open(seed, &id_key(hash), value);
    let (words, rest) = content.map(<[u8]>::as_chunks::<4>).unwrap_or_default();
    let found: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    if found.is_empty() || !rest.is_empty() || found.iter().any(|row| *row >= rows) {
        let message = format!("the entry of the id index for hash {hash:016x} of this run is damaged");
        return Err(Error::new(Kind::Corrupt, message));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_every_length_and_every_other_place_is_noticed() {
        let row = Row { id: "an id", vector: &[1.0, f32::NAN], metadata: Some("{}"), lsn: 7 };
        let value = encode_row(3, 5, &row);
        let raw = decode_row(3, 5, 2, &value).unwrap();
        assert_eq!((raw.id, raw.metadata, raw.lsn, raw.vector.len()), ("an id", Some("{}"), 7, 8));
        for bit in 0..value.len() * 8 {
            let mut damaged = value.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_row(3, 5, 2, &damaged).is_err(), "bit {bit}");
        }
        (0..value.len()).for_each(|length| assert!(decode_row(3, 5, 2, &value[..length]).is_err()));
        assert!(decode_row(4, 5, 2, &value).is_err(), "of another run");
        assert!(decode_row(3, 6, 2, &value).is_err(), "in another row");
        assert!(decode_row(3, 5, 3, &value).is_err(), "of another dimension");
        let ids = encode_rows(3, 9, [1, 4].into_iter());
        assert_eq!(decode_rows(3, 9, 5, &ids).unwrap(), [1, 4]);
        assert!(decode_rows(3, 9, 4, &ids).is_err() && decode_rows(3, 8, 5, &ids).is_err());
        for bit in 0..ids.len() * 8 {
            let mut damaged = ids.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_rows(3, 9, 5, &damaged).is_err(), "bit {bit}");
        }
        assert!(decode_rows(3, 9, 5, &encode_rows(3, 9, std::iter::empty())).is_err());
    }
}
