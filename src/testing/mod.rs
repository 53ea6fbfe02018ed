//! For tests and fuzz targets: generated scenarios, the oracle over them, sinks that fill up, and planted bugs.
//!
//! Only with the feature `testing`. A [`Scenario`] is a board, a guest program and what the host does to it; it comes
//! from a proptest strategy, from the bytes of a fuzzer, or from a test's own hand. [`check_record_replay`] records it,
//! replays it in several ways and compares.
//!
//! ```
//! use rreplay::testing::{Scenario, check_record_replay};
//! use arbitrary::{Arbitrary, Unstructured};
//!
//! let scenario = Scenario::arbitrary_take_rest(Unstructured::new(b"any bytes at all"))?;
//! let report = check_record_replay(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
//! assert_eq!(report.replays, 3);
//! # Ok::<(), arbitrary::Error>(())
//! ```

mod any_board;
mod board_toml;
mod boards;
mod cpu_differential;
mod log_reader;
mod oracle;
mod other_cores;
mod perturb;
mod program;
mod scenario;
mod sink;
pub mod targets;
mod written;

pub use boards::{BoardChoice, CpuChoice};
pub use oracle::{Failure, Report, check_record_replay, record_scenario};
pub use perturb::Perturbation;
pub use program::{Body, Handler, Instruction, Program, Setup};
pub use scenario::{Extent, HostOperation, Scenario};
pub use sink::SmallDisk;
