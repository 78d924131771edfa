//! The rows of one tree, in the order of their keys, one page in memory for each level.
//!
//! Keys have to increase strictly and the rows have to be as many as the tree says, so that no arrangement of pages,
//! however made, is read twice or without end.

use super::header::Root;
use super::node::{Node, Pointer};
use super::pages::Pages;
use crate::error::{Error, Kind, Result};

/// Levels of a tree; redb's trees of 4 KiB pages reach a dozen only with ids near the limit.
pub(super) const LEVELS_MAX: usize = 32;

/// A walk over the rows of a tree. Before the first `advance` and after the last there is no row.
pub(in crate::foreign) struct Rows<'a> {
    pages: &'a Pages,
    table: &'a str,
    start: Option<Pointer>,
    branches: Vec<(Node, usize)>,
    leaf: Option<Node>,
    row: usize,
    last: Vec<u8>,
    seen: u64,
    expected: u64,
}

impl<'a> Rows<'a> {
    /// The rows below `root`; `table` is for messages.
    pub(super) fn of(pages: &'a Pages, table: &'a str, root: Option<Root>) -> Self {
        let expected = root.map_or(0, |root| root.rows);
        let start = root.map(|root| root.pointer);
        Rows { pages, table, start, branches: vec![], leaf: None, row: 0, last: vec![], seen: 0, expected }
    }

    /// Goes to the next row; `false` after the last.
    pub fn advance(&mut self) -> Result<bool> {
        if self.leaf.as_ref().is_some_and(|leaf| self.row + 1 < leaf.len()) {
            self.row += 1;
        } else if !self.next_leaf()? {
            return if self.seen == self.expected {
                Ok(false)
            } else {
                Err(self.damaged(&format!("has {} rows, but says {}", self.seen, self.expected)))
            };
        }
        let Some((key, _)) = self.leaf.as_ref().and_then(|leaf| leaf.row(self.row)) else {
            return Err(self.damaged("has a row that reaches outside its page"));
        };
        if self.seen > 0 && key <= self.last.as_slice() {
            return Err(self.damaged("has keys out of order"));
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        self.seen += 1;
        Ok(true)
    }

    /// Key and value of the row.
    pub fn current(&self) -> Option<(&[u8], &[u8])> {
        self.leaf.as_ref()?.row(self.row)
    }

    fn next_leaf(&mut self) -> Result<bool> {
        self.leaf = None;
        self.row = 0;
        loop {
            let pointer = match self.start.take() {
                Some(root) => root,
                None => {
                    let Some((branch, next)) = self.branches.last_mut() else { return Ok(false) };
                    let child = branch.child(*next);
                    *next += 1;
                    match child {
                        Some(child) => child,
                        None => {
                            self.branches.pop();
                            continue;
                        }
                    }
                }
            };
            let node = self.pages.read(pointer)?;
            if node.is_leaf() {
                self.leaf = Some(node);
                return Ok(true);
            }
            if self.branches.len() >= LEVELS_MAX {
                return Err(self.damaged("is too deep"));
            }
            self.branches.push((node, 0));
        }
    }

    fn damaged(&self, what: &str) -> Error {
        Error::new(Kind::Corrupt, format!("damaged: table '{}' {what}", self.table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    fn add(pages: &mut Pages, page: u64, bytes: Vec<u8>) -> Pointer {
        let pointer = Pointer { page, checksum: xxh3_128(&bytes).to_le_bytes() };
        pages.keep(pointer, &Node::verified(bytes, pointer.checksum).unwrap()).unwrap();
        pointer
    }

    /// A leaf with one row.
    fn leaf(key: u8) -> Vec<u8> {
        [&[1, 0, 1, 0, 13, 0, 0, 0, 13, 0, 0, 0][..], &[key]].concat()
    }

    fn branch(left: Pointer, right: Pointer) -> Vec<u8> {
        let mut bytes = vec![2, 0, 1, 0, 0, 0, 0, 0];
        bytes.extend([left.checksum, right.checksum].concat());
        bytes.extend([left.page.to_le_bytes(), right.page.to_le_bytes()].concat());
        bytes.extend([61, 0, 0, 0, b'k']);
        bytes
    }

    fn walk(pages: &mut Pages, pointer: Pointer, rows: u64) -> Result<u64> {
        pages.flush()?;
        let mut walk = Rows::of(pages, "x", Some(Root { pointer, rows }));
        let mut count = 0;
        while walk.advance()? {
            count += 1;
        }
        assert!(walk.current().is_none() && !walk.advance()?, "after the last there is none");
        Ok(count)
    }

    #[test]
    fn rows_come_in_order_and_as_many_as_promised() {
        let mut pages = Pages::beside(std::path::Path::new("x")).unwrap();
        let (a, b) = (add(&mut pages, 1, leaf(b'a')), add(&mut pages, 2, leaf(b'b')));
        let sorted = add(&mut pages, 3, branch(a, b));
        assert_eq!(walk(&mut pages, sorted, 2).unwrap(), 2);
        assert_eq!(walk(&mut pages, b, 1).unwrap(), 1);
        for promised in [0, 1, 3, u64::MAX] {
            assert_eq!(walk(&mut pages, sorted, promised).unwrap_err().kind, Kind::Corrupt, "{promised} promised");
        }
        let reversed = add(&mut pages, 4, branch(b, a));
        assert!(walk(&mut pages, reversed, 2).unwrap_err().message.contains("order"));
    }

    #[test]
    fn pages_that_lead_to_the_same_rows_again_and_again_end_at_once() {
        let mut pages = Pages::beside(std::path::Path::new("x")).unwrap();
        let mut top = add(&mut pages, 0, leaf(b'a'));
        for level in 1..=40 {
            top = add(&mut pages, level, branch(top, top));
        }
        assert_eq!(walk(&mut pages, top, 1 << 40).unwrap_err().kind, Kind::Corrupt);
        let low = (0..3).fold(add(&mut pages, 50, leaf(b'a')), |low, n| add(&mut pages, 51 + n, branch(low, low)));
        assert!(walk(&mut pages, low, 8).unwrap_err().message.contains("order"));
    }
}
