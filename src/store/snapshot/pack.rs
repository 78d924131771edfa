//! A snapshot as one file. `SNAPSHOT` is its first member, and names the others.

use super::content::{self, Found, Snapshot};
use crate::control::Control;
use crate::env::fs::Fs;
use crate::error::Result;
use crate::store::open::STORE;
use crate::store::paths::COLLECTIONS;
use crate::store::tarball::{self, Form, Packing};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FORM: Form = Form { what: "a packed snapshot", first: content::FILE_NAME };

/// The members besides `SNAPSHOT`: name in the archive, and length where the snapshot gives it.
fn members(snapshot: &Snapshot) -> impl Iterator<Item = (String, Option<u64>)> {
    let files = snapshot.collections.iter().flat_map(|content| {
        let name = move |file: &content::File| format!("{COLLECTIONS}/{}/{}", content.name, file.name);
        content.files.iter().map(move |file| (name(file), Some(file.length)))
    });
    std::iter::once((STORE.to_owned(), None)).chain(files)
}

/// Packs a folder that is complete into a new file and makes that durable.
pub fn pack(
    fs: &dyn Fs,
    folder: &Path,
    snapshot: &Snapshot,
    target: &Path,
    packing: Packing,
    control: &Control,
) -> Result<()> {
    let names = std::iter::once((content::FILE_NAME.to_owned(), None)).chain(members(snapshot));
    tarball::pack(fs, folder, names, snapshot.created / 1_000_000, (target, packing), control)
}

/// What the snapshot in a file says of itself.
pub fn read(fs: &dyn Fs, path: &Path) -> Result<Found> {
    let bytes = tarball::read_first(fs, path, FORM)?;
    content::decode(&bytes).map_err(|error| error.in_file(path))
}

/// Takes the members that `wanted` gives a place to out of the archive, and checks that all are there.
pub fn unpack(
    fs: &dyn Fs,
    path: &Path,
    expected: &Found,
    wanted: BTreeMap<String, PathBuf>,
    control: &Control,
) -> Result<()> {
    let named = members(&expected.snapshot).collect();
    tarball::unpack(fs, path, (FORM, &expected.checksum), named, wanted, control)
}
