//! Collections: what a database holds, as the records so far make it.
//!
//! A [`Collection`] is the state of one: writes go in on the caller's thread, a [`Version`] of it is taken at any moment
//! for nothing, and everything that takes long works from a version. A [`StoredCollection`] keeps one on disk: each change
//! goes to its log, checkpoints move the memtable into segments, opening brings everything back. A [`Store`] is a
//! directory of them.

mod checkpoint;
mod collection;
mod difference;
mod fingerprint;
mod history;
mod keeper;
mod log;
mod memtable;
mod open;
mod part;
mod paths;
mod plan;
mod recovery;
mod replay;
mod rows;
mod salvage;
mod sealing;
mod selection;
mod shipping;
mod snapshot;
mod statistics;
mod stored;
mod sweep;
mod tail;
mod tarball;
mod tier;
mod tree;
mod turn;
mod verify;
mod version;
mod wal_files;
mod wal_retention;
mod wal_upkeep;

pub use checkpoint::{Compact, Report as CheckpointReport};
pub use collection::{Collection, MetadataRule};
pub use difference::{Difference, entries_at};
pub use fingerprint::{fingerprint, fingerprint_of};
pub use history::{CaughtUp, Replay, Replayed, Rewind, Rewound, Target, Window};
pub use log::{Listener, Progress};
pub use open::{OpenStore, Store};
pub use part::RowView;
pub use plan::Plan;
pub use recovery::Recovery;
pub use salvage::{Lost, Salvaged};
pub use shipping::{Descriptor as ExportDescriptor, Export, Exported, Import, Imported, Since};
pub use snapshot::{
    DamagedSnapshot, Keep, OpenedSnapshot, Restore, Restored, Snapshot, SnapshotContent, SnapshotEntry,
    SnapshotRequest, Trial, check_id, content_of, decode_snapshot, encode_snapshot, keep, remove_damaged_snapshot,
    remove_snapshot, snapshots_in,
};
pub use statistics::{HotRegion, MmapStatus, Statistics, WalStatus};
pub use stored::{Committed, StoredCollection};
pub use tarball::Packing;
pub use verify::{Damage, Verified};
pub use version::{Cursor, MetadataOf, Version};
pub use wal_retention::Before;
pub use wal_upkeep::{Archive, Archived, LogFileStatus, LogStatus, Shortened};
