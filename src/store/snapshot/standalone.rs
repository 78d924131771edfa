//! Snapshots without the store that they were taken of: a folder of them is read by itself.

use super::catalog::{self, Damaged, Entry};
use super::complete::Complete;
use super::restore::damaged;
use super::staging;
use crate::control::Control;
use crate::env::fs::{Disk, Fs};
use crate::error::{Error, Kind, Result};
use crate::store::collection::Collection;
use std::path::Path;
use std::sync::Arc;

fn disk() -> Arc<dyn Fs> {
    Arc::new(Disk)
}

/// The snapshots of a folder, oldest first, and what looks like one and cannot be read.
pub fn snapshots_in(directory: &Path) -> Result<(Vec<Entry>, Vec<Damaged>)> {
    catalog::list(&*disk(), directory)
}

/// Removes a snapshot. One that is pinned, that another builds on, or that is being read is refused.
pub fn remove_snapshot(entry: &Entry) -> Result<()> {
    let (entries, _) = snapshots_in(catalog::directory_of(&entry.path))?;
    catalog::remove(&disk(), &entries, entry)
}

/// Removes what looks like the snapshot of that id and cannot be read.
pub fn remove_damaged_snapshot(id: &str, damaged: &Damaged) -> Result<()> {
    let is_file = crate::store::tarball::Packing::of_name(&damaged.path.to_string_lossy()).is_some();
    staging::remove(&disk(), catalog::directory_of(&damaged.path), id, &damaged.path, is_file)
}

/// What a snapshot holds of a collection, in memory as far as it is not mapped. With `verify`, every byte is read first.
pub fn content_of(entry: &Entry, name: &str, verify: bool, control: &Control) -> Result<Collection> {
    let complete = Complete::of(&disk(), entry, control)?;
    let source = complete.open()?;
    if verify && let Some(damage) = source.verify(name, control)?.damage.first() {
        return Err(damaged(entry, damage));
    }
    let version = source.collection(name)?.version();
    let said = entry.found.snapshot.collections.iter().find(|content| content.name == name);
    if said.is_none_or(|said| said.entries != version.len() as u64) {
        let message = format!("snapshot '{}' does not hold what it says of '{name}'", entry.id());
        return Err(Error::new(Kind::Corrupt, message).in_file(&entry.path));
    }
    let mut collection = Collection::new(version.description());
    collection.replace_with(&version);
    source.close()?;
    Ok(collection)
}
