//! The difference between two versions, as places in them: which entries of the new one are added or changed, and which of
//! the old one are gone.
//!
//! What both hold in the very same place (a part, a block of rows, an entry) is passed over without being read. What is
//! left is matched by id, and its content decides. Memory: some twenty bytes for each entry that is not passed over; no
//! ids, no vectors.

use super::part::{RowView, Sealed};
use super::version::{Cursor, Version};
use crate::control::Control;
use crate::error::Result;
use crate::format::Entry;
use crate::format::entry::same_members;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Rows between two looks whether the call is still wanted.
const ROWS_AT_ONCE: usize = 4_096;

/// The difference from one version to another.
#[derive(Debug, Default)]
pub struct Difference {
    /// Entries of the new version that the old one does not have, ascending.
    pub added: Vec<Cursor>,
    /// Entries of the new version whose ids have another content in the old one, ascending; and where they are there.
    pub changed: Vec<(Cursor, Cursor)>,
    /// Entries of the old version whose ids the new one does not have, ascending.
    pub removed: Vec<Cursor>,
}

/// A row of the old version that has to be looked for.
struct Suspect {
    hash: u64,
    cursor: Cursor,
    found: bool,
}

/// The live rows of `own` that `other` does not have in the same part.
fn apart(own: &Version, other: &Version) -> impl Iterator<Item = Cursor> {
    let mut base = 0;
    let sealed = own.sealed().iter().flat_map(move |sealed| {
        let start = base;
        base += sealed.part.rows();
        let twin: Option<&Sealed> = other.sealed().iter().find(|twin| twin.part.is(&sealed.part));
        let shared = move |row: &u32| twin.is_some_and(|twin| !twin.dead.is_dead(*row));
        sealed.dead.live_from(0).filter(move |row| !shared(row)).map(move |row| start + row as usize)
    });
    let (first, rows) = own.newest();
    sealed.chain(rows.apart_from(other.newest().1).map(move |row| first + row))
}

fn same(a: RowView<'_>, b: RowView<'_>) -> bool {
    let bits = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
    a.vector.len() == b.vector.len() && a.vector.iter().zip(b.vector).all(bits) && same_members(a.metadata, b.metadata)
}

impl Difference {
    /// What leads from `old` to `new`.
    pub fn between(old: &Version, new: &Version, control: &Control) -> Result<Difference> {
        let hasher = RandomState::new();
        let mut suspects = Vec::new();
        for cursor in apart(old, new) {
            if suspects.len() % ROWS_AT_ONCE == 0 {
                control.check()?;
            }
            let hash = old.with(cursor, |row| hasher.hash_one(row.id))?;
            suspects.extend(hash.map(|hash| Suspect { hash, cursor, found: false }));
        }
        suspects.sort_unstable_by_key(|suspect| suspect.hash);
        let mut difference = Difference::default();
        for (number, cursor) in apart(new, old).enumerate() {
            if number % ROWS_AT_ONCE == 0 {
                control.check()?;
            }
            let held = new.with(cursor, |row| find(old, &mut suspects, hasher.hash_one(row.id), row))?;
            match held.transpose()?.flatten() {
                None => difference.added.push(cursor),
                Some((_, true)) => {}
                Some((before, false)) => difference.changed.push((cursor, before)),
            }
        }
        difference.removed = suspects.iter().filter(|suspect| !suspect.found).map(|suspect| suspect.cursor).collect();
        difference.removed.sort_unstable();
        Ok(difference)
    }

    /// Whether the two hold the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// How many entries of the new version are added or changed.
    pub fn puts(&self) -> usize {
        self.added.len() + self.changed.len()
    }

    /// The places of those entries in the new version, in its order.
    pub fn put_cursors(&self) -> Vec<Cursor> {
        let mut cursors: Vec<Cursor> =
            self.added.iter().copied().chain(self.changed.iter().map(|(cursor, _)| *cursor)).collect();
        cursors.sort_unstable();
        cursors
    }

    /// The places in the old version of all that is not there any more, in its order.
    pub fn gone_cursors(&self) -> Vec<Cursor> {
        let mut cursors: Vec<Cursor> =
            self.removed.iter().copied().chain(self.changed.iter().map(|(_, before)| *before)).collect();
        cursors.sort_unstable();
        cursors
    }
}

/// The row of `old` that has the id of `row`, and whether it has the same content.
fn find(old: &Version, suspects: &mut [Suspect], hash: u64, row: RowView<'_>) -> Result<Option<(Cursor, bool)>> {
    let first = suspects.partition_point(|suspect| suspect.hash < hash);
    for suspect in suspects.iter_mut().skip(first).take_while(|suspect| suspect.hash == hash) {
        let found = old.with(suspect.cursor, |held| (held.id == row.id).then(|| same(held, row)))?;
        if let Some(is_same) = found.flatten() {
            suspect.found = true;
            return Ok(Some((suspect.cursor, is_same)));
        }
    }
    Ok(None)
}

/// The entries at these places.
pub fn entries_at(version: &Version, cursors: &[Cursor]) -> impl Iterator<Item = Result<Arc<Entry>>> {
    cursors.iter().filter_map(|cursor| version.entry(*cursor).transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Collection, MetadataRule};
    use std::collections::BTreeMap;

    type Content = BTreeMap<String, u32>;

    fn content(version: &Version) -> Content {
        version
            .entries()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.id.to_string(), entry.vector[0] as u32))
            .collect()
    }

    /// Applies the difference to the content of `old`; every place that it names must hold what it says.
    fn applied(old: &Version, new: &Version) -> Content {
        let difference = Difference::between(old, new, &Control::default()).unwrap();
        let mut content = content(old);
        for entry in entries_at(old, &difference.removed) {
            assert!(content.remove(&*entry.unwrap().id).is_some(), "what is removed was there");
        }
        for (now, before) in &difference.changed {
            let (now, before) = (new.entry(*now).unwrap().unwrap(), old.entry(*before).unwrap().unwrap());
            assert!(now.id == before.id && !now.same_content(&before), "{now:?} is no change of {before:?}");
        }
        for entry in entries_at(new, &difference.put_cursors()) {
            let entry = entry.unwrap();
            content.insert(entry.id.to_string(), entry.vector[0] as u32);
        }
        assert_eq!(difference.put_cursors().len(), difference.puts());
        assert_eq!(difference.gone_cursors().len(), difference.changed.len() + difference.removed.len());
        content
    }

    #[test]
    fn a_difference_leads_from_any_version_to_any_other() {
        let mut collection = Collection::default();
        let mut versions = vec![collection.version()];
        let mut seed = 11_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for step in 0..6_000_u32 {
            let id = format!("id-{}", random(1_500));
            match random(50) {
                0 if step % 11 == 0 => collection.clear().unwrap(),
                1 if step % 3 == 0 => collection.freeze(),
                x if x < 20 => drop(collection.delete(&id).unwrap()),
                _ => collection.put(&id, &[random(3) as f32], None, MetadataRule::Replace).unwrap(),
            }
            if step % 600 == 0 {
                versions.push(collection.version());
            }
        }
        // Nothing is shared with this one, and its entries stand in another order.
        let mut strange = Collection::default();
        for entry in versions.last().unwrap().entries().collect::<Vec<_>>().into_iter().rev() {
            strange.insert(Arc::new((*entry.unwrap()).clone())).unwrap();
        }
        versions.push(strange.version());
        for old in &versions {
            for new in &versions {
                assert_eq!(applied(old, new), content(new));
            }
        }
        let [.., last, strange] = versions.as_slice() else { panic!("two versions") };
        assert!(Difference::between(last, strange, &Control::default()).unwrap().is_empty());
    }

    #[test]
    fn what_both_share_is_not_looked_at() {
        let mut collection = Collection::default();
        for id in 0..5_000 {
            collection.put(&format!("id-{id}"), &[id as f32], None, MetadataRule::Replace).unwrap();
        }
        let old = collection.version();
        collection.put("id-4000", &[0.5], None, MetadataRule::Replace).unwrap();
        collection.put("id-7", &[7.0], None, MetadataRule::Replace).unwrap();
        let new = collection.version();
        assert_eq!(apart(&old, &new).collect::<Vec<_>>(), [7, 4_000]);
        let difference = Difference::between(&old, &new, &Control::default()).unwrap();
        assert_eq!(
            (difference.added.len(), difference.changed.as_slice(), difference.removed.len()),
            (0, &[(4_000, 4_000)][..], 0)
        );
    }
}
