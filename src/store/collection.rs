//! The state of a collection: sealed parts, the memtable, the LSN. Every id is live in exactly one place.
//!
//! A change is applied as a whole or not at all, and can be taken back as long as what it replaced is remembered
//! ([`Undo`]). A [`Version`] of the state is taken at any moment for nothing. Nothing here writes a file.

mod undo;

use super::memtable::Memtable;
use super::part::{Part, RowView, Sealed};
use super::rows::Row;
use super::version::Version;
use crate::error::{Error, Kind, Result};
use crate::format::entry::{check_dimension, check_id, shown};
use crate::format::record::Change;
use crate::format::{Description, Entry};
use crate::segment::DeadRows;
use std::sync::Arc;
pub use undo::Undo;
use undo::{Key, Replaced};

/// What becomes of an entry's metadata when it is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataRule {
    /// The entry becomes exactly what is written.
    Replace,
    /// As ruvector does: metadata that it does not take (none, not an object, not JSON to it) leaves the old.
    Ruvector,
}

/// The entries of one database.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    description: Description,
    sealed: Vec<Sealed>,
    memtable: Memtable,
    lsn: u64,
}

impl Collection {
    /// An empty collection.
    pub fn new(description: Description) -> Self {
        Collection { description, ..Collection::default() }
    }

    /// A collection of those segments, as it was at `lsn`.
    pub fn of(description: Description, sealed: Vec<Sealed>, lsn: u64) -> Self {
        Collection { description, sealed, lsn, ..Collection::default() }
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
        self.memtable.len() + self.sealed.iter().map(|sealed| sealed.dead.live() as usize).sum::<usize>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the last change.
    pub fn lsn(&self) -> u64 {
        self.lsn
    }

    /// Bytes of the memtable, about.
    pub fn memtable_bytes(&self) -> u64 {
        self.memtable.bytes()
    }

    /// Bytes of all rows on the heap, about: the memtable, frozen ones, segments that are not mapped, and the cache that all
    /// runs share.
    pub fn heap_bytes(&self) -> u64 {
        let cached = self.sealed.iter().find_map(|sealed| sealed.part.cached_bytes()).unwrap_or(0);
        self.memtable.bytes() + self.sealed.iter().map(|sealed| sealed.part.heap_bytes()).sum::<u64>() + cached
    }

    /// Entries of the memtable.
    pub fn memtable_len(&self) -> usize {
        self.memtable.len()
    }

    /// The sealed parts.
    pub fn sealed(&self) -> &[Sealed] {
        &self.sealed
    }

    /// The collection as it is now. Costs a pointer for each thousand entries.
    pub fn version(&self) -> Version {
        Version::new(self.description, self.sealed.clone(), self.memtable.rows().clone(), self.lsn)
    }

    /// Gives the entry of an id to `read`, in place.
    pub fn with<T>(&self, id: &str, read: impl FnOnce(RowView<'_>) -> T) -> Result<Option<T>> {
        if let Some(row) = self.memtable.get(id) {
            return Ok(Some(read(row.view())));
        }
        for sealed in self.sealed.iter().rev() {
            if let Some(place) = sealed.find(id)? {
                return sealed.part.with(&place, read);
            }
        }
        Ok(None)
    }

    /// The entry of that id.
    pub fn get(&self, id: &str) -> Result<Option<Arc<Entry>>> {
        if let Some(row) = self.memtable.get(id) {
            return Ok(Some(row.entry.clone()));
        }
        self.with(id, |row| row.to_entry())
    }

    /// Whether there is such an entry.
    pub fn has(&self, id: &str) -> Result<bool> {
        Ok(self.place(id)?.is_some())
    }

    /// The sealed part and row where an id lives that is not in the memtable; `Some(None)` when it is there.
    fn place(&self, id: &str) -> Result<Option<Option<(usize, u32)>>> {
        if self.memtable.find(id).is_some() {
            return Ok(Some(None));
        }
        for (part, sealed) in self.sealed.iter().enumerate().rev() {
            if let Some(place) = sealed.find(id)? {
                return Ok(Some(Some((part, place.row()))));
            }
        }
        Ok(None)
    }

    /// The entry as it would be put, checked against the collection; nothing changes.
    pub fn prepare(&self, id: &str, vector: &[f32], metadata: Option<&str>, rule: MetadataRule) -> Result<Arc<Entry>> {
        check_id(id)?;
        check_dimension(id, vector.len())?;
        self.check_length(self.description.dimension, id, vector.len())?;
        let taken = match rule {
            MetadataRule::Replace => metadata,
            MetadataRule::Ruvector => metadata.filter(|text| ruvector_takes(text)),
        };
        let mut entry = Entry::new(id, vector.to_vec(), taken)?;
        if rule == MetadataRule::Ruvector && taken.is_none() {
            entry.metadata = self.with(id, |row| row.metadata.map(Into::into))?.flatten();
        }
        Ok(Arc::new(entry))
    }

    fn check_length(&self, due: Option<usize>, id: &str, found: usize) -> Result<()> {
        match due {
            Some(due) if due != found => {
                let message = format!("vector for id '{}' has {found} numbers, collection has {due}", shown(id));
                Err(Error::new(Kind::Dimension, message))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a change that does not fit, before anything happens.
    pub fn check(&self, change: &Change) -> Result<()> {
        if let Change::Put(entries) = change {
            let mut due = self.description.dimension;
            for entry in entries {
                self.check_length(due, &entry.id, entry.vector.len())?;
                due = Some(entry.vector.len());
            }
        }
        if let Change::Describe(known) = change {
            self.description.agree(*known, "the database")?;
        }
        Ok(())
    }

    /// Applies a change that was checked; `lsn` is the last one that it stands for. Fails only when a segment cannot be
    /// read, and then nothing has changed.
    pub fn apply(&mut self, lsn: u64, change: &Change) -> Result<Undo> {
        let description = self.description;
        let replaced = match change {
            Change::Put(entries) => {
                let before = self.befores(entries.iter().map(|entry| Key::Entry(entry.clone())))?;
                if let Some(entry) = entries.first() {
                    self.description.dimension = Some(entry.vector.len());
                }
                for entry in entries {
                    self.place_row(Row { entry: entry.clone(), lsn })?;
                }
                Replaced::Ids(before)
            }
            Change::Delete(ids) => {
                let before = self.befores(ids.iter().map(|id| Key::Id(id.clone())))?;
                ids.iter().try_for_each(|id| self.forget(id))?;
                Replaced::Ids(before)
            }
            Change::SetMetadata(id, metadata) => {
                let before = self.befores(std::iter::once(Key::Id(id.clone())))?;
                if let Some(old) = self.get(id)? {
                    let entry = Entry { id: id.clone(), vector: old.vector.clone(), metadata: metadata.clone() };
                    self.place_row(Row { entry: Arc::new(entry), lsn })?;
                }
                Replaced::Ids(before)
            }
            Change::Clear => self.take_all(),
            Change::Describe(known) => {
                self.describe(*known)?;
                Replaced::Ids(Vec::new())
            }
            Change::Void(_) | Change::Close | Change::Replaced => Replaced::Ids(Vec::new()),
        };
        self.lsn = lsn;
        Ok(Undo { description, replaced })
    }

    /// As `apply`, for a change that is not taken back.
    pub fn replay(&mut self, lsn: u64, change: Change) -> Result<()> {
        match change {
            Change::Put(entries) => {
                if let Some(entry) = entries.first() {
                    self.description.dimension = Some(entry.vector.len());
                }
                entries.into_iter().try_for_each(|entry| self.place_row(Row { entry, lsn }))?;
            }
            Change::Delete(ids) => ids.iter().try_for_each(|id| self.forget(id))?,
            other => drop(self.apply(lsn, &other)?),
        }
        self.lsn = lsn;
        Ok(())
    }

    /// Makes the row the one of its id.
    fn place_row(&mut self, row: Row) -> Result<()> {
        if !self.sealed.is_empty() && self.memtable.find(&row.entry.id).is_none() {
            self.forget(&row.entry.id)?;
        }
        self.memtable.insert(row);
        Ok(())
    }

    /// Removes an id from where it lives. A row of a sealed part dies.
    fn forget(&mut self, id: &str) -> Result<()> {
        match self.place(id)? {
            None => {}
            Some(None) => drop(self.memtable.remove(id)),
            Some(Some((part, row))) => {
                if let Some(sealed) = self.sealed.get_mut(part) {
                    sealed.dead.kill(row);
                }
            }
        }
        Ok(())
    }

    /// Makes the memtable a sealed part, when it holds anything.
    pub fn freeze(&mut self) {
        if self.memtable.len() > 0 {
            let part = Part::frozen(std::mem::take(&mut self.memtable));
            let dead = part.gaps();
            self.sealed.push(Sealed { part, dead });
        }
    }

    /// Puts `part`, which was built from the live rows of `sources` in their order, in their place. `false` when they
    /// are gone: the content was cleared meanwhile.
    pub fn install(&mut self, sources: &[Sealed], part: Option<Part>) -> bool {
        let Some(first) = sources.first() else { return false };
        let Some(place) = self.sealed.iter().position(|sealed| sealed.part.is(&first.part)) else { return false };
        let mut dead = DeadRows::new(part.as_ref().map_or(0, |part| part.rows() as u32));
        let mut base = 0;
        for source in sources {
            let now = self.sealed.iter().find(|sealed| sealed.part.is(&source.part));
            for (rank, row) in source.dead.live_from(0).enumerate() {
                if now.is_none_or(|now| now.dead.is_dead(row)) {
                    dead.kill(base + rank as u32);
                }
            }
            base += source.dead.live();
        }
        if let Some(part) = part {
            self.sealed.insert(place, Sealed { part, dead });
        }
        self.sealed.retain(|sealed| !sources.iter().any(|source| source.part.is(&sealed.part)));
        true
    }

    /// Puts a part in the place of another that holds the same rows; nothing happens when that one is gone.
    pub(super) fn exchange(&mut self, old: &Part, new: Part) {
        if let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.part.is(old)) {
            sealed.part = new;
        }
    }

    /// The share of dead rows among the rows of segments, 0 to 1.
    pub fn fragmentation(&self) -> f64 {
        let segments = || self.sealed.iter().filter(|sealed| sealed.part.kind().is_some());
        let rows: usize = segments().map(|sealed| sealed.part.rows()).sum();
        let dead: u64 = segments().map(|sealed| u64::from(sealed.dead.dead())).sum();
        if rows == 0 { 0.0 } else { dead as f64 / rows as f64 }
    }

    /// The content of a version in the place of this one, shared with it; gives the LSN.
    pub fn replace_with(&mut self, version: &Version) -> u64 {
        self.replace(version.whole(), version.description(), self.lsn + 1);
        self.lsn
    }

    /// Another content in the place of this one.
    pub fn replace(&mut self, sealed: Vec<Sealed>, description: Description, lsn: u64) {
        *self = Collection::of(description, sealed, lsn);
    }

    /// Applies a change of a collection that has no log.
    fn commit(&mut self, change: &Change) -> Result<()> {
        self.check(change)?;
        self.apply(self.lsn + 1, change).map(|_| ())
    }

    /// Inserts or replaces an entry. Nothing changes when it is refused.
    pub fn put(&mut self, id: &str, vector: &[f32], metadata: Option<&str>, rule: MetadataRule) -> Result<()> {
        let entry = self.prepare(id, vector, metadata, rule)?;
        self.insert(entry)
    }

    /// Inserts or replaces a finished entry, which may be shared with other collections.
    pub fn insert(&mut self, entry: Arc<Entry>) -> Result<()> {
        self.check_length(self.description.dimension, &entry.id, entry.vector.len())?;
        self.description.dimension = Some(entry.vector.len());
        self.place_row(Row { entry, lsn: self.lsn + 1 })?;
        self.lsn += 1;
        Ok(())
    }

    /// Replaces an entry's metadata; `false` when there is no such entry.
    pub fn set_metadata(&mut self, id: &str, metadata: Option<&str>) -> Result<bool> {
        let Some(change) = self.metadata_change(id, metadata)? else { return Ok(false) };
        self.commit(&change).map(|()| true)
    }

    /// The change that replaces an entry's metadata; `None` when there is no such entry.
    pub fn metadata_change(&self, id: &str, metadata: Option<&str>) -> Result<Option<Change>> {
        let checked = Entry::new(id, vec![0.0], metadata)?;
        Ok(self.has(id)?.then_some(Change::SetMetadata(checked.id, checked.metadata)))
    }

    /// Removes an entry; `false` when there is none.
    pub fn delete(&mut self, id: &str) -> Result<bool> {
        let there = self.has(id)?;
        if there {
            self.commit(&Change::Delete(vec![id.into()]))?;
        }
        Ok(there)
    }

    /// Removes everything; the dimension stays.
    pub fn clear(&mut self) -> Result<()> {
        self.commit(&Change::Clear)
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
            assert_eq!(collection.get("a").unwrap().unwrap().metadata.as_deref(), Some(r#"{"a":1}"#), "{text:?}");
        }
        put(&mut collection, Some("{}"));
        assert_eq!(collection.get("a").unwrap().unwrap().metadata.as_deref(), Some("{}"));
        collection.put("a", &[1.0], None, MetadataRule::Replace).unwrap();
        assert!(collection.get("a").unwrap().unwrap().metadata.is_none());
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
                    collection.clear().unwrap();
                    model.clear();
                }
                _ => assert_eq!(collection.delete(&id).unwrap(), model.remove(&id).is_some()),
            }
            if step % 4_000 == 0 {
                versions.push((collection.version(), model.clone()));
            }
        }
        versions.push((collection.version(), model));
        for (version, model) in versions {
            let held: BTreeMap<String, f32> =
                version.entries().map(|e| e.unwrap()).map(|entry| (entry.id.to_string(), entry.vector[0])).collect();
            assert_eq!(held, model);
            assert_eq!(version.len(), model.len());
        }
    }
}
