//! Archives: a whole collection in one portable file. One way in for each direction: [`write()`] and [`read()`].
//!
//! Both stream in bounded memory and work on every core. Reading checks everything that can be checked before it
//! says that the archive is good: what it hands out before that is to be kept apart from live data.

mod expect;
mod json;
mod msgpack;
mod read;
mod stream;
mod write;

pub use expect::Expect;
pub use read::{Sink, Source, read};
pub use write::{Content, Written, write};

use crate::codec::Compression;
use crate::error::{Error, Kind, Result};

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `DatabaseState` as JSON.
    Json,
    /// The same as MessagePack.
    Binary,
}

impl Format {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Binary => "binary",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "json" => Ok(Format::Json),
            "binary" => Ok(Format::Binary),
            "sqlite" => {
                Err(Error::new(Kind::Unsupported, "format 'sqlite' is not supported yet; use 'json' or 'binary'"))
            }
            _ => Err(Error::new(Kind::Unsupported, format!("format '{name}' is not one of json, binary"))),
        }
    }
}

/// How an archive is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Its format.
    pub format: Format,
    /// Its compression.
    pub compression: Compression,
    /// The level of the compression; `None` is its default.
    pub level: Option<u32>,
}
