//! What a simulated disk and its page cache hold at one moment, and how calls change that.
//!
//! A file has durable bytes and the bytes that processes see; the names have both too. Between them lies one list of
//! pending atoms in the order of the calls: the smallest changes that reach a disk by themselves. A sync moves the atoms
//! of its file (of its directory) to the durable side; a failed one marks them as lost: no later sync moves them, and
//! they may have reached the disk or not. Which atoms survive a power cut is for `image.rs` to choose.
//!
//! A sector's atom holds the whole sector as the page cache had it after that write, because that is what a disk is given:
//! a later write to the same sector carries the earlier one with it.
//!
//! Clones are cheap: everything large is shared.

use crate::content::{Content, PAGE, SECTOR, Sector};
use crate::names::{Names, Node, ROOT};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Contents of removed files that are remembered as what a recycled sector may hold.
const REMOVED_MAX: usize = 8;

/// The smallest change that reaches the disk or does not.
#[derive(Debug, Clone)]
pub enum Atom {
    /// A sector as it was after a write.
    Sector { file: u64, index: u64, bytes: Sector },
    /// The file is at least that long. An extension is as many of these as it crosses sectors.
    Length { file: u64, to: u64 },
    /// The first half of a truncation: the tail of its last block is cleared, the length is as before.
    Zero { file: u64, from: u64, to: u64 },
    /// A truncation: the file is at most that long.
    Cut { file: u64, to: u64 },
    /// A name appears, or stands for something else now.
    Add { directory: u64, name: Arc<str>, node: Node },
    /// A name goes: a removal, or the old name of a rename.
    Drop { directory: u64, name: Arc<str>, node: Node, renamed: bool },
}

impl Atom {
    /// The file whose bytes or length it changes.
    pub fn file(&self) -> Option<u64> {
        match self {
            Atom::Sector { file, .. }
            | Atom::Length { file, .. }
            | Atom::Zero { file, .. }
            | Atom::Cut { file, .. } => Some(*file),
            Atom::Add { .. } | Atom::Drop { .. } => None,
        }
    }

    /// The name it changes.
    pub fn name(&self) -> Option<(u64, &Arc<str>)> {
        match self {
            Atom::Add { directory, name, .. } | Atom::Drop { directory, name, .. } => Some((*directory, name)),
            _ => None,
        }
    }
}

/// An atom that is not known to be durable.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Number of the call that made it.
    pub call: u64,
    /// A sync of it failed: no later one makes it durable.
    pub lost: bool,
    /// A later sync of some directory has committed it on a file system whose journal keeps one order.
    pub journaled: bool,
    /// The change.
    pub atom: Atom,
}

/// A file.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// What a power cut leaves whatever happens.
    pub durable: Arc<Content>,
    /// What processes see.
    pub volatile: Arc<Content>,
}

/// Files, names and what is pending.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) files: Arc<BTreeMap<u64, File>>,
    pub(crate) names: Arc<Names>,
    pub(crate) durable_names: Arc<Names>,
    pub(crate) pending: Arc<Vec<Pending>>,
    pub(crate) removed: Arc<Vec<Arc<Content>>>,
    pub(crate) next: u64,
}

impl Default for State {
    fn default() -> State {
        let empty = || Arc::new(Names::default());
        State {
            files: Arc::default(),
            names: empty(),
            durable_names: empty(),
            pending: Arc::default(),
            removed: Arc::default(),
            next: ROOT + 1,
        }
    }
}

/// A file's content while atoms are applied to it: the length is settled at the end.
#[derive(Debug)]
pub struct Draft {
    content: Content,
    length: u64,
    before: u64,
    written: BTreeSet<u64>,
    missed: BTreeSet<u64>,
}

impl Draft {
    /// Begins with the durable bytes.
    pub fn new(content: &Content) -> Draft {
        let length = content.length();
        Draft { content: content.clone(), length, before: length, written: BTreeSet::new(), missed: BTreeSet::new() }
    }

    /// One more atom of the file.
    pub fn apply(&mut self, atom: &Atom) {
        match atom {
            Atom::Sector { index, bytes, .. } => {
                self.content.put_sector(*index, bytes.bytes());
                self.written.insert(*index);
            }
            Atom::Length { to, .. } => self.length = self.length.max(*to),
            Atom::Zero { from, to, .. } => self.content.zero(*from, *to),
            Atom::Cut { to, .. } => {
                self.length = self.length.min(*to);
                self.content.zero(*to, u64::MAX);
            }
            Atom::Add { .. } | Atom::Drop { .. } => {}
        }
    }

    /// Notes a sector whose write did not reach the disk.
    pub fn miss(&mut self, index: u64) {
        self.missed.insert(index);
    }

    /// Fills what the file has grown by, where its data did not arrive, with what `garbage` gives for a sector.
    pub fn fill(&mut self, mut garbage: impl FnMut(u64) -> [u8; SECTOR as usize]) {
        for index in self.missed.difference(&self.written) {
            if index * SECTOR >= self.before && index * SECTOR < self.length {
                self.content.put_sector(*index, &garbage(*index));
            }
        }
    }

    /// The content as it is found.
    pub fn finish(mut self) -> Content {
        self.content.set_length(self.length);
        self.content
    }
}

impl State {
    /// A file that a process has open or that a name stands for.
    pub fn file(&self, file: u64) -> Option<&File> {
        self.files.get(&file)
    }

    fn push(&mut self, call: u64, atom: Atom) {
        Arc::make_mut(&mut self.pending).push(Pending { call, lost: false, journaled: false, atom });
    }

    fn change(&mut self, file: u64, by: impl FnOnce(&mut Content)) {
        if let Some(found) = Arc::make_mut(&mut self.files).get_mut(&file) {
            by(Arc::make_mut(&mut found.volatile));
        }
    }

    /// A new file with a name.
    pub fn create(&mut self, call: u64, directory: u64, name: &Arc<str>) -> u64 {
        let file = self.number();
        Arc::make_mut(&mut self.files).insert(file, File::default());
        self.add(call, directory, name, Node::File(file));
        file
    }

    /// A new directory with a name.
    pub fn make_directory(&mut self, call: u64, directory: u64, name: &Arc<str>) {
        let made = self.number();
        self.add(call, directory, name, Node::Directory(made));
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Gives a node a name.
    pub fn add(&mut self, call: u64, directory: u64, name: &Arc<str>, node: Node) {
        let old = self.names.get(directory, name);
        Arc::make_mut(&mut self.names).add(directory, name, node);
        self.push(call, Atom::Add { directory, name: name.clone(), node });
        self.remember(old);
    }

    /// Removes a name.
    pub fn remove(&mut self, call: u64, directory: u64, name: &Arc<str>, node: Node, renamed: bool) {
        Arc::make_mut(&mut self.names).drop(directory, name, node);
        self.push(call, Atom::Drop { directory, name: name.clone(), node, renamed });
        if !renamed {
            self.remember(Some(node));
        }
    }

    /// Gives a node another name.
    pub fn rename(&mut self, call: u64, from: (u64, &Arc<str>), to: (u64, &Arc<str>), node: Node) {
        self.add(call, to.0, to.1, node);
        self.remove(call, from.0, from.1, node, true);
    }

    /// Keeps what a file held whose last name went: its sectors are free, and whoever gets them may find it there.
    fn remember(&mut self, node: Option<Node>) {
        let Some(Node::File(file)) = node else { return };
        let Some(found) = self.files.get(&file).filter(|found| found.durable.length() > 0) else { return };
        if !self.names.has(Node::File(file)) {
            let content = found.durable.clone();
            let removed = Arc::make_mut(&mut self.removed);
            removed.push(content);
            if removed.len() > REMOVED_MAX {
                removed.remove(0);
            }
        }
    }

    /// Writes at an offset.
    pub fn write(&mut self, call: u64, file: u64, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let before = self.files.get(&file).map_or(0, |found| found.volatile.length());
        self.change(file, |content| content.write(bytes, offset));
        let Some(after) = self.files.get(&file).map(|found| found.volatile.clone()) else { return };
        let end = offset + bytes.len() as u64;
        let pending = Arc::make_mut(&mut self.pending);
        let mut push = |atom| pending.push(Pending { call, lost: false, journaled: false, atom });
        if offset > before {
            push(Atom::Length { file, to: offset });
        }
        for index in offset / SECTOR..end.div_ceil(SECTOR) {
            push(Atom::Sector { file, index, bytes: after.sector(index) });
            let to = end.min((index + 1) * SECTOR);
            if to > before {
                push(Atom::Length { file, to });
            }
        }
    }

    /// Makes a file shorter, or longer with zeros.
    pub fn truncate(&mut self, call: u64, file: u64, to: u64) {
        let before = self.files.get(&file).map_or(0, |found| found.volatile.length());
        self.change(file, |content| content.set_length(to));
        if to < before {
            let block_end = to.next_multiple_of(PAGE).min(before);
            if block_end > to {
                self.push(call, Atom::Zero { file, from: to, to: block_end });
            }
            self.push(call, Atom::Cut { file, to });
        } else if to > before {
            self.push(call, Atom::Length { file, to });
        }
    }

    /// Bytes for which no atom is kept: what a lock file holds is a message for a person.
    pub fn write_message(&mut self, file: u64, bytes: &[u8]) {
        let content = Arc::new(Content::of(bytes));
        if let Some(found) = Arc::make_mut(&mut self.files).get_mut(&file) {
            *found = File { durable: content.clone(), volatile: content };
        }
    }

    /// Content and length of a file become durable, but for what was lost.
    pub fn sync(&mut self, file: u64) {
        if !self.pending.iter().any(|pending| pending.atom.file() == Some(file)) {
            return;
        }
        let pending = Arc::make_mut(&mut self.pending);
        let mine = |pending: &Pending| pending.atom.file() == Some(file);
        let Some(found) = Arc::make_mut(&mut self.files).get_mut(&file) else { return };
        if !pending.iter().any(|pending| mine(pending) && pending.lost) {
            found.durable = found.volatile.clone();
            pending.retain(|pending| !mine(pending));
            return;
        }
        let mut draft = Draft::new(&found.durable);
        let (mut sectors, mut resized) = (BTreeSet::new(), false);
        for synced in pending.iter().filter(|pending| mine(pending) && !pending.lost) {
            draft.apply(&synced.atom);
            match &synced.atom {
                Atom::Sector { index, .. } => {
                    sectors.insert(*index);
                }
                _ => resized = true,
            }
        }
        found.durable = Arc::new(draft.finish());
        // A lost atom stays possible until something newer in its place is durable.
        pending.retain(|pending| match &pending.atom {
            _ if !mine(pending) => true,
            _ if !pending.lost => false,
            Atom::Sector { index, .. } => !sectors.contains(index),
            _ => !resized,
        });
    }

    /// A sync that failed: the page cache takes the bytes for clean from now on, and the disk may have them or not.
    pub fn fail_sync(&mut self, file: u64) {
        for pending in Arc::make_mut(&mut self.pending).iter_mut().filter(|p| p.atom.file() == Some(file)) {
            pending.lost = true;
        }
    }

    /// The names in a directory become durable, but for what was lost.
    pub fn sync_directory(&mut self, directory: u64) {
        let pending = Arc::make_mut(&mut self.pending);
        let names = Arc::make_mut(&mut self.durable_names);
        let mine = |pending: &Pending| pending.atom.name().is_some_and(|(found, _)| found == directory);
        let mut synced = BTreeSet::new();
        for pending in pending.iter().filter(|pending| mine(pending) && !pending.lost) {
            match &pending.atom {
                Atom::Add { directory, name, node } => names.add(*directory, name, *node),
                Atom::Drop { directory, name, node, .. } => names.drop(*directory, name, *node),
                _ => {}
            }
            synced.extend(pending.atom.name().map(|(_, name)| name.clone()));
        }
        pending.retain(|pending| match pending.atom.name() {
            Some((_, name)) if mine(pending) => pending.lost && !synced.contains(name),
            _ => true,
        });
        for pending in pending.iter_mut().filter(|pending| pending.atom.name().is_some() && !pending.lost) {
            pending.journaled = true;
        }
        self.forget_nameless();
    }

    /// Drops the atoms of files that no name stands for or can stand for after a crash.
    fn forget_nameless(&mut self) {
        let mut named: BTreeSet<u64> = self.names.files().chain(self.durable_names.files()).collect();
        named.extend(self.pending.iter().filter_map(|pending| match pending.atom {
            Atom::Add { node: Node::File(file), .. } => Some(file),
            _ => None,
        }));
        let stays = |pending: &Pending| pending.atom.file().is_none_or(|file| named.contains(&file));
        if !self.pending.iter().all(stays) {
            Arc::make_mut(&mut self.pending).retain(stays);
        }
    }

    /// A failed sync of a directory whose names are lost as the bytes of a file are: no later sync makes them durable.
    pub fn lose_names(&mut self, directory: u64) {
        let mine = |pending: &&mut Pending| pending.atom.name().is_some_and(|(found, _)| found == directory);
        for pending in Arc::make_mut(&mut self.pending).iter_mut().filter(mine) {
            pending.lost = true;
        }
    }

    /// Content that processes see at a path.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        match self.names.find(path)? {
            Node::File(file) => Some(self.files.get(&file)?.volatile.to_vec()),
            Node::Directory(_) => None,
        }
    }

    /// Content at a path that every power cut leaves.
    pub fn durable_bytes(&self, path: &Path) -> Option<Vec<u8>> {
        match self.durable_names.find(path)? {
            Node::File(file) => Some(self.files.get(&file)?.durable.to_vec()),
            Node::Directory(_) => None,
        }
    }

    /// Puts a file on the disk behind everybody's back, durable: damage, or a file of a test. `false` when a directory
    /// of the path is missing.
    pub fn put_at_rest(&mut self, path: &Path, bytes: &[u8]) -> bool {
        let content = Arc::new(Content::of(bytes));
        let fresh = File { durable: content.clone(), volatile: content };
        if let Some(Node::File(file)) = self.names.find(path) {
            Arc::make_mut(&mut self.files).insert(file, fresh);
            Arc::make_mut(&mut self.pending).retain(|pending| pending.atom.file() != Some(file));
            return true;
        }
        let parent = path.parent().and_then(|parent| self.names.find(parent));
        let (Some(Node::Directory(directory)), Some(name)) = (parent, path.file_name().and_then(|n| n.to_str())) else {
            return false;
        };
        let (file, name) = (self.number(), Arc::from(name));
        Arc::make_mut(&mut self.files).insert(file, fresh);
        Arc::make_mut(&mut self.names).add(directory, &name, Node::File(file));
        Arc::make_mut(&mut self.durable_names).add(directory, &name, Node::File(file));
        true
    }

    /// Makes everything durable, as a clean unmount does.
    pub fn settle(&mut self) {
        self.pending = Arc::default();
        self.durable_names = self.names.clone();
        for file in Arc::make_mut(&mut self.files).values_mut() {
            file.durable = file.volatile.clone();
        }
    }
}
