//! A collection at one LSN: immutable, shared, free to take.

use super::memtable::Memtable;
use super::part::{LazyRow, Part, Place, RowView, Sealed};
use super::rows::Rows;
use crate::error::Result;
use crate::format::{Description, Entry};
use crate::segment::{DeadRows, Segment};
use std::ops::Range;
use std::sync::Arc;

/// An immutable view of a collection.
#[derive(Debug, Clone)]
pub struct Version {
    description: Description,
    sealed: Vec<Sealed>,
    rows: Rows,
    lsn: u64,
}

/// Rows of a segment whose vectors are read with one call.
const VECTORS_AT_ONCE: u32 = 256;

/// Gives the metadata of a row, read when it is called.
pub type MetadataOf<'a> = &'a dyn Fn() -> Result<Option<&'a str>>;

/// Where a reader of a version stands: a place among all rows, dead ones included.
pub type Cursor = usize;

impl Version {
    pub(super) fn new(description: Description, sealed: Vec<Sealed>, rows: Rows, lsn: u64) -> Self {
        Version { description, sealed, rows, lsn }
    }

    /// Dimension and metric, as far as they are known.
    pub fn description(&self) -> Description {
        self.description
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.rows.len() + self.sealed.iter().map(|sealed| sealed.dead.live() as usize).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last change that is in it.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// The sealed parts, with the rows that were dead at that LSN.
    pub fn sealed(&self) -> &[Sealed] {
        &self.sealed
    }

    /// All parts as sealed ones: what is not sealed yet becomes a part of its own, with its own index.
    pub(super) fn whole(&self) -> Vec<Sealed> {
        let mut sealed = self.sealed.clone();
        if self.rows.len() > 0 {
            let mut memtable = Memtable::default();
            self.rows.from(0).for_each(|(_, row)| drop(memtable.insert(row.clone())));
            let part = Part::frozen(memtable);
            let dead = part.gaps();
            sealed.push(Sealed { part, dead });
        }
        sealed
    }

    /// One more than the last cursor.
    pub fn end(&self) -> Cursor {
        self.sealed.iter().map(|sealed| sealed.part.rows()).sum::<usize>() + self.rows.end()
    }

    /// The entries, oldest part first. An error is damage found in a segment; it ends the iteration.
    pub fn entries(&self) -> impl Iterator<Item = Result<Arc<Entry>>> {
        self.entries_from(0).map(|entry| entry.map(|(_, entry)| entry))
    }

    /// Entries from `cursor` on, each with the cursor that follows it.
    pub fn entries_from(&self, cursor: Cursor) -> impl Iterator<Item = Result<(Cursor, Arc<Entry>)>> {
        let sealed = self.places(cursor..Cursor::MAX).map(|found| {
            let (cursor, sealed, place) = found?;
            Ok(sealed.part.entry(&place)?.map(|entry| (cursor + 1, entry)))
        });
        let (base, rows) = self.unsealed(cursor);
        let newest = rows.map(move |(row, held)| Ok((base + row + 1, held.entry.clone())));
        sealed.filter_map(Result::transpose).chain(newest)
    }

    /// Gives every row from `cursor` to `end` (not included) to `read`, in place.
    pub fn scan(
        &self,
        cursor: Cursor,
        end: Cursor,
        mut read: impl FnMut(Cursor, RowView<'_>) -> Result<()>,
    ) -> Result<()> {
        for found in self.places(cursor..end) {
            let (cursor, sealed, place) = found?;
            sealed.part.with(&place, |view| read(cursor, view))?.transpose()?;
        }
        let (base, rows) = self.unsealed(cursor);
        rows.take_while(|(row, _)| base + row < end).try_for_each(|(row, held)| read(base + row, held.view()))
    }

    /// Gives the vector of every row from `cursor` to `end` (not included) to `read`; the rest of a row is read only when
    /// it is asked for. The order is that of the cursors. Much cheaper than `scan` where few rows are asked for more.
    pub fn scan_vectors(
        &self,
        cursor: Cursor,
        end: Cursor,
        mut read: impl FnMut(Cursor, &[f32], MetadataOf<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut give = |place: Cursor, vector: &[f32], row: LazyRow<'_>| read(place, vector, &|| row.metadata());
        let mut base = 0;
        for sealed in &self.sealed {
            let (start, rows) = (base, sealed.part.rows());
            base += rows;
            let first = cursor.saturating_sub(start).min(rows) as u32;
            let last = end.saturating_sub(start).min(rows) as u32;
            match sealed.part.segment() {
                Some(segment) => scan_segment(segment, &sealed.dead, first..last, |row, vector| {
                    give(start + row as usize, vector, LazyRow::Sealed(segment, row))
                })?,
                None => {
                    for place in sealed.live(first..last) {
                        let place = place?;
                        let cursor = start + place.row() as usize;
                        let given =
                            sealed.part.with(&place, |row| give(cursor, row.vector, LazyRow::Held(row.metadata)))?;
                        given.transpose()?;
                    }
                }
            }
        }
        let (base, rows) = self.unsealed(cursor);
        let rows = rows.take_while(|(row, _)| base + row < end);
        rows.map(|(row, held)| (base + row, held.view()))
            .try_for_each(|(place, view)| give(place, view.vector, LazyRow::Held(view.metadata)))
    }

    /// Gives the id of every row from `cursor` to `end` (not included) to `read`.
    pub fn scan_ids(&self, cursor: Cursor, end: Cursor, mut read: impl FnMut(&str)) -> Result<()> {
        for found in self.places(cursor..end) {
            let (_, sealed, place) = found?;
            sealed.part.with_id(&place, &mut read)?;
        }
        let (base, rows) = self.unsealed(cursor);
        rows.take_while(|(row, _)| base + row < end).for_each(|(_, held)| read(&held.entry.id));
        Ok(())
    }

    /// Gives the row at a cursor to `read`, in place; `None` where no entry is.
    pub fn with<T>(&self, cursor: Cursor, read: impl FnOnce(RowView<'_>) -> T) -> Result<Option<T>> {
        let mut base = 0;
        for sealed in &self.sealed {
            let rows = sealed.part.rows();
            if cursor < base + rows {
                let row = (cursor - base) as u32;
                return if sealed.dead.is_dead(row) { Ok(None) } else { sealed.part.with_row(row, read) };
            }
            base += rows;
        }
        Ok(self.rows.get(cursor - base).map(|row| read(row.view())))
    }

    /// The entry at a cursor, shared where that is possible; `None` where there is none.
    pub fn entry(&self, cursor: Cursor) -> Result<Option<Arc<Entry>>> {
        let base: usize = self.sealed.iter().map(|sealed| sealed.part.rows()).sum();
        match cursor.checked_sub(base) {
            Some(row) => Ok(self.rows.get(row).map(|row| row.entry.clone())),
            None => self.with(cursor, |row| row.to_entry()),
        }
    }

    /// The rows that are not sealed, and the cursor of the first of them.
    pub(super) fn newest(&self) -> (Cursor, &Rows) {
        (self.sealed.iter().map(|sealed| sealed.part.rows()).sum(), &self.rows)
    }

    /// Live rows of sealed parts.
    fn places(&self, cursors: Range<Cursor>) -> impl Iterator<Item = Result<(Cursor, &Sealed, Place)>> {
        let mut base = 0;
        self.sealed.iter().flat_map(move |sealed| {
            let (start, rows) = (base, sealed.part.rows());
            base += rows;
            let within = |cursor: Cursor| cursor.saturating_sub(start).min(rows) as u32;
            let live = sealed.live(within(cursors.start)..within(cursors.end));
            live.map(move |place| place.map(|place| (start + place.row() as usize, sealed, place)))
        })
    }

    /// The rows of the memtable from `cursor` on, and the cursor of the first of all.
    fn unsealed(&self, cursor: Cursor) -> (Cursor, impl Iterator<Item = (usize, &super::rows::Row)>) {
        let base: usize = self.sealed.iter().map(|sealed| sealed.part.rows()).sum();
        (base, self.rows.from(cursor.saturating_sub(base)))
    }
}

/// Gives the vectors of the live rows of a range to `read`.
fn scan_segment(
    segment: &Segment,
    dead: &DeadRows,
    rows: Range<u32>,
    mut read: impl FnMut(u32, &[f32]) -> Result<()>,
) -> Result<()> {
    let mut live = dead.live_from(rows.start).take_while(|row| *row < rows.end).peekable();
    // Each round begins with a live row, so that what is dead for long is not read.
    while let Some(first) = live.peek().copied() {
        let end = first.saturating_add(VECTORS_AT_ONCE).min(rows.end);
        let vectors = segment.vectors(first..end)?;
        let mut vectors = vectors.chunks_exact(segment.dimension().max(1)).zip(first..);
        while let Some(row) = live.next_if(|row| *row < end) {
            if let Some((vector, _)) = vectors.find(|(_, number)| *number == row) {
                read(row, vector)?;
            }
        }
    }
    Ok(())
}
