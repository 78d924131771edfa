//! Removes a run. The seal goes first, so that what a crash leaves is no run any more; the file by which the library
//! recognises a tree goes last, so that a reader that comes too late finds a damaged tree and makes no new one.

use super::seal::{SEAL, TABLES};
use crate::env::fs::Fs;
use crate::error::Result;
use std::path::Path;

/// What the library looks for to tell a tree from an empty folder.
const CURRENT: &str = "current";

/// Removes the folder with everything in it, whatever state it is in; one that is not there is fine. A reader that has the
/// run open keeps its files.
pub fn remove(fs: &dyn Fs, folder: &Path) -> Result<()> {
    fs.remove(&folder.join(SEAL))?;
    let tables = folder.join(TABLES);
    for name in fs.list(&tables)? {
        fs.remove(&tables.join(name))?;
    }
    fs.remove_directory(&tables)?;
    let names = fs.list(folder)?;
    let (last, others): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| name == CURRENT);
    for name in others.iter().chain(&last) {
        fs.remove(&folder.join(name))?;
    }
    fs.remove_directory(folder).map(|_| ())
}
