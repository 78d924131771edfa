//! Compressed writing: none, gzip, brotli, zstd behind one writer.

use super::parts::Parts;
use crate::error::{Error, Kind, Result};
use crate::workers::cores;
use std::io::{self, Write};

/// How an archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, several members; levels 0 to 9, default 6.
    Gzip,
    /// RFC 7932; levels 0 to 11, default 4: smaller and faster than 5 on embeddings.
    Brotli,
    /// RFC 8878, one frame with content checksum; levels 1 to 22, default 1: smaller and faster than 3 on embeddings.
    Zstd,
}

impl Compression {
    /// The name that options and file suffixes use.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Brotli => "brotli",
            Compression::Zstd => "zstd",
        }
    }

    /// The compression of that name.
    pub fn named(name: &str) -> Result<Self> {
        [Compression::None, Compression::Gzip, Compression::Brotli, Compression::Zstd]
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or_else(|| {
                Error::new(Kind::Unsupported, format!("compression '{name}' is not one of none, gzip, brotli, zstd"))
            })
    }

    /// The level to use for what was asked; one out of range is refused.
    fn level(self, asked: Option<u32>) -> Result<u32> {
        let (range, default) = match self {
            Compression::None => return Ok(0),
            Compression::Gzip => (0..=9, 6),
            Compression::Brotli => (0..=11, 4),
            Compression::Zstd => (1..=22, 1),
        };
        let level = asked.unwrap_or(default);
        if range.contains(&level) {
            return Ok(level);
        }
        let (name, low, high) = (self.name(), range.start(), range.end());
        Err(Error::new(Kind::Limit, format!("{name} has levels {low} to {high}, not {level}")))
    }
}

enum Inner<W: Write> {
    None(W),
    Parts(Box<Parts<W>>),
    Zstd(Box<zstd::Encoder<'static, W>>),
}

/// A writer that compresses what it is given. Without `finish` the output is incomplete.
pub struct Compressor<W: Write>(Inner<W>);

impl<W: Write> Compressor<W> {
    /// Compresses onto `inner` with `compression` at `level`, or its default level.
    pub fn new(inner: W, compression: Compression, level: Option<u32>) -> Result<Self> {
        let level = compression.level(level)?;
        Ok(Compressor(match compression {
            Compression::None => Inner::None(inner),
            Compression::Gzip => Inner::Parts(Box::new(Parts::gzip(inner, level)?)),
            Compression::Brotli => Inner::Parts(Box::new(Parts::brotli(inner, level)?)),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(inner, level as i32)?;
                encoder.include_checksum(true)?;
                encoder.multithread(cores() as u32)?;
                Inner::Zstd(Box::new(encoder))
            }
        }))
    }

    /// Ends the stream and returns the inner writer.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Inner::None(inner) => Ok(inner),
            Inner::Parts(parts) => parts.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::None(inner) => inner.write(bytes),
            Inner::Parts(parts) => parts.write(bytes),
            Inner::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
