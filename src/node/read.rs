//! Reads of entries into buffers that JavaScript made for them: one copy, and nothing for its collector to call back about.
//!
//! A buffer that is too short or too long is not touched; the answer says how long it has to be.

use super::collection::{NativeCollection, split};
use super::failure::Failure;
use crate::error::Result;
use crate::store::Collection;
use napi::bindgen_prelude::{Either3, Either4, Float32ArraySlice};
use napi_derive::napi;

/// What was found, or the length that the buffer has to have.
enum Filled<T> {
    Found(T),
    Due(usize),
}

#[napi]
impl NativeCollection {
    /// Copies the vector of an entry into `vector`, and gives the JSON text of its metadata; true when it has none, false
    /// when there is no such entry. A number is the length that `vector` has to have.
    #[napi(catch_unwind)]
    pub fn read_into(&self, id: String, mut vector: Float32ArraySlice<'_>) -> Either4<String, bool, f64, Failure> {
        // SAFETY: the buffer was made for this call by the one caller in lib/, which waits for it on the only thread that
        // knows the buffer.
        let place = unsafe { vector.as_mut() };
        let found = self.shared().read(|state| {
            state.with(&id, |row| {
                if row.vector.len() != place.len() {
                    return Filled::Due(row.vector.len());
                }
                place.copy_from_slice(row.vector);
                Filled::Found(row.metadata.map(str::to_owned))
            })
        });
        match found {
            Ok(Some(Filled::Found(Some(metadata)))) => Either4::A(metadata),
            Ok(Some(Filled::Found(None))) => Either4::B(true),
            Ok(Some(Filled::Due(length))) => Either4::C(length as f64),
            Ok(None) => Either4::B(false),
            Err(error) => Either4::D(error.into()),
        }
    }

    /// Copies the vectors of many ids, given with NUL between them, into `vectors`, one after another, and gives the places
    /// of those that are not there; nothing is written for them. A number is the length that `vectors` has to have.
    #[napi(catch_unwind)]
    pub fn read_many_into(&self, ids: String, mut vectors: Float32ArraySlice<'_>) -> Either3<Vec<u32>, f64, Failure> {
        // SAFETY: as in `read_into`.
        let place = unsafe { vectors.as_mut() };
        match self.shared().read(|state| copy_vectors(state, &ids, place)) {
            Ok(Filled::Found(missing)) => Either3::A(missing),
            Ok(Filled::Due(length)) => Either3::B(length as f64),
            Err(error) => Either3::C(error.into()),
        }
    }
}

fn copy_vectors(state: &Collection, ids: &str, vectors: &mut [f32]) -> Result<Filled<Vec<u32>>> {
    let dimension = state.description().dimension.unwrap_or(0);
    let count = split(ids).count();
    if dimension * count != vectors.len() {
        return Ok(Filled::Due(dimension * count));
    }
    if dimension == 0 {
        return Ok(Filled::Found((0..count as u32).collect()));
    }
    let mut missing = Vec::new();
    for (index, (id, place)) in split(ids).zip(vectors.chunks_exact_mut(dimension)).enumerate() {
        if state.with(id, |row| place.copy_from_slice(row.vector))?.is_none() {
            missing.push(index as u32);
        }
    }
    Ok(Filled::Found(missing))
}
