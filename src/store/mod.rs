//! Collections: what a database holds, as the records so far make it.
//!
//! A [`Collection`] is the memtable of one database: writes go in on the caller's thread, a [`Version`] of it is taken
//! at any moment for nothing, and everything that takes long works from a version.

mod collection;
mod fingerprint;
mod plan;
mod rows;
mod version;

pub use collection::{Collection, MetadataRule};
pub use fingerprint::fingerprint;
pub use plan::Plan;
pub use version::Version;
