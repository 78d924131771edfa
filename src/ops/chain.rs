//! Chains: a base, which is an ordinary archive, and the deltas beside it (`docs/format.md`, "Deltas").
//!
//! Here is what files a chain consists of, what is known of them, and what is a link of it and what a leftover of another.
//! A delta names the checksum of its base and of the link before it, and everything that takes the place of a base is
//! written later than the deltas of the one before: so a delta of another base is left over when it is older than the base
//! that is there, and else the base is not the one that is due.

use super::save::Report;
use crate::archive::{self, DeltaSink, Expect, Format, Options, Stored};
use crate::codec::Compression;
use crate::control::Control;
use crate::env::{self, Stamp};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::state_json::Head;
use crate::format::{Entry, Fingerprint};
use crate::limits::DELTAS_MAX;
use std::path::{Path, PathBuf};

const SUFFIX: &str = ".delta-";
const DIGITS: usize = 6;

/// One file of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The checksum that it carries.
    pub checksum: String,
    /// Its bytes, and when it was written.
    pub stamp: Stamp,
}

/// A chain as somebody knows it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Where the base is, absolute.
    pub path: PathBuf,
    /// The format of its files.
    pub format: Format,
    /// Their compression.
    pub compression: Compression,
    /// The base.
    pub base: File,
    /// The deltas, in order.
    pub deltas: Vec<File>,
    /// The fingerprint of the content that it leads to, as text.
    pub fingerprint: String,
    /// When its last file was written, in milliseconds since 1970.
    pub timestamp: u64,
}

/// How the files on disk stand to what is known of them.
#[derive(Debug)]
pub(super) enum Standing {
    /// They are those.
    Same,
    /// Perhaps: they have to be read.
    Doubtful,
    /// They are not.
    Broken(Error),
}

/// Where the delta of that number is.
pub fn delta_path(base: &Path, number: u64) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(format!("{SUFFIX}{number:0DIGITS$}"));
    PathBuf::from(name)
}

/// The base and the number that the name of a delta says; `None` for other names.
pub fn parse(path: &Path) -> Option<(PathBuf, u64)> {
    let (base, digits) = path.to_str()?.rsplit_once(SUFFIX)?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    let base = PathBuf::from(base);
    (delta_path(&base, number) == path && base.file_name().is_some()).then_some((base, number))
}

/// Refuses to write an archive under the name of a delta: it would be taken for one, and removed as one.
pub(super) fn check_name(path: &Path) -> Result<()> {
    match parse(path) {
        None => Ok(()),
        Some((base, _)) => {
            let message = format!("names of this form belong to the deltas of {}; choose another", base.display());
            Err(Error::new(Kind::Path, message).in_file(path))
        }
    }
}

/// The deltas that are beside a base, by number.
pub(super) fn beside(base: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let Some(folder) = base.parent() else { return Ok(Vec::new()) };
    let names = match env::file_names(folder) {
        // A folder that may be used and not be listed: then each file that we may have written is asked for by name.
        Err(error) if error.cause_code() == Some("EACCES") => return probed(base),
        other => other?,
    };
    let mut found: Vec<(u64, PathBuf)> = names
        .iter()
        .filter_map(|name| parse(&folder.join(name)))
        .filter(|(of, _)| of == base)
        .map(|(_, number)| (number, delta_path(base, number)))
        .collect();
    found.sort_unstable();
    Ok(found)
}

fn probed(base: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for number in 1..=DELTAS_MAX as u64 {
        let path = delta_path(base, number);
        if env::stamp(&path)?.is_some() {
            found.push((number, path));
        }
    }
    Ok(found)
}

/// Takes what a delta says of itself, and stops there.
struct Peek(Option<Head>);

impl DeltaSink for Peek {
    fn begin(&mut self, head: &Head) -> Result<()> {
        self.0 = Some(head.clone());
        Err(Error::new(Kind::Aborted, "known"))
    }

    fn puts(&mut self, _: Vec<Entry>) -> Result<()> {
        Ok(())
    }

    fn deletes(&mut self, _: Vec<Box<str>>) -> Result<()> {
        Ok(())
    }
}

/// What the delta at `path` says of itself; `None` when it is a whole archive.
pub(super) fn peek(path: &Path, control: &Control) -> Result<Option<Head>> {
    let input = env::open_input(path)?;
    let stored = Stored { length: input.length, path, is_file: true };
    let mut peek = Peek(None);
    match (archive::read_delta(input, stored, &Expect::default(), "load", control, &mut peek), peek.0) {
        (_, Some(head)) => Ok(Some(head)),
        (Err(error), None) if error.kind != Kind::Chain => Err(error.in_file(path)),
        (_, None) => Ok(None),
    }
}

/// The time at which a base that takes the place of the one at `path` is written: later than all deltas beside it, so
/// that they are known as left over until they are removed. One that cannot be read says nothing.
pub(super) fn time_of_base(path: &Path, control: &Control) -> Result<u64> {
    let mut time = env::now_ms();
    for (_, file) in beside(path)? {
        control.check()?;
        if let Ok(Some(head)) = peek(&file, control) {
            time = time.max(head.timestamp.saturating_add(1));
        }
    }
    Ok(time)
}

/// Removes the deltas beside a base that has just been written. One that stays does no harm: it names another base, and
/// the next base takes it along.
pub(super) fn sweep(base: &Path) {
    failpoint::pass("delta.before_sweep");
    let files: Vec<PathBuf> = beside(base).unwrap_or_default().into_iter().map(|(_, file)| file).collect();
    remove(&files);
}

/// Removes deltas that are no part of a chain; one that cannot be removed stays, and does no harm.
pub(super) fn remove(files: &[PathBuf]) {
    let mut removed = false;
    for file in files {
        removed |= env::remove_file(file).unwrap_or(false);
        failpoint::pass("delta.in_sweep");
    }
    if let (true, Some(folder)) = (removed, files.first().and_then(|file| file.parent())) {
        let _ = env::sync_directory(folder);
    }
}

/// The stamp of a file that has just been written.
pub(super) fn stamped(path: &Path, checksum: &str) -> Result<File> {
    let missing = || Error::new(Kind::Io, "removed by another program while it was written").in_file(path);
    Ok(File { checksum: checksum.to_owned(), stamp: env::stamp(path)?.ok_or_else(missing)? })
}

/// An error about a link, which it names.
pub(super) fn broken(path: &Path, what: impl Into<String>) -> Error {
    Error::new(Kind::Chain, what).in_file(path)
}

impl Chain {
    /// The chain that a whole archive begins.
    pub fn begun(report: &Report, options: &Options) -> Result<Chain> {
        Ok(Chain {
            path: report.path.clone(),
            format: options.format,
            compression: options.compression,
            base: stamped(&report.path, &report.checksum)?,
            deltas: Vec::new(),
            fingerprint: report.fingerprint.to_string(),
            timestamp: report.timestamp,
        })
    }

    /// Whether an archive that is written so would belong to it.
    pub(super) fn fits(&self, path: &Path, options: &Options) -> bool {
        self.path == path && self.format == options.format && self.compression == options.compression
    }

    /// Whether both are the same files.
    pub(super) fn is(&self, other: &Chain) -> bool {
        let checksums = |chain: &Chain| -> Vec<String> {
            std::iter::once(&chain.base).chain(&chain.deltas).map(|file| file.checksum.clone()).collect()
        };
        checksums(self) == checksums(other)
    }

    /// The checksum of its last file.
    pub(super) fn last(&self) -> &str {
        &self.deltas.last().unwrap_or(&self.base).checksum
    }

    /// The fingerprint, for reckoning with it.
    pub(super) fn sum(&self) -> Result<Fingerprint> {
        Fingerprint::parse(&self.fingerprint)
            .ok_or_else(|| Error::new(Kind::Internal, "the fingerprint of a chain is not one"))
    }

    /// Compares it with what is on disk, without reading any file.
    pub(super) fn standing(&self) -> Result<Standing> {
        let files = std::iter::once((self.path.clone(), &self.base))
            .chain((1..).zip(&self.deltas).map(|(number, file)| (delta_path(&self.path, number), file)));
        let mut standing = Standing::Same;
        for (path, known) in files {
            match env::stamp(&path)? {
                None => return Ok(Standing::Broken(broken(&path, "a link of the chain is missing"))),
                Some(found) if found.bytes != known.stamp.bytes => {
                    let (found, due) = (found.bytes, known.stamp.bytes);
                    let what = format!("a link of the chain was changed: it has {found} bytes, {due} were written");
                    return Ok(Standing::Broken(broken(&path, what)));
                }
                Some(found) if found.modified != known.stamp.modified => standing = Standing::Doubtful,
                Some(_) => {}
            }
        }
        let more = beside(&self.path)?.len() != self.deltas.len();
        Ok(if more { Standing::Doubtful } else { standing })
    }
}
