//! A recording gone through once, an instruction at a time, as a list of what each did to memory and registers.

use rreplay::cpu::mos6502::Variant;
use rreplay::cpu::mos6502::opcodes::{Mode, opcode};
use rreplay::cpu::{Cpu, Registers};
use rreplay::error::Error;
use rreplay::machine::{BusCycle, HookKind};
use rreplay::memory::PageKind;
use rreplay::recording::Recording;
use rreplay::session::{HookEvent, RunRequest, Session};
use rreplay::sync::{Mutex, Shared, lock};
use rreplay::units::Position;

/// Accesses on the way into a handler: three pushes, and the vector.
const ENTRY: usize = 5;
/// The low bytes of the vectors of NMI and IRQ, and that of a reset.
const VECTORS: [u16; 2] = [0xFFFA, 0xFFFE];
const RESET_VECTOR: u16 = 0xFFFC;

/// An access to data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Touch {
    pub is_write: bool,
    pub at: Position,
    pub address: u16,
    pub value: u8,
}

/// An instruction that was executed.
#[derive(Clone, Debug)]
pub(super) struct TraceEntry {
    pub at: Position,
    pub pc: u16,
    /// Its name; that of RMB and SMB without the number of the bit.
    pub name: String,
    pub mode: Mode,
    /// The byte after the opcode.
    pub second: u8,
    pub before: Registers,
    pub touches: Vec<Touch>,
}

/// What has happened, in order.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    Executed(TraceEntry),
    /// A byte that the processor pushed on its way into a handler.
    Pushed(Touch),
    /// The stack pointer has moved on the way into a handler, or by a reset; at its first access.
    Entered(Position),
    /// A byte that a device wrote.
    ByDevice(Touch),
}

/// Where a byte lies that the processor reads or writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ground {
    Ram,
    Rom,
    Nothing,
}

/// The whole of a recorded run.
pub(super) struct ExecTrace {
    pub registers: Registers,
    pub memory: Vec<u8>,
    pub grounds: Vec<Ground>,
    /// Whether a device answers a read of the address, and whether one takes what is written there.
    pub devices: Vec<(bool, bool)>,
    pub facts: Vec<Fact>,
}

/// What the hooks have seen, with the registers before each instruction.
enum Seen {
    Begun(HookEvent, Registers),
    Touched(Touch),
}

impl ExecTrace {
    /// Replays a recording from its start to its end.
    pub fn take(recording: &Recording) -> Result<ExecTrace, String> {
        let session = recording.replay().map_err(|error| error.to_string())?;
        let registers = session.registers();
        let (variant, memory, grounds, devices) = memory_map(&session);
        session.lock_vm().guest.start_trace();
        let seen = run(&session)?;
        let trace = session.lock_vm().guest.take_trace();
        let mut facts = Vec::new();
        let mut outside: Vec<Touch> = Vec::new();
        for seen in seen {
            match seen {
                Seen::Begun(event, before) => {
                    explain(&mut outside, &mut facts);
                    let executed = executed(&event, before, variant, &trace)?;
                    facts.push(Fact::Executed(executed));
                }
                Seen::Touched(touch) => match facts.last_mut() {
                    Some(Fact::Executed(executed)) if outside.is_empty() && executed.makes(&touch) => {
                        executed.touches.push(touch);
                    }
                    _ => outside.push(touch),
                },
            }
        }
        explain(&mut outside, &mut facts);
        Ok(ExecTrace { registers, memory, grounds, devices, facts })
    }
}

impl TraceEntry {
    fn makes(&self, touch: &Touch) -> bool {
        let is_its_own = touch.at.icount == self.at.icount && touch.at.cycles > self.at.cycles;
        // A jammed processor does nothing but its reset.
        is_its_own && self.name != "JAM"
    }
}

type MemoryMap = (Variant, Vec<u8>, Vec<Ground>, Vec<(bool, bool)>);

/// The chip whose instructions the oracle knows.
fn variant_of(cpu: &Cpu) -> Variant {
    match cpu {
        Cpu::Mos6502(cpu) => cpu.variant(),
        other => panic!("the oracle knows the instructions of a 6502, and not of a {}", other.kind().name()),
    }
}

fn memory_map(session: &Session) -> MemoryMap {
    let vm = session.lock_vm();
    let guest = &vm.guest;
    let ground = |address: u16| match guest.memory().kind((address >> 8) as u8) {
        PageKind::Ram => Ground::Ram,
        PageKind::Rom => Ground::Rom,
        PageKind::Unmapped => Ground::Nothing,
    };
    let mut devices = vec![(false, false); 0x10000];
    for slot in guest.devices() {
        for address in slot.first..=slot.last() {
            let claims = |write| slot.device.claims(address - slot.first, write);
            devices[usize::from(address)] = (claims(false), claims(true));
        }
    }
    let grounds = (0..=u16::MAX).map(ground).collect();
    (variant_of(guest.cpu()), guest.memory().bytes().to_vec(), grounds, devices)
}

/// Runs to the end, with a stop before each instruction.
fn run(session: &Session) -> Result<Vec<Seen>, String> {
    let seen = Shared::new(Mutex::new(Vec::<Seen>::new()));
    let begun = Shared::new(Mutex::new(None));
    for kind in [HookKind::Read, HookKind::Write] {
        let seen = seen.clone();
        let note = move |event: HookEvent| {
            let value = event.value.unwrap_or_default();
            let is_write = kind == HookKind::Write;
            lock(&seen).push(Seen::Touched(Touch {
                is_write,
                at: event.position,
                address: event.address,
                value,
            }));
            true
        };
        session.add_hook(kind, 0, u16::MAX, Box::new(note));
    }
    let told = begun.clone();
    let stop = move |event| {
        *lock(&told) = Some(event);
        false
    };
    session.add_hook(HookKind::Execute, 0, u16::MAX, Box::new(stop));
    loop {
        let stop = match session.run(RunRequest::default(), &mut || false) {
            // The program's own mistake: the log goes on after it.
            Err(Error::Fault(_)) => continue,
            Err(error) => return Err(error.to_string()),
            Ok(stop) => stop,
        };
        if let Some(event) = lock(&begun).take() {
            lock(&seen).push(Seen::Begun(event, session.registers()));
        } else if stop.reason == "end" {
            return Ok(std::mem::take(&mut *lock(&seen)));
        }
    }
}

fn executed(
    event: &HookEvent,
    before: Registers,
    variant: Variant,
    trace: &[BusCycle],
) -> Result<TraceEntry, String> {
    let (at, pc) = (event.position, event.address);
    let first = trace.partition_point(|cycle| cycle.cycle < at.cycles);
    let byte = |number: usize, address: u16| {
        let cycle = trace.get(first + number)?;
        (cycle.address == address && !cycle.write).then_some(cycle.value)
    };
    let code = byte(0, pc).ok_or_else(|| format!("no opcode was fetched at {at} from {pc:04X}"))?;
    let described = opcode(variant, code);
    let (mut name, mode) = (described.operation.mnemonic.to_owned(), described.mode);
    if name.starts_with("RMB") || name.starts_with("SMB") {
        name.truncate(3);
    }
    let second = byte(1, pc.wrapping_add(1)).unwrap_or_default();
    Ok(TraceEntry { at, pc, name, mode, second, before, touches: Vec::new() })
}

/// Attributes the accesses that no instruction has made: to an interrupt sequence, a reset or a device.
fn explain(outside: &mut Vec<Touch>, facts: &mut Vec<Fact>) {
    let mut touches = std::mem::take(outside).into_iter().peekable();
    let mut waiting: Vec<Touch> = Vec::new();
    for touch in touches.by_ref() {
        waiting.push(touch);
        let pushed = waiting.len().checked_sub(ENTRY).filter(|first| is_entry(&waiting[*first..]));
        if let Some(first) = pushed {
            let entry = waiting.split_off(first);
            devices_wrote(&mut waiting, facts);
            facts.push(Fact::Entered(entry[0].at));
            facts.extend(entry[..3].iter().map(|touch| Fact::Pushed(*touch)));
        } else if let [.., low, high] = waiting[..]
            && low.address == RESET_VECTOR
            && (high.address, high.at.cycles) == (RESET_VECTOR + 1, low.at.cycles + 1)
        {
            devices_wrote(&mut waiting, facts);
            facts.push(Fact::Entered(low.at));
        }
    }
    devices_wrote(&mut waiting, facts);
}

fn devices_wrote(waiting: &mut Vec<Touch>, facts: &mut Vec<Fact>) {
    facts.extend(waiting.drain(..).filter(|touch| touch.is_write).map(Fact::ByDevice));
}

fn is_entry(touches: &[Touch]) -> bool {
    let in_a_row = touches.windows(2).all(|two| two[0].at.cycles + 1 == two[1].at.cycles);
    let writes = touches.iter().map(|touch| touch.is_write).eq([true, true, true, false, false]);
    let on_stack = touches[..3].iter().all(|touch| touch.address >> 8 == 1);
    in_a_row && writes && on_stack && VECTORS.contains(&touches[3].address)
}
