//! A snapshot that is being made: a folder under a hidden name, which gets its own name when everything in it is durable.
//!
//! Its maker holds a lock beside it, named by the id: so an id is given once, and what a killed process left is told from
//! what a living one is making.

use super::id::id_at;
use super::reading;
use crate::env::fs::{Fs, Lock};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::store::tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const PREFIX: &str = ".ruvector-persistence-";
const FOLDER: &str = ".snapshot";
const PACKED: &str = ".packed";
pub(super) const LOCK: &str = ".lock";

/// Removed with everything in it unless it is published.
#[derive(Debug)]
pub struct Staging {
    fs: Arc<dyn Fs>,
    directory: PathBuf,
    id: String,
    lock: Option<Box<dyn Lock>>,
}

pub(super) fn name(id: &str, what: &str) -> String {
    format!("{PREFIX}{id}{what}")
}

impl Staging {
    /// Takes an id and makes the folder. `None`: another process is making a snapshot of that id.
    pub fn begin(fs: &Arc<dyn Fs>, directory: &Path, id: &str) -> Result<Option<Staging>> {
        let held = fs.lock(&directory.join(name(id, LOCK)), &format!("process {}", std::process::id()));
        let lock = match held {
            Err(error) if error.kind == Kind::Locked => return Ok(None),
            other => Some(other?),
        };
        let staging = Staging { fs: fs.clone(), directory: directory.to_path_buf(), id: id.to_owned(), lock };
        failpoint::hit("snapshot.after_lock")?;
        staging.remove()?;
        fs.make_directory(&staging.folder())?;
        Ok(Some(staging))
    }

    /// The same under an id that nobody has, which begins with `what`: for a folder that is never published.
    pub fn fresh(fs: &Arc<dyn Fs>, directory: &Path, what: &str) -> Result<Staging> {
        let mut refused = BTreeSet::new();
        loop {
            let id = format!("{what}-{}", id_at(fs.now_us(), |id| refused.contains(&format!("{what}-{id}"))));
            match Staging::begin(fs, directory, &id)? {
                Some(staging) => return Ok(staging),
                None => refused.insert(id),
            };
        }
    }

    /// The folder.
    pub fn folder(&self) -> PathBuf {
        self.directory.join(name(&self.id, FOLDER))
    }

    /// Where the folder is packed into one file.
    pub fn packed(&self) -> PathBuf {
        self.directory.join(name(&self.id, PACKED))
    }

    /// Gives the folder, or the one file that it was packed into, its name. Everything in it is durable already.
    pub fn publish(self, as_file: bool, place: &Path) -> Result<()> {
        failpoint::hit("snapshot.before_name")?;
        let from = if as_file { self.packed() } else { self.folder() };
        self.fs.rename(&from, place)?;
        failpoint::hit("snapshot.after_name")?;
        // In doubt after an error: a whole snapshot is there, or none.
        place.parent().map_or(Ok(()), |parent| self.fs.sync_directory(parent))
    }

    fn remove(&self) -> Result<()> {
        tree::remove_snapshot(&*self.fs, &self.folder())?;
        self.fs.remove(&self.packed()).map(|_| ())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is swept when the next snapshot is made.
        if self.remove().is_ok() {
            let _ = self.fs.remove(&self.directory.join(name(&self.id, LOCK)));
        }
        drop(self.lock.take());
    }
}

/// Removes what processes that were killed left of snapshots; gives the number of them.
pub fn sweep(fs: &Arc<dyn Fs>, directory: &Path) -> Result<usize> {
    let id = |found: &String| {
        let rest = found.strip_prefix(PREFIX)?;
        // A crash may have kept any of the three and lost the others.
        let id = [LOCK, FOLDER, PACKED].into_iter().find_map(|suffix| rest.strip_suffix(suffix))?;
        super::id::check_id(id).is_ok().then(|| id.to_owned())
    };
    let ids: BTreeSet<String> = fs.list(directory)?.iter().filter_map(id).collect();
    let mut swept = 0;
    for id in ids {
        let lock = directory.join(name(&id, LOCK));
        match fs.lock(&lock, "a process that removes what another left") {
            Err(error) if error.kind == Kind::Locked => {}
            Err(error) => return Err(error),
            Ok(lock) => {
                let (fs, directory) = (fs.clone(), directory.to_path_buf());
                drop(Staging { fs, directory, id, lock: Some(lock) });
                swept += 1;
            }
        }
    }
    Ok(swept)
}

/// Takes a snapshot out of sight at once, then removes it. One that is being read is refused.
pub fn remove(fs: &Arc<dyn Fs>, directory: &Path, id: &str, place: &Path, is_file: bool) -> Result<()> {
    let busy = || Error::new(Kind::Locked, format!("snapshot '{id}' is being made or removed by another process"));
    let staging = Staging::begin(fs, directory, id)?.ok_or_else(busy)?;
    reading::check_unread(&**fs, directory, id)?;
    let target = if is_file { staging.packed() } else { staging.folder() };
    if !is_file {
        fs.remove_directory(&target)?;
    }
    failpoint::hit("snapshot.before_removal")?;
    fs.rename(place, &target)?;
    fs.sync_directory(directory)?;
    failpoint::hit("snapshot.after_removal")?;
    staging.remove()
}
