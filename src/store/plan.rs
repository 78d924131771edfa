//! What has to be done to a database that holds one version so that it holds another.

use super::collection::Collection;
use super::version::Version;
use crate::error::Result;
use crate::format::Entry;
use std::sync::Arc;

/// The difference between two versions.
#[derive(Debug, Default)]
pub struct Plan {
    /// Ids that are only in the old version.
    pub removed: Vec<Arc<Entry>>,
    /// Ids that are in both with different content, as they are in the new version.
    pub changed: Vec<Arc<Entry>>,
    /// Entries of the new version that are changed or added, in its order.
    pub puts: Vec<Arc<Entry>>,
}

/// A version with an index on id.
fn indexed(version: &Version) -> Result<Collection> {
    let mut collection = Collection::default();
    for entry in version.entries() {
        collection.insert(entry?)?;
    }
    Ok(collection)
}

impl Plan {
    /// The plan from `old` to `new`.
    pub fn between(old: &Version, new: &Version) -> Result<Plan> {
        let mut plan = Plan::default();
        let (old_ids, new_ids) = (indexed(old)?, indexed(new)?);
        for entry in new.entries() {
            let entry = entry?;
            match old_ids.get(&entry.id)? {
                Some(found) if Arc::ptr_eq(&found, &entry) || found.same_content(&entry) => {}
                Some(_) => {
                    plan.changed.push(entry.clone());
                    plan.puts.push(entry);
                }
                None => plan.puts.push(entry),
            }
        }
        for entry in old.entries() {
            let entry = entry?;
            if !new_ids.has(&entry.id)? {
                plan.removed.push(entry);
            }
        }
        Ok(plan)
    }

    /// How many ids are only in the new version.
    pub fn added(&self) -> usize {
        self.puts.len() - self.changed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MetadataRule;

    fn version(entries: &[(&str, f32)]) -> Version {
        let mut collection = Collection::default();
        for (id, x) in entries {
            collection.put(id, &[*x], None, MetadataRule::Replace).unwrap();
        }
        collection.version()
    }

    #[test]
    fn a_plan_names_what_differs_and_nothing_else() {
        let old = version(&[("same", 1.0), ("changed", 1.0), ("removed", 1.0)]);
        let new = version(&[("added", 2.0), ("changed", 2.0), ("same", 1.0)]);
        let plan = Plan::between(&old, &new).unwrap();
        let ids = |entries: &[Arc<Entry>]| entries.iter().map(|entry| entry.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&plan.removed), ["removed"]);
        assert_eq!(ids(&plan.changed), ["changed"]);
        assert_eq!(ids(&plan.puts), ["added", "changed"]);
        assert_eq!(plan.added(), 1);
        let none = Plan::between(&old, &old).unwrap();
        assert!(none.removed.is_empty() && none.puts.is_empty());
    }
}
