//! Every maximum of the library, with its reason. Sizes are bytes unless the name says otherwise.
//!
//! A limit is checked before anything is allocated for what it bounds.

/// An id is a name, not a document; it must also fit beside its entry in one small block.
pub const ID_BYTES_MAX: usize = 1_024;
/// Large enough for every embedding model known; small enough that one vector is never a memory problem.
pub const DIMENSION_MAX: usize = 65_536;
/// One entry's metadata as JSON text. It is held in memory as a whole.
pub const METADATA_BYTES_MAX: usize = 16 << 20;
/// Nesting of arrays and objects in metadata, the outermost object included.
pub const DEPTH_MAX: usize = 128;
/// A top-level member of an archive that is not `vectors`, such as `options`; it is held in memory as a whole.
pub const MEMBER_BYTES_MAX: usize = 1 << 20;
/// Top-level members of an archive. A state has eight; whoever adds more keeps within reason.
pub const MEMBERS_MAX: usize = 64;
/// One entry of a JSON archive as text: 65,536 numbers of at most 25 characters with their index, an id and metadata.
pub const ENTRY_TEXT_BYTES_MAX: usize = DIMENSION_MAX * 34 + METADATA_BYTES_MAX + ID_BYTES_MAX * 6 + 256;
/// White space in one run. More of it is no document but a way to make us read zeros for ever.
pub const WHITE_SPACE_RUN_MAX: usize = 1 << 20;
/// log2 of the largest zstd window we decode: 128 MiB, what the `zstd` tool accepts without a flag.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// A path longer than this is refused before the operating system sees it.
pub const PATH_BYTES_MAX: usize = 4_096;
/// A snapshot's record (`<id>.meta.json`) or the incremental state.
pub const SMALL_FILE_BYTES_MAX: u64 = 16 << 20;
/// The work that one thread takes at a time: large enough to hide the hand-over, small enough to bound memory.
pub const WORK_BYTES: usize = 1 << 20;

/// One record of the log: a batch is one record. It is held in memory as a whole.
pub const RECORD_BYTES_MAX: usize = 256 << 20;

/// A manifest: some hundred bytes for each segment and log file of a collection.
pub const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Files that one snapshot names: more than any file system keeps in one folder at a bearable speed.
pub const SNAPSHOT_FILES_MAX: usize = 1 << 20;
/// Snapshots that build on each other.
pub const CHAIN_MAX: usize = 1_000;

/// Deltas beside one base. Each is a file that a load opens; so many more are no chain but a way to keep us busy.
pub const DELTAS_MAX: usize = 64;
/// Deltas are folded into a new base when together they have more than a half of its bytes, but not before they have so
/// many: a small base is not written anew for every change.
pub const DELTAS_BYTES_FREE: u64 = 256 << 10;

/// A file of the log that is read whole: as large as a settable segment size, and one record.
pub const WAL_FILE_BYTES_MAX: u64 = (1 << 40) + RECORD_BYTES_MAX as u64;

/// Log files in one exported part of a log: at 16 MiB each more than any disk holds.
pub const EXPORT_FILES_MAX: usize = 1 << 20;
