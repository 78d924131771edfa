//! Reading every byte of a collection's files, without opening it: what is damaged, and whom it concerns.

use super::log::held;
use super::part::Part;
use super::paths::Paths;
use super::recovery::{log_bytes, sealed_log};
use super::sealing::{Access, open_part};
use super::stored::{Core, StoredCollection};
use crate::control::Control;
use crate::env::fs::Fs;
use crate::error::{Error, Result};
use crate::lsm;
use crate::manifest::{self, Manifest, Root, SegmentRef, Settings, WalRef};
use crate::segment::{self, DeadRows, Segment};
use crate::wal::LogReader;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ids that one place names at most; their number is always whole.
const IDS_MAX: usize = 1_000;

/// A damaged place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in the file.
    pub offset: u64,
    /// How many bytes are concerned; 0 when that is not known.
    pub length: u64,
    /// What is wrong.
    pub what: String,
    /// How many entries are concerned, as far as that is known.
    pub entries: u64,
    /// The first of their ids that can still be read.
    pub ids: Vec<String>,
}

/// What was read, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows of segments.
    pub rows: u64,
    /// Records of the log.
    pub records: u64,
    /// Bytes behind the end of the log that a crash left; no damage.
    pub torn: u64,
    /// What is damaged; empty when all is well.
    pub damage: Vec<Damage>,
}

impl Verified {
    /// Something that cannot even be opened.
    pub(super) fn of_damage(path: &Path, error: &Error, entries: u64) -> Verified {
        let mut found = Verified { files: 1, ..Verified::default() };
        found.note(path, error, entries);
        found
    }

    /// Takes over what was found elsewhere.
    pub(super) fn add(&mut self, other: Verified) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.rows += other.rows;
        self.records += other.records;
        self.torn += other.torn;
        self.damage.extend(other.damage);
    }

    fn note(&mut self, path: &Path, error: &Error, entries: u64) {
        self.damage.push(Damage {
            path: error.path.clone().unwrap_or_else(|| path.to_path_buf()),
            offset: error.offset.unwrap_or(0),
            length: 0,
            what: error.message.clone(),
            entries,
            ids: Vec::new(),
        });
    }
}

/// Reads everything that the manifest in `root` names. Fails only when it is cancelled.
pub(super) fn verify(fs: &Arc<dyn Fs>, paths: &Paths, root: &Root, control: &Control) -> Result<Verified> {
    let mut found = Verified { files: 1, bytes: root.manifest.bytes(), ..Verified::default() };
    match manifest::read(&**fs, &paths.home, root.owner.store) {
        Err(error) => found.note(&paths.home.join(manifest::FILE_NAME), &error, 0),
        Ok(now) if now.manifest.generation < root.manifest.generation => {
            let message = "an older manifest stands in the place of the newest one";
            let error = Error::new(crate::error::Kind::Corrupt, message).at(48);
            found.note(&paths.home.join(manifest::FILE_NAME), &error, 0);
        }
        Ok(_) => {}
    }
    for named in &root.manifest.segments {
        control.check()?;
        verify_segment(fs, paths, root, named, control, &mut found)?;
    }
    for file in &root.manifest.wal {
        control.check()?;
        verify_log(&**fs, paths, root, file, &mut found);
    }
    Ok(found)
}

fn verify_segment(
    fs: &Arc<dyn Fs>,
    paths: &Paths,
    root: &Root,
    named: &SegmentRef,
    control: &Control,
    found: &mut Verified,
) -> Result<()> {
    let path = paths.part(named.kind, named.number);
    found.files += 1;
    match open_part(fs, paths, root.owner, named, &Access::of(&Settings::default(), None)) {
        Err(error) => found.note(&path, &error, named.rows),
        Ok(part) => {
            found.bytes += named.length;
            found.rows += named.rows;
            match &part {
                Part::Segment(segment) => {
                    let damages = segment.verify(control)?;
                    found.damage.extend(damages.into_iter().map(|damage| described(segment, &path, damage)));
                }
                Part::Run(run) => {
                    let damages = run.verify(&**fs, control)?;
                    found.damage.extend(damages.into_iter().map(|damage| {
                        let lsm::Damage { path, offset, what, rows: entries, ids } = damage;
                        Damage { path, offset, length: 0, what, entries, ids }
                    }));
                }
                Part::Frozen(_) => {}
            }
        }
    }
    if let Some(dead) = &named.dead {
        let path = paths.dead(named.number, dead.version);
        found.files += 1;
        found.bytes += dead.length;
        if let Err(error) = Core::read_dead(&**fs, &path, root.owner, named, dead).map(drop::<DeadRows>) {
            found.note(&path, &error, named.rows);
        }
    }
    Ok(())
}

fn described(segment: &Segment, path: &Path, damage: segment::Damage) -> Damage {
    let rows = || damage.rows.iter().cloned().flatten();
    let ids = rows().filter_map(|row| segment.id(row).ok()).take(IDS_MAX).map(str::to_owned).collect();
    let entries = rows().count() as u64;
    Damage { path: path.to_path_buf(), offset: damage.offset, length: damage.length, entries, what: damage.what, ids }
}

fn verify_log(fs: &dyn Fs, paths: &Paths, root: &Root, file: &WalRef, found: &mut Verified) {
    let path = paths.log(file.number);
    found.files += 1;
    let read = (|| {
        let bytes = log_bytes(fs, &path, false)?;
        found.bytes += bytes.len() as u64;
        let mut reader = LogReader::new(&bytes, &path, root.owner, (file.number, file.first_lsn), sealed_log(file))?;
        while reader.next_record()?.is_some() {
            found.records += 1;
        }
        reader.end()
    })();
    match read {
        Ok(end) => found.torn += end.torn,
        Err(error) => found.note(&path, &error, 0),
    }
}

impl StoredCollection {
    /// Reads every byte of its files. Writes go on meanwhile; checkpoints wait.
    pub fn verify(&self, control: &Control) -> Result<Verified> {
        let core = self.core();
        if core.volatile {
            return Ok(Verified::default());
        }
        let _turn = core.turn.take();
        let root = held(&core.root).clone();
        let mut found = verify(&core.fs, &core.paths, &root, control)?;
        // The log may have begun a new file, and completed this one, since the manifest was copied.
        let now: Manifest = held(&core.root).manifest.clone();
        if now.generation != root.manifest.generation && !found.damage.is_empty() {
            let root = held(&core.root).clone();
            found = verify(&core.fs, &core.paths, &root, control)?;
        }
        Ok(found)
    }
}
