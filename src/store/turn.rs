//! A lock that is given in the order in which it was asked for: whoever checkpoints all the time lets the others in.

use super::log::held;
use crate::sync::{Condvar, Mutex, PoisonError};

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    serving: u64,
}

/// Held until it is dropped.
#[derive(Debug)]
pub struct Turn<'a>(&'a Turns);

impl Turns {
    /// Waits for those who asked before.
    pub fn take(&self) -> Turn<'_> {
        let mut state = held(&self.state);
        let mine = state.next;
        state.next += 1;
        while state.serving != mine {
            state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        held(&self.0.state).serving += 1;
        self.0.called.notify_all();
    }
}
