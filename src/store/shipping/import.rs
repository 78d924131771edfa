//! Doing what an exported log says, in a collection that stands where it begins, or within it.
//!
//! Each record keeps its number and its time. A record is done only where it is the next one, so that a write of somebody
//! else in between ends the call. What was done before an end stays, and doing the same file again goes on from there.

use super::descriptor::{self, Descriptor, FORM, File, Found};
use super::export::fingerprint;
use crate::control::Control;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::document::{hash, hex};
use crate::format::header::Owner;
use crate::format::record::{self, Change, Record};
use crate::manifest::Origin;
use crate::store::history::Trail;
use crate::store::log::{Pending, held};
use crate::store::open::Store;
use crate::store::recovery::{LogBytes, log_bytes};
use crate::store::snapshot::{Staging, sweep};
use crate::store::stored::StoredCollection;
use crate::store::tarball;
use crate::sync::PoisonError;
use crate::sync::atomic::Ordering;
use crate::wal::{LogReader, Sealed};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do.
#[derive(Debug, Clone)]
pub struct Import {
    /// The file.
    pub place: PathBuf,
    /// The collection.
    pub collection: String,
    /// Read and check every record before the first is done.
    pub verify: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Imported {
    /// What the file says of itself.
    pub descriptor: Descriptor,
    /// Records that were done.
    pub operations: u64,
    /// Records that were there already.
    pub skipped: u64,
    /// The last change of the collection now.
    pub lsn: u64,
}

impl Store {
    /// Does what an exported log says.
    pub fn import_log(&self, request: &Import, control: &Control) -> Result<Imported> {
        let fs = self.fs();
        let in_file = |error: Error| error.in_file(&request.place);
        let bytes = tarball::read_first(&**fs, &request.place, FORM)?;
        let found = descriptor::decode(&bytes).map_err(in_file)?;
        let collection = self.collection(&request.collection)?;
        collection.refusal().map_or(Ok(()), Err)?;
        if collection.core().volatile {
            let message = format!("collection '{}' is of engine memory: it follows no log", request.collection);
            return Err(Error::new(Kind::Unsupported, message));
        }
        let begun = collection.position(&found).map_err(in_file)?;
        sweep(fs, self.base())?;
        let staging = Staging::fresh(fs, self.base(), "import")?;
        let needed: u64 = found.descriptor.files.iter().map(|file| file.length).sum();
        let free = fs.free_space(self.base())?;
        // Once as it is unpacked, and once in the log of the collection.
        if free < needed.saturating_mul(2) {
            let message = format!("it holds {needed} bytes of log, which are needed twice, and {free} are free");
            return Err(in_file(Error::new(Kind::NoSpace, message)));
        }
        let log = Unpacked::of(self, &request.place, &found, &staging, control)?;
        if request.verify {
            log.each(control, |_| Ok(true)).map_err(in_file)?;
        }
        let lsn = collection.read(|state| state.lsn());
        collection.check_common(&log, &found, lsn, control).map_err(in_file)?;
        if begun {
            collection.note_origin(&found, 0)?;
        }
        let (mut operations, mut skipped) = (0, 0);
        log.each(control, |record| {
            if record.last_lsn() <= lsn {
                skipped += 1;
                return Ok(true);
            }
            failpoint::hit("import.before_record")?;
            collection.follow(record)?;
            operations += 1;
            Ok(true)
        })
        .map_err(in_file)?;
        collection.flush()?;
        let lsn = collection.read(|state| state.lsn());
        if operations > 0 && collection.owner().collection != found.owner.collection {
            failpoint::hit("import.before_origin")?;
            collection.note_origin(&found, found.descriptor.to)?;
        }
        Ok(Imported { descriptor: found.descriptor, operations, skipped, lsn })
    }
}

fn chain(message: String) -> Error {
    Error::new(Kind::Chain, message)
}

impl StoredCollection {
    /// Refuses a file of another collection, and one that does not go on where this one stands. Whether this collection
    /// was never written to, and becomes one that follows.
    fn position(&self, found: &Found) -> Result<bool> {
        let Descriptor { after, to, name, .. } = &found.descriptor;
        let lsn = self.read(|state| state.lsn());
        let manifest = self.manifest();
        let id = hex(&found.owner.collection);
        let own = hex(&self.owner().collection) == id;
        let follows = manifest.origin.as_ref().is_some_and(|origin| origin.collection == id);
        let empty = lsn == 0;
        if !own && !follows && !empty {
            let message = format!(
                "it is a part of the log of another collection ('{name}' there): '{}' was not restored from a snapshot of \
                 that one",
                self.name()
            );
            return Err(chain(message));
        }
        if lsn < *after {
            let message = format!(
                "collection '{}' is at change {lsn}, the file begins with change {}: changes {} to {after} are missing",
                self.name(),
                after + 1,
                lsn + 1
            );
            return Err(chain(message));
        }
        // What was replaced as a whole is not the content that the changes of the file belong to.
        let replaced = manifest.timelines.last().filter(|timeline| !own && timeline.lsn <= *to);
        match replaced {
            Some(timeline) => Err(self.went_on(timeline.lsn)),
            None => Ok(empty && !own),
        }
    }

    fn went_on(&self, lsn: u64) -> Error {
        let message = format!(
            "collection '{}' has gone its own way: its change {lsn} is not that of the file. Drop it, and restore a \
             snapshot anew",
            self.name()
        );
        chain(message)
    }

    /// Refuses to go on from the change that both have last, unless it is known to be the same here and there. Numbers of
    /// writes that were refused here (a full disk) are used up: then what is missing cannot be told from what is there.
    fn check_common(&self, log: &Unpacked, found: &Found, lsn: u64, control: &Control) -> Result<()> {
        let Descriptor { after, to, previous, .. } = &found.descriptor;
        let (end, lsn) = (lsn, lsn.min(*to));
        let known = self.manifest().origin.is_some_and(|origin| origin.lsn >= lsn);
        // Of its own log nothing has to be done again.
        let own = self.owner().collection == found.owner.collection && end >= *to;
        if lsn == 0 || known || own {
            return Ok(());
        }
        let mut theirs = previous.clone().filter(|_| lsn == *after);
        log.each(control, |record| {
            let (first, last) = (record.lsn, record.last_lsn());
            if (first..=last).contains(&lsn) {
                theirs = Some(fingerprint(&record)?);
            }
            Ok(last < lsn)
        })?;
        let ours = self.record_at(lsn)?.map(|record| fingerprint(&record)).transpose()?;
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
            (Some(_), Some(_)) => Err(self.went_on(lsn)),
            _ => {
                let message = format!(
                    "nothing tells whether change {lsn} of collection '{}' is that of the file: import one that holds it, \
                     or drop the collection and restore a snapshot anew",
                    self.name()
                );
                Err(chain(message))
            }
        }
    }

    /// The record of its own log that stands for a change.
    fn record_at(&self, lsn: u64) -> Result<Option<Record>> {
        let core = self.core();
        let _turn = core.turn.take();
        let root = held(&core.root).clone();
        let trail = Trail::open(&*core.fs, &core.paths, &root, (lsn, lsn))?;
        let mut found = None;
        trail.walk(|record| {
            if (record.lsn..=record.last_lsn()).contains(&lsn) && record.change != Change::Close {
                found = Some(record);
            }
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// Does the next change under its own number and time.
    fn follow(&self, record: Record) -> Result<()> {
        let core = self.core();
        let _gate = core.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut state = core.write();
        self.refusal().map_or(Ok(()), Err)?;
        if record.lsn != state.lsn() + 1 {
            let message = format!(
                "collection '{}' was written to meanwhile: it is at change {}, the next of the file is {}",
                self.name(),
                state.lsn(),
                record.lsn
            );
            return Err(chain(message));
        }
        let Some(log) = &core.log else { return Err(Error::new(Kind::ReadOnly, "opened for reading only")) };
        state.check(&record.change)?;
        record::size(&record.change)?;
        let (first, lsn, time) = (record.lsn, record.last_lsn(), record.time);
        let undo = state.apply(lsn, &record.change)?;
        core.last_time.fetch_max(time, Ordering::AcqRel);
        log.push(&record.change, Pending { first, lsn, time, undo, awaited: false });
        let full = core.is_full(&state);
        drop(state);
        self.handed_over(full);
        Ok(())
    }

    /// Notes up to which change this collection is the one of the file.
    fn note_origin(&self, found: &Found, lsn: u64) -> Result<()> {
        let core = self.core();
        let (store, collection) = (hex(&found.owner.store), hex(&found.owner.collection));
        let mut root = held(&core.root);
        let replaced = root.replace(&*core.fs, &core.paths.home, |manifest| {
            manifest.origin = Some(Origin { store, collection, lsn });
        });
        let in_doubt = root.in_doubt;
        drop(root);
        replaced.inspect_err(|error| core.poison_if(in_doubt, error))
    }
}

/// The log files of an archive.
struct Unpacked {
    owner: Owner,
    /// Where the archive is.
    place: PathBuf,
    files: Vec<(PathBuf, File)>,
    fs: Arc<dyn Fs>,
}

impl Unpacked {
    fn of(store: &Store, place: &Path, found: &Found, staging: &Staging, control: &Control) -> Result<Unpacked> {
        let folder = staging.folder();
        let named = found.descriptor.files.iter().map(|file| (file.name.clone(), Some(file.length))).collect();
        let path = |file: &File| folder.join(&file.name);
        let wanted = found.descriptor.files.iter().map(|file| (file.name.clone(), path(file))).collect();
        tarball::unpack(&**store.fs(), place, (FORM, &found.checksum), named, wanted, control)?;
        let files = found.descriptor.files.iter().map(|file| (path(file), file.clone())).collect();
        Ok(Unpacked { owner: found.owner, place: place.to_path_buf(), files, fs: store.fs().clone() })
    }

    fn bytes(&self, path: &Path, file: &File) -> Result<LogBytes> {
        let bytes = log_bytes(&*self.fs, path, true)?;
        if hash(&bytes) != file.checksum {
            return Err(Error::new(Kind::Corrupt, format!("its file {} is damaged: its checksum differs", file.name)));
        }
        Ok(bytes)
    }

    /// Shows every record in turn, until told to stop.
    fn each(&self, control: &Control, mut show: impl FnMut(Record) -> Result<bool>) -> Result<()> {
        for ((path, file), number) in self.files.iter().zip(1..) {
            let bytes = self.bytes(path, file)?;
            let sealed = Sealed { length: file.length, last_lsn: file.last_lsn };
            let mut reader = LogReader::new(&bytes, &self.place, self.owner, (number, file.first_lsn), Some(sealed))?;
            while let Some(record) = reader.next_record()? {
                control.check()?;
                let may_be = !matches!(record.change, Change::Close | Change::Replaced);
                if !may_be {
                    let message = format!("its change {} is none that a log can be exported with", record.lsn);
                    return Err(Error::new(Kind::Corrupt, message));
                }
                if !show(record)? {
                    return Ok(());
                }
            }
            reader.end()?;
        }
        Ok(())
    }
}
