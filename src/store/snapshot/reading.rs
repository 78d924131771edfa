//! A snapshot that is being read: as long as somebody holds this, nobody removes it, in this process or another.
//!
//! It is a locked file beside the snapshot, one for each reader. Who removes looks for such files under the lock of the
//! snapshot's id, and a reader makes its own under that lock, so that neither comes between the steps of the other. Where
//! nothing can be written beside the snapshot (a medium that is read only) there is no such file.

use super::staging::{LOCK, PREFIX, name};
use crate::env::fs::{Fs, Lock};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Other readers hold the lock of the id for a moment only.
const ATTEMPTS: usize = 10_000;

/// See the head of this file.
#[derive(Debug)]
pub struct Reading {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    lock: Option<Box<dyn Lock>>,
}

fn reader(id: &str) -> String {
    format!("using-{id}.")
}

fn is_unwritable(error: &Error) -> bool {
    error.kind == Kind::Path && matches!(error.cause_code(), Some("EROFS" | "EACCES" | "EPERM"))
}

impl Reading {
    /// Keeps the snapshot of that id. `None`: nothing can be written in its folder. `ERR_LOCKED`: it is being removed.
    pub fn begin(fs: &Arc<dyn Fs>, directory: &Path, id: &str) -> Result<Option<Reading>> {
        let holder = format!("process {}", std::process::id());
        let gate = directory.join(name(id, LOCK));
        let mut attempt = 0;
        let held = loop {
            attempt += 1;
            match fs.lock(&gate, &holder) {
                Err(error) if error.kind == Kind::Locked && attempt < ATTEMPTS => std::thread::yield_now(),
                Err(error) if error.kind == Kind::Locked => return Err(busy(id)),
                Err(error) if is_unwritable(&error) => return Ok(None),
                other => break other?,
            }
        };
        let _gate = Reading { fs: fs.clone(), path: gate, lock: Some(held) };
        failpoint::hit("reading.before_lock")?;
        let mut number = 1_u64;
        loop {
            let path = directory.join(name(&format!("{}{number}", reader(id)), LOCK));
            match fs.lock(&path, &holder) {
                Err(error) if error.kind == Kind::Locked => number += 1,
                other => return Ok(Some(Reading { fs: fs.clone(), path, lock: Some(other?) })),
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // One that stays is removed by the next sweep.
        let _ = self.fs.remove(&self.path);
        drop(self.lock.take());
    }
}

fn busy(id: &str) -> Error {
    Error::new(Kind::Locked, format!("snapshot '{id}' is being made or removed by another process"))
}

/// Refuses to go on when somebody reads the snapshot. To be called under the lock of its id.
pub fn check_unread(fs: &dyn Fs, directory: &Path, id: &str) -> Result<()> {
    let (prefix, reader) = (PREFIX.to_owned() + &reader(id), "who removes a snapshot");
    for file in fs.list(directory)?.iter().filter(|file| file.starts_with(&prefix) && file.ends_with(LOCK)) {
        let path = directory.join(file);
        match fs.lock(&path, reader) {
            Err(error) if error.kind == Kind::Locked => {
                let message =
                    format!("snapshot '{id}' is being read (restored, verified): it is not removed meanwhile");
                return Err(Error::new(Kind::Locked, message));
            }
            Err(error) => return Err(error),
            // What a killed reader left.
            Ok(lock) => {
                fs.remove(&path)?;
                drop(lock);
            }
        }
    }
    Ok(())
}
