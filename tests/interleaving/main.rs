//! The store under a scheduler that decides which thread goes on at each lock, wait, notification and call of a file
//! system: thousands of orders, chosen at random and by PCT, which finds bugs that need few but unlikely switches.
//!
//! - `memory`: the file system, with one fault and one planted bug
//! - `world`: a store on it, writers that note what they were told, and what has to hold afterwards
//! - `commit`: group commit, poison, refusal, rotation, close
//! - `versions`: versions and readers beside checkpoint, compaction and replacement
//!
//! A deadlock (a notification that was forgotten) is a failure as well. A failure prints a schedule; the seed of all runs
//! is fixed, so that the same build fails in the same way. `INTERLEAVINGS=<number>` says how many each test tries.

#![cfg(unix)]

mod commit;
mod memory;
mod versions;
mod world;
