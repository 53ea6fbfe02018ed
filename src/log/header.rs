//! The header: all that identifies a recording and that a replay starts from.
//!
//! It is a list of named sections, so that later versions can add some; a reader skips those it does not know.

use std::fmt;

use super::limits::{MAX_BOARD_BYTES, MAX_FRAME_RAW, MAX_HEADER_ITEMS, MAX_NAME_BYTES, MAX_SUBSYSTEMS};
use super::varint::{ByteReader, CodecError, put_bytes, put_varint};
use crate::units::Position;

/// What a recording says of itself before its first event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// Version of the engine that recorded, such as `0.1.0`.
    pub engine_version: String,
    /// The board's description, in TOML.
    pub board_toml: String,
    /// CPU clock in Hz.
    pub clock_hz: u64,
    /// The images that were loaded.
    pub roms: Vec<RomRecord>,
    /// Devices: name and kind, in the order of the board.
    pub devices: Vec<(String, String)>,
    /// Names of the character devices, in the order of their ids.
    pub chars: Vec<String>,
    /// Names of the subsystems, in the order of the hashes of a digest event.
    pub subsystems: Vec<String>,
    /// Where the run starts; no event stands before it.
    pub start: Position,
    /// The machine's state at `start`, in the machine's own container.
    pub initial_state: Vec<u8>,
    /// Instructions between digest events; 0 is only at the start and at the end.
    pub digest_every: u64,
    /// Instructions between automatic snapshots.
    pub snapshot_every: Option<u64>,
    /// Scheduler that recorded (`threads`, `inline`). It does not bind the replay.
    pub scheduler: String,
    /// The recording that this one was cut or forked from.
    pub lineage: Option<Lineage>,
}

/// Identity of a recording: the first 16 bytes of the BLAKE3 hash of its header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RecordingId(pub [u8; 16]);

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The recording that another one comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lineage {
    /// The parent.
    pub parent: RecordingId,
    /// Where in the parent this one starts.
    pub position: Position,
}

/// Where an image was loaded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RomTarget {
    /// A region of the board, by name.
    Region(String),
    /// A load address.
    Address(u32),
}

/// An image that was loaded, by content or by hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RomRecord {
    /// Name to show, such as the file's. Never opened.
    pub name: String,
    /// Where it was loaded.
    pub target: RomTarget,
    /// BLAKE3 hash of the image.
    pub hash: [u8; 32],
    /// Length of the image in bytes.
    pub length: u64,
    /// The image itself, unless the recording was asked to hold hashes only.
    pub bytes: Option<Vec<u8>>,
}

impl RomRecord {
    /// Records an image; `embed` puts its bytes into the file.
    pub fn new(name: impl Into<String>, target: RomTarget, image: &[u8], embed: bool) -> Self {
        Self {
            name: name.into(),
            target,
            hash: *blake3::hash(image).as_bytes(),
            length: image.len() as u64,
            bytes: embed.then(|| image.to_vec()),
        }
    }

    /// Whether `image` is the one that was recorded.
    pub fn matches(&self, image: &[u8]) -> bool {
        self.length == image.len() as u64 && self.hash == *blake3::hash(image).as_bytes()
    }
}

impl RecordingId {
    /// The identity of a recording, from its encoded header.
    pub fn of(encoded: &[u8]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(encoded).as_bytes()[..16]);
        Self(id)
    }
}

impl Header {
    /// The bytes that stand in the header frame.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`] when a name, a list or the whole is above its bound.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        self.check_bounds()?;
        let mut sections = Sections::default();
        sections.add("engine", |out| out.extend_from_slice(self.engine_version.as_bytes()));
        sections.add("board", |out| out.extend_from_slice(self.board_toml.as_bytes()));
        sections.add("clock_hz", |out| put_varint(out, self.clock_hz));
        sections.add("roms", |out| put_list(out, &self.roms, put_rom));
        sections.add("devices", |out| {
            put_list(out, &self.devices, |out, (name, kind)| {
                put_bytes(out, name.as_bytes());
                put_bytes(out, kind.as_bytes());
            });
        });
        sections.add("chars", |out| put_list(out, &self.chars, |out, name| put_bytes(out, name.as_bytes())));
        sections.add("subsystems", |out| {
            put_list(out, &self.subsystems, |out, name| put_bytes(out, name.as_bytes()))
        });
        sections.add("start", |out| put_position(out, self.start));
        sections.add("initial_state", |out| out.extend_from_slice(&self.initial_state));
        sections.add("digest_every", |out| put_varint(out, self.digest_every));
        if let Some(every) = self.snapshot_every {
            sections.add("snapshot_every", |out| put_varint(out, every));
        }
        sections.add("scheduler", |out| out.extend_from_slice(self.scheduler.as_bytes()));
        if let Some(lineage) = &self.lineage {
            sections.add("lineage", |out| {
                out.extend_from_slice(&lineage.parent.0);
                put_position(out, lineage.position);
            });
        }
        let encoded = sections.finish();
        bounded("the header", encoded.len(), MAX_FRAME_RAW as usize)?;
        Ok(encoded)
    }

    fn check_bounds(&self) -> Result<(), CodecError> {
        bounded("the list of ROMs", self.roms.len(), MAX_HEADER_ITEMS)?;
        bounded("the list of devices", self.devices.len(), MAX_HEADER_ITEMS)?;
        bounded("the list of character devices", self.chars.len(), MAX_HEADER_ITEMS)?;
        bounded("the list of subsystems", self.subsystems.len(), MAX_SUBSYSTEMS)?;
        bounded("the board's description", self.board_toml.len(), MAX_BOARD_BYTES)?;
        bounded("the engine version", self.engine_version.len(), MAX_NAME_BYTES)?;
        bounded("the scheduler", self.scheduler.len(), MAX_NAME_BYTES)?;
        for rom in &self.roms {
            bounded("a ROM's name", rom.name.len(), MAX_NAME_BYTES)?;
            if let RomTarget::Region(region) = &rom.target {
                bounded("a ROM's region", region.len(), MAX_NAME_BYTES)?;
            }
            if rom.bytes.as_ref().is_some_and(|bytes| !rom.matches(bytes)) {
                return Err(CodecError::Disagrees("a ROM's bytes are not those of its hash and length"));
            }
        }
        for (name, kind) in &self.devices {
            bounded("a device's name", name.len(), MAX_NAME_BYTES)?;
            bounded("a device's kind", kind.len(), MAX_NAME_BYTES)?;
        }
        for name in self.chars.iter().chain(&self.subsystems) {
            bounded("a name", name.len(), MAX_NAME_BYTES)?;
        }
        Ok(())
    }

    /// Reads what [`Header::encode`] wrote, or what a later version did.
    pub fn decode(encoded: &[u8]) -> Result<Self, CodecError> {
        let sections = Sections::parse(encoded)?;
        let names = |name| sections.list(name, MAX_HEADER_ITEMS, take_text);
        Ok(Self {
            engine_version: sections.name("engine")?,
            board_toml: sections.board()?,
            clock_hz: sections.number("clock_hz")?.ok_or(CodecError::Short("the section clock_hz"))?,
            roms: sections.list("roms", MAX_HEADER_ITEMS, take_rom)?,
            devices: sections
                .list("devices", MAX_HEADER_ITEMS, |reader| Ok((take_text(reader)?, take_text(reader)?)))?,
            chars: names("chars")?,
            subsystems: sections.list("subsystems", MAX_SUBSYSTEMS, take_text)?,
            start: sections.value("start", take_position)?.ok_or(CodecError::Short("the section start"))?,
            initial_state: sections.required("initial_state")?.to_vec(),
            digest_every: sections.number("digest_every")?.unwrap_or(0),
            snapshot_every: sections.number("snapshot_every")?,
            scheduler: sections.name("scheduler")?,
            lineage: sections.value("lineage", |reader| {
                let parent = RecordingId(reader.array("lineage")?);
                Ok(Lineage { parent, position: take_position(reader)? })
            })?,
        })
    }
}

/// The named sections of an encoded header.
#[derive(Default)]
struct Sections<'a> {
    count: u64,
    body: Vec<u8>,
    parsed: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Sections<'a> {
    fn add(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut section = Vec::new();
        write(&mut section);
        put_bytes(&mut self.body, name.as_bytes());
        put_bytes(&mut self.body, &section);
        self.count += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + 2);
        put_varint(&mut out, self.count);
        out.extend_from_slice(&self.body);
        out
    }

    fn parse(encoded: &'a [u8]) -> Result<Self, CodecError> {
        let mut reader = ByteReader::new(encoded);
        let count = reader.bounded(MAX_HEADER_ITEMS as u64, "the number of header sections")?;
        let mut parsed: Vec<(&str, &[u8])> = Vec::new();
        for _ in 0..count {
            let name = reader.length_and_bytes(MAX_NAME_BYTES, "a header section's name")?;
            let name = str::from_utf8(name).map_err(|_| CodecError::Text("a header section's name"))?;
            let body = reader.length_and_bytes(MAX_FRAME_RAW as usize, "a header section")?;
            if parsed.iter().any(|(other, _)| *other == name) {
                return Err(CodecError::Disagrees("a header section stands twice"));
            }
            parsed.push((name, body));
        }
        reader.finish()?;
        Ok(Self { parsed, ..Self::default() })
    }

    fn find(&self, name: &str) -> Option<&'a [u8]> {
        self.parsed.iter().find(|(other, _)| *other == name).map(|(_, body)| *body)
    }

    fn required(&self, name: &'static str) -> Result<&'a [u8], CodecError> {
        self.find(name).ok_or(CodecError::Short(name))
    }

    fn board(&self) -> Result<String, CodecError> {
        let body = self.required("board")?;
        bounded("the board's description", body.len(), MAX_BOARD_BYTES)?;
        text(body, "board")
    }

    fn value<T>(
        &self,
        name: &'static str,
        take: impl FnOnce(&mut ByteReader<'_>) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        let Some(body) = self.find(name) else { return Ok(None) };
        let mut reader = ByteReader::new(body);
        let value = take(&mut reader)?;
        reader.finish().map(|()| Some(value))
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, CodecError> {
        self.value(name, |reader| reader.varint(name))
    }

    fn name(&self, name: &'static str) -> Result<String, CodecError> {
        let body = self.find(name).unwrap_or_default();
        bounded(name, body.len(), MAX_NAME_BYTES)?;
        text(body, name)
    }

    fn list<T>(
        &self,
        name: &'static str,
        max: usize,
        mut take: impl FnMut(&mut ByteReader<'_>) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let list = self.value(name, |reader| {
            let count = reader.bounded(max as u64, name)?;
            (0..count).map(|_| take(reader)).collect::<Result<Vec<T>, CodecError>>()
        })?;
        Ok(list.unwrap_or_default())
    }
}

fn bounded(field: &'static str, value: usize, max: usize) -> Result<(), CodecError> {
    if value > max {
        return Err(CodecError::TooLarge { field, value: value as u64, max: max as u64 });
    }
    Ok(())
}

fn text(bytes: &[u8], field: &'static str) -> Result<String, CodecError> {
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| CodecError::Text(field))
}

fn take_text(reader: &mut ByteReader<'_>) -> Result<String, CodecError> {
    text(reader.length_and_bytes(MAX_NAME_BYTES, "a name")?, "a name")
}

fn put_list<T>(out: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_varint(out, items.len() as u64);
    items.iter().for_each(|item| put(out, item));
}

pub(super) fn put_position(out: &mut Vec<u8>, position: Position) {
    put_varint(out, position.icount);
    put_varint(out, position.cycles);
}

pub(super) fn take_position(reader: &mut ByteReader<'_>) -> Result<Position, CodecError> {
    Ok(Position::new(reader.varint("a position's icount")?, reader.varint("a position's cycles")?))
}

fn put_rom(out: &mut Vec<u8>, rom: &RomRecord) {
    put_bytes(out, rom.name.as_bytes());
    match &rom.target {
        RomTarget::Region(region) => {
            out.push(0);
            put_bytes(out, region.as_bytes());
        }
        RomTarget::Address(address) => {
            out.push(1);
            put_varint(out, u64::from(*address));
        }
    }
    out.extend_from_slice(&rom.hash);
    put_varint(out, rom.length);
    out.push(u8::from(rom.bytes.is_some()));
    if let Some(bytes) = &rom.bytes {
        out.extend_from_slice(bytes);
    }
}

fn take_rom(reader: &mut ByteReader<'_>) -> Result<RomRecord, CodecError> {
    let name = take_text(reader)?;
    let target = match reader.byte("a ROM's target")? {
        0 => RomTarget::Region(take_text(reader)?),
        1 => RomTarget::Address(reader.bounded(u64::from(u32::MAX), "a ROM's address")? as u32),
        other => return Err(CodecError::Invalid { field: "a ROM's target", value: u64::from(other) }),
    };
    let hash = reader.array("a ROM's hash")?;
    let length = reader.varint("a ROM's length")?;
    let bytes = match reader.byte("a ROM's embedding")? {
        0 => None,
        1 => {
            let max = u64::from(MAX_FRAME_RAW);
            if length > max {
                return Err(CodecError::TooLarge { field: "a ROM's length", value: length, max });
            }
            Some(reader.take(length as usize, "a ROM's bytes")?.to_vec())
        }
        other => return Err(CodecError::Invalid { field: "a ROM's embedding", value: u64::from(other) }),
    };
    let rom = RomRecord { name, target, hash, length, bytes };
    if rom.bytes.as_ref().is_some_and(|bytes| !rom.matches(bytes)) {
        return Err(CodecError::Disagrees("a ROM's bytes are not those of its hash"));
    }
    Ok(rom)
}
