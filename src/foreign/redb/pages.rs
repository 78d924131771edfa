//! The private copy: verified pages in a scratch file, each under the checksum that names it.
//!
//! A page is found by number and checksum together, so pages of several commits lie side by side without being mixed
//! up. Costs about 50 bytes of memory for each page; what is read back is verified again.

use super::node::{Node, Pointer};
use crate::env::Scratch;
use crate::error::{Error, Kind, Result};
use crate::limits::WORK_BYTES;
use std::collections::HashMap;
use std::path::Path;

/// Verified pages of one file.
pub(super) struct Pages {
    scratch: Scratch,
    waiting: Vec<u8>,
    places: HashMap<Pointer, (u64, usize)>,
}

impl Pages {
    /// None yet; the scratch file is made beside `path`.
    pub fn beside(path: &Path) -> Result<Self> {
        Ok(Pages { scratch: Scratch::beside(path)?, waiting: Vec::new(), places: HashMap::new() })
    }

    /// Whether the page is here.
    pub fn hold(&self, pointer: Pointer) -> bool {
        self.places.contains_key(&pointer)
    }

    /// Adds a page.
    pub fn keep(&mut self, pointer: Pointer, node: &Node) -> Result<()> {
        let offset = self.scratch.length() + self.waiting.len() as u64;
        self.waiting.extend_from_slice(node.bytes());
        self.places.insert(pointer, (offset, node.bytes().len()));
        if self.waiting.len() >= WORK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes what was added so far readable.
    pub fn flush(&mut self) -> Result<()> {
        self.scratch.append(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// A page that was added and flushed.
    pub fn read(&self, pointer: Pointer) -> Result<Node> {
        let missing = || Error::new(Kind::Internal, "a page of the private copy is missing");
        let (offset, length) = self.places.get(&pointer).copied().ok_or_else(missing)?;
        let mut bytes = vec![0; length];
        self.scratch.read_at(&mut bytes, offset)?;
        Node::verified(bytes, pointer.checksum)
            .ok_or_else(|| Error::new(Kind::Io, "the private copy was altered on its disk; try again"))
    }
}
