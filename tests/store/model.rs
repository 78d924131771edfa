//! Random operations against a map, with checkpoints, compactions, crashes of the process and reopening among them.

use crate::lifecycle::copy_of_the_dead;
use crate::support::{Content, content, for_each_form, open, small_of, vector};
use ruvector_persistence::format::Entry;
use ruvector_persistence::manifest::{Engine, Settings, SyncMode};
use ruvector_persistence::store::{Compact, MetadataRule};
use std::sync::Arc;

for_each_form! {
    random_operations_agree_with_a_model,
    in_the_relaxed_modes_and_with_compression_too,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn bits(seed: u32) -> Vec<u32> {
    vector(seed).iter().map(|x| x.to_bits()).collect()
}

fn run(seed: u64, settings: Settings, steps: u32) {
    let mut random = Random(seed);
    let mut folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path()).unwrap();
    let mut collection = store.create("a", settings).unwrap();
    let mut model = Content::new();
    for step in 0..steps {
        let id = format!("id {}", random.below(400));
        match random.below(1_000) {
            0..550 => {
                collection.put(&id, &vector(step), None, MetadataRule::Replace, false).unwrap();
                model.insert(id, (bits(step), None));
            }
            550..600 => {
                let ids: Vec<String> = (0..random.below(50)).map(|_| format!("id {}", random.below(400))).collect();
                let entry = |id: &String| Arc::new(Entry::new(id, vector(step), Some(r#"{"b":1}"#)).unwrap());
                collection.put_batch(ids.iter().map(entry).collect(), false).unwrap();
                let value = (bits(step), Some(r#"{"b":1}"#.to_owned()));
                model.extend(ids.into_iter().map(|id| (id, value.clone())));
            }
            600..850 => {
                let found = collection.delete(&[&id], false).unwrap().map_or(0, |done| done.entries);
                assert_eq!(found == 1, model.remove(&id).is_some());
            }
            850..950 => {
                let metadata = format!(r#"{{"step":{step}}}"#);
                let found = collection.set_metadata(&id, Some(&metadata), false).unwrap().is_some();
                assert_eq!(found, model.contains_key(&id));
                model.entry(id).and_modify(|value| value.1 = Some(metadata));
            }
            950..952 => {
                collection.clear(false).unwrap();
                model.clear();
            }
            952..965 => drop(collection.checkpoint().unwrap()),
            965..970 => drop(collection.compact(Compact::All).unwrap()),
            970..975 => {
                let version = collection.version();
                collection.replace(&version).unwrap();
            }
            975..985 => {
                drop(collection);
                drop(store);
                store = open(folder.path()).unwrap();
                collection = store.collection("a").unwrap();
                assert!(collection.recovery().closed);
            }
            985..990 => {
                // The process dies: only what is in the files is left.
                collection.flush().unwrap();
                let copy = copy_of_the_dead(folder.path(), &collection);
                drop((collection, store));
                folder = copy;
                store = open(folder.path()).unwrap();
                collection = store.collection("a").unwrap();
            }
            _ => assert_eq!(content(&collection), model, "step {step}"),
        }
        assert_eq!(collection.version().len(), model.len(), "step {step}");
    }
    assert_eq!(content(&collection), model);
}

fn random_operations_agree_with_a_model(engine: Engine) {
    for seed in 0..2 {
        run(seed, small_of(engine), 3_000);
    }
}

fn in_the_relaxed_modes_and_with_compression_too(engine: Engine) {
    for (seed, mode) in [(10, SyncMode::Periodic), (11, SyncMode::Async)] {
        let mut settings = small_of(engine);
        settings.wal.sync_mode = mode;
        settings.wal.fsync_interval = 5;
        settings.wal.compression = true;
        settings.wal.retention = 0;
        run(seed, settings, 3_000);
    }
}
