//! The only file that names `std::sync` and `std::thread`.
//!
//! Under `--cfg loom` every primitive here is loom's, so that the real lock and the real threads are model-checked.

#[cfg(not(loom))]
pub use std::sync::{Arc, Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub use std::thread::{JoinHandle, ThreadId, yield_now};

#[cfg(loom)]
pub use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
#[cfg(loom)]
pub use loom::thread::{JoinHandle, yield_now};
/// loom's thread identifier.
#[cfg(loom)]
pub type ThreadId = loom::thread::ThreadId;

/// Shared immutable data. It orders nothing between threads, so a model checker need not see it.
pub use std::sync::Arc as Shared;

/// Atomics of the standard library, under the model checker too: for switches that are set before threads start.
pub use std::sync::atomic::{AtomicU8 as PlainAtomicU8, Ordering as PlainOrdering};

use crate::planted::{Bug, is_planted};
use std::time::Duration;

/// Starts a named thread.
///
/// # Errors
/// The operating system's, when it has no room for another thread.
#[cfg(not(loom))]
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// Starts a thread of the model.
///
/// # Errors
/// None under loom.
#[cfg(loom)]
pub fn spawn<T: Send + 'static>(
    _name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    Ok(loom::thread::spawn(body))
}

/// The identifier of the calling thread.
pub fn current_thread() -> ThreadId {
    #[cfg(not(loom))]
    return std::thread::current().id();
    #[cfg(loom)]
    return loom::thread::current().id();
}

/// Locks a mutex whether or not a holder panicked: the state behind every mutex of this crate is valid between
/// statements, and a panic is reported by the thread's join.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Takes the value out of a mutex; see [`lock`] for panics.
pub fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on a condition; see [`lock`] for panics.
pub fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A sticky wake-up: a kick that comes before the wait is not lost, several before one wait count as one.
#[derive(Debug)]
pub struct Kick {
    pending: Mutex<bool>,
    condition: Condvar,
}

impl Default for Kick {
    fn default() -> Self {
        Self { pending: Mutex::new(false), condition: Condvar::new() }
    }
}

impl Kick {
    /// Wakes the waiter, now or when it next waits.
    pub fn kick(&self) {
        *lock(&self.pending) = true;
        self.condition.notify_all();
    }

    /// Waits for a kick and consumes it.
    pub fn wait(&self) {
        let mut pending = lock(&self.pending);
        *pending &= !is_planted(Bug::LostKick);
        while !*pending {
            pending = wait(&self.condition, pending);
        }
        *pending = false;
    }

    /// Waits for a kick, at most `limit`, and consumes it. No protocol depends on the limit: it paces polling of the
    /// operating system and sleeping until a virtual timer is due in real time. Under loom it never passes.
    pub fn wait_at_most(&self, limit: Duration) {
        #[cfg(loom)]
        {
            let _ = limit;
            self.wait();
        }
        #[cfg(not(loom))]
        {
            let pending = lock(&self.pending);
            let (mut pending, _) = self
                .condition
                .wait_timeout_while(pending, limit, |pending| !*pending)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *pending = false;
        }
    }
}
