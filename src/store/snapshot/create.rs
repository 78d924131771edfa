//! Taking a snapshot: the files that the manifests name get a second name in a folder of their own.
//!
//! It costs what the number of files costs, not their size, as long as the folder is on the same file system; else they are
//! copied. Writes go on meanwhile. A process that only reads the store can take one too: it then holds the end of the log
//! beside the segments, since only the writer can make a checkpoint.

use super::catalog::{self, Entry};
use super::complete;
use super::content::{self, Base, Content, File, Snapshot};
use super::id::id_at;
use super::pack;
use super::staging::{self, Staging};
use super::taken::{Source, Taken};
use crate::control::Control;
use crate::env::fs::{Fs, Shared, share};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::entry::shown;
use crate::manifest;
use crate::store::open::Store;
use crate::store::paths::COLLECTIONS;
use crate::store::tarball::Packing;
use crate::store::tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to take.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The folder of snapshots; the one of the store when none is given.
    pub directory: Option<PathBuf>,
    /// The place of the snapshot itself, in the stead of one in that folder that its id gives.
    pub place: Option<PathBuf>,
    /// A name for people; any text.
    pub name: Option<String>,
    /// A JSON object as text.
    pub metadata: Option<String>,
    /// The collections; all when none is given.
    pub collections: Option<Vec<String>>,
    /// Leave out what another snapshot of the folder holds: the newest one of this store when no id is given, and none
    /// where there is none.
    pub incremental: bool,
    /// That other snapshot.
    pub base: Option<String>,
    /// As one file.
    pub packing: Option<Packing>,
}

/// What a folder of snapshots is, as text, in messages and at the front.
pub const FOLDER: &str = "snapshots";

impl Store {
    /// Takes a snapshot: each collection as it was at one LSN, all of those that are open here at one moment.
    pub fn snapshot(&self, request: &Request, control: &Control) -> Result<Entry> {
        let fs = self.fs();
        let place = request.place.as_deref();
        let home = place.and_then(Path::parent).or(request.directory.as_deref());
        let directory = home.map_or_else(|| self.base().join(FOLDER), Path::to_path_buf);
        make_folder(&**fs, &directory)?;
        staging::sweep(fs, &directory)?;
        let (entries, _) = catalog::list(&**fs, &directory)?;
        let base = base_of(&entries, self.id(), request)?;
        let chain = base.map(|base| catalog::chain(&**fs, &entries, base)).transpose()?.unwrap_or_default();
        let created = self.fs().now_us();
        let staging = reserve(fs, &directory, created)?;
        let (id, staging) = (staging.0, staging.1);
        let file_name = format!("{id}{}", request.packing.map_or("", Packing::suffix));
        let place = place.map_or_else(|| directory.join(file_name), Path::to_path_buf);
        check_free(&**fs, &place)?;
        let taken = self.take(request.collections.as_deref(), control, |taken| {
            let held: BTreeSet<(&str, &File)> = chain.iter().flat_map(|entry| held(&entry.found.snapshot)).collect();
            taken.drop_held(&held);
            write(&**fs, &staging.folder(), taken, control)
        })?;
        let base = base.map(|base| Base { id: base.id().to_owned(), checksum: base.found.checksum.clone() });
        let (name, metadata) = (request.name.clone(), request.metadata.clone());
        let snapshot = Snapshot { id: id.clone(), name, created, base, collections: taken, metadata };
        finish(&**fs, self.base(), &staging.folder(), &content::encode(self.id(), &snapshot)?)?;
        if let Some(packing) = request.packing {
            pack::pack(&**fs, &staging.folder(), &snapshot, &staging.packed(), packing, control)?;
        }
        control.check()?;
        staging.publish(request.packing.is_some(), &place)?;
        catalog::at(&**fs, &place)
    }

    /// Takes the collections one after another, at one moment as far as they are open here, and hands each over while
    /// its files cannot go.
    fn take(
        &self,
        names: Option<&[String]>,
        control: &Control,
        mut each: impl FnMut(&mut Taken) -> Result<()>,
    ) -> Result<Vec<Content>> {
        let there = self.list()?;
        if let Some(nobody) = names.and_then(|names| names.iter().find(|name| !there.contains(name))) {
            let message = format!("there is no collection '{}'", shown(nobody));
            return Err(Error::new(Kind::NotFound, message).in_file(self.base()));
        }
        let mut names = names.map_or(there, <[String]>::to_vec);
        names.sort();
        names.dedup();
        let mut contents = Vec::new();
        self.at_one_moment(&names, |taken| {
            control.check()?;
            each(taken)?;
            contents.push(taken.content.clone());
            Ok(())
        })?;
        contents.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(contents)
    }
}

fn held(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &File)> {
    snapshot.collections.iter().flat_map(|content| content.files.iter().map(|file| (content.id.as_str(), file)))
}

/// Makes the folder where it is missing, one level deep.
pub(super) fn make_folder(fs: &dyn Fs, directory: &Path) -> Result<()> {
    fs.make_directory(directory)?;
    directory.parent().map_or(Ok(()), |parent| fs.sync_directory(parent))
}

/// An id that nobody has, and the folder to make the snapshot in.
fn reserve(fs: &Arc<dyn Fs>, directory: &Path, created: u64) -> Result<(String, Staging)> {
    let names = fs.list(directory)?;
    let mut refused = BTreeSet::new();
    loop {
        let taken = |id: &str| {
            refused.contains(id) || names.iter().any(|name| name == id || name.starts_with(&format!("{id}.")))
        };
        let id = id_at(created, taken);
        match Staging::begin(fs, directory, &id)? {
            Some(staging) => return Ok((id, staging)),
            None => refused.insert(id),
        };
    }
}

fn check_free(fs: &dyn Fs, place: &Path) -> Result<()> {
    let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let names = place.parent().map_or_else(|| Ok(Vec::new()), |parent| fs.list(parent))?;
    if !names.contains(&name) {
        return Ok(());
    }
    Err(Error::new(Kind::Exists, "there is something in the place of the snapshot already").in_file(place))
}

/// The snapshot that the new one builds on.
fn base_of<'a>(entries: &'a [Entry], store: [u8; 16], request: &Request) -> Result<Option<&'a Entry>> {
    match &request.base {
        Some(id) => {
            let found = entries.iter().find(|entry| entry.id() == id && entry.found.store == store);
            let missing = || format!("the base '{}' is not among the snapshots of this store here", shown(id));
            found.map(Some).ok_or_else(|| Error::new(Kind::Chain, missing()))
        }
        None if request.incremental => Ok(entries.iter().rev().find(|entry| entry.found.store == store)),
        None => Ok(None),
    }
}

/// Puts the files of a collection into the folder.
fn write(fs: &dyn Fs, folder: &Path, taken: &mut Taken, control: &Control) -> Result<()> {
    let collections = folder.join(COLLECTIONS);
    let home = collections.join(&taken.content.name);
    // What an attempt left whose files went while it looked at them.
    tree::remove_collection(fs, &home)?;
    for folder in [&collections, &home, &home.join("segments"), &home.join("wal")] {
        fs.make_directory(folder)?;
    }
    for (file, source) in taken.content.files.iter().zip(&taken.sources) {
        control.check()?;
        failpoint::hit("snapshot.before_file")?;
        let path = home.join(&file.name);
        complete::make_folders(fs, &home, &file.name)?;
        match source {
            Source::File(from) => share(fs, from, &path).map(|_: Shared| ())?,
            Source::Bytes(bytes) => {
                let file = fs.create(&path)?;
                file.write_at(bytes, 0)?;
                file.sync()?;
            }
        }
    }
    failpoint::hit("snapshot.after_files")?;
    for folder in folders(taken, &home) {
        fs.sync_directory(&folder)?;
    }
    fs.sync_directory(&collections)
}

/// Every folder that a file of the collection is in, the collection's own last.
fn folders(taken: &Taken, home: &Path) -> BTreeSet<PathBuf> {
    let always = ["segments", "wal"].map(|folder| home.join(folder));
    let files = taken.content.files.iter().map(|file| home.join(&file.name));
    let above = files.flat_map(|file| {
        file.ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(home))
            .map(Path::to_path_buf)
            .collect::<Vec<_>>()
    });
    always.into_iter().chain(above).collect()
}

/// The identity of the store, which makes the folder one that can be opened, and what the snapshot says of itself.
fn finish(fs: &dyn Fs, base: &Path, folder: &Path, content: &[u8]) -> Result<()> {
    failpoint::hit("snapshot.before_content")?;
    fs.copy(&base.join(crate::store::open::STORE), &folder.join(crate::store::open::STORE))?;
    let file = fs.create(&folder.join(content::FILE_NAME))?;
    file.write_at(content, 0)?;
    file.sync()?;
    failpoint::hit("snapshot.after_content")?;
    fs.sync_directory(folder)
}

/// The file of a manifest in a list of files.
pub(super) fn manifest_file(bytes: &[u8]) -> File {
    let checksum = bytes.last_chunk::<4>().map_or(0, |sum| u32::from_le_bytes(*sum));
    File { name: manifest::FILE_NAME.to_owned(), length: bytes.len() as u64, checksum }
}
