//! A file system in memory for the tests of interleavings: every call is a point where another thread may go on.
//!
//! A file has what processes see and what a power cut would leave of it; only a sync makes the second the first. Names are
//! durable at once: what a crash may leave of them is the matter of `tests/crash`, what threads may do to each other is
//! the matter here. One fault can be set, and one bug planted.

use ruvector_persistence::env::fs::{Bytes, Fs, FsFile, Lock};
use ruvector_persistence::error::{Error, Kind, Result};
use shuttle::sync::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A lie that the file system tells of log files; the store above it then breaks its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bug {
    #[default]
    None,
    /// A sync does the work of the sync before it: what was written last is acknowledged and not durable.
    LateSync,
    /// A sync that failed is reported as done.
    HiddenFailure,
    /// A write that was refused is reported as done.
    HiddenRefusal,
    /// A manifest gets its name only when the next file is made: files that it does not name go before it is there.
    EarlyRemoval,
}

/// Calls on log files that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Create,
    /// The sync of a file that holds no record yet: nothing is lost with it.
    FirstSync,
    Write,
    Sync,
}

/// Bytes of a log file before its first record.
const HEAD_BYTES: usize = ruvector_persistence::wal::FRAMES_START;

/// The call after `skip` others of its kind fails, once, with that errno.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    pub call: Call,
    pub skip: u64,
    pub errno: i32,
}

#[derive(Debug, Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// What the sync before the last saw, for [`Bug::LateSync`].
    late: Vec<u8>,
    /// A sync failed: the page cache believes to be clean, and no later sync makes these bytes durable.
    lost: bool,
}

#[derive(Debug, Clone)]
enum Node {
    Directory,
    File(u64),
}

#[derive(Default)]
struct Inner {
    names: BTreeMap<PathBuf, Node>,
    files: BTreeMap<u64, Content>,
    next: u64,
    clock_us: u64,
    fault: Option<Fault>,
    bug: Bug,
    /// A rename that was put off, for [`Bug::EarlyRemoval`].
    put_off: Option<(PathBuf, PathBuf)>,
}

/// See the head of this file.
#[derive(Clone)]
pub struct Memory(Arc<Mutex<Inner>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

#[derive(Debug)]
struct MemoryFile {
    fs: Memory,
    file: u64,
    path: PathBuf,
}

#[derive(Debug)]
struct Held;

impl Lock for Held {}

pub const BASE: &str = "/db";

fn refused(errno: i32, what: &str, path: &Path) -> Error {
    Error::io(io::Error::from_raw_os_error(errno), what, path)
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wal")
}

impl Inner {
    fn find(&self, path: &Path, what: &str) -> Result<u64> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Directory) => Err(Error::new(Kind::Path, "not a regular file").in_file(path)),
            None => Err(refused(libc::ENOENT, what, path)),
        }
    }

    fn content(&mut self, file: u64) -> &mut Content {
        self.files.entry(file).or_default()
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let node = self.names.remove(from).ok_or_else(|| refused(libc::ENOENT, "replace", to))?;
        self.names.insert(to.to_path_buf(), node);
        Ok(())
    }

    /// Does the rename that was put off.
    fn catch_up(&mut self) -> Result<()> {
        self.put_off.take().map_or(Ok(()), |(from, to)| self.rename(&from, &to))
    }

    /// The errno that befalls this call.
    fn strike(&mut self, call: Call, path: &Path) -> Option<i32> {
        let fault = self.fault.as_mut().filter(|fault| is_log(path) && fault.call == call)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        self.fault.take().map(|fault| fault.errno)
    }
}

impl Memory {
    pub fn new(bug: Bug) -> Memory {
        let mut inner = Inner { bug, ..Inner::default() };
        inner.names.insert(PathBuf::from(BASE), Node::Directory);
        Memory(Arc::new(Mutex::new(inner)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn fail(&self, fault: Fault) {
        self.inner().fault = Some(fault);
    }

    /// Whether the fault has struck; it will not any more.
    pub fn end_fault(&self) -> bool {
        self.inner().fault.take().is_none()
    }

    fn image(&self, left: impl Fn(&Content) -> Vec<u8>) -> Memory {
        let mut inner = self.inner();
        inner.catch_up().unwrap();
        let files = inner.files.iter().map(|(file, content)| {
            let bytes = left(content);
            (*file, Content { now: bytes.clone(), durable: bytes, ..Content::default() })
        });
        let image = Inner {
            names: inner.names.clone(),
            files: files.collect(),
            next: inner.next,
            clock_us: inner.clock_us,
            ..Inner::default()
        };
        Memory(Arc::new(Mutex::new(image)))
    }

    /// What the next process finds after a power cut now.
    pub fn power_cut(&self) -> Memory {
        self.image(|content| content.durable.clone())
    }

    /// What the next process finds when this one is killed now.
    pub fn kill(&self) -> Memory {
        self.image(|content| content.now.clone())
    }

    /// Whether a log file holds these bytes so that a power cut would leave them.
    pub fn is_durable(&self, text: &str) -> bool {
        let inner = self.inner();
        let logs = inner.names.iter().filter(|(path, _)| is_log(path)).filter_map(|(_, node)| match node {
            Node::File(file) => inner.files.get(file),
            Node::Directory => None,
        });
        logs.into_iter().any(|log| log.durable.windows(text.len()).any(|found| found == text.as_bytes()))
    }
}

impl Fs for Memory {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let file = self.inner().find(path, "open")?;
        Ok(Box::new(MemoryFile { fs: self.clone(), file, path: path.to_path_buf() }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let mut inner = self.inner();
        inner.catch_up()?;
        if let Some(errno) = inner.strike(Call::Create, path) {
            return Err(refused(errno, "create", path));
        }
        if inner.names.contains_key(path) {
            return Err(refused(libc::EEXIST, "create", path));
        }
        inner.next += 1;
        let file = inner.next;
        inner.names.insert(path.to_path_buf(), Node::File(file));
        inner.files.insert(file, Content::default());
        Ok(Box::new(MemoryFile { fs: self.clone(), file, path: path.to_path_buf() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut inner = self.inner();
        if inner.bug == Bug::EarlyRemoval && inner.names.contains_key(to) {
            inner.put_off = Some((from.to_path_buf(), to.to_path_buf()));
            return Ok(());
        }
        inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        let mut inner = self.inner();
        if path.ends_with("MANIFEST.tmp") {
            inner.catch_up()?;
        }
        // Whoever has the file open goes on with it.
        Ok(inner.names.remove(path).is_some())
    }

    fn make_directory(&self, path: &Path) -> Result<()> {
        self.inner().names.insert(path.to_path_buf(), Node::Directory);
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> Result<bool> {
        Ok(self.inner().names.remove(path).is_some())
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let inner = self.inner();
        let inside = inner.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| name.file_name()).map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn sync_directory(&self, _path: &Path) -> Result<()> {
        drop(self.inner());
        Ok(())
    }

    fn lock(&self, _path: &Path, _holder: &str) -> Result<Box<dyn Lock>> {
        Ok(Box::new(Held))
    }

    fn free_space(&self, _path: &Path) -> Result<u64> {
        Ok(1 << 40)
    }

    fn now_us(&self) -> u64 {
        let mut inner = self.inner();
        inner.clock_us += 1;
        inner.clock_us
    }
}

impl FsFile for MemoryFile {
    fn length(&self) -> Result<u64> {
        Ok(self.fs.inner().content(self.file).now.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut inner = self.fs.inner();
        let found = inner.content(self.file).now.get(offset as usize..offset as usize + buffer.len());
        let found = found.ok_or_else(|| Error::io(io::ErrorKind::UnexpectedEof.into(), "read", &self.path))?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut inner = self.fs.inner();
        if let Some(errno) = inner.strike(Call::Write, &self.path) {
            let hidden = inner.bug == Bug::HiddenRefusal;
            return if hidden { Ok(()) } else { Err(refused(errno, "write", &self.path)) };
        }
        let now = &mut inner.content(self.file).now;
        let end = offset as usize + bytes.len();
        now.resize(now.len().max(end), 0);
        now[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.fs.inner().content(self.file).now.truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut inner = self.fs.inner();
        let has_records = inner.content(self.file).now.len() > HEAD_BYTES;
        let call = if has_records { Call::Sync } else { Call::FirstSync };
        let (struck, bug) = (inner.strike(call, &self.path), inner.bug);
        let late = bug == Bug::LateSync && is_log(&self.path);
        let content = inner.content(self.file);
        if let Some(errno) = struck {
            content.lost = true;
            return if bug == Bug::HiddenFailure { Ok(()) } else { Err(refused(errno, "sync", &self.path)) };
        }
        if late {
            content.durable = std::mem::replace(&mut content.late, content.now.clone());
        } else if !content.lost {
            content.durable = content.now.clone();
        }
        Ok(())
    }

    fn map(&self) -> Result<Bytes> {
        Ok(Bytes::heap(&self.fs.inner().content(self.file).now))
    }
}
