//! Files of dead rows: they come back as they were, and no other bytes pass.

use super::*;
use ruvector_persistence::error::Kind;
use ruvector_persistence::format::header::crc;
use ruvector_persistence::segment::{DeadFile, DeadRows, ExpectedDead};
use std::fs::OpenOptions;

fn dead_header() -> Header {
    Header { kind: FileKind::Dead, ..header(NUMBER) }
}

fn some(rows: u32) -> DeadRows {
    let mut dead = DeadRows::new(rows);
    (0..rows).filter(|row| row % 3 == 0 || row % 64 == 63).for_each(|row| assert!(dead.kill(row)));
    dead
}

#[test]
fn dead_rows_come_back() {
    let directory = tempfile::tempdir().unwrap();
    for rows in [0, 1, 63, 64, 65, 4_095, 4_096, 4_097, 20_000] {
        let path = directory.path().join(format!("5.dead.{rows}"));
        let dead = some(rows);
        let file = dead.write(&Disk, &path, dead_header(), 3).unwrap();
        assert_eq!(file.length, std::fs::metadata(&path).unwrap().len());
        let expected = ExpectedDead { owner: OWNER, number: NUMBER, n: 3, rows, file };
        assert!(DeadRows::read(&Disk, &path, &expected).unwrap() == dead, "{rows}");
        assert_eq!(dead.write(&Disk, &path, dead_header(), 3).unwrap_err().kind, Kind::Path, "it exists");
        assert_eq!(dead.write(&Disk, &path, header(NUMBER), 3).unwrap_err().kind, Kind::Internal);
        let others = [
            ExpectedDead { owner: Owner { store: [1; 16], ..OWNER }, ..expected },
            ExpectedDead { owner: Owner { collection: [1; 16], ..OWNER }, ..expected },
            ExpectedDead { number: 6, ..expected },
            ExpectedDead { n: 4, ..expected },
            ExpectedDead { rows: rows + 1, ..expected },
            ExpectedDead { rows: rows + 64, ..expected },
            ExpectedDead { file: DeadFile { checksum: file.checksum ^ 1, ..file }, ..expected },
            ExpectedDead { file: DeadFile { length: file.length + 8, ..file }, ..expected },
        ];
        for other in others {
            let error = DeadRows::read(&Disk, &path, &other).unwrap_err();
            assert_eq!((error.kind, error.path.as_deref()), (Kind::Corrupt, Some(path.as_path())), "{error}");
            assert!(error.offset.is_some(), "{error}");
        }
    }
}

#[test]
fn every_flipped_bit_and_every_length_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.dead.1");
    let dead = some(130);
    let file = dead.write(&Disk, &path, dead_header(), 1).unwrap();
    let expected = ExpectedDead { owner: OWNER, number: NUMBER, n: 1, rows: 130, file };
    let good = std::fs::read(&path).unwrap();
    let open = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let kind = || DeadRows::read(&Disk, &path, &expected).unwrap_err().kind;
    for (offset, byte) in good.iter().enumerate() {
        for bit in 0..8 {
            put(&open, &[byte ^ (1 << bit)], offset as u64);
            assert!(matches!(kind(), Kind::Corrupt | Kind::Version), "bit {bit} of byte {offset}");
        }
        put(&open, &[*byte], offset as u64);
    }
    for length in (0..good.len()).rev().chain(good.len() + 1..good.len() + 65) {
        open.set_len(length as u64).unwrap();
        assert_eq!(kind(), Kind::Corrupt, "{length}");
    }
}

#[test]
fn counts_and_bits_that_contradict_under_a_good_checksum_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.dead.1");
    let file = some(130).write(&Disk, &path, dead_header(), 1).unwrap();
    let good = std::fs::read(&path).unwrap();
    let open = OpenOptions::new().write(true).open(&path).unwrap();
    let words = [(64, 0), (64, u64::MAX), (72, 0), (72, u64::MAX), (80, 0), (104, 1 << 2), (104, u64::MAX), (88, 0)];
    for (offset, value) in words {
        let mut bytes = good.clone();
        bytes[offset..offset + 8].copy_from_slice(&u64::to_le_bytes(value));
        let end = bytes.len() - 4;
        let checksum = crc(&bytes[64..end]);
        bytes[end..].copy_from_slice(&checksum.to_le_bytes());
        put(&open, &bytes, 0);
        let file = DeadFile { checksum, ..file };
        let expected = ExpectedDead { owner: OWNER, number: NUMBER, n: 1, rows: 130, file };
        let error = DeadRows::read(&Disk, &path, &expected).unwrap_err();
        assert_eq!(error.kind, Kind::Corrupt, "{value} at {offset}");
    }
}
