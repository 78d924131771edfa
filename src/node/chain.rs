//! Bases, deltas, and what is known of them, for JavaScript.

use super::archive::{ArchiveOptions, SaveReport};
use super::collection::NativeCollection;
use super::failure::{Answer, Failure, background};
use super::job::NativeJob;
use crate::archive::Format;
use crate::codec::Compression;
use crate::env::{self, Stamp};
use crate::error::{Error, Result};
use crate::ops::chain::{Chain, File};
use crate::ops::save_incremental::{self, Baseline, Outcome, Request};
use napi::bindgen_prelude::{ClassInstance, Env, PromiseRaw};
use napi_derive::napi;

/// One file of a chain.
#[napi(object)]
#[derive(Clone)]
pub struct ChainFile {
    /// The checksum that it carries.
    pub checksum: String,
    /// Its bytes.
    pub bytes: f64,
    /// When it was written, as its file system says, in milliseconds since 1970.
    pub modified: f64,
}

/// A chain as it is recorded.
#[napi(object)]
#[derive(Clone)]
pub struct KnownChain {
    /// 'json', 'binary' or 'sqlite'.
    pub format: String,
    /// 'none', 'gzip', 'brotli' or 'zstd'.
    pub compression: String,
    /// The content that it leads to.
    pub fingerprint: String,
    /// When its last file was written, in milliseconds since 1970.
    pub timestamp: f64,
    /// The base.
    pub base: ChainFile,
    /// The deltas, in order.
    pub deltas: Vec<ChainFile>,
}

/// What to save to which chain.
#[napi(object)]
pub struct IncrementalRequest {
    /// The base.
    pub path: String,
    /// How to write.
    pub options: ArchiveOptions,
    /// What progress calls the work.
    pub operation: String,
    /// The chain, as it was recorded.
    pub known: Option<KnownChain>,
}

/// A chain, what it holds, and what the call that answered with it has done.
#[napi]
pub struct NativeChain {
    baseline: Baseline,
    report: Option<crate::ops::save::Report>,
    broken: Option<Error>,
}

impl From<&File> for ChainFile {
    fn from(file: &File) -> Self {
        let Stamp { bytes, modified } = file.stamp;
        ChainFile { checksum: file.checksum.clone(), bytes: bytes as f64, modified: modified as f64 }
    }
}

impl From<&ChainFile> for File {
    fn from(file: &ChainFile) -> Self {
        let stamp = Stamp { bytes: file.bytes as u64, modified: file.modified as u64 };
        File { checksum: file.checksum.clone(), stamp }
    }
}

impl KnownChain {
    /// The chain whose base is at `path`.
    pub(super) fn at(&self, path: &str) -> Result<Chain> {
        Ok(Chain {
            path: env::checked_path(path)?,
            format: Format::named(&self.format)?,
            compression: Compression::named(&self.compression)?,
            base: File::from(&self.base),
            deltas: self.deltas.iter().map(File::from).collect(),
            fingerprint: self.fingerprint.clone(),
            timestamp: self.timestamp as u64,
        })
    }
}

impl From<Outcome> for NativeChain {
    fn from(Outcome { report, broken, baseline }: Outcome) -> Self {
        NativeChain { baseline, report, broken }
    }
}

impl NativeChain {
    /// What was loaded.
    pub(super) fn of(baseline: Baseline) -> Self {
        NativeChain { baseline, report: None, broken: None }
    }
}

#[napi]
impl NativeChain {
    /// What was written; null when nothing was.
    #[napi(getter, catch_unwind)]
    pub fn report(&self) -> Option<SaveReport> {
        self.report.clone().map(SaveReport::from)
    }

    /// Why the chain that was there could not be built on; null when there was no reason.
    #[napi(getter, catch_unwind)]
    pub fn broken(&self) -> Option<Failure> {
        self.broken.as_ref().map(|error| error.again().into())
    }

    /// As it is to be recorded.
    #[napi(getter, catch_unwind)]
    pub fn known(&self) -> KnownChain {
        let chain = &self.baseline.chain;
        KnownChain {
            format: chain.format.name().to_owned(),
            compression: chain.compression.name().to_owned(),
            fingerprint: chain.fingerprint.clone(),
            timestamp: chain.timestamp as f64,
            base: ChainFile::from(&chain.base),
            deltas: chain.deltas.iter().map(ChainFile::from).collect(),
        }
    }
}

/// Writes what has changed, or a new base, or nothing.
#[napi(catch_unwind)]
pub fn save_incremental<'e>(
    env: &'e Env,
    collection: &NativeCollection,
    request: IncrementalRequest,
    baseline: Option<ClassInstance<'_, NativeChain>>,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeChain>>> {
    let (version, control) = (collection.version(), job.control());
    let baseline = baseline.map(|held| held.baseline.clone());
    background(env, move || {
        let known = request.known.as_ref().map(|known| known.at(&request.path)).transpose()?;
        let (path, operation) = (&request.path, &request.operation);
        let request = Request { path, options: request.options.interpreted()?, operation, known: known.as_ref() };
        save_incremental::run(&version, &request, baseline.as_ref(), &control).map(NativeChain::from)
    })
}

/// Writes everything: the base of a new chain.
#[napi(catch_unwind)]
pub fn save_base<'e>(
    env: &'e Env,
    collection: &NativeCollection,
    request: IncrementalRequest,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeChain>>> {
    let (version, control) = (collection.version(), job.control());
    background(env, move || {
        let (path, operation) = (&request.path, &request.operation);
        let request = Request { path, options: request.options.interpreted()?, operation, known: None };
        save_incremental::base(&version, &request, &control).map(NativeChain::from)
    })
}
