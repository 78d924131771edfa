//! SHA-256, in lower-case hex, off the thread that produces the bytes.

use crate::error::{Error, Kind, Result};
use crate::sync::JoinHandle;
use crate::sync::mpsc::{SyncSender, sync_channel};
use crate::workers::{join, spawn};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes of a file, with the places of those single bytes that its checksum leaves out.
#[derive(Debug, Default)]
pub struct Piece {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// Ascending positions in `bytes` that are not part of the checksum.
    pub skipped: Vec<usize>,
}

/// A running SHA-256 on its own thread.
pub struct Digest {
    pieces: SyncSender<Arc<Piece>>,
    thread: JoinHandle<String>,
}

const PIECES_WAITING: usize = 4;

impl Digest {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let (pieces, queue) = sync_channel::<Arc<Piece>>(PIECES_WAITING);
        let thread = spawn("sha256", move || {
            let mut hash = Sha256::new();
            for piece in queue {
                let mut from = 0;
                for skip in &piece.skipped {
                    hash.update(piece.bytes.get(from..*skip).unwrap_or_default());
                    from = skip + 1;
                }
                hash.update(piece.bytes.get(from..).unwrap_or_default());
            }
            hex(&hash.finalize())
        })?;
        Ok(Digest { pieces, thread })
    }

    /// Adds a piece, after all pieces before it. Waits when the thread is far behind.
    pub fn update(&self, piece: Arc<Piece>) -> Result<()> {
        self.pieces.send(piece).map_err(|_| Error::new(Kind::Internal, "the checksum thread ended early"))
    }

    /// Adds bytes, copied.
    pub fn update_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.update(Arc::new(Piece { bytes: bytes.to_vec(), skipped: Vec::new() }))
    }

    /// The checksum of all pieces.
    pub fn finish(self) -> Result<String> {
        drop(self.pieces);
        join(self.thread)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A writer that counts what it passes on and, when asked, takes its checksum.
pub struct Tally<W> {
    inner: W,
    bytes: u64,
    hash: Option<Sha256>,
}

impl<W: Write> Tally<W> {
    /// Counts what is written to `inner`; `hashed` also takes its SHA-256.
    pub fn new(inner: W, hashed: bool) -> Self {
        Tally { inner, bytes: 0, hash: hashed.then(Sha256::new) }
    }

    /// The writer, the number of bytes, and their checksum if it was asked for.
    pub fn finish(self) -> (W, u64, Option<String>) {
        (self.inner, self.bytes, self.hash.map(|hash| hex(&hash.finalize())))
    }
}

impl<W: Write> Write for Tally<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        if let (Some(hash), Some(written)) = (&mut self.hash, bytes.get(..count)) {
            hash.update(written);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_bytes_are_not_part_of_the_checksum() {
        let whole = Digest::start().unwrap();
        whole.update_bytes(b"abc").unwrap();
        let gaps = Digest::start().unwrap();
        gaps.update(Arc::new(Piece { bytes: b"\na\nbc\n".to_vec(), skipped: vec![0, 2, 5] })).unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(whole.finish().unwrap(), expected);
        assert_eq!(gaps.finish().unwrap(), expected);
    }
}
