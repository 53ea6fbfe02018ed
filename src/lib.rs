//! rreplay: record a run of an 8-bit machine, replay it exactly, travel in it, question it.
//!
//! A [`Session`](session::Session) is a machine made from a [`Board`](machine::board::Board): it runs, can be looked
//! into, and can be recorded. A [`Recording`](recording::Recording) is a file of such a run: it lists its events without
//! executing anything, and replays to a session that does exactly what the first one did.
//!
//! ```
//! use rreplay::machine::board::Board;
//! use rreplay::recording::Recording;
//! use rreplay::session::{RecordOptions, RunRequest, Session};
//!
//! # fn main() -> Result<(), rreplay::error::Error> {
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("run.rreplay");
//! let session = Session::new(Board::preset("breadboard")?, vec![])?;
//! session.record(&path, RecordOptions::default())?;
//! session.send(b"help\r")?;
//! session.run(RunRequest { seconds: Some(1.0), ..RunRequest::default() }, &mut || false)?;
//! session.finish()?;
//!
//! let recording = Recording::open(&path, false)?;
//! assert_eq!(recording.output()?, session.output());
//! let replayed = recording.replay()?;
//! replayed.run(RunRequest::default(), &mut || false)?;
//! assert_eq!(replayed.digest(), session.digest());
//! # Ok(())
//! # }
//! ```
//!
//! The floors of the crate, from the ground up, and what may know what, are in ARCHITECTURE.md.

#[macro_use]
pub mod persist;
pub mod bus;
pub mod events;
pub mod files;
pub mod guest;
pub mod nondet;
pub mod seeded_faults;
pub mod sync;
pub mod units;

pub mod cpu;
pub mod devices;
pub mod log;
pub mod memory;

pub mod machine;
pub mod replay;
pub mod snapshot;

pub mod engine;
pub mod host;

pub mod compare;
pub mod cursor;
pub mod error;
pub mod external;
pub mod recording;
pub mod session;
pub mod timeline;
