//! The only file that names `std::sync` and `std::thread`.
//!
//! With the feature `loom` every primitive here is loom's, so that the real lock and the real threads are model-checked;
//! with the feature `shuttle` it is shuttle's, which runs whole machines under random schedules.
//!
//! No protocol may depend on a timed wait, so there are two of them, told apart by what may depend on their limit:
//! [`Kick::wait_at_most`] paces work that a kick starts anyway, and its limit never passes under loom and need not under
//! shuttle; [`Kick::sleep`] lets real time pass that a guest has asked for, and there its limit may pass at any moment.

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
use std::{sync, thread};

#[cfg(feature = "loom")]
use loom::{sync, thread};

#[cfg(feature = "shuttle")]
use shuttle::{sync, thread};

pub use sync::{Arc, Condvar, Mutex, MutexGuard};
pub use thread::{JoinHandle, ThreadId, yield_now};

/// Shared immutable data. It orders nothing between threads, so a model checker need not see it.
pub use std::sync::Arc as Shared;

/// A value that is computed when it is first asked for, and the same whoever computes it: nothing to order either.
pub use std::sync::OnceLock as Lazy;

/// Atomics of the standard library, under the model checker too: for switches that are set before threads start.
pub use std::sync::atomic::{AtomicU8 as PlainAtomicU8, Ordering as PlainOrdering};

use crate::seeded_faults::{SeededFault, is_seeded};
use std::time::Duration;

/// Starts a named thread.
///
/// # Errors
/// The operating system's, when it has no room for another thread; a model checker's threads always start.
pub fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<JoinHandle<T>> {
    let builder = thread::Builder::new().name(name.to_owned());
    // loom's own stack is too small to take a snapshot on. It counts machine words.
    #[cfg(feature = "loom")]
    let builder = builder.stack_size(1 << 16);
    builder.spawn(body)
}

/// The identifier of the calling thread.
pub fn current_thread() -> ThreadId {
    thread::current().id()
}

/// Locks a mutex whether or not a holder panicked: the state behind every mutex of this crate is valid between
/// statements, and a panic is reported by the thread's join.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// As [`lock`], or `None` at once when somebody holds it.
pub fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// Takes the value out of a mutex; see [`lock`] for panics.
pub fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on a condition; see [`lock`] for panics.
pub fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on a condition, at most `limit`: for those who look up now and then. Under loom the limit never passes.
pub fn wait_at_most<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Duration,
) -> MutexGuard<'a, T> {
    #[cfg(feature = "loom")]
    {
        let _ = limit;
        wait(condition, guard)
    }
    #[cfg(not(feature = "loom"))]
    condition.wait_timeout(guard, limit).unwrap_or_else(std::sync::PoisonError::into_inner).0
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
        *pending &= !is_seeded(SeededFault::LostKick);
        while !*pending {
            pending = wait(&self.condition, pending);
        }
        *pending = false;
    }

    /// Waits for a kick, at most `limit`, and consumes it. The limit paces polling of the operating system and nothing
    /// else: whoever has work for the waiter kicks it. Under loom it never passes, under shuttle perhaps.
    pub fn wait_at_most(&self, limit: Duration) {
        #[cfg(feature = "shuttle")]
        if model::passes() {
            return self.sleep(limit);
        }
        #[cfg(any(feature = "loom", feature = "shuttle"))]
        {
            let _ = limit;
            self.wait();
        }
        #[cfg(not(any(feature = "loom", feature = "shuttle")))]
        self.wait_for(limit);
    }

    /// Lets `limit` of real time pass, unless a kick comes first, and consumes it. Under a model checker it passes at
    /// any moment.
    pub fn sleep(&self, limit: Duration) {
        #[cfg(any(feature = "loom", feature = "shuttle"))]
        {
            let _ = limit;
            #[cfg(feature = "shuttle")]
            while !*lock(&self.pending) && !model::passes() {
                yield_now();
            }
            *lock(&self.pending) = false;
        }
        #[cfg(not(any(feature = "loom", feature = "shuttle")))]
        self.wait_for(limit);
    }

    #[cfg(not(any(feature = "loom", feature = "shuttle")))]
    fn wait_for(&self, limit: Duration) {
        let pending = lock(&self.pending);
        let (mut pending, _) = self
            .condition
            .wait_timeout_while(pending, limit, |pending| !*pending)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *pending = false;
    }
}

/// Tells whoever waits for a thread that it has ended, however it ends: with a result, with a panic, or without having
/// been started. The thread owns it.
pub struct NotifyOnDrop<T> {
    shared: Arc<T>,
    notify: fn(&T),
}

impl<T> NotifyOnDrop<T> {
    /// Calls `notify` with what is shared when it is dropped.
    pub fn new(shared: Arc<T>, notify: fn(&T)) -> Self {
        Self { shared, notify }
    }
}

impl<T> std::ops::Deref for NotifyOnDrop<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared
    }
}

impl<T> Drop for NotifyOnDrop<T> {
    fn drop(&mut self) {
        (self.notify)(&self.shared);
    }
}

/// The host under shuttle: time passes in steps that the schedule chooses, entropy comes from it too, so that a schedule
/// which is run again sees the same host. Time starts anew with each schedule.
#[cfg(feature = "shuttle")]
pub mod model {
    use shuttle::rand::{Rng, RngCore, thread_rng};
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::time::Duration;

    shuttle::lazy_static! {
        static ref NANOSECONDS: AtomicU64 = AtomicU64::new(0);
    }

    /// What may pass between two looks at the clock, in nanoseconds: nothing, less and more than the times after which
    /// hosts poll, ask the user or write out a recording.
    const STEPS_NS: [u64; 4] = [0, 700_000, 12_000_000, 600_000_000];

    /// Time since the start of the schedule.
    pub fn now() -> Duration {
        let step = STEPS_NS[thread_rng().gen_range(0..STEPS_NS.len())];
        Duration::from_nanos(NANOSECONDS.fetch_add(step, Relaxed) + step)
    }

    /// Whether a limit passes now.
    pub fn passes() -> bool {
        thread_rng().gen_bool(0.5)
    }

    /// Fills `buffer` with entropy.
    ///
    /// # Errors
    /// None.
    pub fn fill(buffer: &mut [u8]) -> Result<(), std::io::Error> {
        thread_rng().fill_bytes(buffer);
        Ok(())
    }

    /// A point of host time.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
    pub struct Instant(Duration);

    impl Instant {
        /// The time now.
        pub fn now() -> Self {
            Self(now())
        }

        /// What has passed since.
        pub fn elapsed(self) -> Duration {
            now() - self.0
        }
    }

    impl std::ops::AddAssign<Duration> for Instant {
        fn add_assign(&mut self, duration: Duration) {
            self.0 += duration;
        }
    }
}
