//! Rows in the order of their first insertion, in blocks that are shared with versions and copied when written to.
//!
//! A version holds the same blocks; a write to a shared block copies that block's pointers (never its entries).
//! Deleted rows leave gaps; `Rows` closes them when they are more than half.

use crate::format::{Entry, Row as RowView};
use std::sync::Arc;

const BLOCK_ROWS: usize = 1_024;

/// An entry and the LSN of the record that wrote it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub entry: Arc<Entry>,
    pub lsn: u64,
}

impl Row {
    /// The row as one of a segment looks.
    pub fn view(&self) -> RowView<'_> {
        let Row { entry, lsn } = self;
        RowView { id: &entry.id, vector: &entry.vector, metadata: entry.metadata.as_deref(), lsn: *lsn }
    }
}

type Block = Arc<Vec<Option<Row>>>;

/// Rows by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    blocks: Vec<Block>,
    /// Rows ever appended since the gaps were closed last.
    end: usize,
    live: usize,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.live
    }

    /// One more than the last row's number, gaps included.
    pub fn end(&self) -> usize {
        self.end
    }

    pub fn get(&self, row: usize) -> Option<&Row> {
        self.blocks.get(row / BLOCK_ROWS)?.get(row % BLOCK_ROWS)?.as_ref()
    }

    /// Appends a row and returns its number.
    pub fn push(&mut self, entry: Row) -> usize {
        if self.end.is_multiple_of(BLOCK_ROWS) {
            self.blocks.push(Arc::new(Vec::with_capacity(BLOCK_ROWS)));
        }
        if let Some(block) = self.blocks.last_mut() {
            Arc::make_mut(block).push(Some(entry));
        }
        self.live += 1;
        self.end += 1;
        self.end - 1
    }

    /// Puts `entry`, or a gap, in the place of a live row; returns what was there.
    pub fn replace(&mut self, row: usize, entry: Option<Row>) -> Option<Row> {
        let gone = usize::from(entry.is_none());
        let place = Arc::make_mut(self.blocks.get_mut(row / BLOCK_ROWS)?).get_mut(row % BLOCK_ROWS)?;
        let old = std::mem::replace(place, entry);
        self.live -= if old.is_some() { gone } else { 0 };
        old
    }

    /// Whether closing the gaps is worth it.
    pub fn is_sparse(&self) -> bool {
        self.end > BLOCK_ROWS && self.live < self.end / 2
    }

    /// The numbers of the live rows that `other` does not have, as the very same entry, under the same number. What the two
    /// share is passed over a block at a time.
    pub fn apart_from(&self, other: &Rows) -> impl Iterator<Item = usize> {
        self.blocks.iter().enumerate().flat_map(move |(number, block)| {
            let beside = other.blocks.get(number);
            let shared = beside.is_some_and(|beside| Arc::ptr_eq(beside, block));
            let rows = block.iter().enumerate().filter(move |_| !shared);
            rows.filter_map(move |(place, row)| {
                let row = row.as_ref()?;
                let held = beside.and_then(|beside| beside.get(place)?.as_ref());
                let same = held.is_some_and(|held| Arc::ptr_eq(&held.entry, &row.entry));
                (!same).then_some(number * BLOCK_ROWS + place)
            })
        })
    }

    /// Live rows with their numbers, from `row` on.
    pub fn from(&self, row: usize) -> impl Iterator<Item = (usize, &Row)> {
        let skipped = row % BLOCK_ROWS;
        self.blocks.iter().enumerate().skip(row / BLOCK_ROWS).flat_map(move |(number, block)| {
            let first = if number == row / BLOCK_ROWS { skipped } else { 0 };
            let rows = block.iter().enumerate().skip(first);
            rows.filter_map(move |(place, entry)| entry.as_ref().map(|entry| (number * BLOCK_ROWS + place, entry)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: usize) -> Row {
        Row { entry: Arc::new(Entry::new(&format!("id-{id}"), vec![id as f32], None).unwrap()), lsn: id as u64 }
    }

    #[test]
    fn a_shared_copy_does_not_see_later_writes() {
        let mut rows = Rows::default();
        for id in 0..3_000 {
            assert_eq!(rows.push(entry(id)), id);
        }
        let shared = rows.clone();
        rows.replace(5, None);
        rows.replace(6, Some(entry(9_999)));
        rows.push(entry(3_000));
        assert_eq!((rows.len(), shared.len()), (3_000, 3_000));
        assert_eq!(&*shared.get(6).unwrap().entry.id, "id-6");
        assert!(rows.get(5).is_none());
        assert_eq!(rows.from(4).next().unwrap().0, 4);
        assert_eq!(rows.from(5).next().unwrap().0, 6);
        assert_eq!(rows.from(2_050).count(), 951);
    }
}
