//! A snapshot as a folder that holds everything: that is a store, and is read like one.
//!
//! A full one in a folder is that already. Of the others a folder is put together in the folder of snapshots, by links
//! where that is possible, and removed afterwards.

use super::catalog::{self, Entry};
use super::content::{Content, File};
use super::pack;
use super::reading::Reading;
use super::staging::Staging;
use crate::control::Control;
use crate::env::fs::{Fs, read_whole, share};
use crate::error::{Error, Kind, Result};
use crate::format::document::hash;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::lsm;
use crate::manifest::{self, Root};
use crate::store::open::{OpenStore, STORE, Store};
use crate::store::paths::{COLLECTIONS, Paths};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A complete folder.
pub struct Complete {
    /// Where it is.
    pub path: PathBuf,
    fs: Arc<dyn Fs>,
    /// Removes it at the end, where it was put together.
    staging: Option<Staging>,
    /// Nobody removes what is being read.
    _reading: Vec<Reading>,
}

impl Complete {
    /// Puts together what `entry` and those that it builds on hold.
    pub fn of(fs: &Arc<dyn Fs>, entry: &Entry, control: &Control) -> Result<Complete> {
        let directory = catalog::directory_of(&entry.path);
        let keep = |entry: &Entry| Reading::begin(fs, directory, entry.id());
        let mut reading: Vec<Reading> = keep(entry)?.into_iter().collect();
        // It may have gone before, and another may have come in its place.
        if catalog::at(&**fs, &entry.path)?.found.checksum != entry.found.checksum {
            let message = format!("snapshot '{}' was exchanged meanwhile", entry.id());
            return Err(Error::new(Kind::Chain, message).in_file(&entry.path));
        }
        let in_place = entry.packing.is_none() && entry.found.snapshot.base.is_none();
        let complete = if in_place {
            Complete { path: entry.path.clone(), fs: fs.clone(), staging: None, _reading: reading }
        } else {
            let (entries, _) = catalog::list(&**fs, directory)?;
            let chain = catalog::chain(&**fs, &entries, entry)?;
            for base in chain.iter().skip(1) {
                reading.extend(keep(base)?);
            }
            let staging = Staging::fresh(fs, directory, "reading")?;
            assemble(&**fs, &chain, &staging.folder(), control)?;
            Complete { path: staging.folder(), fs: fs.clone(), staging: Some(staging), _reading: reading }
        };
        for content in &entry.found.snapshot.collections {
            complete.manifest_of(content, entry.found.store)?;
        }
        Ok(complete)
    }

    /// The manifest of a collection, which must be the one that the snapshot was made with.
    fn manifest_of(&self, content: &Content, store: [u8; 16]) -> Result<Root> {
        let home = Paths::home(&self.path, &content.name);
        let root = manifest::read(&*self.fs, &home, store)?;
        if root.hash != content.manifest {
            let message = "this manifest is not the one that the snapshot was made with";
            return Err(Error::new(Kind::Corrupt, message).in_file(&home.join(manifest::FILE_NAME)));
        }
        Ok(root)
    }

    /// The folder as a store.
    pub fn open(&self) -> Result<Store> {
        let holder = String::new();
        let options = OpenStore { read_only: true, create: false, among_others: false, holder };
        Store::open(self.fs.clone(), &self.path, &options)
    }

    /// Whether it was put together, and goes again.
    pub fn is_temporary(&self) -> bool {
        self.staging.is_some()
    }
}

/// Every file that the manifests in the top of the chain name, from the link of the chain that holds it.
fn assemble(fs: &dyn Fs, chain: &[&Entry], folder: &Path, control: &Control) -> Result<()> {
    let Some((top, bases)) = chain.split_first() else { return Ok(()) };
    for content in &top.found.snapshot.collections {
        let home = folder.join(COLLECTIONS).join(&content.name);
        for folder in [&folder.join(COLLECTIONS), &home, &home.join("segments"), &home.join("wal")] {
            fs.make_directory(folder)?;
        }
    }
    let own = |content: &Content| content.files.iter().map(|file| (content.clone(), file.clone())).collect::<Vec<_>>();
    let mut wanted: Vec<(Content, File)> = top.found.snapshot.collections.iter().flat_map(own).collect();
    fetch(fs, top, &mut wanted, folder, true, control)?;
    let mut missing = Vec::new();
    for content in &top.found.snapshot.collections {
        missing.extend(lacking(fs, content, folder, top)?);
    }
    for base in bases {
        fetch(fs, base, &mut missing, folder, false, control)?;
    }
    match missing.first() {
        None => Ok(()),
        Some((content, file)) => {
            let message = format!("no snapshot of its chain holds {} of collection '{}'", file.name, content.name);
            Err(Error::new(Kind::Chain, message).in_file(&top.path))
        }
    }
}

/// The files that the manifest of a collection names and that the snapshot does not hold itself.
fn lacking(fs: &dyn Fs, content: &Content, folder: &Path, top: &Entry) -> Result<Vec<(Content, File)>> {
    let home = folder.join(COLLECTIONS).join(&content.name);
    let path = home.join(manifest::FILE_NAME);
    let bytes = read_whole(fs, &path, MANIFEST_BYTES_MAX)?;
    if hash(&bytes) != content.manifest {
        return Err(
            Error::new(Kind::Corrupt, "this manifest is not the one that the snapshot was made with").in_file(&path)
        );
    }
    let root = manifest::decode(&bytes, top.found.store).map_err(|error| error.in_file(&path))?;
    let named = super::taken::named_files(&root.manifest);
    let lacks = |file: &File| !content.files.iter().any(|own| own.name == file.name);
    Ok(named.filter(lacks).map(|file| (content.clone(), file)).collect())
}

/// The path of a file of a collection within a snapshot.
fn place(collection: &str, file: &File) -> String {
    format!("{COLLECTIONS}/{collection}/{}", file.name)
}

/// Makes the folders that lead to a file of a collection.
pub(super) fn make_folders(fs: &dyn Fs, home: &Path, name: &str) -> Result<()> {
    let mut folder = home.to_path_buf();
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in parts {
        folder = folder.join(part);
        fs.make_directory(&folder)?;
    }
    Ok(())
}

/// Takes from one snapshot what it holds of the wanted, and strikes it from the list.
fn fetch(
    fs: &dyn Fs,
    entry: &Entry,
    wanted: &mut Vec<(Content, File)>,
    folder: &Path,
    identity: bool,
    control: &Control,
) -> Result<()> {
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for (content, file) in wanted.drain(..) {
        let held = entry.found.snapshot.collections.iter().find(|held| held.id == content.id);
        match held.filter(|held| held.holds(&file)) {
            // A run is known by its seal, and comes with all its files.
            Some(held) if file.name.ends_with(lsm::SEAL) => {
                let run = file.name.strip_suffix(lsm::SEAL).unwrap_or_default();
                let whole = held.files.iter().filter(|file| file.name.starts_with(run));
                found.extend(whole.map(|file| (place(&held.name, file), content.clone(), file.clone())));
            }
            Some(held) => found.push((place(&held.name, &file), content, file)),
            None => left.push((content, file)),
        }
    }
    *wanted = left;
    let target = |content: &Content, file: &File| folder.join(place(&content.name, file));
    for (_, content, file) in &found {
        make_folders(fs, &folder.join(COLLECTIONS).join(&content.name), &file.name)?;
    }
    let mut places: BTreeMap<String, PathBuf> =
        found.iter().map(|(name, content, file)| (name.clone(), target(content, file))).collect();
    if identity {
        places.insert(STORE.to_owned(), folder.join(STORE));
    }
    if entry.packing.is_some() {
        return pack::unpack(fs, &entry.path, &entry.found, places, control);
    }
    for (name, target) in places {
        control.check()?;
        share(fs, &entry.path.join(&name), &target).map_err(|error| match error.cause_code() {
            Some("ENOENT") => {
                Error::new(Kind::Corrupt, format!("the snapshot names {name}, and it is missing")).in_file(&entry.path)
            }
            _ => error,
        })?;
    }
    Ok(())
}
