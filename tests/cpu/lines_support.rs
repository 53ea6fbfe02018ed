//! Machines whose interrupt lines are low in chosen cycles.
#![allow(dead_code, reason = "each test file uses its part")]

use rreplay::log::{LogWriter, Options};
use rreplay::machine::BusCycle;
use rreplay::machine::board::Board;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay_kit::{CpuChoice, SmallDisk, check_replays_in_all_manners};

/// A bus cycle: address, value, and whether it is a write.
pub type Bus = (u16, u8, bool);

/// A program with pulses on its lines.
#[derive(Clone)]
pub struct Pulsed {
    pub cpu: CpuChoice,
    /// PC, A, X, Y, S, P.
    pub registers: [u32; 6],
    /// All other bytes are 0.
    pub ram: Vec<(u16, u8)>,
    /// First and last cycle at whose end the line is low, in order.
    pub irq: Vec<(u64, u64)>,
    pub nmi: Vec<(u64, u64)>,
}

/// Without the memory, which nobody would read; the seed or the program is in the test.
impl std::fmt::Debug for Pulsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:02X?}, IRQ {:?}, NMI {:?}", self.cpu, self.registers, self.irq, self.nmi)
    }
}

/// Where programs lie.
pub const START: u16 = 0x0400;

impl Pulsed {
    /// A program with I clear, the IRQ handler at $0500 and the NMI handler at $0600, both full of NOPs.
    pub fn program(cpu: CpuChoice, bytes: &[u8]) -> Self {
        let nops = (0x0300..0x0700).map(|address| (address, 0xEA));
        let vectors = [(0xFFFA, 0x00), (0xFFFB, 0x06), (0xFFFE, 0x00), (0xFFFF, 0x05)];
        let ram = nops.chain(vectors).chain((START..).zip(bytes.iter().copied())).collect();
        let registers = [START.into(), 0, 0, 0, 0xFF, 0];
        Self { cpu, registers, ram, irq: Vec::new(), nmi: Vec::new() }
    }

    pub fn irq(mut self, pulses: &[(u64, u64)]) -> Self {
        self.irq = pulses.to_vec();
        self
    }

    pub fn nmi(mut self, pulses: &[(u64, u64)]) -> Self {
        self.nmi = pulses.to_vec();
        self
    }

    fn board(&self) -> Board {
        let low = |pulses: &[(u64, u64)]| {
            let ranges: Vec<String> =
                pulses.iter().map(|(first, last)| format!("[{first}, {last}]")).collect();
            ranges.join(", ")
        };
        let kind = if self.cpu == CpuChoice::Mos6502 { "6502" } else { "w65c02" };
        let text = format!(
            r#"
            name = "pulsed"
            description = "RAM, and lines that fall by themselves"
            unmapped = "open_bus"

            [cpu]
            kind = "{kind}"
            clock_hz = 1_000_000

            [[region]]
            name = "ram"
            kind = "ram"
            start = 0x0000
            end = 0xFFFF

            [[device]]
            name = "on_irq"
            kind = "pulses"
            at = 0xD000
            irq = "irq"
            low = [{}]

            [[device]]
            name = "on_nmi"
            kind = "pulses"
            at = 0xD001
            irq = "nmi"
            low = [{}]
            "#,
            low(&self.irq),
            low(&self.nmi)
        );
        Board::from_toml(&text).expect("the board holds")
    }

    /// The machine before its first cycle.
    pub fn session(&self) -> Session {
        let session = Session::new(self.board(), Vec::new()).expect("the machine is built");
        for &(address, value) in &self.ram {
            session.write_memory(address, &[value]).expect("RAM");
        }
        for (name, value) in ["pc", "a", "x", "y", "sp", "p"].into_iter().zip(self.registers) {
            session.set_register(name, value).expect("a register");
        }
        session
    }

    fn trace(&self, cycles: usize) -> Vec<BusCycle> {
        let mut traced = self
            .session()
            .trace_bus(RunRequest { instructions: Some(cycles as u64), ..RunRequest::default() }, &mut || {
                false
            })
            .expect("it runs");
        traced.truncate(cycles);
        traced
    }

    /// The first cycles on the bus.
    pub fn traced(&self, cycles: usize) -> Vec<Bus> {
        self.trace(cycles).iter().map(|cycle| (cycle.address, cycle.value, cycle.write)).collect()
    }

    /// The cycles, among the first on the bus, in which vectors are fetched, and which.
    pub fn vectors(&self, cycles: usize) -> Vec<(u64, &'static str)> {
        let name = |address| match address {
            0xFFFA => Some("nmi"),
            0xFFFE => Some("irq"),
            _ => None,
        };
        let cycles = self.trace(cycles);
        cycles.iter().filter_map(|cycle| Some((cycle.cycle, name(cycle.address)?))).collect()
    }

    /// However the run is cut it comes to the same state, and so does a replay of its recording, from everywhere.
    pub fn check_slices_and_replays(&self, cycles: u64) {
        let run = |session: &Session, request: RunRequest| {
            session.run(request, &mut || false).expect("it runs");
        };
        let until = |cycles| RunRequest { cycles: Some(cycles), ..RunRequest::default() };
        let whole = self.session();
        run(&whole, until(cycles));
        for slice in [1, 3, 7] {
            let pieces = self.session();
            while pieces.position() < whole.position() {
                let instructions = Some(slice);
                let left = Some(cycles - pieces.position().cycles);
                run(&pieces, RunRequest { instructions, cycles: left, ..RunRequest::default() });
            }
            assert_eq!(pieces.position(), whole.position(), "slices of {slice}: {self:?}");
            assert_eq!(pieces.digests(), whole.digests(), "slices of {slice}: {self:?}");
        }
        let (recorded, disk) = (self.session(), SmallDisk::default());
        let options =
            RecordOptions { digest_every: Some(3), snapshot_every: Some(20), ..RecordOptions::default() };
        let sink = Box::new(disk.clone());
        recorded
            .record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
            .expect("it is recorded");
        run(&recorded, until(cycles));
        recorded.finish().expect("there is room");
        assert_eq!(recorded.digests(), whole.digests());
        let recording = Recording::from_bytes(disk.contents(), false).expect("it is whole");
        check_replays_in_all_manners(&recording, &recorded, 5)
            .unwrap_or_else(|what| panic!("{what}: {self:?}"));
    }
}
