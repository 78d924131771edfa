//! A collection for JavaScript. Synchronous calls are for single entries and pages; they copy.

use super::archive::LoadInfo;
use super::chain::NativeChain;
use super::failure::{Answer, Failure, answer, answered};
use super::view::NativeView;
use crate::error::{Error, Kind};
use crate::format::{Description, Entry, Metric};
use crate::ops::chain::Chain;
use crate::ops::merge;
use crate::ops::save_incremental::Baseline;
use crate::store::{Collection, Committed, MetadataRule, StoredCollection, Version};
use napi::bindgen_prelude::{Either, Either3, Env, Float32Array, Float32ArraySlice, Null, ObjectFinalize, PromiseRaw};
use napi_derive::napi;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries with their vectors in one buffer.
#[napi(object)]
pub struct EntriesPage {
    /// Ids.
    pub ids: Vec<String>,
    /// Vectors, one after another, in a fresh buffer.
    pub vectors: Float32Array,
    /// JSON text of an array: an object or null for each id.
    pub metadata: String,
    /// Cursor of the next page, -1 at the end.
    pub next: f64,
}

/// One entry without its id.
#[napi(object)]
pub struct NativeEntry {
    /// A fresh copy.
    pub vector: Float32Array,
    /// JSON text.
    pub metadata: Option<String>,
}

/// The entries of one database, in memory or on disk.
#[napi(custom_finalize)]
pub struct NativeCollection {
    collection: Arc<StoredCollection>,
    source: Option<LoadInfo>,
    /// The version that the pages under way are cut from.
    paging: Mutex<Option<Version>>,
    /// The files it came from and what they hold, where that was asked for.
    baseline: Option<Baseline>,
    /// Bytes that the garbage collector was told of, to be taken back in the end.
    told: i64,
}

/// What an entry takes beside its vector: its id, its place in the index, the heads of its parts.
const ENTRY_BYTES: i64 = 150;

impl ObjectFinalize for NativeCollection {
    fn finalize(self, env: Env) -> napi::Result<()> {
        env.adjust_external_memory(-self.told).map(|_| ())
    }
}

/// As `background`, for work that makes a collection. The garbage collector is told how much memory the small object
/// stands for: else collections that nobody holds any more would pile up unseen.
pub(super) fn background_collection<'e>(
    env: &'e Env,
    work: impl FnOnce() -> crate::error::Result<NativeCollection> + Send + 'static,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    env.spawn_future_with_callback(answered(work), |env, mut made: Answer<NativeCollection>| {
        if let Either::A(made) = &mut made {
            made.told = (made.dimension() as i64 * 4 + ENTRY_BYTES) * made.length() as i64;
            env.adjust_external_memory(made.told)?;
        }
        Ok(made)
    })
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere was caught and reported; the collection changes only in whole steps.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A description from what JavaScript knows; dimension 0 is unknown.
pub(super) fn description(dimension: Option<f64>, metric: Option<&str>) -> crate::error::Result<Description> {
    let dimension = dimension.filter(|dimension| *dimension > 0.0).map(|dimension| dimension as usize);
    Ok(Description { dimension, metric: metric.map(Metric::named).transpose()? })
}

/// Cuts a page of at most `max` entries and about `bytes_max` of vectors and metadata.
pub(super) fn page(
    entries: impl Iterator<Item = crate::error::Result<(usize, Arc<Entry>)>>,
    max: u32,
    bytes_max: f64,
) -> crate::error::Result<EntriesPage> {
    let (mut ids, mut vectors, mut metadata) = (Vec::new(), Vec::new(), String::from("["));
    let mut next = -1.0;
    for found in entries {
        let (following, entry) = found?;
        let bytes = vectors.len() * 4 + metadata.len();
        if ids.len() == max.max(1) as usize || (!ids.is_empty() && bytes as f64 >= bytes_max) {
            next = following as f64 - 1.0;
            break;
        }
        if !ids.is_empty() {
            metadata.push(',');
        }
        metadata.push_str(entry.metadata.as_deref().unwrap_or("null"));
        ids.push(entry.id.to_string());
        vectors.extend_from_slice(&entry.vector);
    }
    metadata.push(']');
    Ok(EntriesPage { ids, vectors: Float32Array::with_data_copied(vectors), metadata, next })
}

#[napi]
impl NativeCollection {
    /// An empty collection in memory; what is not given is learnt from the first vector or later.
    #[napi(constructor, catch_unwind)]
    pub fn new(dimension: Option<f64>, metric: Option<String>) -> napi::Result<Self> {
        let reason = |error: Error| napi::Error::from_reason(error.message);
        let known = description(dimension, metric.as_deref()).map_err(reason)?;
        NativeCollection::of(Collection::new(known), None).map_err(reason)
    }

    /// Numbers in each vector; 0 while unknown.
    #[napi(getter, catch_unwind)]
    pub fn dimension(&self) -> f64 {
        self.collection.read(|state| state.description().dimension).unwrap_or(0) as f64
    }

    /// How vectors are compared; null while unknown.
    #[napi(getter, catch_unwind)]
    pub fn metric(&self) -> Option<String> {
        self.collection.read(|state| state.description().metric).map(|metric| metric.name().to_owned())
    }

    /// Entries.
    #[napi(getter, catch_unwind)]
    pub fn length(&self) -> f64 {
        self.collection.read(Collection::len) as f64
    }

    /// Bytes that entries take on the heap, about; what is in mapped files does not count.
    #[napi(getter, catch_unwind)]
    pub fn memory_usage(&self) -> f64 {
        self.collection.read(Collection::heap_bytes) as f64
    }

    /// The number of the last change.
    #[napi(getter, catch_unwind)]
    pub fn lsn(&self) -> f64 {
        self.collection.read(Collection::lsn) as f64
    }

    /// Where it came from, when it was loaded or adopted.
    #[napi(getter, catch_unwind)]
    pub fn source(&self) -> Option<LoadInfo> {
        self.source.clone()
    }

    /// The chain it was loaded from, to build on; null when that was not asked for, or it was not verified.
    #[napi(catch_unwind)]
    pub fn chain(&self) -> Option<NativeChain> {
        self.baseline.clone().map(NativeChain::of)
    }

    /// Why nothing can be written; null when it can.
    #[napi(catch_unwind)]
    pub fn refusal(&self) -> Option<Failure> {
        self.collection.refusal().map(Failure::from)
    }

    /// Sets what was unknown; a failure when it contradicts what is known.
    #[napi(catch_unwind)]
    pub fn describe(&self, dimension: Option<f64>, metric: Option<String>) -> Option<Failure> {
        let known = description(dimension, metric.as_deref());
        known.and_then(|known| self.collection.describe(known)).err().map(Failure::from)
    }

    /// Inserts or replaces; `as_ruvector`: metadata that ruvector does not take leave the old. Nothing changes on a
    /// failure. The LSN to wait for; `awaited`: somebody will, and needs not be told of a refusal by the next flush.
    #[napi(catch_unwind)]
    pub fn put(
        &self,
        id: String,
        vector: Float32ArraySlice<'_>,
        metadata: Option<String>,
        as_ruvector: bool,
        awaited: bool,
    ) -> Answer<f64> {
        let rule = if as_ruvector { MetadataRule::Ruvector } else { MetadataRule::Replace };
        let put = self.collection.put(&id, &vector, metadata.as_deref(), rule, awaited);
        answer(put.map(|done| done.lsn as f64))
    }

    /// Inserts or replaces entries, all or none: their ids with NUL between them, their vectors one after another, the
    /// JSON texts of their metadata with NUL between them, empty where there are none. The LSN to wait for; 0 when there
    /// are no entries.
    #[napi(catch_unwind)]
    pub fn put_batch(
        &self,
        ids: String,
        vectors: Float32ArraySlice<'_>,
        metadata: String,
        awaited: bool,
    ) -> Answer<f64> {
        answer(entries(&ids, &vectors, &metadata).and_then(|entries| {
            self.collection.put_batch(entries, awaited).map(|done| done.map_or(0.0, |done| done.lsn as f64))
        }))
    }

    /// Replaces an entry's metadata. The LSN to wait for; -1 when there is no such entry.
    #[napi(catch_unwind)]
    pub fn set_metadata(&self, id: String, metadata: Option<String>, awaited: bool) -> Answer<f64> {
        answer(self.collection.set_metadata(&id, metadata.as_deref(), awaited).map(lsn_or_none))
    }

    /// Removes an entry. The LSN to wait for; -1 when there is none.
    #[napi(catch_unwind)]
    pub fn delete(&self, id: String, awaited: bool) -> Answer<f64> {
        answer(self.collection.delete(&[&id], awaited).map(lsn_or_none))
    }

    /// Removes everything. The LSN to wait for.
    #[napi(catch_unwind)]
    pub fn clear(&self, awaited: bool) -> Answer<f64> {
        answer(self.collection.clear(awaited).map(lsn_or_none))
    }

    /// Whether there is such an entry.
    #[napi(catch_unwind)]
    pub fn has(&self, id: String) -> Answer<bool> {
        answer(self.collection.read(|state| state.has(&id)))
    }

    /// A copy of an entry; null when there is none.
    #[napi(catch_unwind)]
    pub fn get(&self, id: String) -> Either3<NativeEntry, Failure, Null> {
        let found = self.collection.read(|state| {
            state.with(&id, |row| NativeEntry {
                vector: Float32Array::with_data_copied(row.vector),
                metadata: row.metadata.map(str::to_owned),
            })
        });
        match found {
            Ok(Some(entry)) => Either3::A(entry),
            Ok(None) => Either3::C(Null),
            Err(error) => Either3::B(error.into()),
        }
    }

    /// The collection as it is now, whatever happens to it later.
    #[napi(catch_unwind)]
    pub fn view(&self) -> NativeView {
        NativeView::of(self.version())
    }

    /// A page of the collection as it was at the page with cursor 0.
    #[napi(catch_unwind)]
    pub fn page(&self, cursor: f64, max: u32, max_bytes: f64) -> Answer<EntriesPage> {
        let mut paging = held(&self.paging);
        if cursor <= 0.0 {
            *paging = None;
        }
        let version = paging.get_or_insert_with(|| self.version());
        let page = page(version.entries_from(cursor.max(0.0) as usize), max, max_bytes);
        if page.as_ref().is_ok_and(|page| page.next < 0.0) {
            *paging = None;
        }
        answer(page)
    }
}

fn lsn_or_none(done: Option<Committed>) -> f64 {
    done.map_or(-1.0, |done| done.lsn as f64)
}

/// Ids that crossed as one text: no id holds a NUL.
pub(super) fn split(ids: &str) -> impl Iterator<Item = &str> + Clone {
    ids.split('\0').filter(move |_| !ids.is_empty())
}

fn entries(ids: &str, vectors: &[f32], metadata: &str) -> crate::error::Result<Vec<Arc<Entry>>> {
    let count = split(ids).count();
    let dimension = vectors.len() / count.max(1);
    if dimension * count != vectors.len() || metadata.split('\0').count() != count.max(1) {
        return Err(Error::new(Kind::Internal, "ids, vectors and metadata are not as many"));
    }
    let mut rest = vectors;
    let parts = split(ids).zip(metadata.split('\0'));
    parts
        .map(|(id, metadata)| {
            let (vector, after) = rest.split_at_checked(dimension).unwrap_or_default();
            rest = after;
            Entry::new(id, vector.to_vec(), Some(metadata).filter(|text| !text.is_empty())).map(Arc::new)
        })
        .collect()
}

impl NativeCollection {
    pub(super) fn of(collection: Collection, source: Option<LoadInfo>) -> crate::error::Result<Self> {
        let collection = Arc::new(StoredCollection::in_memory(collection)?);
        Ok(NativeCollection { collection, source, paging: Mutex::new(None), baseline: None, told: 0 })
    }

    /// The same, with the files that it came from.
    pub(super) fn of_chain(self, chain: Option<Chain>) -> Self {
        let baseline = chain.map(|chain| Baseline { version: self.version(), chain });
        NativeCollection { baseline, ..self }
    }

    /// A collection of a store.
    pub(super) fn stored(collection: Arc<StoredCollection>) -> Self {
        NativeCollection { collection, source: None, paging: Mutex::new(None), baseline: None, told: 0 }
    }

    pub(super) fn version(&self) -> Version {
        self.collection.version()
    }

    pub(super) fn shared(&self) -> Arc<StoredCollection> {
        self.collection.clone()
    }
}

/// `base` with all entries of `overlay` put over it.
#[napi(catch_unwind)]
pub fn merged<'e>(
    env: &'e Env,
    base: &NativeCollection,
    overlay: &NativeCollection,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    let (base, overlay, source) = (base.version(), overlay.version(), overlay.source.clone());
    background_collection(env, move || NativeCollection::of(merge::run(&base, &overlay)?, source))
}
