//! Programs for the probe on the workshop board, by hand, and recordings of them.
#![allow(dead_code, reason = "each test file uses its part")]

use rreplay::devices::probe;
use rreplay::events::AsyncEvent;
use rreplay::log::{Event, LogWriter, Options, StampedEvent};
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::persist::Value;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session, Stop};
use rreplay_kit::{
    BoardChoice, CpuChoice, HostConfig, SmallDisk, TestHost, TestHosts, check_replays_in_all_manners,
};

/// The first register of the probe.
pub const PROBE: u16 = 0xC020;
/// Where the program lies.
pub const START: u16 = 0xE000;
/// The IRQ handler counts here, and keeps what the status was.
pub const IRQ_COUNT: u16 = 0x21;
pub const IRQ_STATUS: u16 = 0x20;

/// A program that grows.
#[derive(Clone, Default)]
pub struct Code(pub Vec<u8>);

impl Code {
    /// LDX #$FF, TXS.
    pub fn new() -> Self {
        Self(vec![0xA2, 0xFF, 0x9A])
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn here(&self) -> u16 {
        START + self.0.len() as u16
    }

    fn absolute(self, opcode: u8, address: u16) -> Self {
        let [low, high] = address.to_le_bytes();
        self.bytes(&[opcode, low, high])
    }

    /// LDA #, STA.
    pub fn store(self, value: u8, address: u16) -> Self {
        self.bytes(&[0xA9, value]).absolute(0x8D, address)
    }

    /// Sets a register of the probe.
    pub fn set(self, register: u16, value: u8) -> Self {
        self.store(value, PROBE + register)
    }

    pub fn argument(self, argument: u16) -> Self {
        let [low, high] = argument.to_le_bytes();
        self.set(probe::ARGUMENT_LOW, low).set(probe::ARGUMENT_HIGH, high)
    }

    /// Runs a command of the probe.
    pub fn command(self, command: u8, argument: u16) -> Self {
        self.argument(argument).set(probe::COMMAND, command)
    }

    /// What the next event of the probe runs.
    pub fn action(self, command: u8, argument: u16) -> Self {
        self.argument(argument).set(probe::ACTION, command)
    }

    /// Bytes for the probe to send.
    pub fn pending(self, bytes: &[u8]) -> Self {
        bytes.iter().fold(self, |code, byte| code.set(probe::DATA, *byte))
    }

    /// LDA register, STA zero page.
    pub fn keep(self, register: u16, at: u8) -> Self {
        self.absolute(0xAD, PROBE + register).bytes(&[0x85, at])
    }

    /// Polls until one of these things has happened to the probe, and clears them.
    pub fn wait_for(self, bits: u8) -> Self {
        let code = self.absolute(0xAD, PROBE + probe::STATUS); // LDA status
        code.bytes(&[0x29, bits, 0xF0, 0xF9]).set(probe::STATUS, bits) // AND #bits, BEQ back
    }

    pub fn cli(self) -> Self {
        self.bytes(&[0x58])
    }

    pub fn wai(self) -> Self {
        self.bytes(&[0xCB])
    }

    pub fn inc(self, at: u8) -> Self {
        self.bytes(&[0xE6, at])
    }

    pub fn jump(self, to: u16) -> Self {
        self.absolute(0x4C, to)
    }

    /// JMP to itself.
    pub fn stay(self) -> Self {
        let here = self.here();
        self.jump(here)
    }
}

fn board(cpu: CpuChoice) -> Board {
    BoardChoice::Workshop { strict: false }.board(cpu).unwrap()
}

/// A machine with that program, its handlers and the vectors.
pub fn machine_on(cpu: CpuChoice, program: &Code) -> Session {
    let mut rom = vec![0xEA; 0x2000];
    rom[..program.0.len()].copy_from_slice(&program.0);
    let status = (PROBE + probe::STATUS).to_le_bytes();
    let (low, high) = (status[0], status[1]);
    // PHA, LDA status, STA status, STA $20, INC $21, PLA, RTI
    let irq = [0x48, 0xAD, low, high, 0x8D, low, high, 0x85, 0x20, 0xE6, 0x21, 0x68, 0x40];
    let nmi = [0x48, 0xAD, 0x14, 0xC0, 0xE6, 0x22, 0x68, 0x40]; // PHA, LDA the VIA's T1C-L, INC $22, PLA, RTI
    rom[0x1A00..0x1A00 + irq.len()].copy_from_slice(&irq);
    rom[0x1B00..0x1B00 + nmi.len()].copy_from_slice(&nmi);
    rom[0x1FFA..].copy_from_slice(&[0x00, 0xFB, 0x00, 0xE0, 0x00, 0xFA]);
    let target = Target::Address(START);
    let image = ImageInput { target, name: "program".into(), bytes: rom, format: Format::Bin };
    Session::new(board(cpu), vec![image]).unwrap()
}

/// A machine that is recorded, with its host.
pub struct Bench {
    pub session: Session,
    pub host: TestHost,
    disk: SmallDisk,
}

/// A recording and the machine as it was at its end.
pub struct Made {
    pub recording: Recording,
    pub session: Session,
}

impl Bench {
    /// A machine that is not recorded.
    pub fn unrecorded(program: &Code, host_config: HostConfig) -> Self {
        Self::of(machine_on(CpuChoice::W65c02, program), host_config)
    }

    pub fn of(session: Session, host_config: HostConfig) -> Self {
        let host = TestHost::new(7, host_config);
        session.attach_host(&host);
        Self { session, host, disk: SmallDisk::default() }
    }

    /// A machine whose recording has begun, with a digest every 50 instructions.
    pub fn recorded(program: &Code, host_config: HostConfig) -> Self {
        let bench = Self::unrecorded(program, host_config);
        bench.record(None);
        bench
    }

    pub fn record(&self, snapshot_every: Option<u64>) {
        let options = RecordOptions { digest_every: Some(50), snapshot_every, ..RecordOptions::default() };
        let sink = Box::new(self.disk.clone());
        self.session
            .record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
            .unwrap();
    }

    pub fn run(&self, request: RunRequest) -> Stop {
        self.session.run(request, &mut || false).unwrap()
    }

    pub fn instructions(&self, count: u64) -> &'static str {
        self.run(RunRequest { instructions: Some(count), cycles: Some(count * 20), ..RunRequest::default() })
            .reason
    }

    pub fn cycles(&self, count: u64) -> &'static str {
        self.run(RunRequest { cycles: Some(count), ..RunRequest::default() }).reason
    }

    pub fn arrive(&self, events: Vec<AsyncEvent>) {
        events.into_iter().for_each(|event| self.session.arrive(event).unwrap());
    }

    pub fn byte(&self, address: u16) -> u8 {
        self.session.memory(address, 1)[0]
    }

    pub fn field(&self, name: &str) -> Value {
        field(&self.session, name)
    }

    pub fn finish(self) -> Made {
        self.session.finish().unwrap();
        let recording = Recording::from_bytes(self.disk.contents(), false).unwrap();
        Made { recording, session: self.session }
    }
}

/// A field of the probe.
pub fn field(session: &Session, name: &str) -> Value {
    let fields = session.device_state("probe").unwrap();
    fields.into_iter().find(|(field, _)| *field == name).unwrap().1
}

impl Made {
    pub fn events(&self) -> Vec<StampedEvent> {
        self.recording.events(None, None, None).unwrap().map(|event| event.unwrap()).collect()
    }

    /// How many events there are of which this holds.
    pub fn count(&self, holds: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| holds(&event.event)).count()
    }

    /// Replays it under both schedulers, in slices, and from each of its snapshots.
    pub fn check(self) -> Self {
        check_replays_in_all_manners(&self.recording, &self.session, 7).unwrap_or_else(|what| {
            let events: Vec<String> = self.events().iter().map(ToString::to_string).collect();
            panic!("{what}\n{}", events.join("\n"))
        });
        self
    }
}
