//! The hot tier of engine `hybrid`: entries of segments that are read again and again, on the heap, up to a size.
//!
//! An entry comes in when it is read a second time soon after the first, and goes, oldest first, when it was not read
//! since the hand last passed it (CLOCK). Segments never change, so what is here is never wrong.

use super::part::Part;
use super::rows::Row;
use crate::error::Result;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Rows of which it is remembered that they were read once.
const CANDIDATES_MAX: usize = 8_192;
/// What an entry takes beside its vector and texts.
const ENTRY_BYTES: u64 = 200;

/// Segment and row.
type Key = (u64, u32);

#[derive(Debug, Clone)]
struct Slot {
    row: Row,
    /// Read since the hand last passed.
    touched: bool,
}

#[derive(Debug, Default)]
struct Inner {
    slots: HashMap<Key, Slot>,
    /// The order in which the hand passes.
    ring: VecDeque<Key>,
    candidates: HashMap<Key, ()>,
    order: VecDeque<Key>,
    bytes: u64,
    hits: u64,
    reads: u64,
}

/// Entries on the heap.
#[derive(Debug)]
pub struct HotTier {
    capacity: u64,
    inner: Mutex<Inner>,
}

/// What the hot tier holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HotStatus {
    /// Bytes that it may hold.
    pub capacity: u64,
    /// Bytes that it holds, about.
    pub bytes: u64,
    /// Entries that it holds.
    pub entries: u64,
    /// Reads of sealed rows.
    pub reads: u64,
    /// Of them, those that it answered.
    pub hits: u64,
}

fn bytes_of(row: &Row) -> u64 {
    let metadata = row.entry.metadata.as_ref().map_or(0, |text| text.len());
    (row.entry.vector.len() * 4 + row.entry.id.len() + metadata) as u64 + ENTRY_BYTES
}

impl HotTier {
    /// An empty one of at most so many bytes.
    pub fn new(capacity: u64) -> HotTier {
        HotTier { capacity, inner: Mutex::default() }
    }

    /// The row of a segment: from here, or from the segment, and then perhaps kept.
    pub(super) fn row(&self, part: &Part, row: u32) -> Result<Option<Row>> {
        let Some(segment) = part.named() else { return Ok(None) };
        let key = (segment.number, row);
        {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.reads += 1;
            if let Some(slot) = inner.slots.get_mut(&key) {
                slot.touched = true;
                let row = slot.row.clone();
                inner.hits += 1;
                return Ok(Some(row));
            }
        }
        // Without the lock: this may wait for the disk.
        let found = part.with_row(row, |view| Row { lsn: view.lsn, entry: view.to_entry() })?;
        let Some(found) = found else { return Ok(None) };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.candidates.remove(&key).is_some() {
            inner.keep(key, found.clone(), self.capacity);
        } else {
            inner.candidates.insert(key, ());
            inner.order.push_back(key);
            if inner.order.len() > CANDIDATES_MAX
                && let Some(oldest) = inner.order.pop_front()
            {
                inner.candidates.remove(&oldest);
            }
        }
        Ok(Some(found))
    }

    /// What it holds.
    pub fn status(&self) -> HotStatus {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { bytes, reads, hits, .. } = *inner;
        HotStatus { capacity: self.capacity, bytes, entries: inner.slots.len() as u64, reads, hits }
    }
}

impl Inner {
    fn keep(&mut self, key: Key, row: Row, capacity: u64) {
        let more = bytes_of(&row);
        if more > capacity || self.slots.contains_key(&key) {
            return;
        }
        while self.bytes + more > capacity {
            let Some(oldest) = self.ring.pop_front() else { return };
            match self.slots.get_mut(&oldest) {
                Some(slot) if slot.touched => {
                    slot.touched = false;
                    self.ring.push_back(oldest);
                }
                _ => {
                    if let Some(slot) = self.slots.remove(&oldest) {
                        self.bytes -= bytes_of(&slot.row);
                    }
                }
            }
        }
        self.bytes += more;
        self.slots.insert(key, Slot { row, touched: false });
        self.ring.push_back(key);
    }
}
