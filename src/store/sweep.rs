//! Files of ours that no manifest names: what a crash, or a reader that held them open, left behind.
//!
//! A file that is newer than the manifest is never taken for such a one: then the manifest is an old copy, and to go on
//! with it would lose what came after.

use super::paths::{Paths, SegmentFile, segment_file};
use super::recovery::Recovery;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::format::header::{FileKind, HEADER_BYTES, Header};
use crate::manifest::{self, Manifest};
use crate::wal;
use std::path::Path;

/// Removes them, and notes what is not ours.
pub fn sweep(fs: &dyn Fs, paths: &Paths, manifest: &Manifest, recovery: &mut Recovery) -> Result<()> {
    for name in fs.list(&paths.home)? {
        if name == "MANIFEST.tmp" {
            fs.remove(&paths.home.join(&name))?;
            recovery.swept.push(name);
        } else if ![manifest::FILE_NAME, "segments", "wal"].contains(&name.as_str()) {
            recovery.ignored.push(name);
        }
    }
    for name in fs.list(&paths.segments)? {
        let named = match segment_file(&name) {
            Some(SegmentFile::Segment(number)) => manifest.segments.iter().any(|segment| segment.number == number),
            Some(SegmentFile::Dead(number, version)) => manifest.segments.iter().any(|segment| {
                segment.number == number && segment.dead.as_ref().is_some_and(|dead| dead.version == version)
            }),
            None if name.ends_with(".tmp") => false,
            None => {
                recovery.ignored.push(name);
                continue;
            }
        };
        let kind = match segment_file(&name) {
            Some(SegmentFile::Segment(_)) => Some(FileKind::Segment),
            Some(SegmentFile::Dead(..)) => Some(FileKind::Dead),
            None => None,
        };
        if !named {
            remove(fs, &paths.segments.join(&name), kind, manifest)?;
            recovery.swept.push(name);
        }
    }
    for name in fs.list(&paths.wal)? {
        match wal::number_of(&name) {
            None => recovery.ignored.push(name),
            Some(number) if manifest.wal.iter().any(|file| file.number == number) => {}
            Some(_) => {
                let path = paths.wal.join(&name);
                check_age(fs, &path, FileKind::Wal, manifest)?;
                super::wal_retention::let_go(fs, &path, manifest)?;
                recovery.swept.push(name);
            }
        }
    }
    Ok(())
}

fn remove(fs: &dyn Fs, path: &Path, kind: Option<FileKind>, manifest: &Manifest) -> Result<()> {
    if let Some(kind) = kind {
        check_age(fs, path, kind, manifest)?;
    }
    fs.remove(path).map(|_| ())
}

/// Refuses a file that a later manifest than this one must have known.
fn check_age(fs: &dyn Fs, path: &Path, kind: FileKind, manifest: &Manifest) -> Result<()> {
    let file = fs.open(path)?;
    let mut head = [0; HEADER_BYTES];
    // A file that was being written when its writer ended may hold anything.
    if file.length()? < HEADER_BYTES as u64 {
        return Ok(());
    }
    file.read_at(&mut head, 0)?;
    let Ok(header) = Header::decode(&head, kind) else { return Ok(()) };
    // The newest that a crash can leave was made to be named by the next manifest.
    if u64::from(header.generation) <= (manifest.generation + 1) & u64::from(u32::MAX) {
        return Ok(());
    }
    let message = format!(
        "made for manifest {}, and the manifest here is {}: an old manifest was put in the place of the newer one",
        header.generation, manifest.generation
    );
    Err(Error::new(Kind::Corrupt, message).at(56).in_file(path))
}
