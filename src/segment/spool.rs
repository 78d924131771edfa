//! Bytes that are needed later, in order: held in memory up to a limit, the rest in a file beside the segment.
//!
//! Ids and metadata come row by row with the vectors and stand behind them in the file. Most segments have little of
//! them; those that have much must not need as much memory. The file is removed with the spool; one that a process left
//! behind when it died is named by nothing and is swept when the store is opened next, or replaced here.

use super::output::{Output, PIECE_BYTES};
use crate::env::fs::{Fs, FsFile};
use crate::error::Result;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes in order.
#[derive(Debug)]
pub(super) struct Spool {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    held_max: usize,
    held: Vec<u8>,
    file: Option<Box<dyn FsFile>>,
    spilled: u64,
}

impl Spool {
    /// An empty one, which makes a file at `path` when it has to hold more than `held_max` bytes.
    pub fn new(fs: Arc<dyn Fs>, path: PathBuf, held_max: usize) -> Spool {
        Spool { fs, path, held_max, held: Vec::new(), file: None, spilled: 0 }
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.spilled + self.held.len() as u64
    }

    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.held.is_empty() && self.held.len() + bytes.len() > self.held_max {
            self.spill()?;
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                self.fs.remove(&self.path)?;
                self.fs.create(&self.path)?
            }
        };
        let written = file.write_at(&self.held, self.spilled);
        self.file = Some(file);
        written?;
        self.spilled += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// Copies all bytes to the end of `output`.
    pub fn pour(self, output: &mut Output) -> Result<()> {
        let mut piece = vec![0; self.spilled.min(PIECE_BYTES as u64) as usize];
        let mut offset = 0;
        while let Some(file) = &self.file
            && offset < self.spilled
        {
            let length = (self.spilled - offset).min(PIECE_BYTES as u64) as usize;
            let part = piece.get_mut(..length).unwrap_or_default();
            file.read_at(part, offset)?;
            output.write(part)?;
            offset += length as u64;
        }
        output.write(&self.held)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // A file that stays is named by nothing; the next open of the store sweeps it.
            let _ = self.fs.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::fs::{Disk, read_whole};

    #[test]
    fn spilled_or_not_the_bytes_come_back_in_order_and_the_file_goes() {
        let directory = tempfile::tempdir().unwrap();
        let fs: Arc<dyn Fs> = Arc::new(Disk);
        let parts: Vec<Vec<u8>> = (0..5_000_usize).map(|i| vec![i as u8; i * 7 % 1_000]).collect();
        let whole = parts.concat();
        for held_max in [0, 1, 999, 100_000, usize::MAX] {
            let (path, spill) = (directory.path().join(held_max.to_string()), directory.path().join("spill"));
            // Left by a process that died.
            Disk.create(&spill).unwrap().write_at(&[9; 100], 0).unwrap();
            let mut spool = Spool::new(fs.clone(), spill.clone(), held_max);
            for part in &parts {
                spool.push(part).unwrap();
                assert!(spool.held.len() <= held_max.max(part.len()));
            }
            assert_eq!(spool.length(), whole.len() as u64);
            assert_eq!(spool.file.is_some(), held_max < usize::MAX);
            let mut output = Output::new(fs.create(&path).unwrap());
            spool.pour(&mut output).unwrap();
            output.finish().unwrap();
            assert!(read_whole(&Disk, &path, u64::MAX).unwrap() == whole, "{held_max}");
            assert_eq!(fs.remove(&spill).unwrap(), held_max == usize::MAX, "removed with the spool");
        }
    }
}
