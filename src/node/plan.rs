//! The difference between two collections, in pages.

use super::collection::{EntriesPage, NativeCollection, page};
use super::failure::{Answer, answer, background};
use crate::format::Entry;
use crate::store::Plan;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;
use std::sync::Arc;

/// A page of ids.
#[napi(object)]
pub struct IdsPage {
    /// Ids.
    pub ids: Vec<String>,
    /// Cursor of the next page, -1 at the end.
    pub next: f64,
}

/// What to do to a database that holds one content so that it holds another.
#[napi]
pub struct NativePlan(Plan);

fn ids(entries: &[Arc<Entry>], cursor: f64, max: u32) -> IdsPage {
    let from = cursor.max(0.0) as usize;
    let ids: Vec<String> =
        entries.iter().skip(from).take(max.max(1) as usize).map(|entry| entry.id.to_string()).collect();
    let end = from + ids.len();
    IdsPage { ids, next: if end < entries.len() { end as f64 } else { -1.0 } }
}

#[napi]
impl NativePlan {
    /// How many ids are only in the old content.
    #[napi(getter, catch_unwind)]
    pub fn removed(&self) -> f64 {
        self.0.removed.len() as f64
    }

    /// How many ids are in both with different content.
    #[napi(getter, catch_unwind)]
    pub fn changed(&self) -> f64 {
        self.0.changed.len() as f64
    }

    /// How many ids are only in the new content.
    #[napi(getter, catch_unwind)]
    pub fn added(&self) -> f64 {
        self.0.added() as f64
    }

    /// Ids that are only in the old content.
    #[napi(catch_unwind)]
    pub fn removed_ids(&self, cursor: f64, max: u32) -> IdsPage {
        ids(&self.0.removed, cursor, max)
    }

    /// Ids that are in both with different content.
    #[napi(catch_unwind)]
    pub fn changed_ids(&self, cursor: f64, max: u32) -> IdsPage {
        ids(&self.0.changed, cursor, max)
    }

    /// Entries of the new content that are changed or added, in its order.
    #[napi(catch_unwind)]
    pub fn puts(&self, cursor: f64, max: u32, max_bytes: f64) -> Answer<EntriesPage> {
        let from = cursor.max(0.0) as usize;
        let puts = self.0.puts.iter().enumerate().skip(from);
        answer(page(puts.map(|(row, entry)| Ok((row + 1, entry.clone()))), max, max_bytes))
    }
}

/// The plan from one content to another.
#[napi(catch_unwind)]
pub fn plan<'e>(
    env: &'e Env,
    from: &NativeCollection,
    to: &NativeCollection,
) -> napi::Result<PromiseRaw<'e, Answer<NativePlan>>> {
    let (from, to) = (from.version(), to.version());
    background(env, move || Plan::between(&from, &to).map(NativePlan))
}
