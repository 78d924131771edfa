//! One log file that is being written: frames are appended, and made durable by a sync.
//!
//! Zeros are written ahead of the frames, so that a commit changes no length and no block map of the file and its sync
//! is one flush of the data. Large writes go past them: there the flush is worth the whole anyway.

use super::frame::{self, FRAMES_START, Frames};
use crate::env::fs::{Fs, FsFile};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, Header, Owner};
use std::path::{Path, PathBuf};

/// A group of frames of this size or more is written without zeros ahead of it.
const LARGE_BYTES: u64 = 256 << 10;

/// The name of the log file of that number; names sort as numbers, and numbers grow with the LSNs.
pub fn file_name(number: u64) -> String {
    format!("{number:020}.wal")
}

/// The number in a file's name; `None` when it is not the name of a log file.
pub fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal").filter(|digits| digits.len() == 20)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// A log file that is open for appending.
#[derive(Debug)]
pub struct LogFile {
    file: Box<dyn FsFile>,
    path: PathBuf,
    number: u64,
    first_lsn: u64,
    seed: u32,
    /// Where the next frame goes.
    end: u64,
    /// Up to where the file holds zeros behind the frames.
    zeroed: u64,
    /// Zeros are written in steps of this many bytes.
    step: u64,
    /// Whether anything was written since the last sync.
    dirty: bool,
}

impl LogFile {
    /// Makes the file durable under its name, without frames. Its number is the generation of the manifest that will
    /// name it; `copied`: it is for records that an earlier file holds.
    pub fn create(
        fs: &dyn Fs,
        directory: &Path,
        owner: Owner,
        (number, first_lsn): (u64, u64),
        copied: bool,
        step: u64,
    ) -> Result<LogFile> {
        let path = directory.join(file_name(number));
        let header = Header { kind: FileKind::Wal, owner, number, generation: number as u32 };
        let (head, seed) = frame::start(&header, crate::env::new_uuid(), first_lsn, copied);
        // A file of that name that no manifest names is what a crash left of this same step.
        fs.remove(&path)?;
        failpoint::hit("wal.create.before_file")?;
        let file = fs.create(&path)?;
        failpoint::hit("wal.create.after_file")?;
        let end = head.len() as u64;
        let mut log = LogFile { file, path, number, first_lsn, seed, end, zeroed: end, step, dirty: true };
        log.file.write_at(&head, 0)?;
        failpoint::hit("wal.create.after_head")?;
        log.zero_ahead()?;
        log.sync()?;
        failpoint::hit("wal.create.after_sync")?;
        fs.sync_directory(directory)?;
        failpoint::hit("wal.create.after_name")?;
        Ok(log)
    }

    /// Its number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The LSN it begins with.
    pub fn first_lsn(&self) -> u64 {
        self.first_lsn
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes up to the end of the last frame.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether it holds no frame.
    pub fn is_empty(&self) -> bool {
        self.end == FRAMES_START as u64
    }

    /// Whether something is written and not synced.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Writes the frames of `records` as [`append`](Self::append) does.
    pub fn append_records<'a>(&mut self, records: impl Iterator<Item = &'a [u8]>, synced: u64) -> Result<()> {
        let mut frames = Frames::default();
        let bytes = records.map(|record| frames.push_record(record)).sum();
        self.append(frames.part(0, bytes), synced)
    }

    /// Finishes whole frames and writes them with one call; their records say that everything up to `synced` was durable.
    /// On an error nothing counts as written, and the next append takes their place.
    pub fn append(&mut self, frames: &mut [u8], synced: u64) -> Result<()> {
        frame::seal(frames, self.seed, self.end, synced);
        let length = frames.len() as u64;
        self.dirty = true;
        failpoint::hit("wal.append.before_write")?;
        self.file.write_at(frames, self.end)?;
        failpoint::hit("wal.append.after_write")?;
        self.end += length;
        if length < LARGE_BYTES && self.zeroed < self.end + length {
            // The records are written. Without zeros ahead of it the next group only costs more.
            let _ = self.zero_ahead();
        }
        Ok(())
    }

    fn zero_ahead(&mut self) -> Result<()> {
        if self.step == 0 {
            return Ok(());
        }
        let from = self.zeroed.max(self.end);
        let to = (self.end + self.step).next_multiple_of(4_096);
        let zeros = vec![0; usize::try_from(to - from).map_err(|_| Error::new(Kind::Limit, "a step too large"))?];
        failpoint::hit("wal.zeros.before_write")?;
        self.file.write_at(&zeros, from)?;
        self.zeroed = to;
        Ok(())
    }

    /// Makes durable what was written.
    pub fn sync(&mut self) -> Result<()> {
        if self.dirty {
            failpoint::hit("wal.sync.before")?;
            self.file.sync()?;
            failpoint::hit("wal.sync.after")?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Cuts the zeros behind the frames off. Readers do not care; it only frees space.
    pub fn trim(&mut self) -> Result<()> {
        failpoint::hit("wal.trim.before")?;
        self.file.truncate(self.end)?;
        failpoint::hit("wal.trim.after")
    }
}
