//! Tests of the devices, from their data sheets, through the `Device` trait.

mod create;
mod damage;
mod disk;
mod display;
mod input;
mod mc146818;
mod mc6821;
mod mc6850;
mod mos6551;
mod network;
mod power;
mod purity;
mod py65_console;
mod serial;
mod sound;
mod via6522;
mod via6522_ports;
mod via6522_silicon;

use super::{Context, Device, DirectMemory, DirectRegisters};
use crate::bus::{Exception, Interrupt};
use crate::nondet::{
    AudioRead, BlockRequest, CharId, CharRequest, CharWritten, ClockKind, NetId, Nondet, Owner, ShutdownCause,
};
use crate::persist::{Reader, Value};
use crate::units::Position;
use std::collections::BTreeMap;

/// A host that takes everything, remembers what it was asked, and answers as the test has told it to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    /// What every question of a device is answered with: a byte, or a negative errno.
    answer: Result<u8, i32>,
    /// Bytes of the character device, each with its cycle.
    written: Vec<(u64, u8)>,
    /// How often clocks and entropy were asked for.
    asked: u32,
    /// What the clocks read, in nanoseconds.
    host_clock: i64,
    virtual_rt_clock: i64,
    /// What comes instead of entropy, over and over; an error (a negative errno) where it is empty.
    entropy: Vec<u8>,
    entropy_error: i32,
    /// Frames that the sound card still takes, and what it took.
    sound_room: u32,
    played: Vec<i16>,
    /// What the microphone hears from now on.
    heard: Vec<i16>,
    /// Packets sent, with their flags.
    sent: Vec<(u32, Vec<u8>)>,
    /// Block requests, by number.
    blocks: Vec<BlockRequest>,
    /// Block requests and deferred calls that have been answered.
    answered: (usize, u32),
    /// Deferred calls asked for: (for good, once).
    calls: (u32, u32),
    shutdowns: Vec<ShutdownCause>,
    suspensions: u32,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            answer: Ok(0x5A),
            written: Vec::new(),
            asked: 0,
            host_clock: 0,
            virtual_rt_clock: 0,
            entropy: Vec::new(),
            entropy_error: 0,
            sound_room: 0,
            played: Vec::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            blocks: Vec::new(),
            answered: (0, 0),
            calls: (0, 0),
            shutdowns: Vec::new(),
            suspensions: 0,
        }
    }
}

impl Nondet for Host {
    fn clock(&mut self, _at: Position, kind: ClockKind) -> i64 {
        self.asked += 1;
        match kind {
            ClockKind::Host => self.host_clock,
            ClockKind::VirtualRt => self.virtual_rt_clock,
        }
    }
    fn random(&mut self, _at: Position, buffer: &mut [u8]) -> i32 {
        self.asked += 1;
        buffer.fill(0);
        buffer.iter_mut().zip(self.entropy.iter().cycle()).for_each(|(to, from)| *to = *from);
        self.entropy_error
    }
    fn char_write(&mut self, at: Position, device: CharId, bytes: &[u8]) -> CharWritten {
        assert_eq!(device, CharId(7));
        self.written.extend(bytes.iter().map(|&byte| (at.cycles, byte)));
        CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 }
    }
    fn interrupt(&mut self, _at: Position, _interrupt: Interrupt) -> bool {
        true
    }
    fn exception(&mut self, _at: Position, _exception: Exception) -> bool {
        true
    }
    fn shutdown_request(&mut self, _at: Position, cause: ShutdownCause) {
        self.shutdowns.push(cause);
    }
    fn char_read_all(&mut self, _at: Position, _device: CharId, _buffer: &mut [u8]) -> i32 {
        unreachable!("no device here reads at once")
    }
    fn char_request(
        &mut self,
        _at: Position,
        _device: CharId,
        _request: CharRequest<'_>,
        buffer: &mut [u8],
    ) -> i32 {
        match (self.answer, buffer.first_mut()) {
            (Ok(byte), Some(first)) => {
                *first = byte;
                1
            }
            (Ok(_), None) => 0,
            (Err(error), _) => error,
        }
    }
    fn audio_out(&mut self, _at: Position, samples: &[i16]) -> u32 {
        let taken = samples.len().min(self.sound_room as usize);
        self.played.extend(&samples[..taken]);
        self.sound_room -= taken as u32;
        taken as u32
    }
    fn audio_in(&mut self, _at: Position, samples: &mut [i16]) -> AudioRead {
        let recorded = samples.len().min(self.heard.len());
        samples[..recorded].copy_from_slice(&self.heard[..recorded]);
        self.heard.drain(..recorded);
        AudioRead { recorded: recorded as u32, write_position: 0 }
    }
    fn net_send(&mut self, _at: Position, _device: NetId, flags: u32, packet: &[u8]) {
        self.sent.push((flags, packet.to_vec()));
    }
    fn block(&mut self, _at: Position, _owner: Owner, request: BlockRequest) -> u64 {
        self.blocks.push(request);
        self.blocks.len() as u64 - 1
    }
    fn schedule_bh(&mut self, _at: Position, _owner: Owner) {
        self.calls.0 += 1;
    }
    fn schedule_bh_oneshot(&mut self, _at: Position, _owner: Owner) {
        self.calls.1 += 1;
    }
    fn suspend_request(&mut self, _at: Position) {
        self.suspensions += 1;
    }
    fn wants_break(&self) -> bool {
        false
    }
}

/// Memory without anything else on the bus.
struct Ram(Vec<u8>);

impl Default for Ram {
    fn default() -> Self {
        Self(vec![0; 0x1_0000])
    }
}

impl DirectMemory for Ram {
    fn read(&mut self, address: u16) -> u8 {
        self.0[usize::from(address)]
    }
    fn write(&mut self, address: u16, value: u8) {
        self.0[usize::from(address)] = value;
    }
}

/// What a device without a number of its own is given.
fn context_at(at: Position, outside: &mut dyn Nondet) -> Context<'_> {
    Context {
        at,
        clock_hz: 1_000_000,
        char_id: CharId(7),
        net_id: NetId(0),
        owner: Owner(0),
        outside,
        memory: None,
        cpu: None,
    }
}

/// How far ahead a quiet read is looked at.
const QUIET_LOOKED_AT: u64 = 100_000;

/// A processor's registers.
struct Registers(BTreeMap<&'static str, u16>);

impl DirectRegisters for Registers {
    fn get(&self, name: &str) -> u16 {
        self.0[name]
    }

    fn set(&mut self, name: &str, value: u16) {
        *self.0.get_mut(name).expect("a register of that name") = value;
    }
}

/// A device on a bench: every call at a cycle of its own, timers run at the boundary before it as a machine does.
struct Bench {
    device: Box<dyn Device>,
    host: Host,
    ram: Ram,
    cpu: Registers,
    clock_hz: u64,
}

impl Bench {
    fn made(kind: &str, options: &str) -> Self {
        let options = options.parse().expect("the options are TOML");
        let device = super::create(kind, options).expect("the options are right");
        Self {
            device,
            host: Host::default(),
            ram: Ram::default(),
            cpu: Registers(BTreeMap::from([("a", 1), ("x", 2), ("y", 3)])),
            clock_hz: 1_000_000,
        }
    }

    /// Returns the device and a context at an instruction boundary, `cycle`.
    fn with<T>(&mut self, cycle: u64, act: impl FnOnce(&mut dyn Device, &mut Context<'_>) -> T) -> T {
        self.at(cycle, true, act)
    }

    fn at<T>(
        &mut self,
        cycle: u64,
        boundary: bool,
        act: impl FnOnce(&mut dyn Device, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            at: Position::new(0, cycle),
            clock_hz: self.clock_hz,
            char_id: CharId(7),
            net_id: NetId(0),
            owner: Owner(0),
            outside: &mut self.host,
            memory: if boundary { Some(&mut self.ram) } else { None },
            cpu: if boundary { Some(&mut self.cpu) } else { None },
        };
        act(self.device.as_mut(), &mut context)
    }

    fn read(&mut self, cycle: u64, register: u16) -> u8 {
        let peeked = self.device.peek(register, cycle);
        let quiet = self.device.quiet_read(register, cycle);
        let asked = self.host.asked;
        let before = (self.saved(), self.device.outputs(cycle));
        let value = self.at(cycle, false, |device, context| device.read(register, context));
        // What nobody knows before the outside is asked, a look that does not ask cannot show.
        if asked == self.host.asked {
            assert_eq!(peeked, value, "peek of register {register} at cycle {cycle}");
        }
        if let Some(quiet) = quiet {
            assert_eq!(quiet.value, value, "quiet read of register {register} at cycle {cycle}");
            assert!(quiet.until > cycle, "a quiet read of cycle {cycle} holds for it");
            // The last cycle for which it is said to hold, if nothing else happens; and one in between.
            let last = quiet.until.min(cycle + QUIET_LOOKED_AT) - 1;
            for later in [last, cycle + (last - cycle) / 2] {
                let peeked = self.device.peek(register, later);
                assert_eq!(peeked, value, "register {register}, quiet at {cycle}, looked at in {later}");
            }
            assert!(before == (self.saved(), self.device.outputs(cycle)), "a quiet read changes nothing");
        }
        value
    }

    fn write(&mut self, cycle: u64, register: u16, value: u8) {
        self.at(cycle, false, |device, context| device.write(register, value, context));
    }

    fn receive(&mut self, cycle: u64, bytes: &[u8]) {
        self.with(cycle, |device, context| device.receive(bytes, context));
    }

    fn line(&mut self, cycle: u64, line: &str, level: u8) {
        self.with(cycle, |device, context| device.set_line(line, level, context)).expect("the line exists");
    }

    /// Makes the calls and answers the block requests that are open: what is read is 5A everywhere.
    fn complete(&mut self, cycle: u64) {
        while self.host.answered.1 < self.host.calls.0 + self.host.calls.1 {
            self.host.answered.1 += 1;
            self.with(cycle, |device, context| device.deferred_call(context));
        }
        while let Some(request) = self.host.blocks.get(self.host.answered.0) {
            let data = match request {
                BlockRequest::Read { count, .. } => vec![0x5A; *count as usize * 512],
                _ => Vec::new(),
            };
            let moved = if let BlockRequest::Write { data, .. } = request { data.len() } else { data.len() };
            self.block_result(cycle, moved as i32, &data);
        }
    }

    /// Answers the oldest block request that is open.
    fn block_result(&mut self, cycle: u64, result: i32, data: &[u8]) {
        let id = self.host.answered.0 as u64;
        self.host.answered.0 += 1;
        self.with(cycle, |device, context| device.block_completed(id, result, data, context));
    }

    /// Runs what is due on the host's clocks, as they read now.
    fn ring(&mut self, cycle: u64) {
        for clock in [ClockKind::Host, ClockKind::VirtualRt] {
            let now = match clock {
                ClockKind::Host => self.host.host_clock,
                ClockKind::VirtualRt => self.host.virtual_rt_clock,
            };
            if self.device.next_clock_timer(clock).is_some_and(|due| due <= now) {
                self.with(cycle, |device, context| device.run_clock_timer(clock, now, context));
                let next = self.device.next_clock_timer(clock);
                assert!(next.is_none_or(|due| due > now), "due at {next:?}, run at {now}, and still due");
            }
        }
    }

    /// Runs the timers that are due one after the other up to `cycle`, each at its exact cycle.
    fn run_to(&mut self, cycle: u64) {
        while let Some(due) = self.device.next_timer().filter(|&due| due <= cycle) {
            self.with(due, |device, context| device.run_timer(context));
            assert_ne!(self.device.next_timer(), Some(due), "a timer that has been run is still due");
        }
    }

    /// A field of the state at a cycle.
    fn field(&mut self, cycle: u64, name: &str) -> Value {
        self.device.catch_up(cycle);
        let fields = self.device.fields();
        let field = fields.into_iter().find(|(field, _)| *field == name);
        field.unwrap_or_else(|| panic!("no field {name}")).1
    }

    fn saved(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.device.save(&mut bytes);
        bytes
    }

    fn sent(&self) -> Vec<u8> {
        self.host.written.iter().map(|&(_, byte)| byte).collect()
    }
}

/// Restores `bytes` into a device of the same kind.
fn restore(device: &mut dyn Device, bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    device.restore(&mut reader).expect("saved bytes fit");
    reader.finish().expect("saved bytes fit exactly");
}
