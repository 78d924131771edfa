//! The thread of a log: takes what has gathered, writes it, syncs where the mode asks for it, tells everybody.
//!
//! It holds no lock while it writes. What cannot be written is taken back here, under the lock of the collection, before
//! anybody is told.

use super::group::{Group, Pending};
use super::patience::Patience;
use super::{FAILURES_MAX, Progress, Refused, Shared, held, poisoned};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::format::record::{self, Change};
use crate::manifest::SyncMode;
use crate::store::wal_files::WalFiles;
use crate::sync::atomic::Ordering;
use crate::sync::{Instant, PoisonError};
use crate::wal::{Frames, records};
use std::sync::Arc;
use std::time::Duration;

/// So many bytes at most are written with one call, but for a larger record, so that the first writer does not wait for ever.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// The thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    files: WalFiles,
    /// LSNs that were refused and that the log does not know of.
    void: Option<(u64, u64)>,
    synced_at: Instant,
    /// The group that was written last, for the memory that it has.
    spare: Group,
    patience: Patience,
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
    group: Group,
    /// The newest LSN in it, when there is any.
    last: Option<u64>,
    sync: bool,
    /// Those up to this one have asked for the current file to be completed.
    complete: Option<u64>,
    closing: bool,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, files: WalFiles) -> Writer {
        Writer {
            shared,
            files,
            void: None,
            synced_at: Instant::now(),
            spare: Group::default(),
            patience: Patience::new(),
        }
    }

    pub fn serve(mut self) -> Result<()> {
        // Whoever still waits is told, also when this thread panics.
        let _end = End(self.shared.clone());
        loop {
            let turn = self.next_turn();
            let result = self.write(turn.group);
            let sync = turn.sync || turn.closing || self.files.mode() == SyncMode::Fsync;
            let result = result.and_then(|()| if sync { self.sync() } else { Ok(()) });
            if let Some(asked) = turn.complete {
                self.complete_file(asked);
            }
            if turn.closing {
                return result.and_then(|()| self.close_files());
            }
            if let Some(last) = turn.last {
                let handed = &self.shared.handed;
                self.patience.look(|| handed.load(Ordering::Relaxed) > last);
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
        let shared = self.shared.clone();
        let mut queue = held(&shared.queue);
        loop {
            let due = self.due();
            let sync = due.is_some_and(|wait| wait.is_zero()) || queue.wanted > queue.durable;
            let poisoned = queue.poison.is_some();
            let complete = (queue.file_asked > queue.file_done).then_some(queue.file_asked);
            if !queue.group.is_empty() || queue.closing || ((sync || complete.is_some()) && !poisoned) {
                let group = std::mem::replace(&mut queue.group, std::mem::take(&mut self.spare));
                let last = (!group.is_empty()).then_some(queue.last);
                return Turn { group, last, sync, complete, closing: queue.closing };
            }
            queue.idle = true;
            queue = match due.filter(|_| !poisoned) {
                Some(wait) => shared.work.wait_timeout(queue, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
            queue.idle = false;
        }
    }

    /// Writes a group, file by file; what does not fit into one file goes to the next.
    fn write(&mut self, mut group: Group) -> Result<()> {
        while !group.is_empty() {
            match self.write_some(&mut group) {
                Ok((count, bytes)) => self.settle(&mut group, count, bytes),
                Err(error) => return self.refuse(group, error),
            }
        }
        self.spare = group;
        Ok(())
    }

    /// Writes as many records as fit into one file and one group, at least one. Gives their number and the bytes of their
    /// frames.
    fn write_some(&mut self, group: &mut Group) -> Result<(usize, usize)> {
        let durable = {
            let queue = held(&self.shared.queue);
            if let Some(error) = &queue.poison {
                return Err(poisoned(error));
            }
            queue.durable
        };
        failpoint::hit("log.before_group")?;
        let Some((first, first_bytes)) = group.get(0) else { return Ok((0, 0)) };
        let (mut last, mut first_lsn) = ((first.lsn, first.time), first.first);
        let mut ahead = Frames::default();
        let mut ahead_bytes = 0;
        if let Some((first_void, last_void)) = self.void {
            let void = record::encode(first_void, first.time, &Change::Void(last_void))?;
            (first_lsn, ahead_bytes) = (first_void, ahead.push_record(&void));
        }
        self.files.make_room(first_lsn, (ahead_bytes + first_bytes) as u64)?;
        let (mut count, mut bytes) = (0, 0);
        while let Some((pending, length)) = group.get(count) {
            let all = ahead_bytes + bytes + length;
            if count > 0 && (all > GROUP_BYTES_MAX || !self.files.fits(all as u64)) {
                break;
            }
            last = (pending.lsn, pending.time);
            (count, bytes) = (count + 1, bytes + length);
        }
        // Refused records count as settled, but the log does not know of them before it has their void.
        let synced = durable.min(first_lsn - 1);
        if ahead_bytes > 0 {
            for record in records(group.frames(bytes)) {
                ahead.push_record(record);
            }
            self.files.append(ahead.part(0, ahead_bytes + bytes), synced, last)?;
        } else {
            self.files.append(group.frames(bytes), synced, last)?;
        }
        self.void = None;
        if self.files.mode() == SyncMode::Fsync {
            self.sync_file()?;
        }
        Ok((count, bytes))
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
                self.settle(&mut Group::default(), 0, 0);
                Ok(())
            }
            // Nothing waits to be written here; those who wait for durability find the poison.
            Err(error) => self.refuse(Group::default(), error),
        }
    }

    /// Completes the current file for those who asked, and tells them.
    fn complete_file(&mut self, asked: u64) {
        let poisoned = held(&self.shared.queue).poison.is_some();
        let refused = if poisoned { None } else { self.files.complete().err() };
        let mut queue = held(&self.shared.queue);
        if let Some(error) = refused.as_ref().filter(|_| self.files.in_doubt()) {
            queue.poison.get_or_insert_with(|| error.again());
        }
        (queue.file_done, queue.file_refused) = (asked, refused);
        drop(queue);
        self.shared.done.notify_all();
    }

    /// The first records of the group are acknowledged, and everything written is durable when it is synced. Whoever
    /// waits is told, when there is anything to tell.
    fn settle(&mut self, group: &mut Group, count: usize, bytes: usize) {
        let synced = !self.files.is_dirty();
        let last = count.checked_sub(1).and_then(|last| group.get(last)).map(|(last, _)| last.lsn);
        // What it takes to take them back is freed here, not under the lock.
        group.forget(count, bytes);
        failpoint::pass("log.before_acknowledgement");
        let mut queue = held(&self.shared.queue);
        let before = (queue.settled, queue.durable);
        queue.bytes = queue.bytes.saturating_sub(bytes as u64);
        queue.settled = last.unwrap_or(queue.settled);
        if synced {
            queue.durable = queue.settled;
            queue.place = self.files.place();
        }
        let report = Progress { settled: queue.settled, durable: queue.durable, refused: None };
        drop(queue);
        if before == (report.settled, report.durable) {
            return;
        }
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
    fn refuse(&mut self, group: Group, error: Error) -> Result<()> {
        failpoint::pass("log.before_refusal");
        let shared = self.shared.clone();
        let mut collection = shared.collection.write().unwrap_or_else(PoisonError::into_inner);
        let mut queue = held(&shared.queue);
        if self.files.in_doubt() {
            queue.poison.get_or_insert_with(|| error.again());
        }
        queue.bytes = 0;
        let all: Vec<Pending> = group.into_records().chain(std::mem::take(&mut queue.group).into_records()).collect();
        let Some((first, last)) = all.first().zip(all.last()).map(|(first, last)| (first.first, last.lsn)) else {
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
        drop(queue);
        drop(collection);
        failpoint::pass("log.after_refusal");
        shared.done.notify_all();
        self.tell(report);
        Err(error)
    }
}
