//! The operating system's files.

use super::super::directory::{file_names, remove_file, sync_directory};
use super::super::input::open_input;
use super::map::{self, Bytes};
use super::{Fs, FsFile, Lock};
use crate::error::{Error, Kind, Result};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const HOLDER_BYTES_MAX: u64 = 256;

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

#[derive(Debug)]
struct DiskFile {
    file: File,
    path: PathBuf,
}

/// The end of the process gives up the lock, too.
#[derive(Debug)]
struct DiskLock(File);

impl Lock for DiskLock {}

impl Drop for DiskLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is being forked elsewhere has it open, too, until its exec.
        let _ = self.0.unlock();
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    options
}

impl Fs for Disk {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let (file, path) = open_input(path)?.into_file();
        Ok(Box::new(DiskFile { file, path }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let mut options = OpenOptions::new();
        let file = private(options.read(true).write(true).create_new(true)).open(path);
        let file = file.map_err(|source| Error::io(source, "create", path))?;
        Ok(Box::new(DiskFile { file, path: path.to_path_buf() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "this module is env")]
        fs::rename(from, to).map_err(|source| Error::io(source, "replace", to))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        fs::hard_link(from, to).map_err(|source| Error::io(source, "link", to))
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let (mut source, _) = open_input(from)?.into_file();
        let mut options = OpenOptions::new();
        let target = private(options.write(true).create_new(true)).open(to);
        let mut target = target.map_err(|source| Error::io(source, "create", to))?;
        // This shares blocks where the file system can: Linux has a call for it, which the standard library uses here.
        let copied = io::copy(&mut source, &mut target).and_then(|_| target.sync_all());
        copied.map_err(|source| Error::io(source, "copy", to))
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        remove_file(path)
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            other => other.map_err(|source| Error::io(source, "create", path)),
        }
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        match fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Error::io(source, "remove", path)),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        file_names(path)
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        sync_directory(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        let mut options = OpenOptions::new();
        let opened = private(options.read(true).write(true).create(true).truncate(false)).open(path);
        let mut file = opened.map_err(|source| Error::io(source, "open", path))?;
        if !file.metadata().is_ok_and(|found| found.is_file()) {
            return Err(Error::new(Kind::Path, "not a regular file").in_file(path));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = Read::by_ref(&mut file).take(HOLDER_BYTES_MAX).read_to_string(&mut text);
                let who = if text.trim().is_empty() { "another process" } else { text.trim() };
                let message = format!("the store is open for writing by {who}; open it read-only, or close it there");
                return Err(Error::new(Kind::Locked, message).in_file(path));
            }
            Err(TryLockError::Error(source)) => return Err(Error::io(source, "lock", path)),
        }
        let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(|source| Error::io(source, "write", path))?;
        Ok(Box::new(DiskLock(file)))
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        map::free_space(path).map_err(|source| Error::io(source, "ask the free space of", path))
    }

    fn is_real(&self) -> bool {
        true
    }

    fn now_us(&self) -> u64 {
        #[expect(clippy::disallowed_methods, reason = "this is a clock")]
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
    }
}

impl DiskFile {
    fn failed(&self, what: &str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::io(source, what, &self.path)
    }
}

impl FsFile for DiskFile {
    fn length(&self) -> Result<u64> {
        self.file.metadata().map(|found| found.len()).map_err(self.failed("look at"))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        positioned::read(&self.file, buffer, offset).map_err(self.failed("read"))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        positioned::write(&self.file, bytes, offset).map_err(self.failed("write"))
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.file.set_len(length).map_err(self.failed("truncate"))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(self.failed("sync"))
    }

    fn map(&self) -> Result<Bytes> {
        Bytes::map(&self.file).map_err(self.failed("map"))
    }
}

#[cfg(unix)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub fn read(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    pub fn write(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }
}

#[cfg(windows)]
mod positioned {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    pub fn read(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match file.seek_read(buffer, offset)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    buffer = buffer.get_mut(count..).unwrap_or_default();
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }

    pub fn write(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match file.seek_write(bytes, offset)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{read_whole, replace};
    use super::*;

    #[test]
    fn a_file_is_written_read_mapped_and_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let file = Disk.create(&path).unwrap();
        file.write_at(b"abcdef", 2).unwrap();
        file.sync().unwrap();
        assert_eq!((file.length().unwrap(), &*file.map().unwrap()), (8, &b"\0\0abcdef"[..]));
        assert!(file.read_at(&mut [0; 2], 7).is_err(), "beyond the end");
        assert_eq!(Disk.create(&path).unwrap_err().kind, Kind::Path);
        replace(&Disk, &path, b"new").unwrap();
        assert_eq!(read_whole(&Disk, &path, 3).unwrap(), b"new");
        assert_eq!(read_whole(&Disk, &path, 2).unwrap_err().kind, Kind::Corrupt);
        assert_eq!(Disk.list(directory.path()).unwrap(), ["a"]);
        assert!(Disk.free_space(directory.path()).unwrap() > 0);
    }

    #[test]
    fn a_second_lock_names_the_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LOCK");
        let held = Disk.lock(&path, "process 7").unwrap();
        let refused = Disk.lock(&path, "process 8").unwrap_err();
        assert_eq!(refused.kind, Kind::Locked);
        assert!(refused.message.contains("process 7"), "{}", refused.message);
        drop(held);
        Disk.lock(&path, "process 8").unwrap();
    }
}
