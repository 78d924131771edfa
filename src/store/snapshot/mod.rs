//! Snapshots: a store as it was at one moment, kept beside it or anywhere else.
//!
//! A snapshot is a folder that holds a store, files of which are the same files as those of the living store (or copies,
//! on another file system), and a file `SNAPSHOT` that names them; or that folder packed into one file. An incremental one
//! lacks what the one before it holds. Nothing is written into a snapshot once it has its name.

mod catalog;
mod complete;
mod content;
mod create;
mod id;
mod pack;
mod reading;
mod restore;
mod retention;
mod staging;
mod taken;

pub use catalog::{Damaged as DamagedSnapshot, Entry as SnapshotEntry};
pub(super) use complete::Complete;
pub use content::{Content as SnapshotContent, Snapshot};
pub use create::Request as SnapshotRequest;
pub use id::check_id;
pub use pack::Packing;
pub use reading::Reading;
pub use restore::{Restore, Restored};
pub use retention::{Keep, keep};
