//! What the operating system answers at once: clocks, entropy, and where output goes.

use crate::engine::Outlet;
use crate::nondet::{CharId, CharWritten, ClockKind};
use std::io::Write;
use std::time::Duration;

#[cfg(shuttle)]
use crate::sync::model::{Instant, fill, now as since_epoch};
#[cfg(not(shuttle))]
use getrandom::fill;
#[cfg(not(shuttle))]
use std::time::Instant;

/// Wall-clock time since 1970-01-01 UTC.
#[cfg(not(shuttle))]
#[allow(clippy::disallowed_methods, reason = "this is the one module that reads host clocks")]
fn since_epoch() -> Duration {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// errno of an input/output error, for hosts that do not say more.
const EIO: i32 = 5;

/// Monotonic time while the machine is running: it stands still between runs.
#[derive(Debug, Default)]
pub struct RunningClock {
    before: Duration,
    since: Option<Instant>,
}

impl RunningClock {
    /// A run begins.
    #[allow(clippy::disallowed_methods, reason = "this is the one module that reads host clocks")]
    pub fn start(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// A run ends.
    pub fn stop(&mut self) {
        self.before = Duration::from_nanos(self.nanoseconds().cast_unsigned());
        self.since = None;
    }

    /// Nanoseconds spent running.
    pub fn nanoseconds(&self) -> i64 {
        let now = self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Says when so much real time has passed since it last said so; at first at once.
#[derive(Debug)]
pub struct Interval {
    length: Duration,
    last: Option<Instant>,
}

impl Interval {
    /// An interval of that length.
    pub fn new(length: Duration) -> Self {
        Self { length, last: None }
    }

    /// Whether it has passed; it then begins anew.
    #[allow(clippy::disallowed_methods, reason = "paces work on the host's side; no guest sees it")]
    pub fn has_passed(&mut self) -> bool {
        let passed = self.last.is_none_or(|last| last.elapsed() >= self.length);
        if passed {
            self.last = Some(Instant::now());
        }
        passed
    }
}

/// The operating system's clock and entropy. Output goes to `tee`, where there is one; the transcript has it anyway.
#[derive(Default)]
pub struct SystemHost {
    /// Time while running.
    pub running: RunningClock,
    /// The console's device, and where its output is copied to (a terminal).
    pub tee: Option<(CharId, Box<dyn Write + Send>)>,
}

impl Outlet for SystemHost {
    fn clock(&mut self, kind: ClockKind) -> i64 {
        match kind {
            ClockKind::Host => i64::try_from(since_epoch().as_nanos()).unwrap_or(i64::MAX),
            ClockKind::VirtualRt => self.running.nanoseconds(),
        }
    }

    fn random(&mut self, buffer: &mut [u8]) -> i32 {
        match fill(buffer) {
            Ok(()) => 0,
            Err(error) => {
                buffer.fill(0);
                -error.raw_os_error().unwrap_or(EIO)
            }
        }
    }

    fn char_write(&mut self, device: CharId, bytes: &[u8]) -> CharWritten {
        let all = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
        match &mut self.tee {
            Some((console, tee)) if *console == device => {
                match tee.write_all(bytes).and_then(|()| tee.flush()) {
                    Ok(()) => all,
                    Err(error) => CharWritten { result: -error.raw_os_error().unwrap_or(EIO), offset: 0 },
                }
            }
            _ => all,
        }
    }

    fn run_starts(&mut self) {
        self.running.start();
    }

    fn run_ends(&mut self) {
        self.running.stop();
    }
}
