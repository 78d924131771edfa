//! Compression on every core: the input is cut into parts, each compressed alone, joined in order.
//!
//! gzip members may simply follow each other (RFC 1952, section 2.2). Brotli streams may not; they are made
//! catable and joined bit by bit by the brotli crate's `BroCatli`, so that any decoder reads one stream.

use crate::error::{Error, Kind, Result};
use crate::workers::InOrder;
use brotli::concat::{BroCatli, BroCatliResult};
use brotli::enc::BrotliEncoderParams;
use std::io::{self, Write};

/// How one part is compressed.
pub(super) type CompressPart = fn(&[u8], u32) -> io::Result<Vec<u8>>;

enum Join {
    Follow,
    Splice(Box<BroCatli>),
}

/// A writer that compresses in parts.
pub(super) struct Parts<W> {
    inner: W,
    pool: InOrder<io::Result<Vec<u8>>>,
    compress: CompressPart,
    level: u32,
    part: Vec<u8>,
    part_bytes: usize,
    any: bool,
    join: Join,
}

const GZIP_PART_BYTES: usize = 1 << 20;
const BROTLI_PART_BYTES: usize = 1 << 20;
const BROTLI_WINDOW_LOG: i32 = 20;

impl<W: Write> Parts<W> {
    /// gzip members of 1 MiB.
    pub fn gzip(inner: W, level: u32) -> Result<Self> {
        Self::new(inner, gzip_part, level, GZIP_PART_BYTES, Join::Follow)
    }

    /// One brotli stream made of parts of 1 MiB.
    pub fn brotli(inner: W, level: u32) -> Result<Self> {
        Self::new(inner, brotli_part, level, BROTLI_PART_BYTES, Join::Splice(Box::default()))
    }

    fn new(inner: W, compress: CompressPart, level: u32, part_bytes: usize, join: Join) -> Result<Self> {
        let pool = InOrder::new("compress")?;
        Ok(Parts { inner, pool, compress, level, part: Vec::new(), part_bytes, any: false, join })
    }

    fn push_part(&mut self) -> io::Result<()> {
        let (compress, level) = (self.compress, self.level);
        let part = std::mem::take(&mut self.part);
        self.any = true;
        match self.pool.push(move || compress(&part, level))? {
            Some(done) => self.put(&done?),
            None => Ok(()),
        }
    }

    fn put(&mut self, compressed: &[u8]) -> io::Result<()> {
        match &mut self.join {
            Join::Follow => self.inner.write_all(compressed),
            Join::Splice(joiner) => {
                joiner.new_brotli_file();
                let mut offset = 0;
                splice(&mut self.inner, |out, at| joiner.stream(compressed, &mut offset, out, at))
            }
        }
    }

    /// Compresses what is left and returns the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.part.is_empty() || !self.any {
            self.push_part()?;
        }
        while let Some(done) = self.pool.pop()? {
            self.put(&done?)?;
        }
        if let Join::Splice(joiner) = &mut self.join {
            splice(&mut self.inner, |out, at| joiner.finish(out, at))?;
        }
        Ok(self.inner)
    }
}

fn splice<W: Write>(out: &mut W, mut step: impl FnMut(&mut [u8], &mut usize) -> BroCatliResult) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let mut filled = 0;
        let result = step(&mut buffer, &mut filled);
        out.write_all(buffer.get(..filled).unwrap_or_default())?;
        match result {
            BroCatliResult::Success | BroCatliResult::NeedsMoreInput => return Ok(()),
            BroCatliResult::NeedsMoreOutput => {}
            _ => return Err(Error::new(Kind::Internal, "brotli parts could not be joined").into()),
        }
    }
}

impl<W: Write> Write for Parts<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (now, _) = bytes.split_at(bytes.len().min(self.part_bytes - self.part.len()));
        self.part.extend_from_slice(now);
        if self.part.len() == self.part_bytes {
            self.push_part()?;
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gzip_part(bytes: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli_part(bytes: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality: level as i32,
        lgwin: BROTLI_WINDOW_LOG,
        size_hint: bytes.len(),
        catable: true,
        appendable: true,
        use_dictionary: false,
        ..BrotliEncoderParams::default()
    };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params)?;
    Ok(out)
}
