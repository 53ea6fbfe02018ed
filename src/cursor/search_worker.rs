//! A second replay, on a thread of its own, that searches the stretch before the one that is being searched.

use super::cancel::WORK_BETWEEN_QUESTIONS;
use super::search::Stretch;
use super::{Cancel, Goal, ReplayCursor};
use crate::error::Error;
use crate::log::LogReader;
use crate::machine::{AccessTrace, TraceFilter};
use crate::session::Session;
use crate::sync::{Arc, JoinHandle, Kick, Mutex, NotifyOnDrop, Shared, lock, spawn, try_lock};
use crate::units::Position;
use std::time::Duration;

/// How long the user's wish to stop may stay unnoticed.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(10);

/// What was seen of a stretch, and where that began.
pub struct Searched {
    /// Where it began.
    pub base: Position,
    /// What was seen.
    pub traces: Vec<AccessTrace>,
}

/// Makes another replay of a recording, at its start.
pub type MakeReplay = Shared<dyn Fn() -> Result<Session, Error> + Send + Sync>;

/// Makes the second replay when it is first of use, and keeps it.
pub struct SearchWorker {
    make_replay: MakeReplay,
    reader: Shared<LogReader>,
    cursor: Arc<Mutex<Option<ReplayCursor>>>,
}

/// What both threads know.
#[derive(Default)]
struct Signals {
    /// Nobody wants the result any more.
    stop: Mutex<bool>,
    ended: Mutex<bool>,
    kick: Kick,
}

impl Signals {
    /// The thread has ended.
    fn say_ended(&self) {
        *lock(&self.ended) = true;
        self.kick.kick();
    }
}

/// A stretch that is being searched. Dropped, it is given up.
pub struct PendingSearch {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<Result<Searched, Error>>>,
}

impl SearchWorker {
    /// A worker that searches for the timeline of the recording in that file.
    pub fn new(make_replay: MakeReplay, reader: Shared<LogReader>) -> Self {
        Self { make_replay, reader, cursor: Arc::default() }
    }

    /// Begins to search a stretch, from its base or a state before that. `None` when there is no thread to be had, or when
    /// the second replay is another question's, or was when this process was forked: then one replay does it all.
    pub fn start(
        &self,
        beside: &ReplayCursor,
        specs: Vec<TraceFilter>,
        stretch: Stretch,
    ) -> Option<PendingSearch> {
        let mut made = try_lock(&self.cursor)?;
        if made.is_none() {
            let session = (self.make_replay)().ok()?;
            *made = Some(beside.beside(session, &self.reader));
        }
        drop(made);
        let signals = Arc::<Signals>::default();
        let cursor = self.cursor.clone();
        let told = NotifyOnDrop::new(signals.clone(), Signals::say_ended);
        let thread = spawn("rreplay search", move || {
            let mut interrupted = || *lock(&told.stop);
            let mut cancel = Cancel::new(&mut interrupted);
            let mut cursor = lock(&cursor);
            let Some(cursor) = cursor.as_mut() else {
                return Err(Error::Engine("the second replay is gone".into()));
            };
            let base = cursor.rewind(stretch.base)?;
            let traces = cursor.watch(&specs, Goal::Place(stretch.until), &mut cancel)?;
            Ok(Searched { base, traces })
        });
        Some(PendingSearch { signals, thread: Some(thread.ok()?) })
    }
}

impl PendingSearch {
    /// Waits for the result.
    ///
    /// # Errors
    /// The search's own, or a user who wants to stop.
    pub fn finish(mut self, cancel: &mut Cancel<'_>) -> Result<Searched, Error> {
        while !*lock(&self.signals.ended) {
            cancel.spend(WORK_BETWEEN_QUESTIONS)?;
            self.signals.kick.sleep(BETWEEN_QUESTIONS);
        }
        let panicked = || Error::Engine("a thread that searched a stretch panicked".into());
        let thread = self.thread.take().ok_or_else(panicked)?;
        thread.join().map_err(|_| panicked())?
    }
}

impl Drop for PendingSearch {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            *lock(&self.signals.stop) = true;
            // Whatever it found or ran into, nobody asks any more.
            let _ = thread.join();
        }
    }
}
