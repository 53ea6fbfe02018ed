//! The guest's questions, put to the state machine and, where it says so, to the hosts.

use super::chaos::Chaos;
use super::hosts::HostCalls;
use crate::bus::{Exception, Interrupt};
use crate::events::{AsyncEvent, Delivery};
use crate::nondet::{
    AudioRead, BlockRequest, BlockResult, CharId, CharRequest, CharWritten, ClockKind, NetId, Nondet, Owner,
    ShutdownCause,
};
use crate::replay::{Replay, ReplayError, ReplayMode};
use crate::units::Position;

/// The text that a run waits for. Called with all that the console has printed, after each write of one byte or more;
/// returns whether the text is there. It should remember how far it has looked.
pub type OutputMatcher = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// What character devices have sent to their hosts, by [`CharId`].
#[derive(Clone, Debug, Default)]
pub struct Transcripts {
    bytes: Vec<Vec<u8>>,
}

impl Transcripts {
    /// Appends what a device sent.
    pub fn append(&mut self, device: CharId, bytes: &[u8]) {
        let index = usize::from(device.0);
        if self.bytes.len() <= index {
            self.bytes.resize(index + 1, Vec::new());
        }
        self.bytes[index].extend_from_slice(bytes);
    }

    /// All that a device has sent.
    pub fn of(&self, device: CharId) -> &[u8] {
        self.bytes.get(usize::from(device.0)).map_or(&[], Vec::as_slice)
    }
}

/// What the calls of a running guest that pass through [`ReplayIo`] look out for, and what they leave for the loop.
#[derive(Default)]
pub struct RunSignals {
    /// Ends the run when it matches the console's transcript.
    pub output: Option<(CharId, OutputMatcher)>,
    /// Set when `output` has matched.
    pub output_seen: bool,
    /// Set when the guest has asked for a shutdown.
    pub shutdown: Option<ShutdownCause>,
    /// Set when the guest has asked to be suspended.
    pub suspend: bool,
    /// What is to be delivered at the next instruction boundary: the state machine has returned it instead of queueing
    /// it.
    pub deliver_now: Vec<Delivery>,
    /// Recorder: decides at random what hardware leaves open.
    pub chaos: Option<Chaos>,
    /// Set when a host has failed: the run ends at the next instruction boundary.
    pub host_failed: bool,
    /// Set when the guest has asked for something that the loop should look at before the next instruction.
    pub wants_iteration: bool,
    /// The first error of the state machine; the run ends with it.
    pub failure: Option<ReplayError>,
}

/// Stands between a running guest and the hosts: each call goes through the state machine.
pub struct ReplayIo<'a> {
    /// The state machine.
    pub replay: &'a mut Replay,
    /// The hosts.
    pub host_calls: &'a mut dyn HostCalls,
    /// What was printed.
    pub transcripts: &'a mut Transcripts,
    /// What is looked out for, and what is left for the loop.
    pub signals: &'a mut RunSignals,
}

impl ReplayIo<'_> {
    /// Keeps the first error; the guest gets a neutral answer and returns from its slice.
    fn keep<T>(&mut self, result: Result<T, ReplayError>, neutral: T) -> T {
        result.unwrap_or_else(|error| {
            self.signals.failure.get_or_insert(error);
            neutral
        })
    }

    /// Reports a divergence when the guest does something that the log does not have: a replay does what was recorded.
    fn require(&mut self, at: Position, passed: bool, what: impl FnOnce() -> String) -> bool {
        if !passed && self.signals.failure.is_none() {
            self.signals.failure = Some(self.replay.unexpected(at, what()));
        }
        passed
    }

    /// A host that has failed ends the run.
    fn check_hosts(&mut self) {
        if self.host_calls.has_failed() {
            self.signals.host_failed = true;
            self.signals.wants_iteration = true;
        }
    }

    /// A call or completion that comes at the next instruction boundary: delivered now, or by a flush.
    fn soon(&mut self, deliver_now: Option<Delivery>) {
        self.signals.deliver_now.extend(deliver_now);
        self.signals.wants_iteration = true;
    }
}

impl Nondet for ReplayIo<'_> {
    fn clock(&mut self, at: Position, kind: ClockKind) -> i64 {
        let has_clock = self.replay.has_clock(at, kind);
        let has_clock = self.keep(has_clock, false);
        if !self.require(at, has_clock, || format!("a read of the {} clock", kind.name())) {
            return 0;
        }
        let host_calls = &mut *self.host_calls;
        let value = self.replay.clock(at, kind, || host_calls.clock(kind));
        self.keep(value, 0)
    }

    fn random(&mut self, at: Position, buffer: &mut [u8]) -> i32 {
        let host_calls = &mut *self.host_calls;
        let result = self.replay.random(at, buffer, |buffer| host_calls.random(buffer));
        self.keep(result, 0)
    }

    fn char_write(&mut self, at: Position, device: CharId, bytes: &[u8]) -> CharWritten {
        let host_calls = &mut *self.host_calls;
        let result = self.replay.char_write(at, device, bytes, |bytes| host_calls.char_write(device, bytes));
        let failed = result.is_err();
        let written = self.keep(result, CharWritten { result: 0, offset: 0 });
        if !failed {
            self.transcripts.append(device, bytes);
            if let Some((console, matches)) = &mut self.signals.output
                && *console == device
                && !self.signals.output_seen
            {
                self.signals.output_seen = matches(self.transcripts.of(device));
            }
        }
        written
    }

    fn char_read_all(&mut self, at: Position, device: CharId, buffer: &mut [u8]) -> i32 {
        self.char_request(at, device, CharRequest::ReadAll, buffer)
    }

    fn char_request(
        &mut self,
        at: Position,
        device: CharId,
        request: CharRequest<'_>,
        buffer: &mut [u8],
    ) -> i32 {
        let host_calls = &mut *self.host_calls;
        let read = |buffer: &mut [u8]| host_calls.char_request(device, request, buffer);
        let result = self.replay.char_read_all(at, device, buffer, read);
        self.check_hosts();
        self.keep(result, 0)
    }

    fn audio_out(&mut self, at: Position, samples: &[i16]) -> u32 {
        let host_calls = &mut *self.host_calls;
        let played = {
            let offered = u32::try_from(samples.len()).unwrap_or(u32::MAX);
            self.replay.audio_out(at, offered, || host_calls.audio_out(samples))
        };
        self.keep(played, 0)
    }

    fn audio_in(&mut self, at: Position, samples: &mut [i16]) -> AudioRead {
        let host_calls = &mut *self.host_calls;
        let read = self.replay.audio_in(at, samples, |samples| host_calls.audio_in(samples));
        self.keep(read, AudioRead { recorded: 0, write_position: 0 })
    }

    fn net_send(&mut self, _at: Position, device: NetId, flags: u32, packet: &[u8]) {
        let host_calls = &mut *self.host_calls;
        self.replay.net_send(device, || host_calls.net_send(device, flags, packet));
        self.check_hosts();
    }

    fn block(&mut self, at: Position, owner: Owner, request: BlockRequest) -> u64 {
        let id = self.replay.next_block_id(owner);
        if self.replay.mode() != ReplayMode::Play
            && let Some(completion) = self.host_calls.block(id, owner, &request)
        {
            if let Some(chaos) = &mut self.signals.chaos {
                let BlockResult { result, data } = completion;
                chaos.hold(AsyncEvent::Block { id, result, data }, at.cycles, None);
                // Its moment may come before the slice would end.
                self.signals.wants_iteration = true;
                return id;
            }
            let deliver_now = self.replay.block(id, completion);
            let deliver_now = self.keep(deliver_now, None);
            self.soon(deliver_now);
        }
        id
    }

    fn schedule_bh(&mut self, at: Position, owner: Owner) {
        let deliver_now = self.replay.schedule_bh(at, owner);
        self.soon(deliver_now);
    }

    fn schedule_bh_oneshot(&mut self, at: Position, owner: Owner) {
        let deliver_now = self.replay.schedule_bh_oneshot(at, owner);
        self.soon(deliver_now);
    }

    fn suspend_request(&mut self, _at: Position) {
        self.signals.suspend = true;
        self.signals.wants_iteration = true;
    }

    fn interrupt(&mut self, at: Position, interrupt: Interrupt) -> bool {
        let accepted = self.replay.interrupt(at, interrupt);
        let accepted = self.keep(accepted, false);
        self.require(at, accepted, || format!("interrupt {}", interrupt.name()))
    }

    fn exception(&mut self, at: Position, exception: Exception) -> bool {
        let passed = self.replay.exception(at, exception);
        let passed = self.keep(passed, false);
        self.require(at, passed, || format!("exception {}", exception.name()))
    }

    fn shutdown_request(&mut self, at: Position, cause: ShutdownCause) {
        let acts = self.replay.shutdown_request(at, cause);
        let acts = self.keep(acts, false);
        if self.require(at, acts, || format!("shutdown {}", cause.name())) {
            self.signals.shutdown.get_or_insert(cause);
        }
    }

    fn wants_break(&self) -> bool {
        self.signals.failure.is_some()
            || self.signals.output_seen
            || self.signals.wants_iteration
            || self.signals.shutdown.is_some()
    }
}
