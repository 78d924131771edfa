//! The header of a redb file: where pages are, and the two newest commits.
//!
//! Only the slots carry a checksum. A wrong number elsewhere leads to pages whose checksums differ; the flags decide
//! merely which slots are candidates.

use super::node::{Pointer, bytes_at, u32_at, u64_at};
use xxhash_rust::xxh3::xxh3_128;

/// The first bytes of every redb file.
pub(super) const MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// Magic number, flags, layout and two slots.
pub(super) const HEADER_BYTES: usize = 320;
/// The only page size that redb's published builds write.
const PAGE_BYTES: u64 = 4_096;
const SLOT_BYTES: usize = 128;
const SLOT_CHECKSUM: usize = 112;
const VERSIONS: std::ops::RangeInclusive<u8> = 2..=3;

/// A tree: its root and how many rows it says it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root {
    pub pointer: Pointer,
    pub rows: u64,
}

impl Root {
    /// Page number, checksum, rows.
    pub fn decode(bytes: &[u8], at: usize) -> Option<Self> {
        let pointer = Pointer { page: u64_at(bytes, at)?, checksum: bytes_at(bytes, at + 8)? };
        Some(Root { pointer, rows: u64_at(bytes, at + 24)? })
    }
}

/// One commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// The tree of tables; `None` when there is no table.
    pub tables: Option<Root>,
    transaction: u64,
}

/// A commit to try, and whether the file tells of a newer one that it has no whole tree for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub slot: Slot,
    pub stale: bool,
}

/// A decoded header.
pub(super) struct Header {
    region_header_pages: u64,
    region_data_pages: u64,
    candidates: Vec<Candidate>,
}

/// Why a header cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// Not redb, or none that we know: no point in trying again.
    Foreign(String),
    /// A file format that is newer than those we know.
    Newer(u8),
    /// Contradicts its checksums: damaged, or caught while it was being written.
    Damaged(String),
}

impl Header {
    /// Decodes and checks the header.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
        let damaged = || HeaderFault::Damaged("its header is damaged".into());
        if !bytes.starts_with(&MAGIC) {
            return Err(HeaderFault::Foreign("it does not begin as a redb file does".into()));
        }
        let number = |at| u32_at(bytes, at).map(u64::from).ok_or_else(damaged);
        if number(12)? != PAGE_BYTES {
            return Err(HeaderFault::Damaged(format!("its pages have {} bytes, not {PAGE_BYTES}", number(12)?)));
        }
        let flags = bytes_at::<1>(bytes, 9).map_or(0, |[flags]| flags);
        let slots = [slot(bytes, 64), slot(bytes, 64 + SLOT_BYTES)];
        let versions = [64, 64 + SLOT_BYTES].map(|at| bytes_at::<1>(bytes, at).map_or(0, |[version]| version));
        if slots == [None, None] {
            return Err(match versions {
                [first, second] if first != second || first == 0 || VERSIONS.contains(&first) => {
                    HeaderFault::Damaged("the checksums of both commit slots differ".into())
                }
                [1, _] => HeaderFault::Foreign("it has redb's file format 1; ruvector writes 2".into()),
                [version, _] => HeaderFault::Newer(version),
            });
        }
        let candidates = candidates(slots, flags);
        if candidates.is_empty() {
            return Err(HeaderFault::Damaged("the checksum of its current commit slot differs".into()));
        }
        Ok(Header { region_header_pages: number(16)?, region_data_pages: number(20)?, candidates })
    }

    /// The commits worth trying, the best first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Offset and length of a page; `None` when no file can be that long.
    pub fn place(&self, pointer: Pointer) -> Option<(u64, u64)> {
        let order = pointer.page >> 59;
        let index = pointer.page & (0xF_FFFF_u64.checked_shr(u32::try_from(order).ok()?)?);
        let region = (pointer.page >> 20) & 0xF_FFFF;
        let length = PAGE_BYTES << order;
        let region_bytes = (self.region_header_pages + self.region_data_pages).checked_mul(PAGE_BYTES)?;
        let region_start = region.checked_mul(region_bytes)?.checked_add(PAGE_BYTES)?;
        let data_start = region_start.checked_add(self.region_header_pages * PAGE_BYTES)?;
        let offset = data_start.checked_add(index.checked_mul(length)?)?;
        offset.checked_add(length).map(|_| (offset, length))
    }
}

fn slot(bytes: &[u8], at: usize) -> Option<Slot> {
    let bytes = bytes.get(at..at + SLOT_BYTES)?;
    let [version, has_tables] = bytes_at(bytes, 0)?;
    let checksum = xxh3_128(bytes.get(..SLOT_CHECKSUM)?).to_le_bytes();
    if bytes_at(bytes, SLOT_CHECKSUM)? != checksum || !VERSIONS.contains(&version) {
        return None;
    }
    let tables = if has_tables == 0 { None } else { Some(Root::decode(bytes, 8)?) };
    Some(Slot { tables, transaction: u64_at(bytes, 104)? })
}

/// Redb's own rule. A file in use, or left by a process that died, may hold a commit whose pages never came: the other
/// slot is then the truth. After a clean close, and after a commit in two phases, the current slot alone counts.
fn candidates(slots: [Option<Slot>; 2], flags: u8) -> Vec<Candidate> {
    let [first, second] = slots;
    let (current, other) = if flags & 1 == 0 { (first, second) } else { (second, first) };
    let (in_use, two_phase) = (flags & 2 != 0, flags & 4 != 0);
    let newer = |one: Slot, two: Option<Slot>| two.is_some_and(|two| two.transaction > one.transaction);
    let Some(current) = current else {
        let last = other.filter(|_| in_use && !two_phase);
        return last.map(|slot| Candidate { slot, stale: true }).into_iter().collect();
    };
    let overtaken = newer(current, other);
    match other {
        Some(other) if in_use && !two_phase => {
            let (best, next) = if overtaken { (other, current) } else { (current, other) };
            vec![Candidate { slot: best, stale: false }, Candidate { slot: next, stale: true }]
        }
        _ => vec![Candidate { slot: current, stale: overtaken }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(transaction: u64) -> Option<Slot> {
        Some(Slot { tables: None, transaction })
    }

    #[test]
    fn the_newest_commit_of_a_file_in_use_is_tried_first() {
        let order = |slots, flags| -> Vec<(u64, bool)> {
            candidates(slots, flags).iter().map(|c| (c.slot.transaction, c.stale)).collect()
        };
        assert_eq!(order([commit(4), commit(5)], 0b011), [(5, false), (4, true)]);
        assert_eq!(order([commit(4), commit(5)], 0b010), [(5, false), (4, true)], "only the flag was not written");
        assert_eq!(order([commit(4), None], 0b010), [(4, false)], "the next commit was being written");
        assert_eq!(order([commit(4), None], 0b011), [(4, true)], "the current slot is gone");
        assert_eq!(order([commit(4), None], 0b001), [], "a closed file has no excuse");
        assert_eq!(order([commit(4), commit(5)], 0b110), [(4, true)], "the first of two phases");
        assert_eq!(order([commit(4), commit(5)], 0b001), [(5, false)]);
        assert_eq!(order([commit(4), commit(5)], 0b000), [(4, true)]);
    }

    #[test]
    fn no_page_number_leads_beyond_what_numbers_hold() {
        let header = Header { region_header_pages: 130, region_data_pages: 1 << 20, candidates: vec![] };
        let place = |page| header.place(Pointer { page, checksum: [0; 16] });
        assert_eq!(place(0), Some((4_096 * 131, 4_096)));
        assert_eq!(
            place((3 << 59) | (1 << 20) | 2),
            Some((4_096 + 4_096 * (130 + (1 << 20)) + 4_096 * (130 + 16), 32_768))
        );
        let absurd =
            Header { region_header_pages: u32::MAX.into(), region_data_pages: u32::MAX.into(), candidates: vec![] };
        assert_eq!(absurd.place(Pointer { page: u64::MAX, checksum: [0; 16] }), None);
        assert!(place(u64::MAX).is_some_and(|(offset, length)| offset.checked_add(length).is_some()));
    }
}
