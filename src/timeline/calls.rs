//! Over and out of subroutines, in both directions.
//!
//! A call is JSR, BRK or an interrupt; what ends it is the RTS or RTI that pulls what the call has pushed. Programs that
//! play with the stack are followed as far as the stack pointer tells.

use super::navigator::{Navigator, Patience};
use crate::error::Error;
use crate::units::Position;

const BRK: u8 = 0x00;
const JSR: u8 = 0x20;
const RTI: u8 = 0x40;
const RTS: u8 = 0x60;

/// Instructions of the first stretch in which the call of the current subroutine is looked for.
const FIRST_STRETCH: u64 = 4_000;
/// What a single step costs, in the instructions that would run meanwhile.
const STEP_WORK: u64 = 50;

/// What matters of a place.
#[derive(Clone, Copy)]
struct Frame {
    at: Position,
    opcode: u8,
    sp: u8,
}

/// A call that has not ended.
struct Call {
    place: Position,
    /// The stack pointer before it.
    sp: u8,
}

impl Navigator {
    fn frame(&self) -> Frame {
        let world = self.session().world();
        let cpu = world.guest.cpu();
        Frame { at: cpu.position(), opcode: world.guest.peek(cpu.pc), sp: cpu.sp }
    }

    fn step_on(&mut self, patience: &mut Patience<'_>) -> Result<Frame, Error> {
        patience.spend(STEP_WORK)?;
        let next = self.position().icount.saturating_add(1);
        self.run_to_arrival(next, patience)?;
        Ok(self.frame())
    }

    /// Behind the next instruction, and behind the subroutine that it calls.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn step_over(&mut self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        self.go_to(from, patience)?;
        let call = self.frame();
        let mut now = self.step_on(patience)?;
        if call.opcode != JSR && call.opcode != BRK {
            return Ok(now.at);
        }
        // Also behind an interrupt that comes with the return, and where the subroutine drops its return address.
        while !self.has_ended() && now.sp < call.sp {
            now = self.step_on(patience)?;
        }
        Ok(now.at)
    }

    /// Behind the instruction that ends the current subroutine or interrupt handler.
    ///
    /// # Errors
    /// As for [`step_over`](Navigator::step_over).
    pub fn step_out(&mut self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        self.go_to(from, patience)?;
        let mut now = self.frame();
        let sp = now.sp;
        while !self.has_ended() {
            let returns = matches!(now.opcode, RTS | RTI) && now.sp >= sp;
            now = self.step_on(patience)?;
            if returns {
                break;
            }
        }
        Ok(now.at)
    }

    /// Where the current subroutine or interrupt handler was called from; the start when it was not.
    ///
    /// # Errors
    /// As for [`step_over`](Navigator::step_over).
    pub fn call_site(&mut self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        let mut length = FIRST_STRETCH;
        loop {
            let first = from.icount.saturating_sub(length).max(self.start().icount);
            if let Some(place) = self.call_since(first, from, patience)? {
                return Ok(place);
            }
            if first == self.start().icount {
                return Ok(self.start());
            }
            length = length.saturating_mul(4);
        }
    }

    /// The last call, made since `first`, that has not ended at `from`.
    fn call_since(
        &mut self,
        first: u64,
        from: Position,
        patience: &mut Patience<'_>,
    ) -> Result<Option<Position>, Error> {
        self.seek(first, patience)?;
        let mut calls: Vec<Call> = Vec::new();
        let mut before = self.frame();
        while !self.has_ended() && before.at < from {
            let now = self.step_on(patience)?;
            if now.at > from {
                // Between the two the CPU waited.
                break;
            }
            let returned = matches!(before.opcode, RTS | RTI);
            if returned {
                while calls.last().is_some_and(|call| call.sp <= now.sp) {
                    calls.pop();
                }
            }
            let pushed = before.sp.wrapping_sub(now.sp);
            let is_call = match before.opcode {
                JSR => pushed >= 2,
                BRK => pushed >= 3,
                // Three bytes more than the instruction leaves: an interrupt came behind it.
                _ => (3..0x80).contains(&pushed),
            };
            if is_call {
                calls.push(Call { place: before.at, sp: before.sp });
            }
            before = now;
        }
        Ok(calls.pop().map(|call| call.place))
    }

    /// Before the instruction before, and before the call of the subroutine that it has ended.
    ///
    /// # Errors
    /// As for [`step_over`](Navigator::step_over).
    pub fn reverse_step_over(
        &mut self,
        from: Position,
        patience: &mut Patience<'_>,
    ) -> Result<Position, Error> {
        let before = self.step_back(from, patience)?;
        self.go_to(before, patience)?;
        if matches!(self.frame().opcode, RTS | RTI) {
            return self.call_site(before, patience);
        }
        Ok(before)
    }
}
