//! Archives of several megabytes: damage beyond the first gzip member, brotli part and block that is read ahead.

use super::{COMPRESSIONS, Found, entry, is_unharmed, read, written};
use ruvector_persistence::archive::Format;
use ruvector_persistence::codec::Compression;
use ruvector_persistence::format::Entry;

/// A small generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}

const FLIPS: usize = 6;

/// Random numbers hardly compress: about 3 MB in every codec.
fn entries() -> Vec<Entry> {
    let mut random = Random(1);
    let mut number = || (random.below(1 << 24) as f32 - 8_388_608.0) / 16_777_216.0;
    let vectors = (0..2_000).map(|_| (0..384).map(|_| number()).collect::<Vec<f32>>());
    vectors.enumerate().map(|(n, vector)| entry(&format!("id-{n}"), &vector, Some(r#"{"kind":"large"}"#))).collect()
}

/// Where the members of a gzip file begin, and its end.
fn members(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut decoder = flate2::bufread::GzDecoder::new(rest);
        std::io::copy(&mut decoder, &mut std::io::sink()).unwrap();
        rest = decoder.into_inner();
        starts.push(bytes.len() - rest.len());
    }
    starts
}

fn flips(good: &[u8], whole: &Found, name: &str) {
    let mut random = Random(7);
    let mut bytes = good.to_vec();
    let mut noticed = 0;
    for _ in 0..FLIPS {
        let (at, bit) = (random.below(bytes.len()), random.below(8));
        bytes[at] ^= 1 << bit;
        noticed += usize::from(!is_unharmed(&bytes, whole, &format!("{name}, bit {bit} of byte {at} flipped")));
        bytes[at] ^= 1 << bit;
    }
    assert_eq!(noticed, FLIPS, "{name}");
    for _ in 0..3 {
        let length = random.below(bytes.len());
        assert!(!is_unharmed(&bytes[..length], whole, &format!("{name}, cut to {length}")));
    }
}

fn damage(format: Format) {
    for compression in COMPRESSIONS {
        let good = written(entries(), format, compression);
        assert!(good.len() > 2_500_000, "{} bytes are not several parts", good.len());
        let whole = read(&good, true).unwrap();
        assert!(whole.entries.iter().zip(entries()).all(|(a, b)| a.same_bits(&b)));
        flips(&good, &whole, &format!("{} {}", format.name(), compression.name()));
    }
}

#[test]
fn flips_and_cuts_anywhere_in_a_large_json_archive_are_noticed() {
    damage(Format::Json);
}

#[test]
fn flips_and_cuts_anywhere_in_a_large_binary_archive_are_noticed() {
    damage(Format::Binary);
}

#[test]
fn gzip_members_that_are_lost_doubled_or_swapped_are_noticed() {
    let good = written(entries(), Format::Binary, Compression::Gzip);
    let whole = read(&good, true).unwrap();
    let starts = members(&good);
    assert!(starts.len() >= 4, "{} members", starts.len() - 1);
    let member = |n: usize| &good[starts[n]..starts[n + 1]];
    let last = starts.len() - 2;
    assert!(
        !is_unharmed(&good[..starts[last]], &whole, "the last member lost"),
        "each member is whole, the archive is not"
    );
    assert!(!is_unharmed(&[member(0), &good[starts[2]..]].concat(), &whole, "the second member lost"));
    assert!(!is_unharmed(&[member(0), &good[..]].concat(), &whole, "the first member doubled"));
    assert!(!is_unharmed(
        &[member(0), member(2), member(1), &good[starts[3]..]].concat(),
        &whole,
        "two members swapped"
    ));
}

#[test]
fn the_headers_of_all_gzip_members_have_the_same_spare_bytes() {
    let mut bytes = written(entries(), Format::Binary, Compression::Gzip);
    let whole = read(&bytes, true).unwrap();
    for start in members(&bytes).into_iter().rev().skip(1) {
        for byte in &mut bytes[start + 4..start + 10] {
            *byte ^= 0xff;
        }
        bytes[start + 3] ^= 1;
    }
    assert!(is_unharmed(&bytes, &whole, "MTIME, XFL, OS and FTEXT of every member"));
}

#[test]
fn empty_gzip_members_and_zstd_frames_behind_an_archive_change_nothing() {
    let small = vec![entry("a", &[1.0], None)];
    for (compression, empty) in [
        (Compression::Gzip, super::compressed(b"", Compression::Gzip)),
        (Compression::Zstd, super::compressed(b"", Compression::Zstd)),
        (Compression::Zstd, [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], &b"skip"[..]].concat()),
    ] {
        let good = written(small.clone(), Format::Json, compression);
        let whole = read(&good, true).unwrap();
        assert!(is_unharmed(&[good, empty].concat(), &whole, compression.name()), "{}", compression.name());
    }
}
