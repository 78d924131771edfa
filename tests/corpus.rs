//! The corpus of the fuzz targets, run through the same functions as the fuzzer runs: what was once found stays found.
//!
//! And a few thousand mutations of each file, so that a parser that lost a check is noticed without a fuzzer. With
//! `WRITE_SEEDS=1` the seeds are written into the corpus anew.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../fuzz/common/mod.rs"]
mod shared;

use shared::{TARGETS, Target};

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

/// The files of a target, with their names.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("no corpus for {}: {error}", target.name));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Whether an input may make the target decompress a record: Miri cannot call the C library for that.
fn may_decompress(target: &Target) -> bool {
    ["wal_file", "record"].contains(&target.name)
}

#[test]
fn every_file_of_the_corpus_passes() {
    for target in TARGETS.iter().filter(|target| !(cfg!(miri) && may_decompress(target))) {
        if std::env::var_os("WRITE_SEEDS").is_some() {
            write_seeds(target);
        }
        let files = corpus(target);
        assert!(files.len() >= (target.seeds)().len(), "{} has lost its corpus", target.name);
        for (path, bytes) in files {
            println!("{}", path.display());
            (target.run)(&bytes);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a tool that writes files of the repository")]
fn write_seeds(target: &Target) {
    fs::create_dir_all(folder(target)).unwrap();
    for (number, bytes) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder(target).join(format!("seed-{number:02}")), bytes).unwrap();
    }
}

#[test]
fn each_target_has_a_file_and_a_binary_and_no_other_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut binaries: Vec<&str> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
    let mut due: Vec<String> = TARGETS.iter().map(|target| format!("{}.rs\"", target.name)).collect();
    binaries.sort_unstable();
    due.sort_unstable();
    assert_eq!(binaries, due);
    assert_eq!(fs::read_dir(root.join("fuzz_targets")).unwrap().count(), TARGETS.len());
}

#[test]
fn what_is_made_of_the_seeds_by_chance_passes_too() {
    let mut state = 0x5eed_u64;
    let mut below = move |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % end.max(1)
    };
    for target in &TARGETS {
        let rounds = match cfg!(miri) {
            false => 1_000,
            true if may_decompress(target) => 0,
            true => 3,
        };
        for seed in (target.seeds)() {
            (target.run)(&seed);
            for _ in 0..rounds {
                let mut bytes = seed.clone();
                for _ in 0..=below(3) {
                    let at = below(bytes.len());
                    match below(6) {
                        0 => bytes[at] ^= 1 << below(8),
                        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'9', b'"'][below(7)],
                        2 => bytes.truncate(at + 1),
                        3 => bytes.splice(at..at, [0xff; 8]).for_each(drop),
                        4 => bytes.extend_from_slice(&seed[below(seed.len())..]),
                        _ => {
                            let end = (at + 8).min(bytes.len());
                            bytes[at..end].fill([0, 0xff][below(2)]);
                        }
                    }
                }
                (target.run)(&bytes);
            }
        }
    }
}
