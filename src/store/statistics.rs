//! What a collection says of itself: counts, bytes, log, mappings.

use super::log::held;
use super::stored::{Core, StoredCollection};
use crate::env::fs::page_faults;
use crate::error::Result;
use crate::manifest::{Engine, SegmentKind, SyncMode};
use serde::Serialize;

/// Counts and sizes of a collection. Sizes are bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// Its name; empty for one in memory.
    pub name: String,
    /// Entries.
    pub vector_count: u64,
    /// Numbers in each vector; 0 while unknown.
    pub dimension: u64,
    /// Distance metric, where it is known.
    pub metric: Option<String>,
    /// Where the rows live.
    pub engine: Engine,
    /// Whether writes are refused by setting.
    pub read_only: bool,
    /// Bytes of segments, dead rows, log and manifest on disk.
    pub disk_usage: u64,
    /// Of them, segments and their dead rows.
    pub segment_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Entries in the memtable.
    pub memtable_entries: u64,
    /// Bytes of the memtable.
    pub memtable_bytes: u64,
    /// The share of dead rows in the segments, 0 to 1.
    pub fragmentation: f64,
    /// The number of the newest change.
    pub lsn: u64,
    /// The number of the newest change that is in segments.
    pub checkpoint_lsn: u64,
    /// Grows by one with each manifest.
    pub generation: u64,
    /// When compaction last ran, milliseconds since 1970; null when it never did.
    pub last_compaction: Option<u64>,
    /// The log.
    pub wal: WalStatus,
}

/// The log of a collection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WalStatus {
    /// Whether there is one: not with engine `memory`, nor where a collection was opened for reading.
    pub enabled: bool,
    /// Where its files are; null in memory.
    pub path: Option<String>,
    /// When writes are acknowledged.
    pub sync_mode: SyncMode,
    /// Milliseconds between syncs in mode `periodic`.
    pub fsync_interval: u32,
    /// A file is complete at this size.
    pub segment_size: u64,
    /// Whether records are compressed.
    pub compression: bool,
    /// Milliseconds that complete files are kept.
    pub retention: u64,
    /// Files.
    pub segment_count: u64,
    /// Files that opening would have to read: those behind the checkpoint.
    pub unreplayed_segments: u64,
    /// The number of the last file that opening would not read; null when there is none.
    pub last_replayed_segment: Option<u64>,
    /// Bytes of its files.
    pub total_size: u64,
    /// The number of the newest change that is known to be durable.
    pub durable_lsn: u64,
    /// Why nothing is written any more, when that is so.
    pub poisoned: Option<String>,
}

/// The mappings of a collection.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MmapStatus {
    /// Whether segments are mapped. Those of engine `lsm` are not.
    pub enabled: bool,
    /// How they are read.
    pub advice: String,
    /// Whether they are read whole when they are opened.
    pub populate: bool,
    /// Whether huge pages were asked for and the operating system has them.
    pub huge_pages: bool,
    /// Bytes mapped.
    pub mapped_size: u64,
    /// Bytes of them in memory; null where the operating system does not tell.
    pub resident_size: Option<u64>,
    /// Bytes of them that are on the heap as well, because they are read most: engine `hybrid`.
    pub hot_size: u64,
    /// Page faults of this process since the collection was opened; null where nobody counts.
    pub page_faults: Option<u64>,
    /// Of them, those that had to read.
    pub major_page_faults: Option<u64>,
    /// Reads of rows.
    pub reads: u64,
    /// The share of reads whose blocks had been read before, 0 to 1; 1 when there was none.
    pub cache_hit_rate: f64,
    /// The regions that are read most.
    pub hot_regions: Vec<HotRegion>,
}

/// A part of a segment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HotRegion {
    /// The number of the segment.
    pub segment: u64,
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
    /// Reads.
    pub hits: u64,
}

const HOT_REGIONS: usize = 16;

impl Core {
    fn wal_status(&self) -> Result<WalStatus> {
        let manifest = held(&self.root).manifest.clone();
        let settings = manifest.settings.wal;
        let mut total_size = 0;
        for file in &manifest.wal {
            // A reader may see a file go.
            total_size += self.fs.open(&self.paths.log(file.number)).and_then(|file| file.length()).unwrap_or(0);
        }
        let is_behind = |last: Option<u64>| last.is_none_or(|last| last > manifest.checkpoint_lsn);
        let lsn = self.read().lsn();
        let unreplayed = manifest.wal.iter().filter(|file| is_behind(file.last_lsn) && lsn > manifest.checkpoint_lsn);
        Ok(WalStatus {
            enabled: self.log.is_some(),
            path: (!self.volatile).then(|| self.paths.wal.to_string_lossy().into_owned()),
            sync_mode: settings.sync_mode,
            fsync_interval: settings.fsync_interval,
            segment_size: settings.segment_size,
            compression: settings.compression,
            retention: settings.retention,
            segment_count: manifest.wal.len() as u64,
            unreplayed_segments: unreplayed.count() as u64,
            last_replayed_segment: manifest.wal.iter().rev().find(|file| !is_behind(file.last_lsn)).map(|f| f.number),
            total_size,
            durable_lsn: self.log.as_ref().map_or(lsn, |log| log.durable()),
            poisoned: self.log.as_ref().and_then(|log| log.poison()).map(|error| error.message),
        })
    }
}

impl StoredCollection {
    /// The log.
    pub fn wal_status(&self) -> Result<WalStatus> {
        self.core().wal_status()
    }

    /// Counts and sizes.
    pub fn statistics(&self) -> Result<Statistics> {
        let core = self.core();
        let wal = core.wal_status()?;
        let manifest = self.manifest();
        let segment_bytes = super::checkpoint::bytes_of(&manifest);
        let state = core.read();
        let known = state.description();
        Ok(Statistics {
            name: core.name.clone(),
            vector_count: state.len() as u64,
            dimension: known.dimension.unwrap_or(0) as u64,
            metric: known.metric.map(|metric| metric.name().to_owned()),
            engine: manifest.settings.engine,
            read_only: manifest.settings.read_only,
            disk_usage: if core.volatile { 0 } else { segment_bytes + wal.total_size + manifest.bytes() },
            segment_bytes,
            segments: manifest.segments.len() as u64,
            memtable_entries: state.memtable_len() as u64,
            memtable_bytes: state.memtable_bytes(),
            fragmentation: state.fragmentation(),
            lsn: state.lsn(),
            checkpoint_lsn: manifest.checkpoint_lsn,
            generation: manifest.generation,
            last_compaction: Some(manifest.last_compaction).filter(|time| *time > 0),
            wal,
        })
    }

    /// The mappings.
    pub fn mmap_status(&self) -> MmapStatus {
        let core = self.core();
        let (settings, engine) = core.settings(|settings| (settings.mmap.clone(), settings.engine));
        let segments: Vec<_> =
            core.read().sealed().iter().filter_map(|sealed| sealed.part.segment().cloned()).collect();
        let faults = page_faults().zip(core.faults).map(|(now, then)| (now.0 - then.0, now.1 - then.1));
        let mut status = MmapStatus {
            enabled: settings.enabled && engine.segments() == SegmentKind::File,
            advice: settings.advice,
            populate: settings.populate,
            huge_pages: !segments.is_empty(),
            mapped_size: 0,
            resident_size: Some(0),
            hot_size: 0,
            page_faults: faults.map(|(_, all)| all),
            major_page_faults: faults.map(|(major, _)| major),
            reads: 0,
            cache_hit_rate: 1.0,
            hot_regions: Vec::new(),
        };
        let mut hits = 0;
        for segment in &segments {
            let found = segment.statistics();
            status.huge_pages &= found.huge_pages;
            status.mapped_size += found.mapped;
            status.hot_size += if found.mapped > 0 { found.heap } else { 0 };
            let resident = if found.mapped == 0 { Some(0) } else { found.resident };
            status.resident_size = status.resident_size.zip(resident).map(|(sum, more)| sum + more);
            status.reads += found.reads;
            hits += found.hits;
            let regions = segment.hot_regions(HOT_REGIONS).into_iter().filter(|region| region.hits > 0);
            status.hot_regions.extend(regions.map(|region| HotRegion {
                segment: segment.number(),
                offset: region.offset,
                length: region.length,
                hits: region.hits,
            }));
        }
        if status.reads > 0 {
            status.cache_hit_rate = hits as f64 / status.reads as f64;
        }
        status.hot_regions.sort_by_key(|region| std::cmp::Reverse(region.hits));
        status.hot_regions.truncate(HOT_REGIONS);
        status
    }

    /// Asks for parts of segments to be read soon; `false` where the operating system cannot be asked.
    pub fn prefetch(&self, regions: &[(u64, u64, u64)]) -> bool {
        let state = self.core().read();
        let segments = || state.sealed().iter().filter_map(|sealed| sealed.part.segment());
        regions.iter().all(|(number, offset, length)| {
            segments().filter(|segment| segment.number() == *number).all(|found| found.prefetch(*offset, *length))
        })
    }
}
