//! Over and out of subroutines, in both directions.
//!
//! A call is an instruction that the processor's table calls so, or an interrupt. Forwards it has ended when the stack pointer is where it was; backwards it has
//! not ended while what it pushed still lies on the stack, above the stack pointer. Programs that play with the stack are
//! followed as far as that tells.

use super::cancel::Measure;
use super::cursor::{Cancel, ReplayCursor};
use super::search::{Found, Search};
use crate::cpu::instruction::{ControlFlow, Operation, StackAccess};
use crate::error::Error;
use crate::machine::{FrameEnd, Initiator, TraceFilter};
use crate::units::Position;

/// What matters of a place.
#[derive(Clone, Copy)]
struct Frame {
    /// The instruction that comes next.
    operation: &'static Operation,
    stack_pointer: u16,
}

impl ReplayCursor {
    fn frame(&self) -> Frame {
        let vm = self.session().vm();
        let cpu = vm.guest.cpu();
        let operation = cpu.kind().operation(cpu.pc(), |address| vm.guest.peek(address));
        Frame { operation, stack_pointer: cpu.stack_pointer() }
    }

    fn step_on(&mut self, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        let next = self.position().icount.saturating_add(1);
        self.run_to_arrival(next, cancel)
    }

    /// After the next instruction, or that after the wait, and after the subroutine that it calls.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn step_over(&mut self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        self.go_to(from, cancel)?;
        self.go_to_last(cancel, |_| true)?;
        if self.waits() {
            return self.run_to_end(from, cancel);
        }
        let call = self.frame();
        self.step_on(cancel)?;
        if call.operation.flow == ControlFlow::Call && self.frame().stack_pointer < call.stack_pointer {
            // Also after an interrupt that comes with the return, and where the subroutine drops its return address.
            self.run_to_frame_end(FrameEnd::Above(call.stack_pointer), cancel)?;
        }
        Ok(self.position())
    }

    /// After the instruction that ends the current subroutine or interrupt handler.
    ///
    /// # Errors
    /// The same as [`step_over`](ReplayCursor::step_over).
    pub fn step_out(&mut self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        self.go_to(from, cancel)?;
        self.run_to_frame_end(FrameEnd::Return(self.frame().stack_pointer), cancel)?;
        self.step_on(cancel)?;
        Ok(self.position())
    }

    fn is_return(&mut self, place: Position, cancel: &mut Cancel<'_>) -> Result<bool, Error> {
        self.go_to(place, cancel)?;
        // Where the CPU waits, the instruction after the wait is another one's business.
        Ok(!self.waits() && self.frame().operation.flow == ControlFlow::Return)
    }
}

impl Search {
    /// Where the current subroutine or interrupt handler was called from; the start when it was not.
    ///
    /// # Errors
    /// The same as [`ReplayCursor::step_over`].
    pub fn call_site(&self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let measure = cancel.covers(from.icount, self.start().icount);
        self.call_site_before(from, &measure, cancel)
    }

    fn call_site_before(
        &self,
        from: Position,
        measure: &Measure,
        cancel: &mut Cancel<'_>,
    ) -> Result<Position, Error> {
        let (start, mut below, last) = {
            let mut cursor = self.cursor(cancel)?;
            cursor.go_to(from, cancel)?;
            let last = cursor.session().vm().guest.cpu().kind().stack_last();
            (cursor.start(), cursor.frame().stack_pointer, last)
        };
        // What lies below was pushed by what has ended since, or is the caller's no more.
        if below >= last {
            return Ok(start);
        }
        let spec = TraceFilter::writes_to(below + 1, last);
        let mut accept = |found: &Found, cancel: &mut Cancel<'_>| {
            if found.record.address <= below {
                return Ok(false);
            }
            match self.pushed_by(found, cancel)? {
                Push::Call => Ok(true),
                Push::Data => {
                    below = found.record.address;
                    Ok(false)
                }
                Push::None => Ok(false),
            }
        };
        let found = self.measured_backward(from, &[spec], measure, cancel, &mut accept)?;
        found.map_or(Ok(start), |found| found.place(self, cancel))
    }

    /// Before the instruction before, and before the call of the subroutine that it has ended.
    ///
    /// # Errors
    /// The same as [`ReplayCursor::step_over`].
    pub fn reverse_step_over(&self, from: Position, cancel: &mut Cancel<'_>) -> Result<Position, Error> {
        let mut cursor = self.cursor(cancel)?;
        let measure = cancel.covers(from.icount, cursor.start().icount);
        let before = cursor.step_back(from, cancel)?;
        let is_return = before < from && cursor.is_return(before, cancel)?;
        drop(cursor);
        if is_return { self.call_site_before(before, &measure, cancel) } else { Ok(before) }
    }

    /// What has made a write to the stack.
    fn pushed_by(&self, found: &Found, cancel: &mut Cancel<'_>) -> Result<Push, Error> {
        let mut cursor = self.cursor(cancel)?;
        match cursor.explain(&found.record, cancel)?.initiator {
            Initiator::Interrupt => Ok(Push::Call),
            Initiator::Device(_) => Ok(Push::None),
            Initiator::Instruction => {
                cursor.place_before(found.record.at, cancel)?;
                let Operation { flow, stack, .. } = cursor.frame().operation;
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
