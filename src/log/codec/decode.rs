//! Bytes to events.

use super::{
    INPUT_BUTTON, INPUT_KEY, INPUT_REL, KIND_MASK, PLACE_RAN, PLACE_SAME, PLACE_SHIFT, PLACE_WAITED,
    Reference, SHORT,
};
use crate::bus::{Exception, Interrupt};
use crate::log::event::{AsyncEvent, Checkpoint, Event, EventKind, InputEvent, StampedEvent};
use crate::log::limits::{MAX_CHUNK_DECODED, MAX_EVENT_BYTES, MAX_SUBSYSTEMS};
use crate::log::varint::{ByteReader, CodecError};
use crate::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use crate::persist::Digest;
use crate::units::{EventOrdinal, Position};

/// Reads the events of one chunk, in order.
#[derive(Clone, Debug)]
pub struct ChunkDecoder<'a> {
    reader: ByteReader<'a>,
    reference: Reference,
    ordinal: u64,
    events_left: u32,
    decoded_left: usize,
    at_first: bool,
    /// Whether events are given the bytes that they carry.
    keeps_bytes: bool,
    /// Bytes that the event which is being read carries.
    carried: usize,
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
            keeps_bytes: true,
            carried: 0,
        }
    }

    /// Reads events without the bytes and samples that they carry: to see that a chunk holds, twice as fast.
    pub fn without_bytes(self) -> Self {
        Self { keeps_bytes: false, ..self }
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
        self.carried = 0;
        let event = self.take_payload(kind, tag & SHORT != 0)?;
        debug_assert!(!self.keeps_bytes || self.carried == event.heap_bytes());
        self.decoded_left = self.decoded_left.checked_sub(self.carried).ok_or(CodecError::TooLarge {
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
                Event::Random { result, bytes: self.take_bytes("random bytes")? }
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
                bytes: self.take_bytes("char_read_all bytes")?,
            },
            EventKind::CharReadAllError => Event::CharReadAllError {
                device: CharId(take_u16(reader, "character device")?),
                error: reader.signed_32("char_read_all error")?,
            },
            EventKind::AudioOut => Event::AudioOut { frames: take_u32(reader, "audio frames")? },
            EventKind::AudioIn => self.take_audio_in()?,
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
                let bytes = self.take_byte("char_read byte")?;
                AsyncEvent::CharRead { device: CharId(self.reference.char_device), bytes }
            }
            EventKind::CharRead => {
                let device = take_u16(reader, "character device")?;
                let bytes = self.take_bytes("char_read bytes")?;
                if self.carried == 1 && device == self.reference.char_device {
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
                bytes: self.take_bytes("packet")?,
            },
            other => return Err(invalid("an async event's kind", other.number())),
        })
    }

    fn take_block(&mut self, short: bool) -> Result<AsyncEvent, CodecError> {
        let delta = self.reader.signed("block id")?;
        let id = self.reference.block_id.wrapping_add(delta as u64);
        self.reference.block_id = id;
        let result = if short { None } else { Some(self.reader.signed_32("block result")?) };
        let data = self.take_bytes("block data")?;
        let length = self.carried as i32;
        match result {
            Some(result) if result == length => Err(not_canonical("block")),
            _ => Ok(AsyncEvent::Block { id, result: result.unwrap_or(length), data }),
        }
    }

    fn take_char_write(&mut self, short: bool) -> Result<Event, CodecError> {
        let usual = CharWritten { result: 1, offset: 1 };
        if short {
            let bytes = self.take_byte("char_write byte")?;
            return Ok(Event::CharWrite {
                device: CharId(self.reference.char_device),
                bytes,
                written: usual,
            });
        }
        let device = take_u16(&mut self.reader, "character device")?;
        let bytes = self.take_bytes("char_write bytes")?;
        let result = self.reader.signed_32("char_write result")?;
        let written = CharWritten { result, offset: take_u32(&mut self.reader, "char_write offset")? };
        if self.carried == 1 && device == self.reference.char_device && written == usual {
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
        self.carried = count * size_of::<Digest>();
        self.reference.digests.clone_from(&digests);
        Ok(Event::Digest(digests))
    }

    fn take_bytes(&mut self, field: &'static str) -> Result<Vec<u8>, CodecError> {
        let bytes = self.reader.length_and_bytes(MAX_EVENT_BYTES, field)?;
        self.carried = bytes.len();
        Ok(if self.keeps_bytes { bytes.to_vec() } else { Vec::new() })
    }

    fn take_byte(&mut self, field: &'static str) -> Result<Vec<u8>, CodecError> {
        let byte = self.reader.byte(field)?;
        self.carried = 1;
        Ok(if self.keeps_bytes { vec![byte] } else { Vec::new() })
    }

    fn take_audio_in(&mut self) -> Result<Event, CodecError> {
        let reader = &mut self.reader;
        let recorded = take_u32(reader, "audio frames")?;
        let write_position = take_u32(reader, "audio write position")?;
        let count = reader.bounded(MAX_EVENT_BYTES as u64 / 2, "audio sample count")? as usize;
        let bytes = reader.take(count * 2, "audio samples")?;
        self.carried = bytes.len();
        let kept = if self.keeps_bytes { bytes } else { &[] };
        let samples = kept.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        Ok(Event::AudioIn { recorded, samples, write_position })
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

fn take_input(reader: &mut ByteReader<'_>, short: bool) -> Result<InputEvent, CodecError> {
    Ok(match reader.bounded(INPUT_KEY + u64::from(u16::MAX), "input type or keycode")? {
        INPUT_BUTTON => InputEvent::Button { button: reader.byte("button")?, down: short },
        key @ INPUT_KEY.. => InputEvent::Key { keycode: (key - INPUT_KEY) as u16, down: short },
        _ if short => return Err(invalid("an event's short form", EventKind::Input.number())),
        INPUT_REL => InputEvent::Rel { axis: reader.byte("axis")?, value: reader.signed_32("axis value")? },
        _ => InputEvent::Abs { axis: reader.byte("axis")?, value: reader.signed_32("axis value")? },
    })
}
