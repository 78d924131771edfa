//! A collection at one LSN as files: how the writer takes it, and how somebody who only reads does.

use super::content::{Content, File, collection_id};
use super::create::manifest_file;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::document::hash;
use crate::format::record::Change;
use crate::manifest::{self, Manifest, Root, Settings, WalRef};
use crate::store::checkpoint::{Compact, Frozen};
use crate::store::log::held;
use crate::store::open::Store;
use crate::store::paths::{Paths, dead_name, segment_name};
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
        name: &str,
        root: &Root,
        paths: &Paths,
        (lsn, time, entries): (u64, u64, u64),
        logs: Vec<Source>,
    ) -> Result<Taken> {
        let manifest = &root.manifest;
        let bytes = manifest::encode(root.owner, manifest)?;
        let (mut files, mut sources): (Vec<File>, Vec<Source>) = segment_files(manifest)
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

/// The segments that a manifest names, and their dead rows.
pub fn segment_files(manifest: &Manifest) -> impl Iterator<Item = File> {
    manifest.segments.iter().flat_map(|segment| {
        let name = format!("segments/{}", segment_name(segment.number));
        let rows = File { name, length: segment.length, checksum: segment.checksum };
        let dead = segment.dead.as_ref().map(|dead| File {
            name: format!("segments/{}", dead_name(segment.number, dead.version)),
            length: dead.length,
            checksum: dead.checksum,
        });
        std::iter::once(rows).chain(dead)
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
        let mut closed = Vec::new();
        for name in names {
            match self.opened(name) {
                Some(found) if found.core().log.is_some() || found.core().volatile => open.push(found),
                _ => closed.push(name),
            }
        }
        if let Some(volatile) = open.iter().find(|found| found.core().volatile) {
            let message = format!("collection '{}' is of engine memory: it has no files to take", volatile.name());
            return Err(Error::new(Kind::Unsupported, message));
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
        for name in closed {
            each_again(|| self.read_taken(name), &mut each)?;
        }
        Ok(())
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
        Taken::of(name, &root, &opened.paths, (lsn, opened.last_time, entries), logs)
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
        self.settle(frozen, Compact::Nothing)?;
        let mut root = held(&self.root).clone();
        debug_assert_eq!(root.manifest.checkpoint_lsn, lsn);
        let manifest: &mut Manifest = &mut root.manifest;
        manifest.wal = Vec::new();
        portable(&mut manifest.settings);
        Taken::of(&self.name, &root, &self.paths, (lsn, time, entries), Vec::new())
    }
}
