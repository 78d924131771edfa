//! One page of a redb B-tree whose keys and values have no fixed size: checked once, then read without panics.
//!
//! Leaf: kind 1, a spare byte, rows (u16), then the end of each key and of each value (u32), then keys, then values.
//! Branch: kind 2, a spare byte, keys (u16), 4 spare bytes, then for its keys + 1 children the checksums (16 bytes) and
//! the page numbers (8), then the end of each key (u32), then keys. All numbers are little-endian, ends count from the
//! start of the page, and the checksum covers the page up to its last end.

use xxhash_rust::xxh3::xxh3_128;

const LEAF: u8 = 1;
const BRANCH: u8 = 2;

/// What a parent says of a page: its number and the checksum of its used bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pointer {
    pub page: u64,
    pub checksum: [u8; 16],
}

/// A page that has the checksum its parent expects.
#[derive(Debug)]
pub(super) struct Node {
    bytes: Vec<u8>,
    leaf: bool,
    count: usize,
}

impl Node {
    /// Takes the page apart and verifies it; `None` when it is not the page that was meant.
    pub fn verified(mut bytes: Vec<u8>, checksum: [u8; 16]) -> Option<Self> {
        let [kind] = bytes_at(&bytes, 0)?;
        let count = usize::from(u16::from_le_bytes(bytes_at(&bytes, 2)?));
        let leaf = match kind {
            LEAF => true,
            BRANCH => false,
            _ => return None,
        };
        let last = count.checked_sub(1)?;
        let mut node = Node { bytes: Vec::new(), leaf, count };
        let end = end_at(&bytes, if leaf { node.value_ends() } else { node.key_ends() }, last)?;
        if xxh3_128(bytes.get(..end)?).to_le_bytes() != checksum {
            return None;
        }
        bytes.truncate(end);
        node.bytes = bytes;
        Some(node)
    }

    /// The used bytes, all that the checksum covers.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it holds rows, not children.
    pub fn is_leaf(&self) -> bool {
        self.leaf
    }

    /// Rows of a leaf, children of a branch.
    pub fn len(&self) -> usize {
        if self.leaf { self.count } else { self.count + 1 }
    }

    /// Key and value of a leaf's row.
    pub fn row(&self, n: usize) -> Option<(&[u8], &[u8])> {
        if !self.leaf || n >= self.count {
            return None;
        }
        let end = |table, n| end_at(&self.bytes, table, n);
        let key_start = n.checked_sub(1).map_or(Some(4 + 8 * self.count), |before| end(self.key_ends(), before))?;
        let value_start = match n.checked_sub(1) {
            Some(before) => end(self.value_ends(), before)?,
            None => end(self.key_ends(), self.count.checked_sub(1)?)?,
        };
        let key = self.bytes.get(key_start..end(self.key_ends(), n)?)?;
        Some((key, self.bytes.get(value_start..end(self.value_ends(), n)?)?))
    }

    /// A branch's child.
    pub fn child(&self, n: usize) -> Option<Pointer> {
        if self.leaf || n > self.count {
            return None;
        }
        let pages = 8 + 16 * (self.count + 1);
        Some(Pointer { page: u64_at(&self.bytes, pages + 8 * n)?, checksum: bytes_at(&self.bytes, 8 + 16 * n)? })
    }

    fn key_ends(&self) -> usize {
        if self.leaf { 4 } else { 8 + 24 * (self.count + 1) }
    }

    fn value_ends(&self) -> usize {
        4 + 4 * self.count
    }
}

fn end_at(bytes: &[u8], table: usize, n: usize) -> Option<usize> {
    usize::try_from(u32_at(bytes, table + 4 * n)?).ok()
}

/// `N` bytes from `at` on.
pub(super) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// A little-endian number at `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

/// A little-endian number at `at`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes_at(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bytes: &[u8]) -> Option<Node> {
        Node::verified(bytes.to_vec(), xxh3_128(bytes).to_le_bytes())
    }

    fn leaf() -> Vec<u8> {
        let mut bytes = vec![1, 0, 2, 0];
        for end in [21_u32, 23, 26, 26] {
            bytes.extend(end.to_le_bytes());
        }
        bytes.extend(b"abcxyz");
        bytes
    }

    #[test]
    fn a_leaf_gives_its_rows() {
        let mut page = leaf();
        page.extend([7; 9]);
        let node = Node::verified(page, xxh3_128(&leaf()).to_le_bytes()).unwrap();
        assert_eq!((node.is_leaf(), node.len(), node.bytes()), (true, 2, &leaf()[..]));
        assert_eq!(node.row(0).unwrap(), (&b"a"[..], &b"xyz"[..]));
        assert_eq!(node.row(1).unwrap(), (&b"bc"[..], &b""[..]));
        assert!(node.row(2).is_none() && node.child(0).is_none());
    }

    #[test]
    fn a_branch_gives_its_children() {
        let mut bytes = vec![2, 0, 1, 0, 0, 0, 0, 0];
        bytes.extend([[3; 16], [4; 16]].concat());
        bytes.extend([5_u64.to_le_bytes(), 6_u64.to_le_bytes()].concat());
        bytes.extend(61_u32.to_le_bytes());
        bytes.push(b'k');
        let node = sealed(&bytes).unwrap();
        assert_eq!(node.len(), 2);
        assert_eq!(node.child(1), Some(Pointer { page: 6, checksum: [4; 16] }));
        assert!(node.child(2).is_none() && node.row(0).is_none());
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let checksum = xxh3_128(&leaf()).to_le_bytes();
        for at in (0..leaf().len()).filter(|at| *at != 1) {
            for bit in 0..8 {
                let mut page = leaf();
                page[at] ^= 1 << bit;
                assert!(Node::verified(page, checksum).is_none(), "byte {at}");
            }
        }
        for length in 0..leaf().len() {
            assert!(Node::verified(leaf()[..length].to_vec(), checksum).is_none());
        }
    }

    #[test]
    fn well_sealed_nonsense_gives_no_rows_and_no_panic() {
        assert!(sealed(&[1, 0, 0, 0]).is_none(), "a page without rows");
        for at in 4..16 {
            let mut page = leaf();
            page[at] ^= 0xFF;
            if let Some(node) = sealed(&page) {
                for n in 0..3 {
                    let _ = (node.row(n), node.child(n));
                }
            }
        }
    }
}
