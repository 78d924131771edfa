//! Files opened for reading: regular files only, never through a symbolic link, never waiting for a writer.

use crate::error::{Error, Kind, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A regular file, open for reading.
pub struct Input {
    file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Its length when it was opened.
    pub length: u64,
}

impl Input {
    /// The file itself and its path.
    pub(super) fn into_file(self) -> (File, PathBuf) {
        (self.file, self.path)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Input {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Opens a regular file. A FIFO, device, directory or symbolic link is refused without waiting for it.
pub fn open_input(path: &Path) -> Result<Input> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path).map_err(|source| refusal(source, path))?;
    let found = file.metadata().map_err(|source| Error::io(source, "look at", path))?;
    if !found.is_file() {
        return Err(Error::new(Kind::Path, "not a regular file").in_file(path));
    }
    Ok(Input { file, path: path.to_path_buf(), length: found.len() })
}

fn refusal(source: io::Error, path: &Path) -> Error {
    let link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
    let mut error = Error::io(source, "open", path);
    if link {
        error.kind = Kind::Path;
        error.message = format!("{}: a symbolic link, not a regular file; give the path it points to", path.display());
    }
    error
}

/// The first byte of a regular file; `None` when there is none, or when it is empty.
pub fn first_byte(path: &Path) -> Result<Option<u8>> {
    let input = match open_input(path) {
        Err(error) if error.cause_code() == Some("ENOENT") => return Ok(None),
        other => other?,
    };
    let mut first = Vec::new();
    input.take(1).read_to_end(&mut first).map_err(|source| Error::io(source, "read", path))?;
    Ok(first.first().copied())
}

/// A small file as text; `None` when there is none.
pub fn read_small(path: &Path, bytes_max: u64) -> Result<Option<String>> {
    let mut input = match open_input(path) {
        Err(error) if error.cause_code() == Some("ENOENT") => return Ok(None),
        other => other?,
    };
    if input.length > bytes_max {
        let message = format!("{} bytes; a file of this kind has at most {bytes_max}", input.length);
        return Err(Error::new(Kind::Limit, message).in_file(path));
    }
    let mut text = Vec::new();
    input.by_ref().take(bytes_max).read_to_end(&mut text).map_err(|source| Error::io(source, "read", path))?;
    String::from_utf8(text).map(Some).map_err(|error| {
        let offset = error.utf8_error().valid_up_to() as u64;
        Error::new(Kind::Format, "not UTF-8 text").at(offset).in_file(path)
    })
}
