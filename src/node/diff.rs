//! The difference between two contents, for JavaScript.

use super::failure::{Answer, answer, background};
use super::job::NativeJob;
use crate::error::{Error, Kind, Result};
use crate::ops::diff::{self, About, Change, Diff, Side};
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

/// One of the two: one of the three paths.
#[napi(object)]
pub struct DiffSide {
    /// An archive.
    pub archive: Option<String>,
    /// A snapshot of a store.
    pub snapshot: Option<String>,
    /// A store.
    pub store: Option<String>,
    /// The collection of a snapshot or a store; the only one when absent.
    pub collection: Option<String>,
}

/// What is known of one side.
#[napi(object)]
pub struct DiffAbout {
    /// Entries.
    pub count: f64,
    /// Numbers in each vector; 0 when nothing is known.
    pub dimension: f64,
    /// How vectors are compared, when that is known.
    pub metric: Option<String>,
}

/// Some changes: for each an id, and 0 for added, 1 for removed, 2 and the sum of 1 (vector) and 2 (metadata) for changed.
#[napi(object)]
pub struct DiffPage {
    /// Ids.
    pub ids: Vec<String>,
    /// What became of each.
    pub changes: Vec<u32>,
}

/// The difference between two contents.
#[napi]
pub struct NativeDiff(Diff);

impl DiffSide {
    fn interpreted(self) -> Result<Side> {
        match self {
            DiffSide { archive: Some(path), .. } => Ok(Side::Archive(path)),
            DiffSide { snapshot: Some(path), collection, .. } => Ok(Side::Snapshot(path, collection)),
            DiffSide { store: Some(path), collection, .. } => Ok(Side::Store(path, collection)),
            _ => Err(Error::new(Kind::Internal, "a side without a path")),
        }
    }
}

impl From<About> for DiffAbout {
    fn from(About { count, description }: About) -> Self {
        DiffAbout {
            count: count as f64,
            dimension: description.dimension.unwrap_or(0) as f64,
            metric: description.metric.map(|metric| metric.name().to_owned()),
        }
    }
}

fn code(change: Change) -> u32 {
    match change {
        Change::Added => 0,
        Change::Removed => 1,
        Change::Changed { vector, metadata } => 2 + u32::from(vector) + 2 * u32::from(metadata),
    }
}

#[napi]
impl NativeDiff {
    /// Ids that are only in the second, only in the first, and in both with other vectors, with other metadata, or either.
    #[napi(catch_unwind)]
    pub fn counts(&self) -> Vec<f64> {
        let mut counts = [0_u64; 5];
        let [added, removed, vectors, metadata, changed] = &mut counts;
        for (_, change) in self.0.changes() {
            match change {
                Change::Added => *added += 1,
                Change::Removed => *removed += 1,
                Change::Changed { vector, metadata: text } => {
                    *changed += 1;
                    *vectors += u64::from(vector);
                    *metadata += u64::from(text);
                }
            }
        }
        counts.iter().map(|count| *count as f64).collect()
    }

    /// What is known of the first and the second.
    #[napi(catch_unwind)]
    pub fn about(&self) -> Vec<DiffAbout> {
        self.0.about().into_iter().map(DiffAbout::from).collect()
    }

    /// At most `max` changes from the one of that number on.
    #[napi(catch_unwind)]
    pub fn page(&self, from: f64, max: u32) -> Answer<DiffPage> {
        let found = self.0.changes().skip(from.max(0.0) as usize).take(max.max(1) as usize);
        let (ids, changes) = found.map(|(id, change)| (id.to_owned(), code(change))).unzip();
        answer(Ok(DiffPage { ids, changes }))
    }
}

/// Compares two contents.
#[napi(catch_unwind)]
pub fn diff<'e>(
    env: &'e Env,
    first: DiffSide,
    second: DiffSide,
    job: &NativeJob,
) -> napi::Result<PromiseRaw<'e, Answer<NativeDiff>>> {
    let control = job.control();
    background(env, move || diff::run(&first.interpreted()?, &second.interpreted()?, &control).map(NativeDiff))
}
