//! The records of a log file one after another, read ahead by a thread of their own where there are many.
//!
//! Reading is checking, decoding and making memory of it; applying is finding places. Each takes about as long, so that
//! doing both at once halves the time. Records come in their order, and what reads them stands in the end where their
//! last one was found, whether it was read here or ahead.

use crate::error::{Error, Kind, Result};
use crate::format::record::Record;
use crate::wal::LogReader;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Bytes of a log below which a thread costs more than it saves.
const AHEAD_MIN: u64 = 1 << 20;
/// Records go from one thread to the other in portions of about this many bytes; with those on their way the memory that
/// is used beside the entries themselves.
const PORTION_BYTES: u64 = 1 << 18;
const PORTIONS_AHEAD: usize = 4;

type Portion = Vec<(Record, u64)>;

/// Gives each record to `apply`, with the offset behind it, and gives the reader back.
pub fn each_record<'a>(
    mut reader: LogReader<'a>,
    bytes: u64,
    mut apply: impl FnMut(Record, u64) -> Result<()>,
) -> Result<LogReader<'a>> {
    if bytes.saturating_sub(reader.offset()) < AHEAD_MIN {
        while let Some(record) = reader.next_record()? {
            apply(record, reader.offset())?;
        }
        return Ok(reader);
    }
    thread::scope(|scope| {
        let (sender, portions) = sync_channel::<Portion>(PORTIONS_AHEAD);
        let ahead = thread::Builder::new().name("replay".into()).spawn_scoped(scope, move || read(reader, &sender))?;
        for (record, behind) in portions.iter().flatten() {
            // Whoever reads ahead ends when nobody takes what was read.
            apply(record, behind)?;
        }
        ahead.join().map_err(|_| Error::new(Kind::Internal, "the thread that reads the log panicked"))?
    })
}

/// Reads to the end, or until nobody listens. What was read before damage is given before the damage is told.
fn read<'a>(mut reader: LogReader<'a>, sender: &SyncSender<Portion>) -> Result<LogReader<'a>> {
    let (mut portion, mut began) = (Portion::new(), reader.offset());
    let ended = loop {
        match reader.next_record() {
            Ok(Some(record)) => portion.push((record, reader.offset())),
            other => break other.map(|_| ()),
        }
        if reader.offset() - began >= PORTION_BYTES {
            if sender.send(std::mem::take(&mut portion)).is_err() {
                return Ok(reader);
            }
            began = reader.offset();
        }
    };
    let _ = sender.send(portion);
    ended.map(|()| reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::fs::{Disk, read_whole};
    use crate::format::Entry;
    use crate::format::header::Owner;
    use crate::format::record::{self, Change};
    use crate::wal::LogFile;
    use std::sync::Arc;

    const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };
    const RECORDS: u64 = 800;

    /// A log of 3 MiB, and where each of its records ends.
    fn log() -> (tempfile::TempDir, std::path::PathBuf, Vec<u64>) {
        let directory = tempfile::tempdir().unwrap();
        let mut file = LogFile::create(&Disk, directory.path(), OWNER, (1, 1), false, 0).unwrap();
        let mut ends = Vec::new();
        for lsn in 1..=RECORDS {
            let entry = Entry::new(&format!("id-{lsn}"), vec![lsn as f32; 1_000], None).unwrap();
            let record = record::encode(lsn, lsn, &Change::Put(vec![Arc::new(entry)])).unwrap();
            file.append_records(std::iter::once(record.as_slice()), lsn - 1).unwrap();
            ends.push(file.end());
        }
        let path = file.path().to_path_buf();
        (directory, path, ends)
    }

    fn read_all(bytes: &[u8], stop: u64) -> (Vec<(u64, u64)>, Result<(u64, u64)>) {
        let path = std::path::Path::new("log");
        let reader = LogReader::new(bytes, path, OWNER, (1, 1), None).unwrap();
        let mut seen = Vec::new();
        let done = each_record(reader, bytes.len() as u64, |record, behind| {
            seen.push((record.lsn, behind));
            if record.lsn == stop { Err(Error::new(Kind::Corrupt, "planted")) } else { Ok(()) }
        });
        (seen, done.and_then(|reader| reader.end()).map(|end| (end.length, end.last_lsn)))
    }

    #[test]
    fn records_that_are_read_ahead_are_the_same_in_the_same_order() {
        let (_directory, path, ends) = log();
        let bytes = read_whole(&Disk, &path, 1 << 30).unwrap();
        assert!(bytes.len() as u64 > 2 * AHEAD_MIN);
        let expected: Vec<_> = (1..).zip(ends.iter().copied()).collect();
        let (seen, end) = read_all(&bytes, 0);
        assert_eq!((seen, end.unwrap()), (expected.clone(), (*ends.last().unwrap(), RECORDS)));
        let (seen, end) = read_all(&bytes, 300);
        assert_eq!((seen.len(), end.unwrap_err().kind), (300, Kind::Corrupt));
        // Cut within a record, and damaged within one: everything before it comes, and the end says which of the two it is.
        let cut = ends[600] as usize - 8;
        let (seen, end) = read_all(&bytes[..cut], 0);
        assert_eq!((&seen[..], end.unwrap()), (&expected[..600], (ends[599], 600)));
        let mut damaged = bytes;
        damaged[cut] ^= 1;
        let (seen, end) = read_all(&damaged, 0);
        assert_eq!((&seen[..], end.unwrap_err().kind), (&expected[..600], Kind::Corrupt));
    }
}
