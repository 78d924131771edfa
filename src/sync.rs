//! Locks, conditions, atomics, threads and the clock of waiting, as everything uses them that several threads share.
//!
//! They are those of the standard library. With the feature `shuttle` they are those of a scheduler that runs one thread
//! at a time and decides at each of these calls which one goes on: `tests/interleaving.rs` tries thousands of orders so.
//! A library built so works inside such a test and panics outside of it; no package is ever built so.

#[cfg(not(feature = "shuttle"))]
pub use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, mpsc},
    thread::{Builder, JoinHandle},
    time::Instant,
};

#[cfg(feature = "shuttle")]
pub use self::model::{Condvar, Instant, Mutex, MutexGuard};
#[cfg(feature = "shuttle")]
pub use shuttle::{
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, mpsc},
    thread::{Builder, JoinHandle},
};

/// Waiting as the scheduler has it. No time passes but by waiting for it, and a wait with a limit may end at once,
/// because nothing says how long the other threads take: so every order in which a limit can run out is tried.
#[cfg(feature = "shuttle")]
mod model {
    use shuttle::sync;
    use std::cell::Cell;
    use std::ops::{Deref, DerefMut};
    use std::sync::{LockResult, PoisonError};
    use std::time::Duration;

    thread_local! {
        /// The threads of one scheduler are run by one thread of the operating system: this is their common clock.
        static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// A moment of that clock.
    #[derive(Debug, Clone, Copy)]
    pub struct Instant(Duration);

    impl Instant {
        pub fn now() -> Instant {
            Instant(NOW.get())
        }

        pub fn elapsed(&self) -> Duration {
            NOW.get().saturating_sub(self.0)
        }
    }

    /// As the standard one.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    /// Knows its lock, which a wait with a limit gives up and takes again.
    #[derive(Debug)]
    pub struct MutexGuard<'a, T> {
        held: sync::MutexGuard<'a, T>,
        lock: &'a Mutex<T>,
    }

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(sync::Mutex::new(value))
        }

        pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            guarded(self, self.0.lock())
        }
    }

    fn guarded<'a, T>(lock: &'a Mutex<T>, held: LockResult<sync::MutexGuard<'a, T>>) -> LockResult<MutexGuard<'a, T>> {
        match held {
            Ok(held) => Ok(MutexGuard { held, lock }),
            Err(poisoned) => Err(PoisonError::new(MutexGuard { held: poisoned.into_inner(), lock })),
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.held
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.held
        }
    }

    /// As the standard one, with that clock.
    #[derive(Debug, Default)]
    pub struct Condvar(sync::Condvar);

    impl Condvar {
        pub fn new() -> Condvar {
            Condvar::default()
        }

        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
            guarded(guard.lock, self.0.wait(guard.held))
        }

        /// Lets the others run for as long as the scheduler likes, then gives up waiting. The second value stands for
        /// what the standard library says of the limit, which nobody here asks.
        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            limit: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, ())> {
            let lock = guard.lock;
            drop(guard);
            shuttle::thread::yield_now();
            NOW.set(NOW.get() + limit);
            lock.lock().map(|guard| (guard, ())).map_err(|poisoned| PoisonError::new((poisoned.into_inner(), ())))
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
