//! Over and out of subroutines, in both directions.
//!
//! A call is JSR, BRK or an interrupt. Forwards it has ended when the stack pointer is where it was; backwards it has
//! not ended while what it pushed still lies on the stack, above the stack pointer. Programs that play with the stack are
//! followed as far as that tells.

use super::navigator::{Navigator, Patience};
use super::patience::Measure;
use super::search::{Found, Search};
use crate::cpu::instruction::{ControlFlow, Operation, StackAccess};
use crate::cpu::mos6502::opcodes::opcode;
use crate::error::Error;
use crate::machine::{Author, FrameEnd, TapSpec};
use crate::units::Position;

const STACK: u16 = 0x0100;

/// What matters of a place.
#[derive(Clone, Copy)]
struct Frame {
    /// The instruction that comes next.
    operation: &'static Operation,
    sp: u8,
}

impl Navigator {
    fn frame(&self) -> Frame {
        let vm = self.session().vm();
        let cpu = vm.guest.cpu();
        Frame { operation: &opcode(cpu.variant(), vm.guest.peek(cpu.pc)).operation, sp: cpu.sp }
    }

    fn step_on(&mut self, patience: &mut Patience<'_>) -> Result<(), Error> {
        let next = self.position().icount.saturating_add(1);
        self.run_to_arrival(next, patience)
    }

    /// Behind the next instruction, or that after the wait, and behind the subroutine that it calls.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn step_over(&mut self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        self.go_to(from, patience)?;
        self.go_to_last(patience, |_| true)?;
        if self.waits() {
            return self.run_to_end(from, patience);
        }
        let call = self.frame();
        self.step_on(patience)?;
        if call.operation.flow == ControlFlow::Call && self.frame().sp < call.sp {
            // Also behind an interrupt that comes with the return, and where the subroutine drops its return address.
            self.run_to_frame_end(FrameEnd::Above(call.sp), patience)?;
        }
        Ok(self.position())
    }

    /// Behind the instruction that ends the current subroutine or interrupt handler.
    ///
    /// # Errors
    /// As for [`step_over`](Navigator::step_over).
    pub fn step_out(&mut self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        self.go_to(from, patience)?;
        self.run_to_frame_end(FrameEnd::Return(self.frame().sp), patience)?;
        self.step_on(patience)?;
        Ok(self.position())
    }

    fn is_return(&mut self, place: Position, patience: &mut Patience<'_>) -> Result<bool, Error> {
        self.go_to(place, patience)?;
        // Where the CPU waits, the instruction after the wait is another one's business.
        Ok(!self.waits() && self.frame().operation.flow == ControlFlow::Return)
    }
}

impl Search {
    /// Where the current subroutine or interrupt handler was called from; the start when it was not.
    ///
    /// # Errors
    /// As for [`Navigator::step_over`].
    pub fn call_site(&self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        let measure = patience.covers(from.icount, self.start().icount);
        self.call_site_before(from, &measure, patience)
    }

    fn call_site_before(
        &self,
        from: Position,
        measure: &Measure,
        patience: &mut Patience<'_>,
    ) -> Result<Position, Error> {
        let (start, sp) = {
            let mut navigator = self.navigator(patience)?;
            navigator.go_to(from, patience)?;
            (navigator.start(), navigator.frame().sp)
        };
        // What lies below was pushed by what has ended since, or is the caller's no more.
        let mut below = STACK + u16::from(sp);
        let spec = TapSpec::writes_to(below + 1, STACK + 0xFF);
        if spec.first > spec.last {
            return Ok(start);
        }
        let mut accept = |found: &Found, patience: &mut Patience<'_>| {
            if found.sighting.address <= below {
                return Ok(false);
            }
            match self.pushed_by(found, patience)? {
                Push::Call => Ok(true),
                Push::Data => {
                    below = found.sighting.address;
                    Ok(false)
                }
                Push::None => Ok(false),
            }
        };
        let found = self.measured_backward(from, &[spec], measure, patience, &mut accept)?;
        Ok(found.map_or(start, |found| found.place))
    }

    /// Before the instruction before, and before the call of the subroutine that it has ended.
    ///
    /// # Errors
    /// As for [`Navigator::step_over`].
    pub fn reverse_step_over(&self, from: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        let mut navigator = self.navigator(patience)?;
        let measure = patience.covers(from.icount, navigator.start().icount);
        let before = navigator.step_back(from, patience)?;
        let is_return = before < from && navigator.is_return(before, patience)?;
        drop(navigator);
        if is_return { self.call_site_before(before, &measure, patience) } else { Ok(before) }
    }

    /// What has made a write to the stack.
    fn pushed_by(&self, found: &Found, patience: &mut Patience<'_>) -> Result<Push, Error> {
        let mut navigator = self.navigator(patience)?;
        match navigator.explain(&found.sighting, patience)?.author {
            Author::Interrupt => Ok(Push::Call),
            Author::Device(_) => Ok(Push::None),
            Author::Instruction => {
                navigator.go_to(found.place, patience)?;
                let Operation { flow, stack, .. } = navigator.frame().operation;
                Ok(match (flow, stack) {
                    (ControlFlow::Call, _) => Push::Call,
                    (_, StackAccess::Push(_)) => Push::Data,
                    _ => Push::None,
                })
            }
        }
    }
}

/// What a write to the stack was.
enum Push {
    /// A return address, or the flags with it.
    Call,
    /// Something else that was pushed.
    Data,
    /// No push at all.
    None,
}
