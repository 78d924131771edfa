//! Drill: what would be there if the living data were lost now. The newest good snapshot and the log are restored into a
//! store beside, compared with the collections as they are, and removed again. Nothing of the living data is touched.

use crate::control::Control;
use crate::error::{Error, Kind, Result};
use crate::ops::search;
use crate::store::{CaughtUp, Restore, SnapshotEntry, Store, Trial, Version, fingerprint};
use serde::{Deserialize, Serialize};

const SAMPLE_DEFAULT: u64 = 10;
const HITS: usize = 10;

/// What to try.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    /// Id, name, path, or `latest`, which it is when nothing is said.
    snapshot: Option<String>,
    /// One collection; all that are on disk when none is given.
    collection: Option<String>,
    /// The folder of snapshots.
    directory: Option<String>,
    /// Where the store beside is made; the folder of snapshots of the store when none is given.
    scratch: Option<String>,
    /// Searches of each collection.
    sample: Option<u64>,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    ok: bool,
    /// The snapshot that was restored; null: none could be.
    snapshot: Option<String>,
    /// Of the collection, where it is one.
    lsn: Option<u64>,
    /// Milliseconds until the data could be used, attempts that failed included.
    rto_ms: f64,
    /// Milliseconds of changes that would be lost.
    rpo_ms: f64,
    /// Age of the snapshot: what would be lost without the log.
    snapshot_age_ms: Option<f64>,
    entries: u64,
    /// Of the collection, where it is one.
    fingerprint: Option<String>,
    searches: Searches,
    collections: Vec<Tried>,
    steps: Vec<Step>,
    problems: Vec<Problem>,
}

/// A collection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tried {
    collection: String,
    /// The change up to which it came.
    lsn: u64,
    /// The change that the living one is at.
    live_lsn: u64,
    /// Records of the log that were done.
    operations: u64,
    rpo_ms: f64,
    entries: u64,
    fingerprint: String,
    searches: Searches,
}

/// Searches in both.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Searches {
    compared: u64,
    equal: u64,
}

/// A step, and how long it took.
#[derive(Debug, Serialize)]
struct Step {
    name: String,
    ms: f64,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
    snapshot: Option<String>,
}

/// A living collection as it was when the drill began.
struct Live {
    name: String,
    id: String,
    version: Version,
    time: u64,
}

/// A drill that is under way.
struct Drill<'a> {
    store: &'a Store,
    control: &'a Control,
    answer: Answer,
    at: u64,
}

impl Drill<'_> {
    /// Notes what was done since the last step.
    fn step(&mut self, name: &str) {
        let now = self.store.now_us();
        self.answer.steps.push(Step { name: name.to_owned(), ms: now.saturating_sub(self.at) as f64 / 1_000.0 });
        self.at = now;
    }

    fn problem(&mut self, error: &Error, snapshot: Option<&SnapshotEntry>) {
        let snapshot = snapshot.map(|entry| entry.id().to_owned());
        self.answer.problems.push(Problem { code: error.kind.code(), message: error.message.clone(), snapshot });
    }

    /// Verifies and restores a snapshot; `None` when it is not good, which is noted.
    fn attempt(
        &mut self,
        entry: &SnapshotEntry,
        lives: &[Live],
        scratch: Option<&std::path::Path>,
    ) -> Result<Option<Trial>> {
        let found = self.store.verify_snapshot(entry, self.control)?;
        self.step(&format!("verify {}", entry.id()));
        if let Some(damage) = found.damage.first() {
            let place = format!("{} at {} of {}", damage.what, damage.offset, damage.path.display());
            let message = format!("snapshot '{}' is damaged: {place}", entry.id());
            self.problem(&Error::new(Kind::Corrupt, message), Some(entry));
            return Ok(None);
        }
        let trial = self.store.trial(scratch)?;
        let held = lives.iter().filter_map(|live| entry.content(&live.id)).map(|content| content.name.clone());
        let snapshot = entry.path.to_string_lossy().into_owned();
        let restore = Restore { snapshot, collections: Some(held.collect()), ..Restore::default() };
        let restored = trial.store.restore(&restore, self.control);
        self.step(&format!("restore {}", entry.id()));
        match restored {
            Ok(_) => Ok(Some(trial)),
            Err(error) if error.kind == Kind::Aborted || error.kind == Kind::NoSpace => Err(error),
            Err(error) => {
                self.problem(&error, Some(entry));
                Ok(None)
            }
        }
    }

    /// Compares a collection with what was restored of it.
    fn compare(&mut self, live: &Live, copy: &Version, done: CaughtUp, sample: u64) -> Result<Tried> {
        let live_lsn = live.version.lsn();
        let (entries, print) = (copy.len() as u64, fingerprint(copy, self.control)?);
        let mut searches = Searches::default();
        let wrong = |what: String| {
            Error::new(Kind::Corrupt, format!("collection '{}' is not as it was restored: {what}", live.name))
        };
        if let Some(missing) = &done.missing {
            self.problem(&Error::new(Kind::PitrRange, missing.clone()), None);
        } else {
            if live.version.len() as u64 != entries {
                self.problem(&wrong(format!("{entries} entries, {} are living", live.version.len())), None);
            }
            self.step(&format!("count {}", live.name));
            let expected = fingerprint(&live.version, self.control)?;
            if expected != print {
                self.problem(&wrong(format!("fingerprint {print}, that of the living is {expected}")), None);
            }
            self.step(&format!("fingerprint {}", live.name));
            searches = self.search(&live.version, copy, sample)?;
            if searches.equal < searches.compared {
                let differ = searches.compared - searches.equal;
                self.problem(&wrong(format!("{differ} of {} searches find something else", searches.compared)), None);
            }
            self.step(&format!("search {}", live.name));
        }
        let lost = if done.missing.is_some() { live.time.saturating_sub(done.time) } else { 0 };
        Ok(Tried {
            collection: live.name.clone(),
            lsn: done.lsn,
            live_lsn,
            operations: done.operations,
            rpo_ms: lost as f64 / 1_000.0,
            entries,
            fingerprint: print.to_string(),
            searches,
        })
    }

    /// Searches for entries of the living one, in both.
    fn search(&self, live: &Version, copy: &Version, sample: u64) -> Result<Searches> {
        let mut searches = Searches::default();
        if live.description().metric.is_none() || live.is_empty() {
            return Ok(searches);
        }
        for number in 0..sample {
            self.control.check()?;
            let cursor = (live.end() as u64 * number / sample) as usize;
            let Some(entry) = live.entries_from(cursor).next() else { continue };
            let vector = entry?.1.vector.to_vec();
            searches.compared += 1;
            searches.equal += u64::from(nearest(live, vector.clone())? == nearest(copy, vector)?);
        }
        Ok(searches)
    }
}

/// What a search finds, without what depends on the order of rows: which hits are found that are as far as the last one.
#[derive(PartialEq)]
struct Nearest {
    scores: Vec<u64>,
    hits: Vec<(u64, String)>,
}

fn nearest(version: &Version, vector: Vec<f32>) -> Result<Nearest> {
    let (threshold, filter) = (None, None);
    let request = search::Request { vector, k: HITS, threshold, filter, vectors: false, metadata: false };
    let found = search::run(version, request)?;
    let scores: Vec<u64> = found.scores.iter().map(|score| score.to_bits()).collect();
    let last = scores.last().copied();
    let whole = scores.len() < HITS;
    let hits = scores.iter().copied().zip(found.ids);
    let mut hits: Vec<(u64, String)> = hits.filter(|(score, _)| whole || Some(*score) != last).collect();
    hits.sort();
    Ok(Nearest { scores, hits })
}

/// The collections as they are, each at a change that is durable.
fn pin(store: &Store, request: &Request) -> Result<Vec<Live>> {
    let mut names = request.collection.clone().map_or_else(|| store.list(), |name| Ok(vec![name]))?;
    if request.collection.is_none() {
        let mut kept = Vec::new();
        for name in names {
            if store.has_past(&name)? {
                kept.push(name);
            }
        }
        names = kept;
    }
    let mut lives = Vec::new();
    for name in names {
        let found = super::fresh(store, &name)?;
        let (version, time) = found.pinned()?;
        lives.push(Live { id: found.id(), version, time, name });
    }
    Ok(lives)
}

/// The snapshots that can be meant, the one that is meant first, then older ones, newest first.
fn candidates(store: &Store, request: &Request, lives: &[Live]) -> Result<(Vec<SnapshotEntry>, Vec<Error>)> {
    let directory = super::folder(request.directory.as_ref())?;
    let (entries, damaged) = store.snapshots(directory.as_deref())?;
    let mut damaged: Vec<Error> = damaged.into_iter().map(|damaged| damaged.error).collect();
    let useful = |entry: &SnapshotEntry| {
        entry.found.store == store.id() && lives.iter().any(|live| entry.content(&live.id).is_some())
    };
    let mut entries: Vec<SnapshotEntry> = entries.into_iter().rev().filter(useful).collect();
    let word = request.snapshot.as_deref().unwrap_or("latest");
    if word != "latest" {
        damaged.clear();
        match store.find_snapshot(directory.as_deref(), word) {
            Ok(wanted) => {
                entries.retain(|entry| entry.found.snapshot.created < wanted.found.snapshot.created);
                entries.insert(0, wanted);
            }
            // It is there and damaged: which other one works is what the caller has to know.
            Err(error) if matches!(error.kind, Kind::Corrupt | Kind::Format) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    match entries.is_empty() && damaged.is_empty() {
        true => Err(Error::new(Kind::SnapshotNotFound, "there is no snapshot of this store to be tried")),
        false => Ok((entries, damaged)),
    }
}

/// Tries it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let began = store.now_us();
    let mut drill = Drill { store, control, answer: Answer::default(), at: began };
    let lives = pin(store, request)?;
    drill.step("pin");
    let scratch = super::folder(request.scratch.as_ref())?;
    let begun = store.now_us();
    let (entries, damaged) = candidates(store, request, &lives)?;
    damaged.iter().for_each(|error| drill.problem(error, None));
    drill.step("find");
    let mut restored = None;
    for entry in &entries {
        control.check()?;
        if let Some(trial) = drill.attempt(entry, &lives, scratch.as_deref())? {
            restored = Some((entry, trial));
            break;
        }
    }
    let Some((entry, trial)) = restored else {
        drill.answer.rto_ms = store.now_us().saturating_sub(begun) as f64 / 1_000.0;
        return Ok(drill.answer);
    };
    let mut copies = Vec::new();
    for live in &lives {
        let Some(content) = entry.content(&live.id) else {
            let message = format!("collection '{}' is in no snapshot that works: it would be lost", live.name);
            drill.problem(&Error::new(Kind::NotFound, message), None);
            continue;
        };
        let copy = trial.store.collection(&content.name)?;
        let done = store.catch_up(&live.name, entry, (live.version.lsn(), live.time), &copy, control)?;
        copies.push((live, copy.version(), done));
    }
    drill.step("replay");
    drill.answer.rto_ms = drill.at.saturating_sub(begun) as f64 / 1_000.0;
    for (live, copy, done) in copies {
        control.check()?;
        let tried = drill.compare(live, &copy, done, request.sample.unwrap_or(SAMPLE_DEFAULT))?;
        drill.answer.collections.push(tried);
    }
    trial.store.close()?;
    drop(trial);
    drill.step("clean up");
    Ok(concluded(drill.answer, entry, began))
}

/// The answer as a whole, from what was found of each collection.
fn concluded(mut answer: Answer, entry: &SnapshotEntry, now: u64) -> Answer {
    answer.snapshot = Some(entry.id().to_owned());
    answer.snapshot_age_ms = Some(now.saturating_sub(entry.found.snapshot.created) as f64 / 1_000.0);
    for tried in &answer.collections {
        answer.entries += tried.entries;
        answer.rpo_ms = answer.rpo_ms.max(tried.rpo_ms);
        answer.searches.compared += tried.searches.compared;
        answer.searches.equal += tried.searches.equal;
    }
    if let [only] = answer.collections.as_slice() {
        (answer.lsn, answer.fingerprint) = (Some(only.lsn), Some(only.fingerprint.clone()));
    }
    answer.ok = answer.problems.is_empty();
    answer
}
