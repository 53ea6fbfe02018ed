//! Time travel against a naive oracle: a recording is replayed once, an instruction at a time, with everything noted; then
//! a timeline is moved about and asked, and each answer is looked up in the notes.

use super::course::Course;
use super::oracle::record_scenario;
use super::scenario::Scenario;
use super::sink::SmallDisk;
use crate::engine::Scheduler;
use crate::error::Error;
use crate::log::{LogWriter, Options};
use crate::machine::HookKind;
use crate::persist::Digest;
use crate::recording::Recording;
use crate::session::{HookEvent, RunRequest, Session};
use crate::sync::{Mutex, Shared, lock};
use crate::timeline::{Access, AccessQuery, MARKS_BUDGET, Timeline, TimelineStop};
use crate::units::Position;
use arbitrary::{Arbitrary, Unstructured};
use proptest_derive::Arbitrary as Strategy;
use std::cell::OnceCell;

/// Places of a recording that are noted, so that a long one does not take for ever.
const PLACES_MAX: usize = 4_000;

/// A recording, and what is done with it.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, Strategy)]
pub struct TravelCase {
    /// What is recorded.
    pub scenario: Scenario,
    /// Whether the timeline can keep hardly anything in memory.
    pub is_poor: bool,
    /// Whether searches go through it in short stretches, two at a time.
    pub is_hasty: bool,
    /// The moves and questions.
    #[proptest(strategy = "proptest::collection::vec(proptest::arbitrary::any::<Move>(), 1..24)")]
    pub moves: Vec<Move>,
}

/// A move or a question. Places and addresses are drawn from those that the run has, now and then from all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Move {
    Seek { place: u16 },
    Step { count: u8 },
    ReverseStep { count: u8 },
    Run { point: Point },
    ReverseRun { point: Point },
    LastWrite { address: Pick },
    Accesses { address: Pick, length: u8, reads: bool, start: u16, stop: u16 },
    First { place: u16 },
    Fork { instructions: u8 },
    Cut { start: u16, stop: u16 },
    Origin { address: Pick },
}

/// Where a run is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Point {
    Break { address: Pick, every: u8 },
    Watch { address: Pick, length: u8, reads: bool, every: u8 },
}

/// An address: one that the run has used, or any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Pick {
    Used(u16),
    Any(u16),
}

/// A place with the program counter and the hash of each part of the machine.
type Seen = (Position, u16, Vec<(String, Digest)>);

/// The notes of one replay.
struct Notes {
    places: Vec<Seen>,
    end: Position,
    hits: Vec<HookEvent>,
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

impl Notes {
    fn take(recording: &Recording) -> Result<Notes, String> {
        let session = recording.replay().map_err(text)?;
        let hits = Shared::new(Mutex::new(Vec::new()));
        for kind in [HookKind::Execute, HookKind::Read, HookKind::Write] {
            let hits = hits.clone();
            let note = move |event| {
                lock(&hits).push(event);
                true
            };
            session.add_hook(kind, 0, u16::MAX, Box::new(note));
        }
        let mut places = Vec::new();
        let mut ended = run(&session, 0)?;
        let mut next = session.position().icount;
        loop {
            // A wait that lasts to the end is no further place.
            if session.position().icount == next {
                places.push((session.position(), session.registers().pc, session.digests()));
                next += 1;
            }
            if ended || places.len() > PLACES_MAX {
                break;
            }
            ended = run(&session, 1)?;
        }
        let (end, found) = (recording.end(), session.position());
        if places.len() <= PLACES_MAX && found != end {
            return Err(format!("the naive replay ended at {found}, the recording at {end}"));
        }
        let hits = lock(&hits).clone();
        Ok(Notes { places, end, hits })
    }

    /// The last place before an access: one of those that were come to, or the beginning of an instruction.
    fn place_before(&self, at: Position) -> Option<Position> {
        let places = self.places.iter().map(|(place, ..)| *place);
        let begun = self.hits.iter().filter(|hit| hit.kind == HookKind::Execute).map(|hit| hit.position);
        places.chain(begun).filter(|place| place.cycles < at.cycles).max()
    }

    fn address(&self, pick: Pick) -> u16 {
        match pick {
            Pick::Any(address) => address,
            Pick::Used(number) if self.hits.is_empty() => number,
            Pick::Used(number) => self.hits[usize::from(number) * 7 % self.hits.len()].address,
        }
    }

    /// Where a run with a point may stop, in order.
    fn stops(&self, point: Point) -> Vec<Position> {
        let mut stops: Vec<Position> = match point {
            Point::Break { address, .. } => {
                let address = self.address(address);
                let wanted = |hit: &&HookEvent| hit.kind == HookKind::Execute && hit.address == address;
                self.hits.iter().filter(wanted).map(|hit| hit.position).collect()
            }
            Point::Watch { address, length, reads, .. } => {
                let (first, last) = self.range(address, length);
                let kind = if reads { HookKind::Read } else { HookKind::Write };
                let wanted = |hit: &&HookEvent| hit.kind == kind && (first..=last).contains(&hit.address);
                self.hits.iter().filter(wanted).filter_map(|hit| self.place_before(hit.position)).collect()
            }
        };
        stops.dedup();
        let every = match point {
            Point::Break { every, .. } | Point::Watch { every, .. } => every,
        };
        stops.retain(|place| is_stopped_at(*place, every));
        stops
    }

    fn range(&self, address: Pick, length: u8) -> (u16, u16) {
        let first = self.address(address);
        (first, first.saturating_add(u16::from(length)))
    }
}

/// A condition that holds at some places and not at others.
fn is_stopped_at(place: Position, every: u8) -> bool {
    every < 128 || place.icount.is_multiple_of(u64::from(every - 126))
}

/// Runs so many instructions, whatever stops the run in between; gives whether the recording has ended.
fn run(session: &Session, instructions: u64) -> Result<bool, String> {
    let goal = session.position().icount + instructions;
    loop {
        let left = goal - session.position().icount;
        let request = RunRequest { instructions: Some(left), ..RunRequest::default() };
        match session.run(request, &mut || false) {
            Err(Error::Fault(_)) => {}
            Err(error) => return Err(error.to_string()),
            Ok(stop) if stop.reason == "end" => return Ok(true),
            Ok(stop) if stop.reason == "budget" => return Ok(false),
            Ok(_) => {}
        }
    }
}

/// The target `time_travel`: the case that these bytes stand for holds.
///
/// # Errors
/// What does not hold, with the case.
pub fn time_travel(bytes: &[u8]) -> Result<(), String> {
    let case = TravelCase::arbitrary_take_rest(Unstructured::new(bytes))
        .map_err(|error| format!("these bytes are no case: {error}"))?;
    check_travel(&case)
}

/// Checks every answer of a timeline; see [`TravelCase`].
///
/// # Errors
/// What does not hold, with the case.
pub fn check_travel(case: &TravelCase) -> Result<(), String> {
    check(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &TravelCase) -> Result<(), String> {
    let disk = SmallDisk::default();
    record_scenario(&case.scenario, &disk)?;
    let recording = Shared::new(Recording::from_bytes(disk.contents(), true).map_err(text)?);
    let notes = Notes::take(&recording)?;
    if notes.places.len() > PLACES_MAX {
        return Ok(());
    }
    let one = recording.verify(Scheduler::Inline, &[], &mut |_| true).map_err(text)?;
    let beside = recording.verify_with_jobs(3, Scheduler::Inline, &[], &mut |_| true).map_err(text)?;
    if (beside.ok, beside.icount, beside.events) != (one.ok, one.icount, one.events) {
        return Err(format!("verified in {} segments {beside:?}, in one {one:?}", beside.segments));
    }
    let budget = if case.is_poor { 40_000 } else { MARKS_BUDGET };
    let timeline = Timeline::new(&recording, &[], budget).map_err(text)?;
    let timeline = if case.is_hasty { timeline.with_stretches(4, 64) } else { timeline };
    let travel = Travel { timeline, notes, recording, course: OnceCell::new() };
    travel.is_at(travel.notes.places[0].0, "at first")?;
    for (number, step) in case.moves.iter().enumerate() {
        travel.make(*step).map_err(|what| format!("move {number}, {step:?}: {what}"))?;
    }
    Ok(())
}

struct Travel {
    timeline: Timeline,
    notes: Notes,
    recording: Shared<Recording>,
    /// The run as origins are compared with it, once one is asked for.
    course: OnceCell<Course>,
}

impl Travel {
    fn make(&self, step: Move) -> Result<(), String> {
        let first = self.notes.places[0].0.icount;
        let last = self.notes.places.len() as u64 - 1 + first;
        let icount = |place: u16| first + u64::from(place) % (last - first + 1);
        let here = self.timeline.place();
        match step {
            Move::Seek { place } => {
                self.timeline.seek(icount(place), None, &mut || false).map_err(text)?;
                self.is_at(self.place(icount(place)), "after a seek")
            }
            Move::Step { count } => {
                self.timeline.step(u64::from(count), &mut || false).map_err(text)?;
                let goal = here.icount + u64::from(count);
                let wanted = if goal > last { self.notes.end } else { self.place(goal) };
                self.is_at(if count == 0 { here } else { wanted }, "after steps")
            }
            Move::ReverseStep { count } => {
                self.timeline.reverse_step(u64::from(count), &mut || false).map_err(text)?;
                let count = u64::from(count);
                // Behind a wait, the first step goes before it.
                let behind_wait = u64::from(here > self.place(here.icount));
                let goal = (here.icount + behind_wait).saturating_sub(count).max(first);
                self.is_at(if count == 0 { here } else { self.place(goal) }, "after steps back")
            }
            Move::Run { point } => {
                let found = self.with_point(point, |timeline| timeline.run(&mut || false))?;
                let wanted = self.notes.stops(point).into_iter().find(|stop| *stop > here);
                self.is_at(wanted.unwrap_or(self.notes.end), "after a run")?;
                self.has_reason(&found, wanted.is_some())
            }
            Move::ReverseRun { point } => {
                let found = self.with_point(point, |timeline| timeline.reverse_run(&mut || false))?;
                let wanted = self.notes.stops(point).into_iter().rfind(|stop| *stop < here);
                self.is_at(wanted.unwrap_or(self.notes.places[0].0), "after a run back")?;
                self.has_reason(&found, wanted.is_some())
            }
            Move::LastWrite { address } => self.last_write(self.notes.address(address), here),
            Move::Accesses { address, length, reads, start, stop } => {
                let (start, stop) = (icount(start), icount(stop));
                self.accesses(self.notes.range(address, length), reads, start, stop)
            }
            Move::First { place } => self.first(icount(place)),
            Move::Fork { instructions } => self.fork(here, u64::from(instructions)),
            Move::Cut { start, stop } => self.cut(icount(start), icount(stop)),
            Move::Origin { address } => self.origin(self.notes.address(address)),
        }
    }

    fn place(&self, icount: u64) -> Position {
        self.notes.places[(icount - self.notes.places[0].0.icount) as usize].0
    }

    fn is_at(&self, wanted: Position, when: &str) -> Result<(), String> {
        let found = self.timeline.place();
        if found != wanted {
            return Err(format!("{when} the timeline is at {found}, and not at {wanted}"));
        }
        let Some((_, pc, digest)) = self.notes.places.iter().find(|(place, ..)| *place == wanted) else {
            return Ok(());
        };
        let look = |session: &Session, _| (session.position(), session.registers().pc, session.digests());
        let found = self.timeline.look(wanted, &mut || false, look).map_err(text)?;
        let parts: Vec<&str> =
            found.2.iter().zip(digest).filter(|(a, b)| a != b).map(|(a, _)| a.0.as_str()).collect();
        if (found.0, found.1) == (wanted, *pc) && parts.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{when} the machine is at {} (pc {:04X}), and not at {wanted} ({pc:04X}), other in {parts:?}",
            found.0, found.1
        ))
    }

    fn with_point(
        &self,
        point: Point,
        run: impl FnOnce(&Timeline) -> Result<TimelineStop, Error>,
    ) -> Result<TimelineStop, String> {
        let condition = |every: u8| -> crate::timeline::Condition {
            Shared::new(move |place, _| Ok(is_stopped_at(place, every)))
        };
        let id = match point {
            Point::Break { address, every } => {
                self.timeline.add_breakpoint(self.notes.address(address), Some(condition(every)))
            }
            Point::Watch { address, length, reads, every } => {
                let range = self.notes.range(address, length);
                self.timeline.add_watchpoint(range, reads, !reads, Some(condition(every)))
            }
        };
        let found = run(&self.timeline);
        if !self.timeline.remove_point(id) {
            return Err("a point was gone".to_owned());
        }
        found.map_err(text)
    }

    fn has_reason(&self, stop: &TimelineStop, found: bool) -> Result<(), String> {
        if found == (stop.reason != "end") { Ok(()) } else { Err(format!("the reason is {:?}", stop.reason)) }
    }

    fn last_write(&self, address: u16, here: Position) -> Result<(), String> {
        let found = self.timeline.last_write(address, None, &mut || false).map_err(text)?;
        let wanted = self.notes.hits.iter().rfind(|hit| {
            hit.kind == HookKind::Write && hit.address == address && hit.position.cycles <= here.cycles
        });
        self.is_at(here, "after a question")?;
        match (&found, wanted) {
            (None, None) => Ok(()),
            (Some(access), Some(hit)) => self.is_hit(access, hit),
            _ => Err(format!("found {found:?}, and not {wanted:?}")),
        }
    }

    fn accesses(&self, range: (u16, u16), reads: bool, start: u64, stop: u64) -> Result<(), String> {
        let (first, last) = range;
        let (start, stop) = (start.min(stop), start.max(stop));
        let query = AccessQuery { first, last, reads, writes: true, start: Some(start), stop: Some(stop) };
        let mut found = Vec::new();
        self.timeline.accesses(&query, &mut || false, &mut |access| found.push(access)).map_err(text)?;
        let wanted: Vec<&HookEvent> = self
            .notes
            .hits
            .iter()
            .filter(|hit| hit.kind == HookKind::Write || reads && hit.kind == HookKind::Read)
            .filter(|hit| (first..=last).contains(&hit.address))
            .filter(|hit| (start..stop).contains(&hit.position.icount))
            .collect();
        if found.len() != wanted.len() {
            let ends = (found.first(), found.last(), wanted.first(), wanted.last());
            return Err(format!("{} accesses, and not {}: {ends:?}", found.len(), wanted.len()));
        }
        found.iter().zip(wanted).try_for_each(|(access, hit)| self.is_hit(access, hit))
    }

    fn is_hit(&self, access: &Access, hit: &HookEvent) -> Result<(), String> {
        let same = (access.icount, access.cycles) == (hit.position.icount, hit.position.cycles)
            && access.address == hit.address
            && Some(access.new) == hit.value
            && access.is_write == (hit.kind == HookKind::Write);
        let begun =
            self.notes.hits.iter().rfind(|other| {
                other.kind == HookKind::Execute && other.position.cycles < hit.position.cycles
            });
        let begun =
            begun.filter(|begun| begun.position.icount == hit.position.icount).map(|begun| begun.address);
        let by = access.by == "cpu";
        if same && (!by || access.pc == begun) && (by || access.pc.is_none()) {
            return Ok(());
        }
        Err(format!("{access:?} is not {hit:?} of the instruction at {begun:04X?}"))
    }

    fn first(&self, icount: u64) -> Result<(), String> {
        let here = self.timeline.place();
        let mut asked = 0;
        let mut predicate = |place: Position| {
            asked += 1;
            Ok(place.icount >= icount)
        };
        let found = self.timeline.first(&mut || false, &mut predicate).map_err(text)?;
        if found != Some(self.place(icount)) {
            return Err(format!("the first place is {found:?}, and not {}", self.place(icount)));
        }
        if asked != icount - self.notes.places[0].0.icount + 1 {
            return Err(format!("{asked} places were asked for"));
        }
        self.is_at(here, "after a question")
    }

    fn origin(&self, address: u16) -> Result<(), String> {
        if self.course.get().is_none() {
            let _ = self.course.set(Course::take(&self.recording)?);
        }
        let course = self.course.get().ok_or("the run was not gone through")?;
        course.check_origin(&self.timeline, address).map(|_| ())
    }

    /// A part is a recording that replays, and ends where it was to.
    fn cut(&self, start: u64, stop: u64) -> Result<(), String> {
        if start >= stop {
            return Ok(());
        }
        let disk = SmallDisk::default();
        let sink = Box::new(disk.clone());
        let create = |header: &_| LogWriter::with_sink(sink, "<memory>", header, Options::default());
        match self.timeline.cut_with(start, stop, create, &mut || false) {
            Ok(()) => {}
            // Something waits there that the machine has asked for.
            Err(Error::Argument(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
        let part = Recording::from_bytes(disk.contents(), false).map_err(text)?;
        let found = part.verify(Scheduler::Inline, &[], &mut |_| true).map_err(text)?;
        let last = self.notes.places.len() as u64 - 1 + self.notes.places[0].0.icount;
        let end = if stop >= last { self.notes.end } else { self.place(stop) };
        if !found.ok || part.end() != end || part.start() != self.place(start) {
            return Err(format!(
                "a cut goes from {} to {}, and not to {end}: {found:?}",
                part.start(),
                part.end()
            ));
        }
        Ok(())
    }

    /// A machine that goes its own way from here has the state of here, and leaves it alone.
    fn fork(&self, here: Position, instructions: u64) -> Result<(), String> {
        let fork = self.timeline.fork(here, &mut || false).map_err(text)?;
        let look = |session: &Session, _| session.digest();
        let digest = self.timeline.look(here, &mut || false, look).map_err(text)?;
        if (fork.position(), fork.digest()) != (here, digest) {
            return Err("a fork is not what it was forked from".to_owned());
        }
        let request =
            || RunRequest { instructions: Some(instructions), cycles: Some(10_000), ..RunRequest::default() };
        if fork.run(request(), &mut || false).is_err() {
            // A fault: the program's own.
            return Ok(());
        }
        self.is_at(here, "after a fork")
    }
}
