//! Compressed reading: what a stream is compressed with is told by its content, never by a name.
//!
//! gzip and zstd have magic numbers. Brotli has none: a stream is taken for brotli when its beginning decodes to
//! the beginning of something that the caller knows (`looks_known`). Windows are bounded, dictionaries refused,
//! whatever follows a stream is an error.

use super::Compression;
use super::brotli_reader::BrotliReader;
use crate::error::{Error, Kind, Result};
use crate::limits::ZSTD_WINDOW_LOG_MAX;
use std::io::{self, BufReader, Cursor, Read};

/// A stream ready to be read, and what it was compressed with.
pub struct Opened {
    /// The uncompressed bytes.
    pub stream: Box<dyn Read + Send>,
    /// How they were compressed.
    pub compression: Compression,
    /// The first uncompressed bytes, for telling formats apart; they are in `stream` as well.
    pub head: Vec<u8>,
}

const PROBE_BYTES: usize = 1 << 16;
/// The header of a SQLite database, the longest of what is told apart, and some more.
const HEAD_BYTES: usize = 128;

/// Opens `source`, whose uncompressed content should begin as `looks_known` tells.
pub fn open(mut source: impl Read + Send + 'static, looks_known: fn(&[u8]) -> bool) -> Result<Opened> {
    let mut probe = Vec::with_capacity(PROBE_BYTES);
    source.by_ref().take(PROBE_BYTES as u64).read_to_end(&mut probe)?;
    let compression = match probe.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        bytes if is_brotli(bytes, looks_known) => Compression::Brotli,
        _ => Compression::None,
    };
    let whole = BufReader::with_capacity(PROBE_BYTES, Cursor::new(probe).chain(source));
    let mut stream: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(Told(flate2::bufread::MultiGzDecoder::new(whole), "gzip")),
        Compression::Brotli => Box::new(BrotliReader::new(whole)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(whole)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(Told(decoder, "zstd"))
        }
    };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    stream.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(Opened { stream: Box::new(Cursor::new(head.clone()).chain(stream)), compression, head })
}

fn is_brotli(probe: &[u8], looks_known: fn(&[u8]) -> bool) -> bool {
    let mut head = [0; HEAD_BYTES];
    let mut filled = 0;
    let mut reader = BrotliReader::new(probe);
    while let Some(room) = head.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(count) if count > 0 => filled += count,
            _ => break,
        }
    }
    looks_known(head.get(..filled).unwrap_or_default())
}

/// Turns a decoder's errors into ours, with the codec's name.
struct Told<R>(R, &'static str);

impl<R: Read> Read for Told<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            if error.raw_os_error().is_some() || error.get_ref().is_some_and(|inner| inner.is::<Error>()) {
                return error;
            }
            let text = error.to_string();
            let (kind, what) = match error.kind() {
                io::ErrorKind::UnexpectedEof => (Kind::Format, "ends too early".to_owned()),
                _ if text.contains("too much memory") => {
                    (Kind::Limit, format!("asks for a window of more than 2^{ZSTD_WINDOW_LOG_MAX} bytes"))
                }
                _ => (Kind::Format, format!("is damaged or followed by other bytes: {text}")),
            };
            Error::new(kind, format!("the {} stream {what}", self.1)).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Compressor;
    use std::io::Write;

    const ALL: [Compression; 4] = [Compression::None, Compression::Gzip, Compression::Brotli, Compression::Zstd];

    fn known(head: &[u8]) -> bool {
        head.starts_with(b"{\"")
    }

    fn compressed(bytes: &[u8], compression: Compression) -> Vec<u8> {
        let mut writer = Compressor::new(Vec::new(), compression, None).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn text(length: usize) -> Vec<u8> {
        let mut bytes = b"{\"".to_vec();
        bytes.extend((0..length as u32).flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes()).take(length));
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<(Compression, Vec<u8>)> {
        let mut opened = open(Cursor::new(bytes), known)?;
        let mut out = Vec::new();
        opened.stream.read_to_end(&mut out)?;
        Ok((opened.compression, out))
    }

    #[test]
    fn every_codec_round_trips_every_size_and_is_recognised_by_content() {
        for compression in ALL {
            for length in [0, 1, 100, (1 << 20) + 1, (9 << 20) + 17] {
                let bytes = text(length);
                let (found, out) = read(compressed(&bytes, compression)).unwrap();
                assert_eq!(found, compression);
                assert!(out == bytes, "{compression:?} {length}");
            }
        }
    }

    #[test]
    fn a_cut_stream_and_trailing_bytes_are_format_errors() {
        for compression in [Compression::Gzip, Compression::Brotli, Compression::Zstd] {
            let bytes = compressed(&text(10_000), compression);
            let cut = bytes.get(..bytes.len() - 1).unwrap().to_vec();
            assert_eq!(read(cut).unwrap_err().kind, Kind::Format, "{compression:?} cut");
            let mut longer = bytes;
            longer.extend_from_slice(b"garbage");
            assert_eq!(read(longer).unwrap_err().kind, Kind::Format, "{compression:?} longer");
        }
    }

    #[test]
    fn a_window_of_two_gibibytes_is_a_limit_error() {
        // A zstd frame header that asks for a window of 2^31 bytes (RFC 8878, section 3.1.1.1.2).
        let frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
        assert_eq!(read(frame).unwrap_err().kind, Kind::Limit);
    }
}
