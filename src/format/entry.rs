//! An entry (id, vector, metadata) and the description that all entries of a collection share.
//!
//! An entry is immutable once made; rows of a collection, of its versions and of archives share it behind an `Arc`.

use super::fingerprint::push_vector;
use crate::error::{Error, Kind, Result};
use crate::limits::{DEPTH_MAX, DIMENSION_MAX, ID_BYTES_MAX, METADATA_BYTES_MAX};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_64;

const SHOWN_CHARS_MAX: usize = 64;

/// Id, vector and metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// 1 to 1,024 bytes, no NUL.
    pub id: Box<str>,
    /// As many numbers as the collection has dimensions, kept bit for bit.
    pub vector: Box<[f32]>,
    /// A JSON object as text, kept byte for byte but for white space between its tokens.
    pub metadata: Option<Box<str>>,
}

impl Entry {
    /// An entry from parts that were checked one by one here.
    pub fn new(id: &str, vector: Vec<f32>, metadata: Option<&str>) -> Result<Self> {
        check_id(id)?;
        check_dimension(id, vector.len())?;
        let metadata = match metadata {
            None => None,
            Some(text) => {
                check_metadata(id, text)?;
                Some(compact(id, text)?)
            }
        };
        Ok(Entry { id: id.into(), vector: vector.into(), metadata })
    }

    /// Whether both hold the same bits.
    pub fn same_bits(&self, other: &Entry) -> bool {
        self.metadata == other.metadata && self.same_content(other)
    }

    /// Whether both hold the same bits, but for the order of the keys in their metadata.
    pub fn same_content(&self, other: &Entry) -> bool {
        self.id == other.id
            && self.vector.len() == other.vector.len()
            && self.vector.iter().zip(&other.vector).all(|(a, b)| a.to_bits() == b.to_bits())
            && same_members(self.metadata.as_deref(), other.metadata.as_deref())
    }
}

/// Whether two texts of metadata are the same members, in whatever order their keys stand: databases that parse metadata
/// give them back in an order of their own. Numbers and strings are compared as text, so that no digit is lost.
pub fn same_members(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || (a.len() == b.len() && sorted(a) == sorted(b)),
        (a, b) => a == b,
    }
}

/// The parts of an entry as one value each: the bits of its vector, and its metadata whatever the order of their keys.
pub fn digests(entry: &Entry) -> (u64, u64) {
    let mut bytes = Vec::with_capacity(entry.vector.len() * 4);
    push_vector(&mut bytes, &entry.vector);
    (xxh3_64(&bytes), entry.metadata.as_deref().map_or(0, |text| xxh3_64(sorted(text).as_bytes())))
}

/// The text with the keys of each object in order; as it is where it is not well-formed. Fingerprints are made of it, and
/// deltas carry them: this form does not change.
pub(super) fn sorted(text: &str) -> String {
    let member = |(key, value): (&String, &&RawValue)| Some(format!("{}:{}", quoted(key)?, sorted(value.get())));
    match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<BTreeMap<String, &RawValue>>(text)
            .ok()
            .and_then(|members| members.iter().map(member).collect::<Option<Vec<_>>>())
            .map(|members| format!("{{{}}}", members.join(","))),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)
            .ok()
            .map(|items| items.iter().map(|item| sorted(item.get())).collect::<Vec<_>>())
            .map(|items| format!("[{}]", items.join(","))),
        _ => None,
    }
    .unwrap_or_else(|| text.to_owned())
}

fn quoted(key: &str) -> Option<String> {
    serde_json::to_string(key).ok()
}

/// How vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// 1 - cosine similarity.
    Cosine,
    /// L2 distance.
    Euclidean,
    /// Inner product.
    Dot,
    /// L1 distance.
    Manhattan,
}

impl Metric {
    /// The number in files of a store; 0 is unknown.
    pub fn code(metric: Option<Metric>) -> u8 {
        match metric {
            None => 0,
            Some(Metric::Cosine) => 1,
            Some(Metric::Euclidean) => 2,
            Some(Metric::Dot) => 3,
            Some(Metric::Manhattan) => 4,
        }
    }

    /// The metric of that number; `None` for a number that is none's.
    pub fn of_code(code: u8) -> Option<Option<Metric>> {
        Some(match code {
            0 => None,
            1 => Some(Metric::Cosine),
            2 => Some(Metric::Euclidean),
            3 => Some(Metric::Dot),
            4 => Some(Metric::Manhattan),
            _ => return None,
        })
    }

    /// The name in options and archives.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Cosine => "cosine",
            Metric::Euclidean => "euclidean",
            Metric::Dot => "dot",
            Metric::Manhattan => "manhattan",
        }
    }

    /// The metric of that name; ruvector's own spellings (`Cosine`, `DotProduct`) are understood.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "cosine" | "Cosine" => Ok(Metric::Cosine),
            "euclidean" | "Euclidean" => Ok(Metric::Euclidean),
            "dot" | "DotProduct" => Ok(Metric::Dot),
            "manhattan" | "Manhattan" => Ok(Metric::Manhattan),
            _ => {
                let message = format!("metric '{name}' is not one of cosine, euclidean, dot, manhattan");
                Err(Error::new(Kind::Metric, message))
            }
        }
    }
}

/// What all entries of a collection share; `None` is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Description {
    /// Numbers in each vector.
    pub dimension: Option<usize>,
    /// How vectors are compared.
    pub metric: Option<Metric>,
}

impl Description {
    /// The union of what both know; a contradiction is an error that names `whose` value differs.
    pub fn agree(self, other: Description, whose: &str) -> Result<Description> {
        if let (Some(own), Some(found)) = (self.dimension, other.dimension)
            && own != found
        {
            return Err(Error::new(Kind::Dimension, format!("{whose} has dimension {found}, expected {own}")));
        }
        if let (Some(own), Some(found)) = (self.metric, other.metric)
            && own != found
        {
            let message = format!("{whose} has metric '{}', expected '{}'", found.name(), own.name());
            return Err(Error::new(Kind::Metric, message));
        }
        Ok(Description { dimension: self.dimension.or(other.dimension), metric: self.metric.or(other.metric) })
    }
}

/// Text of a file or a caller for messages: shortened, and free of control characters. A checksum fits.
pub fn shown(id: &str) -> String {
    let mut text: String = id.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if id.chars().nth(SHOWN_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// Refuses an id that cannot be stored.
pub fn check_id(id: &str) -> Result<()> {
    let refuse = |why: String| Err(Error::new(Kind::Id, why));
    if id.is_empty() {
        return refuse(format!("an id is empty; it needs 1 to {ID_BYTES_MAX} bytes"));
    }
    if id.len() > ID_BYTES_MAX {
        return refuse(format!("id '{}' has {} bytes; at most {ID_BYTES_MAX} are possible", shown(id), id.len()));
    }
    if id.contains('\0') {
        return refuse(format!("id '{}' holds a NUL character", shown(id)));
    }
    Ok(())
}

/// Refuses a dimension that no collection can have.
pub fn check_dimension(id: &str, dimension: usize) -> Result<()> {
    if (1..=DIMENSION_MAX).contains(&dimension) {
        return Ok(());
    }
    let message = format!("vector for id '{}' has {dimension} numbers; 1 to {DIMENSION_MAX} are possible", shown(id));
    Err(Error::new(Kind::Dimension, message))
}

/// Refuses metadata that is not the text of a JSON object.
pub fn check_metadata(id: &str, text: &str) -> Result<()> {
    if text.len() > METADATA_BYTES_MAX {
        let message = format!("metadata of id '{}' has {} bytes; at most {METADATA_BYTES_MAX}", shown(id), text.len());
        return Err(Error::new(Kind::Limit, message));
    }
    let refuse = |why: &str| Err(Error::new(Kind::Metadata, format!("metadata of id '{}' {why}", shown(id))));
    if !text.starts_with('{') {
        return refuse("is not a JSON object");
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Ok(()),
        Err(error) => refuse(&format!("is not JSON: {error}")),
    }
}

/// JSON text without the white space between its tokens, so that one object has one text in every archive.
fn compact(id: &str, text: &str) -> Result<Box<str>> {
    let (mut quoted, mut escaped, mut depth, mut spaces) = (false, false, 0, 0);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b' ' | b'\t' | b'\n' | b'\r' => spaces += 1,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    let message = format!("metadata of id '{}' is nested deeper than {DEPTH_MAX} levels", shown(id));
                    return Err(Error::new(Kind::Limit, message));
                }
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    Ok(if spaces == 0 { text.into() } else { without_spaces(text, text.len() - spaces) })
}

fn without_spaces(text: &str, bytes: usize) -> Box<str> {
    let (mut quoted, mut escaped) = (false, false);
    let mut kept = String::with_capacity(bytes);
    for c in text.chars() {
        if quoted || !matches!(c, ' ' | '\t' | '\n' | '\r') {
            kept.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_between_tokens_is_not_kept() {
        let spaced = "{ \"a b\" : [ 1 ,\n\t2 ], \"q\\\" \" : \"\\\\\" , \"é \":{ } }";
        assert_eq!(&*compact("a", spaced).unwrap(), r#"{"a b":[1,2],"q\" ":"\\","é ":{}}"#);
    }

    #[test]
    fn ids_are_refused_by_name() {
        for (id, part) in [("", "empty"), ("a\0b", "NUL"), ("x".repeat(1_025).as_str(), "1025 bytes")] {
            let error = check_id(id).unwrap_err();
            assert_eq!(error.kind, Kind::Id);
            assert!(error.message.contains(part), "{error}");
        }
        for id in ["__proto__", "é", "a b", "x".repeat(1_024).as_str()] {
            assert!(check_id(id).is_ok());
        }
    }

    #[test]
    fn metadata_is_a_json_object() {
        assert!(check_metadata("a", r#"{"n":123456789012345678901234567890,"n":1e999,"s":"\ud800"}"#).is_ok());
        for text in ["[]", "1", "", "{", r#"{"a":1,}"#, r#"{"a":NaN}"#, "{}x"] {
            assert_eq!(check_metadata("a", text).unwrap_err().kind, Kind::Metadata, "{text}");
        }
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let entry = |depth: usize| Entry::new("a", vec![1.0], Some(&nested(depth)));
        assert!(entry(DEPTH_MAX).is_ok());
        assert_eq!(entry(DEPTH_MAX + 1).unwrap_err().kind, Kind::Limit);
    }

    #[test]
    fn the_order_of_keys_is_no_difference_and_everything_else_is() {
        let same = |a, b| same_members(Some(a), Some(b));
        assert!(same(r#"{"a":1,"b":{"c":[{"d":1,"e":2}],"f":2}}"#, r#"{"b":{"f":2,"c":[{"e":2,"d":1}]},"a":1}"#));
        assert!(!same(r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#));
        assert!(!same(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#));
        assert!(!same(r#"{"a":9007199254740993,"b":1}"#, r#"{"b":1,"a":9007199254740992}"#));
        assert!(!same(r#"{"a":"1"}"#, r#"{"a":123}"#));
        assert!(
            !same(r#"{"a":[[1],2]}"#, r#"{"a":[[1,2]]}"#) && !same(r#"{"a":{"b":1},"c":2}"#, r#"{"a":{"b":1,"c":2}}"#)
        );
        assert!(!same_members(None, Some("{}")) && same_members(None, None));
    }

    #[test]
    fn bits_decide_not_values() {
        let entry = |x: f32| Entry::new("a", vec![x], None).unwrap();
        assert!(entry(f32::NAN).same_bits(&entry(f32::NAN)));
        assert!(!entry(0.0).same_bits(&entry(-0.0)));
    }
}
