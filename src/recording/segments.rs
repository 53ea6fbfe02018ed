//! Verifying a recording: its segments, from one snapshot to the next, are replayed on their own, and each must end in the
//! whole state that the next one begins with. So they hold together whoever replays them, and in whatever order.

use super::{Recording, Verification};
use crate::engine::Scheduler;
use crate::error::Error;
use crate::machine::board::ImageInput;
use crate::session::{RunRequest, Session};
use crate::snapshot::{Composer, Snapshot};
use crate::sync::{Arc, Kick, Mutex, NotifyOnDrop, lock, spawn};
use crate::units::Position;
use std::time::Duration;

/// Instructions that are replayed between two reports of the progress.
const PROGRESS_INSTRUCTIONS: u64 = 20_000_000;
/// Parts of the run for each job: enough that none waits long for the last one, few enough that starting them costs
/// little.
const PARTS_PER_JOB: usize = 4;
/// How long the user's wish to stop may stay unnoticed.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(10);
/// Jobs at a time, at most.
pub const JOBS_MAX: usize = 64;

/// A part of the run, of one or more segments: from a snapshot, or the start, to another snapshot, or the end. The
/// snapshots in it are compared with the run as it comes to them, as in every replay.
#[derive(Clone)]
struct Part {
    from: Option<Snapshot>,
    /// The snapshot's place and the ordinal of its event; `None` for the end.
    to: Option<(Position, u64)>,
}

/// What the jobs share.
struct Work {
    recording: Recording,
    images: Vec<ImageInput>,
    scheduler: Scheduler,
    parts: Vec<Part>,
    state: Mutex<State>,
    /// Wakes who waits for the workers.
    ended: Kick,
}

#[derive(Default)]
struct State {
    next: usize,
    /// Instructions replayed.
    done: u64,
    /// The user wants to stop, or a part does not hold.
    stop: bool,
    interrupted: bool,
    failure: Option<Error>,
    /// Where the last part ended, in instructions.
    end: u64,
    /// Threads at work beside the caller's.
    workers: usize,
}

impl Work {
    /// A worker has ended, or could not be started.
    fn worker_ended(&self) {
        lock(&self.state).workers -= 1;
        self.ended.kick();
    }

    /// Takes parts until there are none left. `interrupted` is asked now and then.
    fn run(&self, interrupted: &mut dyn FnMut(u64) -> bool) {
        loop {
            let part = {
                let mut state = lock(&self.state);
                if state.stop {
                    return;
                }
                let Some(part) = self.parts.get(state.next) else { return };
                state.next += 1;
                part
            };
            if let Err(error) = self.replay(part, interrupted) {
                let mut state = lock(&self.state);
                state.stop = true;
                state.failure.get_or_insert(error);
            }
        }
    }

    /// Waits until all workers have ended.
    fn wait(&self, interrupted: &mut dyn FnMut(u64) -> bool) {
        loop {
            let (workers, done) = {
                let state = lock(&self.state);
                (state.workers, state.done)
            };
            if workers == 0 {
                return;
            }
            if interrupted(done) {
                self.interrupt();
            }
            self.ended.sleep(BETWEEN_QUESTIONS);
        }
    }

    fn interrupt(&self) {
        let mut state = lock(&self.state);
        (state.stop, state.interrupted) = (true, true);
    }

    fn replay(&self, part: &Part, interrupted: &mut dyn FnMut(u64) -> bool) -> Result<(), Error> {
        let session = self.recording.replay_with(&self.images)?;
        if let Some(snapshot) = &part.from {
            session.resume(snapshot)?;
        }
        while !has_passed(&session, part)? {
            let here = session.position();
            let mut ask = || {
                let state = lock(&self.state);
                let (stop, done) = (state.stop, state.done);
                drop(state);
                stop || interrupted(done)
            };
            let stop = match session.run(self.request(&session, part), &mut ask) {
                // What the board forbids the program did in the recorded run too, and went on from there.
                Err(Error::Fault(_)) => continue,
                stop => stop?,
            };
            lock(&self.state).done += stop.position.icount - here.icount;
            match stop.reason {
                "end" if part.to.is_none() => {
                    lock(&self.state).end = stop.position.icount;
                    return Ok(());
                }
                "interrupted" => {
                    if !lock(&self.state).stop {
                        self.interrupt();
                    }
                    return Ok(());
                }
                // A shutdown is followed by the final digest.
                _ => {}
            }
        }
        Ok(())
    }

    /// How far a replay of a part runs next.
    fn request(&self, session: &Session, part: &Part) -> RunRequest {
        let here = session.position();
        let (instructions, cycles) = match part.to {
            None => (PROGRESS_INSTRUCTIONS, None),
            Some((to, _)) if here.icount < to.icount => {
                ((to.icount - here.icount).min(PROGRESS_INSTRUCTIONS), None)
            }
            // The CPU waits, or something is left to be done here.
            Some((to, _)) => (PROGRESS_INSTRUCTIONS, Some(to.cycles.saturating_sub(here.cycles))),
        };
        RunRequest {
            instructions: Some(instructions),
            cycles,
            scheduler: Some(self.scheduler),
            ..RunRequest::default()
        }
    }
}

/// Whether the replay has consumed all of its part.
fn has_passed(session: &Session, part: &Part) -> Result<bool, Error> {
    let Some((to, ordinal)) = part.to else { return Ok(false) };
    let passed = session.events_passed();
    if passed <= ordinal && session.position() > to {
        return Err(Error::Engine(format!("a replay went by the snapshot at {to} without coming to it")));
    }
    Ok(passed > ordinal)
}

impl Recording {
    /// Replays everything and compares it with all that the file holds: every event, every digest, every snapshot as a
    /// whole, and what each snapshot says of the run before it. `jobs` parts are replayed at a time; what comes out does
    /// not depend on how many. `images` are as for [`replay_with`](Recording::replay_with). `progress` is told the icount
    /// now and then; `false` stops.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, or [`Error::State`] when `progress` stopped it.
    pub fn verify_with_jobs(
        &self,
        jobs: usize,
        scheduler: Scheduler,
        images: &[ImageInput],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Verification, Error> {
        let mut clock = crate::host::RunningClock::default();
        clock.start();
        // A second replay, of a recording that does not hold, does not seem to begin again.
        let mut reached = self.start().icount;
        let progress = &mut |icount: u64| {
            reached = reached.max(icount);
            progress(reached)
        };
        let jobs = jobs.clamp(1, JOBS_MAX);
        let whole = || vec![Part { from: None, to: None }];
        // A recording whose snapshots do not hold is told so by the replay that comes to the first of them.
        let parts = if jobs == 1 { whole() } else { self.parts(jobs * PARTS_PER_JOB).unwrap_or(whole()) };
        let several = parts.len() > 1;
        let end = match self.replay_parts(parts, jobs, scheduler, images, progress) {
            Err(error) if several && !is_stopped(&error) => {
                // The story that one job tells: which part fails first depends on who was quicker.
                self.replay_parts(whole(), 1, scheduler, images, progress)?;
                return Err(error);
            }
            end => end?,
        };
        progress(end);
        let verified = self.verified(end, &clock)?;
        if verified.ok {
            self.set_verified();
        }
        Ok(verified)
    }

    /// As [`verify_with_jobs`](Recording::verify_with_jobs), one part at a time.
    ///
    /// # Errors
    /// The same as [`verify_with_jobs`](Recording::verify_with_jobs).
    pub fn verify(
        &self,
        scheduler: Scheduler,
        images: &[ImageInput],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Verification, Error> {
        self.verify_with_jobs(1, scheduler, images, progress)
    }

    /// Replays all parts; returns where the last one ended, in instructions.
    fn replay_parts(
        &self,
        parts: Vec<Part>,
        jobs: usize,
        scheduler: Scheduler,
        images: &[ImageInput],
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<u64, Error> {
        let work = Arc::new(Work {
            recording: self.clone(),
            images: images.to_vec(),
            scheduler,
            parts,
            state: Mutex::default(),
            ended: Kick::default(),
        });
        let mut workers = Vec::new();
        for _ in 1..jobs.min(work.parts.len()) {
            let worker = NotifyOnDrop::new(work.clone(), Work::worker_ended);
            lock(&work.state).workers += 1;
            // Fewer jobs take longer, and that is all.
            workers.extend(spawn("rreplay verify", move || worker.run(&mut |_| false)));
        }
        let start = self.start().icount;
        work.run(&mut |done| !progress(start + done));
        work.wait(&mut |done| !progress(start + done));
        for worker in workers {
            if worker.join().is_err() {
                return Err(Error::Engine("a thread that verified a part of the run panicked".into()));
            }
        }
        let mut state = lock(&work.state);
        match state.failure.take() {
            Some(error) => Err(error),
            None if state.interrupted => Err(stopped()),
            None => Ok(state.end),
        }
    }

    /// Cuts the run at snapshots into at most so many parts of about the same length.
    fn parts(&self, count: usize) -> Result<Vec<Part>, Error> {
        let (start, end) = (self.start().icount, self.end().icount);
        let length = (end - start).div_ceil(count as u64).max(1);
        let mut parts = vec![Part { from: None, to: None }];
        let mut next = start + length;
        let mut composer = Composer::new(self.reader().clone());
        for chunk in self.reader().snapshots() {
            let snapshot = composer.compose_next()?;
            let at = chunk.first;
            if at.icount < next || at.icount >= end {
                continue;
            }
            next = at.icount + length;
            if let Some(last) = parts.last_mut() {
                last.to = Some((at, chunk.first_ordinal));
            }
            parts.push(Part { from: Some(snapshot.to_snapshot()), to: None });
        }
        Ok(parts)
    }
}

fn stopped() -> Error {
    Error::State("the verification was stopped before its end".into())
}

fn is_stopped(error: &Error) -> bool {
    matches!(error, Error::State(_))
}
