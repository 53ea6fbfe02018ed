//! The two schedulers over the two halves of [`World`].

use super::hosts::Inlet;
use super::lock::{ReplayGuard, ReplayLock};
use super::world::{Arrivals, Next, StopReason, World};
use crate::guest::Guest;
use crate::replay::ReplayError;
use crate::sync::{Arc, Kick, Mutex, lock, spawn};
use std::time::Duration;

/// The longest an idle vCPU sleeps in one piece under the inline scheduler, so that a user's Ctrl-C is seen.
const LONGEST_REST: Duration = Duration::from_millis(10);

/// Who runs the two halves. The results are the same on replay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Scheduler {
    /// Two threads: the vCPU, and the main loop on the caller's.
    Threads,
    /// The caller's thread does both in turn.
    #[default]
    Inline,
}

impl Scheduler {
    /// The name in Python and in recordings.
    pub const fn name(self) -> &'static str {
        match self {
            Scheduler::Threads => "threads",
            Scheduler::Inline => "inline",
        }
    }
}

/// Why a run could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state machine's error.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The operating system has no room for the vCPU thread.
    #[error("cannot start the vCPU thread: {0}; use the inline scheduler or free some threads")]
    Thread(#[source] std::io::Error),
    /// The vCPU thread panicked: a bug of rreplay.
    #[error("the vCPU thread panicked: {0}; this is a bug of rreplay, please report it")]
    Panicked(String),
}

struct Shared<G> {
    lock: ReplayLock<World<G>>,
    /// Wakes a vCPU that rests.
    vcpu: Kick,
    /// Wakes a main loop that rests.
    main: Arc<Kick>,
    /// Whether the vCPU thread has left its loop.
    ended: Mutex<bool>,
}

impl<G: Guest> Shared<G> {
    /// One turn of the main loop: polls its hosts without the lock, takes in what they brought with it. Gives whether
    /// the vCPU was told all: a source whose end it does not know of yet needs another turn before the main loop may
    /// rest, or both threads would wait for each other.
    fn main_turn(&self, inlet: &mut dyn Inlet) -> bool {
        // Asked before the poll: what a source gave before it ended is then in this poll.
        let may_deliver = inlet.may_deliver();
        let arrivals = Arrivals {
            events: inlet.poll(),
            may_deliver,
            interrupted: inlet.interrupted(),
            shutdown: inlet.shutdown_request(),
        };
        let wake = self.lock.lock("main loop").main_turn(arrivals);
        if wake {
            self.vcpu.kick();
        }
        may_deliver == inlet.may_deliver()
    }

    fn vcpu_loop(&self) -> Outcome {
        loop {
            let next = self.lock.lock("vCPU").vcpu_hold();
            match next {
                Next::Continue => {}
                Next::Rest(Some(limit)) => self.vcpu.wait_at_most(limit),
                Next::Rest(None) => self.vcpu.wait(),
                Next::Done(outcome) => return outcome,
            }
        }
    }
}

/// Says that the vCPU thread has ended, however it ends, so that the main loop never waits for a dead one.
struct SayEnded<G: Guest>(Arc<Shared<G>>);

impl<G: Guest> Drop for SayEnded<G> {
    fn drop(&mut self) {
        *lock(&self.0.ended) = true;
        self.0.main.kick();
    }
}

type Outcome = Result<StopReason, ReplayError>;

/// A world behind the replay lock, and the means to run it.
pub struct Engine<G> {
    shared: Arc<Shared<G>>,
}

impl<G: Guest + 'static> Engine<G> {
    /// Takes over a world.
    pub fn new(world: World<G>) -> Self {
        Self::with_kick(world, Arc::new(Kick::default()))
    }

    /// Takes over a world; hosts that get input from other threads kick `main` when they have some.
    pub fn with_kick(world: World<G>, main: Arc<Kick>) -> Self {
        Self {
            shared: Arc::new(Shared {
                lock: ReplayLock::new(world),
                vcpu: Kick::default(),
                main,
                ended: Mutex::new(false),
            }),
        }
    }

    /// Takes the replay lock: the world stands at an instruction boundary until the guard is dropped.
    pub fn lock(&self, role: &'static str) -> ReplayGuard<'_, World<G>> {
        self.shared.lock.lock(role)
    }

    /// Runs until something ends the run. Prepare it with [`World::begin_run`].
    ///
    /// # Errors
    /// The state machine's (a divergence, a log that cannot be written), or the thread's.
    pub fn run(&self, scheduler: Scheduler, inlet: &mut dyn Inlet) -> Result<StopReason, RunError> {
        self.lock("main loop").outlet.run_starts();
        let result = match scheduler {
            Scheduler::Inline => self.run_inline(inlet).map_err(RunError::Replay),
            Scheduler::Threads => self.run_threads(inlet),
        };
        self.lock("main loop").outlet.run_ends();
        result
    }

    fn run_inline(&self, inlet: &mut dyn Inlet) -> Outcome {
        loop {
            self.shared.main_turn(inlet);
            let next = self.shared.lock.lock("vCPU").vcpu_hold();
            match next {
                Next::Continue => {}
                Next::Rest(limit) => match limit {
                    Some(limit) => self.shared.main.wait_at_most(limit.min(LONGEST_REST)),
                    // A source that has ended is told to the vCPU at the next turn.
                    None if !inlet.may_deliver() => {}
                    None => inlet.rest(&self.shared.main),
                },
                Next::Done(outcome) => return outcome,
            }
        }
    }

    fn run_threads(&self, inlet: &mut dyn Inlet) -> Result<StopReason, RunError> {
        // The vCPU's first turn must see what is there already, or it might find itself halted.
        self.shared.main_turn(inlet);
        *lock(&self.shared.ended) = false;
        let ending = SayEnded(self.shared.clone());
        let vcpu = spawn("rreplay vCPU", move || ending.0.vcpu_loop()).map_err(RunError::Thread)?;
        while !*lock(&self.shared.ended) {
            let told_all = self.shared.main_turn(inlet);
            if told_all && !*lock(&self.shared.ended) {
                inlet.rest(&self.shared.main);
            }
        }
        match vcpu.join() {
            Ok(outcome) => outcome.map_err(RunError::Replay),
            Err(panic) => Err(RunError::Panicked(panic_text(&*panic))),
        }
    }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
