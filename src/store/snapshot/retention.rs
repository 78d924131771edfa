//! Which snapshots are kept: a decision about a list of them, which touches no file.
//!
//! A snapshot is kept when any rule keeps it, when it is pinned, or when one that is kept builds on it.

use super::catalog::Entry;
use serde::Deserialize;

const HOUR_US: u64 = 3_600 * 1_000_000;
const DAY_US: u64 = 24 * HOUR_US;

/// The rules. Each keeps some; together they keep what any of them keeps, but that `max_bytes` takes the oldest of them
/// away again.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Keep {
    /// The newest so many.
    pub last: Option<u64>,
    /// Those that are not older than so many milliseconds.
    pub within: Option<u64>,
    /// The newest of each of the last so many hours that have one.
    pub hourly: Option<u64>,
    /// Of days.
    pub daily: Option<u64>,
    /// Of weeks, which begin on Monday.
    pub weekly: Option<u64>,
    /// Of months of 30 days.
    pub monthly: Option<u64>,
    /// Bytes of all that are kept at most. The newest stays in any case.
    pub max_bytes: Option<u64>,
}

impl Keep {
    /// Whether any rule says which to keep.
    fn names_any(&self) -> bool {
        [self.last, self.within, self.hourly, self.daily, self.weekly, self.monthly].iter().any(Option::is_some)
    }
}

/// For each of the snapshots, which are in order of time, the reasons to keep it; none: it may go.
pub fn keep(entries: &[Entry], rules: &Keep, now_us: u64) -> Vec<Vec<String>> {
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); entries.len()];
    let mut note = |at: usize, why: &str| {
        if let Some(found) = reasons.get_mut(at) {
            found.push(why.to_owned());
        }
    };
    let created = |entry: &Entry| entry.found.snapshot.created;
    for at in 0..entries.len() {
        if !rules.names_any() {
            note(at, "no rule");
        }
    }
    for at in (0..entries.len()).rev().take(rules.last.unwrap_or(0) as usize) {
        note(at, "last");
    }
    for (at, entry) in entries.iter().enumerate() {
        let age = now_us.saturating_sub(created(entry));
        if rules.within.is_some_and(|within| age <= within.saturating_mul(1_000)) {
            note(at, "within");
        }
    }
    // 1970 began on a Thursday: three days before it a week began.
    let tiers = [
        ("hourly", rules.hourly, HOUR_US, 0),
        ("daily", rules.daily, DAY_US, 0),
        ("weekly", rules.weekly, 7 * DAY_US, 3 * DAY_US),
        ("monthly", rules.monthly, 30 * DAY_US, 0),
    ];
    for (name, count, length, shift) in tiers {
        let (mut left, mut last) = (count.unwrap_or(0), None);
        for (at, entry) in entries.iter().enumerate().rev() {
            let period = (created(entry) + shift) / length;
            if left > 0 && last != Some(period) {
                note(at, name);
                last = Some(period);
                left -= 1;
            }
        }
    }
    limit_bytes(entries, rules, &mut reasons);
    for (at, entry) in entries.iter().enumerate() {
        if entry.pinned
            && let Some(found) = reasons.get_mut(at)
        {
            found.push("pinned".to_owned());
        }
    }
    keep_bases(entries, &mut reasons);
    reasons
}

/// From the newest on, as many as fit.
fn limit_bytes(entries: &[Entry], rules: &Keep, reasons: &mut [Vec<String>]) {
    let Some(max) = rules.max_bytes else { return };
    let mut bytes = 0_u64;
    let mut full = false;
    for (at, (entry, reasons)) in entries.iter().zip(reasons).enumerate().rev() {
        if reasons.is_empty() {
            continue;
        }
        bytes = bytes.saturating_add(entry.bytes);
        full |= bytes > max && at + 1 < entries.len();
        if full {
            reasons.clear();
        }
    }
}

/// What one that is kept builds on, and what that builds on.
fn keep_bases(entries: &[Entry], reasons: &mut [Vec<String>]) {
    let at = |id: &str| entries.iter().position(|entry| entry.id() == id);
    let kept: Vec<usize> =
        (0..entries.len()).filter(|at| reasons.get(*at).is_some_and(|found| !found.is_empty())).collect();
    for top in kept {
        let mut here = top;
        // A chain that leads in a circle is no longer than the list.
        for _ in 0..entries.len() {
            let base = entries.get(here).and_then(|entry| entry.found.snapshot.base.as_ref());
            let Some(base) = base.and_then(|base| at(&base.id)) else { break };
            let why = entries.get(here).map(|entry| format!("base of {}", entry.id())).unwrap_or_default();
            let Some(found) = reasons.get_mut(base) else { break };
            if !found.contains(&why) {
                found.push(why);
            }
            here = base;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::{Base, Found, Snapshot};
    use super::*;
    use std::path::PathBuf;

    fn entry(id: &str, created: u64, base: Option<&str>) -> Entry {
        let base = base.map(|id| Base { id: id.to_owned(), checksum: String::new() });
        let (collections, name, metadata) = (Vec::new(), None, None);
        let snapshot = Snapshot { id: id.to_owned(), name, created, base, collections, metadata };
        let found = Found { store: [0; 16], snapshot, checksum: String::new() };
        Entry { path: PathBuf::from(id), found, packing: None, pinned: false, bytes: 10 }
    }

    fn kept(entries: &[Entry], rules: &Keep, now: u64) -> Vec<String> {
        let decided = keep(entries, rules, now);
        let kept = entries.iter().zip(decided).filter(|(_, reasons)| !reasons.is_empty());
        kept.map(|(entry, _)| entry.id().to_owned()).collect()
    }

    /// Two years of hours.
    fn hours() -> Vec<Entry> {
        (0..2 * 365 * 24).map(|hour| entry(&format!("{hour}"), 1_704_067_200_000_000 + hour * HOUR_US, None)).collect()
    }

    #[test]
    fn the_tiers_keep_exactly_their_numbers() {
        let entries = hours();
        let now = entries.last().unwrap().found.snapshot.created + 1;
        let rules = |hourly, daily, weekly, monthly| Keep { hourly, daily, weekly, monthly, ..Keep::default() };
        assert_eq!(kept(&entries, &rules(Some(24), None, None, None), now).len(), 24);
        let daily: Vec<u64> =
            kept(&entries, &rules(None, Some(7), None, None), now).iter().map(|id| id.parse().unwrap()).collect();
        let last = entries.len() as u64 - 1;
        assert_eq!(daily, (0..7).rev().map(|day| last - day * 24).collect::<Vec<_>>(), "the last hour of each day");
        assert_eq!(kept(&entries, &rules(None, None, Some(4), None), now).len(), 4);
        assert_eq!(kept(&entries, &rules(None, None, None, Some(12)), now).len(), 12);
        let all = kept(&entries, &rules(Some(24), Some(7), Some(4), Some(12)), now);
        // The newest is the newest of its hour, day, week and month.
        assert!(all.len() > 24 + 6 + 2 + 10 && all.len() <= 24 + 7 + 4 + 12, "{}", all.len());
        // What is kept today is enough for tomorrow: pruning every hour ends with the same as pruning once.
        let mut living: Vec<Entry> = Vec::new();
        for entry in entries {
            living.push(entry);
            let now = living.last().unwrap().found.snapshot.created;
            let names = kept(&living, &rules(Some(24), Some(7), Some(4), Some(12)), now);
            living.retain(|entry| names.iter().any(|name| name == entry.id()));
        }
        assert_eq!(living.iter().map(|entry| entry.id().to_owned()).collect::<Vec<_>>(), all);
    }

    #[test]
    fn count_age_and_bytes_keep_what_they_say() {
        let entries: Vec<Entry> = (0..10).map(|at| entry(&format!("{at}"), at * DAY_US, None)).collect();
        let now = 9 * DAY_US;
        let only = |rules: Keep| kept(&entries, &rules, now);
        assert_eq!(only(Keep { last: Some(2), ..Keep::default() }), ["8", "9"]);
        assert_eq!(only(Keep { within: Some(3 * 86_400_000), ..Keep::default() }), ["6", "7", "8", "9"]);
        assert_eq!(only(Keep { last: Some(5), max_bytes: Some(25), ..Keep::default() }), ["8", "9"]);
        assert_eq!(only(Keep { last: Some(5), max_bytes: Some(0), ..Keep::default() }), ["9"], "never all");
        assert_eq!(only(Keep { max_bytes: Some(30), ..Keep::default() }), ["7", "8", "9"]);
        assert_eq!(only(Keep::default()).len(), 10, "without a rule nothing goes");
    }

    #[test]
    fn what_is_needed_or_pinned_stays() {
        let mut entries = vec![
            entry("full", 1, None),
            entry("one", 2, Some("full")),
            entry("other", 3, None),
            entry("two", 4, Some("one")),
            entry("circle", 5, Some("circle")),
        ];
        entries[2].pinned = true;
        let rules = Keep { last: Some(2), ..Keep::default() };
        assert_eq!(kept(&entries, &rules, 9), ["full", "one", "other", "two", "circle"]);
        entries[2].pinned = false;
        assert_eq!(kept(&entries, &rules, 9), ["full", "one", "two", "circle"]);
        assert_eq!(kept(&entries, &Keep { last: Some(1), ..Keep::default() }, 9), ["circle"]);
    }
}
