//! A version of a collection that JavaScript reads page by page.

use super::collection::{EntriesPage, page};
use super::failure::{Answer, answer, background};
use super::plan::IdsPage;
use crate::error::{Error, Kind, Result};
use crate::store::Version;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;
use std::sync::{Mutex, PoisonError};

/// A collection as it was at one moment.
#[napi]
pub struct NativeView {
    /// None once it was released.
    version: Mutex<Option<Version>>,
}

impl NativeView {
    pub(super) fn of(version: Version) -> Self {
        NativeView { version: Mutex::new(Some(version)) }
    }

    fn version(&self) -> Result<Version> {
        let held = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone().ok_or_else(|| Error::new(Kind::Closed, "the view was released"))
    }
}

fn ids(version: &Version, cursor: f64, max: u32) -> Result<IdsPage> {
    let (from, max) = (cursor.max(0.0) as usize, max.max(1) as usize);
    let (mut ids, mut next) = (Vec::new(), -1.0);
    // Ids alone are read, with as many rows as it takes to find `max` that live.
    let mut start = from;
    while start < version.end() && ids.len() < max {
        let end = start.saturating_add(max - ids.len());
        version.scan_ids(start, end, |id| ids.push(id.to_owned()))?;
        start = end;
    }
    if start < version.end() {
        next = start as f64;
    }
    Ok(IdsPage { ids, next })
}

#[napi]
impl NativeView {
    /// Entries.
    #[napi(getter, catch_unwind)]
    pub fn length(&self) -> f64 {
        self.version().map_or(0.0, |version| version.len() as f64)
    }

    /// The number of the last change that is in it.
    #[napi(getter, catch_unwind)]
    pub fn lsn(&self) -> f64 {
        self.version().map_or(0.0, |version| version.lsn() as f64)
    }

    /// At most `max` entries, and about `maxBytes`, from a cursor on; the first is 0.
    #[napi(catch_unwind)]
    pub fn page(&self, cursor: f64, max: u32, max_bytes: f64) -> Answer<EntriesPage> {
        answer(self.version().and_then(|version| page(version.entries_from(cursor.max(0.0) as usize), max, max_bytes)))
    }

    /// The same, read by another thread.
    #[napi(catch_unwind)]
    pub fn page_later<'e>(
        &self,
        env: &'e Env,
        cursor: f64,
        max: u32,
        max_bytes: f64,
    ) -> napi::Result<PromiseRaw<'e, Answer<EntriesPage>>> {
        let version = self.version();
        background(env, move || page(version?.entries_from(cursor.max(0.0) as usize), max, max_bytes))
    }

    /// At most `max` ids from a cursor on.
    #[napi(catch_unwind)]
    pub fn ids(&self, cursor: f64, max: u32) -> Answer<IdsPage> {
        answer(self.version().and_then(|version| ids(&version, cursor, max)))
    }

    /// Lets go of what it holds. Pages cannot be read any more.
    #[napi(catch_unwind)]
    pub fn release(&self) {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
