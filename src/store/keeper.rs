//! The thread that keeps a collection in order while it is used: checkpoints when the memtable is full, compaction when
//! too much of the segments is dead.

use super::checkpoint::Compact;
use super::log::held;
use super::stored::Core;
use crate::error::Result;
use crate::manifest::Engine;
use crate::sync::{Condvar, Instant, JoinHandle, Mutex, PoisonError};
use crate::workers;
use std::sync::Arc;
use std::time::Duration;

/// After a failure the next attempt waits this long: a full disk does not become a busy one.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the parts that are read most are looked for, engine `hybrid` only.
const TIER_EVERY: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Signals {
    /// A checkpoint.
    wanted: bool,
    /// Settings are others than those that the thread waits by.
    changed: bool,
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

    /// Settings are others now.
    pub fn settings_changed(&self) {
        held(&self.signals.0).changed = true;
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

fn keep(core: &Core, shared: &(Mutex<Signals>, Condvar)) {
    let (mut looked, mut arranged) = (Instant::now(), Instant::now());
    loop {
        let (interval, threshold, tiered) = core.settings(|settings| {
            let interval = Duration::from_millis(settings.compaction_interval);
            (interval, settings.compaction_threshold, settings.engine == Engine::Hybrid)
        });
        let look_in = (!interval.is_zero()).then(|| interval.saturating_sub(looked.elapsed()));
        let arrange_in = tiered.then(|| TIER_EVERY.saturating_sub(arranged.elapsed()));
        let Some(full) = wait(shared, look_in.into_iter().chain(arrange_in).min()) else { return };
        if full || look_in.is_some() && looked.elapsed() >= interval {
            looked = Instant::now();
            let compact = Compact::Above(threshold);
            let done = if full { core.checkpoint(compact) } else { core.compact_if_due(threshold) };
            if done.is_err() && !pause(shared, full) {
                return;
            }
        }
        if tiered && (full || arranged.elapsed() >= TIER_EVERY) {
            arranged = Instant::now();
            // What cannot be put on the heap is read from the mapping.
            let _ = core.arrange();
        }
    }
}

/// Waits for a signal, or so long. Whether a checkpoint is wanted; `None` at the end.
fn wait((signals, signalled): &(Mutex<Signals>, Condvar), time: Option<Duration>) -> Option<bool> {
    let mut state = held(signals);
    if !state.wanted && !state.changed && !state.ending {
        state = match time {
            None => signalled.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(time) => signalled.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
        };
    }
    state.changed = false;
    let wanted = std::mem::take(&mut state.wanted);
    (!state.ending).then_some(wanted)
}

/// After a failure: what failed is tried again with the next signal, or after a pause when the memtable is full. The log
/// itself tells its writers of its troubles. `false` at the end.
fn pause((signals, signalled): &(Mutex<Signals>, Condvar), full: bool) -> bool {
    let mut state = held(signals);
    if !state.ending {
        state = signalled.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
    }
    state.wanted |= full;
    !state.ending
}
