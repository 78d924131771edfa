//! What a delta says of itself: its place in its chain, and the content that it leads to (`docs/format.md`, "Deltas").
//!
//! It is the member `delta` of the state. Whether it is true is for the reader of the chain to say.

use super::Fingerprint;
use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// The member `delta`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number, from 1: the base has none.
    pub number: u64,
    /// The checksum that the base carries.
    pub base: String,
    /// The checksum that the link before it carries: the base, or the delta before.
    pub previous: String,
    /// Entries in `puts`.
    pub puts: u64,
    /// Ids in `deletes`.
    pub deletes: u64,
    /// The fingerprint of the content that it leads to.
    pub fingerprint: String,
}

impl Link {
    /// Its JSON text.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::new(Kind::Internal, error.to_string()))
    }

    /// A link from JSON text; `None` when it is not one: archives of others may have a member of that name.
    pub fn of(text: &[u8]) -> Option<Link> {
        serde_json::from_slice(text).ok()
    }

    /// Whether `found` is the content that this delta leads to.
    pub fn leads_to(&self, found: &Fingerprint) -> bool {
        self.fingerprint == found.to_string()
    }
}
