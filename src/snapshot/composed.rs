//! The snapshots of a recording, each put together from what has changed since the one before it.

use super::{Changes, Snapshot, SnapshotError};
use crate::log::{LogError, LogReader};
use crate::memory::{MEMORY, MEMORY_CHANGES, PageBits, Pages, TOUCHED, Touched};
use crate::persist::{Digest, Sections};
use crate::sync::Shared;
use crate::units::Position;

/// What a snapshot says of the run between the snapshot before it, or the start, and itself.
#[derive(Clone, Debug)]
pub enum TouchedSet {
    /// The addresses and the pages that were touched.
    Exact(Shared<Touched>, PageBits),
    /// The pages that were written to, which is all that older recorders noted.
    PagesWritten(PageBits),
    /// Nothing.
    Unknown,
}

/// A whole state of the run: the machine's, and the state machine's.
#[derive(Clone, Debug)]
pub struct Composed {
    identity: Digest,
    position: Position,
    /// All parts but the memory, in their order; the state machine's is the last.
    parts: Sections,
    /// Where the memory stands among the parts.
    memory_place: usize,
    pages: Pages,
    touched: TouchedSet,
}

impl Composed {
    fn new(
        identity: Digest,
        position: Position,
        sections: &Sections,
        pages: Pages,
        touched: TouchedSet,
    ) -> Result<Self, SnapshotError> {
        let is_memory = |name: &str| [MEMORY, MEMORY_CHANGES].contains(&name);
        let memory_place = sections.iter().position(|(name, _)| is_memory(name)).unwrap_or_default();
        let kept = sections.iter().filter(|(name, _)| !is_memory(name) && name != TOUCHED);
        let parts: Sections = kept.cloned().collect();
        if parts.len() < memory_place || parts.is_empty() {
            return Err(damaged("it does not have the parts of a machine"));
        }
        if sections.iter().filter(|(name, _)| is_memory(name)).count() != 1 {
            return Err(damaged("it says two things of the memory"));
        }
        Ok(Self { identity, position, parts, memory_place, pages, touched })
    }

    /// The hash of board and ROM it belongs to.
    pub fn identity(&self) -> Digest {
        self.identity
    }

    /// Where the machine was.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The RAM.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The machine's parts but for the memory, in their order.
    pub fn parts(&self) -> &[(String, Vec<u8>)] {
        self.parts.split_last().map_or(&[], |(_, of_machine)| of_machine)
    }

    /// The state machine's part.
    pub fn replay(&self) -> &[u8] {
        self.parts.last().map_or(&[], |(_, content)| content)
    }

    /// What the run touched since the snapshot before.
    pub fn touched(&self) -> &TouchedSet {
        &self.touched
    }

    /// Lets go of what is known of the run between the snapshot before and this one.
    pub fn forget_touched(&mut self) {
        self.touched = TouchedSet::Unknown;
    }

    /// The same as a snapshot that stands alone.
    pub fn to_snapshot(&self) -> Snapshot {
        let mut sections = self.parts.clone();
        sections.insert(self.memory_place, (MEMORY.to_owned(), self.pages.to_section()));
        Snapshot::new(self.identity, self.position, sections)
    }
}

/// Puts the snapshots of a recording together, one after the other.
#[derive(Clone)]
pub struct Composer {
    reader: Shared<LogReader>,
    /// The number of the next snapshot.
    next: u64,
    /// What the next changes refer to, once it is known.
    base: Option<Base>,
}

#[derive(Clone)]
struct Base {
    identity: Digest,
    pages: Pages,
    touched: Shared<Touched>,
}

impl Base {
    fn of(snapshot: &Snapshot) -> Result<Self, SnapshotError> {
        Ok(Self { identity: snapshot.identity(), pages: memory_of(snapshot)?, touched: Shared::default() })
    }
}

impl Composer {
    /// Stands before the recording's first snapshot.
    pub fn new(reader: Shared<LogReader>) -> Self {
        Self { reader, next: 0, base: None }
    }

    /// The number of the snapshot that [`compose_next`](Composer::compose_next) composes.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The snapshot with a number: the next one at once, any other by way of those that it builds on.
    ///
    /// # Errors
    /// No snapshot of that number, a file that cannot be read, or snapshots that do not hold.
    pub fn compose(&mut self, number: u64) -> Result<Composed, LogError> {
        if number < self.next {
            *self = Self::new(self.reader.clone());
        }
        while self.next < number {
            self.compose_next()?;
        }
        self.compose_next()
    }

    /// The next snapshot.
    ///
    /// # Errors
    /// The same as [`compose`](Composer::compose).
    pub fn compose_next(&mut self) -> Result<Composed, LogError> {
        let number = self.next;
        let container = self.reader.read_snapshot(number)?;
        let composed =
            self.put_together(&container).map_err(|error| self.reader.snapshot_error(number, &error))?;
        self.next += 1;
        Ok(composed)
    }

    fn put_together(&mut self, container: &[u8]) -> Result<Composed, SnapshotError> {
        let base = match self.base.take() {
            Some(base) => base,
            None => Base::of(&Snapshot::from_bytes(&self.reader.header().initial_state)?)?,
        };
        let composed = if Changes::is_changes(container) {
            changed(&Changes::from_bytes(container)?, &base)?
        } else {
            let whole = Snapshot::from_bytes(container)?;
            let (pages, touched) = (memory_of(&whole)?, TouchedSet::Unknown);
            Composed::new(whole.identity(), whole.position(), whole.sections(), pages, touched)?
        };
        if composed.identity != base.identity {
            return Err(damaged("it is of another machine than the one before it"));
        }
        if Some(composed.position) != self.reader.snapshot_position(self.next) {
            return Err(SnapshotError::Damaged(format!("it says that it is of {}", composed.position)));
        }
        let touched = match &composed.touched {
            TouchedSet::Exact(touched, _) => touched.clone(),
            _ => Shared::default(),
        };
        self.base = Some(Base { identity: base.identity, pages: composed.pages.clone(), touched });
        Ok(composed)
    }
}

/// The snapshot with a number in a recording, whole. A recording of a machine that is not ours has whole ones only, of
/// which nothing is known but that they are containers.
///
/// # Errors
/// The same as [`Composer::compose`].
pub fn recorded(reader: &Shared<LogReader>, number: u64) -> Result<Snapshot, LogError> {
    let container = reader.read_snapshot(number)?;
    if Changes::is_changes(&container) {
        return Ok(Composer::new(reader.clone()).compose(number)?.to_snapshot());
    }
    Snapshot::from_bytes(&container).map_err(|error| reader.snapshot_error(number, &error))
}

fn changed(changes: &Changes, base: &Base) -> Result<Composed, SnapshotError> {
    let memory = changes.memory()?;
    let pages = base.pages.with_contents(memory.pages())?;
    let touched = match changes.touched(&base.touched)? {
        None => TouchedSet::PagesWritten(memory.written),
        // What is the same in many stretches is kept once.
        Some(touched) if touched == *base.touched => TouchedSet::Exact(base.touched.clone(), memory.written),
        Some(touched) => TouchedSet::Exact(Shared::new(touched), memory.written),
    };
    Composed::new(changes.identity(), changes.position(), changes.sections(), pages, touched)
}

fn memory_of(snapshot: &Snapshot) -> Result<Pages, SnapshotError> {
    let found = snapshot.sections().iter().find(|(name, _)| name == MEMORY);
    let (_, section) = found.ok_or_else(|| damaged("it has no memory"))?;
    Ok(Pages::from_section(section)?)
}

fn damaged(what: &str) -> SnapshotError {
    SnapshotError::Damaged(what.to_owned())
}
