//! Models of lock and kick that are explored with and without a seeded fault.

use rreplay::engine::ReplayLock;
use rreplay::sync::{Arc, Kick, Mutex, lock, yield_now};

/// Waits until so many have drawn a ticket and wait.
pub fn until_waiting<T>(lock: &ReplayLock<T>, waiters: u64) {
    while lock.waiters() < waiters {
        yield_now();
    }
}

/// While one thread holds the lock and another has drawn its ticket, the holder cannot take it again first.
pub fn a_waiter_goes_before_the_holder() {
    let lock = Arc::new(ReplayLock::new(Vec::new()));
    let mut guard = lock.lock("holder");
    let waiter = {
        let lock = lock.clone();
        loom::thread::spawn(move || lock.lock("waiter").push("waiter"))
    };
    until_waiting(&lock, 1);
    guard.push("holder");
    drop(guard);
    lock.lock("holder").push("holder again");
    waiter.join().unwrap();
    assert_eq!(*lock.lock("test"), ["holder", "waiter", "holder again"]);
}

/// A kick that comes before the wait, or while the waiter is on its way, is not lost; what was done before the kick is
/// seen behind the wait.
pub fn a_kick_wakes() {
    let kick = Arc::new(Kick::default());
    let done = Arc::new(Mutex::new(false));
    let kicker = {
        let (kick, done) = (kick.clone(), done.clone());
        loom::thread::spawn(move || {
            *lock(&done) = true;
            kick.kick();
        })
    };
    kick.wait();
    assert!(*lock(&done));
    kicker.join().unwrap();
}
