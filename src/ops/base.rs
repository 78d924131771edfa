//! The base directory: made usable, cleaned of what dead processes left, and its small state file.

use crate::env;
use crate::error::{Error, Kind, Result};
use crate::limits::SMALL_FILE_BYTES_MAX;
use std::path::{Path, PathBuf};

const STATE_FILE: &str = ".incremental.json";

/// What was found.
#[derive(Debug)]
pub struct Opened {
    /// The text of `.incremental.json`, when it is there and readable.
    pub incremental: Option<String>,
    /// Temporary files of dead processes that were removed.
    pub swept: usize,
}

/// Makes `base` a directory that can be written to.
pub fn open(base: &str) -> Result<Opened> {
    let base = env::checked_path(base)?;
    env::ensure_directory(&base)?;
    env::check_writable(&base)?;
    let swept = env::sweep(&base)? + env::sweep(&super::snapshots::directory(&base))?;
    // A state that cannot be read is no state: the next incremental save is then a full one.
    let incremental = env::read_small(&base.join(STATE_FILE), SMALL_FILE_BYTES_MAX).unwrap_or(None);
    Ok(Opened { incremental, swept })
}

/// Replaces `.incremental.json`.
pub fn write_incremental(base: &str, text: &str) -> Result<()> {
    env::write_small(&env::checked_path(base)?.join(STATE_FILE), text)
}

/// The size of a regular file; `None` when there is none.
pub fn file_size(path: &str) -> Result<Option<u64>> {
    env::file_size(&env::checked_path(path)?)
}

/// Files of ruvector that this process holds open, as far as the system tells, then `./ruvector.db`.
pub fn ruvector_files() -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = env::open_files().into_iter().filter(|path| crate::foreign::is_redb(path)).collect();
    let usual = env::working_directory()?.join("ruvector.db");
    if !found.contains(&usual) && is_file(&usual) && crate::foreign::is_redb(&usual) {
        found.push(usual);
    }
    Ok(found)
}

fn is_file(path: &Path) -> bool {
    matches!(env::file_size(path), Ok(Some(_)))
}

/// The error of a call that a snapshot record contradicts.
pub(super) fn corrupt(message: String, path: &Path) -> Error {
    Error::new(Kind::Corrupt, message).in_file(path)
}
