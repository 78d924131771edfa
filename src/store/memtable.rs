//! The memtable: the newest entries of a collection in memory, found by id.

use super::rows::{Row, Rows};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, RandomState};

/// What a row takes beside its vector, id and metadata: the heads of its parts, its places in rows and index.
const ROW_BYTES: u64 = 138;

/// Entries by id, in the order of their first insertion.
#[derive(Debug, Clone, Default)]
pub(super) struct Memtable {
    rows: Rows,
    /// Numbers of rows with the hash of their id, so that the table grows without looking at the rows.
    ids: HashTable<(u64, usize)>,
    hasher: RandomState,
    /// Bytes that the live rows take, about.
    bytes: u64,
}

fn bytes_of(row: &Row) -> u64 {
    let metadata = row.entry.metadata.as_ref().map_or(0, |text| text.len());
    (row.entry.vector.len() * 4 + row.entry.id.len() + metadata) as u64 + ROW_BYTES
}

impl Memtable {
    /// Live rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of memory, about.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The rows, shared until somebody writes.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The number of the row that holds this id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(id);
        let is_it =
            |(known, row): &(u64, usize)| *known == hash && self.rows.get(*row).is_some_and(|row| &*row.entry.id == id);
        self.ids.find(hash, is_it).map(|(_, row)| *row)
    }

    pub fn get(&self, id: &str) -> Option<&Row> {
        self.rows.get(self.find(id)?)
    }

    /// Inserts or replaces; returns what was replaced.
    pub fn insert(&mut self, row: Row) -> Option<Row> {
        self.bytes += bytes_of(&row);
        let (rows, hash) = (&self.rows, self.hasher.hash_one(&*row.entry.id));
        let is_it = |(known, number): &(u64, usize)| {
            *known == hash && rows.get(*number).is_some_and(|old| old.entry.id == row.entry.id)
        };
        let old = match self.ids.entry(hash, is_it, |(hash, _)| *hash) {
            Entry::Occupied(place) => {
                let (_, number) = *place.get();
                self.rows.replace(number, Some(row))
            }
            Entry::Vacant(place) => {
                place.insert((hash, rows.end()));
                self.rows.push(row);
                None
            }
        };
        self.bytes -= old.as_ref().map_or(0, bytes_of);
        old
    }

    /// Removes an id; returns what it held.
    pub fn remove(&mut self, id: &str) -> Option<Row> {
        let (hash, rows) = (self.hasher.hash_one(id), &self.rows);
        let is_it =
            |(known, row): &(u64, usize)| *known == hash && rows.get(*row).is_some_and(|row| &*row.entry.id == id);
        let ((_, number), _) = self.ids.find_entry(hash, is_it).ok()?.remove();
        let old = self.rows.replace(number, None);
        self.bytes -= old.as_ref().map_or(0, bytes_of);
        if self.rows.is_sparse() {
            self.close_gaps();
        }
        old
    }

    fn close_gaps(&mut self) {
        let old = std::mem::take(&mut self.rows);
        self.ids.clear();
        self.bytes = 0;
        for (_, row) in old.from(0) {
            self.insert(row.clone());
        }
    }
}
