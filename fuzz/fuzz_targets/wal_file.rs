//! See `wal_file` in fuzz/common/bodies.rs.

#![no_main]

#[path = "../common/mod.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::wal_file(data));
