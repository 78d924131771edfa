//! A moment as requests name it: the number of a change, or a time.

use super::rewind::last_us;
use crate::store::{Before, Since};
use serde::Deserialize;

/// `{ "lsn": n }` or `{ "time": ms }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    /// The number of a change.
    Lsn(u64),
    /// Milliseconds since 1970.
    Time(u64),
}

impl Moment {
    /// What ends before it: changes of that millisecond are not older than it.
    pub fn before(&self) -> Before {
        match self {
            Moment::Lsn(lsn) => Before::Lsn(*lsn),
            Moment::Time(ms) => Before::Time(ms.saturating_mul(1_000)),
        }
    }

    /// What ends with it: changes of that millisecond are included.
    pub fn until(&self) -> Since {
        match self {
            Moment::Lsn(lsn) => Since::Lsn(*lsn),
            Moment::Time(ms) => Since::Time(last_us(*ms)),
        }
    }
}

/// Where something begins.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum From {
    /// Behind that change.
    Lsn(u64),
    /// With the first change of that millisecond or later.
    Time(u64),
    /// Behind what is in that snapshot.
    Snapshot(String),
}

impl From {
    /// As the store says it.
    pub fn since(&self) -> Since {
        match self {
            From::Lsn(lsn) => Since::Lsn(*lsn),
            From::Time(ms) => Since::Time(ms.saturating_mul(1_000)),
            From::Snapshot(word) => Since::Snapshot(word.clone()),
        }
    }
}
