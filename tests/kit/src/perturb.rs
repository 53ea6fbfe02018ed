//! The adversary: changes a replaying machine, or the log it is fed from, after the recorder's back.
//!
//! A net that cannot fail is no net. A test plans a change at a position and replays; the replay must say where the
//! machine left its recording, and in what. Each change is made exactly there under both schedulers, and made again by
//! the replays that look for the first difference.

use super::wrong_log::{EventChange, WrongLog};
use rreplay::cpu::mos6502::registers;
use rreplay::engine::{Guest, VmState};
use rreplay::error::Error;
use rreplay::log::AsyncEvent;
use rreplay::machine::Machine;
use rreplay::memory::PageKind;
use rreplay::nondet::CharId;
use rreplay::persist::{Field, PersistError, Reader, Sections};
use rreplay::session::Session;
use rreplay::session::{FaultInjection, SourceChange};
use rreplay::sync::{Mutex, Shared, lock};
use rreplay::units::Position;
use std::collections::BTreeMap;

/// A register of the CPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Register {
    A,
    X,
    Y,
    Sp,
    P,
    Pc,
}

impl Register {
    /// All of them.
    pub const ALL: [Register; 6] =
        [Register::A, Register::X, Register::Y, Register::Sp, Register::P, Register::Pc];

    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Register::A => "a",
            Register::X => "x",
            Register::Y => "y",
            Register::Sp => "sp",
            Register::P => "p",
            Register::Pc => "pc",
        }
    }
}

/// An interrupt line of the CPU.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Line {
    Irq,
    Nmi,
}

/// A change that no log knows of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Perturbation {
    /// Flips bits of a byte of RAM or ROM.
    Memory {
        /// The byte.
        address: u16,
        /// The bits that are flipped.
        bits: u8,
    },
    /// Flips bits of a register. Bits 4 and 5 of P do not exist.
    Register {
        /// The register.
        register: Register,
        /// The bits that are flipped; the upper eight only in PC.
        bits: u16,
    },
    /// Changes one field of a device's saved state, and nothing else of it.
    DeviceField {
        /// The board's name for the device.
        device: String,
        /// The field's name.
        field: String,
        /// Which of the bits that are the field's alone is flipped, modulo their number.
        bit: usize,
    },
    /// Makes the CPU see a line as held (for NMI, an edge) since now; as released, where it was held.
    Line(Line),
    /// A character device takes a byte from the host that nobody sent.
    Input {
        /// Place in the order of character devices.
        device: u16,
        /// What it receives.
        byte: u8,
    },
}

/// Changes of a machine that no log knows of.
pub trait Perturb {
    /// Changes the machine here, unrecorded. For tests of what catches that.
    ///
    /// # Errors
    /// The same as [`perturb_at`](Perturb::perturb_at), and the change's own: nothing is mapped at the address, the device
    /// has no such field.
    fn perturb(&self, perturbation: Perturbation) -> Result<(), Error>;

    /// Changes the machine here, and tells nobody: a second replay will not do it again, as it would not repeat a defect of
    /// the computer's memory.
    ///
    /// # Errors
    /// The change's own.
    fn perturb_once(&self, perturbation: &Perturbation) -> Result<(), Error>;

    /// Plans a change: at the first instruction boundary at or after `at`, when what is due there has been done.
    ///
    /// # Errors
    /// A position that the machine has passed.
    fn perturb_at(&self, at: Position, perturbation: Perturbation) -> Result<(), Error>;

    /// Changes one event of the log before the replay comes to it. There is one such change in a replay.
    ///
    /// # Errors
    /// An event that the replay has taken already.
    fn perturb_event(&self, ordinal: u64, change: EventChange) -> Result<(), Error>;
}

impl Perturb for Session {
    fn perturb(&self, perturbation: Perturbation) -> Result<(), Error> {
        self.perturb_at(self.position(), perturbation)?;
        let mut vm = self.lock_vm();
        self.fault_injections().make_due(&mut vm)
    }

    fn perturb_once(&self, perturbation: &Perturbation) -> Result<(), Error> {
        apply(perturbation, &Mutex::new(None), &mut self.lock_vm())
    }

    fn perturb_at(&self, at: Position, perturbation: Perturbation) -> Result<(), Error> {
        let here = self.position();
        if at < here {
            return Err(Error::Argument(format!("the machine stands at {here}, after {at}")));
        }
        let is_rom = |address: u16| self.lock_vm().guest.memory().kind((address >> 8) as u8) == PageKind::Rom;
        let is_lasting = matches!(perturbation, Perturbation::Memory { address, .. } if is_rom(address));
        let flip = Mutex::new(None);
        let change = Shared::new(move |vm: &mut VmState<Machine>| apply(&perturbation, &flip, vm));
        self.fault_injections().plan(FaultInjection { at, is_lasting, change });
        Ok(())
    }

    fn perturb_event(&self, ordinal: u64, change: EventChange) -> Result<(), Error> {
        let mut vm = self.lock_vm();
        let taken = vm.replay.events_passed();
        if ordinal < taken {
            return Err(Error::Argument(format!("event {ordinal} was taken: the next one is {taken}")));
        }
        let wrong: SourceChange =
            Shared::new(move |source, next| Box::new(WrongLog::new(source, next, ordinal, change.clone())));
        vm.replay.change_source(&*wrong);
        self.fault_injections().source = Some(wrong);
        Ok(())
    }
}

/// `flip` keeps the bit that a field's change has come to: it is the same in every replay, and takes long to find.
fn apply(
    perturbation: &Perturbation,
    flip: &Mutex<Option<usize>>,
    vm: &mut VmState<Machine>,
) -> Result<(), Error> {
    match perturbation {
        Perturbation::Memory { address, bits } => {
            let flipped = vm.guest.memory().bytes()[usize::from(*address)] ^ bits;
            vm.guest.poke(*address, &[flipped])?;
        }
        Perturbation::Register { register, bits } => flip_register(vm, *register, *bits),
        Perturbation::DeviceField { device, field, bit } => {
            let section = format!("device/{device}");
            let mut found = lock(flip);
            let flip = match *found {
                Some(flip) => flip,
                None => *found.insert(flip_of(&vm.guest, &section, field, *bit)?),
            };
            flip_bit(&mut vm.guest, &section, flip)?;
        }
        Perturbation::Line(line) => toggle(&mut vm.guest, *line)?,
        Perturbation::Input { device, byte } => {
            let (guest, mut outside) = vm.split();
            let event = AsyncEvent::CharRead { device: CharId(*device), bytes: vec![*byte] };
            guest.deliver(&event.into(), &mut outside);
        }
    }
    Ok(())
}

fn flip_register(vm: &mut VmState<Machine>, register: Register, bits: u16) {
    let cpu = vm.guest.cpu_mut();
    let register = match register {
        Register::A => registers::A,
        Register::X => registers::X,
        Register::Y => registers::Y,
        Register::Sp => registers::SP,
        Register::P => registers::P,
        Register::Pc => registers::PC,
    };
    cpu.set_register(register, cpu.register(register) ^ bits);
}

// ---- saved state ----

fn section<'a>(sections: &'a mut Sections, name: &str) -> Result<&'a mut Vec<u8>, Error> {
    let found = sections.iter_mut().find(|(section, _)| section == name).map(|(_, bytes)| bytes);
    found.ok_or_else(|| Error::Argument(format!("the machine has no part {name:?}")))
}

/// The bits of a section that change one field and no other, each with that field, by trying them all.
fn flips(machine: &Machine, name: &str) -> Result<Vec<(usize, &'static str)>, Error> {
    let mut machine = machine.clone();
    let mut sections = machine.save();
    let bits = section(&mut sections, name)?.len() * 8;
    let fields = |machine: &mut Machine| {
        machine.section_fields().into_iter().find(|(part, _)| part == name).map_or(Vec::new(), |part| part.1)
    };
    let before = fields(&mut machine);
    let mut changed = machine.clone();
    let mut flips = Vec::new();
    for bit in 0..bits {
        let mut flipped = sections.clone();
        section(&mut flipped, name)?[bit / 8] ^= 1 << (bit % 8);
        if changed.restore_sections(&flipped).is_err() {
            continue;
        }
        let after = fields(&mut changed);
        let mut differing = before.iter().zip(&after).filter(|(one, other)| one != other);
        if let (Some(((field, _), _)), None) = (differing.next(), differing.next()) {
            flips.push((bit, *field));
        }
    }
    Ok(flips)
}

/// The bit of a section to flip, so that this field changes and no other.
fn flip_of(machine: &Machine, name: &str, field: &str, bit: usize) -> Result<usize, Error> {
    let mut flips = flips(machine, name)?;
    flips.retain(|(_, changed)| *changed == field);
    match flips.get(bit % flips.len().max(1)) {
        Some((flip, _)) => Ok(*flip),
        None => {
            Err(Error::Argument(format!("no bit of {name} changes the field {field:?} and nothing else")))
        }
    }
}

fn flip_bit(machine: &mut Machine, name: &str, bit: usize) -> Result<(), Error> {
    let mut sections = machine.save();
    section(&mut sections, name)?[bit / 8] ^= 1 << (bit % 8);
    Ok(machine.restore_sections(&sections)?)
}

/// The fields of a device that can be changed on their own, where the machine stands, and in how many ways.
///
/// # Errors
/// When the board has no such device.
pub fn changeable_fields(session: &Session, device: &str) -> Result<BTreeMap<&'static str, usize>, Error> {
    let mut fields = BTreeMap::new();
    for (_, field) in flips(&session.lock_vm().guest, &format!("device/{device}"))? {
        *fields.entry(field).or_default() += 1;
    }
    Ok(fields)
}

fn toggle(machine: &mut Machine, line: Line) -> Result<(), Error> {
    let now = machine.position().cycles;
    let mut sections = machine.save();
    let lines = section(&mut sections, "lines")?;
    let wrong = |problem: PersistError| Error::Engine(format!("the section lines: {problem}"));
    let reader = &mut Reader::new(lines);
    let mut irq_since = <Option<u64> as Field>::take(reader, "irq_since").map_err(wrong)?;
    let nmi_held = <bool as Field>::take(reader, "nmi_held").map_err(wrong)?;
    let mut nmi_edge = <Option<u64> as Field>::take(reader, "nmi_edge").map_err(wrong)?;
    let rest = reader.take(reader.remaining(), "suspended").map_err(wrong)?.to_vec();
    let since = match line {
        Line::Irq => &mut irq_since,
        Line::Nmi => &mut nmi_edge,
    };
    *since = if since.is_some() { None } else { Some(now) };
    lines.clear();
    irq_since.put(lines);
    nmi_held.put(lines);
    nmi_edge.put(lines);
    lines.extend(rest);
    Ok(machine.restore_sections(&sections)?)
}
