//! What the operating system answers at once: clocks, entropy, and where output goes.

use super::attach::Attachments;
use super::input::HostInput;
use crate::engine::{HostCalls, NOTHING_ATTACHED};
use crate::nondet::{
    AudioRead, BlockRequest, BlockResult, CharId, CharRequest, CharWritten, ClockKind, NetId, Owner,
};
use crate::sync::{Arc, Mutex, lock};
use std::time::Duration;

#[cfg(feature = "shuttle")]
pub(super) use crate::sync::model::now as since_epoch;
#[cfg(feature = "shuttle")]
use crate::sync::model::{Instant, fill};
#[cfg(not(feature = "shuttle"))]
use getrandom::fill;
#[cfg(not(feature = "shuttle"))]
use std::time::Instant;

/// Wall-clock time since 1970-01-01 UTC.
#[cfg(not(feature = "shuttle"))]
#[allow(clippy::disallowed_methods, reason = "this is the one module that reads host clocks")]
pub(super) fn since_epoch() -> Duration {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// errno EAGAIN: nothing is there yet.
const EAGAIN: i32 = 11;

/// errno of an input/output error, for hosts that do not say more.
const EIO: i32 = 5;

/// Monotonic time while the machine is running: it stands still between runs.
#[derive(Debug, Default)]
pub struct RunningClock {
    before: Duration,
    since: Option<Instant>,
}

impl RunningClock {
    /// A run begins.
    #[allow(clippy::disallowed_methods, reason = "this is the one module that reads host clocks")]
    pub fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// A run ends.
    pub fn stop(&mut self) {
        self.before = Duration::from_nanos(self.nanoseconds().cast_unsigned());
        self.since = None;
    }

    /// Nanoseconds spent running.
    pub fn nanoseconds(&self) -> i64 {
        let now = self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Says when so much real time has passed since it last said so; at first at once.
#[derive(Debug)]
pub struct Interval {
    length: Duration,
    last: Option<Instant>,
}

impl Interval {
    /// An interval of that length.
    pub fn new(length: Duration) -> Self {
        Self { length, last: None }
    }

    /// Whether it has passed; it then begins anew.
    #[allow(clippy::disallowed_methods, reason = "paces work on the host's side; no guest sees it")]
    pub fn has_passed(&mut self) -> bool {
        let passed = self.last.is_none_or(|last| last.elapsed() >= self.length);
        if passed {
            self.last = Some(Instant::now());
        }
        passed
    }
}

/// The operating system's clock and entropy, and the hosts that devices are joined to.
#[derive(Default)]
pub struct SystemHost {
    /// Time while running.
    pub running: RunningClock,
    /// The hosts that devices are joined to.
    attached: Arc<Mutex<Attachments>>,
    /// Where the machine's input comes in: whether more may come is an answer to a program that reads at once.
    input: Option<Arc<HostInput>>,
    /// Whether a host has failed since this was last asked.
    failed: bool,
}

impl SystemHost {
    /// Answers with the hosts of `attached`, and the end of input when `input` brings no more.
    pub fn new(attached: Arc<Mutex<Attachments>>, input: Arc<HostInput>) -> Self {
        Self { attached, input: Some(input), ..Self::default() }
    }
}

impl HostCalls for SystemHost {
    fn clock(&mut self, kind: ClockKind) -> i64 {
        match kind {
            ClockKind::Host => i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX),
            ClockKind::VirtualRt => self.running.nanoseconds(),
        }
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        if let Some(host) = &mut lock(&self.attached).entropy {
            return host.fill(buffer);
        }
        match fill(buffer) {
            Ok(()) => 0,
            Err(error) => {
                buffer.fill(0);
                -error.raw_os_error().unwrap_or(EIO)
            }
        }
    }

    fn char_write(&mut self, device: CharId, bytes: &[u8]) -> CharWritten {
        match lock(&self.attached).chars.get_mut(&device) {
            Some(host) => host.write(bytes),
            // The transcript has it.
            None => CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 },
        }
    }

    fn char_request(&mut self, device: CharId, request: CharRequest<'_>, buffer: &mut [u8]) -> i32 {
        let mut attached = lock(&self.attached);
        if matches!(request, CharRequest::ReadAll | CharRequest::Read { descriptor: 0 }) {
            // What comes in comes as an event. Here is only said whether to wait for it.
            let may_come = self.input.as_ref().is_some_and(|input| input.may_come())
                || attached.chars.get(&device).is_some_and(|host| host.is_open());
            return if may_come { -EAGAIN } else { 0 };
        }
        let Some(host) = attached.requests.get_mut(&device) else { return -NOTHING_ATTACHED };
        let result = host.request(request, buffer);
        self.failed |= host.has_failed();
        result
    }

    fn has_failed(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    fn audio_out(&mut self, samples: &[i16]) -> u32 {
        match &mut lock(&self.attached).sound_out {
            Some(host) => host.play(samples),
            None => samples.len() as u32,
        }
    }

    fn audio_in(&mut self, samples: &mut [i16]) -> AudioRead {
        samples.fill(0);
        match &mut lock(&self.attached).sound_in {
            Some(host) => host.record(samples),
            None => AudioRead { recorded: samples.len() as u32, write_position: 0 },
        }
    }

    fn net_send(&mut self, device: NetId, flags: u32, packet: &[u8]) {
        if let Some(host) = lock(&self.attached).nets.get_mut(&device) {
            host.send(flags, packet);
            self.failed |= host.has_failed();
        }
    }

    fn block(&mut self, _id: u64, owner: Owner, request: &BlockRequest) -> Option<BlockResult> {
        let nothing = || BlockResult { result: -NOTHING_ATTACHED, data: Vec::new() };
        Some(lock(&self.attached).disks.get_mut(&owner).map_or_else(nothing, |disk| disk.request(request)))
    }

    fn input_waits(&mut self, bytes: usize) {
        lock(&self.attached).waiting = bytes;
    }

    fn run_starts(&mut self) {
        self.running.start();
    }

    fn run_ends(&mut self) {
        self.running.stop();
        lock(&self.attached).run_ends();
    }
}
