//! One row as every part of a collection takes it and gives it: borrowed, never copied on the way.
//!
//! Nothing here is checked: whoever takes a row from outside does that.

use super::Entry;
use std::sync::Arc;

/// One row, as it is written and as it is read. The metadata is the text of a JSON object that somebody checked.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The id; no other row of the same part has it.
    pub id: &'a str,
    /// As many numbers as the part has dimensions.
    pub vector: &'a [f32],
    /// JSON text, never empty.
    pub metadata: Option<&'a str>,
    /// The record that wrote it.
    pub lsn: u64,
}

impl Row<'_> {
    /// The same on the heap.
    pub fn to_entry(self) -> Arc<Entry> {
        Arc::new(Entry { id: self.id.into(), vector: self.vector.into(), metadata: self.metadata.map(Into::into) })
    }
}
