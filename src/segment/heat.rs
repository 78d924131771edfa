//! What is read of a segment and how often: counters without locks, for statistics and for keeping hot parts near.

use std::sync::atomic::{AtomicU64, Ordering};

/// The parts of a file that are counted separately.
pub(super) const REGION_BYTES: u64 = 1 << 20;

/// What is known of the use of one segment since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Bytes of the file that are mapped; 0 when it was read to the heap.
    pub mapped: u64,
    /// Bytes of it on the heap; 0 when it is mapped.
    pub heap: u64,
    /// Bytes of it in memory, where the operating system tells.
    pub resident: Option<u64>,
    /// Whether huge pages were asked for and the operating system agreed.
    pub huge_pages: bool,
    /// Look-ups of an id, and reads of an id, a vector or metadata.
    pub reads: u64,
    /// Those of them whose blocks had all been checked, and so been in memory, before.
    pub hits: u64,
    /// Blocks of the file.
    pub blocks: u64,
    /// Blocks that were found to agree with their checksums.
    pub checked: u64,
}

/// A part of a file and how many reads began in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes: 1 MiB, but for the last.
    pub length: u64,
    /// Reads that began in it.
    pub hits: u64,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Heat {
    length: u64,
    /// Reads that were no hits: they are few, and all reads are the sum of the regions', so that a hit costs one addition.
    misses: AtomicU64,
    regions: Box<[AtomicU64]>,
}

impl Heat {
    pub fn new(length: u64) -> Heat {
        let regions = (0..length.div_ceil(REGION_BYTES)).map(|_| AtomicU64::new(0)).collect();
        Heat { length, misses: AtomicU64::new(0), regions }
    }

    /// Counts a read that begins at `offset`.
    #[inline]
    pub fn count(&self, offset: u64, hit: bool) {
        if !hit {
            self.misses.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(region) = self.regions.get((offset / REGION_BYTES) as usize) {
            region.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads and hits so far.
    pub fn totals(&self) -> (u64, u64) {
        let misses = self.misses.load(Ordering::Relaxed);
        let reads = self.regions.iter().map(|region| region.load(Ordering::Relaxed)).sum::<u64>().max(misses);
        (reads, reads - misses)
    }

    /// At most `count` regions that were read, the hottest first.
    pub fn hottest(&self, count: usize) -> Vec<Region> {
        let counted = self.regions.iter().zip(0..).map(|(region, number)| {
            let offset = number * REGION_BYTES;
            Region { offset, length: (self.length - offset).min(REGION_BYTES), hits: region.load(Ordering::Relaxed) }
        });
        let mut regions: Vec<Region> = counted.filter(|region| region.hits > 0).collect();
        regions.sort_by_key(|region| (u64::MAX - region.hits, region.offset));
        regions.truncate(count);
        regions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_regions_come_first() {
        let heat = Heat::new(3 * REGION_BYTES + 5);
        for (offset, reads) in [(REGION_BYTES, 3), (3 * REGION_BYTES + 4, 7), (5, 3)] {
            (0..reads).for_each(|read| heat.count(offset, read > 0));
        }
        assert_eq!(heat.totals(), (13, 10));
        let found: Vec<_> = heat.hottest(9).iter().map(|region| (region.offset, region.length, region.hits)).collect();
        let last = (3 * REGION_BYTES, 5, 7);
        assert_eq!(found, [last, (0, REGION_BYTES, 3), (REGION_BYTES, REGION_BYTES, 3)]);
        assert_eq!(heat.hottest(1).len(), 1);
    }
}
