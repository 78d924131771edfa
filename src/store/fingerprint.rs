//! One value for the content of a collection: order does not matter, one bit does.
//!
//! Each entry is hashed (XXH3, 128 bits) and the hashes are added. It tells whether anything changed; it is no defence
//! against someone who makes collisions on purpose, and nothing depends on that.

use super::version::Version;
use crate::error::Result;
use crate::format::Entry;
use crate::workers::InOrder;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

const WORK_ENTRIES: usize = 4_096;

fn hash(entry: &Entry) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&(entry.id.len() as u64).to_le_bytes());
    hash.update(entry.id.as_bytes());
    hash.update(&(entry.vector.len() as u64).to_le_bytes());
    let mut bytes = [0; 1_024];
    for words in entry.vector.chunks(bytes.len() / 4) {
        for (place, x) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&x.to_le_bytes());
        }
        hash.update(bytes.get(..words.len() * 4).unwrap_or_default());
    }
    match &entry.metadata {
        None => hash.update(&[0]),
        Some(text) => {
            hash.update(&[1]);
            hash.update(text.as_bytes());
        }
    }
    hash.digest128()
}

/// The fingerprint of a version's content.
pub fn fingerprint(version: &Version) -> Result<String> {
    let mut pool = InOrder::new("fingerprint")?;
    let mut sum = 0_u128;
    let mut entries = version.entries().cloned();
    loop {
        let work: Vec<Arc<Entry>> = entries.by_ref().take(WORK_ENTRIES).collect();
        if work.is_empty() {
            break;
        }
        let add = move || work.iter().fold(0_u128, |sum, entry| sum.wrapping_add(hash(entry)));
        sum = sum.wrapping_add(pool.push(add)?.unwrap_or(0));
    }
    while let Some(part) = pool.pop()? {
        sum = sum.wrapping_add(part);
    }
    Ok(format!("{:x}-{sum:032x}", version.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Collection, MetadataRule};

    fn of(entries: &[(&str, f32, Option<&str>)]) -> String {
        let mut collection = Collection::default();
        for (id, x, text) in entries {
            collection.put(id, &[*x, 1.0], *text, MetadataRule::Replace).unwrap();
        }
        fingerprint(&collection.version()).unwrap()
    }

    #[test]
    fn order_does_not_matter_and_every_bit_does() {
        let base = of(&[("a", 1.0, None), ("b", 2.0, Some("{}"))]);
        assert_eq!(base, of(&[("b", 2.0, Some("{}")), ("a", 1.0, None)]));
        for other in [
            of(&[("a", 1.0, None)]),
            of(&[("a", 1.000_000_1, None), ("b", 2.0, Some("{}"))]),
            of(&[("a", 1.0, Some("{}")), ("b", 2.0, Some("{}"))]),
            of(&[("a", 2.0, None), ("b", 1.0, Some("{}"))]),
            of(&[("a", 0.0, None)]),
            of(&[("a", -0.0, None)]),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(of(&[("a", 0.0, None)]), of(&[("a", -0.0, None)]));
    }
}
