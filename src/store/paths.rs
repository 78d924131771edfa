//! Where the files of a collection are, and which names are ours.

use crate::error::{Error, Kind, Result};
use crate::format::document::hex;
use crate::manifest::{Root, SegmentKind};
use crate::wal;
use std::path::{Path, PathBuf};

/// The folder of all collections in a store.
pub const COLLECTIONS: &str = "collections";
/// The folder of a collection's sorted runs.
pub const RUNS: &str = "lsm";
const NAME_BYTES_MAX: usize = 64;

/// What a file in the folder of segments is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentFile {
    /// A segment.
    Segment(u64),
    /// Dead rows of a segment: number and version.
    Dead(u64, u64),
}

/// The folders of one collection.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The collection itself: its manifest.
    pub home: PathBuf,
    /// Its segments, and the dead rows of segments and runs.
    pub segments: PathBuf,
    /// Its sorted runs; made with the first of them.
    pub runs: PathBuf,
    /// Its log.
    pub wal: PathBuf,
}

impl Paths {
    /// The folder of a collection in the store at `base`.
    pub fn home(base: &Path, name: &str) -> PathBuf {
        base.join(COLLECTIONS).join(name)
    }

    /// The folders of a collection in the store at `base`. A log in another place has a folder there that bears the id of
    /// the collection: other stores may use the same place.
    pub fn of(base: &Path, name: &str, root: &Root) -> Paths {
        let home = Paths::home(base, name);
        let (segments, runs) = (home.join("segments"), home.join(RUNS));
        let id = || hex(&root.owner.collection);
        let elsewhere = root.manifest.settings.wal.directory.as_deref();
        let wal = elsewhere.map_or_else(|| home.join("wal"), |wal| Path::new(wal).join(format!("{name}-{}", id())));
        Paths { home, segments, runs, wal }
    }

    /// Where a segment is.
    pub fn segment(&self, number: u64) -> PathBuf {
        self.segments.join(segment_name(number))
    }

    /// Where a sorted run is: a folder.
    pub fn run(&self, number: u64) -> PathBuf {
        self.runs.join(format!("{number:08}"))
    }

    /// Where a segment or a run is.
    pub fn part(&self, kind: SegmentKind, number: u64) -> PathBuf {
        match kind {
            SegmentKind::File => self.segment(number),
            SegmentKind::Lsm => self.run(number),
        }
    }

    /// Where the dead rows of a segment or a run are.
    pub fn dead(&self, number: u64, version: u64) -> PathBuf {
        self.segments.join(dead_name(number, version))
    }

    /// Where a log file is.
    pub fn log(&self, number: u64) -> PathBuf {
        self.wal.join(wal::file_name(number))
    }
}

/// The name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("{number:08}.seg")
}

/// The name of the dead rows of a segment.
pub fn dead_name(number: u64, version: u64) -> String {
    format!("{number:08}.dead.{version}")
}

/// What a name in the folder of segments means; `None` for a name that is not ours.
pub fn segment_file(name: &str) -> Option<SegmentFile> {
    let (number, rest) = name.split_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits(number).then(|| number.parse().ok()).flatten()?;
    match rest.strip_prefix("dead.") {
        Some(version) => digits(version).then(|| version.parse().ok()).flatten().map(|v| SegmentFile::Dead(number, v)),
        None => (rest == "seg").then_some(SegmentFile::Segment(number)),
    }
}

/// Whether Windows takes the name for a device, whatever its extension.
pub fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_uppercase();
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
        || (stem.len() == 4
            && (stem.starts_with("COM") || stem.starts_with("LPT"))
            && stem.ends_with(|c: char| c.is_ascii_digit()))
}

/// The number of the run in a folder of that name; `None` for a name that is not ours.
pub fn run_number(name: &str) -> Option<u64> {
    let digits = (8..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| name.parse().ok()).flatten()
}

/// Refuses a name that some file system would not keep as it is.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain) && !name.ends_with('.') && !is_device(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    let message = format!(
        "'{shown}' cannot be the name of a collection: 1 to {NAME_BYTES_MAX} letters, digits, '.', '_' and '-', \
         a letter or digit first, no dot last, and no device name of Windows"
    );
    Err(Error::new(Kind::Path, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_say_and_nothing_else() {
        assert_eq!(segment_file("00000007.seg"), Some(SegmentFile::Segment(7)));
        assert_eq!(segment_file("00000007.dead.12"), Some(SegmentFile::Dead(7, 12)));
        for other in ["", ".seg", "7", "7.seg.tmp", "7.dead.", "7.dead.x", "-7.seg", "99999999999999999999999.seg"] {
            assert_eq!(segment_file(other), None, "{other}");
        }
        for good in ["a", "default", "A-b_c.d", "0", &"x".repeat(64), "CONSOLE", "COM10"] {
            check_name(good).unwrap();
        }
        let long = "x".repeat(65);
        for bad in ["", ".", "..", ".a", "a.", "a/b", "a\\b", "ü", "a b", "CON", "con.txt", "lpt1", "a\0", &long] {
            assert_eq!(check_name(bad).unwrap_err().kind, Kind::Path, "{bad}");
        }
    }
}
