//! Searches of a run, forwards and backwards, for what taps see.

use super::helper::Helper;
use super::navigator::{Goal, Navigator, Patience};
use crate::error::Error;
use crate::machine::{HookKind, Sighting, Tap, TapSpec};
use crate::memory::{Memory, PageBits, PageKind};
use crate::sync::{Mutex, lock};
use crate::units::Position;

/// How much of the run is replayed at a time, in instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretches {
    /// The first one; each further one is twice as long.
    pub first: u64,
    /// The longest.
    pub longest: u64,
}

impl Default for Stretches {
    fn default() -> Self {
        Self { first: 2_000, longest: 16_000_000 }
    }
}

/// Sightings that are kept of a stretch.
const KEPT_MAX: usize = 1 << 16;

/// What was found: which of the taps saw it, what it saw, and the place before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// The tap's place in the list.
    pub tap: usize,
    /// What it saw.
    pub sighting: Sighting,
    /// The last place before it: for an instruction, where that is about to be executed.
    pub place: Position,
}

/// Whether a finding is the one that is looked for. Nobody holds the replay meanwhile, so that it can be asked for what is
/// to be known; it stands at the finding's place.
pub type Accept<'a> = &'a mut dyn FnMut(&Found) -> Result<bool, Error>;

impl Navigator {
    /// The last place before an access: for one that an instruction made, where that is about to be executed.
    ///
    /// # Errors
    /// A divergence, a file that cannot be read, a user who wants to stop.
    pub fn place_before(&mut self, at: Position, patience: &mut Patience<'_>) -> Result<Position, Error> {
        let mut arrival = self.seek(at.icount, patience)?;
        if at.cycles <= arrival.cycles {
            // On the way into an interrupt handler, or by a device, when that many instructions had just retired.
            let before = at.icount.saturating_sub(1).max(self.start().icount);
            arrival = self.seek(before, patience)?;
        }
        if !self.session().world().guest.waits() {
            return Ok(arrival);
        }
        // The CPU waits: the access was made meanwhile, or by the instruction behind the wait.
        if self.go_to_instruction(patience)? && self.position().cycles <= at.cycles {
            return Ok(self.position());
        }
        self.go_to(arrival, patience)?;
        Ok(arrival)
    }

    /// See [`pages_written`].
    pub fn pages_written(&self, specs: &[TapSpec]) -> Option<PageBits> {
        pages_written(self.session().world().guest.memory(), specs)
    }

    fn place_of(&mut self, sighting: &Sighting, patience: &mut Patience<'_>) -> Result<Position, Error> {
        match sighting.kind {
            HookKind::Execute => {
                self.go_to(sighting.at, patience)?;
                Ok(sighting.at)
            }
            HookKind::Read | HookKind::Write => self.place_before(sighting.at, patience),
        }
    }

    /// The sighting with its instruction and author, where a search without them has seen it.
    ///
    /// # Errors
    /// As for [`place_before`](Navigator::place_before).
    pub fn explain(&mut self, sighting: &Sighting, patience: &mut Patience<'_>) -> Result<Sighting, Error> {
        if sighting.at.cycles <= self.start().cycles {
            // On the way to the first place.
            self.rewind(Position::default())?;
        } else {
            self.place_before(sighting.at, patience)?;
        }
        let spec = TapSpec {
            executes: false,
            reads: true,
            writes: true,
            first: sighting.address,
            last: sighting.address,
            last_cycle: u64::MAX,
            kept_max: KEPT_MAX,
            with_pc: true,
        };
        let until = Position::new(sighting.at.icount.saturating_add(1), sighting.at.cycles + 1);
        let taps = self.watch(&[spec], Goal::Place(until), patience)?;
        let same = |other: &&Sighting| other.at == sighting.at && other.kind == sighting.kind;
        let explained = taps.iter().flat_map(|tap| tap.seen()).rfind(same).copied();
        explained.ok_or_else(|| Error::Engine(format!("the access at {} was not made again", sighting.at)))
    }
}

/// The first thing seen behind `from` that is accepted.
///
/// # Errors
/// A divergence, a file that cannot be read, a user who wants to stop; or those of `accept`.
pub fn forward(
    navigator: &Mutex<Navigator>,
    stretches: Stretches,
    from: Position,
    specs: &[TapSpec],
    patience: &mut Patience<'_>,
    accept: Accept<'_>,
) -> Result<Option<Found>, Error> {
    let specs = limited(specs, u64::MAX);
    let writes = lock(navigator).pages_written(&specs);
    let mut length = stretches.first;
    let mut here = from;
    loop {
        let mut nav = lock(navigator);
        nav.go_to(here, patience)?;
        if nav.has_ended() || here >= nav.end() {
            return Ok(None);
        }
        if let Some(pages) = &writes {
            nav.skip_unwritten(pages, u64::MAX)?;
        }
        let goal = nav.position().icount.saturating_add(length);
        // To the end at the last, where the CPU may wait on.
        let goal = if goal >= nav.end().icount { Goal::Place(nav.end()) } else { Goal::Arrival(goal) };
        let taps = nav.watch(&specs, goal, patience)?;
        if taps.iter().any(|tap| tap.dropped() > 0) && length > 1 {
            length = (length / 16).max(1);
            continue;
        }
        let (reached, ended) = (nav.position(), nav.has_ended());
        drop(nav);
        for (tap, sighting) in in_order(&taps).into_iter().filter(|(_, sighting)| sighting.at > from) {
            let place = lock(navigator).place_of(&sighting, patience)?;
            let found = Found { tap, sighting, place };
            if accept(&found)? {
                return Ok(Some(found));
            }
        }
        if ended {
            return Ok(None);
        }
        here = reached;
        length = (length * 2).min(stretches.longest);
    }
}

/// The last thing seen before `from` that is accepted. Of a long way, two stretches are searched at a time.
///
/// # Errors
/// As for [`forward`].
pub fn backward(
    navigator: &Mutex<Navigator>,
    helper: &Helper,
    stretches: Stretches,
    from: Position,
    specs: &[TapSpec],
    patience: &mut Patience<'_>,
    accept: Accept<'_>,
) -> Result<Option<Found>, Error> {
    let writes = lock(navigator).pages_written(specs);
    let (mut until, mut length) = (from, stretches.first);
    loop {
        let mut nav = lock(navigator);
        let target = before(until, length);
        let base = nav.base_before(target);
        let start = nav.start();
        let may_show = |nav: &Navigator, base, until| {
            writes.as_ref().is_none_or(|pages| nav.stored().may_have_written(pages, base, until))
        };
        let mut earlier = None;
        if may_show(&nav, base, until) {
            let target_before = before(base, stretches.longest);
            let base_before = nav.base_before(target_before);
            if length == stretches.longest && base > start && may_show(&nav, base_before, base) {
                earlier = helper.start(&nav, limited(specs, base.cycles), target_before, base);
            }
            nav.rewind(target)?;
            let taps = nav.watch(&limited(specs, until.cycles), Goal::Place(until), patience)?;
            drop(nav);
            match last_accepted(navigator, &taps, patience, accept)? {
                Looked::Found(found) => return Ok(Some(found)),
                Looked::Full(oldest) => {
                    until = oldest;
                    continue;
                }
                Looked::Nothing => {}
            }
        } else {
            drop(nav);
        }
        until = base;
        if let Some(running) = earlier {
            let stretch = running.finish(patience)?;
            until = match last_accepted(navigator, &stretch.taps, patience, accept)? {
                Looked::Found(found) => return Ok(Some(found)),
                Looked::Full(oldest) => oldest,
                Looked::Nothing => stretch.base,
            };
        }
        if until <= start {
            return Ok(None);
        }
        length = (length * 2).min(stretches.longest);
    }
}

/// So many instructions before a position.
fn before(position: Position, length: u64) -> Position {
    Position::new(position.icount.saturating_sub(length), 0)
}

/// What came of looking through a stretch, backwards.
enum Looked {
    Found(Found),
    Nothing,
    /// More was seen than is kept: it lies before this position.
    Full(Position),
}

fn last_accepted(
    navigator: &Mutex<Navigator>,
    taps: &[Tap],
    patience: &mut Patience<'_>,
    accept: Accept<'_>,
) -> Result<Looked, Error> {
    // What was too much to be kept lies before the oldest that is.
    let full = taps.iter().filter(|tap| tap.dropped() > 0);
    let oldest = full.filter_map(|tap| tap.seen().next()).map(|sighting| sighting.at).max();
    let mut seen = in_order(taps);
    seen.retain(|(_, sighting)| oldest.is_none_or(|oldest| sighting.at >= oldest));
    for (tap, sighting) in seen.into_iter().rev() {
        let place = lock(navigator).place_of(&sighting, patience)?;
        let found = Found { tap, sighting, place };
        if accept(&found)? {
            return Ok(Looked::Found(found));
        }
    }
    // All of those at the oldest's own cycle were looked at.
    Ok(match oldest {
        Some(oldest) => Looked::Full(Position::new(oldest.icount, oldest.cycles.saturating_sub(1))),
        None => Looked::Nothing,
    })
}

/// All sightings in the order in which they were made.
fn in_order(taps: &[Tap]) -> Vec<(usize, Sighting)> {
    let mut seen: Vec<(usize, Sighting)> =
        taps.iter().enumerate().flat_map(|(tap, notes)| notes.seen().map(move |seen| (tap, *seen))).collect();
    seen.sort_by_key(|(_, sighting)| sighting.at);
    seen
}

/// The taps, with what they keep bounded, for a stretch that ends with a cycle.
fn limited(specs: &[TapSpec], last_cycle: u64) -> Vec<TapSpec> {
    let limit = |spec: &TapSpec| TapSpec { kept_max: spec.kept_max.min(KEPT_MAX), last_cycle, ..*spec };
    specs.iter().map(limit).collect()
}

/// The pages of which one must have been written to for anything to be seen. `None` when that is not known: when reads or
/// executions are looked for too, or where writes do not go to RAM.
fn pages_written(memory: &Memory, specs: &[TapSpec]) -> Option<PageBits> {
    let mut pages = PageBits::default();
    for spec in specs {
        if spec.executes || spec.reads {
            return None;
        }
        for page in (spec.first >> 8) as u8..=(spec.last >> 8) as u8 {
            if memory.kind(page) != PageKind::Ram || memory.is_io(page) {
                return None;
            }
            pages[usize::from(page / 8)] |= 1 << (page % 8);
        }
    }
    Some(pages)
}
