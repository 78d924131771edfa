//! Windows: the moments that a collection can go back to, and those that have a name.

use crate::control::Control;
use crate::error::Result;
use crate::manifest::RestorePoint;
use crate::store::{Store, Window};
use serde::{Deserialize, Serialize};

/// Of which collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    directory: Option<String>,
    collection: String,
}

/// The moments.
#[derive(Debug, Serialize)]
pub struct Answer {
    windows: Vec<Window>,
    points: Vec<Point>,
}

/// A moment with a name.
#[derive(Debug, Serialize)]
pub struct Point {
    name: String,
    lsn: u64,
    /// Milliseconds since 1970.
    time: u64,
}

impl From<RestorePoint> for Point {
    fn from(point: RestorePoint) -> Point {
        Point { name: point.name, lsn: point.lsn, time: point.time / 1_000 }
    }
}

/// Tells them.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Answer> {
    let directory = super::folder(request.directory.as_ref())?;
    super::fresh(store, &request.collection)?;
    let windows = store.windows(&request.collection, directory)?;
    let points = store.collection(&request.collection)?.manifest().points;
    Ok(Answer { windows, points: points.into_iter().map(Point::from).collect() })
}
