//! A file as a stream: for those who write or read from one end to the other.

use super::FsFile;
use std::io::{self, Read, Write};

/// Writes at the end of what it has written.
pub struct Appender<'a> {
    file: &'a dyn FsFile,
    offset: u64,
}

impl<'a> Appender<'a> {
    /// At the beginning of a new file.
    pub fn new(file: &'a dyn FsFile) -> Appender<'a> {
        Appender { file, offset: 0 }
    }
}

impl Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what is left of a file.
pub struct Stream {
    file: Box<dyn FsFile>,
    offset: u64,
    length: u64,
}

impl Stream {
    /// From the beginning.
    pub fn new(file: Box<dyn FsFile>) -> crate::error::Result<Stream> {
        let length = file.length()?;
        Ok(Stream { file, offset: 0, length })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (self.length - self.offset).min(buffer.len() as u64) as usize;
        let part = buffer.get_mut(..count).unwrap_or_default();
        self.file.read_at(part, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}
