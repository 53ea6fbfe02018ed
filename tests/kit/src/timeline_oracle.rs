//! Time travel against a naive oracle: a recording is replayed once, an instruction at a time, with everything noted;
//! then a timeline is moved about and asked, and each answer is compared with the notes.

mod case;
pub(super) mod notes;
mod questions;

pub use case::{Move, Pick, Point, TimelineCase, TimelineCoverage};

use super::exec_trace::ExecTrace;
use super::oracle::record_scenario;
use super::sink::SmallDisk;
use arbitrary::{Arbitrary, Unstructured};
use notes::{Call, Notes, PLACES_MAX, run, text};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::machine::HookKind;
use rreplay::persist::Digest;
use rreplay::recording::Recording;
use rreplay::session::{HookEvent, Session};
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Timeline, TimelineStop, WatchedAccesses};
use rreplay::units::Position;
use std::cell::{Cell, OnceCell, RefCell};

/// Bytes that hold the snapshots of most scenarios, and hardly any states beside them.
const POOR_BUDGET: usize = 150_000;

/// One in so many recordings is verified too, in one piece and in many at a time: that takes as long as all the moves.
const VERIFIED_OF: u16 = 4;

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

fn watched(number: u8) -> WatchedAccesses {
    [
        WatchedAccesses::Writes,
        WatchedAccesses::Reads,
        WatchedAccesses::ReadsAndWrites,
        WatchedAccesses::Changes,
    ][usize::from(number % 4)]
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
                        (WatchedAccesses::Changes, _) => **is_change,
                        (WatchedAccesses::Reads, kind) => kind == HookKind::Read,
                        (WatchedAccesses::Writes, kind) => kind == HookKind::Write,
                        (WatchedAccesses::ReadsAndWrites, kind) => kind != HookKind::Execute,
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
    let case = TimelineCase::arbitrary_take_rest(Unstructured::new(bytes))
        .map_err(|error| format!("these bytes are no case: {error}"))?;
    check_timeline(&case).map(|_| ())
}

/// Checks every answer of a timeline; see [`TimelineCase`].
///
/// # Errors
/// What does not hold, with the case.
pub fn check_timeline(case: &TimelineCase) -> Result<TimelineCoverage, String> {
    check(case).map_err(|what| format!("{what}\n{case:#?}"))
}

fn check(case: &TimelineCase) -> Result<TimelineCoverage, String> {
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
        return Ok(TimelineCoverage { too_long: 1, ..TimelineCoverage::default() });
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
) -> Result<TimelineCoverage, String> {
    let budget = if is_poor { POOR_BUDGET } else { KEYFRAMES_BUDGET };
    let timeline = Timeline::new(&recording, &[], budget).map_err(text)?;
    let timeline = if is_hasty { timeline.with_stretches(4, 64) } else { timeline };
    let (exec_trace, looks, number) = Default::default();
    let oracle = TimelineOracle { timeline, notes, recording, exec_trace, looks, number };
    oracle.is_at(oracle.notes.places[0].at, "at first")?;
    for (number, step) in moves.iter().enumerate() {
        oracle.number.set(number);
        oracle.make(*step).map_err(|what| format!("move {number}, {step:?}: {what}"))?;
    }
    oracle.has_looked_right()?;
    Ok(TimelineCoverage::through(&oracle.notes, moves.len()))
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

struct TimelineOracle {
    timeline: Timeline,
    notes: Notes,
    recording: Shared<Recording>,
    /// The run as origins are compared with it, once one is asked for.
    exec_trace: OnceCell<ExecTrace>,
    /// What was shown, to be compared when all moves are made: one replay then comes to all these places in order.
    looks: RefCell<Vec<Look>>,
    /// The number of the move that is made.
    number: Cell<usize>,
}

impl TimelineOracle {
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
                // After a wait, the first step goes before it.
                let after_wait = u64::from(here > self.place(here.icount));
                let goal = (here.icount + after_wait).saturating_sub(count).max(self.notes.first());
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
            Move::AfterWait { place } => self.after_wait(icount(place)),
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

    /// A number of instructions, one in four of them next to a corner of the run.
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
        let look = |session: &Session, _| (session.position(), session.registers().pc(), session.digests());
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

    /// At each place that was looked at, the machine was in the state of a replay that comes there from the start.
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

    /// Some cycles after an arrival: there the timeline is only where the CPU waits, and at the first cycle that it can
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
        let latest = begun.map_or(self.notes.end, |begun| begun.at);
        if looked != found
            || found.icount != icount
            || !(goal.min(latest.cycles)..=latest.cycles).contains(&found.cycles)
        {
            return Err(format!(
                "{cycles} cycles after {arrival}, before {latest}, the timeline is at {found}, the machine at {looked}"
            ));
        }
        self.timeline.go_to(arrival, &mut || false).map_err(text)?;
        self.is_at(arrival, "back from a wait")
    }

    fn after_wait(&self, icount: u64) -> Result<(), String> {
        let place = self.timeline.instruction_place(icount, &mut || false).map_err(text)?;
        let begun = self.notes.begun.iter().rfind(|begun| begun.at.icount == icount);
        let wanted = begun.map_or(self.place(icount), |begun| begun.at);
        if place != wanted {
            return Err(format!("the instruction after {icount} begins at {place}, and not at {wanted}"));
        }
        self.timeline.go_to(place, &mut || false).map_err(text)?;
        self.is_at(wanted, "where an instruction begins")
    }

    fn with_point(
        &self,
        point: Point,
        run: impl FnOnce(&Timeline) -> Result<TimelineStop, Error>,
    ) -> Result<TimelineStop, String> {
        let condition = |every: u8| -> rreplay::timeline::Condition {
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
}
