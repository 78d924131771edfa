//! Reads redb 2.x files (file formats 2 and 3): one commit of a file, as sorted rows of its tables.
//!
//! A redb file is a header with two commit slots and a copy-on-write B-tree of 4 KiB pages. A slot carries the root of a
//! tree of tables, each table's row the root of its own tree, and every pointer the checksum of the page it points to:
//! whoever trusts a slot can check everything below it. That is done here for each page, when it is copied and again
//! when it is read, so damage is noticed wherever it has an effect. What has none is not looked at: free pages, the
//! unused end of a page, tables not asked for, redb's allocator.
//!
//! ## Why not the redb crate?
//!
//! It locks and writes the file it opens, asserts (panics) on damage, trusts the pages of a file that was closed
//! cleanly, and a byte-by-byte copy of a file in use opens only by luck, the less the larger the file. Reading takes
//! no part of what makes a database difficult.
//!
//! Only tables whose keys and values both have no fixed size are read; `ruvector.db` has no others.

mod capture;
mod header;
mod node;
mod pages;
mod rows;

pub(super) use capture::{Snapshot, begins_redb, capture};
pub(super) use rows::Rows;
