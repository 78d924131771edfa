//! Crash tests: a store on a simulated disk loses power at every moment, in every way, and has to keep its promises.
//!
//! - `content`, `names`, `state`: a disk with its page cache, and what is pending between the two
//! - `image`: what a power cut may leave of it
//! - `sim`, `calls`, `fault`: the file system that stores see, and what goes wrong with it
//! - `recorder`, `order`: the moments of a run; rules of durable order
//! - `model`, `subject`, `sweep`: the oracle, the trait that a tested store implements, the test itself
//! - `chance`: random operations with crashes, full disks and failing calls, against the model
//! - `fakes`, `selftest`: small stores with planted bugs, each of which has to be found
//! - `engine`, `enginetest`: the store itself, and the bugs planted beneath it
//! - `snapshots`: snapshots, restores and rewinds, under both
//! - `simtest`: the simulated disk beside the real one, and every row of what a crash may leave
//!
//! `CRASH_IMAGES=<number>` or `all` says how many images a sweep opens. A failure names the moment, the call before it, and
//! each pending change that survived or did not.

#![cfg(unix)]

mod calls;
mod chance;
mod content;
mod engine;
mod enginetest;
mod fakes;
mod fault;
mod image;
mod model;
mod names;
mod order;
mod recorder;
mod rng;
mod selftest;
mod sim;
mod simtest;
mod snapshots;
mod state;
mod subject;
mod sweep;
