//! placeholder
use super::Variant;
/// placeholder
pub struct Instruction;
impl Instruction {
    /// placeholder
    pub fn length(&self) -> usize {
        1
    }
}
/// placeholder
pub fn disassemble(_v: Variant, _pc: u16, _read: impl Fn(u16) -> u8) -> Instruction {
    Instruction
}
