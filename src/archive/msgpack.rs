//! Reading a binary archive: one pass over MessagePack, bounded by limits, never by what the file claims.
//!
//! Vectors are `bin` values, or arrays of numbers as other writers make them; metadata is the JSON text, or a map.

use super::read::{Delivery, check_members};
use super::stream::Stream;
use crate::codec::{Digest, Piece};
use crate::error::{Error, Kind, Result};
use crate::format::Entry;
use crate::format::entry::{check_id, shown};
use crate::format::state_json::Head;
use crate::format::state_msgpack::decode_vector;
use crate::limits::{
    DEPTH_MAX, DIMENSION_MAX, ID_BYTES_MAX, MEMBER_BYTES_MAX, MEMBERS_MAX, METADATA_BYTES_MAX, WORK_BYTES,
};
use rmp::Marker;
use serde_json::{Map, Number, Value};
use std::sync::Arc;

struct Reader {
    stream: Stream,
    digest: Digest,
    /// How many of the bytes that the stream has at hand are settled: given to the checksum, or no part of it.
    settled: usize,
    /// Whether it is not known yet if what is taken is part of the checksum; it is kept here until then.
    undecided: Option<Vec<u8>>,
}

/// The members of an entry.
enum Member {
    Id,
    Vector,
    Metadata,
}

/// The beginning of a value.
#[derive(Debug, Clone, Copy)]
enum Begin {
    Nil,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Single(f32),
    Str(usize),
    Bin(usize),
    Array(usize),
    Map(usize),
}

fn limit(what: &str, found: usize, max: usize) -> Error {
    Error::new(Kind::Limit, format!("{what} has {found} bytes; at most {max} are possible"))
}

impl Reader {
    fn malformed(&self, what: &str) -> Error {
        Error::new(Kind::Format, format!("byte {}: {what}", self.stream.offset())).at(self.stream.offset())
    }

    /// Exactly `count` bytes, which become part of the checksum.
    fn take(&mut self, count: usize) -> Result<&[u8]> {
        while let Some(mut taken) = self.stream.refill(count)? {
            taken.drain(..std::mem::take(&mut self.settled));
            match &mut self.undecided {
                Some(bytes) => bytes.extend_from_slice(&taken),
                None => self.digest.update(Arc::new(Piece { bytes: taken, skipped: Vec::new() }))?,
            }
        }
        Ok(self.stream.take(count))
    }

    /// Gives everything that was taken to the checksum.
    fn settle(&mut self) -> Result<()> {
        let taken = self.stream.taken();
        self.digest.update_bytes(taken.get(self.settled..).unwrap_or_default())?;
        self.settled = taken.len();
        Ok(())
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| Error::new(Kind::Internal, "the stream gave too little"))
    }

    fn length<const N: usize>(&mut self) -> Result<usize> {
        Ok(self.number::<N>()?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn begin(&mut self) -> Result<Begin> {
        let [byte] = self.number::<1>()?;
        Ok(match Marker::from_u8(byte) {
            Marker::Null => Begin::Nil,
            Marker::True => Begin::Bool(true),
            Marker::False => Begin::Bool(false),
            Marker::FixPos(x) => Begin::Integer(x.into()),
            Marker::FixNeg(x) => Begin::Integer(x.into()),
            Marker::U8 => Begin::Integer(u8::from_be_bytes(self.number()?).into()),
            Marker::U16 => Begin::Integer(u16::from_be_bytes(self.number()?).into()),
            Marker::U32 => Begin::Integer(u32::from_be_bytes(self.number()?).into()),
            Marker::U64 => Begin::Integer(u64::from_be_bytes(self.number()?).into()),
            Marker::I8 => Begin::Integer(i8::from_be_bytes(self.number()?).into()),
            Marker::I16 => Begin::Integer(i16::from_be_bytes(self.number()?).into()),
            Marker::I32 => Begin::Integer(i32::from_be_bytes(self.number()?).into()),
            Marker::I64 => Begin::Integer(i64::from_be_bytes(self.number()?).into()),
            Marker::F32 => Begin::Single(f32::from_be_bytes(self.number()?)),
            Marker::F64 => Begin::Float(f64::from_be_bytes(self.number()?)),
            Marker::FixStr(length) => Begin::Str(length.into()),
            Marker::Str8 => Begin::Str(self.length::<1>()?),
            Marker::Str16 => Begin::Str(self.length::<2>()?),
            Marker::Str32 => Begin::Str(self.length::<4>()?),
            Marker::Bin8 => Begin::Bin(self.length::<1>()?),
            Marker::Bin16 => Begin::Bin(self.length::<2>()?),
            Marker::Bin32 => Begin::Bin(self.length::<4>()?),
            Marker::FixArray(length) => Begin::Array(length.into()),
            Marker::Array16 => Begin::Array(self.length::<2>()?),
            Marker::Array32 => Begin::Array(self.length::<4>()?),
            Marker::FixMap(length) => Begin::Map(length.into()),
            Marker::Map16 => Begin::Map(self.length::<2>()?),
            Marker::Map32 => Begin::Map(self.length::<4>()?),
            _ => return Err(self.malformed("an extension type, which archives do not have")),
        })
    }

    fn text(&mut self, length: usize, what: &str, bytes_max: usize) -> Result<String> {
        if length > bytes_max {
            return Err(limit(what, length, bytes_max).at(self.stream.offset()));
        }
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| self.malformed(&format!("{what} is not UTF-8")))
    }

    fn string(&mut self, what: &str, bytes_max: usize) -> Result<String> {
        match self.begin()? {
            Begin::Str(length) => self.text(length, what, bytes_max),
            _ => Err(self.malformed(&format!("expected {what} as a string"))),
        }
    }

    fn map(&mut self, what: &str) -> Result<usize> {
        match self.begin()? {
            Begin::Map(length) => Ok(length),
            _ => Err(self.malformed(&format!("expected {what} as a map"))),
        }
    }

    /// Any value as JSON; `budget` bounds the bytes that it and its parts may have.
    fn json(&mut self, begin: Begin, depth: usize, budget: &mut usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(Error::new(Kind::Limit, "nested too deep").at(self.stream.offset()));
        }
        let cost = match begin {
            Begin::Str(length) | Begin::Array(length) | Begin::Map(length) => length.saturating_add(8),
            _ => 8,
        };
        *budget = budget.checked_sub(cost).ok_or_else(|| limit("a value", cost, *budget).at(self.stream.offset()))?;
        let no_json = |reader: &Self| reader.malformed("a value that JSON does not have");
        Ok(match begin {
            Begin::Nil => Value::Null,
            Begin::Bool(x) => Value::Bool(x),
            Begin::Integer(x) => Value::Number(Number::from_i128(x).ok_or_else(|| no_json(self))?),
            Begin::Single(x) => Value::Number(Number::from_f64(x.into()).ok_or_else(|| no_json(self))?),
            Begin::Float(x) => Value::Number(Number::from_f64(x).ok_or_else(|| no_json(self))?),
            Begin::Str(length) => Value::String(self.text(length, "a string", METADATA_BYTES_MAX)?),
            Begin::Bin(_) => return Err(no_json(self)),
            Begin::Array(length) => {
                let mut items = Vec::new();
                for _ in 0..length {
                    let begin = self.begin()?;
                    items.push(self.json(begin, depth + 1, budget)?);
                }
                Value::Array(items)
            }
            Begin::Map(length) => {
                let mut members = Map::new();
                for _ in 0..length {
                    let key = self.string("a key", METADATA_BYTES_MAX)?;
                    *budget = budget.saturating_sub(key.len());
                    let begin = self.begin()?;
                    members.insert(key, self.json(begin, depth + 1, budget)?);
                }
                Value::Object(members)
            }
        })
    }

    fn vector(&mut self) -> Result<Vec<f32>> {
        let too_long = |length: usize| {
            Error::new(Kind::Dimension, format!("a vector has {length} numbers; at most {DIMENSION_MAX} are possible"))
        };
        match self.begin()? {
            Begin::Bin(bytes) if bytes > DIMENSION_MAX * 4 => Err(too_long(bytes / 4)),
            Begin::Bin(bytes) => decode_vector(self.take(bytes)?),
            Begin::Array(length) if length > DIMENSION_MAX => Err(too_long(length)),
            Begin::Array(length) => {
                let mut vector = Vec::new();
                for _ in 0..length {
                    vector.push(match self.begin()? {
                        Begin::Single(x) => x,
                        Begin::Float(x) => x as f32,
                        Begin::Integer(x) => x as f32,
                        _ => return Err(self.malformed("a vector holds something that is not a number")),
                    });
                }
                Ok(vector)
            }
            _ => Err(self.malformed("a vector is neither binary nor an array of numbers")),
        }
    }

    fn metadata(&mut self) -> Result<Option<String>> {
        match self.begin()? {
            Begin::Nil => Ok(None),
            Begin::Str(length) => self.text(length, "metadata", METADATA_BYTES_MAX).map(Some),
            begin @ Begin::Map(_) => {
                let mut budget = METADATA_BYTES_MAX;
                self.json(begin, 1, &mut budget).map(|value| Some(value.to_string()))
            }
            _ => Err(self.malformed("metadata is neither JSON text nor a map")),
        }
    }

    fn member_name(&mut self) -> Result<Member> {
        let Begin::Str(length) = self.begin()? else {
            return Err(self.malformed("expected a member's name as a string"));
        };
        if length > ID_BYTES_MAX {
            return Err(limit("a member's name", length, ID_BYTES_MAX).at(self.stream.offset()));
        }
        match self.take(length)? {
            b"id" => Ok(Member::Id),
            b"vector" => Ok(Member::Vector),
            b"metadata" => Ok(Member::Metadata),
            other => {
                let message = format!("member '{}' of an entry is not known", shown(&String::from_utf8_lossy(other)));
                Err(self.malformed(&message))
            }
        }
    }

    fn entry(&mut self) -> Result<Entry> {
        let members = self.map("an entry")?;
        let (mut id, mut vector, mut metadata) = (None, None, None);
        for _ in 0..members {
            let (name, twice) = match self.member_name()? {
                Member::Id => ("id", id.replace(self.string("an id", MEMBER_BYTES_MAX)?).is_some()),
                Member::Vector => ("vector", vector.replace(self.vector()?).is_some()),
                Member::Metadata => ("metadata", metadata.replace(self.metadata()?).is_some()),
            };
            if twice {
                return Err(self.malformed(&format!("an entry has two members '{name}'")));
            }
        }
        let id = id.ok_or_else(|| self.malformed("an entry has no id"))?;
        let vector = vector.ok_or_else(|| self.malformed(&format!("entry '{}' has no vector", shown(&id))))?;
        let offset = self.stream.offset();
        Entry::new(&id, vector, metadata.flatten().as_deref()).map_err(|error| error.at(offset))
    }

    fn vectors(&mut self, delivery: &mut Delivery<'_>) -> Result<()> {
        let Begin::Array(count) = self.begin()? else { return Err(self.malformed("the entries are not an array")) };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            let entry = self.entry()?;
            bytes += entry.vector.len() * 4;
            batch.push(entry);
            if bytes >= WORK_BYTES {
                delivery.deliver(std::mem::take(&mut batch))?;
                bytes = 0;
            }
        }
        delivery.deliver(batch)
    }

    /// The ids that a delta removes.
    fn deletes(&mut self, delivery: &mut Delivery<'_>) -> Result<()> {
        let Begin::Array(count) = self.begin()? else { return Err(self.malformed("'deletes' is not an array")) };
        let (mut ids, mut bytes) = (Vec::new(), 0);
        for _ in 0..count {
            let id = self.string("an id", ID_BYTES_MAX)?;
            check_id(&id).map_err(|error| error.at(self.stream.offset()))?;
            bytes += id.len();
            ids.push(id.into());
            if bytes >= WORK_BYTES {
                delivery.remove(std::mem::take(&mut ids))?;
                bytes = 0;
            }
        }
        delivery.remove(ids)
    }

    fn member(&mut self, head: &mut Head, key: &str, seen: &[String], delivery: &mut Delivery<'_>) -> Result<()> {
        match key {
            "vectors" => {
                delivery.begin(head, false)?;
                return self.vectors(delivery);
            }
            "puts" if head.link.is_some() => {
                delivery.begin(head, true)?;
                return self.vectors(delivery);
            }
            "deletes" if seen.iter().any(|key| key == "puts") && head.link.is_some() => return self.deletes(delivery),
            _ => {}
        }
        let begin = self.begin()?;
        let offset = self.stream.offset();
        let mut budget = MEMBER_BYTES_MAX;
        let value = self.json(begin, 1, &mut budget)?;
        head.take_member(key, value.to_string().as_bytes()).map_err(|error| error.at(offset))
    }
}

/// Reads the whole archive; returns its head and the checksum of its content.
pub(super) fn read(stream: Stream, delivery: &mut Delivery<'_>) -> Result<(Head, String)> {
    let mut reader = Reader { stream, digest: Digest::start()?, settled: 0, undecided: None };
    let mut head = Head::unknown();
    let mut seen: Vec<String> = Vec::new();
    for left in (0..reader.map("the state")?).rev() {
        reader.settle()?;
        reader.undecided = Some(Vec::new());
        let key = reader.string("a member's name", ID_BYTES_MAX)?;
        if seen.contains(&key) {
            return Err(reader.malformed(&format!("two members '{}'", shown(&key))));
        }
        if seen.len() == MEMBERS_MAX {
            return Err(reader.malformed("too many members"));
        }
        if key == "checksum" {
            // The key and the value are no part of what they check. A member after them would not be checked at all.
            let checksum = reader.string("the checksum", ID_BYTES_MAX)?;
            head.checksum = Some(checksum);
            if left > 0 {
                return Err(reader.malformed("the checksum is not the last member"));
            }
        } else {
            let bytes = reader.undecided.take().unwrap_or_default();
            reader.digest.update_bytes(&bytes)?;
            reader.member(&mut head, &key, &seen, delivery)?;
        }
        seen.push(key);
    }
    check_members(&seen).map_err(|what| reader.malformed(what))?;
    if reader.undecided.is_none() {
        reader.settle()?;
    }
    if !reader.stream.available()?.is_empty() {
        return Err(reader.malformed("other bytes follow the archive"));
    }
    let checksum = reader.digest.finish()?;
    Ok((head, checksum))
}
