//! What is tested: a store behind a trait of five calls, and the run of a workload on it that is recorded.

use crate::fault::Fault;
use crate::model::{Content, Model, Op, differences, fingerprint};
use crate::recorder::Recording;
use crate::sim::SimFs;
use ruvector_persistence::error;
use std::sync::Arc;

/// A store on a simulated file system. Its folder is below [`BASE`](crate::sim::BASE).
///
/// Whatever threads it has must have ended when `close` comes back and when it is dropped.
pub trait Subject: Sized {
    /// Opens the store, or makes it where there is none.
    fn open(fs: Arc<SimFs>) -> error::Result<Self>;
    /// Does an operation. That it comes back acknowledges it. `Op::Reopen` never arrives here.
    fn apply(&mut self, op: &Op) -> error::Result<()>;
    /// Everything the store holds.
    fn content(&self) -> error::Result<Content>;
    /// Reads every file and checks it.
    fn verify(&self) -> error::Result<()>;
    /// Closes the store.
    fn close(self) -> error::Result<()>;
}

/// What an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// The operation survives a power cut (sync mode `fsync`).
    Always,
    /// It survives the end of the process; a power cut only after the next barrier (`periodic`, `async`).
    AfterBarrier,
}

/// A recorded run.
pub struct Run {
    /// Every moment of it.
    pub recording: Recording,
    /// What its operations made.
    pub model: Model,
    /// What the rules of `order.rs` found.
    pub violations: Vec<String>,
    /// Calls of the file system.
    pub calls: u64,
    /// Calls that a fault struck.
    pub struck: u64,
}

/// Runs a workload from an empty disk and records it. When an operation fails, the faults end, the store is opened again,
/// and what it then holds decides whether the operation was done. The running store is compared with the model after each
/// operation. `prepare` sets rules, clock and room.
pub fn run<S: Subject>(ops: &[Op], durable: Durable, faults: &[Fault], prepare: fn(&SimFs)) -> Result<Run, String> {
    let fs = Arc::new(SimFs::new());
    prepare(&fs);
    faults.iter().for_each(|fault| fs.fail(fault.clone()));
    fs.record();
    let mut model = Model::new(Content::new());
    let mut subject = opened::<S>(&fs, "open the store for the first time")?;
    // A fault may strike a thread of the store, and the next operation be the one that hears of it.
    let mut calm = 0;
    for (number, op) in ops.iter().enumerate().map(|(at, op)| (at + 1, op)) {
        fs.started(number);
        let (done, next) = step(subject, &fs, op);
        subject = match next {
            Some(subject) => subject,
            None => opened::<S>(&fs, &format!("open the store after operation {number}, {op:.60?}"))?,
        };
        let whole = match &done {
            Ok(()) => match subject.content() {
                Ok(found) if found != *model.after(op) => {
                    let lines = differences(&model.after(op), &found).join("; ");
                    return Err(format!("the running store is wrong after operation {number}, {op:.60?}: {lines}"));
                }
                Err(error) if fs.struck() == calm => {
                    return Err(format!("cannot read after operation {number}: {error}"));
                }
                _ => true,
            },
            Err(error) if fs.struck() == calm => {
                return Err(format!("operation {number} failed without a fault: {error}"));
            }
            Err(_) => {
                let found = subject.content().map_err(|error| format!("cannot read after a fault: {error}"))?;
                let found = fingerprint(&found);
                let (after, before) = (fingerprint(&model.after(op)), fingerprint(&model.last()));
                if found != after && found != before {
                    return Err(format!("operation {number} failed and left a part of itself"));
                }
                calm = fs.struck();
                found != before
            }
        };
        if whole {
            model.did(op)
        } else {
            model.failed(op)
        }
        fs.acknowledged(number, done.is_ok() && (durable == Durable::Always || op.is_barrier()));
    }
    match subject.close() {
        Err(error) if fs.struck() == calm => return Err(format!("cannot close: {error}")),
        _ => {}
    }
    Ok(Run { recording: fs.recorded(), model, violations: fs.violations(), calls: fs.calls(), struck: fs.struck() })
}

/// Opens; a fault may refuse that once.
fn opened<S: Subject>(fs: &Arc<SimFs>, what: &str) -> Result<S, String> {
    let struck = fs.struck();
    S::open(fs.clone()).or_else(|error| {
        if fs.struck() == struck {
            return Err(format!("cannot {what}: {error}"));
        }
        fs.heal();
        S::open(fs.clone()).map_err(|error| format!("cannot {what}, after a fault refused it once: {error}"))
    })
}

/// Does one operation. There is no store afterwards when it has to be opened again.
fn step<S: Subject>(mut subject: S, fs: &SimFs, op: &Op) -> (error::Result<()>, Option<S>) {
    let done = match op {
        Op::Reopen => return (subject.close(), None),
        op => subject.apply(op),
    };
    if done.is_ok() {
        return (done, Some(subject));
    }
    fs.heal();
    drop(subject);
    (done, None)
}
