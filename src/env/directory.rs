//! Directories: made with their parents, listed, synced, and cleaned of what dead processes left.

use super::temp::{create_temporary, is_temporary};
use crate::error::{Error, Kind, Result};
use std::fs::{self, TryLockError};
use std::io;
use std::path::Path;

/// Makes the directory and its missing parents, and makes their names durable.
pub fn ensure_directory(path: &Path) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(Error::new(Kind::Path, "ENOTDIR, not a directory but a file").in_file(path)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::io(source, "open", path)),
    }
    if let Some(parent) = path.parent() {
        ensure_directory(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(Error::io(source, "create", path))
        }
        _ => path.parent().map_or(Ok(()), sync_directory),
    }
}

/// Finds out by trying whether files can be made in the directory.
pub fn check_writable(path: &Path) -> Result<()> {
    let (_, probe) = create_temporary(path)?;
    remove_file(&probe).map(|_| ())
}

/// Makes creations, renames and deletions in the directory durable.
pub fn sync_directory(path: &Path) -> Result<()> {
    if cfg!(windows) {
        // Windows opens no directory for syncing; NTFS journals the names itself.
        return Ok(());
    }
    #[expect(clippy::disallowed_methods, reason = "this module is env")]
    let directory = fs::File::open(path).map_err(|source| Error::io(source, "open", path))?;
    directory.sync_all().map_err(|source| Error::io(source, "sync", path))
}

/// The names of the entries of a directory, sorted; none when it does not exist. Names that are not UTF-8 are not ours.
pub fn file_names(path: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(path) {
        Ok(listing) => listing,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::io(source, "list", path)),
    };
    let mut names = Vec::new();
    for entry in listing {
        let entry = entry.map_err(|source| Error::io(source, "list", path))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// The size of a regular file; `None` when there is none.
pub fn file_size(path: &Path) -> Result<Option<u64>> {
    Ok(stamp(path)?.map(|found| found.bytes))
}

/// What tells one file of a name from another that took its place: bytes, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub bytes: u64,
    /// Milliseconds since 1970, as its file system keeps them; 0 where it keeps none.
    pub modified: u64,
}

/// The stamp of a regular file; `None` when there is none.
pub fn stamp(path: &Path) -> Result<Option<Stamp>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {
            let since = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            Ok(Some(Stamp { bytes: found.len(), modified: since.map_or(0, |since| since.as_millis() as u64) }))
        }
        Ok(_) => Err(Error::new(Kind::Path, "not a regular file").in_file(path)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io(source, "look at", path)),
    }
}

/// Removes a file; `false` when there was none. The caller syncs the directory.
pub fn remove_file(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(Error::io(source, "remove", path)),
    }
}

/// Removes the temporary files whose writers are gone: a living writer holds a lock on its file. Returns how many.
pub fn sweep(path: &Path) -> Result<usize> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    // Whoever may write here could have put something else under our name: it is neither waited for nor followed.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let mut swept = 0;
    for name in file_names(path)?.iter().filter(|name| is_temporary(name)) {
        let file = path.join(name);
        let Ok(handle) = options.open(&file) else { continue };
        if !handle.metadata().is_ok_and(|found| found.is_file()) {
            continue;
        }
        match handle.try_lock() {
            Ok(()) => swept += usize::from(remove_file(&file)?),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(Error::io(source, "lock", &file)),
        }
    }
    Ok(swept)
}
