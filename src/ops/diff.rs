//! Diff: which ids two contents do not share, and which they hold with different entries. Each side is an archive (with the
//! deltas beside it), a collection of a store, or one of a store's snapshots. Both are only read; nothing is locked.

use super::digest::Digest;
use super::load::{self, Target};
use crate::archive::Expect;
use crate::control::Control;
use crate::env::{self, fs::Disk};
use crate::error::{Error, Kind, Result};
use crate::format::Description;
use crate::store::{OpenStore, OpenedSnapshot, Store};
use std::path::Path;
use std::sync::Arc;

/// Rows between two looks whether the call is still wanted.
const ROWS_AT_ONCE: usize = 4_096;

/// One of the two.
#[derive(Debug, Clone)]
pub enum Side {
    /// An archive.
    Archive(String),
    /// A snapshot of a store, a folder or packed, and the collection of it; none: the only one.
    Snapshot(String, Option<String>),
    /// A store, and the collection of it; none: the only one.
    Store(String, Option<String>),
}

/// How one id differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it.
    Changed {
        /// With other vectors.
        vector: bool,
        /// With other metadata.
        metadata: bool,
    },
}

/// What is known of one side as a whole.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// Entries.
    pub count: u64,
    /// Dimension and metric.
    pub description: Description,
}

/// The difference from one to the other.
#[derive(Debug)]
pub struct Diff {
    sides: [Digest; 2],
    changes: Vec<(u32, Change)>,
}

impl Diff {
    /// All changes: those of the second side in its order, then what only the first has in its order.
    pub fn changes(&self) -> impl ExactSizeIterator<Item = (&str, Change)> {
        let [first, second] = &self.sides;
        self.changes.iter().map(|(number, change)| match change {
            Change::Removed => (first.id(*number), *change),
            Change::Added | Change::Changed { .. } => (second.id(*number), *change),
        })
    }

    /// Both sides.
    pub fn about(&self) -> [About; 2] {
        let about = |side: &Digest| About { count: side.count(), description: side.description };
        let [first, second] = &self.sides;
        [about(first), about(second)]
    }
}

/// Compares the two.
pub fn run(first: &Side, second: &Side, control: &Control) -> Result<Diff> {
    let sides = [read(first, control)?, read(second, control)?];
    let [old, new] = &sides;
    let mut changes = Vec::new();
    let mut shared = vec![false; old.rows().last().map_or(0, |(number, _)| number as usize + 1)];
    for (done, (number, row)) in new.rows().enumerate() {
        if done % ROWS_AT_ONCE == 0 {
            control.check()?;
        }
        let Some((before, held)) = old.find(new.id(number)) else {
            changes.push((number, Change::Added));
            continue;
        };
        if let Some(shared) = shared.get_mut(before as usize) {
            *shared = true;
        }
        let (vector, metadata) = held.differs(row);
        if vector || metadata {
            changes.push((number, Change::Changed { vector, metadata }));
        }
    }
    let gone = old.rows().filter(|(number, _)| shared.get(*number as usize) == Some(&false));
    changes.extend(gone.map(|(number, _)| (number, Change::Removed)));
    Ok(Diff { sides, changes })
}

fn read(side: &Side, control: &Control) -> Result<Digest> {
    let mut digest = Digest::default();
    match side {
        Side::Archive(path) => {
            let expect = Expect { verify: true, ..Expect::default() };
            load::into(&mut digest, &load::Request { path, expect, operation: "diff" }, None, control)?;
        }
        Side::Snapshot(path, collection) => {
            let reading = OpenedSnapshot::of(Arc::new(Disk), &env::checked_path(path)?, control)?;
            take(reading.store(), collection.as_deref(), &mut digest, control)?;
        }
        Side::Store(path, collection) => {
            let holder = String::new();
            let options = OpenStore { read_only: true, create: false, among_others: false, holder };
            let store = Store::open(Arc::new(Disk), &env::checked_path(path)?, &options)?;
            take(&store, collection.as_deref(), &mut digest, control)?;
        }
    }
    Ok(digest)
}

/// The entries of one collection.
fn take(store: &Store, name: Option<&str>, digest: &mut Digest, control: &Control) -> Result<()> {
    let names = store.list()?;
    let name = match (name, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only.as_str(),
        (None, _) => return Err(ambiguous(&names, store.base())),
    };
    let version = store.collection(name)?.version();
    for (done, entry) in version.entries().enumerate() {
        if done % ROWS_AT_ONCE == 0 {
            control.check()?;
        }
        digest.put(Arc::unwrap_or_clone(entry?))?;
    }
    digest.describe(version.description())
}

fn ambiguous(names: &[String], base: &Path) -> Error {
    let message = format!("say which collection is meant: there are {}: {}", names.len(), names.join(", "));
    Error::new(Kind::NotFound, message).in_file(base)
}
