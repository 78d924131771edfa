//! One operation, one file: what it is asked, what it answers, and `run` in between.
//!
//! Faces (the JavaScript bindings, later the command line) convert values and call these; they hold no logic.

pub mod adopt;
pub mod base;
pub mod chain;
pub mod diff;
mod digest;
pub mod export_ruvector;
pub mod load;
pub mod merge;
pub mod save;
pub mod save_incremental;
pub mod search;
pub mod snapshot_create;
pub mod snapshot_delete;
pub mod snapshot_list;
pub mod snapshot_load;
mod snapshots;
pub mod store;
