//! The run loop and its decode table.

use crate::bus::{Bus, Exception};

use super::core::Core;
use super::{Mos6502, Status};
use crate::cpu::processor::{Exit, Halt};

/// Executes one instruction, and then more until the bus's deadline is reached or the CPU halts.
///
/// The loop has one comparison an instruction. It looks at no interrupt line: `interrupt.rs` has done so before, and
/// whatever could make a pending interrupt acceptable lowers the deadline.
///
/// With `PLAIN` each instruction in plain memory is executed here, and any other, once the bus has been asked, by one call
/// of the form without.
///
/// The function is one `match` with a line for each opcode and so longer than a screen.
#[inline(never)]
pub(super) fn execute<B: Bus, const CMOS: bool, const PLAIN: bool>(cpu: &mut Mos6502, bus: &mut B) -> Exit {
    let mut core = Core::<B, CMOS, PLAIN>::load(cpu, bus);
    /// Reads the operand of a mode and returns it to an operation.
    macro_rules! read {
        ($operation:ident $mode:ident) => {{
            let address = core.$mode();
            let operand = core.read(address);
            core.$operation(operand, address)
        }};
    }
    macro_rules! immediate {
        ($operation:ident) => {{
            let operand = core.fetch();
            core.$operation(operand, core.pc)
        }};
    }
    macro_rules! write {
        ($mode:ident, $value:expr) => {{
            let address = core.$mode();
            core.write(address, $value)
        }};
    }
    macro_rules! modify {
        ($operation:ident $mode:ident) => {{
            let address = core.$mode();
            let before = core.read_to_modify(address);
            let after = core.$operation(before);
            core.write(address, after)
        }};
    }
    macro_rules! accumulator {
        ($operation:ident) => {
            transfer!(a = core.$operation(core.a))
        };
    }
    macro_rules! implied {
        ($effect:expr) => {{
            core.idle();
            $effect
        }};
    }
    macro_rules! transfer {
        ($to:ident = $from:expr) => {{
            core.idle();
            core.$to = $from;
            core.set_nz(core.$to)
        }};
    }
    /// RMB and SMB.
    macro_rules! bit {
        (reset $bit:literal) => {{
            let address = core.zero_page();
            let before = core.read_to_modify(address);
            core.write(address, before & !(1 << $bit))
        }};
        (set $bit:literal) => {{
            let address = core.zero_page();
            let before = core.read_to_modify(address);
            core.write(address, before | 1 << $bit)
        }};
    }
    /// The unstable stores.
    macro_rules! high {
        ($mode:ident, $index:ident, $value:expr) => {{
            let base = core.$mode();
            core.store_and_high(base, core.$index, $value)
        }};
    }
    /// What the opcode does on NMOS, and on the W65C02S.
    macro_rules! either {
        ($nmos:expr; $cmos:expr) => {
            if CMOS { $cmos } else { $nmos }
        };
    }
    /// An opcode that is a NOP of one byte and one cycle on the W65C02S.
    macro_rules! nmos {
        ($nmos:expr) => {
            if !CMOS {
                $nmos
            }
        };
    }
    let exit = loop {
        let is_ready = PLAIN && core.bus.is_ready(core.pc);
        if PLAIN && !is_ready && !core.bus.plain_code(core.pc) {
            if core.bus.before_instruction(core.pc, core.stack(), core.at()) {
                break Exit::Break;
            }
            let bus = core.store(cpu);
            let exit = execute_elsewhere::<B, CMOS>(cpu, bus);
            if exit != Exit::Deadline || cpu.cycles >= bus.deadline() {
                return exit;
            }
            core = Core::load(cpu, bus);
            continue;
        }
        /// Instructions after which nothing more is executed.
        macro_rules! halt {
            (wai) => {{
                core.idle();
                core.idle();
                core.icount += 1;
                cpu.halt = Halt::Waiting;
                break Exit::Waiting;
            }};
            (stp) => {{
                core.bus.exception(Exception::Stop, core.instruction_start());
                core.idle();
                core.idle();
                core.icount += 1;
                cpu.halt = Halt::Stopped;
                break Exit::Stopped;
            }};
            (jam) => {{
                core.bus.exception(Exception::Jam, core.instruction_start());
                core.idle();
                core.idle();
                core.pc = core.pc.wrapping_sub(1);
                cpu.halt = Halt::Jammed;
                break Exit::Jammed;
            }};
        }
        if !is_ready {
            core.bus.note_executed(core.pc);
        }
        match core.fetch() {
            0x00 => core.brk(),
            0x01 => read!(ora indexed_indirect),
            0x02 => either!(halt!(jam); immediate!(nop)),
            0x03 => nmos!(modify!(slo indexed_indirect)),
            0x04 => either!(read!(nop zero_page); modify!(tsb zero_page)),
            0x05 => read!(ora zero_page),
            0x06 => modify!(asl zero_page),
            0x07 => either!(modify!(slo zero_page); bit!(reset 0)),
            0x08 => core.php(),
            0x09 => immediate!(ora),
            0x0A => accumulator!(asl),
            0x0B => nmos!(immediate!(anc)),
            0x0C => either!(read!(nop absolute); modify!(tsb absolute)),
            0x0D => read!(ora absolute),
            0x0E => modify!(asl absolute),
            0x0F => either!(modify!(slo absolute); core.branch_on_bit(0, false)),
            0x10 => core.branch(!core.negative()),
            0x11 => read!(ora indirect_indexed),
            0x12 => either!(halt!(jam); read!(ora indirect)),
            0x13 => nmos!(modify!(slo indirect_indexed_always)),
            0x14 => either!(read!(nop zero_page_x); modify!(trb zero_page)),
            0x15 => read!(ora zero_page_x),
            0x16 => modify!(asl zero_page_x),
            0x17 => either!(modify!(slo zero_page_x); bit!(reset 1)),
            0x18 => implied!(core.c = 0),
            0x19 => read!(ora absolute_y),
            0x1A => either!(implied!(()); accumulator!(inc)),
            0x1B => nmos!(modify!(slo absolute_y_always)),
            0x1C => either!(read!(nop absolute_x); modify!(trb absolute)),
            0x1D => read!(ora absolute_x),
            0x1E => modify!(asl absolute_x_shift),
            0x1F => either!(modify!(slo absolute_x_always); core.branch_on_bit(1, false)),
            0x20 => core.jsr(),
            0x21 => read!(and indexed_indirect),
            0x22 => either!(halt!(jam); immediate!(nop)),
            0x23 => nmos!(modify!(rla indexed_indirect)),
            0x24 => read!(bit zero_page),
            0x25 => read!(and zero_page),
            0x26 => modify!(rol zero_page),
            0x27 => either!(modify!(rla zero_page); bit!(reset 2)),
            0x28 => core.plp(),
            0x29 => immediate!(and),
            0x2A => accumulator!(rol),
            0x2B => nmos!(immediate!(anc)),
            0x2C => read!(bit absolute),
            0x2D => read!(and absolute),
            0x2E => modify!(rol absolute),
            0x2F => either!(modify!(rla absolute); core.branch_on_bit(2, false)),
            0x30 => core.branch(core.negative()),
            0x31 => read!(and indirect_indexed),
            0x32 => either!(halt!(jam); read!(and indirect)),
            0x33 => nmos!(modify!(rla indirect_indexed_always)),
            0x34 => either!(read!(nop zero_page_x); read!(bit zero_page_x)),
            0x35 => read!(and zero_page_x),
            0x36 => modify!(rol zero_page_x),
            0x37 => either!(modify!(rla zero_page_x); bit!(reset 3)),
            0x38 => implied!(core.c = 1),
            0x39 => read!(and absolute_y),
            0x3A => either!(implied!(()); accumulator!(dec)),
            0x3B => nmos!(modify!(rla absolute_y_always)),
            0x3C => either!(read!(nop absolute_x); read!(bit absolute_x)),
            0x3D => read!(and absolute_x),
            0x3E => modify!(rol absolute_x_shift),
            0x3F => either!(modify!(rla absolute_x_always); core.branch_on_bit(3, false)),
            0x40 => core.rti(),
            0x41 => read!(eor indexed_indirect),
            0x42 => either!(halt!(jam); immediate!(nop)),
            0x43 => nmos!(modify!(sre indexed_indirect)),
            0x44 => read!(nop zero_page),
            0x45 => read!(eor zero_page),
            0x46 => modify!(lsr zero_page),
            0x47 => either!(modify!(sre zero_page); bit!(reset 4)),
            0x48 => core.push_register(core.a),
            0x49 => immediate!(eor),
            0x4A => accumulator!(lsr),
            0x4B => nmos!(immediate!(alr)),
            0x4C => core.pc = core.absolute(),
            0x4D => read!(eor absolute),
            0x4E => modify!(lsr absolute),
            0x4F => either!(modify!(sre absolute); core.branch_on_bit(4, false)),
            0x50 => core.branch(!core.overflow()),
            0x51 => read!(eor indirect_indexed),
            0x52 => either!(halt!(jam); read!(eor indirect)),
            0x53 => nmos!(modify!(sre indirect_indexed_always)),
            0x54 => read!(nop zero_page_x),
            0x55 => read!(eor zero_page_x),
            0x56 => modify!(lsr zero_page_x),
            0x57 => either!(modify!(sre zero_page_x); bit!(reset 5)),
            0x58 => core.cli(),
            0x59 => read!(eor absolute_y),
            0x5A => either!(implied!(()); core.push_register(core.y)),
            0x5B => nmos!(modify!(sre absolute_y_always)),
            0x5C => either!(read!(nop absolute_x); core.nop_absolute(5)),
            0x5D => read!(eor absolute_x),
            0x5E => modify!(lsr absolute_x_shift),
            0x5F => either!(modify!(sre absolute_x_always); core.branch_on_bit(5, false)),
            0x60 => core.rts(),
            0x61 => read!(adc indexed_indirect),
            0x62 => either!(halt!(jam); immediate!(nop)),
            0x63 => nmos!(modify!(rra indexed_indirect)),
            0x64 => either!(read!(nop zero_page); write!(zero_page, 0)),
            0x65 => read!(adc zero_page),
            0x66 => modify!(ror zero_page),
            0x67 => either!(modify!(rra zero_page); bit!(reset 6)),
            0x68 => core.a = core.pull_register(),
            0x69 => immediate!(adc),
            0x6A => accumulator!(ror),
            0x6B => nmos!(immediate!(arr)),
            0x6C => core.jump_indirect(),
            0x6D => read!(adc absolute),
            0x6E => modify!(ror absolute),
            0x6F => either!(modify!(rra absolute); core.branch_on_bit(6, false)),
            0x70 => core.branch(core.overflow()),
            0x71 => read!(adc indirect_indexed),
            0x72 => either!(halt!(jam); read!(adc indirect)),
            0x73 => nmos!(modify!(rra indirect_indexed_always)),
            0x74 => either!(read!(nop zero_page_x); write!(zero_page_x, 0)),
            0x75 => read!(adc zero_page_x),
            0x76 => modify!(ror zero_page_x),
            0x77 => either!(modify!(rra zero_page_x); bit!(reset 7)),
            0x78 => core.sei(),
            0x79 => read!(adc absolute_y),
            0x7A => either!(implied!(()); core.y = core.pull_register()),
            0x7B => nmos!(modify!(rra absolute_y_always)),
            0x7C => either!(read!(nop absolute_x); core.jump_indexed_indirect()),
            0x7D => read!(adc absolute_x),
            0x7E => modify!(ror absolute_x_shift),
            0x7F => either!(modify!(rra absolute_x_always); core.branch_on_bit(7, false)),
            0x80 => either!(immediate!(nop); core.branch(true)),
            0x81 => write!(indexed_indirect, core.a),
            0x82 => immediate!(nop),
            0x83 => nmos!(write!(indexed_indirect, core.a & core.x)),
            0x84 => write!(zero_page, core.y),
            0x85 => write!(zero_page, core.a),
            0x86 => write!(zero_page, core.x),
            0x87 => either!(write!(zero_page, core.a & core.x); bit!(set 0)),
            0x88 => transfer!(y = core.dec(core.y)),
            0x89 => either!(immediate!(nop); immediate!(bit_immediate)),
            0x8A => transfer!(a = core.x),
            0x8B => nmos!(immediate!(ane)),
            0x8C => write!(absolute, core.y),
            0x8D => write!(absolute, core.a),
            0x8E => write!(absolute, core.x),
            0x8F => either!(write!(absolute, core.a & core.x); core.branch_on_bit(0, true)),
            0x90 => core.branch(core.c == 0),
            0x91 => write!(indirect_indexed_always, core.a),
            0x92 => either!(halt!(jam); write!(indirect, core.a)),
            0x93 => nmos!(high!(indirect, y, core.a & core.x)),
            0x94 => write!(zero_page_x, core.y),
            0x95 => write!(zero_page_x, core.a),
            0x96 => write!(zero_page_y, core.x),
            0x97 => either!(write!(zero_page_y, core.a & core.x); bit!(set 1)),
            0x98 => transfer!(a = core.y),
            0x99 => write!(absolute_y_always, core.a),
            0x9A => implied!(core.sp = core.x),
            0x9B => nmos!(core.tas()),
            0x9C => either!(high!(absolute, x, core.y); write!(absolute, 0)),
            0x9D => write!(absolute_x_always, core.a),
            0x9E => either!(high!(absolute, y, core.x); write!(absolute_x_always, 0)),
            0x9F => either!(high!(absolute, y, core.a & core.x); core.branch_on_bit(1, true)),
            0xA0 => immediate!(ldy),
            0xA1 => read!(lda indexed_indirect),
            0xA2 => immediate!(ldx),
            0xA3 => nmos!(read!(lax indexed_indirect)),
            0xA4 => read!(ldy zero_page),
            0xA5 => read!(lda zero_page),
            0xA6 => read!(ldx zero_page),
            0xA7 => either!(read!(lax zero_page); bit!(set 2)),
            0xA8 => transfer!(y = core.a),
            0xA9 => immediate!(lda),
            0xAA => transfer!(x = core.a),
            0xAB => nmos!(immediate!(lxa)),
            0xAC => read!(ldy absolute),
            0xAD => read!(lda absolute),
            0xAE => read!(ldx absolute),
            0xAF => either!(read!(lax absolute); core.branch_on_bit(2, true)),
            0xB0 => core.branch(core.c != 0),
            0xB1 => read!(lda indirect_indexed),
            0xB2 => either!(halt!(jam); read!(lda indirect)),
            0xB3 => nmos!(read!(lax indirect_indexed)),
            0xB4 => read!(ldy zero_page_x),
            0xB5 => read!(lda zero_page_x),
            0xB6 => read!(ldx zero_page_y),
            0xB7 => either!(read!(lax zero_page_y); bit!(set 3)),
            0xB8 => implied!(core.v = 0),
            0xB9 => read!(lda absolute_y),
            0xBA => transfer!(x = core.sp),
            0xBB => nmos!(read!(las absolute_y)),
            0xBC => read!(ldy absolute_x),
            0xBD => read!(lda absolute_x),
            0xBE => read!(ldx absolute_y),
            0xBF => either!(read!(lax absolute_y); core.branch_on_bit(3, true)),
            0xC0 => immediate!(cpy),
            0xC1 => read!(cmp indexed_indirect),
            0xC2 => immediate!(nop),
            0xC3 => nmos!(modify!(dcp indexed_indirect)),
            0xC4 => read!(cpy zero_page),
            0xC5 => read!(cmp zero_page),
            0xC6 => modify!(dec zero_page),
            0xC7 => either!(modify!(dcp zero_page); bit!(set 4)),
            0xC8 => transfer!(y = core.inc(core.y)),
            0xC9 => immediate!(cmp),
            0xCA => transfer!(x = core.dec(core.x)),
            0xCB => either!(immediate!(sbx); halt!(wai)),
            0xCC => read!(cpy absolute),
            0xCD => read!(cmp absolute),
            0xCE => modify!(dec absolute),
            0xCF => either!(modify!(dcp absolute); core.branch_on_bit(4, true)),
            0xD0 => core.branch(!core.zero()),
            0xD1 => read!(cmp indirect_indexed),
            0xD2 => either!(halt!(jam); read!(cmp indirect)),
            0xD3 => nmos!(modify!(dcp indirect_indexed_always)),
            0xD4 => read!(nop zero_page_x),
            0xD5 => read!(cmp zero_page_x),
            0xD6 => modify!(dec zero_page_x),
            0xD7 => either!(modify!(dcp zero_page_x); bit!(set 5)),
            0xD8 => implied!(core.di &= !Status::D),
            0xD9 => read!(cmp absolute_y),
            0xDA => either!(implied!(()); core.push_register(core.x)),
            0xDB => either!(modify!(dcp absolute_y_always); halt!(stp)),
            0xDC => either!(read!(nop absolute_x); core.nop_absolute(1)),
            0xDD => read!(cmp absolute_x),
            0xDE => modify!(dec absolute_x_always),
            0xDF => either!(modify!(dcp absolute_x_always); core.branch_on_bit(5, true)),
            0xE0 => immediate!(cpx),
            0xE1 => read!(sbc indexed_indirect),
            0xE2 => immediate!(nop),
            0xE3 => nmos!(modify!(isc indexed_indirect)),
            0xE4 => read!(cpx zero_page),
            0xE5 => read!(sbc zero_page),
            0xE6 => modify!(inc zero_page),
            0xE7 => either!(modify!(isc zero_page); bit!(set 6)),
            0xE8 => transfer!(x = core.inc(core.x)),
            0xE9 => immediate!(sbc),
            0xEA => implied!(()),
            0xEB => nmos!(immediate!(sbc)),
            0xEC => read!(cpx absolute),
            0xED => read!(sbc absolute),
            0xEE => modify!(inc absolute),
            0xEF => either!(modify!(isc absolute); core.branch_on_bit(6, true)),
            0xF0 => core.branch(core.zero()),
            0xF1 => read!(sbc indirect_indexed),
            0xF2 => either!(halt!(jam); read!(sbc indirect)),
            0xF3 => nmos!(modify!(isc indirect_indexed_always)),
            0xF4 => read!(nop zero_page_x),
            0xF5 => read!(sbc zero_page_x),
            0xF6 => modify!(inc zero_page_x),
            0xF7 => either!(modify!(isc zero_page_x); bit!(set 7)),
            0xF8 => implied!(core.di |= Status::D),
            0xF9 => read!(sbc absolute_y),
            0xFA => either!(implied!(()); core.x = core.pull_register()),
            0xFB => nmos!(modify!(isc absolute_y_always)),
            0xFC => either!(read!(nop absolute_x); core.nop_absolute(1)),
            0xFD => read!(sbc absolute_x),
            0xFE => modify!(inc absolute_x_always),
            0xFF => either!(modify!(isc absolute_x_always); core.branch_on_bit(7, true)),
        }
        core.icount += 1;
        if !PLAIN || core.cycles >= core.bus.deadline() {
            break Exit::Deadline;
        }
    };
    core.store(cpu);
    exit
}

/// Executes one instruction that may lie in I/O or unmapped memory.
#[cold]
#[inline(never)]
fn execute_elsewhere<B: Bus, const CMOS: bool>(cpu: &mut Mos6502, bus: &mut B) -> Exit {
    execute::<B, CMOS, false>(cpu, bus)
}
