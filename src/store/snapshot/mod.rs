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
mod opened;
mod pack;
mod reading;
mod restore;
mod retention;
mod staging;
mod standalone;
mod taken;
mod trial;

pub use catalog::{Damaged as DamagedSnapshot, Entry as SnapshotEntry};
pub(super) use complete::Complete;
pub use content::{Content as SnapshotContent, Snapshot, decode as decode_snapshot, encode as encode_snapshot};
pub(super) use create::FOLDER;
pub use create::Request as SnapshotRequest;
pub use id::check_id;
pub use opened::OpenedSnapshot;
pub use restore::{Restore, Restored};
pub use retention::{Keep, keep};
pub(super) use staging::{Staging, sweep};
pub use standalone::{content_of, remove_damaged_snapshot, remove_snapshot, snapshots_in};
pub use trial::Trial;
