//! One record of the write-ahead log: a change of entries, with its LSN and time.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | LSN |
//! | 8 | 8 | time, microseconds since 1970, never less than that of the record before |
//! | 16 | 8 | the LSN up to which the log was known to be durable when this record was written |
//! | 24 | 1 | kind of change |
//! | 25 | 1 | 1: the body is a zstd frame; else 0 |
//! | 26 | 2 | zero |
//! | 28 | 4 | bytes of the body, uncompressed |
//! | 32 | | body |
//!
//! | kind | change | body |
//! |---|---|---|
//! | 1 | put | count u32, dimension u32, for each entry id bytes u16 and metadata bytes u32 (2^32 - 1: none), then all ids, all metadata, all vectors |
//! | 2 | delete | count u32, for each id its bytes u16, then all ids |
//! | 3 | set metadata | as put, with dimension 0 and no vectors |
//! | 4 | clear | nothing |
//! | 5 | void | u64: the last LSN of a range whose records were refused and never acknowledged |
//! | 6 | describe | dimension u32 (0: unknown), metric u8 (0: unknown) |
//! | 7 | close | nothing: everything before was durable when the log was closed |
//! | 8 | replaced | nothing: the content was replaced by segments that a manifest names; without that manifest, nothing was |
//!
//! Numbers are little-endian. Decoding checks every length against what is there before it allocates.

use super::entry::{Description, Entry, Metric};
use super::header::array;
use crate::error::{Error, Kind, Result};
use crate::limits::{DIMENSION_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX, RECORD_BYTES_MAX};
use std::sync::Arc;

/// Bytes before the body.
pub const HEAD_BYTES: usize = 32;

const NO_METADATA: u32 = u32::MAX;
/// A body below this is not worth compressing.
const COMPRESS_MIN: usize = 256;
const ZSTD_LEVEL: i32 = 1;

/// A change of entries.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Entries are inserted or replaced, all or none.
    Put(Vec<Arc<Entry>>),
    /// Entries are removed; ids that are not there change nothing.
    Delete(Vec<Box<str>>),
    /// The metadata of an entry are replaced; nothing when it is not there.
    SetMetadata(Box<str>, Option<Box<str>>),
    /// Everything is removed.
    Clear,
    /// The LSNs up to this one were given out and refused.
    Void(u64),
    /// Dimension and metric, as far as they are known.
    Describe(Description),
    /// The log was closed.
    Close,
    /// The content was replaced by segments that a manifest with this LSN, or a later one, as its checkpoint names.
    Replaced,
}

/// A change with its place in the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number.
    pub lsn: u64,
    /// When, in microseconds since 1970.
    pub time: u64,
    /// The LSN up to which the log was durable when it was written.
    pub synced: u64,
    /// What changed.
    pub change: Change,
}

impl Record {
    /// The last LSN that it stands for.
    pub fn last_lsn(&self) -> u64 {
        match self.change {
            Change::Void(last) => last,
            _ => self.lsn,
        }
    }
}

/// Bytes of the record that a change becomes; an error when it is larger than a record may be.
pub fn size(change: &Change) -> Result<usize> {
    let body = body_bytes(change);
    if body > RECORD_BYTES_MAX {
        let message =
            format!("one write of {body} bytes; at most {RECORD_BYTES_MAX} are possible: use smaller batches");
        return Err(Error::new(Kind::Limit, message));
    }
    Ok(HEAD_BYTES + body)
}

/// Encodes a record. `synced` is filled in by whoever writes it: see [`set_synced`].
pub fn encode(lsn: u64, time: u64, change: &Change) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(size(change)?);
    encode_into(&mut out, lsn, time, change);
    Ok(out)
}

/// Appends a record whose [`size`] was asked for.
pub fn encode_into(out: &mut Vec<u8>, lsn: u64, time: u64, change: &Change) {
    let start = out.len();
    out.extend_from_slice(&lsn.to_le_bytes());
    out.extend_from_slice(&time.to_le_bytes());
    out.extend_from_slice(&[0; 16]);
    let kind = match change {
        Change::Put(entries) => {
            let dimension = entries.first().map_or(0, |entry| entry.vector.len());
            push_heads(out, dimension, entries.iter().map(|entry| (&*entry.id, entry.metadata.as_deref())));
            for entry in entries {
                out.extend_from_slice(bytemuck::cast_slice(&entry.vector));
            }
            1
        }
        Change::Delete(ids) => {
            out.extend_from_slice(&(ids.len() as u32).to_le_bytes());
            ids.iter().for_each(|id| out.extend_from_slice(&(id.len() as u16).to_le_bytes()));
            ids.iter().for_each(|id| out.extend_from_slice(id.as_bytes()));
            2
        }
        Change::SetMetadata(id, metadata) => {
            push_heads(out, 0, std::iter::once((&**id, metadata.as_deref())));
            3
        }
        Change::Clear => 4,
        Change::Void(last) => {
            out.extend_from_slice(&last.to_le_bytes());
            5
        }
        Change::Describe(known) => {
            out.extend_from_slice(&(known.dimension.unwrap_or(0) as u32).to_le_bytes());
            out.push(Metric::code(known.metric));
            6
        }
        Change::Close => 7,
        Change::Replaced => 8,
    };
    let record = out.get_mut(start..).unwrap_or_default();
    let body = record.len() - HEAD_BYTES;
    put(record, 24, &[kind]);
    put(record, 28, &(body as u32).to_le_bytes());
}

fn body_bytes(change: &Change) -> usize {
    match change {
        Change::Put(entries) => entries.iter().fold(8, |sum, entry| {
            sum + 6 + entry.id.len() + entry.metadata.as_ref().map_or(0, |text| text.len()) + entry.vector.len() * 4
        }),
        Change::Delete(ids) => ids.iter().fold(4, |sum, id| sum + 2 + id.len()),
        Change::SetMetadata(id, metadata) => 14 + id.len() + metadata.as_ref().map_or(0, |text| text.len()),
        Change::Void(_) => 8,
        Change::Describe(_) => 5,
        Change::Clear | Change::Close | Change::Replaced => 0,
    }
}

fn push_heads<'a>(
    out: &mut Vec<u8>,
    dimension: usize,
    entries: impl ExactSizeIterator<Item = (&'a str, Option<&'a str>)> + Clone,
) {
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&(dimension as u32).to_le_bytes());
    for (id, metadata) in entries.clone() {
        out.extend_from_slice(&(id.len() as u16).to_le_bytes());
        out.extend_from_slice(&metadata.map_or(NO_METADATA, |text| text.len() as u32).to_le_bytes());
    }
    entries.clone().for_each(|(id, _)| out.extend_from_slice(id.as_bytes()));
    entries.for_each(|(_, metadata)| out.extend_from_slice(metadata.unwrap_or_default().as_bytes()));
}

fn put(out: &mut [u8], offset: usize, bytes: &[u8]) {
    if let Some(place) = out.get_mut(offset..offset + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}

/// Fills in the LSN up to which the log is known to be durable.
pub fn set_synced(record: &mut [u8], synced: u64) {
    put(record, 16, &synced.to_le_bytes());
}

/// The record with its body compressed, where that makes it smaller.
pub fn compress(record: Vec<u8>) -> Vec<u8> {
    let Some((head, body)) = record.split_at_checked(HEAD_BYTES) else { return record };
    if body.len() < COMPRESS_MIN {
        return record;
    }
    match zstd::bulk::compress(body, ZSTD_LEVEL) {
        Ok(packed) if packed.len() < body.len() => {
            let mut out = [head, &packed].concat();
            put(&mut out, 25, &[1]);
            out
        }
        _ => record,
    }
}

/// LSN and `synced` of what may be a record; `None` when it cannot be one.
pub fn peek(bytes: &[u8]) -> Option<(u64, u64)> {
    let word = |offset| array::<8>(bytes, offset).map(u64::from_le_bytes);
    let [kind, flag, zero_a, zero_b] = array::<4>(bytes, 24)?;
    let (lsn, synced) = (word(0)?, word(16)?);
    // The LSN after the last one is always a number too.
    (lsn > synced && lsn < u64::MAX && (1..=8).contains(&kind) && flag <= 1 && zero_a == 0 && zero_b == 0)
        .then_some((lsn, synced))
}

/// Decodes a record whose checksum was right.
pub fn decode(bytes: &[u8]) -> Result<Record> {
    read(bytes).ok_or_else(|| Error::new(Kind::Corrupt, "a record with a right checksum and a wrong content"))
}

fn read(bytes: &[u8]) -> Option<Record> {
    let word = |offset| array::<8>(bytes, offset).map(u64::from_le_bytes);
    let (lsn, synced) = peek(bytes)?;
    let [kind, flag] = array::<2>(bytes, 24)?;
    let length = u32::from_le_bytes(array(bytes, 28)?) as usize;
    let body = bytes.get(HEAD_BYTES..)?;
    let unpacked;
    let body = match flag {
        0 => body,
        _ if length > RECORD_BYTES_MAX => return None,
        _ => {
            unpacked = zstd::bulk::decompress(body, length).ok()?;
            unpacked.as_slice()
        }
    };
    if body.len() != length {
        return None;
    }
    let mut body = Body(body);
    let change = match kind {
        1 => Change::Put(body.entries()?),
        2 => Change::Delete(body.ids()?),
        3 => body.set_metadata()?,
        4 => Change::Clear,
        5 => Change::Void(u64::from_le_bytes(body.take()?)).filter(|change| matches_void(change, lsn))?,
        6 => {
            let dimension = u32::from_le_bytes(body.take()?) as usize;
            let [metric] = body.take()?;
            let dimension = (dimension > 0).then_some(dimension);
            if dimension.is_some_and(|dimension| dimension > DIMENSION_MAX) {
                return None;
            }
            Change::Describe(Description { dimension, metric: Metric::of_code(metric)? })
        }
        7 => Change::Close,
        _ => Change::Replaced,
    };
    body.0.is_empty().then_some(Record { lsn, time: word(8)?, synced, change })
}

fn matches_void(change: &Change, lsn: u64) -> bool {
    match change {
        Change::Void(last) => (lsn..u64::MAX).contains(last),
        _ => false,
    }
}

impl Change {
    fn filter(self, right: impl Fn(&Change) -> bool) -> Option<Change> {
        right(&self).then_some(self)
    }
}

/// Id and metadata of an entry.
type Head = (Box<str>, Option<Box<str>>);

/// What is left of a body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn text(&mut self, count: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(count)?).ok()
    }

    fn id(&mut self, count: usize) -> Option<Box<str>> {
        (1..=ID_BYTES_MAX).contains(&count).then_some(())?;
        self.text(count).filter(|id| !id.contains('\0')).map(Into::into)
    }

    fn count(&mut self, each: usize) -> Option<usize> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        (count.checked_mul(each)? <= self.0.len()).then_some(count)
    }

    fn ids(&mut self) -> Option<Vec<Box<str>>> {
        let count = self.count(2)?;
        let (lengths, _) = self.bytes(count * 2)?.as_chunks::<2>();
        lengths.iter().map(|length| self.id(u16::from_le_bytes(*length) as usize)).collect()
    }

    /// Ids and metadata of a put, and its dimension.
    fn heads(&mut self) -> Option<(Vec<Head>, usize)> {
        let count = self.count(6)?;
        let dimension = u32::from_le_bytes(self.take()?) as usize;
        let (lengths, _) = self.bytes(count.checked_mul(6)?)?.as_chunks::<6>();
        let mut heads = Vec::with_capacity(count);
        for [a, b, ..] in lengths {
            heads.push((self.id(u16::from_le_bytes([*a, *b]) as usize)?, None));
        }
        for (head, [_, _, length @ ..]) in heads.iter_mut().zip(lengths) {
            let length = u32::from_le_bytes(*length);
            if length != NO_METADATA {
                let length = Some(length as usize).filter(|length| (2..=METADATA_BYTES_MAX).contains(length))?;
                head.1 = Some(self.text(length)?.into());
            }
        }
        Some((heads, dimension))
    }

    fn entries(&mut self) -> Option<Vec<Arc<Entry>>> {
        let (heads, dimension) = self.heads()?;
        if !(1..=DIMENSION_MAX).contains(&dimension) {
            return heads.is_empty().then(Vec::new);
        }
        let entry = |(id, metadata)| {
            let (numbers, _) = self.bytes(dimension * 4)?.as_chunks::<4>();
            let vector = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
            Some(Arc::new(Entry { id, vector, metadata }))
        };
        heads.into_iter().map(entry).collect()
    }

    fn set_metadata(&mut self) -> Option<Change> {
        let (heads, dimension) = self.heads()?;
        let mut heads = heads.into_iter();
        match (heads.next(), heads.next(), dimension) {
            (Some((id, metadata)), None, 0) => Some(Change::SetMetadata(id, metadata)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes() -> Vec<Change> {
        let entry = |id: &str, metadata| Arc::new(Entry::new(id, vec![1.5, f32::NAN, -0.0], metadata).unwrap());
        vec![
            Change::Put(vec![entry("a", None), entry("ü\u{1}", Some(r#"{"a":[1,2,{"b":"ü"}]}"#))]),
            Change::Put(vec![entry(&"x".repeat(1_024), Some("{}")); 40]),
            Change::Put(vec![]),
            Change::Delete(vec!["a".into(), "b".repeat(1_024).into()]),
            Change::SetMetadata("a".into(), None),
            Change::SetMetadata("a".into(), Some(r#"{"a":1}"#.into())),
            Change::Clear,
            Change::Void(12),
            Change::Describe(Description { dimension: Some(384), metric: Some(Metric::Dot) }),
            Change::Describe(Description::default()),
            Change::Close,
            Change::Replaced,
        ]
    }

    fn same(a: &Change, b: &Change) -> bool {
        match (a, b) {
            (Change::Put(a), Change::Put(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b)),
            (a, b) => a == b,
        }
    }

    #[test]
    fn every_change_comes_back_compressed_or_not() {
        for change in changes() {
            let mut bytes = encode(7, 8, &change).unwrap();
            assert_eq!(bytes.len(), size(&change).unwrap(), "{change:?}");
            set_synced(&mut bytes, 6);
            for bytes in [bytes.clone(), compress(bytes)] {
                let record = decode(&bytes).unwrap();
                assert_eq!((record.lsn, record.time, record.synced), (7, 8, 6));
                assert!(same(&record.change, &change), "{change:?}");
            }
        }
    }

    #[test]
    fn nothing_that_is_cut_or_changed_makes_it_panic() {
        for change in changes() {
            let bytes = encode(7, 8, &change).unwrap();
            // Miri knows no C, and is slow: what would be decompressed is left out there, and of the places only some are tried.
            let step = if cfg!(miri) { 37 } else { 1 };
            let packed = (!cfg!(miri)).then(|| compress(bytes.clone()));
            for bytes in [Some(bytes), packed].into_iter().flatten() {
                for length in (0..bytes.len().min(2_000)).step_by(step) {
                    assert!(decode(&bytes[..length]).is_err(), "{length} of {change:?}");
                }
                for at in (0..bytes.len().min(600)).step_by(step).filter(|at| !cfg!(miri) || *at != 25) {
                    for value in [0, 1, 0x7f, 0x80, 0xff] {
                        let mut damaged = bytes.clone();
                        damaged[at] = value;
                        let _ = decode(&damaged);
                    }
                }
            }
        }
    }

    #[test]
    fn a_record_that_is_too_large_is_refused() {
        let entry = Arc::new(Entry::new("a", vec![0.0; DIMENSION_MAX], None).unwrap());
        let refused = encode(1, 1, &Change::Put(vec![entry; RECORD_BYTES_MAX / DIMENSION_MAX / 4 + 1])).unwrap_err();
        assert_eq!(refused.kind, Kind::Limit);
    }
}
