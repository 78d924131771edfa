//! One long call as JavaScript sees it: its progress, and the way to cancel it.

use crate::control::{Control, Progress};
use napi::Status;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use std::sync::Arc;

const REPORTS_WAITING: usize = 8;

/// Weak: it does not keep the process alive; the promise of the call does.
type Listener = ThreadsafeFunction<NativeProgress, (), NativeProgress, Status, false, true, REPORTS_WAITING>;

/// One report of progress.
#[napi(object)]
pub struct NativeProgress {
    /// Which phase.
    pub operation: String,
    /// 0 to 100, never decreasing within one call.
    pub percentage: f64,
    /// Entries done.
    pub current: f64,
    /// Entries in all.
    pub total: f64,
    /// A sentence for a person.
    pub message: String,
}

/// Progress and cancellation of one long call.
#[napi]
pub struct NativeJob {
    control: Arc<Control>,
}

#[napi]
impl NativeJob {
    /// `onProgress` is called on the JavaScript thread, at most about 30 times a second; it must not throw.
    #[napi(constructor, catch_unwind)]
    pub fn new(on_progress: Option<Function<'_, NativeProgress, ()>>) -> napi::Result<Self> {
        let control = match on_progress {
            None => Control::new(None),
            Some(function) => {
                let listener: Listener = function
                    .build_threadsafe_function::<NativeProgress>()
                    .callee_handled::<false>()
                    .weak::<true>()
                    .max_queue_size::<REPORTS_WAITING>()
                    .build()?;
                Control::new(Some(Box::new(move |progress: Progress| {
                    // A full queue drops the report: a slow callback slows nothing down.
                    let _ = listener.call(progress.into(), ThreadsafeFunctionCallMode::NonBlocking);
                })))
            }
        };
        Ok(NativeJob { control: Arc::new(control) })
    }

    /// Asks the call to stop; it then answers with the failure `ERR_ABORTED`.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.control.cancel();
    }
}

impl NativeJob {
    pub(super) fn control(&self) -> Arc<Control> {
        self.control.clone()
    }
}

impl From<Progress> for NativeProgress {
    fn from(progress: Progress) -> Self {
        NativeProgress {
            operation: progress.operation,
            percentage: progress.percentage,
            current: progress.current as f64,
            total: progress.total as f64,
            message: progress.message,
        }
    }
}
