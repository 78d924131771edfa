//! A file system in memory that crashes, fails and lies as disks do, behind the trait that the store uses.
//!
//! [`SimFs`] is one file system as one process sees it: [`SimFs::crash`] and [`SimFs::kill`] give a new one, as the next
//! process finds it, and leave the old one to whoever still holds it. Every call is numbered, may be struck by a
//! [`Fault`], is shown to the rules of `order.rs`, and is kept as a [`Moment`](crate::recorder::Moment) when a recording
//! runs. Everything is behind one mutex: calls from several threads happen one after the other.
//!
//! Not simulated: symbolic links, permissions, short reads and interrupted calls (the implementation for real disks hides
//! them from the store).

use crate::content::{Content, PAGE, SECTOR};
use crate::fault::{Call, Fault, How, Kind};
use crate::image::{Breadth, Choice, choices, image};
use crate::names::{Node, ROOT};
use crate::order::Rule;
use crate::recorder::{Progress, Recording};
use crate::rng::Rng;
use crate::state::State;
use ruvector_persistence::error::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Free bytes where a test set none.
pub const ENDLESS: u64 = 1 << 60;
/// The directory that every new file system has.
pub const BASE: &str = "/db";

/// See the head of this file.
#[derive(Clone)]
pub struct SimFs(pub(crate) Arc<Mutex<Inner>>);

/// What is behind the mutex.
pub(crate) struct Inner {
    pub(crate) state: State,
    pub(crate) locks: BTreeSet<u64>,
    pub(crate) clock_us: u64,
    pub(crate) free: u64,
    calls: u64,
    struck: u64,
    faults: Vec<Fault>,
    recording: Option<Recording>,
    progress: Progress,
    rules: Vec<Rule>,
    violations: Vec<String>,
}

impl fmt::Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner();
        write!(f, "SimFs after {} calls, {} atoms pending", inner.calls, inner.state.pending.len())
    }
}

/// The refusal of an operating system.
pub(crate) fn refusal(errno: i32, what: &str, path: &Path) -> Error {
    Error::io(io::Error::from_raw_os_error(errno), what, path)
}

impl SimFs {
    /// An empty disk with the directory [`BASE`].
    pub fn new() -> SimFs {
        let mut state = State::default();
        state.make_directory(0, ROOT, &Arc::from("db"));
        state.settle();
        SimFs::of(state)
    }

    /// A disk in that state, as a process finds it that begins: no locks, no faults, no rules.
    pub fn of(state: State) -> SimFs {
        let inner = Inner {
            state,
            locks: BTreeSet::new(),
            clock_us: 1_700_000_000_000_000,
            free: ENDLESS,
            calls: 0,
            struck: 0,
            faults: Vec::new(),
            recording: None,
            progress: Progress::default(),
            rules: Vec::new(),
            violations: Vec::new(),
        };
        SimFs(Arc::new(Mutex::new(inner)))
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Disk and page cache as they are now.
    pub fn state(&self) -> State {
        self.inner().state.clone()
    }

    fn next(&self, choice: Choice) -> SimFs {
        let inner = self.inner();
        let next = SimFs::of(image(&inner.state, choice));
        {
            let mut fresh = next.inner();
            fresh.clock_us = inner.clock_us;
            fresh.free = inner.free;
        }
        next
    }

    /// The power goes now: the file system as the next process finds it, one of the many it may find.
    pub fn crash(&self, choice: Choice) -> SimFs {
        self.next(choice)
    }

    /// The power goes now, and one of the possible disks is taken at random.
    pub fn crash_at_random(&self, rng: &mut Rng) -> SimFs {
        let found = choices(&self.state(), Breadth::FULL, rng.next());
        self.next(found[rng.below(found.len() as u64) as usize])
    }

    /// The process is killed now: the page cache lives on, locks are gone.
    pub fn kill(&self) -> SimFs {
        self.next(Choice::Kill)
    }

    /// Waits for a call and strikes it.
    pub fn fail(&self, fault: Fault) {
        self.inner().faults.push(fault);
    }

    /// No more faults.
    pub fn heal(&self) {
        self.inner().faults.clear();
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Calls that a fault struck.
    pub fn struck(&self) -> u64 {
        self.inner().struck
    }

    /// Sets the clock; back is allowed.
    pub fn set_clock(&self, us: u64) {
        self.inner().clock_us = us;
    }

    /// Sets how much can still be written.
    pub fn set_free_space(&self, bytes: u64) {
        self.inner().free = bytes;
    }

    /// Keeps every moment from now on, the present one first.
    pub fn record(&self) {
        let mut inner = self.inner();
        inner.recording = Some(Recording::default());
        inner.moment(|| "the beginning".to_owned());
    }

    /// Ends the recording.
    pub fn recorded(&self) -> Recording {
        self.inner().recording.take().unwrap_or_default()
    }

    /// The workload begins its nth operation.
    pub fn started(&self, operation: usize) {
        self.inner().progress.started = operation;
    }

    /// The nth operation came back, as durable or not.
    pub fn acknowledged(&self, operation: usize, durable: bool) {
        let mut inner = self.inner();
        inner.progress.acknowledged = operation;
        if durable {
            inner.progress.durable = operation;
            let number = inner.calls;
            inner.check(&Call { number, kind: Kind::Acknowledge, path: BASE.into(), to: None, offset: 0, bytes: 0 });
        }
        inner.moment(|| format!("operation {operation} was acknowledged{}", if durable { " as durable" } else { "" }));
    }

    /// Shows every later call to a rule before it happens.
    pub fn watch(&self, rule: Rule) {
        self.inner().rules.push(rule);
    }

    /// What the rules found wrong.
    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    /// Every path that processes see, with `/` at the end of directories.
    pub fn paths(&self) -> Vec<String> {
        let mut found: Vec<String> = self.inner().state.names.paths().into_iter().map(shown).collect();
        found.sort();
        found
    }

    /// What a file holds.
    pub fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.inner().state.bytes(path.as_ref())
    }

    /// Changes a file on the disk behind everybody's back, or makes one.
    pub fn put_at_rest(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        assert!(
            self.inner().state.put_at_rest(path.as_ref(), bytes),
            "the directory of {} is missing",
            path.as_ref().display()
        );
    }
}

fn shown((path, node): (String, Node)) -> String {
    match node {
        Node::File(_) => path,
        Node::Directory(_) => path + "/",
    }
}

impl Inner {
    fn moment(&mut self, after: impl FnOnce() -> String) {
        if let Some(recording) = &mut self.recording {
            recording.push(after(), &self.state, self.progress);
        }
    }

    /// The state has changed by that call.
    pub(crate) fn changed(&mut self, call: &Call) {
        self.moment(|| call.to_string());
    }

    fn check(&mut self, call: &Call) {
        for rule in &self.rules {
            if let Err(what) = rule(call, &self.state) {
                self.violations.push(format!("{call}: {what}"));
            }
        }
    }

    /// Numbers a call, shows it to the rules, and says what befalls it.
    pub(crate) fn begin(&mut self, mut call: Call) -> (Call, Option<How>) {
        self.calls += 1;
        call.number = self.calls;
        self.check(&call);
        let mut how = None;
        for fault in &mut self.faults {
            how = fault.strikes(&call).or(how);
        }
        self.struck += u64::from(how.is_some());
        (call, how)
    }

    /// A call that a fault simply refuses.
    pub(crate) fn plain(&mut self, call: Call, what: &str) -> Result<(Call, Option<How>)> {
        match self.begin(call) {
            (call, Some(How::Errno(errno) | How::Torn(errno))) => Err(refusal(errno, what, &call.path)),
            other => Ok(other),
        }
    }

    /// Writes as far as there is room. A long write lands in two parts, between which the process may die.
    pub(crate) fn land(&mut self, call: &Call, file: u64, bytes: &[u8]) -> Result<()> {
        let offset = call.offset;
        let length = self.state.file(file).map_or(0, |file| file.volatile.length());
        let end = offset + bytes.len() as u64;
        let fits = end.min(length.max(offset) + self.free).saturating_sub(offset).min(bytes.len() as u64);
        let parts = match fits.div_ceil(PAGE) {
            0 | 1 => [0, fits],
            pages => [(offset + pages / 2 * PAGE) / PAGE * PAGE - offset, fits],
        };
        let mut from = 0;
        for to in parts.into_iter().filter(|to| *to > 0) {
            self.state.write(call.number, file, &bytes[from as usize..to as usize], offset + from);
            from = to;
            if to < fits {
                self.moment(|| format!("{call}, of which {to} have landed"));
            }
        }
        let after = self.state.file(file).map_or(0, |file| file.volatile.length());
        self.free = self.free.saturating_sub(after - length);
        self.changed(call);
        if fits < bytes.len() as u64 { Err(refusal(libc::ENOSPC, "write", &call.path)) } else { Ok(()) }
    }

    /// Bytes come back when the last name of a file goes.
    pub(crate) fn give_back(&mut self, node: Option<Node>) {
        if let Some(Node::File(file)) = node
            && !self.state.names.has(Node::File(file))
        {
            self.free += self.state.file(file).map_or(0, |file| file.volatile.length());
        }
    }

    /// Bytes as a failing disk gives them.
    pub(crate) fn spoil(&self, how: Option<How>, file: u64, offset: u64, buffer: &mut [u8]) {
        match how {
            Some(How::Flip(bit)) if !buffer.is_empty() => {
                let bit = (bit % (buffer.len() as u64 * 8)) as usize;
                buffer[bit / 8] ^= 1 << (bit % 8);
            }
            Some(How::Foreign(seed)) if !buffer.is_empty() => {
                let mut rng = Rng::new(seed);
                let first = offset / SECTOR;
                let index = first + rng.below((offset + buffer.len() as u64).div_ceil(SECTOR) - first);
                let sector = self.foreign(file, index, &mut rng);
                let start = (index * SECTOR).max(offset);
                let end = ((index + 1) * SECTOR).min(offset + buffer.len() as u64);
                buffer[(start - offset) as usize..(end - offset) as usize]
                    .copy_from_slice(&sector[(start % SECTOR) as usize..(start % SECTOR + end - start) as usize]);
            }
            _ => {}
        }
    }

    /// A sector that is not the one asked for: an older one, one of a removed file, of another file or of another offset.
    fn foreign(&self, file: u64, index: u64, rng: &mut Rng) -> Vec<u8> {
        let own = self.state.file(file);
        let others = self.state.files.values().map(|file| &file.durable).chain(self.state.removed.iter());
        let mut sources: Vec<(&Content, u64)> = others.map(|content| (&**content, index)).collect();
        if let Some(own) = own {
            sources.push((&own.durable, index));
            sources.push((&own.volatile, rng.below(own.volatile.length().div_ceil(SECTOR))));
        }
        let mut sectors: Vec<Vec<u8>> =
            sources.iter().map(|(content, index)| content.sector(*index).bytes().to_vec()).collect();
        let right = own.map(|own| own.volatile.sector(index).bytes().to_vec()).unwrap_or_default();
        sectors.retain(|sector| *sector != right);
        if sectors.is_empty() {
            return right.iter().map(|byte| !byte).collect();
        }
        sectors.swap_remove(rng.below(sectors.len() as u64) as usize)
    }
}
