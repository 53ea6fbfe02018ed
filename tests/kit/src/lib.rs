//! For tests and fuzz targets: generated scenarios, the oracle over them, sinks that fill up, and changes that no log knows
//! of. A [`Scenario`] is a board, a guest program and what the host does to it; it comes
//! from a proptest strategy, from the bytes of a fuzzer, or from a test's own hand. [`check_record_replay`] records it,
//! replays it in several ways and compares.
//!
//! ```
//! use rreplay_kit::{Scenario, check_record_replay};
//! use arbitrary::{Arbitrary, Unstructured};
//!
//! let scenario = Scenario::arbitrary_take_rest(Unstructured::new(b"any bytes at all"))?;
//! let report = check_record_replay(&scenario).unwrap_or_else(|failure| panic!("{failure}"));
//! assert!(report.replays >= 2);
//! # Ok::<(), arbitrary::Error>(())
//! ```

mod any_board;
mod board_toml;
mod boards;
mod cpu_differential;
mod exec_trace;
mod forged_log;
mod forged_run;
mod forger;
mod host;
mod lies;
mod log_gen;
mod log_reader;
mod oracle;
mod other_cores;
mod perturb;
mod program;
mod replay_api;
mod replay_asking;
mod replay_model;
mod runner;
mod scenario;
mod sink;
mod snapshot_restore;
mod taint_oracle;
pub mod targets;
mod timeline_oracle;
mod wrong_log;

pub use boards::{BoardChoice, CpuChoice};
pub use forger::{ForgeryCase, ForgeryReport, check_forgeries, forge};
pub use host::{AbsentHost, HostConfig, TestHost, TestHosts};
pub use lies::{HeaderLie, Lie, SetLie, StateLie};
pub use oracle::{
    Failure, Manners, Report, check_record_replay, check_record_replay_in_chaos, check_replays,
    check_replays_in_all_manners, record_scenario,
};
pub use perturb::{Line, Perturb, Perturbation, Register, changeable_fields};
pub use program::{Body, Handler, Instruction, Program, Setup};
pub use replay_api::{ReplayApiCase, ReplayOperation, check_replay_api, replay_api};
pub use scenario::{HostAct, HostOperation, RunLength, Scenario, UserInput};
pub use sink::SmallDisk;
pub use snapshot_restore::{SnapshotCase, Tampering, check_snapshot_restore, snapshot_restore};
pub use taint_oracle::{OriginCase, Origins, check_origins};
pub use timeline_oracle::{Move, Pick, Point, TimelineCase, TimelineCoverage, check_timeline, time_travel};
pub use wrong_log::{EventChange, other_payload};
