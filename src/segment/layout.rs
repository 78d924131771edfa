//! Where everything is in a segment file, and the footer that says so.
//!
//! Sections follow each other, each from a multiple of 64 on, with zeros between them:
//!
//! | section | content |
//! |---|---|
//! | header | [`crate::format::header`], 64 bytes |
//! | vectors | rows x dimension x f32 |
//! | LSNs | rows x u64: the record that wrote the row |
//! | id ends | rows x u64: where the id of the row ends in the next section; it begins where the previous one ends |
//! | ids | UTF-8 |
//! | metadata ends | rows x u64, as the id ends |
//! | metadata | JSON text; no bytes where a row has no metadata |
//! | id index | slots x u64, see `index.rs` |
//! | checksums | u32 for each block of 16 KiB of everything before |
//! | footer | 128 bytes, at the end of the file |
//!
//! The footer: eight u64 offsets of the sections after the header in that order (64 bytes), u64 bytes of ids, u64 bytes of
//! metadata, u64 rows, u32 dimension, u8 metric (0 unknown, 1 cosine, 2 euclidean, 3 dot, 4 manhattan), three zeros, u64
//! first LSN, u64 last LSN, u64 length of the file, u32 CRC-32 of the checksums, u32 CRC-32 of the 124 bytes before.
//!
//! All offsets follow from four numbers (rows, dimension, bytes of ids and of metadata), so that a footer whose offsets
//! are not exactly those is refused. Knows bytes only, no file.

use crate::error::{Error, Kind, Result};
use crate::format::Metric;
use crate::format::header::{HEADER_BYTES, array, crc};
use crate::limits::{DIMENSION_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX};

/// The most rows that one segment can have: a slot of the id index keeps the row plus one in 32 bits.
pub const ROWS_MAX: u32 = u32::MAX - 1;

/// Every section begins at a multiple of this: a cache line, so that no vector straddles one needlessly.
pub(super) const ALIGNMENT: u64 = 64;

/// What one checksum covers: four pages, small enough to check at the first touch, large enough to keep the table small.
pub(super) const BLOCK_BYTES: u64 = 16 << 10;

/// Bytes of the footer.
pub(super) const FOOTER_BYTES: u64 = 128;

/// Bytes of a word of the tables: LSNs, ends, slots.
pub(super) const WORD: u64 = 8;

/// Bytes of a number of a vector.
pub(super) const NUMBER: u64 = 4;

/// Where everything is. Every field is the offset of a section unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// How many.
    pub rows: u32,
    /// Numbers in each vector.
    pub dimension: u32,
    /// Bytes of all ids.
    pub ids_bytes: u64,
    /// Bytes of all metadata.
    pub metadata_bytes: u64,
    pub vectors: u64,
    pub lsns: u64,
    pub id_ends: u64,
    pub ids: u64,
    pub metadata_ends: u64,
    pub metadata: u64,
    pub index: u64,
    /// How many, a power of two.
    pub slots: u64,
    pub checksums: u64,
    pub footer: u64,
    /// Of the file.
    pub length: u64,
}

/// Where the next section begins after `bytes` at `offset`.
fn after(offset: u64, bytes: u64) -> Option<u64> {
    offset.checked_add(bytes)?.checked_next_multiple_of(ALIGNMENT)
}

/// Slots for that many rows: a power of two, at most seven tenths taken, so that at least one is free.
fn slots_for(rows: u64) -> u64 {
    (rows * 10).div_ceil(7).next_power_of_two()
}

impl Layout {
    /// The layout for that content; `None` when no file can hold it.
    pub fn new(rows: u32, dimension: u32, ids_bytes: u64, metadata_bytes: u64) -> Option<Layout> {
        let count = u64::from(rows);
        let words = count * WORD;
        let vectors = HEADER_BYTES as u64;
        let lsns = after(vectors, count.checked_mul(u64::from(dimension))?.checked_mul(NUMBER)?)?;
        let id_ends = after(lsns, words)?;
        let ids = after(id_ends, words)?;
        let metadata_ends = after(ids, ids_bytes)?;
        let metadata = after(metadata_ends, words)?;
        let index = after(metadata, metadata_bytes)?;
        let slots = slots_for(count);
        let checksums = after(index, slots * WORD)?;
        let footer = after(checksums, checksums.div_ceil(BLOCK_BYTES) * 4)?;
        let length = footer.checked_add(FOOTER_BYTES)?;
        #[rustfmt::skip]
        let layout = Layout {
            rows, dimension, ids_bytes, metadata_bytes, vectors, lsns, id_ends, ids, metadata_ends, metadata, index, slots,
            checksums, footer, length,
        };
        Some(layout)
    }

    /// How many blocks have a checksum.
    pub fn blocks(&self) -> u64 {
        self.checksums.div_ceil(BLOCK_BYTES)
    }

    /// The bytes between the sections that have a checksum, which are zero.
    pub fn gaps(&self) -> [std::ops::Range<u64>; 7] {
        let count = u64::from(self.rows);
        let words = count * WORD;
        [
            self.vectors + count * u64::from(self.dimension) * NUMBER..self.lsns,
            self.lsns + words..self.id_ends,
            self.id_ends + words..self.ids,
            self.ids + self.ids_bytes..self.metadata_ends,
            self.metadata_ends + words..self.metadata,
            self.metadata + self.metadata_bytes..self.index,
            self.index + self.slots * WORD..self.checksums,
        ]
    }

    fn offsets(&self) -> [(&'static str, u64); 8] {
        [
            ("vectors", self.vectors),
            ("LSNs", self.lsns),
            ("id ends", self.id_ends),
            ("ids", self.ids),
            ("metadata ends", self.metadata_ends),
            ("metadata", self.metadata),
            ("id index", self.index),
            ("checksums", self.checksums),
        ]
    }

    /// The sections that a range of the file meets, for messages: `vectors, LSNs`.
    pub fn sections(&self, offset: u64, length: u64) -> String {
        let offsets = self.offsets();
        let begins = std::iter::once(("header", 0)).chain(offsets);
        let ends = offsets.iter().map(|(_, at)| *at).chain([self.footer]);
        let met = begins.zip(ends).filter(|((_, begin), end)| *begin < offset.saturating_add(length) && offset < *end);
        let names: Vec<&str> = met.map(|((name, _), _)| name).collect();
        if names.is_empty() { "footer".to_owned() } else { names.join(", ") }
    }
}

/// What the footer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub layout: Layout,
    pub metric: Option<Metric>,
    /// The smallest and the largest LSN of all rows; zeros without rows.
    pub lsns: (u64, u64),
    /// CRC-32 of the table of checksums.
    pub checksums_crc: u32,
}

impl Footer {
    /// The footer as it is written, and its checksum, which is also its last four bytes.
    pub fn encode(&self) -> (Vec<u8>, u32) {
        let layout = &self.layout;
        let mut out = Vec::with_capacity(FOOTER_BYTES as usize);
        for (_, offset) in layout.offsets() {
            out.extend_from_slice(&offset.to_le_bytes());
        }
        for word in [layout.ids_bytes, layout.metadata_bytes, u64::from(layout.rows)] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&layout.dimension.to_le_bytes());
        out.extend_from_slice(&[Metric::code(self.metric), 0, 0, 0]);
        for word in [self.lsns.0, self.lsns.1, layout.length] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.checksums_crc.to_le_bytes());
        let checksum = crc(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        (out, checksum)
    }

    /// Reads the footer of a file of `length` bytes; `checksum` is the one that the manifest keeps.
    pub fn decode(bytes: &[u8], length: u64, checksum: u32) -> Result<Footer> {
        let at = length.saturating_sub(FOOTER_BYTES);
        let broken = |message: String, field: usize| Error::new(Kind::Corrupt, message).at(at + field as u64);
        let word = |field: usize| u64::from_le_bytes(array(bytes, field).unwrap_or_default());
        let half = |field: usize| u32::from_le_bytes(array(bytes, field).unwrap_or_default());
        let computed = crc(bytes.get(..124).unwrap_or_default());
        if bytes.len() as u64 != FOOTER_BYTES || half(124) != computed {
            return Err(broken("the footer of this segment is damaged: its checksum differs".into(), 0));
        }
        if computed != checksum {
            let message = format!(
                "expected a segment whose footer has the checksum {checksum:08x}, found {computed:08x}: it is not the \
                 file that the manifest names"
            );
            return Err(broken(message, 124));
        }
        let (rows, dimension) = (word(80), half(88));
        let rows = u32::try_from(rows).ok().filter(|rows| *rows <= ROWS_MAX);
        let rows = rows.ok_or_else(|| broken(format!("{} rows; a segment has at most {ROWS_MAX}", word(80)), 80))?;
        if !(1..=DIMENSION_MAX as u64).contains(&u64::from(dimension)) {
            return Err(broken(format!("dimension {dimension}; 1 to {DIMENSION_MAX} are possible"), 88));
        }
        let [metric, 0, 0, 0] = array(bytes, 92).unwrap_or([u8::MAX; 4]) else {
            return Err(broken("the bytes after the metric are not zero".into(), 93));
        };
        let metric = Metric::of_code(metric).ok_or_else(|| broken(format!("there is no metric {metric}"), 92))?;
        let (ids_bytes, metadata_bytes, count) = (word(64), word(72), u64::from(rows));
        if !(count..=count * ID_BYTES_MAX as u64).contains(&ids_bytes) {
            return Err(broken(format!("{ids_bytes} bytes of ids cannot be those of {rows} rows"), 64));
        }
        if metadata_bytes > count * METADATA_BYTES_MAX as u64 {
            return Err(broken(format!("{metadata_bytes} bytes of metadata cannot be those of {rows} rows"), 72));
        }
        let layout = Layout::new(rows, dimension, ids_bytes, metadata_bytes);
        let layout = layout.ok_or_else(|| broken("no file is as large as this footer says".into(), 64))?;
        for (number, (name, due)) in layout.offsets().into_iter().enumerate() {
            let found = word(number * 8);
            if found != due {
                return Err(broken(format!("expected the {name} at {due}, the footer says {found}"), number * 8));
            }
        }
        if word(112) != layout.length || layout.length != length {
            let message = format!("expected {} bytes, the footer says {}, found {length}", layout.length, word(112));
            return Err(broken(message, 112));
        }
        let lsns = (word(96), word(104));
        if lsns.0 > lsns.1 || (rows == 0 && lsns != (0, 0)) {
            return Err(broken(format!("the first LSN {} and the last {} contradict each other", lsns.0, lsns.1), 96));
        }
        Ok(Footer { layout, metric, lsns, checksums_crc: half(120) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer(rows: u32, dimension: u32) -> Footer {
        let layout = Layout::new(rows, dimension, u64::from(rows) * 3, 100 * u64::from(rows)).unwrap();
        let lsns = if rows == 0 { (0, 0) } else { (5, 9) };
        Footer { layout, metric: Some(Metric::Dot), lsns, checksums_crc: 77 }
    }

    #[test]
    fn a_footer_comes_back_as_it_was_and_no_flipped_bit_passes() {
        for footer in [footer(0, 1), footer(1, 3), footer(1_000_000, 384), footer(ROWS_MAX, 65_536)] {
            let (bytes, checksum) = footer.encode();
            assert_eq!(bytes.len() as u64, FOOTER_BYTES);
            assert_eq!(Footer::decode(&bytes, footer.layout.length, checksum).unwrap(), footer);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let error = Footer::decode(&damaged, footer.layout.length, checksum).unwrap_err();
                assert_eq!(error.kind, Kind::Corrupt, "bit {bit}");
            }
            assert!(Footer::decode(&bytes, footer.layout.length + 64, checksum).is_err());
            assert!(Footer::decode(&bytes, footer.layout.length, checksum ^ 1).is_err());
        }
    }

    #[test]
    fn slots_leave_three_tenths_free() {
        for rows in (0..5_000).chain([1_000_000, u64::from(ROWS_MAX)]) {
            let slots = slots_for(rows);
            assert!(slots.is_power_of_two() && rows * 10 <= slots * 7 && rows < slots, "{rows}");
            assert!(slots == 1 || rows * 10 > slots / 2 * 7, "{rows}: {slots} are too many");
        }
    }

    #[test]
    fn sections_are_named_by_what_a_range_meets() {
        let layout = Layout::new(1, 3, 3, 2).unwrap();
        assert_eq!(layout.sections(0, 64), "header");
        assert_eq!(layout.sections(0, 65), "header, vectors");
        assert_eq!(layout.sections(layout.index, 8), "id index");
        assert_eq!(layout.sections(layout.checksums, 1), "checksums");
        assert_eq!(layout.sections(layout.footer, 1), "footer");
    }

    #[test]
    fn no_content_overflows() {
        assert!(Layout::new(ROWS_MAX, u32::MAX, u64::MAX, 0).is_none());
        assert!(Layout::new(1, 1, 0, u64::MAX - 100).is_none());
    }
}
