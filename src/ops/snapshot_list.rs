//! Snapshot list: every record that can be read, newest first; the others are told apart, not thrown.

use super::snapshots::records;
use crate::env;
use crate::error::{Error, Result};

/// The records as JSON text, and why others are not among them.
pub fn run(base: &str) -> Result<(Vec<String>, Vec<Error>)> {
    let (found, damaged) = records(&env::checked_path(base)?)?;
    let texts = found.iter().map(|record| record.text()).collect::<Result<_>>()?;
    Ok((texts, damaged))
}
