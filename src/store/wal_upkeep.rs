//! Looking after a log: what it consists of, making it shorter, and copying its complete files elsewhere.
//!
//! No file goes that opening needs; a file that goes takes the way to its moments with it, but for snapshots.

use super::checkpoint::{Compact, Report};
use super::log::{Log, held};
use super::recovery::{log_bytes, sealed_log};
use super::statistics::WalStatus;
use super::stored::{Core, StoredCollection};
use super::wal_retention::{Before, archive_of, archived, expire};
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::manifest::WalRef;
use crate::sync::atomic::Ordering;
use crate::wal::LogReader;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogFileStatus {
    /// Its number.
    pub number: u64,
    /// Where it is.
    pub path: String,
    /// Bytes of it on disk.
    pub bytes: u64,
    /// The change that it begins with.
    pub first_lsn: u64,
    /// The last change in it; null: it holds none yet.
    pub last_lsn: Option<u64>,
    /// A time that no change in it is newer than, milliseconds since 1970; null while it is written.
    pub last_time: Option<u64>,
    /// Whether nothing more is written to it.
    pub complete: bool,
    /// Whether opening the collection reads it.
    pub needed: bool,
}

/// The log of a collection, file by file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogStatus {
    /// What statistics tell as well.
    #[serde(flatten)]
    pub wal: WalStatus,
    /// The collection.
    pub collection: String,
    /// Its files, oldest first.
    pub files: Vec<LogFileStatus>,
    /// The first change that the log holds; null: it holds none.
    pub first_lsn: Option<u64>,
    /// Time of that change, milliseconds since 1970.
    pub first_time: Option<u64>,
    /// The newest change of the collection.
    pub last_lsn: u64,
    /// Time of that change, milliseconds since 1970; null: there was none.
    pub last_time: Option<u64>,
    /// Everything up to this change is in segments.
    pub checkpoint_lsn: u64,
    /// The first change that opening would read from the log; null: it would read none.
    pub oldest_needed_lsn: Option<u64>,
}

/// What went of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortened {
    /// Everything up to this change is in segments.
    pub lsn: u64,
    /// Entries that the checkpoint wrote.
    pub entries: u64,
    /// Numbers of the files that went.
    pub removed: Vec<u64>,
    /// Their bytes on disk.
    pub freed_bytes: u64,
    /// Files that are left.
    pub segment_count: u64,
}

/// What was copied to an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Archived {
    /// The folder of the collection in the archive.
    pub path: String,
    /// Numbers of the files that were copied.
    pub copied: Vec<u64>,
    /// Numbers of those that were there already, the same.
    pub present: Vec<u64>,
    /// Numbers of those that went from the log.
    pub removed: Vec<u64>,
    /// Bytes that were copied.
    pub bytes: u64,
}

/// What to copy.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    /// The folder; the one of the settings when none is given.
    pub directory: Option<PathBuf>,
    /// Only files that end before this.
    pub before: Option<Before>,
    /// Those that opening does not need go from the log.
    pub remove: bool,
}

impl Core {
    fn log_of(&self, what: &str) -> Result<&Log> {
        self.check_open()?;
        let message = || format!("collection '{}' is of engine memory: it has no log {what}", self.name);
        self.log.as_ref().ok_or_else(|| Error::new(Kind::Unsupported, message()))
    }

    fn file_bytes(&self, file: &WalRef) -> u64 {
        self.fs.open(&self.paths.log(file.number)).and_then(|file| file.length()).unwrap_or(0)
    }

    /// Time of the first record of a file.
    fn first_time(&self, file: &WalRef) -> Result<Option<u64>> {
        let root = held(&self.root).clone();
        let path = self.paths.log(file.number);
        let bytes = match log_bytes(&*self.fs, &path, file.length.is_some()) {
            // It went since the manifest was read.
            Err(error) if error.cause_code() == Some("ENOENT") => return Ok(None),
            other => other?,
        };
        let place = (file.number, file.first_lsn);
        let mut reader = LogReader::new(&bytes, &path, root.owner, place, sealed_log(file))?;
        Ok(reader.next_record()?.map(|record| record.time / 1_000))
    }

    /// Lets go of complete files behind the checkpoint, as the settings say, and those before `unwanted`.
    fn shorten(&self, unwanted: Option<Before>) -> Result<()> {
        let before = held(&self.root).manifest.clone();
        let mut after = before.clone();
        expire(&mut after, self.fs.now_us(), unwanted);
        if after.wal.len() == before.wal.len() {
            return Ok(());
        }
        self.install(&before, unwanted, |_| {})?;
        self.retire(&before);
        Ok(())
    }
}

impl StoredCollection {
    /// The log, file by file.
    pub fn log_status(&self) -> Result<LogStatus> {
        let core = self.core();
        let wal = self.wal_status()?;
        let manifest = self.manifest();
        let lsn = core.read().lsn();
        let checkpoint_lsn = manifest.checkpoint_lsn;
        let file = |file: &WalRef| {
            let last = file.last_lsn.unwrap_or(lsn);
            LogFileStatus {
                number: file.number,
                path: core.paths.log(file.number).to_string_lossy().into_owned(),
                bytes: core.file_bytes(file),
                first_lsn: file.first_lsn,
                last_lsn: Some(last).filter(|last| *last >= file.first_lsn),
                last_time: file.last_time.map(|time| time / 1_000),
                complete: file.last_lsn.is_some(),
                needed: last > checkpoint_lsn,
            }
        };
        let oldest = manifest.wal.first().filter(|file| file.first_lsn <= lsn);
        let last_time = core.last_time.load(Ordering::Acquire);
        Ok(LogStatus {
            wal,
            collection: core.name.clone(),
            files: manifest.wal.iter().map(file).collect(),
            first_lsn: oldest.map(|file| file.first_lsn),
            first_time: oldest.map(|file| core.first_time(file)).transpose()?.flatten(),
            last_lsn: lsn,
            last_time: (lsn > 0 && last_time > 0).then_some(last_time / 1_000),
            checkpoint_lsn,
            oldest_needed_lsn: (lsn > checkpoint_lsn).then_some(checkpoint_lsn + 1),
        })
    }

    /// A checkpoint, and then complete files of the log go: those that the settings do not keep any more, and those before
    /// `unwanted` that opening does not need. With `complete`, the file that is written is completed first.
    pub fn shorten_log(&self, complete: bool, unwanted: Option<Before>) -> Result<Shortened> {
        let core = self.core();
        let log = core.log_of("to be shortened")?;
        if complete {
            log.complete_file()?;
        }
        let known: Vec<(u64, u64)> =
            self.manifest().wal.iter().map(|file| (file.number, core.file_bytes(file))).collect();
        let _turn = core.turn.take();
        let frozen = core.freeze()?;
        let Report { lsn, entries, .. } = core.settle(frozen, Compact::Nothing, None)?;
        core.shorten(unwanted)?;
        let left = self.manifest().wal;
        let gone = known.into_iter().filter(|(number, _)| !left.iter().any(|kept| kept.number == *number));
        let (removed, bytes): (Vec<u64>, Vec<u64>) = gone.unzip();
        let (freed_bytes, segment_count) = (bytes.iter().sum(), left.len() as u64);
        Ok(Shortened { lsn, entries, removed, freed_bytes, segment_count })
    }

    /// Copies every complete file of the log to a folder, the one that is written included, which is completed first. Each
    /// is read and checked before: what is damaged is no copy.
    pub fn archive_log(&self, request: &Archive, control: &Control) -> Result<Archived> {
        let core = self.core();
        let log = core.log_of("to be copied")?;
        let configured = core.settings(|settings| settings.wal.archive.as_ref().map(PathBuf::from));
        let directory = request.directory.clone().or(configured).ok_or_else(|| {
            let message = format!("collection '{}' has no folder for old files of its log: name one", core.name);
            Error::new(Kind::Unsupported, message)
        })?;
        log.complete_file()?;
        let owner = self.owner();
        let path = archive_of(&directory, owner).to_string_lossy().into_owned();
        let mut done = Archived { path, ..Archived::default() };
        let turn = core.turn.take();
        for file in self.manifest().wal.iter().filter(|file| file.length.is_some()) {
            if request.before.is_some_and(|before| !before.ended(file)) {
                continue;
            }
            control.check()?;
            core.check_log(file)?;
            match archived(&*core.fs, &core.paths.log(file.number), Path::new(&directory), owner, file.length)? {
                true => {
                    done.copied.push(file.number);
                    done.bytes += file.length.unwrap_or(0);
                }
                false => done.present.push(file.number),
            }
        }
        drop(turn);
        let end = self
            .manifest()
            .wal
            .iter()
            .rev()
            .find(|file| [&done.copied, &done.present].into_iter().any(|numbers| numbers.contains(&file.number)))
            .and_then(|file| file.last_lsn);
        if let Some(last) = end.filter(|_| request.remove) {
            done.removed = self.shorten_log(false, Some(Before::Lsn(last + 1)))?.removed;
        }
        Ok(done)
    }
}

impl Core {
    /// Reads a complete file from one end to the other.
    fn check_log(&self, file: &WalRef) -> Result<()> {
        let (path, owner) = (self.paths.log(file.number), held(&self.root).owner);
        let bytes = log_bytes(&*self.fs, &path, true)?;
        let mut reader = LogReader::new(&bytes, &path, owner, (file.number, file.first_lsn), sealed_log(file))?;
        while reader.next_record()?.is_some() {}
        reader.end().map(|_| ())
    }
}
