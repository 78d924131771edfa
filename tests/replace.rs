//! How files take the place of older ones.
//!
//! Goal: at every moment, and after every failure, the place holds the whole old file or the whole new one; nothing is
//! left beside it by a process that lives, and what a dead one left is swept; nothing but a regular file is ever
//! replaced. Failures are real ones: a full file system, a file-size limit, a read-only mount, a killed process. A
//! failure of a test here means that a save could destroy the save before it.
//!
//! What needs root, or a program that is not there, says so and is passed over; with REQUIRE_ALL=1 that is a failure.

#![cfg(unix)]

use ruvector_persistence::archive::{Expect, Format, Options};
use ruvector_persistence::codec::Compression;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::{self, Replacement};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::format::{Description, Entry};
use ruvector_persistence::ops::{load, save};
use ruvector_persistence::store::Collection;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const JSON: Options = Options { format: Format::Json, compression: Compression::None, level: None };
const DIRECTORY: &str = "RUVECTOR_PERSISTENCE_DIRECTORY";

/// `count` entries whose numbers all are `mark`.
fn collection(count: usize, mark: f32) -> Collection {
    let mut made = Collection::new(Description { dimension: Some(64), metric: None });
    for n in 0..count {
        made.insert(Arc::new(Entry::new(&format!("id-{n}"), vec![mark; 64], None).unwrap())).unwrap();
    }
    made
}

fn save_as(content: &Collection, path: &Path, control: &Control) -> Result<save::Report> {
    let request = save::Request { path: path.to_str().unwrap(), options: JSON, operation: "save" };
    save::run(&content.version(), &request, control)
}

fn save_to(content: &Collection, path: &Path) -> Result<save::Report> {
    save_as(content, path, &Control::default())
}

/// The mark and the number of entries of a whole archive; anything else ends the test.
fn marked(path: &Path) -> (f32, usize) {
    let expect = Expect { verify: true, ..Expect::default() };
    let request = load::Request { path: path.to_str().unwrap(), expect, operation: "load" };
    let loaded = load::run(&request, &Control::default()).unwrap().collection;
    let mark = loaded.get("id-0").unwrap().unwrap().vector[0];
    assert!(
        loaded.version().entries().all(|entry| entry.unwrap().vector.iter().all(|x| *x == mark)),
        "a mixture was loaded"
    );
    (mark, loaded.len())
}

fn names(directory: &Path) -> Vec<String> {
    let listing = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn put(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    std::fs::write(path, text).unwrap();
}

/// The error of a save that has to fail, with the old file and nothing else in its directory.
fn fails_beside(old: &Path, content: &Collection) -> Error {
    let before = (marked(old), names(old.parent().unwrap()));
    let error = save_to(content, old).unwrap_err();
    assert_eq!((marked(old), names(old.parent().unwrap())), before, "after: {error}");
    assert!(error.message.contains(old.to_str().unwrap()), "{error} does not name {}", old.display());
    error
}

/// Says why a test does nothing here.
fn passed_over(why: &str) {
    assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|set| set != "1"), "REQUIRE_ALL=1, and {why}");
    println!("PASSED OVER: {why}");
}

/// This test program again, for one test alone, started by a line of shell that ends in `"$@"`.
fn again(test: &str, directory: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(std::env::current_exe().unwrap()).args([test, "--exact", "--nocapture"]);
    command.env(DIRECTORY, directory);
    command
}

/// Where the other process of a test is to work; `None` in the process that tests.
fn as_other_process() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

fn runs(mut command: Command) {
    let out = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}

/// A small file system of its own, gone with the value.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn of(size: &str) -> Option<Tmpfs> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(directory.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Tmpfs(directory));
        }
        passed_over("a tmpfs cannot be mounted (needs root)");
        None
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn the_old_file_stands_until_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("x");
    env::write_small(&target, "old").unwrap();
    let mut replacement = Replacement::of(&target).unwrap();
    replacement.write_all(b"new").unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
    assert_eq!(names(directory.path()).len(), 2);
    drop(replacement);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
    assert_eq!(names(directory.path()), ["x"], "a replacement that is not committed leaves nothing");
    env::write_small(&target, "new").unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
    assert_eq!(names(directory.path()), ["x"]);
}

#[test]
fn nothing_but_a_regular_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    put(&at("file"), "file");
    std::fs::create_dir(at("directory")).unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let before = names(directory.path());
    let long = "x".repeat(300);
    for (name, part) in [
        ("directory", "not a regular file"),
        ("link", "a symbolic link"),
        ("dangling", "a symbolic link"),
        ("socket", "not a regular file"),
        ("fifo", "not a regular file"),
        ("file/below", "ENOTDIR"),
        ("fifo/below", "ENOTDIR"),
        (long.as_str(), "ENAMETOOLONG"),
    ] {
        let error = save_to(&collection(3, 1.0), &at(name)).unwrap_err();
        assert_eq!(error.kind, Kind::Path, "{name}: {error}");
        assert!(error.message.contains(part) && error.path.is_some(), "{name}: {error}");
        assert_eq!(names(directory.path()), before, "{name}");
    }
    assert_eq!(std::fs::read_to_string(at("file")).unwrap(), "file");
    assert!(at("fifo").symlink_metadata().unwrap().file_type().is_fifo());
    assert!(
        at("link").symlink_metadata().unwrap().is_symlink() && at("dangling").symlink_metadata().unwrap().is_symlink()
    );
    let error = save_to(&collection(3, 1.0), Path::new("/dev/null")).unwrap_err();
    assert_eq!(error.kind, Kind::Path, "{error}");
    assert_eq!(save_to(&collection(3, 1.0), Path::new("/")).unwrap_err().kind, Kind::Path);
}

#[test]
fn parents_are_made_and_all_is_private_whatever_the_umask() {
    let name = "parents_are_made_and_all_is_private_whatever_the_umask";
    let Some(directory) = as_other_process() else {
        let directory = tempfile::tempdir().unwrap();
        return runs(again(name, directory.path(), "umask 0; exec \"$@\""));
    };
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let target = directory.join("a/b/c/x.json");
    save_to(&collection(2, 1.0), &target).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        assert_eq!(mode(&directory.join(made)), 0o700, "{made}");
    }
    assert_eq!(mode(&target), 0o600);
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o444)).unwrap();
    save_to(&collection(2, 2.0), &target).unwrap();
    assert_eq!((mode(&target), marked(&target)), (0o600, (2.0, 2)));
}

#[test]
fn what_a_dead_writer_left_is_swept_and_a_living_one_is_left_alone() {
    let name = "what_a_dead_writer_left_is_swept_and_a_living_one_is_left_alone";
    if let Some(directory) = as_other_process() {
        let mut replacement = Replacement::of(&directory.join("x.json")).unwrap();
        replacement.write_all(&[7; 100_000]).unwrap();
        println!("\nwriting");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("x.json");
    save_to(&collection(3, 1.0), &old).unwrap();
    for stranger in [".DS_Store", "x.tmp", "._x", ".ruvector-persistence-x", "notes.txt"] {
        put(&directory.path().join(stranger), "not ours");
    }
    let before = names(directory.path());
    let mut child = again(name, directory.path(), "exec \"$@\"").stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(std::io::Result::ok);
    assert!(said.into_iter().any(|line| line == "writing"));
    assert_eq!(env::sweep(directory.path()).unwrap(), 0, "its writer lives");
    assert_eq!(names(directory.path()).len(), before.len() + 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(env::sweep(directory.path()).unwrap(), 1);
    assert_eq!(names(directory.path()), before, "other files are nobody's business");
    assert_eq!(marked(&old), (1.0, 3));
    assert_eq!(env::sweep(directory.path()).unwrap(), 0);
    assert_eq!(env::sweep(&directory.path().join("not there")).unwrap(), 0);
}

#[test]
fn a_sweep_does_not_wait_for_or_follow_what_only_has_our_name() {
    let directory = tempfile::tempdir().unwrap();
    let ours = |what: &str| directory.path().join(format!(".ruvector-persistence-{what}.tmp"));
    put(&directory.path().join("file"), "file");
    assert!(Command::new("mkfifo").arg(ours("fifo")).status().unwrap().success());
    std::fs::create_dir(ours("directory")).unwrap();
    std::os::unix::fs::symlink(directory.path().join("file"), ours("link")).unwrap();
    let (done, finished) = std::sync::mpsc::channel();
    let path = directory.path().to_path_buf();
    std::thread::spawn(move || done.send(env::sweep(&path)));
    let swept = finished.recv_timeout(Duration::from_secs(5)).expect("the sweep waits for a FIFO");
    assert_eq!(swept.unwrap(), 0);
    assert_eq!(names(directory.path()).len(), 4);
    assert_eq!(std::fs::read_to_string(directory.path().join("file")).unwrap(), "file");
}

#[test]
fn saves_succeed_while_others_sweep() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("x.txt");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    env::sweep(directory.path()).unwrap();
                }
            });
        }
        let result = (0..400).try_for_each(|n| env::write_small(&target, &n.to_string()));
        stop.store(true, Ordering::Relaxed);
        result.unwrap();
    });
    assert_eq!(names(directory.path()), ["x.txt"]);
}

#[test]
fn saves_to_one_path_at_once_leave_one_of_them_whole() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("x.json");
    save_to(&collection(1, 9.0), &target).unwrap();
    let contents = [collection(40, 1.0), collection(1_500, 2.0), collection(300, 3.0)];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!([(9.0, 1), (1.0, 40), (2.0, 1_500), (3.0, 300)].contains(&marked(&target)));
            }
        });
        let write = |content: &Collection| (0..8).try_for_each(|_| save_to(content, &target).map(|_| ()));
        let writers = contents.iter().map(|content| scope.spawn(move || write(content))).collect::<Vec<_>>();
        let results: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        results.into_iter().for_each(|result| result.unwrap());
    });
    assert_eq!(names(directory.path()), ["x.json"]);
    assert!([(1.0, 40), (2.0, 1_500), (3.0, 300)].contains(&marked(&target)));
}

#[test]
fn a_save_aborted_at_any_moment_leaves_the_old_file_or_the_new() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("x.json");
    let new = collection(3_000, 2.0);
    let mut aborted = 0;
    for round in 0..25_u64 {
        save_to(&collection(5, 1.0), &target).unwrap();
        let control = Arc::new(Control::default());
        let canceller = control.clone();
        let cancels = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(round * round * 200));
            canceller.cancel();
        });
        match save_as(&new, &target, &control) {
            Ok(_) => assert_eq!(marked(&target), (2.0, 3_000)),
            Err(error) => {
                assert_eq!(error.kind, Kind::Aborted, "{error}");
                assert_eq!(marked(&target), (1.0, 5));
                aborted += 1;
            }
        }
        cancels.join().unwrap();
        assert_eq!(names(directory.path()), ["x.json"]);
    }
    assert!(aborted > 0);
    let control = Control::default();
    control.cancel();
    assert_eq!(save_as(&new, &directory.path().join("y/z.json"), &control).unwrap_err().kind, Kind::Aborted);
    assert_eq!(names(directory.path()), ["x.json"], "a call that was aborted before it began makes no directory");
}

#[test]
fn a_full_file_system_leaves_the_old_file_and_room_makes_it_work() {
    let Some(tmpfs) = Tmpfs::of("512k") else { return };
    let at = |name: &str| tmpfs.0.path().join(name);
    save_to(&collection(100, 1.0), &at("x.json")).unwrap();
    put(&at("ballast"), &"b".repeat(300_000));
    for _ in 0..3 {
        let error = fails_beside(&at("x.json"), &collection(2_000, 2.0));
        assert_eq!((error.kind, error.kind.code(), error.cause_code()), (Kind::NoSpace, "ENOSPC", Some("ENOSPC")));
    }
    let error = save_to(&collection(2_000, 2.0), &at("new/y.json")).unwrap_err();
    assert_eq!(error.kind, Kind::NoSpace);
    assert_eq!(names(&at("new")), [""; 0], "no part of a new file is left");
    let error = env::write_small(&at("small"), &"s".repeat(400_000)).unwrap_err();
    assert_eq!(error.kind, Kind::NoSpace);
    std::fs::remove_file(at("ballast")).unwrap();
    save_to(&collection(1_000, 2.0), &at("x.json")).unwrap();
    assert_eq!(marked(&at("x.json")), (2.0, 1_000));
    assert_eq!(names(tmpfs.0.path()), ["new", "x.json"]);
}

#[test]
fn a_file_system_without_inodes_leaves_the_old_file() {
    let Some(tmpfs) = Tmpfs::of("1m,nr_inodes=2") else { return };
    let old = tmpfs.0.path().join("x.json");
    save_to(&collection(10, 1.0), &old).unwrap();
    let error = fails_beside(&old, &collection(10, 2.0));
    assert_eq!(error.kind, Kind::NoSpace, "{error}");
}

#[test]
fn a_read_only_file_system_is_named() {
    let Some(tmpfs) = Tmpfs::of("1m") else { return };
    let old = tmpfs.0.path().join("x.json");
    save_to(&collection(10, 1.0), &old).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(tmpfs.0.path()).status().unwrap().success());
    let error = fails_beside(&old, &collection(10, 2.0));
    assert_eq!((error.kind, error.cause_code()), (Kind::Path, Some("EROFS")), "{error}");
    assert_eq!(env::check_writable(tmpfs.0.path()).unwrap_err().kind, Kind::Path);
}

#[test]
fn a_file_size_limit_leaves_the_old_file() {
    let name = "a_file_size_limit_leaves_the_old_file";
    let Some(directory) = as_other_process() else {
        let directory = tempfile::tempdir().unwrap();
        save_to(&collection(20, 1.0), &directory.path().join("x.json")).unwrap();
        // The signal that comes with the limit ends a process that does not ignore it.
        return runs(again(name, directory.path(), "trap '' XFSZ; ulimit -f 64; exec \"$@\""));
    };
    let old = directory.join("x.json");
    let error = fails_beside(&old, &collection(5_000, 2.0));
    assert_eq!((error.kind, error.cause_code()), (Kind::NoSpace, Some("EFBIG")), "{error}");
    save_to(&collection(20, 3.0), &old).unwrap();
    assert_eq!(marked(&old), (3.0, 20));
}

#[test]
fn a_directory_that_is_not_ours_to_write_leaves_the_old_file() {
    let name = "a_directory_that_is_not_ours_to_write_leaves_the_old_file";
    if let Some(directory) = as_other_process() {
        let error = fails_beside(&directory.join("x.json"), &collection(10, 2.0));
        assert_eq!((error.kind, error.cause_code()), (Kind::Path, Some("EACCES")), "{error}");
        let error = save_to(&collection(10, 2.0), &directory.join("new/y.json")).unwrap_err();
        assert_eq!((error.kind, error.cause_code()), (Kind::Path, Some("EACCES")), "{error}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("x.json");
    save_to(&collection(10, 1.0), &old).unwrap();
    let allow = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(&old, 0o644);
    allow(directory.path(), 0o555);
    // Modes do not bind root: the other process is nobody, with a copy of this program where it may read it.
    let program = tempfile::tempdir().unwrap();
    allow(program.path(), 0o755);
    let copy = program.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let nobody = Command::new("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", "true"]).status();
    let mut command = if nobody.is_ok_and(|status| status.success()) {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy);
        command
    } else {
        Command::new(&copy)
    };
    command.args([name, "--exact", "--nocapture"]).env(DIRECTORY, directory.path());
    runs(command);
    allow(directory.path(), 0o755);
}
