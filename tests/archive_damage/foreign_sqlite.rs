//! Databases that another program made: what is taken as an archive, and what each other is refused with, naming table and
//! row (RELIABILITY 48). Each is read where it is and unfolded into a scratch file.

use super::{Found, compressed, read};
use rusqlite::Connection;
use ruvector_persistence::archive::Expect;
use ruvector_persistence::codec::Compression;
use ruvector_persistence::control::Control;
use ruvector_persistence::error::{Error, Kind};
use ruvector_persistence::ops::load;
use std::path::{Path, PathBuf};

const TABLES: &str = "CREATE TABLE vectors(id TEXT PRIMARY KEY, vector BLOB NOT NULL, metadata TEXT);
    CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT); INSERT INTO meta VALUES('version', '1.0.0');";

struct Made {
    directory: tempfile::TempDir,
    path: PathBuf,
}

/// A database that this SQL makes.
fn made(sql: &str) -> Made {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's a \"file\"?mode=memory#%00.db");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    Made { directory, path }
}

/// The documented tables, and then this.
fn with(sql: &str) -> Made {
    made(&format!("{TABLES}{sql}"))
}

fn load(path: &Path, verify: bool) -> Result<load::Loaded, Error> {
    let expect = Expect { verify, ..Expect::default() };
    let request = load::Request { path: path.to_str().unwrap(), expect, operation: "load" };
    load::run(&request, &Control::default())
}

fn unfold(made: &Made) -> Result<Found, Error> {
    read(&compressed(&std::fs::read(&made.path).unwrap(), Compression::Zstd), false)
}

fn names(made: &Made) -> Vec<String> {
    let listing = std::fs::read_dir(made.directory.path()).unwrap();
    listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn refused(made: &Made, kind: Kind, parts: &[&str]) {
    let before = (std::fs::read(&made.path).unwrap(), names(made));
    let unfolded = unfold(made).map(|found| found.entries).unwrap_err();
    let in_place = load(&made.path, false).map(|loaded| loaded.path).unwrap_err();
    for error in [&unfolded, &in_place] {
        assert_eq!(error.kind, kind, "{error}");
        for part in parts {
            assert!(error.message.contains(part), "'{error}' does not say '{part}'");
        }
    }
    assert_eq!(in_place.path.as_ref(), Some(&made.path), "{in_place}");
    assert_eq!((std::fs::read(&made.path).unwrap(), names(made)), before, "reading changes nothing");
}

fn taken(made: &Made, ids: &[&str]) {
    let loaded = load(&made.path, false).unwrap();
    let found: Vec<_> = loaded.collection.version().entries().map(|entry| entry.unwrap().id.to_string()).collect();
    assert_eq!(found, ids);
    let unfolded: Vec<_> = unfold(made).unwrap().entries.into_iter().map(|entry| entry.id.to_string()).collect();
    assert_eq!(unfolded, ids);
    assert_eq!(load(&made.path, true).map(|loaded| loaded.path).unwrap_err().kind, Kind::Checksum, "it has none");
}

const ROWS: &str =
    "INSERT INTO vectors VALUES('z', X'0000803F0000003F', '{\"n\":1}'), ('a', X'0000804000000000', NULL);";

#[test]
fn the_tables_of_another_program_are_read_without_a_checksum_in_the_order_of_their_rows() {
    taken(&with(ROWS), &["z", "a"]);
    taken(&with(""), &[]);
    let other = "CREATE TABLE more(x); CREATE VIEW v AS SELECT * FROM vectors; CREATE INDEX i ON vectors(metadata);
        CREATE TRIGGER t AFTER INSERT ON more BEGIN DELETE FROM vectors; END;
        CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO meta VALUES('mine', 'x'), ('also mine', NULL);";
    taken(&with(&format!("{ROWS}{other}")), &["z", "a"]);
    taken(&made(&format!("PRAGMA page_size = 65536; PRAGMA encoding = 'UTF-16be'; {TABLES}{ROWS}")), &["z", "a"]);
    taken(&made(&format!("PRAGMA auto_vacuum = FULL; {TABLES}{ROWS} DELETE FROM vectors WHERE id = 'z';")), &["a"]);
    let without = TABLES.replacen("metadata TEXT);", "metadata JSON) WITHOUT ROWID;", 1);
    taken(&made(&format!("{without}{ROWS}")), &["a", "z"]);
    let upper = TABLES.replace("vectors(id TEXT", "VECTORS(Id text").replace("meta(key", "Meta(KEY");
    taken(&made(&format!("{upper}{ROWS}")), &["z", "a"]);
}

#[test]
fn a_checksum_that_is_there_is_compared_and_a_newer_version_refused() {
    let stored = with(&format!("{ROWS} INSERT INTO meta VALUES('checksum', '{}');", "0".repeat(64)));
    assert_eq!(load(&stored.path, true).map(|loaded| loaded.path).unwrap_err().kind, Kind::Checksum);
    refused(&with("UPDATE meta SET value = '2.0.0';"), Kind::Version, &["2.0.0"]);
    refused(&with("UPDATE meta SET value = 'one';"), Kind::Format, &["version"]);
    refused(&with("PRAGMA application_id = 1381388353; PRAGMA user_version = 2;"), Kind::Version, &["schema 2"]);
    refused(&with("INSERT INTO meta VALUES('stats', '{\"dimension\":70000}');"), Kind::Dimension, &["'meta'", "70000"]);
    refused(&with("INSERT INTO meta VALUES('options', 'dimension 3');"), Kind::Format, &["'meta'", "'options'"]);
    refused(&with("INSERT INTO meta VALUES('options', X'7B7D');"), Kind::Format, &["'meta'", "'options'", "a blob"]);
    refused(&with("INSERT INTO meta VALUES('timestamp', NULL);"), Kind::Format, &["'meta'", "'timestamp'", "NULL"]);
    refused(&with("INSERT INTO meta VALUES(NULL, 'x');"), Kind::Format, &["'meta'", "'key' is NULL"]);
    refused(
        &with("INSERT INTO meta VALUES('stats', '{\"metric\":\"dot\"}'), ('options', '{\"metric\":\"cosine\"}');"),
        Kind::Metric,
        &["dot"],
    );
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) INSERT INTO meta SELECT i, i FROM n;";
    refused(&with(many), Kind::Format, &["'meta'", "too many"]);
    let twice = TABLES.replace("meta(key TEXT PRIMARY KEY", "meta(key TEXT");
    refused(
        &made(&format!("{twice} INSERT INTO meta VALUES('version', '1.0.0');")),
        Kind::Format,
        &["'version'", "twice"],
    );
}

#[test]
fn databases_without_the_tables_or_with_something_else_in_their_place_are_refused() {
    let meta = "CREATE TABLE meta(key TEXT, value TEXT); INSERT INTO meta VALUES('version', '1.0.0');";
    let vectors = "CREATE TABLE vectors(id TEXT, vector BLOB, metadata TEXT);";
    refused(&made("CREATE TABLE notes(x)"), Kind::Format, &["'vectors'"]);
    refused(&made(meta), Kind::Format, &["'vectors'"]);
    refused(&made(vectors), Kind::Format, &["'meta'", "INSERT INTO meta VALUES('version', '1.0.0')"]);
    let view = "CREATE TABLE t(id TEXT, vector BLOB, metadata TEXT); CREATE VIEW vectors AS SELECT * FROM t;";
    refused(&made(&format!("{view}{meta}")), Kind::Format, &["'vectors' is not a table but a view"]);
    let meta_view = "CREATE VIEW meta(key, value) AS SELECT 'version', '1.0.0';";
    refused(&made(&format!("{vectors}{meta_view}")), Kind::Format, &["'meta' is not a table but a view"]);
    let virtual_table = "CREATE VIRTUAL TABLE vectors USING fts5(id, vector, metadata);";
    refused(&made(&format!("{virtual_table}{meta}")), Kind::Format, &["'vectors' is not a table but a virtual"]);
    let trigger = "CREATE TABLE t(x); CREATE TRIGGER vectors AFTER INSERT ON t BEGIN SELECT 1; END;";
    refused(&made(&format!("{trigger}{meta}")), Kind::Format, &["'vectors'"]);
}

#[test]
fn other_columns_than_the_documented_ones_are_refused_by_name() {
    let meta = "CREATE TABLE meta(key TEXT, value TEXT); INSERT INTO meta VALUES('version', '1.0.0');";
    for (columns, parts) in [
        ("id TEXT, vector BLOB", ["'vectors'", "'metadata' is missing"]),
        ("vector BLOB, metadata TEXT", ["'vectors'", "'id' is missing"]),
        ("id INTEGER PRIMARY KEY, vector BLOB, metadata TEXT", ["'id'", "'INTEGER'"]),
        ("id TEXT, vector TEXT, metadata TEXT", ["'vector'", "BLOB is due"]),
        ("id TEXT, vector, metadata TEXT", ["'vector'", "''"]),
        ("id TEXT, vector BLOB, metadata BLOB", ["'metadata'", "'BLOB'"]),
        ("id TEXT, vector BLOB, metadata TEXT, made_at TEXT", ["'vectors'", "'made_at' is not known"]),
        ("id TEXT, x BLOB, vector BLOB GENERATED ALWAYS AS (x), metadata TEXT", ["'vectors'", "'x' is not known"]),
        ("id TEXT, vector BLOB GENERATED ALWAYS AS (zeroblob(8)), metadata TEXT", ["'vector'", "computed"]),
        ("id TEXT, vector BLOB GENERATED ALWAYS AS (zeroblob(8)) STORED, metadata TEXT", ["'vector'", "computed"]),
    ] {
        refused(&made(&format!("CREATE TABLE vectors({columns});{meta}")), Kind::Format, &parts);
    }
    let value = "CREATE TABLE vectors(id TEXT, vector BLOB, metadata TEXT); CREATE TABLE meta(key TEXT, value BLOB);";
    refused(&made(value), Kind::Format, &["'meta'", "'value'"]);
}

#[test]
fn values_that_no_entry_has_are_refused_with_table_and_row() {
    let row =
        |values: &str| with(&format!("{ROWS} INSERT INTO vectors(rowid, id, vector, metadata) VALUES(7, {values});"));
    let at = ["'vectors'", "row 7"];
    let vector = "X'0000803F0000003F'";
    let says = |more: &'static str| [at[0], at[1], more];
    refused(&row(&format!("NULL, {vector}, NULL")), Kind::Format, &says("'id' is NULL"));
    refused(&row(&format!("X'6162', {vector}, NULL")), Kind::Format, &says("'id' is a blob"));
    refused(&row(&format!("'', {vector}, NULL")), Kind::Id, &at);
    refused(&row(&format!("'a' || char(0), {vector}, NULL")), Kind::Id, &at);
    refused(&row(&format!("CAST(X'FF' AS TEXT), {vector}, NULL")), Kind::Format, &says("UTF-8"));
    refused(&row(&format!("printf('%.1025c', 'x'), {vector}, NULL")), Kind::Id, &at);
    refused(&row("'x', '[1,0.5]', NULL"), Kind::Format, &says("id 'x': column 'vector' is text"));
    refused(&row("'x', 5, NULL"), Kind::Format, &says("'vector' is an integer"));
    refused(&row("'x', 0.5, NULL"), Kind::Format, &says("'vector' is a number"));
    refused(&row("'x', X'0000803F00', NULL"), Kind::Format, &says("multiple of 4"));
    refused(&row("'x', X'', NULL"), Kind::Dimension, &says("'x'"));
    refused(&row("'x', zeroblob(262148), NULL"), Kind::Dimension, &says("65537"));
    refused(&row("'x', X'0000803F', NULL"), Kind::Dimension, &["'x'", "1 numbers"]);
    refused(&row(&format!("'x', {vector}, '[1]'")), Kind::Metadata, &says("'x'"));
    refused(&row(&format!("'x', {vector}, 'no JSON'")), Kind::Metadata, &at);
    refused(&row(&format!("'x', {vector}, X'7B7D'")), Kind::Format, &says("'metadata' is a blob"));
    refused(&row(&format!("'x', {vector}, 5.5")), Kind::Metadata, &at);
    let huge = "'{\"a\":\"' || printf('%.16777216c', 'x') || '\"}'";
    refused(&row(&format!("'x', {vector}, {huge}")), Kind::Limit, &at);
    let larger = "'{\"a\":\"' || printf('%.20000000c', 'x') || '\"}'";
    refused(&row(&format!("'x', {vector}, {larger}")), Kind::Limit, &["'vectors', after 2 rows"]);
}

#[test]
fn nothing_of_a_schema_is_run() {
    let slow = "CREATE TABLE vectors(id TEXT CHECK(length(hex(zeroblob(8000000))) > 0), vector BLOB, metadata TEXT);
        CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT); INSERT INTO meta VALUES('version', '1.0.0');";
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20)
        INSERT INTO vectors SELECT 'id-' || i, zeroblob(8), NULL FROM n;";
    let file = made(slow);
    let connection = Connection::open(&file.path).unwrap();
    connection.execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {rows}")).unwrap();
    drop(connection);
    let began = std::time::Instant::now();
    assert_eq!(load(&file.path, false).unwrap().collection.len(), 20);
    assert!(began.elapsed() < std::time::Duration::from_millis(300), "the CHECK was evaluated: {:?}", began.elapsed());
}

#[test]
fn a_database_that_another_program_is_writing_is_refused_as_locked() {
    let file = with(ROWS);
    let writer = Connection::open(&file.path).unwrap();
    writer.execute_batch("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE; DELETE FROM vectors;").unwrap();
    assert_locked(&file, "another program");
    writer.execute_batch("ROLLBACK; PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE; DELETE FROM vectors;").unwrap();
    assert_eq!(names(&file).len(), 2, "the change is in no file but the journal yet");
    taken(&file, &["z", "a"]);
    writer.execute_batch("ROLLBACK; PRAGMA journal_mode = PERSIST; DELETE FROM vectors WHERE id = 'z';").unwrap();
    assert_eq!(names(&file).len(), 2, "a journal that is done with stays");
    taken(&file, &["a"]);
    writer.execute_batch("PRAGMA journal_mode = WAL; DELETE FROM vectors;").unwrap();
    assert_locked(&file, "-wal");
    drop(writer);
    assert_eq!(names(&file).len(), 1, "the last one to close takes the log away");
    taken(&file, &[]);
    assert_eq!(names(&file).len(), 1, "and reading makes none");
    let journal = file.directory.path().join(format!("{}-journal", file.path.file_name().unwrap().to_str().unwrap()));
    #[expect(clippy::disallowed_methods, reason = "what a program that died leaves")]
    std::fs::write(journal, b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on").unwrap();
    assert_locked(&file, "-journal");
}

#[track_caller]
fn assert_locked(file: &Made, part: &str) {
    let error = load(&file.path, false).map(|loaded| loaded.path).unwrap_err();
    assert_eq!(error.kind, Kind::Locked, "{error}");
    assert!(error.message.contains(part), "{error}");
}

#[cfg(unix)]
#[test]
fn read_only_files_and_folders_with_links_on_the_way_are_read_and_a_link_itself_is_not() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let file = with(ROWS);
    std::fs::set_permissions(&file.path, PermissionsExt::from_mode(0o400)).unwrap();
    std::fs::set_permissions(file.directory.path(), PermissionsExt::from_mode(0o500)).unwrap();
    taken(&file, &["z", "a"]);
    std::fs::set_permissions(file.directory.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(file.directory.path(), elsewhere.path().join("folder")).unwrap();
    let name = file.path.file_name().unwrap();
    assert!(load(&elsewhere.path().join("folder").join(name), false).is_ok());
    symlink(&file.path, elsewhere.path().join("link.db")).unwrap();
    let error = load(&elsewhere.path().join("link.db"), false).map(|loaded| loaded.path).unwrap_err();
    assert_eq!(error.kind, Kind::Path, "{error}");
}

#[test]
fn a_call_that_is_cancelled_ends_while_sqlite_looks_for_damage() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)
        INSERT INTO vectors SELECT 'id-' || i, zeroblob(64), NULL FROM n;";
    let file = with(rows);
    let control = Control::default();
    control.cancel();
    let expect = Expect::default();
    let request = load::Request { path: file.path.to_str().unwrap(), expect, operation: "load" };
    assert_eq!(load::run(&request, &control).map(|loaded| loaded.path).unwrap_err().kind, Kind::Aborted);
    let control = std::sync::Arc::new(Control::new(None));
    let (other, began) = (control.clone(), std::time::Instant::now());
    let cancel = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(3));
        other.cancel();
    });
    let ended = load::run(&request, &control).map(|loaded| loaded.path);
    cancel.join().unwrap();
    assert_eq!(ended.unwrap_err().kind, Kind::Aborted, "after {:?}", began.elapsed());
}
