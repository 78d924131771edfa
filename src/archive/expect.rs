//! What the caller of a read expects, and what is checked at its end.

use super::Format;
use crate::error::{Error, Kind, Result};
use crate::format::state_json::Head;
use crate::format::{Description, Entry, entry::shown};

/// What an archive has to be to be taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expect {
    /// Check the checksum and the count. Everything else is always checked.
    pub verify: bool,
    /// What the database it is for is known to be.
    pub description: Description,
    /// The only format that is taken, where the caller insists on one.
    pub format: Option<Format>,
}

/// Checks that grow with the entries: they all have one dimension.
#[derive(Default)]
pub(super) struct Entries {
    pub count: u64,
    /// Ids that a delta removes.
    pub removed: u64,
    dimension: Option<usize>,
}

impl Entries {
    pub fn take(&mut self, entry: &Entry) -> Result<()> {
        self.count += 1;
        let (found, due) = (entry.vector.len(), *self.dimension.get_or_insert(entry.vector.len()));
        if found != due {
            let id = shown(&entry.id);
            let message = format!("vector for id '{id}' has {found} numbers, the entries before it have {due}");
            return Err(Error::new(Kind::Dimension, message));
        }
        Ok(())
    }
}

impl Expect {
    /// The last word on an archive: everything that could not be said before its end.
    pub(super) fn settle(&self, head: &mut Head, entries: &Entries, checksum: &str) -> Result<()> {
        head.check_version()?;
        if self.verify {
            check_checksum(head, checksum)?;
            check_count(head, entries)?;
        }
        let found = Description { dimension: entries.dimension, metric: None };
        head.description = head.description.agree(found, "a vector of the archive")?;
        self.description.agree(head.description, "the archive")?;
        Ok(())
    }
}

fn check_checksum(head: &Head, found: &str) -> Result<()> {
    let Some(stored) = &head.checksum else {
        let message = "checksum missing - file cannot be verified; pass verifyChecksum: false to load it all the same";
        return Err(Error::new(Kind::Checksum, message));
    };
    if stored == found {
        return Ok(());
    }
    let message = format!(
        "checksum verification failed - file may be corrupted: it says {}, its content has {found}",
        shown(stored)
    );
    Err(Error::new(Kind::Checksum, message))
}

fn check_count(head: &Head, found: &Entries) -> Result<()> {
    let differs = |said: u64, found: u64, of: &str| {
        let message = format!(
            "the archive says that it holds {said} {of} and holds {found}: it was written incomplete; \
             pass verifyChecksum: false to load the {found}"
        );
        if said == found { Ok(()) } else { Err(Error::new(Kind::Corrupt, message)) }
    };
    match (&head.link, head.count) {
        // What `stats` count is then the content that the delta leads to.
        (Some(link), _) => {
            differs(link.puts, found.count, "entries")?;
            differs(link.deletes, found.removed, "removed ids")
        }
        (None, Some(said)) => differs(said, found.count, "entries"),
        (None, None) => Ok(()),
    }
}
