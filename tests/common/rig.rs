//! A toy machine in an engine, recording into memory or playing from it.

use super::{Desk, DeskEvents, NoisyHost, Script, Toy};
use rreplay::engine::{
    Engine, Guest, HostCalls, HostEvents, Limits, RunError, Scheduler, StopReason, Timing, VmState,
};
use rreplay::log::event::StampedEvent;
use rreplay::nondet::CharId;
use rreplay::persist::Digest;
use rreplay::replay::{EventSink, MemoryLog, MemorySink, MemorySource, PlayConfig, RecordConfig, Replay};
use rreplay::units::Position;

/// What a run came to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Outcome {
    pub position: Position,
    pub digests: Vec<Digest>,
    pub transcript: Vec<u8>,
}

/// A toy machine, its engine and the desk from which it is typed to.
pub struct Rig {
    pub engine: Engine<Toy>,
    pub desk: Desk,
    log: Box<dyn Fn() -> MemoryLog + Send>,
}

impl Rig {
    /// Records `toy` from where it is.
    pub fn recording(toy: Toy, digest_every: u64, host: Box<dyn HostCalls>) -> Self {
        Self::recording_at(Desk::default(), toy, digest_every, host)
    }

    /// As [`recording`](Rig::recording), at a desk that the host knows of.
    pub fn recording_at(desk: Desk, toy: Toy, digest_every: u64, host: Box<dyn HostCalls>) -> Self {
        let sink = MemorySink::default();
        let log = Box::new(sink.log());
        Self::recording_into(Box::new(sink), log, desk, toy, digest_every, host)
    }

    /// As [`recording_at`](Rig::recording_at), into a sink of the caller's; `log` reads what it has.
    pub fn recording_into(
        sink: Box<dyn EventSink>,
        log: Box<dyn Fn() -> MemoryLog + Send>,
        desk: Desk,
        toy: Toy,
        digest_every: u64,
        host: Box<dyn HostCalls>,
    ) -> Self {
        let mut vm = VmState::new(toy, Replay::none(), host);
        let config = RecordConfig {
            start: vm.guest.position,
            subsystems: vm.subsystems(),
            digest_every,
            ..RecordConfig::default()
        };
        vm.replay = Replay::record(sink, config);
        Self::assemble(vm, desk, log)
    }

    /// Runs `toy` without recording it.
    pub fn free(toy: Toy, host: Box<dyn HostCalls>) -> Self {
        Self::assemble(VmState::new(toy, Replay::none(), host), Desk::default(), Box::new(MemoryLog::default))
    }

    /// Plays `events` on a `toy` that is as the recorded one was at first, with other hosts.
    pub fn playing(toy: Toy, events: Vec<StampedEvent>) -> Self {
        Self::playing_log(toy, MemoryLog { events, snapshots: Vec::new() })
    }

    /// As [`playing`](Rig::playing), with the snapshots of the recording.
    pub fn playing_log(toy: Toy, log: MemoryLog) -> Self {
        let mut vm = VmState::new(toy, Replay::none(), Box::new(NoisyHost(999)));
        let config = PlayConfig {
            start: vm.guest.position,
            subsystems: Replay::recorded_subsystems(vm.subsystems()),
            chars: None,
        };
        vm.replay = Replay::play(Box::new(MemorySource::new(log)), config);
        Self::assemble(vm, Desk::default(), Box::new(MemoryLog::default))
    }

    fn assemble(mut vm: VmState<Toy>, desk: Desk, log: Box<dyn Fn() -> MemoryLog + Send>) -> Self {
        vm.replay.register_net("net").expect("there is room for one");
        vm.replay.start().expect("nothing blocks");
        Self { engine: Engine::with_kick(vm, desk.main.clone()), desk, log }
    }

    /// Runs with input from the desk.
    pub fn run(&self, scheduler: Scheduler, limits: Limits, timing: Timing) -> Result<StopReason, RunError> {
        let mut never = || false;
        self.run_with(scheduler, &mut DeskEvents::new(&self.desk, &mut never), limits, timing)
    }

    /// Runs with any input.
    pub fn run_with(
        &self,
        scheduler: Scheduler,
        host_events: &mut dyn HostEvents,
        limits: Limits,
        timing: Timing,
    ) -> Result<StopReason, RunError> {
        {
            let mut vm = self.engine.lock("test");
            vm.begin_run(limits);
            vm.timing = timing;
        }
        self.engine.run(scheduler, host_events)
    }

    /// Plays to the end, however often the guest shuts itself down on the way.
    pub fn play_out(&self, scheduler: Scheduler) -> Result<(), RunError> {
        loop {
            match self.run(scheduler, Limits::NONE, Timing::Jump)? {
                StopReason::End => return Ok(()),
                StopReason::Shutdown(_) | StopReason::Interrupted => {}
                other => panic!("a replay runs to the end of its log, not to {other:?}"),
            }
        }
    }

    /// What is recorded so far.
    pub fn log(&self) -> MemoryLog {
        (self.log)()
    }

    /// Ends the recording.
    pub fn finish(&self) -> (Vec<StampedEvent>, Outcome) {
        self.engine.lock("test").finish().expect("memory is never full");
        (self.log().events, self.outcome())
    }

    /// Where the machine is now.
    pub fn outcome(&self) -> Outcome {
        let mut vm = self.engine.lock("test");
        Outcome {
            position: vm.guest.position,
            digests: vm.guest.digests(),
            transcript: vm.transcripts.of(CharId(0)).to_vec(),
        }
    }
}

/// Records a run of `toy` to each of `limits` and gives the events and the outcome.
pub fn record(
    toy: Toy,
    seed: u64,
    digest_every: u64,
    scheduler: Scheduler,
    script: &mut Script,
    limits: &[Limits],
) -> (Vec<StampedEvent>, Outcome) {
    record_with(toy, seed, digest_every, scheduler, script, limits, Timing::Jump)
}

/// As [`record`], with a choice of how idle time passes.
pub fn record_with(
    toy: Toy,
    seed: u64,
    digest_every: u64,
    scheduler: Scheduler,
    script: &mut Script,
    limits: &[Limits],
    timing: Timing,
) -> (Vec<StampedEvent>, Outcome) {
    let rig = Rig::recording(toy, digest_every, Box::new(NoisyHost(seed)));
    for &limit in limits {
        rig.run_with(scheduler, script, limit, timing).expect("recording does not fail");
    }
    rig.finish()
}

/// Plays events on a fresh `toy` with other hosts, whose input must be dropped.
pub fn play(toy: Toy, events: Vec<StampedEvent>, scheduler: Scheduler) -> Result<Outcome, RunError> {
    let rig = Rig::playing(toy, events);
    let mut script = Script::typing(&[b"not from the log"]);
    loop {
        match rig.run_with(scheduler, &mut script, Limits::NONE, Timing::Jump)? {
            StopReason::End => return Ok(rig.outcome()),
            StopReason::Shutdown(_) => {}
            other => panic!("a replay runs to the end of its log, not to {other:?}"),
        }
    }
}
