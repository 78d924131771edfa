//! Checkpoint and compaction, which are one thing: frozen memtables, and segments with too many dead rows, are written
//! as new segments; then one manifest names them in the place of the old ones.
//!
//! Writes and reads go on meanwhile. A crash at any moment leaves the old manifest with the old files, or the new one
//! with the new files; what neither names is swept when the store is opened for writing. A compaction always is a
//! checkpoint too: the log behind the manifest then never needs a row that the compaction dropped.

use super::log::{Log, held};
use super::part::Sealed;
use super::sealing::{Form, Written, remove_part};
use super::selection::{Goal, Group, group, select};
use super::stored::Core;
use super::version::Version;
use super::wal_retention::{self, Before};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, Header};
use crate::format::{Description, record::Change};
use crate::manifest::{DeadRef, LogPlace, Manifest, SegmentRef, Settings, Timeline};
use crate::segment::{DeadRows, ExpectedDead};
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering;
use serde::Serialize;

/// What to rewrite beside the memtable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Compact {
    /// Nothing.
    Nothing,
    /// Segments whose share of dead rows is above this, and small ones that have become many.
    Above(f64),
    /// Every segment that has dead rows or is small.
    All,
}

/// What a checkpoint did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Everything up to this LSN is in segments now.
    pub lsn: u64,
    /// Bytes of segments and their dead rows before.
    pub bytes_before: u64,
    /// The same afterwards.
    pub bytes_after: u64,
    /// Entries that were written.
    pub entries: u64,
    /// Dead rows that are gone.
    pub removed: u64,
    /// Segments afterwards.
    pub segments: u64,
}

/// A moment from which a checkpoint is made.
pub(super) struct Frozen {
    /// The content.
    pub version: Version,
    /// Time of the last change.
    pub time: u64,
    place: Option<(u64, LogPlace)>,
}

/// Bytes of segments and their dead rows.
pub(super) fn bytes_of(manifest: &Manifest) -> u64 {
    let dead = |segment: &SegmentRef| segment.dead.as_ref().map_or(0, |dead| dead.length);
    manifest.segments.iter().map(|segment| segment.length + dead(segment)).sum()
}

/// What a checkpoint did that changed nothing on disk so far.
fn report(version: &Version, groups: &[Group], written: &[Option<Written>], before: &Manifest) -> Report {
    let sources = groups.iter().flat_map(|group| &group.sources);
    Report {
        lsn: version.lsn(),
        bytes_before: bytes_of(before),
        bytes_after: bytes_of(before),
        segments: before.segments.len() as u64,
        entries: written.iter().flatten().map(|made| made.named.rows).sum(),
        removed: sources.map(|source| u64::from(source.dead.dead())).sum(),
    }
}

impl Core {
    /// Moves the memtable into a segment and rewrites what `compact` asks for.
    pub fn checkpoint(&self, compact: Compact) -> Result<Report> {
        self.rewrite(compact, None)
    }

    /// A checkpoint in the form of those settings, which the manifest names together with what was written; `None`: of
    /// the settings that there are.
    pub fn rewrite(&self, compact: Compact, wanted: Option<&Settings>) -> Result<Report> {
        if self.log.is_none() {
            return Ok(Report::default());
        }
        let _turn = self.turn.take();
        let frozen = self.freeze()?;
        self.settle(frozen, compact, wanted)
    }

    /// The state of this moment, to be settled in the same turn.
    pub(super) fn freeze(&self) -> Result<Frozen> {
        self.check_certain()?;
        // Everything before this place will be behind the checkpoint.
        let place = self.log.as_ref().and_then(Log::place);
        self.check_open()?;
        failpoint::hit("checkpoint.before_freeze")?;
        let mut state = self.write();
        state.freeze();
        Ok(Frozen { version: state.version(), time: self.last_time.load(Ordering::Acquire), place })
    }

    /// Writes what was frozen, and the manifest that says so.
    pub(super) fn settle(&self, frozen: Frozen, compact: Compact, wanted: Option<&Settings>) -> Result<Report> {
        let Some(log) = &self.log else { return Ok(Report::default()) };
        let Frozen { version, time, place } = frozen;
        failpoint::hit("checkpoint.after_freeze")?;
        // What is in a segment must not be taken back: the log has to be as far.
        log.wait_durable(version.lsn())?;
        let place = log.place().filter(|(_, place)| place.lsn <= version.lsn()).or(place);
        failpoint::hit("checkpoint.after_log")?;
        let before = held(&self.root).manifest.clone();
        let settings = wanted.unwrap_or(&before.settings);
        let groups = select(version.sealed(), compact, Goal::of(settings));
        let (number, written) =
            self.write_groups(&groups, before.next_segment, &self.form(settings), version.description())?;
        let named = self.named(&version, &groups, &written, &before).inspect_err(|_| self.discard(&written))?;
        let mut report = report(&version, &groups, &written, &before);
        if named == before.segments && before.checkpoint_lsn == version.lsn() && wanted.is_none() {
            return Ok(report);
        }
        let compacted = compact != Compact::Nothing && groups.iter().any(Group::rewrites);
        let now = self.fs.now_us();
        self.install(&before, None, |manifest| {
            if let Some(wanted) = wanted {
                manifest.settings = wanted.clone();
            }
            manifest.segments = named;
            manifest.next_segment = number;
            manifest.checkpoint_lsn = version.lsn();
            manifest.checkpoint_time = time;
            for file in &mut manifest.wal {
                file.replay_from =
                    place.filter(|place| place.0 == file.number).map(|place| place.1).or(file.replay_from);
            }
            manifest.settings.describe(version.description());
            if compacted {
                manifest.last_compaction = now / 1_000;
            }
        })
        .inspect_err(|_| self.discard(&written))?;
        failpoint::pass("checkpoint.after_manifest");
        let mut state = self.write();
        for (group, made) in groups.iter().zip(&written) {
            state.install(&group.sources, made.as_ref().map(|made| made.part.clone()));
        }
        drop(state);
        failpoint::pass("checkpoint.after_install");
        let after = self.retire(&before);
        report.bytes_after = bytes_of(&after);
        report.segments = after.segments.len() as u64;
        Ok(report)
    }

    /// Writes each group as one part; the number that is free behind them. On an error nothing is left of them.
    fn write_groups(
        &self,
        groups: &[Group],
        mut number: u64,
        form: &Form,
        description: Description,
    ) -> Result<(u64, Vec<Option<Written>>)> {
        let mut written = Vec::with_capacity(groups.len());
        for group in groups {
            let made = self.write_rows(group, number, form, description, None);
            let made = made.inspect_err(|_| self.discard(&written))?;
            number += u64::from(made.is_some());
            written.push(made);
        }
        Ok((number, written))
    }

    /// A checkpoint with compaction when enough of the segments is dead.
    pub fn compact_if_due(&self, threshold: f64) -> Result<Report> {
        let due = self.read().fragmentation() > threshold;
        if due { self.checkpoint(Compact::Above(threshold)) } else { Ok(Report::default()) }
    }

    /// Puts the content of another version in the place of this one. `source`: the earlier change of this collection that
    /// it is the content of, when it is.
    pub fn replace(&self, version: &Version, source: Option<u64>) -> Result<u64> {
        let _turn = self.turn.take();
        self.check_open()?;
        if self.volatile {
            return Ok(self.write().replace_with(version));
        }
        let Some(log) = &self.log else { return Err(Error::new(Kind::ReadOnly, "opened for reading only")) };
        self.check_certain()?;
        let before = held(&self.root).manifest.clone();
        let (first_lsn, mut number) = (self.read().lsn() + 1, before.next_segment);
        // What the new content does not know of itself stays as it was.
        let (new, old) = (version.description(), self.read().description());
        let description = Description { dimension: new.dimension.or(old.dimension), metric: new.metric.or(old.metric) };
        let mut written = Vec::new();
        failpoint::hit("content.before_segments")?;
        let (form, goal) = (self.form(&before.settings), Goal::of(&before.settings));
        for group in group(version.whole().iter(), goal.most) {
            let made = self.write_rows(&group, number, &form, description, Some(first_lsn));
            let made = made.inspect_err(|_| self.discard(&written))?;
            number += u64::from(made.is_some());
            written.push(made);
        }
        failpoint::hit("content.before_record").inspect_err(|_| self.discard(&written))?;
        // From here on no write may come between.
        let _gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let replaced: Result<u64> = (|| {
            let lsn = self.commit(&mut self.write(), &Change::Replaced, true)?;
            failpoint::hit("content.after_record")?;
            log.wait_durable(lsn)?;
            failpoint::hit("content.after_log")?;
            let time = self.last_time.load(Ordering::Acquire);
            self.sync_parts(written.iter().flatten())?;
            self.install(&before, None, |manifest| {
                manifest.segments = written.iter().flatten().map(|made| made.named.clone()).collect();
                manifest.next_segment = number;
                manifest.checkpoint_lsn = lsn;
                manifest.checkpoint_time = time;
                manifest.timelines.push(Timeline { lsn, time, source });
                manifest.settings.describe(description);
            })?;
            Ok(lsn)
        })();
        let lsn = replaced.inspect_err(|_| self.discard(&written))?;
        failpoint::pass("content.after_manifest");
        let sealed = written.into_iter().flatten().map(|made| {
            let dead = DeadRows::new(made.part.rows() as u32);
            Sealed { part: made.part, dead }
        });
        self.write().replace(sealed.collect(), description, lsn);
        self.retire(&before);
        Ok(lsn)
    }

    /// Writes the content of `version` into a collection that is empty and stands at the LSN of it: as nobody knows the
    /// collection yet, no record is needed.
    pub fn fill(&self, version: &Version) -> Result<()> {
        let _turn = self.turn.take();
        self.check_open()?;
        self.check_certain()?;
        let before = held(&self.root).manifest.clone();
        let lsn = version.lsn();
        if before.checkpoint_lsn != lsn || self.read().lsn() != lsn || !self.read().is_empty() {
            return Err(Error::new(Kind::Internal, "only an empty collection at the same change can be filled"));
        }
        let (form, goal) = (self.form(&before.settings), Goal::of(&before.settings));
        let description = version.description();
        let groups = group(version.whole().iter(), goal.most);
        let (number, written) = self.write_groups(&groups, before.next_segment, &form, description)?;
        let installed = self.sync_parts(written.iter().flatten()).and_then(|()| {
            self.install(&before, None, |manifest| {
                manifest.segments = written.iter().flatten().map(|made| made.named.clone()).collect();
                manifest.next_segment = number;
                manifest.settings.describe(description);
            })
        });
        installed.inspect_err(|_| self.discard(&written))?;
        let sealed = written.into_iter().flatten().map(|made| {
            let dead = DeadRows::new(made.part.rows() as u32);
            Sealed { part: made.part, dead }
        });
        self.write().replace(sealed.collect(), description, lsn);
        Ok(())
    }

    /// The segments as the next manifest names them; dead rows that are new are written on the way.
    fn named(
        &self,
        version: &Version,
        groups: &[Group],
        written: &[Option<Written>],
        before: &Manifest,
    ) -> Result<Vec<SegmentRef>> {
        let mut named: Vec<SegmentRef> = written.iter().flatten().map(|made| made.named.clone()).collect();
        for sealed in version.sealed() {
            let Some(segment) = sealed.part.named() else { continue };
            let rewritten = |group: &Group| group.sources.iter().any(|source| source.part.is(&sealed.part));
            if groups.iter().any(rewritten) {
                continue;
            }
            let known = before.segments.iter().find(|known| known.number == segment.number);
            let known = known.and_then(|known| known.dead.clone());
            let same = known.as_ref().map_or(0, |known| known.rows) == u64::from(sealed.dead.dead());
            let dead = if same { known } else { Some(self.write_dead(segment.number, &sealed.dead)?) };
            named.push(SegmentRef { dead, ..segment });
        }
        named.sort_by_key(|segment| segment.number);
        failpoint::hit("checkpoint.before_names")?;
        self.sync_parts(written.iter().flatten())?;
        Ok(named)
    }

    fn write_dead(&self, number: u64, dead: &DeadRows) -> Result<DeadRef> {
        let (owner, version) = {
            let root = held(&self.root);
            (root.owner, root.manifest.generation + 1)
        };
        let path = self.paths.dead(number, version);
        self.fs.remove(&path)?;
        failpoint::hit("checkpoint.before_dead_rows")?;
        let header = Header { kind: FileKind::Dead, owner, number, generation: version as u32 };
        let file = dead.write(&*self.fs, &path, header, version)?;
        failpoint::hit("checkpoint.after_dead_rows")?;
        Ok(DeadRef { version, length: file.length, checksum: file.checksum, rows: u64::from(dead.dead()) })
    }

    /// Replaces the manifest, and lets go of log files that are not needed any more, and of unwanted ones that opening does
    /// not need.
    pub(super) fn install(
        &self,
        before: &Manifest,
        unwanted: Option<Before>,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<()> {
        failpoint::hit("checkpoint.before_manifest")?;
        let mut root = held(&self.root);
        // The log may have named a new file meanwhile; segments change only in our turn.
        debug_assert_eq!(root.manifest.next_segment, before.next_segment);
        let now = self.fs.now_us();
        let replaced = root.replace(&*self.fs, &self.paths.home, |manifest| {
            change(manifest);
            wal_retention::expire(manifest, now, unwanted);
        });
        let in_doubt = root.in_doubt;
        drop(root);
        replaced.inspect_err(|error| self.poison_if(in_doubt, error))
    }

    /// Removes the files that the manifest before named and this one does not. Failing to is no failure: they are
    /// swept when the store is opened for writing.
    pub(super) fn retire(&self, before: &Manifest) -> Manifest {
        let root = held(&self.root).clone();
        let after = &root.manifest;
        failpoint::pass("retire.before_removal");
        for old in &before.segments {
            let kept = after.segments.iter().find(|kept| kept.number == old.number);
            if let Some(dead) = old.dead.as_ref().filter(|dead| kept.and_then(|kept| kept.dead.as_ref()) != Some(dead))
            {
                let _ = self.fs.remove(&self.paths.dead(old.number, dead.version));
            }
            if kept.is_none() {
                let _ = remove_part(&*self.fs, &self.paths, old.kind, old.number);
            }
        }
        failpoint::pass("retire.before_logs");
        wal_retention::retire(&*self.fs, &self.paths, before, &root);
        failpoint::pass("retire.after_removal");
        root.manifest
    }

    /// Reads the dead rows that a manifest names.
    pub fn read_dead(
        fs: &dyn crate::env::fs::Fs,
        path: &std::path::Path,
        owner: crate::format::header::Owner,
        segment: &SegmentRef,
        dead: &DeadRef,
    ) -> Result<DeadRows> {
        let file = crate::segment::DeadFile { length: dead.length, checksum: dead.checksum };
        let expected = ExpectedDead { owner, number: segment.number, n: dead.version, rows: segment.rows as u32, file };
        DeadRows::read(fs, path, &expected)
    }
}
