//! Disassembly of 6502 and W65C02S code.
//!
//! One table for each chip gives mnemonic and addressing mode of the 256 opcodes. Undocumented NMOS instructions have
//! the names in widest use (SLO, RLA, SRE, RRA, SAX, LAX, DCP, ISC, ANC, ALR, ARR, SBX, ANE, LXA, LAS, TAS, SHA, SHX,
//! SHY, JAM); undefined W65C02S opcodes are NOPs with their operand shown, since it is fetched.

use std::fmt;

use super::Variant;

/// How an instruction finds its operand, and so its length and its text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// No operand.
    Implied,
    /// The accumulator.
    Accumulator,
    /// `#$12`
    Immediate,
    /// `$12`
    ZeroPage,
    /// `$12,X`
    ZeroPageX,
    /// `$12,Y`
    ZeroPageY,
    /// `($12)`
    ZeroPageIndirect,
    /// `($12,X)`
    IndexedIndirect,
    /// `($12),Y`
    IndirectIndexed,
    /// `$1234`
    Absolute,
    /// `$1234,X`
    AbsoluteX,
    /// `$1234,Y`
    AbsoluteY,
    /// `($1234)`
    Indirect,
    /// `($1234,X)`
    AbsoluteIndexedIndirect,
    /// A branch target, shown as an address.
    Relative,
    /// `$12,$1234`: the zero-page byte and the target of BBR and BBS.
    ZeroPageRelative,
}

impl Mode {
    /// Bytes of an instruction in this mode, the opcode included.
    pub const fn length(self) -> u16 {
        match self {
            Mode::Implied | Mode::Accumulator => 1,
            Mode::Absolute
            | Mode::AbsoluteX
            | Mode::AbsoluteY
            | Mode::Indirect
            | Mode::AbsoluteIndexedIndirect
            | Mode::ZeroPageRelative => 3,
            _ => 2,
        }
    }
}

/// One disassembled instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instruction {
    /// Where it stands.
    pub address: u16,
    /// Its bytes, one to three.
    pub bytes: Vec<u8>,
    /// Its name, in capitals; that of RMB, SMB, BBR and BBS ends in the bit number.
    pub mnemonic: String,
    /// Its operand as an assembler would read it, empty when there is none.
    pub operand: String,
    /// Its addressing mode.
    pub mode: Mode,
    /// The address that a branch, JMP or JSR with an address in the instruction goes to.
    pub target: Option<u16>,
}

impl Instruction {
    /// Number of bytes, one to three.
    pub fn length(&self) -> u16 {
        self.mode.length()
    }

    /// The address of the instruction behind it.
    pub fn next(&self) -> u16 {
        self.address.wrapping_add(self.length())
    }
}

/// Address, bytes, mnemonic, operand: `0200  A9 01     LDA #$01`.
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: Vec<String> = self.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        write!(f, "{:04X}  {:<9} {}", self.address, bytes.join(" "), self.mnemonic)?;
        if self.operand.is_empty() { Ok(()) } else { write!(f, " {}", self.operand) }
    }
}

/// Disassembles the instruction at `pc`. `read` is asked for its bytes only, and should have no side effects; addresses
/// wrap from FFFF to 0000.
pub fn disassemble(variant: Variant, pc: u16, read: impl Fn(u16) -> u8) -> Instruction {
    let opcode = read(pc);
    let (mnemonic, mode) = decode(variant, opcode);
    let bytes: Vec<u8> = (0..mode.length()).map(|offset| read(pc.wrapping_add(offset))).collect();
    let first = bytes.get(1).copied().unwrap_or(0);
    let last = bytes.last().copied().unwrap_or(0);
    let word = u16::from_le_bytes([first, last]);
    let branch = pc.wrapping_add(mode.length()).wrapping_add(last as i8 as u16);
    let operand = match mode {
        Mode::Implied => String::new(),
        Mode::Accumulator => "A".to_owned(),
        Mode::Immediate => format!("#${first:02X}"),
        Mode::ZeroPage => format!("${first:02X}"),
        Mode::ZeroPageX => format!("${first:02X},X"),
        Mode::ZeroPageY => format!("${first:02X},Y"),
        Mode::ZeroPageIndirect => format!("(${first:02X})"),
        Mode::IndexedIndirect => format!("(${first:02X},X)"),
        Mode::IndirectIndexed => format!("(${first:02X}),Y"),
        Mode::Absolute => format!("${word:04X}"),
        Mode::AbsoluteX => format!("${word:04X},X"),
        Mode::AbsoluteY => format!("${word:04X},Y"),
        Mode::Indirect => format!("(${word:04X})"),
        Mode::AbsoluteIndexedIndirect => format!("(${word:04X},X)"),
        Mode::Relative => format!("${branch:04X}"),
        Mode::ZeroPageRelative => format!("${first:02X},${branch:04X}"),
    };
    let target = match mode {
        Mode::Relative | Mode::ZeroPageRelative => Some(branch),
        Mode::Absolute if matches!(opcode, 0x20 | 0x4C) => Some(word),
        _ => None,
    };
    Instruction { address: pc, bytes, mnemonic, operand, mode, target }
}

/// Whether an opcode stops the processor until its reset, and never retires.
pub fn jams(variant: Variant, opcode: u8) -> bool {
    variant == Variant::Nmos6502 && NMOS[usize::from(opcode)] == JAM
}

/// Mnemonic and addressing mode of an opcode.
pub fn decode(variant: Variant, opcode: u8) -> (String, Mode) {
    let bit = opcode >> 4 & 7;
    let high = opcode & 0x80 != 0;
    match (variant, opcode & 0x0F) {
        (Variant::W65c02, 0x07) => (format!("{}{bit}", if high { "SMB" } else { "RMB" }), Mode::ZeroPage),
        (Variant::W65c02, 0x0F) => {
            (format!("{}{bit}", if high { "BBS" } else { "BBR" }), Mode::ZeroPageRelative)
        }
        (Variant::W65c02, _) => named(W65C02[usize::from(opcode)]),
        (Variant::Nmos6502, _) => named(NMOS[usize::from(opcode)]),
    }
}

/// Splits a table entry: the mnemonic and, behind a blank, the mode's abbreviation.
fn named(entry: &str) -> (String, Mode) {
    let (mnemonic, mode) = entry.split_once(' ').unwrap_or((entry, ""));
    let mode = match mode {
        "a" => Mode::Accumulator,
        "#" => Mode::Immediate,
        "z" => Mode::ZeroPage,
        "zx" => Mode::ZeroPageX,
        "zy" => Mode::ZeroPageY,
        "(z)" => Mode::ZeroPageIndirect,
        "(zx)" => Mode::IndexedIndirect,
        "(z)y" => Mode::IndirectIndexed,
        "w" => Mode::Absolute,
        "wx" => Mode::AbsoluteX,
        "wy" => Mode::AbsoluteY,
        "(w)" => Mode::Indirect,
        "(wx)" => Mode::AbsoluteIndexedIndirect,
        "r" => Mode::Relative,
        _ => Mode::Implied,
    };
    (mnemonic.to_owned(), mode)
}

/// What stops the processor until its reset.
pub const JAM: &str = "JAM";

/// The NMOS opcodes, eight a row; the byte behind BRK is shown as its operand.
#[rustfmt::skip]
const NMOS: [&str; 256] = [
    "BRK #", "ORA (zx)", "JAM", "SLO (zx)", "NOP z", "ORA z", "ASL z", "SLO z",
    "PHP", "ORA #", "ASL a", "ANC #", "NOP w", "ORA w", "ASL w", "SLO w",
    "BPL r", "ORA (z)y", "JAM", "SLO (z)y", "NOP zx", "ORA zx", "ASL zx", "SLO zx",
    "CLC", "ORA wy", "NOP", "SLO wy", "NOP wx", "ORA wx", "ASL wx", "SLO wx",
    "JSR w", "AND (zx)", "JAM", "RLA (zx)", "BIT z", "AND z", "ROL z", "RLA z",
    "PLP", "AND #", "ROL a", "ANC #", "BIT w", "AND w", "ROL w", "RLA w",
    "BMI r", "AND (z)y", "JAM", "RLA (z)y", "NOP zx", "AND zx", "ROL zx", "RLA zx",
    "SEC", "AND wy", "NOP", "RLA wy", "NOP wx", "AND wx", "ROL wx", "RLA wx",
    "RTI", "EOR (zx)", "JAM", "SRE (zx)", "NOP z", "EOR z", "LSR z", "SRE z",
    "PHA", "EOR #", "LSR a", "ALR #", "JMP w", "EOR w", "LSR w", "SRE w",
    "BVC r", "EOR (z)y", "JAM", "SRE (z)y", "NOP zx", "EOR zx", "LSR zx", "SRE zx",
    "CLI", "EOR wy", "NOP", "SRE wy", "NOP wx", "EOR wx", "LSR wx", "SRE wx",
    "RTS", "ADC (zx)", "JAM", "RRA (zx)", "NOP z", "ADC z", "ROR z", "RRA z",
    "PLA", "ADC #", "ROR a", "ARR #", "JMP (w)", "ADC w", "ROR w", "RRA w",
    "BVS r", "ADC (z)y", "JAM", "RRA (z)y", "NOP zx", "ADC zx", "ROR zx", "RRA zx",
    "SEI", "ADC wy", "NOP", "RRA wy", "NOP wx", "ADC wx", "ROR wx", "RRA wx",
    "NOP #", "STA (zx)", "NOP #", "SAX (zx)", "STY z", "STA z", "STX z", "SAX z",
    "DEY", "NOP #", "TXA", "ANE #", "STY w", "STA w", "STX w", "SAX w",
    "BCC r", "STA (z)y", "JAM", "SHA (z)y", "STY zx", "STA zx", "STX zy", "SAX zy",
    "TYA", "STA wy", "TXS", "TAS wy", "SHY wx", "STA wx", "SHX wy", "SHA wy",
    "LDY #", "LDA (zx)", "LDX #", "LAX (zx)", "LDY z", "LDA z", "LDX z", "LAX z",
    "TAY", "LDA #", "TAX", "LXA #", "LDY w", "LDA w", "LDX w", "LAX w",
    "BCS r", "LDA (z)y", "JAM", "LAX (z)y", "LDY zx", "LDA zx", "LDX zy", "LAX zy",
    "CLV", "LDA wy", "TSX", "LAS wy", "LDY wx", "LDA wx", "LDX wy", "LAX wy",
    "CPY #", "CMP (zx)", "NOP #", "DCP (zx)", "CPY z", "CMP z", "DEC z", "DCP z",
    "INY", "CMP #", "DEX", "SBX #", "CPY w", "CMP w", "DEC w", "DCP w",
    "BNE r", "CMP (z)y", "JAM", "DCP (z)y", "NOP zx", "CMP zx", "DEC zx", "DCP zx",
    "CLD", "CMP wy", "NOP", "DCP wy", "NOP wx", "CMP wx", "DEC wx", "DCP wx",
    "CPX #", "SBC (zx)", "NOP #", "ISC (zx)", "CPX z", "SBC z", "INC z", "ISC z",
    "INX", "SBC #", "NOP", "SBC #", "CPX w", "SBC w", "INC w", "ISC w",
    "BEQ r", "SBC (z)y", "JAM", "ISC (z)y", "NOP zx", "SBC zx", "INC zx", "ISC zx",
    "SED", "SBC wy", "NOP", "ISC wy", "NOP wx", "SBC wx", "INC wx", "ISC wx",
];

/// The W65C02S opcodes, eight a row; [`decode`] numbers the bit instructions.
#[rustfmt::skip]
const W65C02: [&str; 256] = [
    "BRK #", "ORA (zx)", "NOP #", "NOP", "TSB z", "ORA z", "ASL z", "RMB z",
    "PHP", "ORA #", "ASL a", "NOP", "TSB w", "ORA w", "ASL w", "BBR",
    "BPL r", "ORA (z)y", "ORA (z)", "NOP", "TRB z", "ORA zx", "ASL zx", "RMB z",
    "CLC", "ORA wy", "INC a", "NOP", "TRB w", "ORA wx", "ASL wx", "BBR",
    "JSR w", "AND (zx)", "NOP #", "NOP", "BIT z", "AND z", "ROL z", "RMB z",
    "PLP", "AND #", "ROL a", "NOP", "BIT w", "AND w", "ROL w", "BBR",
    "BMI r", "AND (z)y", "AND (z)", "NOP", "BIT zx", "AND zx", "ROL zx", "RMB z",
    "SEC", "AND wy", "DEC a", "NOP", "BIT wx", "AND wx", "ROL wx", "BBR",
    "RTI", "EOR (zx)", "NOP #", "NOP", "NOP z", "EOR z", "LSR z", "RMB z",
    "PHA", "EOR #", "LSR a", "NOP", "JMP w", "EOR w", "LSR w", "BBR",
    "BVC r", "EOR (z)y", "EOR (z)", "NOP", "NOP zx", "EOR zx", "LSR zx", "RMB z",
    "CLI", "EOR wy", "PHY", "NOP", "NOP w", "EOR wx", "LSR wx", "BBR",
    "RTS", "ADC (zx)", "NOP #", "NOP", "STZ z", "ADC z", "ROR z", "RMB z",
    "PLA", "ADC #", "ROR a", "NOP", "JMP (w)", "ADC w", "ROR w", "BBR",
    "BVS r", "ADC (z)y", "ADC (z)", "NOP", "STZ zx", "ADC zx", "ROR zx", "RMB z",
    "SEI", "ADC wy", "PLY", "NOP", "JMP (wx)", "ADC wx", "ROR wx", "BBR",
    "BRA r", "STA (zx)", "NOP #", "NOP", "STY z", "STA z", "STX z", "SMB z",
    "DEY", "BIT #", "TXA", "NOP", "STY w", "STA w", "STX w", "BBS",
    "BCC r", "STA (z)y", "STA (z)", "NOP", "STY zx", "STA zx", "STX zy", "SMB z",
    "TYA", "STA wy", "TXS", "NOP", "STZ w", "STA wx", "STZ wx", "BBS",
    "LDY #", "LDA (zx)", "LDX #", "NOP", "LDY z", "LDA z", "LDX z", "SMB z",
    "TAY", "LDA #", "TAX", "NOP", "LDY w", "LDA w", "LDX w", "BBS",
    "BCS r", "LDA (z)y", "LDA (z)", "NOP", "LDY zx", "LDA zx", "LDX zy", "SMB z",
    "CLV", "LDA wy", "TSX", "NOP", "LDY wx", "LDA wx", "LDX wy", "BBS",
    "CPY #", "CMP (zx)", "NOP #", "NOP", "CPY z", "CMP z", "DEC z", "SMB z",
    "INY", "CMP #", "DEX", "WAI", "CPY w", "CMP w", "DEC w", "BBS",
    "BNE r", "CMP (z)y", "CMP (z)", "NOP", "NOP zx", "CMP zx", "DEC zx", "SMB z",
    "CLD", "CMP wy", "PHX", "STP", "NOP w", "CMP wx", "DEC wx", "BBS",
    "CPX #", "SBC (zx)", "NOP #", "NOP", "CPX z", "SBC z", "INC z", "SMB z",
    "INX", "SBC #", "NOP", "NOP", "CPX w", "SBC w", "INC w", "BBS",
    "BEQ r", "SBC (z)y", "SBC (z)", "NOP", "NOP zx", "SBC zx", "INC zx", "SMB z",
    "SED", "SBC wy", "PLX", "NOP", "NOP w", "SBC wx", "INC wx", "BBS",
];
