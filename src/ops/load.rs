//! Load: an archive is read and checked as a whole into a collection of its own. Live data is not touched here.

use crate::archive::{self, Expect, Source, Stored};
use crate::control::Control;
use crate::env;
use crate::error::Result;
use crate::format::Entry;
use crate::store::Collection;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to load and what it has to be.
pub struct Request<'a> {
    /// The archive.
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
    /// Bytes of the file.
    pub bytes: u64,
    /// What the archive says of itself.
    pub source: Source,
}

/// Loads an archive.
pub fn run(request: &Request<'_>, control: &Control) -> Result<Loaded> {
    read(&env::checked_path(request.path)?, &request.expect, request.operation, control)
}

pub(super) fn read(path: &Path, expect: &Expect, operation: &str, control: &Control) -> Result<Loaded> {
    control.check()?;
    let input = env::open_input(path)?;
    let bytes = input.length;
    let mut collection = Collection::default();
    let mut keep = |batch: Vec<Entry>| batch.into_iter().try_for_each(|entry| collection.insert(Arc::new(entry)));
    let source =
        archive::read(input, Stored { length: bytes, path, is_file: true }, expect, operation, control, &mut keep)
            .map_err(|error| error.in_file(path))?;
    collection.describe(source.head.description)?;
    Ok(Loaded { collection, path: path.to_path_buf(), bytes, source })
}
