//! Group commit: one thread writes the log of a collection; whoever waits is told by one signal for all.
//!
//! Writers apply their change and hand its record over under the lock of the collection, so the queue has the order of
//! the LSNs. The thread takes what has gathered, writes it with one call, and syncs once where the mode asks for it.
//! When that fails, everything that is not acknowledged is taken back, newest first, and everybody who waits for it is
//! told. After a failed sync nothing more is written (`ERR_POISONED`); after a failed write the next one is tried.
//!
//! Lock order: collection, queue, manifest. The thread holds none of them while it writes.

use super::collection::{Collection, Undo};
use super::wal_files::WalFiles;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::record::{self, Change};
use crate::manifest::{LogPlace, SyncMode};
use crate::sync::{Condvar, Instant, JoinHandle, Mutex, MutexGuard, PoisonError, RwLock};
use crate::workers;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Writers wait when more than this is handed over and not written.
const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// One group has at most about this many bytes, so that its first writer does not wait for ever.
const GROUP_BYTES_MAX: usize = 16 << 20;
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

/// A record on its way.
pub struct Pending {
    /// Its LSN.
    pub lsn: u64,
    /// Its time.
    pub time: u64,
    /// As `record::encode` made it.
    pub bytes: Vec<u8>,
    /// What takes it back.
    pub undo: Undo,
    /// Whether its writer waits for it; else the next flush reports its refusal.
    pub awaited: bool,
}

#[derive(Debug)]
struct Refused {
    first: u64,
    last: u64,
    error: Error,
}

#[derive(Default)]
struct Queue {
    pending: VecDeque<Pending>,
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
    /// The thread waits for something to do.
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
            collection,
            listener: Mutex::new(None),
        });
        let writer = Writer { shared: shared.clone(), files, void: None, synced_at: Instant::now() };
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

    /// Hands a record over. Called under the lock of the collection.
    pub fn push(&self, pending: Pending) {
        failpoint::pass("log.push");
        let mut queue = held(&self.shared.queue);
        queue.last = pending.lsn;
        queue.bytes += pending.bytes.len() as u64;
        queue.pending.push_back(pending);
        // A thread at work looks again before it waits: to wake it would cost a system call for each write.
        let wake = queue.idle;
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

/// The thread.
struct Writer {
    shared: Arc<Shared>,
    files: WalFiles,
    /// LSNs that were refused and that the log does not know of.
    void: Option<(u64, u64)>,
    synced_at: Instant,
}

/// The end of the thread, however it comes.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        held(&self.0.queue).ended = true;
        self.0.done.notify_all();
    }
}

/// What to do next.
struct Turn {
    group: VecDeque<Pending>,
    sync: bool,
    closing: bool,
}

impl Writer {
    fn serve(mut self) -> Result<()> {
        // Whoever still waits is told, also when this thread panics.
        let _end = End(self.shared.clone());
        loop {
            let turn = self.next_turn();
            let result = self.write(turn.group);
            let sync = turn.sync || turn.closing || self.files.mode() == SyncMode::Fsync;
            let result = result.and_then(|()| if sync { self.sync() } else { Ok(()) });
            if turn.closing {
                return result.and_then(|()| self.close_files());
            }
        }
    }

    fn close_files(&mut self) -> Result<()> {
        let (last, poisoned) = {
            let queue = held(&self.shared.queue);
            (queue.last, queue.poison.is_some())
        };
        if poisoned { Ok(()) } else { self.files.close(self.void.map_or(last, |(first, _)| first - 1)) }
    }

    fn due(&self) -> Option<Duration> {
        let interval = Duration::from_millis(u64::from(self.files.interval()));
        (self.files.mode() == SyncMode::Periodic && self.files.is_dirty())
            .then(|| interval.saturating_sub(self.synced_at.elapsed()))
    }

    fn next_turn(&mut self) -> Turn {
        let mut queue = held(&self.shared.queue);
        loop {
            let due = self.due();
            let sync = due.is_some_and(|wait| wait.is_zero()) || queue.wanted > queue.durable;
            let poisoned = queue.poison.is_some();
            if !queue.pending.is_empty() || queue.closing || (sync && !poisoned) {
                let mut group = VecDeque::new();
                let mut bytes = 0;
                while bytes < GROUP_BYTES_MAX
                    && let Some(pending) = queue.pending.pop_front()
                {
                    bytes += pending.bytes.len();
                    group.push_back(pending);
                }
                queue.bytes -= bytes as u64;
                let rest = !queue.pending.is_empty();
                return Turn { group, sync: sync && !rest, closing: queue.closing && !rest };
            }
            queue.idle = true;
            queue = match due.filter(|_| !poisoned) {
                Some(wait) => self.shared.work.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle = false;
        }
    }

    /// Writes a group, file by file; what does not fit into one file goes to the next.
    fn write(&mut self, mut group: VecDeque<Pending>) -> Result<()> {
        while !group.is_empty() {
            let written = self.write_some(&mut group);
            match written {
                Ok(count) => self.settle(group.drain(..count)),
                Err(error) => return self.refuse(group, error),
            }
        }
        Ok(())
    }

    /// Writes as many records as fit into one file, at least one.
    fn write_some(&mut self, group: &mut VecDeque<Pending>) -> Result<usize> {
        let durable = {
            let queue = held(&self.shared.queue);
            if let Some(error) = &queue.poison {
                return Err(poisoned(error));
            }
            queue.durable
        };
        failpoint::hit("log.before_group")?;
        let mut records: Vec<Vec<u8>> = Vec::new();
        let Some((first, first_time, first_bytes)) =
            group.front().map(|first| (first.lsn, first.time, first.bytes.len()))
        else {
            return Ok(0);
        };
        if let Some((first_void, last_void)) = self.void {
            records.push(record::encode(first_void, first_time, &Change::Void(last_void))?);
        }
        let first_lsn = self.void.map_or(first, |(first_void, _)| first_void);
        let mut bytes: u64 = records.iter().map(|record| self.files.bytes_of(record.len())).sum();
        let mut count = 0_usize;
        self.files.make_room(first_lsn, bytes + self.files.bytes_of(first_bytes))?;
        for pending in group.iter_mut() {
            let length = self.files.bytes_of(pending.bytes.len());
            if count > 0 && !self.files.fits(bytes + length) {
                break;
            }
            bytes += length;
            count += 1;
            records.push(self.files.packed(std::mem::take(&mut pending.bytes)));
        }
        // Refused records count as settled, but the log does not know of them before it has their void.
        let synced = durable.min(first_lsn - 1);
        records.iter_mut().for_each(|record| record::set_synced(record, synced));
        let last = group.get(count.saturating_sub(1)).map_or((first_lsn, first_time), |last| (last.lsn, last.time));
        self.files.append(&records, last)?;
        self.void = None;
        if self.files.mode() == SyncMode::Fsync {
            self.sync_file()?;
        }
        Ok(count)
    }

    /// A failure is in doubt, and poisons the log in `refuse`: not before, because whoever finds the poison may rely on
    /// what was not acknowledged being taken back.
    fn sync_file(&mut self) -> Result<()> {
        self.synced_at = Instant::now();
        self.files.sync()
    }

    /// Everything that was written becomes durable.
    fn sync(&mut self) -> Result<()> {
        if held(&self.shared.queue).poison.is_some() {
            return Ok(());
        }
        match self.sync_file() {
            Ok(()) => {
                self.settle(std::iter::empty());
                Ok(())
            }
            // Nothing waits to be written here; those who wait for durability find the poison.
            Err(error) => self.refuse(VecDeque::new(), error),
        }
    }

    fn settle(&mut self, group: impl Iterator<Item = Pending>) {
        let synced = !self.files.is_dirty();
        // What it takes to take them back is freed here, not under the lock.
        let done: Vec<Pending> = group.collect();
        failpoint::pass("log.before_acknowledgement");
        let mut queue = held(&self.shared.queue);
        if let Some(last) = done.last() {
            queue.settled = last.lsn;
        }
        if synced {
            queue.durable = queue.settled;
            queue.place = self.files.place();
        }
        let report = Progress { settled: queue.settled, durable: queue.durable, refused: None };
        drop(queue);
        self.shared.done.notify_all();
        failpoint::pass("log.after_acknowledgement");
        self.tell(report);
    }

    fn tell(&self, progress: Progress) {
        if let Some(listener) = &*held(&self.shared.listener) {
            listener(progress);
        }
    }

    /// Takes back everything that is not acknowledged, and tells everybody.
    fn refuse(&mut self, group: VecDeque<Pending>, error: Error) -> Result<()> {
        failpoint::pass("log.before_refusal");
        let shared = self.shared.clone();
        let mut collection = shared.collection.write().unwrap_or_else(PoisonError::into_inner);
        let mut queue = held(&shared.queue);
        if self.files.in_doubt() {
            queue.poison.get_or_insert_with(|| error.again());
        }
        queue.bytes = 0;
        let all: Vec<Pending> = group.into_iter().chain(std::mem::take(&mut queue.pending)).collect();
        let Some((first, last)) = all.first().zip(all.last()).map(|(first, last)| (first.lsn, last.lsn)) else {
            // Whoever listens for durability only learns here that it will not come.
            let report = Progress { settled: queue.settled, durable: queue.durable, refused: None };
            drop(queue);
            drop(collection);
            shared.done.notify_all();
            self.tell(report);
            return Err(error);
        };
        if all.iter().any(|pending| !pending.awaited) {
            queue.untold = Some(error.again());
        }
        self.void = Some((self.void.map_or(first, |(first, _)| first), last));
        let undone = all.into_iter().rev().try_for_each(|pending| collection.undo(pending.undo));
        if let Err(damage) = undone {
            // A segment could not be read: what is in memory is not what the log says.
            queue.poison.get_or_insert(damage);
        }
        queue.settled = last;
        if !self.files.is_dirty() {
            queue.durable = last;
        }
        if queue.refused.len() == FAILURES_MAX {
            queue.refused.pop_front();
        }
        queue.refused.push_back(Refused { first, last, error: error.again() });
        let report = Progress { settled: last, durable: queue.durable, refused: Some((first, last, error.again())) };
        drop((queue, collection));
        failpoint::pass("log.after_refusal");
        shared.done.notify_all();
        self.tell(report);
        Err(error)
    }
}
