//! The one error of the core: what kind of trouble, a sentence for a person, and where it is.
//!
//! `Kind::code` is the contract with callers: codes never change within a major version, messages may.
//! A new kind is added only where a caller would act differently. Errors never panic and are never parsed from text.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Result of every fallible function of the core.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The path cannot be used: missing, not a regular file, no permission, a symbolic link. Correct the path.
    Path,
    /// The disk or the operating system failed. The cause carries the errno; trying again may help.
    Io,
    /// No space, quota or file-size limit. The old file stands; free space and try again.
    NoSpace,
    /// The bytes are not an archive, or not a well-formed one. Nothing was changed.
    Format,
    /// The bytes are well-formed and were altered: their checksum differs. Use another copy.
    Checksum,
    /// The parts of a file contradict each other. Use another copy.
    Corrupt,
    /// Written by a newer version of the format than this build reads. Update the package.
    Version,
    /// A vector's length differs from the collection's dimension.
    Dimension,
    /// Two metrics contradict each other.
    Metric,
    /// An id that cannot be stored.
    Id,
    /// Metadata that is not a JSON object.
    Metadata,
    /// Larger than a named limit of `limits`.
    Limit,
    /// Another process, or another handle of this one, has the store open for writing.
    Locked,
    /// A sync failed: what was written since the last one is not known to be durable, and nothing more is written until
    /// the store is opened again.
    Poisoned,
    /// The collection, or this handle, takes no writes.
    ReadOnly,
    /// The handle was closed.
    Closed,
    /// The folder holds something that is not a store.
    NotADatabase,
    /// There is a collection of that name.
    Exists,
    /// There is no such collection.
    NotFound,
    /// Not the name of a snapshot.
    SnapshotId,
    /// There is no such snapshot.
    SnapshotNotFound,
    /// A link of a chain (a base, a delta) is missing, was changed, or is damaged.
    Chain,
    /// No snapshot and log lead to that moment.
    PitrRange,
    /// Asked for something this build does not do.
    Unsupported,
    /// The caller cancelled the call.
    Aborted,
    /// A defect of this library: please report it.
    Internal,
}

impl Kind {
    /// The stable code, as JavaScript sees it.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Path => "ERR_PATH",
            Kind::Io => "ERR_IO",
            Kind::NoSpace => "ENOSPC",
            Kind::Format => "ERR_FORMAT",
            Kind::Checksum => "ERR_CHECKSUM",
            Kind::Corrupt => "ERR_CORRUPT",
            Kind::Version => "ERR_VERSION",
            Kind::Dimension => "ERR_DIMENSION",
            Kind::Metric => "ERR_METRIC",
            Kind::Id => "ERR_ID",
            Kind::Metadata => "ERR_METADATA",
            Kind::Limit => "ERR_LIMIT",
            Kind::Locked => "ERR_LOCKED",
            Kind::Poisoned => "ERR_POISONED",
            Kind::ReadOnly => "ERR_READ_ONLY",
            Kind::Closed => "ERR_CLOSED",
            Kind::NotADatabase => "ERR_NOT_A_DATABASE",
            Kind::Exists => "ERR_EXISTS",
            Kind::NotFound => "ERR_NOT_FOUND",
            Kind::SnapshotId => "ERR_SNAPSHOT_ID",
            Kind::SnapshotNotFound => "ERR_SNAPSHOT_NOT_FOUND",
            Kind::Chain => "ERR_CHAIN",
            Kind::PitrRange => "ERR_PITR_RANGE",
            Kind::Unsupported => "ERR_UNSUPPORTED",
            Kind::Aborted => "ERR_ABORTED",
            Kind::Internal => "ERR_INTERNAL",
        }
    }
}

/// A failure of the core.
#[derive(Debug)]
pub struct Error {
    /// What a caller can do about it.
    pub kind: Kind,
    /// A sentence for a person.
    pub message: String,
    /// The file it is about.
    pub path: Option<PathBuf>,
    /// Where in the file's uncompressed content, in bytes.
    pub offset: Option<u64>,
    /// What the operating system said.
    pub source: Option<io::Error>,
}

impl Error {
    /// An error without a place; `at` and `in_file` add one.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), path: None, offset: None, source: None }
    }

    /// An operating system's refusal while doing `what` to `path`. An error of ours that travelled through
    /// `io::Error` (the only error a `Write` may return) comes back as itself.
    pub fn io(source: io::Error, what: &str, path: &Path) -> Self {
        if source.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            return Error::from(source).in_file(path);
        }
        let name = errno_name(&source).map(|name| format!("{name}, ")).unwrap_or_default();
        Error {
            kind: kind_of(&source),
            message: format!("cannot {what} {}: {name}{source}", path.display()),
            path: Some(path.to_path_buf()),
            offset: None,
            source: Some(source),
        }
    }

    /// Says that it happened while writing `path`, unless a file is named already.
    pub fn writing(self, path: &Path) -> Self {
        match self.source {
            Some(source) if self.path.is_none() => Error::io(source, "write", path),
            _ => self.in_file(path),
        }
    }

    /// Names the file, unless one is named already.
    pub fn in_file(mut self, path: &Path) -> Self {
        if self.path.is_none() {
            self.path = Some(path.to_path_buf());
            self.message = format!("{}: {}", path.display(), self.message);
        }
        self
    }

    /// The same error for somebody else who has to be told of it.
    pub fn again(&self) -> Error {
        let source = self.source.as_ref().map(|source| match source.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(source.kind(), source.to_string()),
        });
        Error { kind: self.kind, message: self.message.clone(), path: self.path.clone(), offset: self.offset, source }
    }

    /// Names the offset.
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The errno's name (`EACCES`), where the cause has one.
    pub fn cause_code(&self) -> Option<&'static str> {
        self.source.as_ref().and_then(errno_name)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// So that an error can pass through `Read` and `Write`.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::other(error)
    }
}

/// The way back: our own error as it was, anything else as `Io`.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Error {
        if !source.get_ref().is_some_and(|inner| inner.is::<Error>()) {
            let kind = kind_of(&source);
            return Error { kind, message: source.to_string(), path: None, offset: None, source: Some(source) };
        }
        match source.into_inner().map(|inner| inner.downcast::<Error>()) {
            Some(Ok(error)) => *error,
            _ => Error::new(Kind::Internal, "an error lost its type"),
        }
    }
}

fn kind_of(source: &io::Error) -> Kind {
    match errno_name(source) {
        Some("ENOSPC" | "EDQUOT" | "EFBIG") => Kind::NoSpace,
        Some(
            "ENOENT" | "EACCES" | "EPERM" | "EROFS" | "EISDIR" | "ENOTDIR" | "EEXIST" | "ENAMETOOLONG" | "ELOOP"
            | "EINVAL" | "ENXIO",
        ) => Kind::Path,
        _ => Kind::Io,
    }
}

fn errno_name(source: &io::Error) -> Option<&'static str> {
    #[cfg(unix)]
    if let Some(name) = source.raw_os_error().and_then(unix_name) {
        return Some(name);
    }
    Some(match source.kind() {
        io::ErrorKind::NotFound => "ENOENT",
        io::ErrorKind::PermissionDenied => "EACCES",
        io::ErrorKind::AlreadyExists => "EEXIST",
        io::ErrorKind::StorageFull => "ENOSPC",
        io::ErrorKind::QuotaExceeded => "EDQUOT",
        io::ErrorKind::FileTooLarge => "EFBIG",
        io::ErrorKind::ReadOnlyFilesystem => "EROFS",
        io::ErrorKind::IsADirectory => "EISDIR",
        io::ErrorKind::NotADirectory => "ENOTDIR",
        io::ErrorKind::InvalidFilename => "ENAMETOOLONG",
        _ => return None,
    })
}

#[cfg(unix)]
fn unix_name(errno: i32) -> Option<&'static str> {
    Some(match errno {
        libc::EPERM => "EPERM",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::EMFILE => "EMFILE",
        libc::ENFILE => "ENFILE",
        libc::EINVAL => "EINVAL",
        libc::ELOOP => "ELOOP",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::EBUSY => "EBUSY",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        _ => return None,
    })
}
