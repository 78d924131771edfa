//! Paths as callers give them, checked before the operating system sees them.

use crate::error::{Error, Kind, Result};
use crate::limits::PATH_BYTES_MAX;
use std::path::{Path, PathBuf};

/// The path, absolute and free of what no file system takes. Does not touch the disk.
pub fn checked_path(text: &str) -> Result<PathBuf> {
    let refuse = |why: &str| Err(Error::new(Kind::Path, format!("the path {why}")));
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.len() > PATH_BYTES_MAX {
        return refuse(&format!("has {} bytes; at most {PATH_BYTES_MAX} are possible", text.len()));
    }
    if text.contains('\0') {
        return refuse("holds a NUL character");
    }
    std::path::absolute(text).map_err(|source| Error::io(source, "resolve", Path::new(text)))
}

/// The path to the same file without symbolic links in the folders before it. The file itself is not followed.
pub fn resolved(path: &Path) -> Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        // Windows has no such links on the way for those who may not make them, and would answer in a form of its own.
        (Some(parent), Some(name)) if !cfg!(windows) => {
            let parent = parent.canonicalize().map_err(|source| Error::io(source, "resolve", path))?;
            Ok(parent.join(name))
        }
        _ => Ok(path.to_path_buf()),
    }
}

/// The process's working directory.
pub fn working_directory() -> Result<PathBuf> {
    std::env::current_dir().map_err(|source| Error::io(source, "find", Path::new(".")))
}
