//! When an interrupt is accepted, the interrupt sequence, WAI, and reset.
//!
//! The chip polls its lines at the end of the last cycle but one of every instruction, and acts after the instruction:
//!
//! - The I flag that counts is the one at the poll. CLI, SEI and PLP change I after their poll, so it has seen the old
//!   one ([`LastPoll::Masked`], [`LastPoll::Unmasked`]); RTI restores I before its poll.
//! - A taken branch that stays in its page does not poll in its additional cycle, so its poll is one cycle earlier
//!   ([`LastPoll::Branch`]). That is NMOS; the W65C02S polls there like everywhere else.
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
//! WAI polls in every cycle from its second on; execution goes on two cycles after the line became active (data sheet:
//! "wait at cycle 2 for 2 cycles after NMIB or IRQB active input"), with the interrupt sequence, or with the next
//! instruction when the line is IRQ and I is set. A line that is active already lets WAI take just its three cycles.

use crate::bus::{Bus, Interrupt};
use crate::units::Position;

use super::core::Core;
use super::execute::execute;
use super::{Cpu, Exit, Halt, LastPoll, Status, vectors};

/// What a look at the interrupt lines came to.
enum Look {
    /// No interrupt is accepted here.
    Nothing,
    /// This one is.
    Accept(Interrupt),
    /// The log that is played has no interrupt here.
    Refused,
}

/// [`Cpu::run`] for one chip.
pub(super) fn run<B: Bus, const CMOS: bool>(cpu: &mut Cpu, bus: &mut B) -> Exit {
    // Whoever has found the CPU waiting may want to end the run before the instruction behind the wait.
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
                if !bus.irq_held() && !bus.nmi_at(cpu.cycles) {
                    return Exit::Waiting;
                }
                if cpu.cycles >= bus.deadline() {
                    return Exit::Deadline;
                }
                match wake::<B, CMOS>(cpu, bus) {
                    None => return Exit::Deadline,
                    Some(Interrupt::Wake) if began_waiting => return Exit::Deadline,
                    Some(_) => continue,
                }
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
fn look<B: Bus>(cpu: &Cpu, bus: &mut B) -> Look {
    let nmi = bus.nmi_at(cpu.cycles);
    if !nmi && !bus.irq_held() {
        return Look::Nothing;
    }
    match polled(cpu, bus) {
        Some(interrupt) if bus.accept(interrupt, cpu.position()) => Look::Accept(interrupt),
        Some(_) => Look::Refused,
        None => {
            if nmi || cpu.p & Status::I == 0 {
                bus.lower_deadline();
            }
            Look::Nothing
        }
    }
}

/// What the last instruction's poll has seen and lets in.
fn polled<B: Bus>(cpu: &Cpu, bus: &mut B) -> Option<Interrupt> {
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
    } else if !masked && bus.irq_at(cycle) {
        Some(Interrupt::Irq)
    } else {
        None
    }
}

/// Whether an interrupt sequence, and no instruction, is what the CPU does next.
pub(super) fn is_interrupted<B: Bus>(cpu: &Cpu, bus: &mut B) -> bool {
    match cpu.halt {
        Halt::Running => polled(cpu, bus).is_some(),
        Halt::Waiting => (bus.irq_held() || bus.nmi_at(cpu.cycles)) && waking(cpu, bus).1 != Interrupt::Wake,
        Halt::Stopped | Halt::Jammed => false,
    }
}

/// The cycle at which a wait whose line is active ends, and what it ends with.
fn waking<B: Bus>(cpu: &Cpu, bus: &mut B) -> (u64, Interrupt) {
    // The line became active in one of the two cycles that end here, or long ago.
    let mut active =
        |ago: u64| cpu.cycles.checked_sub(ago).is_some_and(|cycle| bus.irq_at(cycle) || bus.nmi_at(cycle));
    let resumed = cpu.cycles
        + if active(2) {
            0
        } else if active(1) {
            1
        } else {
            2
        };
    let interrupt = if bus.nmi_at(resumed - 2) {
        Interrupt::Nmi
    } else if cpu.p & Status::I == 0 {
        Interrupt::Irq
    } else {
        Interrupt::Wake
    };
    (resumed, interrupt)
}

/// Whether a wait ends here and now with no interrupt sequence, so that the next instruction comes at this very cycle.
pub(super) fn wakes_here<B: Bus>(cpu: &Cpu, bus: &mut B) -> bool {
    cpu.halt == Halt::Waiting
        && (bus.irq_held() || bus.nmi_at(cpu.cycles))
        && waking(cpu, bus) == (cpu.cycles, Interrupt::Wake)
}

/// Ends a wait whose line is active, and says with what; `None` when the log that is played does not have it here.
fn wake<B: Bus, const CMOS: bool>(cpu: &mut Cpu, bus: &mut B) -> Option<Interrupt> {
    let (resumed, interrupt) = waking(cpu, bus);
    if !bus.accept(interrupt, Position::new(cpu.icount, resumed)) {
        return None;
    }
    cpu.halt = Halt::Running;
    cpu.cycles = resumed;
    cpu.last_poll = LastPoll::Usual;
    if interrupt != Interrupt::Wake {
        sequence::<B, CMOS>(cpu, bus, interrupt);
    }
    Some(interrupt)
}

/// The seven cycles of an IRQ or NMI.
fn sequence<B: Bus, const CMOS: bool>(cpu: &mut Cpu, bus: &mut B, interrupt: Interrupt) {
    let mut core = Core::<B, CMOS, false>::load(cpu, bus);
    core.idle();
    core.idle();
    if interrupt == Interrupt::Nmi {
        core.bus.acknowledge_nmi();
        core.enter(0, vectors::NMI, false);
    } else {
        core.enter(0, vectors::IRQ, true);
    }
    core.store(cpu);
}

/// The seven cycles of a reset, which looks like an interrupt whose writes have been turned into reads.
pub(super) fn reset<B: Bus, const CMOS: bool>(cpu: &mut Cpu, bus: &mut B) {
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
    core.mark(LastPoll::Never);
    core.store(cpu);
}

impl<B: Bus, const CMOS: bool, const PLAIN: bool> Core<'_, B, CMOS, PLAIN> {
    /// The last five cycles of BRK and of an interrupt: pushes PC and P with the given B bit, then loads the vector.
    #[inline(always)]
    pub fn enter(&mut self, b: u8, vector: u16, may_be_hijacked: bool) {
        let fourth_cycle = self.cycles + 1;
        self.push((self.pc >> 8) as u8);
        self.push(self.pc as u8);
        self.push(self.status() | b);
        self.mask();
        let hijacked =
            may_be_hijacked && self.bus.nmi_at(fourth_cycle) && self.bus.accept(Interrupt::Nmi, self.at());
        if hijacked {
            self.bus.acknowledge_nmi();
        }
        self.pc = self.vector(if hijacked { vectors::NMI } else { vector });
        self.mark(LastPoll::Never);
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
