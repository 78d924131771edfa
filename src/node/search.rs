//! Search for JavaScript.

use super::collection::NativeCollection;
use super::failure::{Answer, background};
use crate::ops::search::{self, Request};
use crate::search::Filter;
use napi::bindgen_prelude::{Env, Float32Array, Float32ArraySlice, PromiseRaw};
use napi_derive::napi;

/// What to search for.
#[napi(object)]
pub struct SearchRequest {
    /// Hits wanted.
    pub k: u32,
    /// A filter as JSON text.
    pub filter: Option<String>,
    /// The least similarity of a hit.
    pub threshold: Option<f64>,
    /// Whether the vectors of the hits are wanted.
    pub vectors: bool,
    /// Whether their metadata are wanted.
    pub metadata: bool,
}

/// The hits of a search, nearest first.
#[napi(object)]
pub struct SearchHits {
    /// Ids.
    pub ids: Vec<String>,
    /// Distances: smaller is nearer.
    pub scores: Vec<f64>,
    /// Vectors, one after another, in a fresh buffer; empty when they were not asked for.
    pub vectors: Float32Array,
    /// JSON text of each, when they were asked for.
    pub metadata: Vec<Option<String>>,
}

#[napi]
impl NativeCollection {
    /// The entries that are nearest to a vector, as the collection is now.
    #[napi(catch_unwind)]
    pub fn search<'e>(
        &self,
        env: &'e Env,
        vector: Float32ArraySlice<'_>,
        request: SearchRequest,
    ) -> napi::Result<PromiseRaw<'e, Answer<SearchHits>>> {
        let (version, vector) = (self.version(), vector.to_vec());
        background(env, move || {
            let SearchRequest { k, filter, threshold, vectors, metadata } = request;
            let filter = filter.as_deref().map(Filter::parse).transpose()?;
            let request = Request { vector, k: k as usize, threshold, filter, vectors, metadata };
            let found = search::run(&version, request)?;
            Ok(SearchHits {
                ids: found.ids,
                scores: found.scores,
                vectors: Float32Array::with_data_copied(found.vectors),
                metadata: found.metadata,
            })
        })
    }
}
