//! Records on their way: their frames in one buffer, as they will be written, and beside it what takes each back.
//!
//! Writers encode into the buffer of the queue while the thread of the log writes another one; the two change places, so
//! that a record costs no memory of its own. Nothing here waits or writes.

use crate::format::record::{self, Change};
use crate::store::collection::Undo;
use crate::wal::Frames;
use std::collections::VecDeque;

/// Memory that a group without records keeps for those that come.
const KEPT_BYTES: usize = 4 << 20;

/// A record on its way.
pub struct Pending {
    /// Its LSN.
    pub first: u64,
    /// The last LSN that it stands for.
    pub lsn: u64,
    /// Its time.
    pub time: u64,
    /// What takes it back.
    pub undo: Undo,
    /// Whether its writer waits for it; else the next flush reports its refusal.
    pub awaited: bool,
}

/// Records in the order of their LSNs.
#[derive(Default)]
pub(super) struct Group {
    frames: Frames,
    /// Where the frame of the first record begins.
    start: usize,
    /// Each with the bytes of its frame.
    records: VecDeque<(Pending, usize)>,
}

impl Group {
    /// Appends a record. Gives the bytes of its frame.
    pub fn push(&mut self, change: &Change, pending: Pending) -> usize {
        let (lsn, time) = (pending.first, pending.time);
        let bytes = self.frames.push(|out| record::encode_into(out, lsn, time, change));
        self.records.push_back((pending, bytes));
        bytes
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at a place, and the bytes of its frame.
    pub fn get(&self, place: usize) -> Option<(&Pending, usize)> {
        self.records.get(place).map(|(pending, bytes)| (pending, *bytes))
    }

    /// So many bytes of frames from the first record on.
    pub fn frames(&mut self, bytes: usize) -> &mut [u8] {
        self.frames.part(self.start, bytes)
    }

    /// Forgets the first records, whose frames have so many bytes.
    pub fn forget(&mut self, count: usize, bytes: usize) {
        self.start += bytes;
        self.records.drain(..count.min(self.records.len()));
        if self.records.is_empty() {
            self.start = 0;
            self.frames.clear(KEPT_BYTES);
        }
    }

    /// The records without their frames.
    pub fn into_records(self) -> impl Iterator<Item = Pending> {
        self.records.into_iter().map(|(pending, _)| pending)
    }
}
