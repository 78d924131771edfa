//! Engine `lsm`: what the suites of every engine do not ask: the change of engine under writes, kill -9 in the middle of
//! checkpoints, damage in tables that are larger than what opening compares, and files that are not real.

use crate::damage::files;
use crate::support::{Content, content, fill, open, open_reader, options, put, small, small_of, vector};
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::{Disk, Fs, FsFile, Lock};
use ruvector_persistence::error::{Kind, Result};
use ruvector_persistence::format::header::{FileKind, Header, Owner};
use ruvector_persistence::lsm::{BlockCache, Expected, Options, Row, Run, build};
use ruvector_persistence::manifest::{Engine, LsmCompression, LsmSettings, SegmentKind, Settings};
use ruvector_persistence::store::{Compact, MetadataRule, Store, StoredCollection};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn kinds(collection: &StoredCollection) -> Vec<SegmentKind> {
    collection.manifest().segments.iter().map(|segment| segment.kind).collect()
}

/// Small memtables, so that there is a checkpoint all the time, and a log that does not become long.
fn busy() -> Settings {
    let mut settings = small();
    settings.wal.segment_size = 256 << 10;
    settings.wal.retention = 0;
    settings
}

/// The names of the runs on disk.
fn runs(folder: &Path) -> Vec<String> {
    let Ok(listing) = fs::read_dir(folder.join("collections/a/lsm")) else { return Vec::new() };
    let mut names: Vec<String> = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_engine_changes_to_lsm_and_back_while_writes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", busy()).unwrap();
    fill(&collection, "id", 2_000);
    collection.checkpoint().unwrap();
    let ending = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut seed = 0;
            while !ending.load(Ordering::Relaxed) {
                collection.wait(put(&collection, &format!("late {seed}"), seed)).unwrap();
                collection.delete(&[&format!("id {seed}")], true).unwrap();
                seed += 1;
            }
            seed
        });
        for engine in [Engine::Lsm, Engine::Hybrid, Engine::Lsm, Engine::Mmap, Engine::Lsm] {
            collection.configure(|settings| settings.engine = engine).unwrap();
            let kinds = kinds(&collection);
            assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == engine.segments()), "{engine:?}: {kinds:?}");
        }
        ending.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let before = content(&collection);
    assert!(written > 0);
    for seed in 0..written {
        assert!(before.contains_key(&format!("late {seed}")) && !before.contains_key(&format!("id {seed}")));
    }
    assert_eq!(before.len() as u32, 2_000.max(written));
    drop(collection);
    store.close().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.collection("a").unwrap();
    assert_eq!(collection.manifest().settings.engine, Engine::Lsm);
    assert!(collection.recovery().swept.is_empty(), "{:?}", collection.recovery());
    assert_eq!(content(&collection), before);
    let names = fs::read_dir(folder.path().join("collections/a/segments")).unwrap();
    assert!(names.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_string_lossy().ends_with(".seg")));
    assert_eq!(runs(folder.path()).len(), collection.manifest().segments.len());
}

#[test]
fn a_change_of_engine_that_fails_leaves_the_old_engine_usable() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    fill(&collection, "id", 500);
    let before = content(&collection);
    // A file where the folder of runs would be.
    let obstacle = folder.path().join("collections/a/lsm");
    fs::write(&obstacle, "in the way").unwrap();
    collection.configure(|settings| settings.engine = Engine::Lsm).unwrap_err();
    assert_eq!(collection.manifest().settings.engine, Engine::Mmap);
    assert_eq!(content(&collection), before);
    put(&collection, "more", 1);
    collection.compact(Compact::All).unwrap();
    assert!(kinds(&collection).iter().all(|kind| *kind == SegmentKind::File));
    fs::remove_file(&obstacle).unwrap();
    collection.configure(|settings| settings.engine = Engine::Lsm).unwrap();
    assert!(kinds(&collection).iter().all(|kind| *kind == SegmentKind::Lsm));
    assert_eq!(content(&collection).len(), before.len() + 1);
}

#[test]
fn compression_and_cache_do_what_the_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let bytes = |name: &str, compression| {
        let lsm = LsmSettings { compression, ..LsmSettings::default() };
        let collection = store.create(name, Settings { engine: Engine::Lsm, lsm, ..Settings::default() }).unwrap();
        let text = format!(r#"{{"text":"{}"}}"#, "all the same ".repeat(40));
        (0..500).for_each(|seed| {
            collection
                .put(&format!("id {seed}"), &vector(seed), Some(&text), MetadataRule::Replace, false)
                .map(drop)
                .unwrap();
        });
        collection.checkpoint().unwrap();
        collection.statistics().unwrap().segment_bytes
    };
    let (none, lz4) = (bytes("none", LsmCompression::None), bytes("lz4", LsmCompression::Lz4));
    assert!(lz4 * 3 < none, "{lz4} and {none} bytes");
    // Another cache for a collection that is open, with the same content behind it.
    let collection = store.collection("lz4").unwrap();
    let before = content(&collection);
    let old = collection.version();
    collection.configure(|settings| settings.lsm.block_cache = 1 << 20).unwrap();
    assert_eq!(content(&collection), before);
    assert_eq!(old.entries().count(), before.len(), "a version keeps what it had");
    let refused = collection.configure(|settings| settings.lsm.block_size = 1).unwrap_err();
    assert_eq!(refused.kind, Kind::Limit);
}

#[test]
fn compactions_keep_runs_below_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let lsm = LsmSettings { target_file_size: 1 << 20, compression: LsmCompression::None, ..LsmSettings::default() };
    let settings = Settings { engine: Engine::Lsm, lsm, memtable_size: 256 << 10, ..Settings::default() };
    let collection = store.create("a", settings).unwrap();
    for round in 0..12 {
        for seed in 0..400_u32 {
            let vector: Vec<f32> = (0..128).map(|i| (seed * 128 + i) as f32).collect();
            collection.put(&format!("{round} {seed}"), &vector, None, MetadataRule::Replace, false).unwrap();
        }
        collection.checkpoint().unwrap();
    }
    collection.compact(Compact::All).unwrap();
    let sizes: Vec<u64> = collection.manifest().segments.iter().map(|segment| segment.length).collect();
    assert!(sizes.len() >= 3 && sizes.iter().all(|size| *size < 5 << 18), "{sizes:?}");
}

#[test]
fn entries_at_the_limits_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", Settings { engine: Engine::Lsm, ..Settings::default() }).unwrap();
    let vector: Vec<f32> = (0..65_536).map(|i| f32::from_bits(i * 65_537)).collect();
    let long = "x".repeat(1_024);
    let metadata = format!(r#"{{"m":"{}"}}"#, "ü".repeat((16 << 20) / 2 - 8));
    collection.put(&long, &vector, Some(&metadata), MetadataRule::Replace, true).unwrap();
    collection.put("ä\u{1f600}", &vector, None, MetadataRule::Replace, true).unwrap();
    let before = content(&collection);
    collection.checkpoint().unwrap();
    assert_eq!(kinds(&collection), [SegmentKind::Lsm]);
    assert!(content(&collection) == before);
}

#[test]
fn salvage_saves_the_good_rows_of_a_damaged_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let lsm = LsmSettings { block_size: 1_024, ..LsmSettings::default() };
    let collection = store.create("a", Settings { engine: Engine::Lsm, lsm, ..Settings::default() }).unwrap();
    fill(&collection, "id", 1_000);
    collection.checkpoint().unwrap();
    let before = content(&collection);
    drop(collection);
    store.close().unwrap();
    drop(store);
    let table = files(&folder.path().join("collections/a/lsm")).into_iter().find(|path| path.ends_with("tables/0"));
    let table = table.unwrap();
    let bytes = fs::read(&table).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&table).unwrap();
    file.write_all_at(&[bytes[2_000] ^ 1], 2_000).unwrap();
    let store = open(folder.path()).unwrap();
    let found = store.verify("a", &Control::default()).unwrap();
    assert!(found.damage.iter().any(|damage| damage.path == table), "{found:?}");
    let lost: u64 = found.damage.iter().map(|damage| damage.entries).sum();
    assert!((1..100).contains(&lost), "{found:?}");
    let salvaged = store.salvage("a", "saved", &Control::default()).unwrap();
    assert_eq!(salvaged.lost.iter().map(|lost| lost.rows).sum::<u64>(), lost);
    let saved = content(&store.collection("saved").unwrap());
    assert_eq!(saved.len() as u64, 1_000 - lost);
    assert!(saved.iter().all(|(id, value)| before.get(id) == Some(value)));
}

const OWNER: Owner = Owner { store: [1; 16], collection: [2; 16] };

fn run_options() -> Options {
    Options { cache: BlockCache::new(0), block_size: 1_024, compression: true, filter_bits: 10.0 }
}

/// A run of tables that are much larger than what opening compares.
fn some_run(folder: &Path, rows: u32) -> (PathBuf, Expected) {
    let path = folder.join("00000007");
    let header = Header { kind: FileKind::Run, owner: OWNER, number: 7, generation: 1 };
    let sealed = build(&Disk, &path, header, (16, None), &run_options(), |sink| {
        for row in 0..rows {
            let vector: Vec<f32> = (0..16).map(|i| (row * 31 + i) as f32 * 0.37).collect();
            let (id, metadata) = (format!("id {row}"), format!(r#"{{"row":{row}}}"#));
            let metadata = Some(metadata.as_str()).filter(|_| row % 3 > 0);
            sink.push(&Row { id: &id, vector: &vector, metadata, lsn: u64::from(row) + 9 })?;
        }
        Ok(())
    });
    let sealed = sealed.unwrap();
    assert_eq!((sealed.number, sealed.rows), (7, rows));
    (path, Expected { owner: OWNER, number: 7, length: sealed.length, checksum: sealed.checksum })
}

type Found = BTreeMap<String, (Vec<u32>, Option<String>, u64)>;

/// Everything in a run, by number and by id.
fn read_run(path: &Path, expected: &Expected) -> Result<Found> {
    let run = Run::open(&Disk, path, expected, &run_options())?;
    let mut found = Found::new();
    for row in 0..run.rows() {
        let (id, value) = run.with_row(row, |view| {
            let vector = view.vector.iter().map(|x| x.to_bits()).collect();
            (view.id.to_owned(), (vector, view.metadata.map(str::to_owned), view.lsn))
        })?;
        assert_eq!(run.find(&id)?.map(|found| found.row()), Some(row), "{id}");
        found.insert(id, value);
    }
    assert!(run.find("nobody")?.is_none());
    Ok(found)
}

#[test]
fn no_flipped_byte_in_a_large_table_becomes_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, expected) = some_run(folder.path(), 400);
    let before = read_run(&path, &expected).unwrap();
    assert_eq!(before.len(), 400);
    let (mut flips, mut noticed) = (0, 0);
    for name in files(&path) {
        let bytes = fs::read(&name).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&name).unwrap();
        let is_table = name.parent().unwrap().ends_with("tables");
        assert!(!is_table || bytes.len() > 20_000, "{} bytes", bytes.len());
        for (at, byte) in bytes.iter().enumerate().step_by(if is_table { 29 } else { 1 }) {
            file.write_all_at(&[byte ^ (1 << (at / 29 % 8))], at as u64).unwrap();
            flips += 1;
            match read_run(&path, &expected) {
                Err(error) => {
                    noticed += 1;
                    let place = error.path.as_ref().is_some_and(|found| found.starts_with(&path));
                    assert!([Kind::Corrupt, Kind::Version].contains(&error.kind) && place, "{at}: {error:?}");
                }
                Ok(found) => assert!(found == before, "{}: byte {at}", name.display()),
            }
            file.write_all_at(&[*byte], at as u64).unwrap();
        }
    }
    assert_eq!(read_run(&path, &expected).unwrap(), before);
    assert!(noticed * 10 > flips * 9, "{noticed} of {flips}");
}

#[test]
fn a_run_that_is_not_the_expected_one_is_refused_and_nothing_of_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, expected) = some_run(folder.path(), 50);
    let kind = |expected: &Expected| Run::open(&Disk, &path, expected, &run_options()).unwrap_err().kind;
    assert_eq!(kind(&Expected { number: 8, ..expected }), Kind::Corrupt);
    assert_eq!(kind(&Expected { length: expected.length + 1, ..expected }), Kind::Corrupt);
    assert_eq!(kind(&Expected { checksum: expected.checksum ^ 1, ..expected }), Kind::Corrupt);
    let other = Owner { collection: [3; 16], ..OWNER };
    assert_eq!(kind(&Expected { owner: other, ..expected }), Kind::Corrupt);
    // Files that the library would take for its own, and remove.
    for strange in ["v9", "tables/99", "note"] {
        fs::write(path.join(strange), "x").unwrap();
        assert_eq!(kind(&expected), Kind::Corrupt, "{strange}");
        fs::remove_file(path.join(strange)).expect("it is still there");
    }
    assert_eq!(read_run(&path, &expected).unwrap().len(), 50);
    // A row that is refused leaves nothing behind.
    let path = folder.path().join("00000009");
    let header = Header { kind: FileKind::Run, owner: OWNER, number: 9, generation: 1 };
    let refused = build(&Disk, &path, header, (2, None), &run_options(), |sink| {
        sink.push(&Row { id: "a", vector: &[1.0, 2.0], metadata: None, lsn: 1 })?;
        sink.push(&Row { id: "b", vector: &[1.0], metadata: None, lsn: 1 })
    });
    assert_eq!(refused.unwrap_err().kind, Kind::Dimension);
    assert!(!path.exists());
}

/// Real files that do not say so.
#[derive(Debug)]
struct Simulated;

impl Fs for Simulated {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Disk.open(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        Disk.create(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<bool> {
        Disk.remove(path)
    }
    fn make_directory(&self, path: &Path) -> Result<()> {
        Disk.make_directory(path)
    }
    fn remove_directory(&self, path: &Path) -> Result<bool> {
        Disk.remove_directory(path)
    }
    fn list(&self, path: &Path) -> Result<Vec<String>> {
        Disk.list(path)
    }
    fn sync_directory(&self, path: &Path) -> Result<()> {
        Disk.sync_directory(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        Disk.lock(path, holder)
    }
    fn free_space(&self, path: &Path) -> Result<u64> {
        Disk.free_space(path)
    }
    fn now_us(&self) -> u64 {
        Disk.now_us()
    }
}

#[test]
fn files_that_are_not_real_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Arc::new(Simulated), folder.path(), &options()).unwrap();
    let refused = store.create("a", small_of(Engine::Lsm)).err().unwrap();
    assert!(refused.kind == Kind::Unsupported && refused.message.contains("engine lsm"), "{refused:?}");
    let collection = store.create("b", small()).unwrap();
    put(&collection, "x", 1);
    let refused = collection.configure(|settings| settings.engine = Engine::Lsm).unwrap_err();
    assert!(refused.kind == Kind::Unsupported && refused.message.contains("engine lsm"), "{refused:?}");
    assert_eq!(content(&collection).len(), 1);
}

const CHILD: &str = "RUVECTOR_PERSISTENCE_LSM_CHILD";

/// Writes until it is killed, and says what is durable. Only does so in a process of its own.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = open(Path::new(&folder)).unwrap();
    let settings = Settings { engine: Engine::Lsm, compaction_threshold: 0.2, ..busy() };
    let collection = store.collection_or_create("a", settings).unwrap();
    let mut seed = collection.read(|state| state.lsn()) as u32;
    loop {
        let lsn = put(&collection, &format!("id {}", seed % 3_000), seed);
        if seed.is_multiple_of(20) {
            collection.wait(lsn).unwrap();
            // Straight to the pipe: the harness would keep a line of `println!`.
            std::io::Write::write_all(&mut std::io::stdout(), format!("durable {seed}\n").as_bytes()).unwrap();
        }
        if seed.is_multiple_of(700) {
            let engine = if seed.is_multiple_of(1_400) { Engine::Mmap } else { Engine::Lsm };
            collection.configure(|settings| settings.engine = engine).unwrap();
        }
        seed += 1;
    }
}

#[test]
fn kill_9_in_the_middle_of_checkpoints_costs_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = None;
    for round in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lsm::child", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        // The moment of death differs from round to round, and mostly falls into a checkpoint: there is one all the time.
        while heard < 10 + round * 17 % 90 {
            let line = lines.next().expect("the child writes on").unwrap();
            if let Some((_, seed)) = line.split_once("durable ") {
                last = Some(seed.trim().parse::<u32>().unwrap());
                heard += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rest = lines.map_while(|line| line.ok()).filter_map(|line| line.split_once("durable ")?.1.parse().ok());
        last = rest.last().or(last);
        let last = last.unwrap();
        // A reader first: it changes nothing.
        let seen = content(&open_reader(folder.path()).unwrap().collection("a").unwrap());
        check(&seen, last, round);
        let store = open(folder.path()).unwrap();
        let collection = store.collection("a").unwrap();
        assert_eq!(content(&collection), seen);
        let named: Vec<String> = collection
            .manifest()
            .segments
            .iter()
            .filter(|segment| segment.kind == SegmentKind::Lsm)
            .map(|segment| format!("{:08}", segment.number))
            .collect();
        assert_eq!(runs(folder.path()), named, "nothing else is left");
        assert_eq!(store.verify("a", &Control::default()).unwrap().damage, []);
    }
}

/// Every id holds the newest value that was acknowledged for it, or one that was written after.
fn check(seen: &Content, last: u32, round: u64) {
    for key in 0..3_000.min(last + 1) {
        let (vector, _) = seen.get(&format!("id {key}")).unwrap_or_else(|| panic!("round {round}: id {key} is lost"));
        let found = (f32::from_bits(vector[0]) / 4.0) as u32;
        assert_eq!(found % 3_000, key, "round {round}");
        let newest = last - (last + 3_000 - key) % 3_000;
        assert!(found >= newest, "round {round}: id {key} is as of {found}, {newest} was acknowledged");
    }
}
