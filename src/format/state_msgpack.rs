//! The MessagePack of an archive (`docs/format.md`, "Binary archive"): the same object as in JSON.
//!
//! A vector is one `bin` value, f32 little-endian; metadata is a `str` that holds the JSON text. The checksum is the
//! last member: SHA-256 over every byte of the file before the member's key.

use super::entry::{Description, Entry};
pub use super::fingerprint::push_vector;
use super::link::Link;
use crate::error::{Error, Kind, Result};
use rmp::encode::{
    ByteBuf, write_array_len, write_bin_len, write_f64, write_map_len, write_str, write_str_len, write_uint,
};

const MEMBERS: u32 = 6;
const DELTA_MEMBERS: u32 = 8;

/// Encoding into memory cannot fail; the type says it can.
fn internal<E: std::fmt::Debug>(_: E) -> Error {
    Error::new(Kind::Internal, "MessagePack could not be encoded")
}

fn write_description(out: &mut ByteBuf, count: Option<u64>, description: Description) -> Result<()> {
    let members = 1 + u32::from(count.is_some()) + u32::from(description.metric.is_some());
    write_map_len(out, members).map_err(internal)?;
    if let Some(count) = count {
        write_str(out, "count").map_err(internal)?;
        write_uint(out, count).map_err(internal)?;
    }
    write_str(out, "dimension").map_err(internal)?;
    write_uint(out, description.dimension.unwrap_or(0) as u64).map_err(internal)?;
    if let Some(metric) = description.metric {
        write_str(out, "metric").map_err(internal)?;
        write_str(out, metric.name()).map_err(internal)?;
    }
    Ok(())
}

fn write_front(out: &mut ByteBuf, members: u32, version: &str, description: Description, count: u64) -> Result<()> {
    write_map_len(out, members).map_err(internal)?;
    write_str(out, "version").map_err(internal)?;
    write_str(out, version).map_err(internal)?;
    write_str(out, "options").map_err(internal)?;
    write_description(out, None, description)?;
    write_str(out, "stats").map_err(internal)?;
    write_description(out, Some(count), description)
}

/// The beginning of an array that is a member.
fn write_array(out: &mut ByteBuf, name: &str, count: u64) -> Result<()> {
    write_str(out, name).map_err(internal)?;
    let length = u32::try_from(count).map_err(|_| {
        Error::new(Kind::Limit, format!("{count} entries; a binary archive holds at most {}", u32::MAX))
    })?;
    write_array_len(out, length).map(|_| ()).map_err(internal)
}

/// The bytes before the first entry, for this version of the format.
pub fn encode_head(version: &str, description: Description, count: u64) -> Result<Vec<u8>> {
    let mut out = ByteBuf::new();
    write_front(&mut out, MEMBERS, version, description, count)?;
    write_array(&mut out, "vectors", count)?;
    Ok(out.into_vec())
}

/// The bytes of a delta before its first entry; `count` is that of the content it leads to.
pub fn encode_delta_head(
    version: &str,
    description: Description,
    count: u64,
    link: &Link,
    timestamp: u64,
) -> Result<Vec<u8>> {
    let mut out = ByteBuf::new();
    write_front(&mut out, DELTA_MEMBERS, version, description, count)?;
    write_str(&mut out, "delta").map_err(internal)?;
    write_map_len(&mut out, 6).map_err(internal)?;
    let number = |out: &mut ByteBuf, name: &str, number: u64| {
        write_str(out, name).map_err(internal)?;
        write_uint(out, number).map(|_| ()).map_err(internal)
    };
    let text = |out: &mut ByteBuf, name: &str, text: &str| {
        write_str(out, name).map_err(internal)?;
        write_str(out, text).map_err(internal)
    };
    number(&mut out, "number", link.number)?;
    text(&mut out, "base", &link.base)?;
    text(&mut out, "previous", &link.previous)?;
    number(&mut out, "puts", link.puts)?;
    number(&mut out, "deletes", link.deletes)?;
    text(&mut out, "fingerprint", &link.fingerprint)?;
    let mut bytes = out.into_vec();
    bytes.extend(encode_tail(timestamp)?);
    let mut out = ByteBuf::from_vec(bytes);
    write_array(&mut out, "puts", link.puts)?;
    Ok(out.into_vec())
}

/// The bytes of a delta between its last entry and its first removed id.
pub fn encode_deletes(count: u64) -> Result<Vec<u8>> {
    let mut out = ByteBuf::new();
    write_array(&mut out, "deletes", count)?;
    Ok(out.into_vec())
}

/// Appends one id.
pub fn push_id(out: &mut Vec<u8>, id: &str) -> Result<()> {
    let mut buffer = ByteBuf::from_vec(std::mem::take(out));
    write_str(&mut buffer, id).map_err(internal)?;
    *out = buffer.into_vec();
    Ok(())
}

/// The bytes after the last entry, up to the checksum.
pub fn encode_tail(timestamp: u64) -> Result<Vec<u8>> {
    let mut out = ByteBuf::new();
    write_str(&mut out, "timestamp").map_err(internal)?;
    // A float, because libraries for JavaScript read a 64-bit integer as a BigInt.
    write_f64(&mut out, timestamp as f64).map_err(internal)?;
    Ok(out.into_vec())
}

/// The bytes of the checksum.
pub fn encode_checksum(checksum: &str) -> Result<Vec<u8>> {
    let mut out = ByteBuf::new();
    write_str(&mut out, "checksum").map_err(internal)?;
    write_str(&mut out, checksum).map_err(internal)?;
    Ok(out.into_vec())
}

/// Appends one entry.
pub fn push_entry(out: &mut Vec<u8>, entry: &Entry) -> Result<()> {
    let mut buffer = ByteBuf::from_vec(std::mem::take(out));
    write_map_len(&mut buffer, 2 + u32::from(entry.metadata.is_some())).map_err(internal)?;
    write_str(&mut buffer, "id").map_err(internal)?;
    write_str(&mut buffer, &entry.id).map_err(internal)?;
    write_str(&mut buffer, "vector").map_err(internal)?;
    write_bin_len(&mut buffer, (entry.vector.len() * 4) as u32).map_err(internal)?;
    let mut bytes = buffer.into_vec();
    push_vector(&mut bytes, &entry.vector);
    if let Some(metadata) = &entry.metadata {
        let mut buffer = ByteBuf::from_vec(bytes);
        write_str(&mut buffer, "metadata").map_err(internal)?;
        write_str_len(&mut buffer, metadata.len() as u32).map_err(internal)?;
        bytes = buffer.into_vec();
        bytes.extend_from_slice(metadata.as_bytes());
    }
    *out = bytes;
    Ok(())
}

/// A vector from its little-endian bytes.
pub fn decode_vector(bytes: &[u8]) -> Result<Vec<f32>> {
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        let message = format!("a vector has {} bytes, which is not a multiple of 4", bytes.len());
        return Err(Error::new(Kind::Format, message));
    }
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}
