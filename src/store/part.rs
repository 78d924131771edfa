//! The sealed parts of a collection: memtables that a checkpoint froze, segments, and sorted runs. Their rows never
//! change; which of them are dead does, and every version has its own view of that.

use super::memtable::Memtable;
use super::rows::Row;
use crate::error::Result;
use crate::format::Entry;
pub use crate::format::Row as RowView;
use crate::lsm::{Found, Run};
use crate::manifest::{SegmentKind, SegmentRef};
use crate::segment::{DeadRows, Segment};
use std::ops::Range;
use std::sync::Arc;

/// Rows that do not change.
#[derive(Debug, Clone)]
pub enum Part {
    /// A memtable on its way into a segment.
    Frozen(Arc<Frozen>),
    /// A segment.
    Segment(Arc<Segment>),
    /// A sorted run.
    Run(Arc<Run>),
}

/// A row of a part that was found; of a run with its bytes, which would have to be looked for again.
#[derive(Debug, Clone)]
pub struct Place {
    row: u32,
    read: Option<Found>,
}

impl Place {
    /// The row of that number.
    pub fn of(row: u32) -> Place {
        Place { row, read: None }
    }

    /// Its number.
    pub fn row(&self) -> u32 {
        self.row
    }
}

impl From<Found> for Place {
    fn from(found: Found) -> Place {
        Place { row: found.row(), read: Some(found) }
    }
}

/// A memtable that takes no writes any more.
#[derive(Debug)]
pub struct Frozen(Memtable);

/// A row of which only what is asked for is read, where that is possible.
#[derive(Debug, Clone, Copy)]
pub(super) enum LazyRow<'a> {
    /// In memory as a whole: of a memtable, or of a run, whose rows are read whole.
    Held(Option<&'a str>),
    /// In a segment.
    Sealed(&'a Segment, u32),
}

impl<'a> LazyRow<'a> {
    /// JSON text.
    pub fn metadata(self) -> Result<Option<&'a str>> {
        match self {
            LazyRow::Held(metadata) => Ok(metadata),
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
            Part::Run(run) => run.rows() as usize,
        }
    }

    /// Whether `other` is the very same part.
    pub fn is(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Frozen(a), Part::Frozen(b)) => Arc::ptr_eq(a, b),
            (Part::Segment(a), Part::Segment(b)) => Arc::ptr_eq(a, b),
            (Part::Run(a), Part::Run(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The row that holds this id, dead or not.
    pub fn find(&self, id: &str) -> Result<Option<Place>> {
        Ok(match self {
            Part::Frozen(frozen) => frozen.0.find(id).map(|row| Place::of(row as u32)),
            Part::Segment(segment) => segment.find(id)?.map(Place::of),
            Part::Run(run) => run.find(id)?.map(Place::from),
        })
    }

    /// The places of these rows, which ascend.
    pub fn places<'a>(&'a self, rows: impl Iterator<Item = u32> + 'a) -> Box<dyn Iterator<Item = Result<Place>> + 'a> {
        match self {
            Part::Frozen(_) | Part::Segment(_) => Box::new(rows.map(|row| Ok(Place::of(row)))),
            Part::Run(run) => Box::new(run.rows_of(rows).map(|found| found.map(Place::from))),
        }
    }

    /// Gives the row at a place of this part to `read`, in place; `None` for a gap.
    pub fn with<T>(&self, place: &Place, read: impl FnOnce(RowView<'_>) -> T) -> Result<Option<T>> {
        match (self, &place.read) {
            (Part::Run(run), Some(found)) => run.with_found(found, read).map(Some),
            _ => self.with_row(place.row, read),
        }
    }

    /// Gives a row to `read`, in place; `None` for a gap.
    pub fn with_row<T>(&self, row: u32, read: impl FnOnce(RowView<'_>) -> T) -> Result<Option<T>> {
        match self {
            Part::Frozen(frozen) => Ok(frozen.0.rows().get(row as usize).map(Row::view).map(read)),
            Part::Segment(segment) => segment.row(row).map(read).map(Some),
            Part::Run(run) => run.with_row(row, read).map(Some),
        }
    }

    /// Gives the id of the row at a place to `read`; `None` for a gap.
    pub(super) fn with_id<T>(&self, place: &Place, read: impl FnOnce(&str) -> T) -> Result<Option<T>> {
        match self {
            Part::Segment(segment) => segment.id(place.row).map(read).map(Some),
            Part::Frozen(_) | Part::Run(_) => self.with(place, |view| read(view.id)),
        }
    }

    /// The row at a place as an entry of its own, shared with the part where that is possible.
    pub fn entry(&self, place: &Place) -> Result<Option<Arc<Entry>>> {
        match self {
            Part::Frozen(frozen) => Ok(frozen.0.rows().get(place.row as usize).map(|row| row.entry.clone())),
            Part::Segment(_) | Part::Run(_) => self.with(place, |row| row.to_entry()),
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
            Part::Run(run) => run.length(),
        }
    }

    /// Of them, those on the heap.
    pub fn heap_bytes(&self) -> u64 {
        match self {
            Part::Frozen(frozen) => frozen.0.bytes(),
            Part::Segment(segment) => segment.heap_bytes(),
            Part::Run(_) => 0,
        }
    }

    /// Bytes of blocks in the cache that a run shares with the others; `None` for what is no run.
    pub fn cached_bytes(&self) -> Option<u64> {
        match self {
            Part::Run(run) => Some(run.cache().bytes()),
            Part::Frozen(_) | Part::Segment(_) => None,
        }
    }

    /// The segment, when it is one.
    pub fn segment(&self) -> Option<&Arc<Segment>> {
        match self {
            Part::Segment(segment) => Some(segment),
            Part::Frozen(_) | Part::Run(_) => None,
        }
    }

    /// What it is on disk, when it is there.
    pub fn kind(&self) -> Option<SegmentKind> {
        match self {
            Part::Frozen(_) => None,
            Part::Segment(_) => Some(SegmentKind::File),
            Part::Run(_) => Some(SegmentKind::Lsm),
        }
    }

    /// As a manifest names it, without its dead rows; `None` for a memtable.
    pub fn named(&self) -> Option<SegmentRef> {
        let (number, length, checksum) = match self {
            Part::Frozen(_) => return None,
            Part::Segment(segment) => (segment.number(), segment.length(), segment.checksum()),
            Part::Run(run) => (run.number(), run.length(), run.checksum()),
        };
        let (kind, rows) = (self.kind().unwrap_or_default(), self.rows() as u64);
        Some(SegmentRef { number, kind, length, checksum, rows, dead: None })
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
    pub fn find(&self, id: &str) -> Result<Option<Place>> {
        Ok(self.part.find(id)?.filter(|place| !self.dead.is_dead(place.row)))
    }

    /// Its live rows from the first to the last (not included).
    pub fn live(&self, rows: Range<u32>) -> impl Iterator<Item = Result<Place>> {
        self.part.places(self.dead.live_from(rows.start).take_while(move |row| *row < rows.end))
    }
}
