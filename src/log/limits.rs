//! Every bound of the file format, checked by the writer and by the reader.
//!
//! Together they hold the memory that a hostile file can cost below 64 MiB: the largest frame as stored plus the same
//! inflated is 32 MiB, an events chunk with everything decoded from it stays below 24 MiB, the list of chunks below
//! 40 MiB while it grows.

/// Format version that this code writes.
pub const FORMAT_VERSION: u16 = 4;

/// From this version on a digest event has one hash for each subsystem of the header.
pub const FULL_DIGESTS_VERSION: u16 = 2;

/// From this version on recordings are of an engine whose chips, lines and processors do what those of this one do. What was
/// recorded before replays too, where the run does not depend on what has changed (docs/log-format.md, section 10).
pub const CHIPS_VERSION: u16 = 4;

/// The oldest reader that can read what this code writes: bumped when something is added that must not be skipped, or when
/// an older engine would replay it otherwise than it was recorded.
pub const MIN_READER_VERSION: u16 = CHIPS_VERSION;

/// Payload of an events frame, before compression.
pub const MAX_CHUNK_RAW: u32 = 4 << 20;

/// Payload of any other frame (header, snapshot, index), before compression.
pub const MAX_FRAME_RAW: u32 = 16 << 20;

/// Events in one chunk.
pub const MAX_CHUNK_EVENTS: u32 = 1 << 16;

/// Bytes, samples and hashes that the events of one chunk may decode to. It matters because a digest event repeats
/// unchanged hashes at a cost of one bit each.
pub const MAX_CHUNK_DECODED: usize = 8 << 20;

/// Bytes that one event may carry.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// Hashes in one digest event, and so subsystems in the header.
pub const MAX_SUBSYSTEMS: usize = 256;

/// Frames with events or snapshots in one file.
pub const MAX_CHUNKS: usize = 1 << 19;

/// Entries of each list in the header, and sections of the header.
pub const MAX_HEADER_ITEMS: usize = 1024;

/// Bytes of a name in the header.
pub const MAX_NAME_BYTES: usize = 1024;

/// Bytes of the board's description in the header: text takes many times its length while it is parsed.
pub const MAX_BOARD_BYTES: usize = 256 << 10;

/// DEFLATE never expands by more than this factor (a 258-byte copy takes at least two bits).
pub const MAX_INFLATION: u64 = 1032;

/// Candidate frames that are tried after a damaged place, to say what stands there. It bounds the time that a file
/// full of frame starts can cost.
pub const MAX_RESYNC_ATTEMPTS: usize = 64;
