//! The replay lock: a fair ticket lock whose guard *owns* what it protects.
//!
//! Fairness is what the record/replay protocol rests on. With an unfair lock the thread that lets go takes it again at
//! once and the other starves: the main loop would never deliver input, or the guest would never run. So each caller
//! draws a ticket and is served in order.
//!
//! The protected value moves into the guard and back. Code without the guard has nothing to touch, and there is no
//! unsafe code to argue about.

use crate::files::Process;
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::sync::{
    Condvar, Mutex, MutexGuard, ThreadId, current_thread, into_inner, lock, try_lock, wait, wait_at_most,
    yield_now,
};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How often a waiter that may give up is asked whether it does.
const PATIENCE: Duration = Duration::from_millis(10);

struct Counter<T> {
    next_ticket: u64,
    now_serving: u64,
    /// Who holds the lock, for the assertions and for divergence reports.
    holder: Option<(ThreadId, &'static str)>,
    /// Tickets whose owners have gone away; they are passed over.
    abandoned: BTreeSet<u64>,
    /// Absent while a guard holds it.
    value: Option<Box<T>>,
    /// Where the tickets were drawn.
    process: Process,
}

impl<T> Counter<T> {
    fn serves(&self, ticket: u64) -> bool {
        if is_seeded(SeededFault::UnfairLock) { self.holder.is_none() } else { self.now_serving == ticket }
    }

    fn hand_over(&mut self, role: &'static str) -> Box<T> {
        self.holder = Some((current_thread(), role));
        self.value.take().expect("the replay lock serves one ticket at a time")
    }

    /// A forked child has the tickets of its parent's threads, and none of the threads: whoever holds the lock is the one
    /// that forked, and nobody waits.
    fn adopt(&mut self) {
        self.next_ticket = self.now_serving + u64::from(self.value.is_none());
        self.abandoned.clear();
        self.process = Process::this();
    }

    fn pass_over_abandoned(&mut self) {
        while self.abandoned.remove(&self.now_serving) {
            self.now_serving += 1;
        }
    }
}

/// Why a caller that may give up did not get the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotTaken {
    /// A thread holds it that this process, a forked child, does not have.
    Lost,
    /// The calling thread holds it already.
    HeldHere,
    /// The wait was given up.
    GivenUp,
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
                abandoned: BTreeSet::new(),
                value: Some(Box::new(value)),
                process: Process::this(),
            }),
            served: Condvar::new(),
        }
    }

    /// Waits for its turn and takes the lock. `role` names the caller in reports ("vCPU", "main loop").
    ///
    /// # Panics
    /// When the calling thread already holds this lock: that is a programming error in every build.
    pub fn lock(&self, role: &'static str) -> ReplayGuard<'_, T> {
        let (mut counter, ticket) = self.draw_ticket(role);
        while !counter.serves(ticket) {
            counter = wait(&self.served, counter);
        }
        ReplayGuard { owner: self, value: Some(counter.hand_over(role)) }
    }

    /// The same as [`lock`](ReplayLock::lock) for a holder that outlives any scope (a `with` block of another language):
    /// returns the value itself, which goes back with [`put_back`](ReplayLock::put_back). While it waits, `gives_up` is
    /// asked now and then; once it says so the ticket is passed over, and the result is `None`.
    ///
    /// # Panics
    /// When the calling thread already holds this lock.
    pub fn take(&self, role: &'static str, gives_up: &mut dyn FnMut() -> bool) -> Option<Box<T>> {
        let (mut counter, ticket) = self.draw_ticket(role);
        while !counter.serves(ticket) {
            counter = wait_at_most(&self.served, counter, PATIENCE);
            if counter.serves(ticket) {
                break;
            }
            // The callback may need this lock to answer.
            drop(counter);
            let leaves = gives_up();
            counter = lock(&self.counter);
            if leaves {
                counter.abandoned.insert(ticket);
                counter.pass_over_abandoned();
                self.wake(counter);
                return None;
            }
        }
        Some(counter.hand_over(role))
    }

    /// The same as [`lock`](ReplayLock::lock) for any thread, which may hold it already and may give up: `gives_up` is
    /// asked now and then while it waits.
    ///
    /// # Errors
    /// Why the lock cannot be had.
    pub fn lock_patiently(
        &self,
        role: &'static str,
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<ReplayGuard<'_, T>, NotTaken> {
        if self.is_held_here() {
            return Err(NotTaken::HeldHere);
        }
        if self.is_lost() {
            return Err(NotTaken::Lost);
        }
        let value = self.take(role, gives_up).ok_or(NotTaken::GivenUp)?;
        Ok(ReplayGuard { owner: self, value: Some(value) })
    }

    fn is_held_here(&self) -> bool {
        // Who cannot look has not got it: the mutex is held for a few instructions, by others.
        let counter = try_lock_patiently(&self.counter);
        counter.is_some_and(|counter| counter.holder.is_some_and(|(holder, _)| holder == current_thread()))
    }

    /// The same as [`take`](ReplayLock::take), but `None` at once when anybody holds the lock or waits for it.
    pub fn try_take(&self, role: &'static str) -> Option<Box<T>> {
        let mut counter = lock(&self.counter);
        let is_free = counter.holder.is_none() && counter.now_serving == counter.next_ticket;
        is_free.then(|| {
            counter.next_ticket += 1;
            counter.hand_over(role)
        })
    }

    /// Puts back what [`take`](ReplayLock::take) has returned, and lets the next one in.
    pub fn put_back(&self, value: Box<T>) {
        let mut counter = lock(&self.counter);
        counter.value = Some(value);
        counter.holder = None;
        counter.now_serving += 1;
        counter.pass_over_abandoned();
        self.wake(counter);
    }

    fn draw_ticket(&self, role: &'static str) -> (MutexGuard<'_, Counter<T>>, u64) {
        let mut counter = lock(&self.counter);
        if let Some((holder, held_as)) = &counter.holder {
            assert!(
                *holder != current_thread(),
                "the {role} locks the replay lock that it already holds as the {held_as}"
            );
        }
        let ticket = counter.next_ticket;
        counter.next_ticket += 1;
        (counter, ticket)
    }

    fn wake(&self, counter: MutexGuard<'_, Counter<T>>) {
        let somebody_waits = counter.now_serving != counter.next_ticket;
        drop(counter);
        if somebody_waits {
            self.served.notify_all();
        }
    }

    /// The role of the current holder, if any: for reports only, it may have changed by the time it is read.
    pub fn holder(&self) -> Option<&'static str> {
        lock(&self.counter).holder.map(|(_, role)| role)
    }

    /// Whether the value is in the hands of a thread that this process, a forked child, does not have: it will never be
    /// put back. To be asked in a child before the lock is waited for: it forgets who waited in the parent. The lock itself
    /// does not ask each time which process it is in, which takes longer than the rest of it.
    pub fn is_lost(&self) -> bool {
        // Somebody may have been about to take it or to put it back: then it is never released.
        let Some(mut counter) = try_lock_patiently(&self.counter) else { return true };
        if counter.process.is_this() {
            return false;
        }
        let holds = counter.holder.as_ref().is_some_and(|(holder, _)| *holder == current_thread());
        if counter.value.is_none() && !holds {
            return true;
        }
        counter.adopt();
        false
    }

    /// How many have drawn a ticket and wait: for reports and tests, it may have changed by the time it is read.
    pub fn waiters(&self) -> u64 {
        let counter = lock(&self.counter);
        let gone = u64::from(counter.holder.is_some()) + counter.abandoned.len() as u64;
        (counter.next_ticket - counter.now_serving).saturating_sub(gone)
    }

    /// Takes the value out. The lock must not be held.
    pub fn into_inner(self) -> T {
        let counter = into_inner(self.counter);
        *counter.value.expect("no guard outlives the lock it borrows")
    }
}

/// The guard of a mutex that is held for a few instructions at a time, or for ever by a thread that is not there.
fn try_lock_patiently<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    const ATTEMPTS: u32 = 10_000;
    (0..ATTEMPTS).find_map(|_| {
        let guard = try_lock(mutex);
        if guard.is_none() {
            yield_now();
        }
        guard
    })
}

impl<T> Drop for ReplayGuard<'_, T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.owner.put_back(value);
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

#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
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

    #[test]
    fn who_may_give_up_is_told_why_there_is_no_lock() {
        let lock = ReplayLock::new(1);
        let mut first = lock.lock_patiently("first", &mut || true).expect("nobody holds it");
        *first += 1;
        let again = lock.lock_patiently("again", &mut || false);
        assert_eq!(again.map(|guard| *guard), Err(NotTaken::HeldHere));
        std::thread::scope(|scope| {
            let other = || lock.lock_patiently("other", &mut || true).map(|guard| *guard);
            assert_eq!(scope.spawn(other).join().expect("no panic"), Err(NotTaken::GivenUp));
        });
        drop(first);
        assert_eq!(lock.lock_patiently("last", &mut || false).map(|guard| *guard), Ok(2));
    }

    #[test]
    fn a_free_lock_is_taken_at_once_and_a_held_one_is_not() {
        let lock = ReplayLock::new(1);
        let mut value = lock.try_take("first").expect("nobody holds it");
        assert_eq!(lock.try_take("second"), None);
        *value = 2;
        lock.put_back(value);
        assert_eq!(lock.take("third", &mut || true), Some(Box::new(2)));
    }

    #[test]
    fn a_ticket_that_is_given_up_is_passed_over() {
        let lock = ReplayLock::new(());
        let held = lock.try_take("holder").expect("nobody holds it");
        std::thread::scope(|scope| {
            assert!(scope.spawn(|| lock.take("leaver", &mut || true).is_none()).join().unwrap());
            assert_eq!(lock.waiters(), 0, "who has left does not wait");
            let waiter = scope.spawn(|| drop(lock.lock("waiter")));
            while lock.waiters() == 0 {
                std::thread::yield_now();
            }
            lock.put_back(held);
            waiter.join().unwrap();
        });
        assert!(lock.try_take("last").is_some());
    }
}
