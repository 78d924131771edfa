//! See `store_header` in fuzz/shared/bodies.rs.

#![no_main]

#[path = "../shared/mod.rs"]
mod shared;

libfuzzer_sys::fuzz_target!(|data: &[u8]| shared::store_header(data));
