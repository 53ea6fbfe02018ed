//! The machine's state in named sections: what snapshots hold and digests hash.

use super::Machine;
use super::lines::{Lines, POLLED, SavedLines};
use crate::cpu::Cpu;
use crate::memory::{MEMORY, MEMORY_CHANGES, MemoryChanges, PageBits, Pages, TOUCHED, Touched};
use crate::persist::{Digest, Field, Persist, PersistError, Reader, Sections, Value};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::{COUNT_MAX, Position};

/// Number of the first device's section: after CPU, lines and memory.
const FIRST_DEVICE: usize = 3;

/// Sections that do not fit the machine they are restored to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SectionError {
    /// Other sections than this machine has.
    #[error(
        "the saved state is of another machine: it has the parts {found:?}, this machine has {expected:?}"
    )]
    Parts {
        /// This machine's.
        expected: Vec<String>,
        /// The saved state's.
        found: Vec<String>,
    },
    /// A section's content.
    #[error("{section}: {source}")]
    Content {
        /// The section.
        section: String,
        /// What is wrong with it.
        source: PersistError,
    },
}

/// Number of the memory's section.
const MEMORY_PLACE: usize = 2;

/// What the next changes of a machine refer to.
#[derive(Clone, Debug)]
pub(super) struct Since {
    pages: Pages,
    touched: Touched,
    notes: Notes,
}

impl Default for Since {
    fn default() -> Self {
        Self { pages: Pages::empty(), touched: Touched::default(), notes: Notes::Useless }
    }
}

/// What the notes of the addresses that a machine touches are good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notes {
    /// For nothing: the machine has been put into another state since they began.
    Useless,
    /// They begin somewhere on the way.
    Part,
    /// They begin where what they are compared with begins.
    All,
}

/// What a machine has noted on its way.
#[derive(Clone, Debug)]
pub struct Noted {
    /// What it is good for.
    pub notes: Notes,
    /// The addresses that were touched.
    pub touched: Touched,
    /// The pages of RAM that were written to.
    pub written: PageBits,
}

/// A machine's state, to come back to: each part saved but for the memory, whose pages are shared with other states.
#[derive(Clone, Debug)]
pub struct Captured {
    /// CPU, lines, then the devices.
    parts: Vec<Vec<u8>>,
    pages: Pages,
}

impl Captured {
    /// The state that sections hold in which the memory is given on its own.
    pub fn new(parts: Vec<Vec<u8>>, pages: Pages) -> Self {
        Self { parts, pages }
    }

    /// The memory.
    pub fn pages(&self) -> &Pages {
        &self.pages
    }

    /// All parts but the memory: CPU, lines, then the devices.
    pub fn parts(&self) -> &[Vec<u8>] {
        &self.parts
    }

    /// Bytes of all parts but the memory.
    pub fn part_bytes(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }
}

fn restore_part(part: &mut dyn Persist, section: &str, bytes: Option<&Vec<u8>>) -> Result<(), SectionError> {
    let mut reader = Reader::new(bytes.map_or(&[], Vec::as_slice));
    part.restore(&mut reader)
        .and_then(|()| reader.finish())
        .map_err(|source| SectionError::Content { section: section.to_owned(), source })
}

fn check_counts(cpu: &Cpu) -> Result<(), SectionError> {
    let Position { icount, cycles } = cpu.position();
    for (count, name) in [(icount, "icount"), (cycles, "cycles")] {
        if count > COUNT_MAX {
            let source = PersistError::Invalid(name);
            return Err(SectionError::Content { section: "cpu".to_owned(), source });
        }
    }
    Ok(())
}

fn saved(part: &dyn Persist) -> Vec<u8> {
    let mut bytes = Vec::new();
    part.save(&mut bytes);
    bytes
}

/// The section `lines`. What is not as usual stands at its end: that the machine is suspended, since the second version, and
/// what the IRQ line was in the last cycles, since the fourth. So a state that has neither is saved as the first version did,
/// and has the same digest.
#[derive(Default)]
struct LinesAndPower {
    lines: SavedLines,
    suspended: bool,
}

impl Persist for LinesAndPower {
    fn save(&self, out: &mut Vec<u8>) {
        self.lines.irq_since.put(out);
        self.lines.nmi_held.put(out);
        self.lines.nmi_edge.put(out);
        if self.suspended || self.lines.irq_past.is_some() {
            self.suspended.put(out);
        }
        if let Some(past) = self.lines.irq_past {
            past.put(out);
        }
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError> {
        self.lines.irq_since = Field::take(reader, "irq_since")?;
        self.lines.nmi_held = Field::take(reader, "nmi_held")?;
        self.lines.nmi_edge = Field::take(reader, "nmi_edge")?;
        if reader.remaining() > 0 {
            self.suspended = Field::take(reader, "suspended")?;
            if !self.suspended && reader.remaining() == 0 {
                return Err(PersistError::Invalid("suspended"));
            }
        }
        if reader.remaining() > 0 {
            let past = Field::take(reader, "irq_past")?;
            if past > POLLED {
                return Err(PersistError::Invalid("irq_past"));
            }
            self.lines.irq_past = Some(past);
        }
        Ok(())
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let SavedLines { irq_since, nmi_held, nmi_edge, irq_past } = &self.lines;
        vec![
            ("irq_since", irq_since.value()),
            ("nmi_held", nmi_held.value()),
            ("nmi_edge", nmi_edge.value()),
            ("irq_past", irq_past.value()),
            ("suspended", self.suspended.value()),
        ]
    }
}

impl Machine {
    /// Names of the sections, in order.
    pub fn section_names(&self) -> Vec<String> {
        let devices = self.slots.iter().map(|slot| format!("device/{}", slot.name));
        ["cpu", "lines", "memory"].into_iter().map(str::to_owned).chain(devices).collect()
    }

    /// Saves everything that the run depends on.
    pub fn save_sections(&mut self) -> Sections {
        let memory = saved(&*self.memory);
        self.sections_with(MEMORY, memory)
    }

    /// What [`save_changed_sections`](Machine::save_changed_sections) gives next refers to the state now.
    pub(super) fn begin_changed_sections(&mut self) {
        self.take_notes(Notes::Part);
        self.since.pages = self.memory.collect_pages();
        self.since.touched = Touched::default();
    }

    /// What was noted since the last call, and begins notes anew, which are good for `notes`.
    pub fn take_notes(&mut self, notes: Notes) -> Noted {
        Noted {
            notes: std::mem::replace(&mut self.since.notes, notes),
            touched: self.memory.take_touched(),
            written: self.memory.take_written(),
        }
    }

    /// What the notes are good for.
    pub fn notes(&self) -> Notes {
        self.since.notes
    }

    /// As [`save_sections`](Machine::save_sections), with only that of the memory which was written to since the last call,
    /// and the addresses that were touched.
    pub(super) fn save_changed_sections(&mut self) -> Sections {
        let written = self.memory.take_written();
        let pages = self.memory.collect_pages();
        let mut changes = MemoryChanges { written, changed: [0; 32], contents: &[] };
        let mut contents = Vec::new();
        for (page, content) in pages.changed_since(&self.since.pages) {
            changes.changed[usize::from(page / 8)] |= 1 << (page % 8);
            contents.extend_from_slice(content.bytes());
        }
        let mut section = Vec::with_capacity(64 + contents.len());
        MemoryChanges { contents: &contents, ..changes }.put(&mut section);
        let mut touched = self.memory.take_touched();
        if is_seeded(SeededFault::TouchForgotten) {
            touched.written = Default::default();
        }
        let mut saved = Vec::new();
        touched.put(&self.since.touched, &mut saved);
        self.since = Since { pages, touched, ..self.since };
        let mut sections = self.sections_with(MEMORY_CHANGES, section);
        sections.push((TOUCHED.to_owned(), saved));
        sections
    }

    /// The sections, with the memory as it is given.
    fn sections_with(&mut self, memory: &str, content: Vec<u8>) -> Sections {
        self.catch_up();
        let mut contents = vec![saved(&self.cpu), saved(&self.lines_and_power()), content];
        contents.extend(self.slots.iter().map(|slot| saved(&*slot.device)));
        let mut names = self.section_names();
        names[MEMORY_PLACE] = memory.to_owned();
        names.into_iter().zip(contents).collect()
    }

    /// The state, in a form that shares what has not changed with others of the same run.
    pub fn capture(&mut self) -> Captured {
        self.catch_up();
        let mut parts = vec![saved(&self.cpu), saved(&self.lines_and_power())];
        parts.extend(self.slots.iter().map(|slot| saved(&*slot.device)));
        Captured { parts, pages: self.memory.collect_pages() }
    }

    /// Becomes what [`capture`](Machine::capture) saw on a machine of the same board.
    ///
    /// # Errors
    /// When it does not fit. The machine is then in no state at all, until another one is reinstated.
    pub fn reinstate(&mut self, captured: &Captured) -> Result<(), SectionError> {
        let mut rest = captured.parts.iter();
        let names = self.section_names();
        let of_devices = &names[FIRST_DEVICE..];
        restore_part(&mut self.cpu, &names[0], rest.next())?;
        check_counts(&self.cpu)?;
        let mut lines = LinesAndPower::default();
        restore_part(&mut lines, &names[1], rest.next())?;
        self.memory.restore_pages(&captured.pages).map_err(|_| SectionError::Content {
            section: MEMORY.to_owned(),
            source: PersistError::Invalid("ram_map"),
        })?;
        for (slot, name) in self.slots.devices_mut().zip(of_devices) {
            restore_part(&mut *slot.device, name, rest.next())?;
        }
        self.fault = None;
        self.since.notes = Notes::Useless;
        self.take_lines(&lines);
        self.wake_by_line();
        Ok(())
    }

    /// Restores what `save` gave on a machine of the same board.
    ///
    /// # Errors
    /// When the sections do not fit; the machine is then as it was before.
    pub fn restore_sections(&mut self, sections: &[(String, Vec<u8>)]) -> Result<(), SectionError> {
        let expected = self.section_names();
        let found: Vec<String> = sections.iter().map(|(name, _)| name.clone()).collect();
        if expected != found {
            return Err(SectionError::Parts { expected, found });
        }
        // The memory, which is most of a machine, is not copied for the case that something does not fit.
        let (mut cpu, mut slots, mut lines) =
            (self.cpu.clone(), self.slots.clone(), LinesAndPower::default());
        let part = |place: usize, part: &mut dyn Persist| {
            let (section, bytes) = &sections[place];
            restore_part(part, section, Some(bytes))
        };
        part(0, &mut cpu)?;
        check_counts(&cpu)?;
        part(1, &mut lines)?;
        let (section, memory) = &sections[MEMORY_PLACE];
        let content = |source| SectionError::Content { section: section.clone(), source };
        self.memory.check_saved(memory).map_err(content)?;
        for (place, slot) in (FIRST_DEVICE..).zip(slots.devices_mut()) {
            part(place, &mut *slot.device)?;
            // The clock starts after the reset of power-on: a device whose register is the reset vector is some cycles ahead of it.
            let now = cpu.cycles();
            let is_right = |time| time == now || (now..cpu.kind().reset_cycles()).contains(&time);
            if slot.device.as_of().is_some_and(|time| !is_right(time)) {
                let (section, source) = (sections[place].0.clone(), PersistError::Invalid("time"));
                return Err(SectionError::Content { section, source });
            }
        }
        part(MEMORY_PLACE, &mut *self.memory)?;
        (self.cpu, self.slots) = (cpu, slots);
        self.since.notes = Notes::Useless;
        self.take_lines(&lines);
        self.wake_by_line();
        Ok(())
    }

    /// Brings what is worked out lazily up to date, so that what is saved is canonical.
    fn catch_up(&mut self) {
        self.lines.catch_up(self.cpu.cycles(), &self.slots);
        self.slots.catch_up(self.cpu.cycles());
    }

    fn lines_and_power(&self) -> LinesAndPower {
        LinesAndPower { lines: self.lines.saved(self.cpu.cycles()), suspended: self.suspended }
    }

    /// When CPU and devices are restored.
    fn take_lines(&mut self, saved: &LinesAndPower) {
        let now = self.cpu.cycles();
        self.slots.refresh_all(now);
        self.lines = Lines::restored(&saved.lines, &self.slots, now);
        self.suspended = saved.suspended;
    }

    /// One hash per section, in the order of [`section_names`](Machine::section_names).
    pub fn digest_sections(&mut self) -> Vec<Digest> {
        self.catch_up();
        let mut bytes = Vec::with_capacity(256);
        let mut hash = |part: &dyn Persist| {
            bytes.clear();
            part.save(&mut bytes);
            Digest::of(&bytes)
        };
        let mut digests = vec![hash(&self.cpu), hash(&self.lines_and_power())];
        let devices: Vec<Digest> = self.slots.iter().map(|slot| hash(&*slot.device)).collect();
        digests.push(self.memory.digest());
        digests.extend(devices);
        if is_seeded(SeededFault::DigestSkipsDevice)
            && let Some(first) = digests.get_mut(FIRST_DEVICE)
        {
            *first = Digest([0; 16]);
        }
        digests
    }

    /// Every field of every section but `memory`, by name, as of now. Brings lazily computed state up to date.
    pub fn section_fields(&mut self) -> Vec<(String, Vec<(&'static str, Value)>)> {
        self.catch_up();
        let devices = self.slots.iter().map(|slot| (format!("device/{}", slot.name), slot.device.fields()));
        let own =
            [("cpu".to_owned(), self.cpu.fields()), ("lines".to_owned(), self.lines_and_power().fields())];
        own.into_iter().chain(devices).collect()
    }

    /// A device's registers by their data sheet names, as of now.
    pub fn device_fields(&self, name: &str) -> Option<Vec<(&'static str, Value)>> {
        let slot = self.slots.iter().find(|slot| slot.name == name)?;
        let mut device = slot.device.clone();
        device.catch_up(self.cpu.cycles());
        Some(device.fields())
    }
}
