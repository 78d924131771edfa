//! Writing a part of a log out: its records, as log files of their own, packed into one archive. Writes go on meanwhile.
//!
//! A process that only reads the store can do it too, while another one writes: it looks at manifest and log anew.

use super::descriptor::{self, Descriptor, FORM, File};
use crate::control::Control;
use crate::env::fs::{Fs, read_whole};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::document::{hash, hex};
use crate::format::record::{self, Change, Record};
use crate::limits::WAL_FILE_BYTES_MAX;
use crate::manifest::{Manifest, Root};
use crate::store::history::Trail;
use crate::store::log::held;
use crate::store::open::Store;
use crate::store::recovery;
use crate::store::snapshot::{Staging, sweep};
use crate::store::tarball::{self, Packing};
use crate::wal::LogFile;
use std::path::{Path, PathBuf};

/// A file of the archive is complete at this size; a larger record has one for itself.
const FILE_BYTES: u64 = 16 << 20;
/// Records are written in groups of about this size.
const GROUP_BYTES: usize = 1 << 20;
/// A reader whose files went while it looked at them tries again so many times.
const ATTEMPTS: usize = 20;

/// Where a part begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// Behind that change.
    Lsn(u64),
    /// With the first change that is not older, microseconds since 1970.
    Time(u64),
    /// Behind the last change that is in that snapshot.
    Snapshot(String),
}

/// What to write out.
#[derive(Debug, Clone)]
pub struct Export {
    /// The collection.
    pub collection: String,
    /// Where to begin; with the first change of the log that leads to the present when nothing is said.
    pub since: Option<Since>,
    /// Where to end: behind the last change that is not newer, or behind that change; now when nothing is said.
    pub until: Option<Since>,
    /// The file, which must be new.
    pub place: PathBuf,
    /// How it is packed.
    pub packing: Packing,
    /// The folder of snapshots; the one of the store when none is given.
    pub directory: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Exported {
    /// What the file says of itself.
    pub descriptor: Descriptor,
    /// SHA-256 of that, in hex.
    pub checksum: String,
    /// Bytes of the file.
    pub bytes: u64,
}

/// A log as it is at a moment.
struct Source {
    root: Root,
    trail: Trail,
    last: u64,
}

impl Store {
    /// Writes a part of a log out.
    pub fn export_log(&self, request: &Export, control: &Control) -> Result<Exported> {
        let fs = self.fs();
        let directory = request.place.parent().unwrap_or(Path::new("."));
        let name = request.place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if fs.list(directory)?.contains(&name) {
            let message = "there is something in the place of the exported log already";
            return Err(Error::new(Kind::Exists, message).in_file(&request.place));
        }
        let source = self.log_source(&request.collection)?;
        let (after, to) = self.range(&source, request)?;
        sweep(fs, directory)?;
        let staging = Staging::fresh(fs, directory, "export")?;
        let mut sink = Sink::new(&**fs, staging.folder(), &source.root);
        let previous = source.write(&mut sink, (after, to), control)?;
        let Written { files, times, records } = sink.finish()?;
        let settings = &source.root.manifest.settings;
        let descriptor = Descriptor {
            name: request.collection.clone(),
            created: fs.now_us(),
            after,
            to,
            previous,
            from_time: times.map(|times| times.0),
            to_time: times.map(|times| times.1),
            records,
            dimension: settings.dimension,
            metric: settings.metric.clone(),
            files,
        };
        let bytes = descriptor::encode(source.root.owner, &descriptor)?;
        failpoint::hit("export.before_descriptor")?;
        let file = fs.create(&staging.folder().join(FORM.first))?;
        file.write_at(&bytes, 0)?;
        let members = std::iter::once((FORM.first.to_owned(), None));
        let members = members.chain(descriptor.files.iter().map(|file| (file.name.clone(), Some(file.length))));
        let target = staging.packed();
        tarball::pack(
            &**fs,
            &staging.folder(),
            members,
            descriptor.created / 1_000_000,
            (&target, request.packing),
            control,
        )?;
        let packed = fs.open(&target)?.length()?;
        control.check()?;
        failpoint::hit("export.before_name")?;
        staging.publish(true, &request.place)?;
        Ok(Exported { descriptor, checksum: hash(&bytes), bytes: packed })
    }

    /// The log of a collection up to its last durable change.
    fn log_source(&self, name: &str) -> Result<Source> {
        let fs = self.fs();
        if !self.is_read_only() {
            let found = self.collection(name)?;
            let core = found.core();
            if core.volatile {
                let message = format!("collection '{name}' is of engine memory: it has no log to be exported");
                return Err(Error::new(Kind::Unsupported, message));
            }
            found.flush()?;
            let _turn = core.turn.take();
            let last = found.durable_lsn();
            let root = held(&core.root).clone();
            let trail = Trail::open(&**fs, &core.paths, &root, (0, last))?;
            return Ok(Source { root, trail, last });
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let opened = self.open_anew(name)?;
            let (root, last) = (held(&opened.root).clone(), opened.last());
            match Trail::open(&**fs, &opened.paths, &root, (0, last)) {
                Ok(trail) => return Ok(Source { root, trail, last }),
                Err(error) if error.cause_code() == Some("ENOENT") && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The changes that are asked for: behind the first number, up to the second.
    fn range(&self, source: &Source, request: &Export) -> Result<(u64, u64)> {
        let manifest = &source.root.manifest;
        let first = manifest.wal.first().map_or(source.last + 1, |file| file.first_lsn).min(source.last + 1);
        let replaced = manifest.timelines.last().map_or(0, |timeline| timeline.lsn);
        let after = match &request.since {
            None => replaced.max(first - 1),
            Some(Since::Lsn(lsn)) => *lsn,
            Some(Since::Time(time)) => match source.trail.last_until(time.saturating_sub(1))? {
                Some(lsn) => lsn,
                // Nothing older is left, so that it is not known whether something as new is gone.
                None if first > 1 => return Err(source.out_of_range("that time")),
                None => 0,
            },
            Some(Since::Snapshot(word)) => {
                let entry = self.find_snapshot(request.directory.as_deref(), word)?;
                let content = entry.content(&hex(&source.root.owner.collection)).ok_or_else(|| {
                    let message = format!("snapshot '{}' does not hold this collection", entry.id());
                    Error::new(Kind::NotFound, message).in_file(&entry.path)
                })?;
                content.lsn
            }
        };
        let to = match &request.until {
            None => source.last,
            Some(Since::Lsn(lsn)) => *lsn,
            Some(Since::Time(time)) => source.trail.last_until(*time)?.unwrap_or(after).max(after),
            Some(Since::Snapshot(_)) => return Err(Error::new(Kind::Internal, "a part ends at a number or a time")),
        };
        if to > source.last || after > to {
            return Err(source.out_of_range(&format!("changes {} to {to}", after.saturating_add(1))));
        }
        if after < to && first > after + 1 {
            return Err(source.out_of_range(&format!("change {}", after + 1)));
        }
        match manifest.timelines.iter().find(|timeline| (after + 1..=to).contains(&timeline.lsn)) {
            None => Ok((after, to)),
            Some(timeline) => {
                let message = format!(
                    "change {} replaced the whole content (a load, a restore), and no log leads over it: export what comes \
                     behind it, for a collection that was restored from a snapshot that was taken since",
                    timeline.lsn
                );
                Err(Error::new(Kind::PitrRange, message))
            }
        }
    }
}

impl Source {
    fn out_of_range(&self, what: &str) -> Error {
        let first = self.root.manifest.wal.first().map_or(self.last + 1, |file| file.first_lsn);
        let held =
            if first <= self.last { format!("changes {first} to {}", self.last) } else { "no change".to_owned() };
        Error::new(Kind::PitrRange, format!("the log does not hold {what}: it holds {held}"))
    }

    /// Gives the records behind `after`, up to `to`, to `sink`. SHA-256 of the one at `after`.
    fn write(&self, sink: &mut Sink<'_>, (after, to): (u64, u64), control: &Control) -> Result<Option<String>> {
        let (mut previous, mut at) = (None, after);
        self.trail.walk(|record| {
            control.check()?;
            let (first, last) = (record.lsn, record.last_lsn());
            if record.change == Change::Close {
                return Ok(true);
            }
            if last <= after {
                if last == after {
                    previous = Some(fingerprint(&record)?);
                }
                return Ok(after < to);
            }
            if first > at + 1 {
                let message = format!("record {} is missing from the log", at + 1);
                return Err(Error::new(Kind::Corrupt, message));
            }
            let cut = cut(record, at + 1, last.min(to), &self.root.manifest);
            at = cut.last_lsn();
            sink.push(&cut)?;
            Ok(at < to)
        })?;
        if at < to {
            return Err(Error::new(Kind::Corrupt, format!("record {} is missing from the log", at + 1)));
        }
        Ok(previous)
    }
}

/// What tells a record from every other.
pub(super) fn fingerprint(record: &Record) -> Result<String> {
    Ok(hash(&record::encode(record.lsn, record.time, &record.change)?))
}

/// The record as it is done elsewhere: of a refused range only the part that is wanted, and nothing where the content would
/// have been replaced by a manifest that never came.
fn cut(record: Record, first: u64, last: u64, manifest: &Manifest) -> Record {
    match record.change {
        Change::Void(_) => Record { lsn: first, change: Change::Void(last), ..record },
        Change::Replaced if !manifest.timelines.iter().any(|timeline| timeline.lsn == record.lsn) => {
            Record { change: Change::Void(record.lsn), ..record }
        }
        _ => record,
    }
}

/// Log files that were written.
struct Written {
    files: Vec<File>,
    /// Of the first and the last record.
    times: Option<(u64, u64)>,
    records: u64,
}

/// Log files that are being written.
struct Sink<'a> {
    fs: &'a dyn Fs,
    folder: PathBuf,
    root: &'a Root,
    file: Option<LogFile>,
    group: Vec<Vec<u8>>,
    group_bytes: usize,
    last: u64,
    files: Vec<File>,
    times: Option<(u64, u64)>,
    records: u64,
}

impl<'a> Sink<'a> {
    fn new(fs: &'a dyn Fs, folder: PathBuf, root: &'a Root) -> Sink<'a> {
        let (file, group, files, times) = (None, Vec::new(), Vec::new(), None);
        Sink { fs, folder, root, file, group, group_bytes: 0, last: 0, files, times, records: 0 }
    }

    fn push(&mut self, record: &Record) -> Result<()> {
        let bytes = record::encode(record.lsn, record.time, &record.change)?;
        let full = |file: &LogFile| file.end() + (self.group_bytes + bytes.len()) as u64 > FILE_BYTES;
        if self.file.as_ref().is_some_and(|file| (!file.is_empty() || self.group_bytes > 0) && full(file)) {
            self.complete()?;
        }
        if self.file.is_none() {
            let place = (self.files.len() as u64 + 1, record.lsn);
            self.file = Some(LogFile::create(self.fs, &self.folder, self.root.owner, place, true, 0)?);
        }
        self.group_bytes += bytes.len();
        self.group.push(bytes);
        self.last = record.last_lsn();
        self.records += 1;
        self.times = Some((self.times.map_or(record.time, |times| times.0), record.time));
        if self.group_bytes >= GROUP_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        failpoint::hit("export.before_records")?;
        if let Some(file) = &mut self.file {
            // They were durable where they come from, before the first of them was written here.
            let synced = file.first_lsn() - 1;
            file.append_records(self.group.iter().map(Vec::as_slice), synced)?;
        }
        self.group.clear();
        self.group_bytes = 0;
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        self.write()?;
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.sync()?;
        let bytes = read_whole(self.fs, file.path(), WAL_FILE_BYTES_MAX)?;
        let name = crate::wal::file_name(file.number());
        let (first_lsn, last_lsn, length) = (file.first_lsn(), self.last, bytes.len() as u64);
        self.files.push(File { name, first_lsn, last_lsn, length, checksum: hash(&bytes) });
        Ok(())
    }

    fn finish(mut self) -> Result<Written> {
        self.complete()?;
        Ok(Written { files: self.files, times: self.times, records: self.records })
    }
}

impl Store {
    /// A collection as it is on disk now, read only.
    fn open_anew(&self, name: &str) -> Result<crate::store::stored::Opened> {
        crate::store::paths::check_name(name)?;
        if !self.list()?.iter().any(|known| known == name) {
            let message = format!("there is no collection '{}'", crate::format::entry::shown(name));
            return Err(Error::new(Kind::NotFound, message).in_file(self.base()));
        }
        recovery::open(self.fs(), self.base(), name, self.id(), false)
    }
}
