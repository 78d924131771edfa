//! Writes a segment: rows one by one, then the rest of the file, in one pass and in bounded memory.
//!
//! Vectors go to the file as they come. Held until the end are 32 bytes for each row (LSN, ends, hash) and up to 32 MiB
//! of ids and metadata; more of those waits in files beside the segment. `finish` syncs the file; its directory is the
//! caller's. A builder that is dropped before it finished, or that failed, removes what it wrote.

use super::index;
use super::layout::{Footer, Layout, ROWS_MAX};
use super::output::Output;
use super::spool::Spool;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::entry::{check_id, shown};
use crate::format::header::{FileKind, Header, crc};
use crate::format::{Metric, Row};
use crate::limits::{DIMENSION_MAX, METADATA_BYTES_MAX};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a builder holds of ids, and again of metadata, before they go to a file.
const HELD_BYTES_MAX: usize = 16 << 20;

/// A finished segment, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Its number within the collection.
    pub number: u64,
    /// Bytes of the file.
    pub length: u64,
    /// The checksum of its footer, on which all others in the file depend.
    pub checksum: u32,
    /// Rows in it.
    pub rows: u32,
    /// The smallest and the largest LSN of its rows; zeros without rows.
    pub lsns: (u64, u64),
}

/// A segment that is being written.
#[derive(Debug)]
pub struct Builder {
    output: Output,
    number: u64,
    dimension: usize,
    metric: Option<Metric>,
    ids: Spool,
    metadata: Spool,
    id_ends: Vec<u64>,
    metadata_ends: Vec<u64>,
    lsns: Vec<u64>,
    hashes: Vec<u64>,
    failed: bool,
    /// The last field, so that the file is closed before it is removed.
    unfinished: Unfinished,
}

/// Removes the file unless it was finished.
#[derive(Debug)]
struct Unfinished {
    fs: Arc<dyn Fs>,
    path: Option<PathBuf>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A file that stays is named by nothing; the next open of the store sweeps it.
            let _ = self.fs.remove(path);
        }
    }
}

impl Builder {
    /// Begins a new file; one that exists is refused.
    pub fn create(
        fs: Arc<dyn Fs>,
        path: &Path,
        header: Header,
        dimension: usize,
        metric: Option<Metric>,
    ) -> Result<Builder> {
        if header.kind != FileKind::Segment {
            return Err(Error::new(Kind::Internal, "a segment needs the header of a segment"));
        }
        if !(1..=DIMENSION_MAX).contains(&dimension) {
            let message = format!("a segment of dimension {dimension}; 1 to {DIMENSION_MAX} are possible");
            return Err(Error::new(Kind::Dimension, message));
        }
        let file = fs.create(path)?;
        let spool = |what: &str| Spool::new(fs.clone(), path.with_extension(what), HELD_BYTES_MAX);
        let mut builder = Builder {
            ids: spool("ids.tmp"),
            metadata: spool("metadata.tmp"),
            output: Output::new(file),
            number: header.number,
            dimension,
            metric,
            id_ends: Vec::new(),
            metadata_ends: Vec::new(),
            lsns: Vec::new(),
            hashes: Vec::new(),
            failed: false,
            unfinished: Unfinished { fs, path: Some(path.to_path_buf()) },
        };
        failpoint::hit("segment.after_create")?;
        builder.output.write(&header.encode())?;
        Ok(builder)
    }

    /// Rows so far.
    pub fn rows(&self) -> u32 {
        self.lsns.len() as u32
    }

    /// Appends a row. One that is refused (wrong dimension, an id or metadata that cannot be stored, more rows than
    /// possible) changes nothing; after a failure of the disk the builder takes no more.
    pub fn push(&mut self, row: Row<'_>) -> Result<()> {
        self.check(&row)?;
        self.failed = true;
        self.output.write(bytemuck::cast_slice(row.vector))?;
        self.ids.push(row.id.as_bytes())?;
        self.metadata.push(row.metadata.unwrap_or_default().as_bytes())?;
        self.id_ends.push(self.ids.length());
        self.metadata_ends.push(self.metadata.length());
        self.lsns.push(row.lsn);
        self.hashes.push(index::hash(row.id.as_bytes()));
        self.failed = false;
        Ok(())
    }

    fn check(&self, row: &Row<'_>) -> Result<()> {
        let refuse = |kind, why: String| Err(Error::new(kind, why));
        self.check_sound()?;
        check_id(row.id)?;
        if row.vector.len() != self.dimension {
            let (id, found, due) = (shown(row.id), row.vector.len(), self.dimension);
            return refuse(Kind::Dimension, format!("vector for id '{id}' has {found} numbers, the segment has {due}"));
        }
        if self.lsns.len() as u64 >= u64::from(ROWS_MAX) {
            return refuse(Kind::Limit, format!("a segment has at most {ROWS_MAX} rows"));
        }
        match row.metadata.map(str::len) {
            Some(0) => refuse(Kind::Metadata, format!("metadata of id '{}' is empty text", shown(row.id))),
            Some(bytes) if bytes > METADATA_BYTES_MAX => {
                let id = shown(row.id);
                refuse(Kind::Limit, format!("metadata of id '{id}' has {bytes} bytes; at most {METADATA_BYTES_MAX}"))
            }
            _ => Ok(()),
        }
    }

    fn check_sound(&self) -> Result<()> {
        if self.failed {
            return Err(Error::new(Kind::Internal, "this segment could not be written; begin another"));
        }
        Ok(())
    }

    /// Writes the rest and syncs the file.
    pub fn finish(self) -> Result<Sealed> {
        self.check_sound()?;
        let Builder { mut unfinished, mut output, number, dimension, metric, ids, metadata, .. } = self;
        let rows = self.lsns.len() as u32;
        let layout = Layout::new(rows, dimension as u32, ids.length(), metadata.length());
        let layout = layout.ok_or_else(|| Error::new(Kind::Limit, "the segment is larger than any file"))?;
        let lsns = (self.lsns.iter().min().copied(), self.lsns.iter().max().copied());
        let lsns = (lsns.0.unwrap_or(0), lsns.1.unwrap_or(0));

        failpoint::hit("segment.before_tables")?;
        begin(&mut output, layout.lsns)?;
        output.write(bytemuck::cast_slice(&self.lsns))?;
        begin(&mut output, layout.id_ends)?;
        output.write(bytemuck::cast_slice(&self.id_ends))?;
        begin(&mut output, layout.ids)?;
        ids.pour(&mut output)?;
        begin(&mut output, layout.metadata_ends)?;
        output.write(bytemuck::cast_slice(&self.metadata_ends))?;
        begin(&mut output, layout.metadata)?;
        metadata.pour(&mut output)?;
        begin(&mut output, layout.index)?;
        output.write(bytemuck::cast_slice(&index::build(&self.hashes, layout.slots)))?;
        begin(&mut output, layout.checksums)?;

        let (file, mut tail) = output.finish()?;
        let checksums_crc = crc(&tail);
        tail.resize((layout.footer - layout.checksums) as usize, 0);
        let (footer, checksum) = Footer { layout, metric, lsns, checksums_crc }.encode();
        tail.extend_from_slice(&footer);
        failpoint::hit("segment.before_footer")?;
        file.write_at(&tail, layout.checksums)?;
        failpoint::hit("segment.before_sync")?;
        file.sync()?;
        failpoint::hit("segment.after_sync")?;
        unfinished.path = None;
        Ok(Sealed { number, length: layout.length, checksum, rows, lsns })
    }
}

/// Begins a section, which must be where the layout has it.
fn begin(output: &mut Output, offset: u64) -> Result<()> {
    output.pad()?;
    if output.position() == offset {
        return Ok(());
    }
    let message = format!("a section of a segment begins at {}, its layout says {offset}", output.position());
    Err(Error::new(Kind::Internal, message))
}
