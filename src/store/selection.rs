//! Which parts of a collection a checkpoint writes anew, and which of them together.

use super::checkpoint::Compact;
use super::part::Sealed;
use crate::manifest::{SegmentKind, Settings};

/// Segment files stay below about this size: a rewrite of one is then never a rewrite of everything.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// So many segments of about one size become one.
const FAN_IN: usize = 8;

/// Parts that become one segment.
#[derive(Debug)]
pub struct Group {
    /// The parts, in order.
    pub sources: Vec<Sealed>,
}

impl Group {
    /// Live rows.
    pub fn rows(&self) -> u64 {
        self.sources.iter().map(|source| u64::from(source.dead.live())).sum()
    }

    /// Whether segments are among the parts.
    pub fn rewrites(&self) -> bool {
        self.sources.iter().any(|source| source.part.kind().is_some())
    }
}

/// What is to be written, and how large.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Parts of another kind are always written anew.
    pub kind: SegmentKind,
    /// About what a memtable holds.
    pub unit: u64,
    /// Parts stay below about this size.
    pub most: u64,
}

impl Goal {
    /// As the settings say.
    pub fn of(settings: &Settings) -> Goal {
        let kind = settings.engine.segments();
        let most = match kind {
            SegmentKind::File => SEGMENT_BYTES_MAX,
            SegmentKind::Lsm => settings.lsm.target_file_size,
        };
        Goal { kind, unit: settings.memtable_size, most }
    }
}

/// Bytes that the live rows of a part take in a segment, about.
fn live_bytes(sealed: &Sealed) -> u64 {
    let (live, rows) = (u128::from(sealed.dead.live()), sealed.part.rows().max(1) as u128);
    (u128::from(sealed.part.bytes()) * live / rows) as u64
}

fn dead_share(sealed: &Sealed) -> f64 {
    f64::from(sealed.dead.dead()) / sealed.part.rows().max(1) as f64
}

/// Segments of about one size have the same tier: each tier is four times the one before.
fn tier(bytes: u64, unit: u64) -> u32 {
    (bytes / unit.max(1)).max(1).ilog(4)
}

/// Chooses. Frozen memtables and parts of another kind than the wanted always are among the chosen.
pub fn select(sealed: &[Sealed], compact: Compact, goal: Goal) -> Vec<Group> {
    let unit = goal.unit;
    let small = |sealed: &&Sealed| live_bytes(sealed) < goal.most / 4;
    let mut chosen: Vec<bool> = sealed
        .iter()
        .map(|sealed| {
            sealed.part.kind() != Some(goal.kind)
                || match compact {
                    Compact::Nothing => sealed.dead.live() == 0,
                    Compact::Above(share) => sealed.dead.live() == 0 || dead_share(sealed) > share,
                    Compact::All => sealed.dead.dead() > 0,
                }
        })
        .collect();
    let choose = |chosen: &mut Vec<bool>, which: &dyn Fn(&Sealed) -> bool| {
        for (is_chosen, sealed) in chosen.iter_mut().zip(sealed) {
            *is_chosen |= which(sealed);
        }
    };
    match compact {
        Compact::Nothing => {}
        // No share is above 1: rewriting segments is switched off.
        Compact::Above(share) if share > 1.0 => {}
        Compact::All => {
            // One small segment alone is as good as it gets.
            if chosen.iter().any(|is_chosen| *is_chosen) || sealed.iter().filter(small).count() > 1 {
                choose(&mut chosen, &|sealed| small(&sealed));
            }
        }
        Compact::Above(_) => {
            let mut tiers = std::collections::BTreeMap::<u32, usize>::new();
            for sealed in sealed.iter().filter(small) {
                *tiers.entry(tier(live_bytes(sealed), unit)).or_default() += 1;
            }
            for (crowded, _) in tiers.into_iter().filter(|(_, count)| *count >= FAN_IN) {
                choose(&mut chosen, &|sealed| small(&sealed) && tier(live_bytes(sealed), unit) == crowded);
            }
        }
    }
    group(sealed.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(sealed, _)| sealed), goal.most)
}

/// Puts neighbours together up to about that many bytes.
pub fn group<'a>(parts: impl Iterator<Item = &'a Sealed>, most: u64) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut bytes = u64::MAX;
    for sealed in parts {
        let more = live_bytes(sealed);
        match groups.last_mut().filter(|_| bytes.saturating_add(more) <= most) {
            Some(group) => {
                group.sources.push(sealed.clone());
                bytes += more;
            }
            None => {
                groups.push(Group { sources: vec![sealed.clone()] });
                bytes = more;
            }
        }
    }
    groups
}
