//! The checksums of a segment's blocks, and which blocks were found to agree with theirs.
//!
//! A block is checked before the first byte of it is used, and remembered in a bit: after that it costs one relaxed
//! load. Two threads that meet at an unchecked block both check it. The number of a block is part of what its checksum
//! covers, so that a block in the place of another does not pass.

use super::layout::BLOCK_BYTES;
use std::sync::atomic::{AtomicU64, Ordering};

/// The checksum of a block: CRC-32 of its number (u64) and its bytes.
pub(super) fn block_crc(number: u64, bytes: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&number.to_le_bytes());
    hash.update(bytes);
    hash.finalize()
}

/// The blocks that hold `length` bytes from `offset` on.
pub(super) fn blocks_of(offset: u64, length: u64) -> std::ops::Range<u64> {
    let end = if length == 0 { offset / BLOCK_BYTES } else { (offset + length - 1) / BLOCK_BYTES + 1 };
    offset / BLOCK_BYTES..end
}

/// Checksums and what is known of their blocks.
#[derive(Debug)]
pub(super) struct Checks {
    sums: Box<[u32]>,
    checked: Box<[AtomicU64]>,
    /// Bytes that have a checksum; the last block may be shorter than the others.
    covered: u64,
}

impl Checks {
    /// From the table as it stands in the file, which somebody checked; its padding is left out.
    pub fn new(table: &[u8], covered: u64) -> Checks {
        let count = covered.div_ceil(BLOCK_BYTES) as usize;
        let sums = table.as_chunks().0.iter().take(count).map(|sum| u32::from_le_bytes(*sum)).collect();
        Checks { sums, checked: (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), covered }
    }

    /// The same checksums, no block of which was compared yet.
    pub fn unchecked(&self) -> Checks {
        let checked = (0..self.checked.len()).map(|_| AtomicU64::new(0)).collect();
        Checks { sums: self.sums.clone(), checked, covered: self.covered }
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> u64 {
        self.sums.len() as u64
    }

    /// Where a block begins and its bytes.
    pub fn place(&self, block: u64) -> (u64, u64) {
        let offset = block * BLOCK_BYTES;
        (offset, self.covered.saturating_sub(offset).min(BLOCK_BYTES))
    }

    /// Whether these are the bytes of that block.
    pub fn agrees(&self, block: u64, bytes: &[u8]) -> bool {
        let whole = bytes.len() as u64 == self.place(block).1;
        whole && self.sums.get(block as usize).is_some_and(|sum| *sum == block_crc(block, bytes))
    }

    fn is_checked(&self, block: u64) -> bool {
        let word = self.checked.get((block / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (block % 64) & 1 == 1)
    }

    /// Forgets that a block agreed.
    pub fn forget(&self, block: u64) {
        if let Some(word) = self.checked.get((block / 64) as usize) {
            word.fetch_and(!(1 << (block % 64)), Ordering::Relaxed);
        }
    }

    /// Blocks that were found to agree.
    pub fn count_checked(&self) -> u64 {
        self.checked.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }

    /// Makes sure that all blocks of a range agree. Says whether they had all been checked before; the number of the
    /// first that differs is the error.
    #[inline]
    pub fn ensure(&self, file: &[u8], offset: u64, length: u64) -> Result<bool, u64> {
        let mut known = true;
        for block in blocks_of(offset, length) {
            if !self.is_checked(block) {
                known = false;
                self.check(file, block)?;
            }
        }
        Ok(known)
    }

    #[cold]
    fn check(&self, file: &[u8], block: u64) -> Result<(), u64> {
        let (offset, length) = self.place(block);
        let bytes = file.get(offset as usize..(offset + length) as usize).ok_or(block)?;
        if !self.agrees(block, bytes) {
            return Err(block);
        }
        if let Some(word) = self.checked.get((block / 64) as usize) {
            word.fetch_or(1 << (block % 64), Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_checked_once_and_in_its_place_only() {
        let block = BLOCK_BYTES as usize;
        let mut file = vec![1_u8; block];
        file.extend(vec![2_u8; 100]);
        let table: Vec<u8> =
            file.chunks(block).zip(0..).flat_map(|(bytes, number)| block_crc(number, bytes).to_le_bytes()).collect();
        let checks = Checks::new(&table, file.len() as u64);
        assert_eq!((checks.blocks(), checks.place(1)), (2, (BLOCK_BYTES, 100)));
        assert_eq!(checks.ensure(&file, BLOCK_BYTES - 1, 1), Ok(false));
        assert_eq!(checks.ensure(&file, 0, BLOCK_BYTES), Ok(true));
        assert_eq!(checks.ensure(&file, BLOCK_BYTES - 1, 2), Ok(false));
        assert_eq!(checks.count_checked(), 2);
        assert_eq!(checks.ensure(&file, 0, BLOCK_BYTES + 100), Ok(true));
        checks.forget(1);
        file[block] ^= 1;
        assert_eq!(checks.ensure(&file, 0, BLOCK_BYTES + 1), Err(1));
        assert_eq!(checks.ensure(&file[..block], BLOCK_BYTES, 1), Err(1), "missing");
        assert_ne!(block_crc(0, &file[..block]), block_crc(1, &file[..block]));
        assert_eq!((blocks_of(5, 0).count(), blocks_of(BLOCK_BYTES, 1)), (0, 1..2));
    }
}
