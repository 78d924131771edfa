//! A small archive of each format and compression: every bit flipped, every byte emptied and filled, every length,
//! every block zeroed, doubled and swapped, bytes behind the end.

use super::{COMPRESSIONS, Found, entry, is_unharmed, read, written};
use ruvector_persistence::archive::Format;
use ruvector_persistence::codec::Compression;
use ruvector_persistence::format::Entry;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The longest that reading one damaged file of some hundred bytes may take.
const ONE_READ: Duration = Duration::from_secs(1);

/// Bits whose value changes nothing: offset, mask, and what they are. Nothing of the content is among them: what is
/// read is always what was written, because the checksum covers it.
type Spare = &'static [(usize, u8, &'static str)];

const GZIP_HEADER: [(usize, u8, &str); 7] = [
    (3, 0b0000_0001, "FLG.FTEXT"),
    (4, 0xff, "MTIME"),
    (5, 0xff, "MTIME"),
    (6, 0xff, "MTIME"),
    (7, 0xff, "MTIME"),
    (8, 0xff, "XFL"),
    (9, 0xff, "OS"),
];

/// Beside the header of a gzip member.
const GZIP_JSON: Spare = &[];
const GZIP_BINARY: Spare = &[];
const BROTLI_JSON: Spare = &[];
const BROTLI_BINARY: Spare = &[];
const ZSTD_JSON: Spare = &[];
const ZSTD_BINARY: Spare = &[];

fn spare(format: Format, compression: Compression) -> BTreeMap<usize, u8> {
    let (header, rest): (&[_], Spare) = match (compression, format) {
        (Compression::None, _) => (&[], &[]),
        (Compression::Gzip, Format::Json) => (&GZIP_HEADER, GZIP_JSON),
        (Compression::Gzip, Format::Binary) => (&GZIP_HEADER, GZIP_BINARY),
        (Compression::Brotli, Format::Json) => (&[], BROTLI_JSON),
        (Compression::Brotli, Format::Binary) => (&[], BROTLI_BINARY),
        (Compression::Zstd, Format::Json) => (&[], ZSTD_JSON),
        (Compression::Zstd, Format::Binary) => (&[], ZSTD_BINARY),
    };
    header.iter().chain(rest).map(|(at, mask, _)| (*at, *mask)).collect()
}

fn entries() -> Vec<Entry> {
    vec![
        entry("a", &[0.1, -0.0, f32::NAN], Some(r#"{"n":[1,2.5,null],"__proto__":{"x":true}}"#)),
        entry("é😀", &[f32::from_bits(0xffc0_0001), f32::INFINITY, -1.5], None),
        entry("b", &[1e-45, f32::MAX, 2.0], Some(r#"{"s":"ü \" \\ \ud83d\ude00"}"#)),
    ]
}

/// One archive and what is due when its bytes are altered.
struct Sweep {
    name: String,
    good: Vec<u8>,
    whole: Found,
    spare: BTreeMap<usize, u8>,
    /// Text may be followed by white space, and the newline at its end may be lost.
    text: bool,
}

impl Sweep {
    fn of(format: Format, compression: Compression) -> Sweep {
        let good = written(entries(), format, compression);
        let whole = read(&good, true).unwrap();
        assert!(whole.entries.iter().zip(entries()).all(|(a, b)| a.same_bits(&b)));
        let name = format!("{} {}", format.name(), compression.name());
        let text = (format, compression) == (Format::Json, Compression::None);
        Sweep { name, good, whole, spare: spare(format, compression), text }
    }

    fn unharmed(&self, bytes: &[u8], what: &str) -> bool {
        let (began, what) = (Instant::now(), format!("{}, {what}", self.name));
        let unharmed = is_unharmed(bytes, &self.whole, &what);
        assert!(began.elapsed() < ONE_READ, "{what}: took {:?}", began.elapsed());
        unharmed
    }

    fn flips(&self) {
        let mut bytes = self.good.clone();
        let mut found: BTreeMap<usize, u8> = BTreeMap::new();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                if self.unharmed(&bytes, &format!("bit {bit} of byte {at} flipped")) {
                    *found.entry(at).or_default() |= 1 << bit;
                }
                bytes[at] ^= 1 << bit;
            }
        }
        let shown = |spare: &BTreeMap<usize, u8>| -> Vec<String> {
            let bits = |(at, mask): (&usize, &u8)| format!("({at}, {mask:#011b}) in {:#04x}", self.good[*at]);
            spare.iter().map(bits).collect()
        };
        assert_eq!(shown(&found), shown(&self.spare), "{}: bits that change nothing; listed on the right", self.name);
    }

    /// Damage to `range` that changed nothing may only have met spare bits.
    fn check_spared(&self, damaged: &[u8], what: &str) {
        if damaged == self.good || !self.unharmed(damaged, what) {
            return;
        }
        let differs = |at: &usize| self.good.get(*at) != damaged.get(*at);
        let elsewhere: Vec<usize> = (0..damaged.len()).filter(|at| differs(at) && !self.spare.contains_key(at)).collect();
        assert!(elsewhere.is_empty(), "{}, {what}: bytes {elsewhere:?} changed nothing", self.name);
    }

    fn bytes(&self) {
        for at in 0..self.good.len() {
            for value in [0x00, 0xff] {
                let mut bytes = self.good.clone();
                bytes[at] = value;
                self.check_spared(&bytes, &format!("byte {at} set to {value:#x}"));
            }
        }
    }

    fn blocks(&self) {
        for from in (0..self.good.len()).step_by(16) {
            let to = (from + 16).min(self.good.len());
            let (before, block, after) = (&self.good[..from], &self.good[from..to], &self.good[to..]);
            let (next, rest) = after.split_at(after.len().min(16));
            self.check_spared(&[before, &vec![0; block.len()], after].concat(), &format!("block at {from} zeroed"));
            self.check_spared(&[before, block, block, after].concat(), &format!("block at {from} doubled"));
            self.check_spared(&[before, next, block, rest].concat(), &format!("block at {from} swapped"));
            self.check_spared(&[before, after].concat(), &format!("block at {from} lost"));
        }
    }

    fn lengths(&self) {
        let load = |length: &usize| self.unharmed(&self.good[..*length], &format!("cut to {length} bytes"));
        let loaded: Vec<usize> = (0..self.good.len()).filter(load).collect();
        let due = if self.text { vec![self.good.len() - 1] } else { vec![] };
        assert_eq!(loaded, due, "{}: lengths that load", self.name);
    }

    fn behind(&self) {
        let white = b" \t\r\n";
        for fill in [0x00, 0xff, b' ', b'\n', b'\t', b'\r', b'}', b'a', 0x1f, 0x03, 0x80, 0xc0] {
            for length in 1..=64 {
                let bytes = [self.good.clone(), vec![fill; length]].concat();
                let unharmed = self.unharmed(&bytes, &format!("{length} bytes {fill:#x} appended"));
                assert_eq!(unharmed, self.text && white.contains(&fill), "{}: {length} x {fill:#x}", self.name);
            }
        }
        assert!(!self.unharmed(&[&self.good[..], &self.good[..]].concat(), "twice in one file"));
    }
}

fn sweep(format: Format, step: fn(&Sweep)) {
    for compression in COMPRESSIONS {
        step(&Sweep::of(format, compression));
    }
}

#[test]
fn every_flipped_bit_of_a_json_archive_is_noticed_or_listed() {
    sweep(Format::Json, Sweep::flips);
}

#[test]
fn every_flipped_bit_of_a_binary_archive_is_noticed_or_listed() {
    sweep(Format::Binary, Sweep::flips);
}

#[test]
fn every_byte_that_is_emptied_or_filled_is_noticed_or_listed() {
    sweep(Format::Json, Sweep::bytes);
    sweep(Format::Binary, Sweep::bytes);
}

#[test]
fn every_block_that_is_zeroed_doubled_swapped_or_lost_is_noticed() {
    sweep(Format::Json, Sweep::blocks);
    sweep(Format::Binary, Sweep::blocks);
}

#[test]
fn an_archive_cut_at_any_length_is_refused() {
    sweep(Format::Json, Sweep::lengths);
    sweep(Format::Binary, Sweep::lengths);
}

#[test]
fn bytes_behind_an_archive_are_refused() {
    sweep(Format::Json, Sweep::behind);
    sweep(Format::Binary, Sweep::behind);
}
