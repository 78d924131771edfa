//! Snapshot create: an archive under a new id, its record, and the retention that makes room for it.

use super::save;
use super::snapshots::{Record, directory, record_path, retain};
use crate::archive::Options;
use crate::codec::Compression;
use crate::control::Control;
use crate::env::{self, Replacement};
use crate::error::{Error, Kind, Result};
use crate::store::Version;
use serde_json::value::RawValue;
use std::io::Write;
use std::path::Path;

/// What to create.
pub struct Request<'a> {
    /// The base directory.
    pub base: &'a str,
    /// A name for people; any text.
    pub name: &'a str,
    /// A JSON object as text.
    pub metadata: Option<&'a str>,
    /// How the archive is written.
    pub options: Options,
    /// How many snapshots to keep, this one included; 0 keeps all.
    pub keep: usize,
}

/// Creates a snapshot and returns its record as JSON text.
pub fn run(version: &Version, request: &Request<'_>, control: &Control) -> Result<String> {
    let base = env::checked_path(request.base)?;
    let parse = |text: &str| RawValue::from_string(text.to_owned());
    let metadata = request
        .metadata
        .map(parse)
        .transpose()
        .map_err(|error| Error::new(Kind::Metadata, format!("metadata of the snapshot is not JSON: {error}")))?;
    let id = env::new_id();
    let data = directory(&base).join(format!("{id}.{}", request.options.format.name()));
    let save::Uncommitted { replacement, report, stored_checksum } =
        save::write(version, &data, request.options, ("snapshot", env::now_ms()), true, control)?;
    let record = Record {
        id,
        name: request.name.to_owned(),
        timestamp: report.timestamp,
        vector_count: report.count,
        dimension: report.dimension as u64,
        format: request.options.format.name().to_owned(),
        compressed: request.options.compression != Compression::None,
        file_size: report.bytes,
        checksum: stored_checksum.unwrap_or_default(),
        metadata,
    };
    let text = record.text()?;
    publish(&base, &record, &text, replacement)?;
    retain(&base, &record.id, request.keep)?;
    Ok(text)
}

/// Puts the archive and then its record in place. Both are whole before either is: a process killed in between leaves
/// an archive without a record, which is no snapshot; a failure leaves nothing.
fn publish(base: &Path, record: &Record, text: &str, data: Replacement) -> Result<()> {
    let path = record_path(base, &record.id);
    let mut replacement = Replacement::of(&path)?;
    replacement.write_all(text.as_bytes()).map_err(|source| Error::io(source, "write", &path))?;
    let published = data.commit().and_then(|()| replacement.commit());
    if published.is_err() {
        let _ = env::remove_file(&path);
        let _ = env::remove_file(&record.data_path(base));
    }
    published
}
