//! Events to bytes and back, one chunk at a time (docs/log-format.md, "Events").
//!
//! An event is one byte with its kind, the form of its place and one bit for its short form; then its place as deltas;
//! then what it carries. Deltas refer to earlier events of the same chunk only, so that each chunk decodes alone.
//!
//! The encoding is canonical: a chunk that decodes gives the same bytes when it is encoded again.

use super::event::{AsyncEvent, Checkpoint, Event, EventKind, InputEvent, StampedEvent};
use super::limits::{MAX_CHUNK_DECODED, MAX_CHUNK_EVENTS, MAX_EVENT_BYTES, MAX_SUBSYSTEMS};
use super::varint::{ByteReader, CodecError, put_bytes, put_signed, put_varint};
use crate::bus::{Exception, Interrupt};
use crate::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use crate::persist::Digest;
use crate::units::{EventOrdinal, Position};

const KIND_MASK: u8 = 0x1F;
const PLACE_SHIFT: u8 = 5;
const SHORT: u8 = 0x80;

/// The event stands where the previous one does.
const PLACE_SAME: u8 = 0;
/// Cycles have passed but no instruction has retired.
const PLACE_WAITED: u8 = 1;
/// Instructions have retired.
const PLACE_RAN: u8 = 2;

/// Cycles an instruction, in 1/256, before anything was seen: three, which is usual for a 6502.
const RATE_START: u64 = 3 * 256;
/// A rate above this is a wait and not a property of the code, so it does not move the estimate.
const RATE_MAX: u64 = 16 * 256;

/// What deltas in a chunk refer to. Starts afresh in every chunk.
#[derive(Clone, Debug)]
struct Reference {
    position: Position,
    rate: u64,
    clocks: [i64; 2],
    char_device: u16,
    block_id: u64,
    digests: Vec<Digest>,
}

impl Reference {
    fn new(first: Position) -> Self {
        Self {
            position: first,
            rate: RATE_START,
            clocks: [0; 2],
            char_device: 0,
            block_id: 0,
            digests: Vec::new(),
        }
    }

    /// The cycles that `instructions` should take, going by the events before (modulo 2^64).
    fn predicted(&self, instructions: u64) -> u64 {
        ((u128::from(instructions) * u128::from(self.rate)) >> 8) as u64
    }

    fn learn(&mut self, instructions: u64, cycles: u64) {
        let seen = (u128::from(cycles) << 8) / u128::from(instructions);
        if seen <= u128::from(RATE_MAX) {
            self.rate = (self.rate + seen as u64) / 2;
        }
    }
}

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

    /// Appends an event and gives its length in bytes. `position` is not before that of the event before.
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
        let instructions = position.icount - self.reference.position.icount;
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
            out.push(0);
            put_varint(out, u64::from(keycode));
            down
        }
        InputEvent::Button { button, down } => {
            out.extend_from_slice(&[1, button]);
            down
        }
        InputEvent::Rel { axis, value } => {
            out.extend_from_slice(&[2, axis]);
            put_signed(out, i64::from(value));
            false
        }
        InputEvent::Abs { axis, value } => {
            out.extend_from_slice(&[3, axis]);
            put_signed(out, i64::from(value));
            false
        }
    }
}

/// Reads the events of one chunk, in order.
#[derive(Clone, Debug)]
pub struct ChunkDecoder<'a> {
    reader: ByteReader<'a>,
    reference: Reference,
    ordinal: u64,
    events_left: u32,
    decoded_left: usize,
    at_first: bool,
}

impl<'a> ChunkDecoder<'a> {
    /// Reads a chunk's inflated payload, with what its frame says of it.
    pub fn new(raw: &'a [u8], first: Position, first_ordinal: EventOrdinal, events: u32) -> Self {
        Self {
            reader: ByteReader::new(raw),
            reference: Reference::new(first),
            ordinal: first_ordinal.0,
            events_left: events,
            decoded_left: MAX_CHUNK_DECODED,
            at_first: true,
        }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.reader.offset()
    }

    /// The next event, or `None` when all announced ones were read and no byte is left.
    pub fn next_event(&mut self) -> Result<Option<StampedEvent>, CodecError> {
        if self.events_left == 0 {
            return self.reader.clone().finish().map(|()| None);
        }
        let tag = self.reader.byte("an event's kind")?;
        let number = tag & KIND_MASK;
        let kind = EventKind::from_number(number).ok_or_else(|| invalid("an event's kind", number))?;
        self.take_place((tag & !SHORT) >> PLACE_SHIFT)?;
        let event = self.take_payload(kind, tag & SHORT != 0)?;
        self.decoded_left =
            self.decoded_left.checked_sub(event.heap_bytes()).ok_or(CodecError::TooLarge {
                field: "the chunk's decoded size",
                value: MAX_CHUNK_DECODED as u64 + 1,
                max: MAX_CHUNK_DECODED as u64,
            })?;
        let ordinal = EventOrdinal(self.ordinal);
        self.ordinal = self.ordinal.checked_add(1).ok_or(invalid("an event's ordinal", 0u8))?;
        self.events_left -= 1;
        self.at_first = false;
        Ok(Some(StampedEvent { position: self.reference.position, ordinal, event }))
    }

    fn take_place(&mut self, place: u8) -> Result<(), CodecError> {
        let last = self.reference.position;
        let (instructions, cycles) = match place {
            PLACE_SAME => (0, 0),
            PLACE_WAITED => (0, self.non_zero("an event's cycle delta")?),
            PLACE_RAN => {
                let instructions = self.non_zero("an event's icount delta")?;
                let residual = self.reader.signed("an event's cycle residual")?;
                let cycles = self.reference.predicted(instructions).wrapping_add(residual as u64);
                self.reference.learn(instructions, cycles);
                (instructions, cycles)
            }
            other => return Err(invalid("an event's place", other)),
        };
        if self.at_first && place != PLACE_SAME {
            return Err(invalid("the first event's place", place));
        }
        let icount =
            last.icount.checked_add(instructions).ok_or(invalid("an event's icount delta", instructions));
        let cycles = last.cycles.checked_add(cycles).ok_or(invalid("an event's cycle delta", cycles));
        self.reference.position = Position::new(icount?, cycles?);
        Ok(())
    }

    fn non_zero(&mut self, field: &'static str) -> Result<u64, CodecError> {
        match self.reader.varint(field)? {
            0 => Err(invalid(field, 0u8)),
            value => Ok(value),
        }
    }

    fn take_payload(&mut self, kind: EventKind, short: bool) -> Result<Event, CodecError> {
        let reader = &mut self.reader;
        Ok(match kind {
            EventKind::Interrupt => {
                Event::Interrupt(member(reader, short, Interrupt::from_number, "interrupt")?)
            }
            EventKind::Exception => {
                Event::Exception(member(reader, short, Exception::from_number, "exception")?)
            }
            EventKind::Shutdown => {
                Event::Shutdown(member(reader, short, ShutdownCause::from_number, "shutdown cause")?)
            }
            EventKind::Checkpoint => {
                Event::Checkpoint(member(reader, short, Checkpoint::from_number, "checkpoint")?)
            }
            EventKind::CharWrite => self.take_char_write(short)?,
            EventKind::Random => {
                let result = if short { 0 } else { reader.signed_32("random result")? };
                if !short && result == 0 {
                    return Err(not_canonical("random"));
                }
                Event::Random { result, bytes: take_bytes(reader, "random bytes")? }
            }
            EventKind::Clock => {
                let kind = if short { ClockKind::VirtualRt } else { ClockKind::Host };
                let last = &mut self.reference.clocks[usize::from(kind.number())];
                *last = last.wrapping_add(reader.signed("clock delta")?);
                Event::Clock { kind, value: *last }
            }
            EventKind::Digest => self.take_digests(short)?,
            EventKind::Bh
            | EventKind::BhOneshot
            | EventKind::Input
            | EventKind::InputSync
            | EventKind::CharRead
            | EventKind::Block
            | EventKind::Net => Event::Async(self.take_async(kind, short)?),
            _ if short => return Err(invalid("an event's short form", kind.number())),
            EventKind::CharReadAll => Event::CharReadAll {
                device: CharId(take_u16(reader, "character device")?),
                bytes: take_bytes(reader, "char_read_all bytes")?,
            },
            EventKind::CharReadAllError => Event::CharReadAllError {
                device: CharId(take_u16(reader, "character device")?),
                error: reader.signed_32("char_read_all error")?,
            },
            EventKind::AudioOut => Event::AudioOut { frames: take_u32(reader, "audio frames")? },
            EventKind::AudioIn => take_audio_in(reader)?,
            EventKind::Snapshot => Event::Snapshot { number: reader.varint("snapshot number")? },
            EventKind::End => Event::End,
        })
    }

    fn take_async(&mut self, kind: EventKind, short: bool) -> Result<AsyncEvent, CodecError> {
        let reader = &mut self.reader;
        let id_before = self.reference.position.icount;
        Ok(match kind {
            EventKind::Input => AsyncEvent::Input(take_input(reader, short)?),
            EventKind::CharRead if short => {
                let bytes = vec![reader.byte("char_read byte")?];
                AsyncEvent::CharRead { device: CharId(self.reference.char_device), bytes }
            }
            EventKind::CharRead => {
                let device = take_u16(reader, "character device")?;
                let bytes = take_bytes(reader, "char_read bytes")?;
                if bytes.len() == 1 && device == self.reference.char_device {
                    return Err(not_canonical("char_read"));
                }
                self.reference.char_device = device;
                AsyncEvent::CharRead { device: CharId(device), bytes }
            }
            EventKind::Block => self.take_block(short)?,
            _ if short => return Err(invalid("an event's short form", kind.number())),
            EventKind::Bh => AsyncEvent::Bh { id: id_before.wrapping_sub(reader.signed("bh id")? as u64) },
            EventKind::BhOneshot => {
                AsyncEvent::BhOneshot { id: id_before.wrapping_sub(reader.signed("bh_oneshot id")? as u64) }
            }
            EventKind::InputSync => AsyncEvent::InputSync,
            EventKind::Net => AsyncEvent::Net {
                device: take_u16(reader, "network device")?,
                flags: take_u32(reader, "packet flags")?,
                bytes: take_bytes(reader, "packet")?,
            },
            other => return Err(invalid("an async event's kind", other.number())),
        })
    }

    fn take_block(&mut self, short: bool) -> Result<AsyncEvent, CodecError> {
        let delta = self.reader.signed("block id")?;
        let id = self.reference.block_id.wrapping_add(delta as u64);
        self.reference.block_id = id;
        let result = if short { None } else { Some(self.reader.signed_32("block result")?) };
        let data = take_bytes(&mut self.reader, "block data")?;
        let length = data.len() as i32;
        match result {
            Some(result) if result == length => Err(not_canonical("block")),
            _ => Ok(AsyncEvent::Block { id, result: result.unwrap_or(length), data }),
        }
    }

    fn take_char_write(&mut self, short: bool) -> Result<Event, CodecError> {
        let reader = &mut self.reader;
        let usual = CharWritten { result: 1, offset: 1 };
        if short {
            let bytes = vec![reader.byte("char_write byte")?];
            return Ok(Event::CharWrite {
                device: CharId(self.reference.char_device),
                bytes,
                written: usual,
            });
        }
        let device = take_u16(reader, "character device")?;
        let bytes = take_bytes(reader, "char_write bytes")?;
        let result = reader.signed_32("char_write result")?;
        let written = CharWritten { result, offset: take_u32(reader, "char_write offset")? };
        if bytes.len() == 1 && device == self.reference.char_device && written == usual {
            return Err(not_canonical("char_write"));
        }
        self.reference.char_device = device;
        Ok(Event::CharWrite { device: CharId(device), bytes, written })
    }

    fn take_digests(&mut self, short: bool) -> Result<Event, CodecError> {
        let last = &self.reference.digests;
        let count = if short {
            last.len()
        } else {
            self.reader.bounded(MAX_SUBSYSTEMS as u64, "digest count")? as usize
        };
        if !short && count == last.len() {
            return Err(not_canonical("digest"));
        }
        let map = self.reader.take(count.div_ceil(8), "digest map")?;
        if count % 8 != 0 && map[count / 8] >> (count % 8) != 0 {
            return Err(invalid("digest map", map[count / 8]));
        }
        let mut digests = Vec::with_capacity(count);
        for place in 0..count {
            let earlier = last.get(place).copied();
            let digest = if map[place / 8] >> (place % 8) & 1 == 0 {
                earlier.ok_or(CodecError::Disagrees("a digest refers to an earlier one that is not there"))?
            } else {
                Digest(self.reader.array("digest")?)
            };
            if map[place / 8] >> (place % 8) & 1 == 1 && earlier == Some(digest) {
                return Err(not_canonical("digest"));
            }
            digests.push(digest);
        }
        self.reference.digests.clone_from(&digests);
        Ok(Event::Digest(digests))
    }
}

fn invalid(field: &'static str, value: impl Into<u64>) -> CodecError {
    CodecError::Invalid { field, value: value.into() }
}

/// The long form was used where the short one applies.
fn not_canonical(kind: &'static str) -> CodecError {
    CodecError::Invalid { field: kind, value: 0 }
}

fn member<T>(
    reader: &mut ByteReader<'_>,
    short: bool,
    from_number: fn(u8) -> Option<T>,
    field: &'static str,
) -> Result<T, CodecError> {
    let number = if short { 0 } else { reader.byte(field)? };
    if !short && number == 0 {
        return Err(not_canonical(field));
    }
    from_number(number).ok_or_else(|| invalid(field, number))
}

fn take_u16(reader: &mut ByteReader<'_>, field: &'static str) -> Result<u16, CodecError> {
    reader.bounded(u64::from(u16::MAX), field).map(|value| value as u16)
}

fn take_u32(reader: &mut ByteReader<'_>, field: &'static str) -> Result<u32, CodecError> {
    reader.bounded(u64::from(u32::MAX), field).map(|value| value as u32)
}

fn take_bytes(reader: &mut ByteReader<'_>, field: &'static str) -> Result<Vec<u8>, CodecError> {
    reader.length_and_bytes(MAX_EVENT_BYTES, field).map(<[u8]>::to_vec)
}

fn take_audio_in(reader: &mut ByteReader<'_>) -> Result<Event, CodecError> {
    let recorded = take_u32(reader, "audio frames")?;
    let write_position = take_u32(reader, "audio write position")?;
    let count = reader.bounded(MAX_EVENT_BYTES as u64 / 2, "audio sample count")? as usize;
    let bytes = reader.take(count * 2, "audio samples")?;
    let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    Ok(Event::AudioIn { recorded, samples, write_position })
}

fn take_input(reader: &mut ByteReader<'_>, short: bool) -> Result<InputEvent, CodecError> {
    Ok(match reader.byte("input type")? {
        0 => InputEvent::Key { keycode: take_u16(reader, "keycode")?, down: short },
        1 => InputEvent::Button { button: reader.byte("button")?, down: short },
        _ if short => return Err(invalid("an event's short form", EventKind::Input.number())),
        2 => InputEvent::Rel { axis: reader.byte("axis")?, value: reader.signed_32("axis value")? },
        3 => InputEvent::Abs { axis: reader.byte("axis")?, value: reader.signed_32("axis value")? },
        other => return Err(invalid("input type", other)),
    })
}
