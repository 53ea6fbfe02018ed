//! What a forger tells: lies about a recording's snapshots, sets, digests, events, header and index.

use super::forged_log::{ForgedLog, Form, State};
use super::wrong_log::other_payload;
use arbitrary::Arbitrary;
use proptest_derive::Arbitrary as Strategy;
use rreplay::log::Event;
use rreplay::memory::{AddressSet, Page, Touched};
use rreplay::persist::Digest;
use rreplay::snapshot::Snapshot;
use rreplay::sync::Shared;

/// Something that is not so. Numbers are taken modulo what there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum Lie {
    /// A snapshot holds another state; `carried`: all that follows is computed from it.
    #[proptest(weight = 6)]
    State { snapshot: u8, lie: StateLie, carried: bool },
    /// A snapshot says something else of the way to it.
    #[proptest(weight = 6)]
    Set { snapshot: u8, set: u8, lie: SetLie },
    /// A snapshot is put down in another form, which is no lie.
    Form { snapshot: u8, form: u8 },
    /// A digest has another hash.
    Digest { number: u16, hash: u8, bits: u8 },
    /// An event is missing, comes twice, stands elsewhere or carries something else.
    Event { number: u16, what: u8, distance: u8 },
    /// The header says something else.
    Header { lie: HeaderLie },
    /// An index entry has another field.
    Index { entry: u8, field: u8, more: u8 },
}

/// What is not so of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum StateLie {
    #[proptest(weight = 4)]
    Memory {
        page: u8,
        offset: u8,
        bits: u8,
    },
    #[proptest(weight = 2)]
    Part {
        part: u8,
        at: u16,
        bits: u8,
    },
    Replay {
        at: u16,
        bits: u8,
    },
    Position {
        cycles: u8,
    },
    Identity,
    Dropped {
        part: u8,
    },
    Renamed {
        part: u8,
    },
}

/// What is not so of a set of addresses: those executed, written, read of devices, or the pages written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum SetLie {
    Emptied,
    Without { number: u16 },
    With { address: u16 },
}

/// What is not so of the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, Strategy)]
#[allow(missing_docs)]
pub enum HeaderLie {
    Clock { more: u8 },
    DeviceKind { number: u8 },
    DeviceMissing { number: u8 },
    CharName { number: u8 },
    CharMore,
    SubsystemName { number: u8 },
    DigestEvery { more: u8 },
    Start { cycles: u8 },
    Memory { at: u16, bits: u8 },
    Rom { at: u16, bits: u8 },
    Engine,
    Scheduler,
}

impl ForgedLog {
    pub(super) fn tell(&mut self, lie: Lie) -> Result<(), String> {
        match lie {
            Lie::State { snapshot, lie, carried } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                self.tell_of_state(number, lie);
                if carried {
                    self.carry_on(number as u64)?;
                }
            }
            Lie::Set { snapshot, set, lie } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                tell_of_set(&mut self.states[number], set, lie);
            }
            Lie::Form { snapshot, form } => {
                let Some(number) = usize::from(snapshot).checked_rem(self.states.len()) else {
                    return Ok(());
                };
                let state = &mut self.states[number];
                let ram: Vec<u8> = state.pages.iter().map(|(page, _)| page).collect();
                let page = ram[usize::from(form / 4) % ram.len()];
                state.form =
                    [Form::Whole, Form::WithoutAddresses, Form::WithPage(page), Form::WithPage(page)]
                        [usize::from(form % 4)];
            }
            Lie::Digest { number, hash, bits } => {
                let mut digests: Vec<&mut Vec<Digest>> =
                    self.events.iter_mut().filter_map(|event| hashes(&mut event.event)).collect();
                let number = usize::from(number) % digests.len().max(1);
                if let Some(digest) = digests.get_mut(number)
                    && !digest.is_empty()
                {
                    let hash = usize::from(hash) % digest.len();
                    digest[hash].0[0] ^= bits;
                }
            }
            Lie::Event { number, what, distance } => self.tell_of_event(number.into(), what, distance),
            Lie::Header { lie } => self.tell_of_header(lie),
            Lie::Index { entry, field, more } => {
                self.index_changes.push((entry.into(), field.into(), more.into()));
            }
        }
        Ok(())
    }

    fn tell_of_state(&mut self, number: usize, lie: StateLie) {
        let state = &mut self.states[number];
        let part = |part: u8, state: &State| usize::from(part) % state.parts.len();
        match lie {
            StateLie::Memory { page, offset, bits } => {
                let ram: Vec<u8> = state.pages.iter().map(|(page, _)| page).collect();
                let page = ram[usize::from(page) % ram.len()];
                if let Some(content) = state.pages.get(page) {
                    let mut content = *content.bytes();
                    content[usize::from(offset)] ^= bits;
                    state.pages = state.pages.with([(page, Shared::new(Page::new(content)))]);
                }
            }
            StateLie::Part { part: of, at, bits } => {
                let of = part(of, state);
                let (_, content) = &mut state.parts[of];
                if !content.is_empty() {
                    let at = usize::from(at) % content.len();
                    content[at] ^= bits;
                }
            }
            StateLie::Replay { at, bits } => self.replay_flips.push((number, at.into(), bits)),
            StateLie::Position { cycles } => state.position.cycles += u64::from(cycles),
            StateLie::Identity => state.identity.0[0] ^= 1,
            StateLie::Dropped { part: of } => {
                let of = part(of, state);
                // Two are left for the memory to stand after.
                if state.parts.len() > 2 {
                    state.parts.remove(of);
                }
            }
            StateLie::Renamed { part: of } => {
                let of = part(of, state);
                state.parts[of].0.push('?');
            }
        }
    }

    fn tell_of_event(&mut self, number: usize, what: u8, distance: u8) {
        let number = number % self.events.len();
        let is_snapshot = matches!(self.events[number].event, Event::Snapshot { .. });
        match what % 4 {
            0 => drop(self.events.remove(number)),
            1 if !is_snapshot => self.events.insert(number, self.events[number].clone()),
            2 => {
                let next = self.events.get(number + 1).map(|next| next.position);
                let at = &mut self.events[number].position;
                let there = at.cycles + u64::from(distance);
                at.cycles = next.map_or(there, |next| there.min(next.cycles));
            }
            _ => {
                if let Some(other) = other_payload(&self.events[number].event) {
                    self.events[number].event = other;
                }
            }
        }
    }

    fn tell_of_header(&mut self, lie: HeaderLie) {
        let header = &mut self.header;
        let pick = |number: u8, count: usize| usize::from(number).checked_rem(count);
        match lie {
            HeaderLie::Clock { more } => header.clock_hz += u64::from(more),
            HeaderLie::DeviceKind { number } => {
                if let Some(place) = pick(number, header.devices.len()) {
                    header.devices[place].1.push('x');
                }
            }
            HeaderLie::DeviceMissing { number } => {
                if let Some(place) = pick(number, header.devices.len()) {
                    header.devices.remove(place);
                }
            }
            HeaderLie::CharName { number } => {
                if let Some(place) = pick(number, header.chars.len()) {
                    header.chars[place].push('x');
                }
            }
            HeaderLie::CharMore => header.chars.push("more".to_owned()),
            HeaderLie::SubsystemName { number } => {
                if let Some(place) = pick(number, header.subsystems.len()) {
                    header.subsystems[place].push('x');
                }
            }
            HeaderLie::DigestEvery { more } => header.digest_every += u64::from(more),
            HeaderLie::Start { cycles } => header.start.cycles += u64::from(cycles),
            HeaderLie::Memory { at, bits } => change_initial_memory(&mut header.initial_state, at, bits),
            HeaderLie::Rom { at, bits } => {
                if let Some(rom) = header.roms.first_mut()
                    && let Some(bytes) = &mut rom.bytes
                    && !bytes.is_empty()
                {
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= bits;
                    rom.hash = *blake3::hash(bytes).as_bytes();
                }
            }
            HeaderLie::Engine => header.engine_version.push('x'),
            HeaderLie::Scheduler => header.scheduler = "chaos 7".to_owned(),
        }
    }
}

pub(super) fn hashes(event: &mut Event) -> Option<&mut Vec<Digest>> {
    match event {
        Event::Digest(digests) => Some(digests),
        _ => None,
    }
}

fn tell_of_set(state: &mut State, set: u8, lie: SetLie) {
    let Touched { executed, written, io_read } = &mut state.touched;
    let set = match set % 4 {
        0 => executed,
        1 => written,
        2 => io_read,
        _ => {
            match lie {
                SetLie::Emptied => state.written = [0; 32],
                SetLie::Without { number } | SetLie::With { address: number } => {
                    state.written[usize::from(number / 8) % 32] ^= 1 << (number % 8);
                }
            }
            return;
        }
    };
    let addresses: Vec<u16> = set.iter().collect();
    *set = match lie {
        SetLie::Emptied => AddressSet::default(),
        SetLie::Without { number } => {
            let left_out = usize::from(number).checked_rem(addresses.len());
            let kept = addresses.iter().enumerate().filter(|(place, _)| Some(*place) != left_out);
            kept.map(|(_, address)| *address).collect()
        }
        SetLie::With { address } => addresses.into_iter().chain([address]).collect(),
    };
}

fn change_initial_memory(state: &mut Vec<u8>, at: u16, bits: u8) {
    let Ok(snapshot) = Snapshot::from_bytes(state) else { return };
    let mut sections = snapshot.sections().clone();
    if let Some((_, memory)) = sections.iter_mut().find(|(name, _)| name == rreplay::memory::MEMORY)
        && memory.len() > 32
    {
        let at = 32 + usize::from(at) % (memory.len() - 32);
        memory[at] ^= bits;
    }
    *state = Snapshot::new(snapshot.identity(), snapshot.position(), sections).to_bytes();
}
