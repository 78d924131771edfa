//! Opens a run and reads single values of it.
//!
//! Opening compares the seal with the manifest and the files with the seal; its cost does not grow with the rows. A block
//! is checked by the library when it is read from the disk, a row by us each time. Whatever the bytes are: no panic, and
//! no byte of a row that differs from its checksum is handed out. Whether a row is dead is not asked here.

use super::guard::guarded;
use super::options::{BlockCache, Options};
use super::row::{Raw, decode_row, decode_rows, id_key, row_key};
use super::seal::Seal;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::format::header::Owner;
use lsm_tree::{AbstractTree, AnyTree, SeqNo};
use std::fmt;
use std::path::{Path, PathBuf};

/// The run that a manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whose it is.
    pub owner: Owner,
    /// Its number within the collection.
    pub number: u64,
    /// Bytes of all its files.
    pub length: u64,
    /// The checksum of its seal.
    pub checksum: u32,
}

/// An open run.
pub struct Run {
    tree: AnyTree,
    pub(super) seal: Seal,
    path: PathBuf,
    expected: Expected,
    cache: BlockCache,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("path", &self.path).field("rows", &self.seal.rows).finish_non_exhaustive()
    }
}

impl Run {
    /// Opens the run in the folder `path`, which must be the expected one.
    pub fn open(fs: &dyn Fs, path: &Path, expected: &Expected, options: &Options) -> Result<Run> {
        if !fs.is_real() {
            return Err(Error::new(Kind::Unsupported, "engine lsm works on real files only").in_file(path));
        }
        let (seal, seal_bytes) = Seal::read(fs, path, expected.owner, expected.number, expected.checksum)?;
        let found = seal.bytes() + seal_bytes;
        if found != expected.length {
            let message = format!("expected a run of {} bytes, its seal names {found}", expected.length);
            return Err(Error::new(Kind::Corrupt, message).in_file(path));
        }
        seal.metric().map_err(|error| Error { kind: Kind::Corrupt, ..error.in_file(path) })?;
        // Only now the library sees the folder: it would remove a file that it does not know.
        seal.check(fs, path)?;
        let tree = guarded("read", path, || options.tree(path).open())?;
        Ok(Run { tree, seal, path: path.to_path_buf(), expected: *expected, cache: options.cache.clone() })
    }

    /// Rows, dead ones included.
    pub fn rows(&self) -> u32 {
        self.seal.rows
    }

    /// The smallest and the largest LSN of its rows.
    pub fn lsns(&self) -> (u64, u64) {
        (self.seal.first_lsn, self.seal.last_lsn)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its blocks are kept once they are read.
    pub fn cache(&self) -> &BlockCache {
        &self.cache
    }

    /// Bytes of all its files.
    pub fn length(&self) -> u64 {
        self.expected.length
    }

    /// Its number within the collection.
    pub fn number(&self) -> u64 {
        self.expected.number
    }

    /// Whose it is, and which.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The checksum of its seal, as the manifest keeps it.
    pub fn checksum(&self) -> u32 {
        self.expected.checksum
    }

    fn get(&self, key: &[u8]) -> Result<Option<lsm_tree::Slice>> {
        guarded("read", &self.path, || self.tree.get(key, SeqNo::MAX))
    }

    pub(super) fn tree(&self) -> &AnyTree {
        &self.tree
    }

    pub(super) fn value(&self, row: u32) -> Result<lsm_tree::Slice> {
        if row >= self.rows() {
            let message = format!("row {row} of a run of {} rows", self.rows());
            return Err(Error::new(Kind::Internal, message).in_file(&self.path));
        }
        let missing = || Error::new(Kind::Corrupt, format!("row {row} of this run is missing")).in_file(&self.path);
        self.get(&row_key(row))?.ok_or_else(missing)
    }

    pub(super) fn decode<'a>(&self, row: u32, value: &'a [u8]) -> Result<Raw<'a>> {
        decode_row(self.seal.seed, row, self.seal.dimension as usize, value).map_err(|error| error.in_file(&self.path))
    }

    /// The rows whose ids have that hash.
    pub(super) fn candidates(&self, hash: u64) -> Result<Vec<u32>> {
        let Some(value) = self.get(&id_key(hash))? else { return Ok(Vec::new()) };
        decode_rows(self.seal.seed, hash, self.rows(), &value).map_err(|error| error.in_file(&self.path))
    }
}
