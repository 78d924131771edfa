//! A store with one collection on a file system in memory; writers that note what they were told; the judgement.

use crate::memory::{BASE, Bug, Memory};
use ruvector_persistence::error::{Kind, Result};
use ruvector_persistence::manifest::Settings;
use ruvector_persistence::store::{MetadataRule, OpenStore, Store, StoredCollection, Version};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

const SEED: u64 = 0x7275_7665;
/// Switches of priority that PCT plans for one run.
const PCT_DEPTH: usize = 4;

/// Runs `body` in many orders.
pub fn explore(body: fn()) {
    let count = std::env::var("INTERLEAVINGS").ok().map_or(2_000, |count| count.parse().unwrap());
    let mut config = Config::new();
    config.stack_size = 1 << 19;
    config.silence_warnings = true;
    Runner::new(RandomScheduler::new_from_seed(SEED, count), config.clone()).run(body);
    Runner::new(PctScheduler::new_from_seed(SEED, PCT_DEPTH, count), config).run(body);
}

/// A number below `end` that the scheduler chooses.
pub fn choose(end: u64) -> u64 {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().gen_range(0..end)
}

/// A write that the collection took, and what became of it.
#[derive(Debug, Clone)]
pub struct Write {
    pub lsn: u64,
    pub id: String,
    pub x: f32,
    pub acknowledged: bool,
}

/// Entries as numbers.
pub type Content = BTreeMap<String, f32>;

/// The content after those writes, in the order of their LSNs.
pub fn after<'a>(writes: impl Iterator<Item = &'a Write>) -> Content {
    let mut sorted: Vec<&Write> = writes.collect();
    sorted.sort_by_key(|write| write.lsn);
    sorted.into_iter().map(|write| (write.id.clone(), write.x)).collect()
}

pub struct World {
    pub fs: Memory,
    pub store: Store,
    pub collection: Arc<StoredCollection>,
    writes: Mutex<Vec<Write>>,
}

fn options(read_only: bool) -> OpenStore {
    OpenStore { read_only, create: !read_only, among_others: false, holder: "a test".to_owned() }
}

/// Small files, and nothing that runs by the clock.
pub fn settings() -> Settings {
    let mut settings = Settings { compaction_interval: 0, ..Settings::default() };
    settings.wal.segment_size = 4_096;
    settings.wal.preallocate = 0;
    settings
}

/// The content of a version, in which every id must be once.
pub fn content(version: &Version) -> Result<Content> {
    let entries = version.entries().map(|entry| entry.map(|entry| (entry.id.to_string(), entry.vector[0])));
    let content = entries.collect::<Result<Content>>()?;
    assert_eq!(content.len(), version.entries().count(), "an id is there twice");
    assert_eq!(content.len(), version.len());
    Ok(content)
}

/// The content of the collection that is found on `fs`, and its LSN.
pub fn found(fs: Memory) -> Result<(Content, u64)> {
    let store = Store::open(Arc::new(fs), Path::new(BASE), &options(true))?;
    let collection = store.collection("a")?;
    let version = collection.version();
    Ok((content(&version)?, version.lsn()))
}

impl World {
    pub fn new(bug: Bug, settings: Settings) -> Arc<World> {
        let fs = Memory::new(bug);
        let store = Store::open(Arc::new(fs.clone()), Path::new(BASE), &options(false)).unwrap();
        let collection = store.create("a", settings).unwrap();
        Arc::new(World { fs, store, collection, writes: Mutex::new(Vec::new()) })
    }

    /// Writes an entry that carries `tag`; gives its LSN.
    pub fn put(&self, id: &str, tag: &str, x: f32) -> Result<u64> {
        let metadata = format!(r#"{{"t":"{tag}"}}"#);
        let lsn = self.collection.put(id, &[x], Some(&metadata), MetadataRule::Replace, true)?.lsn;
        self.writes.lock().unwrap().push(Write { lsn, id: id.to_owned(), x, acknowledged: false });
        Ok(lsn)
    }

    /// Waits for the acknowledgement of a write and notes it.
    pub fn wait(&self, lsn: u64) -> Result<()> {
        self.collection.wait(lsn)?;
        self.acknowledge(lsn);
        Ok(())
    }

    pub fn acknowledge(&self, lsn: u64) {
        let mut writes = self.writes.lock().unwrap();
        writes.iter_mut().filter(|write| write.lsn == lsn).for_each(|write| write.acknowledged = true);
    }

    /// Puts and waits; what is acknowledged has to be durable at that moment.
    pub fn put_durably(&self, id: &str, tag: &str, x: f32) -> Result<()> {
        let lsn = self.put(id, tag, x)?;
        self.wait(lsn)?;
        assert!(self.fs.is_durable(tag), "{tag} was acknowledged before it was durable");
        Ok(())
    }

    pub fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap().clone()
    }

    pub fn content(&self) -> Content {
        content(&self.collection.version()).unwrap()
    }

    /// The content after all that was acknowledged, and nothing else.
    pub fn acknowledged(&self) -> Content {
        after(self.writes().iter().filter(|write| write.acknowledged))
    }

    /// What is visible and what a power cut after the close leaves is what was acknowledged.
    pub fn check_whole(&self) {
        let expected = self.acknowledged();
        assert_eq!(self.content(), expected, "what is visible is what was acknowledged");
        self.store.close().unwrap();
        assert_eq!(found(self.fs.power_cut()).unwrap().0, expected, "what was acknowledged is found again");
    }

    /// On `fs` is everything acknowledged up to `durable`, and of what came behind a prefix.
    pub fn check_prefix(&self, fs: Memory, durable: u64) {
        let (content, lsn) = found(fs).unwrap();
        assert!(lsn >= durable, "record {durable} was durable, {lsn} is the last that is found");
        assert_eq!(content, after(self.writes().iter().filter(|write| write.lsn <= lsn)), "the first {lsn} records");
    }

    /// The newest LSN that was acknowledged.
    pub fn last_acknowledged(&self) -> u64 {
        let writes = self.writes();
        writes.iter().filter(|write| write.acknowledged).map(|write| write.lsn).max().unwrap_or(0)
    }
}

/// Runs closures on threads of the scheduler and waits for all.
pub fn together(work: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = work.into_iter().map(|work| shuttle::thread::spawn(work)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Whether the log is closed to writers for ever: by a failed sync, or by a close.
pub fn is_final(kind: Kind) -> bool {
    kind == Kind::Poisoned || kind == Kind::Closed
}
