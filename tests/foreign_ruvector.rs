//! Reading ruvector's own file.
//!
//! Goal: whatever is done to a `ruvector.db`, by its owner or by bad luck, the reader returns one of its commits bit
//! for bit, or an error that says why not. Files are made with redb itself, the library that ruvector writes with; one
//! is damaged byte by byte, one is written while it is read. A failure means that wrong entries could be adopted, that
//! damage could end the process, or that a file in use could not be read.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends where a helper fails")]
#![expect(clippy::disallowed_methods, reason = "damaged files are written as they are")]

use redb::{Database, TableDefinition};
use ruvector_persistence::control::{Control, Progress};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::foreign::{RuvectorFile, is_redb, read_ruvector};
use ruvector_persistence::format::{Description, Entry, Metric};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const VECTORS: TableDefinition<&str, &[u8]> = TableDefinition::new("vectors");
const METADATA: TableDefinition<&str, &str> = TableDefinition::new("metadata");
const CONFIG: TableDefinition<&str, &str> = TableDefinition::new("config");

mod make {
    //! Files as ruvector makes them.

    use super::*;

    /// What bincode 2 makes of a vector.
    pub fn bincode(vector: &[f32]) -> Vec<u8> {
        let mut bytes = match vector.len() {
            short @ 0..=250 => vec![u8::try_from(short).unwrap()],
            long @ 251..=65_535 => [&[251], &u16::try_from(long).unwrap().to_le_bytes()[..]].concat(),
            longer => [&[252], &u32::try_from(longer).unwrap().to_le_bytes()[..]].concat(),
        };
        bytes.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    pub fn config(dimension: usize) -> String {
        let rest = r#""storage_path":"./a.db","hnsw_config":null,"quantization":null"#;
        format!(r#"{{"dimensions":{dimension},"distance_metric":"DotProduct",{rest}}}"#)
    }

    /// A small generator: the same numbers in every run, among them NaN with a payload, -0, infinity, a denormal.
    pub fn entries(count: usize, dimension: usize) -> Vec<Entry> {
        let mut state = 1_u32;
        let mut bits = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        let names = ["é😀", "a b", "x", "\u{10FFFF}", "__proto__"];
        let mut made: Vec<Entry> = (0..count)
            .map(|n| {
                let mut vector: Vec<f32> = (0..dimension).map(|_| f32::from_bits(bits())).collect();
                let special = [0x7FC0_1234, 0x8000_0000, 0x7F80_0000, 1, 0xFFFF_FFFF];
                vector[n % dimension] = f32::from_bits(special[n % 5]);
                let metadata = (n % 3 > 0).then(|| format!(r#"{{"n":{n},"text":"ü\"{}"}}"#, "y".repeat(n % 7 * 40)));
                Entry::new(&format!("{}{n}", names[n % names.len()]), vector, metadata.as_deref()).unwrap()
            })
            .collect();
        made.sort_by(|a, b| a.id.cmp(&b.id));
        made
    }

    /// Adds entries in one commit.
    pub fn insert(database: &Database, entries: &[Entry]) {
        let commit = database.begin_write().unwrap();
        {
            let mut vectors = commit.open_table(VECTORS).unwrap();
            let mut metadata = commit.open_table(METADATA).unwrap();
            for entry in entries {
                vectors.insert(&*entry.id, &*bincode(&entry.vector)).unwrap();
                if let Some(text) = &entry.metadata {
                    metadata.insert(&*entry.id, &**text).unwrap();
                }
            }
        }
        commit.commit().unwrap();
    }

    pub fn configure(database: &Database, text: &str) {
        let commit = database.begin_write().unwrap();
        commit.open_table(CONFIG).unwrap().insert("__ruvector_db_config__", text).unwrap();
        commit.commit().unwrap();
    }

    /// A file with one commit for the configuration and one for each slice of entries.
    pub fn file(path: &Path, dimension: usize, commits: &[&[Entry]]) -> Database {
        let database = Database::create(path).unwrap();
        configure(&database, &config(dimension));
        insert(&database, &[]);
        commits.iter().for_each(|entries| insert(&database, entries));
        database
    }

    /// A file with one row each, as given.
    pub fn raw(path: &Path, config: Option<&str>, id: &str, vector: &[u8], metadata: Option<&str>) {
        let database = Database::create(path).unwrap();
        let commit = database.begin_write().unwrap();
        commit.open_table(VECTORS).unwrap().insert(id, vector).unwrap();
        if let Some(text) = metadata {
            commit.open_table(METADATA).unwrap().insert(id, text).unwrap();
        }
        commit.commit().unwrap();
        if let Some(text) = config {
            configure(&database, text);
        }
    }
}

fn read(path: &Path) -> Result<(RuvectorFile, Vec<Entry>)> {
    let mut entries = Vec::new();
    let file = read_ruvector(path, &Control::default(), &mut |entry| {
        entries.push(entry);
        Ok(())
    })?;
    Ok((file, entries))
}

fn same(found: &[Entry], expected: &[Entry]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.same_bits(b))
}

fn place(directory: &tempfile::TempDir, name: &str) -> PathBuf {
    directory.path().join(name)
}

fn refused(path: &Path) -> Error {
    read(path).err().unwrap_or_else(|| Error::new(Kind::Internal, "it was read"))
}

#[test]
fn every_entry_is_read_bit_for_bit_in_the_order_of_ids() {
    let directory = tempfile::tempdir().unwrap();
    for (count, dimension) in [(0, 4), (1, 1), (3_000, 1), (40, 250), (40, 251), (3_000, 384), (3, 65_536)] {
        let expected = make::entries(count, dimension);
        let path = place(&directory, &format!("{count}-{dimension}.db"));
        let database = make::file(&path, dimension, &[&expected]);
        let (file, found) = read(&path).unwrap();
        assert!(same(&found, &expected), "{count} entries of {dimension} numbers, read while they are open");
        let description = Description { dimension: Some(dimension), metric: Some(Metric::Dot) };
        assert_eq!(file, RuvectorFile { description, count: count as u64, stale: false });
        drop(database);
        let (closed, found) = read(&path).unwrap();
        assert!(closed == file && same(&found, &expected), "{count} entries of {dimension} numbers, after closing");
        assert!(is_redb(&path));
    }
}

#[test]
fn a_file_of_redbs_newer_format_and_a_deep_tree_of_long_ids_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "v3.db");
    let database = Database::builder().create_with_file_format_v3(true).create(&path).unwrap();
    let entry = |n: usize| Entry::new(&format!("{n:0>1000}"), vec![n as f32], Some(r#"{"a":1}"#)).unwrap();
    let expected: Vec<Entry> = (0..2_000).map(entry).collect();
    make::insert(&database, &expected);
    drop(database);
    let (file, found) = read(&path).unwrap();
    assert!(same(&found, &expected));
    let description = Description { dimension: Some(1), metric: None };
    assert_eq!(file, RuvectorFile { description, count: 2_000, stale: false }, "no configuration: the vectors say it");
}

#[test]
fn deletions_and_replacements_are_seen() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "a.db");
    let mut expected = make::entries(500, 16);
    let database = make::file(&path, 16, &[&expected]);
    let commit = database.begin_write().unwrap();
    for entry in expected.iter().step_by(3) {
        commit.open_table(VECTORS).unwrap().remove(&*entry.id).unwrap();
    }
    commit.commit().unwrap();
    let mut index = 0;
    expected.retain(|_| {
        index += 1;
        (index - 1) % 3 != 0
    });
    expected[7].vector = vec![-0.0; 16].into();
    make::insert(&database, &expected[7..8]);
    let (file, found) = read(&path).unwrap();
    assert!(same(&found, &expected), "the metadata that the deletions left behind belongs to nobody");
    assert_eq!(file.count, expected.len() as u64);
}

#[test]
fn what_is_no_ruvector_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "x.db");
    let magic = b"redb\x1A\x0A\xA9\x0D\x0A";
    let contents: [(&[u8], Kind); 6] = [
        (b"", Kind::Format),
        (b"redb\x1A\x0A\xA9\x0D", Kind::Format),
        (b"SQLite format 3\0 and more", Kind::Format),
        (&[0xFF; 70_000], Kind::Format),
        (magic, Kind::Corrupt),
        (&[&magic[..], &[0; 5_000]].concat(), Kind::Corrupt),
    ];
    for (content, kind) in contents {
        std::fs::write(&path, content).unwrap();
        let error = refused(&path);
        assert_eq!(error.kind, kind, "{error}");
        assert_eq!(error.path.as_deref(), Some(path.as_path()));
        assert_eq!(is_redb(&path), kind == Kind::Corrupt);
    }
    assert_eq!(refused(directory.path()).kind, Kind::Path);
    assert_eq!(refused(&place(&directory, "missing.db")).kind, Kind::Path);
    assert!(!is_redb(directory.path()) && !is_redb(&place(&directory, "missing.db")));
}

#[test]
fn redb_files_with_other_tables_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "none.db");
    drop(Database::create(&path).unwrap());
    assert_eq!(refused(&path).kind, Kind::Format, "no table at all");
    make::configure(&Database::create(&path).unwrap(), "{}");
    let error = refused(&path);
    assert!(error.kind == Kind::Format && error.message.contains("'vectors'"), "{error}");

    let path = place(&directory, "numbers.db");
    let database = Database::create(&path).unwrap();
    let commit = database.begin_write().unwrap();
    commit.open_table(TableDefinition::<u64, u64>::new("vectors")).unwrap().insert(1, 2).unwrap();
    commit.commit().unwrap();
    assert_eq!(refused(&path).kind, Kind::Format, "keys and values of fixed size");

    let path = place(&directory, "text.db");
    let database = Database::create(&path).unwrap();
    let commit = database.begin_write().unwrap();
    commit.open_table(TableDefinition::<&str, &str>::new("vectors")).unwrap().insert("a", "b").unwrap();
    commit.commit().unwrap();
    assert_eq!(refused(&path).kind, Kind::Format, "text for vectors");
}

#[cfg(unix)]
#[test]
fn what_is_not_a_regular_file_is_refused_without_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = place(&directory, "pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(refused(&pipe).kind, Kind::Path);
    let (real, link) = (place(&directory, "real.db"), place(&directory, "link.db"));
    drop(make::file(&real, 2, &[&make::entries(3, 2)]));
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let error = refused(&link);
    assert!(error.kind == Kind::Path && error.message.contains("symbolic link"), "{error}");
    assert!(is_redb(&real) && !is_redb(&link) && !is_redb(&pipe));
}

#[test]
fn rows_that_make_no_entry_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let good = make::bincode(&[1.0, 2.0]);
    let config = make::config(2);
    let long = "x".repeat(1_025);
    let mark = |mark: u8, length: &[u8]| [&[mark], length, &[0; 8][..]].concat();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
    let huge = format!(r#"{{"a":"{}"}}"#, "x".repeat(17 << 20));
    type Case<'a> = (&'a str, Vec<u8>, Option<&'a str>, Kind, &'a str);
    let cases: [Case<'_>; 20] = [
        ("", good.clone(), None, Kind::Id, "empty"),
        ("a\0b", good.clone(), None, Kind::Id, "NUL"),
        (&long, good.clone(), None, Kind::Id, "1025 bytes"),
        ("a", vec![], None, Kind::Corrupt, "table 'vectors', id 'a'"),
        ("a", vec![2, 0, 0, 0], None, Kind::Corrupt, "table 'vectors', id 'a'"),
        ("a", [&good[..], &[0]].concat(), None, Kind::Corrupt, "'a'"),
        ("a", [&good[..], &[0; 4]].concat(), None, Kind::Corrupt, "'a'"),
        ("a", make::bincode(&[1.0; 3]), None, Kind::Corrupt, "3 numbers, not 2"),
        ("a", make::bincode(&[]), None, Kind::Corrupt, "0 numbers, not 2"),
        ("a", vec![251, 2], None, Kind::Corrupt, "cut off"),
        ("a", vec![252, 2, 0, 0], None, Kind::Corrupt, "cut off"),
        ("a", mark(253, &u64::MAX.to_le_bytes()), None, Kind::Corrupt, "'a'"),
        ("a", mark(254, &[2; 16]), None, Kind::Corrupt, "'a'"),
        ("a", mark(255, &[]), None, Kind::Corrupt, "'a'"),
        ("a", good.clone(), Some("[1]"), Kind::Corrupt, "table 'metadata', id 'a'"),
        ("a", good.clone(), Some("null"), Kind::Corrupt, "table 'metadata', id 'a'"),
        ("a", good.clone(), Some("{\"a\":}"), Kind::Corrupt, "table 'metadata', id 'a'"),
        ("a", good.clone(), Some(""), Kind::Corrupt, "table 'metadata', id 'a'"),
        ("a", good.clone(), Some(&deep), Kind::Limit, "'a'"),
        ("a", good.clone(), Some(&huge), Kind::Limit, "'a'"),
    ];
    for (n, (id, vector, metadata, kind, part)) in cases.into_iter().enumerate() {
        let path = place(&directory, &format!("{n}.db"));
        make::raw(&path, Some(&config), id, &vector, metadata);
        let error = refused(&path);
        assert!(error.kind == kind && error.message.contains(part), "case {n}: {:?} {error}", error.kind);
    }
    for (n, vector) in
        [mark(251, &[2, 0]), mark(252, &[2, 0, 0, 0]), mark(253, &[2, 0, 0, 0, 0, 0, 0, 0])].iter().enumerate()
    {
        let path = place(&directory, &format!("long{n}.db"));
        make::raw(&path, Some(&config), "a", vector, None);
        assert_eq!(read(&path).unwrap().1[0].vector.len(), 2, "bincode reads a number in more bytes than it needs");
    }
}

#[test]
fn a_dimension_is_possible_known_and_the_same_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let kind_of = |name: &str, config: Option<&str>, vector: &[f32]| {
        let path = place(&directory, name);
        make::raw(&path, config, "a", &make::bincode(vector), None);
        read(&path).map(|(file, _)| file.description).map_err(|error| error.kind)
    };
    assert_eq!(kind_of("1", Some(&make::config(70_000)), &[0.5; 70_000]), Err(Kind::Dimension));
    assert_eq!(kind_of("2", None, &[0.5; 70_000]), Err(Kind::Dimension));
    assert_eq!(kind_of("3", Some(&make::config(0)), &[]), Err(Kind::Dimension));
    assert_eq!(kind_of("4", None, &[]), Err(Kind::Dimension));
    assert_eq!(kind_of("5", Some("{}"), &[1.0]), Ok(Description { dimension: Some(1), metric: None }));
    assert_eq!(kind_of("6", Some("nonsense"), &[1.0]), Err(Kind::Corrupt));
    assert_eq!(kind_of("7", Some(r#"{"dimensions":-1}"#), &[1.0]), Err(Kind::Corrupt));
    assert_eq!(kind_of("8", Some(r#"{"distance_metric":"Hamming"}"#), &[1.0]), Err(Kind::Metric));

    let path = place(&directory, "mixed.db");
    let database = Database::create(&path).unwrap();
    for (id, dimension) in [("a", 2), ("b", 3)] {
        make::insert(&database, &[Entry::new(id, vec![1.0; dimension], None).unwrap()]);
    }
    let error = refused(&path);
    assert!(error.kind == Kind::Corrupt && error.message.contains("id 'b'"), "{error}");
}

/// Where redb's pages begin in a small file. Before them is the state of its allocator, which nobody reads here.
const PAGES: usize = 131 * 4_096;

/// Two commits of small entries, closed and as it is while open; the entries of each commit.
fn two_commits(directory: &tempfile::TempDir) -> ([Vec<u8>; 2], [Vec<Entry>; 2]) {
    let path = place(directory, "two.db");
    let all = make::entries(200, 64);
    let database = make::file(&path, 64, &[&all[..150], &all[150..]]);
    let open = std::fs::read(&path).unwrap();
    drop(database);
    ([open, std::fs::read(&path).unwrap()], [all[..150].to_vec(), all])
}

/// Reads damaged bytes: `Some(stale)` when one of the commits came out whole, `None` for an error.
fn judge(path: &Path, bytes: &[u8], commits: &[Vec<Entry>; 2], what: &str) -> Option<bool> {
    std::fs::write(path, bytes).unwrap();
    match read(path) {
        Ok((file, found)) => {
            let expected = &commits[usize::from(!file.stale)];
            assert!(same(&found, expected), "{what}: {} entries, stale: {}", found.len(), file.stale);
            assert_eq!(file.description.dimension, Some(64), "{what}");
            Some(file.stale)
        }
        Err(error) => {
            assert!(
                matches!(error.kind, Kind::Corrupt | Kind::Format | Kind::Version),
                "{what}: {:?} {error}",
                error.kind
            );
            None
        }
    }
}

#[test]
fn any_damaged_byte_is_noticed_or_has_no_effect() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "damaged.db");
    let (files, commits) = two_commits(&directory);
    for (state, file) in ["open", "closed"].into_iter().zip(&files) {
        let used: Vec<usize> = (0..file.len()).filter(|at| *at < 320 || (*at >= PAGES && file[*at] != 0)).collect();
        let step = (used.len() / 350).max(1);
        let chosen = used.iter().enumerate().filter(|(n, at)| **at < 320 || n % step == 0).map(|(_, at)| *at);
        let (mut refused, mut whole, mut stale) = (0, 0, 0);
        for at in chosen {
            let mut bytes = file.clone();
            bytes[at] ^= 1 << (at % 8);
            match judge(&path, &bytes, &commits, &format!("{state} file, byte {at}")) {
                _ if at < PAGES => {}
                None => refused += 1,
                Some(false) => whole += 1,
                Some(true) => stale += 1,
            }
        }
        assert!(refused > 20 && whole > 20, "{state} file: {refused} refused, {whole} whole, {stale} stale");
        assert_eq!(stale > 10, state == "open", "{state} file, {stale} stale: only one in use falls back to the last");
    }
}

#[test]
fn a_truncated_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "short.db");
    let (files, commits) = two_commits(&directory);
    for file in &files {
        let last = file.iter().rposition(|byte| *byte != 0).unwrap();
        let lengths = (0..400).chain((400..file.len()).step_by(4_096 * 3 + 1)).chain([last, last + 1, file.len() - 1]);
        let mut whole = 0;
        for length in lengths {
            let outcome = judge(&path, &file[..length], &commits, &format!("{length} bytes"));
            whole += usize::from(outcome == Some(false));
            assert!(outcome.is_none() || length > 500_000, "{length} bytes cannot be enough");
        }
        assert!(whole > 0, "what is cut off beyond the last used page has no effect");
    }
}

#[test]
fn a_file_that_is_being_written_is_read_as_one_of_its_commits() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "live.db");
    let start = make::entries(4_000, 256);
    let counted = |n: usize| Entry::new("counter", vec![n as f32; 256], Some(&format!(r#"{{"n":{n}}}"#))).unwrap();
    let database = make::file(&path, 256, &[&start, &[counted(0)]]);
    let (acknowledged, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1.. {
                // Each commit adds one entry, changes one all over the tree, and says how many it has added.
                let added = Entry::new(&format!("new{n:08}"), vec![n as f32; 256], None).unwrap();
                let mut changed = start[n * 7_919 % start.len()].clone();
                changed.vector = vec![n as f32; 256].into();
                make::insert(&database, &[added, counted(n), changed]);
                acknowledged.store(n, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        for round in 0..25 {
            let before = acknowledged.load(Ordering::SeqCst);
            let result = read(&path);
            let after = acknowledged.load(Ordering::SeqCst) + 1;
            if round == 24 || result.is_err() {
                stop.store(true, Ordering::SeqCst);
            }
            let (file, found) = result.unwrap();
            let counter = found.iter().find(|entry| &*entry.id == "counter").unwrap();
            let n = counter.vector[0] as usize;
            assert!((before..=after).contains(&n), "acknowledged {before} before and {after} after, found {n}");
            let added: Vec<&str> = found.iter().map(|entry| &*entry.id).filter(|id| id.starts_with("new")).collect();
            let expected: Vec<String> = (1..=n).map(|n| format!("new{n:08}")).collect();
            assert_eq!(added, expected, "exactly what that commit had added");
            assert_eq!(counter.metadata.as_deref(), Some(format!(r#"{{"n":{n}}}"#).as_str()));
            assert_eq!(file.count as usize, start.len() + 1 + n);
        }
    });
}

#[test]
fn nothing_is_left_behind_and_the_file_is_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "a.db");
    let (files, _) = two_commits(&directory);
    let listing = || std::fs::read_dir(directory.path()).unwrap().count();
    let mut broken = files[0].clone();
    broken.truncate(540_000);
    for (content, count) in [(&files[0], Some(200)), (&files[1], Some(200)), (&broken, None)] {
        std::fs::write(&path, content).unwrap();
        let before = listing();
        let result = read_ruvector(&path, &Control::default(), &mut |_| {
            assert!(cfg!(windows) || listing() == before, "the copy has no name even while it is used");
            Ok(())
        });
        assert_eq!(result.ok().map(|file| file.count), count);
        assert_eq!(listing(), before);
        assert_eq!(&std::fs::read(&path).unwrap(), content);
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_takes_no_file_does_not_hinder() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "a.db");
    drop(make::file(&path, 2, &[&make::entries(3, 2)]));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let found = read(&path).map(|(file, _)| file.count);
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(found.unwrap(), 3);
}

#[test]
fn a_call_is_cancelled_reported_and_ended_by_its_sink() {
    let directory = tempfile::tempdir().unwrap();
    let path = place(&directory, "a.db");
    let database = make::file(&path, 64, &[&make::entries(3_000, 64)]);
    let control = Arc::new(Control::default());
    control.cancel();
    let cancelled = read_ruvector(&path, &control, &mut |_| Ok(()));
    assert_eq!(cancelled.unwrap_err().kind, Kind::Aborted);

    let control = Control::default();
    let mut seen = 0;
    let cancelled = read_ruvector(&path, &control, &mut |_| {
        seen += 1;
        control.cancel();
        Ok(())
    });
    assert_eq!(cancelled.unwrap_err().kind, Kind::Aborted);
    assert!((1..=256).contains(&seen));

    let ended = read_ruvector(&path, &Control::default(), &mut |_| Err(Error::new(Kind::Unsupported, "enough")));
    let ended = ended.unwrap_err();
    assert_eq!((ended.kind, ended.message.as_str(), ended.path), (Kind::Unsupported, "enough", None));

    let reports = Arc::new(Mutex::new(Vec::new()));
    let listener = reports.clone();
    let control = Control::new(Some(Box::new(move |report: Progress| listener.lock().unwrap().push(report))));
    read_ruvector(&path, &control, &mut |_| Ok(())).unwrap();
    let reports = reports.lock().unwrap();
    assert!(reports.iter().all(|report| report.operation == "adopt" && report.current <= report.total));
    assert!(!reports.is_empty() && reports.iter().all(|report| report.total >= 3_000));
    let readable = database.begin_read().unwrap();
    assert!(readable.open_table(VECTORS).unwrap().get("x2").unwrap().is_some(), "its owner was not disturbed");
}
