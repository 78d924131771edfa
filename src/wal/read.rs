//! Reading a log file: its records in order, and how it ends.
//!
//! A file that the manifest names as complete must hold exactly the frames that it says. The last file of a log may end
//! in a torn tail: bytes that were written and never acknowledged as durable. What tells a torn tail from damage: every
//! record carries the LSN up to which the log was durable when it was written, so that a whole record behind the
//! damaged place that knows the damaged one as durable proves damage.

use super::ahead::{self, Decoded, Portion};
use super::frame::{self, FRAMES_START};
use crate::error::{Error, Kind, Result};
use crate::format::header::{HEADER_BYTES, Header, Owner, array};
use crate::format::record::{self, Record};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// What the manifest says of a complete file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Bytes up to the end of the last frame.
    pub length: u64,
    /// The last LSN in it.
    pub last_lsn: u64,
}

/// How a file that may end anywhere ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Bytes up to the end of the last whole frame.
    pub length: u64,
    /// The last LSN up to there; the one before the file's first when it holds none.
    pub last_lsn: u64,
    /// Bytes of a torn tail behind it.
    pub torn: u64,
    /// Whether the log was closed in order.
    pub closed: bool,
}

/// Whether a file that no manifest names holds records that were written to it as the current file of the log: then a
/// manifest named it once. Copies of records that an earlier file holds do not count.
pub fn was_named(bytes: &[u8], owner: Owner, number: u64) -> bool {
    let start = frame::check_start(bytes, owner, number);
    start.is_ok_and(|start| !start.copied && frame::at(bytes, start.seed, FRAMES_START).is_some())
}

/// A log file as bytes, and how far it was read.
pub struct LogReader<'a> {
    bytes: &'a [u8],
    path: PathBuf,
    /// The header.
    pub header: Header,
    seed: u32,
    offset: usize,
    next_lsn: u64,
    sealed: Option<Sealed>,
    closed: bool,
    /// Ends of records that are not known to be durable yet, oldest first: offset behind each, and its last LSN.
    unproven: VecDeque<(usize, u64)>,
    /// Up to where records are known to be durable.
    proven: (usize, u64),
    /// Frames that were decoded ahead.
    ahead: VecDeque<Decoded>,
}

impl<'a> LogReader<'a> {
    /// Reads the file of this number, which begins with `first_lsn`. `sealed`: what the manifest says of a complete one.
    pub fn new(
        bytes: &'a [u8],
        path: &Path,
        owner: Owner,
        (number, first_lsn): (u64, u64),
        sealed: Option<Sealed>,
    ) -> Result<LogReader<'a>> {
        let start = frame::check_start(bytes, owner, number).map_err(|error| error.in_file(path))?;
        let frame::Start { header, first_lsn: found_lsn, seed, .. } = start;
        let path = path.to_path_buf();
        let reader = LogReader {
            bytes,
            path,
            header,
            seed,
            offset: FRAMES_START,
            next_lsn: first_lsn,
            sealed,
            closed: false,
            unproven: VecDeque::new(),
            proven: (FRAMES_START, first_lsn.saturating_sub(1)),
            ahead: VecDeque::new(),
        };
        if found_lsn != first_lsn || first_lsn == 0 {
            let message = format!("this log file begins with record {found_lsn}, expected was {first_lsn}");
            return Err(reader.corrupt(message, HEADER_BYTES as u64));
        }
        if let Some(sealed) = sealed {
            let found = bytes.len() as u64;
            if found < sealed.length || sealed.length < FRAMES_START as u64 {
                let message = format!("the file has {found} bytes, {} hold records", sealed.length);
                return Err(reader.corrupt(message, found));
            }
        }
        Ok(reader)
    }

    fn corrupt(&self, message: String, offset: u64) -> Error {
        Error::new(Kind::Corrupt, message).at(offset).in_file(&self.path)
    }

    /// Goes on behind `lsn`, whose record ends at `offset`, without reading what is before. `None` when the file does not
    /// reach so far.
    pub fn skip_to(mut self, offset: u64, lsn: u64) -> Option<LogReader<'a>> {
        let place = usize::try_from(offset).ok().filter(|place| (FRAMES_START..=self.bytes.len()).contains(place))?;
        (self.offset, self.next_lsn, self.proven) = (place, lsn.saturating_add(1), (place, lsn));
        Some(self)
    }

    /// The offset of the frame that `next_record` reads.
    pub fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// The LSN that `next_record` expects.
    pub fn next_lsn(&self) -> u64 {
        self.next_lsn
    }

    /// Frames that may stand at an offset, to be decoded by another thread and then taken; `None` where none begins.
    pub fn portion_at(&self, offset: u64) -> Option<Portion> {
        let sealed = self.sealed.is_some_and(|sealed| offset >= sealed.length);
        let offset = usize::try_from(offset).ok().filter(|_| !sealed)?;
        Portion::at(self.bytes, self.seed, offset)
    }

    /// Takes frames that were decoded ahead, in the order of their places.
    pub fn take(&mut self, portion: Portion) {
        self.ahead.extend(portion.frames);
    }

    /// Whether there are frames that were decoded ahead.
    pub fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The next record; `None` at the end, whatever the end is: see [`LogReader::end`].
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        if self.sealed.is_some_and(|sealed| self.offset as u64 >= sealed.length) {
            return Ok(None);
        }
        let ahead = self.ahead.pop_front().filter(|frame| frame.offset == self.offset);
        let found = ahead.or_else(|| ahead::decode(self.bytes, self.seed, self.offset));
        let Some(Decoded { bytes, record, .. }) = found.filter(|frame| frame.lsn == self.next_lsn) else {
            return Ok(None);
        };
        let in_file = |error: Error| error.at(self.offset as u64).in_file(&self.path);
        let record = record.map_err(in_file)?;
        self.offset += bytes;
        self.next_lsn = record.last_lsn().saturating_add(1);
        self.closed = record.change == record::Change::Close;
        self.unproven.push_back((self.offset, record.last_lsn()));
        while let Some(end) = self.unproven.front().copied().filter(|end| end.1 <= record.synced) {
            self.proven = end;
            self.unproven.pop_front();
        }
        Ok(Some(record))
    }

    /// Up to where, in bytes and LSNs, a later record says that the log was durable. What comes behind may be in the page
    /// cache only, also after a sync that failed.
    pub fn proven(&self) -> Sealed {
        Sealed { length: self.proven.0 as u64, last_lsn: self.proven.1 }
    }

    /// The records behind the proven ones that `next_record` has given, as bytes, each with its last LSN.
    pub fn unproven(&self) -> impl Iterator<Item = (&'a [u8], u64)> {
        let mut offset = self.proven.0;
        self.unproven.iter().filter_map(move |(end, lsn)| {
            let (record, _) = frame::at(self.bytes, self.seed, offset)?;
            offset = *end;
            Some((record, *lsn))
        })
    }

    /// Passes over what cannot be read, to the next whole record that is newer than the last; gives its LSN. Only for
    /// those who save what is left of a damaged log.
    pub fn skip_damage(&mut self) -> Option<u64> {
        let mut offset = self.offset;
        while offset < self.bytes.len() {
            let length: [u8; 4] = array(self.bytes, offset)?;
            if length != [0; 4]
                && let Some((bytes, _)) = frame::at(self.bytes, self.seed, offset)
                && let Some((lsn, _)) = record::peek(bytes).filter(|(lsn, _)| *lsn >= self.next_lsn)
            {
                self.offset = offset;
                self.next_lsn = lsn;
                return Some(lsn);
            }
            offset += 8;
        }
        None
    }

    /// Judges what is behind the last record that `next_record` gave: a clean end, a torn tail, or damage, which is an error.
    pub fn end(&self) -> Result<End> {
        let (length, last_lsn) = (self.offset as u64, self.next_lsn.saturating_sub(1));
        if let Some(sealed) = self.sealed {
            if (length, last_lsn) != (sealed.length, sealed.last_lsn) {
                let message = format!(
                    "record {} is damaged: the file is complete up to record {}, and the manifest names it so",
                    self.next_lsn, sealed.last_lsn
                );
                return Err(self.corrupt(message, length));
            }
            return Ok(End { length, last_lsn, torn: 0, closed: self.closed });
        }
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let torn = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        if let Some((lsn, at)) = self.proof_of_damage(torn as usize) {
            let message = format!(
                "record {} is damaged: record {lsn} behind it, at offset {at}, was written when {} was durable",
                self.next_lsn, self.next_lsn
            );
            return Err(self.corrupt(message, length));
        }
        Ok(End { length, last_lsn, torn, closed: self.closed })
    }

    /// A whole record behind the place that knows the record of this place as durable: its LSN and offset.
    fn proof_of_damage(&self, torn: usize) -> Option<(u64, usize)> {
        let end = self.offset + torn;
        let mut offset = self.offset;
        while offset < end {
            // Only a record with a right checksum proves anything; zeros and most garbage fail at the first look.
            let length: [u8; 4] = array(self.bytes, offset)?;
            if length != [0; 4]
                && let Some((bytes, _)) = frame::at(self.bytes, self.seed, offset)
                && let Some((lsn, synced)) = record::peek(bytes)
                && synced >= self.next_lsn
            {
                return Some((lsn, offset));
            }
            offset += 8;
        }
        None
    }
}
