//! Save: one version of a collection becomes one archive, durable and in place, or nothing changes.

use crate::archive::{self, Content, Options};
use crate::control::Control;
use crate::env::{self, Replacement};
use crate::error::{Error, Result};
use crate::failpoint;
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
    pub fingerprint: String,
    /// When, in milliseconds since 1970.
    pub timestamp: u64,
}

/// Saves `version`.
pub fn run(version: &Version, request: &Request<'_>, control: &Control) -> Result<Report> {
    let path = env::checked_path(request.path)?;
    let written = write(version, &path, request.options, request.operation, false, control)?;
    failpoint::hit("archive.after_write")?;
    written.replacement.commit()?;
    Ok(written.report)
}

/// An archive that is written and not yet in its place.
pub(super) struct Uncommitted {
    pub replacement: Replacement,
    pub report: Report,
    /// SHA-256 of the file, where it was asked for.
    pub stored_checksum: Option<String>,
}

/// Writes an archive that is to take its place at `path`.
pub(super) fn write(
    version: &Version,
    path: &Path,
    options: Options,
    operation: &str,
    stored_checksum: bool,
    control: &Control,
) -> Result<Uncommitted> {
    control.check()?;
    let timestamp = env::now_ms();
    let content = Content {
        description: version.description(),
        count: version.len() as u64,
        entries: &mut version.entries(),
        timestamp,
        stored_checksum,
        operation,
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
        fingerprint: written.fingerprint.to_string(),
        timestamp,
    };
    Ok(Uncommitted { replacement, report, stored_checksum: written.stored_checksum })
}
