//! WAL status: what the log of a collection consists of. Changes nothing.

use crate::control::Control;
use crate::error::Result;
use crate::store::{LogStatus, Store};
use serde::Deserialize;

/// Of which collection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
}

/// Tells it.
pub fn run(store: &Store, request: &Request, _control: &Control) -> Result<LogStatus> {
    super::fresh(store, &request.collection)?.log_status()
}
