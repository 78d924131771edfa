//! Going back to moments of a random history, each of which must be exactly what a model remembers.

use crate::support::{Content, content, open, put, small, vector};
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Kind;
use ruvector_persistence::format::Entry;
use ruvector_persistence::manifest::Settings;
use ruvector_persistence::store::{
    Compact, MetadataRule, Replay, Restore, Rewind, SnapshotRequest, Store, StoredCollection, Target,
};
use std::collections::BTreeMap;
use std::sync::Arc;

fn control() -> Control {
    Control::default()
}

fn to(target: Target) -> Rewind {
    Rewind { collection: "a".to_owned(), to: target, target: None, directory: None }
}

fn beside(target: Target, name: &str) -> Rewind {
    Rewind { target: Some(name.to_owned()), ..to(target) }
}

/// The content of a moment, as a new collection that is removed again.
fn look(store: &Store, lsn: u64) -> ruvector_persistence::error::Result<Content> {
    store.rewind(&beside(Target::Lsn(lsn), "look"), &control())?;
    let found = content(&store.collection("look").unwrap());
    store.remove("look").unwrap();
    Ok(found)
}

fn last(collection: &StoredCollection) -> u64 {
    collection.read(|state| state.lsn())
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn step(collection: &StoredCollection, random: &mut Random, seed: u32) {
    let id = format!("id {}", random.below(40));
    match random.below(20) {
        0..12 => drop(collection.put(&id, &vector(seed), None, MetadataRule::Replace, true).unwrap()),
        12..14 => {
            let entry = |at: u32| Arc::new(Entry::new(&format!("id {}", at % 40), vector(seed + at), None).unwrap());
            collection.put_batch((0..5).map(entry).collect(), true).unwrap();
        }
        14..17 => drop(collection.delete(&[&id], true).unwrap()),
        17..19 => drop(collection.set_metadata(&id, Some(r#"{"a":1}"#), true).unwrap()),
        _ => drop(collection.clear(true).unwrap()),
    }
}

#[test]
fn every_moment_of_a_random_history_is_what_the_model_remembers() {
    for seed in 0..2 {
        let mut random = Random(seed);
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path()).unwrap();
        let mut collection = store.create("a", Settings { memtable_size: 4 << 10, ..small() }).unwrap();
        let mut model: BTreeMap<u64, Content> = BTreeMap::from([(0, Content::new())]);
        let mut lost: Vec<u64> = Vec::new();
        for number in 0..160 {
            match random.below(40) {
                0 | 1 => drop(store.snapshot(&SnapshotRequest::default(), &control()).unwrap()),
                2 => drop(collection.compact(Compact::All).unwrap()),
                3 => {
                    drop(collection);
                    drop(store);
                    store = open(folder.path()).unwrap();
                    collection = store.collection("a").unwrap();
                }
                4 => {
                    // Something from elsewhere takes the place of all: nothing leads over it but a later base.
                    let version = collection.version();
                    collection.replace(&version).unwrap();
                    lost.push(last(&collection));
                }
                5 | 6 => {
                    let lsn = random.below(last(&collection) + 1);
                    match store.rewind(&to(Target::Lsn(lsn)), &control()) {
                        Ok(rewound) => {
                            assert_eq!(rewound.entries as usize, model[&lsn].len());
                            assert_eq!(content(&collection), model[&lsn], "change {lsn} in place");
                        }
                        Err(error) => assert_eq!(error.kind, Kind::PitrRange, "{error:?}"),
                    }
                }
                _ => step(&collection, &mut random, number * 10),
            }
            model.insert(last(&collection), content(&collection));
        }
        let windows = store.windows("a", None).unwrap();
        let mut reached = 0;
        for (lsn, expected) in &model {
            let inside = windows.iter().any(|window| (window.from_lsn..=window.to_lsn).contains(lsn));
            match look(&store, *lsn) {
                Ok(found) => {
                    assert!(inside, "{lsn} of {windows:?}");
                    assert_eq!(found, *expected, "change {lsn}, seed {seed}");
                    reached += 1;
                }
                Err(error) => {
                    assert!(!inside && error.kind == Kind::PitrRange, "{lsn} of {windows:?}: {error:?}");
                    assert!(!lost.is_empty(), "without a load every moment is reached");
                }
            }
        }
        assert!(reached > model.len() / 3, "{reached} of {}", model.len());
        assert_eq!(content(&collection), model[&last(&collection)], "looking changes nothing");
    }
}

#[test]
fn a_time_and_a_name_lead_where_their_change_leads() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    let mut moments = Vec::new();
    for seed in 0..5 {
        put(&collection, &format!("id {seed}"), seed);
        std::thread::sleep(std::time::Duration::from_millis(3));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64;
        moments.push((now, content(&collection)));
        std::thread::sleep(std::time::Duration::from_millis(3));
        if seed == 2 {
            let point = store.name_moment("a", "before the release").unwrap();
            assert_eq!(point.lsn, 3);
            assert_eq!(store.name_moment("a", "before the release").unwrap_err().kind, Kind::Exists);
        }
    }
    for (time, expected) in &moments {
        store.rewind(&beside(Target::Time(*time), "then"), &control()).unwrap();
        assert_eq!(content(&store.collection("then").unwrap()), *expected);
        store.remove("then").unwrap();
    }
    let refused = store.rewind(&to(Target::Time(1_000)), &control()).unwrap_err();
    assert_eq!(refused.kind, Kind::PitrRange);
    let refused = store.rewind(&to(Target::Lsn(6)), &control()).unwrap_err();
    assert!(refused.message.contains("0 to 5"), "{}", refused.message);
    assert_eq!(store.rewind(&to(Target::Point("nobody".to_owned())), &control()).unwrap_err().kind, Kind::PitrRange);
    store.rewind(&to(Target::Point("before the release".to_owned())), &control()).unwrap();
    assert_eq!(content(&collection), moments[2].1);
    // And the present of before is a moment, too.
    store.rewind(&to(Target::Lsn(5)), &control()).unwrap();
    assert_eq!(content(&collection), moments[4].1);
}

#[test]
fn after_a_restore_the_log_can_be_done_again_to_any_moment_and_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small()).unwrap();
    let mut model = vec![Content::new()];
    let mut random = Random(3);
    let mut taken = 0;
    while model.len() < 60 {
        let before = last(&collection);
        step(&collection, &mut random, model.len() as u32 * 10);
        if last(&collection) > before {
            model.push(content(&collection));
        }
        if model.len() == 20 && taken == 0 {
            taken = last(&collection);
            store.snapshot(&SnapshotRequest::default(), &control()).unwrap();
        }
    }
    let replay = Replay { collection: "a".to_owned(), verify: true, ..Replay::default() };
    let nothing = store.replay(&replay, &control()).unwrap();
    assert_eq!((nothing.operations, content(&collection)), (0, model[59].clone()), "a whole content has nothing to do");
    let restore = Restore { snapshot: "latest".to_owned(), overwrite: true, ..Restore::default() };
    store.restore(&restore, &control()).unwrap();
    assert_eq!(content(&collection), model[taken as usize]);
    let done = store.replay(&replay, &control()).unwrap();
    assert_eq!((done.operations, done.lsn), (59 - taken, 59));
    assert_eq!(content(&collection), model[59]);
    let again = store.replay(&replay, &control()).unwrap();
    assert_eq!((again.operations, content(&collection)), (0, model[59].clone()));
    // Once more, and a write: then there is a new present, and the old log is not mixed into it.
    store.restore(&restore, &control()).unwrap();
    put(&collection, "new", 1);
    assert_eq!(store.replay(&replay, &control()).unwrap().operations, 0);
    assert_eq!(content(&collection).len(), model[taken as usize].len() + 1);
}

#[test]
fn a_log_that_is_gone_leaves_the_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut settings = small();
    settings.wal.retention = 0;
    let collection = store.create("a", settings).unwrap();
    for seed in 0..200 {
        put(&collection, &format!("id {seed}"), seed);
        if seed == 50 {
            store.snapshot(&SnapshotRequest::default(), &control()).unwrap();
        }
    }
    collection.checkpoint().unwrap();
    let windows = store.windows("a", None).unwrap();
    assert_eq!((windows[0].from_lsn, windows[0].to_lsn), (51, 51));
    assert_eq!(look(&store, 51).unwrap().len(), 51);
    let refused = store.rewind(&to(Target::Lsn(60)), &control()).unwrap_err();
    assert_eq!(refused.kind, Kind::PitrRange);
    assert!(refused.message.contains("51 to 51"), "{}", refused.message);
    assert_eq!(content(&collection).len(), 200);
}
