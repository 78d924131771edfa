//! A small pool that works on many pieces at once and hands the results back in the order they were given.
//!
//! Memory is bounded: at most `window` pieces are under way or waiting to be fetched; `push` waits for the oldest.
//! A panic in a piece becomes an error of the caller. Threads end when the pool is dropped; nothing is global.

use crate::error::{Error, Kind, Result};
use crate::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use crate::sync::{Builder, JoinHandle, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Piece = Box<dyn FnOnce() + Send>;

/// The pool; `R` is what one piece yields.
pub struct InOrder<R> {
    queue: Option<Sender<Piece>>,
    threads: Vec<JoinHandle<()>>,
    waiting: VecDeque<Receiver<R>>,
    window: usize,
}

/// How many threads a call should use: every core, and no more than make sense for one call.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(16)
}

/// Starts a named thread; the operating system's refusal is an error, not a panic.
pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(Error::from)
}

fn lost() -> Error {
    Error::new(Kind::Internal, "a worker thread panicked; please report it")
}

/// Waits for a thread; its panic is an error.
pub fn join<T>(thread: JoinHandle<T>) -> Result<T> {
    thread.join().map_err(|_| lost())
}

fn serve(pieces: &Mutex<Receiver<Piece>>) {
    loop {
        let Ok(next) = pieces.lock().map(|queue| queue.recv()) else { return };
        let Ok(piece) = next else { return };
        // The piece owns its result channel: dropping it in a panic is what tells the caller.
        let _ = catch_unwind(AssertUnwindSafe(piece));
    }
}

impl<R: Send + 'static> InOrder<R> {
    /// A pool with one thread for each core.
    pub fn new(name: &str) -> Result<Self> {
        let (queue, pieces) = channel();
        let pieces: Arc<Mutex<Receiver<Piece>>> = Arc::new(Mutex::new(pieces));
        let count = cores();
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let pieces = pieces.clone();
            threads.push(spawn(name, move || serve(&pieces))?);
        }
        Ok(InOrder { queue: Some(queue), threads, waiting: VecDeque::new(), window: count + 2 })
    }

    /// Gives a piece of work; returns the oldest result when the window is full.
    pub fn push(&mut self, work: impl FnOnce() -> R + Send + 'static) -> Result<Option<R>> {
        let (done, result): (SyncSender<R>, Receiver<R>) = sync_channel(1);
        let piece: Piece = Box::new(move || {
            let _ = done.send(work());
        });
        self.queue.as_ref().and_then(|queue| queue.send(piece).ok()).ok_or_else(lost)?;
        self.waiting.push_back(result);
        if self.waiting.len() > self.window { self.pop() } else { Ok(None) }
    }

    /// The oldest result, waited for; `None` when nothing is under way.
    pub fn pop(&mut self) -> Result<Option<R>> {
        match self.waiting.pop_front() {
            None => Ok(None),
            Some(result) => result.recv().map(Some).map_err(|_| lost()),
        }
    }
}

impl<R> Drop for InOrder<R> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        let mut pool = InOrder::new("test").unwrap();
        let mut seen = Vec::new();
        for i in 0..50_u64 {
            let result = pool.push(move || {
                std::thread::sleep(std::time::Duration::from_micros((50 - i) * 20));
                i
            });
            seen.extend(result.unwrap());
        }
        while let Some(i) = pool.pop().unwrap() {
            seen.push(i);
        }
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_panic_in_a_piece_is_an_error_and_the_pool_lives_on() {
        let mut pool = InOrder::new("test").unwrap();
        pool.push(|| -> u32 { panic!("planted") }).unwrap();
        pool.push(|| 7).unwrap();
        assert_eq!(pool.pop().unwrap_err().kind, Kind::Internal);
        assert_eq!(pool.pop().unwrap(), Some(7));
    }
}
