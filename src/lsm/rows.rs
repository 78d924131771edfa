//! The rows of a run: one by its id or number, or many in their order.
//!
//! A row that was found carries its bytes, so that whoever looked for it need not look again. Rows in order come from one
//! walk through the tables, block by block, and not from a search for each.

use super::guard::guarded;
use super::reader::Run;
use super::row::{Raw, hash, row_key};
use crate::error::{Error, Kind, Result};
use crate::format::Row;
use lsm_tree::{AbstractTree, Guard, SeqNo, Slice};

/// Dead rows up to this many are walked over; beyond them the next live one is searched for.
const GAP_ROWS_MAX: u32 = 64;

/// A row with its bytes, which were checked or will be when it is read.
#[derive(Debug, Clone)]
pub struct Found {
    row: u32,
    value: Slice,
}

impl Found {
    /// Its number.
    pub fn row(&self) -> u32 {
        self.row
    }
}

impl Run {
    /// The row of an id, dead or not.
    pub fn find(&self, id: &str) -> Result<Option<Found>> {
        for row in self.candidates(hash(id))? {
            let value = self.value(row)?;
            if self.decode(row, &value)?.id == id {
                return Ok(Some(Found { row, value }));
            }
        }
        Ok(None)
    }

    /// Gives a row that was found to `read`.
    pub fn with_found<T>(&self, found: &Found, read: impl FnOnce(Row<'_>) -> T) -> Result<T> {
        let Raw { id, vector, metadata, lsn } = self.decode(found.row, &found.value)?;
        // A value begins anywhere in its block; numbers have to be aligned.
        Ok(match bytemuck::try_cast_slice(vector) {
            Ok(vector) => read(Row { id, vector, metadata, lsn }),
            Err(_) => {
                let vector: Vec<f32> = vector.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
                read(Row { id, vector: &vector, metadata, lsn })
            }
        })
    }

    /// Gives the row of that number to `read`.
    pub fn with_row<T>(&self, row: u32, read: impl FnOnce(Row<'_>) -> T) -> Result<T> {
        self.with_found(&Found { row, value: self.value(row)? }, read)
    }

    /// The rows of these numbers, which ascend.
    pub fn rows_of<'a>(&'a self, numbers: impl Iterator<Item = u32> + 'a) -> impl Iterator<Item = Result<Found>> + 'a {
        let mut walk = Walk { run: self, rest: None, next: 0 };
        numbers.map(move |row| walk.to(row).inspect_err(|_| walk.rest = None))
    }
}

type Rest = Box<dyn DoubleEndedIterator<Item = lsm_tree::IterGuardImpl> + Send>;

/// A walk through the rows of a run.
struct Walk<'a> {
    run: &'a Run,
    rest: Option<Rest>,
    /// The number of the row that comes next.
    next: u32,
}

impl Walk<'_> {
    fn to(&mut self, row: u32) -> Result<Found> {
        let run = self.run;
        let is_near = row.checked_sub(self.next).is_some_and(|gap| gap <= GAP_ROWS_MAX);
        let missing = || Error::new(Kind::Corrupt, format!("row {row} of this run is missing")).in_file(run.path());
        guarded("read", run.path(), || {
            let rest = match self.rest.as_mut().filter(|_| is_near) {
                Some(rest) => rest,
                None => {
                    let (first, last) = (row_key(row), row_key(u32::MAX));
                    self.next = row;
                    self.rest.insert(run.tree().range(first..=last, SeqNo::MAX, None))
                }
            };
            for _ in self.next..row {
                rest.next().map(Guard::key).transpose()?;
            }
            self.next = row.saturating_add(1);
            rest.next().map(Guard::into_inner).transpose()
        })?
        .filter(|(key, _)| **key == row_key(row))
        .map(|(_, value)| Found { row, value })
        .ok_or_else(missing)
    }
}
