//! A collection that is kept on disk: every change goes to its log, and from there to segments.
//!
//! A change is visible when the call returns and durable when its LSN is waited for. What is visible and not yet
//! acknowledged is taken back when the log cannot be written, and whoever waits is told.

use super::checkpoint::Compact;
use super::collection::{Collection, MetadataRule};
use super::keeper::Keeper;
use super::log::{Listener, Log, Pending, held};
use super::paths::Paths;
use super::recovery::Recovery;
use super::sealing::{Access, check_engine};
use super::turn::Turns;
use super::version::Version;
use crate::env::fs::{Disk, Fs, Lock, page_faults};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::document::hex;
use crate::format::header::Owner;
use crate::format::record::{self, Change};
use crate::format::{Description, Entry};
use crate::manifest::{Engine, Manifest, Root, Settings, WalSettings};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::sync::Arc;

/// A collection on disk.
pub struct StoredCollection {
    core: Arc<Core>,
    keeper: Mutex<Option<Keeper>>,
}

/// What the collection and the thread that keeps it share.
pub(super) struct Core {
    pub fs: Arc<dyn Fs>,
    pub name: String,
    pub paths: Paths,
    pub root: Arc<Mutex<Root>>,
    pub wal_settings: Arc<RwLock<WalSettings>>,
    pub state: Arc<RwLock<Collection>>,
    /// None: nothing can be written (opened for reading), or nothing needs to be (engine `memory`).
    pub log: Option<Log>,
    /// One checkpoint, compaction or replacement at a time.
    pub turn: Turns,
    /// One change of settings at a time.
    pub configuring: Mutex<()>,
    /// Held for reading by each write, for writing while the content is replaced.
    pub gate: RwLock<()>,
    pub access: RwLock<Access>,
    pub volatile: bool,
    read_only: AtomicBool,
    closed: AtomicBool,
    memtable_size: AtomicU64,
    /// Time of the newest record, microseconds since 1970.
    pub last_time: AtomicU64,
    pub recovery: Recovery,
    /// Page faults of the process when it was opened: those that read, and all.
    pub faults: Option<(u64, u64)>,
    /// The store's lock lives as long as a collection of it is open for writing.
    lock: Mutex<Option<Arc<dyn Lock>>>,
}

/// What opening found, to be made a collection.
pub(super) struct Opened {
    pub name: String,
    pub paths: Paths,
    pub root: Arc<Mutex<Root>>,
    pub wal_settings: Arc<RwLock<WalSettings>>,
    pub state: Arc<RwLock<Collection>>,
    pub log: Option<Log>,
    pub access: Access,
    pub last_time: u64,
    pub recovery: Recovery,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its LSN, to wait for.
    pub lsn: u64,
    /// Entries that it changed.
    pub entries: usize,
}

impl Core {
    pub fn read(&self) -> RwLockReadGuard<'_, Collection> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Collection> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn settings<T>(&self, read: impl FnOnce(&Settings) -> T) -> T {
        read(&held(&self.root).manifest.settings)
    }

    /// Refuses to touch files when it is not known which manifest is on disk: it may name what is about to be replaced.
    pub fn check_certain(&self) -> Result<()> {
        if !held(&self.root).in_doubt {
            return Ok(());
        }
        let message = "which manifest is on disk is in doubt since a failed sync: open the store again";
        Err(Error::new(Kind::Poisoned, message).in_file(&self.paths.home))
    }

    /// Ends writing when a failure left the manifest in doubt.
    pub fn poison_if(&self, in_doubt: bool, error: &Error) {
        if let Some(log) = self.log.as_ref().filter(|_| in_doubt) {
            log.end_with(error);
        }
    }

    /// Names other settings in the manifest, and nothing else.
    fn name_settings(&self, settings: &Settings) -> Result<()> {
        failpoint::hit("configure.before_manifest")?;
        let mut root = held(&self.root);
        let replaced = root.replace(&*self.fs, &self.paths.home, |manifest| {
            // A checkpoint may have learnt them meanwhile.
            let Settings { dimension, metric, .. } = manifest.settings.clone();
            manifest.settings = Settings { dimension, metric, ..settings.clone() };
        });
        let in_doubt = root.in_doubt;
        drop(root);
        replaced.inspect_err(|error| self.poison_if(in_doubt, error))?;
        failpoint::pass("configure.after_manifest");
        Ok(())
    }

    /// Refuses what nothing can be written to.
    pub fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(Kind::Closed, format!("collection '{}' is closed", self.name)));
        }
        match &self.log {
            None if self.volatile => Ok(()),
            None => Err(Error::new(Kind::ReadOnly, format!("collection '{}' was opened for reading only", self.name))),
            Some(log) => log.refusal().map_or(Ok(()), Err),
        }
    }

    fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.read_only.load(Ordering::Acquire) {
            let message = format!("collection '{}' is set to read-only; setReadOnly(false) ends that", self.name);
            return Err(Error::new(Kind::ReadOnly, message));
        }
        Ok(())
    }

    /// Whether the memtable is as large as it may be.
    pub fn is_full(&self, state: &Collection) -> bool {
        state.memtable_bytes() >= self.memtable_size.load(Ordering::Relaxed)
    }

    /// A time that is not before that of the record before.
    pub fn next_time(&self) -> u64 {
        let now = self.fs.now_us();
        self.last_time.fetch_max(now, Ordering::AcqRel).max(now)
    }

    /// Applies a change and hands its record to the log; both under the lock of `state`.
    pub fn commit(&self, state: &mut Collection, change: &Change, awaited: bool) -> Result<u64> {
        state.check(change)?;
        let (lsn, time) = (state.lsn() + 1, self.next_time());
        let Some(log) = &self.log else {
            return state.apply(lsn, change).map(|_| lsn);
        };
        record::size(change)?;
        let undo = state.apply(lsn, change)?;
        log.push(change, Pending { first: lsn, lsn, time, undo, awaited });
        Ok(lsn)
    }
}

impl StoredCollection {
    pub(super) fn start(fs: Arc<dyn Fs>, opened: Opened, lock: Option<Arc<dyn Lock>>) -> Result<StoredCollection> {
        let (settings, volatile) = {
            let root = held(&opened.root);
            (root.manifest.settings.clone(), root.manifest.settings.engine == Engine::Memory)
        };
        let core = Arc::new(Core {
            fs,
            name: opened.name,
            paths: opened.paths,
            root: opened.root,
            wal_settings: opened.wal_settings,
            state: opened.state,
            log: opened.log,
            turn: Turns::default(),
            configuring: Mutex::new(()),
            gate: RwLock::new(()),
            access: RwLock::new(opened.access),
            volatile,
            read_only: AtomicBool::new(settings.read_only),
            closed: AtomicBool::new(false),
            memtable_size: AtomicU64::new(settings.memtable_size),
            last_time: AtomicU64::new(opened.last_time),
            recovery: opened.recovery,
            faults: page_faults(),
            lock: Mutex::new(lock),
        });
        let keeper = core.log.is_some().then(|| Keeper::start(core.clone())).transpose()?;
        Ok(StoredCollection { core, keeper: Mutex::new(keeper) })
    }

    /// A collection in memory only: nothing of it is on disk, and nothing has to be waited for.
    pub fn in_memory(collection: Collection) -> Result<StoredCollection> {
        let owner = Owner { store: [0; 16], collection: [0; 16] };
        let root = Root::first(owner, Settings { engine: Engine::Memory, ..Settings::default() });
        let opened = super::recovery::in_memory("", root, collection);
        StoredCollection::start(Arc::new(Disk), opened, None)
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Ids of its store and its own.
    pub(super) fn owner(&self) -> Owner {
        held(&self.core.root).owner
    }

    /// Its id, in hex.
    pub fn id(&self) -> String {
        hex(&self.owner().collection)
    }

    /// The content at a change that is durable, and the time of that change.
    pub fn pinned(&self) -> Result<(Version, u64)> {
        let (version, time) = {
            let state = self.core.read();
            (state.version(), self.core.last_time.load(Ordering::Acquire))
        };
        self.core.log.as_ref().map_or(Ok(()), |log| log.wait_durable(version.lsn()))?;
        Ok((version, time))
    }

    /// What opening found.
    pub fn recovery(&self) -> &Recovery {
        &self.core.recovery
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.core.closed.load(Ordering::Acquire)
    }

    /// The manifest as it is now.
    pub fn manifest(&self) -> Manifest {
        held(&self.core.root).manifest.clone()
    }

    /// Why nothing can be written, when that is so.
    pub fn refusal(&self) -> Option<Error> {
        self.core.check_writable().err()
    }

    /// Who is told of acknowledgements and refusals.
    pub fn listen(&self, listener: Listener) {
        if let Some(log) = &self.core.log {
            log.listen(listener);
        }
    }

    /// The state, for reading in place.
    pub fn read<T>(&self, read: impl FnOnce(&Collection) -> T) -> T {
        read(&self.core.read())
    }

    /// The collection as it is now.
    pub fn version(&self) -> Version {
        self.core.read().version()
    }

    /// Makes a change of the state as it is and hands it to the log. `None`: there was nothing to do. `awaited`: the
    /// caller will wait for it; else the next `flush` reports it when it is refused.
    fn change(
        &self,
        awaited: bool,
        make: impl FnOnce(&Collection) -> Result<Option<(Change, usize)>>,
    ) -> Result<Option<Committed>> {
        let core = &self.core;
        let _gate = core.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut state = core.write();
        core.check_writable()?;
        let Some((change, entries)) = make(&state)? else { return Ok(None) };
        let lsn = core.commit(&mut state, &change, awaited)?;
        let full = core.is_full(&state);
        drop(state);
        self.handed_over(full);
        Ok(Some(Committed { lsn, entries }))
    }

    /// What comes behind each change, without the lock of the state: a full memtable is told of, and who writes faster than
    /// the disk waits.
    pub(super) fn handed_over(&self, full: bool) {
        if full {
            held(&self.keeper).as_ref().inspect(|keeper| keeper.wake());
        }
        self.core.log.as_ref().inspect(|log| log.wait_for_room());
    }

    /// Inserts or replaces one entry.
    pub fn put(
        &self,
        id: &str,
        vector: &[f32],
        metadata: Option<&str>,
        rule: MetadataRule,
        awaited: bool,
    ) -> Result<Committed> {
        let nothing = Committed { lsn: 0, entries: 0 };
        let put = self.change(awaited, |state| {
            let entry = state.prepare(id, vector, metadata, rule)?;
            Ok(Some((Change::Put(vec![entry]), 1)))
        });
        put.map(|done| done.unwrap_or(nothing))
    }

    /// Inserts or replaces entries, all or none. Of entries with one id the last wins.
    pub fn put_batch(&self, entries: Vec<Arc<Entry>>, awaited: bool) -> Result<Option<Committed>> {
        let count = entries.len();
        self.change(awaited, |_| Ok((count > 0).then_some((Change::Put(entries), count))))
    }

    /// Removes entries; tells how many were there.
    pub fn delete(&self, ids: &[&str], awaited: bool) -> Result<Option<Committed>> {
        self.change(awaited, |state| {
            let mut found: Vec<Box<str>> = Vec::new();
            for id in ids {
                if state.has(id)? {
                    found.push((*id).into());
                }
            }
            found.sort_unstable();
            found.dedup();
            let count = found.len();
            Ok((count > 0).then_some((Change::Delete(found), count)))
        })
    }

    /// Replaces the metadata of an entry; `None` when it is not there.
    pub fn set_metadata(&self, id: &str, metadata: Option<&str>, awaited: bool) -> Result<Option<Committed>> {
        self.change(awaited, |state| Ok(state.metadata_change(id, metadata)?.map(|change| (change, 1))))
    }

    /// Removes everything.
    pub fn clear(&self, awaited: bool) -> Result<Option<Committed>> {
        self.change(awaited, |state| Ok(Some((Change::Clear, state.len()))))
    }

    /// Adds what was not known of dimension and metric; refuses what contradicts.
    pub fn describe(&self, known: Description) -> Result<()> {
        let described = self.change(false, |state| {
            let agreed = state.description().agree(known, "the collection")?;
            Ok((agreed != state.description()).then_some((Change::Describe(agreed), 0)))
        });
        described.map(|_| ())
    }

    /// Waits until a write is acknowledged as the sync mode says.
    pub fn wait(&self, lsn: u64) -> Result<()> {
        self.core.log.as_ref().map_or(Ok(()), |log| log.wait(lsn))
    }

    /// Makes durable what was written so far; also tells of a write that was refused and that nobody waited for.
    pub fn flush(&self) -> Result<()> {
        self.core.log.as_ref().map_or(Ok(()), Log::flush)
    }

    /// As `flush`, without waiting: the listener hears of it. The LSN that will be durable.
    pub fn request_flush(&self) -> u64 {
        self.core.log.as_ref().map_or(0, Log::request_sync)
    }

    /// The newest change that is known to be durable; the newest of all where there is no log.
    pub fn durable_lsn(&self) -> u64 {
        self.core.log.as_ref().map_or_else(|| self.core.read().lsn(), Log::durable)
    }

    /// A refusal that nobody was told of so far.
    pub fn take_untold(&self) -> Option<Error> {
        self.core.log.as_ref().and_then(Log::take_untold)
    }

    /// Moves the memtable into a segment, so that opening needs no older log.
    pub fn checkpoint(&self) -> Result<super::checkpoint::Report> {
        self.core.check_open()?;
        self.core.checkpoint(Compact::Nothing)
    }

    /// Rewrites segments without their dead rows.
    pub fn compact(&self, what: Compact) -> Result<super::checkpoint::Report> {
        self.core.check_open()?;
        self.core.checkpoint(what)
    }

    /// Puts the content of `version` in the place of this one; both are whole at any moment, also in a crash.
    pub fn replace(&self, version: &Version) -> Result<u64> {
        self.core.check_writable()?;
        self.core.replace(version, None)
    }

    /// As `replace`, with the content that this collection had behind the change `source`.
    pub(super) fn go_back(&self, version: &Version, source: Option<u64>) -> Result<u64> {
        self.core.check_writable()?;
        self.core.replace(version, source)
    }

    /// Does a change that the log of this or another collection holds.
    pub(super) fn redo(&self, change: Change) -> Result<()> {
        self.change(false, |_| Ok(Some((change, 0)))).map(|_| ())
    }

    /// Refuses writes from now on, or takes them again. Survives reopening.
    pub fn set_read_only(&self, read_only: bool) -> Result<()> {
        self.core.check_open()?;
        self.configure(|settings| settings.read_only = read_only)
    }

    /// Changes settings; they survive reopening. Where the engine keeps rows in another form, all of them are written anew
    /// before this returns: writes and reads go on meanwhile, one manifest changes form and engine together, and on a
    /// failure the engine that was goes on.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let core = &self.core;
        core.check_open()?;
        let _configuring = held(&core.configuring);
        let before = core.settings(Settings::clone);
        let mut settings = before.clone();
        change(&mut settings);
        settings.check()?;
        check_engine(&*core.fs, settings.engine)?;
        if settings.engine != before.engine && (core.volatile || settings.engine == Engine::Memory) {
            let message =
                "a collection cannot become one of engine memory or leave it: save it and load it into another";
            return Err(Error::new(Kind::Unsupported, message));
        }
        if core.volatile {
            held(&core.root).manifest.settings = settings.clone();
        } else if settings.engine.segments() != before.engine.segments() {
            core.rewrite(Compact::Nothing, Some(&settings))?;
        } else {
            core.name_settings(&settings)?;
        }
        core.read_only.store(settings.read_only, Ordering::Release);
        core.memtable_size.store(settings.memtable_size, Ordering::Relaxed);
        {
            let mut access = core.access.write().unwrap_or_else(PoisonError::into_inner);
            *access = Access::of(&settings, Some(&*access));
        }
        *core.wal_settings.write().unwrap_or_else(PoisonError::into_inner) = settings.wal;
        held(&self.keeper).as_ref().inspect(|keeper| keeper.settings_changed());
        core.arrange()
    }

    /// Writes what is left and gives the files back. A second call does nothing.
    pub fn close(&self) -> Result<()> {
        if self.core.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // The keeper first: a checkpoint under way needs the log.
        failpoint::pass("close.before_keeper");
        drop(held(&self.keeper).take());
        // Whoever got the lock next must not meet a checkpoint of ours that still writes.
        let _turn = self.core.turn.take();
        failpoint::pass("close.before_log");
        let Some(log) = &self.core.log else { return Ok(()) };
        {
            let _state = self.core.write();
            log.begin_close();
        }
        let closed = log.close();
        failpoint::pass("close.after_log");
        drop(held(&self.core.lock).take());
        closed
    }
}

impl Drop for StoredCollection {
    fn drop(&mut self) {
        let _ = self.close();
    }
}
