//! Writing a SQLite archive: rows go into a database in a scratch file while the checksum of the same entries is taken
//! on other cores; the finished database is then compressed to where it goes.

use super::super::write::{Content, Delta, Encoded, Written, encode, encode_head, next_ids, next_work};
use super::super::{Format, Options};
use super::{APPLICATION_ID, CACHE_KIB, USER_VERSION, failure, open, watch};
use crate::codec::{Compressor, Digest, Tally};
use crate::control::Control;
use crate::env::Scratch;
use crate::error::Result;
use crate::format::state_json::{self, VERSION};
use crate::format::{Description, Fingerprint, state_msgpack};
use crate::limits::WORK_BYTES;
use crate::workers::InOrder;
use rusqlite::{Connection, OpenFlags, params};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const BUILDING: (f64, f64) = (0.0, 75.0);
const COPYING: (f64, f64) = (75.0, 90.0);

/// The statements of one kind of archive.
struct Sql {
    schema: &'static str,
    insert: &'static str,
    /// Made when all rows are there: sorted once, in place of a million insertions at random places. Ids that do not fit
    /// in the memory for pages are sorted in the system's temporary folder.
    index: &'static str,
}

const WHOLE: Sql = Sql {
    schema: "
    CREATE TABLE vectors(id TEXT NOT NULL, vector BLOB NOT NULL, metadata TEXT);
    CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT) WITHOUT ROWID;",
    insert: "INSERT INTO vectors(id, vector, metadata) VALUES (?1, ?2, ?3)",
    index: "CREATE UNIQUE INDEX vectors_id ON vectors(id)",
};
const DELTA: Sql = Sql {
    schema: "
    CREATE TABLE puts(id TEXT NOT NULL, vector BLOB NOT NULL, metadata TEXT);
    CREATE TABLE deletes(id TEXT NOT NULL);
    CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT) WITHOUT ROWID;",
    insert: "INSERT INTO puts(id, vector, metadata) VALUES (?1, ?2, ?3)",
    index: "CREATE UNIQUE INDEX puts_id ON puts(id)",
};
const DELETE: &str = "INSERT INTO deletes(id) VALUES (?1)";
const DESCRIBE: &str = "INSERT INTO meta(key, value) VALUES (?1, ?2)";

/// The size of a page: at least eight rows on each, so that at most an eighth of it stays empty.
fn page_bytes(description: Description) -> usize {
    (description.dimension.unwrap_or(0) * 4 * 8).next_power_of_two().clamp(4_096, 65_536)
}

/// An empty database in `scratch`. Nobody else sees the file, and it is thrown away when anything fails: no locks, no
/// journal, no syncs.
fn create(scratch: &mut Scratch, description: Description, sql: &Sql, control: &Control) -> Result<Connection> {
    let mut connection = scratch.hand_over(|path| open(path, "nolock=1", OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    let settings = format!(
        "PRAGMA page_size = {}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -{CACHE_KIB}; PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {USER_VERSION}; BEGIN;{}",
        page_bytes(description),
        sql.schema
    );
    connection.execute_batch(&settings).map_err(|error| failure::of(&connection, error))?;
    watch(&mut connection, control)?;
    Ok(connection)
}

/// What is known of the entries that were encoded.
struct Sum {
    digest: Digest,
    fingerprint: Fingerprint,
    count: u64,
}

impl Sum {
    fn add(&mut self, encoded: Result<Encoded>) -> Result<()> {
        let Encoded { piece, count, fingerprint } = encoded?;
        self.digest.update(Arc::new(piece))?;
        self.fingerprint.join(&fingerprint);
        self.count += count;
        Ok(())
    }
}

/// Puts all entries into the table.
fn fill(connection: &Connection, sql: &Sql, content: &mut Content<'_>, sum: &mut Sum, control: &Control) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let mut insert = connection.prepare(sql.insert).map_err(failed)?;
    let mut pool = InOrder::new("encode")?;
    let (mut vector, mut done, total) = (Vec::new(), 0_u64, content.count);
    control.report(content.operation, BUILDING, 0, total, "Writing rows");
    loop {
        control.check()?;
        let work = next_work(content.entries)?;
        if work.is_empty() {
            break;
        }
        let rows = work.clone();
        if let Some(encoded) = pool.push(move || encode(Format::Binary, &work, false))? {
            sum.add(encoded)?;
        }
        for entry in &rows {
            vector.clear();
            state_msgpack::push_vector(&mut vector, &entry.vector);
            insert.execute(params![&*entry.id, vector, entry.metadata.as_deref()]).map_err(failed)?;
        }
        done += rows.len() as u64;
        control.report(content.operation, BUILDING, done, total, &format!("{done} of {total} entries"));
    }
    while let Some(encoded) = pool.pop()? {
        sum.add(encoded)?;
    }
    Ok(())
}

/// Puts the ids that a delta removes into their table.
fn fill_deletes(connection: &Connection, delta: &mut Delta<'_>, digest: &Digest, control: &Control) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let mut insert = connection.prepare(DELETE).map_err(failed)?;
    digest.update_bytes(&state_msgpack::encode_deletes(delta.link.deletes)?)?;
    let mut first = true;
    while let Some((piece, ids)) = next_ids(Format::Binary, delta.deletes, &mut first)? {
        control.check()?;
        digest.update(Arc::new(piece))?;
        for id in ids {
            insert.execute(params![&*id]).map_err(failed)?;
        }
    }
    Ok(())
}

/// Writes what surrounds the entries, and ends the database.
fn describe(connection: &Connection, sql: &Sql, content: &Content<'_>, checksum: &str) -> Result<()> {
    let failed = |error| failure::of(connection, error);
    let count = content.delta.as_ref().map_or(content.count, |delta| delta.count);
    let mut rows = vec![
        ("version", VERSION.to_owned()),
        ("options", state_json::encode_description(content.description, None)),
        ("stats", state_json::encode_description(content.description, Some(count))),
        ("timestamp", content.timestamp.to_string()),
        ("checksum", checksum.to_owned()),
    ];
    if let Some(delta) = &content.delta {
        rows.push(("delta", delta.link.text()?));
    }
    let mut insert = connection.prepare(DESCRIBE).map_err(failed)?;
    for (key, value) in rows {
        insert.execute(params![key, value]).map_err(failed)?;
    }
    connection.execute_batch(sql.index).map_err(failed)?;
    connection.execute_batch("COMMIT").map_err(failed)
}

/// Writes one archive to `out`; the database is built beside `place`.
pub(in crate::archive) fn write<W: Write>(
    mut content: Content<'_>,
    options: Options,
    place: &Path,
    out: W,
    control: &Control,
) -> Result<(W, Written)> {
    let tally = Tally::new(out, content.stored_checksum);
    let mut out = Compressor::new(tally, options.compression, options.level)?;
    let mut scratch = Scratch::named_beside(place)?;
    let mut sum = Sum { digest: Digest::start()?, fingerprint: Fingerprint::default(), count: 0 };
    let description = content.description;
    let sql = if content.delta.is_some() { &DELTA } else { &WHOLE };
    sum.digest.update_bytes(&encode_head(Format::Binary, &content)?)?;
    let connection = create(&mut scratch, description, sql, control)?;
    fill(&connection, sql, &mut content, &mut sum, control)?;
    match &mut content.delta {
        Some(delta) => fill_deletes(&connection, delta, &sum.digest, control)?,
        None => sum.digest.update_bytes(&state_msgpack::encode_tail(content.timestamp)?)?,
    }
    let checksum = sum.digest.finish()?;
    describe(&connection, sql, &content, &checksum)?;
    connection.close().map_err(|(connection, error)| failure::of(&connection, error))?;

    let length = scratch.measure()?;
    let mut block = vec![0; WORK_BYTES];
    let mut at = 0;
    while at < length {
        control.check()?;
        control.report(content.operation, COPYING, at, length, "Putting the database in place");
        let count = usize::try_from(length - at).unwrap_or(WORK_BYTES).min(WORK_BYTES);
        let part = block.get_mut(..count).unwrap_or_default();
        scratch.read_at(part, at)?;
        out.write_all(part)?;
        at += count as u64;
    }
    let (inner, bytes, stored_checksum) = out.finish()?.finish();
    let (count, fingerprint) = (sum.count, sum.fingerprint);
    Ok((inner, Written { count, bytes, checksum, stored_checksum, fingerprint }))
}
