//! A whole file as bytes that do not change: mapped read-only, or copied to the heap. And what only the operating
//! system can say of a mapping.
//!
//! Nothing is ever written through a mapping. A file that somebody else truncates while it is mapped ends the process
//! with SIGBUS when the missing part is read: that is the price of a mapping, and `Bytes::heap` is the way without it.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// How a mapping will be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Advice {
    /// The operating system decides.
    Normal,
    /// Here and there: nothing is read ahead.
    #[default]
    Random,
    /// From the front to the back: much is read ahead.
    Sequential,
}

#[derive(Debug)]
enum Held {
    Mapped(memmap2::Mmap),
    /// In words, so that numbers in it are aligned as they are in a page.
    Heap(Box<[u64]>, usize),
}

/// The bytes of a file; the first is aligned to 8 at least.
#[derive(Debug)]
pub struct Bytes(Held);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::Mapped(map) => map,
            Held::Heap(words, length) => bytemuck::cast_slice(words).get(..*length).unwrap_or_default(),
        }
    }
}

impl Bytes {
    /// A copy on the heap.
    pub fn heap(bytes: &[u8]) -> Bytes {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)].into_boxed_slice();
        if let Some(place) = bytemuck::cast_slice_mut(&mut words).get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Bytes(Held::Heap(words, bytes.len()))
    }

    pub(super) fn map(file: &File) -> io::Result<Bytes> {
        // SAFETY: files of a store are written once and never changed in place (DESIGN section 4), the store is locked
        // against other writers of ours, and nothing is assumed about the bytes: each block is checked before it is used.
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Bytes(Held::Mapped(map)))
    }

    /// Whether they are mapped, not copied.
    pub fn is_mapped(&self) -> bool {
        match self.0 {
            Held::Mapped(_) => true,
            Held::Heap(..) => false,
        }
    }

    /// Tells the operating system how they will be read. Nothing where it takes no advice.
    pub fn advise(&self, advice: Advice) -> io::Result<()> {
        #[cfg(unix)]
        if let Held::Mapped(map) = &self.0 {
            return map.advise(match advice {
                Advice::Normal => memmap2::Advice::Normal,
                Advice::Random => memmap2::Advice::Random,
                Advice::Sequential => memmap2::Advice::Sequential,
            });
        }
        let _ = advice;
        Ok(())
    }

    /// Asks for huge pages; `false` where the operating system has none for files.
    pub fn huge_pages(&self) -> bool {
        #[cfg(target_os = "linux")]
        if let Held::Mapped(map) = &self.0 {
            return map.advise(memmap2::Advice::HugePage).is_ok();
        }
        false
    }

    /// Asks for a range to be read soon; `wait` reads it now. `false` where the operating system cannot be asked.
    pub fn prefetch(&self, offset: usize, length: usize, wait: bool) -> bool {
        let end = offset.saturating_add(length).min(self.len());
        if offset >= end {
            return true;
        }
        #[cfg(unix)]
        if let Held::Mapped(map) = &self.0 {
            #[cfg(target_os = "linux")]
            if wait && map.advise_range(memmap2::Advice::PopulateRead, offset, end - offset).is_ok() {
                return true;
            }
            let _ = wait;
            return map.advise_range(memmap2::Advice::WillNeed, offset, end - offset).is_ok();
        }
        let _ = wait;
        !self.is_mapped()
    }

    /// Bytes that are in memory, where the operating system tells; all of them on the heap.
    pub fn resident(&self) -> Option<u64> {
        match &self.0 {
            Held::Heap(_, length) => Some(*length as u64),
            Held::Mapped(map) => resident(map),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn resident(map: &[u8]) -> Option<u64> {
    // SAFETY: sysconf reads a constant of the system.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok().filter(|page| *page > 0)?;
    let mut pages = vec![0_u8; map.len().div_ceil(page)];
    // SAFETY: the range is a mapping of ours and page-aligned; the vector has one byte for each of its pages.
    let asked = unsafe { libc::mincore(map.as_ptr().cast_mut().cast(), map.len(), pages.as_mut_ptr().cast()) };
    (asked == 0).then(|| (pages.iter().filter(|state| **state & 1 == 1).count() * page).min(map.len()) as u64)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn resident(_map: &[u8]) -> Option<u64> {
    None
}

/// Page faults of this process so far: those that had to read (major), and all. `None` where nobody counts.
pub fn page_faults() -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the structure is ours; getrusage fills it.
        let asked = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: all its fields are integers, for which zeros are valid, and it was zeroed.
        let usage = unsafe { usage.assume_init() };
        (asked == 0).then_some((usage.ru_majflt as u64, usage.ru_majflt as u64 + usage.ru_minflt as u64))
    }
    #[cfg(not(unix))]
    None
}

#[cfg(unix)]
#[expect(clippy::unnecessary_cast, reason = "the width of these fields differs between systems")]
pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the name ends with NUL and the structure is ours; statvfs fills it.
    if unsafe { libc::statvfs(name.as_ptr(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all its fields are integers, for which zeros are valid, and it was zeroed.
    let found = unsafe { found.assume_init() };
    Ok(found.f_bavail as u64 * found.f_frsize as u64)
}

#[cfg(not(unix))]
pub(super) fn free_space(_path: &Path) -> io::Result<u64> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(test)]
mod tests {
    use super::super::{Disk, Fs};
    use super::*;

    #[test]
    fn mapped_and_heap_hold_the_same_bytes_and_say_what_is_resident() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let bytes: Vec<u8> = (0..20_001_u32).map(|i| i as u8).collect();
        let file = Disk.create(&path).unwrap();
        file.write_at(&bytes, 0).unwrap();
        let mapped = file.map().unwrap();
        let heap = Bytes::heap(&bytes);
        assert_eq!(&*mapped, &*heap);
        assert!(mapped.is_mapped() && !heap.is_mapped());
        mapped.advise(Advice::Sequential).unwrap();
        assert!(mapped.prefetch(5_000, 100, true) && heap.prefetch(0, 1, false));
        assert_eq!(heap.resident(), Some(20_001));
        if cfg!(target_os = "linux") {
            assert_eq!(mapped.resident(), Some(20_001), "it was written a moment ago");
            assert!(page_faults().unwrap().1 > 0);
        }
    }
}
