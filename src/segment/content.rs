//! The bytes of a whole segment file: mapped, or read to the heap once.
//!
//! Both begin at a multiple of 8 at least, so that words and numbers of the file can be used in place. Nothing is
//! checked here.

use crate::env::fs::{Bytes, FsFile};
use crate::error::{Error, Kind, Result};

/// The bytes.
#[derive(Debug)]
pub(super) enum Content {
    Mapped(Bytes),
    /// In words, for the alignment; and how many bytes of them count.
    Heap(Box<[u64]>, usize),
}

impl Content {
    /// Maps or reads a file of `length` bytes.
    pub fn take(file: &dyn FsFile, length: u64, mapped: bool) -> Result<Content> {
        let bytes = usize::try_from(length);
        let bytes = bytes.map_err(|_| Error::new(Kind::Limit, "the segment is larger than this processor's memory"))?;
        if mapped {
            let map = file.map()?;
            if map.len() != bytes {
                let message = format!("expected {bytes} bytes, found {} when it was mapped", map.len());
                return Err(Error::new(Kind::Corrupt, message).at(length.min(map.len() as u64)));
            }
            return Ok(Content::Mapped(map));
        }
        let mut words = vec![0_u64; bytes.div_ceil(8)].into_boxed_slice();
        let place = bytemuck::cast_slice_mut(&mut words).get_mut(..bytes).unwrap_or_default();
        file.read_at(place, 0)?;
        Ok(Content::Heap(words, bytes))
    }

    /// All of them.
    #[inline]
    pub fn all(&self) -> &[u8] {
        match self {
            Content::Mapped(bytes) => bytes,
            Content::Heap(words, length) => bytemuck::cast_slice(words).get(..*length).unwrap_or_default(),
        }
    }

    /// The mapping, if there is one. A simulated file system maps to the heap.
    pub fn mapping(&self) -> Option<&Bytes> {
        match self {
            Content::Mapped(bytes) => Some(bytes),
            Content::Heap(..) => None,
        }
    }

    /// Bytes that are in memory, where the operating system tells.
    pub fn resident(&self) -> Option<u64> {
        match self {
            Content::Mapped(bytes) => bytes.resident(),
            Content::Heap(_, length) => Some(*length as u64),
        }
    }
}
