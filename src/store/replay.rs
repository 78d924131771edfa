//! The records of a log file one after another, checked and decoded ahead by other threads where there are many.
//!
//! Nearly all the work of a replay is reading the bytes and making memory for what they say; to find the place of each
//! entry is the rest, and has to be done in order. Where the log ends, and whether that is damage, is decided by the reader
//! alone, in order, as if nothing had been done ahead.

use super::recovery::LogBytes;
use crate::error::Result;
use crate::format::record::Record;
use crate::wal::{LogReader, Portion};
use crate::workers::InOrder;
use std::sync::Arc;

/// Bytes of a log below which threads cost more than they save.
const AHEAD_MIN: usize = 1 << 20;

/// Gives each record to `apply`, with the offset behind it. The reader then stands behind the last of them.
pub(super) fn each_record(
    reader: &mut LogReader<'_>,
    bytes: &Arc<LogBytes>,
    mut apply: impl FnMut(Record, u64) -> Result<()>,
) -> Result<()> {
    if bytes.len().saturating_sub(reader.offset() as usize) >= AHEAD_MIN {
        let mut pool: InOrder<Portion> = InOrder::new("replay")?;
        let mut next = reader.portion_at(reader.offset());
        loop {
            let decoded = match next {
                Some(portion) => {
                    next = reader.portion_at(portion.end());
                    let bytes = bytes.clone();
                    pool.push(move || portion.decoded(&bytes))?
                }
                None => match pool.pop()? {
                    None => break,
                    decoded => decoded,
                },
            };
            let Some(portion) = decoded else { continue };
            reader.take(portion);
            while reader.is_ahead() {
                let Some(record) = reader.next_record()? else { return Ok(()) };
                apply(record, reader.offset())?;
            }
        }
    }
    while let Some(record) = reader.next_record()? {
        apply(record, reader.offset())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::fs::{Disk, read_whole};
    use crate::error::{Error, Kind};
    use crate::format::Entry;
    use crate::format::header::Owner;
    use crate::format::record::{self, Change};
    use crate::wal::LogFile;

    const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };
    const RECORDS: u64 = 800;

    /// A log of 3 MiB, and where each of its records ends.
    fn log() -> (Vec<u8>, Vec<u64>) {
        let directory = tempfile::tempdir().unwrap();
        let mut file = LogFile::create(&Disk, directory.path(), OWNER, (1, 1), false, 0).unwrap();
        let mut ends = Vec::new();
        for lsn in 1..=RECORDS {
            let entry = Entry::new(&format!("id-{lsn}"), vec![lsn as f32; 1_000], None).unwrap();
            let record = record::encode(lsn, lsn, &Change::Put(vec![Arc::new(entry)])).unwrap();
            file.append_records(std::iter::once(record.as_slice()), lsn - 1).unwrap();
            ends.push(file.end());
        }
        (read_whole(&Disk, file.path(), 1 << 30).unwrap(), ends)
    }

    type Seen = Vec<(u64, u64)>;

    fn read_all(bytes: &[u8], stop: u64) -> (Seen, Result<(u64, u64)>) {
        let bytes = Arc::new(LogBytes::Copied(bytes.to_vec()));
        let path = std::path::Path::new("log");
        let mut reader = LogReader::new(&bytes, path, OWNER, (1, 1), None).unwrap();
        let mut seen = Vec::new();
        let done = each_record(&mut reader, &bytes, |record, behind| {
            seen.push((record.lsn, behind));
            if record.lsn == stop { Err(Error::new(Kind::Internal, "planted")) } else { Ok(()) }
        });
        (seen, done.and_then(|()| reader.end()).map(|end| (end.length, end.last_lsn)))
    }

    #[test]
    fn records_that_are_decoded_ahead_are_the_same_in_the_same_order_and_end_where_they_end() {
        let (bytes, ends) = log();
        assert!(bytes.len() > 2 * AHEAD_MIN);
        let expected: Seen = (1..).zip(ends.iter().copied()).collect();
        let (seen, end) = read_all(&bytes, 0);
        assert_eq!((seen, end.unwrap()), (expected.clone(), (*ends.last().unwrap(), RECORDS)));
        let (seen, end) = read_all(&bytes, 300);
        assert_eq!((seen.len(), end.unwrap_err().kind), (300, Kind::Internal));
        // Cut within a record, or damaged within one: everything before it comes, and the end says which of the two it is.
        let cut = ends[600] as usize - 8;
        let (seen, end) = read_all(&bytes[..cut], 0);
        assert_eq!((&seen[..], end.unwrap()), (&expected[..600], (ends[599], 600)));
        let mut damaged = bytes.clone();
        damaged[cut] ^= 1;
        let (seen, end) = read_all(&damaged, 0);
        assert_eq!((&seen[..], end.unwrap_err().kind), (&expected[..600], Kind::Corrupt));
        // A length that is wrong leads nowhere.
        let mut damaged = bytes;
        damaged[ends[599] as usize + 2] ^= 1;
        let (seen, end) = read_all(&damaged, 0);
        assert_eq!((&seen[..], end.unwrap_err().kind), (&expected[..600], Kind::Corrupt));
    }
}
