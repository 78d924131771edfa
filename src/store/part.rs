//! The sealed parts of a collection: memtables that a checkpoint froze, and segments. Their rows never change; which of
//! them are dead does, and every version has its own view of that.

use super::memtable::Memtable;
use super::rows::Row;
use crate::error::Result;
use crate::format::Entry;
pub use crate::segment::Row as RowView;
use crate::segment::{DeadRows, Segment};
use std::sync::Arc;

/// Rows that do not change.
#[derive(Debug, Clone)]
pub enum Part {
    /// A memtable on its way into a segment.
    Frozen(Arc<Frozen>),
    /// A segment.
    Segment(Arc<Segment>),
}

/// A memtable that takes no writes any more.
#[derive(Debug)]
pub struct Frozen(Memtable);

/// A row of which only what is asked for is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum LazyRow<'a> {
    /// In a memtable.
    Held(&'a Row),
    /// In a segment.
    Sealed(&'a Segment, u32),
}

impl<'a> LazyRow<'a> {
    /// JSON text.
    pub fn metadata(self) -> Result<Option<&'a str>> {
        match self {
            LazyRow::Held(row) => Ok(row.entry.metadata.as_deref()),
            LazyRow::Sealed(segment, row) => segment.metadata(row),
        }
    }
}

impl Part {
    pub(super) fn frozen(memtable: Memtable) -> Part {
        Part::Frozen(Arc::new(Frozen(memtable)))
    }

    /// Rows, dead ones and gaps included.
    pub fn rows(&self) -> usize {
        match self {
            Part::Frozen(frozen) => frozen.0.rows().end(),
            Part::Segment(segment) => segment.rows() as usize,
        }
    }

    /// Whether `other` is the very same part.
    pub fn is(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Frozen(a), Part::Frozen(b)) => Arc::ptr_eq(a, b),
            (Part::Segment(a), Part::Segment(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The row that holds this id, dead or not.
    pub fn find(&self, id: &str) -> Result<Option<u32>> {
        match self {
            Part::Frozen(frozen) => Ok(frozen.0.find(id).map(|row| row as u32)),
            Part::Segment(segment) => segment.find(id),
        }
    }

    /// Gives a row to `read`, in place; `None` for a gap.
    pub fn with_row<T>(&self, row: u32, read: impl FnOnce(RowView<'_>) -> T) -> Result<Option<T>> {
        match self {
            Part::Frozen(frozen) => Ok(frozen.0.rows().get(row as usize).map(Row::view).map(read)),
            Part::Segment(segment) => segment.row(row).map(read).map(Some),
        }
    }

    /// The id of a row; `None` for a gap.
    pub(super) fn id(&self, row: u32) -> Result<Option<&str>> {
        match self {
            Part::Frozen(_) => Ok(self.held(row).map(|held| &*held.entry.id)),
            Part::Segment(segment) => segment.id(row).map(Some),
        }
    }

    /// A row as an entry of its own, shared with the part where that is possible.
    pub fn entry(&self, row: u32) -> Result<Option<Arc<Entry>>> {
        match self {
            Part::Frozen(frozen) => Ok(frozen.0.rows().get(row as usize).map(|row| row.entry.clone())),
            Part::Segment(_) => self.with_row(row, |view| view.to_entry()),
        }
    }

    /// A row of a frozen memtable; `None` for a gap, and in a segment.
    pub(super) fn held(&self, row: u32) -> Option<&Row> {
        match self {
            Part::Frozen(frozen) => frozen.0.rows().get(row as usize),
            Part::Segment(_) => None,
        }
    }

    /// Its dead rows when it is new: the gaps.
    pub fn gaps(&self) -> DeadRows {
        let mut dead = DeadRows::new(self.rows() as u32);
        if let Part::Frozen(frozen) = self {
            let rows = frozen.0.rows();
            (0..rows.end()).filter(|row| rows.get(*row).is_none()).for_each(|row| {
                dead.kill(row as u32);
            });
        }
        dead
    }

    /// Bytes that its rows take, about.
    pub fn bytes(&self) -> u64 {
        match self {
            Part::Frozen(frozen) => frozen.0.bytes(),
            Part::Segment(segment) => segment.length(),
        }
    }

    /// Of them, those on the heap.
    pub fn heap_bytes(&self) -> u64 {
        match self {
            Part::Frozen(frozen) => frozen.0.bytes(),
            Part::Segment(segment) => segment.heap_bytes(),
        }
    }

    /// The segment, when it is one.
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        match self {
            Part::Frozen(_) => None,
            Part::Segment(segment) => Some(segment),
        }
    }
}

/// A part and which of its rows are dead.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The rows.
    pub part: Part,
    /// Those that are dead.
    pub dead: DeadRows,
}

impl Sealed {
    /// The live row that holds this id.
    pub fn find(&self, id: &str) -> Result<Option<u32>> {
        Ok(self.part.find(id)?.filter(|row| !self.dead.is_dead(*row)))
    }
}
