//! Where two runs part, and why: over replay cursors, for Rust users, Python, the command and a debugger alike.
//!
//! - [`diff`] compares two recordings, [`changed_rom`] one recording with a changed ROM, [`minimize`] looks for the least input
//!   that still shows something. They are reached by [`Timeline`](crate::timeline::Timeline)'s methods of these names.
//! - `diagnose` finds out how a replay has left its recording; replays of a [`Recording`](crate::recording::Recording) do that by
//!   themselves.

mod bisect;
mod changed_rom;
mod lockstep;
mod minimal_input;
mod recordings;
mod state_differences;

pub(crate) use bisect::diagnose;
pub use changed_rom::{FirstEffect, RomDifference, RomSpan, changed_rom};
pub use minimal_input::{Input, Trials, inputs, minimize};
pub use recordings::{ByteDifference, DeviceDifference, RunDifference, Side, diff, require_same_board};

use crate::cursor::search::Search;
use crate::log::LogReader;
use crate::sync::Shared;

/// A recording that is compared, and what goes through it.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What moves in it.
    pub search: &'a Search,
    /// Its file.
    pub reader: &'a Shared<LogReader>,
}
