//! How often the instruction at each address was executed, and how long it took.

use crate::memory::ADDRESS_SPACE;
use crate::units::Position;

/// Executions and clock cycles by the address of the instruction. What passes until the next instruction begins counts
/// for the one before: interrupt sequences, and the time that a WAI waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// How often the instruction at an address was begun; 65,536 numbers.
    pub executions: Vec<u64>,
    /// Clock cycles spent there; 65,536 numbers.
    pub cycles: Vec<u64>,
    current: Option<(Position, u16)>,
}

impl Default for Profile {
    fn default() -> Self {
        let nothing = || vec![0; ADDRESS_SPACE];
        Self { executions: nothing(), cycles: nothing(), current: None }
    }
}

impl Profile {
    pub(super) fn executes(&mut self, pc: u16, at: Position) {
        // Asked again where a run goes on before the same instruction.
        if self.current == Some((at, pc)) {
            return;
        }
        self.ends(at);
        self.executions[usize::from(pc)] += 1;
        self.current = Some((at, pc));
    }

    /// The run ends at a position, before an instruction that does not count.
    pub fn ends(&mut self, at: Position) {
        if let Some((begun, address)) = self.current.take() {
            self.cycles[usize::from(address)] += at.cycles - begun.cycles;
        }
    }
}
