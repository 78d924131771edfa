//! Damaged files: every bit and every length of a small one, samples of a larger one, and footers that lie with a good
//! checksum. Opening or `verify` must notice, and no read may return anything but what was written.

use super::*;
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Kind;
use ruvector_persistence::format::header::crc;
use std::fs::OpenOptions;
use std::path::PathBuf;

struct Sample {
    #[expect(dead_code, reason = "the directory goes with it")]
    directory: tempfile::TempDir,
    path: PathBuf,
    file: File,
    good: Vec<u8>,
    kept: Vec<Kept>,
    expected: Expected,
}

impl Sample {
    fn new(kept: Vec<Kept>, dimension: usize) -> Sample {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("5.seg");
        let expected = build(&path, &kept, dimension);
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let good = std::fs::read(&path).unwrap();
        Sample { directory, path, file, good, kept, expected }
    }

    fn put(&self, bytes: &[u8], offset: usize) {
        put(&self.file, bytes, offset as u64);
    }

    /// The file as it is now is damaged: it must be noticed, and nothing altered may come out. A file that was forged
    /// together with the checksum in the manifest may say what it likes, but without a panic or an endless search.
    fn notices(&self, expected: &Expected, access: Access, what: &str) {
        let segment = match open(&self.path, expected, access) {
            Err(error) => {
                assert!(matches!(error.kind, Kind::Corrupt | Kind::Version), "{what}: {error}");
                assert!(error.path.is_some() && error.offset.is_some(), "{what}: {error}");
                return;
            }
            Ok(segment) => segment,
        };
        if expected.checksum == self.expected.checksum {
            refusals(&segment, &self.kept);
        } else {
            read_everything(&segment);
        }
        let damages = segment.verify(&Control::default()).unwrap();
        assert!(!damages.is_empty(), "{what} {access:?}: not noticed");
        assert!(damages.iter().all(|damage| !damage.what.is_empty() && damage.offset <= expected.length));
    }
}

fn read_everything(segment: &Segment) {
    for row in 0..segment.rows().min(10) {
        let _ = (segment.id(row), segment.metadata(row), segment.lsn(row), segment.entry(row));
    }
    let _ = (segment.find("a"), segment.find("é"), segment.find("xyz"), segment.find("nobody"));
}

fn small() -> Sample {
    Sample::new(
        vec![
            Kept { id: "a".into(), vector: vec![f32::NAN, -0.0, 1.5], metadata: Some("{}".into()), lsn: 3 },
            Kept { id: "é".into(), vector: vec![1.0, 2.0, 3.0], metadata: None, lsn: 9 },
            Kept { id: "xyz".into(), vector: vec![7.0; 3], metadata: Some(r#"{"n":1}"#.into()), lsn: 4 },
        ],
        3,
    )
}

#[test]
fn every_flipped_bit_is_noticed() {
    let sample = small();
    for (offset, byte) in sample.good.iter().enumerate() {
        for bit in 0..8 {
            sample.put(&[byte ^ (1 << bit)], offset);
            for access in [Access::default(), HEAP] {
                sample.notices(&sample.expected, access, &format!("bit {bit} of byte {offset}"));
            }
        }
        sample.put(&[*byte], offset);
    }
    assert_eq!(refusals(&open(&sample.path, &sample.expected, HEAP).unwrap(), &sample.kept), 0);
}

#[test]
fn every_other_length_is_noticed() {
    let sample = small();
    let whole = sample.good.len() as u64;
    for length in (0..whole).rev().chain(whole + 1..=whole + 64) {
        sample.file.set_len(length).unwrap();
        for access in [Access::default(), HEAP] {
            let error = open(&sample.path, &sample.expected, access).unwrap_err();
            assert_eq!(error.kind, Kind::Corrupt, "{length}: {error}");
            // As if the manifest had been written for that length.
            sample.notices(&Expected { length, ..sample.expected }, access, &format!("length {length}"));
        }
    }
}

#[test]
fn in_a_file_of_many_blocks_the_damaged_rows_are_named_and_the_others_read() {
    let sample = Sample::new(rows(150, 66), 66);
    let control = Control::default();
    for offset in (0..sample.good.len()).step_by(331) {
        let byte = sample.good[offset];
        sample.put(&[byte ^ (1 << (offset % 8))], offset);
        for access in [Access::default(), HEAP] {
            sample.notices(&sample.expected, access, &format!("byte {offset}"));
        }
        let Ok(segment) = open(&sample.path, &sample.expected, HEAP) else {
            sample.put(&[byte], offset);
            continue;
        };
        let damages = segment.verify(&control).unwrap();
        assert_eq!(damages.len(), 1, "byte {offset}: {damages:?}");
        let damage = &damages[0];
        let place = damage.offset..damage.offset + damage.length;
        assert!(place.contains(&(offset as u64)) && damage.length <= 16 << 10, "{damage:?}");
        // A row is named if and only if something of it cannot be read.
        for (row, kept) in (0_u32..).zip(&sample.kept) {
            let whole = segment.entry(row).is_ok() && segment.lsn(row).is_ok() && segment.find(&kept.id).is_ok();
            let named = damage.rows.iter().any(|rows| rows.contains(&row));
            assert_eq!(named, !whole, "byte {offset}, row {row}: {damage:?}");
        }
        sample.put(&[byte], offset);
    }
}

#[test]
fn damage_after_the_first_touch_is_found_by_verify() {
    let sample = Sample::new(rows(300, 33), 33);
    let control = Control::default();
    for access in [Access::default(), HEAP] {
        let segment = open(&sample.path, &sample.expected, access).unwrap();
        assert_eq!(refusals(&segment, &sample.kept), 0);
        for offset in [64, 20_000, sample.good.len() - 700, sample.good.len() - 1] {
            let byte = sample.good[offset];
            sample.put(&[byte ^ 4], offset);
            let damages = segment.verify(&control).unwrap();
            assert_eq!(damages.len(), 1, "{offset}: {damages:?}");
            // On the heap nothing happened; a mapping shows the damage, and does not hand it out.
            let refused = refusals(&segment, &sample.kept);
            assert_eq!(refused > 0, access.mapped && offset < sample.good.len() - 256, "{offset}");
            sample.put(&[byte], offset);
        }
        sample.file.set_len(10_000).unwrap();
        let cut = open(&sample.path, &sample.expected, access).unwrap_err();
        assert_eq!(cut.offset, Some(10_000));
        let damages = segment.verify(&control).unwrap();
        assert!(damages.iter().any(|damage| damage.what.contains("found 10000")), "{damages:?}");
        assert!(damages.iter().any(|damage| damage.rows.iter().any(|rows| rows.contains(&299))), "{damages:?}");
        sample.file.set_len(0).unwrap();
        sample.put(&sample.good, 0);
        assert_eq!(segment.verify(&control).unwrap(), []);
    }
}

#[test]
fn swapped_blocks_are_noticed() {
    // Blocks 1 and 2 hold vectors only, and each is whole in itself.
    let sample = Sample::new(rows(400, 64), 64);
    let block = 16 << 10;
    sample.put(&sample.good[2 * block..3 * block], block);
    sample.put(&sample.good[block..2 * block], 2 * block);
    for access in [Access::default(), HEAP] {
        sample.notices(&sample.expected, access, "swapped blocks");
        let segment = open(&sample.path, &sample.expected, access).unwrap();
        let damages = segment.verify(&Control::default()).unwrap();
        assert_eq!((damages.len(), damages[0].offset, damages[0].length), (1, 16_384, 32_768), "{damages:?}");
        assert!(damages[0].what.starts_with("vectors: "), "{damages:?}");
    }
}

/// The footer's fields: offset in it, bytes, name.
const FIELDS: [(usize, usize, &str); 18] = [
    (0, 8, "vectors"),
    (8, 8, "LSNs"),
    (16, 8, "id ends"),
    (24, 8, "ids"),
    (32, 8, "metadata ends"),
    (40, 8, "metadata"),
    (48, 8, "index"),
    (56, 8, "checksums"),
    (64, 8, "bytes of ids"),
    (72, 8, "bytes of metadata"),
    (80, 8, "rows"),
    (88, 4, "dimension"),
    (92, 4, "metric"),
    (96, 8, "first LSN"),
    (104, 8, "last LSN"),
    (112, 8, "length"),
    (120, 4, "checksum of checksums"),
    (92, 1, "only the metric"),
];

#[test]
fn a_footer_that_lies_with_a_good_checksum_is_noticed() {
    let sample = small();
    let at = sample.good.len() - 128;
    for (field, bytes, name) in FIELDS {
        for value in [0_u64, 1, 2, 64, 1 << 31, u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let mut footer = sample.good[at..].to_vec();
            let was = footer.clone();
            footer[field..field + bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
            // A metric that exists is no contradiction.
            if footer == was || (field == 92 && footer[92] <= 4 && footer[93..96] == [0; 3]) {
                continue;
            }
            let checksum = crc(&footer[..124]);
            footer[124..].copy_from_slice(&checksum.to_le_bytes());
            sample.put(&footer, at);
            for access in [Access::default(), HEAP] {
                let expected = Expected { checksum, ..sample.expected };
                sample.notices(&expected, access, &format!("{name} = {value}"));
                // Only these four may need a look at the rows.
                let late = ["bytes of ids", "bytes of metadata", "rows", "dimension"].contains(&name);
                let inside = name.ends_with("LSN") && (value < 3) == (name == "first LSN");
                assert!(late || inside || open(&sample.path, &expected, access).is_err(), "{name} = {value}");
            }
        }
    }
}

/// Alters a field of the file and makes every checksum good again, as no disk does and a defect of ours might.
fn forged(sample: &Sample, offset: usize, bytes: &[u8]) -> Expected {
    let mut file = sample.good.clone();
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
    let end = file.len();
    let word = |file: &[u8], at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
    let checksums = word(&file, end - 128 + 56);
    let sums: Vec<u8> = (0_u64..)
        .zip(file[..checksums].chunks(16 << 10))
        .flat_map(|(number, block)| crc(&[&number.to_le_bytes()[..], block].concat()).to_le_bytes())
        .collect();
    file[checksums..checksums + sums.len()].copy_from_slice(&sums);
    file[end - 8..end - 4].copy_from_slice(&crc(&sums).to_le_bytes());
    let checksum = crc(&file[end - 128..end - 4]);
    file[end - 4..].copy_from_slice(&checksum.to_le_bytes());
    sample.put(&file, 0);
    Expected { checksum, ..sample.expected }
}

#[test]
fn contradictions_under_good_checksums_are_errors_and_never_a_panic() {
    let sample = small();
    let end = sample.good.len();
    let offset = |number: usize| {
        let at = end - 128 + number * 8;
        u64::from_le_bytes(sample.good[at..at + 8].try_into().unwrap()) as usize
    };
    assert_eq!(forged(&sample, 0, &sample.good[..1]), sample.expected, "nothing altered, nothing changed");
    let (lsns, id_ends, ids, metadata_ends, metadata, index) =
        (offset(1), offset(2), offset(3), offset(4), offset(5), offset(6));
    let slots: Vec<usize> = (0..8).map(|slot| index + slot * 8).collect();
    let taken = *slots.iter().find(|at| sample.good[**at] != 0).unwrap();
    let free = *slots.iter().find(|at| sample.good[**at..**at + 8] == [0; 8]).unwrap();
    // The metadata of one row goes to its neighbour: nothing in such a file contradicts anything.
    let plausible = [(metadata_ends, 0_u64.to_le_bytes()), (metadata_ends + 8, 5_u64.to_le_bytes())];
    let mut cases = vec![(lsns, 2_u64.to_le_bytes()), (lsns, 10_u64.to_le_bytes()), (lsns + 8, 8_u64.to_le_bytes())];
    for ends in [id_ends, metadata_ends] {
        for row in 0..3 {
            for value in [0_u64, 5, 100, u64::MAX] {
                cases.push((ends + row * 8, value.to_le_bytes()));
            }
        }
    }
    for value in [0, u64::MAX, 9, 4, 1 << 40] {
        cases.push((taken, u64::to_le_bytes(value)));
    }
    cases.push((free, 1_u64.to_le_bytes()));
    cases.push((ids, [0xff; 8]));
    cases.push((metadata, [0xff; 8]));
    for (at, bytes) in cases {
        let sound = sample.good[at..at + 8] == bytes || plausible.contains(&(at, bytes));
        let expected = forged(&sample, at, &bytes);
        for access in [Access::default(), HEAP] {
            let segment = open(&sample.path, &expected, access).unwrap();
            read_everything(&segment);
            let damages = segment.verify(&Control::default()).unwrap();
            assert_eq!(damages.is_empty(), sound, "{bytes:?} at {at}: {damages:?}");
        }
    }
    // An id has at least one byte.
    let expected = forged(&sample, id_ends, &[0; 8]);
    let segment = open(&sample.path, &expected, HEAP).unwrap();
    assert_eq!(segment.id(0).unwrap_err().offset, Some(id_ends as u64));
    // No free slot at all: the search for an absent id ends.
    let full: Vec<u8> = (0..8_u64).flat_map(|_| ((1_u64 << 32) | 1).to_le_bytes()).collect();
    let expected = forged(&sample, index, &full);
    let segment = open(&sample.path, &expected, HEAP).unwrap();
    assert_eq!(segment.find("nobody").unwrap_err().kind, Kind::Corrupt);
    assert!(!segment.verify(&Control::default()).unwrap().is_empty());
}
