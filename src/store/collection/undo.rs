//! What a change replaced, and how it is taken back: the newest change first, each once. Its LSN stays used.

use super::Collection;
use crate::error::Result;
use crate::format::{Description, Entry};
use crate::store::memtable::Memtable;
use crate::store::part::{Part, Sealed};
use crate::store::rows::Row;
use std::sync::Arc;

/// What takes a change back.
#[derive(Debug)]
pub struct Undo {
    pub(super) description: Description,
    pub(super) replaced: Replaced,
}

#[derive(Debug)]
pub(super) enum Replaced {
    /// What each id held before.
    Ids(Vec<(Key, Before)>),
    /// The whole content.
    All(Vec<Sealed>, Box<Memtable>),
}

/// An id that was written; that of a new entry is the entry's own.
#[derive(Debug)]
pub(super) enum Key {
    Entry(Arc<Entry>),
    Id(Box<str>),
}

impl Key {
    fn id(&self) -> &str {
        match self {
            Key::Entry(entry) => &entry.id,
            Key::Id(id) => id,
        }
    }
}

#[derive(Debug)]
pub(super) enum Before {
    Nothing,
    Row(Row),
    Sealed(Part, u32),
}

impl Collection {
    pub(super) fn take_all(&mut self) -> Replaced {
        Replaced::All(std::mem::take(&mut self.sealed), Box::new(std::mem::take(&mut self.memtable)))
    }

    /// What each id holds, each once. Reads everything that the change will need, so that it cannot fail halfway.
    pub(super) fn befores(&self, ids: impl Iterator<Item = Key>) -> Result<Vec<(Key, Before)>> {
        let before = |key: Key| {
            let before = match self.place(key.id())? {
                None => Before::Nothing,
                Some(None) => self.memtable.get(key.id()).cloned().map_or(Before::Nothing, Before::Row),
                Some(Some((part, row))) => {
                    self.sealed.get(part).map_or(Before::Nothing, |sealed| Before::Sealed(sealed.part.clone(), row))
                }
            };
            Ok((key, before))
        };
        ids.map(before).collect()
    }

    /// Takes back the newest change that was not taken back yet. Its LSN stays used.
    pub fn undo(&mut self, undo: Undo) -> Result<()> {
        self.description = undo.description;
        match undo.replaced {
            Replaced::All(sealed, memtable) => {
                self.sealed = sealed;
                self.memtable = *memtable;
            }
            Replaced::Ids(before) => {
                // Of an id that stands twice in a batch, both remember what was before the batch.
                for (key, before) in before {
                    self.forget(key.id())?;
                    match before {
                        Before::Nothing => {}
                        Before::Row(row) => drop(self.memtable.insert(row)),
                        Before::Sealed(part, row) => {
                            let held = part.with_row(row, |view| Row { lsn: view.lsn, entry: view.to_entry() })?;
                            held.map(|row| self.memtable.insert(row));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
