//! SQLite archives (`docs/format.md`, "SQLite archive"): the table `vectors` with a row for each entry in their order,
//! and the table `meta` with what surrounds them. The checksum is that of the binary archive of the same state.
//!
//! SQLite needs a file with a name: a database is built in a scratch file and then copied to where the archive goes,
//! and a compressed one is unfolded into a scratch file before it is read. An uncompressed one is read where it is.
//!
//! A database that is read is hostile until its checksum is known: it is opened read-only, nothing of its schema is
//! run, every value is taken with its type checked, and every length is bounded.

mod check;
mod failure;
mod file;
mod header;
mod read;
mod write;

pub(super) use header::begins_sqlite;
pub(super) use read::read;
pub(super) use write::write;

use crate::control::Control;
use crate::error::{Error, Kind, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// "RVPA", big-endian in the header as SQLite has it: tells this format from other databases.
const APPLICATION_ID: i32 = 0x5256_5041;
/// Version of the schema.
const USER_VERSION: i32 = 1;

/// Memory for pages, in KiB. A database that is larger is read and written all the same.
const CACHE_KIB: u32 = 16 << 10;

/// What the unix part of SQLite takes, with room for "-journal".
const PATH_BYTES_MAX: usize = 500;

/// Opens the database at `path`, which is absolute; `parameters` are those of SQLite's file names.
fn open(path: &Path, parameters: &str, flags: OpenFlags) -> Result<Connection> {
    let name = file_name(path, parameters)?;
    // One thread at a time has the connection, and rusqlite keeps it so.
    let flags = flags | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags).map_err(failure::to_open)?;
    // What cannot be opened for writing SQLite opens for reading.
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) && connection.is_readonly("main").unwrap_or(true) {
        return Err(failure::not_for_writing());
    }
    // Whoever has it locked is not waited for: that is said at once.
    connection.busy_timeout(std::time::Duration::ZERO).map_err(|error| failure::of(&connection, error))?;
    Ok(connection)
}

/// Steps of SQLite's machine between two looks whether the call is still wanted.
const STEPS: i32 = 10_000;

/// Lets whatever the connection does end with `Aborted` when the call is cancelled.
fn watch(connection: &mut Connection, control: &Control) -> Result<()> {
    let cancellation = control.cancellation();
    let handled = connection.progress_handler(STEPS, Some(move || cancellation.is_cancelled()));
    handled.map_err(|error| failure::of(connection, error))
}

/// The path as a file name of SQLite with parameters, which is a URI.
fn file_name(path: &Path, parameters: &str) -> Result<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.len() > PATH_BYTES_MAX {
        let message = format!("SQLite opens no path of more than {PATH_BYTES_MAX} bytes; this one has {}", bytes.len());
        return Err(Error::new(Kind::Path, message));
    }
    let mut name = String::from(if cfg!(windows) { "file:/" } else { "file:" });
    for byte in bytes {
        match byte {
            b'\\' if cfg!(windows) => name.push('/'),
            b'/' | b':' | b'.' | b'-' | b'_' => name.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(*byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name.push('?');
    name.push_str(parameters);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_is_a_file_name_and_nothing_in_it_is_a_parameter() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a b", "é😀", "x?mode=memory", "x%00y", "x#y&cache=shared", "'; drop table"] {
            let path = directory.path().join(name);
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            open(&path, "nolock=1", flags).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
            assert!(path.is_file(), "{name}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 6);
        let long = directory.path().join("x".repeat(200)).join("y".repeat(200)).join("z".repeat(200));
        let error = open(&long, "nolock=1", OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap_err();
        assert_eq!(error.kind, Kind::Path, "{error}");
    }
}
