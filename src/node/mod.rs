//! The bindings: JavaScript values in, a call of `ops` or `store`, JavaScript values out. No decisions.
//!
//! Failures cross as values, because an error thrown by an asynchronous binding loses its code. Synchronous calls copy
//! what they are given; nothing that JavaScript owns is touched by another thread. No panic passes this boundary.

mod archive;
mod base;
mod chain;
mod collection;
mod diff;
mod failure;
mod job;
mod plan;
mod read;
mod search;
mod snapshot;
mod store;
mod view;
