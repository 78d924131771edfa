//! A store in one file, which each operation replaces. Its parameter plants one bug.

use super::bug::{EAGER_CLEANING, EARLY, NO_DIRECTORY_SYNC, NO_FILE_SYNC, RETRY, SPLIT};
use super::{decode, encode};
use crate::model::{Content, Op};
use crate::sim::SimFs;
use crate::subject::Subject;
use ruvector_persistence::env::fs::{Fs, Lock, read_whole};
use ruvector_persistence::error::Result;
use std::path::Path;
use std::sync::Arc;

const FILE: &str = "/db/data";
const TEMPORARY: &str = "/db/data.tmp";

/// See the head of this file.
pub struct Whole<const BUG: u8> {
    fs: Arc<SimFs>,
    content: Content,
    _lock: Box<dyn Lock>,
}

impl<const BUG: u8> Whole<BUG> {
    fn save(&self) -> Result<()> {
        let (file, temporary) = (Path::new(FILE), Path::new(TEMPORARY));
        self.fs.remove(temporary)?;
        let new = self.fs.create(temporary)?;
        new.write_at(&encode(&self.content), 0)?;
        match (BUG, new.sync_unless(BUG == NO_FILE_SYNC)) {
            (RETRY, Err(_)) => new.sync()?,
            (_, synced) => synced?,
        }
        if BUG == EARLY {
            self.fs.sync_directory(Path::new("/db"))?;
        }
        self.fs.rename(temporary, file)?;
        if BUG == NO_DIRECTORY_SYNC || BUG == EARLY { Ok(()) } else { self.fs.sync_directory(Path::new("/db")) }
    }
}

trait SyncUnless {
    fn sync_unless(&self, skipped: bool) -> Result<()>;
}

impl SyncUnless for Box<dyn ruvector_persistence::env::fs::FsFile> {
    fn sync_unless(&self, skipped: bool) -> Result<()> {
        if skipped { Ok(()) } else { self.sync() }
    }
}

impl<const BUG: u8> Subject for Whole<BUG> {
    fn open(fs: Arc<SimFs>) -> Result<Self> {
        let lock = fs.lock(Path::new("/db/LOCK"), "a test")?;
        let left = fs.remove(Path::new(TEMPORARY))?;
        if BUG == EAGER_CLEANING && left {
            fs.remove(Path::new(FILE))?;
        }
        let content = match read_whole(&*fs, Path::new(FILE), 1 << 20) {
            Err(error) if error.cause_code() == Some("ENOENT") => Content::new(),
            found => decode(&found?)?,
        };
        Ok(Whole { fs, content, _lock: lock })
    }

    fn apply(&mut self, op: &Op) -> Result<()> {
        if let (SPLIT, Op::Put(entries)) = (BUG, op) {
            for entry in entries {
                Op::Put(vec![entry.clone()]).apply(&mut self.content);
                self.save()?;
            }
            return Ok(());
        }
        let before = self.content.clone();
        op.apply(&mut self.content);
        let saved = self.save();
        if saved.is_err() {
            self.content = before;
        }
        saved
    }

    fn content(&self) -> Result<Content> {
        Ok(self.content.clone())
    }

    fn verify(&self) -> Result<()> {
        self.fs.list(Path::new("/db"))?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.fs.sync_directory(Path::new("/db"))
    }
}
