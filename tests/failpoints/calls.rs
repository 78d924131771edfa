//! Calls of the operating system that fail, one at a time, in a child that works on a real disk.
//!
//! 1. strace counts the calls of each kind that the child makes on its own folder, thread by thread.
//! 2. For each kind, and `EIO` and `ENOSPC`, the nth of them fails: some of the numbers in an ordinary run, all with
//!    `CALLS=all`. strace counts in each thread anew, so a number can strike once in several threads.
//! 3. Whatever operation fails is tried again after the store was opened anew; in the end everything is there, as after a
//!    failpoint. Where the call fails each time, what was done before is there.
//!
//! Needs Linux and strace; where it may not trace, the test says on stderr that it was skipped.

use super::{CASES_AT_ONCE, Prepared, copy_tree, ran_of, some_at_once};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What writes, syncs, renames, opens, makes and removes.
const CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,ftruncate,fallocate,mkdir,mkdirat,\
                     unlink,unlinkat,rmdir,link,linkat,copy_file_range,sendfile";
const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];
/// Of each kind, in an ordinary run.
const NUMBERS: usize = 4;

fn strace(folder: &Path, options: &[String]) -> super::Ran {
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-qq", "-y", "-o"]).arg(folder.join("calls")).args(options);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    ran_of(command.env("RVP_TEST_RETRIES", "4"), folder)
}

fn is_there() -> bool {
    let mut tried = Command::new("strace");
    tried.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
    tried.status().is_ok_and(|status| status.success())
}

/// The numbers of calls of each kind that concern the folder in some thread, and nothing else in any other.
fn numbers(folder: &Path) -> BTreeMap<String, Vec<u64>> {
    let place = folder.to_string_lossy().into_owned();
    let (mut ours, mut foreign) = (BTreeMap::<String, BTreeSet<u64>>::new(), BTreeMap::<String, BTreeSet<u64>>::new());
    let mut counts = BTreeMap::<(String, String), u64>::new();
    for line in fs::read_to_string(folder.join("calls")).unwrap().lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        // The end of a call that another thread's output has cut is no call of its own.
        let Some((name, _)) = call.trim_start().split_once('(').filter(|(name, _)| !name.contains(' ')) else {
            continue;
        };
        let count = counts.entry((thread.to_owned(), name.to_owned())).or_default();
        *count += 1;
        let is_ours = call.contains(&place) && !call.contains(&format!("{place}/log"));
        if is_ours { &mut ours } else { &mut foreign }.entry(name.to_owned()).or_default().insert(*count);
    }
    let clean = |(name, numbers): (String, BTreeSet<u64>)| {
        let numbers = numbers.into_iter().filter(|n| !foreign.get(&name).is_some_and(|foreign| foreign.contains(n)));
        let numbers = numbers.collect();
        (name, numbers)
    };
    ours.into_iter().map(clean).collect()
}

/// Some of them, the first and the last among them.
fn some(numbers: &[u64]) -> Vec<u64> {
    if std::env::var("CALLS").is_ok_and(|all| all == "all") || numbers.len() <= NUMBERS {
        return numbers.to_vec();
    }
    (0..NUMBERS).map(|place| numbers[place * (numbers.len() - 1) / (NUMBERS - 1)]).collect()
}

#[test]
fn a_call_of_the_system_that_fails_is_an_error_and_can_be_tried_again() {
    if std::env::var_os("RVP_TEST_FOLDER").is_some() {
        return;
    }
    if !is_there() {
        writeln!(std::io::stderr(), "SKIPPED: calls of the system that fail: strace is not here, or may not trace")
            .unwrap();
        return;
    }
    let prepared = Prepared::new();
    let copy = tempfile::tempdir().unwrap();
    copy_tree(prepared.folder.path(), copy.path());
    let ran = strace(copy.path(), &["-e".to_owned(), format!("trace={CALLS}")]);
    assert!(ran.status.success(), "{}", ran.output);
    let numbers = numbers(copy.path());
    for kind in ["openat", "fdatasync", "rename"] {
        assert!(numbers.get(kind).is_some_and(|numbers| numbers.len() > 10), "{kind}: {numbers:?}");
    }
    let each = numbers.iter().flat_map(|(kind, numbers)| some(numbers).into_iter().map(move |n| (kind, n)));
    let cases: Vec<_> = each.flat_map(|(kind, n)| ERRORS.map(|error| (kind, error, n))).collect();
    println!("{} cases, {CASES_AT_ONCE} at once", cases.len());
    some_at_once(&cases, |(kind, error, n)| {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(prepared.folder.path(), copy.path());
        let options = ["-e", &format!("trace={kind}"), "-e", &format!("inject={kind}:error={error}:when={n}")];
        let ran = strace(copy.path(), &options.map(str::to_owned));
        let failures = ran.log().into_iter().filter(|line| line.starts_with("failed")).count();
        println!("{kind}, number {n}, {error}: {failures} failures");
        // Each opening has new threads, so the first calls of those fail again and again: the child gives up, with the error.
        let gave_up = ran.output.contains("failed again: ") && ran.output.contains(error);
        assert!(ran.status.success() || gave_up, "{kind}, number {n}, {error}: {}\n{:?}", ran.output, ran.log());
        prepared.check(&copy, &ran);
    });
}
