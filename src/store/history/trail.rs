//! The log of a collection as one trail of records, from the oldest file that is kept to the end.

use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::format::header::Owner;
use crate::format::record::{Change, Record};
use crate::manifest::{Root, WalRef};
use crate::store::history::plan::Span;
use crate::store::paths::Paths;
use crate::store::recovery::{LogBytes, log_bytes, sealed_log};
use crate::wal::LogReader;
use std::path::PathBuf;

/// A log file whose bytes cannot go any more.
struct Part {
    file: WalRef,
    path: PathBuf,
    bytes: LogBytes,
}

/// The log as it was when it was opened: files that are removed later stay readable.
pub struct Trail {
    owner: Owner,
    parts: Vec<Part>,
    /// Records behind it are not looked at.
    last: u64,
}

impl Trail {
    /// Opens the files of the log from the one that holds `from` on. For who writes to be called in the collection's turn:
    /// then no file goes meanwhile.
    pub fn open(fs: &dyn Fs, paths: &Paths, root: &Root, (from, last): (u64, u64)) -> Result<Trail> {
        let wanted = root.manifest.wal.iter().filter(|file| file.last_lsn.is_none_or(|end| end >= from));
        let part = |file: &WalRef| {
            let path = paths.log(file.number);
            // A complete file is not written any more, so it may be mapped.
            let bytes = log_bytes(fs, &path, file.length.is_some())?;
            Ok(Part { file: file.clone(), path, bytes })
        };
        let parts = wanted.filter(|file| file.first_lsn <= last).map(part).collect::<Result<_>>()?;
        Ok(Trail { owner: root.owner, parts, last })
    }

    /// Shows every record in turn, until told to stop.
    pub fn walk(&self, mut each: impl FnMut(Record) -> Result<bool>) -> Result<()> {
        for part in &self.parts {
            let place = (part.file.number, part.file.first_lsn);
            let mut reader = LogReader::new(&part.bytes, &part.path, self.owner, place, sealed_log(&part.file))?;
            while let Some(record) = reader.next_record()? {
                if record.lsn > self.last || !each(record)? {
                    return Ok(());
                }
            }
            if part.file.last_lsn.is_some() {
                reader.end()?;
            }
        }
        Ok(())
    }

    /// The records of a span, in order. Every one of them must be there.
    pub fn replay(&self, span: Span, mut apply: impl FnMut(Change) -> Result<()>) -> Result<u64> {
        let (mut at, mut applied) = (span.after, 0);
        self.walk(|record| {
            let (first, last) = (record.lsn, record.last_lsn());
            if last <= span.after || record.change == Change::Close {
                return Ok(true);
            }
            if first > span.to {
                return Ok(false);
            }
            if first > at + 1 {
                return Err(missing(at + 1));
            }
            at = last;
            if !matches!(record.change, Change::Void(_) | Change::Replaced) {
                apply(record.change)?;
                applied += 1;
            }
            Ok(at < span.to)
        })?;
        if at < span.to { Err(missing(at + 1)) } else { Ok(applied) }
    }

    /// The last record that is not newer than that moment, microseconds since 1970.
    pub fn last_until(&self, time: u64) -> Result<Option<u64>> {
        let mut found = None;
        for part in &self.parts {
            // A file that ended before that moment need not be read.
            if let Some(last) = part.file.last_lsn.filter(|_| part.file.last_time.is_some_and(|end| end <= time)) {
                found = Some(last);
            }
        }
        self.walk(|record| {
            if found.is_some_and(|found| record.last_lsn() <= found) || record.change == Change::Close {
                return Ok(true);
            }
            let until = record.time <= time;
            if until {
                found = Some(record.last_lsn());
            }
            Ok(until)
        })?;
        Ok(found)
    }
}

fn missing(lsn: u64) -> Error {
    Error::new(Kind::Corrupt, format!("record {lsn} is missing from the log"))
}
