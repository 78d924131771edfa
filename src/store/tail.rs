//! The end of a log that an earlier process wrote: what of it is durable, and what has to be written again.
//!
//! A record is known to be durable when a later one says so. What comes behind may be in the page cache only, and after
//! a failed sync no further sync changes that. So those records are written again, into a file of their own, before
//! anything relies on them; the file of the earlier process ends where its records are proven.

use super::paths::Paths;
use super::wal_files::Tail;
use crate::env::fs::Fs;
use crate::error::Result;
use crate::failpoint;
use crate::format::record::{self, Change};
use crate::manifest::{Manifest, Root, WalRef};
use crate::wal::{LogFile, LogReader};

/// The last file of a log as it was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Up to where it is durable; none when there is no file that is not complete.
    pub proven: Option<Tail>,
    /// Records behind that, and the last LSN of each.
    pub unproven: Vec<(Vec<u8>, u64)>,
    /// Time of the last record of all.
    pub time: u64,
}

impl Found {
    /// What `reader`, which has given all its records, found.
    pub fn of(reader: &LogReader<'_>, time: u64) -> Found {
        let proven = reader.proven();
        let is_content = |record: &[u8]| record::decode(record).is_ok_and(|record| record.change != Change::Close);
        let unproven = reader.unproven().filter(|(record, _)| is_content(record));
        Found {
            proven: Some(Tail { length: proven.length, last_lsn: proven.last_lsn, last_time: time }),
            unproven: unproven.map(|(record, lsn)| (record.to_vec(), lsn)).collect(),
            time,
        }
    }

    /// Writes the unproven records again and names them in a new manifest. Gives the end of the log.
    pub fn settle(self, fs: &dyn Fs, paths: &Paths, root: &mut Root) -> Result<Option<Tail>> {
        let (Some(proven), Some((_, last_lsn))) = (self.proven, self.unproven.last()) else {
            return Ok(self.proven);
        };
        let (number, first_lsn, last_lsn) = (root.manifest.generation + 1, proven.last_lsn + 1, *last_lsn);
        let mut file = LogFile::create(fs, &paths.wal, root.owner, (number, first_lsn), true, 0)?;
        failpoint::hit("tail.before_append")?;
        file.append_records(self.unproven.iter().map(|(record, _)| record.as_slice()), proven.last_lsn)?;
        failpoint::hit("tail.before_sync")?;
        file.sync()?;
        failpoint::hit("tail.before_manifest")?;
        root.replace(fs, &paths.home, |manifest| {
            complete(manifest, proven);
            manifest.wal.push(WalRef::begun(number, first_lsn));
        })?;
        failpoint::hit("tail.after_manifest")?;
        Ok(Some(Tail { length: file.end(), last_lsn, last_time: self.time }))
    }
}

/// Says of the last file that it is complete; one without records is not named any more.
pub fn complete(manifest: &mut Manifest, tail: Tail) {
    if let Some(last) = manifest.wal.last_mut().filter(|last| last.length.is_none()) {
        last.length = Some(tail.length);
        last.last_lsn = Some(tail.last_lsn);
        last.last_time = Some(tail.last_time);
    }
    manifest.wal.retain(|file| file.last_lsn.is_none_or(|last| last >= file.first_lsn));
}
