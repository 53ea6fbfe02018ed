//! Hosts of which everything is known beforehand: clocks, entropy, a disk, a network and sound that come from a seed,
//! and one that must not be asked at all.

use rreplay::engine::HostCalls;
use rreplay::error::Error;
use rreplay::events::AsyncEvent;
use rreplay::host::HostInput;
use rreplay::nondet::{AudioRead, BlockRequest, BlockResult, CharId, CharWritten, ClockKind, NetId, Owner};
use rreplay::session::Session;
use rreplay::sync::{Arc, Mutex, Shared, lock};
use std::collections::BTreeMap;

/// errno values of hosts that fail.
const EIO: i32 = 5;
const EAGAIN: i32 = 11;

/// Sectors of the disk.
const SECTORS: u64 = 64;
const SECTOR_BYTES: usize = 512;
/// What a lively clock moves by at each look, at most, in nanoseconds.
const STEP_NS_MAX: u64 = 50_000;
/// Completions and packets that wait at most; the oldest are lost.
const WAITING_MAX: usize = 32;

/// How a host behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, arbitrary::Arbitrary, proptest_derive::Arbitrary)]
pub enum HostConfig {
    /// Its clocks stand until they are told to move, and nothing comes by itself. A run is then the same each time,
    /// recorded or not, however it is cut into slices.
    Steady,
    /// Its clocks move whenever they are looked at, the wall clock sometimes backwards, and completions and packets
    /// come when they like.
    Lively,
}

#[derive(Debug)]
struct State {
    host_config: HostConfig,
    random: u64,
    clocks: [i64; 2],
    disk: BTreeMap<u64, Vec<u8>>,
    /// Completions on their way.
    completions: Vec<AsyncEvent>,
    /// Packets on their way.
    packets: Vec<AsyncEvent>,
    /// Where a lively host brings them.
    input: Option<Arc<HostInput>>,
}

/// A host whose answers come from a seed: writes that are taken in part or fail, reads at once that fail, sound that is
/// taken in part, a network that echoes, and a disk of 64 sectors in memory whose requests end at once, or late and in
/// any order. Clones are handles of one host.
#[derive(Clone, Debug)]
pub struct TestHost {
    state: Shared<Mutex<State>>,
}

impl TestHost {
    /// A host with that seed.
    pub fn new(seed: u64, host_config: HostConfig) -> Self {
        let state = State {
            host_config,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            clocks: [1_700_000_000_000_000_000, 0],
            disk: BTreeMap::new(),
            completions: Vec::new(),
            packets: Vec::new(),
            input: None,
        };
        Self { state: Shared::new(Mutex::new(state)) }
    }

    /// A host that answers as this one does from here on, and that nothing is on its way to.
    pub fn fork(&self, host_config: HostConfig) -> Self {
        let state = lock(&self.state);
        let forked = State {
            host_config,
            random: state.random,
            clocks: state.clocks,
            disk: state.disk.clone(),
            completions: Vec::new(),
            packets: Vec::new(),
            input: None,
        };
        Self { state: Shared::new(Mutex::new(forked)) }
    }

    /// Moves both clocks.
    pub fn tick(&self, nanoseconds: i64) {
        lock(&self.state).clocks.iter_mut().for_each(|clock| *clock += nanoseconds);
    }

    /// Ends all requests that the disk has not ended yet: their completions, in an order that `order` chooses.
    pub fn complete(&self, order: u8) -> Vec<AsyncEvent> {
        let mut waiting = std::mem::take(&mut lock(&self.state).completions);
        let mut ended = Vec::new();
        let mut choice = u32::from(order);
        while !waiting.is_empty() {
            choice = choice.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            ended.push(waiting.remove((choice >> 16) as usize % waiting.len()));
        }
        ended
    }

    /// The packets that have come back from the network.
    pub fn packets(&self) -> Vec<AsyncEvent> {
        std::mem::take(&mut lock(&self.state).packets)
    }

    /// Requests that the disk has not ended yet.
    pub fn requests_waiting(&self) -> usize {
        lock(&self.state).completions.len()
    }
}

impl State {
    /// xorshift64*.
    fn below(&mut self, limit: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.iter_mut().for_each(|byte| *byte = self.below(256) as u8);
    }

    /// A lively host now and then brings what is on its way.
    fn bring(&mut self) {
        if self.host_config == HostConfig::Steady || self.input.is_none() || self.below(3) != 0 {
            return;
        }
        let waiting = self.completions.len() + self.packets.len();
        if waiting == 0 {
            return;
        }
        let which = self.below(waiting as u64) as usize;
        let event = match which.checked_sub(self.completions.len()) {
            None => self.completions.remove(which),
            Some(packet) => self.packets.remove(packet),
        };
        if let Some(input) = &self.input {
            input.push(event);
        }
    }

    fn run_request(&mut self, request: &BlockRequest) -> BlockResult {
        let failed = BlockResult { result: -EIO, data: Vec::new() };
        match request {
            BlockRequest::Read { sector, count } if *sector < SECTORS && *count <= 8 => {
                let mut data = Vec::new();
                for sector in *sector..*sector + u64::from(*count) {
                    let blank = || (0..SECTOR_BYTES).map(|at| at as u8 ^ sector as u8).collect();
                    data.extend(self.disk.get(&sector).cloned().unwrap_or_else(blank));
                }
                BlockResult { result: data.len() as i32, data }
            }
            BlockRequest::Write { sector, data } if *sector < SECTORS => {
                self.disk.insert(*sector, data.clone());
                BlockResult { result: data.len() as i32, data: Vec::new() }
            }
            BlockRequest::Flush => BlockResult { result: 0, data: Vec::new() },
            BlockRequest::Read { .. } | BlockRequest::Write { .. } => failed,
        }
    }
}

impl HostCalls for TestHost {
    fn clock(&mut self, kind: ClockKind) -> i64 {
        let mut state = lock(&self.state);
        state.bring();
        if state.host_config == HostConfig::Lively {
            let step = state.below(STEP_NS_MAX).cast_signed();
            let back = kind == ClockKind::Host && state.below(16) == 0;
            state.clocks[kind as usize] += if back { -step } else { step };
        }
        state.clocks[kind as usize]
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        let mut state = lock(&self.state);
        state.bring();
        if state.below(8) == 0 {
            buffer.fill(0);
            return -EIO;
        }
        state.fill(buffer);
        0
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        let mut state = lock(&self.state);
        state.bring();
        let count = bytes.len() as u32;
        match state.below(8) {
            0 => CharWritten { result: -EAGAIN, offset: 0 },
            1 => CharWritten { result: -EIO, offset: count / 2 },
            2 => CharWritten { result: (count / 2).cast_signed(), offset: count / 2 },
            _ => CharWritten { result: count.cast_signed(), offset: count },
        }
    }

    fn char_read_all(&mut self, _device: CharId, buffer: &mut [u8]) -> i32 {
        let mut state = lock(&self.state);
        state.bring();
        if state.below(4) == 0 {
            return -EAGAIN;
        }
        let count = state.below(buffer.len() as u64 + 1) as usize;
        state.fill(&mut buffer[..count]);
        count as i32
    }

    fn audio_out(&mut self, samples: &[i16]) -> u32 {
        let mut state = lock(&self.state);
        state.bring();
        state.below(samples.len() as u64 + 1) as u32
    }

    fn audio_in(&mut self, samples: &mut [i16]) -> AudioRead {
        let mut state = lock(&self.state);
        state.bring();
        let recorded = state.below(samples.len() as u64 + 1) as usize;
        samples[..recorded].iter_mut().for_each(|sample| *sample = state.below(1 << 16) as u16 as i16);
        AudioRead { recorded: recorded as u32, write_position: state.below(4096) as u32 }
    }

    fn net_send(&mut self, device: NetId, flags: u32, packet: &[u8]) {
        let mut state = lock(&self.state);
        let bytes = packet.iter().rev().copied().collect();
        state.packets.push(AsyncEvent::Net { device: device.0, flags: !flags, bytes });
        if state.packets.len() > WAITING_MAX {
            state.packets.remove(0);
        }
        state.bring();
    }

    fn block(&mut self, id: u64, _owner: Owner, request: &BlockRequest) -> Option<BlockResult> {
        let mut state = lock(&self.state);
        let result = state.run_request(request);
        if state.below(4) == 0 {
            return Some(result);
        }
        let BlockResult { result, data } = result;
        state.completions.push(AsyncEvent::Block { id, result, data });
        if state.completions.len() > WAITING_MAX {
            // As a disk that was unplugged: nobody hears of that one again.
            state.completions.remove(0);
        }
        state.bring();
        None
    }
}

/// The host of a replay: it is not there. Clones are handles of one.
#[derive(Clone, Debug, Default)]
pub struct AbsentHost {
    asked: Shared<Mutex<Vec<&'static str>>>,
}

impl AbsentHost {
    /// What it was asked for, although it is not there.
    pub fn asked(&self) -> Vec<&'static str> {
        lock(&self.asked).clone()
    }

    fn is_asked(&self, question: &'static str) {
        lock(&self.asked).push(question);
    }
}

impl HostCalls for AbsentHost {
    fn clock(&mut self, kind: ClockKind) -> i64 {
        self.is_asked(kind.name());
        0
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        self.is_asked("random");
        buffer.fill(0);
        0
    }

    fn char_write(&mut self, _device: CharId, bytes: &[u8]) -> CharWritten {
        self.is_asked("char_write");
        CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
    }

    fn char_read_all(&mut self, _device: CharId, _buffer: &mut [u8]) -> i32 {
        self.is_asked("char_read_all");
        0
    }

    fn audio_out(&mut self, samples: &[i16]) -> u32 {
        self.is_asked("audio_out");
        samples.len() as u32
    }

    fn audio_in(&mut self, _samples: &mut [i16]) -> AudioRead {
        self.is_asked("audio_in");
        AudioRead { recorded: 0, write_position: 0 }
    }

    fn net_send(&mut self, _device: NetId, _flags: u32, _packet: &[u8]) {
        self.is_asked("net_send");
    }

    fn block(&mut self, _id: u64, _owner: Owner, _request: &BlockRequest) -> Option<BlockResult> {
        self.is_asked("block");
        None
    }
}

/// Hosts of tests in the place of the operating system.
pub trait TestHosts {
    /// Puts a host of a test in the place of the operating system.
    fn attach_host(&self, host: &TestHost);

    /// Takes the host away: a replay needs none.
    fn detach_host(&self) -> AbsentHost;

    /// Asks for a snapshot in the log while the machine runs, from another thread or a hook.
    ///
    /// # Errors
    /// When nothing is recorded.
    fn request_snapshot_while_running(&self) -> Result<(), Error>;
}

impl TestHosts for Session {
    fn attach_host(&self, host: &TestHost) {
        let mut state = lock(&host.state);
        state.input = (state.host_config == HostConfig::Lively).then(|| self.host_input());
        drop(state);
        self.lock_vm().host_calls = Box::new(host.clone());
    }

    fn detach_host(&self) -> AbsentHost {
        let host = AbsentHost::default();
        self.lock_vm().host_calls = Box::new(host.clone());
        host
    }

    fn request_snapshot_while_running(&self) -> Result<(), Error> {
        Ok(self.lock_vm().replay.request_snapshot()?)
    }
}
