//! The replay lock: a fair ticket lock whose guard *owns* what it protects.
//!
//! Fairness is what the record/replay protocol rests on. With an unfair lock the thread that lets go takes it again at
//! once and the other starves: the main loop would never deliver input, or the guest would never run. So each caller
//! draws a ticket and is served in order.
//!
//! The protected value moves into the guard and back. Code without the guard has nothing to touch, and there is no
//! unsafe code to argue about.

use crate::planted::{Bug, is_planted};
use crate::sync::{Condvar, Mutex, ThreadId, current_thread, into_inner, lock, wait};
use std::ops::{Deref, DerefMut};

struct Counter<T> {
    next_ticket: u64,
    now_serving: u64,
    /// Who holds the lock, for the assertions and for divergence reports.
    holder: Option<(ThreadId, &'static str)>,
    /// Absent while a guard holds it.
    value: Option<Box<T>>,
}

/// A fair (first come, first served) mutual exclusion lock around a value.
pub struct ReplayLock<T> {
    counter: Mutex<Counter<T>>,
    served: Condvar,
}

/// Holds the lock and the value; both go back when it is dropped.
pub struct ReplayGuard<'a, T> {
    owner: &'a ReplayLock<T>,
    /// Present until drop.
    value: Option<Box<T>>,
}

impl<T> ReplayLock<T> {
    /// A lock around `value`.
    pub fn new(value: T) -> Self {
        Self {
            counter: Mutex::new(Counter {
                next_ticket: 0,
                now_serving: 0,
                holder: None,
                value: Some(Box::new(value)),
            }),
            served: Condvar::new(),
        }
    }

    /// Waits for its turn and takes the lock. `role` names the caller in reports ("vCPU", "main loop").
    ///
    /// # Panics
    /// When the calling thread already holds this lock: that is a programming error in every build.
    pub fn lock(&self, role: &'static str) -> ReplayGuard<'_, T> {
        let mut counter = lock(&self.counter);
        let me = current_thread();
        if let Some((holder, held_as)) = &counter.holder {
            assert!(*holder != me, "the {role} locks the replay lock that it already holds as the {held_as}");
        }
        let ticket = counter.next_ticket;
        counter.next_ticket += 1;
        while if is_planted(Bug::UnfairLock) {
            counter.holder.is_some()
        } else {
            counter.now_serving != ticket
        } {
            counter = wait(&self.served, counter);
        }
        counter.holder = Some((me, role));
        let value = counter.value.take();
        assert!(value.is_some(), "the replay lock serves one ticket at a time");
        ReplayGuard { owner: self, value }
    }

    /// The role of the current holder, if any: for reports only, it may have changed by the time it is read.
    pub fn holder(&self) -> Option<&'static str> {
        lock(&self.counter).holder.map(|(_, role)| role)
    }

    /// How many have drawn a ticket and wait: for reports and tests, it may have changed by the time it is read.
    pub fn waiters(&self) -> u64 {
        let counter = lock(&self.counter);
        let held = u64::from(counter.holder.is_some());
        counter.next_ticket - counter.now_serving - held
    }

    /// Takes the value out. The lock must not be held.
    pub fn into_inner(self) -> T {
        let counter = into_inner(self.counter);
        *counter.value.expect("no guard outlives the lock it borrows")
    }
}

impl<T> Drop for ReplayGuard<'_, T> {
    fn drop(&mut self) {
        let mut counter = lock(&self.owner.counter);
        counter.value = self.value.take();
        counter.holder = None;
        counter.now_serving += 1;
        let somebody_waits = counter.now_serving != counter.next_ticket;
        drop(counter);
        if somebody_waits {
            self.owner.served.notify_all();
        }
    }
}

impl<T> Deref for ReplayGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_deref().expect("a guard has its value until it is dropped")
    }
}

impl<T> DerefMut for ReplayGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_deref_mut().expect("a guard has its value until it is dropped")
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_value_moves_in_and_out() {
        let lock = ReplayLock::new(1);
        *lock.lock("test") += 1;
        assert_eq!(lock.holder(), None);
        assert_eq!(*lock.lock("test"), 2);
        assert_eq!(lock.into_inner(), 2);
    }

    #[test]
    #[should_panic(expected = "the main loop locks the replay lock that it already holds as the vCPU")]
    fn locking_twice_is_caught() {
        let lock = ReplayLock::new(());
        let _first = lock.lock("vCPU");
        let _second = lock.lock("main loop");
    }

    #[test]
    fn a_panicking_holder_gives_the_value_back() {
        let lock = ReplayLock::new(7);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = lock.lock("vCPU");
            panic!("on purpose");
        }));
        assert!(result.is_err());
        assert_eq!(*lock.lock("main loop"), 7);
    }
}
