//! One file that holds files: a tar archive, compressed, that any tar can list. Its first member says what it is and names
//! the others.
//!
//! Only members that are named are taken out again, under the names that they are given, with the lengths that were
//! named: an archive of somebody else cannot make any other file.

use crate::codec::{self, Compression, Compressor};
use crate::control::Control;
use crate::env::fs::{Appender, Fs, FsFile, Stream};
use crate::error::{Error, Kind, Result};
use crate::format::document::hash;
use crate::limits::MANIFEST_BYTES_MAX;
use std::collections::BTreeMap;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use tar::{Archive, EntryType, Header};

const BUFFER: usize = 1 << 18;
/// Programs that write tar archives fill them up to whole records.
const PADDING_MAX: u64 = 1 << 20;

/// How one file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// Every way there is.
    pub const ALL: [Packing; 2] = [Packing::Gzip, Packing::Zstd];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.compression().name()
    }

    /// The one of that name.
    pub fn named(name: &str) -> Result<Packing> {
        let found = Packing::ALL.into_iter().find(|packing| packing.name() == name);
        found.ok_or_else(|| Error::new(Kind::Unsupported, format!("nothing is packed as '{name}'")))
    }

    /// How the name of the file ends.
    pub fn suffix(self) -> &'static str {
        match self {
            Packing::Gzip => ".tar.gz",
            Packing::Zstd => ".tar.zst",
        }
    }

    /// The one that the name of a file tells.
    pub fn of_name(name: &str) -> Option<Packing> {
        Packing::ALL.into_iter().find(|packing| name.ends_with(packing.suffix()))
    }

    fn compression(self) -> Compression {
        match self {
            Packing::Gzip => Compression::Gzip,
            Packing::Zstd => Compression::Zstd,
        }
    }
}

/// What an archive is.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// For messages: `a packed snapshot`.
    pub what: &'static str,
    /// The name of its first member.
    pub first: &'static str,
}

/// Members by name, each with its length where that is known.
pub type Members = BTreeMap<String, Option<u64>>;

/// Packs files of a folder, in that order, into a new file and makes that durable. Members get the time `seconds`.
pub fn pack(
    fs: &dyn Fs,
    folder: &Path,
    names: impl Iterator<Item = (String, Option<u64>)>,
    seconds: u64,
    (target, packing): (&Path, Packing),
    control: &Control,
) -> Result<()> {
    let file = fs.create(target)?;
    let out = BufWriter::with_capacity(BUFFER, Appender::new(&*file));
    let compressed = Compressor::new(out, packing.compression(), None)?;
    let mut archive = tar::Builder::new(compressed);
    for (name, length) in names {
        control.check()?;
        let source = fs.open(&folder.join(&name))?;
        let length = length.map_or_else(|| source.length(), Ok)?;
        add(&mut archive, &name, (length, seconds), source).map_err(|error| Error::io(error, "pack", target))?;
    }
    let packed = archive.into_inner().and_then(Compressor::finish);
    let out = packed.map_err(|error| Error::io(error, "pack", target))?;
    out.into_inner().map_err(|error| Error::io(error.into_error(), "pack", target))?;
    file.sync()
}

fn add(
    archive: &mut tar::Builder<impl std::io::Write>,
    name: &str,
    (length, time): (u64, u64),
    source: Box<dyn FsFile>,
) -> std::io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o600);
    header.set_mtime(time);
    archive.append_data(&mut header, name, Stream::new(source)?.take(length))
}

/// The archive in a file, uncompressed.
fn open(fs: &dyn Fs, path: &Path) -> Result<Archive<Box<dyn Read + Send>>> {
    let stream = Stream::new(fs.open(path)?)?;
    let opened = codec::open(stream, |head| head.get(257..262) == Some(b"ustar"))?;
    Ok(Archive::new(opened.stream))
}

fn bad(what: impl Into<String>) -> Error {
    Error::new(Kind::Corrupt, what)
}

fn member_name(entry: &tar::Entry<'_, impl Read>) -> Result<String> {
    if entry.header().entry_type() != EntryType::Regular {
        return Err(bad("a member that is no file"));
    }
    String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| bad("a member whose name is no text"))
}

fn first<'a, R: Read>(entries: &mut tar::Entries<'a, R>, form: Form) -> Result<Vec<u8>> {
    let entry = entries.next().ok_or_else(|| bad("the archive is empty"))?;
    let mut entry = entry.map_err(|error| unreadable(error.into()))?;
    if member_name(&entry)? != form.first {
        let message = format!("not {}: its first member is not {}", form.what, form.first);
        return Err(Error::new(Kind::Format, message));
    }
    if entry.size() > MANIFEST_BYTES_MAX {
        return Err(Error::new(Kind::Limit, format!("{} of the archive is above the limit", form.first)));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| unreadable(error.into()))?;
    Ok(bytes)
}

/// An archive that cannot be read further is a damaged one, unless the disk says otherwise.
fn unreadable(error: Error) -> Error {
    match error.kind {
        Kind::Io if error.source.as_ref().is_some_and(|source| source.raw_os_error().is_none()) => {
            bad(format!("the archive cannot be read: {}", error.message))
        }
        _ => error,
    }
}

/// What follows the last member is padding, and then the end of the compressed stream, whose checksum is behind it.
fn check_end(rest: impl Read) -> Result<()> {
    let mut padding = Vec::new();
    rest.take(PADDING_MAX + 1).read_to_end(&mut padding).map_err(|error| unreadable(error.into()))?;
    match padding.len() as u64 <= PADDING_MAX && padding.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(bad("something follows the last member of the archive")),
    }
}

/// The first member of an archive.
pub fn read_first(fs: &dyn Fs, path: &Path, form: Form) -> Result<Vec<u8>> {
    let mut archive = open(fs, path).map_err(|error| error.in_file(path))?;
    let mut entries = archive.entries().map_err(|error| Error::io(error, "read", path))?;
    first(&mut entries, form).map_err(|error| error.in_file(path))
}

/// Takes the members that `wanted` gives a place to out of the archive, and checks that all that are named are there, and
/// no other. `known`: SHA-256 of the first member, in hex.
pub fn unpack(
    fs: &dyn Fs,
    path: &Path,
    (form, known): (Form, &str),
    mut named: Members,
    mut wanted: BTreeMap<String, PathBuf>,
    control: &Control,
) -> Result<()> {
    let unpacked = (|| {
        let mut archive = open(fs, path)?;
        let mut entries = archive.entries().map_err(|error| unreadable(error.into()))?;
        if hash(&first(&mut entries, form)?) != known {
            return Err(bad("the archive was changed while it was read"));
        }
        for entry in entries {
            control.check()?;
            let mut entry = entry.map_err(|error| unreadable(error.into()))?;
            let name = member_name(&entry)?;
            let Some(length) = named.remove(&name) else {
                let shown = crate::format::entry::shown(&name);
                return Err(bad(format!("a member '{shown}' that {} does not name", form.first)));
            };
            if length.is_some_and(|length| length != entry.size()) || entry.size() > i64::MAX as u64 {
                return Err(bad(format!("member {name} has {} bytes, {} names other", entry.size(), form.first)));
            }
            let Some(target) = wanted.remove(&name) else { continue };
            let file = fs.create(&target)?;
            let mut out = BufWriter::with_capacity(BUFFER, Appender::new(&*file));
            std::io::copy(&mut entry, &mut out).map_err(|error| unreadable(error.into()))?;
            out.into_inner().map_err(|error| Error::io(error.into_error(), "unpack", &target))?;
            file.sync()?;
        }
        if let Some(missing) = named.keys().next() {
            return Err(bad(format!("member {missing} is missing")));
        }
        check_end(archive.into_inner())
    })();
    unpacked.map_err(|error| error.in_file(path))
}
