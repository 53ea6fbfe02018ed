//! A recording taken apart, and a writer of files that knows docs/log-format.md and no scruple: whatever stands in the
//! parts is written with checksums, index and seal that are right.

use super::timeline_oracle::notes::text;
use rreplay::log::codec::ChunkEncoder;
use rreplay::log::limits::{FORMAT_VERSION, MIN_READER_VERSION};
use rreplay::log::varint::put_varint;
use rreplay::log::{Event, EventKind, Header, LogReader, StampedEvent};
use rreplay::memory::{MEMORY_CHANGES, MemoryChanges, PageBits, Pages, TOUCHED, Touched};
use rreplay::persist::{Digest, Sections};
use rreplay::replay::{OWN_SUBSYSTEMS, Replay};
use rreplay::snapshot::{Changes, Composer, Snapshot, TouchedSet};
use rreplay::sync::Shared;
use rreplay::units::Position;

/// Events of one frame.
const CHUNK_EVENTS: usize = 20;
/// Bytes of events that the seal hashes at once.
const SEAL_PIECE: usize = 4096;

/// A snapshot as it is by itself, whatever the one before it holds.
#[derive(Clone)]
pub(super) struct State {
    pub identity: Digest,
    pub position: Position,
    /// All parts of the machine but the memory, in order.
    pub parts: Sections,
    pub pages: Pages,
    pub touched: Touched,
    pub written: PageBits,
    /// The state machine's part.
    pub replay: Vec<u8>,
    pub form: Form,
}

/// How a snapshot is put down.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As a recorder does it.
    Changes,
    /// As an older recorder did, that noted no addresses.
    WithoutAddresses,
    /// As the first one did.
    Whole,
    /// With a page among those that have changed that has not.
    WithPage(u8),
}

/// The fields of an index entry, as section 7 of the format's description has them.
pub(super) type IndexEntry = [u64; 7];

/// A recording taken apart.
#[derive(Clone)]
pub(super) struct ForgedLog {
    pub header: Header,
    pub events: Vec<StampedEvent>,
    pub states: Vec<State>,
    /// What is done to a snapshot's part of the state machine once the seal is in it: place and bits.
    pub replay_flips: Vec<(usize, usize, u8)>,
    /// What is done to the index: entry, field, and what is added.
    pub index_changes: Vec<(usize, usize, u64)>,
}

impl ForgedLog {
    /// Takes a recording apart.
    pub fn of(reader: &Shared<LogReader>) -> Result<Self, String> {
        let mut composer = Composer::new(reader.clone());
        let mut states = Vec::new();
        for _ in reader.snapshots() {
            let composed = composer.compose_next().map_err(text)?;
            let TouchedSet::Exact(touched, written) = composed.touched() else {
                return Err("a snapshot does not say what was touched".to_owned());
            };
            states.push(State {
                identity: composed.identity(),
                position: composed.position(),
                parts: composed.parts().to_vec(),
                pages: composed.pages().clone(),
                touched: (**touched).clone(),
                written: *written,
                replay: composed.replay().to_vec(),
                form: Form::Changes,
            });
        }
        let events = reader.events().collect::<Result<Vec<_>, _>>().map_err(text)?;
        let header = reader.header().clone();
        Ok(Self { header, events, states, replay_flips: Vec::new(), index_changes: Vec::new() })
    }

    /// The file.
    pub fn write(&self) -> Result<Vec<u8>, String> {
        let encoded = self.header.encode().map_err(text)?;
        let mut seal = Seal::new(Digest::of(&encoded));
        let mut file = File::new(&encoded, self.header.start);
        let seals = self.header.subsystems.ends_with(&OWN_SUBSYSTEMS.map(str::to_owned));
        let mut before = Before::start(&self.header)?;
        let mut chunk = Vec::new();
        for (ordinal, stamped) in self.events.iter().enumerate() {
            let mut event = stamped.event.clone();
            match &mut event {
                Event::Digest(hashes) if seals => {
                    if let Some(last) = hashes.last_mut() {
                        *last = seal.digest();
                    }
                }
                Event::Snapshot { number } => {
                    let container = self.container(*number as usize, ordinal as u64, &seal, &mut before)?;
                    seal.add_container(&container);
                    file.events(&mut chunk);
                    file.snapshot(&container, stamped.position);
                }
                _ => {}
            }
            seal.add(stamped.position, &event);
            chunk.push((stamped.position, event));
            if chunk.len() == CHUNK_EVENTS {
                file.events(&mut chunk);
            }
        }
        file.events(&mut chunk);
        Ok(file.finish(&self.events, &self.index_changes))
    }

    fn container(
        &self,
        number: usize,
        ordinal: u64,
        seal: &Seal,
        before: &mut Before,
    ) -> Result<Vec<u8>, String> {
        // An event that names a snapshot after the last one carries the last one's state.
        let state =
            self.states.get(number).or(self.states.last()).ok_or("an event of a snapshot, and no state")?;
        let mut replay = with_seal(&state.replay, ordinal, seal)?;
        for (_, at, bits) in self.replay_flips.iter().filter(|(of, _, _)| *of == number) {
            let at = at % replay.len();
            replay[at] ^= bits;
        }
        let mut sections = state.parts.clone();
        if state.form == Form::Whole {
            sections.insert(MEMORY_PLACE, (rreplay::memory::MEMORY.to_owned(), state.pages.to_section()));
            sections.push(("replay".to_owned(), replay));
            *before = Before { pages: state.pages.clone(), touched: Touched::default() };
            return Ok(Snapshot::new(state.identity, state.position, sections).to_bytes());
        }
        let mut changes = MemoryChanges { written: state.written, changed: [0; 32], contents: &[] };
        let mut contents = Vec::new();
        for (page, content) in state.pages.iter() {
            let is_changed = before.pages.get(page) != Some(content);
            if is_changed || state.form == Form::WithPage(page) {
                changes.changed[usize::from(page / 8)] |= 1 << (page % 8);
                contents.extend_from_slice(content.bytes());
            }
        }
        let mut section = Vec::new();
        MemoryChanges { contents: &contents, ..changes }.put(&mut section);
        sections.insert(MEMORY_PLACE, (MEMORY_CHANGES.to_owned(), section));
        let is_older = state.form == Form::WithoutAddresses;
        if !is_older {
            let mut touched = Vec::new();
            state.touched.put(&before.touched, &mut touched);
            sections.push((TOUCHED.to_owned(), touched));
        }
        sections.push(("replay".to_owned(), replay));
        let touched = if is_older { Touched::default() } else { state.touched.clone() };
        *before = Before { pages: state.pages.clone(), touched };
        let container = Changes::new(state.identity, state.position, sections).to_bytes();
        Ok(if is_older { of_version(container, 2) } else { container })
    }
}

/// Behind CPU and lines.
const MEMORY_PLACE: usize = 2;

/// What the next snapshot's changes refer to.
struct Before {
    pages: Pages,
    touched: Touched,
}

impl Before {
    fn start(header: &Header) -> Result<Self, String> {
        let initial = Snapshot::from_bytes(&header.initial_state).map_err(text)?;
        let memory = initial.sections().iter().find(|(name, _)| name == rreplay::memory::MEMORY);
        let (_, section) = memory.ok_or("the initial state has no memory")?;
        Ok(Self { pages: Pages::from_section(section).map_err(text)?, touched: Touched::default() })
    }
}

/// The container says that it is of another version.
fn of_version(mut container: Vec<u8>, version: u16) -> Vec<u8> {
    container[8..10].copy_from_slice(&version.to_le_bytes());
    let checked = container.len() - 4;
    let checksum = crc32fast::hash(&container[..checked]);
    container[checked..].copy_from_slice(&checksum.to_le_bytes());
    container
}

/// The state machine's part with what it knows of the events before it.
fn with_seal(saved: &[u8], ordinal: u64, seal: &Seal) -> Result<Vec<u8>, String> {
    let parts = Replay::saved_parts(saved).map_err(text)?;
    let of = |wanted: &str| parts.iter().find(|(name, _)| *name == wanted).map(|(_, part)| part.as_slice());
    let mut replay = ordinal.to_le_bytes().to_vec();
    for part in ["position", "clocks", "queue"] {
        replay.extend_from_slice(of(part).unwrap_or_default());
    }
    replay.extend_from_slice(&seal.hash.0);
    replay.extend_from_slice(&(seal.pending.len() as u32).to_le_bytes());
    replay.extend_from_slice(&seal.pending);
    Ok(replay)
}

/// The running hash of section 5.
struct Seal {
    hash: Digest,
    pending: Vec<u8>,
}

impl Seal {
    fn new(identity: Digest) -> Self {
        Self { hash: identity, pending: Vec::new() }
    }

    fn digest(&self) -> Digest {
        Digest::of(&[&self.hash.0[..], &self.pending].concat())
    }

    fn add_container(&mut self, container: &[u8]) {
        self.pending.extend_from_slice(&Digest::of(container).0);
    }

    fn add(&mut self, position: Position, event: &Event) {
        self.pending.extend_from_slice(&position.icount.to_le_bytes());
        self.pending.extend_from_slice(&position.cycles.to_le_bytes());
        let mut encoder = ChunkEncoder::new();
        encoder.push(position, event);
        self.pending.extend_from_slice(encoder.raw());
        if self.pending.len() >= SEAL_PIECE {
            (self.hash, self.pending) = (self.digest(), Vec::new());
        }
    }
}

/// The frames of a file.
struct File {
    bytes: Vec<u8>,
    seed: [u8; 4],
    ordinal: u64,
    /// Index entries with absolute places: type, start, length, raw length, events, icount, cycles.
    entries: Vec<IndexEntry>,
    /// Bytes of the events of each kind.
    kinds: Vec<(EventKind, u64, u64)>,
    frames_start: u64,
}

impl File {
    fn new(header: &[u8], start: Position) -> Self {
        let mut bytes = vec![0x8E, 0x52, 0x52, 0x50, 0x0D, 0x0A, 0x1A, 0x0A];
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&MIN_READER_VERSION.to_le_bytes());
        let prologue = bytes.clone();
        let frame = frame(1, header, 0, 0, start, &prologue);
        let seed = frame[frame.len() - 4..].try_into().expect("a frame ends with its checksum");
        bytes.extend_from_slice(&frame);
        let frames_start = bytes.len() as u64;
        let kinds = EventKind::ALL.iter().map(|kind| (*kind, 0, 0)).collect();
        Self { bytes, seed, ordinal: 0, entries: Vec::new(), kinds, frames_start }
    }

    fn put(&mut self, kind: u8, payload: &[u8], events: u64, first: Position) {
        let frame = frame(kind, payload, self.ordinal, events, first, &self.seed);
        let (start, length) = (self.bytes.len() as u64, frame.len() as u64);
        let raw = payload.len() as u64;
        self.entries.push([u64::from(kind), start, length, raw, events, first.icount, first.cycles]);
        self.bytes.extend_from_slice(&frame);
        self.ordinal += events;
    }

    fn events(&mut self, chunk: &mut Vec<(Position, Event)>) {
        let Some((first, _)) = chunk.first().cloned() else { return };
        let mut encoder = ChunkEncoder::new();
        for (position, event) in chunk.iter() {
            let bytes = encoder.push(*position, event);
            let total = &mut self.kinds[usize::from(event.kind().number())];
            *total = (total.0, total.1 + 1, total.2 + bytes as u64);
        }
        self.put(2, encoder.raw(), chunk.len() as u64, first);
        chunk.clear();
    }

    fn snapshot(&mut self, container: &[u8], at: Position) {
        self.put(3, container, 0, at);
    }

    fn finish(mut self, events: &[StampedEvent], changes: &[(usize, usize, u64)]) -> Vec<u8> {
        let mut payload = Vec::new();
        put_varint(&mut payload, self.entries.len() as u64);
        let mut before = [0, self.frames_start, 0, 0, 0, 0, 0];
        for (number, entry) in self.entries.iter().enumerate() {
            let [kind, start, length, raw, count, icount, cycles] = *entry;
            let distance = start - (before[1] + before[2]);
            let (icount, cycles) = (icount.wrapping_sub(before[5]), cycles.wrapping_sub(before[6]));
            let mut fields = [distance, length, raw, count, icount, cycles];
            for (_, field, more) in changes.iter().filter(|(of, _, _)| of % self.entries.len() == number) {
                fields[field % 6] = fields[field % 6].wrapping_add(*more);
            }
            payload.push(kind as u8);
            fields.iter().for_each(|field| put_varint(&mut payload, *field));
            before = *entry;
        }
        let kinds = self.kinds.iter().filter(|(_, count, _)| *count > 0);
        put_varint(&mut payload, kinds.clone().count() as u64);
        for (kind, count, bytes) in kinds {
            payload.push(kind.number());
            put_varint(&mut payload, *count);
            put_varint(&mut payload, *bytes);
        }
        let last = events.last().map(|event| event.position).unwrap_or_default();
        put_varint(&mut payload, last.icount);
        put_varint(&mut payload, last.cycles);
        payload.push(u8::from(events.last().is_some_and(|event| event.event == Event::End)));
        let index = self.bytes.len() as u64;
        let frame = frame(4, &payload, self.ordinal, 0, last, &self.seed);
        self.bytes.extend_from_slice(&frame);
        let mut footer = vec![0x8E, 0x72, 0x72, 0x65, 0x6E, 0x64, 0x1A, 0x0A];
        footer.extend_from_slice(&index.to_le_bytes());
        let checksum = crc32fast::hash(&[&self.seed[..], &footer].concat());
        self.bytes.extend_from_slice(&footer);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        self.bytes
    }
}

/// A frame of section 3, not compressed.
fn frame(kind: u8, payload: &[u8], ordinal: u64, events: u64, first: Position, seed: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x9C, 0x72, 0x66, 0xC5, kind, 0];
    let length = payload.len() as u64;
    for field in [length, length, ordinal, events, first.icount, first.cycles] {
        put_varint(&mut frame, field);
    }
    frame.extend_from_slice(payload);
    let checksum = crc32fast::hash(&[seed, &frame].concat());
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame
}
