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
/// read is always what was written, because the checksum covers it. An uncompressed archive has no such bit. Those of
/// a header are in every archive of that compression, the others depend on the content.
type Spare = &'static [(usize, u8, &'static str)];

const GZIP_HEADER: Spare = &[
    (3, 0b0000_0001, "FLG.FTEXT"),
    (4, 0xff, "MTIME"),
    (5, 0xff, "MTIME"),
    (6, 0xff, "MTIME"),
    (7, 0xff, "MTIME"),
    (8, 0xff, "XFL"),
    (9, 0xff, "OS"),
];
const GZIP_JSON: Spare = &[(317, 0b1111_0000, "between the end of the deflate stream and the next byte")];
const GZIP_BINARY: Spare = &[(312, 0b1100_0000, "between the end of the deflate stream and the next byte")];
const BROTLI_HEADER: Spare = &[(0, 0b0000_1110, "WBITS, the size of the window")];
const BROTLI_JSON: Spare = &[
    (8, 0b0110_0000, "NPOSTFIX or NDIRECT, with which no distance is coded"),
    (120, 0b0100_0000, "another way to say the same bytes"),
    (248, 0b0100_0000, "another way to say the same bytes"),
    (318, 0b0000_0010, "another way to say the same bytes"),
];
const BROTLI_BINARY: Spare = &[(8, 0b0110_0000, "NPOSTFIX or NDIRECT, with which no distance is coded")];
const ZSTD_HEADER: Spare = &[(4, 0b0001_0000, "the unused bit"), (5, 0b0111_1111, "Window_Descriptor, up to 128 MiB")];
const ZSTD_JSON: Spare = &[(16, 0b1110_0000, "padding of the Huffman tree's description")];
const ZSTD_BINARY: Spare = &[(16, 0b1111_1100, "padding of the Huffman tree's description")];

fn spare(format: Format, compression: Compression) -> BTreeMap<usize, u8> {
    let (header, [json, binary]): (Spare, [Spare; 2]) = match compression {
        Compression::None => (&[], [&[], &[]]),
        Compression::Gzip => (GZIP_HEADER, [GZIP_JSON, GZIP_BINARY]),
        Compression::Brotli => (BROTLI_HEADER, [BROTLI_JSON, BROTLI_BINARY]),
        Compression::Zstd => (ZSTD_HEADER, [ZSTD_JSON, ZSTD_BINARY]),
    };
    let rest = if format == Format::Json { json } else { binary };
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

    /// The bits that change nothing, found and listed.
    fn flips(&self) -> [Vec<String>; 2] {
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
            let bits = |(at, mask): (&usize, &u8)| {
                format!("{}: ({at}, {mask:#010b}), byte {:#04x}", self.name, self.good[*at])
            };
            spare.iter().map(bits).collect()
        };
        [shown(&found), shown(&self.spare)]
    }

    /// Damage to `range` that changed nothing may only have met spare bits.
    fn check_spared(&self, damaged: &[u8], what: &str) {
        if damaged == self.good || !self.unharmed(damaged, what) {
            return;
        }
        let differs = |at: &usize| self.good.get(*at) != damaged.get(*at);
        let elsewhere: Vec<usize> =
            (0..damaged.len()).filter(|at| differs(at) && !self.spare.contains_key(at)).collect();
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

fn flips(format: Format) {
    let both = COMPRESSIONS.map(|compression| Sweep::of(format, compression).flips());
    let [found, listed] = [0, 1].map(|side| both.iter().flat_map(|sides| sides[side].clone()).collect::<Vec<_>>());
    assert_eq!(found, listed, "bits that change nothing on the left, the list on the right");
}

#[test]
fn every_flipped_bit_of_a_json_archive_is_noticed_or_listed() {
    flips(Format::Json);
}

#[test]
fn every_flipped_bit_of_a_binary_archive_is_noticed_or_listed() {
    flips(Format::Binary);
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
