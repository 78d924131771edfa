//! Parts of a mapped segment that are kept on the heap, so that reading them needs no page of the file.
//!
//! They are copies of checked bytes and never change. A read that crosses the border of a part goes to the mapping.

use super::heat::REGION_BYTES;
use crate::error::Result;
use std::sync::Arc;

/// A region's bytes in words, so that numbers in them are aligned as they are in the file; and how many count.
type Copied = (Arc<[u64]>, usize);

/// The parts, by the number of their region.
#[derive(Debug, Default)]
pub(super) struct Hot {
    /// Empty where nothing is hot, which is what most reads ask.
    regions: Box<[Option<Copied>]>,
}

impl Hot {
    /// Copies the regions with these offsets of a file of `length` bytes; those that `before` has are shared with it.
    pub fn of<'a>(
        offsets: &[u64],
        before: &Hot,
        read: impl Fn(u64, u64) -> Result<&'a [u8]>,
        length: u64,
    ) -> Result<Hot> {
        if offsets.is_empty() {
            return Ok(Hot::default());
        }
        let mut held: Vec<Option<Copied>> = vec![None; length.div_ceil(REGION_BYTES) as usize];
        for region in offsets.iter().map(|offset| offset / REGION_BYTES) {
            let Some(place) = held.get_mut(region as usize) else { continue };
            *place = match before.regions.get(region as usize).cloned().flatten() {
                Some(known) => Some(known),
                None => {
                    let offset = region * REGION_BYTES;
                    Some(copy(read(offset, REGION_BYTES.min(length - offset))?))
                }
            };
        }
        Ok(Hot { regions: held.into() })
    }

    /// The bytes, when they are within one of the parts.
    #[inline]
    pub fn find(&self, offset: u64, length: u64) -> Option<&[u8]> {
        if self.regions.is_empty() {
            return None;
        }
        let (words, bytes) = self.regions.get((offset / REGION_BYTES) as usize)?.as_ref()?;
        let start = (offset % REGION_BYTES) as usize;
        bytemuck::cast_slice::<u64, u8>(words).get(..*bytes)?.get(start..start.checked_add(length as usize)?)
    }

    /// The offsets of the parts.
    pub fn offsets(&self) -> Vec<u64> {
        let held = self.regions.iter().zip(0..).filter(|(held, _)| held.is_some());
        held.map(|(_, number)| number * REGION_BYTES).collect()
    }

    /// Bytes of the parts.
    pub fn bytes(&self) -> u64 {
        self.regions.iter().flatten().map(|(_, bytes)| *bytes as u64).sum()
    }
}

fn copy(bytes: &[u8]) -> Copied {
    let mut words = vec![0_u64; bytes.len().div_ceil(8)];
    if let Some(place) = bytemuck::cast_slice_mut::<u64, u8>(&mut words).get_mut(..bytes.len()) {
        place.copy_from_slice(bytes);
    }
    (words.into(), bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_whole_and_a_read_across_its_border_is_not() {
        let file: Vec<u8> = (0..2 * REGION_BYTES + 100).map(|at| (at % 251) as u8).collect();
        let length = file.len() as u64;
        let read = |offset: u64, length: u64| Ok(&file[offset as usize..(offset + length) as usize]);
        let hot = Hot::of(&[5, 2 * REGION_BYTES, 9 * REGION_BYTES], &Hot::default(), read, length).unwrap();
        assert_eq!((hot.offsets(), hot.bytes()), (vec![0, 2 * REGION_BYTES], REGION_BYTES + 100));
        assert_eq!(hot.find(5, 7).unwrap(), &file[5..12]);
        assert_eq!(hot.find(2 * REGION_BYTES + 90, 10).unwrap(), &file[file.len() - 10..]);
        for (offset, length) in [(REGION_BYTES - 1, 2), (REGION_BYTES, 1), (2 * REGION_BYTES + 99, 2), (u64::MAX, 1)] {
            assert!(hot.find(offset, length).is_none(), "{offset}");
        }
        let again = Hot::of(&[2 * REGION_BYTES], &hot, |_, _| panic!("it is there"), length).unwrap();
        assert_eq!((again.offsets(), again.bytes()), (vec![2 * REGION_BYTES], 100));
        assert!(Hot::default().find(0, 1).is_none());
    }
}
