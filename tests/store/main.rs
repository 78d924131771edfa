//! The store through its own interface, on real files: what is written is there after closing, after a crash of the
//! process, after checkpoints and compactions, and what is refused leaves nothing.

#![expect(clippy::disallowed_methods, reason = "the tests damage files as nobody in the library may")]

mod damage;
mod engines;
mod faults;
mod history;
mod lifecycle;
mod lsm;
mod model;
mod reading;
mod snapshots;
mod support;
