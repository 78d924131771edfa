//! The file `SEAL` of a run: what the run holds, and every other file of its folder with length and checksums.
//!
//! The file is its header, a JSON text, and the CRC-32 of that text, which the manifest keeps. Opening a run compares the
//! names, the lengths and the end of each file (where the library keeps what it trusts without a checksum of its own: all
//! of the small files, the table of contents of the large ones); `verify` compares all bytes.

use crate::env::fs::{Fs, FsFile, read_whole};
use crate::error::{Error, Kind, Result};
use crate::format::Metric;
use crate::format::header::{FileKind, HEADER_BYTES, Header, Owner, crc};
use crate::limits::SMALL_FILE_BYTES_MAX;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the file.
pub const SEAL: &str = "SEAL";
/// The folder of the tables.
pub(super) const TABLES: &str = "tables";
/// The end of a file that opening compares.
const TAIL_BYTES: u64 = 4_096;
const PIECE_BYTES: usize = 1 << 20;

/// A finished run, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its number within the collection.
    pub number: u64,
    /// Bytes of all its files.
    pub length: u64,
    /// The checksum of its seal, on which all others depend.
    pub checksum: u32,
    /// Rows in it.
    pub rows: u32,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct SealedFile {
    /// Below the folder, with forward slashes.
    pub name: String,
    pub length: u64,
    /// CRC-32 of all bytes.
    pub crc: u32,
    /// CRC-32 of the last 4,096.
    pub tail: u32,
}

/// What a run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Seal {
    pub rows: u32,
    pub dimension: u32,
    pub metric: Option<String>,
    pub first_lsn: u64,
    pub last_lsn: u64,
    /// What the checksums of rows begin with: no two runs have the same.
    pub seed: u32,
    pub files: Vec<SealedFile>,
}

impl Seal {
    /// Bytes of the files that it names.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// Writes the file; gives its length and its checksum.
    pub fn write(&self, fs: &dyn Fs, folder: &Path, header: Header) -> Result<(u64, u32)> {
        let mut bytes = header.encode().to_vec();
        serde_json::to_writer(&mut bytes, self)
            .map_err(|error| Error::new(Kind::Internal, format!("the seal cannot be written: {error}")))?;
        let sum = crc(bytes.get(HEADER_BYTES..).unwrap_or_default());
        bytes.extend_from_slice(&sum.to_le_bytes());
        if bytes.len() as u64 > SMALL_FILE_BYTES_MAX {
            return Err(Error::new(Kind::Limit, "a run of more files than a seal can name"));
        }
        let file = fs.create(&folder.join(SEAL))?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        Ok((bytes.len() as u64, sum))
    }

    /// Reads the file of the expected run; gives its length as well.
    pub fn read(fs: &dyn Fs, folder: &Path, owner: Owner, number: u64, checksum: u32) -> Result<(Seal, u64)> {
        let path = folder.join(SEAL);
        let bytes = read_whole(fs, &path, SMALL_FILE_BYTES_MAX)?;
        let seal = Seal::decode(&bytes, owner, number, checksum).map_err(|error| error.in_file(&path))?;
        Ok((seal, bytes.len() as u64))
    }

    fn decode(bytes: &[u8], owner: Owner, number: u64, checksum: u32) -> Result<Seal> {
        Header::expect(bytes, FileKind::Run, owner, number)?;
        let broken = |what: String| Error::new(Kind::Corrupt, what).at(HEADER_BYTES as u64);
        let content = bytes.get(HEADER_BYTES..).and_then(|rest| rest.split_last_chunk::<4>());
        let Some((text, sum)) = content else { return Err(broken("the seal ends too early".to_owned())) };
        if *sum != crc(text).to_le_bytes() {
            return Err(broken("the seal is damaged: its checksum differs".to_owned()));
        }
        if *sum != checksum.to_le_bytes() {
            return Err(broken("the seal is not the one that the manifest names".to_owned()));
        }
        let seal: Seal =
            serde_json::from_slice(text).map_err(|error| broken(format!("the seal is not understood: {error}")))?;
        if seal.dimension == 0 || seal.rows == 0 || seal.files.is_empty() {
            return Err(broken("the seal is of a run without rows".to_owned()));
        }
        Ok(seal)
    }

    /// The metric, where it is known.
    pub fn metric(&self) -> Result<Option<Metric>> {
        self.metric.as_deref().map(Metric::named).transpose()
    }

    /// Refuses a folder that does not hold exactly these files, or one whose end differs.
    pub fn check(&self, fs: &dyn Fs, folder: &Path) -> Result<()> {
        let names = names(fs, folder)?;
        let strange = names.iter().find(|name| self.files.iter().all(|file| file.name != **name));
        if let Some(name) = strange {
            let message = "the seal of this run does not name this file";
            return Err(Error::new(Kind::Corrupt, message).in_file(&folder.join(name)));
        }
        for sealed in &self.files {
            let path = folder.join(&sealed.name);
            let file = fs.open(&path)?;
            check_length(&*file, sealed).map_err(|error| error.in_file(&path))?;
            let from = sealed.length - sealed.length.min(TAIL_BYTES);
            if tail(&*file, sealed.length)? != sealed.tail {
                let message = "the end of this file differs from its checksum";
                return Err(Error::new(Kind::Corrupt, message).at(from).in_file(&path));
            }
        }
        Ok(())
    }
}

fn check_length(file: &dyn FsFile, sealed: &SealedFile) -> Result<()> {
    let (found, due) = (file.length()?, sealed.length);
    if found == due {
        return Ok(());
    }
    Err(Error::new(Kind::Corrupt, format!("expected {due} bytes, found {found}")).at(found.min(due)))
}

/// The names of all files of a run but the seal, sorted.
pub(super) fn names(fs: &dyn Fs, folder: &Path) -> Result<Vec<String>> {
    let tables = fs.list(&folder.join(TABLES))?.into_iter().map(|name| format!("{TABLES}/{name}"));
    let mut names: Vec<String> =
        fs.list(folder)?.into_iter().filter(|name| name != TABLES && name != SEAL).chain(tables).collect();
    names.sort();
    Ok(names)
}

fn tail(file: &dyn FsFile, length: u64) -> Result<u32> {
    let mut bytes = vec![0; length.min(TAIL_BYTES) as usize];
    file.read_at(&mut bytes, length - length.min(TAIL_BYTES))?;
    Ok(crc(&bytes))
}

fn whole(file: &dyn FsFile, length: u64, mut before: impl FnMut() -> Result<()>) -> Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    let mut piece = vec![0; length.min(PIECE_BYTES as u64) as usize];
    let mut offset = 0;
    while offset < length {
        before()?;
        let part = piece.get_mut(..(length - offset).min(PIECE_BYTES as u64) as usize).unwrap_or_default();
        file.read_at(part, offset)?;
        hasher.update(part);
        offset += part.len() as u64;
    }
    Ok(hasher.finalize())
}

impl SealedFile {
    /// A file as it is.
    pub fn of(fs: &dyn Fs, folder: &Path, name: String) -> Result<SealedFile> {
        let file = fs.open(&folder.join(&name))?;
        let length = file.length()?;
        Ok(SealedFile { crc: whole(&*file, length, || Ok(()))?, tail: tail(&*file, length)?, length, name })
    }

    /// Reads the whole file and compares it. `before` is asked before each piece.
    pub fn verify(&self, fs: &dyn Fs, folder: &Path, before: impl FnMut() -> Result<()>) -> Result<()> {
        let path = folder.join(&self.name);
        let file = fs.open(&path)?;
        check_length(&*file, self).map_err(|error| error.in_file(&path))?;
        if whole(&*file, self.length, before)? != self.crc {
            return Err(Error::new(Kind::Corrupt, "the bytes of this file differ from their checksum").in_file(&path));
        }
        Ok(())
    }
}

/// Every file of the expected run, the seal first: name below the folder, length, checksum.
pub fn files(
    fs: &dyn Fs,
    folder: &Path,
    owner: Owner,
    (number, checksum): (u64, u32),
) -> Result<Vec<(String, u64, u32)>> {
    let (seal, length) = Seal::read(fs, folder, owner, number, checksum)?;
    let others = seal.files.into_iter().map(|file| (file.name, file.length, file.crc));
    Ok(std::iter::once((SEAL.to_owned(), length, checksum)).chain(others).collect())
}

/// Whether a run may have a file of that name.
pub fn is_file_name(name: &str) -> bool {
    let name = name.strip_prefix("tables/").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.bytes().next().is_some_and(|first| first != b'.') && name.len() <= 64 && name.bytes().all(plain)
}

/// The generation of the manifest when the run in that folder was made; `None` for one that was not finished.
pub fn generation(fs: &dyn Fs, folder: &Path) -> Option<u32> {
    let file = fs.open(&folder.join(SEAL)).ok()?;
    let mut head = [0; HEADER_BYTES];
    file.read_at(&mut head, 0).ok()?;
    Header::decode(&head, FileKind::Run).ok().map(|header| header.generation)
}
