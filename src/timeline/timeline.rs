//! A place in a recording, and the ways from it.

use super::graph::OriginNode;
use super::helper::Helper;
use super::navigator::{Navigator, Patience};
use super::origin;
use super::queries::{self, Access, AccessQuery};
use super::search::{self, Found, Stretches};
use crate::error::Error;
use crate::log::{Event, EventKind, Header, LogError, LogWriter, Options};
use crate::machine::board::ImageInput;
use crate::machine::{HookKind, Profile, TapSpec};
use crate::recording::Recording;
use crate::session::Session;
use crate::sync::{Mutex, Shared, lock};
use crate::units::Position;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a place is to be stopped at; of a watchpoint, before the access that is given.
pub type Condition = Shared<dyn Fn(Position, Option<Access>) -> Result<bool, Error> + Send + Sync>;

/// What ends a run over the timeline.
#[derive(Clone)]
struct Point {
    tap: TapSpec,
    condition: Option<Condition>,
}

/// A breakpoint or watchpoint, for its removal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PointId(pub u64);

/// Why and where a run over the timeline ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineStop {
    /// `breakpoint`, `watchpoint`, `end` or `budget`.
    pub reason: &'static str,
    /// Where.
    pub place: Position,
    /// The next instruction's address.
    pub pc: u16,
    /// The breakpoint or watchpoint.
    pub point: Option<PointId>,
    /// The access that a watchpoint saw, which is made next.
    pub access: Option<Access>,
}

/// A recording to move in. Every method may be called from any thread.
pub struct Timeline {
    navigator: Mutex<Navigator>,
    start: Position,
    end: Position,
    place: Mutex<Position>,
    points: Mutex<BTreeMap<PointId, Point>>,
    next_point: Mutex<u64>,
    helper: Helper,
    stretches: Stretches,
    recording: Shared<Recording>,
    console: Mutex<Option<Console>>,
}

/// What the console printed, with the number of events up to each piece.
struct Console {
    bytes: Vec<u8>,
    ends: Vec<Printed>,
}

/// A piece of what the console printed.
struct Printed {
    /// Events passed when it was printed.
    events: u64,
    /// Bytes printed then.
    end: usize,
    /// Where it was printed.
    at: Position,
}

impl Console {
    fn read(recording: &Recording) -> Result<Self, Error> {
        let bytes = recording.output()?;
        let console = recording.console();
        let (mut ends, mut end) = (Vec::new(), 0);
        for event in recording.events(Some(EventKind::CharWrite), None, None)? {
            let event = event?;
            if let Event::CharWrite { device, bytes, .. } = &event.event
                && Some(usize::from(device.0)) == console
            {
                end += bytes.len();
                ends.push(Printed { events: event.ordinal.0 + 1, end, at: event.position });
            }
        }
        Ok(Self { bytes, ends })
    }

    /// What was printed when so many events had passed.
    fn before(&self, events: u64) -> &[u8] {
        let pieces = self.ends.partition_point(|piece| piece.events <= events);
        let end = pieces.checked_sub(1).map_or(0, |last| self.ends[last].end);
        self.bytes.get(..end).unwrap_or(&self.bytes)
    }
}

impl Timeline {
    /// A timeline that stands at the recording's first place. `images` stand in for ROM that the file holds only by hash;
    /// `budget` is what may be kept in memory, in bytes.
    ///
    /// # Errors
    /// A recording that cannot be replayed.
    pub fn new(recording: &Shared<Recording>, images: &[ImageInput], budget: usize) -> Result<Self, Error> {
        let session = recording.replay_with(images)?;
        let navigator = Navigator::new(session, recording.reader(), budget)?;
        let (start, end) = (navigator.start(), navigator.end());
        Ok(Self {
            navigator: Mutex::new(navigator),
            start,
            end,
            place: Mutex::new(start),
            points: Mutex::default(),
            next_point: Mutex::new(0),
            helper: Helper::new(recording.clone(), images.to_vec()),
            stretches: Stretches::default(),
            recording: recording.clone(),
            console: Mutex::new(None),
        })
    }

    /// Makes searches take as many turns on a short run as they take on a long one.
    #[cfg(feature = "testing")]
    pub(crate) fn with_stretches(self, first: u64, longest: u64) -> Self {
        Self { stretches: Stretches { first, longest }, ..self }
    }

    /// The recording's first place.
    pub fn start(&self) -> Position {
        self.start
    }

    /// Where the recording ends.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Where the timeline stands.
    pub fn place(&self) -> Position {
        *lock(&self.place)
    }

    /// States kept in memory, and an upper bound of their bytes.
    pub fn kept(&self) -> (usize, usize) {
        lock(&self.navigator).marks_size()
    }

    /// Shows the machine as it is at a place, and how many events of the log were taken there.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn look<T>(
        &self,
        place: Position,
        interrupted: &mut dyn FnMut() -> bool,
        question: impl FnOnce(&Session, u64) -> T,
    ) -> Result<T, Error> {
        let mut navigator = lock(&self.navigator);
        navigator.go_to(place, &mut Patience::new(interrupted))?;
        Ok(question(navigator.session(), navigator.events_passed()))
    }

    fn require_within(&self, icount: u64) -> Result<(), Error> {
        if (self.start.icount..=self.end.icount).contains(&icount) {
            return Ok(());
        }
        Err(Error::Argument(format!(
            "{icount} is not in the recording, which goes from icount {} to {}",
            self.start.icount, self.end.icount
        )))
    }

    /// The place where `icount` instructions have just retired. With `cycles` the first place at or behind that cycle,
    /// where the CPU waits meanwhile.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or [`Error::Argument`] for an icount that is not in the recording.
    pub fn place_at(
        &self,
        icount: u64,
        cycles: Option<u64>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Position, Error> {
        self.require_within(icount)?;
        let patience = &mut Patience::new(interrupted);
        let mut navigator = lock(&self.navigator);
        let arrival = navigator.seek(icount, patience)?;
        match cycles {
            Some(cycles) if cycles > arrival.cycles => {
                navigator.run_on_to(Position::new(icount, cycles.min(self.end.cycles)), patience)?;
                Ok(navigator.position())
            }
            _ => Ok(arrival),
        }
    }

    /// Goes to the place where `icount` instructions have just retired.
    ///
    /// # Errors
    /// As for [`place_at`](Timeline::place_at).
    pub fn seek(
        &self,
        icount: u64,
        cycles: Option<u64>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Position, Error> {
        let place = self.place_at(icount, cycles, interrupted)?;
        *lock(&self.place) = place;
        Ok(place)
    }

    /// Goes to a place that was given before.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn go_to(&self, place: Position, interrupted: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        self.require_within(place.icount)?;
        lock(&self.navigator).go_to(place, &mut Patience::new(interrupted))?;
        *lock(&self.place) = place;
        Ok(())
    }

    /// Where the instruction that retires as number `icount` is about to begin: behind the wait, where the CPU waits before
    /// it. The place of the wait where there is no such instruction.
    ///
    /// # Errors
    /// As for [`place_at`](Timeline::place_at).
    pub fn instruction_place(
        &self,
        icount: u64,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Position, Error> {
        self.require_within(icount)?;
        lock(&self.navigator).instruction_place(icount, &mut Patience::new(interrupted))
    }

    /// Goes to the last place before an access.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn go_before(
        &self,
        access: Position,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Position, Error> {
        self.require_within(access.icount)?;
        let place = lock(&self.navigator).place_before(access, &mut Patience::new(interrupted))?;
        *lock(&self.place) = place;
        Ok(place)
    }

    // ---- steps ----

    fn moved(
        &self,
        interrupted: &mut dyn FnMut() -> bool,
        go: impl FnOnce(&mut Navigator, Position, &mut Patience<'_>) -> Result<Position, Error>,
    ) -> Result<TimelineStop, Error> {
        let from = self.place();
        let place = {
            let mut navigator = lock(&self.navigator);
            go(&mut navigator, from, &mut Patience::new(interrupted))?
        };
        let at_limit = place == from || place == self.end || place == self.start;
        self.stop(if at_limit { "end" } else { "budget" }, place, interrupted)
    }

    fn stop(
        &self,
        reason: &'static str,
        place: Position,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<TimelineStop, Error> {
        let pc = self.look(place, interrupted, |session, _| session.registers().pc)?;
        *lock(&self.place) = place;
        Ok(TimelineStop { reason, place, pc, point: None, access: None })
    }

    /// Executes `count` instructions, or as many as there are.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn step(&self, count: u64, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        self.moved(interrupted, |navigator, from, patience| navigator.step(from, count, patience))
    }

    /// Goes back by `count` instructions, or to the start. From behind a wait the first step goes before it.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn reverse_step(
        &self,
        count: u64,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<TimelineStop, Error> {
        self.moved(interrupted, |navigator, from, patience| match count.checked_sub(1) {
            None => Ok(from),
            Some(rest) => {
                let place = navigator.step_back(from, patience)?;
                if rest == 0 {
                    Ok(place)
                } else {
                    navigator.seek(place.icount.saturating_sub(rest), patience)
                }
            }
        })
    }

    /// Executes the next instruction, and the subroutine that it calls.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn step_over(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        self.moved(interrupted, Navigator::step_over)
    }

    /// Goes before the last instruction, and before the call of the subroutine that it has ended.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn reverse_step_over(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        self.moved(interrupted, Navigator::reverse_step_over)
    }

    /// Runs until the current subroutine or interrupt handler has returned.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn step_out(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        self.moved(interrupted, Navigator::step_out)
    }

    /// Goes back to where the current subroutine was called, or the interrupt handler was entered.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn reverse_step_out(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        self.moved(interrupted, Navigator::call_site)
    }

    // ---- runs ----

    fn add(&self, tap: TapSpec, condition: Option<Condition>) -> PointId {
        let mut next = lock(&self.next_point);
        let id = PointId(*next);
        *next += 1;
        lock(&self.points).insert(id, Point { tap, condition });
        id
    }

    /// Runs stop before instructions that begin at an address.
    pub fn add_breakpoint(&self, address: u16, condition: Option<Condition>) -> PointId {
        let tap = TapSpec { executes: true, reads: false, writes: false, ..tap(address, address) };
        self.add(tap, condition)
    }

    /// Runs stop before accesses to a range of addresses.
    pub fn add_watchpoint(
        &self,
        (first, last): (u16, u16),
        reads: bool,
        writes: bool,
        condition: Option<Condition>,
    ) -> PointId {
        self.add(TapSpec { executes: false, reads, writes, ..tap(first, last) }, condition)
    }

    /// Takes a breakpoint or watchpoint away; gives whether it was there.
    pub fn remove_point(&self, id: PointId) -> bool {
        lock(&self.points).remove(&id).is_some()
    }

    /// Runs to the next breakpoint or watchpoint, or to the end. A run does not stop where it begins.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or a condition's own; the timeline stands where it stood then.
    pub fn run(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        let found = self.search(true, interrupted)?;
        match found {
            Some(found) => Ok(found),
            None => {
                let end = lock(&self.navigator).run_to_end(self.place(), &mut Patience::new(interrupted))?;
                self.stop("end", end, interrupted)
            }
        }
    }

    /// Runs back to the breakpoint or watchpoint before, or to the start.
    ///
    /// # Errors
    /// As for [`run`](Timeline::run).
    pub fn reverse_run(&self, interrupted: &mut dyn FnMut() -> bool) -> Result<TimelineStop, Error> {
        let found = self.search(false, interrupted)?;
        match found {
            Some(found) => Ok(found),
            None => self.stop("end", self.start, interrupted),
        }
    }

    fn search(
        &self,
        is_forward: bool,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<TimelineStop>, Error> {
        let points: Vec<(PointId, Point)> =
            lock(&self.points).iter().map(|(id, point)| (*id, point.clone())).collect();
        if points.is_empty() {
            return Ok(None);
        }
        let specs: Vec<TapSpec> = points.iter().map(|(_, point)| point.tap).collect();
        let from = self.place();
        let mut accept = |found: &Found| match &points[found.tap].1.condition {
            // There is no place before what was done on the way to the first one.
            _ if found.sighting.kind != HookKind::Execute
                && found.sighting.at.cycles <= self.start.cycles =>
            {
                Ok(false)
            }
            // A run does not stop where it begins.
            _ if (found.place > from) != is_forward || found.place == from => Ok(false),
            None => Ok(true),
            Some(condition) => condition(found.place, self.access_of(found)?),
        };
        let patience = &mut Patience::new(interrupted);
        let found = if is_forward {
            search::forward(&self.navigator, self.stretches, from, &specs, patience, &mut accept)?
        } else {
            search::backward(
                &self.navigator,
                &self.helper,
                self.stretches,
                from,
                &specs,
                patience,
                &mut accept,
            )?
        };
        let Some(found) = found else { return Ok(None) };
        let reason = if found.sighting.kind == HookKind::Execute { "breakpoint" } else { "watchpoint" };
        let access = self.access_of(&found)?;
        let stop = self.stop(reason, found.place, interrupted)?;
        Ok(Some(TimelineStop { point: Some(points[found.tap].0), access, ..stop }))
    }

    fn access_of(&self, found: &Found) -> Result<Option<Access>, Error> {
        if found.sighting.kind == HookKind::Execute {
            return Ok(None);
        }
        let mut navigator = lock(&self.navigator);
        let sighting = navigator.explain(&found.sighting, &mut Patience::new(&mut || false))?;
        Ok(Some(navigator.access(&sighting)))
    }

    // ---- questions ----

    /// What the console had printed at a place.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or a console that printed more than fits.
    pub fn console_output(
        &self,
        place: Position,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<u8>, Error> {
        let events = self.look(place, interrupted, |_, events| events)?;
        self.with_console(|console| console.before(events).to_vec())
    }

    /// Where the console printed the byte that made it so many; `None` when it never printed as many.
    ///
    /// # Errors
    /// A file that cannot be read, or a console that printed more than fits.
    pub fn printed_at(&self, bytes: usize) -> Result<Option<Position>, Error> {
        self.with_console(|console| {
            let piece = console.ends.partition_point(|piece| piece.end < bytes);
            console.ends.get(piece).map(|piece| piece.at)
        })
    }

    fn with_console<T>(&self, question: impl FnOnce(&Console) -> T) -> Result<T, Error> {
        let mut console = lock(&self.console);
        if console.is_none() {
            *console = Some(Console::read(&self.recording)?);
        }
        console.as_ref().map(question).ok_or_else(|| Error::Engine("the console was not read".into()))
    }

    /// Writes the part of the run between two numbers of instructions into a file, as a recording of its own.
    ///
    /// # Errors
    /// As for [`place_at`](Timeline::place_at), an empty part, a start at which something waits that the machine has asked
    /// for, or a file that cannot be written.
    pub fn cut(
        &self,
        start: u64,
        stop: u64,
        path: &Path,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        self.cut_with(start, stop, |header| LogWriter::create(path, header, Options::default()), interrupted)
    }

    /// As [`cut`](Timeline::cut), with a writer of the caller's.
    ///
    /// # Errors
    /// As for [`cut`](Timeline::cut).
    pub fn cut_with(
        &self,
        start: u64,
        stop: u64,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        self.require_within(start)?;
        self.require_within(stop)?;
        if start >= stop {
            return Err(Error::Argument(format!("from icount {start} to {stop} there is nothing to cut")));
        }
        lock(&self.navigator).cut(start, stop, create, &mut Patience::new(interrupted))
    }

    /// A machine in the state of a place, free to go its own way.
    ///
    /// # Errors
    /// As for [`console_output`](Timeline::console_output).
    pub fn fork(&self, place: Position, interrupted: &mut dyn FnMut() -> bool) -> Result<Session, Error> {
        let printed = self.console_output(place, interrupted)?;
        self.look(place, interrupted, |session, _| session.fork(&printed))
    }

    /// The last write to an address before a place, here when not given.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn last_write(
        &self,
        address: u16,
        before: Option<Position>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Access>, Error> {
        let before = before.unwrap_or_else(|| self.place());
        queries::last_write(
            &self.navigator,
            &self.helper,
            self.stretches,
            address,
            before,
            &mut Patience::new(interrupted),
        )
    }

    /// Where the byte at an address comes from, as it stands at a place, here when not given: a graph without cycles, of
    /// which the first node is that byte, and each other stands behind those that were made from it.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look).
    pub fn origin(
        &self,
        address: u16,
        before: Option<Position>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<OriginNode>, Error> {
        let before = before.unwrap_or_else(|| self.place());
        let sources = origin::Run {
            navigator: &self.navigator,
            helper: &self.helper,
            stretches: self.stretches,
            recording: &self.recording,
        };
        origin::trace(sources, address, before, &mut Patience::new(interrupted))
    }

    /// All accesses that a query asks for, in order, handed to `take` one by one.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or [`Error::Argument`] for more than a table holds.
    pub fn accesses(
        &self,
        query: &AccessQuery,
        interrupted: &mut dyn FnMut() -> bool,
        take: &mut dyn FnMut(Access),
    ) -> Result<(), Error> {
        lock(&self.navigator).accesses(query, &mut Patience::new(interrupted), take)
    }

    /// How often each instruction with `start <= icount < stop` was executed, and how long it took.
    ///
    /// # Errors
    /// As for [`place_at`](Timeline::place_at), or [`Error::Argument`] for an empty part.
    pub fn profile(
        &self,
        start: Option<u64>,
        stop: Option<u64>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Profile, Error> {
        let start = start.unwrap_or(self.start.icount);
        let stop = stop.unwrap_or(u64::MAX);
        self.require_within(start)?;
        if start >= stop {
            return Err(Error::Argument(format!("from icount {start} to {stop} there is nothing to count")));
        }
        lock(&self.navigator).profile(start, stop, &mut Patience::new(interrupted))
    }

    /// The first place of the recording at which something holds, and the timeline stands there then.
    ///
    /// # Errors
    /// As for [`look`](Timeline::look), or the predicate's own.
    pub fn first(
        &self,
        interrupted: &mut dyn FnMut() -> bool,
        predicate: &mut dyn FnMut(Position) -> Result<bool, Error>,
    ) -> Result<Option<Position>, Error> {
        let patience = &mut Patience::new(interrupted);
        let mut place = self.start;
        loop {
            if predicate(place)? {
                return Ok(Some(place));
            }
            if place == self.end {
                return Ok(None);
            }
            let next = lock(&self.navigator).step(place, 1, patience)?;
            if next == place {
                return Ok(None);
            }
            place = next;
        }
    }
}

/// A tap that looks at nothing yet.
fn tap(first: u16, last: u16) -> TapSpec {
    let (executes, reads, writes) = (false, false, false);
    TapSpec {
        executes,
        reads,
        writes,
        first,
        last,
        last_cycle: u64::MAX,
        kept_max: usize::MAX,
        with_pc: false,
    }
}
