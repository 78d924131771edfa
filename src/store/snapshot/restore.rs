//! Bringing a snapshot back: checked first, written beside what is there, then put in its place by one manifest.
//!
//! On an error, or in a crash, a collection has its old content or the new one. The log of before stays, so that one can go
//! back to any moment of it, also to the one before the restore.

use super::catalog::{self, Entry};
use super::complete::Complete;
use super::content::Content;
use super::create::FOLDER;
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::format::document::hex;
use crate::manifest::{Engine, Origin, Settings, SyncMode};
use crate::store::open::Store;
use crate::store::paths::check_name;
use crate::store::stored::StoredCollection;
use crate::store::verify::{Damage, Verified};
use crate::store::version::Version;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct Restore {
    /// The folder of snapshots; the one of the store when none is given.
    pub directory: Option<PathBuf>,
    /// Id, name, `latest`, or the path of the snapshot itself.
    pub snapshot: String,
    /// The collections; all of the snapshot when none is given.
    pub collections: Option<Vec<String>>,
    /// Another name for the one collection that is brought back.
    pub target: Option<String>,
    /// Put the content in the place of what is there.
    pub overwrite: bool,
    /// Read and check every byte before anything is written.
    pub verify: bool,
}

/// A collection that was brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Its name now.
    pub name: String,
    /// Its name in the snapshot.
    pub from: String,
    /// The change of the collection, then, that it is as of.
    pub lsn: u64,
    /// Its entries.
    pub entries: u64,
}

impl Store {
    /// The snapshots of a folder, oldest first, and what looks like one and cannot be read.
    pub fn snapshots(&self, directory: Option<&Path>) -> Result<(Vec<Entry>, Vec<catalog::Damaged>)> {
        catalog::list(&**self.fs(), &self.snapshot_folder(directory))
    }

    /// The folder of snapshots.
    pub fn snapshot_folder(&self, directory: Option<&Path>) -> PathBuf {
        directory.map_or_else(|| self.base().join(FOLDER), Path::to_path_buf)
    }

    /// The snapshot that a word means: id, name, `latest`, or a path.
    pub fn find_snapshot(&self, directory: Option<&Path>, word: &str) -> Result<Entry> {
        if Path::new(word).is_absolute() {
            return catalog::at(&**self.fs(), Path::new(word));
        }
        let (entries, damaged) = self.snapshots(directory)?;
        catalog::find(&entries, word).cloned().map_err(|missing| {
            // The one that is asked for may be there and damaged: then that is what the caller has to know.
            let is_it = |damaged: &catalog::Damaged| {
                damaged.path.file_name().is_some_and(|name| name.to_string_lossy().split(".tar").next() == Some(word))
            };
            damaged.into_iter().find(is_it).map_or(missing, |damaged| damaged.error)
        })
    }

    /// Reads every byte of a snapshot and of those that it builds on.
    pub fn verify_snapshot(&self, entry: &Entry, control: &Control) -> Result<Verified> {
        let complete = match Complete::of(self.fs(), entry, control) {
            Ok(complete) => complete,
            Err(error) if matches!(error.kind, Kind::Corrupt | Kind::Format | Kind::Checksum | Kind::Chain) => {
                return Ok(Verified::of_damage(&entry.path, &error, entry.found.snapshot.entries()));
            }
            Err(error) => return Err(error),
        };
        let store = complete.open()?;
        let mut whole = Verified::default();
        for content in &entry.found.snapshot.collections {
            let mut found = store.verify(&content.name, control)?;
            if complete.is_temporary() {
                // The folder goes again: the place that stays is the snapshot.
                found.damage.iter_mut().for_each(|damage| damage.path = entry.path.clone());
            }
            whole.add(found);
        }
        Ok(whole)
    }

    /// Removes a snapshot. One that is pinned, and one that another builds on, is refused.
    pub fn remove_snapshot(&self, entry: &Entry) -> Result<()> {
        let (entries, _) = catalog::list(&**self.fs(), catalog::directory_of(&entry.path))?;
        catalog::remove(self.fs(), &entries, entry)
    }

    /// Keeps a snapshot from being removed, or lets it go again.
    pub fn pin_snapshot(&self, entry: &Entry, pinned: bool) -> Result<()> {
        catalog::pin(&**self.fs(), entry, pinned)
    }

    /// Brings a snapshot back. Several collections come one after another, each as a whole.
    pub fn restore(&self, request: &Restore, control: &Control) -> Result<(Entry, Vec<Restored>)> {
        let entry = self.find_snapshot(request.directory.as_deref(), &request.snapshot)?;
        let chosen = chosen(&entry, request)?;
        for (_, target) in &chosen {
            self.check_target(target, request.overwrite)?;
        }
        let complete = Complete::of(self.fs(), &entry, control)?;
        let source = complete.open()?;
        if request.verify {
            for (content, _) in &chosen {
                let found = source.verify(&content.name, control)?;
                if let Some(damage) = found.damage.first() {
                    return Err(damaged(&entry, damage));
                }
            }
        }
        let mut restored = Vec::with_capacity(chosen.len());
        for (content, target) in chosen {
            control.check()?;
            let from = source.collection(&content.name)?;
            let settings = from.manifest().settings;
            let version = from.version();
            if version.lsn() != content.lsn || version.len() as u64 != content.entries {
                let message = format!("collection '{}' does not hold what the snapshot says", content.name);
                return Err(Error::new(Kind::Corrupt, message).in_file(&entry.path));
            }
            let (store, collection) = (hex(&entry.found.store), content.id.clone());
            let origin = Origin { store, collection, lsn: content.lsn };
            self.put(&target, settings, &version, (origin, content.time))?;
            let (name, from) = (target, content.name.clone());
            restored.push(Restored { name, from, lsn: content.lsn, entries: content.entries });
        }
        source.close()?;
        Ok((entry, restored))
    }

    /// Refuses a collection that holds something, unless that may be replaced.
    pub(in crate::store) fn check_target(&self, name: &str, overwrite: bool) -> Result<()> {
        check_name(name)?;
        match self.collection(name) {
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(found) if overwrite || found.read(|state| state.is_empty()) => Ok(()),
            Ok(_) => {
                let message =
                    format!("collection '{name}' is there and not empty; overwrite: true replaces its content");
                Err(Error::new(Kind::Exists, message).in_file(self.base()))
            }
        }
    }

    /// Gives a collection that content, or makes one with it. `origin`: of which collection, and as of which change and
    /// time, it is. One that is made has the numbers of changes of that one, and goes on with them.
    pub(in crate::store) fn put(
        &self,
        name: &str,
        settings: Settings,
        version: &Version,
        (origin, time): (Origin, u64),
    ) -> Result<()> {
        match self.collection(name) {
            Ok(found) => {
                let own = hex(&found.owner().collection) == origin.collection;
                found.go_back(version, own.then_some(origin.lsn)).map(|_| ())
            }
            Err(error) if error.kind == Kind::NotFound => {
                let scratch = self.scratch_at(&settings, Some((origin, time)))?;
                let filled = scratch.core().fill(version);
                self.settle_scratch(scratch, settings, name, filled)
            }
            Err(error) => Err(error),
        }
    }

    /// A collection without a name, to be filled: fast, since nothing of it has to survive.
    pub(in crate::store) fn scratch(&self, settings: &Settings) -> Result<Arc<StoredCollection>> {
        self.scratch_at(settings, None)
    }

    fn scratch_at(&self, settings: &Settings, origin: Option<(Origin, u64)>) -> Result<Arc<StoredCollection>> {
        let mut quick = settings.clone();
        quick.engine = Engine::Mmap;
        quick.read_only = false;
        quick.wal.sync_mode = SyncMode::Async;
        quick.wal.retention = 0;
        quick.wal.directory = None;
        quick.wal.archive = None;
        self.create_hidden(quick, origin)
    }

    /// Gives a collection that was filled its name and its settings; removes it after an error.
    pub(in crate::store) fn settle_scratch(
        &self,
        scratch: Arc<StoredCollection>,
        settings: Settings,
        name: &str,
        filled: Result<()>,
    ) -> Result<()> {
        let filled = filled.and_then(|()| {
            scratch.checkpoint()?;
            let known = scratch.version().description();
            scratch.configure(|own| {
                *own = settings;
                own.describe(known);
            })
        });
        match filled {
            Ok(()) => self.name_hidden(&scratch, name),
            Err(error) => {
                // What cannot be removed is swept when the store is opened for writing.
                let _ = self.remove_hidden(&scratch);
                Err(error)
            }
        }
    }
}

/// The collections that are wanted, each with the name that it is to have.
fn chosen<'a>(entry: &'a Entry, request: &Restore) -> Result<Vec<(&'a Content, String)>> {
    let all = &entry.found.snapshot.collections;
    let mut chosen = Vec::new();
    match &request.collections {
        None => chosen.extend(all.iter()),
        Some(names) => {
            for name in names {
                let missing = || {
                    let message = format!("snapshot '{}' holds no collection '{name}'", entry.id());
                    Error::new(Kind::NotFound, message).in_file(&entry.path)
                };
                chosen.push(all.iter().find(|content| content.name == *name).ok_or_else(missing)?);
            }
        }
    }
    if let Some(target) = &request.target {
        let [content] = chosen.as_slice() else {
            let message = format!("{} collections cannot all be restored as '{target}': choose one", chosen.len());
            return Err(Error::new(Kind::Exists, message).in_file(&entry.path));
        };
        return Ok(vec![(*content, target.clone())]);
    }
    Ok(chosen.into_iter().map(|content| (content, content.name.clone())).collect())
}

pub(super) fn damaged(entry: &Entry, damage: &Damage) -> Error {
    let message = format!(
        "snapshot '{}' is damaged, nothing was restored: {} at {} of {}",
        entry.id(),
        damage.what,
        damage.offset,
        damage.path.display()
    );
    Error::new(Kind::Corrupt, message).at(damage.offset).in_file(&entry.path)
}
