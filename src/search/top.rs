//! The best `k` of any number of hits.
//!
//! Memory grows with what is held, never with `k`. What is held depends only on the set of hits pushed, because no two
//! are equal: score first, sequence number second.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The number under which the caller offered the row.
    pub sequence: u64,
    /// The distance: smaller is nearer. Never NaN; Infinity where the vectors have no distance.
    pub score: f64,
}

impl Eq for Hit {}

impl PartialOrd for Hit {
    fn partial_cmp(&self, other: &Hit) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Nearest first.
impl Ord for Hit {
    fn cmp(&self, other: &Hit) -> Ordering {
        self.score.total_cmp(&other.score).then(self.sequence.cmp(&other.sequence))
    }
}

/// The nearest `k` so far, the farthest of them at the root.
#[derive(Debug, Clone)]
pub(super) struct Top {
    k: usize,
    heap: BinaryHeap<Hit>,
}

impl Top {
    pub fn new(k: usize) -> Self {
        Top { k, heap: BinaryHeap::new() }
    }

    /// Whether `push` would keep this hit.
    pub fn admits(&self, hit: Hit) -> bool {
        self.heap.len() < self.k || self.heap.peek().is_some_and(|farthest| hit < *farthest)
    }

    /// Keeps the hit if it is among the nearest `k`.
    pub fn push(&mut self, hit: Hit) {
        if self.heap.len() < self.k {
            self.heap.push(hit);
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && hit < *farthest
        {
            *farthest = hit;
        }
    }

    /// Takes over what another one holds.
    pub fn join(&mut self, other: Top) {
        for hit in other.heap {
            self.push(hit);
        }
    }

    /// What is held, nearest first.
    pub fn into_sorted(self) -> Vec<Hit> {
        self.heap.into_sorted_vec()
    }
}
