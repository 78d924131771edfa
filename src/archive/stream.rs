//! The uncompressed bytes of an archive as one long text: looked at, taken, and counted.

use crate::codec::Blocks;
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

    /// Exactly `count` bytes in one piece. The caller has checked `count` against a limit.
    pub fn take(&mut self, count: usize) -> Result<&[u8]> {
        while self.buffer.len() - self.at < count {
            let Some(block) = self.blocks.next_block()? else { return Err(self.cut()) };
            self.buffer.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
            self.buffer.extend_from_slice(&block);
        }
        let from = self.at;
        self.at += count;
        self.buffer.get(from..self.at).ok_or_else(|| Error::new(Kind::Internal, "the stream lost its place"))
    }

    /// The error of a stream that ends inside a value.
    pub fn cut(&self) -> Error {
        Error::new(Kind::Format, "the archive ends too early: it was cut").at(self.base + self.buffer.len() as u64)
    }
}
