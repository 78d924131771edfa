//! Looking for the next record for a moment before sleeping.
//!
//! To wake a thread that sleeps costs the writer a system call, and the record the time that a core takes to wake up: more
//! than the rest of a write together. Whoever writes one record after the other comes back soon after an acknowledgement.
//! The look yields to every other thread, ends after a tenth of a millisecond, and is given up for longer and longer where
//! it is in vain.

use crate::sync::Instant;
use crate::workers;
use std::time::Duration;

const LOOK: Duration = Duration::from_micros(100);
/// After a look in vain, 2, 4, 8 … at most 2^8 chances are passed over.
const MISSED_MAX: u32 = 8;

/// When to look.
pub(super) struct Patience {
    /// Another core can hand records over meanwhile, and threads run when they like.
    possible: bool,
    missed: u32,
    passed_over: u32,
}

impl Patience {
    pub fn new() -> Patience {
        Patience { possible: workers::cores() > 1 && !cfg!(feature = "shuttle"), missed: 0, passed_over: 0 }
    }

    /// Returns when `has_come` says so, or when it is better to sleep.
    pub fn look(&mut self, has_come: impl Fn() -> bool) {
        if !self.possible {
            return;
        }
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return;
        }
        let began = Instant::now();
        while began.elapsed() < LOOK {
            if has_come() {
                self.missed = 0;
                return;
            }
            std::thread::yield_now();
        }
        self.missed = (self.missed + 1).min(MISSED_MAX);
        self.passed_over = 1 << self.missed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_is_in_vain_is_done_less_and_less_often_and_what_succeeds_always() {
        let mut patience = Patience { possible: true, missed: 0, passed_over: 0 };
        let looks = Cell::new(0);
        let mut looked = |comes: bool| {
            let before = looks.get();
            patience.look(|| {
                looks.set(looks.get() + 1);
                comes
            });
            looks.get() > before
        };
        let pattern: Vec<bool> = (0..10).map(|_| looked(false)).collect();
        assert_eq!(pattern, [true, false, false, true, false, false, false, false, true, false]);
        while !looked(true) {}
        assert!((0..100).all(|_| looked(true)));
    }
}
