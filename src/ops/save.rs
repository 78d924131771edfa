//! Save: one version of a collection becomes one archive, durable and in place, or nothing changes. Deltas of an archive
//! that was there before are removed afterwards.

use super::chain;
use crate::archive::{self, Content, Options};
use crate::control::Control;
use crate::env::{self, Replacement};
use crate::error::{Error, Result};
use crate::failpoint;
use crate::format::Fingerprint;
use crate::store::Version;
use std::path::{Path, PathBuf};

/// What to save where.
pub struct Request<'a> {
    /// The file to write or replace.
    pub path: &'a str,
    /// How to write it.
    pub options: Options,
    /// What progress calls the work.
    pub operation: &'a str,
}

/// What was saved.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where, absolute.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// Entries.
    pub count: u64,
    /// Numbers in each vector; 0 when there is none.
    pub dimension: usize,
    /// The checksum that the archive carries.
    pub checksum: String,
    /// The content, for telling whether anything changed since.
    pub fingerprint: Fingerprint,
    /// When, in milliseconds since 1970.
    pub timestamp: u64,
    /// What it holds, when that is only what has changed.
    pub delta: Option<Change>,
}

/// What a delta holds.
#[derive(Debug, Clone)]
pub struct Change {
    /// The base of its chain.
    pub base: PathBuf,
    /// Entries that were added or changed.
    pub puts: u64,
    /// Ids that were removed.
    pub deletes: u64,
}

/// Saves `version`.
pub fn run(version: &Version, request: &Request<'_>, control: &Control) -> Result<Report> {
    let path = env::checked_path(request.path)?;
    chain::check_name(&path)?;
    let timestamp = chain::time_of_base(&path, control)?;
    let written = write(version, &path, request.options, (request.operation, timestamp), false, control)?;
    failpoint::hit("archive.after_write")?;
    written.replacement.commit()?;
    chain::sweep(&path);
    Ok(written.report)
}

/// An archive that is written and not yet in its place.
pub(super) struct Uncommitted {
    pub replacement: Replacement,
    pub report: Report,
    /// SHA-256 of the file, where it was asked for.
    pub stored_checksum: Option<String>,
}

/// Writes an archive that is to take its place at `path`; what progress calls that, and when it is.
pub(super) fn write(
    version: &Version,
    path: &Path,
    options: Options,
    (operation, timestamp): (&str, u64),
    stored_checksum: bool,
    control: &Control,
) -> Result<Uncommitted> {
    control.check()?;
    let content = Content {
        description: version.description(),
        count: version.len() as u64,
        entries: &mut version.entries(),
        timestamp,
        stored_checksum,
        operation,
        delta: None,
    };
    let failed = |error: Error| error.writing(path);
    let (replacement, written) =
        archive::write(content, options, path, Replacement::of(path)?, control).map_err(failed)?;
    control.check()?;
    control.report(operation, (92.0, 92.0), written.count, written.count, "Making it durable");
    let report = Report {
        path: path.to_path_buf(),
        bytes: written.bytes,
        count: written.count,
        dimension: version.description().dimension.unwrap_or(0),
        checksum: written.checksum,
        fingerprint: written.fingerprint,
        timestamp,
        delta: None,
    };
    Ok(Uncommitted { replacement, report, stored_checksum: written.stored_checksum })
}
