//! Whose a machine is: the recording that it makes, and the process that may go on with it.

use super::Session;
use crate::error::Error;
use crate::files::Process;
use crate::log::{LogError, WrittenFile};
use crate::sync::{Condvar, Mutex, ThreadId, current_thread, lock, wait_at_most};
use std::collections::VecDeque;
use std::time::Duration;

/// A recording that a machine has begun: by this it is ended, and no other in its place, and what was written is read
/// again.
#[derive(Debug)]
pub struct Recorded {
    number: u64,
    file: WrittenFile,
}

impl Recorded {
    pub(super) fn new(number: u64, file: WrittenFile) -> Self {
        Self { number, file }
    }

    /// What was written.
    pub fn file(&self) -> &WrittenFile {
        &self.file
    }
}

/// The recording that is being made, or was made last.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    number: u64,
    /// Who makes it, until it ends.
    owner: Option<Process>,
    /// What ended it before its time.
    failure: Option<LogError>,
}

impl Recorder {
    /// A recording begins; returns its number.
    pub fn begin(&mut self) -> u64 {
        *self = Self { number: self.number + 1, owner: Some(Process::this()), failure: None };
        self.number
    }

    /// It has ended, perhaps because it could not go on.
    pub fn end(&mut self, failure: Option<LogError>) {
        self.owner = None;
        self.failure = failure;
    }
}

/// The thread that runs a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Runner {
    process: Process,
    thread: ThreadId,
    /// Whether it has done in a moment: then it is waited for.
    is_brief: bool,
}

impl Runner {
    /// The calling thread.
    fn this(is_brief: bool) -> Self {
        Self { process: Process::this(), thread: current_thread(), is_brief }
    }

    /// Whether it is a thread of the process that this one was forked from, and not the one that forked.
    fn is_lost(self) -> bool {
        !self.process.is_this() && self.thread != current_thread()
    }
}

/// How long one wait for what is done in a moment may last, and how many there may be in turn, each time something changes
/// or that has passed: far more than enough, so that what comes to no end is an error and not a hang.
const MOMENT: Duration = Duration::from_millis(20);
const MOMENTS_MAX: u32 = 100;

/// Who runs a machine: one thread at a time. What takes its time (a run) is refused to others, and not waited for; what is
/// done in a moment is waited for in the order of coming, so that of two threads which press reset and run neither is
/// refused, and none starves.
#[derive(Debug)]
pub(super) struct Claims {
    state: Mutex<Claimed>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Claimed {
    by: Option<Runner>,
    /// Tickets of those who wait, in order.
    queue: VecDeque<u64>,
    next_ticket: u64,
    /// Where they wait: a forked child has the queue of its parent's threads, and none of the threads.
    process: Option<Process>,
}

impl Claimed {
    fn draw_ticket(&mut self) -> u64 {
        if self.process.is_none_or(|process| !process.is_this()) {
            self.process = Some(Process::this());
            self.queue.clear();
        }
        self.next_ticket += 1;
        self.queue.push_back(self.next_ticket);
        self.next_ticket
    }

    /// What comes of a ticket now; `None` where it has to wait.
    fn outcome(&self, ticket: u64) -> Option<bool> {
        match self.by {
            Some(runner) if runner.is_brief && runner.thread != current_thread() => None,
            Some(_) => Some(false),
            None if self.queue.front() == Some(&ticket) => Some(true),
            None => None,
        }
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self { state: Mutex::new(Claimed::default()), changed: Condvar::new() }
    }
}

impl Claims {
    /// Claims the machine for the calling thread; whether that has come about.
    pub fn claim(&self, is_brief: bool) -> bool {
        let mut claimed = lock(&self.state);
        let ticket = claimed.draw_ticket();
        let mut moments = 0;
        let is_claimed = loop {
            match claimed.outcome(ticket) {
                Some(outcome) => break outcome,
                None if moments == MOMENTS_MAX => break false,
                None => {
                    moments += 1;
                    claimed = wait_at_most(&self.changed, claimed, MOMENT);
                }
            }
        };
        claimed.queue.retain(|other| *other != ticket);
        if is_claimed {
            claimed.by = Some(Runner::this(is_brief));
        }
        drop(claimed);
        // Who waits behind this one may have to be told that there is a run now, or that it is its turn.
        self.changed.notify_all();
        is_claimed
    }

    /// What is done turns out to take its time.
    pub fn is_no_longer_brief(&self) {
        if let Some(runner) = &mut lock(&self.state).by {
            runner.is_brief = false;
        }
        self.changed.notify_all();
    }

    /// The machine is free again.
    pub fn give_up(&self) {
        lock(&self.state).by = None;
        self.changed.notify_all();
    }

    fn is_lost(&self) -> bool {
        lock(&self.state).by.is_some_and(Runner::is_lost)
    }
}

impl Session {
    /// Ends the recording that `recorded` stands for, here. Does nothing when it has ended.
    ///
    /// # Errors
    /// The same as [`finish`](Session::finish), and what has ended the recording before, if something did.
    pub fn finish_recording(&self, recorded: &Recorded) -> Result<(), Error> {
        self.require_own_process()?;
        let failure = {
            let recorder = lock(&self.recorder);
            if recorder.number != recorded.number {
                return Ok(());
            }
            recorder.failure.clone()
        };
        match failure {
            Some(failure) => Err(failure.into()),
            None => self.finish(),
        }
    }

    /// A forked child has a copy of everything, and half of that is of no use to it: threads that hold locks are not
    /// there, and files, terminals and sockets are those of its parent. Checked before any lock is waited for.
    ///
    /// # Errors
    /// In a forked child: while the parent records, while a host is attached that the parent has opened, and for a
    /// machine that another thread was running or looking at.
    pub fn require_own_process(&self) -> Result<(), Error> {
        if self.process.is_this() {
            return Ok(());
        }
        self.require_whole()?;
        self.require_no_recording_elsewhere()?;
        let (process, this) = (self.process, Process::this());
        if lock(&self.attached).is_of_other_process() {
            return Err(Error::State(format!(
                "a device of the machine is attached to a host that {process} has opened, and this is {this}, forked \
                 from it: detach it, or take a copy (copy()), which has no hosts"
            )));
        }
        Ok(())
    }

    /// What comes in from outside belongs to the recording that is made.
    ///
    /// # Errors
    /// In a forked child, while the parent records.
    pub(super) fn require_no_recording_elsewhere(&self) -> Result<(), Error> {
        if self.process.is_this() {
            return Ok(());
        }
        let Some(owner) = lock(&self.recorder).owner.filter(|owner| !owner.is_this()) else { return Ok(()) };
        Err(Error::State(format!(
            "the machine is recorded by {owner}, and this is {}, forked from it: only {owner} goes on with it and \
             writes the recording; take a copy here (copy()), which is free",
            Process::this()
        )))
    }

    /// Whether there is a machine to look at: a fork leaves none where another thread has it in its hands.
    ///
    /// # Errors
    /// In a forked child, when that was so.
    pub fn require_whole(&self) -> Result<(), Error> {
        let is_lost = || self.engine.is_lost() || self.claims.is_lost();
        if self.process.is_this() || !is_lost() {
            return Ok(());
        }
        Err(Error::State(format!(
            "another thread of {} had the machine in its hands when {} was forked from it, so there is only half of a \
             machine here: make a new one, or fork while no thread runs this one",
            self.process,
            Process::this()
        )))
    }
}

#[cfg(all(test, not(any(feature = "loom", feature = "shuttle"))))]
mod tests {
    use super::*;
    use crate::sync::{Arc, JoinHandle, spawn, yield_now};

    /// Another thread that wants the machine, once it waits or has its answer.
    fn claiming(claims: &Arc<Claims>, is_brief: bool) -> JoinHandle<bool> {
        let tickets = lock(&claims.state).next_ticket;
        let theirs = claims.clone();
        let claiming = spawn("claiming", move || theirs.claim(is_brief)).unwrap();
        while lock(&claims.state).next_ticket == tickets {
            yield_now();
        }
        claiming
    }

    #[test]
    fn what_is_done_in_a_moment_is_waited_for_and_a_run_is_not() {
        let claims = Arc::new(Claims::default());
        assert!(claims.claim(true));
        let waiting = claiming(&claims, false);
        claims.give_up();
        assert!(waiting.join().unwrap(), "it has waited, and runs");
        assert!(!claims.claim(true) && !claims.claim(false), "the other's run is refused at once");
        claims.give_up();
        assert!(claims.claim(false) && !claims.claim(true), "one's own is refused as well");
    }

    #[test]
    fn those_who_wait_are_served_in_order_and_told_of_a_run() {
        let claims = Arc::new(Claims::default());
        assert!(claims.claim(true));
        let first = claiming(&claims, false);
        let second = claiming(&claims, true);
        claims.give_up();
        assert!(first.join().unwrap());
        assert!(!second.join().unwrap(), "the first one runs");
    }

    #[test]
    fn a_moment_that_lasts_is_a_run() {
        let claims = Arc::new(Claims::default());
        assert!(claims.claim(true));
        let waiting = claiming(&claims, true);
        claims.is_no_longer_brief();
        assert!(!waiting.join().unwrap());
    }
}
