//! The names of a simulated file system: directories, and what each name in them stands for.
//!
//! There are two of these tables in a state: what processes see, and what is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::sync::Arc;

/// The directory `/`, which always is there.
pub const ROOT: u64 = 0;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A file, by number.
    File(u64),
    /// A directory, by number.
    Directory(u64),
}

type Entries = BTreeMap<Arc<str>, Node>;

/// Directories by number. Cheap to clone: a pointer per directory.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<u64, Arc<Entries>>);

impl Names {
    /// What a name in a directory stands for.
    pub fn get(&self, directory: u64, name: &str) -> Option<Node> {
        self.0.get(&directory)?.get(name).copied()
    }

    /// The entries of a directory, in order.
    pub fn entries(&self, directory: u64) -> impl Iterator<Item = (&Arc<str>, Node)> {
        self.0.get(&directory).into_iter().flat_map(|entries| entries.iter().map(|(name, node)| (name, *node)))
    }

    /// Gives a node that name, whatever had it before.
    pub fn add(&mut self, directory: u64, name: &Arc<str>, node: Node) {
        Arc::make_mut(self.0.entry(directory).or_default()).insert(name.clone(), node);
    }

    /// Takes the name away, if it stands for that node.
    pub fn drop(&mut self, directory: u64, name: &str, node: Node) {
        if self.get(directory, name) == Some(node)
            && let Some(entries) = self.0.get_mut(&directory)
        {
            Arc::make_mut(entries).remove(name);
        }
    }

    /// Whether any name stands for the node.
    pub fn has(&self, node: Node) -> bool {
        self.0.values().any(|entries| entries.values().any(|found| *found == node))
    }

    /// The files that have a name in any directory, whether a path leads there or not.
    pub fn files(&self) -> impl Iterator<Item = u64> {
        self.0.values().flat_map(|entries| entries.values()).filter_map(|node| match node {
            Node::File(file) => Some(*file),
            Node::Directory(_) => None,
        })
    }

    /// Whether a directory holds nothing.
    pub fn is_empty(&self, directory: u64) -> bool {
        self.0.get(&directory).is_none_or(|entries| entries.is_empty())
    }

    /// What a path stands for. Only plain names are understood, from the root on.
    pub fn find(&self, path: &Path) -> Option<Node> {
        let mut node = Node::Directory(ROOT);
        for part in path.components() {
            match (part, node) {
                (Component::RootDir | Component::CurDir, _) => {}
                (Component::Normal(name), Node::Directory(directory)) => {
                    node = self.get(directory, name.to_str()?)?;
                }
                _ => return None,
            }
        }
        Some(node)
    }

    /// Whether the path leads on behind a file.
    pub fn leads_through_file(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| matches!(self.find(above), Some(Node::File(_))))
    }

    /// Every path and what it stands for, parents first. What no path leads to is not there.
    pub fn paths(&self) -> Vec<(String, Node)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([ROOT]);
        let mut waiting = vec![(String::new(), ROOT)];
        while let Some((path, directory)) = waiting.pop() {
            for (name, node) in self.entries(directory) {
                let path = format!("{path}/{name}");
                if let Node::Directory(inner) = node
                    && seen.insert(inner)
                {
                    waiting.push((path.clone(), inner));
                }
                found.push((path, node));
            }
        }
        found
    }

    /// The numbers of all files and directories that a path leads to.
    pub fn reachable(&self) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let (mut files, mut directories) = (BTreeSet::new(), BTreeSet::from([ROOT]));
        let mut waiting = vec![ROOT];
        while let Some(directory) = waiting.pop() {
            for (_, node) in self.entries(directory) {
                match node {
                    Node::File(file) => {
                        files.insert(file);
                    }
                    Node::Directory(inner) => {
                        if directories.insert(inner) {
                            waiting.push(inner);
                        }
                    }
                }
            }
        }
        (files, directories)
    }

    /// Forgets the entries of all other directories.
    pub fn keep_directories(&mut self, kept: &BTreeSet<u64>) {
        self.0.retain(|directory, _| kept.contains(directory));
    }
}
