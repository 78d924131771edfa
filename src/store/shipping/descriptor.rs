//! What an exported log says of itself: the file `EXPORT`, the first member of the archive, which names every other.

use crate::error::{Error, Kind, Result};
use crate::format::document::{self, hash};
use crate::format::header::{FileKind, Header, Owner};
use crate::limits::{EXPORT_FILES_MAX, WAL_FILE_BYTES_MAX};
use crate::store::tarball::Form;
use crate::wal;
use serde::{Deserialize, Serialize};

/// What the archive is.
pub const FORM: Form = Form { what: "an exported log", first: "EXPORT" };

/// A part of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Descriptor {
    /// The name of the collection.
    pub name: String,
    /// When it was made, microseconds since 1970.
    pub created: u64,
    /// The change before the first that it holds; 0: there was none.
    pub after: u64,
    /// The last change that it holds; the same as `after` when it holds none.
    pub to: u64,
    /// SHA-256 of the record of the change `after`, in hex; null when the log did not hold it any more.
    pub previous: Option<String>,
    /// Time of the first change, microseconds since 1970; null when there is none.
    pub from_time: Option<u64>,
    /// Time of the last change.
    pub to_time: Option<u64>,
    /// Records.
    pub records: u64,
    /// Numbers in each vector; 0 while unknown.
    pub dimension: u32,
    /// Distance metric; null while unknown.
    pub metric: Option<String>,
    /// The log files, in order.
    pub files: Vec<File>,
}

/// A log file in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    /// Its name.
    pub name: String,
    /// The first change in it.
    pub first_lsn: u64,
    /// The last one.
    pub last_lsn: u64,
    /// Its bytes.
    pub length: u64,
    /// SHA-256 of them, in hex.
    pub checksum: String,
}

/// A descriptor as it stands in a file.
#[derive(Debug, Clone)]
pub struct Found {
    /// The collection that it is a part of the log of.
    pub owner: Owner,
    /// What it says.
    pub descriptor: Descriptor,
    /// SHA-256 of it, in hex.
    pub checksum: String,
}

impl Descriptor {
    fn check(&self) -> Result<()> {
        let wrong = |what: &str| Err(document::broken(format!("the exported log contradicts itself: {what}")));
        if self.files.len() > EXPORT_FILES_MAX {
            return Err(Error::new(Kind::Limit, "the exported log names more files than are possible"));
        }
        if self.after > self.to || self.to == u64::MAX {
            return wrong("it ends before it begins");
        }
        let mut at = self.after;
        for (file, number) in self.files.iter().zip(1..) {
            if file.name != wal::file_name(number) {
                return wrong("a file that is not the next one");
            }
            if at.checked_add(1) != Some(file.first_lsn) || file.last_lsn < file.first_lsn {
                return wrong("changes between two of its files are missing");
            }
            if file.length > WAL_FILE_BYTES_MAX {
                return wrong("a file that is longer than one can be");
            }
            at = file.last_lsn;
        }
        if at != self.to {
            return wrong("its files do not end with its last change");
        }
        Ok(())
    }
}

/// The bytes of the file.
pub fn encode(owner: Owner, descriptor: &Descriptor) -> Result<Vec<u8>> {
    descriptor.check()?;
    document::encode(&Header { kind: FileKind::Export, owner, number: 0, generation: 0 }, descriptor)
}

/// Reads the bytes of such a file.
pub fn decode(bytes: &[u8]) -> Result<Found> {
    let (header, descriptor) = document::decode::<Descriptor>(bytes, FileKind::Export)?;
    descriptor.check()?;
    Ok(Found { owner: header.owner, descriptor, checksum: hash(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };

    fn sample() -> Descriptor {
        let file = |number: u64, first_lsn, last_lsn| {
            let (name, checksum) = (wal::file_name(number), "ab".to_owned());
            File { name, first_lsn, last_lsn, length: 200, checksum }
        };
        Descriptor {
            name: "a".to_owned(),
            created: 9,
            after: 4,
            to: 12,
            previous: Some("00".to_owned()),
            from_time: Some(7),
            to_time: Some(8),
            records: 8,
            dimension: 3,
            metric: None,
            files: vec![file(1, 5, 9), file(2, 10, 12)],
        }
    }

    #[test]
    fn every_flipped_bit_and_every_length_is_noticed() {
        let bytes = encode(OWNER, &sample()).unwrap();
        assert_eq!((decode(&bytes).unwrap().descriptor, decode(&bytes).unwrap().owner), (sample(), OWNER));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length]).is_err()));
    }

    #[test]
    fn what_contradicts_itself_or_leads_elsewhere_is_refused() {
        let refused = |change: &dyn Fn(&mut Descriptor)| {
            let mut descriptor = sample();
            change(&mut descriptor);
            let header = Header { kind: FileKind::Export, owner: OWNER, number: 0, generation: 0 };
            assert!(encode(OWNER, &descriptor).is_err());
            assert!(decode(&document::encode(&header, &descriptor).unwrap()).is_err());
        };
        refused(&|descriptor| descriptor.after = 5);
        refused(&|descriptor| descriptor.after = 13);
        refused(&|descriptor| descriptor.to = 13);
        refused(&|descriptor| descriptor.files[1].first_lsn = 11);
        refused(&|descriptor| descriptor.files[1].last_lsn = 9);
        refused(&|descriptor| descriptor.files[1].name = "../x".to_owned());
        refused(&|descriptor| descriptor.files.swap(0, 1));
        refused(&|descriptor| descriptor.files[0].length = u64::MAX);
        refused(&|descriptor| descriptor.files = vec![descriptor.files[0].clone(); EXPORT_FILES_MAX + 1]);
        refused(&|descriptor| descriptor.files.clear());
    }
}
