//! Where two recordings of one board part: the first event and the first instruction that differ.

use super::Run;
use crate::cpu::Instruction;
use crate::cursor::cancel::{Cancel, Measure};
use crate::cursor::queries::Access;
use crate::error::Error;
use crate::log::{EventCursor, EventKind, LogReader, StampedEvent};
use crate::machine::board::Board;
use crate::persist::Value;
use crate::session::Session;
use crate::sync::Shared;
use crate::units::Position;

/// Events that say how a run was recorded and in which pieces, and not what came into it or out of it.
const OWN_KINDS: [EventKind; 3] = [EventKind::Checkpoint, EventKind::Digest, EventKind::Snapshot];

/// Differing bytes whose last writes are looked up.
const BYTES_EXPLAINED_MAX: usize = 16;

/// Bytes of the address space.
const MEMORY_BYTES: usize = 1 << 16;

/// One recording where two part.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its first event that the other has not in this place; `None` where it has no more.
    pub event: Option<StampedEvent>,
    /// The instruction after which the machines differ.
    pub instruction: Option<Instruction>,
    /// The last place at which they are the same.
    pub before: Position,
    /// The first place at which they differ.
    pub after: Position,
}

/// A byte of memory that differs, with the last write to it on each side.
#[derive(Clone, Debug)]
pub struct ByteDifference {
    /// Where.
    pub address: u16,
    /// What the first has there.
    pub a: u8,
    /// What the second has there.
    pub b: u8,
    /// What has written it in the first; not looked up for more than a few bytes.
    pub writer_a: Option<Access>,
    /// The same of the second.
    pub writer_b: Option<Access>,
}

/// A field of a device that differs.
#[derive(Clone, Debug)]
pub struct DeviceDifference {
    /// The device's name.
    pub device: String,
    /// The field's.
    pub field: &'static str,
    /// What the first has there.
    pub a: Value,
    /// What the second has there.
    pub b: Value,
}

/// How two recordings differ first.
#[derive(Clone, Debug)]
pub struct RunDifference {
    /// The first recording.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// The last number of instructions at which the machines are in one state; `None` when they always are, or never.
    pub icount: Option<u64>,
    /// Registers that differ after that instruction, by name.
    pub registers: Vec<(&'static str, u16, u16)>,
    /// Bytes that differ there.
    pub memory: Vec<ByteDifference>,
    /// Fields of devices that differ there.
    pub devices: Vec<DeviceDifference>,
}

/// Two recordings can be compared when they are of one board.
///
/// # Errors
/// [`Error::Argument`] says how the boards differ.
pub fn require_same_board(a: &Board, b: &Board) -> Result<(), Error> {
    if a == b {
        return Ok(());
    }
    let how = if a.name == b.name {
        let (one, other) = (a.to_toml(), b.to_toml());
        let (mut lines, mut others) = (one.lines(), other.lines());
        loop {
            let (line, other) = (lines.next(), others.next());
            if line != other || line.is_none() {
                let (line, other) = (line.unwrap_or("nothing"), other.unwrap_or("nothing"));
                break format!("both called {}, with '{line}' in the one and '{other}' in the other", a.name);
            }
        }
    } else {
        format!("{} and {}", a.name, b.name)
    };
    Err(Error::Argument(format!(
        "the recordings are of different boards, {how}: there is nothing to compare"
    )))
}

/// The first difference between two recordings of one board: `None` when they are of the same run.
///
/// Events are compared in order; then the place at which the machines part is found by bisection, assuming that machines
/// which have parted do not come together again. Progress is counted in instructions for which it is settled whether the
/// machines are the same.
///
/// # Errors
/// Recordings that have no instruction in common, one that does not replay, a user who wants to stop.
pub fn diff(a: Run<'_>, b: Run<'_>, cancel: &mut Cancel<'_>) -> Result<Option<RunDifference>, Error> {
    let events = first_events(a.reader, b.reader, cancel)?;
    let (start, last) = shared_part(a, b, cancel)?;
    // Backwards, so that it counts what is settled and not where a replay is.
    let measure = cancel.covers(last, start);
    let both = Both { a, b, last, measure };
    let first = events.0.as_ref().or(events.1.as_ref()).map(|event| event.position.icount);
    let likely = first.map_or(last, |icount| (icount + 1).max(start)).min(last);
    let Some(differing) = both.first_differing(start, likely, cancel)? else {
        let Some(at) = [&events.0, &events.1].into_iter().flatten().map(|event| event.position.icount).min()
        else {
            return Ok(None);
        };
        let at = at.clamp(start, last);
        let (a, b) = (side(a, events.0, at, at, cancel)?, side(b, events.1, at, at, cancel)?);
        let (registers, memory, devices) = Default::default();
        return Ok(Some(RunDifference { a, b, icount: None, registers, memory, devices }));
    };
    let before = differing.saturating_sub(1).max(start);
    let sides =
        (side(a, events.0, before, differing, cancel)?, side(b, events.1, before, differing, cancel)?);
    both.difference_of(sides, (differing != start).then_some(before), cancel).map(Some)
}

/// The instructions that both recordings have.
fn shared_part(a: Run<'_>, b: Run<'_>, cancel: &mut Cancel<'_>) -> Result<(u64, u64), Error> {
    let mut extent = |run: Run<'_>| {
        let cursor = run.search.cursor(cancel)?;
        Ok::<_, Error>((cursor.start().icount, cursor.end().icount))
    };
    let (one, other) = (extent(a)?, extent(b)?);
    let (start, last) = (one.0.max(other.0), one.1.min(other.1));
    if start > last {
        return Err(Error::Argument(
            "the recordings are of different parts of a run: they have no instruction in common".into(),
        ));
    }
    Ok((start, last))
}

/// The first events that are not the same; twice `None` when all are.
fn first_events(
    a: &Shared<LogReader>,
    b: &Shared<LogReader>,
    cancel: &mut Cancel<'_>,
) -> Result<(Option<StampedEvent>, Option<StampedEvent>), Error> {
    let of = |reader: &Shared<LogReader>| {
        let events = EventCursor::new(reader.clone());
        events.filter(|event| !event.as_ref().is_ok_and(|event| OWN_KINDS.contains(&event.event.kind())))
    };
    let (mut rest_a, mut rest_b) = (of(a), of(b));
    loop {
        cancel.spend(1)?;
        let (one, other) = (rest_a.next().transpose()?, rest_b.next().transpose()?);
        let are_same = match (&one, &other) {
            (Some(one), Some(other)) => (one.position, &one.event) == (other.position, &other.event),
            _ => false,
        };
        if !are_same {
            return Ok((one, other));
        }
    }
}

fn side(
    run: Run<'_>,
    event: Option<StampedEvent>,
    before: u64,
    differing: u64,
    cancel: &mut Cancel<'_>,
) -> Result<Side, Error> {
    let mut cursor = run.search.cursor(cancel)?;
    let place = cursor.seek(before, cancel)?;
    if before == differing {
        return Ok(Side { event, instruction: None, before: place, after: place });
    }
    let instruction = cursor.session().disassemble(None, 1).pop();
    let after = cursor.seek(differing, cancel)?;
    Ok(Side { event, instruction, before: place, after })
}

/// The two replays, and how far they are compared.
struct Both<'a> {
    a: Run<'a>,
    b: Run<'a>,
    last: u64,
    measure: Measure,
}

impl Both<'_> {
    fn are_same(&self, icount: u64, cancel: &mut Cancel<'_>) -> Result<bool, Error> {
        let digests = |run: Run<'_>, cancel: &mut Cancel<'_>| {
            let mut cursor = run.search.cursor(cancel)?;
            cursor.seek(icount, cancel)?;
            Ok::<_, Error>(cursor.session().digests())
        };
        Ok(digests(self.a, cancel)? == digests(self.b, cancel)?)
    }

    /// For so many instructions it is known whether the machines are the same.
    fn settle(&self, count: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.measure.reach(self.last.saturating_sub(count), cancel);
        if cancel.is_over() { Err(Cancel::stopped()) } else { Ok(()) }
    }

    /// The first icount at which the machines differ: searched from `start` through `likely`, then on to the last one.
    fn first_differing(
        &self,
        start: u64,
        likely: u64,
        cancel: &mut Cancel<'_>,
    ) -> Result<Option<u64>, Error> {
        if !self.are_same(start, cancel)? {
            return Ok(Some(start));
        }
        self.settle(0, cancel)?;
        let (mut equal, mut differing, mut step) = (start, likely, 1);
        while self.are_same(differing, cancel)? {
            self.settle(differing.min(self.last - differing + equal) - start, cancel)?;
            if differing == self.last {
                return Ok(None);
            }
            (equal, differing) = (differing, (differing + step).min(self.last));
            step *= 4;
        }
        while differing - equal > 1 {
            let middle = equal + (differing - equal) / 2;
            let is_same = self.are_same(middle, cancel)?;
            // Either half may be left.
            self.settle(self.last - start - (differing - middle).max(middle - equal), cancel)?;
            (equal, differing) = if is_same { (middle, differing) } else { (equal, middle) };
        }
        Ok(Some(differing))
    }

    fn difference_of(
        &self,
        (a, b): (Side, Side),
        icount: Option<u64>,
        cancel: &mut Cancel<'_>,
    ) -> Result<RunDifference, Error> {
        let (one, other) = (state_at(self.a, a.after, cancel)?, state_at(self.b, b.after, cancel)?);
        let mut memory = Vec::new();
        let bytes = (0..=u16::MAX).zip(one.memory.iter().zip(&other.memory));
        for (address, (&a_byte, &b_byte)) in bytes.filter(|(_, (a, b))| a != b) {
            let is_explained = memory.len() < BYTES_EXPLAINED_MAX;
            let mut writer = |run: Run<'_>, before: Position| match is_explained {
                true => run.search.last_write(address, before, cancel),
                false => Ok(None),
            };
            let (writer_a, writer_b) = (writer(self.a, a.after)?, writer(self.b, b.after)?);
            memory.push(ByteDifference { address, a: a_byte, b: b_byte, writer_a, writer_b });
        }
        let registers = one.registers.iter().zip(&other.registers).filter(|(one, other)| one != other);
        let registers = registers.map(|(one, other)| (one.0, one.1, other.1)).collect();
        let devices = one.devices.into_iter().zip(other.devices).filter(|(one, other)| one != other);
        let devices =
            devices.map(|((device, field, a), (_, _, b))| DeviceDifference { device, field, a, b }).collect();
        Ok(RunDifference { a, b, icount, registers, memory, devices })
    }
}

/// What can differ of a machine.
struct State {
    registers: Vec<(&'static str, u16)>,
    memory: Vec<u8>,
    devices: Vec<(String, &'static str, Value)>,
}

fn state_at(run: Run<'_>, place: Position, cancel: &mut Cancel<'_>) -> Result<State, Error> {
    let mut cursor = run.search.cursor(cancel)?;
    cursor.go_to(place, cancel)?;
    let session: &Session = cursor.session();
    let registers = session.registers().iter().map(|(register, value)| (register.name, value)).collect();
    let mut devices = Vec::new();
    for (device, _) in session.devices() {
        let fields = session.device_state(&device)?;
        devices.extend(fields.into_iter().map(|(field, value)| (device.clone(), field, value)));
    }
    Ok(State { registers, memory: session.memory(0, MEMORY_BYTES), devices })
}
