//! Random operations against the model, with what else happens to a store: it is closed and opened, killed, loses power
//! between operations and within them, its disk fills up, its calls fail, its clock jumps.
//!
//! [`workload`] alone gives random operations for a sweep.

use crate::fault::{Fault, How};
use crate::image::Choice;
use crate::model::{Content, DIMENSION, Entry, Model, Op, differences};
use crate::recorder::Progress;
use crate::rng::Rng;
use crate::sim::{ENDLESS, SimFs};
use crate::subject::{Durable, Subject};
use ruvector_persistence::error::{Error, Kind};
use std::sync::Arc;

const IDS: u64 = 24;
/// Lengths of the text in metadata: around a sector and a page.
const TEXT_BYTES: [usize; 8] = [0, 1, 7, 511, 512, 513, 4_095, 4_097];
const ERRNOS: [i32; 4] = [libc::EIO, libc::ENOSPC, libc::EMFILE, libc::EACCES];

fn entry(rng: &mut Rng) -> Entry {
    let id = match rng.below(IDS) {
        0 => "__proto__".to_owned(),
        1 => "é/../\u{1F980} ".to_owned(),
        number => format!("id {number}"),
    };
    let vector = (0..DIMENSION).map(|_| f32::from_bits(rng.next() as u32)).collect();
    (id, vector, metadata(rng))
}

fn metadata(rng: &mut Rng) -> Option<String> {
    let length = if rng.chance(90) { rng.below(40) as usize } else { TEXT_BYTES[rng.below(8) as usize] };
    rng.chance(80).then(|| format!("{{\"n\":{},\"text\":\"{}\"}}", rng.below(1_000), "x".repeat(length)))
}

/// Entries of different ids.
fn batch(rng: &mut Rng, below: u64) -> Vec<Entry> {
    let mut found: Vec<Entry> = (0..1 + rng.below(below)).map(|_| entry(rng)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    found
}

/// One operation.
pub fn op(rng: &mut Rng) -> Op {
    match rng.below(100) {
        0..45 => Op::Put(vec![entry(rng)]),
        45..60 => Op::Put(batch(rng, 14)),
        60..72 => Op::Delete(batch(rng, 5).into_iter().map(|(id, _, _)| id).collect()),
        72..80 => Op::SetMetadata(entry(rng).0, metadata(rng)),
        80..82 => Op::Clear,
        82..87 => Op::Checkpoint,
        87..90 => Op::Compact,
        90..93 => Op::Rotate,
        93..96 => Op::Reopen,
        _ => Op::Flush,
    }
}

/// So many operations.
pub fn workload(seed: u64, operations: usize) -> Vec<Op> {
    let mut rng = Rng::new(seed);
    (0..operations).map(|_| op(&mut rng)).collect()
}

/// What happened in a walk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walk {
    pub operations: usize,
    pub failed: usize,
    pub power_cuts: usize,
    pub kills: usize,
    pub calls: u64,
}

struct Walker<S> {
    fs: Arc<SimFs>,
    subject: Option<S>,
    model: Model,
    durable: usize,
    mode: Durable,
    struck: u64,
    rng: Rng,
    walk: Walk,
}

/// Takes so many random steps; says what is wrong as soon as something is.
pub fn walk<S: Subject>(seed: u64, steps: usize, mode: Durable) -> Result<Walk, String> {
    let mut walker: Walker<S> = Walker {
        fs: Arc::new(SimFs::new()),
        subject: None,
        model: Model::new(Content::new()),
        durable: 0,
        mode,
        struck: 0,
        rng: Rng::new(seed),
        walk: Walk::default(),
    };
    walker.open()?;
    for step in 0..steps {
        walker.step().map_err(|failure| format!("seed {seed}, step {step} ({:?}): {failure}", walker.walk))?;
    }
    walker.power_cut().map_err(|failure| format!("seed {seed}, the last power cut: {failure}"))?;
    Ok(walker.walk)
}

impl<S: Subject> Walker<S> {
    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(100) {
            0..4 => self.power_cut(),
            4..7 => {
                self.walk.kills += 1;
                let all = self.model.operations();
                self.next(self.fs.kill(), all)
            }
            7..10 => self.dies_within(),
            10..14 => {
                let errno = ERRNOS[self.rng.below(4) as usize];
                self.fs.fail(Fault::at(1 + self.rng.below(30), How::Errno(errno)));
                Ok(())
            }
            14..17 => {
                self.fs.set_free_space(self.rng.below(20_000));
                Ok(())
            }
            17..19 => {
                self.fs.set_clock(self.rng.below(1 << 51));
                Ok(())
            }
            _ => self.operate(),
        }
    }

    fn open(&mut self) -> Result<(), String> {
        let subject = S::open(self.fs.clone()).or_else(|error| {
            self.excuse(&error, "open")?;
            self.heal();
            S::open(self.fs.clone()).map_err(|error| format!("cannot open without faults: {error}"))
        })?;
        self.subject = Some(subject);
        Ok(())
    }

    /// A failure is right where a fault struck or room was short.
    fn excuse(&self, error: &Error, what: &str) -> Result<(), String> {
        let short = error.kind == Kind::NoSpace;
        if short || self.fs.struck() > self.struck { Ok(()) } else { Err(format!("cannot {what}: {error}")) }
    }

    fn heal(&mut self) {
        self.fs.heal();
        self.fs.set_free_space(ENDLESS);
        self.struck = self.fs.struck();
    }

    fn operate(&mut self) -> Result<(), String> {
        let op = op(&mut self.rng);
        self.walk.operations += 1;
        let Some(mut subject) = self.subject.take() else { return Err("there is no store".to_owned()) };
        let done = match op {
            Op::Reopen => subject.close(),
            _ => {
                let done = subject.apply(&op);
                self.subject = Some(subject);
                done
            }
        };
        if let Err(error) = done {
            self.excuse(&error, &format!("do {op:.80?}"))?;
            return self.after_failure(&op, error.kind == Kind::NoSpace);
        }
        self.did(&op);
        if self.subject.is_none() {
            self.open()?;
        }
        let found = self.content()?;
        self.same(&found, &self.model.last())
    }

    fn did(&mut self, op: &Op) {
        self.model.did(op);
        if self.mode == Durable::Always || op.is_barrier() {
            self.durable = self.model.operations();
        }
    }

    /// What failed is there or not. A full disk is no reason to open again, if no sync failed.
    fn after_failure(&mut self, op: &Op, full: bool) -> Result<(), String> {
        self.walk.failed += 1;
        let syncs_failed = self.fs.struck() > self.struck;
        self.heal();
        if let Some(mut subject) = self.subject.take().filter(|_| full && !syncs_failed) {
            let found = subject.content().map_err(|error| format!("cannot read when the disk is full: {error}"))?;
            self.same(&found, &self.model.last()).map_err(|what| format!("a full disk changed the content: {what}"))?;
            subject.apply(op).map_err(|error| format!("there is room again, but {op:.80?} fails: {error}"))?;
            self.subject = Some(subject);
            self.did(op);
            return Ok(());
        }
        drop(self.subject.take());
        self.open()?;
        let found = self.content()?;
        if found == *self.model.after(op) && found != *self.model.last() {
            self.model.did(op);
        } else {
            self.same(&found, &self.model.last()).map_err(|what| format!("after {op:.80?} failed: {what}"))?;
            self.model.failed(op);
        }
        Ok(())
    }

    /// The disk stops answering in the middle of an operation, and then the power goes.
    fn dies_within(&mut self) -> Result<(), String> {
        let op = op(&mut self.rng);
        if matches!(op, Op::Reopen) {
            return Ok(());
        }
        self.fs.fail(Fault::at(1 + self.rng.below(8), How::Errno(libc::EIO)).and_all_later());
        let Some(mut subject) = self.subject.take() else { return Err("there is no store".to_owned()) };
        match subject.apply(&op) {
            Ok(()) => self.did(&op),
            Err(_) => self.model.did(&op),
        }
        self.subject = Some(subject);
        self.power_cut()
    }

    fn power_cut(&mut self) -> Result<(), String> {
        self.walk.power_cuts += 1;
        let next = match self.rng.below(4) {
            0 => self.fs.crash(Choice::None),
            _ => self.fs.crash_at_random(&mut self.rng),
        };
        self.next(next, self.durable)
    }

    /// The next process opens the store: the content is one that is allowed, and from now on the known one.
    fn next(&mut self, fs: SimFs, must: usize) -> Result<(), String> {
        self.walk.calls += self.fs.calls();
        self.fs = Arc::new(fs);
        self.struck = 0;
        self.heal();
        drop(self.subject.take());
        self.open()?;
        let found = self.content()?;
        let started = self.model.operations();
        self.model.check(&found, must, Progress { started, acknowledged: must, durable: must })?;
        if let Some(subject) = &self.subject {
            subject.verify().map_err(|error| format!("does not verify: {error}"))?;
        }
        // After a kill what was found may still be lost: the model keeps what it knew and goes on from there.
        if must == started {
            return Ok(());
        }
        self.model = Model::new(found);
        self.durable = 0;
        Ok(())
    }

    fn content(&mut self) -> Result<Content, String> {
        let Some(subject) = &self.subject else { return Err("there is no store".to_owned()) };
        match subject.content() {
            Err(error) => {
                self.excuse(&error, "read")?;
                self.heal();
                drop(self.subject.take());
                self.open()?;
                let subject = self.subject.as_ref().ok_or("there is no store")?;
                subject.content().map_err(|error| format!("cannot read without faults: {error}"))
            }
            found => found.map_err(|error| error.to_string()),
        }
    }

    fn same(&self, found: &Content, expected: &Content) -> Result<(), String> {
        let lines = differences(expected, found);
        if lines.is_empty() { Ok(()) } else { Err(format!("wrong content: {}", lines.join("; "))) }
    }
}
