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

#[cfg(target_os = "linux")]
mod calls;
mod work;

use ruvector_persistence::archive::Expect;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::failpoint;
use ruvector_persistence::format::header::{FileKind, Header};
use ruvector_persistence::manifest;
use ruvector_persistence::ops::load;
use ruvector_persistence::wal::LogFile;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use work::{Op, State, Worker, apply, content, preparation, work};

const POINTS_MIN: usize = 100;
const SIGABRT: i32 = 6;
const CASES_AT_ONCE: usize = 6;

/// Points that only a failure elsewhere leads to, and that failure.
const COMPANIONS: [(&str, &str); 3] = [
    ("log.before_refusal", "wal.append.before_write=error@4"),
    ("log.after_refusal", "wal.append.before_write=error@4"),
    ("checkpoint.before_discard", "checkpoint.before_manifest=error@1"),
];

/// Not a test of its own: what the others start as another process.
#[test]
fn child() {
    let Some(folder) = std::env::var_os("RVP_TEST_FOLDER").map(PathBuf::from) else { return };
    let preparing = std::env::var_os("RVP_TEST_PREPARE").is_some();
    // A failpoint strikes once.
    let retries = std::env::var("RVP_TEST_RETRIES").map_or(1, |retries| retries.parse().unwrap());
    let mut worker = Worker::new(folder, preparing);
    for op in if preparing { preparation() } else { work() } {
        let mut failures = 0;
        while let Err(error) = worker.run(op) {
            worker.note(&format!("failed: {op:?}: {error}"));
            failures += 1;
            assert!(failures <= retries, "{op:?} failed again: {error}");
            worker.let_go();
        }
        worker.note("done");
    }
    for name in std::env::var_os("RVP_FAILPOINTS").map(|_| points()).iter().flat_map(BTreeMap::keys) {
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
    command.args(["--exact", "child", "--nocapture"]).env("RVP_FAILPOINTS", rules);
    if preparing {
        command.env("RVP_TEST_PREPARE", "1");
    }
    ran_of(&mut command, folder)
}

fn ran_of(command: &mut Command, folder: &Path) -> Ran {
    command.env("RVP_TEST_FOLDER", folder).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    let ran = command.output().unwrap();
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
        let mut state = State::default();
        preparation()[..ran.done()].iter().for_each(|op| drop(apply(*op, &mut state)));
        assert_eq!(state.content["a"].len(), 9);
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
        let is_allowed = allowed.iter().any(|state| state.is(&found));
        assert!(is_allowed, "after {done} operations, in {:?}: {found:?}", ops.get(done));
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
                allowed.push(state.content[name].clone());
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

/// The times at which a process dies at a point that it comes to `count` times.
fn times(count: u64) -> BTreeSet<u64> {
    [1, count.div_ceil(2), count].into_iter().collect()
}

/// Tries the cases, some at a time: each waits for the disk most of its time.
fn some_at_once<T: Sync>(cases: &[T], attempt: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            attempt(case);
        }
    };
    thread::scope(|scope| (0..CASES_AT_ONCE).for_each(|_| drop(scope.spawn(work))));
}

#[test]
fn a_process_that_dies_at_any_point_loses_nothing() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    let (prepared, points) = (Prepared::new(), points());
    assert!(points.len() >= POINTS_MIN, "{} points", points.len());
    let mut cases = Vec::new();
    for name in points.keys().filter(|name| asked_for(name)) {
        let companion = COMPANIONS.iter().find(|(point, _)| point == name).map(|(_, companion)| *companion);
        let count = prepared.counts[name];
        assert!(count > 0 || companion.is_some(), "the work never comes to '{name}'");
        let times = if companion.is_some() { [1].into() } else { times(count) };
        cases.extend(times.iter().map(|time| format!("{name}=kill@{time};{}", companion.unwrap_or_default())));
    }
    some_at_once(&cases, |rules| {
        let (copy, ran) = prepared.run(rules);
        println!("{rules}: {} operations done", ran.done());
        assert_eq!(ran.status.signal(), Some(SIGABRT), "'{rules}' did not end it: {}", ran.output);
        prepared.check(&copy, &ran);
    });
}

#[test]
fn a_step_that_fails_at_any_point_is_an_error_and_can_be_tried_again() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    let prepared = Prepared::new();
    let points = points();
    let able = points.iter().filter(|(name, can_fail)| **can_fail && asked_for(name));
    let cases: Vec<(&String, u64)> =
        able.flat_map(|(name, _)| times(prepared.counts[name]).into_iter().map(move |time| (name, time))).collect();
    some_at_once(&cases, |(name, time)| {
        let (copy, ran) = prepared.run(&format!("{name}=error@{time}"));
        let failures: Vec<String> = ran.log().into_iter().filter(|line| line.starts_with("failed")).collect();
        println!("{name}@{time}: {failures:?}");
        assert!(ran.status.success(), "{name}@{time}: {}", ran.output);
        assert_eq!(ran.counts()[*name], 1, "'{name}' was not failed");
        assert!(failures.len() <= 1, "{failures:?}");
        prepared.check(&copy, &ran);
    });
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
