//! Files of other databases, read as they are found: never written, never locked, never repaired.
//!
//! A reader here believes nothing: every length is checked before it is used, damage is an error that says where, and
//! the file may be in use by its own program meanwhile.

mod redb;
mod ruvector;

pub use ruvector::{RuvectorFile, is_redb, read_ruvector};
