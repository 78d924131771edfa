//! A disk that refuses: every call fails once, and whatever was begun is gone or whole.

use super::*;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::{Bytes, FsFile, Lock};
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::segment::DeadRows;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The real file system, one of whose calls fails; and one sector of which cannot be read.
#[derive(Debug, Clone)]
struct Faulty {
    /// Calls until the one that fails; below zero no call does.
    left: Arc<AtomicI64>,
    bad_offset: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FaultyFile(Box<dyn FsFile>, Faulty);

impl Faulty {
    fn new(left: i64) -> Faulty {
        Faulty { left: Arc::new(AtomicI64::new(left)), bad_offset: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn call(&self, what: &str) -> Result<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => Err(Error::io(io::Error::from_raw_os_error(libc::ENOSPC), what, Path::new("faulty"))),
            _ => Ok(()),
        }
    }

    fn failed(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }
}

impl Fs for Faulty {
    fn open(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        self.call("open")?;
        Ok(Box::new(FaultyFile(Disk.open(path)?, self.clone())))
    }
    fn create(&self, path: &Path) -> Result<Box<dyn FsFile>> {
        self.call("create")?;
        Ok(Box::new(FaultyFile(Disk.create(path)?, self.clone())))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<bool> {
        Disk.remove(path)
    }
    fn make_directory(&self, path: &Path) -> Result<()> {
        Disk.make_directory(path)
    }
    fn remove_directory(&self, path: &Path) -> Result<bool> {
        Disk.remove_directory(path)
    }
    fn list(&self, path: &Path) -> Result<Vec<String>> {
        Disk.list(path)
    }
    fn sync_directory(&self, path: &Path) -> Result<()> {
        Disk.sync_directory(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> Result<Box<dyn Lock>> {
        Disk.lock(path, holder)
    }
    fn free_space(&self, path: &Path) -> Result<u64> {
        Disk.free_space(path)
    }
    fn now_us(&self) -> u64 {
        Disk.now_us()
    }
}

impl FsFile for FaultyFile {
    fn length(&self) -> Result<u64> {
        self.1.call("look at")?;
        self.0.length()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.1.call("read")?;
        if (offset..offset + buffer.len() as u64).contains(&self.1.bad_offset.load(Ordering::SeqCst)) {
            return Err(Error::io(io::Error::from_raw_os_error(libc::EIO), "read", Path::new("faulty")));
        }
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.1.call("write")?;
        self.0.write_at(bytes, offset)
    }
    fn truncate(&self, length: u64) -> Result<()> {
        self.0.truncate(length)
    }
    fn sync(&self) -> Result<()> {
        self.1.call("sync")?;
        self.0.sync()
    }
    fn map(&self) -> Result<Bytes> {
        self.1.call("map")?;
        self.0.map()
    }
}

#[test]
fn a_refused_call_leaves_no_file_and_keeps_its_kind() {
    // Enough metadata that it goes through a file of its own.
    let mut kept = rows(40, 3);
    kept.iter_mut().for_each(|row| row.metadata = Some(format!(r#"{{"a":"{}"}}"#, "z".repeat(1 << 19))));
    let mut calls = 0;
    let mut last = String::new();
    loop {
        let directory = tempfile::tempdir().unwrap();
        let fs = Faulty::new(calls);
        let built = build_on(Arc::new(fs.clone()), &directory.path().join("5.seg"), &kept, 3);
        let names = Disk.list(directory.path()).unwrap();
        if !fs.failed() {
            assert_eq!((built.unwrap().rows, names), (40, vec!["5.seg".to_owned()]));
            break;
        }
        let error = built.unwrap_err();
        assert_eq!(error.kind, Kind::NoSpace, "call {calls}");
        last = error.message;
        assert!(names.is_empty(), "call {calls}: {names:?}");
        calls += 1;
    }
    assert!(calls > 20 && last.contains("cannot sync"), "{calls} calls, the last: {last}");
}

#[test]
fn after_a_failure_the_builder_takes_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let fs = Faulty::new(1);
    let mut builder = Builder::create(Arc::new(fs), &directory.path().join("5.seg"), header(5), 65_536, None).unwrap();
    let vector = vec![1.0; 65_536];
    let ids: Vec<String> = (0..10).map(|id| id.to_string()).collect();
    let mut pushed = ids.iter().map(|id| builder.push(Row { id, vector: &vector, metadata: None, lsn: 1 }));
    let kinds: Vec<Option<Kind>> = pushed.by_ref().map(|result| result.err().map(|error| error.kind)).collect();
    assert_eq!(&kinds[3..6], [Some(Kind::NoSpace), Some(Kind::Internal), Some(Kind::Internal)]);
    assert_eq!(builder.finish().unwrap_err().kind, Kind::Internal);
    assert!(Disk.list(directory.path()).unwrap().is_empty());
}

#[test]
fn opening_on_a_refusing_disk_is_an_error_and_verify_names_a_sector_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("5.seg");
    let kept = rows(300, 33);
    let expected = build(&path, &kept, 33);
    for access in [Access::default(), HEAP] {
        let mut calls = 0;
        let (fs, segment) = loop {
            let fs = Faulty::new(calls);
            match Segment::open(Arc::new(fs.clone()), &path, &expected, access) {
                Err(error) => assert_eq!(error.kind, Kind::NoSpace, "{error}"),
                Ok(segment) => break (fs, segment),
            }
            calls += 1;
        };
        assert_eq!(calls, 6, "open, length, header, footer, checksums, content");
        fs.left.store(-1, Ordering::SeqCst);
        assert_eq!(refusals(&segment, &kept), 0);
        // The second block holds vectors only.
        fs.bad_offset.store(20_000, Ordering::SeqCst);
        let damages = segment.verify(&Control::default()).unwrap();
        assert_eq!((damages.len(), damages[0].offset, damages[0].length), (1, 16_384, 16_384), "{damages:?}");
        assert!(damages[0].what.contains("EIO"), "{damages:?}");
        let first = (16_384 - 64) / (33 * 4);
        let rows = first..(32_768 - 64_u32).div_ceil(33 * 4);
        assert!(damages[0].rows.iter().eq([&rows]), "{damages:?}");
    }
}

#[test]
fn dead_rows_on_a_refusing_disk_leave_no_file() {
    for calls in 0..4 {
        let directory = tempfile::tempdir().unwrap();
        let fs = Faulty::new(calls);
        let header = Header { kind: FileKind::Dead, ..header(NUMBER) };
        let written = DeadRows::new(10).write(&fs, &directory.path().join("5.dead.1"), header, 1);
        let names = Disk.list(directory.path()).unwrap();
        assert_eq!((written.is_ok(), names.len()), (calls == 3, usize::from(calls == 3)));
    }
}
