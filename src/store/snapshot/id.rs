//! Names of snapshots: which are possible, and the next one.

use crate::env::Utc;
use crate::error::{Error, Kind, Result};
use crate::format::entry::shown;
use crate::store::paths::is_device;

const ID_BYTES_MAX: usize = 64;

/// Refuses what is not the name of a snapshot, before any file is looked at.
pub fn check_id(id: &str) -> Result<()> {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = id.len() <= ID_BYTES_MAX
        && id.bytes().next().is_some_and(word)
        && id.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'_' | b'-'))
        && !id.ends_with('.')
        && !is_device(id);
    if fits {
        return Ok(());
    }
    let message = format!(
        "'{}' is not a snapshot id: it has to match [a-z0-9][a-z0-9._-]{{0,63}}, without a dot last, and be no device \
         name of Windows",
        shown(id)
    );
    Err(Error::new(Kind::SnapshotId, message))
}

/// `snap-YYYY-MM-DD-HHMMSS`, and from the second of one second on `-2`, `-3`, …
pub fn id_at(us: u64, taken: impl Fn(&str) -> bool) -> String {
    let Utc { year, month, day, hour, minute, second } = Utc::of_seconds(us / 1_000_000);
    let first = format!("snap-{year:04}-{month:02}-{day:02}-{hour:02}{minute:02}{second:02}");
    if !taken(&first) {
        return first;
    }
    let mut number = 2_u64;
    loop {
        let id = format!("{first}-{number}");
        if !taken(&id) {
            return id;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_allowed_by_pattern() {
        let long = "a".repeat(65);
        for bad in [
            "", ".", "..", "../x", "a/b", "a\\b", "/etc/x", "C:x", "CON", "con", "lpt1.x", "x\0y", "a.", "a ", " a",
            "-a", "é", &long,
        ] {
            assert_eq!(check_id(bad).unwrap_err().kind, Kind::SnapshotId, "{bad:?}");
        }
        for good in ["a", "0192f3a4-0000-7000-8000-000000000000", "v1.2_3-x", long.get(..64).unwrap()] {
            assert!(check_id(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn two_of_one_second_differ() {
        let id = id_at(1_795_296_921_999_999, |_| false);
        assert_eq!(id, "snap-2026-11-21-213521");
        assert_eq!(id_at(1_795_296_921_000_000, |other| other == id), "snap-2026-11-21-213521-2");
    }
}
