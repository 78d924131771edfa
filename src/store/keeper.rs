//! The thread that keeps a collection in order while it is used: checkpoints when the memtable is full, compaction when
//! too much of the segments is dead.

use super::checkpoint::Compact;
use super::log::held;
use super::stored::Core;
use crate::error::Result;
use crate::sync::{Condvar, Instant, JoinHandle, Mutex, PoisonError};
use crate::workers;
use std::sync::Arc;
use std::time::Duration;

/// After a failure the next attempt waits this long: a full disk does not become a busy one.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Signals {
    wanted: bool,
    ending: bool,
}

/// The thread; it ends with this value.
pub(super) struct Keeper {
    signals: Arc<(Mutex<Signals>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub fn start(core: Arc<Core>) -> Result<Keeper> {
        let signals: Arc<(Mutex<Signals>, Condvar)> = Arc::default();
        let shared = signals.clone();
        let thread = workers::spawn("keeper", move || keep(&core, &shared))?;
        Ok(Keeper { signals, thread: Some(thread) })
    }

    /// The memtable is full.
    pub fn wake(&self) {
        held(&self.signals.0).wanted = true;
        self.signals.1.notify_one();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        held(&self.signals.0).ending = true;
        self.signals.1.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(core: &Core, (signals, changed): &(Mutex<Signals>, Condvar)) {
    let mut looked = Instant::now();
    loop {
        let interval = Duration::from_millis(core.settings(|settings| settings.compaction_interval));
        let mut state = held(signals);
        let mut due = false;
        while !state.wanted && !state.ending && !due {
            state = if interval.is_zero() {
                changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let rest = interval.saturating_sub(looked.elapsed());
                changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
            };
            due = !interval.is_zero() && looked.elapsed() >= interval;
        }
        if state.ending {
            return;
        }
        let full = std::mem::take(&mut state.wanted);
        drop(state);
        looked = Instant::now();
        let threshold = core.settings(|settings| settings.compaction_threshold);
        let compact = Compact::Above(threshold);
        let done = if full { core.checkpoint(compact) } else { core.compact_if_due(threshold) };
        if done.is_err() {
            // What failed is tried again with the next signal; the log itself tells its writers of its troubles.
            let state = held(signals);
            if state.ending {
                return;
            }
            let pause = changed.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner);
            let mut state = pause.0;
            if state.ending {
                return;
            }
            state.wanted |= full;
        }
    }
}
