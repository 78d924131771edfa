//! What is damaged in a segment, as `verify` collects it.
//!
//! Bad blocks that follow each other are one entry, and so are rows. Touches no file.

use super::checks::blocks_of;
use super::layout::WORD;
use crate::error::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::ops::Range;

/// A damaged part of a segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it begins.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// A sentence for a person.
    pub what: String,
    /// The rows of which something is there (id, vector, metadata, LSN or the way to them from the id), in order. What
    /// else of these rows is good can still be read, mostly the id. Empty where no row is touched.
    pub rows: Vec<Range<u32>>,
}

impl Damage {
    fn add(&mut self, row: u32) {
        match self.rows.last_mut() {
            Some(last) if last.end > row => {}
            Some(last) if last.end == row => last.end = row + 1,
            _ => self.rows.push(row..row + 1),
        }
    }
}

/// The list so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub damages: Vec<Damage>,
    /// Which entry tells of a bad block.
    bad: BTreeMap<u64, usize>,
    /// Entries that are no bad blocks.
    pub contradictions: usize,
}

impl Findings {
    /// Puts anything on the list.
    pub fn push(&mut self, offset: u64, length: u64, what: String, rows: Vec<Range<u32>>) {
        self.damages.push(Damage { offset, length, what, rows });
    }

    /// Puts a bad block on the list; one that continues the last entry becomes part of it.
    pub fn bad_block(&mut self, block: u64, (offset, length): (u64, u64), why: String) {
        let before = block.checked_sub(1).and_then(|before| self.bad.get(&before)).copied();
        let continued = before.and_then(|at| self.damages.get_mut(at)).filter(|damage| damage.what == why);
        let at = match (continued, before) {
            (Some(damage), Some(at)) => {
                damage.length += length;
                at
            }
            _ => {
                self.push(offset, length, why, Vec::new());
                self.damages.len() - 1
            }
        };
        self.bad.insert(block, at);
    }

    /// Whether a part of a row lies in bad blocks, which then name the row.
    pub fn touches(&mut self, range: &Range<u64>, row: u32) -> bool {
        if self.bad.is_empty() {
            return false;
        }
        let blocks = blocks_of(range.start, range.end - range.start);
        let entries: Vec<usize> = self.bad.range(blocks).map(|(_, at)| *at).collect();
        for at in &entries {
            if let Some(damage) = self.damages.get_mut(*at) {
                damage.add(row);
            }
        }
        !entries.is_empty()
    }

    /// Puts a contradiction that reading met on the list. Anything but a contradiction ends the call.
    pub fn contradiction(&mut self, error: Error, rows: Range<u32>) -> Result<()> {
        match (error.kind, error.offset) {
            (Kind::Corrupt, Some(offset)) => self.contradicts(offset, WORD, error.message, rows),
            _ => return Err(error),
        }
        Ok(())
    }

    /// Puts a contradiction on the list, which touches these rows, or none.
    pub fn contradicts(&mut self, offset: u64, length: u64, what: String, rows: Range<u32>) {
        self.contradictions += 1;
        let rows = Some(rows).filter(|rows| !rows.is_empty());
        self.push(offset, length, what, rows.into_iter().collect());
    }
}
