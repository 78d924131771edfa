//! The id index: from an id to its row, by open addressing in a table of words that is used as it stands in the file.
//!
//! A slot is zero when it is free; else its low half is the row plus one and its high half is the high half of the
//! XXH3-64 of the id. The search for an id begins at the slot that the low bits of the hash name and goes on to the next
//! ones, around the end, until the id or a free slot is found. At most seven tenths of the slots are taken.

use xxhash_rust::xxh3::xxh3_64;

/// The hash of an id.
pub(super) fn hash(id: &[u8]) -> u64 {
    xxh3_64(id)
}

/// The slots to look at, in order; each one once. `slots` is a power of two.
pub(super) fn probe(hash: u64, slots: u64) -> impl Iterator<Item = u64> {
    (0..slots).map(move |step| hash.wrapping_add(step) & slots.wrapping_sub(1))
}

/// Whether a taken slot may be that of an id with this hash.
pub(super) fn may_be(slot: u64, hash: u64) -> bool {
    slot >> 32 == hash >> 32
}

/// The row that a taken slot names, when it is one of `rows`.
pub(super) fn row_of(slot: u64, rows: u32) -> Option<u32> {
    (slot as u32).checked_sub(1).filter(|row| *row < rows)
}

/// The table for rows with these hashes.
pub(super) fn build(hashes: &[u64], slots: u64) -> Vec<u64> {
    let mut table = vec![0_u64; slots as usize];
    for (hash, row) in hashes.iter().zip(1_u64..) {
        let mut places = probe(*hash, slots);
        let free = places.find(|at| table.get(*at as usize).is_some_and(|slot| *slot == 0));
        if let Some(slot) = free.and_then(|at| table.get_mut(at as usize)) {
            *slot = (*hash & 0xffff_ffff_0000_0000) | row;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(table: &[u64], hash: u64) -> Option<u32> {
        let slots = table.len() as u64;
        let taken = probe(hash, slots).map(|at| table[at as usize]).take_while(|slot| *slot != 0);
        taken.filter(|slot| may_be(*slot, hash)).find_map(|slot| row_of(slot, u32::MAX))
    }

    #[test]
    fn every_row_is_found_around_the_end_too() {
        // All of them begin at the last slot.
        let hashes: Vec<u64> = (0..5).map(|i| (i << 32) | 7).collect();
        let table = build(&hashes, 8);
        for (row, hash) in hashes.iter().enumerate() {
            assert_eq!(find(&table, *hash), Some(row as u32));
        }
        assert_eq!(find(&table, (9 << 32) | 7), None);
        assert_eq!(table.iter().filter(|slot| **slot == 0).count(), 3);
    }

    #[test]
    fn a_slot_names_only_rows_that_exist() {
        assert_eq!((row_of(0, 5), row_of(1, 5), row_of(5, 5), row_of(6, 5)), (None, Some(0), Some(4), None));
        assert_eq!(row_of(7 << 32, 5), None, "taken, and of no row");
        assert_eq!((build(&[], 1), probe(u64::MAX, 1).collect::<Vec<_>>()), (vec![0], vec![0]));
    }
}
