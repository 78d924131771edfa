//! How a file is replaced: written beside its place, synced, renamed over it, directory synced.
//!
//! At every moment the place holds the whole old file or the whole new one. A replacement that is not committed
//! leaves nothing behind; one whose process dies leaves a temporary file that `sweep` removes.

use super::directory::{ensure_directory, remove_file, sync_directory};
use super::temp::create_temporary;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file on its way to its place.
pub struct Replacement {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl Replacement {
    /// Starts one; missing parents of `target` are made. A target that is anything but a regular file is refused.
    pub fn of(target: &Path) -> Result<Self> {
        let parent = target.parent().ok_or_else(|| Error::new(Kind::Path, "names no file").in_file(target))?;
        match target.symlink_metadata() {
            Ok(found) if !found.is_file() => {
                let what = if found.is_symlink() { "a symbolic link" } else { "not a regular file" };
                return Err(Error::new(Kind::Path, format!("{what}; it is not overwritten")).in_file(target));
            }
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(source, "look at", target));
            }
            _ => ensure_directory(parent)?,
        }
        // The caller knows the target, not the file beside it.
        let (file, temporary) =
            create_temporary(parent).map_err(|error| Error { path: None, ..error }.writing(target))?;
        let replacement = Replacement { file, temporary, target: target.to_path_buf(), committed: false };
        failpoint::hit("archive.after_create")?;
        Ok(replacement)
    }

    /// Makes the content durable and puts it in place. On an error the old file stands, unless it is the sync of the
    /// directory that failed: then either may be found after a power cut, and both are whole.
    pub fn commit(mut self) -> Result<()> {
        failpoint::hit("archive.before_sync")?;
        self.file.sync_all().map_err(|source| Error::io(source, "sync", &self.target))?;
        failpoint::hit("archive.after_sync")?;
        #[expect(clippy::disallowed_methods, reason = "this module is env")]
        std::fs::rename(&self.temporary, &self.target).map_err(|source| Error::io(source, "replace", &self.target))?;
        self.committed = true;
        failpoint::hit("archive.after_rename")?;
        self.target.parent().map_or(Ok(()), sync_directory)?;
        failpoint::hit("archive.after_name")
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.committed {
            let _ = remove_file(&self.temporary);
        }
    }
}

/// Replaces a small file.
pub fn write_small(target: &Path, text: &str) -> Result<()> {
    let mut replacement = Replacement::of(target)?;
    replacement.write_all(text.as_bytes()).map_err(|source| Error::io(source, "write", target))?;
    replacement.commit()
}
