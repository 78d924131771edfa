//! A file system of a few files in memory: what the readers of files need to read bytes that a fuzzer made.

use ruvector_persistence::env::fs::{Bytes, Fs, FsFile, Lock};
use ruvector_persistence::error::{Error, Result};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

type Content = Arc<Mutex<Vec<u8>>>;

/// The files; all directories are there.
#[derive(Debug, Default)]
pub struct Files(Mutex<BTreeMap<PathBuf, Content>>);

#[derive(Debug)]
struct File(Content);

#[derive(Debug)]
struct NoLock;

impl Lock for NoLock {}

impl Files {
    /// One file.
    pub fn of(path: &Path, bytes: &[u8]) -> Files {
        let files = Files::default();
        files.0.lock().unwrap().insert(path.to_path_buf(), Arc::new(Mutex::new(bytes.to_vec())));
        files
    }

    /// What a file holds.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(path).map(|content| content.lock().unwrap().clone())
    }
}

fn missing(path: &Path) -> Error {
    Error::io(io::ErrorKind::NotFound.into(), "open", path)
}

impl Fs for Files {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let files = self.0.lock().unwrap();
        files.get(path).map(|content| Box::new(File(content.clone())) as _).ok_or_else(|| missing(path))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        let content = self.0.lock().unwrap().entry(path.to_path_buf()).or_default().clone();
        Ok(Box::new(File(content)))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut files = self.0.lock().unwrap();
        let content = files.remove(from).ok_or_else(|| missing(from))?;
        files.insert(to.to_path_buf(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        Ok(self.0.lock().unwrap().remove(path).is_some())
    }

    fn make_directory(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn remove_directory(&self, _path: &Path) -> Result<bool> {
        Ok(true)
    }

    fn list(&self, path: &Path) -> Result<Vec<String>> {
        let files = self.0.lock().unwrap();
        let inside = files.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| name.file_name()).map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn sync_directory(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path, _holder: &str) -> Result<Box<dyn Lock>> {
        Ok(Box::new(NoLock))
    }

    fn free_space(&self, _path: &Path) -> Result<u64> {
        Ok(1 << 40)
    }

    fn now_us(&self) -> u64 {
        1_700_000_000_000_000
    }
}

impl FsFile for File {
    fn length(&self) -> Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let content = self.0.lock().unwrap();
        let found = content.get(offset as usize..).and_then(|rest| rest.get(..buffer.len()));
        let end = || Error::from(io::Error::from(io::ErrorKind::UnexpectedEof));
        found.map(|found| buffer.copy_from_slice(found)).ok_or_else(end)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut content = self.0.lock().unwrap();
        let end = offset as usize + bytes.len();
        let length = content.len().max(end);
        content.resize(length, 0);
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&self, length: u64) -> Result<()> {
        self.0.lock().unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn map(&self) -> Result<Bytes> {
        Ok(Bytes::heap(&self.0.lock().unwrap()))
    }
}
