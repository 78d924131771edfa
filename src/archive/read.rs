//! Reading an archive: what it is is told by its content; everything is checked; entries come in order.

use super::expect::{Entries, Expect};
use super::stream::Stream;
use super::{Format, json, msgpack, sqlite};
use crate::codec::{self, Blocks, Compression, Counted};
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::format::Entry;
use crate::format::state_json::Head;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What an archive turned out to be.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its format.
    pub format: Format,
    /// Its compression.
    pub compression: Compression,
    /// What it says of itself; the description is completed from the entries.
    pub head: Head,
    /// Entries read.
    pub count: u64,
}

/// Takes the entries that were read, checked one by one but not yet as a whole.
pub type Sink<'a> = &'a mut dyn FnMut(Vec<Entry>) -> Result<()>;

/// Takes what a delta holds, in the order in which it is read; checked one by one, but not yet as a whole.
pub trait DeltaSink {
    /// What it says of itself, before anything of it. An error ends the reading.
    fn begin(&mut self, head: &Head) -> Result<()>;
    /// Entries that are added or replaced.
    fn puts(&mut self, entries: Vec<Entry>) -> Result<()>;
    /// Ids that are removed.
    fn deletes(&mut self, ids: Vec<Box<str>>) -> Result<()>;
}

/// Who takes the content.
enum Taker<'a> {
    Whole(Sink<'a>),
    Delta(&'a mut dyn DeltaSink),
}

/// How the bytes of an archive are stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// How many they are.
    pub length: u64,
    /// Where they are, or a path beside which scratch files can be made.
    pub path: &'a Path,
    /// They are the regular file at `path`.
    pub is_file: bool,
}

/// What tells how much of an archive was read.
enum Measure {
    /// The bytes that were taken of so many.
    Bytes(Arc<AtomicU64>, u64),
    /// The entries that were delivered of so many.
    Entries(u64),
}

/// Where the entries go, and how far the reading is.
pub(super) struct Delivery<'a> {
    pub entries: Entries,
    taker: Taker<'a>,
    control: &'a Control,
    operation: &'a str,
    measure: Measure,
    range: (f64, f64),
}

const PROGRESS: (f64, f64) = (0.0, 95.0);

impl Delivery<'_> {
    /// The entries of a whole archive follow, or those of the delta that `head` tells of.
    pub fn begin(&mut self, head: &Head, is_delta: bool) -> Result<()> {
        match (&mut self.taker, is_delta) {
            (Taker::Whole(_), false) => Ok(()),
            (Taker::Delta(sink), true) => sink.begin(head),
            (Taker::Whole(_), true) => {
                let number = head.link.as_ref().map_or(0, |link| link.number);
                let message = format!(
                    "delta {number} of a chain, which holds only changes: it is loaded beside its base, under the name \
                     <base>.delta-{number:06}"
                );
                Err(Error::new(Kind::Chain, message))
            }
            (Taker::Delta(_), false) => Err(Error::new(Kind::Chain, "a whole archive where a delta is due")),
        }
    }

    pub fn deliver(&mut self, batch: Vec<Entry>) -> Result<()> {
        self.control.check()?;
        for entry in &batch {
            self.entries.take(entry)?;
        }
        match &mut self.taker {
            Taker::Whole(sink) => sink(batch)?,
            Taker::Delta(sink) => sink.puts(batch)?,
        }
        let count = self.entries.count;
        let (done, total) = match &self.measure {
            Measure::Bytes(read, length) => (read.load(Ordering::Relaxed), *length),
            Measure::Entries(total) => (count, *total),
        };
        let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
        let point = self.range.0 + (self.range.1 - self.range.0) * share;
        self.control.report(self.operation, (point, point), count, count, &format!("{count} entries read"));
        Ok(())
    }

    /// Ids that a delta removes.
    pub fn remove(&mut self, ids: Vec<Box<str>>) -> Result<()> {
        self.control.check()?;
        self.entries.removed += ids.len() as u64;
        match &mut self.taker {
            Taker::Delta(sink) => sink.deletes(ids),
            Taker::Whole(_) => Err(Error::new(Kind::Internal, "removed ids in a whole archive")),
        }
    }

    /// From here on entries tell how far the reading is: `total` of them, from `from` percent on.
    pub fn expect_entries(&mut self, from: f64, total: u64) {
        self.measure = Measure::Entries(total);
        self.range.0 = from;
    }

    /// Reports work that comes before the entries.
    pub fn report(&self, range: (f64, f64), done: u64, total: u64, message: &str) {
        self.control.report(self.operation, range, done, total, message);
    }

    pub fn control(&self) -> &Control {
        self.control
    }
}

fn looks_like(head: &[u8]) -> Option<Format> {
    match head {
        _ if sqlite::begins_sqlite(head) => Some(Format::Sqlite),
        [b'{', b'"' | b'}' | b' ' | b'\t' | b'\n' | b'\r', ..] => Some(Format::Json),
        [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => looks_like(rest),
        // A map of any kind whose first key is a string.
        [0x80..=0x8f, 0xa0..=0xbf | 0xd9..=0xdb, ..] => Some(Format::Binary),
        [0xde, _, _, 0xa0..=0xbf | 0xd9..=0xdb, ..] => Some(Format::Binary),
        [0xdf, _, _, _, _, 0xa0..=0xbf | 0xd9..=0xdb, ..] => Some(Format::Binary),
        _ => None,
    }
}

fn not_an_archive(head: &[u8]) -> Error {
    let told = match head {
        [] => "the file is empty".to_owned(),
        [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => "begins nearly as a SQLite database".to_owned(),
        [b'r', b'e', b'd', b'b', ..] => "not an archive but a ruvector.db; use exportRuvector".to_owned(),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => "compressed twice; archives are compressed once".to_owned(),
        [0xef, 0xbb, 0xbf, ..] => {
            "line 1, column 1: begins with a byte order mark, which JSON does not allow".to_owned()
        }
        _ => {
            let bytes: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!(
                "line 1, column 1: neither a JSON, a MessagePack nor a SQLite archive: begins with {}",
                bytes.join(" ")
            )
        }
    };
    Error::new(Kind::Format, told).at(0)
}

/// What a state must have: all of a whole archive, or all of a delta.
pub(super) fn check_members(seen: &[String]) -> std::result::Result<(), &'static str> {
    let has = |name: &str| seen.iter().any(|key| key == name);
    match (has("vectors"), has("delta") && has("puts") && has("deletes")) {
        (true, false) | (false, true) => Ok(()),
        (true, true) => Err("both the state of a database and a delta"),
        (false, false) => Err("not the state of a database: it has no 'vectors'"),
    }
}

/// Reads the archive that `source` is from its beginning on, and hands its entries to `sink`. A delta is refused.
pub fn read<'a>(
    source: impl Read + Send + 'static,
    stored: Stored<'_>,
    expect: &Expect,
    operation: &'a str,
    control: &'a Control,
    sink: Sink<'a>,
) -> Result<Source> {
    read_to(source, stored, expect, operation, control, Taker::Whole(sink))
}

/// Reads the delta that `source` is from its beginning on. A whole archive is refused.
pub fn read_delta<'a>(
    source: impl Read + Send + 'static,
    stored: Stored<'_>,
    expect: &Expect,
    operation: &'a str,
    control: &'a Control,
    sink: &'a mut dyn DeltaSink,
) -> Result<Source> {
    read_to(source, stored, expect, operation, control, Taker::Delta(sink))
}

fn read_to<'a>(
    source: impl Read + Send + 'static,
    stored: Stored<'_>,
    expect: &Expect,
    operation: &'a str,
    control: &'a Control,
    taker: Taker<'a>,
) -> Result<Source> {
    let (counted, bytes_read) = Counted::new(source);
    let opened = codec::open(counted, |head| looks_like(head).is_some())?;
    let format = looks_like(&opened.head).ok_or_else(|| not_an_archive(&opened.head))?;
    if let Some(due) = expect.format
        && due != format
    {
        let message = format!("holds format '{}', and format '{}' was asked for", format.name(), due.name());
        return Err(Error::new(Kind::Format, message));
    }
    control.report(operation, PROGRESS, 0, stored.length, "Reading");
    let (entries, measure) = (Entries::default(), Measure::Bytes(bytes_read, stored.length));
    let mut delivery = Delivery { entries, taker, control, operation, measure, range: PROGRESS };
    let compression = opened.compression;
    let (mut head, checksum) = match format {
        Format::Json => json::read(Stream::new(Blocks::of(opened.stream)?), &mut delivery)?,
        Format::Binary => msgpack::read(Stream::new(Blocks::of(opened.stream)?), &mut delivery)?,
        Format::Sqlite => sqlite::read(opened, &stored, &mut delivery)?,
    };
    expect.settle(&mut head, &delivery.entries, &checksum)?;
    Ok(Source { format, compression, head, count: delivery.entries.count })
}
