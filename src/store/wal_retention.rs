//! How long log files stay that opening does not need any more: for going back to a moment, they are kept for a time.
//! Where the settings name a folder for them, they go there in place of being removed.

use super::paths::Paths;
use crate::env::fs::{Fs, read_whole};
use crate::error::Result;
use crate::failpoint;
use crate::format::document::hex;
use crate::format::header::Owner;
use crate::limits::WAL_FILE_BYTES_MAX;
use crate::manifest::{Manifest, Root, WalRef};
use std::path::{Path, PathBuf};

/// A moment before which log files are to go, though the settings would keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Files that hold only changes with lower numbers.
    Lsn(u64),
    /// Files that hold only changes that are older, microseconds since 1970.
    Time(u64),
}

impl Before {
    /// Whether a file ends before that moment. One that is not complete has not ended.
    pub fn ended(self, file: &WalRef) -> bool {
        match self {
            Before::Lsn(lsn) => file.last_lsn.is_some_and(|last| last < lsn),
            Before::Time(time) => file.last_time.is_some_and(|last| last < time),
        }
    }
}

/// Lets go of the oldest complete files that are behind the checkpoint, and too old, too many, or before a moment that was
/// asked for.
pub fn expire(manifest: &mut Manifest, now_us: u64, before: Option<Before>) {
    let wal = &manifest.settings.wal;
    let oldest = now_us.saturating_sub(wal.retention.saturating_mul(1_000));
    let mut bytes: u64 = manifest.wal.iter().filter_map(|file| file.length).sum();
    let goes = |file: &&WalRef| {
        let (Some(length), Some(last), Some(time)) = (file.length, file.last_lsn, file.last_time) else { return false };
        let too_many = wal.retention_size > 0 && bytes > wal.retention_size;
        let unwanted = before.is_some_and(|before| before.ended(file));
        bytes = bytes.saturating_sub(length);
        last <= manifest.checkpoint_lsn && (time <= oldest || too_many || unwanted)
    };
    let count = manifest.wal.iter().take_while(goes).count();
    manifest.wal.drain(..count);
    forget(manifest);
}

/// Lets go of what is of use only together with a log that is gone.
fn forget(manifest: &mut Manifest) {
    let first = manifest.wal.first().map_or(manifest.checkpoint_lsn, |file| file.first_lsn);
    // The newest replacement tells where the content of today comes from, however long ago that was.
    let older = manifest.timelines.iter().filter(|timeline| timeline.lsn < first).count();
    manifest.timelines.drain(..older.saturating_sub(1));
}

/// Removes the files that the manifest before named and this one does not; keeps a copy where the settings say so.
pub fn retire(fs: &dyn Fs, paths: &Paths, before: &Manifest, after: &Root) {
    let kept = |old: &&WalRef| !after.manifest.wal.iter().any(|kept| kept.number == old.number);
    for file in before.wal.iter().filter(kept) {
        let path = paths.log(file.number);
        let archived = match &after.manifest.settings.wal.archive {
            Some(archive) => archived(fs, &path, Path::new(archive), after.owner, file.length).map(|_| ()),
            None => Ok(()),
        };
        // A file that could not be archived stays until the store is opened for writing and can archive it.
        if archived.is_ok() {
            failpoint::pass("retire.before_log");
            let _ = fs.remove(&path);
        }
    }
}

/// Removes a file that no manifest names; keeps a copy where the settings say so.
pub fn let_go(fs: &dyn Fs, path: &Path, root: &Root) -> Result<()> {
    if let Some(archive) = &root.manifest.settings.wal.archive {
        archived(fs, path, Path::new(archive), root.owner, None)?;
    }
    fs.remove(path).map(|_| ())
}

/// The folder in an archive that holds the old log files of a collection: names of files tell nothing of whose they are.
pub fn archive_of(archive: &Path, owner: Owner) -> PathBuf {
    archive.join(hex(&owner.collection))
}

/// Copies a log file, up to its last record, to the archive. `false`: the same is there already.
pub fn archived(fs: &dyn Fs, path: &Path, archive: &Path, owner: Owner, length: Option<u64>) -> Result<bool> {
    failpoint::hit("retire.before_copy")?;
    let mut bytes = read_whole(fs, path, WAL_FILE_BYTES_MAX)?;
    bytes.truncate(length.map_or(usize::MAX, |length| length as usize));
    let Some(name) = path.file_name() else { return Ok(false) };
    let folder = archive_of(archive, owner);
    let target = folder.join(name);
    let held = fs.list(&folder)?.iter().any(|held| Some(held.as_str()) == name.to_str());
    if held && read_whole(fs, &target, WAL_FILE_BYTES_MAX)? == bytes {
        return Ok(false);
    }
    for folder in [archive, &folder] {
        fs.make_directory(folder)?;
        if let Some(above) = folder.parent() {
            fs.sync_directory(above)?;
        }
    }
    crate::env::fs::replace(fs, &target, &bytes).map_err(|refused| refused.error)?;
    Ok(true)
}
