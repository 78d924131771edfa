//! The way to a moment, as arithmetic of LSNs. Nothing here reads a file.

use crate::manifest::Timeline;
use serde::Serialize;

/// Moments that can be gone back to, all of them from one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The first.
    pub from_lsn: u64,
    /// The last.
    pub to_lsn: u64,
}

/// Records behind one LSN, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first record is behind this one.
    pub after: u64,
    /// The last record.
    pub to: u64,
}

/// What is known of the past of a collection.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Replacements of the whole content, in order.
    pub timelines: Vec<Timeline>,
    /// The first record that the log still holds; none: it holds no record.
    pub first_record: Option<u64>,
    /// The last change.
    pub last: u64,
    /// LSNs as of which the content is kept whole, in any order.
    pub bases: Vec<u64>,
}

/// The way to a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The content to begin with; 0: none.
    pub base: u64,
    /// What is replayed on it, in order.
    pub spans: Vec<Span>,
}

impl Past {
    /// The replacement that the timeline of `lsn` began with.
    fn origin(&self, lsn: u64) -> Option<Timeline> {
        self.timelines.iter().rev().find(|timeline| timeline.lsn <= lsn).copied()
    }

    /// Whether the log holds every record of the span.
    pub fn holds(&self, span: Span) -> bool {
        span.after >= span.to || self.first_record.is_some_and(|first| first <= span.after + 1)
    }

    /// The way to the state behind the change `lsn`; none when there is none.
    pub fn plan(&self, lsn: u64) -> Option<Plan> {
        let (mut spans, mut goal) = (Vec::new(), lsn);
        loop {
            let origin = self.origin(goal);
            let start = origin.map_or(0, |timeline| timeline.lsn);
            let base = self.bases.iter().copied().filter(|base| (start..=goal).contains(base)).max();
            let begin = base.unwrap_or(start);
            let span = Span { after: begin, to: goal };
            if !self.holds(span) {
                return None;
            }
            if span.after < span.to {
                spans.push(span);
            }
            match (base, origin) {
                (None, Some(Timeline { source: Some(source), .. })) => goal = source,
                (None, Some(Timeline { source: None, .. })) => return None,
                // The beginning itself is known only where nothing of the log is gone.
                (None, None) if goal == 0 && self.last > 0 && self.first_record != Some(1) => return None,
                (base, _) => {
                    spans.reverse();
                    return Some(Plan { base: base.unwrap_or(0), spans });
                }
            }
        }
    }

    /// All moments that can be gone back to.
    pub fn windows(&self) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        let starts = std::iter::once(0).chain(self.timelines.iter().map(|timeline| timeline.lsn));
        let ends = self.timelines.iter().map(|timeline| timeline.lsn.saturating_sub(1)).chain([self.last]);
        for (start, end) in starts.zip(ends) {
            let mut firsts: Vec<u64> = self.bases.iter().copied().filter(|base| (start..=end).contains(base)).collect();
            firsts.extend(self.plan(start).map(|_| start));
            firsts.sort_unstable();
            for first in firsts {
                let to_lsn = if self.holds(Span { after: first, to: end }) { end } else { first };
                match windows.last_mut().filter(|last| first <= last.to_lsn.saturating_add(1)) {
                    Some(last) => last.to_lsn = last.to_lsn.max(to_lsn),
                    None => windows.push(Window { from_lsn: first, to_lsn }),
                }
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(lsn: u64, source: Option<u64>) -> Timeline {
        Timeline { lsn, time: lsn, source }
    }

    #[test]
    fn a_log_that_begins_with_the_first_record_leads_everywhere() {
        let past = Past { first_record: Some(1), last: 9, ..Past::default() };
        assert_eq!(past.plan(7), Some(Plan { base: 0, spans: vec![Span { after: 0, to: 7 }] }));
        assert_eq!(past.windows(), [Window { from_lsn: 0, to_lsn: 9 }]);
    }

    #[test]
    fn the_nearest_base_of_the_same_timeline_is_taken() {
        let past = Past { first_record: Some(3), last: 20, bases: vec![15, 5, 10], timelines: vec![timeline(8, None)] };
        assert_eq!(past.plan(7), Some(Plan { base: 5, spans: vec![Span { after: 5, to: 7 }] }));
        assert_eq!(past.plan(8), None, "what was loaded came from elsewhere");
        assert_eq!(past.plan(9), None);
        assert_eq!(past.plan(10), Some(Plan { base: 10, spans: vec![] }));
        assert_eq!(past.plan(12), Some(Plan { base: 10, spans: vec![Span { after: 10, to: 12 }] }));
        assert_eq!(past.windows(), [Window { from_lsn: 5, to_lsn: 7 }, Window { from_lsn: 10, to_lsn: 20 }]);
    }

    #[test]
    fn the_way_goes_through_the_moment_that_was_restored() {
        let past = Past { first_record: Some(1), last: 20, bases: vec![5], timelines: vec![timeline(8, Some(6))] };
        let spans = vec![Span { after: 5, to: 6 }, Span { after: 8, to: 12 }];
        assert_eq!(past.plan(12), Some(Plan { base: 5, spans }));
        assert_eq!(past.windows(), [Window { from_lsn: 0, to_lsn: 20 }]);
    }

    #[test]
    fn where_the_log_is_gone_only_bases_are_left() {
        let past = Past { first_record: Some(12), last: 20, bases: vec![3, 13], ..Past::default() };
        assert_eq!(past.plan(3), Some(Plan { base: 3, spans: vec![] }));
        assert_eq!(past.plan(4), None);
        assert_eq!(past.windows(), [Window { from_lsn: 3, to_lsn: 3 }, Window { from_lsn: 13, to_lsn: 20 }]);
        let past = Past { first_record: None, last: 20, bases: vec![20], ..Past::default() };
        assert_eq!(past.windows(), [Window { from_lsn: 20, to_lsn: 20 }]);
    }

    #[test]
    fn windows_say_what_plans_find() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2_000 {
            let last = random(30);
            let mut timelines: Vec<Timeline> = Vec::new();
            for lsn in 1..=last {
                if random(6) == 0 {
                    timelines.push(timeline(lsn, (random(2) == 0).then(|| random(lsn))));
                }
            }
            let first_record = (random(3) > 0).then(|| 1 + random(last + 1));
            let bases = (0..random(4)).map(|_| random(last + 1)).collect();
            let past = Past { timelines, first_record, last, bases };
            let windows = past.windows();
            for lsn in 0..=last {
                let inside = windows.iter().any(|window| (window.from_lsn..=window.to_lsn).contains(&lsn));
                assert_eq!(past.plan(lsn).is_some(), inside, "{lsn} of {past:?}, {windows:?}");
            }
            assert!(windows.windows(2).all(|pair| pair[0].to_lsn + 1 < pair[1].from_lsn), "{windows:?}");
        }
    }
}
