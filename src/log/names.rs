//! Names and numbers of the vocabulary, as the log, Python and the command line use them.

use std::fmt;
use std::str::FromStr;

use super::event::{AsyncEvent, Checkpoint, Event, EventKind, InputEvent, StampedEvent};
use crate::bus::{Exception, Interrupt};
use crate::nondet::{ClockKind, ShutdownCause};

/// A name that the vocabulary does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} called {name:?}: use one of {known}")]
pub struct UnknownName {
    /// What was looked for (`event kind`).
    pub what: &'static str,
    /// The name given.
    pub name: String,
    /// The names there are.
    pub known: String,
}

macro_rules! vocabulary {
    ($type:ident, $what:literal, { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// All members, in the order of their numbers.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];

            /// The name in snake_case.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),* }
            }

            /// The number that the log carries.
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The member with a number.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.get(usize::from(number)).copied()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|member| member.name() == name).ok_or_else(|| UnknownName {
                    what: $what,
                    name: name.to_owned(),
                    known: Self::ALL.iter().map(|member| member.name()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

vocabulary!(EventKind, "event kind", {
    Interrupt = "interrupt",
    Exception = "exception",
    Bh = "bh",
    BhOneshot = "bh_oneshot",
    Input = "input",
    InputSync = "input_sync",
    CharRead = "char_read",
    Block = "block",
    Net = "net",
    Shutdown = "shutdown",
    CharWrite = "char_write",
    CharReadAll = "char_read_all",
    CharReadAllError = "char_read_all_error",
    AudioOut = "audio_out",
    AudioIn = "audio_in",
    Random = "random",
    Clock = "clock",
    Checkpoint = "checkpoint",
    Digest = "digest",
    Snapshot = "snapshot",
    End = "end",
});

vocabulary!(Checkpoint, "checkpoint", {
    ClockWarpStart = "clock_warp_start",
    ClockWarpAccount = "clock_warp_account",
    ResetRequested = "reset_requested",
    SuspendRequested = "suspend_requested",
    ClockVirtual = "clock_virtual",
    ClockHost = "clock_host",
    ClockVirtualRt = "clock_virtual_rt",
    Init = "init",
    Reset = "reset",
});

vocabulary!(ClockKind, "clock kind", { Host = "host", VirtualRt = "virtual_rt" });

vocabulary!(Interrupt, "interrupt", { Irq = "irq", Nmi = "nmi", Reset = "reset", Wake = "wake" });

vocabulary!(Exception, "exception", { Brk = "brk", Jam = "jam", Stop = "stop" });

vocabulary!(ShutdownCause, "shutdown cause", {
    None = "none",
    HostError = "host_error",
    HostQuit = "host_quit",
    HostReset = "host_reset",
    HostSignal = "host_signal",
    HostUi = "host_ui",
    GuestShutdown = "guest_shutdown",
    GuestReset = "guest_reset",
    GuestPanic = "guest_panic",
    SubsystemReset = "subsystem_reset",
    SnapshotLoad = "snapshot_load",
});

impl Event {
    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Interrupt(_) => EventKind::Interrupt,
            Event::Exception(_) => EventKind::Exception,
            Event::Async(event) => event.kind(),
            Event::Shutdown(_) => EventKind::Shutdown,
            Event::CharWrite { .. } => EventKind::CharWrite,
            Event::CharReadAll { .. } => EventKind::CharReadAll,
            Event::CharReadAllError { .. } => EventKind::CharReadAllError,
            Event::AudioOut { .. } => EventKind::AudioOut,
            Event::AudioIn { .. } => EventKind::AudioIn,
            Event::Random { .. } => EventKind::Random,
            Event::Clock { .. } => EventKind::Clock,
            Event::Checkpoint(_) => EventKind::Checkpoint,
            Event::Digest(_) => EventKind::Digest,
            Event::Snapshot { .. } => EventKind::Snapshot,
            Event::End => EventKind::End,
        }
    }

    /// Bytes of memory that the event holds beside its own size: the lengths of its buffers.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Event::Async(event) => event.heap_bytes(),
            Event::CharWrite { bytes, .. } | Event::CharReadAll { bytes, .. } => bytes.len(),
            Event::Random { bytes, .. } => bytes.len(),
            Event::AudioIn { samples, .. } => samples.len() * 2,
            Event::Digest(digests) => digests.len() * 16,
            _ => 0,
        }
    }
}

impl AsyncEvent {
    /// Bytes of the buffers that it carries.
    pub fn heap_bytes(&self) -> usize {
        match self {
            AsyncEvent::CharRead { bytes, .. } | AsyncEvent::Net { bytes, .. } => bytes.len(),
            AsyncEvent::Block { data, .. } => data.len(),
            AsyncEvent::Bh { .. }
            | AsyncEvent::BhOneshot { .. }
            | AsyncEvent::Input(_)
            | AsyncEvent::InputSync => 0,
        }
    }

    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            AsyncEvent::Bh { .. } => EventKind::Bh,
            AsyncEvent::BhOneshot { .. } => EventKind::BhOneshot,
            AsyncEvent::Input(_) => EventKind::Input,
            AsyncEvent::InputSync => EventKind::InputSync,
            AsyncEvent::CharRead { .. } => EventKind::CharRead,
            AsyncEvent::Block { .. } => EventKind::Block,
            AsyncEvent::Net { .. } => EventKind::Net,
        }
    }
}

/// Shows the first bytes of a buffer as text where it is text, as hex where it is not.
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 32;
        let shown = &self.0[..self.0.len().min(SHOWN_MAX)];
        let printable = |byte: &u8| matches!(byte, 0x20..=0x7E | b'\r' | b'\n' | b'\t' | 0x08);
        write!(f, "{} byte{}", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        if shown.is_empty() {
            return Ok(());
        }
        if shown.iter().all(printable) {
            write!(f, " \"{}\"", shown.escape_ascii())?;
        } else {
            f.write_str(" ")?;
            shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        }
        f.write_str(if self.0.len() > SHOWN_MAX { "..." } else { "" })
    }
}

impl fmt::Display for InputEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let edge = |down: bool| if down { "down" } else { "up" };
        match *self {
            InputEvent::Key { keycode, down } => write!(f, "key {keycode} {}", edge(down)),
            InputEvent::Button { button, down } => write!(f, "button {button} {}", edge(down)),
            InputEvent::Rel { axis, value } => write!(f, "rel axis {axis} by {value}"),
            InputEvent::Abs { axis, value } => write!(f, "abs axis {axis} at {value}"),
        }
    }
}

impl fmt::Display for AsyncEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().name())?;
        match self {
            AsyncEvent::Bh { id } | AsyncEvent::BhOneshot { id } => write!(f, " scheduled at icount {id}"),
            AsyncEvent::Input(event) => write!(f, " {event}"),
            AsyncEvent::InputSync => Ok(()),
            AsyncEvent::CharRead { device, bytes } => write!(f, " device {}: {}", device.0, Bytes(bytes)),
            AsyncEvent::Block { id, result, data } => {
                write!(f, " request {id}: result {result}, {}", Bytes(data))
            }
            AsyncEvent::Net { device, flags, bytes } => {
                write!(f, " device {device} flags {flags:#x}: {}", Bytes(bytes))
            }
        }
    }
}

/// One readable line: the kind's name, then what it carries.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Event::Async(event) = self {
            return event.fmt(f);
        }
        f.write_str(self.kind().name())?;
        match self {
            Event::Interrupt(line) => write!(f, " {line}"),
            Event::Exception(exception) => write!(f, " {exception}"),
            Event::Shutdown(cause) => write!(f, " {cause}"),
            Event::CharWrite { device, bytes, written } => {
                write!(f, " device {}: {}", device.0, Bytes(bytes))?;
                let whole =
                    i64::from(written.result) == bytes.len() as i64 && written.offset as usize == bytes.len();
                if whole { Ok(()) } else { write!(f, ", result {} at {}", written.result, written.offset) }
            }
            Event::CharReadAll { device, bytes } => write!(f, " device {}: {}", device.0, Bytes(bytes)),
            Event::CharReadAllError { device, error } => write!(f, " device {}: {error}", device.0),
            Event::AudioOut { frames } => write!(f, " {frames} frames"),
            Event::AudioIn { recorded, samples, write_position } => {
                write!(f, " {recorded} recorded, {} samples, write position {write_position}", samples.len())
            }
            Event::Random { result, bytes } => write!(f, " result {result}: {}", Bytes(bytes)),
            Event::Clock { kind, value } => write!(f, " {kind} {value} ns"),
            Event::Checkpoint(checkpoint) => write!(f, " {checkpoint}"),
            Event::Digest(digests) => digests.iter().try_for_each(|digest| write!(f, " {digest}")),
            Event::Snapshot { number } => write!(f, " number {number}"),
            Event::Async(_) | Event::End => Ok(()),
        }
    }
}

impl fmt::Display for StampedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} at {}: {}", self.ordinal, self.position, self.event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nondet::{CharId, CharWritten};

    #[test]
    fn numbers_are_places_in_all() {
        fn check<T: Copy + PartialEq + fmt::Debug>(all: &[T], number: fn(T) -> u8) {
            all.iter()
                .enumerate()
                .for_each(|(place, member)| assert_eq!(usize::from(number(*member)), place));
        }
        check(EventKind::ALL, EventKind::number);
        check(Checkpoint::ALL, Checkpoint::number);
        check(ClockKind::ALL, ClockKind::number);
        check(Interrupt::ALL, Interrupt::number);
        check(Exception::ALL, Exception::number);
        check(ShutdownCause::ALL, ShutdownCause::number);
        assert_eq!(EventKind::from_number(21), None);
    }

    #[test]
    fn names_parse_back_and_wrong_ones_list_the_right_ones() {
        for kind in EventKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        let message = "keyboard".parse::<EventKind>().unwrap_err().to_string();
        assert!(
            message.contains("no event kind called \"keyboard\"") && message.contains("char_read_all_error")
        );
    }

    #[test]
    fn an_event_is_one_readable_line() {
        let written = CharWritten { result: 2, offset: 2 };
        let event = Event::CharWrite { device: CharId(0), bytes: b"A\n".to_vec(), written };
        assert_eq!(event.to_string(), "char_write device 0: 2 bytes \"A\\n\"");
        let written = CharWritten { result: -11, offset: 1 };
        let event = Event::CharWrite { device: CharId(3), bytes: vec![0xFF], written };
        assert_eq!(event.to_string(), "char_write device 3: 1 byte ff, result -11 at 1");
        let event = Event::Async(AsyncEvent::Input(InputEvent::Key { keycode: 30, down: true }));
        assert_eq!(event.to_string(), "input key 30 down");
        assert_eq!(Event::Interrupt(Interrupt::Irq).to_string(), "interrupt irq");
    }
}
