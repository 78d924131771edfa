//! A failure as it crosses to JavaScript, and the one way long work is done off the JavaScript thread.

use crate::error::{Error, Kind};
use napi::bindgen_prelude::{Either, Env, PromiseRaw, ToNapiValue};
use napi_derive::napi;

/// An error of the core as a plain object; the TypeScript side throws it as a `PersistenceError`.
#[napi(object)]
pub struct Failure {
    /// Always true: tells a failure from an answer.
    pub is_failure: bool,
    /// The stable code.
    pub code: String,
    /// A sentence for a person.
    pub message: String,
    /// The file it is about.
    pub path: Option<String>,
    /// Where in the file's uncompressed content, in bytes.
    pub offset: Option<f64>,
    /// The errno's name.
    pub cause_code: Option<String>,
    /// What the operating system said.
    pub cause_message: Option<String>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            is_failure: true,
            code: error.kind.code().to_owned(),
            cause_code: error.cause_code().map(str::to_owned),
            cause_message: error.source.as_ref().map(ToString::to_string),
            path: error.path.map(|path| path.to_string_lossy().into_owned()),
            offset: error.offset.map(|offset| offset as f64),
            message: error.message,
        }
    }
}

/// An answer or a failure, as a value.
pub type Answer<T> = Either<T, Failure>;

/// Turns a result of the core into a value.
pub fn answer<T>(result: crate::error::Result<T>) -> Answer<T> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}

/// Does `work` on a thread of its own; a panic becomes a failure.
pub async fn answered<T: Send + 'static>(
    work: impl FnOnce() -> crate::error::Result<T> + Send + 'static,
) -> napi::Result<Answer<T>> {
    let done = tokio::task::spawn_blocking(work).await;
    let panicked = |_| Err(Error::new(Kind::Internal, "the native code panicked; please report it"));
    Ok(answer(done.unwrap_or_else(panicked)))
}

/// The same as a promise.
pub fn background<'e, T: ToNapiValue + Send + 'static>(
    env: &'e Env,
    work: impl FnOnce() -> crate::error::Result<T> + Send + 'static,
) -> napi::Result<PromiseRaw<'e, Answer<T>>> {
    env.spawn_future(answered(work))
}
