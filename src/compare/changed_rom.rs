//! What a changed ROM does to a recorded run: where the ROM differs, and the first instruction with another effect.
//!
//! Until an instruction that holds a changed byte is executed, or a changed byte is read, nothing can differ. So the recording
//! is searched for those, and each is executed once with the changed ROM, from the state that the recording has there. What
//! has the same effect all the same (a byte that is masked out, a branch that is not taken) is passed over: up to there both
//! are the same run.

use super::Run;
use super::state_differences;
use crate::cpu::{CpuKind, INSTRUCTION_BYTES_MAX, Instruction};
use crate::cursor::{Cancel, Goal, ReplayCursor};
use crate::error::Error;
use crate::machine::board::{ImageInput, RegionKind};
use crate::machine::{AccessRecord, AccessTrace, HookKind, Initiator, TraceFilter};
use crate::replay::FieldDifference;
use crate::session::Session;
use crate::units::Position;
use std::fmt;

/// Ranges of addresses that are looked for at a time. Of more differing bytes, the nearest are looked for together.
const RANGES_MAX: usize = 32;
/// Bytes of the longest instruction.
const INSTRUCTION_MAX: u16 = INSTRUCTION_BYTES_MAX as u16;
/// Differences that are shown of a machine.
const SHOWN_MAX: usize = 3;
/// Bytes of the address space.
const MEMORY_BYTES: usize = 1 << 16;

/// What is looked at of a single instruction.
const EVERYTHING: TraceFilter =
    TraceFilter { executes: true, reads: true, with_pc: true, ..TraceFilter::writes_to(0, u16::MAX) };

/// Addresses at which two ROMs differ, one after the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RomSpan {
    /// The first address.
    pub first: u16,
    /// The last address.
    pub last: u16,
    /// What was recorded there.
    pub recorded: Vec<u8>,
    /// What the changed ROM has there.
    pub changed: Vec<u8>,
}

/// The first instruction of a recording that has another effect on the changed ROM.
#[derive(Clone, Debug)]
pub struct FirstEffect {
    /// Where it is about to be executed; the last place at which both are the same run.
    pub place: Position,
    /// The instruction of the recording.
    pub recorded: Instruction,
    /// The instruction of the changed ROM.
    pub changed: Instruction,
    /// Whether it is an interrupt that leads to them, and not what comes at the place.
    pub is_interrupt: bool,
    /// How the machine differs after it: what was recorded, and what the changed ROM does.
    pub differences: Vec<FieldDifference>,
    /// How the changed run leaves the recording at once, if it does.
    pub divergence: Option<String>,
}

/// How a changed ROM differs from that of a recording, and from where on the run does.
#[derive(Clone, Debug)]
pub struct RomDifference {
    /// Where the ROM differs, in order; at least one place.
    pub spans: Vec<RomSpan>,
    /// The first instruction with another effect; `None` when no instruction of the recording has one.
    pub effect: Option<FirstEffect>,
}

impl fmt::Display for RomDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the ROM differs at {}", self.spans.first().map_or_else(String::new, RomSpan::range))?;
        match self.spans.len() {
            0 | 1 => {}
            2 => f.write_str(" and in 1 more place")?,
            count => write!(f, " and in {} more places", count - 1)?,
        }
        let Some(effect) = &self.effect else {
            return f.write_str(", and no instruction of the recording has another effect");
        };
        let FirstEffect { place, recorded, changed, is_interrupt, differences, divergence } = effect;
        let shown =
            |instruction: &Instruction| format!("${:04X} {}", instruction.address, instruction.text());
        write!(
            f,
            ", the first instruction with another effect is {} at icount {}",
            shown(changed),
            place.icount
        )?;
        if *is_interrupt {
            f.write_str(", where an interrupt leads")?;
        }
        if (changed.address, &changed.bytes) != (recorded.address, &recorded.bytes) {
            write!(f, ", which was {}", shown(recorded))?;
        }
        for (number, difference) in differences.iter().take(SHOWN_MAX).enumerate() {
            let FieldDifference { subsystem, field, expected, found } = difference;
            let before = if number == 0 { ": " } else { ", " };
            write!(f, "{before}{subsystem} {field} is {found} and was {expected}")?;
        }
        if differences.len() > SHOWN_MAX {
            write!(f, ", and {} more", differences.len() - SHOWN_MAX)?;
        }
        match divergence {
            Some(how) => write!(f, "; {how}"),
            None => Ok(()),
        }
    }
}

impl RomSpan {
    fn range(&self) -> String {
        match self.first == self.last {
            true => format!("${:04X}", self.first),
            false => format!("${:04X}-${:04X}", self.first, self.last),
        }
    }
}

/// The bytes of ROM that differ, and all memory as it was recorded.
struct Changes {
    /// Addresses in order, with what was recorded and what the changed ROM has.
    bytes: Vec<(u16, u8, u8)>,
    recorded: Vec<u8>,
    cpu: CpuKind,
    /// The first addresses that are executed, where the recording begins at power-on with the processor's reset.
    entries: Option<(u16, u16)>,
}

impl Changes {
    /// Of the ROM that a replay at its start has, against that of its board with other images.
    fn of(replay: &Session, images: &[ImageInput]) -> Result<Self, Error> {
        let board = replay.board();
        let changed = Session::new(board.clone(), images.to_vec())?;
        if changed.board() != board {
            return Err(Error::Argument(format!(
                "these images make another board of {}: its ROM cannot take the place of the recorded one",
                board.name
            )));
        }
        if board.regions.iter().all(|region| region.kind != RegionKind::Rom) {
            return Err(Error::Argument(format!(
                "the board {} has no ROM: its program is in RAM, with which a recording begins",
                board.name
            )));
        }
        let (recorded, other) = (replay.memory(0, MEMORY_BYTES), changed.memory(0, MEMORY_BYTES));
        let roms = board.regions.iter().filter(|region| region.kind == RegionKind::Rom);
        let addresses = roms.flat_map(|region| region.start..=region.end);
        let both = addresses.map(|at| (at, recorded[usize::from(at)], other[usize::from(at)]));
        let mut bytes: Vec<_> = both.filter(|(_, one, other)| one != other).collect();
        bytes.sort_unstable();
        let (from, to) = (replay.registers().pc(), changed.registers().pc());
        let is_reset = replay.position().icount == 0 && begins_after_reset(replay)?;
        let cpu = replay.vm().guest.cpu().kind();
        Ok(Self { bytes, recorded, cpu, entries: is_reset.then_some((from, to)) })
    }

    /// Whether one of so many bytes differs.
    fn contains(&self, first: u16, count: u16) -> bool {
        let at = self.bytes.partition_point(|(address, ..)| *address < first);
        self.bytes.get(at).is_some_and(|(address, ..)| address - first < count)
    }

    /// Whether what was recorded has read a byte that differs, as data or as a part of an instruction.
    fn may_show_in(&self, record: &AccessRecord) -> bool {
        match record.kind {
            HookKind::Read => self.contains(record.address, 1),
            HookKind::Execute => {
                let byte = |address| self.recorded[usize::from(address)];
                let length = self.cpu.length(record.address, byte);
                self.contains(record.address, length)
            }
            HookKind::Write => false,
        }
    }

    /// Addresses in a row.
    fn spans(&self) -> Vec<RomSpan> {
        let mut spans: Vec<RomSpan> = Vec::new();
        for &(address, recorded, changed) in &self.bytes {
            match spans.last_mut() {
                Some(span) if span.last + 1 == address => {
                    span.last = address;
                    span.recorded.push(recorded);
                    span.changed.push(changed);
                }
                _ => spans.push(RomSpan {
                    first: address,
                    last: address,
                    recorded: vec![recorded],
                    changed: vec![changed],
                }),
            }
        }
        spans
    }

    /// What is looked for: reads of these bytes, and instructions that may hold one, in a few ranges.
    fn filters(&self) -> Vec<TraceFilter> {
        let mut gaps: Vec<u16> = self.bytes.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        gaps.sort_unstable_by(|one, other| other.cmp(one));
        // Only the widest gaps part two ranges.
        let joined = gaps.get(RANGES_MAX - 1).copied().unwrap_or(0).max(INSTRUCTION_MAX);
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for &(address, ..) in &self.bytes {
            match ranges.last_mut() {
                Some((_, last)) if address - *last <= joined => *last = address,
                _ => ranges.push((address.saturating_sub(INSTRUCTION_MAX - 1), address)),
            }
        }
        let filter =
            |(first, last)| TraceFilter { executes: true, reads: true, ..TraceFilter::of(first, last) };
        ranges.into_iter().map(filter).collect()
    }
}

/// Compares the ROM of a recording with a changed one: what the board has with other images. `None` when it is the same.
/// `replay` is a replay of the recording at its start.
///
/// # Errors
/// Images that do not fit the board, a recording that does not replay, a user who wants to stop.
pub fn changed_rom(
    run: Run<'_>,
    replay: Session,
    images: &[ImageInput],
    cancel: &mut Cancel<'_>,
) -> Result<Option<RomDifference>, Error> {
    let changes = Changes::of(&replay, images)?;
    if changes.bytes.is_empty() {
        return Ok(None);
    }
    for &(address, _, changed) in &changes.bytes {
        replay.vm().guest.poke(address, &[changed])?;
    }
    let suspect = ReplayCursor::without_keyframes(replay, run.reader);
    let mut trial = Trial { run, changes: &changes, suspect };
    let (start, end) = (run.search.start(), run.search.cursor(cancel)?.end());
    let _ = cancel.covers(start.icount, end.icount);
    let mut effect = match changes.entries {
        Some((from, to)) if from != to => Some(trial.other_entry(start, from, to, cancel)?),
        // The search sees what comes after its start.
        _ => trial.effect_at(start, cancel)?,
    };
    if effect.is_none() {
        run.search.forward(start, &changes.filters(), cancel, &mut |found, cancel| {
            if !changes.may_show_in(&found.record) {
                return Ok(false);
            }
            effect = trial.effect_at(found.place(run.search, cancel)?, cancel)?;
            Ok(effect.is_some())
        })?;
    }
    Ok(Some(RomDifference { spans: changes.spans(), effect }))
}

/// Executes single instructions of a run with the changed ROM.
struct Trial<'a> {
    run: Run<'a>,
    changes: &'a Changes,
    suspect: ReplayCursor,
}

impl Trial<'_> {
    /// What the instruction at a place does otherwise, if it does, or the interrupt that comes there; both are the same run
    /// until there.
    fn effect_at(&mut self, place: Position, cancel: &mut Cancel<'_>) -> Result<Option<FirstEffect>, Error> {
        let mut reference = self.run.search.cursor(cancel)?;
        reference.go_to(place, cancel)?;
        self.suspect.stand_like(&reference)?;
        let [mut recorded, mut changed] =
            [&*reference, &self.suspect].map(|cursor| instruction_at(cursor, None));
        let goal = Goal::Arrival(place.icount.saturating_add(1));
        let traces = reference.watch(&[EVERYTHING], goal, cancel)?;
        let (other_traces, divergence) = match self.suspect.watch(&[EVERYTHING], goal, cancel) {
            Ok(traces) => (traces, None),
            Err(Error::Divergence(divergence)) => (Vec::new(), Some(divergence)),
            Err(error) => return Err(error),
        };
        if divergence.is_none() && self.suspect.is_like(&reference) {
            return Ok(None);
        }
        let is_interrupt = traces.iter().flat_map(AccessTrace::seen).any(|record| self.is_vector(record));
        if is_interrupt {
            recorded = instruction_at(&reference, first_of_handler(&traces));
            changed = instruction_at(&self.suspect, first_of_handler(&other_traces));
        }
        let differences = {
            let (mut expected, mut found) = (reference.session().vm(), self.suspect.session().vm());
            state_differences::beside_rom(&mut expected.guest, &mut found.guest).listed
        };
        let divergence = divergence.map(|divergence| {
            let expected = divergence.expected.as_ref();
            let expected = expected.map_or("no more events".to_owned(), |event| event.event.to_string());
            format!("the recording has {expected} there, and with this ROM the machine {}", divergence.found)
        });
        Ok(Some(FirstEffect { place, recorded, changed, is_interrupt, differences, divergence }))
    }

    /// Whether the processor has read a changed byte on its way into an interrupt handler.
    fn is_vector(&self, record: &AccessRecord) -> bool {
        (record.kind, record.initiator) == (HookKind::Read, Initiator::Interrupt)
            && self.changes.contains(record.address, 1)
    }

    /// The reset goes to another address.
    fn other_entry(
        &mut self,
        start: Position,
        from: u16,
        to: u16,
        cancel: &mut Cancel<'_>,
    ) -> Result<FirstEffect, Error> {
        let reference = self.run.search.cursor(cancel)?;
        let field = |value| format!("${value:04X}");
        let difference = FieldDifference {
            subsystem: "cpu".to_owned(),
            field: "pc".to_owned(),
            expected: field(from),
            found: field(to),
        };
        Ok(FirstEffect {
            place: start,
            recorded: instruction_at(&reference, Some(from)),
            changed: instruction_at(&self.suspect, Some(to)),
            is_interrupt: false,
            differences: vec![difference],
            divergence: None,
        })
    }
}

/// Whether a machine stands where a reset leads to, and nobody has set it to begin elsewhere.
fn begins_after_reset(machine: &Session) -> Result<bool, Error> {
    let reset = machine.copy();
    reset.reset()?;
    Ok(reset.registers().pc() == machine.registers().pc())
}

/// The instruction that is executed after an interrupt sequence, in a trace of everything; `None` where none is.
fn first_of_handler(traces: &[AccessTrace]) -> Option<u16> {
    let mut seen = traces.iter().flat_map(AccessTrace::seen);
    seen.find(|record| record.initiator == Initiator::Interrupt)?;
    seen.find(|record| record.kind == HookKind::Execute).map(|record| record.address)
}

fn instruction_at(cursor: &ReplayCursor, address: Option<u16>) -> Instruction {
    let vm = cursor.session().vm();
    let cpu = vm.guest.cpu();
    cpu.kind().decode(address.unwrap_or(cpu.pc()), |address| vm.guest.peek(address))
}
