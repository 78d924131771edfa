//! The files of a collection's log as one: where the next record goes, and the manifest told of each new file.
//!
//! A file is complete and durable before the manifest says so, and the manifest names a file before a record is in it:
//! so a missing file is always noticed. What an earlier process wrote is never appended to.

use super::log::held;
use super::tail::complete;
use crate::env::fs::Fs;
use crate::error::Result;
use crate::failpoint;
use crate::format::header::Owner;
use crate::format::record::{self, Change};
use crate::manifest::{LogPlace, Root, SyncMode, WalRef, WalSettings};
use crate::sync::{Mutex, PoisonError, RwLock};
use crate::wal::{LogFile, records};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How far a file is written.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    /// Bytes up to the end of the last record.
    pub length: u64,
    /// The last LSN in it; the one before its first when it holds none.
    pub last_lsn: u64,
    /// Time of the last record.
    pub last_time: u64,
}

/// The log of one collection as files.
pub struct WalFiles {
    fs: Arc<dyn Fs>,
    owner: Owner,
    /// Where the manifest is.
    home: PathBuf,
    /// Where the log files are.
    directory: PathBuf,
    root: Arc<Mutex<Root>>,
    settings: Arc<RwLock<WalSettings>>,
    file: Option<LogFile>,
    /// The end of the last file that the manifest names.
    tail: Option<Tail>,
    in_doubt: bool,
}

impl WalFiles {
    /// The files of a log whose last file, from an earlier process, ends at `tail`.
    pub fn new(
        fs: Arc<dyn Fs>,
        (home, directory): (&Path, &Path),
        root: Arc<Mutex<Root>>,
        settings: Arc<RwLock<WalSettings>>,
        tail: Option<Tail>,
    ) -> WalFiles {
        let owner = held(&root).owner;
        let (home, directory) = (home.to_path_buf(), directory.to_path_buf());
        WalFiles { fs, owner, home, directory, root, settings, file: None, tail, in_doubt: false }
    }

    fn settings<T>(&self, read: impl FnOnce(&WalSettings) -> T) -> T {
        read(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// When writes are acknowledged.
    pub fn mode(&self) -> SyncMode {
        self.settings(|settings| settings.sync_mode)
    }

    /// Milliseconds between syncs.
    pub fn interval(&self) -> u32 {
        self.settings(|settings| settings.fsync_interval)
    }

    /// The end of the current file: its number, and the place.
    pub fn place(&self) -> Option<(u64, LogPlace)> {
        let (file, tail) = self.file.as_ref().zip(self.tail)?;
        Some((file.number(), LogPlace { offset: tail.length, lsn: tail.last_lsn }))
    }

    /// Whether something is written and not synced.
    pub fn is_dirty(&self) -> bool {
        self.file.as_ref().is_some_and(LogFile::is_dirty)
    }

    /// Whether it is not known what is on disk, so that nothing more may be written.
    pub fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Whether records are compressed.
    fn compresses(&self) -> bool {
        self.settings(|settings| settings.compression)
    }

    /// Whether the current file has room for so many bytes.
    pub fn fits(&self, bytes: u64) -> bool {
        let limit = self.settings(|settings| settings.segment_size);
        self.file.as_ref().is_some_and(|file| file.end() + bytes <= limit)
    }

    /// Sees to it that the current file has room, or is empty: a record larger than a file has one for itself.
    pub fn make_room(&mut self, first_lsn: u64, bytes: u64) -> Result<()> {
        match &self.file {
            Some(file) if file.is_empty() || self.fits(bytes) => Ok(()),
            _ => self.rotate(first_lsn),
        }
    }

    /// Completes the current file and begins the next.
    fn rotate(&mut self, first_lsn: u64) -> Result<()> {
        failpoint::hit("wal.rotate.before_sync")?;
        self.sync()?;
        let step = self.settings(|settings| settings.preallocate.min(settings.segment_size));
        let mut root = held(&self.root);
        let number = root.manifest.generation + 1;
        if let Err(error) = root.check_place(&*self.fs, &self.home) {
            self.in_doubt = root.in_doubt;
            return Err(error);
        }
        let file = LogFile::create(&*self.fs, &self.directory, self.owner, (number, first_lsn), false, step)?;
        let tail = self.tail;
        failpoint::hit("wal.rotate.before_manifest")?;
        let named = root.replace(&*self.fs, &self.home, |manifest| {
            if let Some(tail) = tail {
                complete(manifest, tail);
            }
            manifest.wal.push(WalRef::begun(number, first_lsn));
        });
        if let Err(error) = named {
            self.in_doubt = root.in_doubt;
            if !self.in_doubt {
                // Nobody names the new file; the next attempt would remove it too.
                let _ = self.fs.remove(file.path());
            }
            return Err(error);
        }
        drop(root);
        failpoint::pass("wal.rotate.after_manifest");
        let (length, last_lsn) = (file.end(), first_lsn - 1);
        if let Some(mut complete) = self.file.replace(file) {
            // The zeros behind the last record; the manifest says where it ends, so it matters to nobody if this fails.
            let _ = complete.trim();
        }
        self.tail = Some(Tail { length, last_lsn, last_time: tail.map_or(0, |tail| tail.last_time) });
        Ok(())
    }

    /// Says in the manifest where the current file ends, when it holds a record; the next record begins another.
    pub fn complete(&mut self) -> Result<()> {
        let Some(tail) = self.tail.filter(|_| self.file.as_ref().is_some_and(|file| !file.is_empty())) else {
            return Ok(());
        };
        failpoint::hit("wal.complete.before_sync")?;
        self.sync()?;
        let mut root = held(&self.root);
        failpoint::hit("wal.complete.before_manifest")?;
        let named = root.replace(&*self.fs, &self.home, |manifest| complete(manifest, tail));
        self.in_doubt |= root.in_doubt;
        drop(root);
        named?;
        failpoint::pass("wal.complete.after_manifest");
        if let Some(mut file) = self.file.take() {
            // The zeros behind the last record; the manifest says where it ends, so it matters to nobody if this fails.
            let _ = file.trim();
        }
        Ok(())
    }

    /// Writes whole frames into the current file, their records compressed where that is asked for. `synced`: the LSN up
    /// to which everything is durable. The last two are LSN and time of the last record.
    pub fn append(&mut self, frames: &mut [u8], synced: u64, (last_lsn, last_time): (u64, u64)) -> Result<()> {
        let compresses = self.compresses();
        if let Some(file) = &mut self.file {
            if compresses {
                let packed: Vec<_> = records(frames).map(|record| record::compress(record.to_vec())).collect();
                file.append_records(packed.iter().map(Vec::as_slice), synced)?;
            } else {
                file.append(frames, synced)?;
            }
            self.tail = Some(Tail { length: file.end(), last_lsn, last_time });
        }
        Ok(())
    }

    /// Makes everything durable that was written.
    pub fn sync(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.sync().inspect_err(|_| self.in_doubt = true)
    }

    /// Marks the end behind `last_lsn` and makes it durable, when this process wrote anything.
    pub fn close(&mut self, last_lsn: u64) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let time = self.tail.map_or(0, |tail| tail.last_time);
        let end = record::encode(last_lsn + 1, time, &Change::Close)?;
        failpoint::hit("wal.close.before_mark")?;
        file.append_records(std::iter::once(end.as_slice()), last_lsn)?;
        failpoint::hit("wal.close.after_mark")?;
        file.sync()?;
        let _ = file.trim();
        Ok(())
    }
}
