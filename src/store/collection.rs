//! The memtable: the entries of one collection in memory, found by id, versioned for nothing.
//!
//! Every change of content takes the next LSN. Nothing here touches a file.

use super::rows::Rows;
use super::version::Version;
use crate::error::{Error, Kind, Result};
use crate::format::entry::{check_dimension, check_id, shown};
use crate::format::{Description, Entry};
use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// What becomes of an entry's metadata when it is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataRule {
    /// The entry becomes exactly what is written.
    Replace,
    /// As ruvector does: metadata that it does not take (none, not an object, not JSON to it) leaves the old.
    Ruvector,
}

/// The entries of one database.
#[derive(Debug, Default)]
pub struct Collection {
    description: Description,
    rows: Rows,
    ids: HashTable<usize>,
    hasher: RandomState,
    lsn: u64,
}

impl Collection {
    /// An empty collection.
    pub fn new(description: Description) -> Self {
        Collection { description, ..Collection::default() }
    }

    /// Dimension and metric, as far as they are known.
    pub fn description(&self) -> Description {
        self.description
    }

    /// Adds what was not known; refuses what contradicts.
    pub fn describe(&mut self, description: Description) -> Result<()> {
        self.description = self.description.agree(description, "the database")?;
        Ok(())
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the last change.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// The collection as it is now. Costs a pointer for each thousand entries.
    pub fn version(&self) -> Version {
        Version::new(self.description, self.rows.clone(), self.lsn)
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    fn row(&self, id: &str) -> Option<usize> {
        let is_it = |row: &usize| self.rows.get(*row).is_some_and(|entry| &*entry.id == id);
        self.ids.find(self.hash(id), is_it).copied()
    }

    /// The entry of that id.
    pub fn get(&self, id: &str) -> Option<&Arc<Entry>> {
        self.rows.get(self.row(id)?)
    }

    /// Inserts or replaces an entry. Nothing changes when it is refused.
    pub fn put(&mut self, id: &str, vector: &[f32], metadata: Option<&str>, rule: MetadataRule) -> Result<()> {
        check_id(id)?;
        check_dimension(id, vector.len())?;
        self.check_length(id, vector.len())?;
        let entry = match rule {
            MetadataRule::Replace => Entry::new(id, vector.to_vec(), metadata)?,
            MetadataRule::Ruvector => {
                let taken = metadata.filter(|text| ruvector_takes(text));
                let mut entry = Entry::new(id, vector.to_vec(), taken)?;
                if taken.is_none() {
                    entry.metadata = self.get(id).and_then(|old| old.metadata.clone());
                }
                entry
            }
        };
        self.insert(Arc::new(entry))
    }

    /// Inserts or replaces a finished entry, which may be shared with other collections.
    pub fn insert(&mut self, entry: Arc<Entry>) -> Result<()> {
        self.check_length(&entry.id, entry.vector.len())?;
        self.description.dimension = Some(entry.vector.len());
        self.lsn += 1;
        if let Some(row) = self.row(&entry.id) {
            self.rows.replace(row, Some(entry));
            return Ok(());
        }
        let hash = self.hash(&entry.id);
        let row = self.rows.push(entry);
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.ids.insert_unique(hash, row, |row| rows.get(*row).map_or(0, |entry| hasher.hash_one(&*entry.id)));
        Ok(())
    }

    fn check_length(&self, id: &str, found: usize) -> Result<()> {
        match self.description.dimension {
            Some(due) if due != found => {
                let message = format!("vector for id '{}' has {found} numbers, collection has {due}", shown(id));
                Err(Error::new(Kind::Dimension, message))
            }
            _ => Ok(()),
        }
    }

    /// Replaces an entry's metadata; `false` when there is no such entry.
    pub fn set_metadata(&mut self, id: &str, metadata: Option<&str>) -> Result<bool> {
        let Some(old) = self.get(id) else { return Ok(false) };
        let entry = Entry::new(id, old.vector.to_vec(), metadata)?;
        self.insert(Arc::new(entry))?;
        Ok(true)
    }

    /// Removes an entry; `false` when there is none.
    pub fn delete(&mut self, id: &str) -> bool {
        let (hash, rows) = (self.hash(id), &self.rows);
        let is_it = |row: &usize| rows.get(*row).is_some_and(|entry| &*entry.id == id);
        let Ok(found) = self.ids.find_entry(hash, is_it) else { return false };
        let (row, _) = found.remove();
        self.rows.replace(row, None);
        self.lsn += 1;
        if self.rows.is_sparse() {
            self.close_gaps();
        }
        true
    }

    /// Removes everything; the dimension is unknown again only if nothing else fixed it.
    pub fn clear(&mut self) {
        self.lsn += 1;
        self.rows = Rows::default();
        self.ids.clear();
    }

    fn close_gaps(&mut self) {
        let old = std::mem::take(&mut self.rows);
        self.ids.clear();
        for (_, entry) in old.from(0) {
            let hash = self.hasher.hash_one(&*entry.id);
            let row = self.rows.push(entry.clone());
            let (rows, hasher) = (&self.rows, &self.hasher);
            self.ids.insert_unique(hash, row, |row| rows.get(*row).map_or(0, |entry| hasher.hash_one(&*entry.id)));
        }
    }
}

/// Whether ruvector keeps this metadata: what its `serde_json` reads as an object.
fn ruvector_takes(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn ruvector_keeps_old_metadata_where_it_takes_none() {
        let mut collection = Collection::default();
        let put =
            |collection: &mut Collection, text| collection.put("a", &[1.0], text, MetadataRule::Ruvector).unwrap();
        put(&mut collection, Some(r#"{"a":1}"#));
        for text in [None, Some("[1]"), Some("5"), Some(r#"{"s":"\ud800"}"#)] {
            put(&mut collection, text);
            assert_eq!(collection.get("a").unwrap().metadata.as_deref(), Some(r#"{"a":1}"#), "{text:?}");
        }
        put(&mut collection, Some("{}"));
        assert_eq!(collection.get("a").unwrap().metadata.as_deref(), Some("{}"));
        collection.put("a", &[1.0], None, MetadataRule::Replace).unwrap();
        assert!(collection.get("a").unwrap().metadata.is_none());
    }

    #[test]
    fn a_refused_entry_changes_nothing() {
        let mut collection = Collection::default();
        collection.put("a", &[1.0, 2.0], None, MetadataRule::Replace).unwrap();
        let lsn = collection.lsn();
        let mut refused =
            |id: &str, vector: &[f32], text| collection.put(id, vector, text, MetadataRule::Replace).unwrap_err().kind;
        assert_eq!(refused("a", &[1.0], None), Kind::Dimension);
        assert_eq!(refused("b", &[], None), Kind::Dimension);
        assert_eq!(refused("", &[1.0, 2.0], None), Kind::Id);
        assert_eq!(refused("a", &[1.0, 2.0], Some("[]")), Kind::Metadata);
        assert_eq!((collection.lsn(), collection.len()), (lsn, 1));
    }

    #[test]
    fn random_operations_agree_with_a_model_and_old_versions_stay() {
        let mut collection = Collection::default();
        let mut model: BTreeMap<String, f32> = BTreeMap::new();
        let mut versions = Vec::new();
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..40_000_u32 {
            let id = format!("id-{}", random(3_000));
            // The share of deletions swings, so that the gaps are closed now and then.
            match random(100) {
                x if x < 40 + 40 * u64::from(step / 5_000 % 2) => {
                    collection.put(&id, &[step as f32], None, MetadataRule::Replace).unwrap();
                    model.insert(id, step as f32);
                }
                99 if step % 7 == 0 => {
                    collection.clear();
                    model.clear();
                }
                _ => assert_eq!(collection.delete(&id), model.remove(&id).is_some()),
            }
            if step % 4_000 == 0 {
                versions.push((collection.version(), model.clone()));
            }
        }
        versions.push((collection.version(), model));
        for (version, model) in versions {
            let held: BTreeMap<String, f32> =
                version.entries().map(|entry| (entry.id.to_string(), entry.vector[0])).collect();
            assert_eq!(held, model);
            assert_eq!(version.len(), model.len());
        }
    }
}
