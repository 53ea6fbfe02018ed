//! The two schedulers over the two halves of [`VmState`].

use super::hosts::HostEvents;
use super::iteration::{VCPU, VcpuAction};
use super::lock::{ReplayGuard, ReplayLock};
use super::run_end::StopReason;
use super::vm_state::{Arrivals, VmState};
use crate::guest::Guest;
use crate::replay::ReplayError;
use crate::sync::{Arc, JoinHandle, Kick, Mutex, NotifyOnDrop, lock, spawn};
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

/// Why a run could not be completed.
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
    lock: ReplayLock<VmState<G>>,
    /// Wakes a vCPU that rests.
    vcpu: Kick,
    /// Wakes a main loop that rests.
    main: Arc<Kick>,
    /// Whether the vCPU thread has left its loop.
    ended: Mutex<bool>,
}

impl<G: Guest> Shared<G> {
    /// One iteration of the main loop: polls its hosts without the lock, enqueues what they brought under it. Returns
    /// whether the vCPU was told all: a source whose end it does not know of yet needs another iteration before the
    /// main loop may rest, or both threads would wait for each other.
    fn run_main_iteration(&self, host_events: &mut dyn HostEvents) -> bool {
        // Asked before the poll: what a source brought before it ended is then in this poll.
        let may_deliver = host_events.may_deliver();
        let arrivals = Arrivals {
            events: host_events.poll(),
            may_deliver,
            interrupted: host_events.interrupted(),
            shutdown: host_events.shutdown_request(),
        };
        let wake = self.lock.lock("main loop").run_main_iteration(arrivals);
        if wake {
            self.vcpu.kick();
        }
        may_deliver == host_events.may_deliver()
    }

    /// What the vCPU does under one hold of the lock, also when it panics there.
    fn run_vcpu_quantum(&self) -> Result<VcpuAction, RunError> {
        let mut vm = self.lock.lock(VCPU);
        catch_unwind(AssertUnwindSafe(|| vm.run_vcpu_quantum())).map_err(|panic| {
            vm.abandon_recording();
            RunError::Panicked(panic_text(&*panic))
        })
    }

    /// The vCPU thread has ended, however it did: the main loop never waits for a dead one.
    fn say_ended(&self) {
        *lock(&self.ended) = true;
        self.main.kick();
    }

    fn vcpu_loop(&self) -> Outcome {
        loop {
            match self.run_vcpu_quantum()? {
                VcpuAction::Continue => {}
                VcpuAction::Rest(Some(limit)) => self.vcpu.sleep(limit),
                VcpuAction::Rest(None) => self.vcpu.wait(),
                VcpuAction::Done(outcome) => return Ok(outcome?),
            }
        }
    }
}

type Outcome = Result<StopReason, RunError>;

/// The vCPU thread of a run. It is stopped and joined when the main loop ends, also by a panic.
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

/// The state of a machine's runs inside the replay lock, and the means to run it.
pub struct Engine<G> {
    shared: Arc<Shared<G>>,
}

impl<G: Guest + 'static> Engine<G> {
    /// An engine for this state.
    pub fn new(vm: VmState<G>) -> Self {
        Self::with_kick(vm, Arc::new(Kick::default()))
    }

    /// The same as [`new`](Engine::new); hosts that get input from other threads kick `main` when they have some.
    pub fn with_kick(vm: VmState<G>, main: Arc<Kick>) -> Self {
        Self {
            shared: Arc::new(Shared {
                lock: ReplayLock::new(vm),
                vcpu: Kick::default(),
                main,
                ended: Mutex::new(false),
            }),
        }
    }

    /// Takes the replay lock: the machine stands at an instruction boundary until the guard is dropped.
    pub fn lock(&self, role: &'static str) -> ReplayGuard<'_, VmState<G>> {
        self.shared.lock.lock(role)
    }

    /// Whether the lock is in the hands of a thread that this process, a forked child, does not have.
    pub fn is_lost(&self) -> bool {
        self.shared.lock.is_lost()
    }

    /// Runs until something ends the run. Prepare it with [`VmState::begin_run`].
    ///
    /// # Errors
    /// The state machine's (a divergence, a log that cannot be written), or the thread's.
    pub fn run(
        &self,
        scheduler: Scheduler,
        host_events: &mut dyn HostEvents,
    ) -> Result<StopReason, RunError> {
        self.lock("main loop").host_calls.run_starts();
        let result = match scheduler {
            Scheduler::Inline => self.run_inline(host_events),
            Scheduler::Threads => self.run_threads(host_events),
        };
        self.lock("main loop").host_calls.run_ends();
        result
    }

    fn run_inline(&self, host_events: &mut dyn HostEvents) -> Outcome {
        loop {
            let told_all = self.shared.run_main_iteration(host_events);
            match self.shared.run_vcpu_quantum()? {
                VcpuAction::Continue => {}
                VcpuAction::Rest(limit) => match limit {
                    Some(limit) => self.shared.main.sleep(limit.min(LONGEST_REST)),
                    None if told_all => host_events.rest(&self.shared.main),
                    // A source that has ended is told to the vCPU at the next iteration.
                    None => {}
                },
                VcpuAction::Done(outcome) => return Ok(outcome?),
            }
        }
    }

    fn run_threads(&self, host_events: &mut dyn HostEvents) -> Outcome {
        // The vCPU's first iteration must see what is there already, or it might find itself halted.
        self.shared.run_main_iteration(host_events);
        *lock(&self.shared.ended) = false;
        let ending = NotifyOnDrop::new(self.shared.clone(), Shared::say_ended);
        let thread = spawn("rreplay vCPU", move || ending.vcpu_loop()).map_err(RunError::Thread)?;
        let vcpu = Vcpu { shared: &self.shared, thread: Some(thread) };
        while !*lock(&self.shared.ended) {
            let told_all = self.shared.run_main_iteration(host_events);
            if told_all && !*lock(&self.shared.ended) {
                host_events.rest(&self.shared.main);
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
