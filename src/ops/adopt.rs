//! Adopt: the content of a `ruvector.db` as a collection, read from a private copy.

use crate::control::Control;
use crate::env;
use crate::error::Result;
use crate::foreign::read_ruvector;
use crate::store::Collection;
use std::path::PathBuf;
use std::sync::Arc;

/// What was adopted.
#[derive(Debug)]
pub struct Adopted {
    /// The content, described as the file says.
    pub collection: Collection,
    /// Where it came from, absolute.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether the newest commit of the file is not whole, so that the one before it was read.
    pub stale: bool,
}

/// Reads a `ruvector.db`.
pub fn run(path: &str, control: &Control) -> Result<Adopted> {
    let path = env::checked_path(path)?;
    let mut collection = Collection::default();
    let file = read_ruvector(&path, control, &mut |entry| collection.insert(Arc::new(entry)))?;
    collection.describe(file.description).map_err(|error| error.in_file(&path))?;
    let bytes = env::file_size(&path)?.unwrap_or(0);
    Ok(Adopted { collection, path, bytes, stale: file.stale })
}
