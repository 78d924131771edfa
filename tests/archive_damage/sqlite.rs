//! SQLite archives that were damaged: every bit, every byte, every length, every block, compressed or not, and databases
//! that claim or unfold to more than they are.
//!
//! Much of a database carries no data (free space on pages, counters of its header, the index on `id`), so that damage may
//! change nothing. What is checked is that no damage ever gives other content.

use super::{COMPRESSIONS, Found, compressed, entry, is_unharmed, read, written};
use rusqlite::Connection;
use ruvector_persistence::archive::Format;
use ruvector_persistence::codec::Compression;
use ruvector_persistence::error::Kind;
use ruvector_persistence::format::Entry;
use std::time::{Duration, Instant};

fn entries() -> Vec<Entry> {
    vec![
        entry("a", &[0.1, -0.0, f32::NAN], Some(r#"{"n":[1,2.5,null],"__proto__":{"x":true}}"#)),
        entry("é😀", &[f32::from_bits(0xffc0_0001), f32::INFINITY, -1.5], None),
        entry("b", &[1e-45, f32::MAX, 2.0], Some(r#"{"s":"ü \" \\ \ud83d\ude00"}"#)),
    ]
}

/// The same archive with pages of 512 bytes, which is a sixth of it.
fn small() -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let (path, smaller) = (directory.path().join("a"), directory.path().join("b"));
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    std::fs::write(&path, written(entries(), Format::Sqlite, Compression::None)).unwrap();
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA page_size = 512").unwrap();
    connection.execute("VACUUM INTO ?1", [smaller.to_str().unwrap()]).unwrap();
    std::fs::read(smaller).unwrap()
}

/// Damages `good` in each of the ways, on all cores; tells how many were noticed.
fn damage<W: Copy + Send + Sync + std::fmt::Debug>(good: &[u8], ways: &[W], damaged: fn(&[u8], W) -> Vec<u8>) -> usize {
    let whole = read(good, true).unwrap();
    assert!(whole.entries.iter().zip(entries()).all(|(a, b)| a.same_bits(&b)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = |ways: &[W], whole: &Found| {
        let noticed = |way: &&W| !is_unharmed(&damaged(good, **way), whole, &format!("{way:?}"));
        ways.iter().filter(noticed).count()
    };
    std::thread::scope(|scope| {
        let (part, whole) = (&part, &whole);
        let parts = ways.chunks(ways.len().div_ceil(cores).max(1));
        let threads: Vec<_> = parts.map(|ways| scope.spawn(move || part(ways, whole))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn flipped(good: &[u8], (at, mask): (usize, u8)) -> Vec<u8> {
    let mut bytes = good.to_vec();
    bytes[at] ^= mask;
    bytes
}

fn set(good: &[u8], (at, value): (usize, u8)) -> Vec<u8> {
    let mut bytes = good.to_vec();
    bytes[at] = value;
    bytes
}

#[test]
fn every_flipped_bit_of_a_sqlite_archive_is_noticed_or_changes_nothing() {
    let good = small();
    assert!(good.len() <= 4_096, "{} bytes", good.len());
    let ways: Vec<_> = (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))).collect();
    let noticed = damage(&good, &ways, flipped);
    assert!(noticed > ways.len() / 8, "{noticed} of {} were noticed", ways.len());
}

#[test]
fn every_byte_of_a_sqlite_archive_emptied_filled_or_inverted_is_noticed_or_changes_nothing() {
    let good = small();
    let ways: Vec<_> = (0..good.len()).flat_map(|at| [(at, 0x00), (at, 0xff)]).collect();
    damage(&good, &ways, set);
    let whole = written(entries(), Format::Sqlite, Compression::None);
    let ways: Vec<_> = (0..whole.len()).map(|at| (at, 0xff)).collect();
    damage(&whole, &ways, flipped);
}

#[test]
fn every_flipped_bit_of_a_compressed_sqlite_archive_is_noticed_or_changes_nothing() {
    for compression in [Compression::Gzip, Compression::Brotli, Compression::Zstd] {
        let good = written(entries(), Format::Sqlite, compression);
        let ways: Vec<_> = (0..good.len()).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))).collect();
        let noticed = damage(&good, &ways, flipped);
        assert!(noticed > ways.len() / 2, "{}: {noticed} of {} were noticed", compression.name(), ways.len());
    }
}

#[test]
fn a_sqlite_archive_cut_at_any_length_is_refused() {
    let cut = |good: &[u8], length: usize| good[..length].to_vec();
    let good = small();
    assert_eq!(damage(&good, &(0..good.len()).collect::<Vec<_>>(), cut), good.len());
    for compression in COMPRESSIONS {
        let good = written(entries(), Format::Sqlite, compression);
        let lengths: Vec<_> = (0..good.len()).step_by(if good.len() > 4_096 { 61 } else { 1 }).collect();
        assert_eq!(damage(&good, &lengths, cut), lengths.len(), "{}", compression.name());
    }
}

#[test]
fn bytes_behind_a_sqlite_archive_are_refused() {
    for compression in COMPRESSIONS {
        let good = written(entries(), Format::Sqlite, compression);
        let longer = |good: &[u8], (length, fill): (usize, u8)| [good, &vec![fill; length]].concat();
        let ways: Vec<_> = [1, 2, 511, 512, 4_096].into_iter().flat_map(|n| [(n, 0), (n, 0xff), (n, b'a')]).collect();
        assert_eq!(damage(&good, &ways, longer), ways.len(), "{}", compression.name());
    }
}

#[test]
fn blocks_of_a_sqlite_archive_zeroed_doubled_swapped_or_lost_change_nothing_or_are_noticed() {
    const BLOCK: usize = 32;
    let zeroed = |good: &[u8], at: usize| [&good[..at], &[0; BLOCK], &good[at + BLOCK..]].concat();
    let doubled = |good: &[u8], at: usize| [&good[..at + BLOCK], &good[at..]].concat();
    let lost = |good: &[u8], at: usize| [&good[..at], &good[at + BLOCK..]].concat();
    let swapped = |good: &[u8], at: usize| {
        let (first, second) = (at..at + BLOCK, at + BLOCK..at + 2 * BLOCK);
        [&good[..at], &good[second], &good[first], &good[at + 2 * BLOCK..]].concat()
    };
    let good = small();
    let places: Vec<_> = (0..good.len() - BLOCK).step_by(BLOCK).collect();
    damage(&good, &places, zeroed);
    damage(&good, &places, swapped);
    assert_eq!(damage(&good, &places, doubled), places.len());
    assert_eq!(damage(&good, &places, lost), places.len());
}

/// The head of a database of so many pages of 4,096 bytes.
fn head(pages: u32) -> Vec<u8> {
    let mut bytes = written(entries(), Format::Sqlite, Compression::None)[..4_096].to_vec();
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    bytes
}

#[test]
fn databases_that_unfold_to_more_or_less_than_they_say_are_refused_at_once() {
    let zeros = vec![0; 32 << 20];
    for compression in [Compression::Gzip, Compression::Brotli, Compression::Zstd] {
        let unfolding = |pages: u32| compressed(&[head(pages), zeros.clone()].concat(), compression);
        for (what, bytes, kinds) in [
            ("more than it says", unfolding(5), [Kind::Format; 2]),
            ("less than it says", unfolding(10_000), [Kind::Format; 2]),
            ("8 TiB, as it says", unfolding(2_147_483_646), [Kind::NoSpace, Kind::Format]),
            ("zeros, as it says", unfolding(8_193), [Kind::Corrupt, Kind::Format]),
            ("no header", compressed(&[&b"SQLite format 3\0"[..], &zeros].concat(), compression), [Kind::Format; 2]),
        ] {
            let began = Instant::now();
            let error = read(&bytes, false).unwrap_err();
            assert!(kinds.contains(&error.kind), "{}, {what}: {:?}: {error}", compression.name(), error.kind);
            assert!(began.elapsed() < Duration::from_secs(2), "{what}: {:?}", began.elapsed());
        }
    }
}
