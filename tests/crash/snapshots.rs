//! Snapshots, restores and rewinds under the crash test: at every moment of a life that has all of them the power goes, or
//! one call fails. What is there afterwards is the old or the new content, and each snapshot is whole or not there.

use crate::fault::{Fault, How};
use crate::image::{Breadth, Choice, choices, hash, image};
use crate::recorder::Progress;
use crate::rng::Rng;
use crate::sim::{BASE, SimFs};
use crate::state::State;
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Result;
use ruvector_persistence::format::Entry;
use ruvector_persistence::manifest::Settings;
use ruvector_persistence::store::{
    Before, OpenStore, Packing, Restore, Rewind, SnapshotRequest, Store, StoredCollection, Target,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The seeds of the vectors by id.
type Content = BTreeMap<String, u32>;

/// What an operation leaves: the content, and the snapshots by name.
#[derive(Debug, Clone, Default, PartialEq)]
struct World {
    content: Content,
    snapshots: BTreeMap<String, Content>,
}

#[derive(Debug, Clone)]
enum Op {
    Put(&'static str, u32),
    Delete(&'static str),
    Checkpoint,
    Take(&'static str, bool, Option<Packing>),
    Restore(&'static str),
    /// To the content behind the nth operation.
    Rewind(usize),
    Remove(&'static str),
    /// The file of the log is completed, and with `true` all of the log goes that opening does not need.
    Shorten(bool),
}

fn life() -> Vec<Op> {
    use Op::{Checkpoint, Delete, Put, Remove, Restore, Rewind, Shorten, Take};
    vec![
        Put("a", 1),
        Put("b", 2),
        Take("one", false, None),
        Put("a", 3),
        Shorten(false),
        Checkpoint,
        Delete("b"),
        Take("two", true, None),
        Put("c", 4),
        Take("three", false, Some(Packing::Zstd)),
        Restore("one"),
        Put("d", 5),
        Rewind(9),
        Restore("three"),
        Remove("two"),
        Restore("one"),
        Remove("three"),
        Put("f", 7),
        Shorten(true),
        Put("e", 6),
    ]
}

fn control() -> Control {
    Control::default()
}

fn open(fs: &SimFs) -> Result<(Store, Arc<StoredCollection>)> {
    let options =
        OpenStore { read_only: false, create: true, among_others: false, holder: "the crash test".to_owned() };
    let store = Store::open(Arc::new(fs.clone()), Path::new(BASE), &options)?;
    let mut settings = Settings::default();
    settings.wal.segment_size = 4_096;
    settings.wal.preallocate = 1_024;
    let collection = store.collection_or_create("a", settings)?;
    Ok((store, collection))
}

fn read(collection: &StoredCollection) -> Result<Content> {
    let entry = |entry: Result<Arc<Entry>>| entry.map(|entry| (entry.id.to_string(), entry.vector[0] as u32));
    collection.version().entries().map(entry).collect()
}

fn apply(store: &Store, collection: &StoredCollection, op: &Op, lsns: &[u64]) -> Result<()> {
    let by_name = |name: &str| Restore { snapshot: name.to_owned(), overwrite: true, ..Restore::default() };
    match op {
        Op::Put(id, seed) => {
            let entry = Arc::new(Entry::new(id, vec![*seed as f32, 1.0], None)?);
            let done = collection.put_batch(vec![entry], true)?;
            done.map_or(Ok(()), |done| collection.wait(done.lsn))
        }
        Op::Delete(id) => collection.delete(&[id], true)?.map_or(Ok(()), |done| collection.wait(done.lsn)),
        Op::Checkpoint => collection.checkpoint().map(|_| ()),
        Op::Take(name, incremental, packing) => {
            let (name, incremental, packing) = (Some((*name).to_owned()), *incremental, *packing);
            let request = SnapshotRequest { name, incremental, packing, ..SnapshotRequest::default() };
            store.snapshot(&request, &control()).map(|_| ())
        }
        Op::Restore(name) => store.restore(&by_name(name), &control()).map(|_| ()),
        Op::Rewind(after) => {
            let (collection, to) = ("a".to_owned(), Target::Lsn(lsns[*after]));
            store.rewind(&Rewind { collection, to, target: None, directory: None }, &control()).map(|_| ())
        }
        Op::Remove(name) => store.remove_snapshot(&store.find_snapshot(None, name)?),
        Op::Shorten(all) => collection.shorten_log(true, all.then_some(Before::Lsn(u64::MAX))).map(|_| ()),
    }
}

/// What each operation leaves, the state before the first included.
fn worlds(ops: &[Op]) -> Vec<World> {
    let mut worlds = vec![World::default()];
    for op in ops {
        let mut world = worlds.last().cloned().unwrap_or_default();
        match op {
            Op::Put(id, seed) => drop(world.content.insert((*id).to_owned(), *seed)),
            Op::Delete(id) => drop(world.content.remove(*id)),
            Op::Checkpoint | Op::Shorten(_) => {}
            Op::Take(name, ..) => drop(world.snapshots.insert((*name).to_owned(), world.content.clone())),
            Op::Restore(name) => world.content = world.snapshots[*name].clone(),
            Op::Rewind(after) => world.content = worlds[*after].content.clone(),
            Op::Remove(name) => drop(world.snapshots.remove(*name)),
        }
        worlds.push(world);
    }
    worlds
}

/// Lives until the end or the first failure; the number of operations that were done, and the failure.
fn live(fs: &SimFs, ops: &[Op]) -> (usize, Option<String>) {
    let (store, collection) = match open(fs) {
        Ok(open) => open,
        Err(error) => return (0, Some(error.to_string())),
    };
    let mut lsns = vec![0];
    for (number, op) in ops.iter().enumerate() {
        fs.started(number + 1);
        if let Err(error) = apply(&store, &collection, op, &lsns) {
            return (number, Some(error.to_string()));
        }
        fs.acknowledged(number + 1, true);
        lsns.push(collection.read(|state| state.lsn()));
    }
    let closed = collection.close().and(store.close());
    (ops.len(), closed.err().map(|error| error.to_string()))
}

/// Whether what is found is what an operation between the last durable one and the last begun one leaves.
fn judge(state: &State, worlds: &[World], progress: Progress) -> std::result::Result<(), String> {
    let fs = SimFs::of(state.clone());
    let (store, collection) = open(&fs).map_err(|error| format!("it does not open: {error}"))?;
    let content = read(&collection).map_err(|error| format!("it cannot be read: {error}"))?;
    let (entries, damaged) = store.snapshots(None).map_err(|error| format!("the snapshots are not listed: {error}"))?;
    if let Some(damaged) = damaged.first() {
        return Err(format!("a snapshot is neither whole nor gone: {}", damaged.error));
    }
    let mut found = World { content, snapshots: BTreeMap::new() };
    for (number, entry) in entries.iter().enumerate() {
        let name = entry.found.snapshot.name.clone().unwrap_or_default();
        let target = format!("from-{number}");
        let restore = Restore {
            snapshot: entry.id().to_owned(),
            target: Some(target.clone()),
            verify: true,
            ..Restore::default()
        };
        let brought = store.restore(&restore, &control()).and_then(|_| read(&*store.collection(&target)?));
        let content = brought.map_err(|error| format!("snapshot '{name}' does not come back: {error}"))?;
        found.snapshots.insert(name, content);
        store.remove(&target).map_err(|error| format!("cannot remove: {error}"))?;
    }
    let possible = &worlds[progress.durable..=progress.started.max(progress.durable)];
    if !possible.contains(&found) {
        return Err(format!("found {found:?}\npossible: {possible:?}"));
    }
    let taken = store.snapshot(&SnapshotRequest::default(), &control());
    taken.map_err(|error| format!("no snapshot can be taken any more: {error}"))?;
    let hidden: Vec<String> = fs.paths().into_iter().filter(|path| path.contains("/snapshots/.")).collect();
    if hidden.is_empty() { Ok(()) } else { Err(format!("left behind: {hidden:?}")) }
}

/// How many images, unless `CRASH_IMAGES` says otherwise.
fn share(ordinary: usize) -> usize {
    match std::env::var("CRASH_IMAGES").ok().as_deref() {
        None | Some("") => ordinary,
        Some("all") => usize::MAX,
        Some(text) => text.parse().expect("CRASH_IMAGES is `all` or a number"),
    }
}

#[test]
fn the_power_may_go_at_any_moment_of_a_life_with_snapshots() {
    let ops = life();
    let worlds = worlds(&ops);
    let fs = SimFs::new();
    fs.record();
    assert_eq!(live(&fs, &ops), (ops.len(), None));
    let moments = fs.recorded().moments;
    let mut candidates = Vec::new();
    for (at, moment) in moments.iter().enumerate() {
        candidates.push((at, Choice::Kill));
        candidates.extend(choices(&moment.state, Breadth::FULL, at as u64).into_iter().map(|choice| (at, choice)));
    }
    let (all, mut rng) = (candidates.len(), Rng::new(5));
    rng.shuffle(&mut candidates);
    let mut seen = BTreeSet::new();
    for (at, choice) in candidates.into_iter().take(share(4_000)) {
        let (moment, progress) = (&moments[at], moments[at].progress);
        let state = image(&moment.state, choice);
        if !seen.insert((hash(&state), progress.durable, progress.started)) {
            continue;
        }
        if let Err(failure) = judge(&state, &worlds, progress) {
            panic!("after {}, {choice:?}, {progress:?}: {failure}", moment.after);
        }
    }
    println!("{} moments, {all} choices, {} images opened", moments.len(), seen.len());
}

#[test]
fn any_one_call_may_fail_in_a_life_with_snapshots() {
    let ops = life();
    let worlds = worlds(&ops);
    let whole = SimFs::new();
    live(&whole, &ops);
    let calls = whole.calls();
    let step = (calls as usize / share(700).min(calls as usize)).max(1);
    for errno in [libc::EIO, libc::ENOSPC] {
        for nth in (1..=calls).step_by(step) {
            let fs = SimFs::new();
            fs.fail(Fault::at(nth, How::Errno(errno)));
            let (done, failure) = live(&fs, &ops);
            fs.heal();
            // The process goes on, or is killed: in both cases the page cache lives.
            let progress = Progress { started: (done + 1).min(ops.len()), acknowledged: done, durable: done };
            let state = image(&fs.state(), Choice::Kill);
            if let Err(wrong) = judge(&state, &worlds, progress) {
                panic!("call {nth} fails with {errno} ({failure:?} in operation {}): {wrong}", done + 1);
            }
        }
    }
}
