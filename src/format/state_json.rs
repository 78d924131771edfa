//! The JSON of an archive (`docs/format.md`, "JSON archive"): the documented `DatabaseState`, one entry a line.
//!
//! Text that is written here has no white space but the newlines around entries, and those are left out of the
//! checksum, which is SHA-256 over the text without white space and without the `checksum` member.

use super::entry::{Description, Entry, Metric, check_id, shown};
use super::link::Link;
use super::number::{push_f32, take_f32};
use crate::error::{Error, Kind, Result};
use crate::limits::DIMENSION_MAX;
use serde::Deserialize;
use std::borrow::Cow;

/// The version this build writes. It reads every `1.x.y`.
pub const VERSION: &str = "1.0.0";

/// What surrounds the entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The format's version.
    pub version: String,
    /// Dimension and metric.
    pub description: Description,
    /// Entries, as `stats.count` says; `None` when the archive does not say.
    pub count: Option<u64>,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: u64,
    /// The checksum it carries.
    pub checksum: Option<String>,
    /// What it says of its chain, when it is a delta.
    pub link: Option<Link>,
}

/// The text before the first entry.
pub fn encode_head(description: Description, count: u64) -> String {
    format!("{},\"vectors\":[", encode_front(description, count))
}

/// The text of a delta before its first entry; `count` is that of the content it leads to.
pub fn encode_delta_head(description: Description, count: u64, link: &Link, timestamp: u64) -> Result<String> {
    let (front, link) = (encode_front(description, count), link.text()?);
    Ok(format!("{front},\"delta\":{link},\"timestamp\":{timestamp},\"puts\":["))
}

/// The text of a delta between its last entry and its first removed id.
pub const DELETES: &str = "],\"deletes\":[";

fn encode_front(description: Description, count: u64) -> String {
    let (options, stats) = (encode_description(description, None), encode_description(description, Some(count)));
    format!("{{\"version\":\"{VERSION}\",\"options\":{options},\"stats\":{stats}")
}

/// The text of `options`, and with a count of `stats`.
pub fn encode_description(description: Description, count: Option<u64>) -> String {
    let count = count.map(|count| format!("\"count\":{count},")).unwrap_or_default();
    let dimension = description.dimension.unwrap_or(0);
    let metric = description.metric.map(|metric| format!(",\"metric\":\"{}\"", metric.name())).unwrap_or_default();
    format!("{{{count}\"dimension\":{dimension}{metric}}}")
}

/// The text after the last entry, up to the checksum.
pub fn encode_tail(timestamp: u64) -> String {
    format!("],\"timestamp\":{timestamp}")
}

/// The text of the checksum, up to the end.
pub fn encode_checksum(checksum: &str) -> String {
    format!(",\"checksum\":\"{checksum}\"}}")
}

/// Appends one entry.
pub fn push_entry(out: &mut Vec<u8>, entry: &Entry) -> Result<()> {
    out.extend_from_slice(b"{\"id\":");
    push_id(out, &entry.id)?;
    out.extend_from_slice(b",\"vector\":[");
    for (index, x) in entry.vector.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_f32(out, *x);
    }
    out.push(b']');
    if let Some(metadata) = &entry.metadata {
        out.extend_from_slice(b",\"metadata\":");
        out.extend_from_slice(metadata.as_bytes());
    }
    out.push(b'}');
    Ok(())
}

/// Appends one id.
pub fn push_id(out: &mut Vec<u8>, id: &str) -> Result<()> {
    serde_json::to_writer(out, id).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// One id from its text.
pub fn decode_id(text: &[u8]) -> Result<Box<str>> {
    let id: Box<str> = serde_json::from_slice(text).map_err(|error| malformed(format!("an id: {error}")))?;
    check_id(&id)?;
    Ok(id)
}

fn malformed(what: impl Into<String>) -> Error {
    Error::new(Kind::Format, what)
}

/// Walks over white-space-free JSON text whose brackets are known to match.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// The text of the value that begins here.
    fn value(&mut self) -> &'a [u8] {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        let mut length = 0;
        for byte in self.rest {
            if quoted {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => quoted = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => quoted = true,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' if depth == 0 => break,
                    b']' | b'}' => depth -= 1,
                    b',' | b':' if depth == 0 => break,
                    _ => {}
                }
            }
            length += 1;
        }
        self.take(length)
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        /// serde borrows a string without escapes only through this.
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        let text = self.value();
        serde_json::from_slice::<Text<'a>>(text)
            .map(|text| text.0)
            .map_err(|error| malformed(format!("a string: {error}")))
    }
}

/// One entry from its text without white space.
pub fn decode_entry(text: &[u8]) -> Result<Entry> {
    let mut walk = Walk { rest: text };
    let (mut id, mut vector, mut metadata) = (None, None, None);
    if !walk.eat(b'{') {
        return Err(malformed("an entry of `vectors` is not an object"));
    }
    while !walk.eat(b'}') {
        let first = id.is_none() && vector.is_none() && metadata.is_none();
        if !first && !walk.eat(b',') {
            return Err(malformed("an entry lacks a comma between members"));
        }
        let key = walk.string()?;
        if !walk.eat(b':') {
            return Err(malformed(format!("member '{}' of an entry has no value", shown(&key))));
        }
        let twice = match &*key {
            "id" => id.replace(walk.string()?).is_some(),
            "vector" => vector.replace(decode_vector(&mut walk)?).is_some(),
            "metadata" => metadata.replace(decode_metadata(walk.value())?).is_some(),
            other => return Err(malformed(format!("an entry has a member '{}' that is not known", shown(other)))),
        };
        if twice {
            return Err(malformed(format!("an entry has two members '{key}'")));
        }
    }
    if !walk.rest.is_empty() {
        return Err(malformed("an entry is followed by other text"));
    }
    let id = id.ok_or_else(|| malformed("an entry has no id"))?;
    let vector = vector.ok_or_else(|| malformed(format!("entry '{}' has no vector", shown(&id))))?;
    Entry::new(&id, vector, metadata.flatten())
}

/// `null` is no metadata.
fn decode_metadata(text: &[u8]) -> Result<Option<&str>> {
    if text == b"null" {
        return Ok(None);
    }
    std::str::from_utf8(text).map(Some).map_err(|_| malformed("metadata is not UTF-8"))
}

/// An array of numbers, or the object with keys "0", "1", … that a Float32Array becomes in `JSON.stringify`.
fn decode_vector(walk: &mut Walk<'_>) -> Result<Vec<f32>> {
    let keyed = match walk.rest.first() {
        Some(b'[') => false,
        Some(b'{') => true,
        _ => return Err(malformed("a vector is not an array")),
    };
    let end = if keyed { b'}' } else { b']' };
    walk.take(1);
    // A number has ten to twelve bytes in most archives: room for a few more than there will be.
    let mut vector = Vec::with_capacity((walk.rest.len() / 8).min(DIMENSION_MAX));
    while !walk.eat(end) {
        if !vector.is_empty() && !walk.eat(b',') {
            return Err(malformed("a vector lacks a comma between numbers"));
        }
        if vector.len() == DIMENSION_MAX {
            return Err(Error::new(Kind::Dimension, format!("a vector has more than {DIMENSION_MAX} numbers")));
        }
        if keyed {
            let key = walk.string()?;
            if key.parse() != Ok(vector.len()) || !walk.eat(b':') {
                return Err(malformed(format!("a vector has the key '{}' in place {}", shown(&key), vector.len())));
            }
        }
        match take_f32(walk.rest) {
            Some((x, rest @ [b',' | b']' | b'}', ..])) => {
                vector.push(x);
                walk.rest = rest;
            }
            _ => {
                let text = shown(&String::from_utf8_lossy(walk.value()));
                return Err(malformed(format!("a vector has '{text}' in place {} where an f32 is due", vector.len())));
            }
        }
    }
    Ok(vector)
}

#[derive(Deserialize)]
struct Members {
    dimension: Option<u64>,
    metric: Option<String>,
    count: Option<u64>,
}

impl Head {
    /// A head of which nothing is known yet.
    pub fn unknown() -> Self {
        let description = Description::default();
        Head { version: String::new(), description, count: None, timestamp: 0, checksum: None, link: None }
    }

    /// Takes one member of the state, given as JSON text; one that is not known is passed over.
    pub fn take_member(&mut self, key: &str, text: &[u8]) -> Result<()> {
        let wrong = |error: serde_json::Error| malformed(format!("member '{key}': {error}"));
        match key {
            "version" => {
                self.version = serde_json::from_slice(text).map_err(wrong)?;
                self.check_version()?;
            }
            "timestamp" => self.timestamp = serde_json::from_slice::<f64>(text).map_err(wrong)?.max(0.0) as u64,
            "checksum" => self.checksum = Some(serde_json::from_slice(text).map_err(wrong)?),
            "delta" => {
                self.link = Link::of(text);
                serde_json::from_slice::<serde::de::IgnoredAny>(text).map_err(wrong)?;
            }
            "options" | "stats" => {
                let members: Members = serde_json::from_slice(text).map_err(wrong)?;
                self.take_description(key, members.dimension, members.metric.as_deref())?;
                self.count = if key == "stats" { members.count.or(self.count) } else { self.count };
            }
            _ => {
                serde_json::from_slice::<serde::de::IgnoredAny>(text).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// Takes what `options` or `stats` say; dimension 0 is not known.
    pub fn take_description(&mut self, whose: &str, dimension: Option<u64>, metric: Option<&str>) -> Result<()> {
        let dimension = match dimension {
            None | Some(0) => None,
            Some(found) => {
                Some(usize::try_from(found).ok().filter(|known| *known <= DIMENSION_MAX).ok_or_else(|| {
                    Error::new(Kind::Dimension, format!("'{whose}' says dimension {found}; at most {DIMENSION_MAX}"))
                })?)
            }
        };
        let found = Description { dimension, metric: metric.map(Metric::named).transpose()? };
        self.description = self.description.agree(found, &format!("'{whose}' of the archive"))?;
        Ok(())
    }

    /// Refuses a version that this build does not read.
    pub fn check_version(&self) -> Result<()> {
        let major = self.version.split('.').next().and_then(|text| text.parse::<u64>().ok());
        match major {
            Some(1) => Ok(()),
            Some(_) => {
                let message =
                    format!("written by version {} of the format, this build reads 1.x.y", shown(&self.version));
                Err(Error::new(Kind::Version, message))
            }
            None => Err(malformed("the state has no version such as \"1.0.0\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(entry: &Entry) -> String {
        let mut out = Vec::new();
        push_entry(&mut out, entry).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_entry_round_trips_with_every_kind_of_number() {
        let vector = vec![0.1, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-45, f32::MAX];
        let entry = Entry::new("q\"\\\u{7}é", vector, Some(r#"{"__proto__":{"a":[1,{"b":"]}"}]}}"#)).unwrap();
        let back = decode_entry(text(&entry).as_bytes()).unwrap();
        assert!(back.same_bits(&entry), "{}", text(&entry));
    }

    #[test]
    fn the_earlier_packages_spellings_are_read() {
        let entry = decode_entry(br#"{"id":"a","vector":{"0":0.10000000149011612,"1":null},"metadata":null}"#).unwrap();
        assert_eq!(entry.vector.first(), Some(&0.1));
        assert!(entry.vector.get(1).unwrap().is_nan());
        assert!(entry.metadata.is_none());
    }

    #[test]
    fn malformed_entries_are_refused() {
        for bad in [
            "[]",
            "{}",
            r#"{"id":"a"}"#,
            r#"{"vector":[1]}"#,
            r#"{"id":"a","vector":[1],"id":"b"}"#,
            r#"{"id":"a","vector":[1,]}"#,
            r#"{"id":"a","vector":[[1]]}"#,
            r#"{"id":"a","vector":{"1":1}}"#,
            r#"{"id":"a","vector":"AAAA"}"#,
            r#"{"id":1,"vector":[1]}"#,
            r#"{"id":"a","vector":[1],"x":1}"#,
            r#"{"id":"a" "vector":[1]}"#,
            r#"{"id":"a","vector":[1]}}"#,
        ] {
            assert_eq!(decode_entry(bad.as_bytes()).unwrap_err().kind, Kind::Format, "{bad}");
        }
        assert_eq!(decode_entry(br#"{"id":"a","vector":[]}"#).unwrap_err().kind, Kind::Dimension);
        assert_eq!(decode_entry(br#"{"id":"","vector":[1]}"#).unwrap_err().kind, Kind::Id);
        assert_eq!(decode_entry(br#"{"id":"a","vector":[1],"metadata":[]}"#).unwrap_err().kind, Kind::Metadata);
    }
}
