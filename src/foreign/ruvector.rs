//! `ruvector.db`, the file of the npm package `ruvector`: redb with three tables, described in `docs/format.md`.
//!
//! The file is read as one of its commits has it, also while its own program writes it: all that is read is copied
//! before the first entry is handed out, so the entries belong together and no later failure can tear them apart.
//! Nothing is locked, nothing is written, nothing is left behind. Costs: the copy has the size of the live data, and
//! about 50 bytes of memory for each 4 KiB of it.
//!
//! On Windows redb's lock also keeps readers out: a file in use there is an `Io` error of the operating system.
//!
//! ## What is noticed?
//!
//! Any damage to what is read: redb's checksums cover it from the commit slot downwards. Where a newer commit is not
//! whole, as after a crash, the one before it is read, as redb itself does, and `RuvectorFile::stale` says so. Damage
//! that hits only that newest commit looks the same.

use super::redb::{self, Rows, Snapshot};
use crate::control::Control;
use crate::env::open_input;
use crate::error::{Error, Kind, Result};
use crate::format::entry::{check_dimension, shown};
use crate::format::{Description, Entry, Metric};
use serde::Deserialize;
use std::io::Read;
use std::path::Path;

const VECTORS: &str = "vectors";
const METADATA: &str = "metadata";
const CONFIG: &str = "config";
const CONFIG_KEY: &[u8] = b"__ruvector_db_config__";
const TEXT_TO_BYTES: [&str; 2] = ["&str", "&[u8]"];
const TEXT_TO_TEXT: [&str; 2] = ["&str", "&str"];
/// Entries between two checks for cancellation.
const CHECK_ENTRIES: u64 = 256;

/// What a `ruvector.db` says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuvectorFile {
    /// Dimension and metric of the configuration. Without one: the dimension of the vectors, no metric.
    pub description: Description,
    /// Entries handed out.
    pub count: u64,
    /// The file tells of a newer commit that is not whole: this is the state before it.
    pub stale: bool,
}

/// The part of ruvector's configuration that concerns us.
#[derive(Deserialize)]
struct Config {
    dimensions: Option<u64>,
    distance_metric: Option<String>,
}

/// Whether the file begins as a redb file does; `false` for anything that cannot be read.
pub fn is_redb(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = open_input(path).map(|input| input.take(16).read_to_end(&mut start));
    matches!(read, Ok(Ok(_))) && redb::begins_redb(&start)
}

/// Hands every entry of the `ruvector.db` at `path` to `sink`, in the order of the ids' bytes.
///
/// Metadata of an id that has no vector is left out: ruvector does not show it either. An error may come after entries
/// were handed out; an error of `sink` ends the call and is returned as it is.
pub fn read_ruvector(
    path: &Path,
    control: &Control,
    sink: &mut dyn FnMut(Entry) -> Result<()>,
) -> Result<RuvectorFile> {
    let located = |error: Error| if error.kind == Kind::Aborted { error } else { error.in_file(path) };
    let snapshot = copy(path, control).map_err(located)?;
    let mut reader = Reader::of(&snapshot).map_err(located)?;
    let mut count = 0;
    while let Some(entry) = reader.next().map_err(located)? {
        sink(entry)?;
        count += 1;
        if count % CHECK_ENTRIES == 0 {
            control.check()?;
            control.report("adopt", (50.0, 100.0), count, reader.total, "Reading ruvector.db");
        }
    }
    control.report("adopt", (50.0, 100.0), count, reader.total, "Reading ruvector.db");
    Ok(RuvectorFile { description: reader.description, count, stale: snapshot.stale })
}

fn copy(path: &Path, control: &Control) -> Result<Snapshot> {
    control.check()?;
    let input = open_input(path)?;
    redb::capture(input, &[VECTORS, METADATA, CONFIG], &mut |rows, total| {
        control.report("adopt", (0.0, 50.0), rows.min(total), total, "Copying ruvector.db");
        control.check()
    })
}

/// Vectors and metadata side by side.
struct Reader<'a> {
    vectors: Rows<'a>,
    metadata: Option<Rows<'a>>,
    description: Description,
    total: u64,
}

impl<'a> Reader<'a> {
    fn of(snapshot: &'a Snapshot) -> Result<Self> {
        let Some((vectors, total)) = snapshot.table(VECTORS, TEXT_TO_BYTES) else {
            return Err(Error::new(Kind::Format, "not a ruvector.db: a redb file without a table 'vectors'"));
        };
        let mut metadata = snapshot.table(METADATA, TEXT_TO_TEXT).map(|(rows, _)| rows);
        if let Some(rows) = &mut metadata {
            rows.advance()?;
        }
        Ok(Reader { vectors, metadata, description: description(snapshot)?, total })
    }

    fn next(&mut self) -> Result<Option<Entry>> {
        if !self.vectors.advance()? {
            // The rest of the metadata is read for its checks alone: rows in order, as many as promised.
            while self.metadata.as_mut().map_or(Ok(false), Rows::advance)? {}
            return Ok(None);
        }
        let Some((key, value)) = self.vectors.current() else { return Ok(None) };
        if let Some(rows) = &mut self.metadata {
            while rows.current().is_some_and(|(other, _)| other < key) {
                rows.advance()?;
            }
        }
        let id = text(VECTORS, key, key)?;
        let vector = decode_vector(id, value, self.description.dimension)?;
        self.description.dimension = Some(vector.len());
        let row = self.metadata.as_ref().and_then(Rows::current).filter(|(other, _)| *other == key);
        let metadata = row.map(|(_, value)| text(METADATA, key, value)).transpose()?;
        let entry = Entry::new(id, vector, metadata).map_err(|error| match error.kind {
            Kind::Metadata => damaged(METADATA, id, &error.message),
            _ => error,
        })?;
        Ok(Some(entry))
    }
}

fn description(snapshot: &Snapshot) -> Result<Description> {
    let Some((mut rows, _)) = snapshot.table(CONFIG, TEXT_TO_TEXT) else { return Ok(Description::default()) };
    while rows.advance()? {
        let Some((CONFIG_KEY, value)) = rows.current() else { continue };
        let config: Config = serde_json::from_slice(value)
            .map_err(|error| Error::new(Kind::Corrupt, format!("damaged: table '{CONFIG}': {error}")))?;
        let dimension = config.dimensions.map(|found| usize::try_from(found).unwrap_or(usize::MAX));
        if let Some(found) = dimension {
            let refused = |_| Error::new(Kind::Dimension, format!("its dimension is {found}; 1 to 65536 are possible"));
            check_dimension("", found).map_err(refused)?;
        }
        let metric = config.distance_metric.map(|name| Metric::named(&name)).transpose()?;
        return Ok(Description { dimension, metric });
    }
    Ok(Description::default())
}

/// A `Vec<f32>` of bincode 2: a number of one byte up to 250, else a byte that says how many bytes it has; then the
/// numbers, little-endian.
fn decode_vector(id: &str, bytes: &[u8], expected: Option<usize>) -> Result<Vec<f32>> {
    let refuse = |what: &str| damaged(VECTORS, id, what);
    let cut = || refuse("its length is cut off");
    let (mark, rest) = bytes.split_first().ok_or_else(|| refuse("it is empty"))?;
    let (dimension, rest) = match mark {
        0..=250 => (Some(usize::from(*mark)), rest),
        251 => {
            let (number, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (Some(usize::from(u16::from_le_bytes(*number))), rest)
        }
        252 => {
            let (number, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (usize::try_from(u32::from_le_bytes(*number)).ok(), rest)
        }
        253 => {
            let (number, rest) = rest.split_first_chunk().ok_or_else(cut)?;
            (usize::try_from(u64::from_le_bytes(*number)).ok(), rest)
        }
        _ => return Err(refuse("its length is no number that a vector can have")),
    };
    let (numbers, odd) = rest.as_chunks::<4>();
    if dimension != Some(numbers.len()) || !odd.is_empty() {
        return Err(refuse(&format!("it has {} bytes of numbers, but says something else", rest.len())));
    }
    if let Some(expected) = expected
        && expected != numbers.len()
    {
        return Err(refuse(&format!("it has {} numbers, not {expected}", numbers.len())));
    }
    check_dimension(id, numbers.len())?;
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

fn text<'a>(table: &str, id: &[u8], bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| damaged(table, &String::from_utf8_lossy(id), "it is not UTF-8 text"))
}

fn damaged(table: &str, id: &str, what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("damaged: table '{table}', id '{}': {what}", shown(id)))
}
