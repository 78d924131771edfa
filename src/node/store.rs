//! A store for JavaScript. Everything that touches the disk runs on a thread of its own; settings and statistics cross
//! as JSON text, which the TypeScript side types.

use super::collection::NativeCollection;
use super::failure::{Answer, Failure, answer, background};
use super::job::NativeJob;
use crate::env::{self, fs::Disk};
use crate::error::{Error, Kind};
use crate::manifest::{LsmOptions, LsmSettings, Settings};
use crate::ops::store::operate;
use crate::store::{Compact, OpenStore, Progress, Store, StoredCollection};
use napi::Status;
use napi::bindgen_prelude::{Env, FnArgs, Function, PromiseRaw};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use std::sync::Arc;

/// How far a log is: everything up to the first LSN is settled, which is acknowledged, or refused by this report or one
/// before; everything up to the second that is not refused is durable. Then what is refused, when something is.
type CommitProgress = FnArgs<(f64, f64, Option<CommitRefusal>)>;

/// Weak: it does not keep the process alive; whoever waits for a commit does.
type Listener = ThreadsafeFunction<CommitProgress, (), CommitProgress, Status, false, true>;

/// Records that were refused.
#[napi(object)]
pub struct CommitRefusal {
    /// The first LSN.
    pub first: f64,
    /// The last.
    pub last: f64,
    /// Why.
    pub failure: Failure,
}

fn report(progress: Progress) -> CommitProgress {
    let refused = progress.refused.map(|(first, last, error)| CommitRefusal {
        first: first as f64,
        last: last as f64,
        failure: error.into(),
    });
    (progress.settled as f64, progress.durable as f64, refused).into()
}

/// How to open a store.
#[napi(object)]
pub struct StoreOptions {
    /// For reading only, without the lock.
    pub read_only: bool,
    /// Make it when there is none.
    pub create: bool,
    /// Make it also in a folder that holds other files.
    pub among_others: bool,
}

/// A directory of collections.
#[napi]
pub struct NativeStore {
    store: Arc<Store>,
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> crate::error::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::new(Kind::Internal, format!("settings are not understood: {error}")))
}

fn json<T: serde::Serialize>(value: &T) -> crate::error::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::new(Kind::Internal, error.to_string()))
}

/// The settings that a collection has when nothing is said, as JSON text.
#[napi(catch_unwind)]
pub fn default_settings() -> Answer<String> {
    answer(json(&Settings::default()))
}

/// The knobs of engine `lsm` as options name them, put over those of some settings: JSON text of objects; none: over the
/// defaults. JSON text of all knobs (`settings`) and of the memtable's size (`memtableSize`), where an option says that.
#[napi(catch_unwind)]
pub fn lsm_options(options_text: String, over_text: Option<String>) -> Answer<String> {
    let parsed = || {
        let over = over_text.map_or_else(|| Ok(LsmSettings::default()), |text| parsed(&text))?;
        json(&LsmOptions::parse_json(&options_text, &over)?)
    };
    answer(parsed())
}

/// Opens the store in a folder; a folder that is missing is made when the store may be.
#[napi(catch_unwind)]
pub fn open_store<'e>(
    env: &'e Env,
    path: String,
    options: StoreOptions,
) -> napi::Result<PromiseRaw<'e, Answer<NativeStore>>> {
    background(env, move || {
        let path = env::checked_path(&path)?;
        let StoreOptions { read_only, create, among_others } = options;
        if create && !read_only {
            env::ensure_directory(&path)?;
        }
        let holder = format!("process {}", std::process::id());
        let store = Store::open(Arc::new(Disk), &path, &OpenStore { read_only, create, among_others, holder })?;
        Ok(NativeStore { store: Arc::new(store) })
    })
}

#[napi]
impl NativeStore {
    /// The folder.
    #[napi(getter, catch_unwind)]
    pub fn path(&self) -> String {
        self.store.base().to_string_lossy().into_owned()
    }

    /// The names of its collections, sorted.
    #[napi(catch_unwind)]
    pub fn list<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<Vec<String>>>> {
        let store = self.store.clone();
        background(env, move || store.list())
    }

    /// A collection; made with these settings when there is none and settings are given. With `exclusive`, one that is
    /// there is refused.
    #[napi(catch_unwind)]
    pub fn collection<'e>(
        &self,
        env: &'e Env,
        name: String,
        settings_text: Option<String>,
        exclusive: bool,
    ) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
        let store = self.store.clone();
        background(env, move || {
            let collection = match settings_text {
                None => store.collection(&name)?,
                Some(text) if exclusive => store.create(&name, parsed(&text)?)?,
                Some(text) => store.collection_or_create(&name, parsed(&text)?)?,
            };
            Ok(NativeCollection::stored(collection))
        })
    }

    /// Closes and removes a collection.
    #[napi(catch_unwind)]
    pub fn remove<'e>(&self, env: &'e Env, name: String) -> napi::Result<PromiseRaw<'e, Answer<()>>> {
        let store = self.store.clone();
        background(env, move || store.remove(&name))
    }

    /// Gives a collection another name; it is closed by that.
    #[napi(catch_unwind)]
    pub fn rename<'e>(&self, env: &'e Env, from: String, to: String) -> napi::Result<PromiseRaw<'e, Answer<()>>> {
        let store = self.store.clone();
        background(env, move || store.rename(&from, &to))
    }

    /// Does an operation on the store; request and answer are JSON text.
    #[napi(catch_unwind)]
    pub fn operate<'e>(
        &self,
        env: &'e Env,
        operation: String,
        request: String,
        job: &NativeJob,
    ) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        let (store, control) = (self.store.clone(), job.control());
        background(env, move || operate(&store, &operation, &request, &control))
    }

    /// Closes every collection and gives the lock up.
    #[napi(catch_unwind)]
    pub fn close<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<()>>> {
        let store = self.store.clone();
        background(env, move || store.close())
    }
}

#[napi]
impl NativeCollection {
    /// Who is told of acknowledgements and refusals; called on the JavaScript thread.
    #[napi(catch_unwind)]
    pub fn listen(&self, listener: Function<'_, FnArgs<(f64, f64, Option<CommitRefusal>)>, ()>) -> napi::Result<()> {
        let listener: Listener =
            listener.build_threadsafe_function::<CommitProgress>().callee_handled::<false>().weak::<true>().build()?;
        self.shared().listen(Box::new(move |progress| {
            let _ = listener.call(report(progress), ThreadsafeFunctionCallMode::NonBlocking);
        }));
        Ok(())
    }

    /// Asks for everything written so far to be made durable; the listener hears of it. The LSN that will be.
    #[napi(catch_unwind)]
    pub fn request_flush(&self) -> f64 {
        self.shared().request_flush() as f64
    }

    /// The number of the newest change that is known to be durable; of the newest of all where there is no log.
    #[napi(getter, catch_unwind)]
    pub fn durable_lsn(&self) -> f64 {
        self.shared().durable_lsn() as f64
    }

    /// A refusal that nobody was told of so far.
    #[napi(catch_unwind)]
    pub fn take_untold(&self) -> Option<Failure> {
        self.shared().take_untold().map(Failure::from)
    }

    /// Moves the memtable into a segment; the report as JSON text.
    #[napi(catch_unwind)]
    pub fn checkpoint<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        self.report(env, |collection| json(&collection.checkpoint()?))
    }

    /// Rewrites segments without their dead rows: those above `threshold` (0 to 1), all when none is given. The report
    /// as JSON text.
    #[napi(catch_unwind)]
    pub fn compact<'e>(&self, env: &'e Env, threshold: Option<f64>) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        let what = threshold.map_or(Compact::All, Compact::Above);
        self.report(env, move |collection| json(&collection.compact(what)?))
    }

    /// Puts the content of another collection in the place of this one. The LSN.
    #[napi(catch_unwind)]
    pub fn replace_with<'e>(
        &self,
        env: &'e Env,
        other: &NativeCollection,
    ) -> napi::Result<PromiseRaw<'e, Answer<f64>>> {
        let (collection, version) = (self.shared(), other.version());
        background(env, move || collection.replace(&version).map(|lsn| lsn as f64))
    }

    /// Changes settings, given whole as JSON text. What the collection knows of dimension and metric stays as it is.
    #[napi(catch_unwind)]
    pub fn configure<'e>(&self, env: &'e Env, settings_text: String) -> napi::Result<PromiseRaw<'e, Answer<()>>> {
        let collection = self.shared();
        background(env, move || {
            let wanted: Settings = parsed(&settings_text)?;
            collection.configure(|settings| {
                let (dimension, metric) = (settings.dimension, settings.metric.take());
                *settings = Settings { dimension, metric, ..wanted };
            })
        })
    }

    /// The settings as JSON text.
    #[napi(catch_unwind)]
    pub fn settings(&self) -> Answer<String> {
        answer(json(&self.shared().manifest().settings))
    }

    /// Counts and sizes as JSON text.
    #[napi(catch_unwind)]
    pub fn statistics<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        self.report(env, |collection| json(&collection.statistics()?))
    }

    /// The mappings as JSON text.
    #[napi(catch_unwind)]
    pub fn mmap_status<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        self.report(env, |collection| json(&collection.mmap_status()))
    }

    /// Asks for regions (segment, offset, length, one after another) to be read soon.
    #[napi(catch_unwind)]
    pub fn prefetch<'e>(&self, env: &'e Env, regions: Vec<f64>) -> napi::Result<PromiseRaw<'e, Answer<bool>>> {
        let collection = self.shared();
        background(env, move || {
            let (regions, _) = regions.as_chunks::<3>();
            let regions: Vec<_> = regions.iter().map(|[a, b, c]| (*a as u64, *b as u64, *c as u64)).collect();
            Ok(collection.prefetch(&regions))
        })
    }

    /// What opening found, as JSON text.
    #[napi(catch_unwind)]
    pub fn recovery(&self) -> Answer<String> {
        answer(json(self.shared().recovery()))
    }

    /// Writes what is left and gives the files back.
    #[napi(catch_unwind)]
    pub fn close<'e>(&self, env: &'e Env) -> napi::Result<PromiseRaw<'e, Answer<()>>> {
        let collection = self.shared();
        background(env, move || collection.close())
    }
}

impl NativeCollection {
    fn report<'e>(
        &self,
        env: &'e Env,
        work: impl FnOnce(&StoredCollection) -> crate::error::Result<String> + Send + 'static,
    ) -> napi::Result<PromiseRaw<'e, Answer<String>>> {
        let collection = self.shared();
        background(env, move || work(&collection))
    }
}
