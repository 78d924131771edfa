//! The snapshots of a folder. There is no list beside them: each says of itself what it is, so that nothing can disagree.

use super::content::{self, Content, Found};
use super::pack;
use super::staging;
use crate::env::fs::{Fs, replace};
use crate::error::{Error, Kind, Result};
use crate::format::entry::shown;
use crate::limits::CHAIN_MAX;
use crate::store::tarball::Packing;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file beside a snapshot that keeps it from being removed.
const PIN: &str = ".pin";

/// A snapshot and its place.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The folder or file.
    pub path: PathBuf,
    /// What it says of itself.
    pub found: Found,
    /// How it is packed; none: it is a folder.
    pub packing: Option<Packing>,
    /// Whether it may not be removed.
    pub pinned: bool,
    /// Bytes of it: of the file, or of the files in the folder.
    pub bytes: u64,
}

/// Something in the folder that looks like a snapshot and cannot be read.
#[derive(Debug)]
pub struct Damaged {
    /// The folder or file.
    pub path: PathBuf,
    /// What is wrong.
    pub error: Error,
}

impl Entry {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.found.snapshot.id
    }

    /// What it holds of the collection with that id, in hex.
    pub fn content(&self, collection: &str) -> Option<&Content> {
        self.found.snapshot.collections.iter().find(|content| content.id == collection)
    }
}

/// All snapshots of a folder, oldest first, and what cannot be read. What is not ours is passed over.
pub fn list(fs: &dyn Fs, directory: &Path) -> Result<(Vec<Entry>, Vec<Damaged>)> {
    let (mut entries, mut damaged) = (Vec::new(), Vec::new());
    let names = fs.list(directory)?;
    for name in names.iter().filter(|name| !name.starts_with('.') && !name.ends_with(PIN)) {
        let path = directory.join(name);
        let packing = Packing::of_name(name);
        let found = match packing.is_some() || holds_content(fs, &path)? {
            true => read(fs, &path, names.contains(&format!("{name}{PIN}"))),
            false => continue,
        };
        match found {
            Ok(entry) => entries.push(entry),
            // A disk that fails says nothing about the snapshot; one that is being removed is gone.
            Err(error) if error.kind == Kind::Io => return Err(error),
            Err(error) if error.cause_code() == Some("ENOENT") => {}
            Err(error) => damaged.push(Damaged { path, error }),
        }
    }
    entries.sort_by(|a, b| {
        let order = |entry: &Entry| (entry.found.snapshot.created, entry.path.clone());
        order(a).cmp(&order(b))
    });
    Ok((entries, damaged))
}

/// Whether it is a folder with a `SNAPSHOT`. What cannot be looked at is no folder without one.
fn holds_content(fs: &dyn Fs, path: &Path) -> Result<bool> {
    match fs.list(path) {
        Ok(names) => Ok(names.iter().any(|name| name == content::FILE_NAME)),
        Err(error) if matches!(error.cause_code(), Some("ENOTDIR" | "ELOOP" | "EACCES")) => Ok(false),
        Err(error) => Err(error),
    }
}

fn read(fs: &dyn Fs, path: &Path, pinned: bool) -> Result<Entry> {
    let packing = path.file_name().and_then(|name| Packing::of_name(&name.to_string_lossy()));
    let found = match packing {
        None => content::read(fs, path)?,
        Some(_) => pack::read(fs, path)?,
    };
    let bytes = match packing {
        None => found.snapshot.held_bytes(),
        Some(_) => fs.open(path)?.length()?,
    };
    Ok(Entry { path: path.to_path_buf(), found, packing, pinned, bytes })
}

/// The snapshot at that place.
pub fn at(fs: &dyn Fs, path: &Path) -> Result<Entry> {
    let pinned = fs.list(directory_of(path))?.contains(&pin_name(path));
    read(fs, path, pinned).map_err(|error| match error.cause_code() {
        Some("ENOENT" | "ENOTDIR") => {
            Error::new(Kind::SnapshotNotFound, "there is no snapshot at this place").in_file(path)
        }
        _ => error,
    })
}

/// The folder that a snapshot is in.
pub fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn pin_name(path: &Path) -> String {
    format!("{}{PIN}", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The snapshot that a word means: an id, `latest`, or a name (the newest of that name).
pub fn find<'a>(entries: &'a [Entry], word: &str) -> Result<&'a Entry> {
    let by_id = || entries.iter().find(|entry| entry.id() == word);
    let latest = || entries.last().filter(|_| word == "latest");
    let by_name = || entries.iter().rev().find(|entry| entry.found.snapshot.name.as_deref() == Some(word));
    let found = by_id().or_else(latest).or_else(by_name);
    found.ok_or_else(|| Error::new(Kind::SnapshotNotFound, format!("Snapshot {} not found", shown(word))))
}

/// A snapshot and what it builds on, itself first.
pub fn chain<'a>(fs: &dyn Fs, entries: &'a [Entry], top: &'a Entry) -> Result<Vec<&'a Entry>> {
    let mut chain = vec![top];
    let mut last = top;
    while let Some(base) = &last.found.snapshot.base {
        let broken = |what: &str| {
            let message = format!("snapshot '{}' builds on '{}', which {what}", last.id(), base.id);
            Err(Error::new(Kind::Chain, message).in_file(&last.path))
        };
        let Some(found) = entries.iter().find(|entry| entry.id() == base.id) else {
            let named = directory_of(&last.path).join(&base.id);
            return match holds_content(fs, &named)? {
                true => broken("is damaged"),
                false => broken("is missing"),
            };
        };
        if found.found.checksum != base.checksum || found.found.store != top.found.store {
            return broken("is not the one that it was made with");
        }
        if chain.len() >= CHAIN_MAX {
            return broken("is beyond the longest chain that is possible");
        }
        chain.push(found);
        last = found;
    }
    Ok(chain)
}

/// The ids of those that build on a snapshot directly.
pub fn dependants<'a>(entries: &'a [Entry], id: &str) -> Vec<&'a str> {
    let builds_on = |entry: &&Entry| entry.found.snapshot.base.as_ref().is_some_and(|base| base.id == id);
    entries.iter().filter(builds_on).map(Entry::id).collect()
}

/// Removes a snapshot. One that is pinned, and one that another builds on, is refused.
pub fn remove(fs: &Arc<dyn Fs>, entries: &[Entry], entry: &Entry) -> Result<()> {
    if entry.pinned {
        return Err(Error::new(Kind::Exists, format!("snapshot '{}' is pinned", entry.id())).in_file(&entry.path));
    }
    let dependants = dependants(entries, entry.id());
    if let Some(first) = dependants.first() {
        let message = format!(
            "snapshot '{}' is the base of {} other{} ('{first}'{}): remove those first",
            entry.id(),
            dependants.len(),
            if dependants.len() > 1 { "s" } else { "" },
            if dependants.len() > 1 { ", …" } else { "" },
        );
        return Err(Error::new(Kind::Chain, message).in_file(&entry.path));
    }
    staging::remove(fs, directory_of(&entry.path), entry.id(), &entry.path, entry.packing.is_some())
}

/// Keeps a snapshot from being removed, or lets it go again. It survives everything that the snapshot survives.
pub fn pin(fs: &dyn Fs, entry: &Entry, pinned: bool) -> Result<()> {
    let directory = directory_of(&entry.path);
    let path = directory.join(pin_name(&entry.path));
    match pinned {
        true => replace(fs, &path, b"").map_err(|refused| refused.error),
        false => {
            fs.remove(&path)?;
            fs.sync_directory(directory)
        }
    }
}
