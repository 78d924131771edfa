//! Export of a `ruvector.db`: straight to an archive, without ruvector, also while another process writes it.

use super::{adopt, save};
use crate::archive::Options;
use crate::control::Control;
use crate::error::Result;

/// Reads `from` and writes the archive `to`; also tells whether `from` had a newer commit that is not whole.
pub fn run(from: &str, to: &str, options: Options, control: &Control) -> Result<(save::Report, bool)> {
    let adopted = adopt::run(from, control)?;
    let request = save::Request { path: to, options, operation: "export" };
    Ok((save::run(&adopted.collection.version(), &request, control)?, adopted.stale))
}
