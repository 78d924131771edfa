//! A snapshot that is read like a store, by whoever has only its path: the store that it was taken of need not be open.

use super::catalog;
use super::complete::Complete;
use crate::control::Control;
use crate::env::fs::Fs;
use crate::error::Result;
use crate::store::open::Store;
use std::path::Path;
use std::sync::Arc;

/// A snapshot, open for reading. Fields are dropped in their order: the store before the folder it is in.
pub struct OpenedSnapshot {
    store: Store,
    /// One that is packed or incremental was put together in a folder of its own, which goes with this.
    _complete: Complete,
}

impl OpenedSnapshot {
    /// Opens the snapshot at `path`, a folder or a packed file.
    pub fn of(fs: Arc<dyn Fs>, path: &Path, control: &Control) -> Result<OpenedSnapshot> {
        let entry = catalog::at(&*fs, path)?;
        let complete = Complete::of(&fs, &entry, control)?;
        Ok(OpenedSnapshot { store: complete.open()?, _complete: complete })
    }

    /// Its collections.
    pub fn store(&self) -> &Store {
        &self.store
    }
}
