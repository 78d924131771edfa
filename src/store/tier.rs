//! How the parts of a collection are held in memory: brought to what the settings say, while they are used.
//!
//! With engine `hybrid` the regions that were read most since the collection was opened are on the heap, up to the size
//! of the hot tier; everything else is mapped. The runs of engine `lsm` share one cache of blocks. Readers go on
//! meanwhile: whoever holds a part keeps it as it was.

use super::part::Part;
use super::sealing::Access;
use super::stored::Core;
use crate::error::Result;
use crate::lsm::Run;
use crate::manifest::{Engine, Settings};
use crate::segment::Segment;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// The offsets of hot regions by the number of their segment.
type Hottest = BTreeMap<u64, Vec<u64>>;

impl Core {
    /// Brings every part to what the settings say.
    pub fn arrange(&self) -> Result<()> {
        if self.volatile {
            return Ok(());
        }
        // Neither checkpoint nor compaction meanwhile, so that what is exchanged is what stands in the state.
        let _turn = self.turn.take();
        let settings = self.settings(Settings::clone);
        let Access { files: access, runs } = self.access.read().unwrap_or_else(PoisonError::into_inner).clone();
        let parts: Vec<Part> = self.read().sealed().iter().map(|sealed| sealed.part.clone()).collect();
        let segments: Vec<Arc<Segment>> = parts.iter().filter_map(|part| part.segment().cloned()).collect();
        let hottest = match settings.engine {
            Engine::Hybrid if access.mapped => hottest(&segments, settings.hot_tier_size),
            _ => Hottest::new(),
        };
        for segment in segments {
            let regions = hottest.get(&segment.number()).map(Vec::as_slice).unwrap_or_default();
            if segment.access() != access || segment.hot() != regions {
                let other = Arc::new(segment.held_as(access, regions)?);
                self.write().exchange(&Part::Segment(segment), Part::Segment(other));
            }
        }
        for part in parts {
            let Part::Run(run) = &part else { continue };
            if !run.cache().is(&runs.cache) {
                let again = Run::open(&*self.fs, run.path(), run.expected(), &runs)?;
                self.write().exchange(&part, Part::Run(Arc::new(again)));
            }
        }
        Ok(())
    }
}

/// The regions that are read most and that fit together, sorted; of equally hot ones those of newer segments.
fn hottest(segments: &[Arc<Segment>], bytes_max: u64) -> Hottest {
    let mut regions = Vec::new();
    for segment in segments {
        regions.extend(segment.hot_regions(usize::MAX).into_iter().map(|region| (segment.number(), region)));
    }
    regions.sort_by_key(|(number, region)| (u64::MAX - region.hits, u64::MAX - number, region.offset));
    let mut left = bytes_max;
    let mut chosen = Hottest::new();
    for (number, region) in regions {
        let Some(rest) = left.checked_sub(region.length) else { break };
        left = rest;
        chosen.entry(number).or_default().push(region.offset);
    }
    chosen.values_mut().for_each(|offsets| offsets.sort_unstable());
    chosen
}
