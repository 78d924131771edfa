//! A store with a log: `LIST` names a snapshot and log files, and only the last log is written to.
//!
//! Opening writes everything into a new snapshot, begins a new log, replaces the list and removes what it named before: so
//! nothing that recovery read from the page cache has to be durable. Its parameter plants one bug.

use super::bug::{BUFFERED, LIST_FIRST, NO_CHECKSUM, RELAXED, REMOVE_FIRST, RETRY, TRUST_CACHE};
use super::{decode, encode};
use crate::model::{Content, Op, Row};
use crate::sim::SimFs;
use crate::subject::Subject;
use ruvector_persistence::env::fs::{Fs, FsFile, Lock, read_whole, replace};
use ruvector_persistence::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDER: &str = "/db/store";
/// Names every file of the store.
pub const LIST: &str = "/db/store/LIST";
/// Logs are made of zeros of that length.
const LOG_BYTES: usize = 10_000;
const FRAME: usize = 8;

/// What a record says: rows that are there now, and ids that are not.
type Change = (Vec<(String, Vec<u32>, Option<String>)>, Vec<String>);

/// See the head of this file.
pub struct Logged<const BUG: u8> {
    fs: Arc<SimFs>,
    content: Content,
    files: Vec<PathBuf>,
    log: Box<dyn FsFile>,
    end: u64,
    buffer: Vec<u8>,
    poisoned: bool,
    _lock: Box<dyn Lock>,
}

/// The files that a list names, for the rules of durable order.
pub fn logged_files(list: &[u8]) -> Vec<PathBuf> {
    let names: Vec<String> = serde_json::from_slice(list).unwrap_or_default();
    names.iter().map(|name| Path::new(FOLDER).join(name)).collect()
}

fn read(fs: &SimFs, path: &Path) -> Result<Option<Vec<u8>>> {
    match read_whole(fs, path, 1 << 20) {
        Err(error) if error.cause_code() == Some("ENOENT") => Ok(None),
        found => found.map(Some),
    }
}

impl<const BUG: u8> Logged<BUG> {
    /// The records of a log up to the first that is not whole.
    fn replay(bytes: &[u8], content: &mut Content) -> Result<()> {
        let mut rest = bytes;
        while let Some((frame, behind)) = rest.split_at_checked(FRAME) {
            let number = |at: usize| u32::from_le_bytes(frame[at..at + 4].try_into().unwrap());
            let length = number(0) as usize;
            let Some(payload) = behind.get(..length).filter(|_| length > 0) else { return Ok(()) };
            if BUG != NO_CHECKSUM && crc32fast::hash(payload) != number(4) {
                return Ok(());
            }
            let found: std::result::Result<Change, _> = serde_json::from_slice(payload);
            let (rows, gone) = found.map_err(|_| Error::new(Kind::Corrupt, "a damaged record"))?;
            content.extend(rows.into_iter().map(|(id, vector, metadata)| (id, Row { vector, metadata })));
            gone.iter().for_each(|id| drop(content.remove(id)));
            rest = &behind[length..];
        }
        Ok(())
    }

    /// Makes a file with that content, durable with its name.
    fn make(fs: &SimFs, path: &Path, bytes: &[u8]) -> Result<Box<dyn FsFile>> {
        // What a crash left under that name was in no list.
        fs.remove(path)?;
        let file = fs.create(path)?;
        file.write_at(bytes, 0)?;
        if BUG != LIST_FIRST {
            file.sync()?;
            fs.sync_directory(Path::new(FOLDER))?;
        }
        Ok(file)
    }

    fn remove_others(fs: &SimFs, files: &[PathBuf]) -> Result<()> {
        for name in fs.list(Path::new(FOLDER))? {
            let path = Path::new(FOLDER).join(&name);
            if name.contains('.') && !files.contains(&path) {
                fs.remove(&path)?;
            }
        }
        fs.sync_directory(Path::new(FOLDER))
    }

    fn append(&mut self, before: &Content) -> Result<()> {
        let now = &self.content;
        let rows = now.iter().filter(|(id, row)| before.get(*id) != Some(row));
        let rows = rows.map(|(id, row)| (id.clone(), row.vector.clone(), row.metadata.clone())).collect();
        let gone = before.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        let change: Change = (rows, gone);
        let payload = serde_json::to_vec(&change).unwrap();
        let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
        frame.extend(crc32fast::hash(&payload).to_le_bytes());
        frame.extend(payload);
        self.buffer.extend(frame);
        match BUG {
            BUFFERED => Ok(()),
            RELAXED => self.write(),
            _ => self.write().and_then(|()| self.sync()),
        }
    }

    /// What lands of a write that fails is written over by the next.
    fn write(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        self.log.write_at(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.write()?;
        let done = match self.log.sync() {
            Err(_) if BUG == RETRY => self.log.sync(),
            other => other,
        };
        self.poisoned = done.is_err();
        done
    }
}

impl<const BUG: u8> Subject for Logged<BUG> {
    fn open(fs: Arc<SimFs>) -> Result<Self> {
        let folder = Path::new(FOLDER);
        fs.make_directory(folder)?;
        fs.sync_directory(Path::new("/db"))?;
        let lock = fs.lock(&folder.join("LOCK"), "a test")?;
        let list = read(&fs, Path::new(LIST))?;
        let old: Vec<PathBuf> = list.map_or(Vec::new(), |list| logged_files(&list));
        let mut content = Content::new();
        for path in &old {
            let bytes = read(&fs, path)?.ok_or_else(|| Error::new(Kind::Corrupt, "a listed file is missing"))?;
            match path.extension().is_some_and(|found| found == "snapshot") {
                true => content = decode(&bytes)?,
                false => Self::replay(&bytes, &mut content)?,
            }
        }
        let last = old.last().and_then(|path| path.file_stem()?.to_str()?.parse::<u64>().ok());
        let number = last.map_or(1, |last| last + 1);
        let mut files = old.clone();
        if BUG != TRUST_CACHE {
            files = vec![folder.join(format!("{number}.snapshot"))];
            Self::make(&fs, &files[0], &encode(&content))?;
        }
        files.push(folder.join(format!("{number}.log")));
        let log = Self::make(&fs, &files[files.len() - 1], &[0; LOG_BYTES])?;
        if BUG == REMOVE_FIRST {
            Self::remove_others(&fs, &files)?;
        }
        let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        replace(&*fs, Path::new(LIST), serde_json::to_string(&names).unwrap().as_bytes())?;
        Self::remove_others(&fs, &files)?;
        if BUG == LIST_FIRST {
            log.sync()?;
        }
        Ok(Logged { fs, content, files, log, end: 0, buffer: Vec::new(), poisoned: false, _lock: lock })
    }

    fn apply(&mut self, op: &Op) -> Result<()> {
        if self.poisoned {
            return Err(Error::new(Kind::Poisoned, "a sync failed"));
        }
        let before = self.content.clone();
        op.apply(&mut self.content);
        let done = match op {
            Op::Flush | Op::Checkpoint => self.sync(),
            _ => self.append(&before),
        };
        if done.is_err() {
            self.content = before;
        }
        done
    }

    fn content(&self) -> Result<Content> {
        Ok(self.content.clone())
    }

    fn verify(&self) -> Result<()> {
        let mut found = BTreeMap::new();
        for path in &self.files {
            let bytes = read(&self.fs, path)?.unwrap_or_default();
            match path.extension().is_some_and(|found| found == "snapshot") {
                true => found = decode(&bytes)?,
                false => Self::replay(&bytes, &mut found)?,
            }
        }
        if found == self.content { Ok(()) } else { Err(Error::new(Kind::Corrupt, "the files say something else")) }
    }

    fn close(mut self) -> Result<()> {
        if self.poisoned { Ok(()) } else { self.sync() }
    }
}
