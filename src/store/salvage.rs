//! Salvage: what can still be read of a damaged collection becomes a new one, and what could not is named.
//!
//! Nothing else in the library passes over damage. The damaged collection is left as it is.

use super::collection::Collection;
use super::open::Store;
use super::part::{Part, Place};
use super::paths::Paths;
use super::recovery::log_bytes;
use super::sealing::{Access, open_part};
use super::stored::Core;
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::manifest::{self, Root, SegmentRef, Settings, WalRef};
use crate::segment::DeadRows;
use crate::wal::LogReader;
use serde::Serialize;
use std::path::PathBuf;

const IDS_MAX: usize = 100_000;

/// Something that is lost, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// What it means.
    pub what: String,
    /// Rows of a segment that could not be read.
    pub rows: u64,
    /// Their ids, as far as those can be read.
    pub ids: Vec<String>,
    /// The first LSN that is missing from the log, and the first that is there again (0: none is).
    pub lsns: Option<(u64, u64)>,
}

/// What a salvage saved and what it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Salvaged {
    /// Entries of the new collection.
    pub entries: u64,
    /// What is lost; empty when nothing is.
    pub lost: Vec<Lost>,
}

struct Work<'a> {
    store: &'a Store,
    paths: Paths,
    root: Root,
    content: Collection,
    lost: Vec<Lost>,
}

impl Store {
    /// Reads what is left of the collection `from` into a new collection `to`.
    pub fn salvage(&self, from: &str, to: &str, control: &Control) -> Result<Salvaged> {
        super::paths::check_name(from)?;
        self.forget(from)?;
        let home = Paths::home(self.base(), from);
        // Without its manifest nobody knows which files belong to the collection, and in which state.
        let root = manifest::read(&**self.fs(), &home, self.id())?;
        let settings = root.manifest.settings.clone();
        let paths = Paths::of(self.base(), from, &root);
        let content = Collection::new(settings.description()?);
        let mut work = Work { store: self, paths, root, content, lost: Vec::new() };
        for named in work.root.manifest.segments.clone() {
            control.check()?;
            failpoint::hit("salvage.before_segment")?;
            work.segment(&named)?;
        }
        for file in work.root.manifest.wal.clone() {
            control.check()?;
            failpoint::hit("salvage.before_log")?;
            work.log(&file)?;
        }
        failpoint::hit("salvage.before_create")?;
        let target = self.create(to, Settings { read_only: false, ..settings })?;
        failpoint::hit("salvage.before_content")?;
        target.replace(&work.content.version())?;
        failpoint::hit("salvage.after_content")?;
        Ok(Salvaged { entries: work.content.len() as u64, lost: work.lost })
    }
}

impl Work<'_> {
    fn lose(&mut self, path: PathBuf, error: &Error, rows: u64) {
        let (offset, what) = (error.offset.unwrap_or(0), error.message.clone());
        self.lost.push(Lost { path, offset, what, rows, ids: Vec::new(), lsns: None });
    }

    fn segment(&mut self, named: &SegmentRef) -> Result<()> {
        let path = self.paths.part(named.kind, named.number);
        let fs = self.store.fs().clone();
        let access = Access::of(&self.root.manifest.settings, None);
        let part = match open_part(&fs, &self.paths, self.root.owner, named, &access) {
            Ok(part) => part,
            Err(error) => {
                self.lose(path, &error, named.rows);
                return Ok(());
            }
        };
        let mut dead = DeadRows::new(part.rows() as u32);
        if let Some(file) = &named.dead {
            let path = self.paths.dead(named.number, file.version);
            match Core::read_dead(&*fs, &path, self.root.owner, named, file) {
                Ok(found) => dead = found,
                Err(error) => {
                    let what = format!("{}; entries that were removed or replaced may be back", error.message);
                    self.lose(path, &Error { message: what, ..error }, 0);
                }
            }
        }
        let mut lost = Lost { path, offset: 0, what: String::new(), rows: 0, ids: Vec::new(), lsns: None };
        for row in dead.live_from(0) {
            match part.entry(&Place::of(row)) {
                Ok(entry) => entry.map_or(Ok(()), |entry| self.content.insert(entry))?,
                Err(error) => {
                    if lost.rows == 0 {
                        (lost.offset, lost.what) = (error.offset.unwrap_or(0), error.message);
                    }
                    lost.rows += 1;
                    if lost.ids.len() < IDS_MAX {
                        lost.ids.extend(part_id(&part, row));
                    }
                }
            }
        }
        if lost.rows > 0 {
            self.lost.push(lost);
        }
        Ok(())
    }

    /// Replays a log file; a damaged place is passed over.
    fn log(&mut self, file: &WalRef) -> Result<()> {
        let checkpoint = self.root.manifest.checkpoint_lsn;
        if file.last_lsn.is_some_and(|last| last <= checkpoint) {
            return Ok(());
        }
        let path = self.paths.log(file.number);
        let begun = log_bytes(&**self.store.fs(), &path, false);
        let bytes = match begun {
            Ok(bytes) => bytes,
            Err(error) => {
                self.lose(path, &error, 0);
                return Ok(());
            }
        };
        let mut reader = match LogReader::new(&bytes, &path, self.root.owner, (file.number, file.first_lsn), None) {
            Ok(reader) => reader,
            Err(error) => {
                self.lose(path, &error, 0);
                return Ok(());
            }
        };
        loop {
            while let Some(record) = reader.next_record()? {
                if file.last_lsn.is_some_and(|last| record.lsn > last) {
                    // Written behind the end of a file that a later writer declared complete: nobody was told of it.
                    return Ok(());
                }
                if record.last_lsn() > checkpoint {
                    match self.content.check(&record.change) {
                        Ok(()) => self.content.replay(record.last_lsn(), record.change)?,
                        Err(error) => self.lose(path.clone(), &error.at(reader.offset()), 0),
                    }
                }
            }
            let (offset, missing) = (reader.offset(), reader.next_lsn());
            let ended = file.last_lsn.is_none_or(|last| missing > last);
            let again = reader.skip_damage();
            if again.is_none() && ended {
                return Ok(());
            }
            let what = "records of the log could not be read".to_owned();
            let lsns = Some((missing, again.unwrap_or(0)));
            self.lost.push(Lost { path: path.clone(), offset, what, rows: 0, ids: Vec::new(), lsns });
            if again.is_none() {
                return Ok(());
            }
        }
    }
}

/// The id of a row of which something else is damaged. A run has a row whole or not at all.
fn part_id(part: &Part, row: u32) -> Option<String> {
    part.segment().and_then(|segment| segment.id(row).ok().map(str::to_owned))
}

/// A collection that cannot be opened has no handle to close.
impl Store {
    fn forget(&self, name: &str) -> Result<()> {
        if self.is_read_only() {
            return Err(Error::new(Kind::ReadOnly, "the store was opened for reading only").in_file(self.base()));
        }
        self.close_collection(name)
    }
}
