//! The naive oracle of time travel: a recording is replayed once, an instruction at a time, with everything noted.

use rreplay::cpu::mos6502::registers::SP;
use rreplay::error::Error;
use rreplay::machine::HookKind;
use rreplay::recording::Recording;
use rreplay::session::{HookEvent, RunRequest, Running, Session};
use rreplay::sync::{Mutex, Shared, lock};
use rreplay::units::Position;
use std::collections::BTreeMap;

/// Places of a recording that are noted, so that a long one does not take for ever.
pub const PLACES_MAX: usize = 4_000;

const BRK: u8 = 0x00;
const PHP: u8 = 0x08;
const JSR: u8 = 0x20;
const RTI: u8 = 0x40;
const PHA: u8 = 0x48;
const PHY: u8 = 0x5A;
const RTS: u8 = 0x60;
const PHX: u8 = 0xDA;

/// What is noted of a place.
pub struct Seen {
    pub at: Position,
    pub pc: u16,
    pub sp: u8,
    /// Bytes that the console had printed.
    pub printed: usize,
}

/// What is noted of an instruction that was begun.
#[derive(Clone, Copy)]
pub struct Begun {
    pub at: Position,
    pub pc: u16,
    pub sp: u8,
    pub opcode: u8,
}

/// The notes of one replay.
pub struct Notes {
    pub places: Vec<Seen>,
    pub begun: Vec<Begun>,
    pub end: Position,
    pub hits: Vec<HookEvent>,
    /// Of each hit, whether it is a write that has changed what memory held, or one to a device.
    pub changes: Vec<bool>,
    pub output: Vec<u8>,
    /// The half of all addresses used that was used the least.
    pub rare: Vec<u16>,
    /// Numbers of instructions at which one begins after a wait or a jam: after jams, where there are any, for they are
    /// few.
    pub begun_again: Vec<u64>,
    /// Those at which a snapshot was taken.
    pub snapshots: Vec<u64>,
}

/// What a call is to a debugger, or a place that the notes cannot tell.
pub enum Call {
    At(Position),
    Unknown,
}

pub fn text(error: impl ToString) -> String {
    error.to_string()
}

impl Notes {
    /// Goes through a recording. The notes of a long one end early.
    pub fn take(recording: &Recording) -> Result<Notes, String> {
        let session = recording.replay().map_err(text)?;
        let watch = Watched::begin(&session);
        let mut notes = Notes {
            places: Vec::new(),
            begun: Vec::new(),
            end: recording.end(),
            hits: Vec::new(),
            changes: Vec::new(),
            output: Vec::new(),
            rare: Vec::new(),
            begun_again: Vec::new(),
            snapshots: Vec::new(),
        };
        let mut held = Held::new(&session, recording)?;
        let running = session.start_running().map_err(text)?;
        let mut ended = run(&session, &running, 0)?;
        let mut next = session.position().icount;
        let mut stood = Stood::now(&session);
        loop {
            let here = Stood::now(&session);
            notes.add_hits(watch.take(), [stood, here], &mut held, &session);
            // A wait that lasts to the end is no further place.
            if here.at.icount == next {
                let Stood { at, pc, sp, .. } = here;
                notes.places.push(Seen { at, pc, sp, printed: session.output_length() });
                next += 1;
            }
            if ended || notes.is_short() {
                break;
            }
            stood = here;
            watch.stand_at(here.at);
            ended = run(&session, &running, next - here.at.icount)?;
        }
        let found = session.position();
        if !notes.is_short() && found != notes.end {
            return Err(format!("the naive replay ended at {found}, the recording at {}", notes.end));
        }
        notes.output = session.output();
        notes.rare = rare_addresses(&notes.hits);
        if !notes.is_short() {
            let (waits, jams) = notes.begun_later();
            notes.begun_again = if jams.is_empty() { waits } else { jams };
            notes.snapshots = recording.snapshots().iter().map(|snapshot| snapshot.icount).collect();
        }
        Ok(notes)
    }

    /// Whether the recording was too long to be noted whole.
    pub fn is_short(&self) -> bool {
        self.places.len() > PLACES_MAX
    }

    /// Takes in what was done from where the replay stood to where it stands.
    fn add_hits(&mut self, new: Vec<HookEvent>, stood: [Stood; 2], held: &mut Held, session: &Session) {
        for hit in &new {
            self.changes.push(hit.kind == HookKind::Write && held.is_changed_by(hit));
            if hit.kind == HookKind::Execute {
                // It has begun where the replay stood, or begins where it stands.
                let Stood { sp, opcode, .. } = stood[usize::from(hit.position != stood[0].at)];
                self.begun.push(Begun { at: hit.position, pc: hit.address, sp, opcode });
            }
        }
        held.look_again(&new, session);
        self.hits.extend(new);
    }

    /// Numbers of instructions at which one begins after a wait, and at which one begins after another that never retired.
    pub fn begun_later(&self) -> (Vec<u64>, Vec<u64>) {
        let again = self.begun.windows(2).filter(|two| two[0].at.icount == two[1].at.icount);
        let jams: Vec<u64> = again.map(|two| two[1].at.icount).collect();
        let later = self
            .begun
            .iter()
            .map(|begun| begun.at)
            .filter(|begun| begun.icount >= self.first() && *begun > self.place(begun.icount));
        let waits = later.map(|begun| begun.icount).filter(|icount| !jams.contains(icount)).collect();
        (waits, jams)
    }

    /// The place at which so many instructions have retired.
    pub fn place(&self, icount: u64) -> Position {
        self.places[(icount - self.first()) as usize].at
    }

    /// The first and the last icount.
    pub fn first(&self) -> u64 {
        self.places[0].at.icount
    }

    pub fn last(&self) -> u64 {
        self.first() + self.places.len() as u64 - 1
    }

    /// The notes of the instruction that is about to begin at a place.
    pub fn begun_at(&self, place: Position) -> Option<&Begun> {
        self.begun.iter().find(|begun| begun.at == place)
    }

    /// The stack pointer at a place.
    pub fn sp(&self, place: Position) -> Option<u8> {
        let seen = self.places.iter().find(|seen| seen.at == place).map(|seen| seen.sp);
        seen.or_else(|| self.begun_at(place).map(|begun| begun.sp))
    }

    /// The last place before an access: one of those that were come to, or the beginning of an instruction.
    pub fn place_before(&self, at: Position) -> Option<Position> {
        let places = self.places.iter().map(|seen| seen.at);
        let begun = self.begun.iter().map(|begun| begun.at);
        places.chain(begun).filter(|place| place.cycles < at.cycles).max()
    }

    /// The instruction that makes an access; `None` for one on the way into a handler, or by a device.
    pub fn initiator(&self, hit: &HookEvent) -> Option<&Begun> {
        let begun = self.begun.iter().rfind(|begun| begun.at.cycles < hit.position.cycles);
        begun.filter(|begun| begun.at.icount == hit.position.icount)
    }

    /// Where the call was made whose pushed bytes lie on the stack at a place, the last one.
    pub fn call_site(&self, from: Position) -> Call {
        let Some(sp) = self.sp(from) else { return Call::Unknown };
        let mut below = 0x100 + u16::from(sp);
        let stack = self.hits.iter().rev().filter(|hit| {
            hit.kind == HookKind::Write && hit.position.cycles <= from.cycles && hit.address >> 8 == 1
        });
        for hit in stack {
            if hit.address <= below || hit.position.cycles <= self.places[0].at.cycles {
                continue;
            }
            let Some(place) = self.place_before(hit.position) else { continue };
            let opcode = match self.initiator(hit) {
                // A device that writes to the stack is no call, and the notes do not tell them apart.
                None if hit.position.cycles <= self.place(hit.position.icount).cycles
                    && self.is_by_device(hit) =>
                {
                    return Call::Unknown;
                }
                None => return Call::At(place),
                Some(begun) => begun.opcode,
            };
            match opcode {
                _ if place >= from => {}
                JSR | BRK => return Call::At(place),
                PHA | PHP | PHX | PHY => below = hit.address,
                _ => {}
            }
        }
        Call::At(self.places[0].at)
    }

    /// Three bytes are pushed on the way into a handler, at ever lower addresses; anything else is a device's.
    fn is_by_device(&self, hit: &HookEvent) -> bool {
        let same = |other: &&HookEvent| {
            other.kind == HookKind::Write
                && other.position.icount == hit.position.icount
                && self.initiator(other).is_none()
        };
        let pushed: Vec<&HookEvent> = self.hits.iter().filter(same).collect();
        !pushed.len().is_multiple_of(3)
            || pushed.windows(2).any(|pair| pair[0].position.cycles == pair[1].position.cycles)
    }

    /// After the instruction that retires next at a place, and after the subroutine that it calls.
    pub fn over(&self, from: Position) -> Position {
        let begun = self.begun.iter().rfind(|begun| begun.at >= from && begun.at.icount == from.icount);
        let Some(begun) = begun else { return self.end };
        let next = from.icount + 1;
        if !matches!(begun.opcode, JSR | BRK) {
            return if next > self.last() { self.end } else { self.place(next) };
        }
        let raised = |seen: &&Seen| seen.at.icount >= next && seen.sp >= begun.sp;
        self.places.iter().find(raised).map_or(self.end, |seen| seen.at)
    }

    /// After the return from the subroutine or handler of a place.
    pub fn out(&self, from: Position) -> Option<Position> {
        let sp = self.sp(from)?;
        for begun in self.begun.iter().filter(|begun| begun.at >= from && begun.sp >= sp) {
            if matches!(begun.opcode, RTS | RTI) {
                let next = begun.at.icount + 1;
                return Some(if next > self.last() { self.end } else { self.place(next) });
            }
        }
        Some(self.end)
    }

    /// Executions and cycles by address, of the instructions with `start <= icount < stop`.
    pub fn profile(&self, start: u64, stop: u64) -> BTreeMap<u16, (u64, u64)> {
        let mut profile = BTreeMap::new();
        for (number, begun) in self.begun.iter().enumerate() {
            if !(start..stop).contains(&begun.at.icount) {
                continue;
            }
            let after = self.begun.get(number + 1).map_or(self.end, |next| next.at);
            let after = if stop > self.last() { after } else { after.min(self.place(stop)) };
            let (count, cycles) = profile.entry(begun.pc).or_insert((0, 0));
            *count += 1;
            *cycles += after.cycles - begun.at.cycles;
        }
        profile
    }
}

/// A place where the replay stands.
#[derive(Clone, Copy)]
struct Stood {
    at: Position,
    pc: u16,
    sp: u8,
    opcode: u8,
}

impl Stood {
    fn now(session: &Session) -> Self {
        let vm = session.lock_vm();
        let cpu = vm.guest.cpu();
        let (pc, sp) = (cpu.pc(), cpu.register(SP) as u8);
        Self { at: cpu.position(), pc, sp, opcode: vm.guest.peek(pc) }
    }
}

/// The hooks of the naive replay. Of instructions they note each, and stop before those that begin after where it stands.
struct Watched {
    hits: Shared<Mutex<Vec<HookEvent>>>,
    stands_at: Shared<Mutex<Position>>,
}

impl Watched {
    fn begin(session: &Session) -> Self {
        let watched = Self {
            hits: Shared::new(Mutex::new(Vec::new())),
            stands_at: Shared::new(Mutex::new(session.position())),
        };
        for kind in [HookKind::Execute, HookKind::Read, HookKind::Write] {
            let (hits, stands_at) = (watched.hits.clone(), watched.stands_at.clone());
            let note = move |event: HookEvent| {
                lock(&hits).push(event);
                kind != HookKind::Execute || event.position == *lock(&stands_at)
            };
            session.add_hook(kind, 0, u16::MAX, Box::new(note));
        }
        watched
    }

    fn stand_at(&self, place: Position) {
        *lock(&self.stands_at) = place;
    }

    fn take(&self) -> Vec<HookEvent> {
        std::mem::take(&mut lock(&self.hits))
    }
}

fn rare_addresses(hits: &[HookEvent]) -> Vec<u16> {
    let mut addresses: Vec<u16> = hits.iter().map(|hit| hit.address).collect();
    addresses.sort_unstable();
    let same = addresses.chunk_by(|one, other| one == other);
    let mut order: Vec<(usize, u16)> = same.map(|same| (same.len(), same[0])).collect();
    order.sort_unstable();
    order.truncate(order.len().div_ceil(2));
    order.into_iter().map(|(_, address)| address).collect()
}

/// What memory held before each step, to tell which writes change it.
struct Held {
    bytes: Vec<u8>,
    /// Where a write is taken in by a device, or by nothing.
    elsewhere: Vec<bool>,
}

impl Held {
    fn new(session: &Session, recording: &Recording) -> Result<Self, String> {
        let mut elsewhere = vec![true; 0x1_0000];
        for region in &recording.board().map_err(text)?.regions {
            elsewhere[usize::from(region.start)..=usize::from(region.end)].fill(false);
        }
        for (name, _) in session.devices() {
            // Those without registers have no window.
            if let Ok((first, last)) = session.device_window(&name) {
                elsewhere[usize::from(first)..=usize::from(last)].fill(true);
            }
        }
        Ok(Self { bytes: session.memory(0, 0x1_0000), elsewhere })
    }

    fn is_changed_by(&mut self, hit: &HookEvent) -> bool {
        let place = usize::from(hit.address);
        let before = std::mem::replace(&mut self.bytes[place], hit.value.unwrap_or_default());
        self.elsewhere[place] || Some(before) != hit.value
    }

    /// ROM has ignored what was written to it.
    fn look_again(&mut self, hits: &[HookEvent], session: &Session) {
        for hit in hits.iter().filter(|hit| hit.kind == HookKind::Write) {
            self.bytes[usize::from(hit.address)] = session.memory(hit.address, 1)[0];
        }
    }
}

/// Runs so many instructions, or to a hook that stops there; returns whether the recording has ended.
pub fn run(session: &Session, running: &Running<'_>, instructions: u64) -> Result<bool, String> {
    let goal = session.position().icount + instructions;
    let mut left = instructions;
    loop {
        let request = RunRequest { instructions: Some(left), ..RunRequest::default() };
        match running.run(request, &mut || false) {
            Err(Error::Fault(_)) => {}
            Err(error) => return Err(error.to_string()),
            Ok(stop) if stop.reason == "end" => return Ok(true),
            Ok(stop) if matches!(stop.reason, "budget" | "breakpoint") => return Ok(false),
            Ok(_) => {}
        }
        left = goal - session.position().icount;
    }
}
