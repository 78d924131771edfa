//! Segments: immutable files of rows, written once, read in place; and which of their rows are dead.
//!
//! A [`Builder`] takes rows one by one and seals them into a file; a [`Segment`] opens it at a cost that does not grow
//! with its rows and hands out ids, vectors and metadata without copying them. Each block of a file is checked against
//! its checksum before the first byte of it is used: damage is `ERR_CORRUPT` with file and offset, never data. A file
//! never changes; a row that was deleted or replaced is marked in [`DeadRows`], which have files of their own.
//!
//! Names of files, their order and which of them count are the manifest's matter, and so is the sync of the directory.

#[cfg(target_endian = "big")]
compile_error!("files of a store are little-endian and are used in place: big-endian targets are not supported");

mod builder;
mod checks;
mod content;
mod damage;
mod dead;
mod dead_file;
mod heat;
mod hot;
mod index;
mod layout;
mod output;
mod reader;
mod rows;
mod spool;
mod verify;

pub use crate::format::Row;
pub use builder::{Builder, Sealed};
pub use damage::Damage;
pub use dead::DeadRows;
pub use dead_file::{DeadFile, ExpectedDead};
pub use heat::{Region, Statistics};
pub use layout::ROWS_MAX;
pub use reader::{Access, Expected, Segment};
