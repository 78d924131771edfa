//! Frames of a log file that are checked and decoded before it is their turn: the work, without any judgement of it.
//!
//! A portion is found by the lengths alone, which may be wrong; what does not hold a whole frame with a right checksum is
//! left out, and the reader looks for itself there.

use super::frame;
use crate::error::Result;
use crate::format::header::array;
use crate::format::record::{self, Record};
use std::collections::VecDeque;

/// Bytes of frames in one portion, about: enough to hide what it costs to hand them to another thread.
const PORTION_BYTES: usize = 256 << 10;

/// A frame that was whole and unharmed.
pub(super) struct Decoded {
    pub offset: usize,
    /// Of the frame.
    pub bytes: usize,
    pub lsn: u64,
    pub record: Result<Record>,
}

/// What stands at an offset.
pub(super) fn decode(bytes: &[u8], seed: u32, offset: usize) -> Option<Decoded> {
    let (record, length) = frame::at(bytes, seed, offset)?;
    let (lsn, _) = record::peek(record)?;
    Some(Decoded { offset, bytes: length, lsn, record: record::decode(record) })
}

/// Frames that stand one behind the other.
pub struct Portion {
    seed: u32,
    start: usize,
    end: usize,
    pub(super) frames: VecDeque<Decoded>,
}

impl Portion {
    /// The next frames from an offset on, by their lengths; `None` where none begins.
    pub(super) fn at(bytes: &[u8], seed: u32, start: usize) -> Option<Portion> {
        let mut end = start;
        while end - start < PORTION_BYTES
            && let Some(length) = array(bytes, end).map(u32::from_le_bytes).filter(|length| *length > 0)
        {
            let behind = end + frame::frame_bytes(length as usize);
            if behind > bytes.len() {
                break;
            }
            end = behind;
        }
        (end > start).then_some(Portion { seed, start, end, frames: VecDeque::new() })
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.end as u64
    }

    /// The same with its frames decoded, up to the first that is not whole.
    pub fn decoded(mut self, bytes: &[u8]) -> Portion {
        let mut offset = self.start;
        while offset < self.end
            && let Some(frame) = decode(bytes, self.seed, offset)
        {
            offset += frame.bytes;
            self.frames.push_back(frame);
        }
        self
    }
}
