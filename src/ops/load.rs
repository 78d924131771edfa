//! Load: an archive, and the deltas beside it, are read and checked as a whole into a collection of its own. Live data is
//! not touched here.

use super::chain::{self, Chain, File, broken};
use crate::archive::{self, DeltaSink, Expect, Source, Stored};
use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::format::state_json::Head;
use crate::format::{Description, Entry, Fingerprint, Link};
use crate::limits::CHAIN_MAX;
use crate::store::{self, Collection};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to load and what it has to be.
pub struct Request<'a> {
    /// The archive: a base, or a delta, which stands for everything up to it.
    pub path: &'a str,
    /// What it is checked against.
    pub expect: Expect,
    /// What progress calls the work.
    pub operation: &'a str,
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The content.
    pub collection: Collection,
    /// Where it came from, absolute.
    pub path: PathBuf,
    /// Bytes of all its files.
    pub bytes: u64,
    /// What the base says of itself, and the entries that all files lead to.
    pub source: Source,
    /// The files it came from, where that was asked for and they were verified.
    pub chain: Option<Chain>,
    /// Deltas of an earlier base, which are still there and no part of it.
    pub leftovers: Vec<PathBuf>,
}

/// Who takes what is read: a collection, or something that needs less of it.
pub trait Target {
    /// An entry that is added, or takes the place of the one of its id.
    fn put(&mut self, entry: Entry) -> Result<()>;
    /// An id that is removed.
    fn delete(&mut self, id: &str) -> Result<()>;
    /// What the archive says of all entries.
    fn describe(&mut self, description: Description) -> Result<()>;
    /// Entries.
    fn count(&self) -> u64;
    /// All of them as one value.
    fn fingerprint(&self, control: &Control) -> Result<Fingerprint>;
}

impl Target for Collection {
    fn put(&mut self, entry: Entry) -> Result<()> {
        self.insert(Arc::new(entry))
    }

    fn delete(&mut self, id: &str) -> Result<()> {
        Collection::delete(self, id).map(|_| ())
    }

    fn describe(&mut self, description: Description) -> Result<()> {
        Collection::describe(self, description)
    }

    fn count(&self) -> u64 {
        self.len() as u64
    }

    fn fingerprint(&self, control: &Control) -> Result<Fingerprint> {
        store::fingerprint(&self.version(), control)
    }
}

/// What was read into a target.
pub struct Told {
    /// Where the chain begins.
    base: PathBuf,
    /// As it was asked for.
    path: PathBuf,
    /// Whether that is a delta.
    is_part: bool,
    bytes: u64,
    /// What the base says of itself, and the entries that all files lead to.
    pub source: Source,
    deltas: Vec<Applied>,
    /// Deltas of an earlier base, which are still there.
    leftovers: Vec<PathBuf>,
}

/// Loads an archive and the deltas beside it.
pub fn run(request: &Request<'_>, control: &Control) -> Result<Loaded> {
    chained(request, None, false, control)
}

/// The same, compared with what is known of the chain; `keep`: to build on it.
pub fn chained(request: &Request<'_>, known: Option<&Chain>, keep: bool, control: &Control) -> Result<Loaded> {
    let mut collection = Collection::default();
    let Told { base, path, is_part, bytes, source, deltas, leftovers } =
        into(&mut collection, request, known, control)?;
    let mut chain = None;
    let verified = request.expect.verify && !is_part;
    if let (true, true, Some(checksum)) = (keep, verified, &source.head.checksum) {
        chain = Some(Chain {
            format: source.format,
            compression: source.compression,
            base: chain::stamped(&base, checksum)?,
            timestamp: deltas.iter().map(|delta| delta.timestamp).fold(source.head.timestamp, u64::max),
            deltas: deltas.into_iter().map(|delta| delta.file).collect(),
            fingerprint: Target::fingerprint(&collection, control)?.to_string(),
            path: base,
        });
    }
    Ok(Loaded { collection, path, bytes, source, chain, leftovers })
}

/// Reads an archive and the deltas beside it into `target`.
pub fn into(target: &mut dyn Target, request: &Request<'_>, known: Option<&Chain>, control: &Control) -> Result<Told> {
    let path = env::checked_path(request.path)?;
    let (base, last) = match chain::parse(&path) {
        Some((base, number)) if chain::peek(&path, control)?.is_some() => (base, Some(number)),
        _ => (path.clone(), None),
    };
    let begun = begin(target, &base, &request.expect, request.operation, control);
    let (mut bytes, mut source) = begun.map_err(|error| match (last, error.cause_code()) {
        (Some(_), Some("ENOENT")) => broken(&base, format!("the base of {} is missing", path.display())),
        _ => error,
    })?;
    let mut leftovers = Vec::new();
    let walk = Walk { base: &base, last, request, control, head: &source.head };
    let deltas = walk.apply(target, &mut bytes, &mut leftovers)?;
    check_known(&base, last, known, &source, &deltas)?;
    if !deltas.is_empty() {
        source.count = target.count();
    }
    Ok(Told { base, path, is_part: last.is_some(), bytes, source, deltas, leftovers })
}

/// Reads one whole archive.
pub(super) fn read(path: &Path, expect: &Expect, operation: &str, control: &Control) -> Result<Loaded> {
    let mut collection = Collection::default();
    let (bytes, source) = begin(&mut collection, path, expect, operation, control)?;
    Ok(Loaded { collection, path: path.to_path_buf(), bytes, source, chain: None, leftovers: Vec::new() })
}

/// Reads one whole archive into `target`; gives its bytes and what it says of itself.
fn begin(
    target: &mut dyn Target,
    path: &Path,
    expect: &Expect,
    operation: &str,
    control: &Control,
) -> Result<(u64, Source)> {
    control.check()?;
    let input = env::open_input(path)?;
    let bytes = input.length;
    let mut keep = |batch: Vec<Entry>| batch.into_iter().try_for_each(|entry| target.put(entry));
    let source =
        archive::read(input, Stored { length: bytes, path, is_file: true }, expect, operation, control, &mut keep)
            .map_err(|error| error.in_file(path))?;
    target.describe(source.head.description)?;
    Ok((bytes, source))
}

/// A delta that was applied.
struct Applied {
    file: File,
    link: Link,
    timestamp: u64,
}

/// The way along the deltas of a base.
struct Walk<'a> {
    base: &'a Path,
    /// Where it ends, when not at the end.
    last: Option<u64>,
    request: &'a Request<'a>,
    control: &'a Control,
    /// What the base says of itself.
    head: &'a Head,
}

impl Walk<'_> {
    /// Applies the deltas to what was read from the base, and counts their bytes.
    fn apply(&self, target: &mut dyn Target, bytes: &mut u64, leftovers: &mut Vec<PathBuf>) -> Result<Vec<Applied>> {
        let mut applied = Vec::new();
        for (number, path) in chain::beside(self.base)? {
            if self.last.is_some_and(|last| number > last) {
                break;
            }
            if applied.len() == CHAIN_MAX {
                return Err(broken(&path, format!("more than {CHAIN_MAX} deltas of one base")));
            }
            match self.step(target, bytes, (number, &path), &applied)? {
                Some(delta) => applied.push(delta),
                None => leftovers.push(path),
            }
        }
        if let Some(last) = self.last
            && last != applied.len() as u64
        {
            let what = "a delta of another base than the one that is there now";
            return Err(broken(&chain::delta_path(self.base, last), what));
        }
        let Some(end) = applied.last() else { return Ok(applied) };
        if self.request.expect.verify && !end.link.leads_to(&target.fingerprint(self.control)?) {
            let path = chain::delta_path(self.base, end.link.number);
            return Err(broken(&path, "the chain leads to another content than this delta says"));
        }
        Ok(applied)
    }

    /// Applies one delta; `None` when it is left over from another base.
    fn step(
        &self,
        target: &mut dyn Target,
        bytes: &mut u64,
        (number, path): (u64, &Path),
        applied: &[Applied],
    ) -> Result<Option<Applied>> {
        self.control.check()?;
        let Some(base) = self.head.checksum.clone() else {
            return Err(broken(path, "its base carries no checksum, so that nothing tells whether it belongs to it"));
        };
        let previous = applied.last().map_or(base.clone(), |last| last.file.checksum.clone());
        let due = Due { base, written: self.head.timestamp, previous, number: applied.len() as u64 + 1 };
        let mut sink = Sink { walk: self, due, number, path, target: &mut *target, leftover: false };
        let input = env::open_input(path)?;
        let length = input.length;
        let stored = Stored { length, path, is_file: true };
        let Request { expect, operation, .. } = self.request;
        let read = archive::read_delta(input, stored, expect, operation, self.control, &mut sink);
        let source = match read {
            Err(_) if sink.leftover => return Ok(None),
            other => other.map_err(|error| error.in_file(path))?,
        };
        let (Some(link), Some(checksum)) = (source.head.link, source.head.checksum) else {
            return Err(broken(path, "carries no checksum, so that nothing tells what follows it"));
        };
        target.describe(source.head.description).map_err(|error| error.in_file(path))?;
        *bytes += length;
        let file = chain::stamped(path, &checksum)?;
        Ok(Some(Applied { file, link, timestamp: source.head.timestamp }))
    }
}

/// What the next delta has to be.
struct Due {
    base: String,
    /// When the base was written.
    written: u64,
    previous: String,
    number: u64,
}

/// Puts one delta over what is there.
struct Sink<'a> {
    walk: &'a Walk<'a>,
    due: Due,
    /// As its name says.
    number: u64,
    path: &'a Path,
    target: &'a mut dyn Target,
    leftover: bool,
}

impl DeltaSink for Sink<'_> {
    fn begin(&mut self, head: &Head) -> Result<()> {
        let Some(link) = &head.link else { return Err(Error::new(Kind::Internal, "a delta without a link")) };
        let Due { base, written, previous, number } = &self.due;
        if link.base != *base {
            self.leftover = head.timestamp <= *written;
            let what =
                "a delta of another base, written later than the one that is there: the base was put back or swapped";
            return Err(broken(self.path, what));
        }
        if link.number != self.number {
            return Err(broken(
                self.path,
                format!("delta {} under the name of another: files were swapped", link.number),
            ));
        }
        if link.number != *number {
            let missing = chain::delta_path(self.walk.base, *number);
            let what = format!("a link of the chain is missing: {} comes after it", self.path.display());
            return Err(broken(&missing, what));
        }
        if link.previous != *previous {
            let before = match number - 1 {
                0 => self.walk.base.to_path_buf(),
                number => chain::delta_path(self.walk.base, number),
            };
            let what = format!("not the file that {} was made after: one of the two was swapped", self.path.display());
            return Err(broken(&before, what));
        }
        Ok(())
    }

    fn puts(&mut self, entries: Vec<Entry>) -> Result<()> {
        entries.into_iter().try_for_each(|entry| self.target.put(entry))
    }

    fn deletes(&mut self, ids: Vec<Box<str>>) -> Result<()> {
        ids.iter().try_for_each(|id| self.target.delete(id))
    }
}

/// Compares what was read with what is known to have been written after that base.
fn check_known(
    base: &Path,
    last: Option<u64>,
    known: Option<&Chain>,
    source: &Source,
    files: &[Applied],
) -> Result<()> {
    let Some(known) = known.filter(|known| Some(&known.base.checksum) == source.head.checksum.as_ref()) else {
        return Ok(());
    };
    for (number, due) in (1_u64..).zip(&known.deltas).take_while(|(number, _)| last.is_none_or(|last| *number <= last))
    {
        let path = chain::delta_path(base, number);
        match files.get(number as usize - 1) {
            None => return Err(broken(&path, "a link of the chain is missing: it was written after its base")),
            Some(found) if found.file.checksum != due.checksum => {
                return Err(broken(&path, "not the delta that was written there: it was swapped"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
