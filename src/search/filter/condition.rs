//! Conditions as they are asked of metadata.
//!
//! The members of one object are read once, whatever is asked about them and however the conditions are combined.

use super::json::{Literal, Result, Scalar, Value, members};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Conditions on the members of one object.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The members that are asked for, each with its place among what was found.
    pub names: BTreeMap<Box<[u8]>, usize>,
    pub clause: Clause,
}

/// How conditions are combined; a number is a place among what was found.
#[derive(Debug, Clone)]
pub(super) enum Clause {
    All(Vec<Clause>),
    Any(Vec<Clause>),
    Not(Box<Clause>),
    Field(usize, Condition),
}

/// What is asked of one value, or of its absence.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Equal(Literal),
    /// One of these: those that hold no others in order, and the rest.
    Among(Vec<Scalar<'static>>, Vec<Literal>),
    /// Beside a value of the same kind, in one of these orders.
    Ordered(&'static [Ordering], Scalar<'static>),
    Exists(bool),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Within(Box<Fields>),
}

impl Fields {
    pub fn is_empty(&self) -> bool {
        matches!(&self.clause, Clause::All(clauses) if clauses.is_empty())
    }

    /// Whether the conditions hold for an object, or for none.
    pub fn hold(&self, text: Option<&str>) -> Result<bool> {
        let mut found: Vec<Option<&str>> = vec![None; self.names.len()];
        if let Some(text) = text {
            let wanted = |key: &[u8]| self.names.get(key).copied();
            // Of two members with one key the last counts, as for `JSON.parse`.
            members(text, wanted, |place, value| {
                if let Some(found) = found.get_mut(place) {
                    *found = Some(value);
                }
            })?;
        }
        self.clause.holds(&found)
    }
}

impl Clause {
    fn holds(&self, found: &[Option<&str>]) -> Result<bool> {
        match self {
            Clause::All(clauses) => every(clauses, |clause| clause.holds(found)),
            Clause::Any(clauses) => every(clauses, |clause| clause.holds(found).map(|holds| !holds)).map(|none| !none),
            Clause::Not(clause) => clause.holds(found).map(|holds| !holds),
            Clause::Field(place, condition) => condition.holds(found.get(*place).copied().flatten()),
        }
    }
}

impl Condition {
    fn holds(&self, found: Option<&str>) -> Result<bool> {
        match (self, found) {
            (Condition::Exists(wanted), _) => Ok(found.is_some() == *wanted),
            (Condition::All(conditions), _) => every(conditions, |condition| condition.holds(found)),
            (Condition::Not(condition), _) => condition.holds(found).map(|holds| !holds),
            (Condition::Within(fields), _) => fields.hold(found.filter(|text| text.starts_with('{'))),
            (Condition::Equal(literal), Some(text)) => literal.equals(text),
            (Condition::Among(scalars, literals), Some(text)) => match Value::read(text)? {
                Value::Scalar(scalar) => Ok(scalars.binary_search(&scalar).is_ok()),
                _ => every(literals, |literal| literal.equals(text).map(|equal| !equal)).map(|none| !none),
            },
            (Condition::Ordered(orders, bound), Some(text)) => match (Value::read(text)?, bound) {
                (Value::Scalar(found @ Scalar::Number(_)), Scalar::Number(_))
                | (Value::Scalar(found @ Scalar::Text(_)), Scalar::Text(_)) => Ok(orders.contains(&found.cmp(bound))),
                _ => Ok(false),
            },
            (Condition::Equal(_) | Condition::Among(..) | Condition::Ordered(..), None) => Ok(false),
        }
    }
}

/// Whether all hold; stops at the first that does not.
fn every<T>(items: &[T], holds: impl Fn(&T) -> Result<bool>) -> Result<bool> {
    for item in items {
        if !holds(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}
