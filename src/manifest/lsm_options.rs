//! The knobs of engine `lsm`: what is kept of them in the manifest, and which names a caller may give them.
//!
//! Callers know the names of RocksDB. Those that have the same knob here become [`LsmSettings`]; every other one is
//! refused by its name, with a sentence that says what there is instead: nothing is accepted and ignored.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How blocks of rows are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LsmCompression {
    /// Not at all.
    None,
    /// LZ4.
    #[default]
    Lz4,
}

/// How sorted runs are written and read. All but the cache counts for runs that are written from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct LsmSettings {
    /// Bytes of blocks that are kept on the heap once they were read; 64 MiB. Counts at once.
    pub block_cache: u64,
    /// Bytes of a block of rows before compression; 8 KiB.
    pub block_size: u32,
    /// How blocks are compressed; `lz4`.
    pub compression: LsmCompression,
    /// Bits of Bloom filter for each key; 10, which errs in about one of a hundred. 0: no filters.
    pub bloom_filter_bits_per_key: f64,
    /// A compaction merges runs up to about so many bytes; 1 GiB.
    pub target_file_size: u64,
}

impl Default for LsmSettings {
    fn default() -> Self {
        LsmSettings {
            block_cache: 64 << 20,
            block_size: 8 << 10,
            compression: LsmCompression::default(),
            bloom_filter_bits_per_key: 10.0,
            target_file_size: 1 << 30,
        }
    }
}

impl LsmSettings {
    /// Whether a manifest need not name it. The defaults are therefore part of the format and cannot change.
    pub(super) fn is_default(&self) -> bool {
        *self == LsmSettings::default()
    }

    /// Refuses values that mean nothing, or that the library would not take.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(Kind::Limit, what.to_owned()));
        if self.block_cache > 1 << 50 {
            return refuse("a block cache above 1 PiB");
        }
        if !(1_024..=4 << 20).contains(&self.block_size) {
            return refuse("a block size that is not from 1 KiB to 4 MiB");
        }
        if !(0.0..=64.0).contains(&self.bloom_filter_bits_per_key) {
            return refuse("Bloom filter bits per key that are not from 0 to 64");
        }
        if !(1 << 20..=1 << 40).contains(&self.target_file_size) {
            return refuse("a target file size that is not from 1 MiB to 1 TiB");
        }
        Ok(())
    }
}

/// What a caller asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LsmOptions {
    /// The knobs.
    pub settings: LsmSettings,
    /// `writeBufferSize`: the memtable of the collection, which is a setting of every engine.
    pub memtable_size: Option<u64>,
}

/// Options of RocksDB that have no counterpart here, and what is there instead.
const REFUSED: [(&str, &str); 22] = [
    ("maxWriteBufferNumber", "one memtable takes the writes while the one before becomes a run"),
    ("minWriteBufferNumberToMerge", "each memtable becomes a run of its own; compaction merges runs"),
    ("maxBytesForLevelBase", "runs are merged by size and have no levels; targetFileSizeBase bounds a run"),
    ("maxBytesForLevelMultiplier", "runs are merged by size and have no levels"),
    ("targetFileSizeMultiplier", "runs are merged by size and have no levels"),
    ("numLevels", "runs are merged by size and have no levels"),
    ("level0FileNumCompactionTrigger", "eight runs of about one size are merged; this number is fixed"),
    ("level0SlowdownWritesTrigger", "writes are not slowed down for compaction"),
    ("level0StopWritesTrigger", "writes are not stopped for compaction"),
    ("levelCompactionDynamicLevelBytes", "runs are merged by size and have no levels"),
    ("compactionStyle", "runs are merged by size; compactionThreshold says when dead rows are removed"),
    ("compressionLevel", "lz4 has no levels"),
    ("bottommostCompression", "all runs are compressed alike; use compression"),
    ("maxBackgroundJobs", "one thread for each collection writes and merges runs"),
    ("maxBackgroundCompactions", "one thread for each collection writes and merges runs"),
    ("maxBackgroundFlushes", "one thread for each collection writes and merges runs"),
    ("maxOpenFiles", "the files of a run stay open as long as the collection, so that readers keep what they see"),
    ("cacheIndexAndFilterBlocks", "blocks of indexes and filters are always kept in the block cache"),
    ("useDirectReads", "reads go through the page cache of the operating system"),
    ("walTtlSeconds", "the log is that of every engine; use wal.retention"),
    ("walSizeLimitMB", "the log is that of every engine; use wal.retentionSize"),
    ("disableWAL", "the log is that of every engine; use wal.syncMode"),
];

fn refuse<T>(kind: Kind, name: &str, why: &str) -> Result<T> {
    Err(Error::new(kind, format!("option {name} of engine lsm: {why}")))
}

/// A whole number, also one that was calculated (`2.5 * 1024`) or has a unit (`256MB`, powers of 1024).
fn bytes(name: &str, value: &Value) -> Result<u64> {
    let number = match value {
        Value::String(text) => {
            let text = text.trim();
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
            let unit = match text.get(digits.len()..).unwrap_or_default().trim().to_ascii_uppercase().as_str() {
                "" | "B" => Some(1.0),
                "K" | "KB" | "KIB" => Some(1024.0),
                "M" | "MB" | "MIB" => Some(1_048_576.0),
                "G" | "GB" | "GIB" => Some(1_073_741_824.0),
                _ => None,
            };
            digits.parse::<f64>().ok().zip(unit).map(|(number, unit)| number * unit)
        }
        other => other.as_f64(),
    };
    match number.filter(|number| (0.0..=9_007_199_254_740_991.0).contains(number)) {
        Some(number) => Ok(number as u64),
        None => refuse(Kind::Limit, name, "a number of bytes is needed, such as 16384 or '64MB'"),
    }
}

fn compression(name: &str, value: &Value) -> Result<LsmCompression> {
    match value.as_str() {
        Some("lz4") => Ok(LsmCompression::Lz4),
        Some("none" | "no") => Ok(LsmCompression::None),
        Some(other @ ("zstd" | "snappy" | "zlib" | "bzip2" | "lz4hc" | "xpress")) => {
            refuse(Kind::Unsupported, name, &format!("runs cannot be compressed with '{other}'; use 'lz4' or 'none'"))
        }
        _ => refuse(Kind::Limit, name, "'lz4' or 'none' is needed"),
    }
}

impl LsmOptions {
    /// Reads an object of options; what it does not name stays as in `base`.
    pub fn parse(options: &Map<String, Value>, base: &LsmSettings) -> Result<LsmOptions> {
        let mut read = LsmOptions { settings: base.clone(), memtable_size: None };
        let settings = &mut read.settings;
        for (name, value) in options {
            match name.as_str() {
                "writeBufferSize" => read.memtable_size = Some(bytes(name, value)?),
                "blockCache" | "blockCacheSize" => settings.block_cache = bytes(name, value)?,
                "blockSize" => match u32::try_from(bytes(name, value)?) {
                    Ok(size) => settings.block_size = size,
                    Err(_) => return refuse(Kind::Limit, name, "1 KiB to 4 MiB are possible"),
                },
                "targetFileSizeBase" | "targetFileSize" => settings.target_file_size = bytes(name, value)?,
                "compression" => settings.compression = compression(name, value)?,
                "bloomFilterBitsPerKey" => match value.as_f64() {
                    Some(bits) => settings.bloom_filter_bits_per_key = bits,
                    None => return refuse(Kind::Limit, name, "a number is needed"),
                },
                _ => return refuse_name(name),
            }
        }
        read.settings.check()?;
        if read.memtable_size.is_some_and(|bytes| bytes < 4_096) {
            return refuse(Kind::Limit, "writeBufferSize", "at least 4 KiB are needed");
        }
        Ok(read)
    }

    /// As `parse`, from JSON text.
    pub fn parse_json(text: &str, base: &LsmSettings) -> Result<LsmOptions> {
        let options = serde_json::from_str(text);
        let options = options
            .map_err(|error| Error::new(Kind::Limit, format!("the options of engine lsm are no object: {error}")))?;
        LsmOptions::parse(&options, base)
    }
}

fn refuse_name<T>(name: &str) -> Result<T> {
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return refuse(Kind::Unsupported, name, &format!("there is no such knob; {why}"));
    }
    let shown: String = name.chars().take(64).collect();
    let known = "writeBufferSize, blockCache, blockSize, compression, bloomFilterBitsPerKey, targetFileSizeBase";
    refuse(Kind::Limit, &shown, &format!("nobody knows it; {known} are possible"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LsmOptions> {
        LsmOptions::parse_json(text, &LsmSettings::default())
    }

    #[test]
    fn what_has_the_same_knob_is_taken() {
        assert_eq!(parse("{}").unwrap(), LsmOptions { settings: LsmSettings::default(), memtable_size: None });
        let text = r#"{"writeBufferSize":268435456,"targetFileSizeBase":"256MB","blockSize":65536,
            "blockCache":"4 GiB","compression":"none","bloomFilterBitsPerKey":12.5}"#;
        let settings = LsmSettings {
            block_cache: 4 << 30,
            block_size: 65_536,
            compression: LsmCompression::None,
            bloom_filter_bits_per_key: 12.5,
            target_file_size: 256 << 20,
        };
        assert_eq!(parse(text).unwrap(), LsmOptions { settings, memtable_size: Some(256 << 20) });
    }

    #[test]
    fn everything_else_is_refused_by_its_name() {
        for (name, _) in REFUSED {
            let error = parse(&format!(r#"{{"{name}":1}}"#)).unwrap_err();
            assert!(error.kind == Kind::Unsupported && error.message.contains(name), "{error:?}");
        }
        let refused = |text: &str, kind, part: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.kind == kind && error.message.contains(part), "{text}: {error:?}");
        };
        refused(r#"{"strange":1}"#, Kind::Limit, "strange");
        refused(r#"{"compression":"zstd"}"#, Kind::Unsupported, "zstd");
        refused(r#"{"compression":7}"#, Kind::Limit, "compression");
        refused(r#"{"blockSize":"64 bananas"}"#, Kind::Limit, "blockSize");
        refused(r#"{"blockSize":-1}"#, Kind::Limit, "blockSize");
        refused(r#"{"blockSize":1e12}"#, Kind::Limit, "blockSize");
        refused(r#"{"blockSize":8388608}"#, Kind::Limit, "block size");
        refused(r#"{"bloomFilterBitsPerKey":-1}"#, Kind::Limit, "Bloom");
        refused(r#"{"writeBufferSize":1}"#, Kind::Limit, "writeBufferSize");
        refused("[]", Kind::Limit, "no object");
    }
}
