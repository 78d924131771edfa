//! Opens a segment and holds it; `rows.rs` reads its rows.
//!
//! Opening checks the length, the header, the footer against the checksum that the manifest keeps, and the table of
//! checksums against the footer; its cost does not grow with the rows but for that table (a 4,096th of the file). The
//! rest is checked block by block at the first touch. Whatever the bytes are: no panic, no endless search, and no byte
//! of a block that differs from its checksum is handed out. The small reads are made with `read_at`, so that a disk
//! that fails is an error at opening; a mapped page that cannot be read later ends the process, see `env::fs::Bytes`.

use super::checks::Checks;
use super::content::Content;
use super::heat::{Heat, Region, Statistics};
use super::hot::Hot;
use super::layout::{FOOTER_BYTES, Footer, Layout};
use crate::env::fs::{Advice, Fs, FsFile};
use crate::error::{Error, Kind, Result};
use crate::format::Metric;
use crate::format::header::{FileKind, HEADER_BYTES, Header, Owner, crc};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The segment that a manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whose it is.
    pub owner: Owner,
    /// Its number within the collection.
    pub number: u64,
    /// Bytes of the file.
    pub length: u64,
    /// The checksum of its footer.
    pub checksum: u32,
}

/// How a segment is held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Mapped; otherwise the whole file is read to the heap, where nothing that happens to the file can reach it.
    pub mapped: bool,
    /// How the mapping will be read. Advice that the operating system does not take changes no result.
    pub advice: Advice,
    /// Reads the whole mapping at once, while it is opened.
    pub populate: bool,
    /// Asks for huge pages; [`Statistics::huge_pages`] says whether there are any.
    pub huge_pages: bool,
}

impl Default for Access {
    fn default() -> Self {
        Access { mapped: true, advice: Advice::default(), populate: false, huge_pages: false }
    }
}

/// The file's name, and whether it goes with the last user.
#[derive(Debug)]
struct Name {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    doomed: AtomicBool,
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire) {
            // No manifest names it; if it stays, the next open of the store sweeps it.
            let _ = self.fs.remove(&self.path);
        }
    }
}

/// An open segment.
#[derive(Debug)]
pub struct Segment {
    pub(super) file: Arc<dyn FsFile>,
    pub(super) content: Arc<Content>,
    pub(super) footer: Footer,
    pub(super) checks: Arc<Checks>,
    pub(super) expected: Expected,
    pub(super) heat: Arc<Heat>,
    /// Parts of a mapping that are read from the heap instead.
    pub(super) hot: Hot,
    access: Access,
    huge_pages: bool,
    /// The last field, so that the file is closed and unmapped before it is removed.
    name: Arc<Name>,
}

impl Segment {
    /// Opens the file at `path`, which must be the expected one.
    pub fn open(fs: Arc<dyn Fs>, path: &Path, expected: &Expected, access: Access) -> Result<Segment> {
        let file: Arc<dyn FsFile> = fs.open(path)?.into();
        let (footer, checks) = read_frame(&*file, expected).map_err(|error| error.in_file(path))?;
        let content = Content::take(&*file, expected.length, access.mapped).map_err(|error| error.in_file(path))?;
        let huge_pages = prepare(&content, access);
        let name = Name { fs, path: path.to_path_buf(), doomed: AtomicBool::new(false) };
        Ok(Segment {
            file,
            content: Arc::new(content),
            footer,
            checks: Arc::new(checks),
            expected: *expected,
            heat: Arc::new(Heat::new(expected.length)),
            hot: Hot::default(),
            access,
            huge_pages,
            name: Arc::new(name),
        })
    }

    /// How it is held.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The same segment held otherwise: mapped or on the heap, and of a mapping these regions (their offsets,
    /// as `hot_regions` gives them) on the heap as well. What stays as it is, is shared with this one, and so are the counters.
    pub fn held_as(&self, access: Access, regions: &[u64]) -> Result<Segment> {
        let same = access.mapped == self.access.mapped;
        let (content, checks) = if same {
            (self.content.clone(), self.checks.clone())
        } else {
            let content = Content::take(&*self.file, self.expected.length, access.mapped);
            // Bytes that were read anew are checked anew.
            (Arc::new(content.map_err(|error| error.in_file(self.path()))?), Arc::new(self.checks.unchecked()))
        };
        let huge_pages = if same && access == self.access { self.huge_pages } else { prepare(&content, access) };
        let mut held = Segment {
            file: self.file.clone(),
            content,
            footer: self.footer,
            checks,
            expected: self.expected,
            heat: self.heat.clone(),
            hot: Hot::default(),
            access,
            huge_pages,
            name: self.name.clone(),
        };
        if access.mapped {
            let read = |offset: u64, length: u64| held.bytes(offset..offset + length);
            let hot = Hot::of(regions, &self.hot, read, self.layout().checksums)?;
            held.hot = hot;
        }
        Ok(held)
    }

    /// The offsets of the regions that `held_as` put on the heap.
    pub fn hot(&self) -> Vec<u64> {
        self.hot.offsets()
    }

    /// Rows, dead ones included.
    pub fn rows(&self) -> u32 {
        self.footer.layout.rows
    }

    /// Numbers in each vector.
    pub fn dimension(&self) -> usize {
        self.footer.layout.dimension as usize
    }

    /// How vectors are compared; `None` where that was not known.
    pub fn metric(&self) -> Option<Metric> {
        self.footer.metric
    }

    /// The smallest and the largest LSN of its rows; zeros without rows.
    pub fn lsns(&self) -> (u64, u64) {
        self.footer.lsns
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.name.path
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.expected.length
    }

    /// Its number within the collection.
    pub fn number(&self) -> u64 {
        self.expected.number
    }

    /// The checksum of its footer, as the manifest keeps it.
    pub fn checksum(&self) -> u32 {
        self.expected.checksum
    }

    /// Bytes of it on the heap.
    pub fn heap_bytes(&self) -> u64 {
        if self.is_mapped() { self.hot.bytes() } else { self.length() }
    }

    fn is_mapped(&self) -> bool {
        self.content.mapping().is_some_and(|bytes| bytes.is_mapped())
    }

    /// What is known of its use since it was opened.
    pub fn statistics(&self) -> Statistics {
        let (reads, hits) = self.heat.totals();
        Statistics {
            mapped: if self.is_mapped() { self.length() } else { 0 },
            heap: self.heap_bytes(),
            resident: self.content.resident(),
            huge_pages: self.huge_pages,
            reads,
            hits,
            blocks: self.checks.blocks(),
            checked: self.checks.count_checked(),
        }
    }

    /// At most `count` parts of the file that were read, the hottest first.
    pub fn hot_regions(&self, count: usize) -> Vec<Region> {
        self.heat.hottest(count)
    }

    /// Asks for a part of the file to be read soon; `false` where the operating system cannot be asked.
    pub fn prefetch(&self, offset: u64, length: u64) -> bool {
        let (offset, length) = (offset.min(self.length()), length.min(self.length()));
        self.content.mapping().is_none_or(|bytes| bytes.prefetch(offset as usize, length as usize, false))
    }

    /// Tells the operating system how it will be read. Nothing on the heap.
    pub fn advise(&self, advice: Advice) -> Result<()> {
        let Some(mapping) = self.content.mapping() else { return Ok(()) };
        mapping.advise(advice).map_err(|source| Error::io(source, "advise on", self.path()))
    }

    /// Says that no manifest names the file any more: it is removed when the last user lets go of the segment.
    pub fn doom(&self) {
        self.name.doomed.store(true, Ordering::Release);
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.footer.layout
    }

    pub(super) fn broken(&self, message: String, offset: u64) -> Error {
        Error::new(Kind::Corrupt, message).at(offset).in_file(self.path())
    }
}

/// Tells the operating system how a mapping will be read. Whether there are huge pages.
fn prepare(content: &Content, access: Access) -> bool {
    let Some(mapping) = content.mapping() else { return false };
    let huge_pages = access.huge_pages && mapping.huge_pages();
    let _ = mapping.advise(access.advice);
    if access.populate {
        mapping.prefetch(0, mapping.len(), true);
    }
    huge_pages
}

/// The checked footer and table of checksums of a file.
fn read_frame(file: &dyn FsFile, expected: &Expected) -> Result<(Footer, Checks)> {
    let broken = |message: String, offset: u64| Error::new(Kind::Corrupt, message).at(offset);
    let length = file.length()?;
    if length != expected.length || length < HEADER_BYTES as u64 + FOOTER_BYTES {
        let message = format!("expected a segment of {} bytes, found {length}", expected.length);
        return Err(broken(message, length.min(expected.length)));
    }
    let mut head = [0; HEADER_BYTES];
    file.read_at(&mut head, 0)?;
    Header::expect(&head, FileKind::Segment, expected.owner, expected.number)?;
    let mut foot = [0; FOOTER_BYTES as usize];
    file.read_at(&mut foot, length - FOOTER_BYTES)?;
    let footer = Footer::decode(&foot, length, expected.checksum)?;
    let layout = &footer.layout;
    let mut table = vec![0; (layout.footer - layout.checksums) as usize];
    file.read_at(&mut table, layout.checksums)?;
    check_table(&table, &footer)?;
    Ok((footer, Checks::new(&table, layout.checksums)))
}

/// Refuses a table of checksums (up to the footer) that is not the one that the footer was written for.
pub(super) fn check_table(table: &[u8], footer: &Footer) -> Result<()> {
    let broken = |message: &str, offset: u64| Err(Error::new(Kind::Corrupt, message).at(offset));
    let layout = &footer.layout;
    let (sums, padding) = table.split_at_checked(layout.blocks() as usize * 4).unwrap_or_default();
    if crc(sums) != footer.checksums_crc {
        return broken("the checksums of this segment are damaged: their own checksum differs", layout.checksums);
    }
    if padding.iter().any(|byte| *byte != 0) {
        let offset = layout.checksums + sums.len() as u64;
        return broken("the bytes between the checksums and the footer are not zero", offset);
    }
    Ok(())
}
