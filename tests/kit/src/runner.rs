//! Carries out a scenario on a machine.

use super::host::{TestHost, TestHosts};
use super::oracle::look_at;
use super::scenario::{
    CYCLES_PER_INSTRUCTION_MAX, HostAct, HostOperation, RunLength, Scenario, host_cause, sleep_cycles,
};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::events::AsyncEvent;
use rreplay::host::InputGate;
use rreplay::machine::{HookId, HookKind};
use rreplay::nondet::CharId;
use rreplay::replay::ReplayMode;
use rreplay::session::{RunRequest, Session, Stop};
use rreplay::sync::{JoinHandle, Shared, spawn, yield_now};
use rreplay::units::Position;

/// Why and where runs ended.
pub(super) type Stops = Vec<(&'static str, Position)>;

/// How runs end after which only a reset helps: the processor does nothing more, or waits for what nobody brings.
const STOPPED: [&str; 2] = ["jammed", "halted"];

/// A machine with its host.
#[derive(Clone)]
pub(super) struct Runner {
    pub session: Shared<Session>,
    pub host: TestHost,
    /// Instructions of the pieces into which runs are cut, where they may be cut.
    pub pieces: Option<u64>,
}

impl Runner {
    /// The machine of a scenario at power-on.
    pub fn new(scenario: &Scenario) -> Result<Self, String> {
        let session = scenario.session().map_err(|error| format!("building: {error}"))?;
        Ok(Self::on(session, scenario))
    }

    /// The same as [`new`](Runner::new), on a machine that was built already.
    pub fn on(session: Session, scenario: &Scenario) -> Self {
        let host = scenario.test_host();
        session.attach_host(&host);
        Self { session: Shared::new(session), host, pieces: None }
    }

    /// Carries out the whole scenario; `begin` is called where the recording begins.
    pub fn run_scenario(
        &self,
        scenario: &Scenario,
        begin: impl FnOnce() -> Result<(), String>,
    ) -> Result<Stops, String> {
        let (before, then) = scenario.operations();
        let mut stops = Vec::new();
        for operation in before {
            stops.extend(self.operate(scenario, operation)?);
        }
        begin()?;
        for operation in then {
            let stop = self.operate(scenario, operation)?;
            if scenario.resets_stopped && stop.is_some_and(|(reason, _)| STOPPED.contains(&reason)) {
                self.session.reset().map_err(|error| error.to_string())?;
            }
            stops.extend(stop);
        }
        Ok(stops)
    }

    fn operate(
        &self,
        scenario: &Scenario,
        operation: &HostOperation,
    ) -> Result<Option<(&'static str, Position)>, String> {
        let session = &self.session;
        match operation {
            HostOperation::Run { length, threads } => {
                return match (length, self.pieces) {
                    (RunLength::Instructions(_) | RunLength::Cycles(_), Some(pieces)) => {
                        let limits = scenario.limits(*length, session.position());
                        self.run_in_pieces(limits, scheduler(*threads), pieces)
                    }
                    _ => self.run(scenario, *length, scheduler(*threads), false),
                }
                .map(Some);
            }
            HostOperation::Act(act) => self.act(act, || {}).map_err(|error| error.to_string())?,
            HostOperation::ActAt { address, acts, length } => {
                let hook = self.act_at(scenario.program.address(*address), acts.clone());
                let stop = self.run(scenario, *length, Scheduler::Inline, false);
                session.remove_hook(hook);
                return stop.map(Some);
            }
            HostOperation::Race { acts, length } => {
                let racing = self.race(acts.clone(), session.open_gate())?;
                let stop = self.run(scenario, *length, Scheduler::Threads, false);
                racing.join().map_err(|_| "the racing thread panicked".to_owned())??;
                return stop.map(Some);
            }
            HostOperation::Sleep { cycles, threads } => {
                let length = RunLength::Cycles(sleep_cycles(*cycles) as u16);
                return self.run(scenario, length, scheduler(*threads), true).map(Some);
            }
            HostOperation::Reset => session.reset().map_err(|error| error.to_string())?,
            HostOperation::Snapshot if session.mode() == ReplayMode::Record => {
                session.request_snapshot().map_err(|error| error.to_string())?;
            }
            // It does what is due here, in a recording and without.
            HostOperation::Snapshot => return self.run_cycles(0).map(|_| None),
            HostOperation::Look => look_at(session),
            HostOperation::Trace(count) => return self.trace(u64::from(count % 32)).map(Some),
            HostOperation::Watch { page } => {
                let first = u16::from(*page) << 8;
                for kind in [HookKind::Read, HookKind::Write] {
                    session.add_hook(kind, first, first | 0xFF, Box::new(|_| true));
                }
            }
        }
        Ok(None)
    }

    /// Does one thing; `between` is called between the bytes that are typed.
    fn act(&self, act: &HostAct, between: impl Fn()) -> Result<(), Error> {
        let session = &self.session;
        let arrive = |events: Vec<AsyncEvent>| events.into_iter().try_for_each(|event| session.arrive(event));
        match act {
            HostAct::Type(bytes) => {
                for &byte in bytes {
                    session.send(&[byte])?;
                    between();
                }
                Ok(())
            }
            HostAct::Bytes { device, bytes } => arrive(vec![AsyncEvent::CharRead {
                device: CharId((device % 5).into()),
                bytes: bytes.clone(),
            }]),
            HostAct::Input { events, whole } => {
                let input = events.iter().map(|event| AsyncEvent::Input((*event).into()));
                arrive(input.chain(whole.then_some(AsyncEvent::InputSync)).collect())
            }
            HostAct::Packet { device, flags, bytes } => arrive(vec![AsyncEvent::Net {
                device: (device % 2).into(),
                flags: (*flags).into(),
                bytes: [&ETHERNET_HEADER, bytes.as_slice()].concat(),
            }]),
            HostAct::Echo => arrive(self.host.packets()),
            HostAct::Complete(order) => arrive(self.host.complete(*order)),
            HostAct::Shutdown(number) => session.shutdown(host_cause(*number)),
            HostAct::Snapshot => match session.request_snapshot_while_running() {
                // There is no log to put it into.
                Err(Error::State(_)) if session.mode() == ReplayMode::None => Ok(()),
                result => result,
            },
            HostAct::Tick(units) => {
                self.host.tick(i64::from(*units) * 16);
                Ok(())
            }
        }
    }

    /// Does one thing each time the guest comes to an address.
    fn act_at(&self, address: u16, acts: Vec<HostAct>) -> HookId {
        // The session keeps the hook, so a hook that kept the session would never be freed.
        let (session, host) = (Shared::downgrade(&self.session), self.host.clone());
        let mut acts = acts.into_iter();
        let callback = move |_| {
            if let (Some(session), Some(act)) = (session.upgrade(), acts.next()) {
                let runner = Self { session, host: host.clone(), pieces: None };
                // There may be no console; and nobody finishes the recording meanwhile.
                let _ = runner.act(&act, || {});
            }
            true
        };
        self.session.add_hook(HookKind::Execute, address, address, Box::new(callback))
    }

    /// Does these things on another thread.
    fn race(&self, acts: Vec<HostAct>, gate: InputGate) -> Result<JoinHandle<Result<(), String>>, String> {
        let runner = self.clone();
        let racing = spawn("racing host", move || {
            for act in acts {
                runner.act(&act, yield_now).map_err(|error| error.to_string())?;
                yield_now();
            }
            drop(gate);
            Ok(())
        });
        racing.map_err(|error| error.to_string())
    }

    fn trace(&self, instructions: u64) -> Result<(&'static str, Position), String> {
        self.session.lock_vm().guest.start_trace();
        let result = self.run_cycles_or(instructions, instructions * CYCLES_PER_INSTRUCTION_MAX);
        let trace = self.session.lock_vm().guest.take_trace();
        let (reason, at) = result?;
        if trace.windows(2).any(|two| two[0].cycle >= two[1].cycle) {
            return Err(format!("the bus cycles of a trace are out of order at {at}"));
        }
        Ok((if reason == "fault" { reason } else { "traced" }, at))
    }

    /// Runs so many cycles; 0 does what is due here.
    pub fn run_cycles(&self, cycles: u64) -> Result<(&'static str, Position), String> {
        self.run_cycles_or(u64::MAX, cycles)
    }

    /// The same as [`run_cycles`](Runner::run_cycles), with stops after so many instructions.
    pub fn run_cycles_in_pieces(&self, cycles: u64, pieces: u64) -> Result<(&'static str, Position), String> {
        self.run_in_pieces((u64::MAX, cycles), Scheduler::Inline, pieces)
    }

    fn run_cycles_or(&self, instructions: u64, cycles: u64) -> Result<(&'static str, Position), String> {
        let instructions = (instructions != u64::MAX).then_some(instructions);
        let request = RunRequest { instructions, cycles: Some(cycles), ..RunRequest::default() };
        reason(&self.session, self.session.run(request, &mut || false))
    }

    /// The same as [`run`](Runner::run), but stops on the way, and looks at everything there.
    fn run_in_pieces(
        &self,
        (instructions, cycles): (u64, u64),
        scheduler: Scheduler,
        pieces: u64,
    ) -> Result<(&'static str, Position), String> {
        let start = self.session.position();
        let icount_end = start.icount.saturating_add(instructions);
        let cycles_end = start.cycles.saturating_add(cycles);
        loop {
            let here = self.session.position();
            let left = icount_end - here.icount;
            let request = RunRequest {
                instructions: Some(left.min(pieces)),
                cycles: Some(cycles_end.saturating_sub(here.cycles)),
                scheduler: Some(scheduler),
                ..RunRequest::default()
            };
            let (reason, at) = reason(&self.session, self.session.run(request, &mut || false))?;
            if reason != "budget" || at.icount >= icount_end || at.cycles >= cycles_end {
                return Ok((reason, at));
            }
            if at == here {
                return Err(format!("a run of {pieces} instructions ends where it begins, at {at}"));
            }
            look_at(&self.session);
        }
    }

    fn run(
        &self,
        scenario: &Scenario,
        length: RunLength,
        scheduler: Scheduler,
        sleep: bool,
    ) -> Result<(&'static str, Position), String> {
        let start = self.session.position();
        let limits = scenario.limits(length, start);
        let request = RunRequest { sleep, ..request(scenario, &self.session, length, limits, scheduler) };
        let result = self.session.run(request, &mut || false);
        if let Ok(stop) = &result {
            check_stop(stop, start, limits, &self.session)?;
        }
        reason(&self.session, result)
    }
}

fn scheduler(threads: bool) -> Scheduler {
    if threads { Scheduler::Threads } else { Scheduler::Inline }
}

/// To all, so that an interface takes the packet.
const ETHERNET_HEADER: [u8; 14] = [0xFF; 14];

/// A guest that does what its board forbids is no failure.
fn reason(session: &Session, result: Result<Stop, Error>) -> Result<(&'static str, Position), String> {
    match result {
        Ok(stop) => Ok((stop.reason, stop.position)),
        Err(Error::Fault(_)) => Ok(("fault", session.position())),
        Err(error) => Err(error.to_string()),
    }
}

fn request(
    scenario: &Scenario,
    session: &Session,
    length: RunLength,
    (instructions, cycles): (u64, u64),
    scheduler: Scheduler,
) -> RunRequest {
    let mut request = RunRequest {
        instructions: (instructions != u64::MAX).then_some(instructions),
        cycles: Some(cycles),
        scheduler: Some(scheduler),
        ..RunRequest::default()
    };
    match length {
        RunLength::Address(low) => request.pc = Some(scenario.program.address(low)),
        RunLength::Output(more) => {
            let wanted = session.output_length() + usize::from(more % 8) + 1;
            request.output = Some(Box::new(move |printed| printed.len() >= wanted));
        }
        RunLength::Instructions(_) | RunLength::Cycles(_) => {}
    }
    request
}

/// A run is never too long, and too short only for a reason.
fn check_stop(
    stop: &Stop,
    start: Position,
    (instructions, cycles): (u64, u64),
    session: &Session,
) -> Result<(), String> {
    let icount_end = start.icount.saturating_add(instructions);
    let cycles_end = start.cycles.saturating_add(cycles);
    let at = stop.position;
    if at != session.position() || at < start {
        return Err(format!(
            "the run from {start} says that it ended at {at}, and is at {}",
            session.position()
        ));
    }
    if at.icount > icount_end || at.cycles >= cycles_end + CYCLES_PER_INSTRUCTION_MAX {
        return Err(format!(
            "the run from {start} for {instructions} instructions, {cycles} cycles ended at {at}"
        ));
    }
    if stop.reason == "budget" && at.icount < icount_end && at.cycles < cycles_end {
        return Err(format!("the run from {start} ended at {at}, before its {instructions} instructions"));
    }
    Ok(())
}
