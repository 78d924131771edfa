//! The store passes the crash test, and each bug planted beneath it is found.

use crate::chance::{walk, workload};
use crate::engine::{Engine, bug, mode};
use crate::fault::{Fault, How, Kind};
use crate::model::{Entry, Op};
use crate::subject::{Durable, Subject};
use crate::sweep::{Plan, Report, sweep};

/// Images of each sweep in an ordinary run; `CRASH_IMAGES` asks for more.
const IMAGES: usize = 4_000;

fn entry(id: usize, number: f32) -> Entry {
    (format!("id {id}"), vec![number; 24], Some(format!("{{\"n\":{number}}}")))
}

/// One of everything, with a log that rotates and segments with dead rows.
fn each_operation() -> Vec<Op> {
    let mut ops = vec![
        Op::Put(vec![entry(1, 1.0)]),
        Op::Put((2..12).map(|id| entry(id, 2.0)).collect()),
        Op::SetMetadata("id 3".into(), None),
        Op::Delete(vec!["id 1".into(), "id 8".into()]),
        Op::Checkpoint,
        Op::Put((3..20).map(|id| entry(id, 3.0)).collect()),
        Op::Checkpoint,
        Op::Reopen,
        Op::Put(vec![entry(2, -0.0), entry(9, 3.0)]),
    ];
    ops.extend((0..12).map(|id| Op::Put(vec![entry(id, 4.5)])));
    ops.extend([
        Op::Compact,
        Op::Put(vec![("id 1".into(), vec![f32::NAN; 24], None)]),
        Op::Rotate,
        Op::Put(vec![entry(40, 1.0)]),
        Op::Clear,
        Op::Put(vec![entry(41, 1.0)]),
        Op::Checkpoint,
        Op::Flush,
    ]);
    ops
}

fn plan(durable: Durable) -> Plan {
    Plan { durable, ..Plan::new(IMAGES) }
}

fn swept<const MODE: u8>(ops: &[Op], durable: Durable) -> Report {
    sweep::<Engine<{ bug::NONE }, MODE>>(ops, &plan(durable))
}

#[test]
fn the_store_keeps_its_promises_in_every_mode() {
    swept::<{ mode::FSYNC }>(&each_operation(), Durable::Always).expect_clean("of the store");
    swept::<{ mode::PACKED }>(&each_operation(), Durable::Always).expect_clean("with compressed records");
    swept::<{ mode::PERIODIC }>(&each_operation(), Durable::AfterBarrier).expect_clean("in mode periodic");
    swept::<{ mode::ASYNC }>(&each_operation(), Durable::AfterBarrier).expect_clean("in mode async");
}

/// Images that an ordinary run opens at least, in this test alone.
const IMAGES_IN_ALL: usize = 100_000;

#[test]
fn the_store_keeps_its_promises_with_random_operations_over_a_hundred_thousand_images() {
    let plan = |durable| Plan { durable, ..Plan::new(12_000) };
    let mut opened = 0;
    for seed in 1.. {
        let report = match seed % 4 {
            0 => sweep::<Engine<{ bug::NONE }, { mode::PACKED }>>(&workload(seed, 60), &plan(Durable::Always)),
            1 => sweep::<Engine<{ bug::NONE }, { mode::ASYNC }>>(&workload(seed, 50), &plan(Durable::AfterBarrier)),
            _ => sweep::<Engine<{ bug::NONE }, { mode::FSYNC }>>(&workload(seed, 50), &plan(Durable::Always)),
        };
        report.expect_clean(&format!("of random operations, seed {seed}"));
        opened += report.opened;
        if opened >= IMAGES_IN_ALL {
            println!("crash test: {opened} images of random operations were opened");
            return;
        }
    }
}

#[test]
fn the_store_keeps_its_promises_while_calls_fail() {
    for (nth, errno) in [(9, libc::EIO), (30, libc::ENOSPC), (55, libc::EIO), (90, libc::ENOSPC), (140, libc::EMFILE)] {
        let faults = vec![Fault::at(nth, How::Errno(errno))];
        let plan = Plan { faults, images: Some(300), ..plan(Durable::Always) };
        sweep::<Engine<{ bug::NONE }, { mode::FSYNC }>>(&each_operation(), &plan).expect_clean("while a call fails");
    }
    for nth in [3, 8, 15, 25] {
        let faults = vec![Fault::at(nth, How::Errno(libc::EIO)).of(Kind::Sync)];
        let plan = Plan { faults, images: Some(300), ..plan(Durable::Always) };
        sweep::<Engine<{ bug::NONE }, { mode::FSYNC }>>(&each_operation(), &plan).expect_clean("while a sync fails");
    }
}

/// Each call of the file system fails once, with each of two errors.
#[test]
fn the_store_keeps_its_promises_whichever_call_fails() {
    for errno in [libc::EIO, libc::ENOSPC] {
        let mut opened = 0;
        for nth in 1.. {
            let faults = vec![Fault::at(nth, How::Errno(errno))];
            let plan = Plan { faults, images: Some(60), ..plan(Durable::Always) };
            let report = sweep::<Engine<{ bug::NONE }, { mode::FSYNC }>>(&each_operation(), &plan);
            assert!(report.failures.is_empty(), "call {nth}: {report}\n\n{}", report.failures.join("\n\n"));
            opened += report.opened;
            if report.struck == 0 {
                println!("crash test: {nth} calls failed with errno {errno}, {opened} images opened");
                assert!(nth > 150, "{nth} calls are too few");
                break;
            }
        }
    }
}

#[test]
fn random_walks_with_everything_that_happens_to_a_store() {
    for seed in 0..6 {
        walk::<Engine<{ bug::NONE }, { mode::FSYNC }>>(seed, 120, Durable::Always).unwrap();
        walk::<Engine<{ bug::NONE }, { mode::ASYNC }>>(seed, 120, Durable::AfterBarrier).unwrap();
    }
}

fn found<S: Subject>(name: &str, faults: Vec<Fault>) {
    let plan = Plan { faults, images: Some(4_000), ..plan(Durable::Always) };
    let report = sweep::<S>(&each_operation(), &plan);
    assert!(!report.failures.is_empty(), "the bug was not found: {name}: {report}");
}

#[test]
fn each_planted_bug_is_found() {
    found::<Engine<{ bug::NO_DATA_SYNC }, { mode::FSYNC }>>("the log is not synced", vec![]);
    found::<Engine<{ bug::NO_DIRECTORY_SYNC }, { mode::FSYNC }>>("directories are not synced", vec![]);
    found::<Engine<{ bug::NO_SYNC_BEFORE_RENAME }, { mode::FSYNC }>>("no sync before the rename", vec![]);
    found::<Engine<{ bug::LATE_SYNC }, { mode::FSYNC }>>("acknowledged before the sync", vec![]);
    found::<Engine<{ bug::EARLY_REMOVAL }, { mode::PACKED }>>("removed before the manifest", vec![]);
    let fails = |nth| vec![Fault::at(nth, How::Errno(libc::EIO)).of(Kind::Sync).on(".wal")];
    let plan = |nth| Plan { faults: fails(nth), images: Some(1_000), ..plan(Durable::Always) };
    let tried =
        (2..12).map(|nth| sweep::<Engine<{ bug::RETRIED_SYNC }, { mode::FSYNC }>>(&each_operation(), &plan(nth)));
    assert!(tried.into_iter().any(|report| !report.failures.is_empty()), "a sync that is tried again was believed");
}
