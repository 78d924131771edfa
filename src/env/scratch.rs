//! A file for one call only: appended to, read back, and gone with the call.
//!
//! Its name is removed as soon as nobody needs it, so that nothing is left behind even when the process is killed: at
//! once, or when another library has opened the file by it. Where the operating system keeps the name of an open file,
//! it is removed when the file is dropped. A process that is killed before that leaves a file that `sweep` removes.

use super::directory::remove_file;
use super::fs::{Disk, Fs};
use super::temp::create_temporary;
use crate::error::{Error, Kind, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A nameless file of this call.
pub struct Scratch {
    file: File,
    path: PathBuf,
    named: bool,
    length: u64,
}

impl Scratch {
    /// A new one on the file system that holds `path`: it has room for such files, where the system's temporary
    /// directory is often memory. In the temporary directory when that place takes no new file.
    pub fn beside(path: &Path) -> Result<Self> {
        let mut scratch = Scratch::named_beside(path)?;
        scratch.forget_name();
        Ok(scratch)
    }

    /// The same with a name, until `hand_over` or the end.
    pub fn named_beside(path: &Path) -> Result<Self> {
        let beside = path.parent().map(create_temporary);
        let (file, path) = match beside {
            Some(Ok(made)) => made,
            Some(Err(error)) if error.kind != Kind::Path => return Err(error),
            _ => create_temporary(&std::env::temp_dir())?,
        };
        Ok(Scratch { file, path, named: true, length: 0 })
    }

    /// Lets another library open the file by its name, which nobody can do again. What it makes of the file is what is
    /// read here from then on. It has to close the file before this is dropped.
    pub fn hand_over<T>(&mut self, open: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        // A lock keeps other handles of the file from reading and writing there.
        #[cfg(windows)]
        self.file.unlock().map_err(|source| Error::io(source, "unlock", &self.path))?;
        let opened = open(&self.path)?;
        self.forget_name();
        Ok(opened)
    }

    fn forget_name(&mut self) {
        self.named = !remove_file(&self.path).unwrap_or(false);
    }

    /// Reads all of it, for the error of a disk that fails.
    pub fn check_readable(&self) -> Result<()> {
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| std::io::copy(&mut file, &mut std::io::sink()));
        read.map(|_| ()).map_err(|source| Error::io(source, "read", &self.path))
    }

    /// Takes the length of the file for the number of bytes appended, after another library has written it.
    pub fn measure(&mut self) -> Result<u64> {
        let found = self.file.metadata().map_err(|source| Error::io(source, "look at", &self.path))?;
        self.length = found.len();
        Ok(self.length)
    }

    /// Refuses work that the file system has no room for, where the system tells.
    pub fn check_room(&self, bytes: u64) -> Result<()> {
        let free = self.path.parent().and_then(|parent| Disk.free_space(parent).ok());
        match free {
            Some(free) if free < bytes => {
                let message = format!("it says that it unfolds to {bytes} bytes, and {free} are free for that");
                Err(Error::new(Kind::NoSpace, message))
            }
            _ => Ok(()),
        }
    }

    /// Bytes appended so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends the bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let end = SeekFrom::Start(self.length);
        let written = self.file.seek(end).and_then(|_| self.file.write_all(bytes));
        written.map_err(|source| Error::io(source, "write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Fills `buffer` from `offset` on. Moves the one position of the file: not for two threads at once.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut file = &self.file;
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer));
        read.map_err(|source| Error::io(source, "read", &self.path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.named {
            let _ = remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_appended_is_read_back_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::beside(&directory.path().join("x")).unwrap();
        scratch.append(b"abc").unwrap();
        scratch.append(b"def").unwrap();
        let mut found = [0; 4];
        scratch.read_at(&mut found, 1).unwrap();
        assert_eq!((&found, scratch.length()), (b"bcde", 6));
        assert!(scratch.read_at(&mut found, 3).is_err(), "beyond the end");
        if cfg!(unix) {
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it has no name while it is open");
        }
        drop(scratch);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_library_writes_it_by_its_name_and_nobody_finds_that_name_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::named_beside(&directory.path().join("x")).unwrap();
        let mut other =
            scratch.hand_over(|path| std::fs::OpenOptions::new().write(true).open(path).map_err(Error::from)).unwrap();
        if cfg!(unix) {
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
        other.write_all(b"abc").unwrap();
        drop(other);
        let mut found = [0; 3];
        assert_eq!(scratch.measure().unwrap(), 3);
        scratch.read_at(&mut found, 0).unwrap();
        assert_eq!(&found, b"abc");
        let named = Scratch::named_beside(&directory.path().join("x")).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        drop((scratch, named));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_takes_no_file_is_replaced_by_the_temporary_directory() {
        let mut scratch = Scratch::beside(Path::new("/dev/null/x")).unwrap();
        assert!(scratch.append(b"abc").is_ok());
    }
}
