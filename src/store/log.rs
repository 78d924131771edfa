//! Group commit: one thread writes the log of a collection; whoever waits is told by one signal for all.
//!
//! Writers apply their change and hand its record over under the lock of the collection, so the queue has the order of
//! the LSNs. The thread takes what has gathered, writes it with one call, and syncs once where the mode asks for it.
//! When that fails, everything that is not acknowledged is taken back, newest first, and everybody who waits for it is
//! told. After a failed sync nothing more is written (`ERR_POISONED`); after a failed write the next one is tried.
//!
//! Lock order: collection, queue, manifest. The thread holds none of them while it writes.

mod group;
mod patience;
mod writer;

pub use group::Pending;

use super::collection::Collection;
use super::wal_files::WalFiles;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::record::Change;
use crate::manifest::LogPlace;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, JoinHandle, Mutex, MutexGuard, PoisonError, RwLock};
use crate::workers;
use group::Group;
use std::collections::VecDeque;
use std::sync::Arc;
use writer::Writer;

/// Writers wait when more than this is handed over and not written.
const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// Refusals that are remembered for those who ask later.
const FAILURES_MAX: usize = 1_024;

/// What the log tells whoever listens.
#[derive(Debug)]
pub struct Progress {
    /// Everything up to this LSN is settled: acknowledged, or refused by this report or one before.
    pub settled: u64,
    /// Everything up to this LSN that is not refused is durable.
    pub durable: u64,
    /// Records that were refused: first and last LSN, and why.
    pub refused: Option<(u64, u64, Error)>,
}

/// Called by the thread of the log.
pub type Listener = Box<dyn Fn(Progress) + Send + Sync>;

#[derive(Debug)]
struct Refused {
    first: u64,
    last: u64,
    error: Error,
}

#[derive(Default)]
struct Queue {
    group: Group,
    /// Bytes that are handed over and not written.
    bytes: u64,
    /// The newest LSN that was handed over.
    last: u64,
    settled: u64,
    durable: u64,
    /// Somebody waits for this LSN to be durable.
    wanted: u64,
    refused: VecDeque<Refused>,
    /// A refusal that nobody was told of.
    untold: Option<Error>,
    poison: Option<Error>,
    closing: bool,
    /// How often somebody asked for the current file to be completed, and up to which of these it was seen to.
    file_asked: u64,
    file_done: u64,
    /// Why the last of them was refused, when it was.
    file_refused: Option<Error>,
    /// The thread waits for something to do, and nobody has woken it.
    idle: bool,
    ended: bool,
    /// A place in the log up to which everything is durable, and the number of its file.
    place: Option<(u64, LogPlace)>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// There is something to do for the thread.
    work: Condvar,
    /// Something was settled.
    done: Condvar,
    /// The newest LSN that was handed over, for who looks without the lock.
    handed: AtomicU64,
    collection: Arc<RwLock<Collection>>,
    listener: Mutex<Option<Listener>>,
}

/// The log of one collection.
pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

/// A lock whatever happened to its last holder: what it protects changes in whole steps.
pub(super) fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Starts the thread. `files` continue after `lsn`, which is durable.
    pub fn start(collection: Arc<RwLock<Collection>>, files: WalFiles, lsn: u64) -> Result<Log> {
        let queue = Queue { last: lsn, settled: lsn, durable: lsn, ..Queue::default() };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            done: Condvar::new(),
            handed: AtomicU64::new(lsn),
            collection,
            listener: Mutex::new(None),
        });
        let writer = Writer::new(shared.clone(), files);
        let thread = workers::spawn("wal", move || writer.serve())?;
        Ok(Log { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Who is told of progress from now on.
    pub fn listen(&self, listener: Listener) {
        *held(&self.shared.listener) = Some(listener);
    }

    /// Why nothing can be written, when that is so.
    pub fn refusal(&self) -> Option<Error> {
        let queue = held(&self.shared.queue);
        if queue.closing || queue.ended {
            return Some(Error::new(Kind::Closed, "the collection is closed"));
        }
        queue.poison.as_ref().map(poisoned)
    }

    /// Hands the record of a change over, whose size was asked for. Called under the lock of the collection.
    pub fn push(&self, change: &Change, pending: Pending) {
        failpoint::pass("log.push");
        let mut queue = held(&self.shared.queue);
        queue.last = pending.lsn;
        self.shared.handed.store(pending.lsn, Ordering::Relaxed);
        queue.bytes += queue.group.push(change, pending) as u64;
        // A thread at work, or woken already, looks again before it waits: to wake it would cost a system call for each write.
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if wake {
            self.shared.work.notify_one();
        }
    }

    /// Waits until the queue is short enough: the price of writing faster than the disk. Called without any lock.
    pub fn wait_for_room(&self) {
        let mut queue = held(&self.shared.queue);
        while queue.bytes > QUEUE_BYTES_MAX && !queue.ended {
            queue = self.shared.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Asks for everything handed over so far to be made durable, without waiting; gives its LSN.
    pub fn request_sync(&self) -> u64 {
        let mut queue = held(&self.shared.queue);
        queue.wanted = queue.wanted.max(queue.last);
        let last = queue.last;
        drop(queue);
        self.shared.work.notify_one();
        last
    }

    /// A place in the log up to which everything is durable, and the number of its file.
    pub fn place(&self) -> Option<(u64, LogPlace)> {
        held(&self.shared.queue).place
    }

    /// The LSN up to which everything is durable.
    pub fn durable(&self) -> u64 {
        held(&self.shared.queue).durable
    }

    /// Nothing is written any more, for this reason.
    pub fn end_with(&self, error: &Error) {
        held(&self.shared.queue).poison.get_or_insert_with(|| error.again());
        self.shared.work.notify_one();
        self.shared.done.notify_all();
    }

    /// The failed sync that ended writing.
    pub fn poison(&self) -> Option<Error> {
        held(&self.shared.queue).poison.as_ref().map(Error::again)
    }

    /// A refusal that nobody was told of so far.
    pub fn take_untold(&self) -> Option<Error> {
        held(&self.shared.queue).untold.take()
    }

    /// Waits until the record is acknowledged as the mode says; an error when it was refused.
    pub fn wait(&self, lsn: u64) -> Result<()> {
        self.wait_until(lsn, |queue| queue.settled)
    }

    /// Waits until everything up to `lsn` is durable.
    pub fn wait_durable(&self, lsn: u64) -> Result<()> {
        let mut queue = held(&self.shared.queue);
        queue.wanted = queue.wanted.max(lsn);
        drop(queue);
        self.shared.work.notify_one();
        self.wait_until(lsn, |queue| queue.durable)
    }

    fn wait_until(&self, lsn: u64, reached: impl Fn(&Queue) -> u64) -> Result<()> {
        let mut queue = held(&self.shared.queue);
        loop {
            if let Some(refused) = queue.refused.iter().find(|refused| (refused.first..=refused.last).contains(&lsn)) {
                return Err(refused.error.again());
            }
            if reached(&queue) >= lsn {
                return Ok(());
            }
            if let Some(error) = &queue.poison {
                return Err(poisoned(error));
            }
            if queue.ended {
                return Err(Error::new(Kind::Closed, "the collection is closed"));
            }
            queue = self.shared.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes everything durable that was handed over; also reports what was refused since the last call.
    pub fn flush(&self) -> Result<()> {
        let last = self.request_sync();
        let mut queue = held(&self.shared.queue);
        while queue.durable < last {
            match &queue.poison {
                Some(error) => return Err(poisoned(error)),
                None if queue.ended => return Err(Error::new(Kind::Closed, "the collection is closed")),
                None => queue = self.shared.done.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
        queue.untold.take().map_or(Ok(()), Err)
    }

    /// Completes the file that is written, where it holds a record: the next record begins another. Everything handed over
    /// so far is durable then.
    pub fn complete_file(&self) -> Result<()> {
        let mut queue = held(&self.shared.queue);
        queue.file_asked += 1;
        let mine = queue.file_asked;
        self.shared.work.notify_one();
        while queue.file_done < mine {
            match &queue.poison {
                Some(error) => return Err(poisoned(error)),
                None if queue.ended => return Err(Error::new(Kind::Closed, "the collection is closed")),
                None => queue = self.shared.done.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
        queue.file_refused.as_ref().map_or(Ok(()), |error| Err(error.again()))
    }

    /// Takes nothing more. Called under the lock of the collection.
    pub fn begin_close(&self) {
        held(&self.shared.queue).closing = true;
        self.shared.work.notify_one();
    }

    /// Writes and syncs what is left, marks the end, and ends the thread.
    pub fn close(&self) -> Result<()> {
        self.begin_close();
        let thread = held(&self.thread).take();
        thread.map_or(Ok(()), |thread| workers::join(thread)?)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

fn poisoned(error: &Error) -> Error {
    let message = format!("nothing is written any more since a sync failed ({}); open the store again", error.message);
    Error { kind: Kind::Poisoned, message, ..error.again() }
}
