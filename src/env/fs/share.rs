//! A file under a second name: the same file where the file system can do that, else a copy of it.
//!
//! The file is one that nobody changes any more, so that nobody can tell the difference. A copy shares its blocks with the
//! original where the file system can do that (the operating system's own copying call does it).

use super::{Fs, FsFile};
use crate::error::{Error, Kind, Result};
use std::io;
use std::path::Path;

const STEP: usize = 1 << 20;

/// How a file came to its second place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// It is the same file.
    Linked,
    /// It is a copy.
    Copied,
}

/// Gives a file that is never changed another name, which must be new.
pub fn share(fs: &dyn Fs, from: &Path, to: &Path) -> Result<Shared> {
    match fs.link(from, to) {
        Ok(()) => Ok(Shared::Linked),
        Err(error) if wants_a_copy(&error) => fs.copy(from, to).map(|()| Shared::Copied).inspect_err(|_| {
            // The first error tells more than this one would.
            let _ = fs.remove(to);
        }),
        Err(error) => Err(error),
    }
}

/// Another file system, too many names, a file of somebody else, or a file system without links.
fn wants_a_copy(error: &Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    let kind = error.source.as_ref().map(io::Error::kind);
    error.kind == Kind::Unsupported
        || matches!(kind, Some(CrossesDevices | PermissionDenied | TooManyLinks | Unsupported))
}

/// Copies in steps, and makes the copy durable.
pub(super) fn copy(from: &dyn FsFile, to: &dyn FsFile) -> Result<()> {
    let length = from.length()?;
    let mut buffer = vec![0; STEP.min(length as usize)];
    let mut offset = 0;
    while offset < length {
        let step = (length - offset).min(STEP as u64);
        let Some(part) = buffer.get_mut(..step as usize) else { break };
        from.read_at(part, offset)?;
        to.write_at(part, offset)?;
        offset += step;
    }
    to.sync()
}
