//! Going back: which moments a collection can return to, and how one of them is made again.
//!
//! A moment is an LSN. What leads to it is a base (a snapshot, the last checkpoint, or nothing at all) and the records of
//! the log behind that. A replacement of the whole content (a load, a restore) begins a new timeline, which no record leads
//! into; where it was a restore of an earlier moment of the same collection, the way goes on through that moment.

mod catch_up;
mod plan;
mod point;
mod rewind;
mod trail;

pub use catch_up::CaughtUp;
pub use plan::Window;
pub use rewind::{Replay, Replayed, Rewind, Rewound, Target};
pub(super) use trail::Trail;
