//! One file for each structure on disk: encode, decode, limits. Bytes only: no path, no file, no thread.
//!
//! `docs/format.md` is the description; these files link to its sections.

mod decimal;
pub mod document;
pub mod entry;
pub mod fingerprint;
pub mod header;
mod link;
pub mod number;
pub mod record;
mod row;
pub mod state_json;
pub mod state_msgpack;

pub use entry::{Description, Entry, Metric};
pub use fingerprint::Fingerprint;
pub use link::Link;
pub use row::Row;
