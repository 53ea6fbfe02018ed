//! Verifying a recording in segments that are replayed beside each other, each from its snapshot through the digest at the
//! next one.

use super::{PROGRESS_INSTRUCTIONS, Recording, Verification};
use crate::engine::Scheduler;
use crate::error::Error;
use crate::log::Event;
use crate::machine::board::ImageInput;
use crate::session::{RunRequest, Session};
use crate::snapshot::Snapshot;
use crate::sync::{Arc, Kick, Mutex, Shared, lock, spawn};
use crate::units::{EventOrdinal, Position};
use std::time::Duration;

/// Segments for each job: enough that none waits long for the last one, few enough that starting them costs little.
const SEGMENTS_PER_JOB: usize = 4;
/// How long the user's wish to stop may stay unnoticed.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(10);
/// Jobs at a time, at most.
pub const JOBS_MAX: usize = 64;

/// A part of the run: from a snapshot, or the start, to the event of another, or the end.
#[derive(Clone)]
struct Segment {
    from: Option<Snapshot>,
    start: Position,
    /// The snapshot's place and the ordinal of its event; `None` for the end.
    to: Option<(Position, u64)>,
}

/// What the jobs share.
struct Work {
    recording: Shared<Recording>,
    images: Vec<ImageInput>,
    scheduler: Scheduler,
    segments: Vec<Segment>,
    state: Mutex<State>,
    /// Wakes who waits for the helpers.
    ended: Kick,
}

/// Says that a helper has ended, however it ends, and also when it could not be started.
struct SayEnded(Arc<Work>);

impl Drop for SayEnded {
    fn drop(&mut self) {
        lock(&self.0.state).helpers -= 1;
        self.0.ended.kick();
    }
}

#[derive(Default)]
struct State {
    next: usize,
    /// Instructions replayed.
    done: u64,
    /// The user wants to stop, or a segment does not hold.
    stop: bool,
    failure: Option<Error>,
    /// Threads at work beside the caller's.
    helpers: usize,
}

impl Work {
    /// Takes segments until there are none left. `interrupted` is asked now and then.
    fn run(&self, interrupted: &mut dyn FnMut(u64) -> bool) {
        loop {
            let segment = {
                let mut state = lock(&self.state);
                if state.stop {
                    return;
                }
                let Some(segment) = self.segments.get(state.next) else { return };
                state.next += 1;
                segment
            };
            if let Err(error) = self.replay(segment, interrupted) {
                let mut state = lock(&self.state);
                state.stop = true;
                state.failure.get_or_insert(error);
            }
        }
    }

    /// Waits until all helpers have ended.
    fn wait(&self, interrupted: &mut dyn FnMut(u64) -> bool) {
        loop {
            let (helpers, done) = {
                let state = lock(&self.state);
                (state.helpers, state.done)
            };
            if helpers == 0 {
                return;
            }
            if interrupted(done) {
                lock(&self.state).stop = true;
            }
            self.ended.sleep(BETWEEN_QUESTIONS);
        }
    }

    fn replay(&self, segment: &Segment, interrupted: &mut dyn FnMut(u64) -> bool) -> Result<(), Error> {
        let session = self.recording.replay_with(&self.images)?;
        if let Some(snapshot) = &segment.from {
            session.resume(snapshot)?;
            self.check_start(&session, segment.start)?;
        }
        while !self.has_passed(&session, segment)? {
            let here = session.position();
            let (instructions, cycles) = match segment.to {
                None => (PROGRESS_INSTRUCTIONS, None),
                Some((to, _)) if here.icount < to.icount => {
                    ((to.icount - here.icount).min(PROGRESS_INSTRUCTIONS), None)
                }
                // The CPU waits, or something is left to be done here.
                Some((to, _)) => (PROGRESS_INSTRUCTIONS, Some(to.cycles.saturating_sub(here.cycles))),
            };
            let request = RunRequest {
                instructions: Some(instructions),
                cycles,
                scheduler: Some(self.scheduler),
                ..RunRequest::default()
            };
            let mut ask = || {
                let state = lock(&self.state);
                let (stop, done) = (state.stop, state.done);
                drop(state);
                stop || interrupted(done)
            };
            let stop = match session.run(request, &mut ask) {
                // What the board forbids the program did in the recorded run too, and went on from there.
                Err(Error::Fault(_)) => continue,
                stop => stop?,
            };
            lock(&self.state).done += stop.position.icount - here.icount;
            match stop.reason {
                "end" if segment.to.is_none() => return Ok(()),
                "interrupted" => {
                    lock(&self.state).stop = true;
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the replay has consumed all of its segment.
    fn has_passed(&self, session: &Session, segment: &Segment) -> Result<bool, Error> {
        let Some((to, ordinal)) = segment.to else { return Ok(false) };
        let passed = session.events_passed();
        if passed <= ordinal && session.position() > to {
            return Err(Error::Engine(format!("a replay went by the snapshot at {to} without coming to it")));
        }
        Ok(passed > ordinal)
    }

    /// A snapshot that a segment starts from has the state that the digest before it has.
    fn check_start(&self, session: &Session, at: Position) -> Result<(), Error> {
        let passed = session.events_passed();
        let Some(before) = passed.checked_sub(1) else { return Ok(()) };
        let mut events = self.recording.reader().events_from(EventOrdinal(before))?;
        let Some(Event::Digest(logged)) = events.next().transpose()?.map(|event| event.event) else {
            return Ok(());
        };
        let own: Vec<_> = session.digests().into_iter().map(|(_, digest)| digest).collect();
        if logged.get(..own.len()) == Some(&own[..]) {
            return Ok(());
        }
        Err(Error::Mismatch(format!("the snapshot at {at} is not the state that the digest there says")))
    }
}

impl Recording {
    /// As [`verify`](Recording::verify), with so many segments at a time. What it reports does not depend on the jobs: a
    /// recording that does not hold is gone through once more, from the start.
    ///
    /// # Errors
    /// As for [`verify`](Recording::verify).
    pub fn verify_with_jobs(
        self: &Shared<Self>,
        jobs: usize,
        scheduler: Scheduler,
        images: &[ImageInput],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Verification, Error> {
        let jobs = jobs.clamp(1, JOBS_MAX);
        let segments = if jobs == 1 { Vec::new() } else { self.segments(jobs * SEGMENTS_PER_JOB)? };
        if segments.len() < 2 {
            return self.verify(scheduler, images, progress);
        }
        let mut clock = crate::host::RunningClock::default();
        clock.start();
        let count = segments.len() as u64;
        let work = Arc::new(Work {
            recording: self.clone(),
            images: images.to_vec(),
            scheduler,
            segments,
            state: Mutex::default(),
            ended: Kick::default(),
        });
        let mut helpers = Vec::new();
        for _ in 1..jobs {
            let ending = SayEnded(work.clone());
            lock(&work.state).helpers += 1;
            // Fewer jobs take longer, and that is all.
            helpers.extend(spawn("rreplay verify", move || ending.0.run(&mut |_| false)));
        }
        let start = self.start().icount;
        work.run(&mut |done| !progress(start + done));
        work.wait(&mut |done| !progress(start + done));
        for helper in helpers {
            if helper.join().is_err() {
                return Err(Error::Engine("a thread that verified a segment panicked".into()));
            }
        }
        let (stopped, failed) = {
            let mut state = lock(&work.state);
            (state.stop, state.failure.take())
        };
        if let Some(error) = failed {
            // The same story as one job tells.
            self.verify(scheduler, images, progress)?;
            return Err(error);
        }
        if stopped {
            return Err(Error::State("the verification was stopped before its end".into()));
        }
        progress(self.end().icount);
        self.verified(self.end().icount, count, &clock)
    }

    /// Cuts the run at snapshots into at most so many parts of about the same length.
    fn segments(&self, count: usize) -> Result<Vec<Segment>, Error> {
        let places: Vec<(u64, Position, u64)> = (self.reader().snapshots().zip(0..))
            .map(|(chunk, number)| (number, chunk.first, chunk.first_ordinal))
            .collect();
        let (start, end) = (self.start().icount, self.end().icount);
        let length = (end - start).div_ceil(count as u64).max(1);
        let mut segments = vec![Segment { from: None, start: self.start(), to: None }];
        let mut next = start + length;
        for (number, at, ordinal) in places {
            if at.icount < next || at.icount >= end {
                continue;
            }
            next = at.icount + length;
            if let Some(last) = segments.last_mut() {
                last.to = Some((at, ordinal));
            }
            segments.push(Segment { from: Some(self.read_snapshot(number)?), start: at, to: None });
        }
        Ok(segments)
    }
}
