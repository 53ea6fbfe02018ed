//! Events to bytes.

use super::{
    INPUT_ABS, INPUT_BUTTON, INPUT_KEY, INPUT_REL, PLACE_RAN, PLACE_SAME, PLACE_SHIFT, PLACE_WAITED,
    Reference, SHORT,
};
use crate::log::event::{AsyncEvent, Event, InputEvent};
use crate::log::limits::{MAX_CHUNK_DECODED, MAX_CHUNK_EVENTS};
use crate::log::varint::{put_bytes, put_signed, put_varint};
use crate::nondet::{CharId, CharWritten, ClockKind};
use crate::persist::Digest;
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::Position;

/// Appends events of one chunk to a buffer.
#[derive(Clone, Debug)]
pub struct ChunkEncoder {
    reference: Reference,
    raw: Vec<u8>,
    decoded_bytes: usize,
    events: u32,
    first: Position,
}

impl ChunkEncoder {
    /// An empty chunk. Its first event sets the place that deltas start from.
    pub fn new() -> Self {
        Self::with_buffer(Vec::new())
    }

    /// An empty chunk that reuses a buffer.
    pub fn with_buffer(mut raw: Vec<u8>) -> Self {
        raw.clear();
        Self {
            reference: Reference::new(Position::default()),
            raw,
            decoded_bytes: 0,
            events: 0,
            first: Position::default(),
        }
    }

    /// Empties the chunk, keeping the buffer.
    pub fn clear(&mut self) {
        *self = Self::with_buffer(std::mem::take(&mut self.raw));
    }

    /// The encoded events.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// How many events there are.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The place of the first event.
    pub fn first(&self) -> Position {
        self.first
    }

    /// Whether an event can be added without breaking a bound of the chunk.
    pub fn has_room_for(&self, event: &Event) -> bool {
        self.events < MAX_CHUNK_EVENTS && self.decoded_bytes + event.heap_bytes() <= MAX_CHUNK_DECODED
    }

    /// Appends an event and returns its length in bytes. `position` is not before that of the event before.
    pub fn push(&mut self, position: Position, event: &Event) -> usize {
        let start = self.raw.len();
        if self.events == 0 {
            self.first = position;
            self.reference.position = position;
        }
        self.raw.push(event.kind().number());
        self.put_place(start, position);
        if self.put_payload(event) {
            self.raw[start] |= SHORT;
        }
        self.events += 1;
        self.decoded_bytes += event.heap_bytes();
        self.raw.len() - start
    }

    fn put_place(&mut self, start: usize, position: Position) {
        let mut instructions = position.icount - self.reference.position.icount;
        if is_seeded(SeededFault::DeltaOffByOne) && instructions > 127 {
            instructions -= 1;
        }
        let cycles = position.cycles - self.reference.position.cycles;
        let place = if instructions > 0 {
            put_varint(&mut self.raw, instructions);
            put_signed(&mut self.raw, cycles.wrapping_sub(self.reference.predicted(instructions)) as i64);
            self.reference.learn(instructions, cycles);
            PLACE_RAN
        } else if cycles > 0 {
            put_varint(&mut self.raw, cycles);
            PLACE_WAITED
        } else {
            PLACE_SAME
        };
        self.raw[start] |= place << PLACE_SHIFT;
        self.reference.position = position;
    }

    /// Appends what the event carries; `true` when that was the short form.
    fn put_payload(&mut self, event: &Event) -> bool {
        let out = &mut self.raw;
        match event {
            Event::Interrupt(line) => put_unless_zero(out, line.number()),
            Event::Exception(exception) => put_unless_zero(out, exception.number()),
            Event::Async(event) => self.put_async(event),
            Event::Shutdown(cause) => put_unless_zero(out, cause.number()),
            Event::CharWrite { device, bytes, written } => self.put_char_write(*device, bytes, *written),
            Event::CharReadAll { device, bytes } => {
                put_varint(out, u64::from(device.0));
                put_bytes(out, bytes);
                false
            }
            Event::CharReadAllError { device, error } => {
                put_varint(out, u64::from(device.0));
                put_signed(out, i64::from(*error));
                false
            }
            Event::AudioOut { frames } => {
                put_varint(out, u64::from(*frames));
                false
            }
            Event::AudioIn { recorded, samples, write_position } => {
                put_varint(out, u64::from(*recorded));
                put_varint(out, u64::from(*write_position));
                put_varint(out, samples.len() as u64);
                samples.iter().for_each(|sample| out.extend_from_slice(&sample.to_le_bytes()));
                false
            }
            Event::Random { result, bytes } => {
                if *result != 0 {
                    put_signed(out, i64::from(*result));
                }
                put_bytes(out, bytes);
                *result == 0
            }
            Event::Clock { kind, value } => {
                let last = &mut self.reference.clocks[usize::from(kind.number())];
                put_signed(out, value.wrapping_sub(*last));
                *last = *value;
                *kind == ClockKind::VirtualRt
            }
            Event::Checkpoint(checkpoint) => put_unless_zero(out, checkpoint.number()),
            Event::Digest(digests) => self.put_digests(digests),
            Event::Snapshot { number } => {
                put_varint(out, *number);
                false
            }
            Event::End => false,
        }
    }

    fn put_async(&mut self, event: &AsyncEvent) -> bool {
        let out = &mut self.raw;
        match event {
            AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id } => {
                put_signed(out, self.reference.position.icount.wrapping_sub(*id) as i64);
                false
            }
            AsyncEvent::Input(input) => put_input(out, *input),
            AsyncEvent::InputSync => false,
            AsyncEvent::CharRead { device, bytes } => {
                let short = bytes.len() == 1 && device.0 == self.reference.char_device;
                self.reference.char_device = device.0;
                if short {
                    out.push(bytes[0]);
                } else {
                    put_varint(out, u64::from(device.0));
                    put_bytes(out, bytes);
                }
                short
            }
            AsyncEvent::Block { id, result, data } => {
                put_signed(out, id.wrapping_sub(self.reference.block_id) as i64);
                self.reference.block_id = *id;
                let short = i64::from(*result) == data.len() as i64;
                if !short {
                    put_signed(out, i64::from(*result));
                }
                put_bytes(out, data);
                short
            }
            AsyncEvent::Net { device, flags, bytes } => {
                put_varint(out, u64::from(*device));
                put_varint(out, u64::from(*flags));
                put_bytes(out, bytes);
                false
            }
        }
    }

    fn put_char_write(&mut self, device: CharId, bytes: &[u8], written: CharWritten) -> bool {
        let out = &mut self.raw;
        let short = bytes.len() == 1
            && device.0 == self.reference.char_device
            && written == CharWritten { result: 1, offset: 1 };
        self.reference.char_device = device.0;
        if short {
            out.push(bytes[0]);
        } else {
            put_varint(out, u64::from(device.0));
            put_bytes(out, bytes);
            put_signed(out, i64::from(written.result));
            put_varint(out, u64::from(written.offset));
        }
        short
    }

    fn put_digests(&mut self, digests: &[Digest]) -> bool {
        let out = &mut self.raw;
        let last = &self.reference.digests;
        let short = digests.len() == last.len();
        if !short {
            put_varint(out, digests.len() as u64);
        }
        let map = out.len();
        out.resize(map + digests.len().div_ceil(8), 0);
        for (place, digest) in digests.iter().enumerate() {
            if last.get(place) != Some(digest) {
                out[map + place / 8] |= 1 << (place % 8);
                out.extend_from_slice(&digest.0);
            }
        }
        self.reference.digests = digests.to_vec();
        short
    }
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Member 0 of a vocabulary takes the short form and no byte.
fn put_unless_zero(out: &mut Vec<u8>, number: u8) -> bool {
    if number != 0 {
        out.push(number);
    }
    number == 0
}

/// The short form is a key or button that goes down.
fn put_input(out: &mut Vec<u8>, input: InputEvent) -> bool {
    match input {
        InputEvent::Key { keycode, down } => {
            put_varint(out, INPUT_KEY + u64::from(keycode));
            down
        }
        InputEvent::Button { button, down } => {
            put_varint(out, INPUT_BUTTON);
            out.push(button);
            down
        }
        InputEvent::Rel { axis, value } => {
            put_varint(out, INPUT_REL);
            out.push(axis);
            put_signed(out, i64::from(value));
            false
        }
        InputEvent::Abs { axis, value } => {
            put_varint(out, INPUT_ABS);
            out.push(axis);
            put_signed(out, i64::from(value));
            false
        }
    }
}
