//! The bodies of the fuzz targets. The fuzzer runs them on what it makes up (`fuzz/fuzz_targets/`), and `cargo test`
//! on the corpus that is kept (`tests/corpus.rs`).
//!
//! Each takes any bytes, must neither panic nor run for ever nor take memory that the bytes do not justify, and checks what
//! has to hold of whatever was accepted. Where the first byte is odd, the checksums of the rest are made right first (see
//! `repair`): what a fuzzer makes up would never get past them, but a program that writes wrong things does.

mod bodies;
mod files;
mod repair;
pub mod seeds;

pub use bodies::{dead_rows, filter, manifest, record, segment, store_header, wal_file};

/// A target: its name, its body, and inputs to begin with.
#[allow(dead_code, clippy::allow_attributes, reason = "the tests use them all, each target only its own body")]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
#[allow(dead_code, clippy::allow_attributes, reason = "the tests use them all, each target only its own body")]
pub const TARGETS: [Target; 7] = [
    Target { name: "wal_file", run: wal_file, seeds: seeds::wal_file },
    Target { name: "manifest", run: manifest, seeds: seeds::manifest },
    Target { name: "segment", run: segment, seeds: seeds::segment },
    Target { name: "dead_rows", run: dead_rows, seeds: seeds::dead_rows },
    Target { name: "record", run: record, seeds: seeds::record },
    Target { name: "store_header", run: store_header, seeds: seeds::store_header },
    Target { name: "filter", run: filter, seeds: seeds::filter },
];
