//! A collection for JavaScript. Synchronous calls are for single entries and pages; they copy.

use super::archive::LoadInfo;
use super::failure::{Answer, Failure, answer, answered, background};
use crate::error::{Error, Kind};
use crate::format::{Description, Entry, Metric};
use crate::ops::merge;
use crate::store::{self, Collection, MetadataRule, Version};
use napi::bindgen_prelude::{Either, Env, Float32Array, Float32ArraySlice, ObjectFinalize, PromiseRaw};
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

/// The entries of one database, in memory.
#[napi(custom_finalize)]
pub struct NativeCollection {
    collection: Mutex<Collection>,
    source: Option<LoadInfo>,
    /// The version that the pages under way are cut from.
    paging: Mutex<Option<Version>>,
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

fn rule_named(name: &str) -> crate::error::Result<MetadataRule> {
    match name {
        "replace" => Ok(MetadataRule::Replace),
        "ruvector" => Ok(MetadataRule::Ruvector),
        _ => Err(Error::new(Kind::Internal, format!("'{name}' is not a metadata rule"))),
    }
}

/// A description from what JavaScript knows; dimension 0 is unknown.
pub(super) fn description(dimension: Option<f64>, metric: Option<&str>) -> crate::error::Result<Description> {
    let dimension = dimension.filter(|dimension| *dimension > 0.0).map(|dimension| dimension as usize);
    Ok(Description { dimension, metric: metric.map(Metric::named).transpose()? })
}

/// Cuts a page of at most `max` entries and about `bytes_max` of vectors.
pub(super) fn page<'a>(
    entries: impl Iterator<Item = (usize, &'a Arc<Entry>)>,
    max: u32,
    bytes_max: f64,
) -> EntriesPage {
    let (mut ids, mut vectors, mut metadata) = (Vec::new(), Vec::new(), String::from("["));
    let mut next = -1.0;
    for (following, entry) in entries {
        if ids.len() == max.max(1) as usize || (!ids.is_empty() && (vectors.len() * 4) as f64 >= bytes_max) {
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
    EntriesPage { ids, vectors: Float32Array::with_data_copied(vectors), metadata, next }
}

#[napi]
impl NativeCollection {
    /// An empty collection; what is not given is learnt from the first vector or later.
    #[napi(constructor, catch_unwind)]
    pub fn new(dimension: Option<f64>, metric: Option<String>) -> napi::Result<Self> {
        let known =
            description(dimension, metric.as_deref()).map_err(|error| napi::Error::from_reason(error.message))?;
        Ok(NativeCollection::of(Collection::new(known), None))
    }

    /// Numbers in each vector; 0 while unknown.
    #[napi(getter, catch_unwind)]
    pub fn dimension(&self) -> f64 {
        held(&self.collection).description().dimension.unwrap_or(0) as f64
    }

    /// How vectors are compared; null while unknown.
    #[napi(getter, catch_unwind)]
    pub fn metric(&self) -> Option<String> {
        held(&self.collection).description().metric.map(|metric| metric.name().to_owned())
    }

    /// Entries.
    #[napi(getter, catch_unwind)]
    pub fn length(&self) -> f64 {
        held(&self.collection).len() as f64
    }

    /// The number of the last change.
    #[napi(getter, catch_unwind)]
    pub fn lsn(&self) -> f64 {
        held(&self.collection).lsn() as f64
    }

    /// Where it came from, when it was loaded or adopted.
    #[napi(getter, catch_unwind)]
    pub fn source(&self) -> Option<LoadInfo> {
        self.source.clone()
    }

    /// Sets what was unknown; a failure when it contradicts what is known.
    #[napi(catch_unwind)]
    pub fn describe(&self, dimension: Option<f64>, metric: Option<String>) -> Option<Failure> {
        let known = description(dimension, metric.as_deref());
        known.and_then(|known| held(&self.collection).describe(known)).err().map(Failure::from)
    }

    /// Inserts or replaces; `rule` is 'replace' or 'ruvector'. Nothing changes on a failure.
    #[napi(catch_unwind)]
    pub fn put(
        &self,
        id: String,
        vector: Float32ArraySlice<'_>,
        metadata: Option<String>,
        rule: String,
    ) -> Option<Failure> {
        rule_named(&rule)
            .and_then(|rule| held(&self.collection).put(&id, &vector, metadata.as_deref(), rule))
            .err()
            .map(Failure::from)
    }

    /// Replaces an entry's metadata; false when there is no such entry.
    #[napi(catch_unwind)]
    pub fn set_metadata(&self, id: String, metadata: Option<String>) -> Answer<bool> {
        answer(held(&self.collection).set_metadata(&id, metadata.as_deref()))
    }

    /// Removes an entry; false when there is none.
    #[napi(catch_unwind)]
    pub fn delete(&self, id: String) -> bool {
        held(&self.collection).delete(&id)
    }

    /// Removes everything.
    #[napi(catch_unwind)]
    pub fn clear(&self) {
        held(&self.collection).clear();
    }

    /// Whether there is such an entry.
    #[napi(catch_unwind)]
    pub fn has(&self, id: String) -> bool {
        held(&self.collection).get(&id).is_some()
    }

    /// A copy of an entry; null when there is none.
    #[napi(catch_unwind)]
    pub fn get(&self, id: String) -> Option<NativeEntry> {
        held(&self.collection).get(&id).map(|entry| NativeEntry {
            vector: Float32Array::with_data_copied(entry.vector.as_ref()),
            metadata: entry.metadata.as_deref().map(str::to_owned),
        })
    }

    /// A page of the collection as it was at the page with cursor 0.
    #[napi(catch_unwind)]
    pub fn page(&self, cursor: f64, max: u32, max_bytes: f64) -> EntriesPage {
        let mut paging = held(&self.paging);
        if cursor <= 0.0 {
            *paging = None;
        }
        let version = paging.get_or_insert_with(|| self.version());
        let page = page(version.entries_from(cursor.max(0.0) as usize), max, max_bytes);
        if page.next < 0.0 {
            *paging = None;
        }
        page
    }
}

impl NativeCollection {
    pub(super) fn of(collection: Collection, source: Option<LoadInfo>) -> Self {
        NativeCollection { collection: Mutex::new(collection), source, paging: Mutex::new(None), told: 0 }
    }

    pub(super) fn version(&self) -> Version {
        held(&self.collection).version()
    }
}

/// The content as one value: the order of entries does not matter, one bit does.
#[napi(catch_unwind)]
pub fn fingerprint<'e>(env: &'e Env, collection: &NativeCollection) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
    let version = collection.version();
    background(env, move || store::fingerprint(&version))
}

/// `base` with all entries of `overlay` put over it.
#[napi(catch_unwind)]
pub fn merged<'e>(
    env: &'e Env,
    base: &NativeCollection,
    overlay: &NativeCollection,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    let (base, overlay, source) = (base.version(), overlay.version(), overlay.source.clone());
    background_collection(env, move || Ok(NativeCollection::of(merge::run(&base, &overlay)?, source)))
}
