//! The least input that still shows something: delta debugging on runs from a recording's start.

use crate::cursor::cancel::{Cancel, Measure};
use crate::error::Error;
use crate::events::AsyncEvent;
use crate::log::{Event, EventCursor, LogReader};
use crate::session::{RecordOptions, RunRequest, Session};
use crate::sync::Shared;
use std::path::Path;

/// A piece of input that is left out or kept as a whole, and the clock cycle at which it comes.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// When it comes.
    pub cycles: u64,
    /// What comes.
    pub events: Vec<AsyncEvent>,
}

/// The input of a recording: bytes one by one, packets of input events as a whole.
///
/// # Errors
/// A file that cannot be read.
pub fn inputs(reader: &Shared<LogReader>) -> Result<Vec<Input>, Error> {
    let mut inputs: Vec<Input> = Vec::new();
    let mut packet: Vec<AsyncEvent> = Vec::new();
    for event in EventCursor::new(reader.clone()) {
        let event = event?;
        let cycles = event.position.cycles;
        let Event::Async(arrived) = event.event else { continue };
        match arrived {
            AsyncEvent::CharRead { device, bytes } => inputs.extend(bytes.into_iter().map(|byte| Input {
                cycles,
                events: vec![AsyncEvent::CharRead { device, bytes: vec![byte] }],
            })),
            AsyncEvent::Net { .. } => inputs.push(Input { cycles, events: vec![arrived] }),
            AsyncEvent::Input(_) => packet.push(arrived),
            AsyncEvent::InputSync => {
                packet.push(arrived);
                inputs.push(Input { cycles, events: std::mem::take(&mut packet) });
            }
            _ => {}
        }
    }
    Ok(inputs)
}

/// What the runs with less input are made of, and judged by.
pub struct Trials<'a> {
    /// A machine at the recording's start, free to go its own way.
    pub fork: &'a dyn Fn(&mut Cancel<'_>) -> Result<Session, Error>,
    /// The cycle at which the recording ends.
    pub end: u64,
    /// The file that a run is recorded into before it is judged.
    pub tried: &'a Path,
    /// Whether what is looked for is in the recording at that path; it may take the file away.
    pub shows: &'a mut dyn FnMut(&Path) -> Result<bool, Error>,
}

/// Finds less input that still shows what is looked for, and records the run with it into `target`. First none of what is left
/// can be left out alone; then what is left is brought together, each piece to the moment of the one before, where that
/// changes nothing. Progress is counted in pieces that are settled, twice each.
///
/// # Errors
/// [`Error::State`] when a run with all of the input does not show it; a run that cannot be made or recorded, a user who wants
/// to stop.
pub fn minimize(
    mut trials: Trials<'_>,
    all: &[Input],
    target: &Path,
    cancel: &mut Cancel<'_>,
) -> Result<(), Error> {
    // Backwards, so that it counts what is settled and not where a machine is.
    let count = all.len() as u64;
    let progress = Settled { measure: cancel.covers(2 * count, 0), total: 2 * count };
    if !trials.hold(all, cancel)? {
        return Err(Error::State(
            "a run with the same input does not show it: a clock, entropy, or a request to a host makes the difference"
                .into(),
        ));
    }
    let left = trials.minimal_subset(all, &progress, cancel)?;
    let merged = trials.merged_moments(left, count, &progress, cancel)?;
    trials.record(&merged, target, cancel)
}

struct Settled {
    measure: Measure,
    total: u64,
}

impl Settled {
    fn reach(&self, count: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        self.measure.reach(self.total.saturating_sub(count), cancel);
        if cancel.is_over() { Err(Cancel::stopped()) } else { Ok(()) }
    }
}

impl Trials<'_> {
    fn hold(&mut self, inputs: &[Input], cancel: &mut Cancel<'_>) -> Result<bool, Error> {
        self.record(inputs, self.tried, cancel)?;
        (self.shows)(self.tried)
    }

    /// Runs from the start to the cycle at which the recording ends, with this input.
    fn record(&self, inputs: &[Input], path: &Path, cancel: &mut Cancel<'_>) -> Result<(), Error> {
        let session = (self.fork)(cancel)?;
        session.record(path, RecordOptions::default())?;
        match self.run(&session, inputs, cancel) {
            // What the board forbids ends the run, and may be just what is looked for.
            Ok(()) | Err(Error::Fault(_)) => session.finish(),
            Err(error) => Err(error),
        }
    }

    fn run(&self, session: &Session, inputs: &[Input], cancel: &mut Cancel<'_>) -> Result<(), Error> {
        for input in inputs {
            run_to(session, input.cycles, cancel)?;
            for event in &input.events {
                session.arrive(event.clone())?;
            }
        }
        run_to(session, self.end, cancel)
    }

    /// Delta debugging (Zeller and Hildebrandt, 2002): none of what is left can be left out alone.
    fn minimal_subset(
        &mut self,
        all: &[Input],
        progress: &Settled,
        cancel: &mut Cancel<'_>,
    ) -> Result<Vec<Input>, Error> {
        if self.hold(&[], cancel)? {
            return Ok(Vec::new());
        }
        let mut left = all.to_vec();
        let mut parts = 2;
        while left.len() > 1 {
            let size = left.len().div_ceil(parts);
            let mut smaller = None;
            for (number, chunk) in left.chunks(size).enumerate() {
                let first = number * size;
                let rest = [&left[..first], &left[first + chunk.len()..]].concat();
                // What is left out stays out; what is kept is settled only in the last round.
                let settled = all.len() - left.len() + if size == 1 { number } else { 0 };
                progress.reach(settled as u64, cancel)?;
                if self.hold(&rest, cancel)? {
                    smaller = Some(rest);
                    break;
                }
            }
            match smaller {
                Some(rest) => (left, parts) = (rest, (parts - 1).max(2)),
                None if size == 1 => break,
                None => parts = (parts * 2).min(left.len()),
            }
        }
        Ok(left)
    }

    /// Brings each piece to the moment of the one before, where that changes nothing.
    fn merged_moments(
        &mut self,
        mut merged: Vec<Input>,
        settled: u64,
        progress: &Settled,
        cancel: &mut Cancel<'_>,
    ) -> Result<Vec<Input>, Error> {
        for place in 1..merged.len() {
            progress.reach(settled + place as u64, cancel)?;
            if merged[place].cycles == merged[place - 1].cycles {
                continue;
            }
            let mut tried = merged.clone();
            tried[place].cycles = merged[place - 1].cycles;
            if self.hold(&tried, cancel)? {
                merged = tried;
            }
        }
        Ok(merged)
    }
}

fn run_to(session: &Session, cycles: u64, cancel: &mut Cancel<'_>) -> Result<(), Error> {
    let here = session.position().cycles;
    if cycles <= here {
        return Ok(());
    }
    let request = RunRequest { cycles: Some(cycles - here), ..RunRequest::default() };
    let stop = session.run(request, &mut || cancel.is_over())?;
    if stop.reason == "interrupted" { Err(Cancel::stopped()) } else { Ok(()) }
}
