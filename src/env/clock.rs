//! The clock. Nothing else in the library asks for the time of day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static LAST: AtomicU64 = AtomicU64::new(0);

/// Milliseconds since 1970, never less than the call before: a clock set back does not reorder what we write.
pub fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    LAST.fetch_max(now, Ordering::Relaxed).max(now)
}
