//! A file that is one JSON text: its header, the text, the CRC-32 of the text.

use super::header::{FileKind, HEADER_BYTES, Header, crc};
use crate::error::{Error, Kind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The bytes of the file.
pub fn encode<T: Serialize>(header: &Header, content: &T) -> Result<Vec<u8>> {
    let mut bytes = header.encode().to_vec();
    let name = header.kind.name();
    serde_json::to_writer(&mut bytes, content)
        .map_err(|error| Error::new(Kind::Internal, format!("the {name} cannot be written: {error}")))?;
    let sum = crc(bytes.get(HEADER_BYTES..).unwrap_or_default());
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Reads the bytes of a file of that kind. Whose it is, is the caller's to check.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], kind: FileKind) -> Result<(Header, T)> {
    let header = Header::decode(bytes, kind)?;
    let name = kind.name();
    let content = bytes.get(HEADER_BYTES..).and_then(|rest| rest.split_last_chunk::<4>());
    let Some((text, sum)) = content else { return Err(broken(format!("the {name} ends too early"))) };
    if *sum != crc(text).to_le_bytes() {
        return Err(broken(format!("the {name} is damaged: its checksum differs")));
    }
    let content =
        serde_json::from_slice(text).map_err(|error| broken(format!("the {name} is not understood: {error}")))?;
    Ok((header, content))
}

/// What is wrong with the text of such a file.
pub fn broken(what: String) -> Error {
    Error::new(Kind::Corrupt, what).at(HEADER_BYTES as u64)
}

/// SHA-256 of some bytes, in hex.
pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
