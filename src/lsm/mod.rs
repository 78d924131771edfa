//! Sorted runs: the rows of one checkpoint or compaction as an LSM tree of its own, compressed, for engine `lsm`.
//!
//! A run is a folder that is written once and never changed: tables of sorted keys with filters and checksums (the crate
//! `lsm-tree`, which is the storage engine of fjall), and a file `SEAL` that names every other file with its length and
//! checksum and has a checksum that the manifest keeps. [`build`] writes one, a [`Run`] reads it with the same questions
//! that a segment answers: the row of an id, a row by its number. As nothing in the folder changes, and opening it writes
//! nothing, any number of processes may read a run while another one writes the next.
//!
//! What it does not do: merge runs (the store's compaction writes a new one), know which rows are dead, or work on
//! anything but real files.

mod builder;
mod guard;
mod options;
mod reader;
mod remove;
mod row;
mod rows;
mod seal;
mod verify;

pub use crate::format::Row;
pub use builder::{Sink, build};
pub use options::{BlockCache, Options};
pub use reader::{Expected, Run};
pub use remove::remove;
pub use rows::Found;
pub use seal::{SEAL, Sealed, files, generation, is_file_name};
pub use verify::Damage;
