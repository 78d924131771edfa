//! Merge: the entries of one version put over another, as `import` without `clear` does. Entries are shared.

use crate::error::Result;
use crate::store::{Collection, Version};

/// A collection with all entries of `base`, replaced and extended by those of `overlay`.
pub fn run(base: &Version, overlay: &Version) -> Result<Collection> {
    let mut merged = Collection::new(base.description().agree(overlay.description(), "what is put over it")?);
    for entry in base.entries().chain(overlay.entries()) {
        merged.insert(entry?)?;
    }
    Ok(merged)
}
