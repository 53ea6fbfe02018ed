//! The seeded faults that only the model checker can catch: an unfair lock and a lost kick. Run with `make loom`. The
//! others are in tests/seeded_faults.rs.
//!
//! Each model runs in a process of its own: a deadlock that loom finds may end in an abort.

#[path = "../common/mod.rs"]
mod common;

use common::explore::{Bounds, explore};
use common::models::{a_kick_wakes, a_waiter_goes_before_the_holder};
use rreplay::seeded_faults::{SeededFault, seed_fault};
use std::process::{Command, Stdio};

fn main() {
    const MODEL: &str = "RREPLAY_SEEDED_MODEL";
    const FAULT: &str = "RREPLAY_SEEDED_FAULT";
    let bounds = Bounds { preemptions: 3, at_least: 1 };
    let models: [(SeededFault, fn()); 2] =
        [(SeededFault::UnfairLock, a_waiter_goes_before_the_holder), (SeededFault::LostKick, a_kick_wakes)];
    if let Ok(number) = std::env::var(MODEL) {
        let (fault, model) = models[usize::from(number == "1")];
        seed_fault(std::env::var_os(FAULT).map(|_| fault));
        explore(fault.name(), bounds, model);
        return;
    }
    for (number, (fault, _)) in models.into_iter().enumerate() {
        let run = |seeded: bool| {
            let mut child = Command::new(std::env::current_exe().expect("this program has a path"));
            child.env(MODEL, number.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
            if seeded {
                child.env(FAULT, "seeded");
            }
            child.status().expect("this program starts").success()
        };
        assert!(run(false), "the model of {} fails without it", fault.name());
        assert!(!run(true), "{} is not caught", fault.name());
        println!("{:<44} caught by: the model checker", fault.name());
    }
}
