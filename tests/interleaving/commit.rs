//! Group commit in every order: whoever is told "durable" has it durable, whoever is refused leaves nothing, nobody waits
//! for ever.
//!
//! Each promise has a file system that breaks it; that the check notices is a test of the check.

use crate::memory::{Bug, Call, Fault};
use crate::world::{World, choose, explore, found, is_final, settings, together};
use ruvector_persistence::error::Kind;
use ruvector_persistence::manifest::SyncMode;
use std::sync::Arc;

const EIO: i32 = libc::EIO;
const ENOSPC: i32 = libc::ENOSPC;

type Work = Box<dyn FnOnce() + Send>;

/// Bytes with which two writes fill a log file.
const LARGE: usize = 1_500;

/// A writer that puts two entries, one under an id that others write as well, and waits for each. `bytes` more in each
/// make files change sooner; refusals may be of these kinds.
fn writer(world: &Arc<World>, name: u32, bytes: usize, kinds: &'static [Kind]) -> Work {
    let world = world.clone();
    Box::new(move || {
        for i in 0..2 {
            let id = if i == 0 { "common".to_owned() } else { format!("w{name} {i}") };
            let tag = format!("<w{name} {i}>{}", "x".repeat(bytes));
            if let Err(error) = world.put_durably(&id, &tag, (name * 100 + i) as f32) {
                assert!(kinds.contains(&error.kind), "{error}");
            }
        }
    })
}

fn group_commit(bug: Bug) {
    let world = World::new(bug, settings());
    together((0..3).map(|name| writer(&world, name, 0, &[])).collect());
    assert_eq!(world.acknowledged().len(), 4);
    world.check_whole();
}

#[test]
fn whoever_is_told_has_it_durable() {
    explore(|| group_commit(Bug::None));
}

#[test]
#[should_panic(expected = "was acknowledged before it was durable")]
fn an_acknowledgement_before_the_sync_is_noticed() {
    explore(|| group_commit(Bug::LateSync));
}

fn poison(bug: Bug) {
    let world = World::new(bug, settings());
    world.fs.fail(Fault { call: Call::Sync, skip: choose(5), errno: EIO });
    let bytes = choose(2) as usize * LARGE;
    together((0..3).map(|name| writer(&world, name, bytes, &[Kind::Io, Kind::Poisoned])).collect());
    assert_eq!(world.content(), world.acknowledged(), "what was not acknowledged is undone");
    let poisoned = world.collection.refusal().is_some_and(|error| error.kind == Kind::Poisoned);
    assert_eq!(poisoned, world.fs.end_fault(), "nothing is written after a failed sync");
    let last = world.last_acknowledged();
    let (cut, killed) = (world.fs.power_cut(), world.fs.kill());
    world.store.close().unwrap();
    for found in [cut, killed, world.fs.power_cut()] {
        world.check_prefix(found, last);
    }
}

#[test]
fn after_a_failed_sync_nobody_is_acknowledged_and_all_of_it_is_undone() {
    explore(|| poison(Bug::None));
}

#[test]
#[should_panic(expected = "was acknowledged before it was durable")]
fn a_failed_sync_that_is_believed_is_noticed() {
    explore(|| poison(Bug::HiddenFailure));
}

fn refusal(bug: Bug, call: Call, errno: i32) {
    let mut settings = settings();
    // Zeros ahead of the records are writes of their own, and fail as well.
    settings.wal.preallocate = choose(2) * 512;
    settings.wal.segment_size = 8 << 10;
    let world = World::new(bug, settings);
    let bytes = choose(2) as usize * LARGE;
    world.fs.fail(Fault { call, skip: choose(6), errno });
    together((0..3).map(|name| writer(&world, name, bytes, &[Kind::NoSpace, Kind::Io])).collect());
    world.fs.end_fault();
    world.put_durably("last", "<last>", 9.0).unwrap();
    world.collection.flush().unwrap();
    world.check_whole();
}

#[test]
fn a_write_that_was_refused_leaves_nothing_and_later_ones_stand() {
    explore(|| refusal(Bug::None, Call::Write, ENOSPC));
    explore(|| refusal(Bug::None, Call::Write, EIO));
}

#[test]
fn so_does_one_that_needed_a_new_file() {
    explore(|| refusal(Bug::None, Call::Create, ENOSPC));
    explore(|| refusal(Bug::None, Call::FirstSync, EIO));
}

#[test]
#[should_panic]
fn a_refused_write_that_is_believed_is_noticed() {
    explore(|| refusal(Bug::HiddenRefusal, Call::Write, ENOSPC));
}

#[test]
fn files_are_changed_under_writers_and_a_power_cut_finds_a_prefix() {
    explore(|| {
        let world = World::new(Bug::None, settings());
        let mut work: Vec<Work> = Vec::new();
        for name in 0..2_u32 {
            let world = world.clone();
            work.push(Box::new(move || {
                for i in 0..4 {
                    let tag = format!("<w{name} {i}>{}", "x".repeat(LARGE));
                    world.put_durably(&format!("w{name} {i}"), &tag, i as f32).unwrap();
                }
            }));
        }
        let at_work = world.clone();
        work.push(Box::new(move || {
            at_work.collection.checkpoint().unwrap();
        }));
        let (watched, images) = (world.clone(), Arc::new(std::sync::Mutex::new(Vec::new())));
        let seen = images.clone();
        work.push(Box::new(move || {
            for _ in 0..2 {
                // In this order: what is acknowledged from here on may be in the image or not.
                let durable = watched.last_acknowledged();
                let image = watched.fs.power_cut();
                seen.lock().unwrap().push((image, durable));
            }
        }));
        together(work);
        let images: Vec<_> = images.lock().unwrap().drain(..).collect();
        images.into_iter().for_each(|(image, durable)| world.check_prefix(image, durable));
        assert_eq!(world.acknowledged().len(), 8);
        world.check_whole();
    });
}

#[test]
fn what_was_taken_before_a_close_is_durable_and_what_comes_later_is_refused() {
    explore(|| {
        let world = World::new(Bug::None, settings());
        let mut work: Vec<Work> = (0..2_u32)
            .map(|name| {
                let world = world.clone();
                let work: Work = Box::new(move || {
                    for i in 0..2 {
                        match world.put(&format!("w{name} {i}"), &format!("<w{name} {i}>"), i as f32) {
                            Ok(lsn) => world.wait(lsn).unwrap(),
                            Err(error) => assert!(is_final(error.kind), "{error}"),
                        }
                    }
                });
                work
            })
            .collect();
        let closing = world.clone();
        work.push(Box::new(move || closing.collection.close().unwrap()));
        together(work);
        world.check_whole();
    });
}

#[test]
fn in_the_relaxed_modes_a_flush_makes_durable_what_was_acknowledged_earlier() {
    explore(|| {
        let mut settings = settings();
        settings.wal.sync_mode = [SyncMode::Periodic, SyncMode::Async][choose(2) as usize];
        let world = World::new(Bug::None, settings);
        let work = (0..2_u32).map(|name| {
            let world = world.clone();
            let work: Work = Box::new(move || {
                let tag = format!("<w{name}>");
                let lsn = world.put(&format!("w{name}"), &tag, name as f32).unwrap();
                world.wait(lsn).unwrap();
                if name == 0 {
                    world.collection.flush().unwrap();
                    assert!(world.fs.is_durable(&tag), "{tag} was flushed and is not durable");
                }
            });
            work
        });
        together(work.collect());
        world.check_whole();
    });
}

#[test]
fn a_checkpoint_never_holds_what_the_log_then_refuses() {
    explore(|| {
        let mut settings = settings();
        settings.wal.sync_mode = SyncMode::Periodic;
        let world = World::new(Bug::None, settings);
        world.fs.fail(Fault { call: Call::Sync, skip: choose(4), errno: EIO });
        let mut work: Vec<Work> = Vec::new();
        for name in 0..2_u32 {
            let world = world.clone();
            work.push(Box::new(move || {
                if let Ok(lsn) = world.put(&format!("w{name}"), &format!("<w{name}>"), name as f32) {
                    // In this mode acknowledged means written; only what a flush confirms is noted as durable.
                    if world.collection.wait(lsn).and_then(|()| world.collection.flush()).is_ok() {
                        world.acknowledge(lsn);
                    }
                }
            }));
        }
        let at_work = world.clone();
        work.push(Box::new(move || {
            let _ = at_work.collection.checkpoint();
        }));
        together(work);
        let last = world.last_acknowledged();
        let _ = world.store.close();
        let (content, lsn) = found(world.fs.power_cut()).unwrap();
        let live = world.content();
        assert!(lsn >= last, "record {last} was flushed, {lsn} is the last that is found");
        assert!(content.iter().all(|(id, x)| live.get(id) == Some(x)), "on disk {content:?}, visible {live:?}");
    });
}
