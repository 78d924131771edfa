//! Calls of the tree's library: its errors become ours, and so does a panic of it.
//!
//! The library checks each block against a checksum, and the seal covers what has none; a panic on damaged bytes is
//! therefore not known, but where it would come nothing of ours may go down with it.

use crate::error::{Error, Kind, Result};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Runs a call of the library on the run at `path`. `what` is what it is about, for messages: `read`, `write`.
pub(super) fn guarded<T>(what: &str, path: &Path, call: impl FnOnce() -> lsm_tree::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failure(error, what, path)),
        Err(_) => {
            let message = format!("the LSM library gave up while it was asked to {what} this run");
            Err(Error::new(Kind::Corrupt, message).in_file(path))
        }
    }
}

fn failure(error: lsm_tree::Error, what: &str, path: &Path) -> Error {
    let kind = match &error {
        lsm_tree::Error::Io(source) => match source.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Kind::Corrupt,
            _ => Kind::Io,
        },
        lsm_tree::Error::InvalidVersion(_) => Kind::Version,
        _ => Kind::Corrupt,
    };
    match error {
        lsm_tree::Error::Io(source) if kind == Kind::Io => Error::io(source, what, path),
        lsm_tree::Error::ChecksumMismatch { .. } => {
            Error::new(kind, "a block of this run differs from its checksum").in_file(path)
        }
        other => Error::new(kind, format!("this run cannot be read: {other}")).in_file(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_panics_of_the_library_are_errors_with_a_place() {
        let path = Path::new("run");
        let kind = |error| guarded::<()>("read", path, || Err(error)).unwrap_err().kind;
        assert_eq!(kind(lsm_tree::Error::Io(io::ErrorKind::UnexpectedEof.into())), Kind::Corrupt);
        assert_eq!(kind(lsm_tree::Error::Io(io::Error::from_raw_os_error(5))), Kind::Io);
        assert_eq!(kind(lsm_tree::Error::Io(io::ErrorKind::StorageFull.into())), Kind::NoSpace);
        assert_eq!(kind(lsm_tree::Error::Unrecoverable), Kind::Corrupt);
        assert_eq!(kind(lsm_tree::Error::InvalidVersion(9)), Kind::Version);
        let error = guarded::<()>("read", path, || panic!("of the library")).unwrap_err();
        assert_eq!((error.kind, error.path.as_deref()), (Kind::Corrupt, Some(path)));
    }
}
