//! Questions about a run: who wrote a byte, and all accesses to a range.

use super::search::Search;
use super::{Cancel, Goal, ReplayCursor};
use crate::error::Error;
use crate::machine::{AccessRecord, HookKind, Initiator, TraceFilter};
use crate::units::Position;

/// Instructions of a stretch whose accesses are taken in at once.
const STRETCH: u64 = 200_000;
/// Accesses that a table holds: some 50 bytes each.
pub const ACCESSES_MAX: usize = 10_000_000;

/// An access to data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Access {
    /// Instructions retired before it.
    pub icount: u64,
    /// The exact clock cycle.
    pub cycles: u64,
    /// Where the instruction begins that made it; `None` when it was none.
    pub pc: Option<u16>,
    /// The address.
    pub address: u16,
    /// What memory held before a write; `None` for a read, and where a device answers.
    pub old: Option<u8>,
    /// The byte read or written.
    pub new: u8,
    /// Whether it is a write.
    pub is_write: bool,
    /// Who made it: `cpu`, `interrupt` (the CPU on its way into a handler), or a device by its name.
    pub by: String,
}

/// Which accesses a table is to hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessQuery {
    /// The first address.
    pub first: u16,
    /// The last address.
    pub last: u16,
    /// Whether reads belong to it.
    pub reads: bool,
    /// Whether writes belong to it.
    pub writes: bool,
    /// The first icount, the recording's start when not given.
    pub start: Option<u64>,
    /// The first icount that does not belong to it, the recording's end when not given.
    pub stop: Option<u64>,
}

impl ReplayCursor {
    /// An access as users see it.
    pub fn access(&self, record: &AccessRecord) -> Access {
        let by = match record.initiator {
            Initiator::Instruction => "cpu".to_owned(),
            Initiator::Interrupt => "interrupt".to_owned(),
            Initiator::Device(slot) => {
                let vm = self.session().vm();
                let name = vm.guest.devices().nth(slot).map(|slot| slot.name.clone());
                name.unwrap_or_else(|| "device".to_owned())
            }
        };
        Access {
            icount: record.at.icount,
            cycles: record.at.cycles,
            pc: record.pc,
            address: record.address,
            old: record.old,
            new: record.value,
            is_write: record.kind == HookKind::Write,
            by,
        }
    }

    /// All accesses to a range of addresses, in order, handed to `take` one by one.
    ///
    /// # Errors
    /// The same as [`Search::last_write`], or [`Error::Argument`] for more than [`ACCESSES_MAX`].
    pub fn accesses(
        &mut self,
        query: &AccessQuery,
        cancel: &mut Cancel<'_>,
        take: &mut dyn FnMut(Access),
    ) -> Result<(), Error> {
        let start = query.start.unwrap_or(0);
        // Behind the end there is nothing, and no way there: a wait lasts to the end without an instruction.
        if start > self.end().icount {
            return Ok(());
        }
        let stop = query.stop.unwrap_or(u64::MAX).min(self.end().icount.saturating_add(1));
        let (reads, writes) = (query.reads, query.writes);
        let spec = TraceFilter { reads, writes, with_pc: true, ..TraceFilter::of(query.first, query.last) };
        let wanted = self.wanted(&[spec]);
        // From before the first instruction: what an interrupt pushes has the icount of the handler's first one.
        self.rewind(Position::new(start, 0))?;
        let _ = cancel.covers(start.max(self.start().icount), stop.min(self.end().icount));
        let mut count = 0;
        while !self.has_ended() && self.position().icount < stop && self.position() < self.end() {
            let here = self.position();
            if here.icount.saturating_add(STRETCH) < start {
                self.seek(start - 1, cancel)?;
                continue;
            }
            self.skip_irrelevant(&wanted, stop)?;
            let goal = self.position().icount.saturating_add(STRETCH).min(stop);
            let goal = if goal >= self.end().icount { Goal::Place(self.end()) } else { Goal::Arrival(goal) };
            for record in self.watch(&[spec], goal, cancel)?.iter().flat_map(|trace| trace.seen()) {
                if !(start..stop).contains(&record.at.icount) {
                    continue;
                }
                count += 1;
                if count > ACCESSES_MAX {
                    return Err(Error::Argument(format!(
                        "there are more than {ACCESSES_MAX} accesses: ask for fewer addresses, or a part of the run \
                         (start=..., stop=...)"
                    )));
                }
                take(self.access(record));
            }
        }
        Ok(())
    }
}

impl Search {
    /// The last write to an address that was made when the machine stood at a place.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn last_write(
        &self,
        address: u16,
        before: Position,
        cancel: &mut Cancel<'_>,
    ) -> Result<Option<Access>, Error> {
        // The last record of a stretch is the one.
        let spec = TraceFilter { kept_max: 1, ..TraceFilter::writes_to(address, address) };
        let found = self.backward(before, &[spec], cancel, &mut |_, _| Ok(true))?;
        let Some(found) = found else { return Ok(None) };
        let mut cursor = self.cursor(cancel)?;
        let explained = cursor.explain(&found.record, cancel)?;
        Ok(Some(cursor.access(&explained)))
    }
}
