//! # ruvector-persistence
//!
//! Makes in-process vector databases durable. The core knows nothing of Node.js: it builds and tests with plain
//! `cargo test`; the feature `node` adds the bindings.
//!
//! Modules import only from lower ranks:
//!
//! | rank | modules | what they know |
//! |---|---|---|
//! | 0 | [`error`], [`limits`], `sync`, [`failpoint`], [`control`], [`workers`] | failures, maxima, locks, points where a test fails a step, progress and cancellation, threads |
//! | 1 | [`env`](mod@env), [`codec`] | the operating system; compression and checksums of bytes in memory |
//! | 2 | [`format`](mod@format) | one structure each: encode, decode, limits |
//! | 3 | [`wal`], [`segment`], [`lsm`], [`manifest`], [`archive`], [`foreign`], [`search`] | whole files of ours; files of other databases; exact search |
//! | 4 | [`store`] | collections and their versions |
//! | 5 | [`ops`] | one operation each: request, response, run |
//! | 6 | `node` | the same operations for JavaScript |

#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::todo,
    clippy::too_many_lines,
    clippy::unimplemented,
    clippy::unwrap_used
)]

pub mod archive;
pub mod codec;
pub mod control;
pub mod env;
pub mod error;
pub mod failpoint;
pub mod foreign;
pub mod format;
pub mod limits;
pub mod lsm;
pub mod manifest;
#[cfg(feature = "node")]
mod node;
pub mod ops;
pub mod search;
pub mod segment;
pub mod store;
mod sync;
pub mod wal;
pub mod workers;
