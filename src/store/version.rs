//! A collection at one LSN: immutable, shared, free to take.

use super::rows::Rows;
use crate::format::{Description, Entry};
use std::sync::Arc;

/// An immutable view of a collection.
#[derive(Debug, Clone)]
pub struct Version {
    description: Description,
    rows: Rows,
    lsn: u64,
}

impl Version {
    pub(super) fn new(description: Description, rows: Rows, lsn: u64) -> Self {
        Version { description, rows, lsn }
    }

    /// Dimension and metric, as far as they are known.
    pub fn description(&self) -> Description {
        self.description
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last change that is in it.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// The entries in the order of their first insertion.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.rows.from(0).map(|(_, entry)| entry)
    }

    /// Entries from row `cursor` on, each with the cursor that follows it.
    pub fn entries_from(&self, cursor: usize) -> impl Iterator<Item = (usize, &Arc<Entry>)> {
        self.rows.from(cursor).map(|(row, entry)| (row + 1, entry))
    }
}
