//! Save, load, adopt and export for JavaScript.

use super::chain::KnownChain;
use super::collection::{NativeCollection, background_collection, description};
use super::failure::{Answer, background};
use super::job::NativeJob;
use crate::archive::{Expect, Format, Options};
use crate::codec::Compression;
use crate::error::Error;
use crate::ops::{adopt, export_ruvector, load, save};
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

/// How an archive is written.
#[napi(object)]
pub struct ArchiveOptions {
    /// 'json', 'binary' or 'sqlite'.
    pub format: String,
    /// 'none', 'gzip', 'brotli' or 'zstd'.
    pub compression: String,
    /// The level of the compression; its default when absent.
    pub level: Option<u32>,
}

/// What was saved.
#[napi(object)]
pub struct SaveReport {
    /// Where, absolute.
    pub path: String,
    /// Bytes of the file.
    pub bytes: f64,
    /// Entries.
    pub count: f64,
    /// Numbers in each vector; 0 when there is none.
    pub dimension: f64,
    /// The checksum that the archive carries.
    pub checksum: String,
    /// When, in milliseconds since 1970.
    pub timestamp: f64,
    /// The base of its chain; absent when everything was written.
    pub base: Option<String>,
    /// Entries that were added or changed.
    pub puts: f64,
    /// Ids that were removed.
    pub deletes: f64,
    /// For an export of a `ruvector.db`: its newest commit is not whole, the one before it was read.
    pub stale: Option<bool>,
}

/// Where a collection came from.
#[napi(object)]
#[derive(Clone)]
pub struct LoadInfo {
    /// The file, absolute.
    pub path: String,
    /// 'json', 'binary', 'sqlite' or 'ruvector'.
    pub format: String,
    /// 'none', 'gzip', 'brotli' or 'zstd'.
    pub compression: String,
    /// The version of the format.
    pub version: String,
    /// When it was written, in milliseconds since 1970; 0 when the file does not say.
    pub timestamp: f64,
    /// Entries.
    pub count: f64,
    /// Bytes of the file.
    pub bytes: f64,
    /// The checksum that the archive carries.
    pub checksum: Option<String>,
}

/// What to load and what it has to be.
#[napi(object)]
pub struct LoadRequest {
    /// The archive.
    pub path: String,
    /// The only format that is taken, when given.
    pub format: Option<String>,
    /// Check the checksum and the count. Everything else is always checked.
    pub verify: bool,
    /// The dimension of the database it is for, when known.
    pub dimension: Option<f64>,
    /// The metric of the database it is for, when known.
    pub metric: Option<String>,
    /// What progress calls the work.
    pub operation: String,
    /// The chain of that base, or of the base of that delta, as it was recorded.
    pub known: Option<KnownChain>,
    /// Whether it is to be built on.
    pub keep: Option<bool>,
}

impl ArchiveOptions {
    pub(super) fn interpreted(&self) -> crate::error::Result<Options> {
        Ok(Options {
            format: Format::named(&self.format)?,
            compression: Compression::named(&self.compression)?,
            level: self.level,
        })
    }
}

impl LoadRequest {
    pub(super) fn expect(&self) -> crate::error::Result<Expect> {
        Ok(Expect {
            verify: self.verify,
            description: description(self.dimension, self.metric.as_deref())?,
            format: self.format.as_deref().map(Format::named).transpose()?,
        })
    }
}

impl From<save::Report> for SaveReport {
    fn from(report: save::Report) -> Self {
        let (puts, deletes) = report.delta.as_ref().map_or((report.count, 0), |delta| (delta.puts, delta.deletes));
        SaveReport {
            path: report.path.to_string_lossy().into_owned(),
            bytes: report.bytes as f64,
            count: report.count as f64,
            dimension: report.dimension as f64,
            checksum: report.checksum,
            timestamp: report.timestamp as f64,
            base: report.delta.map(|delta| delta.base.to_string_lossy().into_owned()),
            puts: puts as f64,
            deletes: deletes as f64,
            stale: None,
        }
    }
}

impl TryFrom<load::Loaded> for NativeCollection {
    type Error = Error;

    fn try_from(loaded: load::Loaded) -> Result<Self, Error> {
        let source = loaded.source;
        let info = LoadInfo {
            path: loaded.path.to_string_lossy().into_owned(),
            format: source.format.name().to_owned(),
            compression: source.compression.name().to_owned(),
            version: source.head.version,
            timestamp: source.head.timestamp as f64,
            count: source.count as f64,
            bytes: loaded.bytes as f64,
            checksum: source.head.checksum,
        };
        let chain = loaded.chain;
        Ok(NativeCollection::of(loaded.collection, Some(info))?.of_chain(chain))
    }
}

impl TryFrom<adopt::Adopted> for NativeCollection {
    type Error = Error;

    fn try_from(adopted: adopt::Adopted) -> Result<Self, Error> {
        let info = LoadInfo {
            path: adopted.path.to_string_lossy().into_owned(),
            format: "ruvector".to_owned(),
            compression: "none".to_owned(),
            version: String::new(),
            timestamp: 0.0,
            count: adopted.collection.len() as f64,
            bytes: adopted.bytes as f64,
            checksum: None,
        };
        NativeCollection::of(adopted.collection, Some(info))
    }
}

/// Writes one archive: temporary file, sync, rename, sync of the directory; missing parents are made.
#[napi(catch_unwind)]
pub fn save<'e>(
    env: &'e Env,
    collection: &NativeCollection,
    path: String,
    options: ArchiveOptions,
    operation: String,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<SaveReport>>> {
    let (version, control) = (collection.version(), job.control());
    background(env, move || {
        let request = save::Request { path: &path, options: options.interpreted()?, operation: &operation };
        save::run(&version, &request, &control).map(SaveReport::from)
    })
}

/// Reads and checks a whole archive, and the deltas beside it, into a collection of its own.
#[napi(catch_unwind)]
pub fn load<'e>(
    env: &'e Env,
    request: LoadRequest,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    let control = job.control();
    background_collection(env, move || {
        let expect = request.expect()?;
        let known = request.known.as_ref().map(|known| known.at(&request.path)).transpose()?;
        let keep = request.keep.unwrap_or(false);
        let request = load::Request { path: &request.path, expect, operation: &request.operation };
        load::chained(&request, known.as_ref(), keep, &control).and_then(NativeCollection::try_from)
    })
}

/// Reads a `ruvector.db` from a private copy.
#[napi(catch_unwind)]
pub fn read_ruvector<'e>(
    env: &'e Env,
    path: String,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeCollection>>> {
    let control = job.control();
    background_collection(env, move || adopt::run(&path, &control).and_then(NativeCollection::try_from))
}

/// A `ruvector.db` straight to an archive.
#[napi(catch_unwind)]
pub fn export_ruvector<'e>(
    env: &'e Env,
    from: String,
    to: String,
    options: ArchiveOptions,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<SaveReport>>> {
    let control = job.control();
    background(env, move || {
        let (report, stale) = export_ruvector::run(&from, &to, options.interpreted()?, &control)?;
        Ok(SaveReport { stale: Some(stale), ..SaveReport::from(report) })
    })
}
