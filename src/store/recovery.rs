//! Opening a collection: manifest, segments, then the tail of the log. Nothing is changed by it; a crash meanwhile is a
//! crash like any other, and a second opening finds the same.

use super::collection::Collection;
use super::log::Log;
use super::part::Sealed;
use super::paths::Paths;
use super::replay::each_record;
use super::sealing::{Access, check_engine, open_part};
use super::stored::{Core, Opened};
use super::sweep::Leftovers;
use super::tail::Found;
use super::wal_files::{Tail, WalFiles};
use crate::env::fs::{Fs, read_whole};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::record::Change;
use crate::limits::WAL_FILE_BYTES_MAX;
use crate::manifest::{self, Manifest, Root, WalRef};
use crate::segment::DeadRows;
use crate::sync::{Mutex, PoisonError, RwLock};
use crate::wal::{LogReader, Sealed as SealedLog};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// A reader that meets a writer at work tries again so many times.
const ATTEMPTS: usize = 20;
/// So many times also when the manifest stays the same.
const CALM_ATTEMPTS: usize = 3;

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// Records of the log that were replayed.
    pub records: u64,
    /// Entries that they put or removed.
    pub entries: u64,
    /// Files of the log that were read for that.
    pub files: u64,
    /// Bytes of a write that was under way when the last writer ended; nobody was told that it was durable.
    pub truncated_bytes: u64,
    /// Whether the last writer closed the collection.
    pub closed: bool,
    /// Microseconds that it took.
    pub micros: u64,
    /// Files of ours that nothing names and that were removed.
    pub swept: Vec<String>,
    /// Names of files that are not ours and were left alone.
    pub ignored: Vec<String>,
}

impl Opened {
    /// The last change that was found.
    pub fn last(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).lsn()
    }
}

/// Opens a collection of the store at `base`.
pub(super) fn open(fs: &Arc<dyn Fs>, base: &Path, name: &str, store: [u8; 16], writable: bool) -> Result<Opened> {
    let home = Paths::home(base, name);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let root = manifest::read(&**fs, &home, store)?;
        let generation = root.manifest.generation;
        match open_at(fs, base, name, root, writable) {
            // A writer may have replaced the manifest, and removed files of the old one, while this reader read it.
            Err(error) if !writable && attempt < ATTEMPTS => {
                // Or it read a place of the log before a record came there, and the place behind it afterwards.
                let now = manifest::read(&**fs, &home, store)?;
                if now.manifest.generation == generation && attempt > CALM_ATTEMPTS {
                    return Err(error);
                }
            }
            other => return other,
        }
    }
}

fn open_at(fs: &Arc<dyn Fs>, base: &Path, name: &str, root: Root, writable: bool) -> Result<Opened> {
    failpoint::hit("open.after_manifest")?;
    let began = fs.now_us();
    let settings = root.manifest.settings.clone();
    let paths = Paths::of(base, name, &root);
    check_engine(&**fs, settings.engine).map_err(|error| error.in_file(&paths.home))?;
    let access = Access::of(&settings, None);
    let mut recovery = Recovery::default();
    let sealed = segments(fs, &paths, &root, &access)?;
    failpoint::hit("open.after_segments")?;
    let mut state = Collection::of(settings.description()?, sealed, root.manifest.checkpoint_lsn);
    let found = replay(&**fs, &paths, &root, &mut state, writable, &mut recovery)?;
    failpoint::hit("open.after_replay")?;
    let last_time = found.time;
    let mut root = root;
    let tail = if writable { settle(&**fs, &paths, &mut root, found, &mut recovery)? } else { None };
    failpoint::hit("open.before_log")?;
    let wal_settings = Arc::new(RwLock::new(settings.wal));
    let (lsn, state) = (state.lsn(), Arc::new(RwLock::new(state)));
    let root = Arc::new(Mutex::new(root));
    let log = if writable {
        let folders = (paths.home.as_path(), paths.wal.as_path());
        let files = WalFiles::new(fs.clone(), folders, root.clone(), wal_settings.clone(), tail);
        Some(Log::start(state.clone(), files, lsn)?)
    } else {
        None
    };
    failpoint::hit("open.after_log")?;
    recovery.micros = fs.now_us().saturating_sub(began);
    Ok(Opened { name: name.to_owned(), paths, root, wal_settings, state, log, access, last_time, recovery })
}

/// Makes what was found the durable beginning of what is to come, and removes what nothing names.
fn settle(fs: &dyn Fs, paths: &Paths, root: &mut Root, found: Found, recovery: &mut Recovery) -> Result<Option<Tail>> {
    let leftovers = Leftovers::find(fs, paths, &root.manifest, recovery)?;
    failpoint::hit("open.before_tail")?;
    let generation = root.manifest.generation;
    let tail = found.settle(fs, paths, root)?;
    if !leftovers.is_empty() && root.manifest.generation == generation {
        // The name of the manifest may be known to the page cache only, and a power cut would bring the one before back,
        // which names what is about to be removed. A name that was given anew and synced is durable.
        root.replace(fs, &paths.home, |_| {})?;
    }
    failpoint::hit("open.before_sweep")?;
    leftovers.remove(fs, root, recovery)?;
    failpoint::hit("open.after_sweep")?;
    Ok(tail)
}

/// A collection of engine `memory`: nothing is on disk.
pub(super) fn in_memory(name: &str, root: Root, state: Collection) -> Opened {
    let settings = root.manifest.settings.clone();
    Opened {
        name: name.to_owned(),
        paths: Paths::of(Path::new(""), name, &root),
        access: Access::of(&settings, None),
        wal_settings: Arc::new(RwLock::new(settings.wal)),
        state: Arc::new(RwLock::new(state)),
        root: Arc::new(Mutex::new(root)),
        log: None,
        last_time: 0,
        recovery: Recovery { closed: true, ..Recovery::default() },
    }
}

/// A file that the manifest names and that is not there.
pub(super) fn missing(error: Error) -> Error {
    match (error.cause_code(), &error.path) {
        (Some("ENOENT"), Some(path)) => {
            let message = format!("{}: the manifest names this file, and it is missing", path.display());
            Error { kind: Kind::Corrupt, message, ..error }
        }
        _ => error,
    }
}

/// The segments that a manifest names, as of its checkpoint.
pub(super) fn segments(fs: &Arc<dyn Fs>, paths: &Paths, root: &Root, access: &Access) -> Result<Vec<Sealed>> {
    let mut sealed = Vec::with_capacity(root.manifest.segments.len());
    for named in &root.manifest.segments {
        let (owner, number) = (root.owner, named.number);
        let part = open_part(fs, paths, owner, named, access).map_err(missing)?;
        let dead = match &named.dead {
            None => DeadRows::new(part.rows() as u32),
            Some(dead) => {
                Core::read_dead(&**fs, &paths.dead(number, dead.version), owner, named, dead).map_err(missing)?
            }
        };
        sealed.push(Sealed { part, dead });
    }
    Ok(sealed)
}

/// The bytes of a log file. A file that may still be written is copied: bytes that change under a mapping are no bytes.
pub(super) fn log_bytes(fs: &dyn Fs, path: &Path, mapped: bool) -> Result<LogBytes> {
    if mapped {
        return fs.open(path).and_then(|file| file.map()).map(LogBytes::Mapped);
    }
    read_whole(fs, path, WAL_FILE_BYTES_MAX).map(LogBytes::Copied)
}

/// Bytes of a log file.
pub(super) enum LogBytes {
    Mapped(crate::env::fs::Bytes),
    Copied(Vec<u8>),
}

impl std::ops::Deref for LogBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            LogBytes::Mapped(bytes) => bytes,
            LogBytes::Copied(bytes) => bytes,
        }
    }
}

/// What the manifest says of a complete file.
pub(super) fn sealed_log(file: &WalRef) -> Option<SealedLog> {
    file.length.zip(file.last_lsn).map(|(length, last_lsn)| SealedLog { length, last_lsn })
}

/// Applies the records behind the checkpoint. Gives the end of the log as it was found.
fn replay(
    fs: &dyn Fs,
    paths: &Paths,
    root: &Root,
    state: &mut Collection,
    writable: bool,
    recovery: &mut Recovery,
) -> Result<Found> {
    let manifest: &Manifest = &root.manifest;
    let (mut found, mut time) = (Found::default(), manifest.checkpoint_time);
    for file in &manifest.wal {
        if file.last_lsn.is_some_and(|last| last <= manifest.checkpoint_lsn) {
            time = time.max(file.last_time.unwrap_or(0));
            continue;
        }
        let path = paths.log(file.number);
        let bytes = Arc::new(log_bytes(fs, &path, writable).map_err(missing)?);
        let mut reader = LogReader::new(&bytes, &path, root.owner, (file.number, file.first_lsn), sealed_log(file))?;
        if let Some(place) = file.replay_from {
            let beyond = || {
                let message = format!("the file ends before offset {}, up to which it was durable", place.offset);
                Error::new(Kind::Corrupt, message).at(place.offset).in_file(&path)
            };
            reader = reader.skip_to(place.offset, place.lsn).ok_or_else(beyond)?;
        }
        recovery.files += 1;
        each_record(&mut reader, &bytes, |record, at| {
            time = time.max(record.time);
            if record.last_lsn() <= state.lsn() || record.change == Change::Close {
                return Ok(());
            }
            recovery.records += 1;
            recovery.entries += entries(&record.change);
            let (lsn, last_lsn) = (record.lsn, record.last_lsn());
            let fits = state.check(&record.change).and_then(|()| state.replay(last_lsn, record.change));
            fits.map_err(|error| match error.kind {
                Kind::Dimension | Kind::Metric => {
                    let message = format!("record {lsn} does not fit the collection: {}", error.message);
                    Error::new(Kind::Corrupt, message).at(at).in_file(&path)
                }
                _ => error,
            })
        })?;
        let end = reader.end()?;
        if file.last_lsn.is_none() {
            found = Found::of(&reader, time);
        }
        recovery.truncated_bytes += end.torn;
        recovery.closed = end.closed;
    }
    if found.proven.is_none() {
        recovery.closed = true;
    }
    found.time = time;
    Ok(found)
}

fn entries(change: &Change) -> u64 {
    match change {
        Change::Put(entries) => entries.len() as u64,
        Change::Delete(ids) => ids.len() as u64,
        Change::SetMetadata(..) => 1,
        _ => 0,
    }
}
