//! Names that are new, and files that exist only while a call runs.

use super::directory::remove_file;
use crate::error::{Error, Kind, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

const PREFIX: &str = ".ruvector-persistence-";
const SUFFIX: &str = ".tmp";
const ATTEMPTS: usize = 100;

/// A UUID v7: unique, and ordered by time of making within a process.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The same as bytes.
pub fn new_uuid() -> [u8; 16] {
    *uuid::Uuid::now_v7().as_bytes()
}

/// Whether a file name is one of our temporary names.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A new file under a temporary name, locked for as long as it is open so that `sweep` leaves it alone.
pub(super) fn create_temporary(directory: &Path) -> Result<(File, PathBuf)> {
    // Between making a file and locking it another process may sweep it away: then another one is made.
    for _ in 0..ATTEMPTS {
        if let Some(made) = try_temporary(directory)? {
            return Ok(made);
        }
    }
    let message = format!("other processes removed {ATTEMPTS} temporary files before they could be locked");
    Err(Error::new(Kind::Io, message).in_file(directory))
}

/// `None` when a sweep was faster.
fn try_temporary(directory: &Path) -> Result<Option<(File, PathBuf)>> {
    let path = directory.join(format!("{PREFIX}{}{SUFFIX}", new_id()));
    let mut options = OpenOptions::new();
    options.write(true).read(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|source| Error::io(source, "create a file in", directory))?;
    match file.try_lock() {
        Ok(()) if is_named(&file) => Ok(Some((file, path))),
        Ok(()) => Ok(None),
        Err(refusal) => {
            let _ = remove_file(&path);
            match refusal {
                TryLockError::WouldBlock => Ok(None),
                TryLockError::Error(source) => Err(Error::io(source, "lock a file in", directory)),
            }
        }
    }
}

/// Whether the open file still has its name, as far as the system tells.
fn is_named(file: &File) -> bool {
    #[cfg(unix)]
    return file.metadata().is_ok_and(|found| std::os::unix::fs::MetadataExt::nlink(&found) > 0);
    #[cfg(not(unix))]
    file.metadata().is_ok()
}

/// Paths of the regular files this process holds open, where the operating system tells (Linux); else none.
pub fn open_files() -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let mut paths: Vec<PathBuf> = listing
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.is_absolute() && path.is_file())
        .collect();
    paths.sort();
    paths.dedup();
    paths
}
