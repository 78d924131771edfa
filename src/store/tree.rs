//! Removing folders of ours, whose structure is known: nothing is walked that somebody else may have put there.

use super::paths::{COLLECTIONS, RUNS};
use crate::env::fs::Fs;
use crate::error::Result;
use crate::failpoint;
use crate::lsm;
use std::path::Path;

/// Removes the folder of a collection.
pub fn remove_collection(fs: &dyn Fs, path: &Path) -> Result<()> {
    let runs = path.join(RUNS);
    for name in fs.list(&runs)? {
        lsm::remove(fs, &runs.join(name))?;
    }
    fs.remove_directory(&runs)?;
    for folder in ["segments", "wal"] {
        remove_files(fs, &path.join(folder))?;
    }
    remove_files(fs, path)
}

/// Removes the folder of a snapshot: files, and collections.
pub fn remove_snapshot(fs: &dyn Fs, path: &Path) -> Result<()> {
    let collections = path.join(COLLECTIONS);
    for name in fs.list(&collections)? {
        remove_collection(fs, &collections.join(name))?;
    }
    fs.remove_directory(&collections)?;
    remove_files(fs, path)
}

/// Removes a folder that holds files only.
pub fn remove_files(fs: &dyn Fs, folder: &Path) -> Result<()> {
    for name in fs.list(folder)? {
        failpoint::hit("remove.before_file")?;
        fs.remove(&folder.join(name))?;
    }
    failpoint::hit("remove.before_folder")?;
    fs.remove_directory(folder).map(|_| ())
}
