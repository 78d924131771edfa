//! Brotli, streamed, strict: a window of at most 16 MiB, and nothing may follow the stream.

use crate::error::{Error, Kind};
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};
use std::io::{self, Read};

type State = BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>;

pub(super) struct BrotliReader<R> {
    inner: R,
    state: Box<State>,
    input: Vec<u8>,
    at: usize,
    done: bool,
}

const INPUT_BYTES: usize = 1 << 16;

fn malformed(what: &str) -> io::Error {
    Error::new(Kind::Format, format!("the brotli stream {what}")).into()
}

impl<R: Read> BrotliReader<R> {
    pub fn new(inner: R) -> Self {
        let state = BrotliState::new_strict(HeapAlloc::default(), HeapAlloc::default(), HeapAlloc::default());
        BrotliReader { inner, state: Box::new(state), input: Vec::new(), at: 0, done: false }
    }

    /// Reads more input; `false` at its end.
    fn fill(&mut self) -> io::Result<bool> {
        self.input.resize(INPUT_BYTES, 0);
        let count = read_some(&mut self.inner, &mut self.input)?;
        self.input.truncate(count);
        self.at = 0;
        Ok(count > 0)
    }

    fn expect_end(&mut self) -> io::Result<usize> {
        if self.at < self.input.len() || self.fill()? {
            return Err(malformed("is followed by other bytes"));
        }
        Ok(0)
    }
}

fn read_some<R: Read>(inner: &mut R, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl<R: Read> Read for BrotliReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.done {
                return self.expect_end();
            }
            let (mut left, mut room, mut filled, mut total) = (self.input.len() - self.at, buffer.len(), 0, 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut self.at,
                &self.input,
                &mut room,
                &mut filled,
                buffer,
                &mut total,
                &mut self.state,
            );
            match result {
                BrotliResult::ResultFailure => return Err(malformed("is damaged")),
                BrotliResult::ResultSuccess => self.done = true,
                BrotliResult::NeedsMoreInput if filled == 0 => {
                    if !self.fill()? {
                        return Err(malformed("ends too early"));
                    }
                    continue;
                }
                _ => {}
            }
            if filled > 0 {
                return Ok(filled);
            }
        }
    }
}
