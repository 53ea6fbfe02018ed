//! The replay lock and the kick under every interleaving that loom finds. Run with `make loom`.

use super::common::explore::{Bounds, explore};
use super::common::models::{a_kick_wakes, a_waiter_goes_before_the_holder, until_waiting};
use rreplay::engine::ReplayLock;
use rreplay::sync::{Arc, Kick, Mutex, lock, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Mutual exclusion: an increment in two steps, with a chance for others between them, loses nothing.
#[test]
fn the_lock_excludes() {
    explore("the lock excludes", Bounds { preemptions: 4, at_least: 740 }, || {
        let lock = Arc::new(ReplayLock::new((0u32, Vec::new())));
        let threads = ["a", "b"].map(|role| {
            let lock = lock.clone();
            loom::thread::spawn(move || {
                for _ in 0..2 {
                    let mut guard = lock.lock(role);
                    assert_eq!(lock.holder(), Some(role));
                    let seen = guard.0;
                    yield_now();
                    guard.0 = seen + 1;
                    guard.1.push(role);
                }
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let guard = lock.lock("test");
        assert_eq!(guard.0, 4);
        assert_eq!(guard.1.len(), 4);
    });
}

/// While one thread holds the lock and another has drawn its ticket, the holder cannot take it again first.
#[test]
fn a_waiter_is_served_before_the_holder_comes_again() {
    explore(
        "the holder comes again behind a waiter",
        Bounds { preemptions: 6, at_least: 72 },
        a_waiter_goes_before_the_holder,
    );
}

/// First come, first served, with three threads: two wait in the order in which they came, and the holder, who comes
/// again, is the third.
#[test]
fn three_threads_are_served_in_the_order_in_which_they_came() {
    explore("three threads are served in order", Bounds { preemptions: 3, at_least: 3_450 }, || {
        let lock = Arc::new(ReplayLock::new(Vec::new()));
        let guard = lock.lock("holder");
        let waiter = |role: &'static str| {
            let lock = lock.clone();
            loom::thread::spawn(move || lock.lock(role).push(role))
        };
        let first = waiter("first");
        until_waiting(&lock, 1);
        let second = waiter("second");
        until_waiting(&lock, 2);
        drop(guard);
        lock.lock("holder").push("holder again");
        first.join().unwrap();
        second.join().unwrap();
        assert_eq!(*lock.lock("test"), ["first", "second", "holder again"]);
    });
}

/// Three threads come and go as they like: nobody is lost, nobody is left waiting, whoever is woken first.
#[test]
fn nobody_is_left_waiting() {
    explore("three threads come and go", Bounds { preemptions: 2, at_least: 97 }, || {
        let lock = Arc::new(ReplayLock::new(0));
        let threads = ["a", "b"].map(|role| {
            let lock = lock.clone();
            loom::thread::spawn(move || *lock.lock(role) += 1)
        });
        *lock.lock("c") += 1;
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*lock.lock("test"), 3);
        assert_eq!((lock.waiters(), lock.holder()), (0, None));
    });
}

/// A holder that panics gives the value back, and whoever waits is served.
#[test]
fn a_panicking_holder_lets_the_waiter_in() {
    explore("a holder panics", Bounds { preemptions: 6, at_least: 8 }, || {
        let lock = Arc::new(ReplayLock::new(1));
        let waiter = {
            let lock = lock.clone();
            loom::thread::spawn(move || *lock.lock("waiter") += 1)
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.lock("holder");
            std::panic::resume_unwind(Box::new("on purpose"));
        }));
        assert!(panicked.is_err());
        waiter.join().unwrap();
        assert_eq!(*lock.lock("test"), 2);
    });
}

/// A kick that comes before the wait, or while the waiter is on its way, is not lost; what was done before the kick is
/// seen behind the wait.
#[test]
fn no_kick_is_lost() {
    explore("no kick is lost", Bounds { preemptions: 8, at_least: 7 }, a_kick_wakes);
}

/// Several kicks may count as one, but nothing that was announced by one stays unseen: two bring work, one works.
#[test]
fn kicks_that_fall_together_announce_all() {
    explore("two kick one", Bounds { preemptions: 3, at_least: 2_080 }, || {
        let kick = Arc::new(Kick::default());
        let work = Arc::new(Mutex::new(0));
        let kickers = [1, 2].map(|amount| {
            let (kick, work) = (kick.clone(), work.clone());
            loom::thread::spawn(move || {
                *lock(&work) += amount;
                kick.kick();
            })
        });
        let mut seen = 0;
        while seen < 3 {
            kick.wait();
            seen += std::mem::take(&mut *lock(&work));
        }
        assert_eq!(seen, 3);
        kickers.into_iter().for_each(|kicker| kicker.join().unwrap());
    });
}
