//! Conditions on metadata: which entries a search may return.
//!
//! A filter is a JSON object. Every member names a key of the metadata and says what its value must be; all of them
//! have to hold.
//!
//! - `{ "key": value }`: the value is the same JSON. Numbers are compared by value (`1`, `1.0` and `1e0` are one
//!   number, integers of up to 30 digits exactly), the members of objects in any order, arrays in theirs. A missing key
//!   equals nothing, not even `null`. This is the whole of what ruvector knows, and the answers are the same.
//! - `{ "key": { "$gt": 1, "$lte": 9 } }`: operators, all of which have to hold: `$eq`, `$ne`, `$gt`, `$gte`, `$lt`,
//!   `$lte`, `$in`, `$nin`, `$exists`, `$not`. The order is that of numbers among numbers and of strings (by code
//!   point) among strings; between any others no order holds. `$ne`, `$nin` and `$not` hold where the plain form does
//!   not, so also for a missing key.
//! - `{ "key": { "inner": { "$gt": 1 } } }`: an object with operators further in is a filter of its own for the object
//!   found there; members that it does not name are free.
//! - `{ "$and": [..] }`, `{ "$or": [..] }`, `{ "$not": {..} }` combine filters.
//!
//! No metadata is an object without members (in ruvector it matches no filter at all, not even `{}`). Anything else
//! that begins with `$` is refused, with a list of what is allowed. A filter is parsed once. Of an entry's metadata
//! only what the filter names is looked at: the rest is passed over without being decoded.

mod condition;
mod json;
mod parse;

use crate::error::{Error, Kind, Result};
use condition::Fields;

/// Conditions on metadata.
#[derive(Debug, Clone)]
pub struct Filter {
    fields: Fields,
}

impl Filter {
    /// The filter of a JSON text. One that means nothing is refused with `ERR_METADATA`, one that is too long or too
    /// deep with `ERR_LIMIT`.
    pub fn parse(text: &str) -> Result<Self> {
        parse::filter(text).map(|fields| Filter { fields })
    }

    /// Whether every entry matches.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether an entry with this metadata matches. Metadata that is no JSON object is `ERR_CORRUPT`: it was checked
    /// before it was stored.
    pub fn matches(&self, metadata: Option<&str>) -> Result<bool> {
        let damaged = |error| Error::new(Kind::Corrupt, format!("metadata is not a JSON object: {error}"));
        self.fields.hold(metadata).map_err(damaged)
    }
}

#[cfg(test)]
mod tests;
