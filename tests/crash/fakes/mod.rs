//! Stores of a few lines, right and with one planted bug each, by which the crash test itself is tested.
//!
//! [`Whole`] keeps everything in one file that each operation replaces; [`Logged`] appends operations to a log and has a
//! list of its files, as the real store has.

mod logged;
mod whole;

pub use logged::{Logged, logged_files};
pub use whole::Whole;

use crate::model::{Content, Row};
use ruvector_persistence::error::{Error, Kind, Result};

/// What is wrong with a store.
pub mod bug {
    /// Nothing.
    pub const NONE: u8 = 0;
    /// The new file is renamed before its bytes are durable.
    pub const NO_FILE_SYNC: u8 = 1;
    /// The rename is not made durable.
    pub const NO_DIRECTORY_SYNC: u8 = 2;
    /// A failed sync is tried again, and believed.
    pub const RETRY: u8 = 3;
    /// An operation comes back before its sync, which the next one makes.
    pub const EARLY: u8 = 4;
    /// A batch is written entry by entry.
    pub const SPLIT: u8 = 5;
    /// Recovery takes what a crash left for a sign that everything is to be removed.
    pub const EAGER_CLEANING: u8 = 6;
    /// The list names a log that is not durable.
    pub const LIST_FIRST: u8 = 7;
    /// The old files go before the list that does without them is durable.
    pub const REMOVE_FIRST: u8 = 8;
    /// Records have no checksum.
    pub const NO_CHECKSUM: u8 = 9;
    /// Recovery takes what it reads for durable, and writes on behind it.
    pub const TRUST_CACHE: u8 = 10;
    /// Nothing is wrong, but only a flush syncs the log.
    pub const RELAXED: u8 = 11;
    /// An operation comes back while its record is in memory only.
    pub const BUFFERED: u8 = 12;
}

/// A line per row: id, bits of the vector, metadata. The last line says that nothing is missing.
fn encode(content: &Content) -> Vec<u8> {
    let rows: Vec<String> = content
        .iter()
        .map(|(id, row)| serde_json::to_string(&(id, &row.vector, &row.metadata)).unwrap_or_default() + "\n")
        .collect();
    (rows.concat() + "end\n").into_bytes()
}

fn decode(bytes: &[u8]) -> Result<Content> {
    let broken = || Error::new(Kind::Corrupt, format!("not a file of ours: {} bytes", bytes.len()));
    let text = std::str::from_utf8(bytes).map_err(|_| broken())?;
    let rows = text.strip_suffix("end\n").ok_or_else(broken)?;
    rows.lines()
        .map(|line| {
            let (id, vector, metadata) = serde_json::from_str(line).map_err(|_| broken())?;
            Ok((id, Row { vector, metadata }))
        })
        .collect()
}
