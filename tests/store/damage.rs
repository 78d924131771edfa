//! RELIABILITY F8 to F11 and bad inputs 26 to 35: every bit of every file of a store flipped, every length cut, files lost, swapped and put back
//! from earlier: it is noticed and named, or what is found is what was there. Never wrong data, never a panic.

use crate::lifecycle::copy_tree;
use crate::support::{Content, content, for_each_form, open, open_reader, put, small_of};
use ruvector_persistence::control::Control;
use ruvector_persistence::error::{Error, Kind};
use ruvector_persistence::manifest::Engine;
use ruvector_persistence::store::Compact;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

for_each_form! {
    flipped_bits_of_a_closed_store_are_noticed,
    flipped_bits_of_a_store_that_was_not_closed_cost_the_last_record_at_most,
    verify_finds_every_flipped_bit_but_those_of_a_torn_tail,
    every_length_of_every_file_is_noticed_or_costs_nothing,
    lost_swapped_and_foreign_files_are_named,
    an_old_manifest_in_the_place_of_the_newest_is_refused,
}

/// A closed store with every kind of file, its content, and the content without its last record.
struct Sample {
    folder: tempfile::TempDir,
    content: Content,
    closed: bool,
}

/// Two segments, one with dead rows; a complete log file behind the checkpoint, and one that is not complete.
fn sample(closed: bool, engine: Engine) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let made = tempfile::tempdir().unwrap();
    let store = open(made.path()).unwrap();
    let mut settings = small_of(engine);
    settings.memtable_size = 1 << 20;
    settings.wal.segment_size = 4 << 10;
    settings.wal.preallocate = 512;
    let collection = store.create("a", settings).unwrap();
    (0..12).for_each(|seed| _ = put(&collection, &format!("first {seed}"), seed));
    collection.checkpoint().unwrap();
    (0..3).for_each(|seed| _ = put(&collection, &format!("second {seed}"), seed));
    collection.delete(&["first 3", "first 4"], true).unwrap();
    collection.checkpoint().unwrap();
    // Each is acknowledged before the next is written.
    (0..50).for_each(|seed| collection.wait(put(&collection, &format!("third {seed}"), seed)).unwrap());
    let content = content(&collection);
    if !closed {
        copy_tree(made.path(), folder.path());
    }
    drop((collection, store));
    if closed {
        copy_tree(made.path(), folder.path());
    }
    Sample { folder, content, closed }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("LOCK") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(folder: &Path) -> Result<Content, Error> {
    let store = open_reader(folder)?;
    let collection = store.collection("a")?;
    for entry in collection.version().entries() {
        entry?;
    }
    Ok(content(&collection))
}

/// What may be found in a damaged store: an error, what was there, or, in a log that was not closed, a beginning of it.
fn judge(sample: &Sample, what: &str) -> bool {
    match read(sample.folder.path()) {
        Err(error) => {
            assert!([Kind::Corrupt, Kind::Version, Kind::NotADatabase].contains(&error.kind), "{what}: {error:?}");
            assert!(error.path.is_some(), "{what}: no file is named in {error:?}");
            true
        }
        Ok(found) if found == sample.content => false,
        Ok(found) => {
            assert!(!sample.closed, "{what}: something is missing and nobody says so");
            // Each record put one entry: only the newest may be missing.
            let missing = sample.content.keys().filter(|id| !found.contains_key(*id)).count();
            assert!(found.iter().all(|(id, value)| sample.content.get(id) == Some(value)), "{what}: wrong data");
            assert_eq!(missing, 1, "{what}: more than the last record is missing");
            true
        }
    }
}

fn flip_everything(closed: bool, engine: Engine) -> (usize, usize) {
    let sample = sample(closed, engine);
    let (mut flips, mut noticed) = (0, 0);
    for path in files(sample.folder.path()) {
        let is_of_run = path.components().any(|part| part.as_os_str() == "lsm");
        if is_of_run && !closed {
            // How the log ended changes nothing about runs, and each reading opens them anew, which takes its time.
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let is_log = path.extension().is_some_and(|extension| extension == "wal");
        for (at, byte) in bytes.iter().enumerate() {
            // The zeros behind the records of a log are no content: some of them are enough.
            if is_log && *byte == 0 && bytes[at..].iter().all(|byte| *byte == 0) && at % 97 != 0 {
                continue;
            }
            let bits = [at % 8, (at + 3) % 8];
            for bit in bits.into_iter().take(if is_of_run { 1 } else { 2 }) {
                file.write_all_at(&[byte ^ (1 << bit)], at as u64).unwrap();
                flips += 1;
                noticed += usize::from(judge(&sample, &format!("{}: bit {bit} of byte {at}", path.display())));
            }
            file.write_all_at(&[*byte], at as u64).unwrap();
        }
    }
    assert_eq!(read(sample.folder.path()).unwrap(), sample.content, "the files are as they were");
    (flips, noticed)
}

fn flipped_bits_of_a_closed_store_are_noticed(engine: Engine) {
    let (flips, noticed) = flip_everything(true, engine);
    // What is not noticed by reading everything: the close record, files of the log behind the checkpoint, zeros.
    assert!(noticed * 2 > flips, "{noticed} of {flips}");
}

fn flipped_bits_of_a_store_that_was_not_closed_cost_the_last_record_at_most(engine: Engine) {
    let (flips, noticed) = flip_everything(false, engine);
    assert!(noticed * 2 > flips, "{noticed} of {flips}");
}

fn verify_finds_every_flipped_bit_but_those_of_a_torn_tail(engine: Engine) {
    let sample = sample(true, engine);
    let store = open_reader(sample.folder.path()).unwrap();
    assert_eq!(store.verify("a", &Control::default()).unwrap().damage, []);
    for path in files(sample.folder.path()) {
        if path.ends_with("STORE") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let last_log =
            files(sample.folder.path()).into_iter().rfind(|path| path.extension().is_some_and(|e| e == "wal"));
        for (at, byte) in bytes.iter().enumerate().step_by(3) {
            file.write_all_at(&[byte ^ (1 << (at % 8))], at as u64).unwrap();
            let named = match store.verify("a", &Control::default()) {
                Err(error) => error.path == Some(path.clone()),
                Ok(found) => {
                    found.damage.iter().any(|damage| damage.path == path)
                        // The record that marks the end is as good as not written; nothing is behind it.
                        || (found.torn > 0 && Some(&path) == last_log.as_ref() && at + 80 > bytes.len())
                }
            };
            file.write_all_at(&[*byte], at as u64).unwrap();
            // A complete log file may have bytes behind the end that the manifest names; nobody reads them.
            let behind = path.extension().is_some_and(|e| e == "wal") && bytes[at..].iter().all(|byte| *byte == 0);
            assert!(named || behind, "{}: byte {at} of {}", path.display(), bytes.len());
        }
    }
}

fn every_length_of_every_file_is_noticed_or_costs_nothing(engine: Engine) {
    for closed in [true, false] {
        let sample = sample(closed, engine);
        for path in files(sample.folder.path()) {
            let bytes = fs::read(&path).unwrap();
            let step = if bytes.len() > 2_000 { 7 } else { 1 };
            for length in (0..bytes.len()).step_by(step) {
                fs::write(&path, &bytes[..length]).unwrap();
                let found = read(sample.folder.path());
                let is_last_log = path.extension().is_some_and(|extension| extension == "wal");
                match found {
                    Err(error) => {
                        let kinds = [Kind::Corrupt, Kind::NotADatabase, Kind::Path, Kind::Io];
                        assert!(kinds.contains(&error.kind), "{}: {length}: {error:?}", path.display());
                    }
                    // The last file of a log may end anywhere: a crash leaves such files.
                    Ok(found) if is_last_log => {
                        assert!(found.iter().all(|(id, value)| sample.content.get(id) == Some(value)), "wrong data");
                    }
                    Ok(found) => assert!(found == sample.content, "{}: {length} bytes", path.display()),
                }
            }
            for extra in [1, 7, 8, 64] {
                fs::write(&path, [bytes.clone(), vec![0xa5; extra]].concat()).unwrap();
                if let Ok(found) = read(sample.folder.path()) {
                    assert!(found == sample.content, "{}: {extra} more bytes", path.display());
                }
            }
            fs::write(&path, &bytes).unwrap();
        }
    }
}

fn lost_swapped_and_foreign_files_are_named(engine: Engine) {
    let sample = sample(true, engine);
    let other = self::sample(true, engine);
    for path in files(sample.folder.path()) {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let behind = path.ends_with("00000000000000000002.wal");
        let lost = read(sample.folder.path());
        assert!(behind || lost.is_err(), "{}", path.display());
        if !behind && !path.ends_with("STORE") {
            let error = lost.unwrap_err();
            assert_eq!(error.kind, Kind::Corrupt, "{error:?}");
            assert_eq!(error.path.as_deref(), Some(path.as_path()));
        }
        let twin = other.folder.path().join(path.strip_prefix(sample.folder.path()).unwrap());
        if let Ok(foreign) = fs::read(&twin) {
            fs::write(&path, &foreign).unwrap();
            let refused = read(sample.folder.path());
            assert!(behind || refused.is_err(), "{}: of another store", path.display());
        }
        for strange in [&b""[..], b"x", &[0; 4_096], b"hello, this is text and longer than any header is, by far, yes"]
        {
            fs::write(&path, strange).unwrap();
            let refused = read(sample.folder.path());
            assert!(behind || refused.is_err(), "{}: {} strange bytes", path.display(), strange.len());
        }
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(read(sample.folder.path()).unwrap(), sample.content);
}

fn an_old_manifest_in_the_place_of_the_newest_is_refused(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let collection = store.create("a", small_of(engine)).unwrap();
    put(&collection, "x", 1);
    collection.checkpoint().unwrap();
    let manifest = folder.path().join("collections/a/MANIFEST");
    let old = fs::read(&manifest).unwrap();
    (0..400).for_each(|seed| _ = put(&collection, &format!("id {seed}"), seed));
    collection.compact(Compact::All).unwrap();
    drop((collection, store));
    fs::write(&manifest, &old).unwrap();
    let error = open(folder.path()).unwrap().collection("a").err().unwrap();
    assert_eq!(error.kind, Kind::Corrupt, "{error:?}");
}

#[test]
fn salvage_saves_what_is_left_and_names_what_is_lost() {
    let sample = sample(true, Engine::Mmap);
    let segment = files(sample.folder.path()).into_iter().find(|path| path.ends_with("00000001.seg")).unwrap();
    let length = fs::metadata(&segment).unwrap().len();
    let bytes = fs::read(&segment).unwrap();
    // A byte among the vectors: the first block holds the whole of this small segment.
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(&[bytes[70] ^ 1], 70).unwrap();
    let log =
        files(sample.folder.path()).into_iter().rfind(|path| path.extension().is_some_and(|e| e == "wal")).unwrap();
    let records = fs::read(&log).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().write_all_at(&[records[200] ^ 1], 200).unwrap();
    assert!(read(sample.folder.path()).is_err());
    let store = open(sample.folder.path()).unwrap();
    let salvaged = store.salvage("a", "saved", &Control::default()).unwrap();
    let saved = content(&store.collection("saved").unwrap());
    assert_eq!(salvaged.entries as usize, saved.len());
    assert!(saved.iter().all(|(id, value)| sample.content.get(id) == Some(value)));
    let missing = sample.content.keys().filter(|id| !saved.contains_key(*id)).count();
    let rows: u64 = salvaged.lost.iter().map(|lost| lost.rows).sum();
    assert_eq!(rows, 10, "the live rows of the damaged segment: {:?} of {length}", salvaged.lost);
    let lsns: u64 = salvaged.lost.iter().filter_map(|lost| lost.lsns).map(|(from, to)| to - from).sum();
    assert_eq!(missing as u64, rows + lsns, "{:?}", salvaged.lost);
    assert!((1..=2).contains(&lsns));
}
