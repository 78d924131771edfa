//! The content of one side of a comparison without its vectors and metadata: ids, and a hash of each part.
//!
//! Some hundred bytes for an entry, its id included. Hashes are of 64 bits (XXH3): they notice any change that happens, and
//! are no defence against one that is made up to have the same.

use super::load::Target;
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::format::entry::digests;
use crate::format::{Description, Entry, Fingerprint};
use hashbrown::HashTable;
use hashbrown::hash_table;
use std::hash::{BuildHasher, RandomState};

/// One entry.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Where its id begins, and how long it is; no length: it was removed.
    id: (u64, u16),
    vector: u64,
    metadata: u64,
    /// What it adds to the fingerprint of the content.
    sum: u128,
}

/// All entries of one side.
#[derive(Debug, Default)]
pub struct Digest {
    /// Dimension and metric, as far as they are known.
    pub description: Description,
    ids: Vec<u8>,
    rows: Vec<Row>,
    /// Numbers of rows with the hash of their id.
    table: HashTable<(u64, u32)>,
    hasher: RandomState,
    fingerprint: Fingerprint,
    live: u64,
}

impl Row {
    fn is_live(&self) -> bool {
        self.id.1 > 0
    }

    /// Whether the vectors differ, and whether the metadata do.
    pub fn differs(&self, other: &Row) -> (bool, bool) {
        (self.vector != other.vector, self.metadata != other.metadata)
    }
}

fn id_of<'a>(ids: &'a [u8], row: &Row) -> &'a [u8] {
    let from = row.id.0 as usize;
    ids.get(from..from + usize::from(row.id.1)).unwrap_or_default()
}

impl Digest {
    /// Rows with their numbers, in the order of their first insertion.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &Row)> {
        (0..).zip(&self.rows).filter(|(_, row)| row.is_live())
    }

    /// The id of a row.
    pub fn id(&self, number: u32) -> &str {
        let found = self.rows.get(number as usize).map(|row| id_of(&self.ids, row)).unwrap_or_default();
        std::str::from_utf8(found).unwrap_or_default()
    }

    /// The row of an id.
    pub fn find(&self, id: &str) -> Option<(u32, &Row)> {
        let hash = self.hasher.hash_one(id.as_bytes());
        let is_it = |(known, number): &(u64, u32)| {
            *known == hash && self.rows.get(*number as usize).is_some_and(|row| id_of(&self.ids, row) == id.as_bytes())
        };
        let (_, number) = self.table.find(hash, is_it)?;
        Some((*number, self.rows.get(*number as usize)?))
    }
}

impl Target for Digest {
    fn put(&mut self, entry: Entry) -> Result<()> {
        let (vector, metadata) = digests(&entry);
        let sum = self.fingerprint.of(&entry);
        self.description.dimension.get_or_insert(entry.vector.len());
        let (ids, rows, id) = (&mut self.ids, &mut self.rows, entry.id.as_bytes());
        let hash = self.hasher.hash_one(id);
        let is_it = |(known, number): &(u64, u32)| {
            *known == hash && rows.get(*number as usize).is_some_and(|row| id_of(ids, row) == id)
        };
        match self.table.entry(hash, is_it, |(hash, _)| *hash) {
            hash_table::Entry::Occupied(place) => {
                if let Some(row) = rows.get_mut(place.get().1 as usize) {
                    self.fingerprint.part_sum(row.sum);
                    *row = Row { vector, metadata, sum, ..*row };
                }
            }
            hash_table::Entry::Vacant(place) => {
                let number = u32::try_from(rows.len())
                    .map_err(|_| Error::new(Kind::Limit, format!("more than {} entries to compare", u32::MAX)))?;
                place.insert((hash, number));
                rows.push(Row { id: (ids.len() as u64, id.len() as u16), vector, metadata, sum });
                ids.extend_from_slice(id);
                self.live += 1;
            }
        }
        self.fingerprint.add_sum(sum);
        Ok(())
    }

    fn delete(&mut self, id: &str) -> Result<()> {
        let Some((number, _)) = self.find(id) else { return Ok(()) };
        let hash = self.hasher.hash_one(id.as_bytes());
        if let Ok(place) = self.table.find_entry(hash, |(known, found)| *known == hash && *found == number) {
            place.remove();
        }
        if let Some(row) = self.rows.get_mut(number as usize) {
            row.id.1 = 0;
            self.fingerprint.part_sum(row.sum);
            self.live -= 1;
        }
        Ok(())
    }

    fn describe(&mut self, description: Description) -> Result<()> {
        self.description = self.description.agree(description, "the archive")?;
        Ok(())
    }

    fn count(&self) -> u64 {
        self.live
    }

    fn fingerprint(&self, _: &Control) -> Result<Fingerprint> {
        Ok(self.fingerprint.clone())
    }
}
