//! JSON values as a filter compares them, read from text one level at a time.
//!
//! Strings are bytes: JSON can hold halves of surrogate pairs, which no `str` can. What an object or an array holds
//! stays text until somebody asks for it.

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

pub(super) use serde_json::Result;

/// Integers below this are kept exactly; larger ones are `f64`, as JavaScript has them.
const EXACT_MAX: i128 = 1 << 100;

/// A number by its value: one that is a whole number below 2^100 is always `Whole`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

impl Number {
    fn read(text: &str) -> Result<Self> {
        if let Ok(whole) = text.parse::<i128>()
            && whole.abs() < EXACT_MAX
        {
            return Ok(Number::Whole(whole));
        }
        let float: f64 = text.parse().map_err(|_| serde_json::Error::custom("not a number"))?;
        let is_whole = float.fract() == 0.0 && float.abs() < EXACT_MAX as f64;
        Ok(if is_whole { Number::Whole(float as i128) } else { Number::Float(float) })
    }

    fn float(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Float(float) => float,
        }
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a.cmp(b),
            // A float that is not whole is below 2^53 or at least 2^100: rounding the other one changes no order.
            (a, b) => a.float().total_cmp(&b.float()),
        }
    }
}

/// A value that holds no others. The order between kinds is arbitrary, for look-up only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, [u8]>),
}

impl Scalar<'_> {
    pub fn into_owned(self) -> Scalar<'static> {
        match self {
            Scalar::Null => Scalar::Null,
            Scalar::Bool(value) => Scalar::Bool(value),
            Scalar::Number(number) => Scalar::Number(number),
            Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
        }
    }
}

/// One level of a value: what is in an object or an array is still text.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Scalar(Scalar<'a>),
    Array,
    Object,
}

impl<'a> Value<'a> {
    /// Reads a well-formed value without white space around it.
    pub fn read(text: &'a str) -> Result<Self> {
        let scalar = match text.as_bytes() {
            [b'{', ..] => return Ok(Value::Object),
            [b'[', ..] => return Ok(Value::Array),
            [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Scalar::Text(Cow::Borrowed(inner)),
            [b'"', ..] => Scalar::Text(serde_json::from_str::<Text>(text)?.0),
            b"null" => Scalar::Null,
            b"true" => Scalar::Bool(true),
            b"false" => Scalar::Bool(false),
            _ => Scalar::Number(Number::read(text)?),
        };
        Ok(Value::Scalar(scalar))
    }
}

/// A value to compare with, decoded.
#[derive(Debug, Clone)]
pub(super) enum Literal {
    Scalar(Scalar<'static>),
    Array(Vec<Literal>),
    Object(BTreeMap<Box<[u8]>, Literal>),
}

impl Literal {
    /// Whether the text is the same value.
    pub fn equals(&self, text: &str) -> Result<bool> {
        match (self, Value::read(text)?) {
            (Literal::Scalar(own), Value::Scalar(found)) => Ok(*own == found),
            (Literal::Array(own), Value::Array) => {
                let mut places = Places { found: vec![None; own.len()], more: false };
                elements(text, |index, item| places.take(Some(index), item))?;
                places.all_equal(own.iter())
            }
            (Literal::Object(own), Value::Object) => {
                let mut places = Places { found: vec![None; own.len()], more: false };
                let index: BTreeMap<&[u8], usize> = own.keys().enumerate().map(|(at, key)| (&**key, at)).collect();
                members(text, |key| Some(index.get(key).copied()), |place, item| places.take(place, item))?;
                places.all_equal(own.values())
            }
            _ => Ok(false),
        }
    }
}

/// What was found for each part of a literal.
struct Places<'a> {
    found: Vec<Option<&'a str>>,
    more: bool,
}

impl<'a> Places<'a> {
    /// Of two members with one key the last counts, as for `JSON.parse`.
    fn take(&mut self, place: Option<usize>, item: &'a str) {
        match place.and_then(|place| self.found.get_mut(place)) {
            Some(found) => *found = Some(item),
            None => self.more = true,
        }
    }

    fn all_equal<'l>(&self, literals: impl Iterator<Item = &'l Literal>) -> Result<bool> {
        if self.more {
            return Ok(false);
        }
        for (literal, found) in literals.zip(&self.found) {
            match found {
                Some(text) if literal.equals(text)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Calls `each` for the members of an object whose key `wanted` gives something for; passes over the others.
pub(super) fn members<'a, P>(
    text: &'a str,
    wanted: impl FnMut(&[u8]) -> Option<P>,
    each: impl FnMut(P, &'a str),
) -> Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(Members { wanted, each })?;
    reader.end()
}

/// Calls `each` for the elements of an array.
pub(super) fn elements<'a>(text: &'a str, each: impl FnMut(usize, &'a str)) -> Result<()> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(Elements(each))?;
    reader.end()
}

struct Members<W, E> {
    wanted: W,
    each: E,
}

impl<'de, P, W: FnMut(&[u8]) -> Option<P>, E: FnMut(P, &'de str)> Visitor<'de> for Members<W, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key::<Text>()? {
            match (self.wanted)(&key) {
                Some(place) => (self.each)(place, map.next_value::<&RawValue>()?.get()),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Elements<E>(E);

impl<'de, E: FnMut(usize, &'de str)> Visitor<'de> for Elements<E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> std::result::Result<(), A::Error> {
        let mut index = 0;
        while let Some(item) = array.next_element::<&RawValue>()? {
            (self.0)(index, item.get());
            index += 1;
        }
        Ok(())
    }
}

/// A string as bytes; half a surrogate pair is three bytes that no UTF-8 has.
pub(super) struct Text<'a>(pub Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
