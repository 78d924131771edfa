//! Versions and readers beside checkpoint, compaction and replacement: a version never changes, and a reader finds a
//! manifest and the files that it names, whatever the writer removes meanwhile.

use crate::memory::Bug;
use crate::world::{Content, World, after, content, explore, found, settings, together};
use ruvector_persistence::store::Compact;
use std::sync::{Arc, Mutex};

/// A writer that overwrites and compacts; a holder of a version; a reader of the files.
fn compaction(bug: Bug) {
    let mut settings = settings();
    settings.wal.retention = 0;
    let world = World::new(bug, settings);
    for i in 0..3 {
        world.put_durably(&format!("{i}"), &format!("<{i}>"), i as f32).unwrap();
    }
    world.collection.checkpoint().unwrap();
    let seen: Arc<Mutex<Vec<(Content, u64)>>> = Arc::default();
    let (writer, holder, reader) = (world.clone(), world.clone(), world.clone());
    let (held, read) = (seen.clone(), seen.clone());
    together(vec![
        Box::new(move || {
            writer.put_durably("1", "<1 again>", 11.0).unwrap();
            writer.collection.compact(Compact::All).unwrap();
            writer.put_durably("2", "<2 again>", 12.0).unwrap();
            writer.collection.compact(Compact::All).unwrap();
        }),
        Box::new(move || {
            let version = holder.collection.version();
            let before = content(&version).unwrap();
            // The files of the segments that it holds may go now.
            holder.put_durably("0", "<0 again>", 10.0).unwrap();
            assert_eq!(content(&version).unwrap(), before, "a version changed");
            held.lock().unwrap().push((before, version.lsn()));
        }),
        Box::new(move || {
            let durable = reader.last_acknowledged();
            let (content, lsn) = found(reader.fs.clone()).expect("a reader finds what the manifest names");
            assert!(lsn >= durable);
            read.lock().unwrap().push((content, lsn));
        }),
    ]);
    for (content, lsn) in seen.lock().unwrap().drain(..) {
        assert_eq!(content, after(world.writes().iter().filter(|write| write.lsn <= lsn)), "at {lsn}");
    }
    world.check_whole();
}

#[test]
fn a_version_never_changes_and_a_reader_finds_its_files() {
    explore(|| compaction(Bug::None));
}

#[test]
#[should_panic(expected = "a reader finds what the manifest names")]
fn a_removal_before_the_manifest_is_noticed() {
    explore(|| compaction(Bug::EarlyRemoval));
}

#[test]
fn a_replacement_is_whole_and_no_write_is_lost_beside_it() {
    explore(|| {
        let world = World::new(Bug::None, settings());
        world.put_durably("old", "<old>", 1.0).unwrap();
        let kept = world.collection.version();
        let (writer, replacer) = (world.clone(), world.clone());
        let lsn = Arc::new(Mutex::new(0));
        let replaced = lsn.clone();
        together(vec![
            Box::new(move || {
                for i in 0..3 {
                    writer.put_durably(&format!("w{i}"), &format!("<w{i}>"), i as f32).unwrap();
                }
            }),
            Box::new(move || *replaced.lock().unwrap() = replacer.collection.replace(&kept).unwrap()),
        ]);
        let lsn = *lsn.lock().unwrap();
        // What came before the replacement is gone with the content that it replaced.
        let mut expected = after(world.writes().iter().filter(|write| write.lsn > lsn));
        expected.insert("old".to_owned(), 1.0);
        assert_eq!(world.content(), expected);
        world.store.close().unwrap();
        assert_eq!(found(world.fs.power_cut()).unwrap().0, expected);
    });
}
