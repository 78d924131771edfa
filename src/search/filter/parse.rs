//! From the text of a filter to its conditions.
//!
//! Whatever is not understood is refused: a filter that silently matched nothing, or everything, would be worse than an
//! error.

use super::condition::{Clause, Condition, Fields};
use super::json::{Literal, Scalar, Value, elements, members};
use crate::error::{Error, Kind, Result};
use crate::limits::DEPTH_MAX;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A filter is written by a person or a program for one search, not a collection of its own.
const FILTER_BYTES_MAX: usize = 1 << 20;

const COMBINING: &str = "$and, $or, $not";
const COMPARING: &str = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not";

type Names = BTreeMap<Box<[u8]>, usize>;

/// The conditions of a whole filter.
pub(super) fn filter(text: &str) -> Result<Fields> {
    if text.len() > FILTER_BYTES_MAX {
        let message = format!("the filter has {} bytes of JSON; at most {FILTER_BYTES_MAX}", text.len());
        return Err(Error::new(Kind::Limit, message));
    }
    let text: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    fields(&literal(text.get(), 1)?)
}

/// The whole filter decoded. From here on depth is bounded, and so is recursion.
fn literal(text: &str, depth: usize) -> Result<Literal> {
    match Value::read(text).map_err(not_json)? {
        Value::Scalar(scalar) => Ok(Literal::Scalar(scalar.into_owned())),
        _ if depth > DEPTH_MAX => {
            Err(Error::new(Kind::Limit, format!("the filter is nested deeper than {DEPTH_MAX} levels")))
        }
        Value::Array => {
            let mut items = Vec::new();
            elements(text, |_, item| items.push(literal(item, depth + 1))).map_err(not_json)?;
            items.into_iter().collect::<Result<_>>().map(Literal::Array)
        }
        Value::Object => {
            let mut parts = Vec::new();
            let decode = |key: Box<[u8]>, value| parts.push(literal(value, depth + 1).map(|value| (key, value)));
            members(text, |key| Some(key.into()), decode).map_err(not_json)?;
            parts.into_iter().collect::<Result<_>>().map(Literal::Object)
        }
    }
}

fn fields(filter: &Literal) -> Result<Fields> {
    let mut names = Names::new();
    let clause = clause(filter, &mut names)?;
    Ok(Fields { names, clause })
}

/// A filter object; what it asks for is added to `names`.
fn clause(filter: &Literal, names: &mut Names) -> Result<Clause> {
    let Literal::Object(parts) = filter else {
        return Err(refused("a filter is an object such as { \"key\": value }"));
    };
    let mut clauses = Vec::with_capacity(parts.len());
    for (key, value) in parts {
        clauses.push(match &**key {
            b"$and" => Clause::All(list(key, value, names)?),
            b"$or" => Clause::Any(list(key, value, names)?),
            b"$not" => Clause::Not(Box::new(clause(value, names)?)),
            [b'$', ..] => return Err(unknown(key, COMBINING)),
            _ => {
                let condition = condition(value)?;
                let next = names.len();
                Clause::Field(*names.entry(key.clone()).or_insert(next), condition)
            }
        });
    }
    Ok(Clause::All(clauses))
}

fn list(key: &[u8], value: &Literal, names: &mut Names) -> Result<Vec<Clause>> {
    let filters = items(key, value)?;
    if filters.is_empty() {
        return Err(refused(format!("filter operator '{}' takes at least one filter", shown(key))));
    }
    filters.iter().map(|filter| clause(filter, names)).collect()
}

/// What a member's value asks for.
fn condition(value: &Literal) -> Result<Condition> {
    let Literal::Object(parts) = value else {
        if has_operators(value) {
            return Err(refused("a filter cannot have operators inside an array; compare with a literal one by $eq"));
        }
        return Ok(Condition::Equal(value.clone()));
    };
    let operators = parts.keys().filter(|key| key.starts_with(b"$")).count();
    match operators {
        0 if has_operators(value) => Ok(Condition::Within(Box::new(fields(value)?))),
        0 => Ok(Condition::Equal(value.clone())),
        _ if operators == parts.len() => {
            let all: Result<Vec<Condition>> = parts.iter().map(|(key, value)| operator(key, value)).collect();
            all.map(Condition::All)
        }
        _ => Err(refused("a filter cannot have operators and plain keys in one object; combine them with $and")),
    }
}

fn operator(key: &[u8], value: &Literal) -> Result<Condition> {
    let not = |condition| Condition::Not(Box::new(condition));
    Ok(match key {
        b"$eq" => Condition::Equal(value.clone()),
        b"$ne" => not(Condition::Equal(value.clone())),
        b"$gt" => ordered(key, value, &[Ordering::Greater])?,
        b"$gte" => ordered(key, value, &[Ordering::Greater, Ordering::Equal])?,
        b"$lt" => ordered(key, value, &[Ordering::Less])?,
        b"$lte" => ordered(key, value, &[Ordering::Less, Ordering::Equal])?,
        b"$in" => among(key, value)?,
        b"$nin" => not(among(key, value)?),
        b"$exists" => match value {
            Literal::Scalar(Scalar::Bool(wanted)) => Condition::Exists(*wanted),
            _ => return Err(refused("filter operator '$exists' takes true or false")),
        },
        b"$not" => not(condition(value)?),
        _ => return Err(unknown(key, COMPARING)),
    })
}

fn ordered(key: &[u8], value: &Literal, orders: &'static [Ordering]) -> Result<Condition> {
    match value {
        Literal::Scalar(bound @ (Scalar::Number(_) | Scalar::Text(_))) => Ok(Condition::Ordered(orders, bound.clone())),
        _ => Err(refused(format!("filter operator '{}' takes a number or a string", shown(key)))),
    }
}

fn among(key: &[u8], value: &Literal) -> Result<Condition> {
    let (mut scalars, mut others) = (Vec::new(), Vec::new());
    for item in items(key, value)? {
        match item {
            Literal::Scalar(scalar) => scalars.push(scalar.clone()),
            other => others.push(other.clone()),
        }
    }
    scalars.sort_unstable();
    Ok(Condition::Among(scalars, others))
}

/// The elements of the array that an operator takes.
fn items<'a>(key: &[u8], value: &'a Literal) -> Result<&'a [Literal]> {
    match value {
        Literal::Array(items) => Ok(items),
        _ => Err(refused(format!("filter operator '{}' takes an array", shown(key)))),
    }
}

/// Whether an operator stands in it, in an object however deep.
fn has_operators(value: &Literal) -> bool {
    match value {
        Literal::Scalar(_) => false,
        Literal::Array(items) => items.iter().any(has_operators),
        Literal::Object(members) => members.iter().any(|(key, value)| key.starts_with(b"$") || has_operators(value)),
    }
}

fn shown(key: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(key.get(..64).unwrap_or(key))
}

fn unknown(key: &[u8], allowed: &str) -> Error {
    refused(format!("unknown filter operator '{}'; allowed here are {allowed}", shown(key)))
}

fn not_json(error: serde_json::Error) -> Error {
    refused(format!("the filter is not JSON: {error}"))
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Kind::Metadata, message)
}
