//! Reading a SQLite archive: tables and header first, then one pass over the rows, in their order.

use super::super::read::{Delivery, Stored};
use super::check::{self, Rows, Tables};
use super::failure;
use super::file::{Database, UNFOLDING};
use crate::codec::{Digest, Opened, Piece};
use crate::error::{Error, Kind, Result};
use crate::format::Entry;
use crate::format::entry::{check_id, shown};
use crate::format::state_json::Head;
use crate::format::state_msgpack::{self, decode_vector};
use crate::limits::{DIMENSION_MAX, MEMBER_BYTES_MAX, MEMBERS_MAX, WORK_BYTES};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::sync::Arc;

/// Of the whole call: where the rows begin. Before that SQLite looks for damage.
const ROWS_BEGIN: f64 = 40.0;

fn wrong(what: &str, found: ValueRef<'_>, due: &str) -> Error {
    let found = match found {
        ValueRef::Null => "NULL",
        ValueRef::Integer(_) => "an integer",
        ValueRef::Real(_) => "a number",
        ValueRef::Text(_) => "text",
        ValueRef::Blob(_) => "a blob",
    };
    Error::new(Kind::Format, format!("column '{what}' is {found}, where {due} is due"))
}

fn text<'a>(what: &str, value: ValueRef<'a>) -> Result<&'a str> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map_err(|_| Error::new(Kind::Format, format!("column '{what}' is text that is not UTF-8"))),
        other => Err(wrong(what, other, "text")),
    }
}

/// An entry from the values of its row.
fn entry(id: ValueRef<'_>, vector: ValueRef<'_>, metadata: ValueRef<'_>) -> Result<Entry> {
    let id = text("id", id)?;
    let vector = match vector {
        ValueRef::Blob(bytes) if bytes.len() > DIMENSION_MAX * 4 => {
            let message = format!("column 'vector' has {} numbers; at most {DIMENSION_MAX}", bytes.len() / 4);
            return Err(Error::new(Kind::Dimension, message));
        }
        ValueRef::Blob(bytes) => decode_vector(bytes)?,
        other => return Err(wrong("vector", other, "a blob of 32-bit floats")),
    };
    let metadata = match metadata {
        ValueRef::Null => None,
        other => Some(text("metadata", other)?),
    };
    Entry::new(id, vector, metadata)
}

/// The table `meta`.
fn head(connection: &Connection) -> Result<Head> {
    let failed = |error| failure::of(connection, error);
    let located = |mut error: Error, key: &str| {
        error.message = format!("table 'meta', key '{}': {}", shown(key), error.message);
        error
    };
    let mut statement = connection.prepare("SELECT key, value FROM main.meta ORDER BY key").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut head, mut seen) = (Head::unknown(), Vec::<String>::new());
    while let Some(row) = rows.next().map_err(failed)? {
        let key = text("key", row.get_ref(0).map_err(failed)?).map_err(|error| located(error, ""))?;
        if seen.iter().any(|known| known == key) || seen.len() == MEMBERS_MAX {
            return Err(located(Error::new(Kind::Format, "there twice, or one of too many"), key));
        }
        seen.push(key.to_owned());
        let value = row.get_ref(1).map_err(failed)?;
        let known = matches!(key, "version" | "options" | "stats" | "delta" | "timestamp" | "checksum");
        if !known {
            continue;
        }
        let value = text("value", value).map_err(|error| located(error, key))?;
        if value.len() > MEMBER_BYTES_MAX {
            return Err(located(Error::new(Kind::Limit, format!("more than {MEMBER_BYTES_MAX} bytes")), key));
        }
        let member = match key {
            // Plain text here, a string of JSON in the other formats.
            "version" | "checksum" => serde_json::Value::from(value).to_string(),
            _ => value.to_owned(),
        };
        head.take_member(key, member.as_bytes()).map_err(|error| located(error, key))?;
    }
    head.check_version()?;
    Ok(head)
}

/// Entries that were read and not yet delivered, with what the checksum takes of them.
struct Batch {
    entries: Vec<Entry>,
    encoded: Vec<u8>,
}

impl Batch {
    fn empty() -> Self {
        Batch { entries: Vec::new(), encoded: Vec::with_capacity(WORK_BYTES) }
    }

    fn deliver(&mut self, digest: &Digest, delivery: &mut Delivery<'_>) -> Result<()> {
        let Batch { entries, encoded } = std::mem::replace(self, Batch::empty());
        digest.update(Arc::new(Piece { bytes: encoded, skipped: Vec::new() }))?;
        delivery.deliver(entries)
    }
}

/// The error of a pass over the rows of a table.
fn at_row(connection: &Connection, error: rusqlite::Error, table: &str, passed: u64) -> Error {
    let mut error = failure::of(connection, error);
    if error.kind != Kind::Aborted {
        error.message = format!("table '{table}', after {passed} rows: {}", error.message);
    }
    error
}

/// Passes over the rows that hold entries.
fn rows(connection: &Connection, tables: &Tables, digest: &Digest, delivery: &mut Delivery<'_>) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let table = if tables.is_delta { "puts" } else { "vectors" };
    let sql = match tables.rows {
        Rows::Numbered => format!("SELECT id, vector, metadata, rowid FROM main.{table} NOT INDEXED ORDER BY rowid"),
        Rows::ById => format!("SELECT id, vector, metadata, NULL FROM main.{table} ORDER BY id"),
    };
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut batch, mut passed) = (Batch::empty(), 0_u64);
    loop {
        let next = rows.next().map_err(|error| at_row(connection, error, table, passed))?;
        let Some(row) = next else { break };
        let value = |column| row.get_ref(column).map_err(failed);
        let (id, vector, metadata) = (value(0)?, value(1)?, value(2)?);
        let number = value(3)?.as_i64().unwrap_or(passed as i64 + 1);
        let located = |mut error: Error| {
            let id = id.as_str().map(|id| format!(", id '{}'", shown(id))).unwrap_or_default();
            error.message = format!("table '{table}', row {number}{id}: {}", error.message);
            error
        };
        let entry = entry(id, vector, metadata).map_err(located)?;
        state_msgpack::push_entry(&mut batch.encoded, &entry)?;
        batch.entries.push(entry);
        passed += 1;
        if batch.encoded.len() >= WORK_BYTES {
            batch.deliver(digest, delivery)?;
        }
    }
    batch.deliver(digest, delivery)
}

/// Passes over the ids that a delta removes.
fn deletes(connection: &Connection, digest: &Digest, delivery: &mut Delivery<'_>) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let mut statement = connection.prepare("SELECT id FROM main.deletes ORDER BY rowid").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let (mut ids, mut encoded, mut passed) = (Vec::<Box<str>>::new(), Vec::new(), 0_u64);
    while let Some(row) = rows.next().map_err(|error| at_row(connection, error, "deletes", passed))? {
        passed += 1;
        let located =
            |error: Error| Error { message: format!("table 'deletes', row {passed}: {}", error.message), ..error };
        let id = text("id", row.get_ref(0).map_err(failed)?).map_err(located)?;
        check_id(id).map_err(located)?;
        state_msgpack::push_id(&mut encoded, id)?;
        ids.push(id.into());
        if encoded.len() >= WORK_BYTES {
            digest.update_bytes(&std::mem::take(&mut encoded))?;
            delivery.remove(std::mem::take(&mut ids))?;
        }
    }
    digest.update_bytes(&encoded)?;
    delivery.remove(ids)
}

/// Reads the whole archive; returns its head and the checksum of its content.
pub(in crate::archive) fn read(
    opened: Opened,
    stored: &Stored<'_>,
    delivery: &mut Delivery<'_>,
) -> Result<(Head, String)> {
    let database = Database::open(opened, stored, delivery)?;
    content(&database, delivery).map_err(|error| database.blame(error))
}

fn content(database: &Database, delivery: &mut Delivery<'_>) -> Result<(Head, String)> {
    let connection = &database.connection;
    delivery.report((UNFOLDING.1, UNFOLDING.1), 0, 0, "Looking for damage");
    check::version(connection)?;
    let tables = check::tables(connection)?;
    let head = head(connection)?;
    let (count, version, description) = (head.count.unwrap_or(0), &head.version, head.description);
    let digest = Digest::start()?;
    match &head.link {
        Some(link) if tables.is_delta => {
            delivery.begin(&head, true)?;
            digest.update_bytes(&state_msgpack::encode_delta_head(
                version,
                description,
                count,
                link,
                head.timestamp,
            )?)?;
            delivery.expect_entries(ROWS_BEGIN, link.puts);
            rows(connection, &tables, &digest, delivery)?;
            digest.update_bytes(&state_msgpack::encode_deletes(link.deletes)?)?;
            deletes(connection, &digest, delivery)?;
        }
        _ if tables.is_delta => {
            let message = "a table 'puts' without a row 'delta' in 'meta' that says what it is";
            return Err(Error::new(Kind::Format, message));
        }
        _ => {
            delivery.begin(&head, false)?;
            digest.update_bytes(&state_msgpack::encode_head(version, description, count)?)?;
            delivery.expect_entries(ROWS_BEGIN, count);
            rows(connection, &tables, &digest, delivery)?;
            digest.update_bytes(&state_msgpack::encode_tail(head.timestamp)?)?;
        }
    }
    database.check_untouched()?;
    Ok((head, digest.finish()?))
}
