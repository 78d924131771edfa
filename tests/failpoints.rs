//! Every failpoint of the library, with a process that dies there and with a step that fails there.
//!
//! 1. The points are listed from the sources.
//! 2. A store is prepared whose writer was killed: records that only the page cache holds, files that nothing names.
//! 3. A child (this binary again, running `child`) opens a copy of it and works through a fixed list of operations; it
//!    notes each one that is done. A first child only counts how often it comes to each point.
//! 4. Killed at a point, for the first, a middle and the last time: the store opens, and holds what was done up to there
//!    or with the operation that was under way, nothing else.
//! 5. Failed at a point: the operation gives an error, no panic; the store opens again, the operation is tried again, and
//!    in the end everything is there.
//!
//! A point that the work does not come to is a failure too. `FAILPOINT=<name>` tries one alone.

#![cfg(unix)]

use ruvector_persistence::archive::{Expect, Format, Options};
use ruvector_persistence::codec::Compression;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::failpoint;
use ruvector_persistence::format::header::{FileKind, Header};
use ruvector_persistence::manifest::{self, Settings};
use ruvector_persistence::ops::save_incremental::{self, Baseline};
use ruvector_persistence::ops::{load, save};
use ruvector_persistence::store::{Compact, MetadataRule, OpenStore, Store, StoredCollection};
use ruvector_persistence::wal::LogFile;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

const POINTS_MIN: usize = 60;
const SIGABRT: i32 = 6;

/// Points that only a failure elsewhere leads to, and that failure.
const COMPANIONS: [(&str, &str); 3] = [
    ("log.before_refusal", "wal.append.before_write=error@4"),
    ("log.after_refusal", "wal.append.before_write=error@4"),
    ("checkpoint.before_discard", "checkpoint.before_manifest=error@1"),
];

/// One step of the work.
#[derive(Debug, Clone, Copy)]
enum Op {
    /// Another store is made, with a collection and an entry.
    Fresh,
    /// The store is opened, with all its collections.
    Open,
    Put(&'static str, u32, u32),
    Delete(&'static str, u32),
    Checkpoint(&'static str),
    Compact(&'static str),
    Configure(&'static str),
    /// The content is replaced by itself.
    Replace(&'static str),
    Save(&'static str),
    /// To the same archive, as a delta where that is possible.
    SaveIncremental(&'static str),
    Create(&'static str),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Salvage(&'static str, &'static str),
    Close,
}

/// Collections, and their entries as numbers.
type State = BTreeMap<String, BTreeMap<String, u32>>;

fn preparation() -> Vec<Op> {
    let mut ops = vec![Op::Open, Op::Create("a")];
    ops.extend((0..6).map(|id| Op::Put("a", id, id)));
    ops.push(Op::Checkpoint("a"));
    ops.extend((4..9).map(|id| Op::Put("a", id, 10 + id)));
    // It dies in this one.
    ops.push(Op::Checkpoint("a"));
    ops
}

fn work() -> Vec<Op> {
    let mut ops = vec![Op::Fresh, Op::Open];
    ops.extend((0..3).map(|id| Op::Put("a", id, 20 + id)));
    ops.push(Op::Checkpoint("a"));
    ops.extend((7..12).map(|id| Op::Put("a", id, 30 + id)));
    ops.extend([Op::Delete("a", 8), Op::Compact("a"), Op::Put("a", 1, 41), Op::Configure("a"), Op::Save("a")]);
    ops.extend([Op::SaveIncremental("a"), Op::Put("a", 2, 52), Op::SaveIncremental("a")]);
    ops.extend([Op::Delete("a", 2), Op::Put("a", 9, 53), Op::SaveIncremental("a")]);
    ops.extend([Op::Put("a", 2, 42), Op::Replace("a"), Op::Put("a", 3, 43), Op::Save("a")]);
    ops.extend([Op::Create("b"), Op::Put("b", 0, 50), Op::Rename("b", "c"), Op::Put("c", 1, 51)]);
    ops.extend([Op::Create("d"), Op::Put("d", 0, 60), Op::Checkpoint("d"), Op::Remove("d")]);
    ops.extend([Op::Checkpoint("a"), Op::Put("a", 4, 44), Op::Salvage("a", "s"), Op::Put("s", 5, 70)]);
    ops.extend([Op::Close, Op::Open, Op::Put("a", 5, 45), Op::Put("a", 0, 46), Op::Close]);
    ops
}

/// What the operation makes of the state; for one that was under way, every state that may be found.
fn apply(op: Op, state: &mut State) -> Vec<State> {
    let before = state.clone();
    let mut between = Vec::new();
    match op {
        Op::Put(name, id, x) => drop(state.entry(name.into()).or_default().insert(format!("id {id}"), x)),
        Op::Delete(name, id) => drop(state.entry(name.into()).or_default().remove(&format!("id {id}"))),
        Op::Create(name) => drop(state.insert(name.into(), BTreeMap::new())),
        Op::Rename(from, to) => {
            let content = state.remove(from).unwrap_or_default();
            state.insert(to.into(), content);
        }
        Op::Remove(name) => drop(state.remove(name)),
        Op::Salvage(from, to) => {
            between.push(state.clone().into_iter().chain([(to.to_owned(), BTreeMap::new())]).collect());
            state.insert(to.into(), state[from].clone());
        }
        Op::Fresh
        | Op::Open
        | Op::Checkpoint(_)
        | Op::Compact(_)
        | Op::Configure(_)
        | Op::Replace(_)
        | Op::Save(_)
        | Op::SaveIncremental(_)
        | Op::Close => {}
    }
    between.extend([before, state.clone()]);
    between
}

fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.wal.segment_size = 12 << 10;
    settings.wal.preallocate = 1_024;
    settings.wal.retention = 0;
    settings.wal.archive = Some(folder.join("old logs").to_string_lossy().into_owned());
    settings
}

fn open(base: &Path) -> Result<Store> {
    let options = OpenStore { read_only: false, create: true, among_others: false, holder: "a failpoint".to_owned() };
    Store::open(Arc::new(Disk), base, &options)
}

/// The child.
struct Worker {
    folder: PathBuf,
    store: Option<Store>,
    /// What the archive holds.
    baseline: Option<Baseline>,
}

impl Worker {
    fn note(&self, line: &str) {
        let mut log = fs::OpenOptions::new().append(true).create(true).open(self.folder.join("log")).unwrap();
        writeln!(log, "{line}").unwrap();
    }

    fn store(&mut self) -> Result<&Store> {
        if self.store.is_none() {
            self.store = Some(open(&self.folder.join("store"))?);
        }
        self.store.as_ref().ok_or_else(|| Error::new(Kind::Internal, "no store"))
    }

    fn collection(&mut self, name: &str) -> Result<Arc<StoredCollection>> {
        self.store()?.collection(name)
    }

    /// Does it; trying again what has failed halfway is fine.
    fn run(&mut self, op: Op) -> Result<()> {
        let settings = settings(&self.folder);
        match op {
            Op::Fresh => {
                let _ = fs::create_dir(self.folder.join("fresh"));
                let store = open(&self.folder.join("fresh"))?;
                let collection = store.collection_or_create("x", settings)?;
                collection.wait(put(&collection, 0, 1)?)?;
                store.close()
            }
            Op::Open => {
                let names = self.store()?.list()?;
                names.iter().try_for_each(|name| self.collection(name).map(drop))
            }
            Op::Put(name, id, x) => {
                let collection = self.collection(name)?;
                collection.wait(put(&collection, id, x)?)
            }
            Op::Delete(name, id) => {
                let collection = self.collection(name)?;
                let deleted = collection.delete(&[&format!("id {id}")], true)?;
                deleted.map_or(Ok(()), |deleted| collection.wait(deleted.lsn))
            }
            Op::Checkpoint(name) => self.collection(name)?.checkpoint().map(|_| ()),
            Op::Compact(name) => self.collection(name)?.compact(Compact::All).map(|_| ()),
            Op::Configure(name) => self.collection(name)?.configure(|settings| settings.compaction_threshold = 0.5),
            Op::Replace(name) => {
                let collection = self.collection(name)?;
                collection.replace(&collection.version()).map(|_| ())
            }
            Op::Save(name) => {
                let path = self.folder.join("archive.json").to_string_lossy().into_owned();
                let options = Options { format: Format::Json, compression: Compression::None, level: None };
                let request = save::Request { path: &path, options, operation: "save" };
                save::run(&self.collection(name)?.version(), &request, &Control::default()).map(|_| ())
            }
            Op::SaveIncremental(name) => {
                let path = self.folder.join("archive.json").to_string_lossy().into_owned();
                let options = Options { format: Format::Json, compression: Compression::None, level: None };
                let request = save_incremental::Request { path: &path, options, operation: "save", known: None };
                let version = self.collection(name)?.version();
                let saved = save_incremental::run(&version, &request, self.baseline.as_ref(), &Control::default())?;
                self.baseline = Some(saved.baseline);
                Ok(())
            }
            Op::Create(name) => self.store()?.collection_or_create(name, settings).map(|_| ()),
            Op::Rename(from, to) => match self.store()?.rename(from, to) {
                Err(error) if error.kind == Kind::Exists => Ok(()),
                other => other,
            },
            Op::Remove(name) => match self.store()?.remove(name) {
                Err(error) if error.kind == Kind::NotFound => Ok(()),
                other => other,
            },
            Op::Salvage(from, to) => {
                if self.store()?.list()?.iter().any(|name| name == to) {
                    self.store()?.remove(to)?;
                }
                let salvaged = self.store()?.salvage(from, to, &Control::default())?;
                assert!(salvaged.lost.is_empty(), "{:?}", salvaged.lost);
                Ok(())
            }
            Op::Close => self.store.take().map_or(Ok(()), |store| store.close()),
        }
    }
}

fn put(collection: &StoredCollection, id: u32, x: u32) -> Result<u64> {
    let metadata = format!(r#"{{"text":"{}"}}"#, "m".repeat(1_500));
    let vector = [x as f32, 0.5];
    Ok(collection.put(&format!("id {id}"), &vector, Some(&metadata), MetadataRule::Replace, true)?.lsn)
}

/// Not a test of its own: what the others start as another process.
#[test]
fn child() {
    let Some(folder) = std::env::var_os("RVP_TEST_FOLDER").map(PathBuf::from) else { return };
    let preparing = std::env::var_os("RVP_TEST_PREPARE").is_some();
    let mut worker = Worker { folder, store: None, baseline: None };
    for op in if preparing { preparation() } else { work() } {
        // Twice only: a failure strikes once.
        if let Err(error) = worker.run(op) {
            worker.note(&format!("failed: {op:?}: {error}"));
            drop(worker.store.take());
            worker.run(op).unwrap_or_else(|error| panic!("{op:?} failed again: {error}"));
        }
        worker.note("done");
    }
    for name in points().keys() {
        worker.note(&format!("count {name} {}", failpoint::acted(name)));
    }
}

/// What a child left.
struct Ran {
    status: ExitStatus,
    output: String,
    folder: PathBuf,
}

impl Ran {
    fn log(&self) -> Vec<String> {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn done(&self) -> usize {
        self.log().iter().filter(|line| *line == "done").count()
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let log = self.log();
        let counts = log.iter().filter_map(|line| line.strip_prefix("count ")?.split_once(' '));
        counts.map(|(name, count)| (name.to_owned(), count.parse().unwrap())).collect()
    }
}

fn start(folder: &Path, rules: &str, preparing: bool) -> Ran {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env("RVP_TEST_FOLDER", folder).env("RVP_FAILPOINTS", rules);
    if preparing {
        command.env("RVP_TEST_PREPARE", "1");
    }
    let ran = command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).output().unwrap();
    let output = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Ran { status: ran.status, output, folder: folder.to_path_buf() }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy_tree(&entry.path(), &target) } else { drop(fs::copy(entry.path(), target)) }
    }
}

/// The points in the sources, and whether the step can fail there.
fn points() -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(place) = waiting.pop() {
        for path in fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (call, can_fail) in [("failpoint::hit(\"", true), ("failpoint::pass(\"", false)] {
                for rest in text.split(call).skip(1) {
                    let name = rest.split('"').next().unwrap().to_owned();
                    assert!(found.insert(name.clone(), can_fail).is_none(), "two points are called '{name}'");
                }
            }
        }
    }
    found
}

fn asked_for(name: &str) -> bool {
    std::env::var("FAILPOINT").map_or(true, |only| only == name)
}

/// The store whose writer was killed, the state that it must hold, and how often the work comes to each point.
struct Prepared {
    folder: tempfile::TempDir,
    state: State,
    counts: BTreeMap<String, u64>,
}

impl Prepared {
    fn new() -> Prepared {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("store")).unwrap();
        let ran = start(folder.path(), "checkpoint.before_manifest=kill@2", true);
        assert_eq!(ran.status.signal(), Some(SIGABRT), "{}", ran.output);
        let mut state = State::new();
        preparation()[..ran.done()].iter().for_each(|op| drop(apply(*op, &mut state)));
        assert_eq!(state["a"].len(), 9);
        // What a removal leaves that was killed after it took the name away.
        let dropped = folder.path().join("store/collections/.dropped-1/wal");
        fs::create_dir_all(&dropped).unwrap();
        fs::File::create_new(dropped.join("a file")).unwrap();
        // What a change of log files leaves that was killed before the manifest named the new one.
        let base = folder.path().join("store");
        let store = Header::decode(&fs::read(base.join("STORE")).unwrap(), FileKind::Store).unwrap().owner.store;
        let home = base.join("collections/a");
        let root = manifest::read(&Disk, &home, store).unwrap();
        let number = (root.manifest.generation + 2, 100);
        LogFile::create(&Disk, &home.join("wal"), root.owner, number, false, 0).unwrap();
        fs::remove_file(folder.path().join("log")).unwrap();
        let mut prepared = Prepared { folder, state, counts: BTreeMap::new() };
        let all: Vec<String> = points().keys().map(|name| format!("{name}=delay(0)")).collect();
        let (copy, ran) = prepared.run(&all.join(";"));
        assert!(ran.status.success(), "{}", ran.output);
        prepared.counts = ran.counts();
        prepared.check(&copy, &ran);
        prepared
    }

    /// Runs the work on a copy.
    fn run(&self, rules: &str) -> (tempfile::TempDir, Ran) {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(self.folder.path(), copy.path());
        let ran = start(copy.path(), rules, false);
        (copy, ran)
    }

    /// The store opens, twice, and holds what was done up to the end or with what was under way.
    fn check(&self, copy: &tempfile::TempDir, ran: &Ran) {
        let (ops, done) = (work(), ran.done());
        let mut state = self.state.clone();
        ops[..done].iter().for_each(|op| drop(apply(*op, &mut state)));
        let allowed = ops.get(done).map_or_else(|| vec![state.clone()], |op| apply(*op, &mut state.clone()));
        let base = copy.path().join("store");
        let found = content(&base);
        assert!(allowed.contains(&found), "after {done} operations, in {:?}: {found:?}", ops.get(done));
        assert_eq!(content(&base), found, "a second opening finds the same");
        let names = fs::read_dir(base.join("collections")).unwrap().map(|entry| entry.unwrap().file_name());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        assert!(names.iter().all(|name| !name.starts_with(".dropped")), "{names:?}");
        self.check_archive(copy.path(), done);
    }

    /// The archive is whole, and that of the last save that was done or was under way.
    fn check_archive(&self, folder: &Path, done: usize) {
        let (mut state, mut allowed, mut needed) = (self.state.clone(), Vec::new(), false);
        for (number, op) in work().into_iter().enumerate().take(done + 1) {
            if let Op::Save(name) | Op::SaveIncremental(name) = op {
                if number < done {
                    allowed.clear();
                    needed = true;
                }
                allowed.push(state[name].clone());
            }
            apply(op, &mut state);
        }
        let path = folder.join("archive.json").to_string_lossy().into_owned();
        let expect = Expect { verify: true, ..Expect::default() };
        let request = load::Request { path: &path, expect, operation: "load" };
        match load::run(&request, &Control::default()) {
            Ok(loaded) => {
                let entries = loaded.collection.version();
                let entries = entries.entries().map(|entry| entry.unwrap());
                let found = entries.map(|entry| (entry.id.to_string(), entry.vector[0] as u32)).collect();
                assert!(allowed.contains(&found), "the archive holds {found:?}");
            }
            Err(error) => assert!(!needed && error.cause_code() == Some("ENOENT"), "{error}"),
        }
    }
}

/// What the store at `base` holds; every collection must be sound, and take another write.
fn content(base: &Path) -> State {
    let store = open(base).unwrap();
    let mut state = State::new();
    for name in store.list().unwrap() {
        let collection = store.collection(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let version = collection.version();
        let entries = version.entries().map(|entry| entry.unwrap());
        let entries = entries.map(|entry| (entry.id.to_string(), entry.vector[0] as u32)).collect();
        let damage = collection.verify(&Control::default()).unwrap().damage;
        assert!(damage.is_empty(), "{name}: {damage:?}");
        collection.wait(put(&collection, 99, 99).unwrap()).unwrap();
        let lsn = collection.delete(&["id 99"], true).unwrap().unwrap().lsn;
        collection.wait(lsn).unwrap();
        state.insert(name, entries);
    }
    store.close().unwrap();
    state
}

/// The times at which a process dies at a point that it comes to `count` times.
fn times(count: u64) -> BTreeSet<u64> {
    [1, count.div_ceil(2), count].into_iter().collect()
}

#[test]
fn a_process_that_dies_at_any_point_loses_nothing() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    let (prepared, points) = (Prepared::new(), points());
    assert!(points.len() >= POINTS_MIN, "{} points", points.len());
    for name in points.keys().filter(|name| asked_for(name)) {
        let companion = COMPANIONS.iter().find(|(point, _)| point == name).map(|(_, companion)| *companion);
        let count = prepared.counts[name];
        assert!(count > 0 || companion.is_some(), "the work never comes to '{name}'");
        for time in if companion.is_some() { [1].into() } else { times(count) } {
            let rules = format!("{name}=kill@{time};{}", companion.unwrap_or_default());
            let (copy, ran) = prepared.run(&rules);
            println!("{rules}: {} operations done", ran.done());
            assert_eq!(ran.status.signal(), Some(SIGABRT), "'{rules}' did not end it: {}", ran.output);
            prepared.check(&copy, &ran);
        }
    }
}

#[test]
fn a_step_that_fails_at_any_point_is_an_error_and_can_be_tried_again() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    let prepared = Prepared::new();
    for (name, _) in points().iter().filter(|(name, can_fail)| **can_fail && asked_for(name)) {
        for time in times(prepared.counts[name]) {
            let (copy, ran) = prepared.run(&format!("{name}=error@{time}"));
            let failures: Vec<String> = ran.log().into_iter().filter(|line| line.starts_with("failed")).collect();
            println!("{name}@{time}: {failures:?}");
            assert!(ran.status.success(), "{name}@{time}: {}", ran.output);
            assert_eq!(ran.counts()[name], 1, "'{name}' was not failed");
            assert!(failures.len() <= 1, "{failures:?}");
            prepared.check(&copy, &ran);
        }
    }
}

#[test]
fn a_store_that_is_held_up_everywhere_works() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    let prepared = Prepared::new();
    let all: Vec<String> = points().keys().map(|name| format!("{name}=delay(2)")).collect();
    let (copy, ran) = prepared.run(&all.join(";"));
    assert!(ran.status.success(), "{}", ran.output);
    prepared.check(&copy, &ran);
}
