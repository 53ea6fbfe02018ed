//! Frames: the checked, length-prefixed units that the file is made of (docs/log-format.md, "Frames").

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::limits::{MAX_CHUNK_EVENTS, MAX_CHUNK_RAW, MAX_FRAME_RAW, MAX_INFLATION};
use super::varint::{ByteReader, CodecError, put_varint};
use crate::units::Position;

/// First bytes of a recording. The first is no text; CR LF, 1A and the last LF show a text-mode transfer, as in PNG.
pub const MAGIC: [u8; 8] = [0x8E, b'R', b'R', b'P', b'\r', b'\n', 0x1A, b'\n'];
/// Magic, format version, oldest reader.
pub const PROLOGUE_LENGTH: usize = 12;
/// First bytes of every frame.
pub const SYNC: [u8; 4] = [0x9C, b'r', b'f', 0xC5];
/// First bytes of the footer.
pub const FOOTER_MAGIC: [u8; 8] = [0x8E, b'r', b'r', b'e', b'n', b'd', 0x1A, b'\n'];
/// Footer: magic, offset of the index frame, CRC-32.
pub const FOOTER_LENGTH: usize = 20;
/// The longest frame header: sync, type, flags, six varints.
pub const FRAME_HEADER_MAX: usize = 6 + 6 * 10;
/// Length of the CRC-32 after the payload.
pub const CHECKSUM_LENGTH: usize = 4;

const FLAG_DEFLATE: u8 = 1;

/// Frame types. Others are skipped by a reader.
#[allow(missing_docs)]
pub mod frame_type {
    pub const HEADER: u8 = 1;
    pub const EVENTS: u8 = 2;
    pub const SNAPSHOT: u8 = 3;
    pub const INDEX: u8 = 4;
}

/// What stands before a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// One of [`frame_type`], or one of a later version.
    pub frame_type: u8,
    /// Whether the payload is compressed.
    pub deflate: bool,
    /// Length of the payload as stored.
    pub stored: u32,
    /// Length of the payload before compression.
    pub raw: u32,
    /// Ordinal of the first event; for other frames, of the next event.
    pub first_ordinal: u64,
    /// Number of events.
    pub events: u32,
    /// Place of the first event; for other frames, of the last event before.
    pub first: Position,
}

impl FrameHeader {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&SYNC);
        out.push(self.frame_type);
        out.push(if self.deflate { FLAG_DEFLATE } else { 0 });
        put_varint(out, u64::from(self.stored));
        put_varint(out, u64::from(self.raw));
        put_varint(out, self.first_ordinal);
        put_varint(out, u64::from(self.events));
        put_varint(out, self.first.icount);
        put_varint(out, self.first.cycles);
    }

    /// Reads a frame header and returns its length too.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), CodecError> {
        let mut reader = ByteReader::new(bytes);
        if bytes.len() < SYNC.len() && SYNC.starts_with(bytes) {
            return Err(CodecError::Short("a frame"));
        }
        if !bytes.starts_with(&SYNC) {
            return Err(CodecError::NoFrame);
        }
        reader.take(SYNC.len(), "a frame")?;
        let frame_type = reader.byte("a frame's type")?;
        let flags = reader.byte("a frame's flags")?;
        if flags & !FLAG_DEFLATE != 0 {
            return Err(CodecError::Invalid { field: "a frame's flags", value: u64::from(flags) });
        }
        let is_events = frame_type == frame_type::EVENTS;
        let raw_max = u64::from(if is_events { MAX_CHUNK_RAW } else { MAX_FRAME_RAW });
        let stored = reader.bounded(raw_max, "a frame's stored length")?;
        let raw = reader.bounded(raw_max, "a frame's raw length")?;
        let header = Self {
            frame_type,
            deflate: flags & FLAG_DEFLATE != 0,
            stored: stored as u32,
            raw: raw as u32,
            first_ordinal: reader.varint("a frame's first ordinal")?,
            events: reader.bounded(u64::from(MAX_CHUNK_EVENTS), "a frame's event count")? as u32,
            first: super::header::take_position(&mut reader)?,
        };
        header.check()?;
        Ok((header, reader.offset()))
    }

    /// The relations that hold between the fields; with them the raw length is bounded by the file's own.
    fn check(&self) -> Result<(), CodecError> {
        let fits = if self.deflate {
            self.stored < self.raw && u64::from(self.raw) <= u64::from(self.stored) * MAX_INFLATION
        } else {
            self.stored == self.raw
        };
        if !fits {
            return Err(CodecError::Disagrees("a frame's stored and raw lengths do not fit together"));
        }
        // An event takes at least one byte, and a chunk has at least one event.
        let is_events = self.frame_type == frame_type::EVENTS;
        let count_fits = if is_events { (1..=self.raw).contains(&self.events) } else { self.events == 0 };
        if !count_fits {
            return Err(CodecError::Disagrees("a frame's event count does not fit its type and length"));
        }
        if self.first_ordinal.checked_add(u64::from(self.events)).is_none() {
            return Err(CodecError::Disagrees("a frame's ordinals overflow"));
        }
        Ok(())
    }
}

/// A frame's payload, inflated, with its header and length in the file.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What stands before the payload.
    pub header: FrameHeader,
    /// The payload before compression.
    pub raw: Vec<u8>,
}

/// The CRC-32 of a frame's bytes, going on from `seed` bytes: the prologue for the header frame, the header frame's own
/// CRC for all others, so that a frame of another recording does not pass.
pub fn checksum(seed: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes frames, with one compressor for all.
pub struct FrameEncoder {
    level: u32,
    /// Made when it is first of use: that costs more than a small recording's events.
    compress: Option<Compress>,
    scratch: Vec<u8>,
}

impl FrameEncoder {
    /// `level` is 0 (store) to 9 (smallest).
    pub fn new(level: u32) -> Self {
        Self { level: level.min(9), compress: None, scratch: Vec::new() }
    }

    /// Appends a whole frame to `out`, compressed where that is smaller. `header.stored`, `raw` and `deflate` are set
    /// here. Gives the frame's CRC.
    pub fn encode(&mut self, mut header: FrameHeader, raw: &[u8], seed: &[u8], out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        header.raw = raw.len() as u32;
        header.deflate = is_worth_deflating(header.frame_type, raw.len()) && self.deflate(raw);
        let payload = if header.deflate { &self.scratch } else { raw };
        header.stored = payload.len() as u32;
        header.put(out);
        out.extend_from_slice(payload);
        let crc = checksum(seed, &out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        crc
    }

    /// Compresses into `scratch`; `false` when that does not make it smaller.
    fn deflate(&mut self, raw: &[u8]) -> bool {
        if self.level == 0 {
            return false;
        }
        self.scratch.resize(raw.len().saturating_sub(1), 0);
        let level = Compression::new(self.level);
        let compress = self.compress.get_or_insert_with(|| Compress::new(level, false));
        compress.reset();
        match compress.compress(raw, &mut self.scratch, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => {
                self.scratch.truncate(compress.total_out() as usize);
                // More than the format's bound cannot happen, and must not be written if it did.
                raw.len() as u64 <= self.scratch.len() as u64 * MAX_INFLATION
            }
            _ => false,
        }
    }
}

/// To start the compressor takes longer than all else that a small snapshot costs, and a recorder takes many of them; an
/// events frame of a few bytes, such as stands between two of them, hardly becomes smaller.
fn is_worth_deflating(frame_type: u8, bytes: usize) -> bool {
    match frame_type {
        frame_type::SNAPSHOT => bytes > SNAPSHOT_STORED_MAX,
        frame_type::EVENTS => bytes > EVENTS_STORED_MAX,
        _ => true,
    }
}

/// Snapshots up to this length are stored as they are.
const SNAPSHOT_STORED_MAX: usize = 8 << 10;
/// Events frames up to this length are stored as they are.
const EVENTS_STORED_MAX: usize = 256;

/// Inflates payloads one after the other: what it takes to do so is made once.
pub struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Inflater {
    /// Checks a whole frame's checksum and puts its payload, inflated, in the place of what `raw` holds. `bytes` reach from
    /// the sync marker through the CRC.
    ///
    /// # Errors
    /// A frame that breaks a rule of the format.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        seed: &[u8],
        raw: &mut Vec<u8>,
    ) -> Result<FrameHeader, CodecError> {
        let (header, header_length) = FrameHeader::parse(bytes)?;
        check_frame(bytes, header_length, &header, seed)?;
        let stored = &bytes[header_length..header_length + header.stored as usize];
        raw.clear();
        match header.deflate {
            true => self.inflate(stored, header.raw as usize, raw)?,
            false => raw.extend_from_slice(stored),
        }
        Ok(header)
    }

    /// Inflates to exactly `length` bytes, which the caller has bounded.
    fn inflate(&mut self, stored: &[u8], length: usize, raw: &mut Vec<u8>) -> Result<(), CodecError> {
        self.0.reset(false);
        raw.resize(length, 0);
        let status = self.0.decompress(stored, raw, FlushDecompress::Finish);
        let whole = matches!(status, Ok(Status::StreamEnd))
            && self.0.total_out() == length as u64
            && self.0.total_in() == stored.len() as u64;
        if whole { Ok(()) } else { Err(CodecError::Inflate) }
    }
}

/// As [`Inflater::decode`], once.
///
/// # Errors
/// The same as [`Inflater::decode`].
pub fn decode_frame(bytes: &[u8], seed: &[u8]) -> Result<Frame, CodecError> {
    let mut raw = Vec::new();
    let header = Inflater::default().decode(bytes, seed, &mut raw)?;
    Ok(Frame { header, raw })
}

/// Checks length and checksum of a frame whose header was parsed.
pub fn check_frame(
    bytes: &[u8],
    header_length: usize,
    header: &FrameHeader,
    seed: &[u8],
) -> Result<u32, CodecError> {
    let end = header_length + header.stored as usize;
    if bytes.len() != end + CHECKSUM_LENGTH {
        return Err(CodecError::Short("a frame"));
    }
    let crc = checksum(seed, &bytes[..end]);
    if crc.to_le_bytes() != bytes[end..] { Err(CodecError::Checksum) } else { Ok(crc) }
}

/// The first bytes of the file.
pub fn prologue(version: u16, min_reader: u16) -> [u8; PROLOGUE_LENGTH] {
    let mut out = [0; PROLOGUE_LENGTH];
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&version.to_le_bytes());
    out[10..].copy_from_slice(&min_reader.to_le_bytes());
    out
}

/// The last bytes of a finished file.
pub fn footer(index_offset: u64, seed: &[u8]) -> [u8; FOOTER_LENGTH] {
    let mut out = [0; FOOTER_LENGTH];
    out[..8].copy_from_slice(&FOOTER_MAGIC);
    out[8..16].copy_from_slice(&index_offset.to_le_bytes());
    let crc = checksum(seed, &out[..16]);
    out[16..].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The offset of the index frame, when `bytes` are a footer of this recording.
pub fn parse_footer(bytes: &[u8], seed: &[u8]) -> Option<u64> {
    let offset = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
    (*bytes == footer(offset, seed)).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FrameHeader {
        FrameHeader {
            frame_type: frame_type::SNAPSHOT,
            deflate: false,
            stored: 0,
            raw: 0,
            first_ordinal: 7,
            events: 0,
            first: Position::new(1000, 3000),
        }
    }

    #[test]
    fn frames_round_trip_compressed_and_stored() {
        let mut noise = vec![0; 20_000];
        blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut noise);
        for (raw, deflate) in
            [(vec![7; 50_000], true), (vec![7; 5000], false), (noise, false), (Vec::new(), false)]
        {
            let mut bytes = Vec::new();
            FrameEncoder::new(6).encode(header(), &raw, b"seed", &mut bytes);
            let frame = decode_frame(&bytes, b"seed").unwrap();
            assert_eq!((frame.raw, frame.header.deflate), (raw, deflate));
            assert_eq!((frame.header.first_ordinal, frame.header.first), (7, Position::new(1000, 3000)));
            assert_eq!(decode_frame(&bytes, b"tree").unwrap_err(), CodecError::Checksum);
        }
    }

    #[test]
    fn a_long_run_of_zeros_stays_within_the_bound_of_inflation() {
        let raw = vec![0; MAX_FRAME_RAW as usize];
        let mut bytes = Vec::new();
        FrameEncoder::new(9).encode(header(), &raw, b"", &mut bytes);
        assert!(bytes.len() < 20_000);
        assert!(decode_frame(&bytes, b"").unwrap().raw == raw);
    }

    #[test]
    fn lengths_that_do_not_fit_together_are_refused() {
        let parse = |change: fn(&mut FrameHeader)| {
            let mut header = header();
            change(&mut header);
            let mut bytes = Vec::new();
            header.put(&mut bytes);
            FrameHeader::parse(&bytes).map(|_| ())
        };
        assert_eq!(parse(|_| ()), Ok(()));
        assert!(parse(|header| header.raw = 1).is_err());
        assert!(parse(|header| header.events = 1).is_err());
        assert!(parse(|header| (header.deflate, header.stored, header.raw) = (true, 10, 10_321)).is_err());
        assert!(parse(|header| (header.deflate, header.stored, header.raw) = (true, 10, 10_320)).is_ok());
        assert!(parse(|header| (header.stored, header.raw) = (u32::MAX, u32::MAX)).is_err());
        assert!(parse(|header| header.frame_type = frame_type::EVENTS).is_err());
    }
}
