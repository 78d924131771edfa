//! The uncompressed bytes of an archive as one long text: looked at, taken, and counted.

use crate::codec::{Blocks, SPARE_BYTES};
use crate::error::{Error, Kind, Result};

/// A window on the stream that grows only as far as one value needs.
pub(super) struct Stream {
    blocks: Blocks,
    buffer: Vec<u8>,
    at: usize,
    /// Offset of the first byte of `buffer`.
    base: u64,
}

impl Stream {
    pub fn new(blocks: Blocks) -> Self {
        Stream { blocks, buffer: Vec::new(), at: 0, base: 0 }
    }

    /// Where we are, in bytes from the beginning.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The bytes at hand, at least one unless the stream is at its end.
    pub fn available(&mut self) -> Result<&[u8]> {
        if self.at == self.buffer.len() {
            self.base += self.buffer.len() as u64;
            self.at = 0;
            self.buffer = self.blocks.next_block()?.unwrap_or_default();
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    /// Passes over bytes that are at hand.
    pub fn advance(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    /// Sees to it that `count` bytes are at hand in one piece. Gives back what was taken when it had to move on, and
    /// has to be called again then. The caller has checked `count` against a limit.
    pub fn refill(&mut self, count: usize) -> Result<Option<Vec<u8>>> {
        if self.buffer.len() - self.at >= count {
            return Ok(None);
        }
        let Some(mut block) = self.blocks.next_block()? else { return Err(self.cut()) };
        let mut rest = self.buffer.split_off(self.at);
        // Most values are small against a block: their beginning is put in front of it, where it has room for that.
        if rest.len() <= SPARE_BYTES {
            block.splice(..0, rest);
        } else {
            rest.append(&mut block);
            block = rest;
        }
        self.base += self.at as u64;
        self.at = 0;
        Ok(Some(std::mem::replace(&mut self.buffer, block)))
    }

    /// The next `count` bytes; fewer when they are not at hand.
    pub fn take(&mut self, count: usize) -> &[u8] {
        let from = self.at;
        self.advance(count);
        self.buffer.get(from..self.at).unwrap_or_default()
    }

    /// What was taken since the stream last moved on.
    pub fn taken(&self) -> &[u8] {
        self.buffer.get(..self.at).unwrap_or_default()
    }

    /// The error of a stream that ends inside a value.
    pub fn cut(&self) -> Error {
        Error::new(Kind::Format, "the archive ends too early: it was cut").at(self.base + self.buffer.len() as u64)
    }
}
