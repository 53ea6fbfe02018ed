//! What a timeline answers without being moved, and the recordings and machines that come of it.

use super::TimelineOracle;
use super::notes::text;
use crate::exec_trace::ExecTrace;
use crate::sink::SmallDisk;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{LogWriter, Options};
use rreplay::machine::HookKind;
use rreplay::recording::Recording;
use rreplay::session::{HookEvent, RunRequest, Session};
use rreplay::timeline::{Access, AccessQuery};
use rreplay::units::Position;

/// Places from which the last write to an address is asked for.
const FROM_PLACES: usize = 24;

impl TimelineOracle {
    pub(super) fn output(&self, icount: u64) -> Result<(), String> {
        let seen = &self.notes.places[(icount - self.notes.first()) as usize];
        let output = self.timeline.console_output(seen.at, &mut || false).map_err(text)?;
        if output == self.notes.output[..seen.printed] {
            return Ok(());
        }
        Err(format!("at {} the console had printed {output:?}, and not {} bytes", seen.at, seen.printed))
    }

    pub(super) fn profile(&self, start: u64, stop: u64) -> Result<(), String> {
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

    /// From here, and from places all over the run.
    pub(super) fn last_write(&self, address: u16, here: Position) -> Result<(), String> {
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

    pub(super) fn accesses(
        &self,
        range: (u16, u16),
        reads: bool,
        start: u64,
        stop: u64,
    ) -> Result<(), String> {
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

    pub(super) fn first(&self, icount: u64) -> Result<(), String> {
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
        let after_waits = self
            .notes
            .begun
            .iter()
            .filter(|begun| begun.at.icount < icount && begun.at > self.place(begun.at.icount));
        let places = icount - self.notes.first() + 1 + after_waits.count() as u64;
        if asked != places {
            return Err(format!("{asked} places were asked for, of {places}"));
        }
        self.is_at(here, "after a question")
    }

    /// An event has not passed at the place before it, and has at the next place.
    pub(super) fn event(&self, number: usize) -> Result<(), String> {
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

    pub(super) fn origin(&self, address: u16) -> Result<(), String> {
        if self.exec_trace.get().is_none() {
            let _ = self.exec_trace.set(ExecTrace::take(&self.recording)?);
        }
        let exec_trace = self.exec_trace.get().ok_or("the run was not gone through")?;
        exec_trace.check_origin(&self.timeline, address).map(|_| ())
    }

    /// A part is a recording that replays, and ends where it was to.
    pub(super) fn cut(&self, start: u64, stop: u64) -> Result<(), String> {
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
    pub(super) fn fork(&self, here: Position, instructions: u64) -> Result<(), String> {
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
