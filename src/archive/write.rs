//! Writing an archive: entries are encoded on every core, in order; their checksum is taken on a thread of its own
//! while they are compressed and written.

use super::{Format, Options, sqlite};
use crate::codec::{Compressor, Digest, Piece, Tally};
use crate::control::Control;
use crate::error::Result;
use crate::format::{Description, Entry, Fingerprint, Link, state_json, state_msgpack};
use crate::limits::WORK_BYTES;
use crate::workers::InOrder;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// Entries.
    pub count: u64,
    /// Bytes, as stored.
    pub bytes: u64,
    /// The checksum that the archive carries.
    pub checksum: String,
    /// SHA-256 of the bytes as stored, where it was asked for.
    pub stored_checksum: Option<String>,
    /// The content as one value, for telling whether anything changed since.
    pub fingerprint: Fingerprint,
}

/// What to write.
pub struct Content<'a> {
    /// Dimension and metric.
    pub description: Description,
    /// How many entries `entries` yields.
    pub count: u64,
    /// The entries, in order. An error among them ends the archive and is the result.
    pub entries: &'a mut dyn Iterator<Item = Result<Arc<Entry>>>,
    /// When, in milliseconds since 1970.
    pub timestamp: u64,
    /// Whether to take the checksum of the stored bytes too.
    pub stored_checksum: bool,
    /// What progress calls the work.
    pub operation: &'a str,
    /// What makes it a delta; `entries` are then those that it puts.
    pub delta: Option<Delta<'a>>,
}

/// What a delta has beside the entries that it puts.
pub struct Delta<'a> {
    /// What it says of itself.
    pub link: Link,
    /// Entries of the content that it leads to.
    pub count: u64,
    /// The ids that it removes. An error among them ends the archive and is the result.
    pub deletes: &'a mut dyn Iterator<Item = Result<Box<str>>>,
}

const PROGRESS: (f64, f64) = (0.0, 90.0);

fn plain(text: impl Into<Vec<u8>>) -> Arc<Piece> {
    Arc::new(Piece { bytes: text.into(), skipped: Vec::new() })
}

/// Entries encoded.
pub(super) struct Encoded {
    pub piece: Piece,
    pub count: u64,
    pub fingerprint: Fingerprint,
}

/// Encodes some entries; `first` tells whether they are the first of the archive.
pub(super) fn encode(format: Format, entries: &[Arc<Entry>], first: bool) -> Result<Encoded> {
    let (mut piece, mut fingerprint) = (Piece::default(), Fingerprint::default());
    piece.bytes.reserve(entries.iter().map(|entry| room(format, entry)).sum());
    for (index, entry) in entries.iter().enumerate() {
        fingerprint.add(entry);
        if format == Format::Binary {
            state_msgpack::push_entry(&mut piece.bytes, entry)?;
            continue;
        }
        if !first || index > 0 {
            piece.bytes.push(b',');
        }
        piece.skipped.push(piece.bytes.len());
        piece.bytes.push(b'\n');
        state_json::push_entry(&mut piece.bytes, entry)?;
    }
    Ok(Encoded { piece, count: entries.len() as u64, fingerprint })
}

/// Bytes that are enough for nearly every entry, so that the memory of a piece is allocated once.
fn room(format: Format, entry: &Entry) -> usize {
    let number = if format == Format::Binary { 4 } else { 14 };
    64 + entry.id.len() + entry.vector.len() * number + entry.metadata.as_ref().map_or(0, |text| text.len())
}

/// Takes the next entries that make about one unit of work.
pub(super) fn next_work(entries: &mut dyn Iterator<Item = Result<Arc<Entry>>>) -> Result<Vec<Arc<Entry>>> {
    let (mut work, mut bytes) = (Vec::new(), 0);
    while bytes < WORK_BYTES {
        let Some(entry) = entries.next().transpose()? else { break };
        bytes += entry.vector.len() * 4 + entry.metadata.as_ref().map_or(0, |text| text.len()) + entry.id.len();
        work.push(entry);
    }
    Ok(work)
}

/// The bytes before the first entry.
pub(super) fn encode_head(format: Format, content: &Content<'_>) -> Result<Vec<u8>> {
    let description = content.description;
    match (&content.delta, format) {
        (None, Format::Json) => Ok(state_json::encode_head(description, content.count).into_bytes()),
        (None, _) => state_msgpack::encode_head(state_json::VERSION, description, content.count),
        (Some(Delta { link, count, .. }), Format::Json) => {
            Ok(state_json::encode_delta_head(description, *count, link, content.timestamp)?.into_bytes())
        }
        (Some(Delta { link, count, .. }), _) => {
            state_msgpack::encode_delta_head(state_json::VERSION, description, *count, link, content.timestamp)
        }
    }
}

/// Encodes the next removed ids, about one unit of work; `None` when there are no more.
pub(super) fn next_ids(
    format: Format,
    ids: &mut dyn Iterator<Item = Result<Box<str>>>,
    first: &mut bool,
) -> Result<Option<(Piece, Vec<Box<str>>)>> {
    let (mut piece, mut taken) = (Piece::default(), Vec::new());
    while piece.bytes.len() < WORK_BYTES {
        let Some(id) = ids.next().transpose()? else { break };
        if format == Format::Json {
            if !std::mem::take(first) {
                piece.bytes.push(b',');
            }
            piece.skipped.push(piece.bytes.len());
            piece.bytes.push(b'\n');
            state_json::push_id(&mut piece.bytes, &id)?;
        } else {
            state_msgpack::push_id(&mut piece.bytes, &id)?;
        }
        taken.push(id);
    }
    Ok((!taken.is_empty()).then_some((piece, taken)))
}

/// Passes pieces on to the checksum and to the output, and tells how far it is.
struct Output<'a, W: Write> {
    out: Compressor<Tally<W>>,
    digest: Digest,
    control: &'a Control,
    operation: &'a str,
    done: u64,
    total: u64,
    fingerprint: Fingerprint,
}

impl<W: Write> Output<'_, W> {
    fn put(&mut self, piece: Arc<Piece>) -> Result<()> {
        self.digest.update(piece.clone())?;
        self.out.write_all(&piece.bytes)?;
        Ok(())
    }

    fn put_entries(&mut self, encoded: Result<Encoded>) -> Result<()> {
        self.control.check()?;
        let Encoded { piece, count, fingerprint } = encoded?;
        self.put(Arc::new(piece))?;
        self.fingerprint.join(&fingerprint);
        self.done += count;
        let message = format!("{} of {} entries", self.done, self.total);
        self.control.report(self.operation, PROGRESS, self.done, self.total, &message);
        Ok(())
    }
}

/// Writes one archive to `out` and returns it with what was written. The caller makes it durable. Scratch files are
/// made beside `place`.
pub fn write<W: Write>(
    content: Content<'_>,
    options: Options,
    place: &Path,
    out: W,
    control: &Control,
) -> Result<(W, Written)> {
    match options.format {
        Format::Json | Format::Binary => stream(content, options, out, control),
        Format::Sqlite => sqlite::write(content, options, place, out, control),
    }
}

/// The formats whose bytes follow one another.
fn stream<W: Write>(mut content: Content<'_>, options: Options, out: W, control: &Control) -> Result<(W, Written)> {
    let format = options.format;
    let tally = Tally::new(out, content.stored_checksum);
    let out = Compressor::new(tally, options.compression, options.level)?;
    let (digest, operation, total) = (Digest::start()?, content.operation, content.count);
    let fingerprint = Fingerprint::default();
    let mut output = Output { out, digest, control, operation, done: 0, total, fingerprint };
    control.report(operation, PROGRESS, 0, total, "Encoding entries");
    output.put(plain(encode_head(format, &content)?))?;
    let mut pool = InOrder::new("encode")?;
    let mut first = true;
    loop {
        let work = next_work(content.entries)?;
        if work.is_empty() {
            break;
        }
        let is_first = std::mem::take(&mut first);
        if let Some(done) = pool.push(move || encode(format, &work, is_first))? {
            output.put_entries(done)?;
        }
    }
    while let Some(done) = pool.pop()? {
        output.put_entries(done)?;
    }
    match &mut content.delta {
        Some(delta) => put_deletes(&mut output, format, delta)?,
        None if format == Format::Json => output.put(after_newline(&state_json::encode_tail(content.timestamp)))?,
        None => output.put(plain(state_msgpack::encode_tail(content.timestamp)?))?,
    }
    finish(output, format)
}

/// Text that a newline stands before, which is no part of the checksum.
fn after_newline(text: &str) -> Arc<Piece> {
    Arc::new(Piece { bytes: format!("\n{text}").into_bytes(), skipped: vec![0] })
}

/// What follows the entries of a delta.
fn put_deletes<W: Write>(output: &mut Output<'_, W>, format: Format, delta: &mut Delta<'_>) -> Result<()> {
    output.put(if format == Format::Json {
        after_newline(state_json::DELETES)
    } else {
        plain(state_msgpack::encode_deletes(delta.link.deletes)?)
    })?;
    let mut first = true;
    while let Some((piece, _)) = next_ids(format, delta.deletes, &mut first)? {
        output.control.check()?;
        output.put(Arc::new(piece))?;
    }
    if format == Format::Json { output.put(after_newline("]")) } else { Ok(()) }
}

fn finish<W: Write>(output: Output<'_, W>, format: Format) -> Result<(W, Written)> {
    if format == Format::Json {
        output.digest.update_bytes(b"}")?;
    }
    let checksum = output.digest.finish()?;
    let mut out = output.out;
    if format == Format::Json {
        out.write_all(format!("{}\n", state_json::encode_checksum(&checksum)).as_bytes())?;
    } else {
        out.write_all(&state_msgpack::encode_checksum(&checksum)?)?;
    }
    let (inner, bytes, stored_checksum) = out.finish()?.finish();
    let (count, fingerprint) = (output.done, output.fingerprint);
    Ok((inner, Written { count, bytes, checksum, stored_checksum, fingerprint }))
}
