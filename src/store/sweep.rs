//! Files and sorted runs of ours that no manifest names: what a crash, or a reader that held them open, left behind.
//!
//! A file that is newer than the manifest is never taken for such a one: then the manifest is an old copy, and to go on
//! with it would lose what came after.

use super::paths::{Paths, RUNS, SegmentFile, run_number, segment_file};
use super::recovery::{self, Recovery};
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, HEADER_BYTES, Header};
use crate::lsm;
use crate::manifest::{self, Manifest, Root, SegmentKind, SegmentRef};
use crate::wal;
use std::path::{Path, PathBuf};

/// Files to be removed.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Of segments and manifests.
    files: Vec<PathBuf>,
    /// Folders of sorted runs.
    runs: Vec<PathBuf>,
    /// Of the log, which the settings may want archived.
    logs: Vec<PathBuf>,
}

impl Leftovers {
    /// Looks for them, and notes what is not ours.
    pub fn find(fs: &dyn Fs, paths: &Paths, manifest: &Manifest, recovery: &mut Recovery) -> Result<Leftovers> {
        let mut found = Leftovers::default();
        for name in fs.list(&paths.home)? {
            if name == "MANIFEST.tmp" {
                found.files.push(paths.home.join(name));
            } else if ![manifest::FILE_NAME, "segments", RUNS, "wal"].contains(&name.as_str()) {
                recovery.ignored.push(name);
            }
        }
        for name in fs.list(&paths.segments)? {
            let path = paths.segments.join(&name);
            let (kind, named) = match segment_file(&name) {
                Some(SegmentFile::Segment(number)) => (FileKind::Segment, names(manifest, SegmentKind::File, number)),
                Some(SegmentFile::Dead(number, version)) => {
                    let is_it = |segment: &SegmentRef| {
                        segment.number == number && segment.dead.as_ref().is_some_and(|dead| dead.version == version)
                    };
                    (FileKind::Dead, manifest.segments.iter().any(is_it))
                }
                None if name.ends_with(".tmp") => {
                    found.files.push(path);
                    continue;
                }
                None => {
                    recovery.ignored.push(name);
                    continue;
                }
            };
            if !named {
                check_age(fs, &path, kind, manifest)?;
                found.files.push(path);
            }
        }
        found.find_runs(fs, paths, manifest, recovery)?;
        for name in fs.list(&paths.wal)? {
            match wal::number_of(&name) {
                None => recovery.ignored.push(name),
                Some(number) if manifest.wal.iter().any(|file| file.number == number) => {}
                Some(_) => {
                    let path = paths.wal.join(name);
                    check_age(fs, &path, FileKind::Wal, manifest)?;
                    found.logs.push(path);
                }
            }
        }
        Ok(found)
    }

    fn find_runs(&mut self, fs: &dyn Fs, paths: &Paths, manifest: &Manifest, recovery: &mut Recovery) -> Result<()> {
        for name in fs.list(&paths.runs)? {
            let path = paths.runs.join(&name);
            match run_number(&name) {
                None => recovery.ignored.push(name),
                Some(number) if names(manifest, SegmentKind::Lsm, number) => {}
                Some(_) => {
                    // One without a seal was not finished, and nothing was ever in it that the log has not.
                    if let Some(generation) = lsm::generation(fs, &path).filter(|g| is_newer(*g, manifest)) {
                        return Err(too_old(generation, manifest).in_file(&path));
                    }
                    self.runs.push(path);
                }
            }
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.runs.is_empty() && self.logs.is_empty()
    }

    /// Removes them; not a file of that name that the manifest has come to name meanwhile.
    pub fn remove(self, fs: &dyn Fs, root: &Root, recovery: &mut Recovery) -> Result<()> {
        let manifest = &root.manifest;
        let named = |path: &Path| {
            let number = path.file_name().and_then(|name| wal::number_of(&name.to_string_lossy()));
            number.is_some_and(|number| manifest.wal.iter().any(|file| file.number == number))
        };
        for path in &self.files {
            failpoint::hit("sweep.before_file")?;
            fs.remove(path)?;
        }
        for path in &self.runs {
            lsm::remove(fs, path)?;
        }
        for path in self.logs.iter().filter(|path| !named(path)) {
            failpoint::hit("sweep.before_log")?;
            super::wal_retention::let_go(fs, path, root)?;
        }
        let names = self.files.iter().chain(&self.runs).chain(&self.logs).filter_map(|path| path.file_name());
        recovery.swept = names.map(|name| name.to_string_lossy().into_owned()).collect();
        Ok(())
    }
}

fn names(manifest: &Manifest, kind: SegmentKind, number: u64) -> bool {
    manifest.segments.iter().any(|segment| (segment.kind, segment.number) == (kind, number))
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
    // Records come into a file only after a manifest of its number named it.
    let was_named = kind == FileKind::Wal
        && header.number > manifest.generation
        && recovery::log_bytes(fs, path, false).is_ok_and(|bytes| wal::was_named(&bytes, header.owner, header.number));
    if !is_newer(header.generation, manifest) && !was_named {
        return Ok(());
    }
    Err(too_old(header.generation, manifest).in_file(path))
}

/// Whether something that was made for a manifest of that generation is too new for this one.
fn is_newer(generation: u32, manifest: &Manifest) -> bool {
    let too_new = generation.wrapping_sub(manifest.generation as u32);
    // A crash may lose one manifest whose name was not synced, and a file that was made for the one after it.
    (3..u32::MAX / 2).contains(&too_new)
}

fn too_old(generation: u32, manifest: &Manifest) -> Error {
    let message = format!(
        "made for manifest {generation}, and the manifest here is {}, which does not name it: an old manifest was put in \
         the place of a newer one",
        manifest.generation
    );
    Error::new(Kind::Corrupt, message).at(56)
}
