//! WAL export: a part of the log of a collection as one file, for a collection elsewhere that follows it.

use super::moment::{From, Moment};
use crate::control::Control;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::store::{Export, Packing, Store};
use serde::{Deserialize, Serialize};

/// What to write, and where.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Request {
    collection: String,
    since: Option<From>,
    until: Option<Moment>,
    path: String,
    /// `tar.gz` or `tar.zst`; what the name of the file says when nothing is said, else `tar.gz`.
    format: Option<String>,
    /// The folder of snapshots.
    directory: Option<String>,
}

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    path: String,
    format: &'static str,
    collection: String,
    /// The first change that it holds; null: it holds none.
    from_lsn: Option<u64>,
    /// The last change up to which it leads.
    to_lsn: u64,
    /// Milliseconds since 1970.
    from_time: Option<u64>,
    to_time: Option<u64>,
    operations: u64,
    size_bytes: u64,
    /// SHA-256 of what the file says of itself.
    checksum: String,
}

/// The format of that name.
fn packing(name: &str) -> Result<Packing> {
    let found = Packing::ALL.into_iter().find(|packing| packing.suffix().strip_prefix('.') == Some(name));
    found.ok_or_else(|| Error::new(Kind::Unsupported, format!("a log is not exported as '{name}'")))
}

/// Writes it.
pub fn run(store: &Store, request: &Request, control: &Control) -> Result<Answer> {
    let place = env::checked_path(&request.path)?;
    let told = Packing::of_name(&place.to_string_lossy());
    let wanted = request.format.as_deref().map(packing).transpose()?;
    let packing = wanted.or(told).unwrap_or(Packing::Gzip);
    if told.is_some_and(|told| told != packing) {
        let message = format!(
            "an exported log that is packed so does not end as one of another kind, but in '{}'",
            packing.suffix()
        );
        return Err(Error::new(Kind::Path, message).in_file(&place));
    }
    place.parent().map_or(Ok(()), env::ensure_directory)?;
    let export = Export {
        collection: request.collection.clone(),
        since: request.since.as_ref().map(From::since),
        until: request.until.as_ref().map(Moment::until),
        place,
        packing,
        directory: super::folder(request.directory.as_ref())?,
    };
    let done = store.export_log(&export, control)?;
    let descriptor = done.descriptor;
    Ok(Answer {
        path: export.place.to_string_lossy().into_owned(),
        format: packing.suffix().trim_start_matches('.'),
        collection: descriptor.name,
        from_lsn: (descriptor.after < descriptor.to).then_some(descriptor.after + 1),
        to_lsn: descriptor.to,
        from_time: descriptor.from_time.map(|time| time / 1_000),
        to_time: descriptor.to_time.map(|time| time / 1_000),
        operations: descriptor.records,
        size_bytes: done.bytes,
        checksum: done.checksum,
    })
}
