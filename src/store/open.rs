//! A store: one directory, its identity, its lock, its collections.

use super::collection::Collection;
use super::log::held;
use super::paths::{COLLECTIONS, Paths, RUNS, check_name};
use super::recovery;
use super::sealing::check_engine;
use super::snapshot;
use super::stored::StoredCollection;
use super::tree::{remove_collection, remove_files};
use super::verify::Verified;
use crate::control::Control;
use crate::env::fs::{Fs, Lock, read_whole, replace};
use crate::env::new_uuid;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, HEADER_BYTES, Header, Owner, VERSION, array};
use crate::manifest::{self, Engine, Origin, Root, Settings};
use crate::sync::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The identity of the store.
pub const STORE: &str = "STORE";
const LOCK: &str = "LOCK";
/// A collection that is being removed; such a name cannot be given to a collection.
const DROPPED: &str = ".dropped-";

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenStore {
    /// Open for reading only, without the lock, also while another process writes.
    pub read_only: bool,
    /// Make the store when there is none.
    pub create: bool,
    /// Make it also in a folder that holds other files.
    pub among_others: bool,
    /// Who we are, for the message of whoever finds it locked.
    pub holder: String,
}

/// A store that is open.
pub struct Store {
    fs: Arc<dyn Fs>,
    base: PathBuf,
    id: [u8; 16],
    writable: bool,
    /// Shared with the collections that are open; None once the store is closed.
    lock: Mutex<Option<Arc<dyn Lock>>>,
    open: Mutex<BTreeMap<String, Arc<StoredCollection>>>,
}

/// Names that a store, its archives and snapshots, and what desktop systems leave have in its folder.
fn is_expected(name: &str) -> bool {
    [STORE, LOCK, COLLECTIONS, "STORE.tmp", "snapshots", ".incremental.json"].contains(&name)
        || name.starts_with("database.")
        || name.starts_with(".ruvector-persistence-")
        || name.starts_with("._")
        || name == ".DS_Store"
}

impl Store {
    /// Opens the store in the directory `base`, which exists.
    pub fn open(fs: Arc<dyn Fs>, base: &Path, options: &OpenStore) -> Result<Store> {
        let names = fs.list(base)?;
        let there = names.iter().any(|name| name == STORE);
        if !there && (options.read_only || !options.create) {
            let message = "there is no store in this folder: it has no file STORE";
            return Err(Error::new(Kind::NotADatabase, message).in_file(base));
        }
        if !there {
            let strange = names.iter().find(|name| name.as_str() == COLLECTIONS || !is_expected(name));
            if let Some(name) =
                strange.filter(|_| !options.among_others || names.iter().any(|name| name == COLLECTIONS))
            {
                let message =
                    format!("the folder holds '{name}' and no file STORE: no store is made among other files");
                return Err(Error::new(Kind::NotADatabase, message).in_file(base));
            }
        }
        let writable = !options.read_only;
        let lock: Option<Arc<dyn Lock>> = match writable {
            true => Some(Arc::from(fs.lock(&base.join(LOCK), &options.holder)?)),
            false => None,
        };
        failpoint::hit("store.after_lock")?;
        if !there {
            make(&*fs, base)?;
            failpoint::hit("store.after_make")?;
        } else if writable {
            // Names that a killed process gave may be known to the page cache only; what follows relies on them.
            fs.sync_directory(base)?;
            if names.iter().any(|name| name == COLLECTIONS) {
                fs.sync_directory(&base.join(COLLECTIONS))?;
            }
        }
        let id = identity(&*fs, base, writable)?;
        failpoint::hit("store.after_identity")?;
        let store =
            Store { fs, base: base.to_path_buf(), id, writable, lock: Mutex::new(lock), open: Mutex::default() };
        if writable {
            store.sweep_dropped()?;
            snapshot::sweep(&store.fs, base)?;
            if names.iter().any(|name| name == snapshot::FOLDER) {
                snapshot::sweep(&store.fs, &base.join(snapshot::FOLDER))?;
            }
        }
        Ok(store)
    }

    /// Whether nothing can be written.
    pub fn is_read_only(&self) -> bool {
        !self.writable
    }

    /// The lock for a collection that is opened; none for one that is only read.
    fn lock(&self) -> Result<Option<Arc<dyn Lock>>> {
        let lock = held(&self.lock).clone();
        match lock {
            None if self.writable => Err(Error::new(Kind::Closed, "the store is closed").in_file(&self.base)),
            lock => Ok(lock),
        }
    }

    fn check_writable(&self) -> Result<Arc<dyn Lock>> {
        let refused = || Error::new(Kind::ReadOnly, "the store was opened for reading only").in_file(&self.base);
        self.lock()?.ok_or_else(refused)
    }

    pub(super) fn fs(&self) -> &Arc<dyn Fs> {
        &self.fs
    }

    /// The clock of its file system, microseconds since 1970.
    pub fn now_us(&self) -> u64 {
        self.fs.now_us()
    }

    /// Its id.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Closes a collection, when it is open.
    pub fn close_collection(&self, name: &str) -> Result<()> {
        let found = held(&self.open).remove(name);
        found.map_or(Ok(()), |found| found.close())
    }

    /// Reads every byte of a collection's files, also of one that cannot be opened.
    pub fn verify(&self, name: &str, control: &Control) -> Result<Verified> {
        check_name(name)?;
        if let Some(open) = self.opened(name) {
            return open.verify(control);
        }
        let home = Paths::home(&self.base, name);
        let root = manifest::read(&*self.fs, &home, self.id)?;
        let paths = Paths::of(&self.base, name, &root);
        super::verify::verify(&self.fs, &paths, &root, control)
    }

    /// Its folder.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// A collection that is open here.
    pub(super) fn opened(&self, name: &str) -> Option<Arc<StoredCollection>> {
        held(&self.open).get(name).filter(|open| !open.is_closed()).cloned()
    }

    /// The names of its collections, sorted.
    pub fn list(&self) -> Result<Vec<String>> {
        let names: Vec<String> = self.fs.list(&self.base.join(COLLECTIONS))?;
        let mut there = Vec::with_capacity(names.len());
        for name in names {
            // A collection that cannot be looked at is no collection that is not there.
            if !name.starts_with('.') && self.is_there(&name)? {
                there.push(name);
            }
        }
        let mut names = there;
        let open = held(&self.open);
        names.extend(open.iter().filter(|(_, open)| open.core().volatile).map(|(name, _)| name.clone()));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether the folder is a collection: one without a manifest is what a crash left of making one.
    fn is_there(&self, name: &str) -> Result<bool> {
        let home = self.base.join(COLLECTIONS).join(name);
        let files = self.fs.list(&home).or_else(|error| match error.cause_code() {
            // A file, or a link to somewhere: not ours.
            Some("ENOTDIR" | "ELOOP") => Ok(Vec::new()),
            _ => Err(error),
        })?;
        if files.iter().any(|file| file == manifest::FILE_NAME) {
            return Ok(true);
        }
        for folder in ["segments", RUNS] {
            if files.iter().any(|file| file == folder) && !self.fs.list(&home.join(folder))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A collection. Several calls get the same one.
    pub fn collection(&self, name: &str) -> Result<Arc<StoredCollection>> {
        check_name(name)?;
        let mut open = held(&self.open);
        if let Some(found) = open.get(name).filter(|found| !found.is_closed()) {
            return Ok(found.clone());
        }
        if !self.is_there(name)? {
            return Err(Error::new(Kind::NotFound, format!("there is no collection '{name}'")).in_file(&self.base));
        }
        let lock = self.lock()?;
        let opened = recovery::open(&self.fs, &self.base, name, self.id, self.writable)?;
        let collection = Arc::new(StoredCollection::start(self.fs.clone(), opened, lock)?);
        open.insert(name.to_owned(), collection.clone());
        Ok(collection)
    }

    /// A new collection.
    pub fn create(&self, name: &str, settings: Settings) -> Result<Arc<StoredCollection>> {
        check_name(name)?;
        settings.check()?;
        check_engine(&*self.fs, settings.engine)?;
        let lock = self.check_writable()?;
        let mut open = held(&self.open);
        if open.contains_key(name) || self.is_there(name)? {
            return Err(Error::new(Kind::Exists, format!("there is a collection '{name}' already")).in_file(&self.base));
        }
        let owner = Owner { store: self.id, collection: new_uuid() };
        let volatile = settings.engine == Engine::Memory;
        let mut root = Root::first(owner, settings);
        let paths = Paths::of(&self.base, name, &root);
        let opened = if volatile {
            let description = root.manifest.settings.description()?;
            recovery::in_memory(name, root, Collection::new(description))
        } else {
            failpoint::hit("create.before_folders")?;
            self.make_folders(&paths)?;
            failpoint::hit("create.before_manifest")?;
            root.replace(&*self.fs, &paths.home, |_| {})?;
            failpoint::hit("create.after_manifest")?;
            recovery::open(&self.fs, &self.base, name, self.id, true)?
        };
        let collection = Arc::new(StoredCollection::start(self.fs.clone(), opened, Some(lock))?);
        open.insert(name.to_owned(), collection.clone());
        Ok(collection)
    }

    /// A collection under a hidden name: removed at the next opening unless it gets a name before.
    /// `origin`: it begins at the change of another collection, with the time of that change.
    pub(super) fn create_hidden(
        &self,
        settings: Settings,
        origin: Option<(Origin, u64)>,
    ) -> Result<Arc<StoredCollection>> {
        let lock = self.check_writable()?;
        settings.check()?;
        let name = format!("{DROPPED}{}", crate::env::new_id());
        let mut root = Root::first(Owner { store: self.id, collection: new_uuid() }, settings);
        if let Some((origin, time)) = origin {
            (root.manifest.checkpoint_lsn, root.manifest.checkpoint_time) = (origin.lsn, time);
            root.manifest.origin = Some(origin);
        }
        let paths = Paths::of(&self.base, &name, &root);
        self.make_folders(&paths)?;
        root.replace(&*self.fs, &paths.home, |_| {})?;
        let opened = recovery::open(&self.fs, &self.base, &name, self.id, true)?;
        Ok(Arc::new(StoredCollection::start(self.fs.clone(), opened, Some(lock))?))
    }

    /// Closes a hidden collection and gives it a name that nobody has.
    pub(super) fn name_hidden(&self, hidden: &StoredCollection, name: &str) -> Result<()> {
        hidden.close()?;
        let open = held(&self.open);
        if open.contains_key(name) || self.is_there(name)? {
            return Err(Error::new(Kind::Exists, format!("there is a collection '{name}' already")).in_file(&self.base));
        }
        let collections = self.base.join(COLLECTIONS);
        // What a crash left of making one of that name; it holds nothing.
        remove_collection(&*self.fs, &collections.join(name))?;
        failpoint::hit("restore.before_name")?;
        self.fs.rename(&collections.join(hidden.name()), &collections.join(name))?;
        failpoint::hit("restore.after_name")?;
        self.fs.sync_directory(&collections)
    }

    /// Closes and removes a hidden collection.
    pub(super) fn remove_hidden(&self, hidden: &StoredCollection) -> Result<()> {
        // Nothing of it is wanted any more, so neither is its last sync.
        let _ = hidden.close();
        remove_collection(&*self.fs, &self.base.join(COLLECTIONS).join(hidden.name()))
    }

    /// The collection of that name, made with `settings` when there is none.
    pub fn collection_or_create(&self, name: &str, settings: Settings) -> Result<Arc<StoredCollection>> {
        match self.collection(name) {
            Err(error) if error.kind == Kind::NotFound => self.create(name, settings),
            other => other,
        }
    }

    fn make_folders(&self, paths: &Paths) -> Result<()> {
        let collections = self.base.join(COLLECTIONS);
        self.fs.make_directory(&collections)?;
        failpoint::hit("create.after_collections")?;
        self.fs.sync_directory(&self.base)?;
        self.fs.make_directory(&paths.home)?;
        failpoint::hit("create.after_home")?;
        self.fs.sync_directory(&collections)?;
        self.fs.make_directory(&paths.segments)?;
        failpoint::hit("create.after_segments")?;
        if let Some(parent) = paths.wal.parent() {
            self.fs.make_directory(parent)?;
            if let Some(above) = parent.parent() {
                self.fs.sync_directory(above)?;
            }
            self.fs.make_directory(&paths.wal)?;
            self.fs.sync_directory(parent)?;
        }
        self.fs.sync_directory(&paths.home)
    }

    /// Closes and removes a collection with everything in it.
    pub fn remove(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.check_writable()?;
        let mut open = held(&self.open);
        let found = open.remove(name);
        let volatile = found.as_ref().is_some_and(|found| found.core().volatile);
        if let Some(found) = found {
            found.close()?;
        }
        if volatile {
            return Ok(());
        }
        if !self.is_there(name)? {
            return Err(Error::new(Kind::NotFound, format!("there is no collection '{name}'")).in_file(&self.base));
        }
        // A log in another place loses its collection first; a crash between leaves a folder that nothing reads.
        let collections = self.base.join(COLLECTIONS);
        let root = manifest::read(&*self.fs, &collections.join(name), self.id).ok();
        let elsewhere = root.filter(|root| root.manifest.settings.wal.directory.is_some());
        let elsewhere = elsewhere.map(|root| Paths::of(&self.base, name, &root).wal);
        let dropped = collections.join(format!("{DROPPED}{}", crate::env::new_id()));
        failpoint::hit("remove.before_rename")?;
        self.fs.rename(&collections.join(name), &dropped)?;
        failpoint::hit("remove.after_rename")?;
        self.fs.sync_directory(&collections)?;
        failpoint::hit("remove.after_name")?;
        if let Some(elsewhere) = elsewhere {
            remove_files(&*self.fs, &elsewhere)?;
        }
        remove_collection(&*self.fs, &dropped)
    }

    /// Gives a collection another name. It is closed by it: handles to it answer `ERR_CLOSED`.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.check_writable()?;
        let mut open = held(&self.open);
        if open.contains_key(to) || self.is_there(to)? {
            return Err(Error::new(Kind::Exists, format!("there is a collection '{to}' already")).in_file(&self.base));
        }
        if open.get(from).is_some_and(|found| found.core().volatile) {
            let message = "a collection of engine memory has no name on disk to change";
            return Err(Error::new(Kind::Unsupported, message));
        }
        if let Some(found) = open.remove(from) {
            found.close()?;
        }
        if !self.is_there(from)? {
            return Err(Error::new(Kind::NotFound, format!("there is no collection '{from}'")).in_file(&self.base));
        }
        let collections = self.base.join(COLLECTIONS);
        let root = manifest::read(&*self.fs, &collections.join(from), self.id)?;
        if root.manifest.settings.wal.directory.is_some() {
            let message = "a collection whose log is in a directory of its own cannot be renamed";
            return Err(Error::new(Kind::Unsupported, message));
        }
        failpoint::hit("rename.before_rename")?;
        self.fs.rename(&collections.join(from), &collections.join(to))?;
        failpoint::hit("rename.after_rename")?;
        self.fs.sync_directory(&collections)?;
        failpoint::hit("rename.after_name")
    }

    fn sweep_dropped(&self) -> Result<()> {
        let collections = self.base.join(COLLECTIONS);
        for name in self.fs.list(&collections)?.iter().filter(|name| name.starts_with(DROPPED)) {
            failpoint::hit("store.before_sweep")?;
            remove_collection(&*self.fs, &collections.join(name))?;
        }
        Ok(())
    }

    /// Closes every collection and gives the lock up. The first failure is reported; all are closed.
    pub fn close(&self) -> Result<()> {
        let open = std::mem::take(&mut *held(&self.open));
        let closed = open.into_values().map(|collection| collection.close()).fold(Ok(()), Result::and);
        failpoint::pass("close.before_lock");
        drop(held(&self.lock).take());
        closed
    }
}

fn make(fs: &dyn Fs, base: &Path) -> Result<()> {
    let owner = Owner { store: new_uuid(), collection: [0; 16] };
    let header = Header { kind: FileKind::Store, owner, number: 0, generation: 0 };
    replace(fs, &base.join(STORE), &header.encode()).map_err(|refused| refused.error)
}

/// The id of the store. One that a newer version of the format wrote may be readable and not writable.
fn identity(fs: &dyn Fs, base: &Path, writable: bool) -> Result<[u8; 16]> {
    let path = base.join(STORE);
    let bytes = read_whole(fs, &path, HEADER_BYTES as u64)?;
    let header = Header::decode(&bytes, FileKind::Store).map_err(|error| error.in_file(&path))?;
    let written = array(&bytes, 10).map_or(0, u16::from_le_bytes);
    if writable && written > VERSION {
        let message =
            format!("written by version {written} of the format; this build writes {VERSION}: open it read-only");
        return Err(Error::new(Kind::Version, message).at(10).in_file(&path));
    }
    Ok(header.owner.store)
}
