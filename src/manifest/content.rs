//! What a manifest says: settings of the collection, its segments, its log files.

use super::lsm_options::LsmSettings;
use crate::error::{Error, Kind, Result};
use crate::format::{Description, Metric};
use crate::limits::DIMENSION_MAX;
use serde::{Deserialize, Serialize};

/// Where the rows of a checkpoint live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Engine {
    /// Nowhere: the collection is in memory only, and no file is written.
    Memory,
    /// Mapped segments.
    #[default]
    Mmap,
    /// Mapped segments, with the entries that are read most on the heap.
    Hybrid,
    /// Sorted runs of an LSM tree, compressed.
    Lsm,
}

impl Engine {
    /// The engine of that name. One that this library knows and has not is refused by name.
    pub fn named(name: &str) -> Result<Engine> {
        match name {
            "memory" => Ok(Engine::Memory),
            "mmap" => Ok(Engine::Mmap),
            "hybrid" => Ok(Engine::Hybrid),
            "lsm" => Ok(Engine::Lsm),
            "rocksdb" | "leveldb" => {
                let message = format!("there is no engine '{name}': use 'lsm', a log-structured merge tree as well");
                Err(Error::new(Kind::Unsupported, message))
            }
            _ => {
                let shown: String = name.chars().take(64).collect();
                let message = format!("there is no engine '{shown}': memory, mmap, hybrid and lsm are possible");
                Err(Error::new(Kind::Unsupported, message))
            }
        }
    }

    /// What it keeps the rows of a checkpoint in.
    pub fn segments(self) -> SegmentKind {
        if self == Engine::Lsm { SegmentKind::Lsm } else { SegmentKind::File }
    }
}

impl TryFrom<String> for Engine {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Engine, String> {
        Engine::named(&name).map_err(|error| error.message)
    }
}

/// What the rows of a checkpoint are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// A segment file.
    #[default]
    File,
    /// A sorted run.
    Lsm,
}

impl SegmentKind {
    fn is_file(&self) -> bool {
        *self == SegmentKind::File
    }
}

/// When a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// When it is durable.
    #[default]
    Fsync,
    /// When it is written to the operating system; a sync follows every `fsync_interval` milliseconds.
    Periodic,
    /// When it is written to the operating system; syncs come with rotation, checkpoint, flush and close.
    Async,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WalSettings {
    /// When a write is acknowledged.
    pub sync_mode: SyncMode,
    /// Milliseconds between syncs in mode `periodic`.
    pub fsync_interval: u32,
    /// A file of the log is complete when the next record would make it larger than this many bytes.
    pub segment_size: u64,
    /// Zeros are written ahead of the records in steps of this many bytes; 0: none.
    pub preallocate: u64,
    /// Whether the bodies of records are compressed (zstd).
    pub compression: bool,
    /// Milliseconds that a complete log file is kept after a checkpoint made it unnecessary.
    pub retention: u64,
    /// Bytes of such files at most; 0: no maximum.
    pub retention_size: u64,
    /// Another directory for the files of the log, absolute.
    pub directory: Option<String>,
    /// Where complete files go instead of being removed, absolute.
    pub archive: Option<String>,
}

impl Default for WalSettings {
    fn default() -> Self {
        WalSettings {
            sync_mode: SyncMode::Fsync,
            fsync_interval: 1_000,
            segment_size: 64 << 20,
            preallocate: 1 << 20,
            compression: false,
            retention: 24 * 3_600 * 1_000,
            retention_size: 0,
            directory: None,
            archive: None,
        }
    }
}

/// How segments are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MmapSettings {
    /// false: segments are read to the heap, and nothing outside can harm a reader.
    pub enabled: bool,
    /// `normal`, `random` or `sequential`.
    pub advice: String,
    /// Whether segments are read whole when they are opened.
    pub populate: bool,
    /// Whether huge pages are asked for.
    pub huge_pages: bool,
}

impl Default for MmapSettings {
    fn default() -> Self {
        MmapSettings { enabled: true, advice: "random".to_owned(), populate: false, huge_pages: false }
    }
}

/// Settings of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Numbers in each vector; 0 while unknown.
    pub dimension: u32,
    /// Distance metric; null while unknown.
    pub metric: Option<String>,
    /// Where the rows of a checkpoint live.
    pub engine: Engine,
    /// Whether writes are refused.
    pub read_only: bool,
    /// A checkpoint begins when the memtable holds this many bytes.
    pub memtable_size: u64,
    /// Bytes of entries on the heap, engine `hybrid` only.
    pub hot_tier_size: u64,
    /// The share of dead rows from which on a segment is compacted; above 1: never.
    pub compaction_threshold: f64,
    /// Milliseconds between looks whether to compact; 0: only after checkpoints.
    pub compaction_interval: u64,
    /// Settings of the log.
    pub wal: WalSettings,
    /// How segments are read.
    pub mmap: MmapSettings,
    /// How sorted runs are written and read, engine `lsm` only. Not written where nothing in it differs from the defaults.
    #[serde(default, skip_serializing_if = "LsmSettings::is_default")]
    pub lsm: LsmSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dimension: 0,
            metric: None,
            engine: Engine::Mmap,
            read_only: false,
            memtable_size: 64 << 20,
            hot_tier_size: 256 << 20,
            compaction_threshold: 0.3,
            compaction_interval: 0,
            wal: WalSettings::default(),
            mmap: MmapSettings::default(),
            lsm: LsmSettings::default(),
        }
    }
}

impl Settings {
    /// Dimension and metric, as far as they are known.
    pub fn description(&self) -> Result<Description> {
        let dimension = Some(self.dimension as usize).filter(|dimension| *dimension > 0);
        Ok(Description { dimension, metric: self.metric.as_deref().map(Metric::named).transpose()? })
    }

    /// Takes over what is known.
    pub fn describe(&mut self, known: Description) {
        self.dimension = known.dimension.unwrap_or(0) as u32;
        self.metric = known.metric.map(|metric| metric.name().to_owned());
    }

    /// Refuses values that mean nothing.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(Kind::Limit, what.to_owned()));
        self.description()?;
        let numbers = [self.compaction_threshold];
        if self.dimension as usize > DIMENSION_MAX {
            return refuse("a dimension above the limit");
        }
        if !["normal", "random", "sequential"].contains(&self.mmap.advice.as_str()) {
            return refuse("an advice that is not normal, random or sequential");
        }
        if !(4_096..=1 << 40).contains(&self.wal.segment_size) {
            return refuse("a segment size that is not from 4 KiB to 1 TiB");
        }
        if self.wal.preallocate > 1 << 30 {
            return refuse("steps of preallocation above 1 GiB");
        }
        if self.memtable_size < 4_096 {
            return refuse("a memtable below 4 KiB");
        }
        if numbers.iter().any(|number| !number.is_finite() || *number < 0.0) {
            return refuse("a share that is no number from 0 on");
        }
        self.lsm.check()
    }
}

/// The dead rows of a segment as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeadRef {
    /// The last part of the file's name.
    pub version: u64,
    /// Bytes of the file.
    pub length: u64,
    /// CRC-32 as the file carries it.
    pub checksum: u32,
    /// Dead rows.
    pub rows: u64,
}

/// A segment, or a sorted run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SegmentRef {
    /// Its number.
    pub number: u64,
    /// What it is; a file where nothing is said.
    #[serde(default, skip_serializing_if = "SegmentKind::is_file")]
    pub kind: SegmentKind,
    /// Bytes of the file, or of all files of the run.
    pub length: u64,
    /// CRC-32 of its footer, or of the seal of the run.
    pub checksum: u32,
    /// Rows, dead ones included.
    pub rows: u64,
    /// The rows that were dead at the checkpoint.
    pub dead: Option<DeadRef>,
}

/// A file of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WalRef {
    /// Its number.
    pub number: u64,
    /// The LSN it begins with.
    pub first_lsn: u64,
    /// Bytes up to the end of its last record; null for the file that is written.
    pub length: Option<u64>,
    /// The last LSN in it; null for the file that is written.
    pub last_lsn: Option<u64>,
    /// A time that no record in it is newer than, microseconds since 1970; null for the file that is written.
    pub last_time: Option<u64>,
    /// Records before this place are behind the checkpoint: opening need not read them. Absent: from the first on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_from: Option<LogPlace>,
}

impl WalRef {
    /// A file that is about to be written.
    pub fn begun(number: u64, first_lsn: u64) -> WalRef {
        WalRef { number, first_lsn, length: None, last_lsn: None, last_time: None, replay_from: None }
    }
}

/// A moment at which the whole content was replaced, by a load or a restore: no record of the log leads over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Timeline {
    /// The change that replaced it.
    pub lsn: u64,
    /// Time of that change, microseconds since 1970.
    pub time: u64,
    /// The earlier change of this collection as of which the content is since then; null when it came from elsewhere.
    pub source: Option<u64>,
}

/// The collection that another one was restored from, in this or another store. The numbers of changes are the same in
/// both up to `lsn`, and so is the content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Origin {
    /// Id of its store, in hex.
    pub store: String,
    /// Its own id, in hex.
    pub collection: String,
    /// The last change up to which this collection is known to be that one.
    pub lsn: u64,
}

/// A moment that was given a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestorePoint {
    /// Its name.
    pub name: String,
    /// The last change before it.
    pub lsn: u64,
    /// When it was named, microseconds since 1970.
    pub time: u64,
}

/// A place between two records of a log file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogPlace {
    /// Where in the file.
    pub offset: u64,
    /// The last LSN before it.
    pub lsn: u64,
}

/// Everything that makes a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    /// Grows by one with each manifest.
    pub generation: u64,
    /// SHA-256 of the manifest before, in hex; empty for the first.
    pub previous: String,
    /// Settings.
    pub settings: Settings,
    /// The LSN up to which everything is in the segments.
    pub checkpoint_lsn: u64,
    /// Time of the last record up to there, microseconds since 1970.
    pub checkpoint_time: u64,
    /// The number of the next segment.
    pub next_segment: u64,
    /// When compaction last ran, milliseconds since 1970; 0: never.
    pub last_compaction: u64,
    /// Segments in order of their numbers.
    pub segments: Vec<SegmentRef>,
    /// Log files in order; only the last may be incomplete.
    pub wal: Vec<WalRef>,
    /// Replacements of the whole content that the log reaches back to, in order. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timelines: Vec<Timeline>,
    /// Moments that have a name, in order. Absent: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<RestorePoint>,
    /// The collection that this one was restored from. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Manifest {
    /// An empty collection.
    pub fn new(settings: Settings) -> Manifest {
        Manifest {
            generation: 0,
            previous: String::new(),
            settings,
            checkpoint_lsn: 0,
            checkpoint_time: 0,
            next_segment: 1,
            last_compaction: 0,
            segments: Vec::new(),
            wal: Vec::new(),
            timelines: Vec::new(),
            points: Vec::new(),
            origin: None,
        }
    }

    /// Bytes of its file, about.
    pub fn bytes(&self) -> u64 {
        serde_json::to_string(self).map_or(0, |text| text.len() as u64 + 68)
    }

    /// Whether its parts fit each other; else what does not.
    pub fn check(&self) -> std::result::Result<(), String> {
        self.settings.check().map_err(|error| error.message)?;
        // Each of them is counted on from.
        let numbers = self.wal.iter().flat_map(|file| [Some(file.first_lsn), file.last_lsn]).flatten();
        let numbers = numbers.chain([self.generation, self.next_segment, self.checkpoint_lsn]);
        if numbers.into_iter().any(|number| number == u64::MAX) || self.wal.iter().any(|file| file.first_lsn == 0) {
            return Err("a number that no collection comes to".to_owned());
        }
        for segment in &self.segments {
            if segment.number >= self.next_segment || segment.number == 0 {
                return Err(format!("segment {} has a number that is not given out yet", segment.number));
            }
            if segment.dead.as_ref().is_some_and(|dead| dead.rows > segment.rows) {
                return Err(format!("segment {} has more dead rows than rows", segment.number));
            }
        }
        if !self.segments.is_sorted_by(|a, b| a.number < b.number) {
            return Err("the segments are not in order".to_owned());
        }
        if !self.wal.is_sorted_by(|a, b| a.number < b.number) {
            return Err("the log files are not in order".to_owned());
        }
        let from_later = |timeline: &Timeline| timeline.source.is_some_and(|source| source >= timeline.lsn);
        if !self.timelines.is_sorted_by(|a, b| a.lsn < b.lsn) || self.timelines.iter().any(from_later) {
            return Err("the timelines are not in order".to_owned());
        }
        if !self.points.is_sorted_by(|a, b| a.lsn <= b.lsn) || self.timelines.iter().any(|t| t.lsn == u64::MAX) {
            return Err("the restore points are not in order".to_owned());
        }
        for file in &self.wal {
            let beyond = |place: LogPlace| {
                place.lsn.saturating_add(1) < file.first_lsn
                    || place.lsn > self.checkpoint_lsn
                    || file.length.is_some_and(|length| place.offset > length)
            };
            if file.replay_from.is_some_and(beyond) {
                return Err(format!("the place to replay log file {} from is not in it", file.number));
            }
        }
        for pair in self.wal.windows(2) {
            let [before, after] = pair else { continue };
            match (before.length, before.last_lsn, before.last_time) {
                (Some(_), Some(last), Some(_)) if last.checked_add(1) == Some(after.first_lsn) => {}
                _ => return Err(format!("the log has a gap before record {}", after.first_lsn)),
            }
        }
        let from = self.wal.first().map_or(0, |first| first.first_lsn);
        if from > self.checkpoint_lsn.saturating_add(1) {
            return Err(format!("the log begins with record {from}, the segments end with {}", self.checkpoint_lsn));
        }
        Ok(())
    }
}
