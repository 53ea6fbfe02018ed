//! When an interrupt is accepted, the interrupt sequence, WAI, and reset.
//!
//! The chip polls its lines at the end of the last cycle but one of every instruction, and acts after the instruction:
//!
//! - The I flag that counts is the one at the poll. CLI, SEI and PLP change I after their poll, so it has seen the old
//!   one ([`LastPoll::Masked`], [`LastPoll::Unmasked`]); RTI restores I before its poll.
//! - A taken branch polls before its second cycle, as one that is not taken does. In its additional cycle it does not poll,
//!   so that the poll of one that stays in its page is a cycle earlier ([`LastPoll::Branch`]). One that crosses a page polls
//!   again before its fourth, and what either has seen counts ([`LastPoll::First`]). That is NMOS; the W65C02S polls once,
//!   at the usual place.
//! - BRK and the interrupt sequences do not poll at all ([`LastPoll::Never`]): the first instruction of a handler is
//!   always executed.
//! - The one-cycle NOPs of the W65C02S have no last cycle but one; what counts is the cycle before them.
//! - NMI takes precedence over IRQ.
//!
//! While an IRQ or BRK sequence runs, an NMI edge seen by the end of its fourth cycle takes the vector over
//! (*hijacking*): the handler is NMI's, the pushed P says what was interrupted. The W65C02S executes BRK undisturbed
//! (data sheet, "Caveats"), so that only IRQ sequences are taken over. A later edge waits for the handler's first
//! instruction.
//!
//! The NMOS chip has one latch for an edge, and keeps it as it is while it fetches a vector. In a sequence that is NMI's the
//! latch is set, and is cleared at its end: edges in its first six cycles are swallowed. In another one it is clear and
//! cannot be set in the fifth and sixth cycle: a line that falls there is seen in the seventh if it is low for so long, and a
//! shorter pulse is lost. In a reset both are so: what has set it before the fifth cycle is forgotten. (All three from a
//! transistor-level simulation of the chip.) Nothing of the kind is known of the W65C02S: an edge after the one that it takes
//! is another one.
//!
//! WAI polls in every cycle from its second on; execution goes on two cycles after the line became active (data sheet:
//! "wait at cycle 2 for 2 cycles after NMIB or IRQB active input"), with the interrupt sequence, or with the next
//! instruction when the line is IRQ and I is set. A line that is active already lets WAI take just its three cycles.

use crate::bus::{Bus, Interrupt};
use crate::units::Position;

use super::core::Core;
use super::execute::execute;
use super::{LastPoll, Mos6502, Status, vectors};
use crate::cpu::processor::{Exit, Halt, Processor};

/// What a look at the interrupt lines came to.
enum Look {
    /// No interrupt is accepted here.
    Nothing,
    /// This one is.
    Accept(Interrupt),
    /// The log that is played has no interrupt here.
    Refused,
}

/// [`Processor::run`] for one chip.
pub(super) fn run<B: Bus, const CMOS: bool>(cpu: &mut Mos6502, bus: &mut B) -> Exit {
    // Whoever has found the CPU waiting may want to end the run before the instruction after the wait.
    let began_waiting = cpu.halt == Halt::Waiting;
    loop {
        match cpu.halt {
            Halt::Running => {
                if cpu.cycles >= bus.deadline() {
                    return Exit::Deadline;
                }
                match look(cpu, bus) {
                    Look::Refused => return Exit::Deadline,
                    Look::Accept(interrupt) => {
                        sequence::<B, CMOS>(cpu, bus, interrupt);
                        continue;
                    }
                    Look::Nothing => {}
                }
            }
            Halt::Waiting => {
                let Some(waking) = waking(cpu, bus) else { return Exit::Waiting };
                if cpu.cycles >= bus.deadline() {
                    return Exit::Deadline;
                }
                if !wake::<B, CMOS>(cpu, bus, waking) || began_waiting && waking.interrupt == Interrupt::Wake
                {
                    return Exit::Deadline;
                }
                continue;
            }
            Halt::Stopped => return Exit::Stopped,
            Halt::Jammed => return Exit::Jammed,
        }
        let exit = execute::<B, CMOS, true>(cpu, bus);
        // A line that is held already ends the wait at once, so that nobody lets time pass for nothing.
        if exit != Exit::Waiting {
            return exit;
        }
    }
}

/// Decides whether an interrupt is accepted at this instruction boundary.
///
/// A line that is active but was not so at the poll gets one more instruction: the deadline is lowered, so that the
/// lines are looked at again after it.
fn look<B: Bus>(cpu: &Mos6502, bus: &mut B) -> Look {
    if !bus.lines_active(cpu.cycles) && cpu.last_poll != LastPoll::First {
        return Look::Nothing;
    }
    match polled(cpu, bus) {
        Some(interrupt) if bus.accept(interrupt, cpu.position()) => Look::Accept(interrupt),
        Some(_) => Look::Refused,
        None => {
            if cpu.p & Status::I == 0 || bus.nmi_at(cpu.cycles) {
                bus.lower_deadline();
            }
            Look::Nothing
        }
    }
}

/// What the last instruction's poll has seen and lets in.
fn polled<B: Bus>(cpu: &Mos6502, bus: &mut B) -> Option<Interrupt> {
    let polled = match cpu.last_poll {
        LastPoll::Never => None,
        LastPoll::Branch => cpu.cycles.checked_sub(3),
        _ => cpu.cycles.checked_sub(2),
    };
    let masked = match cpu.last_poll {
        LastPoll::Masked => true,
        LastPoll::Unmasked => false,
        _ => cpu.p & Status::I != 0,
    };
    let cycle = polled?;
    if bus.nmi_at(cycle) {
        Some(Interrupt::Nmi)
    } else if !masked && (cpu.last_poll == LastPoll::First || bus.irq_at(cycle)) {
        Some(Interrupt::Irq)
    } else {
        None
    }
}

/// Whether an interrupt sequence, and no instruction, is what the CPU does next.
pub(super) fn is_interrupted<B: Bus>(cpu: &Mos6502, bus: &mut B) -> bool {
    match cpu.halt {
        Halt::Running => polled(cpu, bus).is_some(),
        Halt::Waiting => waking(cpu, bus).is_some_and(|waking| waking.interrupt != Interrupt::Wake),
        Halt::Stopped | Halt::Jammed => false,
    }
}

/// How a wait ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Waking {
    /// The cycle at which execution goes on.
    resumed: u64,
    /// With what.
    interrupt: Interrupt,
}

/// How the wait ends, if a line is active or has been so in one of the two cycles that end here.
fn waking<B: Bus>(cpu: &Mos6502, bus: &mut B) -> Option<Waking> {
    if !bus.lines_active(cpu.cycles) {
        return None;
    }
    let active =
        |bus: &mut B, ago| cpu.cycles.checked_sub(ago).is_some_and(|at| bus.irq_at(at) || bus.nmi_at(at));
    let ago = [2, 1, 0].into_iter().find(|&ago| active(bus, ago))?;
    let resumed = cpu.cycles + 2 - ago;
    let interrupt = if bus.nmi_at(resumed - 2) {
        Interrupt::Nmi
    } else if cpu.p & Status::I == 0 {
        Interrupt::Irq
    } else {
        Interrupt::Wake
    };
    Some(Waking { resumed, interrupt })
}

/// Whether a wait ends here and now with no interrupt sequence, so that the next instruction comes at this very cycle.
pub(super) fn wakes_here<B: Bus>(cpu: &Mos6502, bus: &mut B) -> bool {
    cpu.halt == Halt::Waiting
        && waking(cpu, bus) == Some(Waking { resumed: cpu.cycles, interrupt: Interrupt::Wake })
}

/// Ends a wait; returns whether the log that is played has that here.
fn wake<B: Bus, const CMOS: bool>(cpu: &mut Mos6502, bus: &mut B, waking: Waking) -> bool {
    let Waking { resumed, interrupt } = waking;
    if !bus.accept(interrupt, Position::new(cpu.icount, resumed)) {
        return false;
    }
    cpu.halt = Halt::Running;
    cpu.cycles = resumed;
    cpu.last_poll = LastPoll::Usual;
    if interrupt != Interrupt::Wake {
        sequence::<B, CMOS>(cpu, bus, interrupt);
    }
    true
}

/// The seven cycles of an IRQ or NMI.
fn sequence<B: Bus, const CMOS: bool>(cpu: &mut Mos6502, bus: &mut B, interrupt: Interrupt) {
    let mut core = Core::<B, CMOS, false>::load(cpu, bus);
    core.idle();
    core.idle();
    if CMOS && interrupt == Interrupt::Nmi {
        core.bus.acknowledge_nmi(core.cycles - 1);
    }
    let entry = match interrupt {
        Interrupt::Nmi => Entry { vector: vectors::NMI, may_be_hijacked: false },
        _ => Entry { vector: vectors::IRQ, may_be_hijacked: true },
    };
    core.enter(0, entry);
    core.store(cpu);
}

/// The seven cycles of a reset, which looks like an interrupt whose writes have been turned into reads.
pub(super) fn reset<B: Bus, const CMOS: bool>(cpu: &mut Mos6502, bus: &mut B) {
    cpu.halt = Halt::Running;
    let mut core = Core::<B, CMOS, false>::load(cpu, bus);
    core.idle();
    core.idle();
    for _ in 0..3 {
        core.dummy_read(core.stack());
        core.sp = core.sp.wrapping_sub(1);
    }
    core.mask();
    core.pc = core.vector(vectors::RESET);
    if !CMOS {
        core.bus.acknowledge_nmi(core.cycles - 4);
        core.settle_nmi(false);
    }
    core.mark(LastPoll::Never);
    core.store(cpu);
}

/// Where a sequence goes.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    /// The address of the vector.
    pub vector: u16,
    /// Whether an NMI may take it over.
    pub may_be_hijacked: bool,
}

impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    /// The last five cycles of BRK and of an interrupt: pushes PC and P with the given B bit, then loads the vector.
    #[inline(always)]
    pub fn enter(&mut self, b: u8, entry: Entry) {
        let fourth_cycle = self.cycles + 1;
        self.push((self.pc >> 8) as u8);
        self.push(self.pc as u8);
        self.push(self.status() | b);
        self.mask();
        let hijacked = entry.may_be_hijacked
            && self.bus.nmi_at(fourth_cycle)
            && self.bus.accept(Interrupt::Nmi, self.at());
        if CMOS && hijacked {
            self.bus.acknowledge_nmi(fourth_cycle);
        }
        let vector = if hijacked { vectors::NMI } else { entry.vector };
        self.pc = self.vector(vector);
        if !CMOS {
            self.settle_nmi(vector == vectors::NMI);
        }
        self.mark(LastPoll::Never);
    }

    /// At the end of a sequence of the NMOS chip: what has become of NMI edges in it.
    #[inline(always)]
    fn settle_nmi(&mut self, was_nmi: bool) {
        let sixth_cycle = self.cycles - 2;
        if was_nmi {
            self.bus.acknowledge_nmi(sixth_cycle);
        } else {
            self.bus.overlook_nmi(sixth_cycle - 1, sixth_cycle);
        }
    }

    /// Sets I; the W65C02S also clears D.
    #[inline(always)]
    fn mask(&mut self) {
        self.di |= Status::I;
        if CMOS {
            self.di &= !Status::D;
        }
    }
}
