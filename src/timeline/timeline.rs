//! A place in a recording, and the ways from it.

use super::breakpoints::{Breakpoints, TimelineStop};
use super::cancel::Monitor;
use super::console::Console;
use super::cursor::{Cancel, ReplayCursor, Work};
use super::graph::OriginNode;
use super::origin;
use super::queries::{Access, AccessQuery};
use super::search::Search;
#[cfg(feature = "testing")]
use super::search::Stretches;
use crate::cursor::search_worker::{MakeReplay, SearchWorker};
use crate::error::Error;
use crate::log::{Header, LogError, LogFile, LogWriter, Options, WrittenFile};
use crate::machine::Profile;
use crate::machine::board::ImageInput;
use crate::recording::Recording;
use crate::session::Session;
use crate::sync::{Mutex, Shared, lock};
use crate::units::Position;
use std::path::Path;

/// A recording to move in. Every method may be called from any thread.
///
/// ```
/// use rreplay::machine::board::Board;
/// use rreplay::recording::Recording;
/// use rreplay::session::{RecordOptions, RunRequest, Session};
/// use rreplay::sync::Shared;
/// use rreplay::timeline::{KEYFRAMES_BUDGET, Monitor, Timeline};
///
/// struct Patient;
///
/// impl Monitor for Patient {
///     fn is_cancelled(&mut self) -> bool {
///         false
///     }
/// }
///
/// # let directory = tempfile::tempdir().expect("a directory for the recording");
/// # let path = directory.path().join("run.rreplay");
/// let session = Session::new(Board::preset("breadboard")?, Vec::new())?;
/// session.record(&path, RecordOptions::default())?;
/// let request = RunRequest { instructions: Some(50_000), ..RunRequest::default() };
/// session.run(request, &mut || false)?;
/// session.finish()?;
///
/// let recording = Shared::new(Recording::open(&path, false)?);
/// let timeline = Timeline::new(&recording, &[], KEYFRAMES_BUDGET)?;
/// // Which instruction wrote this byte of the stack last?
/// timeline.go_to(timeline.end(), &mut Patient)?;
/// let write = timeline.last_write(0x01FD, None, &mut Patient)?.expect("the program pushes");
/// let place = timeline.seek(write.icount, None, &mut Patient)?;
/// let pc = timeline.look(place, &mut Patient, |session, _| session.registers().pc())?;
/// assert_eq!(Some(pc), write.pc);
/// # Ok::<(), rreplay::error::Error>(())
/// ```
pub struct Timeline {
    pub(super) search: Search,
    pub(super) start: Position,
    end: Position,
    place: Mutex<Position>,
    pub(super) points: Mutex<Breakpoints>,
    pub(super) recording: Shared<Recording>,
    pub(super) make_replay: MakeReplay,
    console: Mutex<Option<Shared<Console>>>,
}

impl Timeline {
    /// A timeline that stands at the recording's first place. `images` stand in for ROM that the file holds only by hash;
    /// `budget` is what may be kept in memory, in bytes.
    ///
    /// # Errors
    /// A recording that cannot be replayed.
    pub fn new(recording: &Shared<Recording>, images: &[ImageInput], budget: usize) -> Result<Self, Error> {
        let (replayed, images) = (recording.clone(), images.to_vec());
        let make_replay: MakeReplay = Shared::new(move || replayed.replay_with(&images));
        let session = make_replay()?;
        let cursor = ReplayCursor::new(session, recording.reader(), budget)?;
        let (start, end) = (cursor.start(), cursor.end());
        Ok(Self {
            search: Search::new(cursor, SearchWorker::new(make_replay.clone(), recording.reader().clone())),
            start,
            end,
            place: Mutex::new(start),
            points: Mutex::default(),
            recording: recording.clone(),
            make_replay,
            console: Mutex::new(None),
        })
    }

    /// Makes searches take as many turns on a short run as they take on a long one.
    #[cfg(feature = "testing")]
    pub fn with_stretches(self, first: u64, longest: u64) -> Self {
        Self { search: self.search.with_stretches(Stretches { first, longest }), ..self }
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

    pub(super) fn stand_at(&self, place: Position) {
        *lock(&self.place) = place;
    }

    /// Whether a verification of the recording has found all of it to be right. Before that, answers rest on what its
    /// snapshots say, which is compared with the run only where a question replays it.
    pub fn is_verified(&self) -> bool {
        self.recording.is_verified()
    }

    /// States kept in memory, and an upper bound of their bytes.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn kept(&self, monitor: &mut dyn Monitor) -> Result<(usize, usize), Error> {
        Ok(self.search.cursor(&mut Cancel::new(monitor))?.marks_size())
    }

    /// How much of the run was replayed for what this timeline was asked, but for what a second thread did.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn work(&self, monitor: &mut dyn Monitor) -> Result<Work, Error> {
        Ok(self.search.cursor(&mut Cancel::new(monitor))?.work())
    }

    /// Shows the machine as it is at a place, and how many events of the log were taken there.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn look<T>(
        &self,
        place: Position,
        monitor: &mut dyn Monitor,
        question: impl FnOnce(&Session, u64) -> T,
    ) -> Result<T, Error> {
        let cancel = &mut Cancel::new(monitor);
        let mut cursor = self.search.cursor(cancel)?;
        cursor.go_to(place, cancel)?;
        Ok(question(cursor.session(), cursor.events_passed()))
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

    /// The place where `icount` instructions have just retired. Where the CPU waits there, or jams, `cycles` goes on to the
    /// first place at or after that cycle, but no further than to the instruction after the wait.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look), or [`Error::Argument`] for an icount that is not in the recording.
    pub fn place_at(
        &self,
        icount: u64,
        cycles: Option<u64>,
        monitor: &mut dyn Monitor,
    ) -> Result<Position, Error> {
        self.require_within(icount)?;
        let cancel = &mut Cancel::new(monitor);
        let mut cursor = self.search.cursor(cancel)?;
        let arrival = cursor.seek(icount, cancel)?;
        match cycles {
            Some(cycles) if cycles > arrival.cycles => {
                cursor.run_on_to(Position::new(icount, cycles.min(self.end.cycles)), cancel)?;
                if cursor.position().icount > icount {
                    return cursor.instruction_place(icount, cancel);
                }
                Ok(cursor.position())
            }
            _ => Ok(arrival),
        }
    }

    /// Goes to the place where `icount` instructions have just retired.
    ///
    /// # Errors
    /// The same as [`place_at`](Timeline::place_at).
    pub fn seek(
        &self,
        icount: u64,
        cycles: Option<u64>,
        monitor: &mut dyn Monitor,
    ) -> Result<Position, Error> {
        let place = self.place_at(icount, cycles, monitor)?;
        self.stand_at(place);
        Ok(place)
    }

    /// Goes to a place that was given before.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn go_to(&self, place: Position, monitor: &mut dyn Monitor) -> Result<(), Error> {
        self.require_within(place.icount)?;
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.go_to(place, cancel)?;
        self.stand_at(place);
        Ok(())
    }

    /// Where the instruction that retires as number `icount` is about to begin: after the wait, where the CPU waits before
    /// it, and after the reset, where it has jammed. The last of these places where there is no such instruction.
    ///
    /// # Errors
    /// The same as [`place_at`](Timeline::place_at).
    pub fn instruction_place(&self, icount: u64, monitor: &mut dyn Monitor) -> Result<Position, Error> {
        self.require_within(icount)?;
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.instruction_place(icount, cancel)
    }

    /// The last place before an access.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn place_before(&self, access: Position, monitor: &mut dyn Monitor) -> Result<Position, Error> {
        self.require_within(access.icount)?;
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.place_before(access, cancel)
    }

    /// The last place at which an event of the log has not passed, by its position and ordinal.
    ///
    /// # Errors
    /// The same as [`place_at`](Timeline::place_at).
    pub fn place_before_event(
        &self,
        at: Position,
        ordinal: u64,
        monitor: &mut dyn Monitor,
    ) -> Result<Position, Error> {
        self.require_within(at.icount)?;
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.place_before_event(at, ordinal, cancel)
    }

    // ---- steps ----

    fn moved(
        &self,
        monitor: &mut dyn Monitor,
        go: impl FnOnce(&Search, Position, &mut Cancel<'_>) -> Result<Position, Error>,
    ) -> Result<TimelineStop, Error> {
        let from = self.place();
        let place = go(&self.search, from, &mut Cancel::new(monitor))?;
        let at_limit = place == from || place == self.end || place == self.start;
        self.stop(if at_limit { "end" } else { "budget" }, place, monitor)
    }

    pub(super) fn stop(
        &self,
        reason: &'static str,
        place: Position,
        monitor: &mut dyn Monitor,
    ) -> Result<TimelineStop, Error> {
        let pc = self.look(place, monitor, |session, _| session.registers().pc())?;
        self.stand_at(place);
        Ok(TimelineStop { reason, place, pc, point: None, access: None })
    }

    /// Executes `count` instructions, or as many as there are.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn step(&self, count: u64, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        if count == 0 {
            return self.stop("budget", self.place(), monitor);
        }
        self.moved(monitor, |search, from, cancel| search.cursor(cancel)?.step(from, count, cancel))
    }

    /// Goes back by `count` instructions, or to the start. From after a wait the first step goes before it.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn reverse_step(&self, count: u64, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        let Some(rest) = count.checked_sub(1) else { return self.stop("budget", self.place(), monitor) };
        self.moved(monitor, |search, from, cancel| {
            let mut cursor = search.cursor(cancel)?;
            let place = cursor.step_back(from, cancel)?;
            if rest == 0 { Ok(place) } else { cursor.seek(place.icount.saturating_sub(rest), cancel) }
        })
    }

    /// Executes the next instruction, and the subroutine that it calls.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn step_over(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        self.moved(monitor, |search, from, cancel| search.cursor(cancel)?.step_over(from, cancel))
    }

    /// Goes before the last instruction, and before the call of the subroutine that it has ended.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn reverse_step_over(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        self.moved(monitor, Search::reverse_step_over)
    }

    /// Runs until the current subroutine or interrupt handler has returned.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn step_out(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        self.moved(monitor, |search, from, cancel| search.cursor(cancel)?.step_out(from, cancel))
    }

    /// Goes back to where the current subroutine was called, or the interrupt handler was entered.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn reverse_step_out(&self, monitor: &mut dyn Monitor) -> Result<TimelineStop, Error> {
        self.moved(monitor, Search::call_site)
    }

    // ---- questions ----

    /// What the console had printed at a place.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look), or a console that printed more than fits.
    pub fn console_output(&self, place: Position, monitor: &mut dyn Monitor) -> Result<Vec<u8>, Error> {
        let events = self.look(place, monitor, |_, events| events)?;
        Ok(self.console(monitor)?.before(events).to_vec())
    }

    /// Where the console printed the byte that made it so many, and the event's ordinal; `None` when it never printed as
    /// many.
    ///
    /// # Errors
    /// A file that cannot be read, a console that printed more than fits, a user who wants to stop.
    pub fn printed_at(
        &self,
        bytes: usize,
        monitor: &mut dyn Monitor,
    ) -> Result<Option<(Position, u64)>, Error> {
        Ok(self.console(monitor)?.printed_at(bytes))
    }

    /// What the console printed; read when it is first asked for. Nobody waits for somebody else to have read it.
    fn console(&self, monitor: &mut dyn Monitor) -> Result<Shared<Console>, Error> {
        let known = lock(&self.console).clone();
        if let Some(console) = known {
            return Ok(console);
        }
        let read = Shared::new(Console::read(&self.recording, &mut Cancel::new(monitor))?);
        *lock(&self.console) = Some(read.clone());
        Ok(read)
    }

    /// Writes the part of the run between two numbers of instructions into a file, as a recording of its own.
    ///
    /// # Errors
    /// The same as [`place_at`](Timeline::place_at), an empty part, a start at which something waits that the machine has asked
    /// for, a file that cannot be written, or one that is being recorded into. What is at `path` is replaced when the part
    /// is whole, and stays when that fails or is stopped.
    pub fn cut(
        &self,
        start: u64,
        stop: u64,
        path: &Path,
        monitor: &mut dyn Monitor,
    ) -> Result<WrittenFile, Error> {
        self.require_part(start, stop)?;
        let file = LogFile::beside(path)?.kept_back();
        let written = file.written()?;
        let create = |header: &Header| LogWriter::in_file(file, header, Options::default());
        self.cut_with(start, stop, create, monitor)?;
        Ok(written)
    }

    /// As [`cut`](Timeline::cut), with a writer of the caller's.
    ///
    /// # Errors
    /// The same as [`cut`](Timeline::cut).
    pub fn cut_with(
        &self,
        start: u64,
        stop: u64,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
        monitor: &mut dyn Monitor,
    ) -> Result<(), Error> {
        self.require_part(start, stop)?;
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.cut(start, stop, create, cancel)
    }

    fn require_part(&self, start: u64, stop: u64) -> Result<(), Error> {
        self.require_within(start)?;
        self.require_within(stop)?;
        if start >= stop {
            return Err(Error::Argument(format!("from icount {start} to {stop} there is nothing to cut")));
        }
        Ok(())
    }

    /// A machine in the state of a place, free to go its own way.
    ///
    /// # Errors
    /// The same as [`console_output`](Timeline::console_output).
    pub fn fork(&self, place: Position, monitor: &mut dyn Monitor) -> Result<Session, Error> {
        let printed = self.console_output(place, monitor)?;
        self.look(place, monitor, |session, _| session.fork(&printed))
    }

    /// The last write to an address before a place, here when not given.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn last_write(
        &self,
        address: u16,
        before: Option<Position>,
        monitor: &mut dyn Monitor,
    ) -> Result<Option<Access>, Error> {
        let before = before.unwrap_or_else(|| self.place());
        self.search.last_write(address, before, &mut Cancel::new(monitor))
    }

    /// Where the byte at an address comes from, as it stands at a place, here when not given: a graph without cycles, of
    /// which the first node is that byte, and each other stands after those that were made from it.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look).
    pub fn origin(
        &self,
        address: u16,
        before: Option<Position>,
        monitor: &mut dyn Monitor,
    ) -> Result<Vec<OriginNode>, Error> {
        let before = before.unwrap_or_else(|| self.place());
        let sources = origin::Run { search: &self.search, recording: &self.recording };
        origin::trace(sources, address, before, &mut Cancel::new(monitor))
    }

    /// All accesses that a query asks for, in order, handed to `take` one by one.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look), or [`Error::Argument`] for more than a table holds.
    pub fn accesses(
        &self,
        query: &AccessQuery,
        monitor: &mut dyn Monitor,
        take: &mut dyn FnMut(Access),
    ) -> Result<(), Error> {
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.accesses(query, cancel, take)
    }

    /// How often each instruction with `start <= icount < stop` was executed, and how long it took.
    ///
    /// # Errors
    /// The same as [`place_at`](Timeline::place_at), or [`Error::Argument`] for an empty part.
    pub fn profile(
        &self,
        start: Option<u64>,
        stop: Option<u64>,
        monitor: &mut dyn Monitor,
    ) -> Result<Profile, Error> {
        let start = start.unwrap_or(self.start.icount);
        let stop = stop.unwrap_or(u64::MAX);
        self.require_within(start)?;
        if start >= stop {
            return Err(Error::Argument(format!("from icount {start} to {stop} there is nothing to count")));
        }
        let cancel = &mut Cancel::new(monitor);
        self.search.cursor(cancel)?.profile(start, stop, cancel)
    }

    /// The first place of the recording at which something holds, and the timeline stands there then.
    ///
    /// # Errors
    /// The same as [`look`](Timeline::look), or the predicate's own.
    pub fn first(
        &self,
        monitor: &mut dyn Monitor,
        predicate: &mut dyn FnMut(Position) -> Result<bool, Error>,
    ) -> Result<Option<Position>, Error> {
        let cancel = &mut Cancel::new(monitor);
        let measure = cancel.covers(self.start.icount, self.end.icount);
        let mut place = self.start;
        loop {
            measure.reach(place.icount, cancel);
            cancel.spend(1)?;
            if predicate(place)? {
                return Ok(Some(place));
            }
            if let Some(behind) = self.search.cursor(cancel)?.begun_behind(place, cancel)? {
                place = behind;
                continue;
            }
            if place == self.end {
                return Ok(None);
            }
            let next = self.search.cursor(cancel)?.step(place, 1, cancel)?;
            if next == place {
                return Ok(None);
            }
            place = next;
        }
    }
}
