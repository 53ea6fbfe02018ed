//! A recording to move in: any moment at once, backwards as easily as forwards, and questions about all of it.
//!
//! Nothing here changes the recording. A [`Timeline`] stands at a *place*: where an instruction is about to be executed,
//! or where the CPU waits. There is one place for each number of instructions retired, after the interrupt sequence if
//! one comes there and with all that is due done; where the CPU waits there is a second one, the instruction after the
//! wait. Everything goes by going there again: a [`ReplayCursor`](crate::cursor::ReplayCursor) brings a replay from the nearest state that is kept (in the
//! recording, or in memory) to the place, and a place is always the same, for the machine is deterministic.

mod breakpoints;
mod calls;
mod compared;
mod console;
mod exec_trace;
mod graph;
mod origin;
#[expect(clippy::module_inception, reason = "the timeline is what this module is for")]
mod timeline;

pub use crate::cursor::Work;
pub use crate::cursor::queries::{ACCESSES_MAX, Access, AccessQuery};
use crate::cursor::{self, cancel, queries, search};
pub use breakpoints::{BreakpointId, Condition, TimelineStop, WatchedAccesses};
pub use cancel::{Monitor, Progress};
pub use graph::{NodeKind, OriginNode};
pub use origin::{NODES_MAX, STEPS_MAX};
pub use timeline::Timeline;

/// Bytes of states that a timeline keeps in memory unless told otherwise.
pub const KEYFRAMES_BUDGET: usize = 256 << 20;
