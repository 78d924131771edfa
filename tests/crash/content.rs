//! The bytes of one simulated file, in pages that are shared until one of them is changed.
//!
//! Clones cost a pointer per page, so that a whole file system can be kept for each call of a workload and changed into
//! thousands of crash images. Hashes of pages and files are remembered. A page of zeros takes no memory.

use std::sync::{Arc, OnceLock};
use xxhash_rust::xxh3::xxh3_64;

/// What a disk writes as a whole or not at all.
pub const SECTOR: u64 = 512;
/// What the page cache writes at once, and the block to which a truncation clears the tail of a file.
pub const PAGE: u64 = 4_096;

const PAGE_BYTES: usize = PAGE as usize;
const SECTOR_BYTES: usize = SECTOR as usize;
const ZEROS: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

#[derive(Debug)]
struct Page {
    bytes: [u8; PAGE_BYTES],
    hash: OnceLock<u64>,
}

impl Clone for Page {
    /// A page is cloned to be changed: it does not keep the hash.
    fn clone(&self) -> Page {
        Page { bytes: self.bytes, hash: OnceLock::new() }
    }
}

impl Page {
    /// 0 for zeros, so that a page that was written with zeros equals one that never was written.
    fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| if self.bytes == ZEROS { 0 } else { xxh3_64(&self.bytes) })
    }
}

/// One sector as it was at some moment; shares its page.
#[derive(Debug, Clone)]
pub struct Sector {
    page: Option<Arc<Page>>,
    start: usize,
}

impl Sector {
    /// Its 512 bytes.
    pub fn bytes(&self) -> &[u8] {
        let page = self.page.as_ref().map_or(&ZEROS, |page| &page.bytes);
        &page[self.start..self.start + SECTOR_BYTES]
    }
}

/// Length and bytes. What lies beyond the length is zeros, except between `put_sector` and `set_length`.
#[derive(Debug, Clone, Default)]
pub struct Content {
    length: u64,
    pages: Vec<Option<Arc<Page>>>,
    hash: OnceLock<u64>,
}

impl Content {
    /// A file with these bytes.
    pub fn of(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(bytes, 0);
        content
    }

    /// Bytes in the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// All bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        self.read(&mut bytes, 0);
        bytes
    }

    /// Fills the buffer from `offset` on; `false` when the file ends before that.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.length) {
            return false;
        }
        for (page, within, at, count) in pieces(offset, buffer.len()) {
            let place = &mut buffer[at..at + count];
            match self.pages.get(page).and_then(Option::as_ref) {
                Some(found) => place.copy_from_slice(&found.bytes[within..within + count]),
                None => place.fill(0),
            }
        }
        true
    }

    /// Writes, and makes the file longer where that is needed.
    pub fn write(&mut self, bytes: &[u8], offset: u64) {
        self.put(bytes, offset);
        self.length = self.length.max(offset + bytes.len() as u64);
    }

    /// The sector of that number.
    pub fn sector(&self, index: u64) -> Sector {
        let offset = index * SECTOR;
        let page = self.pages.get((offset / PAGE) as usize).cloned().flatten();
        Sector { page, start: (offset % PAGE) as usize }
    }

    /// Puts a sector in its place, whatever the length is: `set_length` comes after.
    pub fn put_sector(&mut self, index: u64, bytes: &[u8]) {
        self.put(bytes, index * SECTOR);
    }

    /// Clears a range; the length stays.
    pub fn zero(&mut self, from: u64, to: u64) {
        self.hash.take();
        let to = to.min(self.pages.len() as u64 * PAGE);
        if from >= to {
            return;
        }
        for (page, within, _, count) in pieces(from, (to - from) as usize) {
            let Some(slot) = self.pages.get_mut(page) else { continue };
            if count == PAGE_BYTES {
                *slot = None;
            } else if let Some(found) = slot {
                let found = Arc::make_mut(found);
                found.hash.take();
                found.bytes[within..within + count].fill(0);
            }
        }
    }

    /// Cuts what lies beyond, or adds zeros.
    pub fn set_length(&mut self, length: u64) {
        self.zero(length, u64::MAX);
        self.pages.truncate(length.div_ceil(PAGE) as usize);
        self.length = length;
    }

    /// Equal for equal contents.
    pub fn hash(&self) -> u64 {
        *self.hash.get_or_init(|| {
            let used = self.pages.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            let mut words = vec![self.length];
            words.extend(self.pages[..used].iter().map(|page| page.as_ref().map_or(0, |page| page.hash())));
            while words.len() > 1 && words.last() == Some(&0) {
                words.pop();
            }
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            xxh3_64(&bytes)
        })
    }

    fn put(&mut self, bytes: &[u8], offset: u64) {
        self.hash.take();
        for (page, within, at, count) in pieces(offset, bytes.len()) {
            let piece = &bytes[at..at + count];
            if self.pages.len() <= page {
                self.pages.resize(page + 1, None);
            }
            let slot = &mut self.pages[page];
            if slot.is_none() && piece == &ZEROS[..count] {
                continue;
            }
            let found = slot.get_or_insert_with(|| Arc::new(Page { bytes: ZEROS, hash: OnceLock::new() }));
            let found = Arc::make_mut(found);
            found.hash.take();
            found.bytes[within..within + count].copy_from_slice(piece);
        }
    }
}

/// A range taken apart at pages: page, offset in the page, offset in the range, bytes.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= length {
            return None;
        }
        let position = offset + at as u64;
        let within = (position % PAGE) as usize;
        let count = (PAGE_BYTES - within).min(length - at);
        let piece = ((position / PAGE) as usize, within, at, count);
        at += count;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_across_pages_and_clones_do_not_share_changes() {
        let mut content = Content::default();
        content.write(b"abc", PAGE - 1);
        let before = content.clone();
        content.write(b"X", PAGE);
        let mut found = [0; 3];
        assert!(content.read(&mut found, PAGE - 1) && !content.read(&mut found, PAGE));
        assert_eq!(&found, b"aXc");
        assert_eq!(&before.to_vec()[PAGE_BYTES - 1..], b"abc");
        assert_ne!(before.hash(), content.hash());
        content.write(b"b", PAGE);
        assert_eq!(before.hash(), content.hash());
        assert_eq!(content.sector(8).bytes()[..2], *b"bc");
    }

    #[test]
    fn zeros_equal_what_was_never_written() {
        let mut written = Content::of(&[7; 9_000]);
        written.set_length(100);
        written.set_length(9_000);
        written.zero(0, 100);
        let mut never = Content::default();
        never.set_length(9_000);
        assert_eq!((written.hash(), written.to_vec()), (never.hash(), never.to_vec()));
        never.set_length(9_001);
        assert_ne!(written.hash(), never.hash());
    }
}
