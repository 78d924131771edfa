//! What a power cut may leave: which choices there are at a moment, and the disk that a choice gives.
//!
//! A choice says for each pending atom whether it reached the disk. [`choices`] lists them for one moment: all, none,
//! every prefix, each single one missing, each single one alone (atoms and whole calls), the orders of a journal with
//! and without data, lengths without data as zeros and as stale sectors, random subsets by sector and by page, and all
//! subsets where few atoms are pending. [`image`] applies one.
//!
//! In a journal's order (ext4, XFS) names survive as a prefix of the calls, and both halves of a rename together. In the
//! weak order any subset of names does, and a rename may leave both names or neither. A name that leads into a directory
//! that is not there is not there either; a directory that still holds something is not removed.

use crate::content::{Content, PAGE, SECTOR};
use crate::names::Node;
use crate::rng::Rng;
use crate::state::{Atom, Draft, File, Pending, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Which atoms reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// No power cut: the process is killed and the page cache lives on.
    Kill,
    /// Nothing that was pending.
    None,
    /// Everything that was pending.
    All,
    /// The atoms whose bits are set.
    Subset(u64),
    /// The first so many atoms.
    Prefix(usize),
    /// All but one atom.
    Without(usize),
    /// One atom.
    Alone(usize),
    /// All but what one call did.
    WithoutCall(u64),
    /// What one call did.
    AloneCall(u64),
    /// The names as a journal commits them, up to and with that call; all data or none of it.
    Journal { last: u64, data: bool },
    /// Every length, no data: zeros, or stale sectors where there is a seed.
    Lengths { stale: Option<u64> },
    /// At random.
    Random { seed: u64, unit: Unit, journal: bool, stale: bool },
}

/// What reaches the disk together in a random choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 512 bytes.
    Sector,
    /// 4 KiB.
    Page,
}

/// How many choices a moment gives.
#[derive(Debug, Clone, Copy)]
pub struct Breadth {
    /// Up to so many pending atoms all subsets are taken.
    pub subsets_up_to: usize,
    /// Above it: prefixes, single ones missing, single ones alone.
    pub singles: bool,
    /// Random subsets of each sort.
    pub random: usize,
}

impl Breadth {
    /// For the moments of a workload.
    pub const FULL: Breadth = Breadth { subsets_up_to: 12, singles: true, random: 8 };
    /// For the moments of a recovery, of which there are as many as images.
    pub const NESTED: Breadth = Breadth { subsets_up_to: 3, singles: false, random: 1 };
}

/// The choices at a moment, the two extremes first.
pub fn choices(state: &State, breadth: Breadth, seed: u64) -> Vec<Choice> {
    let pending = &state.pending;
    let count = pending.len();
    let mut found = vec![Choice::None];
    if count == 0 {
        return found;
    }
    found.push(Choice::All);
    let mut rng = Rng::new(seed);
    if count <= breadth.subsets_up_to {
        found.extend((1..(1_u64 << count) - 1).map(Choice::Subset));
    } else {
        if breadth.singles {
            found.extend((1..count).map(Choice::Prefix));
            found.extend((0..count).map(Choice::Without));
            found.extend((0..count).map(Choice::Alone));
            let calls: BTreeSet<u64> = pending.iter().map(|pending| pending.call).collect();
            found.extend(calls.iter().map(|call| Choice::WithoutCall(*call)));
            found.extend(calls.iter().map(|call| Choice::AloneCall(*call)));
        }
        let names: BTreeSet<u64> = pending.iter().filter(|p| p.atom.name().is_some()).map(|p| p.call).collect();
        for last in std::iter::once(0).chain(names) {
            found.extend([true, false].map(|data| Choice::Journal { last, data }));
        }
        for (unit, journal) in [(Unit::Sector, false), (Unit::Sector, true), (Unit::Page, true)]
            .into_iter()
            .cycle()
            .take(breadth.random * 3)
        {
            found.push(Choice::Random { seed: rng.next(), unit, journal, stale: rng.chance(30) });
        }
    }
    if pending.iter().any(|pending| matches!(pending.atom, Atom::Length { .. })) {
        found.push(Choice::Lengths { stale: None });
        for _ in 0..breadth.random.div_ceil(4) {
            found.push(Choice::Lengths { stale: Some(rng.next()) });
            found.push(Choice::Random { seed: rng.next(), unit: Unit::Sector, journal: true, stale: true });
        }
    }
    found
}

/// Which atoms a choice keeps.
pub fn kept(state: &State, choice: Choice) -> Vec<bool> {
    let pending = &state.pending;
    let each = |keep: &dyn Fn(usize, &Pending) -> bool| -> Vec<bool> {
        pending.iter().enumerate().map(|(at, pending)| keep(at, pending)).collect()
    };
    match choice {
        Choice::Kill | Choice::All => each(&|_, _| true),
        Choice::None => each(&|_, _| false),
        Choice::Subset(bits) => each(&|at, _| bits >> at & 1 == 1),
        Choice::Prefix(length) => each(&|at, _| at < length),
        Choice::Without(one) => each(&|at, _| at != one),
        Choice::Alone(one) => each(&|at, _| at == one),
        Choice::WithoutCall(call) => each(&|_, pending| pending.call != call),
        Choice::AloneCall(call) => each(&|_, pending| pending.call == call),
        Choice::Journal { last, data } => each(&|_, pending| match pending.atom.name() {
            Some(_) => pending.journaled || pending.call <= last,
            None => data,
        }),
        Choice::Lengths { .. } => each(&|_, pending| !matches!(pending.atom, Atom::Sector { .. })),
        Choice::Random { seed, unit, journal, .. } => random(pending, &mut Rng::new(seed), unit, journal),
    }
}

fn random(pending: &[Pending], rng: &mut Rng, unit: Unit, journal: bool) -> Vec<bool> {
    let share = [10, 50, 90][rng.below(3) as usize];
    let named: Vec<u64> = pending.iter().filter(|p| p.atom.name().is_some()).map(|p| p.call).collect();
    let last = match rng.below(named.len() as u64 + 1) as usize {
        0 => 0,
        some => named[some - 1],
    };
    let mut pages: BTreeMap<(u64, u64, u64), bool> = BTreeMap::new();
    let mut keep = |pending: &Pending| match (&pending.atom, unit) {
        (Atom::Add { .. } | Atom::Drop { .. }, _) if journal => pending.journaled || pending.call <= last,
        (Atom::Sector { file, index, .. }, Unit::Page) => {
            let page = (pending.call, *file, index * SECTOR / PAGE);
            *pages.entry(page).or_insert_with(|| rng.chance(share))
        }
        (Atom::Length { file, to }, Unit::Page) => {
            // The length moves with the page that it ends in.
            let page = (pending.call, *file, to.saturating_sub(1) / PAGE);
            *pages.entry(page).or_insert_with(|| rng.chance(share))
        }
        _ => rng.chance(share),
    };
    pending.iter().map(&mut keep).collect()
}

/// The disk that a choice leaves, with nothing pending; after a kill the whole state as it was.
pub fn image(state: &State, choice: Choice) -> State {
    let stale = match choice {
        Choice::Kill => return state.clone(),
        Choice::Lengths { stale } => stale,
        Choice::Random { seed, stale: true, .. } => Some(seed),
        _ => None,
    };
    let kept = kept(state, choice);
    let mut names = (*state.durable_names).clone();
    let mut drafts: BTreeMap<u64, Draft> = BTreeMap::new();
    let mut added = BTreeSet::new();
    for (pending, kept) in state.pending.iter().zip(&kept) {
        match &pending.atom {
            Atom::Add { directory, name, node } if *kept => {
                names.add(*directory, name, *node);
                added.insert(pending.call);
            }
            Atom::Drop { directory, name, node, renamed } => {
                let whole = match node {
                    Node::File(_) => *kept,
                    // A directory never has two names, and none only after a removal.
                    Node::Directory(_) if *renamed => added.contains(&pending.call) || !is_pending(state, pending.call),
                    Node::Directory(inner) => *kept && names.is_empty(*inner),
                };
                if whole {
                    names.drop(*directory, name, *node);
                }
            }
            atom => {
                let Some(file) = atom.file().filter(|_| *kept || stale.is_some()) else { continue };
                let Some(found) = state.files.get(&file) else { continue };
                let draft = drafts.entry(file).or_insert_with(|| Draft::new(&found.durable));
                match atom {
                    atom if *kept => draft.apply(atom),
                    Atom::Sector { index, .. } => draft.miss(*index),
                    _ => {}
                }
            }
        }
    }
    if let Some(seed) = stale {
        let mut rng = Rng::new(seed);
        drafts.values_mut().for_each(|draft| draft.fill(|index| stale_sector(state, index, &mut rng)));
    }
    found_after(state, names, drafts)
}

/// Whether the new name of the rename that was this call is still pending.
fn is_pending(state: &State, call: u64) -> bool {
    state.pending.iter().any(|pending| pending.call == call && matches!(pending.atom, Atom::Add { .. }))
}

fn found_after(state: &State, mut names: crate::names::Names, mut drafts: BTreeMap<u64, Draft>) -> State {
    let (files, directories) = names.reachable();
    names.keep_directories(&directories);
    let files = files.into_iter().filter_map(|file| {
        let content = match drafts.remove(&file) {
            Some(draft) => Arc::new(draft.finish()),
            None => state.files.get(&file)?.durable.clone(),
        };
        Some((file, File { durable: content.clone(), volatile: content }))
    });
    let (files, names) = (Arc::new(files.collect()), Arc::new(names));
    State { files, durable_names: names.clone(), names, pending: Arc::default(), ..state.clone() }
}

/// What a sector holds that a file was given and that was never written: the same sector of a removed file, any sector of
/// some file, or noise.
fn stale_sector(state: &State, index: u64, rng: &mut Rng) -> [u8; SECTOR as usize] {
    let mut sector = [0; SECTOR as usize];
    let removed = state.removed.get(rng.below(state.removed.len() as u64) as usize);
    let living = state.files.values().nth(rng.below(state.files.len() as u64) as usize).map(|file| &file.durable);
    let from = |content: &Content, index: u64, sector: &mut [u8]| sector.copy_from_slice(content.sector(index).bytes());
    match (rng.below(4), removed, living) {
        (0 | 1, Some(removed), _) => from(removed, index, &mut sector),
        (2, _, Some(living)) => from(living, rng.below(living.length().div_ceil(SECTOR)), &mut sector),
        _ => sector.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.next().to_le_bytes()[..chunk.len()])),
    }
    sector
}

/// Equal for states in which processes find the same names and bytes, and in which the same would survive a power cut
/// when nothing is pending.
pub fn hash(state: &State) -> u128 {
    let mut hasher = Xxh3::new();
    for (path, node) in state.names.paths() {
        hasher.update(path.as_bytes());
        let content = match node {
            Node::File(file) => state.files.get(&file).map_or(1, |file| file.volatile.hash()),
            Node::Directory(_) => 2,
        };
        hasher.update(&[0]);
        hasher.update(&content.to_le_bytes());
    }
    hasher.digest128()
}

/// For a person: what is pending, and what of it a choice keeps.
pub fn describe(state: &State, choice: Choice) -> String {
    const SHOWN_MAX: usize = 48;
    let paths: BTreeMap<u64, String> = [&state.durable_names, &state.names]
        .into_iter()
        .flat_map(|names| names.paths())
        .filter_map(|(path, node)| if let Node::File(file) = node { Some((file, path)) } else { None })
        .collect();
    let path = |file: &u64| paths.get(file).cloned().unwrap_or_else(|| format!("file {file}, which has no name"));
    let mut lines = vec![format!("{choice:?} of {} pending atoms", state.pending.len())];
    for (pending, kept) in state.pending.iter().zip(kept(state, choice)).take(SHOWN_MAX) {
        let what = match &pending.atom {
            Atom::Sector { file, index, .. } => format!("sector {index} of {}", path(file)),
            Atom::Length { file, to } => format!("length {to} of {}", path(file)),
            Atom::Zero { file, from, to } => format!("zeros {from}..{to} of {}", path(file)),
            Atom::Cut { file, to } => format!("cut to {to} of {}", path(file)),
            Atom::Add { name, node, .. } => format!("name {name} for {node:?}"),
            Atom::Drop { name, node, .. } => format!("no name {name} for {node:?}"),
        };
        let fate = if kept { "kept" } else { "gone" };
        lines.push(format!(
            "  {fate}  call {}: {what}{}",
            pending.call,
            if pending.lost { " (its sync failed)" } else { "" }
        ));
    }
    if state.pending.len() > SHOWN_MAX {
        lines.push(format!("  and {} more", state.pending.len() - SHOWN_MAX));
    }
    lines.join("\n")
}
