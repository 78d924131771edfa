//! The calls of the trait on a simulated file system: each is numbered, may fail, changes the state, and is recorded.
//!
//! Errors carry the errno that Linux gives, so that the kinds come out as with a real disk.

use crate::fault::{Call, How, Kind};
use crate::names::Node;
use crate::sim::{Inner, SimFs, refusal};
use ruvector_persistence::env::fs::{Bytes, Fs, FsFile, Lock};
use ruvector_persistence::error::{self, Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

#[derive(Debug)]
struct SimFile {
    fs: SimFs,
    file: u64,
    path: PathBuf,
    writable: bool,
}

#[derive(Debug)]
struct SimLock {
    fs: SimFs,
    file: u64,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.fs.0.lock().unwrap_or_else(PoisonError::into_inner).locks.remove(&self.file);
    }
}

fn call(kind: Kind, path: &Path) -> Call {
    Call { number: 0, kind, path: path.to_path_buf(), to: None, offset: 0, bytes: 0 }
}

/// The directory that a path lies in, and its last name.
fn place(inner: &Inner, what: &str, path: &Path) -> Result<(u64, Arc<str>)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(refusal(libc::EINVAL, what, path));
    };
    match inner.state.names.find(parent) {
        Some(Node::Directory(directory)) => Ok((directory, Arc::from(name))),
        _ => Err(nothing_there(inner, what, path)),
    }
}

/// There is no such path, or it leads through a file.
fn nothing_there(inner: &Inner, what: &str, path: &Path) -> Error {
    let errno = if inner.state.names.leads_through_file(path) { libc::ENOTDIR } else { libc::ENOENT };
    refusal(errno, what, path)
}

/// What is not there is as good as gone, unless a file is in the way.
fn absent<T>(inner: &Inner, what: &str, path: &Path, answer: T) -> Result<T> {
    if inner.state.names.leads_through_file(path) { Err(nothing_there(inner, what, path)) } else { Ok(answer) }
}

fn not_a_file(path: &Path) -> Error {
    Error::new(error::Kind::Path, "not a regular file").in_file(path)
}

impl SimFs {
    fn file(&self, file: u64, path: &Path, writable: bool) -> Box<dyn FsFile> {
        Box::new(SimFile { fs: self.clone(), file, path: path.to_path_buf(), writable })
    }
}

impl Fs for SimFs {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let mut inner = self.inner();
        inner.plain(call(Kind::Open, path), "open")?;
        match inner.state.names.find(path) {
            Some(Node::File(file)) => Ok(self.file(file, path, false)),
            Some(Node::Directory(_)) => Err(not_a_file(path)),
            None => Err(nothing_there(&inner, "open", path)),
        }
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let mut inner = self.inner();
        let (call, _) = inner.plain(call(Kind::Create, path), "create")?;
        let (directory, name) = place(&inner, "create", path)?;
        if inner.state.names.get(directory, &name).is_some() {
            return Err(refusal(libc::EEXIST, "create", path));
        }
        if inner.free == 0 {
            return Err(refusal(libc::ENOSPC, "create", path));
        }
        let file = inner.state.create(call.number, directory, &name);
        inner.changed(&call);
        Ok(self.file(file, path, true))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut inner = self.inner();
        let mut call = call(Kind::Rename, from);
        call.to = Some(to.to_path_buf());
        let (call, how) = inner.begin(call);
        if let Some(How::Errno(errno)) = how {
            return Err(refusal(errno, "replace", to));
        }
        let (old, new) = (place(&inner, "replace", from)?, place(&inner, "replace", to)?);
        let replaced = inner.state.names.get(new.0, &new.1);
        let refused = match (inner.state.names.get(old.0, &old.1), replaced) {
            (None, _) => Some(libc::ENOENT),
            _ if from != to && to.starts_with(from) => Some(libc::EINVAL),
            _ if from != to && from.starts_with(to) => Some(libc::ENOTEMPTY),
            (Some(node), Some(other)) if node == other => return Ok(()),
            (Some(Node::File(_)), Some(Node::Directory(_))) => Some(libc::EISDIR),
            (Some(Node::Directory(_)), Some(Node::File(_))) => Some(libc::ENOTDIR),
            (_, Some(Node::Directory(inside))) if !inner.state.names.is_empty(inside) => Some(libc::ENOTEMPTY),
            _ => None,
        };
        if let Some(errno) = refused {
            return Err(refusal(errno, "replace", to));
        }
        if let Some(node) = inner.state.names.get(old.0, &old.1) {
            inner.state.rename(call.number, (old.0, &old.1), (new.0, &new.1), node);
        }
        inner.give_back(replaced);
        inner.changed(&call);
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let mut inner = self.inner();
        let mut call = call(Kind::Link, from);
        call.to = Some(to.to_path_buf());
        let (call, _) = inner.plain(call, "link")?;
        let (directory, name) = place(&inner, "link", to)?;
        let node = match inner.state.names.find(from) {
            Some(node @ Node::File(_)) => node,
            Some(Node::Directory(_)) => return Err(refusal(libc::EPERM, "link", to)),
            None => return Err(nothing_there(&inner, "link", from)),
        };
        if inner.state.names.get(directory, &name).is_some() {
            return Err(refusal(libc::EEXIST, "link", to));
        }
        inner.state.add(call.number, directory, &name, node);
        inner.changed(&call);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        let mut inner = self.inner();
        let (call, _) = inner.plain(call(Kind::Remove, path), "remove")?;
        match inner.state.names.find(path) {
            None => return absent(&inner, "remove", path, false),
            Some(Node::Directory(_)) => return Err(refusal(libc::EISDIR, "remove", path)),
            Some(node @ Node::File(_)) => {
                let (directory, name) = place(&inner, "remove", path)?;
                inner.state.remove(call.number, directory, &name, node, false);
                inner.give_back(Some(node));
            }
        }
        inner.changed(&call);
        Ok(true)
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        let mut inner = self.inner();
        let (call, _) = inner.plain(call(Kind::MakeDirectory, path), "create")?;
        match inner.state.names.find(path) {
            Some(Node::Directory(_)) => return Ok(()),
            Some(Node::File(_)) => return Err(refusal(libc::EEXIST, "create", path)),
            None => {}
        }
        let (directory, name) = place(&inner, "create", path)?;
        if inner.free == 0 {
            return Err(refusal(libc::ENOSPC, "create", path));
        }
        inner.state.make_directory(call.number, directory, &name);
        inner.changed(&call);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        let mut inner = self.inner();
        let (call, _) = inner.plain(call(Kind::RemoveDirectory, path), "remove")?;
        match inner.state.names.find(path) {
            None => return absent(&inner, "remove", path, false),
            Some(Node::File(_)) => return Err(refusal(libc::ENOTDIR, "remove", path)),
            Some(Node::Directory(inside)) if !inner.state.names.is_empty(inside) => {
                return Err(refusal(libc::ENOTEMPTY, "remove", path));
            }
            Some(node @ Node::Directory(_)) => {
                let (directory, name) = place(&inner, "remove", path)?;
                inner.state.remove(call.number, directory, &name, node, false);
            }
        }
        inner.changed(&call);
        Ok(true)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let mut inner = self.inner();
        inner.plain(call(Kind::List, path), "list")?;
        match inner.state.names.find(path) {
            None => absent(&inner, "list", path, Vec::new()),
            Some(Node::File(_)) => Err(refusal(libc::ENOTDIR, "list", path)),
            Some(Node::Directory(inside)) => {
                Ok(inner.state.names.entries(inside).map(|(name, _)| name.to_string()).collect())
            }
        }
    }

    fn sync_directory(&self, path: &Path) -> Result<()> {
        let mut inner = self.inner();
        let (call, how) = inner.begin(call(Kind::SyncDirectory, path));
        let directory = match inner.state.names.find(path) {
            Some(Node::Directory(directory)) => directory,
            // The directory is opened for reading, and so may a file be: its sync is one of the file.
            Some(Node::File(_)) => return Err(refusal(libc::ENOTDIR, "sync", path)),
            None => return Err(nothing_there(&inner, "open", path)),
        };
        match how {
            // Names live in the journal: what it could not commit, it commits later, or nothing at all any more.
            Some(How::Errno(errno)) => Err(refusal(errno, "sync", path)),
            Some(How::Lost(errno)) => {
                inner.state.lose_names(directory);
                inner.changed(&call);
                Err(refusal(errno, "sync", path))
            }
            _ => {
                inner.state.sync_directory(directory);
                inner.changed(&call);
                Ok(())
            }
        }
    }

    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        let mut inner = self.inner();
        let (call, _) = inner.plain(call(Kind::Lock, path), "lock")?;
        let (directory, name) = place(&inner, "open", path)?;
        let file = match inner.state.names.get(directory, &name) {
            Some(Node::File(file)) => file,
            Some(Node::Directory(_)) => return Err(not_a_file(path)),
            None if inner.free == 0 => return Err(refusal(libc::ENOSPC, "open", path)),
            None => {
                let file = inner.state.create(call.number, directory, &name);
                inner.changed(&call);
                file
            }
        };
        if !inner.locks.insert(file) {
            let text = inner.state.bytes(path).unwrap_or_default();
            let message = format!("the store is open for writing by {}", String::from_utf8_lossy(&text));
            return Err(Error::new(error::Kind::Locked, message).in_file(path));
        }
        inner.state.write_message(file, holder.as_bytes());
        Ok(Box::new(SimLock { fs: self.clone(), file }))
    }

    fn free_space(&self, path: &Path) -> Result<u64> {
        let mut inner = self.inner();
        inner.plain(call(Kind::FreeSpace, path), "ask the free space of")?;
        Ok(inner.free)
    }

    fn now_us(&self) -> u64 {
        self.inner().clock_us
    }
}

impl SimFile {
    fn call(&self, kind: Kind, offset: u64, bytes: usize) -> Call {
        Call { offset, bytes: bytes as u64, ..call(kind, &self.path) }
    }
}

impl FsFile for SimFile {
    fn length(&self) -> Result<u64> {
        let mut inner = self.fs.inner();
        inner.plain(self.call(Kind::Length, 0, 0), "look at")?;
        Ok(inner.state.file(self.file).map_or(0, |file| file.volatile.length()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut inner = self.fs.inner();
        let (_, how) = inner.plain(self.call(Kind::Read, offset, buffer.len()), "read")?;
        if !inner.state.file(self.file).is_some_and(|file| file.volatile.read(buffer, offset)) {
            return Err(Error::io(io::ErrorKind::UnexpectedEof.into(), "read", &self.path));
        }
        inner.spoil(how, self.file, offset, buffer);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut inner = self.fs.inner();
        let (call, how) = inner.begin(self.call(Kind::Write, offset, bytes.len()));
        if !self.writable {
            return Err(refusal(libc::EBADF, "write", &self.path));
        }
        match how {
            Some(How::Errno(errno)) => Err(refusal(errno, "write", &self.path)),
            Some(How::Torn(errno)) => {
                inner.land(&call, self.file, &bytes[..bytes.len() / 2])?;
                Err(refusal(errno, "write", &self.path))
            }
            _ => inner.land(&call, self.file, bytes),
        }
    }

    fn truncate(&self, length: u64) -> Result<()> {
        let mut inner = self.fs.inner();
        let (call, _) = inner.plain(self.call(Kind::Truncate, length, 0), "truncate")?;
        if !self.writable {
            return Err(refusal(libc::EINVAL, "truncate", &self.path));
        }
        let before = inner.state.file(self.file).map_or(0, |file| file.volatile.length());
        inner.state.truncate(call.number, self.file, length);
        inner.free += before.saturating_sub(length);
        inner.changed(&call);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut inner = self.fs.inner();
        let (call, how) = inner.begin(self.call(Kind::Sync, 0, 0));
        if let Some(How::Errno(errno)) = how {
            inner.state.fail_sync(self.file);
            inner.changed(&call);
            return Err(refusal(errno, "sync", &self.path));
        }
        inner.state.sync(self.file);
        inner.changed(&call);
        Ok(())
    }

    fn map(&self) -> Result<Bytes> {
        let mut inner = self.fs.inner();
        let (_, how) = inner.plain(self.call(Kind::Map, 0, 0), "map")?;
        let mut bytes = inner.state.file(self.file).map(|file| file.volatile.to_vec()).unwrap_or_default();
        inner.spoil(how, self.file, 0, &mut bytes);
        Ok(Bytes::heap(&bytes))
    }
}
