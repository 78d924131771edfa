//! A segment file as it is written: front to back, once, in pieces of 1 MiB, with the checksums of its blocks.
//!
//! Nothing is synced here, and nothing is removed when something fails.

use super::checks::block_crc;
use super::layout::{ALIGNMENT, BLOCK_BYTES};
use crate::env::fs::FsFile;
use crate::error::Result;

/// Bytes of one write: a whole number of blocks, and large enough that the calls do not count.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// The file and what waits to be written to it.
#[derive(Debug)]
pub(super) struct Output {
    file: Box<dyn FsFile>,
    waiting: Vec<u8>,
    written: u64,
    sums: Vec<u32>,
}

impl Output {
    pub fn new(file: Box<dyn FsFile>) -> Output {
        Output { file, waiting: Vec::with_capacity(PIECE_BYTES), written: 0, sums: Vec::new() }
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.written + self.waiting.len() as u64
    }

    /// Appends bytes.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            if self.waiting.len() == PIECE_BYTES {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Appends zeros up to where a section may begin.
    pub fn pad(&mut self) -> Result<()> {
        let missing = self.position().next_multiple_of(ALIGNMENT) - self.position();
        let zeros = [0; ALIGNMENT as usize];
        self.write(zeros.get(..missing as usize).unwrap_or_default())
    }

    /// Writes what waits. The pieces before the last are whole blocks, because only a full piece is written early.
    fn flush(&mut self) -> Result<()> {
        for (block, number) in self.waiting.chunks(BLOCK_BYTES as usize).zip(self.written / BLOCK_BYTES..) {
            self.sums.push(block_crc(number, block));
        }
        self.file.write_at(&self.waiting, self.written)?;
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the rest, and returns the file and the checksums of all its blocks as they are written into it.
    pub fn finish(mut self) -> Result<(Box<dyn FsFile>, Vec<u8>)> {
        self.flush()?;
        Ok((self.file, self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::fs::{Disk, Fs};
    use crate::segment::checks::Checks;

    #[test]
    fn whatever_the_pieces_are_the_bytes_and_sums_are_those_of_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let whole: Vec<u8> = (0..3 * PIECE_BYTES as u32 + 12_345).map(|i| (i * 7) as u8).collect();
        for (number, piece) in [1_000_usize, 4_096, PIECE_BYTES, PIECE_BYTES + 1, whole.len()].iter().enumerate() {
            let mut output = Output::new(Disk.create(&directory.path().join(number.to_string())).unwrap());
            for bytes in whole.chunks(*piece) {
                output.write(bytes).unwrap();
            }
            output.write(&[]).unwrap();
            output.pad().unwrap();
            let length = output.position();
            assert_eq!(length, (whole.len() as u64).next_multiple_of(64));
            let (file, sums) = output.finish().unwrap();
            let found = file.map().unwrap();
            assert_eq!(found.len() as u64, length);
            assert!(found[..whole.len()] == whole && found[whole.len()..].iter().all(|byte| *byte == 0));
            assert_eq!(Checks::new(&sums, length).ensure(&found, 0, length), Ok(false));
        }
    }
}
