//! The rows of a segment: found by id, read in place, copied only by `entry`.
//!
//! Every function makes sure that the blocks it uses were checked. What the tables of a file say is not trusted even
//! then: an end that goes backwards, text that is not UTF-8, a slot that names no row are `ERR_CORRUPT` with the offset.
//! Whether a row is dead is not asked here.

use super::index;
use super::layout::{NUMBER, WORD};
use super::reader::Segment;
use crate::error::{Error, Kind, Result};
use crate::format::header::array;
use crate::format::{Entry, Row};
use crate::limits::{ID_BYTES_MAX, METADATA_BYTES_MAX};
use std::ops::{Range, RangeInclusive};

impl Segment {
    /// The row of an id, dead or not.
    pub fn find(&self, id: &str) -> Result<Option<u32>> {
        let layout = self.layout();
        let hash = index::hash(id.as_bytes());
        let mut first = true;
        for at in index::probe(hash, layout.slots) {
            let offset = layout.index + at * WORD;
            let slot = if first { word(self.read(offset, WORD)?) } else { self.word(offset)? };
            first = false;
            if slot == 0 {
                return Ok(None);
            }
            if index::may_be(slot, hash) {
                let row = self.slot_row(slot, offset)?;
                if self.bytes(self.id_range(row)?)? == id.as_bytes() {
                    return Ok(Some(row));
                }
            }
        }
        Err(self.broken("the id index has no free slot".into(), layout.index))
    }

    /// The id of a row.
    pub fn id(&self, row: u32) -> Result<&str> {
        self.text(self.id_range(row)?, "id", row)
    }

    /// The vector of a row.
    pub fn vector(&self, row: u32) -> Result<&[f32]> {
        self.vectors(row..row.saturating_add(1))
    }

    /// The vectors of consecutive rows, one after the other; all of their blocks are checked.
    pub fn vectors(&self, rows: Range<u32>) -> Result<&[f32]> {
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(self.no_row(rows.end.saturating_sub(1)));
        }
        let range = self.vector_range(rows);
        let bytes = self.read(range.start, range.end - range.start)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| Error::new(Kind::Internal, "vectors that are not aligned"))
    }

    /// The metadata of a row as JSON text.
    pub fn metadata(&self, row: u32) -> Result<Option<&str>> {
        let range = self.metadata_range(row)?;
        if range.is_empty() { Ok(None) } else { self.text(range, "metadata", row).map(Some) }
    }

    /// The LSN of the record that wrote a row.
    pub fn lsn(&self, row: u32) -> Result<u64> {
        self.check_row(row)?;
        self.word(self.layout().lsns + u64::from(row) * WORD)
    }

    /// A row, in place.
    pub fn row(&self, row: u32) -> Result<Row<'_>> {
        Ok(Row { id: self.id(row)?, vector: self.vector(row)?, metadata: self.metadata(row)?, lsn: self.lsn(row)? })
    }

    /// A copy of a row.
    pub fn entry(&self, row: u32) -> Result<Entry> {
        let id = self.id(row)?.into();
        Ok(Entry { id, vector: self.vector(row)?.into(), metadata: self.metadata(row)?.map(Box::from) })
    }

    fn no_row(&self, row: u32) -> Error {
        Error::new(Kind::Internal, format!("row {row} of a segment of {} rows", self.rows())).in_file(self.path())
    }

    fn check_row(&self, row: u32) -> Result<()> {
        if row < self.rows() { Ok(()) } else { Err(self.no_row(row)) }
    }

    #[inline]
    fn ensure(&self, offset: u64, length: u64) -> Result<bool> {
        self.checks.ensure(self.content.all(), offset, length).map_err(|block| self.differs(block))
    }

    #[cold]
    fn differs(&self, block: u64) -> Error {
        let (offset, length) = self.checks.place(block);
        let sections = self.layout().sections(offset, length);
        self.broken(format!("block {block} ({sections}) differs from its checksum"), offset)
    }

    #[inline]
    fn slice(&self, offset: u64, length: u64) -> Result<&[u8]> {
        if let Some(bytes) = self.hot.find(offset, length) {
            return Ok(bytes);
        }
        let bytes = self.content.all().get(offset as usize..).and_then(|rest| rest.get(..length as usize));
        bytes.ok_or_else(|| self.broken(format!("{length} bytes reach beyond the end"), offset))
    }

    /// Checked bytes that count as a read.
    #[inline]
    fn read(&self, offset: u64, length: u64) -> Result<&[u8]> {
        let hit = self.ensure(offset, length)?;
        self.heat.count(offset, hit);
        self.slice(offset, length)
    }

    /// Checked bytes.
    #[inline]
    pub(super) fn bytes(&self, range: Range<u64>) -> Result<&[u8]> {
        let length = range.end - range.start;
        self.ensure(range.start, length)?;
        self.slice(range.start, length)
    }

    #[inline]
    pub(super) fn word(&self, offset: u64) -> Result<u64> {
        Ok(word(self.bytes(offset..offset + WORD)?))
    }

    fn text(&self, range: Range<u64>, what: &str, row: u32) -> Result<&str> {
        let bytes = self.read(range.start, range.end - range.start)?;
        std::str::from_utf8(bytes)
            .map_err(|_| self.broken(format!("the {what} of row {row} is not UTF-8"), range.start))
    }

    /// The row that a taken slot of the id index names.
    pub(super) fn slot_row(&self, slot: u64, offset: u64) -> Result<u32> {
        index::row_of(slot, self.rows())
            .ok_or_else(|| self.broken(format!("the id index names row {} of {}", slot as u32, self.rows()), offset))
    }

    /// Where the vectors of rows that exist are.
    pub(super) fn vector_range(&self, rows: Range<u32>) -> Range<u64> {
        let layout = self.layout();
        let at = |row: u32| layout.vectors + u64::from(row) * u64::from(layout.dimension) * NUMBER;
        at(rows.start)..at(rows.end)
    }

    /// Where the id of a row is: 1 to 1,024 bytes.
    pub(super) fn id_range(&self, row: u32) -> Result<Range<u64>> {
        let layout = self.layout();
        let bytes = 1..=ID_BYTES_MAX as u64;
        self.text_range(row, "id", layout.id_ends, (layout.ids, layout.ids_bytes), bytes)
    }

    /// Where the metadata of a row is; empty for none.
    pub(super) fn metadata_range(&self, row: u32) -> Result<Range<u64>> {
        let layout = self.layout();
        let bytes = 0..=METADATA_BYTES_MAX as u64;
        self.text_range(row, "metadata", layout.metadata_ends, (layout.metadata, layout.metadata_bytes), bytes)
    }

    fn text_range(
        &self,
        row: u32,
        what: &str,
        ends: u64,
        (section, section_bytes): (u64, u64),
        possible: RangeInclusive<u64>,
    ) -> Result<Range<u64>> {
        self.check_row(row)?;
        let at = ends + u64::from(row) * WORD;
        let (start, end) = match row {
            0 => (0, self.word(at)?),
            _ => {
                let (before, own) = self.bytes(at - WORD..at + WORD)?.split_at(WORD as usize);
                (word(before), word(own))
            }
        };
        let bytes = end.checked_sub(start).filter(|bytes| possible.contains(bytes) && end <= section_bytes);
        match bytes {
            Some(bytes) => Ok(section + start..section + start + bytes),
            None => Err(self.broken(format!("the {what} of row {row} cannot be at {start} to {end}"), at)),
        }
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(array(bytes, 0).unwrap_or_default())
}
