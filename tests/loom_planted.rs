//! The planted bugs that only the model checker can catch: an unfair lock and a lost kick. Run with `make loom`. The
//! others are in tests/planted.rs.
#![cfg(loom)]

mod common;

use common::explore::{Bounds, explore};
use common::models::{a_kick_wakes, a_waiter_goes_before_the_holder};
use rreplay::planted::{Bug, plant};
use std::panic::catch_unwind;

fn caught(bug: Bug, name: &'static str, model: fn()) -> bool {
    plant(Some(bug));
    let explored = catch_unwind(|| explore(name, Bounds { preemptions: 3, at_least: 1 }, model));
    plant(None);
    explored.is_err()
}

/// One test for both, for a bug is planted in the whole process.
#[test]
fn an_unfair_lock_and_a_lost_kick_are_caught() {
    // The catches panic; their stories would drown the table.
    std::panic::set_hook(Box::new(|_| {}));
    for (bug, name, model) in [
        (Bug::UnfairLock, "planted: an unfair lock", a_waiter_goes_before_the_holder as fn()),
        (Bug::LostKick, "planted: a lost kick", a_kick_wakes),
    ] {
        explore(name, Bounds { preemptions: 3, at_least: 1 }, model);
        assert!(caught(bug, name, model), "{} is not caught", bug.name());
        println!("{:<44} caught by: the model checker", bug.name());
    }
}
