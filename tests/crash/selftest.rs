//! The crash test is tested: it passes right stores, and finds each planted bug as what it is.

use crate::chance::{Walk, walk, workload as random_workload};
use crate::fakes::{Logged, Whole, bug, logged_files};
use crate::fault::{Fault, How, Kind};
use crate::model::{Entry, Op};
use crate::order::{content_before_rename, list_before_removal, listed_files_before_list, sync_before_acknowledgement};
use crate::sim::SimFs;
use crate::subject::{Durable, Subject};
use crate::sweep::{Plan, Report, sweep};
use std::path::Path;

const IMAGES: usize = 1_500;
const LIST: &str = "/db/store/LIST";

fn entry(id: usize, number: f32) -> Entry {
    (format!("id {id}"), vec![number; 40], Some(format!("{{\"n\":{number}}}")))
}

fn workload() -> Vec<Op> {
    vec![
        Op::Put(vec![entry(1, 1.0)]),
        Op::Put((2..9).map(|id| entry(id, 2.0)).collect()),
        Op::SetMetadata("id 3".into(), None),
        Op::Delete(vec!["id 1".into(), "id 8".into()]),
        Op::Reopen,
        Op::Put(vec![entry(2, -0.0), entry(9, 3.0)]),
        Op::Clear,
        Op::Rotate,
        Op::Put(vec![entry(1, f32::NAN)]),
        Op::Checkpoint,
        Op::Compact,
        Op::Flush,
    ]
}

fn rules(fs: &SimFs) {
    fs.watch(content_before_rename());
    fs.watch(listed_files_before_list(Path::new(LIST), logged_files));
    fs.watch(list_before_removal(Path::new(LIST), logged_files));
    fs.watch(sync_before_acknowledgement(|path| path.ends_with(".log")));
}

fn swept<S: Subject>(plan: Plan) -> Report {
    sweep::<S>(&workload(), &plan)
}

fn plan() -> Plan {
    Plan::new(IMAGES)
}

fn failing(kind: Kind, nth: u64) -> Plan {
    Plan { faults: vec![Fault::at(nth, How::Errno(libc::EIO)).of(kind)], ..plan() }
}

/// The sweep has to find something, and one of the things it finds has to be that.
fn caught(report: &Report, sign: &str) {
    let found = report.failures.iter().any(|failure| failure.contains(sign));
    assert!(found, "the bug was not found as {sign:?}: {report}\n{}", report.failures.join("\n\n"));
}

fn passes_with_each_call_failing<S: Subject>(name: &str, how: How) {
    let mut opened = 0;
    for nth in 1.. {
        let report = swept::<S>(Plan { images: Some(100), faults: vec![Fault::at(nth, how)], ..plan() });
        assert!(report.failures.is_empty(), "call {nth}: {report}\n\n{}", report.failures.join("\n\n"));
        opened += report.opened;
        if report.struck == 0 {
            println!("crash test {name}: {nth} calls failed, {opened} images opened");
            assert!(nth > 40, "{nth} calls are too few");
            break;
        }
    }
}

#[test]
fn right_stores_pass() {
    let report = swept::<Whole<{ bug::NONE }>>(plan());
    report.expect_clean("of a right store in one file");
    assert!(report.opened > 250 && report.nested > 40 && report.struck == 0, "{report}");
    let report = swept::<Logged<{ bug::NONE }>>(Plan { prepare: rules, ..plan() });
    report.expect_clean("of a right store with a log");
    assert!(report.opened > 1_000 && report.nested > 500 && report.same > 100, "{report}");
}

#[test]
fn right_stores_pass_when_each_of_their_calls_fails_once() {
    passes_with_each_call_failing::<Whole<{ bug::NONE }>>("of a store in one file", How::Errno(libc::EIO));
    passes_with_each_call_failing::<Logged<{ bug::NONE }>>("of a store with a log", How::Errno(libc::ENOSPC));
}

#[test]
fn a_store_that_syncs_at_a_flush_loses_only_what_came_after_it() {
    let relaxed = Plan { durable: Durable::AfterBarrier, ..plan() };
    swept::<Logged<{ bug::RELAXED }>>(relaxed).expect_clean("of a store with a log that is synced at times");
    caught(&swept::<Logged<{ bug::RELAXED }>>(plan()), "it must be that after");
}

#[test]
fn an_acknowledgement_of_what_is_in_memory_only_is_found_by_a_kill() {
    let relaxed = Plan { durable: Durable::AfterBarrier, ..plan() };
    let report = swept::<Logged<{ bug::BUFFERED }>>(relaxed);
    caught(&report, "it must be that after");
    assert!(report.failures.iter().all(|failure| failure.contains("Kill of ")), "{report:?}");
    assert!((0..9).any(|seed| walk::<Logged<{ bug::BUFFERED }>>(seed, 200, Durable::AfterBarrier).is_err()));
}

#[test]
fn a_file_that_is_renamed_before_its_sync_is_found() {
    caught(&swept::<Whole<{ bug::NO_FILE_SYNC }>>(plan()), "not a file of ours: 0 bytes");
    caught(&swept::<Whole<{ bug::NO_FILE_SYNC }>>(Plan { prepare: rules, ..plan() }), "has bytes that are not durable");
}

#[test]
fn a_rename_without_a_sync_of_its_directory_is_found() {
    caught(&swept::<Whole<{ bug::NO_DIRECTORY_SYNC }>>(plan()), "it must be that after");
}

#[test]
fn a_failed_sync_that_is_tried_again_is_found() {
    swept::<Whole<{ bug::RETRY }>>(plan()).expect_clean("of a store that tries again, where no sync fails");
    caught(&swept::<Whole<{ bug::RETRY }>>(failing(Kind::Sync, 4)), "not a file of ours");
    swept::<Whole<{ bug::NONE }>>(failing(Kind::Sync, 4)).expect_clean("of a right store with a failed sync");
    caught(&swept::<Logged<{ bug::RETRY }>>(failing(Kind::Sync, 6)), "it must be that after");
    swept::<Logged<{ bug::NONE }>>(failing(Kind::Sync, 6)).expect_clean("of a right log with a failed sync");
}

#[test]
fn what_recovery_reads_from_the_page_cache_after_a_failed_sync_is_not_durable() {
    caught(&swept::<Logged<{ bug::TRUST_CACHE }>>(failing(Kind::Sync, 6)), "the content is that after");
}

#[test]
fn what_recovery_reads_from_the_page_cache_after_a_kill_is_not_durable() {
    let report = swept::<Logged<{ bug::TRUST_CACHE }>>(plan());
    caught(&report, "after a write after the recovery, and a power cut");
    assert!(report.failures.iter().all(|failure| failure.contains("Kill of ")), "{report:?}");
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    caught(&swept::<Whole<{ bug::EARLY }>>(plan()), "it must be that after");
    let watched = Plan { prepare: rules, ..plan() };
    caught(
        &swept::<Logged<{ bug::RELAXED }>>(watched),
        "Acknowledge /db: /db/store/1.log has bytes that are not durable",
    );
}

#[test]
fn a_split_batch_is_found() {
    caught(&swept::<Whole<{ bug::SPLIT }>>(plan()), "differs in");
}

#[test]
fn a_record_without_a_checksum_is_found_when_its_write_tears() {
    caught(&swept::<Logged<{ bug::NO_CHECKSUM }>>(plan()), "a damaged record");
}

#[test]
fn a_list_that_names_what_is_not_durable_is_found() {
    caught(&swept::<Logged<{ bug::LIST_FIRST }>>(plan()), "it does not open");
    caught(&swept::<Logged<{ bug::LIST_FIRST }>>(Plan { prepare: rules, ..plan() }), "not durable");
}

#[test]
fn a_log_that_is_removed_before_the_new_list_is_durable_is_found() {
    caught(&swept::<Logged<{ bug::REMOVE_FIRST }>>(plan()), "a listed file is missing");
    caught(&swept::<Logged<{ bug::REMOVE_FIRST }>>(Plan { prepare: rules, ..plan() }), "LIST still names it");
}

#[test]
fn a_recovery_that_destroys_is_found() {
    caught(&swept::<Whole<{ bug::EAGER_CLEANING }>>(plan()), "the content");
}

#[test]
fn random_walks_find_nothing_in_right_stores_and_the_bugs_of_wrong_ones() {
    type OneWalk = fn(u64) -> Result<Walk, String>;
    let walks = |name: &str, one: OneWalk| {
        let found: Vec<Walk> = (0..12).map(|seed| one(seed).unwrap_or_else(|what| panic!("{name}: {what}"))).collect();
        assert!(found.iter().all(|walk| walk.power_cuts > 5 && walk.kills > 0 && walk.operations > 100), "{found:?}");
        assert!(found.iter().any(|walk| walk.failed > 3), "{found:?}");
    };
    walks("in one file", |seed| walk::<Whole<{ bug::NONE }>>(seed, 200, Durable::Always));
    walks("with a log", |seed| walk::<Logged<{ bug::NONE }>>(seed, 200, Durable::Always));
    walks("synced at times", |seed| walk::<Logged<{ bug::RELAXED }>>(seed, 200, Durable::AfterBarrier));
    let wrong: [(&str, OneWalk); 7] = [
        ("no file sync", |seed| walk::<Whole<{ bug::NO_FILE_SYNC }>>(seed, 200, Durable::Always)),
        ("no directory sync", |seed| walk::<Whole<{ bug::NO_DIRECTORY_SYNC }>>(seed, 200, Durable::Always)),
        ("tried again", |seed| walk::<Logged<{ bug::RETRY }>>(seed, 200, Durable::Always)),
        ("no checksum", |seed| walk::<Logged<{ bug::NO_CHECKSUM }>>(seed, 200, Durable::Always)),
        ("list first", |seed| walk::<Logged<{ bug::LIST_FIRST }>>(seed, 200, Durable::Always)),
        ("removed first", |seed| walk::<Logged<{ bug::REMOVE_FIRST }>>(seed, 200, Durable::Always)),
        ("trusts the cache", |seed| walk::<Logged<{ bug::TRUST_CACHE }>>(seed, 200, Durable::Always)),
    ];
    for (name, one) in wrong {
        assert!((0..40).any(|seed| one(seed).is_err()), "{name} was not found in 40 walks");
    }
}

#[test]
fn a_sweep_of_random_operations_passes() {
    let ops = random_workload(7, 40);
    sweep::<Logged<{ bug::NONE }>>(&ops, &plan()).expect_clean("of random operations");
}
