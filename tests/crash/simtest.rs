//! The simulator is tested: it answers as a real disk does, and a power cut leaves everything that real disks were seen to
//! leave, and nothing that contradicts a sync.

use crate::content::SECTOR;
use crate::fault::{Fault, How, Kind};
use crate::image::{Breadth, Choice, choices};
use crate::order::name_is_durable;
use crate::rng::Rng;
use crate::sim::{ENDLESS, SimFs};
use ruvector_persistence::env::fs::{Disk, Fs, FsFile};
use ruvector_persistence::error::{self, Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

const A: &str = "/db/a";
const B: &str = "/db/b";

fn path(text: &str) -> &Path {
    Path::new(text)
}

fn sync_names(fs: &SimFs) {
    fs.sync_directory(path("/db")).unwrap();
}

/// A file that is durable with its name.
fn durable(fs: &SimFs, at: &str, bytes: &[u8]) -> Box<dyn FsFile> {
    let file = fs.create(path(at)).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    sync_names(fs);
    file
}

/// What a power cut may leave of some files, over all choices of a moment.
fn outcomes(fs: &SimFs, files: &[&str]) -> BTreeSet<Vec<Option<Vec<u8>>>> {
    choices(&fs.state(), Breadth::FULL, 1)
        .into_iter()
        .map(|choice| {
            let crashed = fs.crash(choice);
            files.iter().map(|file| crashed.bytes(file)).collect()
        })
        .collect()
}

fn errno(error: &Error) -> String {
    let raw = error.source.as_ref().and_then(|source| source.raw_os_error());
    format!("{:?} {raw:?}", error.kind)
}

/// One random call, and what came of it.
fn answer(fs: &dyn Fs, base: &Path, files: &mut Vec<Box<dyn FsFile>>, rng: &mut Rng) -> String {
    let names = ["a", "b", "d", "d/x", "d/e", "d/e/f", "missing/x", "a/x"];
    let mut some = || base.join(names[rng.below(8) as usize]);
    let (one, other) = (some(), some());
    let kind = rng.below(16);
    let (offset, length) = (rng.below(9_000), rng.below(6_000) as usize);
    let at = rng.below(files.len().max(1) as u64) as usize;
    let opened = |file: Result<Box<dyn FsFile>>, files: &mut Vec<Box<dyn FsFile>>| {
        file.map(|file| files.push(file)).map_err(|error| errno(&error))
    };
    let told = |done: Result<String>| done.map_err(|error| errno(&error));
    let done = match (kind, files.get(at)) {
        (0 | 1, _) => return format!("{:?}", opened(fs.create(&one), files)),
        (2, _) => return format!("{:?}", opened(fs.open(&one), files)),
        (3 | 4, _) => told(fs.rename(&one, &other).map(|()| String::new())),
        (5, _) => told(fs.remove(&one).map(|found| found.to_string())),
        (6, _) => told(fs.make_directory(&one).map(|()| String::new())),
        (7, _) => told(fs.remove_directory(&one).map(|found| found.to_string())),
        (8, _) => told(fs.list(&one).map(|names| names.join(" "))),
        (9, _) => told(fs.sync_directory(base).map(|()| String::new())),
        (10 | 11, Some(file)) => {
            told(file.write_at(&vec![kind as u8 + at as u8; length], offset).map(|()| String::new()))
        }
        (12, Some(file)) => {
            let before = file.length().unwrap();
            told(file.truncate(before.min(offset)).and_then(|()| file.length()).map(|length| length.to_string()))
        }
        (13, Some(file)) => {
            let mut bytes = vec![0; length];
            told(file.read_at(&mut bytes, offset).map(|()| crc32fast::hash(&bytes).to_string()))
        }
        (14, Some(file)) => told(file.map().map(|bytes| format!("{} {}", bytes.len(), crc32fast::hash(&bytes)))),
        (15, Some(file)) => told(file.sync().map(|()| String::new())),
        _ => Ok(String::new()),
    };
    format!("{done:?}")
}

#[test]
fn it_answers_as_a_real_disk_does() {
    for seed in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let sim = SimFs::new();
        let (mut real_files, mut sim_files) = (Vec::new(), Vec::new());
        let mut rng = Rng::new(seed);
        for step in 0..300 {
            let mut again = rng.clone();
            let real = answer(&Disk, directory.path(), &mut real_files, &mut rng);
            let simulated = answer(&sim, path("/db"), &mut sim_files, &mut again);
            assert_eq!(real, simulated, "seed {seed}, step {step}, on the left the real disk; {:?}", sim.paths());
        }
    }
}

#[test]
fn sectors_of_one_write_survive_in_any_combination_and_lengths_between() {
    let fs = SimFs::new();
    let file = durable(&fs, A, &[b'o'; 1_536]);
    file.write_at(&[b'n'; 1_536], 0).unwrap();
    let shapes: BTreeSet<String> = outcomes(&fs, &[A])
        .into_iter()
        .map(|found| found[0].as_ref().unwrap().chunks(512).map(|sector| sector[0] as char).collect())
        .collect();
    assert_eq!(shapes.into_iter().collect::<Vec<_>>().join(" "), "nnn nno non noo onn ono oon ooo");
    file.sync().unwrap();
    file.write_at(&[b'x'; 1_000], 1_536).unwrap();
    let found = outcomes(&fs, &[A]);
    let lengths: BTreeSet<usize> = found.iter().map(|found| found[0].as_ref().unwrap().len()).collect();
    assert_eq!(lengths, BTreeSet::from([1_536, 2_048, 2_536]));
    let tail =
        |byte: u8| found.iter().any(|f| f[0].as_ref().unwrap().get(1_536..2_048).is_some_and(|t| t == [byte; 512]));
    assert!(tail(b'x') && tail(0), "the new part is there, or zeros are");
    assert!(
        found.iter().any(|found| found[0].as_ref().unwrap()[1_536..].iter().any(|byte| *byte != b'x' && *byte != 0)),
        "stale"
    );
}

#[test]
fn a_later_write_carries_the_earlier_one_in_its_sector() {
    let fs = SimFs::new();
    let file = durable(&fs, A, &[b'o'; 512]);
    file.write_at(b"1", 0).unwrap();
    file.write_at(b"2", 1).unwrap();
    let found: BTreeSet<Vec<u8>> =
        outcomes(&fs, &[A]).into_iter().map(|f| f[0].as_ref().unwrap()[..2].to_vec()).collect();
    assert_eq!(found, BTreeSet::from([b"oo".to_vec(), b"1o".to_vec(), b"12".to_vec()]), "never the second alone");
}

#[test]
fn stale_sectors_come_from_removed_files() {
    let fs = SimFs::new();
    durable(&fs, B, &[b's'; 1_024]);
    fs.remove(path(B)).unwrap();
    let file = durable(&fs, A, b"");
    file.write_at(&[b'n'; 1_024], 0).unwrap();
    let stale = outcomes(&fs, &[A]).into_iter().filter(|f| f[0].as_ref().unwrap().contains(&b's'));
    assert!(stale.count() > 0, "a recycled sector");
}

#[test]
fn a_truncation_is_not_atomic() {
    let fs = SimFs::new();
    let file = durable(&fs, A, &[b'o'; 5_000]);
    file.truncate(100).unwrap();
    let mut half = vec![b'o'; 5_000];
    half[100..4_096].fill(0);
    let expected = [vec![b'o'; 5_000], half, vec![b'o'; 100]].map(|bytes| vec![Some(bytes)]);
    assert_eq!(outcomes(&fs, &[A]), BTreeSet::from(expected));
    file.sync().unwrap();
    assert_eq!(outcomes(&fs, &[A]).len(), 1);
}

#[test]
fn names_need_a_sync_of_their_directory_and_bytes_one_of_their_file() {
    let fs = SimFs::new();
    let file = fs.create(path(A)).unwrap();
    file.write_at(b"new", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(fs.crash(Choice::None).bytes(A), None, "a synced file without a name");
    assert!(name_is_durable(&fs.state(), path(A)).is_err());
    sync_names(&fs);
    assert_eq!(fs.crash(Choice::None).bytes(A).unwrap(), b"new");
    name_is_durable(&fs.state(), path(A)).unwrap();
    fs.create(path(B)).unwrap().write_at(b"lost", 0).unwrap();
    sync_names(&fs);
    assert_eq!(fs.crash(Choice::None).bytes(B).unwrap(), b"", "a name without bytes");
    fs.make_directory(path("/db/d")).unwrap();
    durable(&fs, "/db/d/x", b"x");
    fs.sync_directory(path("/db/d")).unwrap();
    assert_eq!(fs.crash(Choice::None).paths(), ["/db/", A, B, "/db/d/", "/db/d/x"]);
    fs.make_directory(path("/db/e")).unwrap();
    fs.create(path("/db/e/y")).unwrap();
    fs.sync_directory(path("/db/e")).unwrap();
    assert_eq!(fs.crash(Choice::None).bytes("/db/e/y"), None, "the directory itself has no name yet");
}

#[test]
fn a_rename_is_old_or_new_or_both_or_neither_and_empty_without_a_sync() {
    let fs = SimFs::new();
    durable(&fs, A, b"old");
    let file = fs.create(path(B)).unwrap();
    file.write_at(b"new", 0).unwrap();
    sync_names(&fs);
    fs.rename(path(B), path(A)).unwrap();
    let some = |text: &str| Some(text.as_bytes().to_vec());
    let found = outcomes(&fs, &[A, B]);
    assert!(found.contains(&vec![some(""), None]), "the old content is gone and the new one not there");
    file.sync().unwrap();
    let all = [
        vec![some("old"), some("new")],
        vec![some("new"), None],
        vec![some("new"), some("new")],
        vec![some("old"), None],
    ];
    assert_eq!(outcomes(&fs, &[A, B]), BTreeSet::from(all));
    sync_names(&fs);
    assert_eq!(outcomes(&fs, &[A, B]), BTreeSet::from([vec![some("new"), None]]));
}

#[test]
fn a_journal_keeps_the_order_of_names() {
    let fs = SimFs::new();
    for number in 0..20 {
        fs.create(path(&format!("/db/{number:02}"))).unwrap();
    }
    let all = choices(&fs.state(), Breadth::FULL, 1);
    let journal =
        all.iter().filter(|choice| matches!(choice, Choice::Journal { .. } | Choice::Random { journal: true, .. }));
    let mut seen = BTreeSet::new();
    for choice in journal {
        let paths = fs.crash(*choice).paths();
        let expected: Vec<String> = (0..paths.len() - 1).map(|number| format!("/db/{number:02}")).collect();
        assert_eq!(paths[1..], expected, "a prefix");
        seen.insert(paths.len());
    }
    assert_eq!(seen.len(), 21);
    assert!(all.iter().any(|choice| fs.crash(*choice).paths() == ["/db/", "/db/07"]), "the weak order has each alone");
}

#[test]
fn a_sync_of_one_directory_commits_earlier_names_elsewhere_in_a_journal_only() {
    let fs = SimFs::new();
    fs.make_directory(path("/db/d")).unwrap();
    sync_names(&fs);
    fs.create(path(A)).unwrap();
    fs.create(path("/db/d/x")).unwrap();
    fs.sync_directory(path("/db/d")).unwrap();
    fs.create(path(B)).unwrap();
    let journal = fs.crash(Choice::Journal { last: 0, data: false });
    assert_eq!(journal.paths(), ["/db/", A, "/db/d/", "/db/d/x"]);
    assert_eq!(fs.crash(Choice::None).paths(), ["/db/", "/db/d/", "/db/d/x"]);
}

#[test]
fn a_directory_is_never_removed_with_its_files_and_never_has_two_names_or_none() {
    let fs = SimFs::new();
    fs.make_directory(path("/db/d")).unwrap();
    sync_names(&fs);
    fs.create(path("/db/d/x")).unwrap();
    fs.sync_directory(path("/db/d")).unwrap();
    fs.rename(path("/db/d"), path("/db/e")).unwrap();
    let found = |fs: &SimFs| -> BTreeSet<String> {
        let all = choices(&fs.state(), Breadth::FULL, 1).into_iter();
        all.map(|choice| fs.crash(choice).paths()[1..].join(" ")).collect()
    };
    assert_eq!(found(&fs), BTreeSet::from(["/db/d/ /db/d/x".to_owned(), "/db/e/ /db/e/x".to_owned()]));
    sync_names(&fs);
    fs.remove(path("/db/e/x")).unwrap();
    fs.remove_directory(path("/db/e")).unwrap();
    let expected = ["/db/e/ /db/e/x", "/db/e/", ""].map(str::to_owned);
    assert_eq!(found(&fs), BTreeSet::from(expected));
    assert_eq!(
        fs.crash(Choice::Subset(0b10)).paths()[1..],
        ["/db/e/", "/db/e/x"],
        "the removal of the directory alone"
    );
}

#[test]
fn a_file_without_a_name_leaves_nothing_pending() {
    let fs = SimFs::new();
    fs.create(path(A)).unwrap().write_at(&[1; 9_000], 0).unwrap();
    fs.remove(path(A)).unwrap();
    assert!(choices(&fs.state(), Breadth::FULL, 1).len() > 50, "the removal may be lost");
    sync_names(&fs);
    assert_eq!(choices(&fs.state(), Breadth::FULL, 1), [Choice::None]);
}

#[test]
fn a_failed_sync_makes_bytes_clean_but_not_durable() {
    let fs = SimFs::new();
    let file = durable(&fs, A, &[b'o'; 1_024]);
    file.write_at(&[b'n'; 512], 0).unwrap();
    fs.fail(Fault::at(1, How::Errno(libc::EIO)).of(Kind::Sync).on("/a"));
    assert_eq!(errno(&file.sync().unwrap_err()), "Io Some(5)");
    file.sync().unwrap();
    assert_eq!(fs.bytes(A).unwrap()[0], b'n', "processes see the new bytes");
    assert_eq!(outcomes(&fs, &[A]).len(), 2, "the disk has them or not, whatever the second sync said");
    file.write_at(&[b'z'; 512], 512).unwrap();
    file.sync().unwrap();
    let first: BTreeSet<u8> = outcomes(&fs, &[A]).iter().map(|found| found[0].as_ref().unwrap()[0]).collect();
    assert_eq!(first, BTreeSet::from([b'n', b'o']), "a later sync of other sectors says nothing of these");
    durable(&fs, B, b"old").write_at(b"new", 0).unwrap();
    file.write_at(b"q", 0).unwrap();
    file.sync().unwrap();
    let found = outcomes(&fs, &[A, B]);
    assert!(found.iter().all(|found| found[0] == fs.bytes(A)), "written again, and synced");
    assert_eq!(found.len(), 2, "and the other file is as it was");
}

#[test]
fn a_failed_sync_of_a_directory_leaves_names_in_doubt() {
    let fs = SimFs::new();
    fs.create(path(A)).unwrap();
    fs.fail(Fault::at(1, How::Errno(libc::EIO)).of(Kind::SyncDirectory));
    assert!(fs.sync_directory(path("/db")).is_err());
    assert_eq!(outcomes(&fs, &[A]).len(), 2);
    sync_names(&fs);
    assert_eq!(outcomes(&fs, &[A]).len(), 1, "a journal commits it later");
    fs.create(path(B)).unwrap();
    fs.fail(Fault::at(1, How::Lost(libc::EIO)));
    assert!(fs.sync_directory(path("/db")).is_err());
    sync_names(&fs);
    assert_eq!(outcomes(&fs, &[B]).len(), 2, "without a journal it may be lost for ever");
    fs.remove(path(B)).unwrap();
    sync_names(&fs);
    assert_eq!(outcomes(&fs, &[B]).len(), 1);
}

#[test]
fn a_kill_keeps_the_page_cache_and_drops_the_locks() {
    let fs = SimFs::new();
    let lock = fs.lock(path("/db/LOCK"), "process 7").unwrap();
    let refused = fs.lock(path("/db/LOCK"), "process 8").unwrap_err();
    assert!(refused.kind == error::Kind::Locked && refused.message.contains("process 7"));
    fs.create(path(A)).unwrap().write_at(b"seen", 0).unwrap();
    let next = fs.kill();
    next.lock(path("/db/LOCK"), "process 8").unwrap();
    assert_eq!(next.bytes(A).unwrap(), b"seen");
    assert_eq!(next.crash(Choice::None).bytes(A), None, "still not durable");
    drop(lock);
    fs.lock(path("/db/LOCK"), "process 9").unwrap();
}

#[test]
fn a_full_disk_takes_a_part_and_gives_room_back() {
    let fs = SimFs::new();
    let file = fs.create(path(A)).unwrap();
    fs.set_free_space(1_000);
    assert_eq!(errno(&file.write_at(&[1; 1_500], 0).unwrap_err()), "NoSpace Some(28)");
    assert_eq!((file.length().unwrap(), fs.free_space(path("/db")).unwrap()), (1_000, 0));
    assert_eq!(fs.create(path(B)).unwrap_err().kind, error::Kind::NoSpace);
    file.write_at(&[2; 1_000], 0).unwrap();
    file.truncate(400).unwrap();
    assert_eq!(fs.free_space(path("/db")).unwrap(), 600);
    fs.remove(path(A)).unwrap();
    assert_eq!(fs.free_space(path("/db")).unwrap(), 1_000);
    fs.set_free_space(ENDLESS);
    assert_eq!(fs.crash(Choice::All).free_space(path("/db")).unwrap(), ENDLESS);
}

#[test]
fn faults_strike_the_call_they_wait_for() {
    let fs = SimFs::new();
    let bytes: Vec<u8> = (0..2_048_u32).map(|number| (number / 3) as u8).collect();
    let file = durable(&fs, A, &bytes);
    let other = durable(&fs, B, &[9; 2_048]);
    let read = |file: &dyn FsFile| {
        let mut found = vec![0; 2_048];
        file.read_at(&mut found, 0).map(|()| found)
    };
    fs.fail(Fault::at(2, How::Errno(libc::EMFILE)).of(Kind::Open).and_all_later());
    assert!(fs.open(path(A)).is_ok() && fs.open(path(A)).is_err() && fs.open(path(B)).is_err());
    fs.heal();
    fs.fail(Fault::at(2, How::Flip(77)).on("/a"));
    assert_eq!(read(&*file).unwrap(), bytes);
    assert_eq!(read(&*other).unwrap(), [9; 2_048]);
    let mut wrong = bytes.clone();
    wrong[9] ^= 1 << 5;
    assert_eq!(&*file.map().unwrap(), &wrong[..]);
    assert_eq!(read(&*file).unwrap(), bytes, "once");
    for seed in 0..20 {
        fs.fail(Fault::at(1, How::Foreign(seed)));
        let found = read(&*file).unwrap();
        let sectors = SECTOR as usize;
        let changed = found.chunks(sectors).zip(bytes.chunks(sectors)).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 1, "one sector is of another place");
    }
    fs.fail(Fault::at(1, How::Torn(libc::EIO)));
    assert!(other.write_at(&[1; 1_000], 0).is_err());
    assert_eq!(read(&*other).unwrap().iter().filter(|byte| **byte == 1).count(), 500);
    assert_eq!(fs.struck(), 24);
}

#[test]
fn damage_at_rest_and_the_clock_are_as_the_test_sets_them() {
    let fs = SimFs::new();
    durable(&fs, A, b"good").write_at(b"pending", 0).unwrap();
    fs.put_at_rest(A, b"bad");
    fs.put_at_rest(B, b"made");
    assert_eq!(fs.crash(Choice::All).bytes(A).unwrap(), b"bad");
    assert_eq!(fs.crash(Choice::None).bytes(B).unwrap(), b"made");
    fs.set_clock(9);
    assert_eq!((fs.now_us(), fs.kill().now_us()), (9, 9));
    fs.set_clock(5);
    assert_eq!(fs.crash_at_random(&mut Rng::new(1)).now_us(), 5);
}

#[test]
fn a_recording_keeps_each_moment_and_what_was_known_then() {
    let fs = SimFs::new();
    fs.record();
    let file = fs.create(path(A)).unwrap();
    fs.started(1);
    file.write_at(&[1; 10_000], 0).unwrap();
    file.sync().unwrap();
    fs.acknowledged(1, true);
    let moments = fs.recorded().moments;
    let sizes: Vec<usize> = moments.iter().map(|m| m.state.bytes(path(A)).map_or(0, |bytes| bytes.len())).collect();
    assert_eq!(sizes, [0, 0, 4_096, 10_000, 10_000, 10_000], "a long write lands in two parts");
    let durable: Vec<usize> = moments.iter().map(|moment| moment.progress.durable).collect();
    assert_eq!(durable, [0, 0, 0, 0, 0, 1]);
    assert_eq!(moments[3].after, "call 2: Write /db/a at 0, 10000 bytes");
    assert_eq!(fs.calls(), 3);
    assert!(fs.recorded().moments.is_empty(), "it has ended");
}
