//! The moments of a run: the disk after each call that changed it, and what the workload had been told by then.
//!
//! Calls may come from several threads. The order in which the file system took them is the order of the moments; the run
//! that is recorded is the run whose images are tested, so nothing has to happen in the same order twice.

use crate::state::State;

/// How far a workload had come. Operations are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Operations begun.
    pub started: usize,
    /// Operations that came back: no process crash may lose them.
    pub acknowledged: usize,
    /// Operations that came back as durable: nothing may lose them.
    pub durable: usize,
}

/// One moment at which the power may go.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What had just happened.
    pub after: String,
    /// The disk and its page cache.
    pub state: State,
    /// What had been started and acknowledged.
    pub progress: Progress,
}

/// All moments of a run in order; the first is the one before its first call.
#[derive(Debug, Default)]
pub struct Recording {
    /// The moments.
    pub moments: Vec<Moment>,
}

impl Recording {
    /// One more moment.
    pub fn push(&mut self, after: String, state: &State, progress: Progress) {
        self.moments.push(Moment { after, state: state.clone(), progress });
    }
}
