//! Reading and decompressing ahead on a thread of its own, a few blocks at most.

use crate::error::{Error, Kind, Result};
use crate::limits::WORK_BYTES;
use crate::sync::JoinHandle;
use crate::sync::mpsc::{Receiver, SyncSender, sync_channel};
use crate::workers::spawn;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK_BYTES: usize = WORK_BYTES;
const BLOCKS_AHEAD: usize = 3;
/// What fits in the memory of a block beside it: the beginning of a value that the block before it cut.
pub const SPARE_BYTES: usize = 16 << 10;

/// A reader that tells other threads how many bytes it has delivered.
pub struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    /// Counts what is read from `inner`.
    pub fn new(inner: R) -> (Self, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        (Counted { inner, count: count.clone() }, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// The blocks of a stream, in order.
pub struct Blocks {
    queue: Option<Receiver<io::Result<Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Blocks {
    /// Starts reading `source` ahead.
    pub fn of(source: impl Read + Send + 'static) -> Result<Self> {
        let (blocks, queue) = sync_channel(BLOCKS_AHEAD);
        let thread = spawn("read-ahead", move || deliver(source, &blocks))?;
        Ok(Blocks { queue: Some(queue), thread: Some(thread) })
    }

    /// The next block, never empty; `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(queue) = &self.queue else { return Ok(None) };
        match queue.recv() {
            Ok(Ok(block)) if block.is_empty() => {
                // The end stays the end, however often it is asked for.
                self.queue = None;
                Ok(None)
            }
            Ok(block) => Ok(Some(block?)),
            Err(_) => Err(Error::new(Kind::Internal, "the reading thread ended early")),
        }
    }
}

/// Sends every block, then an empty one; ends early when nobody listens any more.
fn deliver(mut source: impl Read, blocks: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = Vec::with_capacity(BLOCK_BYTES + SPARE_BYTES);
        let result = source.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block).map(|_| block);
        let last = result.as_ref().map_or(true, Vec::is_empty);
        if blocks.send(result).is_err() || last {
            return;
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
