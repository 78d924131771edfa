//! The crash test: records a workload, cuts the power at every moment of it in every way, and opens what is left.
//!
//! For each image: the store opens, what it holds is allowed by the model, `verify` finds nothing. Then the recovery itself
//! is crashed at each of its calls and opened again: the same content. Then, for one image of four, a write after the
//! recovery survives a power cut and a reopening. Images with equal bytes are opened once and judged each time.
//!
//! After a kill the page cache lives: everything acknowledged must be there in every mode.

use crate::fault::Fault;
use crate::image::{Breadth, Choice, choices, describe, hash, image};
use crate::model::{Content, Model, Op, fingerprint};
use crate::recorder::{Moment, Recording};
use crate::rng::Rng;
use crate::sim::SimFs;
use crate::state::State;
use crate::subject::{Durable, Run, Subject, run};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An open that takes longer has stopped.
const OPEN_SECONDS_MAX: u64 = 120;
/// After so many failures the rest tells nothing new.
const FAILURES_MAX: usize = 20;
/// Of 100 images of a crash in recovery, how many are crashed a third time.
const THIRD_PERCENT: u64 = 2;

/// What to sweep.
pub struct Plan {
    /// About how many images are opened; `None` for all.
    pub images: Option<usize>,
    /// Of the choices.
    pub seed: u64,
    /// What an acknowledgement means.
    pub durable: Durable,
    /// What goes wrong during the workload.
    pub faults: Vec<Fault>,
    /// Rules, clock and room of the file system.
    pub prepare: fn(&SimFs),
    /// Choices at each moment.
    pub breadth: Breadth,
}

impl Plan {
    /// `CRASH_IMAGES` (a number, or `all`) says how many images, `ordinary` where it is not set.
    pub fn new(ordinary: usize) -> Plan {
        let images = match std::env::var("CRASH_IMAGES").ok().as_deref() {
            None | Some("") => Some(ordinary),
            Some("all") => None,
            Some(text) => Some(text.parse().expect("CRASH_IMAGES is `all` or a number")),
        };
        let (faults, prepare) = (Vec::new(), (|_| {}) as fn(&SimFs));
        Plan { images, seed: 1, durable: Durable::Always, faults, prepare, breadth: Breadth::FULL }
    }
}

/// What a sweep did and found.
#[derive(Debug, Default)]
pub struct Report {
    pub operations: usize,
    pub calls: u64,
    pub struck: u64,
    pub moments: usize,
    /// Choices over all moments.
    pub choices: usize,
    /// Images opened, those of crashes in recovery and of writes after it included.
    pub opened: usize,
    /// Images of crashes in recovery.
    pub nested: usize,
    /// Choices whose bytes had been opened before.
    pub same: usize,
    pub failures: Vec<String>,
    pub seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} operations, {} calls ({} struck), {} moments, {} choices: {} images opened ({} of crashes in recovery), {} \
             were the same as others, {} failures, {:.1} s",
            self.operations,
            self.calls,
            self.struck,
            self.moments,
            self.choices,
            self.opened,
            self.nested,
            self.same,
            self.failures.len(),
            self.seconds
        )
    }
}

impl Report {
    /// Prints the counts; fails the test when anything failed.
    pub fn expect_clean(&self, name: &str) {
        println!("crash test {name}: {self}");
        assert!(self.failures.is_empty(), "{name}: {self}\n\n{}", self.failures.join("\n\n"));
    }
}

struct Sweep<'a, S> {
    plan: &'a Plan,
    model: &'a Model,
    probe: Op,
    /// Fingerprints of what was found in images, by hash.
    seen: Mutex<HashMap<u128, u128>>,
    opened: AtomicUsize,
    nested: AtomicUsize,
    same: AtomicUsize,
    failures: Mutex<Vec<String>>,
    subject: PhantomData<fn() -> S>,
}

/// What an opening found, and its recording.
struct Found {
    content: Content,
    print: u128,
    recording: Recording,
}

/// What a second opening must find.
#[derive(Clone, Copy)]
enum Expected {
    Same(u128),
    /// After a kill what was pending still is: anything the model allows from the durable operation to the last begun.
    Between(usize, usize),
}

/// Runs the workload, opens images of its crashes, and says what failed.
pub fn sweep<S: Subject>(ops: &[Op], plan: &Plan) -> Report {
    let begun = Instant::now();
    let ran = guarded(|| run::<S>(ops, plan.durable, &plan.faults, plan.prepare));
    let Run { recording, model, violations, calls, struck } = match ran {
        Ok(ran) => ran,
        Err(failure) => return Report { failures: vec![failure], ..Report::default() },
    };
    let mut candidates = candidates(&recording.moments, plan);
    // A share of the images begins with the extremes of every moment.
    let mut rng = Rng::new(plan.seed);
    let is_extreme = |choice: &Choice| matches!(choice, Choice::None | Choice::All | Choice::Kill);
    candidates.sort_by_key(|(_, choice)| !is_extreme(choice));
    let middle = candidates.partition_point(|(_, choice)| is_extreme(choice));
    let (extremes, others) = candidates.split_at_mut(middle);
    rng.shuffle(extremes);
    rng.shuffle(others);
    let sweep: Sweep<'_, S> = Sweep {
        plan,
        model: &model,
        probe: probe(ops),
        seen: Mutex::default(),
        opened: AtomicUsize::new(0),
        nested: AtomicUsize::new(0),
        same: AtomicUsize::new(0),
        failures: Mutex::new(violations),
        subject: PhantomData,
    };
    sweep.over(&recording.moments, &candidates);
    Report {
        operations: ops.len(),
        calls,
        struck,
        moments: recording.moments.len(),
        choices: candidates.len(),
        opened: sweep.opened.into_inner(),
        nested: sweep.nested.into_inner(),
        same: sweep.same.into_inner(),
        failures: sweep.failures.into_inner().unwrap_or_else(PoisonError::into_inner),
        seconds: begun.elapsed().as_secs_f64(),
    }
}

fn candidates(moments: &[Moment], plan: &Plan) -> Vec<(usize, Choice)> {
    let mut found = Vec::new();
    for (at, moment) in moments.iter().enumerate() {
        found.push((at, Choice::Kill));
        let seed = plan.seed.wrapping_mul(0x1_0000_0001).wrapping_add(at as u64);
        found.extend(choices(&moment.state, plan.breadth, seed).into_iter().map(|choice| (at, choice)));
    }
    found
}

/// A write after recovery: an id of its own, a vector as long as those of the workload.
fn probe(ops: &[Op]) -> Op {
    let length = ops.iter().find_map(|op| match op {
        Op::Put(entries) => entries.first().map(|(_, vector, _)| vector.len()),
        _ => None,
    });
    Op::Put(vec![("written after recovery".to_owned(), vec![0.5; length.unwrap_or(4)], None)])
}

/// A panic is a failure like any other.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_else(|| "without a message".to_owned())))
    })
}

impl<S: Subject> Sweep<'_, S> {
    fn over(&self, moments: &[Moment], candidates: &[(usize, Choice)]) {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let at_work: Vec<Mutex<Option<(Instant, usize)>>> = (0..threads).map(|_| Mutex::new(None)).collect();
        std::thread::scope(|scope| {
            for place in &at_work {
                let next = &next;
                scope.spawn(move || {
                    while !self.is_done()
                        && let at = next.fetch_add(1, Relaxed)
                        && let Some((moment, choice)) = candidates.get(at)
                    {
                        *place.lock().unwrap() = Some((Instant::now(), at));
                        if let Err(failure) = self.judge(&moments[*moment], *choice) {
                            let text = report_of(*moment, &moments[*moment], *choice, &failure);
                            self.failures.lock().unwrap().push(text);
                        }
                    }
                    *place.lock().unwrap() = None;
                    next.fetch_add(candidates.len(), Relaxed);
                });
            }
            scope.spawn(|| {
                watch(
                    &at_work,
                    |at| {
                        let (moment, choice) = candidates[at];
                        report_of(moment, &moments[moment], choice, "an open that does not end")
                    },
                    || next.load(Relaxed) >= candidates.len(),
                )
            });
        });
    }

    fn is_done(&self) -> bool {
        self.plan.images.is_some_and(|most| self.opened.load(Relaxed) >= most)
            || self.failures.lock().unwrap().len() >= FAILURES_MAX
    }

    fn judge(&self, moment: &Moment, choice: Choice) -> Result<(), String> {
        let killed = choice == Choice::Kill;
        let progress = moment.progress;
        let must = if killed { progress.acknowledged } else { progress.durable };
        let state = image(&moment.state, choice);
        // What a killed process leaves pending matters to the crashes after it.
        let key = match killed {
            true => hash(&state) ^ hash(&image(&state, Choice::None)).rotate_left(64) ^ state.pending.len() as u128,
            false => hash(&state),
        };
        let known = self.seen.lock().unwrap().get(&key).copied();
        if let Some(print) = known
            && self.model.allows(print, must, progress.started)
        {
            self.same.fetch_add(1, Relaxed);
            return Ok(());
        }
        let found = self.look(&state)?;
        self.model.check(&found.content, must, progress)?;
        self.seen.lock().unwrap().insert(key, found.print);
        let half_is_nested = self.nested.load(Relaxed) * 2 > self.opened.load(Relaxed);
        if self.plan.images.is_none() || !half_is_nested {
            let expected = match killed {
                true => Expected::Between(progress.durable, progress.started),
                false => Expected::Same(found.print),
            };
            self.crash_again(&found.recording, expected, key as u64, 2)?;
        }
        if key >> 7 & 3 == 0 { self.write_on(&state, found.content) } else { Ok(()) }
    }

    /// Opens an image, reads and verifies everything, closes it.
    fn look(&self, state: &State) -> Result<Found, String> {
        self.opened.fetch_add(1, Relaxed);
        let fs = Arc::new(SimFs::of(state.clone()));
        fs.record();
        guarded(|| {
            let subject = S::open(fs.clone()).map_err(|error| format!("it does not open: {error}"))?;
            let content = subject.content().map_err(|error| format!("it cannot be read: {error}"))?;
            subject.verify().map_err(|error| format!("it does not verify: {error}"))?;
            subject.close().map_err(|error| format!("it does not close: {error}"))?;
            Ok(Found { print: fingerprint(&content), content, recording: fs.recorded() })
        })
    }

    /// Cuts the power at each moment of a recovery and opens again.
    fn crash_again(&self, recording: &Recording, expected: Expected, seed: u64, depth: u32) -> Result<(), String> {
        for (at, moment) in recording.moments.iter().enumerate() {
            for choice in choices(&moment.state, Breadth::NESTED, seed ^ at as u64) {
                let state = image(&moment.state, choice);
                let key = hash(&state);
                let seen = self.seen.lock().unwrap().get(&key).copied();
                let (print, again) = match seen {
                    Some(print) => {
                        self.same.fetch_add(1, Relaxed);
                        (print, None)
                    }
                    None => {
                        self.nested.fetch_add(1, Relaxed);
                        let found =
                            self.look(&state).map_err(|failure| nested_report(depth, moment, choice, &failure))?;
                        (found.print, Some(found.recording))
                    }
                };
                let right = match expected {
                    Expected::Same(first) => print == first,
                    Expected::Between(durable, started) => self.model.allows(print, durable, started),
                };
                if !right {
                    let what = "it opens, with another content than the opening before it";
                    return Err(nested_report(depth, moment, choice, what));
                }
                self.seen.lock().unwrap().insert(key, print);
                if let Some(again) = again.filter(|_| depth < 3 && key as u64 % 100 < THIRD_PERCENT) {
                    self.crash_again(&again, Expected::Same(print), key as u64, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// A write after recovery survives a power cut and a reopening, with everything before it.
    fn write_on(&self, state: &State, mut content: Content) -> Result<(), String> {
        let fs = Arc::new(SimFs::of(state.clone()));
        let cut = guarded(|| {
            let failed = |error| format!("a write after the recovery fails: {error}");
            let mut subject = S::open(fs.clone()).map_err(failed)?;
            subject.apply(&self.probe).map_err(failed)?;
            if self.plan.durable == Durable::AfterBarrier {
                subject.apply(&Op::Flush).map_err(failed)?;
            }
            let cut = fs.state();
            subject.close().map_err(failed)?;
            Ok(cut)
        })?;
        self.opened.fetch_add(1, Relaxed);
        self.probe.apply(&mut content);
        let cases = [("a power cut", image(&cut, Choice::None)), ("closing", fs.state())];
        for (what, state) in cases {
            let found = self
                .look(&state)
                .map_err(|failure| format!("after a write after the recovery, and {what}: {failure}"))?;
            if found.content != content {
                let lines = crate::model::differences(&content, &found.content);
                return Err(format!("after a write after the recovery, and {what}: {}", lines.join("; ")));
            }
        }
        Ok(())
    }
}

fn report_of(at: usize, moment: &Moment, choice: Choice, failure: &str) -> String {
    let done = moment.progress;
    format!(
        "{failure}\n  at moment {at}, after {}; operations begun {}, acknowledged {}, durable {}\n  {}",
        moment.after,
        done.started,
        done.acknowledged,
        done.durable,
        describe(&moment.state, choice)
    )
}

fn nested_report(depth: u32, moment: &Moment, choice: Choice, failure: &str) -> String {
    format!("crash {depth}, in recovery, after {}: {failure}\n  {}", moment.after, describe(&moment.state, choice))
}

/// Ends the process when an open does not end: nothing else can stop its threads.
fn watch(at_work: &[Mutex<Option<(Instant, usize)>>], report: impl Fn(usize) -> String, is_done: impl Fn() -> bool) {
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let busy: Vec<(Instant, usize)> = at_work.iter().filter_map(|place| *place.lock().unwrap()).collect();
        if let Some((_, at)) = busy.iter().find(|(since, _)| since.elapsed().as_secs() > OPEN_SECONDS_MAX) {
            eprintln!("{}", report(*at));
            std::process::exit(101);
        }
        if busy.is_empty() && is_done() {
            return;
        }
    }
}
