//! Opening a database that is to be read: where it is, or in a scratch file that it is unfolded into.

use super::super::read::{Delivery, Stored};
use super::header::Header;
use super::{CACHE_KIB, failure, open, watch};
use crate::codec::{Blocks, Compression, Opened};
use crate::control::Control;
use crate::env::{self, Scratch};
use crate::error::{Error, Kind, Result};
use crate::limits::{DIMENSION_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::path::{Path, PathBuf};

/// One row as SQLite holds it: its values and their lengths.
const ROW_BYTES_MAX: i32 = (METADATA_BYTES_MAX + DIMENSION_MAX * 4 + ID_BYTES_MAX + 1_024) as i32;
/// What a statement of a schema may be: the documented ones have a hundred bytes.
const SQL_BYTES_MAX: i32 = 1 << 20;
/// Of the whole call: what unfolding is.
pub(super) const UNFOLDING: (f64, f64) = (0.0, 30.0);

/// A database, open for reading. Fields are dropped in their order: the connection before the file.
pub(super) struct Database {
    pub connection: Connection,
    unfolded: Option<Scratch>,
    /// Where it is, when that is not a scratch file, and how long it was.
    place: Option<(PathBuf, u64)>,
}

impl Database {
    /// Opens what `opened` is the beginning of.
    pub fn open(opened: Opened, stored: &Stored<'_>, delivery: &Delivery<'_>) -> Result<Self> {
        let header = Header::parse(&opened.head)?;
        let database = if stored.is_file && opened.compression == Compression::None {
            // Closing any handle of a file gives up SQLite's lock on it: ours is closed before SQLite opens its own.
            drop(opened);
            Database::in_place(stored, header)?
        } else {
            Database::unfolded(opened, stored, header, delivery)?
        };
        harden(database, delivery.control())
    }

    fn in_place(stored: &Stored<'_>, header: Header) -> Result<Self> {
        header.check_length(stored.length)?;
        let path = env::resolved(stored.path)?;
        check_beside(&path)?;
        // With a write-ahead log even a reader would write files beside it. Nothing is in that log, and that this stays
        // so is looked at again in the end; otherwise SQLite's own lock keeps writers out.
        let parameters = if header.write_ahead { "immutable=1" } else { "" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = open(&path, parameters, flags)?;
        Ok(Database { connection, unfolded: None, place: Some((path, stored.length)) })
    }

    fn unfolded(opened: Opened, stored: &Stored<'_>, header: Header, delivery: &Delivery<'_>) -> Result<Self> {
        let Some(length) = header.length else {
            let message = "its header does not say how long it is, as before SQLite 3.7.0; decompress it first";
            return Err(Error::new(Kind::Format, message));
        };
        if opened.compression == Compression::None {
            header.check_length(stored.length)?;
        }
        let mut scratch = Scratch::named_beside(stored.path)?;
        scratch.check_room(length)?;
        let mut blocks = Blocks::of(opened.stream)?;
        while let Some(block) = blocks.next_block()? {
            delivery.control().check()?;
            if scratch.length() + block.len() as u64 > length {
                header.check_length(scratch.length() + block.len() as u64)?;
            }
            scratch.append(&block)?;
            delivery.report(UNFOLDING, scratch.length(), length, "Decompressing");
        }
        header.check_length(scratch.length())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = scratch.hand_over(|path| open(path, "immutable=1", flags))?;
        Ok(Database { connection, unfolded: Some(scratch), place: None })
    }

    /// The error of a read of this database. SQLite takes a file that cannot be read for a damaged one: whether the disk
    /// has failed is found out by reading it without SQLite.
    pub fn blame(&self, error: Error) -> Error {
        if error.kind != Kind::Corrupt {
            return error;
        }
        let read = match (&self.place, &self.unfolded) {
            (Some((path, _)), _) => env::open_input(path).and_then(|mut input| {
                io::copy(&mut input, &mut io::sink()).map_err(|source| Error::io(source, "read", path))?;
                Ok(())
            }),
            (None, Some(scratch)) => scratch.check_readable(),
            (None, None) => Ok(()),
        };
        read.err().unwrap_or(error)
    }

    /// Whether what was read is what is there: nobody has begun to write it meanwhile.
    pub fn check_untouched(&self) -> Result<()> {
        let Some((path, length)) = &self.place else { return Ok(()) };
        check_beside(path)?;
        if env::file_size(path)? == Some(*length) {
            return Ok(());
        }
        Err(Error::new(Kind::Locked, "another program wrote this database while it was read; try again"))
    }
}

/// Refuses a database with changes that are not in its file yet, or that would have to be taken out of it.
fn check_beside(path: &Path) -> Result<()> {
    for (suffix, advice) in [
        ("-wal", "close it there, or run PRAGMA wal_checkpoint(TRUNCATE)"),
        ("-journal", "wait for its transaction, or open the database with sqlite3 once when that program has died"),
    ] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // A journal that is done with may stay as zeros.
        if env::first_byte(Path::new(&name))?.is_some_and(|byte| byte != 0) {
            let message =
                format!("another program is changing this database: there is a '{suffix}' beside it; {advice}");
            return Err(Error::new(Kind::Locked, message));
        }
    }
    Ok(())
}

/// Sees to it that nothing in the database is run or trusted.
fn harden(mut database: Database, control: &Control) -> Result<Database> {
    let connection = &mut database.connection;
    let set = |connection: &mut Connection| -> rusqlite::Result<()> {
        for (config, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        ] {
            connection.set_db_config(config, value)?;
        }
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, value)?;
        }
        connection.execute_batch(&format!(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA query_only = ON;
             PRAGMA ignore_check_constraints = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{CACHE_KIB}; BEGIN;"
        ))
    };
    set(connection).map_err(|error| failure::of(connection, error))?;
    watch(connection, control)?;
    Ok(database)
}
