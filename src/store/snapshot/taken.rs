//! A collection at one LSN as files: how the writer takes it, and how somebody who only reads does.

use super::content::{Content, File, collection_id};
use super::create::manifest_file;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::document::hash;
use crate::format::record::Change;
use crate::lsm;
use crate::manifest::{self, Manifest, Root, SegmentKind, SegmentRef, Settings, WalRef};
use crate::store::checkpoint::{Compact, Frozen};
use crate::store::log::held;
use crate::store::open::Store;
use crate::store::paths::{Paths, RUNS, dead_name, segment_name};
use crate::store::recovery::{self, log_bytes, sealed_log};
use crate::store::stored::{Core, StoredCollection};
use crate::sync::PoisonError;
use crate::wal::{self, LogReader};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// A reader whose files went while it looked at them tries again so many times.
const ATTEMPTS: usize = 20;

/// Where the bytes of a file are.
pub enum Source {
    /// In a file that nobody changes.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
}

/// A collection at one LSN.
pub struct Taken {
    /// What the snapshot says of it.
    pub content: Content,
    /// Where its files come from, in the order of `content.files`.
    pub sources: Vec<Source>,
}

impl Taken {
    /// Leaves out what a base holds.
    pub fn drop_held(&mut self, held: &BTreeSet<(&str, &File)>) {
        let files = std::mem::take(&mut self.content.files);
        let sources = std::mem::take(&mut self.sources);
        let id = self.content.id.clone();
        let kept = files
            .into_iter()
            .zip(sources)
            .filter(|(file, source)| matches!(source, Source::Bytes(_)) || !held.contains(&(id.as_str(), file)));
        (self.content.files, self.sources) = kept.unzip();
    }

    /// From a manifest that names exactly the state at `lsn`; `logs` are the sources of its log files, in order.
    fn of(
        fs: &dyn Fs,
        name: &str,
        root: &Root,
        paths: &Paths,
        (lsn, time, entries): (u64, u64, u64),
        logs: Vec<Source>,
    ) -> Result<Taken> {
        let manifest = &root.manifest;
        let bytes = manifest::encode(root.owner, manifest)?;
        let (mut files, mut sources): (Vec<File>, Vec<Source>) = sealed_files(fs, root, paths)?
            .into_iter()
            .map(|file| {
                let from = paths.home.join(&file.name);
                (file, Source::File(from))
            })
            .unzip();
        for (file, source) in manifest.wal.iter().zip(logs) {
            let name = format!("wal/{}", wal::file_name(file.number));
            files.push(File { name, length: file.length.unwrap_or(0), checksum: 0 });
            sources.push(source);
        }
        files.push(manifest_file(&bytes));
        let manifest_hash = hash(&bytes);
        sources.push(Source::Bytes(bytes));
        let content = Content {
            name: name.to_owned(),
            id: collection_id(root.owner),
            lsn,
            time,
            entries,
            dimension: manifest.settings.dimension,
            metric: manifest.settings.metric.clone(),
            manifest: manifest_hash,
            bytes: files.iter().map(|file| file.length).sum(),
            files,
        };
        Ok(Taken { content, sources })
    }
}

/// The segments and runs that a manifest names, and their dead rows.
fn sealed_files(fs: &dyn Fs, root: &Root, paths: &Paths) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for named in &root.manifest.segments {
        let (number, length, checksum) = (named.number, named.length, named.checksum);
        match named.kind {
            SegmentKind::File => {
                files.push(File { name: format!("segments/{}", segment_name(number)), length, checksum });
            }
            SegmentKind::Lsm => {
                let found = lsm::files(fs, &paths.run(number), root.owner, (number, checksum))?;
                let file = |(name, length, checksum): (String, u64, u32)| File {
                    name: run_file(number, &name),
                    length,
                    checksum,
                };
                files.extend(found.into_iter().map(file));
            }
        }
        files.extend(dead_file(named));
    }
    Ok(files)
}

fn dead_file(named: &SegmentRef) -> Option<File> {
    let dead = named.dead.as_ref()?;
    let name = format!("segments/{}", dead_name(named.number, dead.version));
    Some(File { name, length: dead.length, checksum: dead.checksum })
}

/// The name of a file of a run within the folder of the collection.
fn run_file(number: u64, name: &str) -> String {
    format!("{RUNS}/{number:08}/{name}")
}

/// The files by which a manifest knows what it names: of a run its seal, which names the others.
pub fn named_files(manifest: &Manifest) -> impl Iterator<Item = File> {
    manifest.segments.iter().flat_map(|named| {
        let name = match named.kind {
            SegmentKind::File => format!("segments/{}", segment_name(named.number)),
            SegmentKind::Lsm => run_file(named.number, lsm::SEAL),
        };
        let file = File { name, length: named.length, checksum: named.checksum };
        std::iter::once(file).chain(dead_file(named))
    })
}

/// Settings as a snapshot keeps them: without places that another process or machine may not have.
fn portable(settings: &mut Settings) {
    settings.read_only = false;
    settings.wal.directory = None;
    settings.wal.archive = None;
}

impl Store {
    /// Takes the collections of those names. Those that are open for writing here are taken as they are at one moment.
    pub(super) fn at_one_moment(&self, names: &[String], mut each: impl FnMut(&mut Taken) -> Result<()>) -> Result<()> {
        let mut open: Vec<Arc<StoredCollection>> = Vec::new();
        let (mut closed, mut volatile) = (Vec::new(), Vec::new());
        for name in names {
            match self.opened(name) {
                Some(found) if found.core().volatile => volatile.push(found),
                Some(found) if found.core().log.is_some() => open.push(found),
                _ => closed.push(name),
            }
        }
        let turns: Vec<_> = open.iter().map(|collection| collection.core().turn.take()).collect();
        let frozen: Vec<Frozen> = {
            // Nobody writes to any of them while all are frozen: that is one moment.
            let gates = open.iter().map(|collection| collection.core().gate.write());
            let _gates: Vec<_> = gates.map(|gate| gate.unwrap_or_else(PoisonError::into_inner)).collect();
            open.iter().map(|collection| collection.core().freeze()).collect::<Result<_>>()?
        };
        for (collection, frozen) in open.iter().zip(frozen) {
            each(&mut collection.core().taken(frozen)?)?;
        }
        drop(turns);
        for collection in volatile {
            self.take_volatile(&collection, &mut each)?;
        }
        for name in closed {
            each_again(|| self.read_taken(name), &mut each)?;
        }
        Ok(())
    }

    /// What is in memory only is written to a collection without a name, and that is taken.
    fn take_volatile(
        &self,
        collection: &StoredCollection,
        each: &mut impl FnMut(&mut Taken) -> Result<()>,
    ) -> Result<()> {
        let scratch = self.scratch(&collection.manifest().settings)?;
        let taken = scratch.replace(&collection.version()).and_then(|_| {
            let core = scratch.core();
            let _turn = core.turn.take();
            let mut taken = core.taken(core.freeze()?)?;
            collection.name().clone_into(&mut taken.content.name);
            each(&mut taken)
        });
        taken.and(self.remove_hidden(&scratch))
    }

    /// What somebody who does not write can take.
    fn read_taken(&self, name: &str) -> Result<Taken> {
        let opened = recovery::open(self.fs(), self.base(), name, self.id(), false)?;
        failpoint::hit("snapshot.after_reading")?;
        let (lsn, entries) = {
            let state = opened.state.read().unwrap_or_else(PoisonError::into_inner);
            (state.lsn(), state.len() as u64)
        };
        let mut root = held(&opened.root).clone();
        let mut logs = Vec::new();
        let mut wal = Vec::new();
        for file in root.manifest.wal.iter().filter(|_| lsn > root.manifest.checkpoint_lsn) {
            let behind = file.last_lsn.is_some_and(|last| last <= root.manifest.checkpoint_lsn);
            if behind || file.first_lsn > lsn {
                continue;
            }
            let (named, source) = cut(&**self.fs(), &opened.paths, &root, file, lsn)?;
            wal.push(named);
            logs.push(source);
        }
        root.manifest.wal = wal;
        portable(&mut root.manifest.settings);
        Taken::of(&**self.fs(), name, &root, &opened.paths, (lsn, opened.last_time, entries), logs)
    }
}

/// The manifest may have moved on, and files of the old one may be gone: then all of it is read again.
fn each_again(mut take: impl FnMut() -> Result<Taken>, each: &mut impl FnMut(&mut Taken) -> Result<()>) -> Result<()> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let done = take().and_then(|mut taken| each(&mut taken));
        match done {
            Err(error) if error.cause_code() == Some("ENOENT") && attempt < ATTEMPTS => {}
            other => return other,
        }
    }
}

/// A log file up to `lsn`.
fn cut(fs: &dyn Fs, paths: &Paths, root: &Root, file: &WalRef, lsn: u64) -> Result<(WalRef, Source)> {
    let path = paths.log(file.number);
    if file.last_lsn.is_some_and(|last| last <= lsn) {
        return Ok((file.clone(), Source::File(path)));
    }
    let mut bytes = match log_bytes(fs, &path, false)? {
        recovery::LogBytes::Copied(bytes) => bytes,
        recovery::LogBytes::Mapped(bytes) => bytes.to_vec(),
    };
    let mut reader = LogReader::new(&bytes, &path, root.owner, (file.number, file.first_lsn), sealed_log(file))?;
    let (mut length, mut last_lsn, mut time) = (reader.offset(), file.first_lsn.saturating_sub(1), 0);
    while last_lsn < lsn {
        let Some(record) = reader.next_record()?.filter(|record| record.change != Change::Close) else {
            let message = format!("the log ends with record {last_lsn}, and {lsn} was there a moment ago");
            return Err(Error::new(Kind::Corrupt, message).at(reader.offset()).in_file(&path));
        };
        (length, last_lsn, time) = (reader.offset(), record.last_lsn(), record.time.max(time));
    }
    bytes.truncate(length as usize);
    let (length, last_lsn, last_time) = (Some(length), Some(last_lsn), Some(time));
    let named = WalRef { length, last_lsn, last_time, ..file.clone() };
    Ok((named, Source::Bytes(bytes)))
}

impl Core {
    /// What the writer takes: a checkpoint of that moment.
    fn taken(&self, frozen: Frozen) -> Result<Taken> {
        let (entries, time) = (frozen.version.len() as u64, frozen.time);
        let lsn = frozen.version.lsn();
        self.settle(frozen, Compact::Nothing, None)?;
        let mut root = held(&self.root).clone();
        debug_assert_eq!(root.manifest.checkpoint_lsn, lsn);
        let manifest: &mut Manifest = &mut root.manifest;
        manifest.wal = Vec::new();
        portable(&mut manifest.settings);
        Taken::of(&*self.fs, &self.name, &root, &self.paths, (lsn, time, entries), Vec::new())
    }
}
