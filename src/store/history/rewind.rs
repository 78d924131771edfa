//! Going back to a moment, and forward again along the log that was there.
//!
//! The content of that moment is made in a collection without a name, in bounded memory, and then put in the place of the
//! present one by one manifest, or given a name of its own. The present content stays reachable: it is a moment, too.

use super::plan::{Past, Plan, Span, Window};
use super::trail::Trail;
use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::format::Description;
use crate::format::document::hex;
use crate::manifest::RestorePoint;
use crate::store::collection::Collection;
use crate::store::log::held;
use crate::store::open::Store;
use crate::store::recovery;
use crate::store::sealing::Access;
use crate::store::snapshot::{Complete, SnapshotEntry};
use crate::store::stored::{Core, StoredCollection};
use crate::store::version::Version;
use std::path::PathBuf;
use std::sync::Arc;

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Behind the change of that number.
    Lsn(u64),
    /// Behind the last change that is not newer, microseconds since 1970.
    Time(u64),
    /// The moment of that name.
    Point(String),
}

/// Where to go.
#[derive(Debug, Clone)]
pub struct Rewind {
    /// The collection.
    pub collection: String,
    /// The moment.
    pub to: Target,
    /// A new collection that gets the content, in the stead of this one.
    pub target: Option<String>,
    /// The folder of snapshots; the one of the store when none is given.
    pub directory: Option<PathBuf>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewound {
    /// The moment, as the last change before it.
    pub lsn: u64,
    /// The snapshot that was begun with; none: the last checkpoint, or nothing at all.
    pub snapshot: Option<String>,
    /// Records of the log that were replayed.
    pub records: u64,
    /// Entries now.
    pub entries: u64,
}

/// A part of the log to do again.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    /// The collection.
    pub collection: String,
    /// Only records newer than this, microseconds since 1970.
    pub from: Option<u64>,
    /// Only records that are not newer than this.
    pub until: Option<u64>,
    /// Only records from this file of the log on.
    pub from_segment: Option<u64>,
    /// Read and check every file of the log before anything is done.
    pub verify: bool,
}

/// What was replayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Files of the log that were read.
    pub segments: u64,
    /// Records that were done again.
    pub operations: u64,
    /// The change that the content is as of.
    pub lsn: u64,
}

/// Everything that is needed to make a moment again; the files of it cannot go meanwhile.
pub(super) struct Ways {
    past: Past,
    trail: Trail,
    checkpoint: Collection,
    snapshots: Vec<SnapshotEntry>,
    id: String,
}

impl Store {
    /// The moments that a collection can go back to.
    pub fn windows(&self, collection: &str, directory: Option<PathBuf>) -> Result<Vec<Window>> {
        self.windows_without(collection, directory, &[])
    }

    /// Those that would be left without some snapshots.
    pub fn windows_without(&self, collection: &str, directory: Option<PathBuf>, gone: &[&str]) -> Result<Vec<Window>> {
        let found = self.collection(collection)?;
        Ok(self.ways(&found, directory, gone)?.past.windows())
    }

    /// Whether a collection keeps anything of its past: one in memory does not.
    pub fn has_past(&self, collection: &str) -> Result<bool> {
        Ok(!self.collection(collection)?.core().volatile)
    }

    /// Gives the present moment a name.
    pub fn name_moment(&self, collection: &str, name: &str) -> Result<RestorePoint> {
        let found = self.collection(collection)?;
        found.name_moment(name)
    }

    /// Goes back to a moment.
    pub fn rewind(&self, request: &Rewind, control: &Control) -> Result<Rewound> {
        let found = self.collection(&request.collection)?;
        if let Some(target) = &request.target {
            self.check_target(target, false)?;
        }
        let ways = self.ways(&found, request.directory.clone(), &[])?;
        let lsn = ways.lsn_of(&found, &request.to)?;
        let plan = ways.plan(lsn)?;
        let (scratch, records) = self.make(&found, &ways, &plan, control)?;
        let entries = scratch.version().len() as u64;
        let mut settings = found.manifest().settings;
        match &request.target {
            Some(name) => {
                settings.read_only = false;
                settings.wal.directory = None;
                self.settle_scratch(scratch, settings, name, Ok(()))?;
            }
            None => {
                let done = found.go_back(&scratch.version(), Some(lsn));
                let removed = self.remove_hidden(&scratch);
                done.and(removed)?;
            }
        }
        let snapshot = ways.snapshot(plan.base).map(|entry| entry.id().to_owned());
        Ok(Rewound { lsn, snapshot, records, entries })
    }

    /// Does records of the log again that the content does not have: after a restore those behind the moment that was
    /// restored. Doing it twice changes nothing more.
    pub fn replay(&self, request: &Replay, control: &Control) -> Result<Replayed> {
        let found = self.collection(&request.collection)?;
        let ways = self.ways(&found, None, &[])?;
        if request.verify {
            ways.verify(control)?;
        }
        let (now, newest) = (ways.past.last, ways.past.timelines.last().copied());
        let Some(begun) = newest.filter(|begun| begun.lsn == now).and_then(|begun| begun.source.zip(Some(begun.lsn)))
        else {
            return Ok(Replayed { lsn: now, ..Replayed::default() });
        };
        let (position, restored) = begun;
        // The timeline that was left: up to the next replacement behind the position.
        let next = ways.past.timelines.iter().map(|timeline| timeline.lsn).find(|lsn| *lsn > position);
        let end = next.unwrap_or(restored).saturating_sub(1);
        let until = request.until.map(|time| ways.trail.last_until(time)).transpose()?.flatten();
        let to = request.until.map_or(end, |_| until.unwrap_or(0)).min(end);
        let mut after = position;
        if let Some(time) = request.from {
            after = after.max(ways.trail.last_until(time)?.unwrap_or(0));
        }
        if let Some(number) = request.from_segment {
            let manifest = found.manifest();
            let file = manifest.wal.iter().find(|file| file.number == number);
            let missing = || Error::new(Kind::NotFound, format!("the log has no file {number}"));
            after = after.max(file.ok_or_else(missing)?.first_lsn.saturating_sub(1));
        }
        if to <= after {
            return Ok(Replayed { lsn: position, ..Replayed::default() });
        }
        let span = Span { after, to };
        if ways.past.first_record.is_none_or(|first| first > after + 1) {
            return Err(ways.out_of_range(&format!("record {}", after + 1)));
        }
        let scratch = self.scratch(&found.manifest().settings)?;
        let made = scratch.replace(&found.version()).and_then(|_| redo(&scratch, &ways.trail, span, control));
        let done = made.and_then(|operations| {
            // Where records were passed over, this is no moment of the past any more.
            let source = (after == position).then_some(to);
            found.go_back(&scratch.version(), source)?;
            Ok(operations)
        });
        let removed = self.remove_hidden(&scratch);
        let operations = done?;
        removed?;
        let read =
            |file: &&crate::manifest::WalRef| file.first_lsn <= to && file.last_lsn.is_none_or(|last| last > after);
        let segments = found.manifest().wal.iter().filter(read).count() as u64;
        Ok(Replayed { segments, operations, lsn: to })
    }

    /// What leads back. Takes the turn of the collection for a moment.
    pub(super) fn ways(&self, found: &StoredCollection, directory: Option<PathBuf>, gone: &[&str]) -> Result<Ways> {
        let core: &Arc<Core> = found.core();
        if core.volatile {
            let message = format!("collection '{}' is of engine memory: it has no past", core.name);
            return Err(Error::new(Kind::Unsupported, message));
        }
        found.flush()?;
        let id = hex(&found.owner().collection);
        let (mut snapshots, _) = self.snapshots(directory.as_deref())?;
        snapshots.retain(|entry| {
            entry.found.store == self.id() && entry.content(&id).is_some() && !gone.contains(&entry.id())
        });
        let _turn = core.turn.take();
        let root = held(&core.root).clone();
        let sealed = recovery::segments(&core.fs, &core.paths, &root, &Access::of(&root.manifest.settings, None))?;
        let description: Description = root.manifest.settings.description()?;
        let checkpoint = Collection::of(description, sealed, root.manifest.checkpoint_lsn);
        let last = core.read().lsn();
        let trail = Trail::open(&*core.fs, &core.paths, &root, (0, last))?;
        let mut bases: Vec<u64> = snapshots.iter().filter_map(|entry| entry.content(&id)).map(|c| c.lsn).collect();
        bases.push(root.manifest.checkpoint_lsn);
        let first_record = root.manifest.wal.first().map(|file| file.first_lsn);
        let past = Past { timelines: root.manifest.timelines, first_record, last, bases };
        Ok(Ways { past, trail, checkpoint, snapshots, id })
    }

    /// Makes the content of a moment in a collection without a name. Gives the number of records that were replayed.
    fn make(
        &self,
        found: &StoredCollection,
        ways: &Ways,
        plan: &Plan,
        control: &Control,
    ) -> Result<(Arc<StoredCollection>, u64)> {
        let scratch = self.scratch(&found.manifest().settings)?;
        let made = (|| {
            ways.with_base(self, plan.base, control, |version| scratch.replace(version).map(|_| ()))?;
            let mut records = 0;
            for span in &plan.spans {
                records += redo(&scratch, &ways.trail, *span, control)?;
            }
            Ok(records)
        })();
        match made {
            Ok(records) => Ok((scratch, records)),
            Err(error) => {
                let _ = self.remove_hidden(&scratch);
                Err(error)
            }
        }
    }
}

pub(super) fn redo(scratch: &StoredCollection, trail: &Trail, span: Span, control: &Control) -> Result<u64> {
    trail.replay(span, |change| {
        control.check()?;
        scratch.redo(change)
    })
}

impl Ways {
    /// What is known of the past.
    pub fn past(&self) -> &Past {
        &self.past
    }

    /// The log.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    fn snapshot(&self, lsn: u64) -> Option<&SnapshotEntry> {
        if lsn == self.checkpoint.lsn() {
            return None;
        }
        self.snapshots.iter().find(|entry| entry.content(&self.id).is_some_and(|content| content.lsn == lsn))
    }

    /// Shows the content to begin with, when there is any.
    fn with_base(
        &self,
        store: &Store,
        lsn: u64,
        control: &Control,
        show: impl FnOnce(&Version) -> Result<()>,
    ) -> Result<()> {
        if lsn == self.checkpoint.lsn() {
            return show(&self.checkpoint.version());
        }
        let Some(entry) = self.snapshot(lsn) else { return Ok(()) };
        let complete = Complete::of(store.fs(), entry, control)?;
        let name = entry.content(&self.id).map(|content| content.name.clone()).unwrap_or_default();
        let collection = complete.open()?.collection(&name)?;
        show(&collection.version())
    }

    fn lsn_of(&self, found: &StoredCollection, target: &Target) -> Result<u64> {
        match target {
            Target::Lsn(lsn) => Ok(*lsn),
            Target::Point(name) => {
                let manifest = found.manifest();
                let point = manifest.points.iter().rev().find(|point| point.name == *name);
                let missing = || Error::new(Kind::PitrRange, format!("there is no restore point '{name}'"));
                Ok(point.ok_or_else(missing)?.lsn)
            }
            Target::Time(time) => {
                let contents = self.snapshots.iter().filter_map(|entry| entry.content(&self.id));
                let kept = contents.filter(|content| content.time <= *time).map(|content| content.lsn).max();
                let logged = self.trail.last_until(*time)?;
                let known = found.manifest();
                let checkpoint = (known.checkpoint_time <= *time).then_some(known.checkpoint_lsn);
                let found = kept.into_iter().chain(logged).chain(checkpoint).max();
                found.filter(|lsn| *lsn > 0).ok_or_else(|| self.out_of_range("that time"))
            }
        }
    }

    fn plan(&self, lsn: u64) -> Result<Plan> {
        let plan = (lsn <= self.past.last).then(|| self.past.plan(lsn)).flatten();
        plan.ok_or_else(|| self.out_of_range(&format!("change {lsn}")))
    }

    fn out_of_range(&self, what: &str) -> Error {
        let shown = |window: &Window| format!("{} to {}", window.from_lsn, window.to_lsn);
        let windows: Vec<String> = self.past.windows().iter().map(shown).collect();
        let possible = if windows.is_empty() { "none".to_owned() } else { windows.join(", ") };
        let message = format!("no snapshot and log lead to {what}; changes that can be gone back to: {possible}");
        Error::new(Kind::PitrRange, message)
    }

    fn verify(&self, control: &Control) -> Result<()> {
        let Some(first) = self.past.first_record else { return Ok(()) };
        let whole = Span { after: first - 1, to: self.past.last };
        self.trail.replay(whole, |_| control.check()).map(|_| ())
    }
}
