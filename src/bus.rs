//! What a CPU sees of the machine around it.

use crate::units::Position;

/// An interrupt as the CPU accepts it. The number is the one the log carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Interrupt {
    /// The level-sensitive IRQ line (IRQB).
    Irq = 0,
    /// The edge-sensitive NMI line (NMIB).
    Nmi = 1,
    /// The reset line (RESB).
    Reset = 2,
    /// WAI ended by a line whose interrupt is masked: the CPU goes on with the next instruction.
    Wake = 3,
}

/// A synchronous event of the CPU itself. The number is the one the log carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Exception {
    /// A software interrupt.
    Brk = 0,
    /// An NMOS JAM opcode: the CPU stops until reset.
    Jam = 1,
    /// A 65C02 STP instruction: the CPU stops until reset.
    Stop = 2,
}

/// How many cycles before an instruction boundary a poll looks back, at most.
pub const POLL_DEPTH: u64 = 3;

/// Address space, interrupt lines and deadline, as one CPU sees them.
///
/// `at.cycles` is the exact clock cycle of the access, `at.icount` the number of instructions retired before the one
/// that makes it. Implementations inline the path to plain RAM and ROM and keep everything else `#[cold]`.
pub trait Bus {
    /// One bus read cycle, dummy reads included.
    fn read(&mut self, address: u16, at: Position) -> u8;

    /// One bus write cycle, dummy writes included.
    fn write(&mut self, address: u16, value: u8, at: Position);

    /// Whether the 256 bytes from `pc` on may be read with [`Bus::code`], unseen and without effect: true only for plain
    /// RAM and ROM. Asked before each instruction; to override for speed, together with `code`.
    #[inline(always)]
    fn plain_code(&self, _pc: u16) -> bool {
        false
    }

    /// A byte of an instruction, after [`Bus::plain_code`] has said `true` for the instruction.
    #[inline(always)]
    fn code(&self, address: u16) -> u8 {
        unreachable!("a bus with plain code at {address:04X} gives that code")
    }

    /// Whether the instruction at `pc` lies in plain code, and nobody has to be told that it begins: then it is executed
    /// without a further question. To override for speed; `false` too often costs no more than that.
    #[inline(always)]
    fn is_ready(&self, _pc: u16) -> bool {
        false
    }

    /// An instruction begins at `pc`: for a bus that keeps account of it.
    #[inline(always)]
    fn note_executed(&mut self, _pc: u16) {}

    /// A read cycle of the program: opcode or operand byte, where [`Bus::plain_code`] has said `false`.
    #[inline(always)]
    fn fetch(&mut self, address: u16, at: Position) -> u8 {
        self.read(address, at)
    }

    /// A read cycle whose value the CPU throws away. To override only for speed: a bus may do nothing where a read has
    /// no effect.
    #[inline(always)]
    fn dummy_read(&mut self, address: u16, at: Position) {
        self.read(address, at);
    }

    /// A write cycle that puts back the value that the cycle before has read from `address`. To override only for
    /// speed: a bus may do nothing where such a write has no effect.
    #[inline(always)]
    fn dummy_write(&mut self, address: u16, value: u8, at: Position) {
        self.write(address, value, at);
    }

    /// A read cycle from an I/O port. FF where the bus has no ports.
    fn port_in(&mut self, _port: u16, _at: Position) -> u8 {
        0xFF
    }

    /// A write cycle to an I/O port.
    fn port_out(&mut self, _port: u16, _value: u8, _at: Position) {}

    /// The cycle at or after which `run` returns, at an instruction boundary. Read before every instruction: a slow
    /// access (a device raised a line, somebody wants to stop) may lower it at any time.
    fn deadline(&self) -> u64;

    /// Makes `run` return after the current instruction. Called by the CPU when it unmasks interrupts while a line is
    /// held, so that the caller calls `run` again and the interrupt is looked at.
    fn lower_deadline(&mut self);

    /// Whether the IRQ line was held at the end of cycle `cycle`: one of the last few, or the one that comes next, with the
    /// line as it stands.
    fn irq_at(&mut self, cycle: u64) -> bool;

    /// Whether an NMI edge, not yet acknowledged, had been seen by the end of cycle `cycle`; which cycles, as for IRQ.
    fn nmi_at(&mut self, cycle: u64) -> bool;

    /// Whether a poll at the boundary before cycle `now` may see anything, or a line is active now: a test to be made before
    /// each run, so that quiet lines cost nothing. To override only for speed; `true` too often costs no more than that.
    fn lines_active(&mut self, now: u64) -> bool {
        self.nmi_at(now) || (now.saturating_sub(POLL_DEPTH)..=now).any(|cycle| self.irq_at(cycle))
    }

    /// The CPU takes the latched NMI edge, and with it any other that was seen by the end of cycle `through`.
    fn acknowledge_nmi(&mut self, through: u64);

    /// In the cycles `first..=last`, which are over, the CPU saw no NMI edge: a line that fell in them and is still low a cycle
    /// later counts as having fallen then, and a pulse that was over by then is lost. For buses whose NMI line falls.
    fn overlook_nmi(&mut self, _first: u64, _last: u64) {}

    /// The CPU is about to accept `interrupt`. Recorded; in replay `false` means that the log has no interrupt here,
    /// and the CPU must leave it pending and return from `run`.
    fn accept(&mut self, interrupt: Interrupt, at: Position) -> bool;

    /// A synchronous exception happens at `at`. Recorded.
    fn exception(&mut self, exception: Exception, at: Position);

    /// Asked before each instruction that does not lie in plain code, and told where the next byte pushed goes; `true` makes `run` return
    /// before the instruction is executed. A bus on which instructions are watched says that their code is not plain.
    fn before_instruction(&mut self, _pc: u16, _stack_pointer: u16, _at: Position) -> bool {
        false
    }
}
