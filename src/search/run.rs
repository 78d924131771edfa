//! A search under way: rows come in, the nearest stay.
//!
//! A row has two prices: its score (memory to read) and its metadata (text to parse). Which of them is asked first
//! follows from what was seen so far, and changes only the time that a search takes, never its result.

use super::query::{Prepared, Query};
use super::top::{Hit, Top};
use crate::error::{Error, Kind, Result};
use std::sync::Arc;

/// What parsing one byte of metadata costs, in numbers of a vector compared.
const NUMBERS_PER_BYTE: f64 = 5.0;
/// Counts are halved when this many rows are counted, so that old ones fade.
const COUNTED_MAX: f64 = 1_024.0;
/// Rows that have to be counted before their shares mean something.
const COUNTED_MIN: f64 = 32.0;

/// A search under way.
#[derive(Debug)]
pub struct Search {
    query: Arc<Prepared>,
    top: Top,
    seen: Seen,
}

/// How often the score and the filter let a row pass.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    scored: f64,
    near: f64,
    asked: f64,
    matched: f64,
    bytes: f64,
}

impl Search {
    /// A search that has seen no row. Refuses a vector without numbers or of more than the limit (`ERR_DIMENSION`),
    /// more than [`super::K_MAX`] hits (`ERR_LIMIT`) and a threshold that is no number (`ERR_UNSUPPORTED`).
    pub fn new(query: Query) -> Result<Self> {
        let query = Arc::new(query.prepare()?);
        Ok(Search { top: Top::new(query.k), seen: Seen::default(), query })
    }

    /// A search for the same that has seen no row: for another thread. Costs nothing.
    pub fn part(&self) -> Search {
        Search { query: self.query.clone(), top: Top::new(self.query.k), seen: Seen::default() }
    }

    /// Takes over what a part found.
    pub fn join(&mut self, part: Search) {
        self.top.join(part.top);
    }

    /// Shows the search one row. `sequence` is the caller's own and comes back in the hit; no two rows have the same.
    /// `metadata` is called at most once, and only when the filter has to be asked: it may be expensive.
    pub fn offer<M: AsRef<str>>(
        &mut self,
        sequence: u64,
        vector: &[f32],
        metadata: impl FnOnce() -> Result<Option<M>>,
    ) -> Result<()> {
        let dimension = self.query.scorer.dimension();
        if vector.len() != dimension {
            let message = format!("the vector of the search has {dimension} numbers, the row has {}", vector.len());
            return Err(Error::new(Kind::Dimension, message));
        }
        let filter_first = self.query.filter.is_some() && self.seen.filter_is_cheaper(dimension);
        if filter_first {
            if self.matches(metadata)? {
                let hit = Hit { sequence, score: self.query.scorer.score(vector) };
                if self.is_near(hit) {
                    self.top.push(hit);
                }
            }
            return Ok(());
        }
        let hit = Hit { sequence, score: self.query.scorer.score(vector) };
        if self.is_near(hit) && self.matches(metadata)? {
            self.top.push(hit);
        }
        Ok(())
    }

    /// The hits, nearest first.
    pub fn finish(self) -> Vec<Hit> {
        self.top.into_sorted()
    }

    /// Whether the hit is within the threshold and among the nearest so far.
    fn is_near(&mut self, hit: Hit) -> bool {
        let within = self.query.score_max.is_none_or(|score_max| hit.score.is_finite() && hit.score <= score_max);
        let near = within && self.top.admits(hit);
        self.seen.scored(near);
        near
    }

    fn matches<M: AsRef<str>>(&mut self, metadata: impl FnOnce() -> Result<Option<M>>) -> Result<bool> {
        let Some(filter) = &self.query.filter else { return Ok(true) };
        let text = metadata()?;
        let text = text.as_ref().map(AsRef::as_ref);
        let matched = filter.matches(text)?;
        self.seen.asked(matched, text.map_or(0, str::len));
        Ok(matched)
    }
}

impl Seen {
    fn scored(&mut self, near: bool) {
        if self.scored >= COUNTED_MAX {
            (self.scored, self.near) = (self.scored / 2.0, self.near / 2.0);
        }
        self.scored += 1.0;
        self.near += f64::from(u8::from(near));
    }

    fn asked(&mut self, matched: bool, bytes: usize) {
        if self.asked >= COUNTED_MAX {
            (self.asked, self.matched, self.bytes) = (self.asked / 2.0, self.matched / 2.0, self.bytes / 2.0);
        }
        self.asked += 1.0;
        self.matched += f64::from(u8::from(matched));
        self.bytes += bytes as f64;
    }

    /// Whether asking every row's filter, and scoring those that match, is less work than scoring every row and asking
    /// the filter of those that are near.
    fn filter_is_cheaper(&self, dimension: usize) -> bool {
        if self.asked < COUNTED_MIN || self.scored < COUNTED_MIN {
            return false;
        }
        let filter = self.bytes / self.asked * NUMBERS_PER_BYTE;
        let score = dimension as f64;
        filter + score * (self.matched / self.asked) < score + filter * (self.near / self.scored)
    }
}
