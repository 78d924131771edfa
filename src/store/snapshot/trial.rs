//! A store in a folder of its own that goes with it: for trying out what a snapshot gives, beside the living data.

use super::create::{FOLDER, make_folder};
use super::staging::{Staging, sweep};
use crate::error::Result;
use crate::store::open::{OpenStore, Store};
use std::path::Path;

/// Closed and removed in the end; after a crash it is removed by the next opening of the store, or the next trial.
pub struct Trial {
    /// The store. First, so that it is closed before its folder goes.
    pub store: Store,
    _staging: Staging,
}

impl Store {
    /// A new store in `directory`, where nothing is published; in the folder of snapshots when none is given.
    pub fn trial(&self, directory: Option<&Path>) -> Result<Trial> {
        let fs = self.fs();
        let directory = directory.map_or_else(|| self.base().join(FOLDER), Path::to_path_buf);
        make_folder(&**fs, &directory)?;
        sweep(fs, &directory)?;
        let staging = Staging::fresh(fs, &directory, "trial")?;
        let holder = format!("process {}", std::process::id());
        let options = OpenStore { read_only: false, create: true, among_others: false, holder };
        let store = Store::open(fs.clone(), &staging.folder(), &options)?;
        Ok(Trial { store, _staging: staging })
    }
}
