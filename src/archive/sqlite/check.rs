//! What a database must be before its rows are read: the two tables and nothing in their place, with the documented
//! columns and no others. Nothing of the schema is run for that.

use super::{APPLICATION_ID, USER_VERSION, failure};
use crate::error::{Error, Kind, Result};
use crate::format::entry::shown;
use rusqlite::{Connection, OptionalExtension};

/// A column: its name and the declared types that are taken.
type Column = (&'static str, &'static [&'static str]);

const VECTORS: [Column; 3] = [("id", &["TEXT"]), ("vector", &["BLOB"]), ("metadata", &["TEXT", "JSON"])];
const DELETES: [Column; 1] = [("id", &["TEXT"])];
const META: [Column; 2] = [("key", &["TEXT"]), ("value", &["TEXT"])];

const NO_META: &str = "a SQLite database without the table 'meta' is not an archive. To load the table 'vectors' of \
     another program's database, run CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT); INSERT INTO meta \
     VALUES('version', '1.0.0'); and pass verifyChecksum: false";

/// How the rows of `vectors` are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// By their number, which is the order of their insertion.
    Numbered,
    /// By id: the table was made WITHOUT ROWID.
    ById,
}

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::new(Kind::Format, message))
}

/// Refuses a newer schema of ours.
pub(super) fn version(connection: &Connection) -> Result<()> {
    let number = |name| {
        let found = connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        found.map_err(|error| failure::of(connection, error))
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION_ID && version != USER_VERSION {
        let message = format!("written with schema {version} of SQLite archives, this build reads {USER_VERSION}");
        return Err(Error::new(Kind::Version, message));
    }
    Ok(())
}

/// What `table` is; `None` when there is none.
fn kind_of(connection: &Connection, table: &str) -> Result<Option<(String, bool)>> {
    let sql = "SELECT type, wr FROM pragma_table_list(?1) WHERE schema = 'main'";
    let found = connection.query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?))).optional();
    found.map_err(|error| failure::of(connection, error))
}

/// Refuses a table that has not just these columns.
fn columns(connection: &Connection, table: &str, due: &[Column]) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let sql = "SELECT name, type, hidden FROM pragma_table_xinfo(?1, 'main')";
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([table]).map_err(failed)?;
    let mut seen = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let read = || Ok::<_, rusqlite::Error>((row.get(0)?, row.get(1)?, row.get(2)?));
        let (name, declared, hidden): (String, String, i64) = read().map_err(failed)?;
        let Some((known, types)) = due.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) else {
            return refuse(format!("table '{table}': the column '{}' is not known", shown(&name)));
        };
        if hidden != 0 {
            return refuse(format!("table '{table}': the column '{known}' is computed, not stored"));
        }
        if !types.iter().any(|known| declared.eq_ignore_ascii_case(known)) {
            let (declared, due) = (shown(&declared), types.join(" or "));
            return refuse(format!("table '{table}': the column '{known}' has type '{declared}', where {due} is due"));
        }
        seen.push(*known);
    }
    match due.iter().find(|(known, _)| !seen.contains(known)) {
        Some((missing, _)) => refuse(format!("table '{table}': the column '{missing}' is missing")),
        None => Ok(()),
    }
}

fn table(connection: &Connection, name: &str, due: &[Column], missing: &str) -> Result<Rows> {
    let without_rowid = match kind_of(connection, name)? {
        Some((kind, without_rowid)) if kind == "table" => without_rowid,
        Some((kind, _)) => return refuse(format!("'{name}' is not a table but a {kind}")),
        None => return refuse(missing.to_owned()),
    };
    columns(connection, name, due)?;
    Ok(if without_rowid { Rows::ById } else { Rows::Numbered })
}

/// The tables of an archive.
pub(super) struct Tables {
    /// Whether it is a delta: its entries are in `puts`, the ids that it removes in `deletes`.
    pub is_delta: bool,
    /// The order of its entries.
    pub rows: Rows,
}

/// Checks the tables, and looks for damage in what SQLite keeps of them.
pub(super) fn tables(connection: &Connection) -> Result<Tables> {
    let missing = "not the state of a database: a SQLite database without the table 'vectors'";
    let is_delta = kind_of(connection, "vectors")?.is_none() && kind_of(connection, "puts")?.is_some();
    let names: &[&str] = if is_delta { &["puts", "deletes", "meta"] } else { &["vectors", "meta"] };
    let rows = if is_delta {
        table(connection, "deletes", &DELETES, "not the state of a database: a table 'puts' without 'deletes'")?;
        table(connection, "puts", &VECTORS, missing)?
    } else {
        table(connection, "vectors", &VECTORS, missing)?
    };
    table(connection, "meta", &META, NO_META)?;
    for name in names {
        // Of one table, so that no code of a virtual table beside it is run.
        let found = connection.query_row(&format!("PRAGMA main.quick_check('{name}')"), [], |row| row.get(0));
        let found: String = found.map_err(|error| failure::of(connection, error))?;
        if found != "ok" {
            return Err(Error::new(Kind::Corrupt, format!("table '{name}' is damaged: {}", shown(&found))));
        }
    }
    Ok(Tables { is_delta, rows })
}
