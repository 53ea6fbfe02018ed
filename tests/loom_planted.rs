//! The planted bugs that only the model checker can catch: an unfair lock and a lost kick. Run with `make loom`. The
//! others are in tests/planted.rs.
//!
//! Each model runs in a process of its own: a deadlock that loom finds may end in an abort.

#[cfg(loom)]
mod common;

#[cfg(not(loom))]
fn main() {}

#[cfg(loom)]
fn main() {
    use common::explore::{Bounds, explore};
    use common::models::{a_kick_wakes, a_waiter_goes_before_the_holder};
    use rreplay::planted::{Bug, plant};
    use std::process::{Command, Stdio};

    const MODEL: &str = "RREPLAY_PLANTED_MODEL";
    const BUG: &str = "RREPLAY_PLANTED_BUG";
    let bounds = Bounds { preemptions: 3, at_least: 1 };
    let models: [(Bug, fn()); 2] =
        [(Bug::UnfairLock, a_waiter_goes_before_the_holder), (Bug::LostKick, a_kick_wakes)];
    if let Ok(number) = std::env::var(MODEL) {
        let (bug, model) = models[usize::from(number == "1")];
        plant(std::env::var_os(BUG).map(|_| bug));
        explore(bug.name(), bounds, model);
        return;
    }
    for (number, (bug, _)) in models.into_iter().enumerate() {
        let run = |planted: bool| {
            let mut child = Command::new(std::env::current_exe().expect("this program has a path"));
            child.env(MODEL, number.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
            if planted {
                child.env(BUG, "planted");
            }
            child.status().expect("this program starts").success()
        };
        assert!(run(false), "the model of {} fails without it", bug.name());
        assert!(!run(true), "{} is not caught", bug.name());
        println!("{:<44} caught by: the model checker", bug.name());
    }
}
