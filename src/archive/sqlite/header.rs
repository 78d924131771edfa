//! The header of a SQLite database, as far as it says how long the file is and how it may be opened.
//! Numbers are big-endian (sqlite.org/fileformat.html, section 1.3).

use crate::error::{Error, Kind, Result};

/// How every SQLite database begins.
const BEGINNING: &[u8; 16] = b"SQLite format 3\0";

/// Whether it is one.
pub(in crate::archive) fn begins_sqlite(head: &[u8]) -> bool {
    head.starts_with(BEGINNING)
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the file. `None` when its last writer did not say (SQLite before 3.7.0).
    pub length: Option<u64>,
    /// Changes may be in a file `-wal` beside it.
    pub write_ahead: bool,
}

fn number<const N: usize>(head: &[u8], at: usize) -> Result<u64> {
    let bytes = head.get(at..at + N).ok_or_else(|| Error::new(Kind::Format, "cut inside the header of SQLite"))?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

impl Header {
    /// The header in the first bytes of the file.
    pub fn parse(head: &[u8]) -> Result<Self> {
        let page = match number::<2>(head, 16)? {
            1 => 65_536,
            page if page.is_power_of_two() && page >= 512 => page,
            page => {
                return Err(Error::new(Kind::Format, format!("not a SQLite database: its pages have {page} bytes")));
            }
        };
        let pages = number::<4>(head, 28)?;
        // The number of pages counts when the writer that changed the file last wrote it, too.
        let said = pages > 0 && number::<4>(head, 24)? == number::<4>(head, 92)?;
        let write_ahead = head.get(18..20).is_some_and(|versions| versions.contains(&2));
        Ok(Header { length: said.then_some(page * pages), write_ahead })
    }

    /// Compares the length of the file with what the header says.
    pub fn check_length(self, found: u64) -> Result<()> {
        let what = match self.length {
            Some(due) if found < due => "the database was cut",
            Some(due) if found > due => "other bytes follow the database",
            _ => return Ok(()),
        };
        let due = self.length.unwrap_or(0);
        Err(Error::new(Kind::Format, format!("{what}: its header says {due} bytes, it has {found}")).at(due.min(found)))
    }
}
