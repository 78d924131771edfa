//! What SQLite refuses, as an error of ours: whose fault it is decides the kind, and what the operating system said comes
//! along where SQLite knows it.

use crate::error::{Error, Kind};
use rusqlite::{Connection, ErrorCode, ffi};
use std::io;

/// A failure to open a file. SQLite's own note of the errno is gone with the connection; the thread's is still there.
pub(super) fn to_open(error: rusqlite::Error) -> Error {
    translated(&error, io::Error::last_os_error().raw_os_error().filter(|errno| *errno != 0))
}

/// A file that was to be opened for writing and could not be, for the reason that the thread still has.
pub(super) fn not_for_writing() -> Error {
    match io::Error::last_os_error() {
        reason if reason.raw_os_error() != Some(0) => Error::from(reason),
        _ => Error::new(Kind::Io, "SQLite opened the file for reading only"),
    }
}

/// A failure of `connection`. To be called before anything else is done with it.
pub(super) fn of(connection: &Connection, error: rusqlite::Error) -> Error {
    // SAFETY: the handle is that of an open connection, which is borrowed for the call; nothing but a number is read.
    let errno = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    translated(&error, Some(errno).filter(|errno| *errno != 0))
}

fn translated(error: &rusqlite::Error, errno: Option<i32>) -> Error {
    let message = format!("SQLite: {error}");
    let found = match error {
        rusqlite::Error::SqliteFailure(found, _) | rusqlite::Error::SqlInputError { error: found, .. } => found,
        // A name in the schema that is no text, or no text in this encoding.
        rusqlite::Error::Utf8Error(..) | rusqlite::Error::InvalidColumnType(..) => {
            return Error::new(Kind::Format, message);
        }
        _ => return Error::new(Kind::Internal, message),
    };
    match found.code {
        ErrorCode::DiskFull => no_space(),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => match errno {
            Some(errno) => Error::from(io::Error::from_raw_os_error(errno)),
            None => Error::new(Kind::Io, message),
        },
        ErrorCode::OutOfMemory | ErrorCode::ReadOnly => Error::new(Kind::Io, message),
        ErrorCode::OperationInterrupted | ErrorCode::OperationAborted => {
            Error::new(Kind::Aborted, "the call was aborted")
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            Error::new(Kind::Locked, "another program is writing this database; try again when it has finished")
        }
        ErrorCode::TooBig => Error::new(Kind::Limit, format!("a value is larger than any of an archive: {message}")),
        ErrorCode::DatabaseCorrupt => Error::new(Kind::Corrupt, message),
        ErrorCode::NotADatabase
        | ErrorCode::Unknown
        | ErrorCode::SchemaChanged
        | ErrorCode::AuthorizationForStatementDenied => Error::new(Kind::Format, message),
        _ => Error::new(Kind::Internal, message),
    }
}

/// SQLite keeps no errno of a full disk, and its own code for one says it all.
fn no_space() -> Error {
    #[cfg(unix)]
    return Error::from(io::Error::from_raw_os_error(libc::ENOSPC));
    #[cfg(not(unix))]
    Error::from(io::Error::from(io::ErrorKind::StorageFull))
}
