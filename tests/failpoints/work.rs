//! What a child of the test does, step by step, what each step makes of the content, and how the content is read.

use ruvector_persistence::archive::{Format, Options};
use ruvector_persistence::codec::Compression;
use ruvector_persistence::control::Control;
use ruvector_persistence::env::fs::Disk;
use ruvector_persistence::error::{Error, Kind, Result};
use ruvector_persistence::manifest::{Engine, Settings};
use ruvector_persistence::ops::save;
use ruvector_persistence::ops::save_incremental::{self, Baseline};
use ruvector_persistence::ops::store::operate;
use ruvector_persistence::store::{
    Compact, Export, Import, MetadataRule, OpenStore, Packing, Restore, SnapshotRequest, Store, StoredCollection,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One step of the work.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// Another store is made, with a collection and an entry.
    Fresh,
    /// The store is opened, with all its collections.
    Open,
    Put(&'static str, u32, u32),
    Delete(&'static str, u32),
    Checkpoint(&'static str),
    Compact(&'static str),
    Configure(&'static str),
    /// The content is replaced by itself.
    Replace(&'static str),
    Save(&'static str),
    /// To the same archive, as a delta where that is possible.
    SaveIncremental(&'static str),
    Create(&'static str),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Salvage(&'static str, &'static str),
    /// The collection gets another engine, and its rows new files.
    Engine(&'static str, Engine),
    /// A snapshot of that name is taken of the whole store.
    Take(&'static str, Option<Packing>),
    /// The same, by somebody who only reads.
    TakeBeside(&'static str),
    /// A collection of a snapshot is brought back, under its own name or another.
    Restore(&'static str, &'static str, &'static str),
    Forget(&'static str),
    /// The file of the log that is written is completed.
    Shorten(&'static str),
    /// The log is exported, and imported into a collection of another store.
    Ship(&'static str),
    /// A snapshot is taken, a drill restores it, and it is removed.
    Drill(&'static str),
    Close,
}

/// Collections and their entries as numbers.
pub type Content = BTreeMap<String, BTreeMap<String, u32>>;

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub content: Content,
    /// The snapshots by name, each with what it was taken of.
    pub snapshots: BTreeMap<String, Content>,
}

impl State {
    /// Whether a store that holds this holds `found`, and whole snapshots of those names.
    pub fn is(&self, (content, snapshots): &(Content, BTreeSet<String>)) -> bool {
        self.content == *content && self.snapshots.keys().eq(snapshots)
    }
}

pub fn preparation() -> Vec<Op> {
    let mut ops = vec![Op::Open, Op::Create("a")];
    ops.extend((0..6).map(|id| Op::Put("a", id, id)));
    ops.push(Op::Checkpoint("a"));
    ops.extend((4..9).map(|id| Op::Put("a", id, 10 + id)));
    // It dies in this one.
    ops.push(Op::Checkpoint("a"));
    ops
}

pub fn work() -> Vec<Op> {
    let mut ops = vec![Op::Fresh, Op::Open, Op::Configure("a")];
    ops.extend((0..3).map(|id| Op::Put("a", id, 20 + id)));
    ops.push(Op::Checkpoint("a"));
    ops.extend((7..12).map(|id| Op::Put("a", id, 30 + id)));
    ops.extend([Op::Delete("a", 8), Op::Compact("a"), Op::Put("a", 1, 41), Op::Configure("a"), Op::Save("a")]);
    ops.extend([Op::SaveIncremental("a"), Op::Put("a", 2, 52), Op::SaveIncremental("a")]);
    ops.extend([Op::Delete("a", 2), Op::Put("a", 9, 53), Op::SaveIncremental("a")]);
    ops.extend([Op::Put("a", 2, 42), Op::Replace("a"), Op::Put("a", 3, 43), Op::Save("a")]);
    ops.extend([Op::Create("b"), Op::Put("b", 0, 50), Op::Rename("b", "c"), Op::Put("c", 1, 51)]);
    ops.extend([Op::Create("d"), Op::Put("d", 0, 60), Op::Checkpoint("d"), Op::Remove("d")]);
    ops.extend([Op::Checkpoint("a"), Op::Put("a", 4, 44), Op::Salvage("a", "s"), Op::Put("s", 5, 70)]);
    ops.extend([Op::Create("e"), Op::Put("e", 0, 80), Op::Put("e", 1, 81), Op::Ship("e"), Op::Shorten("e")]);
    ops.extend([Op::Put("e", 2, 82), Op::Drill("e")]);
    ops.extend([Op::Close, Op::Open, Op::Put("a", 5, 45), Op::Put("a", 0, 46)]);
    ops.extend([Op::Engine("c", Engine::Lsm), Op::Put("c", 2, 52), Op::Delete("c", 0), Op::Checkpoint("c")]);
    ops.extend([Op::Take("one", None), Op::Put("c", 3, 53), Op::Take("two", Some(Packing::Zstd))]);
    ops.extend([
        Op::TakeBeside("three"),
        Op::Restore("one", "c", "c"),
        Op::Restore("two", "c", "g"),
        Op::Put("c", 4, 54),
        Op::Forget("one"),
    ]);
    ops.extend([Op::Forget("two"), Op::Close]);
    ops
}

/// What the operation makes of the state; for one that was under way, every state that may be found.
pub fn apply(op: Op, state: &mut State) -> Vec<State> {
    let before = state.clone();
    let mut between = Vec::new();
    let content = &mut state.content;
    match op {
        Op::Put(name, id, x) => drop(content.entry(name.into()).or_default().insert(format!("id {id}"), x)),
        Op::Delete(name, id) => drop(content.entry(name.into()).or_default().remove(&format!("id {id}"))),
        Op::Create(name) => drop(content.insert(name.into(), BTreeMap::new())),
        Op::Rename(from, to) => {
            let entries = content.remove(from).unwrap_or_default();
            content.insert(to.into(), entries);
        }
        Op::Remove(name) => drop(content.remove(name)),
        Op::Salvage(from, to) => {
            let entries = content[from].clone();
            content.insert(to.into(), BTreeMap::new());
            between.push(State { content: content.clone(), snapshots: state.snapshots.clone() });
            content.insert(to.into(), entries);
        }
        Op::Take(name, _) | Op::TakeBeside(name) => drop(state.snapshots.insert(name.into(), content.clone())),
        Op::Restore(snapshot, from, to) => {
            let entries = state.snapshots[snapshot][from].clone();
            content.insert(to.into(), entries);
        }
        Op::Forget(name) => drop(state.snapshots.remove(name)),
        Op::Fresh
        | Op::Open
        | Op::Checkpoint(_)
        | Op::Compact(_)
        | Op::Configure(_)
        | Op::Replace(_)
        | Op::Save(_)
        | Op::SaveIncremental(_)
        | Op::Engine(..)
        | Op::Shorten(_)
        | Op::Ship(_)
        | Op::Drill(_)
        | Op::Close => {}
    }
    between.extend([before, state.clone()]);
    between
}

pub fn settings(archive: Option<String>) -> Settings {
    let mut settings = Settings::default();
    settings.wal.segment_size = 12 << 10;
    settings.wal.preallocate = 1_024;
    settings.wal.retention = 0;
    settings.wal.archive = archive;
    settings
}

fn open(base: &Path, read_only: bool) -> Result<Store> {
    let options = OpenStore { read_only, create: !read_only, among_others: false, holder: "a failpoint".to_owned() };
    Store::open(Arc::new(Disk), base, &options)
}

fn take(store: &Store, name: &str, packing: Option<Packing>) -> Result<()> {
    // An error may come after the snapshot has its place: whoever tries again looks first.
    if store.find_snapshot(None, name).is_ok() {
        return Ok(());
    }
    let request = SnapshotRequest { name: Some(name.to_owned()), packing, ..SnapshotRequest::default() };
    store.snapshot(&request, &Control::default()).map(drop)
}

/// The child, at work in a folder.
pub struct Worker {
    folder: PathBuf,
    /// Where old log files go. Each copy of a store has to have a folder of its own, so the store that is copied has none.
    archive: Option<String>,
    store: Option<Store>,
    /// What the archive holds.
    baseline: Option<Baseline>,
}

impl Worker {
    pub fn new(folder: PathBuf, preparing: bool) -> Worker {
        let archive = folder.join("old logs").to_string_lossy().into_owned();
        Worker { folder, archive: (!preparing).then_some(archive), store: None, baseline: None }
    }

    /// As after a failure: everything is closed.
    pub fn let_go(&mut self) {
        drop(self.store.take());
    }

    /// Writes a line to the log of the child, also when a call that is to fail strikes here.
    pub fn note(&self, line: &str) {
        let attempt = || -> std::io::Result<()> {
            let mut log = fs::OpenOptions::new().append(true).create(true).open(self.folder.join("log"))?;
            log.write_all(format!("{line}\n").as_bytes())
        };
        attempt().or_else(|_| attempt()).unwrap();
    }

    fn store(&mut self) -> Result<&Store> {
        if self.store.is_none() {
            self.store = Some(open(&self.folder.join("store"), false)?);
        }
        self.store.as_ref().ok_or_else(|| Error::new(Kind::Internal, "no store"))
    }

    fn collection(&mut self, name: &str) -> Result<Arc<StoredCollection>> {
        self.store()?.collection(name)
    }

    /// Does it; trying again what has failed halfway is fine.
    pub fn run(&mut self, op: Op) -> Result<()> {
        let settings = settings(self.archive.clone());
        match op {
            Op::Fresh => {
                let _ = fs::create_dir(self.folder.join("fresh"));
                let store = open(&self.folder.join("fresh"), false)?;
                let collection = store.collection_or_create("x", settings)?;
                collection.wait(put(&collection, 0, 1)?)?;
                store.close()
            }
            Op::Open => {
                let names = self.store()?.list()?;
                names.iter().try_for_each(|name| self.collection(name).map(drop))
            }
            Op::Put(name, id, x) => {
                let collection = self.collection(name)?;
                collection.wait(put(&collection, id, x)?)
            }
            Op::Delete(name, id) => {
                let collection = self.collection(name)?;
                let deleted = collection.delete(&[&format!("id {id}")], true)?;
                deleted.map_or(Ok(()), |deleted| collection.wait(deleted.lsn))
            }
            Op::Checkpoint(name) => self.collection(name)?.checkpoint().map(|_| ()),
            Op::Compact(name) => self.collection(name)?.compact(Compact::All).map(|_| ()),
            Op::Configure(name) => {
                let archive = self.archive.clone();
                self.collection(name)?.configure(|settings| {
                    settings.compaction_threshold = 0.5;
                    settings.wal.archive = archive;
                })
            }
            Op::Replace(name) => {
                let collection = self.collection(name)?;
                collection.replace(&collection.version()).map(|_| ())
            }
            Op::Save(name) => {
                let path = self.folder.join("archive.json").to_string_lossy().into_owned();
                let options = Options { format: Format::Json, compression: Compression::None, level: None };
                let request = save::Request { path: &path, options, operation: "save" };
                save::run(&self.collection(name)?.version(), &request, &Control::default()).map(|_| ())
            }
            Op::SaveIncremental(name) => {
                let path = self.folder.join("archive.json").to_string_lossy().into_owned();
                let options = Options { format: Format::Json, compression: Compression::None, level: None };
                let request = save_incremental::Request { path: &path, options, operation: "save", known: None };
                let version = self.collection(name)?.version();
                let saved = save_incremental::run(&version, &request, self.baseline.as_ref(), &Control::default())?;
                self.baseline = Some(saved.baseline);
                Ok(())
            }
            Op::Create(name) => self.store()?.collection_or_create(name, settings).map(|_| ()),
            Op::Rename(from, to) => match self.store()?.rename(from, to) {
                Err(error) if error.kind == Kind::Exists => Ok(()),
                other => other,
            },
            Op::Remove(name) => match self.store()?.remove(name) {
                Err(error) if error.kind == Kind::NotFound => Ok(()),
                other => other,
            },
            Op::Salvage(from, to) => {
                if self.store()?.list()?.iter().any(|name| name == to) {
                    self.store()?.remove(to)?;
                }
                let salvaged = self.store()?.salvage(from, to, &Control::default())?;
                assert!(salvaged.lost.is_empty(), "{:?}", salvaged.lost);
                Ok(())
            }
            Op::Engine(name, engine) => {
                let collection = self.collection(name)?;
                collection.configure(|settings| settings.engine = engine)?;
                collection.compact(Compact::All).map(|_| ())
            }
            Op::Take(name, packing) => take(self.store()?, name, packing),
            Op::TakeBeside(name) => {
                // Nobody asks it to be the state of now, so the writer makes what is there durable first.
                self.store()?;
                take(&open(&self.folder.join("store"), true)?, name, None)
            }
            Op::Restore(snapshot, from, to) => {
                let request = Restore {
                    snapshot: snapshot.to_owned(),
                    collections: Some(vec![from.to_owned()]),
                    target: (from != to).then(|| to.to_owned()),
                    overwrite: true,
                    verify: true,
                    ..Restore::default()
                };
                self.store()?.restore(&request, &Control::default()).map(|_| ())
            }
            Op::Forget(name) => {
                let store = self.store()?;
                match store.find_snapshot(None, name).and_then(|entry| store.remove_snapshot(&entry)) {
                    Err(error) if error.kind == Kind::SnapshotNotFound => Ok(()),
                    other => other,
                }
            }
            Op::Shorten(name) => self.collection(name)?.shorten_log(true, None).map(|_| ()),
            Op::Ship(name) => self.ship(name),
            Op::Drill(name) => self.drill(name),
            Op::Close => self.store.take().map_or(Ok(()), |store| store.close()),
        }
    }

    fn ship(&mut self, name: &str) -> Result<()> {
        let place = self.folder.join("log.tar.gz");
        let _ = fs::remove_file(&place);
        let (collection, packing) = (name.to_owned(), Packing::Gzip);
        let export = Export { collection, since: None, until: None, place: place.clone(), packing, directory: None };
        self.store()?.export_log(&export, &Control::default())?;
        let _ = fs::create_dir(self.folder.join("standby"));
        let standby = open(&self.folder.join("standby"), false)?;
        let follower = standby.collection_or_create("f", settings(self.archive.clone()))?;
        let import = Import { place, collection: "f".to_owned(), verify: true };
        let done = standby.import_log(&import, &Control::default())?;
        assert_eq!(done.lsn, done.descriptor.to);
        assert_eq!(follower.version().len(), self.collection(name)?.version().len());
        standby.close()
    }

    fn drill(&mut self, name: &str) -> Result<()> {
        let collections = Some(vec![name.to_owned()]);
        let store = self.store()?;
        let request = SnapshotRequest { collections, ..SnapshotRequest::default() };
        let taken = store.snapshot(&request, &Control::default())?;
        let report = operate(store, "drill", &format!(r#"{{"collection":"{name}"}}"#), &Control::default())?;
        if !report.contains(r#""ok":true"#) {
            return Err(Error::new(Kind::Io, report));
        }
        store.remove_snapshot(&taken)
    }
}

fn put(collection: &StoredCollection, id: u32, x: u32) -> Result<u64> {
    let metadata = format!(r#"{{"text":"{}"}}"#, "m".repeat(1_500));
    let vector = [x as f32, 0.5];
    Ok(collection.put(&format!("id {id}"), &vector, Some(&metadata), MetadataRule::Replace, true)?.lsn)
}

/// What the store at `base` holds, and the names of its snapshots. Every collection must be sound and take another write,
/// every snapshot must be whole, and nothing half made may be left.
pub fn content(base: &Path) -> (Content, BTreeSet<String>) {
    let store = open(base, false).unwrap();
    let mut content = Content::new();
    for name in store.list().unwrap() {
        let collection = store.collection(&name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let version = collection.version();
        let entries = version.entries().map(|entry| entry.unwrap());
        let entries = entries.map(|entry| (entry.id.to_string(), entry.vector[0] as u32)).collect();
        let damage = collection.verify(&Control::default()).unwrap().damage;
        assert!(damage.is_empty(), "{name}: {damage:?}");
        collection.wait(put(&collection, 99, 99).unwrap()).unwrap();
        let lsn = collection.delete(&["id 99"], true).unwrap().unwrap().lsn;
        collection.wait(lsn).unwrap();
        content.insert(name, entries);
    }
    let (snapshots, damaged) = store.snapshots(None).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    for snapshot in &snapshots {
        let verified = store.verify_snapshot(snapshot, &Control::default()).unwrap();
        assert!(verified.damage.is_empty(), "{}: {:?}", snapshot.id(), verified.damage);
    }
    let names = snapshots.iter().filter_map(|snapshot| snapshot.found.snapshot.name.clone()).collect();
    store.close().unwrap();
    (content, names)
}
