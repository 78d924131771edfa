//! Incremental save: what has changed since the last file of a chain becomes a delta beside its base; nothing when nothing
//! has; a new base when there is none to build on, or when the deltas have become too many.
//!
//! What a chain holds is known in one of three ways, the cheapest first: the version that was saved or loaded last is still
//! at hand; the fingerprint of the content is that of the chain, whose files are as they were written; the chain is read.
//! A chain that is not whole is never built on: a new base takes its place, and the answer says why.

use super::chain::{self, Chain, Standing};
use super::{load, save};
use crate::archive::{self, Content, Delta, Expect, Options};
use crate::control::Control;
use crate::env::{self, Replacement};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::Link;
use crate::limits::{DELTAS_BYTES_FREE, DELTAS_MAX};
use crate::store::{self, Difference, Version, entries_at};
use std::path::Path;

/// What to save where.
pub struct Request<'a> {
    /// The base; deltas are written beside it.
    pub path: &'a str,
    /// How to write.
    pub options: Options,
    /// What progress calls the work.
    pub operation: &'a str,
    /// The chain there, as it was recorded.
    pub known: Option<&'a Chain>,
}

/// What a chain holds: what the next incremental save is compared with.
#[derive(Debug, Clone)]
pub struct Baseline {
    /// The content.
    pub version: Version,
    /// The files.
    pub chain: Chain,
}

/// What was done.
#[derive(Debug)]
pub struct Outcome {
    /// What was written; `None` when nothing has changed.
    pub report: Option<save::Report>,
    /// Why the chain that was there could not be built on.
    pub broken: Option<Error>,
    /// What the chain holds now.
    pub baseline: Baseline,
}

/// What is known of the content of the chain.
enum Found {
    /// That of the version.
    Same(Chain),
    /// Another.
    Other(Baseline, Difference),
    /// There is nothing to build on, perhaps because a chain is not whole.
    Nothing(Option<Error>),
}

/// Saves `version` to the chain, if it holds another content. `baseline` is what an earlier call has answered.
pub fn run(
    version: &Version,
    request: &Request<'_>,
    baseline: Option<&Baseline>,
    control: &Control,
) -> Result<Outcome> {
    let path = env::checked_path(request.path)?;
    chain::check_name(&path)?;
    let (written, broken) = match find(version, &path, request, baseline, control)? {
        Found::Same(chain) => {
            let baseline = Baseline { version: version.clone(), chain };
            return Ok(Outcome { report: None, broken: None, baseline });
        }
        Found::Other(before, difference) if !folds(&before.chain, &difference, version) => {
            (delta(version, &before, &difference, request, control)?, None)
        }
        Found::Other(..) => (full(version, request, control)?, None),
        Found::Nothing(broken) => (full(version, request, control)?, broken),
    };
    let (report, chain) = written;
    Ok(Outcome { report: Some(report), broken, baseline: Baseline { version: version.clone(), chain } })
}

/// Saves everything of `version` as the base of a new chain.
pub fn base(version: &Version, request: &Request<'_>, control: &Control) -> Result<Outcome> {
    let (report, chain) = full(version, request, control)?;
    Ok(Outcome { report: Some(report), broken: None, baseline: Baseline { version: version.clone(), chain } })
}

fn full(version: &Version, request: &Request<'_>, control: &Control) -> Result<(save::Report, Chain)> {
    let Request { path, options, operation, .. } = *request;
    let report = save::run(version, &save::Request { path, options, operation }, control)?;
    let chain = Chain::begun(&report, &options)?;
    Ok((report, chain))
}

fn find(
    version: &Version,
    path: &Path,
    request: &Request<'_>,
    baseline: Option<&Baseline>,
    control: &Control,
) -> Result<Found> {
    let options = &request.options;
    let known = request.known.filter(|known| known.fits(path, options));
    let held = baseline
        .filter(|held| held.chain.fits(path, options) && request.known.is_none_or(|known| known.is(&held.chain)));
    if let Some(held) = held {
        match held.chain.standing()? {
            Standing::Same => return compare(held.clone(), version, control),
            Standing::Broken(error) => return Ok(Found::Nothing(Some(error))),
            Standing::Doubtful => {}
        }
    }
    let Some(known) = known.or(held.map(|held| &held.chain)) else { return Ok(Found::Nothing(None)) };
    match known.standing()? {
        Standing::Broken(error) => return Ok(Found::Nothing(Some(error))),
        Standing::Same if known.fingerprint == store::fingerprint(version, control)?.to_string() => {
            return Ok(Found::Same(known.clone()));
        }
        Standing::Same | Standing::Doubtful => {}
    }
    let expect = Expect { verify: true, format: Some(options.format), ..Expect::default() };
    let request = load::Request { path: request.path, expect, operation: request.operation };
    match load::chained(&request, Some(known), true, control) {
        Ok(load::Loaded { collection, chain: Some(chain), leftovers, .. }) if chain.fits(path, options) => {
            chain::remove(&leftovers);
            compare(Baseline { version: collection.version(), chain }, version, control)
        }
        Ok(_) => Ok(Found::Nothing(None)),
        Err(error) if matches!(error.kind, Kind::Io | Kind::Aborted | Kind::Internal) => Err(error),
        // One that cannot even be unfolded for want of room is not read: what a full save then says of the disk counts.
        Err(error) => Ok(Found::Nothing(Some(error))),
    }
}

fn compare(before: Baseline, version: &Version, control: &Control) -> Result<Found> {
    if before.version.description().agree(version.description(), "the content").is_err() {
        return Ok(Found::Nothing(None));
    }
    let difference = Difference::between(&before.version, version, control)?;
    Ok(if difference.is_empty() { Found::Same(before.chain) } else { Found::Other(before, difference) })
}

/// Whether a new base is due: when the deltas together have more than a half of the bytes of their base, are as many as may
/// be, or when the change is more than a half of the content.
fn folds(chain: &Chain, difference: &Difference, version: &Version) -> bool {
    let bytes: u64 = chain.deltas.iter().map(|delta| delta.stamp.bytes).sum();
    bytes > (chain.base.stamp.bytes / 2).max(DELTAS_BYTES_FREE)
        || chain.deltas.len() >= DELTAS_MAX
        || (difference.puts() + difference.removed.len()) * 2 > version.len()
}

fn delta(
    version: &Version,
    before: &Baseline,
    difference: &Difference,
    request: &Request<'_>,
    control: &Control,
) -> Result<(save::Report, Chain)> {
    let Baseline { version: old, chain } = before;
    let (puts, gone) = (difference.put_cursors(), difference.gone_cursors());
    let mut fingerprint = chain.sum()?;
    fingerprint.part(&store::fingerprint_of(entries_at(old, &gone), control)?);
    fingerprint.join(&store::fingerprint_of(entries_at(version, &puts), control)?);
    let link = Link {
        number: chain.deltas.len() as u64 + 1,
        base: chain.base.checksum.clone(),
        previous: chain.last().to_owned(),
        puts: puts.len() as u64,
        deletes: difference.removed.len() as u64,
        fingerprint: fingerprint.to_string(),
    };
    let path = chain::delta_path(&chain.path, link.number);
    let change = save::Change { base: chain.path.clone(), puts: link.puts, deletes: link.deletes };
    let timestamp = env::now_ms().max(chain.timestamp.saturating_add(1));
    let mut deletes = entries_at(old, &difference.removed).map(|entry| entry.map(|entry| entry.id.clone()));
    let content = Content {
        description: version.description(),
        count: link.puts,
        entries: &mut entries_at(version, &puts),
        timestamp,
        stored_checksum: false,
        operation: request.operation,
        delta: Some(Delta { link, count: version.len() as u64, deletes: &mut deletes }),
    };
    let (replacement, written) = archive::write(content, request.options, &path, Replacement::of(&path)?, control)
        .map_err(|error| error.writing(&path))?;
    control.check()?;
    failpoint::hit("delta.after_write")?;
    replacement.commit()?;
    failpoint::hit("delta.after_commit")?;
    let mut chain = chain.clone();
    chain.deltas.push(chain::stamped(&path, &written.checksum)?);
    (chain.fingerprint, chain.timestamp) = (fingerprint.to_string(), timestamp);
    let report = save::Report {
        path,
        bytes: written.bytes,
        count: version.len() as u64,
        dimension: version.description().dimension.unwrap_or(0),
        checksum: written.checksum,
        fingerprint,
        timestamp,
        delta: Some(change),
    };
    Ok((report, chain))
}
