//! The recording file: header, events in compressed chunks, snapshots, index.
//!
//! The format is described in docs/log-format.md, completely enough to write another reader from it. This module knows
//! events and positions and nothing of machines, replay or threads.
//!
//! Writing: [`LogWriter`]. Reading: [`LogReader`] and, for walking over events, [`EventCursor`].
//!
//! ```
//! use rreplay::log::{Event, Header, LogReader, LogWriter, Options};
//! use rreplay::{nondet::ClockKind, units::Position};
//!
//! let header = Header { board_toml: "name = \"lab\"".into(), clock_hz: 1_000_000, ..Header::default() };
//! let mut writer = LogWriter::in_memory(&header, Options::default())?;
//! writer.append(Position::new(10, 31), &Event::Clock { kind: ClockKind::Host, value: 1_000 })?;
//! writer.append(Position::new(99, 300), &Event::End)?;
//! writer.finish()?;
//!
//! let reader = LogReader::from_bytes(writer.take_bytes().unwrap())?;
//! assert!(reader.complete());
//! assert_eq!(reader.events().map(|event| event.unwrap().position.icount).collect::<Vec<_>>(), [10, 99]);
//! # Ok::<(), rreplay::log::LogError>(())
//! ```

pub mod codec;
mod cursor;
mod error;
pub mod event;
pub mod frame;
mod header;
mod index;
pub mod limits;
mod names;
mod reader;
mod salvage;
mod sink;
mod source;
pub mod varint;
mod writer;

pub use cursor::EventCursor;
pub use error::LogError;
pub use event::{AsyncEvent, Checkpoint, Event, EventKind, InputEvent, StampedEvent};
pub use header::{Header, Lineage, RecordingId, RomRecord, RomTarget};
pub use index::{ChunkInfo, KindTotal, Totals};
pub use names::UnknownName;
pub use reader::{LogInfo, LogReader};
pub use salvage::{Damage, DamageReason, IndexState};
pub use sink::{LogFile, MemorySink, Sink, WrittenFile};
pub use varint::CodecError;
pub use writer::{LogWriter, Options};
