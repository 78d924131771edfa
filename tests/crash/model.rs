//! The oracle: what a store must hold after the first k operations, and whether what was found is that for a k that the
//! promises allow.
//!
//! A found content must equal the model after the first k operations, for some k from the last operation that was
//! acknowledged as durable to the last that was begun. A batch is one operation, so a split batch equals none of them.

use crate::recorder::Progress;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What a store holds of one id: the bits of its vector, and its metadata as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub vector: Vec<u32>,
    pub metadata: Option<String>,
}

/// Everything a store holds.
pub type Content = BTreeMap<String, Row>;

/// Numbers in every vector of a workload.
pub const DIMENSION: usize = 24;

/// An entry of a batch: id, vector, metadata.
pub type Entry = (String, Vec<f32>, Option<String>);

/// One operation of a workload.
#[derive(Debug, Clone)]
pub enum Op {
    /// Inserts or replaces, all or nothing.
    Put(Vec<Entry>),
    /// Deletes what is there of these, all or nothing.
    Delete(Vec<String>),
    /// Replaces the metadata of an id, if it is there.
    SetMetadata(String, Option<String>),
    /// Deletes everything.
    Clear,
    /// Moves the memtable into a segment.
    Checkpoint,
    /// Rewrites segments with dead rows.
    Compact,
    /// Begins a new log file.
    Rotate,
    /// Closes and opens.
    Reopen,
    /// Makes everything before it durable.
    Flush,
}

impl Op {
    /// Changes a content as a store must.
    pub fn apply(&self, content: &mut Content) {
        match self {
            Op::Put(entries) => content.extend(entries.iter().map(|(id, vector, metadata)| {
                let vector = vector.iter().map(|number| number.to_bits()).collect();
                (id.clone(), Row { vector, metadata: metadata.clone() })
            })),
            Op::Delete(ids) => content.retain(|id, _| !ids.contains(id)),
            Op::SetMetadata(id, metadata) => {
                if let Some(row) = content.get_mut(id) {
                    row.metadata = metadata.clone();
                }
            }
            Op::Clear => content.clear(),
            Op::Checkpoint | Op::Compact | Op::Rotate | Op::Reopen | Op::Flush => {}
        }
    }

    /// Whether everything before it is durable when it comes back, in every sync mode.
    pub fn is_barrier(&self) -> bool {
        matches!(self, Op::Flush | Op::Reopen | Op::Checkpoint)
    }
}

/// Equal for equal contents.
pub fn fingerprint(content: &Content) -> u128 {
    let mut hasher = Xxh3::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    let mut numbers = Vec::new();
    for (id, row) in content {
        text(id);
        text(row.metadata.as_deref().unwrap_or("\0none"));
        numbers.push(row.vector.len() as u32);
        numbers.extend(&row.vector);
    }
    hasher.update(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    hasher.digest128()
}

/// What a store may hold, operation by operation.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// After the first k operations.
    states: Vec<Arc<Content>>,
    /// Each content, and after which numbers of operations it is the right one.
    known: HashMap<u128, Vec<usize>>,
    /// What operations that failed and left nothing would have made: allowed until a later one is durable.
    failed: Vec<(usize, u128)>,
}

impl Model {
    /// Before the first operation.
    pub fn new(begin: Content) -> Model {
        let mut model = Model::default();
        model.push(Arc::new(begin));
        model
    }

    fn push(&mut self, content: Arc<Content>) {
        self.known.entry(fingerprint(&content)).or_default().push(self.states.len());
        self.states.push(content);
    }

    /// The content after all operations so far.
    pub fn last(&self) -> Arc<Content> {
        self.states.last().cloned().unwrap_or_default()
    }

    /// Operations so far.
    pub fn operations(&self) -> usize {
        self.states.len() - 1
    }

    /// What the content will be after one more operation.
    pub fn after(&self, op: &Op) -> Arc<Content> {
        let mut next = (*self.last()).clone();
        op.apply(&mut next);
        Arc::new(next)
    }

    /// One more operation, which came back or is there.
    pub fn did(&mut self, op: &Op) {
        let next = self.after(op);
        self.push(next);
    }

    /// One more operation, which failed and left nothing: a crash may still bring it, until a later one is durable.
    pub fn failed(&mut self, op: &Op) {
        self.failed.push((self.states.len(), fingerprint(&self.after(op))));
        let same = self.last();
        self.push(same);
    }

    /// Whether a content of that fingerprint is allowed when `durable` operations must be there and `started` may be.
    pub fn allows(&self, found: u128, durable: usize, started: usize) -> bool {
        let known = self.known.get(&found).is_some_and(|at| at.iter().any(|k| (durable..=started).contains(k)));
        known || self.failed.iter().any(|(k, print)| *print == found && durable < *k && *k <= started)
    }

    /// Says what is wrong with a content, if it is not allowed.
    pub fn check(&self, found: &Content, durable: usize, progress: Progress) -> Result<(), String> {
        let print = fingerprint(found);
        if self.allows(print, durable, progress.started) {
            return Ok(());
        }
        let started = progress.started;
        let last = started.min(self.operations());
        if let Some(at) = self.known.get(&print) {
            return Err(format!(
                "the content is that after operation {at:?}; it must be that after {durable} (durable) to {started} (begun)"
            ));
        }
        // An operation that is there in part shows best beside the state that it comes nearest to.
        let nearest = (durable.min(last)..=last).min_by_key(|k| differences(&self.states[*k], found).len());
        let k = nearest.unwrap_or(last);
        let lines = differences(&self.states[k], found);
        let shown: Vec<&str> = lines.iter().take(8).map(String::as_str).collect();
        Err(format!(
            "the content is that after no operation ({durable} are durable, {started} were begun); beside the state after \
             {k} it differs in {}: {}",
            lines.len(),
            shown.join("; ")
        ))
    }
}

/// What differs, for a person.
pub fn differences(expected: &Content, found: &Content) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, row) in expected {
        match found.get(id) {
            None => lines.push(format!("{id:?} is missing")),
            Some(other) if other.vector != row.vector => lines.push(format!("{id:?} has another vector")),
            Some(other) if other != row => {
                lines.push(format!("{id:?} has the metadata {:?}, not {:?}", other.metadata, row.metadata));
            }
            Some(_) => {}
        }
    }
    lines.extend(found.keys().filter(|id| !expected.contains_key(*id)).map(|id| format!("{id:?} should not be there")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ids: &[&str], number: f32) -> Op {
        Op::Put(ids.iter().map(|id| ((*id).to_owned(), vec![number, -0.0], None)).collect())
    }

    #[test]
    fn only_whole_operations_from_durable_to_started_are_allowed() {
        let mut model = Model::new(Content::new());
        let ops = [put(&["a"], 1.0), put(&["b", "c"], 2.0), Op::Delete(vec!["a".into()])];
        let mut contents = vec![model.last()];
        for op in &ops {
            model.did(op);
            contents.push(model.last());
        }
        let check = |found: &Content, durable, started| {
            model.check(found, durable, Progress { started, acknowledged: durable, durable })
        };
        for (k, content) in contents.iter().enumerate() {
            assert!(check(content, k, k).is_ok() && check(content, 0, 3).is_ok());
            assert!(k == 3 || check(content, k + 1, 3).unwrap_err().contains("it must be"));
            assert!(k == 0 || check(content, 0, k - 1).unwrap_err().contains("it must be"));
        }
        let mut split = (*contents[2]).clone();
        split.remove("c");
        assert!(check(&split, 1, 3).unwrap_err().contains("\"b\" should not be there"));
        assert!(check(&split, 2, 3).unwrap_err().contains("\"c\" is missing"));
        let mut bits = (*contents[2]).clone();
        bits.get_mut("b").unwrap().vector[1] = 0;
        assert!(check(&bits, 1, 3).unwrap_err().contains("another vector"), "0.0 is not -0.0");
    }

    #[test]
    fn what_failed_may_be_there_until_a_later_operation_is_durable() {
        let mut model = Model::new(Content::new());
        model.did(&put(&["a"], 1.0));
        let ghost = model.after(&put(&["b"], 1.0));
        model.failed(&put(&["b"], 1.0));
        model.did(&put(&["c"], 1.0));
        let ghost = fingerprint(&ghost);
        assert!(model.allows(ghost, 1, 2) && model.allows(ghost, 1, 3));
        assert!(!model.allows(ghost, 0, 1) && !model.allows(ghost, 3, 3));
        assert!(model.allows(fingerprint(&model.last()), 3, 3) && model.last().len() == 2);
    }
}
