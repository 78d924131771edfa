//! One long call as its caller sees it: how far it is, and whether it is still wanted.
//!
//! Progress is coalesced here, before it is queued anywhere: at most one report in 33 ms, and the percentage never
//! decreases. Costs nothing when nobody listens. Shared by the threads of the call.

use crate::error::{Error, Kind, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const REPORT_INTERVAL: Duration = Duration::from_millis(33);

/// One report.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Which phase: `serialize`, `save`, `load`, `deserialize`, …
    pub operation: String,
    /// 0 to 100, never decreasing within one call.
    pub percentage: f64,
    /// Entries done.
    pub current: u64,
    /// Entries in all.
    pub total: u64,
    /// A sentence for a person.
    pub message: String,
}

type Sink = Box<dyn Fn(Progress) + Send + Sync>;

#[derive(Default)]
struct Gate {
    last: Option<Instant>,
    percentage: f64,
}

/// Whether a call was cancelled, for what outlives a borrow of its `Control`.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Whether it was.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Progress and cancellation of one call.
#[derive(Default)]
pub struct Control {
    cancelled: Cancellation,
    sink: Option<Sink>,
    gate: Mutex<Gate>,
}

impl Control {
    /// A call whose reports go to `sink`.
    pub fn new(sink: Option<Sink>) -> Self {
        Control { sink, ..Control::default() }
    }

    /// Asks the call to stop at its next check.
    pub fn cancel(&self) {
        self.cancelled.0.store(true, Ordering::Relaxed);
    }

    /// The same question for a callback of another library.
    pub fn cancellation(&self) -> Cancellation {
        self.cancelled.clone()
    }

    /// `Err(Aborted)` once the caller cancelled.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.is_cancelled() {
            return Err(Error::new(Kind::Aborted, "the call was aborted"));
        }
        Ok(())
    }

    /// Reports `current` of `total` done, as a point between `from` and `to` percent.
    pub fn report(&self, operation: &str, (from, to): (f64, f64), current: u64, total: u64, message: &str) {
        let Some(sink) = &self.sink else { return };
        let Ok(mut gate) = self.gate.lock() else { return };
        let due = gate.last.is_none_or(|last| last.elapsed() >= REPORT_INTERVAL);
        if !due {
            return;
        }
        let share = if total == 0 { 1.0 } else { (current as f64 / total as f64).min(1.0) };
        gate.percentage = gate.percentage.max(from + (to - from) * share);
        gate.last = Some(Instant::now());
        sink(Progress {
            operation: operation.to_owned(),
            percentage: gate.percentage,
            current,
            total,
            message: message.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_coalesced_and_never_go_back() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let control = Control::new(Some(Box::new(move |p: Progress| sink.lock().unwrap().push(p.percentage))));
        control.report("save", (0.0, 50.0), 10, 10, "");
        for i in 0..1_000 {
            control.report("save", (0.0, 50.0), i, 1_000, "");
        }
        std::thread::sleep(REPORT_INTERVAL);
        control.report("save", (0.0, 50.0), 1, 10, "");
        assert_eq!(*seen.lock().unwrap(), vec![50.0, 50.0]);
    }

    #[test]
    fn a_cancelled_call_stops_at_its_next_check() {
        let control = Control::default();
        assert!(control.check().is_ok());
        control.cancel();
        assert_eq!(control.check().unwrap_err().kind, Kind::Aborted);
    }
}
