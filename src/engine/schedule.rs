//! The two schedulers over the two halves of [`World`].

use super::hosts::Inlet;
use super::lock::{ReplayGuard, ReplayLock};
use super::world::{Arrivals, Next, StopReason, VCPU, World};
use crate::guest::Guest;
use crate::replay::ReplayError;
use crate::sync::{Arc, JoinHandle, Kick, Mutex, lock, spawn};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// The guest or what it asked panicked: a bug of rreplay. A recording ends with what it has.
    #[error("the vCPU panicked: {0}; this is a bug of rreplay, please report it")]
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

    /// What the vCPU does under one hold of the lock, also when it panics there.
    fn vcpu_hold(&self) -> Result<Next, RunError> {
        let mut world = self.lock.lock(VCPU);
        catch_unwind(AssertUnwindSafe(|| world.vcpu_hold())).map_err(|panic| {
            world.abandon_recording();
            RunError::Panicked(panic_text(&*panic))
        })
    }

    fn vcpu_loop(&self) -> Outcome {
        loop {
            match self.vcpu_hold()? {
                Next::Continue => {}
                Next::Rest(Some(limit)) => self.vcpu.sleep(limit),
                Next::Rest(None) => self.vcpu.wait(),
                Next::Done(outcome) => return Ok(outcome?),
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

type Outcome = Result<StopReason, RunError>;

/// The vCPU thread of a run. Goes with the main loop, however that ends: nobody would look after it.
struct Vcpu<'a, G: Guest> {
    shared: &'a Shared<G>,
    thread: Option<JoinHandle<Outcome>>,
}

impl<G: Guest> Vcpu<'_, G> {
    /// Waits for the end of the thread, which has said that it comes.
    fn join(mut self) -> Outcome {
        let thread = self.thread.take().expect("joined once");
        thread.join().unwrap_or_else(|panic| Err(RunError::Panicked(panic_text(&*panic))))
    }
}

impl<G: Guest> Drop for Vcpu<'_, G> {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.lock.lock("main loop").stop_request.get_or_insert(StopReason::Interrupted);
            self.shared.vcpu.kick();
            // The main loop panics already: that is what is reported.
            let _ = thread.join();
        }
    }
}

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

    /// Whether the world is in the hands of a thread that this process, a forked child, does not have.
    pub fn is_lost(&self) -> bool {
        self.shared.lock.is_lost()
    }

    /// Runs until something ends the run. Prepare it with [`World::begin_run`].
    ///
    /// # Errors
    /// The state machine's (a divergence, a log that cannot be written), or the thread's.
    pub fn run(&self, scheduler: Scheduler, inlet: &mut dyn Inlet) -> Result<StopReason, RunError> {
        self.lock("main loop").outlet.run_starts();
        let result = match scheduler {
            Scheduler::Inline => self.run_inline(inlet),
            Scheduler::Threads => self.run_threads(inlet),
        };
        self.lock("main loop").outlet.run_ends();
        result
    }

    fn run_inline(&self, inlet: &mut dyn Inlet) -> Outcome {
        loop {
            let told_all = self.shared.main_turn(inlet);
            match self.shared.vcpu_hold()? {
                Next::Continue => {}
                Next::Rest(limit) => match limit {
                    Some(limit) => self.shared.main.sleep(limit.min(LONGEST_REST)),
                    None if told_all => inlet.rest(&self.shared.main),
                    // A source that has ended is told to the vCPU at the next turn.
                    None => {}
                },
                Next::Done(outcome) => return Ok(outcome?),
            }
        }
    }

    fn run_threads(&self, inlet: &mut dyn Inlet) -> Outcome {
        // The vCPU's first turn must see what is there already, or it might find itself halted.
        self.shared.main_turn(inlet);
        *lock(&self.shared.ended) = false;
        let ending = SayEnded(self.shared.clone());
        let thread = spawn("rreplay vCPU", move || ending.0.vcpu_loop()).map_err(RunError::Thread)?;
        let vcpu = Vcpu { shared: &self.shared, thread: Some(thread) };
        while !*lock(&self.shared.ended) {
            let told_all = self.shared.main_turn(inlet);
            if told_all && !*lock(&self.shared.ended) {
                inlet.rest(&self.shared.main);
            }
        }
        vcpu.join()
    }
}

/// What a panic said.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
