//! Reads a whole run again and lists what is damaged: first every byte of every file from the disk, then every row and the
//! way to it from its id.

use super::reader::Run;
use super::row::hash;
use crate::control::Control;
use crate::env::fs::Fs;
use crate::error::{Error, Kind, Result};
use std::path::PathBuf;

/// More rows than this are counted, not named.
const ROWS_NAMED_MAX: usize = 1_000;
const ROWS_BETWEEN_CHECKS: u32 = 1_024;

/// A damaged file, or rows that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// The file; the folder of the run where it is not known which.
    pub path: PathBuf,
    /// Where in the file, as far as that is known.
    pub offset: u64,
    /// A sentence for a person.
    pub what: String,
    /// Rows that cannot be read, or not be found by their ids.
    pub rows: u64,
    /// The first of their ids, where those can be read.
    pub ids: Vec<String>,
}

impl Run {
    /// Reads and checks everything. The list is empty when all is well; an error is only what kept it from looking.
    pub fn verify(&self, fs: &dyn Fs, control: &Control) -> Result<Vec<Damage>> {
        let mut damages = Vec::new();
        for file in &self.seal.files {
            match file.verify(fs, self.path(), || control.check()) {
                Ok(()) => {}
                Err(error) if error.kind == Kind::Aborted => return Err(error),
                Err(error) => damages.push(Damage {
                    path: error.path.clone().unwrap_or_else(|| self.path().join(&file.name)),
                    offset: error.offset.unwrap_or(0),
                    what: error.message,
                    ..Damage::default()
                }),
            }
        }
        let rows = self.verify_rows(control)?;
        damages.extend(rows);
        Ok(damages)
    }

    fn verify_rows(&self, control: &Control) -> Result<Option<Damage>> {
        let mut found: Option<Damage> = None;
        let (first, last) = self.lsns();
        for row in 0..self.rows() {
            if row.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                control.check()?;
            }
            let mut id = None;
            let checked = self.with_row(row, |view| {
                id = Some(view.id.to_owned());
                ((first..=last).contains(&view.lsn), hash(view.id))
            });
            let checked = checked.and_then(|(in_order, hash)| {
                if !in_order {
                    return Err(Error::new(Kind::Corrupt, format!("the LSN of row {row} is not one of this run")));
                }
                if !self.candidates(hash)?.contains(&row) {
                    return Err(Error::new(Kind::Corrupt, format!("the id index of this run does not find row {row}")));
                }
                Ok(())
            });
            let Err(error) = checked else { continue };
            let path = self.path().to_path_buf();
            let damage = found.get_or_insert_with(|| Damage { path, what: error.message, ..Damage::default() });
            damage.rows += 1;
            if damage.ids.len() < ROWS_NAMED_MAX {
                damage.ids.extend(id);
            }
        }
        Ok(found)
    }
}
