//! Restore point: a name for the present moment.

use super::windows::Point;
use crate::control::Control;
use crate::error::Result;
use crate::store::Store;
use serde::Deserialize;

/// Of which collection, and the name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    name: String,
}

/// Gives it.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<Point> {
    store.name_moment(&request.collection, &request.name).map(Point::from)
}
