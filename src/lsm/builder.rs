//! Writes a run: rows in order straight into tables, then the index of ids, then the seal.
//!
//! Held until the end are 16 bytes for each row (the hash of its id, and its number). Everything is synced, folders
//! included, but for the folder that holds the run, which is the caller's. A run that was not finished is removed.

use super::guard::guarded;
use super::options::Options;
use super::remove::remove;
use super::row::{encode_row, encode_rows, hash, id_key, row_key};
use super::seal::{Seal, Sealed, SealedFile, names};
use crate::env::fs::Fs;
use crate::env::new_uuid;
use crate::error::{Error, Kind, Result};
use crate::format::entry::{check_id, shown};
use crate::format::header::{Header, crc};
use crate::format::{Metric, Row};
use crate::limits::{DIMENSION_MAX, METADATA_BYTES_MAX};
use lsm_tree::AnyIngestion;
use std::path::Path;

const ROWS_MAX: u32 = u32::MAX - 1;

/// Takes the rows of a run.
pub struct Sink<'a> {
    ingestion: AnyIngestion<'a>,
    path: &'a Path,
    seed: u32,
    dimension: usize,
    /// Hashes of ids and the rows that hold them.
    ids: Vec<(u64, u32)>,
    lsns: Option<(u64, u64)>,
}

impl Sink<'_> {
    /// Appends a row. After an error the run is not to be finished.
    pub fn push(&mut self, row: &Row<'_>) -> Result<()> {
        let number = self.check(row)?;
        let value = encode_row(self.seed, number, row);
        guarded("write", self.path, || self.ingestion.write(row_key(number), value))?;
        self.ids.push((hash(row.id), number));
        let (first, last) = self.lsns.unwrap_or((row.lsn, row.lsn));
        self.lsns = Some((first.min(row.lsn), last.max(row.lsn)));
        Ok(())
    }

    /// Gives the number of the row.
    fn check(&self, row: &Row<'_>) -> Result<u32> {
        let refuse = |kind, why: String| Err(Error::new(kind, why));
        check_id(row.id)?;
        if row.vector.len() != self.dimension {
            let (id, found, due) = (shown(row.id), row.vector.len(), self.dimension);
            return refuse(Kind::Dimension, format!("vector for id '{id}' has {found} numbers, the run has {due}"));
        }
        match row.metadata.map(str::len) {
            Some(0) => return refuse(Kind::Metadata, format!("metadata of id '{}' is empty text", shown(row.id))),
            Some(bytes) if bytes > METADATA_BYTES_MAX => {
                let id = shown(row.id);
                let why = format!("metadata of id '{id}' has {bytes} bytes; at most {METADATA_BYTES_MAX}");
                return refuse(Kind::Limit, why);
            }
            _ => {}
        }
        let number = u32::try_from(self.ids.len()).ok().filter(|number| *number < ROWS_MAX);
        number.ok_or_else(|| Error::new(Kind::Limit, format!("a run has at most {ROWS_MAX} rows")))
    }

    /// Writes the index of ids; gives the rows and their LSNs.
    fn finish(mut self) -> Result<(u32, (u64, u64))> {
        self.ids.sort_unstable();
        for same in self.ids.chunk_by(|a, b| a.0 == b.0) {
            let Some((hash, _)) = same.first() else { continue };
            let value = encode_rows(self.seed, *hash, same.iter().map(|(_, row)| *row));
            guarded("write", self.path, || self.ingestion.write(id_key(*hash), value))?;
        }
        let rows = self.ids.len() as u32;
        let Some(lsns) = self.lsns else { return Err(Error::new(Kind::Internal, "a run needs a row")) };
        guarded("write", self.path, || self.ingestion.finish())?;
        Ok((rows, lsns))
    }
}

/// Writes a run into the folder `path`, whose parent exists and which is there from nobody but a process that died; `fill`
/// gives it its rows.
pub fn build(
    fs: &dyn Fs,
    path: &Path,
    header: Header,
    (dimension, metric): (usize, Option<Metric>),
    options: &Options,
    fill: impl FnOnce(&mut Sink<'_>) -> Result<()>,
) -> Result<Sealed> {
    if !fs.is_real() {
        return Err(Error::new(Kind::Unsupported, "engine lsm works on real files only").in_file(path));
    }
    if !(1..=DIMENSION_MAX).contains(&dimension) {
        let message = format!("a run of dimension {dimension}; 1 to {DIMENSION_MAX} are possible");
        return Err(Error::new(Kind::Dimension, message));
    }
    remove(fs, path)?;
    let built = write(fs, path, header, (dimension, metric), options, fill);
    if built.is_err() {
        // A folder that stays is named by nothing; the next open of the store sweeps it.
        let _ = remove(fs, path);
    }
    built
}

fn write(
    fs: &dyn Fs,
    path: &Path,
    header: Header,
    (dimension, metric): (usize, Option<Metric>),
    options: &Options,
    fill: impl FnOnce(&mut Sink<'_>) -> Result<()>,
) -> Result<Sealed> {
    // Made here, the folder is its owner's only, and so is what the library makes in it.
    fs.make_directory(path)?;
    let seed = crc(&new_uuid());
    let tree = guarded("write", path, || options.tree(path).open())?;
    let ingestion = guarded("write", path, || tree.ingestion())?;
    let mut sink = Sink { ingestion, path, seed, dimension, ids: Vec::new(), lsns: None };
    fill(&mut sink)?;
    let (rows, (first_lsn, last_lsn)) = sink.finish()?;
    drop(tree);
    // The library leaves the description of the empty tree behind, and removes it when the tree is opened again.
    drop(guarded("read", path, || options.tree(path).open())?);
    let files: Result<Vec<SealedFile>> =
        names(fs, path)?.into_iter().map(|name| SealedFile::of(fs, path, name)).collect();
    let metric = metric.map(|metric| metric.name().to_owned());
    let seal = Seal { rows, dimension: dimension as u32, metric, first_lsn, last_lsn, seed, files: files? };
    let (seal_bytes, checksum) = seal.write(fs, path, header)?;
    fs.sync_directory(path)?;
    Ok(Sealed { number: header.number, length: seal.bytes() + seal_bytes, checksum, rows })
}
