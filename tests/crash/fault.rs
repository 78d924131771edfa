//! Which calls go wrong, and how.
//!
//! A fault counts the calls that it matches (of one kind, of files with one name, or all) and strikes the nth of them,
//! once or from then on. Faults of writes strike writes only, wrong bytes strike reads and mappings only. A failed sync behaves as on Linux: see `State::fail_sync`.

use std::fmt;
use std::path::{Path, PathBuf};

/// The sorts of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Open,
    Create,
    Rename,
    Link,
    Remove,
    MakeDirectory,
    RemoveDirectory,
    List,
    SyncDirectory,
    Lock,
    FreeSpace,
    Length,
    Read,
    Write,
    Truncate,
    Sync,
    Map,
    /// No call of the file system: the workload was told that an operation is durable.
    Acknowledge,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// From 1, over all calls of one file system.
    pub number: u64,
    pub kind: Kind,
    pub path: PathBuf,
    /// The new name of a rename.
    pub to: Option<PathBuf>,
    /// Offset of a read or write; new length of a truncation.
    pub offset: u64,
    /// Bytes of a read or write.
    pub bytes: u64,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}: {:?} {}", self.number, self.kind, self.path.display())?;
        match (self.kind, &self.to) {
            (_, Some(to)) => write!(f, " -> {}", to.display()),
            (Kind::Read | Kind::Write, _) => write!(f, " at {}, {} bytes", self.offset, self.bytes),
            (Kind::Truncate, _) => write!(f, " to {}", self.offset),
            _ => Ok(()),
        }
    }
}

/// What happens to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It does nothing and fails with this errno.
    Errno(i32),
    /// A sync of a directory fails with this errno, and no later one makes its names durable. Journals do not do that
    /// (they stop); file systems without one may.
    Lost(i32),
    /// Half of a write lands, then it fails with this errno.
    Torn(i32),
    /// A read or mapping gives one wrong bit (counted from its first, modulo its length).
    Flip(u64),
    /// A read or mapping gives one sector of another place, of another file or of the past.
    Foreign(u64),
}

/// A fault that waits for its call.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: Option<Kind>,
    file: Option<String>,
    at: u64,
    sticky: bool,
    how: How,
    seen: u64,
}

impl Fault {
    /// The nth call from now on (from 1).
    pub fn at(nth: u64, how: How) -> Fault {
        Fault { kind: None, file: None, at: nth, sticky: false, how, seen: 0 }
    }

    /// Counts and strikes calls of one sort only.
    pub fn of(mut self, kind: Kind) -> Fault {
        self.kind = Some(kind);
        self
    }

    /// Counts and strikes calls only whose path ends with that.
    pub fn on(mut self, file: &str) -> Fault {
        self.file = Some(file.to_owned());
        self
    }

    /// Strikes that call and all later ones.
    pub fn and_all_later(mut self) -> Fault {
        self.sticky = true;
        self
    }

    fn matches(&self, kind: Kind, path: &Path) -> bool {
        let possible = match self.how {
            How::Errno(_) => kind != Kind::Acknowledge,
            How::Lost(_) => kind == Kind::SyncDirectory,
            How::Torn(_) => kind == Kind::Write,
            How::Flip(_) | How::Foreign(_) => matches!(kind, Kind::Read | Kind::Map),
        };
        possible
            && self.kind.is_none_or(|only| only == kind)
            && self.file.as_ref().is_none_or(|name| path.to_string_lossy().ends_with(name.as_str()))
    }

    /// Counts the call; what happens to it, if anything does.
    pub fn strikes(&mut self, call: &Call) -> Option<How> {
        if !self.matches(call.kind, &call.path) {
            return None;
        }
        self.seen += 1;
        (self.seen == self.at || (self.sticky && self.seen > self.at)).then_some(self.how)
    }
}
