//! Names that are new, and files that exist only while a call runs.

use super::directory::remove_file;
use super::input::open_input;
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

const PREFIX: &str = ".ruvector-persistence-";
const SUFFIX: &str = ".tmp";

/// A UUID v7: unique, and ordered by time of making within a process.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Whether a file name is one of our temporary names.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// A new file under a temporary name, locked for as long as it is open so that `sweep` leaves it alone.
pub(super) fn create_temporary(directory: &Path) -> Result<(File, PathBuf)> {
    let path = directory.join(format!("{PREFIX}{}{SUFFIX}", new_id()));
    let mut options = OpenOptions::new();
    options.write(true).read(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path).map_err(|source| Error::io(source, "create", &path))?;
    match file.try_lock() {
        Ok(()) => Ok((file, path)),
        Err(refusal) => {
            let _ = remove_file(&path);
            Err(Error::io(refusal.into(), "lock", &path))
        }
    }
}

/// A copy of a file that another process may be writing, removed when dropped.
pub struct PrivateCopy {
    path: PathBuf,
    _lock: File,
}

impl PrivateCopy {
    /// Copies `from` into `directory`. The copy is a moment's best effort: its reader has to verify it.
    pub fn of(from: &Path, directory: &Path) -> Result<Self> {
        let mut input = open_input(from)?;
        let (mut file, path) = create_temporary(directory)?;
        let copied = std::io::copy(&mut input, &mut file);
        let copy = PrivateCopy { path, _lock: file };
        copied.map_err(|source| Error::io(source, "copy", from))?;
        Ok(copy)
    }

    /// Where the copy is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        let _ = remove_file(&self.path);
    }
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
