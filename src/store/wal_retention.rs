//! How long log files stay that opening does not need any more: for going back to a moment, they are kept for a time.

use super::paths::Paths;
use crate::env::fs::{Fs, read_whole};
use crate::error::Result;
use crate::failpoint;
use crate::limits::WAL_FILE_BYTES_MAX;
use crate::manifest::{Manifest, WalRef};
use std::path::Path;

/// Lets go of the oldest complete files that are behind the checkpoint, and too old or too many.
pub fn expire(manifest: &mut Manifest, now_us: u64) {
    let wal = &manifest.settings.wal;
    let oldest = now_us.saturating_sub(wal.retention.saturating_mul(1_000));
    let mut bytes: u64 = manifest.wal.iter().filter_map(|file| file.length).sum();
    let goes = |file: &&WalRef| {
        let (Some(length), Some(last), Some(time)) = (file.length, file.last_lsn, file.last_time) else { return false };
        let too_many = wal.retention_size > 0 && bytes > wal.retention_size;
        bytes = bytes.saturating_sub(length);
        last <= manifest.checkpoint_lsn && (time <= oldest || too_many)
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
pub fn retire(fs: &dyn Fs, paths: &Paths, before: &Manifest, after: &Manifest) {
    let gone = before.wal.iter().filter(|old| !after.wal.iter().any(|kept| kept.number == old.number));
    for file in gone {
        let path = paths.log(file.number);
        let archived = match &after.settings.wal.archive {
            Some(archive) => copy(fs, &path, Path::new(archive), file.length),
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
pub fn let_go(fs: &dyn Fs, path: &Path, manifest: &Manifest) -> Result<()> {
    if let Some(archive) = &manifest.settings.wal.archive {
        copy(fs, path, Path::new(archive), None)?;
    }
    fs.remove(path).map(|_| ())
}

fn copy(fs: &dyn Fs, path: &Path, archive: &Path, length: Option<u64>) -> Result<()> {
    failpoint::hit("retire.before_copy")?;
    let mut bytes = read_whole(fs, path, WAL_FILE_BYTES_MAX)?;
    bytes.truncate(length.map_or(usize::MAX, |length| length as usize));
    fs.make_directory(archive)?;
    if let Some(above) = archive.parent() {
        fs.sync_directory(above)?;
    }
    let Some(name) = path.file_name() else { return Ok(()) };
    let target = archive.join(name);
    crate::env::fs::replace(fs, &target, &bytes).map_err(|refused| refused.error)
}
