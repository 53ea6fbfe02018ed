//! Time travel against a naive oracle: a recording is replayed once, an instruction at a time, with everything noted; then
//! a timeline is moved about and asked, and each answer is looked up in the notes.

use super::course::Course;
use super::oracle::record_scenario;
use super::scenario::Scenario;
use super::sink::SmallDisk;
use super::travel_notes::{Call, Notes, PLACES_MAX, run, text};
use crate::engine::Scheduler;
use crate::error::Error;
use crate::log::{LogWriter, Options};
use crate::machine::HookKind;
use crate::persist::Digest;
use crate::recording::Recording;
use crate::session::{HookEvent, RunRequest, Session};
use crate::sync::Shared;
use crate::timeline::{Access, AccessQuery, MARKS_BUDGET, Timeline, TimelineStop, Watch};
use crate::units::Position;
use arbitrary::{Arbitrary, Unstructured};
use proptest_derive::Arbitrary as Strategy;
use std::cell::{Cell, OnceCell, RefCell};

/// Bytes in which the snapshots of most scenarios find room, and hardly any states beside them.
const POOR_BUDGET: usize = 150_000;

/// One in so many recordings is verified too, in one piece and in many at a time: that is as much as all the moves.
const VERIFIED_OF: u16 = 4;

/// Places from which the last write to an address is asked for.
const FROM_PLACES: usize = 24;

/// A recording, and what is done with it.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, Strategy)]
pub struct TravelCase {
    /// What is recorded.
    pub scenario: Scenario,
    /// Whether the timeline can keep hardly anything in memory.
    pub is_poor: bool,
    /// Whether searches go through it in short stretches, two at a time, and the recording has many snapshots.
    pub is_hasty: bool,
    /// The moves and questions.
    #[proptest(strategy = "proptest::collection::vec(proptest::arbitrary::any::<Move>(), 1..24)")]
    pub moves: Vec<Move>,
}

/// A move or a question. Places and addresses are drawn from those that the run has, one in four places at its corners, now
/// and then an address from all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Move {
    Seek {
        place: u16,
    },
    Step {
        count: u8,
    },
    ReverseStep {
        count: u8,
    },
    StepOver,
    ReverseStepOver,
    StepOut,
    ReverseStepOut,
    SeekInWait {
        place: u16,
        cycles: u8,
    },
    BehindWait {
        place: u16,
    },
    #[proptest(weight = 3)]
    Run {
        point: Point,
    },
    #[proptest(weight = 3)]
    ReverseRun {
        point: Point,
    },
    Output {
        place: u16,
    },
    Profile {
        start: u16,
        stop: u16,
    },
    #[proptest(weight = 3)]
    LastWrite {
        address: Pick,
    },
    Accesses {
        address: Pick,
        length: u8,
        reads: bool,
        start: u16,
        stop: u16,
    },
    First {
        place: u16,
    },
    Event {
        number: u16,
    },
    Fork {
        instructions: u8,
    },
    Cut {
        start: u16,
        stop: u16,
    },
    Origin {
        address: Pick,
    },
}

/// Where a run is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Point {
    Break { address: Pick, every: u8 },
    Watch { address: Pick, length: u8, watch: u8, every: u8 },
}

/// An address: one that the run has used, one that it has used a few times only, or any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Pick {
    Used(u16),
    Rare(u16),
    Any(u16),
}

/// What journeys have met: a net that meets nothing catches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Travelled {
    /// Recordings that were travelled in.
    pub recordings: u64,
    /// Recordings too long to be noted whole: nothing was asked of them.
    pub too_long: u64,
    /// Moves and questions.
    pub moves: u64,
    /// Recordings with an instruction that begins after a wait.
    pub with_waits: u64,
    /// Recordings with an instruction that begins after the reset of a processor that had jammed.
    pub with_jams: u64,
    /// Moves and questions in those.
    pub moves_with_jams: u64,
}

impl std::ops::AddAssign for Travelled {
    fn add_assign(&mut self, more: Self) {
        self.recordings += more.recordings;
        self.too_long += more.too_long;
        self.moves += more.moves;
        self.with_waits += more.with_waits;
        self.with_jams += more.with_jams;
        self.moves_with_jams += more.moves_with_jams;
    }
}

impl Travelled {
    fn through(notes: &Notes, moves: usize) -> Self {
        let moves = moves as u64;
        let (waits, jams) = notes.begun_behind();
        Self {
            recordings: 1,
            moves,
            with_waits: u64::from(!waits.is_empty()),
            with_jams: u64::from(!jams.is_empty()),
            moves_with_jams: if jams.is_empty() { 0 } else { moves },
            ..Self::default()
        }
    }
}

fn address_of(notes: &Notes, pick: Pick) -> u16 {
    match pick {
        Pick::Any(address) => address,
        Pick::Used(number) | Pick::Rare(number) if notes.hits.is_empty() => number,
        Pick::Rare(number) => notes.rare[usize::from(number) % notes.rare.len()],
        Pick::Used(number) => notes.hits[usize::from(number) * 7 % notes.hits.len()].address,
    }
}

fn range(notes: &Notes, address: Pick, length: u8) -> (u16, u16) {
    let first = address_of(notes, address);
    (first, first.saturating_add(u16::from(length)))
}

fn watched(number: u8) -> Watch {
    [Watch::Writes, Watch::Reads, Watch::ReadsAndWrites, Watch::Changes][usize::from(number % 4)]
}

/// Where a run with a point may stop, in order.
fn stops(notes: &Notes, point: Point) -> Vec<Position> {
    let every = match point {
        Point::Break { every, .. } | Point::Watch { every, .. } => every,
    };
    let mut stops: Vec<Position> = match point {
        Point::Break { address, .. } => {
            let address = address_of(notes, address);
            notes.begun.iter().filter(|begun| begun.pc == address).map(|begun| begun.at).collect()
        }
        Point::Watch { address, length, watch, .. } => {
            let (first, last) = range(notes, address, length);
            let is_wanted = |(hit, is_change): &(&HookEvent, &bool)| {
                (first..=last).contains(&hit.address)
                    && match (watched(watch), hit.kind) {
                        (Watch::Changes, _) => **is_change,
                        (Watch::Reads, kind) => kind == HookKind::Read,
                        (Watch::Writes, kind) => kind == HookKind::Write,
                        (Watch::ReadsAndWrites, kind) => kind != HookKind::Execute,
                    }
            };
            let hits = notes.hits.iter().zip(&notes.changes).filter(is_wanted);
            hits.filter_map(|(hit, _)| notes.place_before(hit.position)).collect()
        }
    };
    stops.dedup();
    stops.retain(|place| is_stopped_at(*place, every));
    stops
}

/// A condition that holds at some places and not at others.
fn is_stopped_at(place: Position, every: u8) -> bool {
    every < 128 || place.icount.is_multiple_of(u64::from(every - 126))
}

/// The target `time_travel`: the case that these bytes stand for holds.
///
/// # Errors
/// What does not hold, with the case.
pub fn time_travel(bytes: &[u8]) -> Result<(), String> {
    let case = TravelCase::arbitrary_take_rest(Unstructured::new(bytes))
        .map_err(|error| format!("these bytes are no case: {error}"))?;
    check_travel(&case).map(|_| ())
}

/// Checks every answer of a timeline; see [`TravelCase`].
///
/// # Errors
/// What does not hold, with the case.
pub fn check_travel(case: &TravelCase) -> Result<Travelled, String> {
    check(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &TravelCase) -> Result<Travelled, String> {
    let disk = SmallDisk::default();
    // The naive replay stops at each instruction, and goes no further than so many.
    let mut scenario = case.scenario.clone().with_patience_over(10, PLACES_MAX as u16 - 100);
    // At least 64 instructions between digests: to compute one takes longer than they do, and no answer depends on it.
    scenario.digest_every %= 961;
    if case.is_hasty {
        // As dense as a scenario's can be.
        scenario.snapshot_every = Some(960);
    }
    record_scenario(&scenario, &disk)?;
    let recording = Shared::new(Recording::from_bytes(disk.contents(), true).map_err(text)?);
    let notes = Notes::take(&recording)?;
    if notes.is_short() {
        return Ok(Travelled { too_long: 1, ..Travelled::default() });
    }
    if scenario.seed % VERIFIED_OF == 1 {
        is_verified(&recording)?;
    }
    check_moves(recording, notes, case.is_poor, case.is_hasty, &case.moves)
}

/// Makes moves on a timeline of a recording, and compares what it answers with the notes of a naive replay.
pub(super) fn check_moves(
    recording: Shared<Recording>,
    notes: Notes,
    is_poor: bool,
    is_hasty: bool,
    moves: &[Move],
) -> Result<Travelled, String> {
    let budget = if is_poor { POOR_BUDGET } else { MARKS_BUDGET };
    let timeline = Timeline::new(&recording, &[], budget).map_err(text)?;
    let timeline = if is_hasty { timeline.with_stretches(4, 64) } else { timeline };
    let (course, looks, number) = Default::default();
    let travel = Travel { timeline, notes, recording, course, looks, number };
    travel.is_at(travel.notes.places[0].at, "at first")?;
    for (number, step) in moves.iter().enumerate() {
        travel.number.set(number);
        travel.make(*step).map_err(|what| format!("move {number}, {step:?}: {what}"))?;
    }
    travel.has_looked_right()?;
    Ok(Travelled::through(&travel.notes, moves.len()))
}

fn is_verified(recording: &Shared<Recording>) -> Result<(), String> {
    let one = recording.verify(Scheduler::Inline, &[], &mut |_| true).map_err(text)?;
    let beside = recording.verify_with_jobs(3, Scheduler::Inline, &[], &mut |_| true).map_err(text)?;
    if (beside.ok, beside.icount, beside.events) != (one.ok, one.icount, one.events) {
        return Err(format!("verified in {} segments {beside:?}, in one {one:?}", beside.segments));
    }
    Ok(())
}

/// What the timeline showed at a place.
struct Look {
    at: Position,
    digests: Vec<(String, Digest)>,
    when: String,
    /// The number of the move that led there.
    number: usize,
}

struct Travel {
    timeline: Timeline,
    notes: Notes,
    recording: Shared<Recording>,
    /// The run as origins are compared with it, once one is asked for.
    course: OnceCell<Course>,
    /// What was shown, to be compared when all moves are made: a replay then comes by all these places on one way.
    looks: RefCell<Vec<Look>>,
    /// The number of the move that is made.
    number: Cell<usize>,
}

impl Travel {
    fn make(&self, step: Move) -> Result<(), String> {
        let last = self.notes.last();
        let icount = |place: u16| self.icount(place);
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
                let goal = (here.icount + behind_wait).saturating_sub(count).max(self.notes.first());
                self.is_at(if count == 0 { here } else { self.place(goal) }, "after steps back")
            }
            Move::Run { point } => {
                let found = self.with_point(point, |timeline| timeline.run(&mut || false))?;
                let wanted = stops(&self.notes, point).into_iter().find(|stop| *stop > here);
                self.is_at(wanted.unwrap_or(self.notes.end), "after a run")?;
                self.has_reason(&found, wanted.is_some())
            }
            Move::ReverseRun { point } => {
                let found = self.with_point(point, |timeline| timeline.reverse_run(&mut || false))?;
                let wanted = stops(&self.notes, point).into_iter().rfind(|stop| *stop < here);
                self.is_at(wanted.unwrap_or(self.notes.places[0].at), "after a run back")?;
                self.has_reason(&found, wanted.is_some())
            }
            Move::StepOver => {
                self.timeline.step_over(&mut || false).map_err(text)?;
                self.is_at(self.notes.over(here), "after a step over")
            }
            Move::StepOut => {
                self.timeline.step_out(&mut || false).map_err(text)?;
                self.notes.out(here).map_or(Ok(()), |wanted| self.is_at(wanted, "after a step out"))
            }
            Move::ReverseStepOut => {
                self.timeline.reverse_step_out(&mut || false).map_err(text)?;
                self.is_at_call(self.notes.call_site(here), "after a step out backwards")
            }
            Move::ReverseStepOver => self.reverse_step_over(here),
            Move::SeekInWait { place, cycles } => self.seek_in_wait(icount(place), u64::from(cycles)),
            Move::BehindWait { place } => self.behind_wait(icount(place)),
            Move::Output { place } => self.output(icount(place)),
            Move::Profile { start, stop } => self.profile(icount(start), icount(stop)),
            Move::LastWrite { address } => self.last_write(address_of(&self.notes, address), here),
            Move::Accesses { address, length, reads, start, stop } => {
                let (start, stop) = (icount(start), icount(stop));
                self.accesses(range(&self.notes, address, length), reads, start, stop)
            }
            Move::First { place } => self.first(icount(place)),
            Move::Event { number } => self.event(usize::from(number)),
            Move::Fork { instructions } => self.fork(here, u64::from(instructions)),
            Move::Cut { start, stop } => self.cut(icount(start), icount(stop)),
            Move::Origin { address } => self.origin(address_of(&self.notes, address)),
        }
    }

    /// A number of instructions, one in four of them beside a corner of the run.
    fn icount(&self, place: u16) -> u64 {
        let (first, last) = (self.notes.first(), self.notes.last());
        let (number, beside) = (usize::from(place / 8), u64::from(place) % 3);
        let corners: &[u64] = match place % 8 {
            3 => &self.notes.begun_again,
            7 => &self.notes.snapshots,
            _ => &[],
        };
        match corners.get(number % corners.len().max(1)) {
            Some(corner) => (corner + beside).saturating_sub(1).clamp(first, last),
            None => first + u64::from(place) % (last - first + 1),
        }
    }

    fn place(&self, icount: u64) -> Position {
        self.notes.place(icount)
    }

    fn is_at(&self, wanted: Position, when: &str) -> Result<(), String> {
        let found = self.timeline.place();
        if found != wanted {
            return Err(format!("{when} the timeline is at {found}, and not at {wanted}"));
        }
        let Some(seen) = self.notes.places.iter().find(|seen| seen.at == wanted) else {
            return Ok(());
        };
        let look = |session: &Session, _| (session.position(), session.registers().pc, session.digests());
        let (position, pc, digests) = self.timeline.look(wanted, &mut || false, look).map_err(text)?;
        if (position, pc) != (wanted, seen.pc) {
            return Err(format!(
                "{when} the machine is at {position} (pc {pc:04X}), and not at {wanted} ({:04X})",
                seen.pc
            ));
        }
        self.looks.borrow_mut().push(Look {
            at: wanted,
            digests,
            when: when.to_owned(),
            number: self.number.get(),
        });
        Ok(())
    }

    /// At each place that was looked at, the machine was what a replay is that comes there from the start.
    fn has_looked_right(&self) -> Result<(), String> {
        let mut looks = self.looks.take();
        looks.sort_by_key(|look| look.at);
        let session = self.recording.replay().map_err(text)?;
        let running = session.start_running().map_err(text)?;
        for look in looks {
            run(&session, &running, look.at.icount - session.position().icount)?;
            let digests = session.digests();
            let pairs = look.digests.iter().zip(&digests).filter(|(a, b)| a != b);
            let parts: Vec<&str> = pairs.map(|(a, _)| a.0.as_str()).collect();
            if session.position() != look.at || !parts.is_empty() {
                let Look { at, when, number, .. } = look;
                let there = session.position();
                return Err(format!(
                    "move {number}: {when} the machine at {at} is other in {parts:?} than a replay at {there}"
                ));
            }
        }
        Ok(())
    }

    fn is_at_call(&self, wanted: Call, when: &str) -> Result<(), String> {
        match wanted {
            Call::At(wanted) => self.is_at(wanted, when),
            Call::Unknown => Ok(()),
        }
    }

    fn reverse_step_over(&self, here: Position) -> Result<(), String> {
        self.timeline.reverse_step(1, &mut || false).map_err(text)?;
        let before = self.timeline.place();
        self.timeline.go_to(here, &mut || false).map_err(text)?;
        self.timeline.reverse_step_over(&mut || false).map_err(text)?;
        let opcode = self.notes.begun_at(before).map(|begun| begun.opcode);
        match opcode {
            Some(0x40 | 0x60) if before < here => {
                self.is_at_call(self.notes.call_site(before), "after a return was stepped over backwards")
            }
            _ => self.is_at(before, "after a step over backwards"),
        }
    }

    /// Some cycles behind an arrival: there the timeline is only where the CPU waits, and at the first cycle that it can
    /// stand at.
    fn seek_in_wait(&self, icount: u64, cycles: u64) -> Result<(), String> {
        let arrival = self.place(icount);
        let goal = arrival.cycles + cycles;
        self.timeline.seek(icount, Some(goal), &mut || false).map_err(text)?;
        let found = self.timeline.place();
        let looked =
            self.timeline.look(found, &mut || false, |session, _| session.position()).map_err(text)?;
        // The last one that begins there retires; before the end none does, and the CPU may wait or have jammed.
        let begun = self.notes.begun.iter().rfind(|begun| begun.at.icount == icount);
        let begun = begun.filter(|_| icount < self.notes.last());
        let behind = begun.map_or(self.notes.end, |begun| begun.at);
        if looked != found
            || found.icount != icount
            || !(goal.min(behind.cycles)..=behind.cycles).contains(&found.cycles)
        {
            return Err(format!(
                "{cycles} cycles behind {arrival}, before {behind}, the timeline is at {found}, the machine at {looked}"
            ));
        }
        self.timeline.go_to(arrival, &mut || false).map_err(text)?;
        self.is_at(arrival, "back from a wait")
    }

    fn behind_wait(&self, icount: u64) -> Result<(), String> {
        let place = self.timeline.instruction_place(icount, &mut || false).map_err(text)?;
        let begun = self.notes.begun.iter().rfind(|begun| begun.at.icount == icount);
        let wanted = begun.map_or(self.place(icount), |begun| begun.at);
        if place != wanted {
            return Err(format!("the instruction behind {icount} begins at {place}, and not at {wanted}"));
        }
        self.timeline.go_to(place, &mut || false).map_err(text)?;
        self.is_at(wanted, "where an instruction begins")
    }

    fn output(&self, icount: u64) -> Result<(), String> {
        let seen = &self.notes.places[(icount - self.notes.first()) as usize];
        let output = self.timeline.console_output(seen.at, &mut || false).map_err(text)?;
        if output == self.notes.output[..seen.printed] {
            return Ok(());
        }
        Err(format!("at {} the console had printed {output:?}, and not {} bytes", seen.at, seen.printed))
    }

    fn profile(&self, start: u64, stop: u64) -> Result<(), String> {
        if start >= stop {
            return Ok(());
        }
        let profile = self.timeline.profile(Some(start), Some(stop), &mut || false).map_err(text)?;
        let counted = (0..=u16::MAX).zip(profile.executions.iter().zip(&profile.cycles));
        let found: std::collections::BTreeMap<u16, (u64, u64)> = counted
            .filter(|(_, (count, _))| **count > 0)
            .map(|(pc, (count, cycles))| (pc, (*count, *cycles)))
            .collect();
        let wanted = self.notes.profile(start, stop);
        if found == wanted { Ok(()) } else { Err(format!("the profile is {found:?}, and not {wanted:?}")) }
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
                self.timeline.add_breakpoint(address_of(&self.notes, address), Some(condition(every)))
            }
            Point::Watch { address, length, watch, every } => {
                let range = range(&self.notes, address, length);
                self.timeline.add_watchpoint(range, watched(watch), Some(condition(every)))
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

    /// From here, and from places all over the run.
    fn last_write(&self, address: u16, here: Position) -> Result<(), String> {
        self.last_write_before(address, None, here)?;
        let far = self.notes.places.len().div_ceil(FROM_PLACES);
        for seen in self.notes.places.iter().step_by(far) {
            self.last_write_before(address, Some(seen.at), seen.at)?;
        }
        self.is_at(here, "after a question")
    }

    fn last_write_before(
        &self,
        address: u16,
        asked: Option<Position>,
        before: Position,
    ) -> Result<(), String> {
        let found = self.timeline.last_write(address, asked, &mut || false).map_err(text)?;
        let wanted = self.notes.hits.iter().rfind(|hit| {
            hit.kind == HookKind::Write && hit.address == address && hit.position.cycles <= before.cycles
        });
        match (&found, wanted) {
            (None, None) => Ok(()),
            (Some(access), Some(hit)) => self.is_hit(access, hit),
            _ => Err(format!("before {before} found {found:?}, and not {wanted:?}")),
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
        let behind_waits = self
            .notes
            .begun
            .iter()
            .filter(|begun| begun.at.icount < icount && begun.at > self.place(begun.at.icount));
        let places = icount - self.notes.first() + 1 + behind_waits.count() as u64;
        if asked != places {
            return Err(format!("{asked} places were asked for, of {places}"));
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

    /// An event has not passed at the place before it, and has at the next place.
    fn event(&self, number: usize) -> Result<(), String> {
        let events = self.recording.events(None, None, None).map_err(text)?;
        let events = events.collect::<Result<Vec<_>, _>>().map_err(text)?;
        let event = &events[number % events.len()];
        let ordinal = event.ordinal.0;
        let place = self.timeline.place_before_event(event.position, ordinal, &mut || false).map_err(text)?;
        let passed = |at| self.timeline.look(at, &mut || false, |_, events| events).map_err(text);
        let arrivals = self.notes.places.iter().map(|seen| seen.at);
        let places = arrivals.chain(self.notes.begun.iter().map(|begun| begun.at)).chain([self.notes.end]);
        let next = places.filter(|next| *next > place).min();
        if passed(place)? > ordinal && place != self.notes.places[0].at {
            return Err(format!("at {place} {event:?} has passed"));
        }
        match next {
            Some(next) if passed(next)? <= ordinal => Err(format!("at {next} {event:?} has not passed")),
            _ => Ok(()),
        }
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
        let end = if stop >= self.notes.last() { self.notes.end } else { self.place(stop) };
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
