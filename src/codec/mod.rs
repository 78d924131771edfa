//! Bytes in memory: checksums and compression, streamed. Knows no file, no format and no entry.

mod brotli_reader;
mod checksum;
mod compress;
mod decompress;
mod parts;
mod read_ahead;

pub use checksum::{Digest, Piece, Tally};
pub use compress::{Compression, Compressor};
pub use decompress::{Opened, open};
pub use read_ahead::{Blocks, Counted, SPARE_BYTES};
