//! The write-ahead log: files of frames, each frame one record.
//!
//! A file begins with its header (see `format::header`) and a preamble of 32 bytes: 16 random bytes, its first LSN, a
//! u32 that is 1 when its records were copied from an earlier file, the CRC-32 of these. Frames follow, each at a multiple of 8. Where frames end, zeros follow, or nothing. `docs/format.md` describes the file.
//!
//! This module writes frames into one file and reads them back. When a file is full, what is named by the manifest, and
//! who waits for what, is decided by `store`.

mod ahead;
mod file;
mod frame;
mod read;

pub use ahead::Portion;
pub use file::{LogFile, file_name, number_of};
pub use frame::{FRAMES_START, Frames, records};
pub use read::{End, LogReader, Sealed, was_named};
