//! The base directory and the files beside it, for JavaScript.

use super::failure::{Answer, background};
use crate::ops::base;
use napi::bindgen_prelude::{Env, Null, PromiseRaw};
use napi_derive::napi;

/// What was found in a base directory.
#[napi(object)]
pub struct OpenReport {
    /// The text of `.incremental.json`; absent when there is none.
    pub incremental: Option<String>,
    /// Temporary files of dead processes that were removed.
    pub swept: f64,
}

/// Makes `baseDir` a directory that can be written to.
#[napi(catch_unwind)]
pub fn open_base<'e>(env: &'e Env, base_dir: String) -> napi::Result<PromiseRaw<'e, Answer<OpenReport>>> {
    background(env, move || {
        let opened = base::open(&base_dir)?;
        Ok(OpenReport { incremental: opened.incremental, swept: opened.swept as f64 })
    })
}

/// Replaces `.incremental.json`.
#[napi(catch_unwind)]
pub fn write_incremental<'e>(
    env: &'e Env,
    base_dir: String,
    text: String,
) -> napi::Result<PromiseRaw<'e, Answer<Null>>> {
    background(env, move || base::write_incremental(&base_dir, &text).map(|()| Null))
}

/// The size of a regular file; null when there is none.
#[napi(catch_unwind)]
pub fn file_size<'e>(env: &'e Env, path: String) -> napi::Result<PromiseRaw<'e, Answer<Option<f64>>>> {
    background(env, move || Ok(base::file_size(&path)?.map(|bytes| bytes as f64)))
}

/// Files of ruvector that this process holds open, as far as the system tells, then `./ruvector.db`.
#[napi(catch_unwind)]
pub fn ruvector_files(env: &Env) -> napi::Result<PromiseRaw<'_, Answer<Vec<String>>>> {
    background(env, || {
        let files = base::ruvector_files()?;
        Ok(files.into_iter().map(|path| path.to_string_lossy().into_owned()).collect())
    })
}
