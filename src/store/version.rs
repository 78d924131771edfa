//! A collection at one LSN: immutable, shared, free to take.

use super::memtable::Memtable;
use super::part::{Part, RowView, Sealed};
use super::rows::Rows;
use crate::error::Result;
use crate::format::{Description, Entry};
use std::sync::Arc;

/// An immutable view of a collection.
#[derive(Debug, Clone)]
pub struct Version {
    description: Description,
    sealed: Vec<Sealed>,
    rows: Rows,
    lsn: u64,
}

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
        let sealed =
            self.places(cursor).map(|(place, sealed, row)| Ok(sealed.part.entry(row)?.map(|entry| (place + 1, entry))));
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
        for (place, sealed, row) in self.places(cursor).take_while(|(place, ..)| *place < end) {
            sealed.part.with_row(row, |view| read(place, view))?.transpose()?;
        }
        let (base, rows) = self.unsealed(cursor);
        rows.take_while(|(row, _)| base + row < end).try_for_each(|(row, held)| read(base + row, RowView::of(held)))
    }

    /// The entry at a cursor that `scan` gave.
    pub fn entry_at(&self, cursor: Cursor) -> Result<Option<Arc<Entry>>> {
        self.entries_from(cursor).next().transpose().map(|found| found.map(|(_, entry)| entry))
    }

    /// Live rows of sealed parts from `cursor` on.
    fn places(&self, cursor: Cursor) -> impl Iterator<Item = (Cursor, &Sealed, u32)> {
        let mut base = 0;
        self.sealed.iter().flat_map(move |sealed| {
            let (start, rows) = (base, sealed.part.rows());
            base += rows;
            let first = cursor.saturating_sub(start).min(rows);
            sealed.dead.live_from(first as u32).map(move |row| (start + row as usize, sealed, row))
        })
    }

    /// The rows of the memtable from `cursor` on, and the cursor of the first of all.
    fn unsealed(&self, cursor: Cursor) -> (Cursor, impl Iterator<Item = (usize, &super::rows::Row)>) {
        let base: usize = self.sealed.iter().map(|sealed| sealed.part.rows()).sum();
        (base, self.rows.from(cursor.saturating_sub(base)))
    }
}
