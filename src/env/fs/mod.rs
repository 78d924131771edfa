//! The files of a store, behind one trait: the real ones ([`Disk`]), and simulated ones in the tests, which crash, fail
//! and lie as disks do.
//!
//! What an implementation promises is what a POSIX file system promises and no more: bytes are durable after `sync` of
//! their file, names after `sync_directory` of their directory, nothing else ever. Errors name the path and the errno.

mod disk;
mod map;
mod share;
mod stream;

pub use disk::Disk;
pub use map::{Advice, Bytes, page_faults};
pub use share::{Shared, share};
pub use stream::{Appender, Stream};

use crate::error::{Error, Kind, Result};
use crate::failpoint;
use std::fmt::Debug;
use std::path::Path;

/// A held lock; dropping it gives it up.
pub trait Lock: Debug + Send + Sync {}

/// A file system and the clock beside it.
pub trait Fs: Debug + Send + Sync {
    /// Opens a regular file for reading. A symbolic link, FIFO, device or directory is refused with `ERR_PATH`.
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>>;
    /// Makes a new, empty file for reading and writing, for its owner only; refuses one that exists.
    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>>;
    /// Gives `from` the name `to`; what had that name is gone. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Gives a file a second name, which must be new. Both then are the same file. `ERR_UNSUPPORTED` where there is no such
    /// thing.
    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let message = format!("this file system gives no second name to {}", from.display());
        Err(Error::new(Kind::Unsupported, message).in_file(to))
    }
    /// Makes a new file with the content of another, durable.
    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        share::copy(self.open(from)?.as_ref(), self.create(to)?.as_ref())
    }
    /// Removes a file; `false` when there was none.
    fn remove(&self, path: &Path) -> Result<bool>;
    /// Makes one directory, for its owner only; one that exists is fine.
    fn make_directory(&self, path: &Path) -> Result<()>;
    /// Removes an empty directory; `false` when there was none.
    fn remove_directory(&self, path: &Path) -> Result<bool>;
    /// The names in a directory, sorted; none when there is no such directory.
    fn list(&self, path: &Path) -> Result<Vec<String>>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_directory(&self, path: &Path) -> Result<()>;
    /// Locks a file for this process (made when missing) and writes `holder` into it. Held by somebody else:
    /// `ERR_LOCKED` with what that one wrote.
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>>;
    /// Bytes that can still be written to the file system that holds `path`.
    fn free_space(&self, path: &Path) -> Result<u64>;
    /// Whether its files are those of the operating system, which other libraries can open by their paths.
    fn is_real(&self) -> bool {
        false
    }
    /// Microseconds since 1970. May go backwards: callers keep their own times in order.
    fn now_us(&self) -> u64;
}

/// An open file. Positions are given with each call: nothing is shared between callers.
pub trait FsFile: Debug + Send + Sync {
    /// Bytes in the file.
    fn length(&self) -> Result<u64>;
    /// Fills `buffer` from `offset` on; the end of the file before that is an error.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;
    /// Writes all of `bytes` at `offset`. After an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;
    /// Makes the file shorter.
    fn truncate(&self, length: u64) -> Result<()>;
    /// Makes content and length durable. After an error nothing is known of either, and a second call proves nothing.
    fn sync(&self) -> Result<()>;
    /// The whole file as bytes that do not change.
    fn map(&self) -> Result<Bytes>;
}

/// Reads a whole file of at most `bytes_max`.
pub fn read_whole(fs: &dyn Fs, path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let file = fs.open(path)?;
    let length = file.length()?;
    if length > bytes_max {
        let message = format!("{length} bytes; a file of this kind has at most {bytes_max}");
        return Err(Error::new(Kind::Corrupt, message).in_file(path));
    }
    let mut bytes = vec![0; length as usize];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// A replacement that failed.
#[derive(Debug)]
pub struct NotReplaced {
    /// Why.
    pub error: Error,
    /// The new file has its name, but the sync of the directory failed: after a power cut either may be found.
    pub in_doubt: bool,
}

impl From<NotReplaced> for Error {
    fn from(refused: NotReplaced) -> Error {
        refused.error
    }
}

/// Replaces a file: writes beside it, syncs, renames, syncs the directory. On an error the old file stands, unless the
/// error is in doubt; both are whole in any case.
pub fn replace(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> std::result::Result<(), NotReplaced> {
    write_beside(fs, path, bytes).map_err(|error| NotReplaced { error, in_doubt: false })?;
    let synced = failpoint::hit("replace.after_rename")
        .and_then(|()| path.parent().map_or(Ok(()), |parent| fs.sync_directory(parent)))
        .and_then(|()| failpoint::hit("replace.after_name"));
    synced.map_err(|error| NotReplaced { error, in_doubt: true })
}

fn write_beside(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("tmp");
    // Left by a writer that died: this process holds the lock of the store, so nobody is writing it.
    fs.remove(&temporary)?;
    failpoint::hit("replace.before_create")?;
    let written = fs.create(&temporary).and_then(|file| {
        failpoint::hit("replace.after_create")?;
        file.write_at(bytes, 0)?;
        failpoint::hit("replace.after_write")?;
        file.sync()?;
        failpoint::hit("replace.after_sync")
    });
    let renamed = written.and_then(|()| fs.rename(&temporary, path));
    if renamed.is_err() {
        // The first error tells more than this one would.
        let _ = fs.remove(&temporary);
    }
    renamed
}
