//! Bringing a copy of a collection to a change by the log of the original, wherever the copy is: how far snapshot and log
//! lead, as somebody would find it who has to rely on them.

use super::plan::{Past, Span};
use super::rewind::redo;
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::store::open::Store;
use crate::store::snapshot::SnapshotEntry;
use crate::store::stored::StoredCollection;

/// How far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaughtUp {
    /// The change of the original that the copy is as of.
    pub lsn: u64,
    /// Time of that change, microseconds since 1970, or an earlier time.
    pub time: u64,
    /// Records that were done.
    pub operations: u64,
    /// Why it is not the one that was asked for.
    pub missing: Option<String>,
}

impl Store {
    /// `copy` holds what `entry` holds of the collection `name`; it comes to the change `to`, or as near as the log leads.
    /// `time` is that of `to`.
    pub fn catch_up(
        &self,
        name: &str,
        entry: &SnapshotEntry,
        (to, time): (u64, u64),
        copy: &StoredCollection,
        control: &Control,
    ) -> Result<CaughtUp> {
        let found = self.collection(name)?;
        let content = entry.content(&found.id()).ok_or_else(|| {
            let message = format!("snapshot '{}' does not hold collection '{name}'", entry.id());
            Error::new(Kind::NotFound, message).in_file(&entry.path)
        })?;
        let ways = self.ways(&found, None, &[])?;
        let past = Past { bases: vec![content.lsn], ..ways.past().clone() };
        let whole = past.plan(to).filter(|plan| plan.base == content.lsn && content.lsn <= to);
        let spans = whole.as_ref().map_or_else(|| reach(&past, content.lsn, to), |plan| plan.spans.clone());
        let mut operations = 0;
        for span in &spans {
            operations += redo(copy, ways.trail(), *span, control)?;
        }
        copy.flush()?;
        if whole.is_some() {
            return Ok(CaughtUp { lsn: to, time, operations, missing: None });
        }
        let lsn = spans.last().map_or(content.lsn, |span| span.to);
        let replaced = past.timelines.iter().find(|timeline| timeline.lsn > lsn && timeline.lsn <= to);
        let why = match replaced {
            Some(timeline) => format!("change {} replaced the whole content (a load)", timeline.lsn),
            None => "the log does not hold them any more".to_owned(),
        };
        let missing = Some(format!("changes {} to {to} of '{name}' cannot be restored: {why}", lsn + 1));
        Ok(CaughtUp { lsn, time: content.time, operations, missing })
    }
}

/// What of the log can be done behind `base` in one go.
fn reach(past: &Past, base: u64, to: u64) -> Vec<Span> {
    let next = past.timelines.iter().map(|timeline| timeline.lsn).find(|lsn| *lsn > base);
    let span = Span { after: base, to: next.map_or(to, |next| next - 1).min(to) };
    if span.after < span.to && past.holds(span) { vec![span] } else { Vec::new() }
}
