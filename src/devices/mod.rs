//! Device models, one chip a file: plain state with the data sheet's register names, plus what is passed in.
//!
//! A device holds no channel, callback or lock, so saving it is copying it. Time is the CPU clock: a device is never
//! ticked, it computes what happened since it was last looked at, and names the next cycle at which it must act by
//! itself ([`Device::next_timer`]).

/// Implements `Persist` for a chip whose state is kept in parts; `checked` is called after a restore, to refuse values
/// that the chip cannot have and to work out again what is derived from the parts.
macro_rules! persist_parts {
    ($type:ty { $($part:ident),* $(,)? } checked by $checked:ident) => {
        impl $crate::persist::Persist for $type {
            fn save(&self, out: &mut Vec<u8>) {
                $($crate::persist::Persist::save(&self.$part, out);)*
            }
            fn restore(
                &mut self,
                reader: &mut $crate::persist::Reader<'_>,
            ) -> Result<(), $crate::persist::PersistError> {
                $($crate::persist::Persist::restore(&mut self.$part, reader)?;)*
                self.$checked()
            }
            fn fields(&self) -> Vec<(&'static str, $crate::persist::Value)> {
                let mut fields = Vec::new();
                $(fields.extend($crate::persist::Persist::fields(&self.$part));)*
                fields
            }
        }
    };
}

pub mod disk;
pub mod display;
pub mod keyboard;
pub mod mc146818;
pub mod mc6821;
pub mod mc6850;
pub mod mos6551;
pub mod network;
pub mod pointer;
pub mod power;
#[cfg(feature = "testing")]
pub mod probe;
#[cfg(feature = "testing")]
pub mod pulses;
pub mod py65_console;
pub mod random_port;
pub mod serial;
pub mod sim65;
pub mod sound;
pub mod stopwatch;
pub mod user;
pub mod via6522;

#[cfg(test)]
mod tests;

use crate::events::InputEvent;
use crate::nondet::{CharId, ClockKind, NetId, Nondet, Owner};
use crate::persist::Persist;
use crate::units::Position;

/// What a device is given with every access.
pub struct Context<'a> {
    /// The exact bus cycle of the access, or the instruction boundary at which a timer is run.
    pub at: Position,
    /// CPU clock in Hz.
    pub clock_hz: u64,
    /// The device's own number as a character device; without meaning for others.
    pub char_id: CharId,
    /// The device's own number as a network device; without meaning for others.
    pub net_id: NetId,
    /// The device itself, as the owner of calls and block requests that it asks for.
    pub owner: Owner,
    /// The outside, behind the record/replay state machine.
    pub outside: &'a mut dyn Nondet,
    /// The guest's memory, for a device that is a bus master. At instruction boundaries only (a timer, a completion, a
    /// delivery); `None` within an access of the CPU, which has the bus then.
    pub memory: Option<&'a mut dyn DirectMemory>,
    /// The processor's registers, for a device that stands in for an operating system; as `memory`, at instruction
    /// boundaries only.
    pub cpu: Option<&'a mut dyn DirectRegisters>,
}

/// The processor's registers as a device sees them, by name.
pub trait DirectRegisters {
    /// The value of a register; 0 where the processor has none of that name.
    fn get(&self, name: &str) -> u16;

    /// Puts a result into a register. It counts as the device's, be it what the register held before.
    fn set(&mut self, name: &str, value: u16);
}

/// What reads of a register return as long as nothing else is done to the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuietRead {
    /// The byte.
    pub value: u8,
    /// The first cycle at which it may be another one, or a read may do something.
    pub until: u64,
}

impl QuietRead {
    /// A byte that stays until something is done to the device.
    pub const fn for_ever(value: u8) -> Self {
        Self { value, until: u64::MAX }
    }
}

/// Direct memory access: RAM and ROM as a device other than the CPU sees them. Other devices' registers are out of reach.
pub trait DirectMemory {
    /// The byte at `address`; what floats on the bus where there is no memory.
    fn read(&mut self, address: u16) -> u8;

    /// Writes RAM. ROM keeps its byte, and where nothing is mapped the byte is lost.
    fn write(&mut self, address: u16, value: u8);
}

/// What a device drives, and when it does something by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outputs {
    /// [`Device::irq`].
    pub irq: Option<u64>,
    /// [`Device::next_line_change`]; `u64::MAX` for none.
    pub line_change: u64,
    /// [`Device::next_timer`]; `u64::MAX` for none.
    pub timer: u64,
}

/// A picture as a person would see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Red, green, blue, alpha (always 255) of each pixel, row by row from the top left: `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}

/// A memory-mapped device.
///
/// # Time
///
/// Cycle `n` of the CPU clock is one bus cycle: an access made in it has `at.cycles == n`, and an instruction boundary
/// "at `n`" lies just before it. What a device does by itself in cycle `n` (a timer runs out, a character ends) has
/// happened when an access of the same cycle looks, and the interrupt line that it pulls low is low at the *end* of
/// cycle `n`. So "due by `n`" always includes `n`.
///
/// Every method that is given a time must first do what was due by then, in order of time, so that the state after a
/// call depends only on the accesses and their cycles, never on how often somebody looked. Times never go back.
///
/// What must reach the outside (a byte to the host) is done by the first of these calls: an access at or after its
/// cycle, or `run_timer` at the first instruction boundary at or after it. The caller makes that `run_timer` call
/// whenever `next_timer() <= boundary`, before anything else at the boundary (`receive`, `set_line`, `catch_up`,
/// `reset`, saving). Further calls of `run_timer` and `catch_up`, at boundaries, change nothing.
///
/// # A chip
///
/// A counter of clock cycles that a write sets back. It is never ticked: what it shows follows from the cycle of the
/// access.
///
/// ```
/// use rreplay::devices::{Context, Device};
///
/// #[derive(Clone)]
/// struct Counter {
///     zero: u64,
/// }
///
/// rreplay::persist!(Counter { zero });
///
/// impl Device for Counter {
///     fn kind(&self) -> &'static str {
///         "counter"
///     }
///     fn register_count(&self) -> u16 {
///         1
///     }
///     fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
///         self.peek(offset, context.at.cycles)
///     }
///     fn write(&mut self, _offset: u16, _value: u8, context: &mut Context<'_>) {
///         self.zero = context.at.cycles;
///     }
///     fn peek(&self, _offset: u16, now: u64) -> u8 {
///         (now - self.zero) as u8
///     }
///     fn next_timer(&self) -> Option<u64> {
///         None
///     }
///     fn run_timer(&mut self, _context: &mut Context<'_>) {}
///     fn catch_up(&mut self, _now: u64) {}
///     fn irq(&self) -> Option<u64> {
///         None
///     }
///     fn reset(&mut self, now: u64) {
///         self.zero = now;
///     }
///     fn clone_box(&self) -> Box<dyn Device> {
///         Box::new(self.clone())
///     }
/// }
///
/// assert_eq!(Counter { zero: 40 }.peek(0, 42), 2);
/// ```
pub trait Device: Persist + Send {
    /// Chip or design, as board files name it (`mos6551`).
    fn kind(&self) -> &'static str;

    /// Number of register addresses.
    fn register_count(&self) -> u16;

    /// The registers of the processor that it goes by, if it stands in for an operating system. Boards with another processor
    /// are refused.
    fn processor_registers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the device answers this access. Where it does not, the access goes to the memory under the device.
    fn claims(&self, _offset: u16, _write: bool) -> bool {
        true
    }

    /// A CPU read of register `offset` (less than `register_count`), with its side effects.
    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8;

    /// What [`Device::read`] would return at cycle `now`, where that read changes nothing, so that nothing needs to be asked
    /// afterwards, and for how long; `None` where it might change something. For the registers that programs poll: to
    /// override only for speed.
    fn quiet_read(&self, _offset: u16, _now: u64) -> Option<QuietRead> {
        None
    }

    /// A CPU write of register `offset`, with its side effects.
    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>);

    /// What a read at cycle `now` would give, without side effects: for debuggers and `m.memory`.
    fn peek(&self, offset: u16, now: u64) -> u8;

    /// The next cycle at which the device acts without being accessed: raises or drops its interrupt line, moves a
    /// byte to its host. `None` when nothing is due. An access before that cycle may change it.
    fn next_timer(&self) -> Option<u64>;

    /// Does everything due at or before `context.at.cycles`. Called at the instruction boundary at or after
    /// `next_timer`; an interrupt line raised here carries the exact cycle in [`Device::irq`]. It may also be called
    /// with the position of an access that is about to be made, to see the line as it was before that access.
    fn run_timer(&mut self, context: &mut Context<'_>);

    /// Brings lazily evaluated registers up to cycle `now` (the instruction boundary), so that the saved state is
    /// canonical. Never acts on the outside: whatever does is due by `next_timer` and has been done before.
    fn catch_up(&mut self, now: u64);

    /// The cycle up to which lazily evaluated registers have been brought; `None` for a device that keeps no such cycle. In a saved
    /// state it is that of the snapshot: restoring refuses another, which would have years of cycles to be worked out.
    fn as_of(&self) -> Option<u64> {
        None
    }

    /// The cycle since which the device holds its interrupt line low, or `None` while it is released.
    fn irq(&self) -> Option<u64>;

    /// The cycle in which the device pulls its interrupt line low by itself, if nobody touches it before: what the CPU's
    /// polls in the middle of an instruction go by, for `run_timer` comes at the boundary after it. `None` while the line
    /// is low, and when nothing is in sight. A device that asks a host before it interrupts cannot know, and returns `None`.
    fn next_irq(&self) -> Option<u64> {
        None
    }

    /// The first cycle after `after` at whose end the interrupt line has another level than in the cycle before it, if nobody
    /// touches the device. The device is up to date as of `after` or an earlier cycle.
    ///
    /// Chips pull their lines by themselves and release them when they are told to, so [`Device::next_irq`] says it all.
    fn next_line_change(&self, after: u64) -> Option<u64> {
        self.next_irq().filter(|&at| at > after)
    }

    /// What a machine asks for after every access, in one call; `at` is the cycle of the access.
    fn outputs(&self, at: u64) -> Outputs {
        Outputs {
            irq: self.irq(),
            line_change: self.next_line_change(at).unwrap_or(u64::MAX),
            timer: self.next_timer().unwrap_or(u64::MAX),
        }
    }

    /// The RESB pin, at a cycle. A chip without that pin ignores it.
    fn reset(&mut self, now: u64);

    /// Bytes from the host side of a character device, delivered at an instruction boundary. Only called on devices
    /// for which [`Device::is_char`] holds.
    fn receive(&mut self, _bytes: &[u8], _context: &mut Context<'_>) {}

    /// Whether the device has a network side (and so a [`NetId`]).
    fn is_net(&self) -> bool {
        false
    }

    /// A packet from the network, delivered at an instruction boundary. Only called on devices for which
    /// [`Device::is_net`] holds.
    fn packet(&mut self, _flags: u32, _bytes: &[u8], _context: &mut Context<'_>) {}

    /// A key, button or movement of the user, at an instruction boundary. Every device is told; those without a user
    /// take no notice.
    fn input(&mut self, _event: InputEvent, _context: &mut Context<'_>) {}

    /// The end of a packet of input events: they belong together.
    fn input_sync(&mut self, _context: &mut Context<'_>) {}

    /// The call that the device asked for with [`Nondet::schedule_bh`] or [`Nondet::schedule_bh_oneshot`].
    fn deferred_call(&mut self, _context: &mut Context<'_>) {}

    /// A block request of the device has completed with a result (bytes, or a negative errno) and what was read.
    fn block_completed(&mut self, _id: u64, _result: i32, _data: &[u8], _context: &mut Context<'_>) {}

    /// A block request of the device is on its way and has this number: told after its state was restored, for each such
    /// request in the order in which they were made.
    fn number_request(&mut self, _id: u64) {}

    /// The reading of a host clock, in nanoseconds, at which the device's timer on that clock is due.
    fn next_clock_timer(&self, _clock: ClockKind) -> Option<i64> {
        None
    }

    /// Does what is due on a host clock that reads `now`; the timer is then off, or later.
    fn run_clock_timer(&mut self, _clock: ClockKind, _now: i64, _context: &mut Context<'_>) {}

    /// The external input pins that [`Device::set_line`] can set, by their data-sheet names in lower case.
    fn lines(&self) -> &'static [&'static str] {
        &[]
    }

    /// Sets an external input: a pin (0 or 1, the level) or a whole port. Like `receive`, only at an instruction
    /// boundary, and recorded by whoever calls it.
    ///
    /// # Errors
    /// [`DeviceError::UnknownLine`] and [`DeviceError::LineLevel`].
    fn set_line(&mut self, line: &str, _level: u8, _context: &mut Context<'_>) -> Result<(), DeviceError> {
        Err(DeviceError::unknown_line(self.kind(), line, self.lines()))
    }

    /// What the device's screen shows; `None` for devices that have none.
    fn frame(&self) -> Option<Frame> {
        None
    }

    /// Whether the device has a character host side (and so a [`CharId`]).
    fn is_char(&self) -> bool {
        false
    }

    /// Whether its program reads when it wants to, and must be told when nothing more will come: by
    /// [`receive`](Device::receive) of no bytes.
    fn reads_at_once(&self) -> bool {
        false
    }

    /// Received bytes that the guest has not read yet, in the wire and in the chip.
    fn pending_input(&self) -> usize {
        0
    }

    /// A copy, for forks.
    fn clone_box(&self) -> Box<dyn Device>;
}

impl Clone for Box<dyn Device> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}

/// What is wrong with a device that a board asks for, or with a line that somebody sets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// No device of that kind.
    #[error("there is no device kind `{kind}`; the kinds are: {known}", known = KINDS.join(", "))]
    UnknownKind {
        /// What the board says.
        kind: String,
    },
    /// The kind has no such option.
    #[error("device kind `{kind}` has no option `{option}`; {}", options_sentence(.known))]
    UnknownOption {
        /// The device kind.
        kind: &'static str,
        /// The option as the board spells it.
        option: String,
        /// The options that the kind has.
        known: &'static [&'static str],
    },
    /// An option has a value of the wrong type, or one outside its range.
    #[error("option `{option}` of device kind `{kind}` is wrong: {problem}")]
    BadOption {
        /// The device kind.
        kind: &'static str,
        /// The option.
        option: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The device has no such input line.
    #[error("device kind `{kind}` has no input line `{line}`; {}", lines_sentence(.known))]
    UnknownLine {
        /// The device kind.
        kind: &'static str,
        /// The line asked for.
        line: String,
        /// The lines that the kind has.
        known: &'static [&'static str],
    },
    /// A pin can be 0 or 1.
    #[error("line `{line}` of device kind `{kind}` is one pin: set it to 0 or 1, not {level}")]
    LineLevel {
        /// The device kind.
        kind: &'static str,
        /// The line.
        line: String,
        /// The level asked for.
        level: u8,
    },
}

impl DeviceError {
    fn unknown_line(kind: &'static str, line: &str, known: &'static [&'static str]) -> Self {
        Self::UnknownLine { kind, line: line.to_owned(), known }
    }

    /// The level of a one-pin line, or the error for a value that is none.
    fn pin_level(kind: &'static str, line: &str, level: u8) -> Result<bool, Self> {
        match level {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Self::LineLevel { kind, line: line.to_owned(), level }),
        }
    }
}

fn options_sentence(known: &[&str]) -> String {
    if known.is_empty() { "it has none".to_owned() } else { format!("its options are: {}", known.join(", ")) }
}

fn lines_sentence(known: &[&str]) -> String {
    if known.is_empty() { "it has none".to_owned() } else { format!("its lines are: {}", known.join(", ")) }
}

/// The device kinds that [`create`] knows; the `probe` and `pulses` of tests are not for boards of users.
pub const KINDS: &[&str] = &[
    mos6551::KIND,
    mc6850::KIND,
    via6522::KIND,
    mc6821::KIND,
    mc146818::KIND,
    stopwatch::KIND,
    random_port::KIND,
    disk::KIND,
    network::KIND,
    sound::KIND,
    display::KIND,
    keyboard::KIND,
    pointer::KIND,
    power::KIND,
    user::KIND,
    py65_console::KIND,
    sim65::KIND,
];

/// Makes a device from a board's description: its kind and the options of that kind, with everything about the
/// address space (name, address, size) already taken out of the table.
///
/// # Errors
/// An unknown kind, an unknown option, or an option's value that is of the wrong type or out of range.
pub fn create(kind: &str, options: toml::Table) -> Result<Box<dyn Device>, DeviceError> {
    Ok(match kind {
        mos6551::KIND => Box::new(mos6551::Mos6551::new(parse(mos6551::KIND, mos6551::OPTIONS, options)?)?),
        mc6850::KIND => Box::new(mc6850::Mc6850::new(parse(mc6850::KIND, mc6850::OPTIONS, options)?)?),
        via6522::KIND => Box::new(via6522::Via6522::new(parse(via6522::KIND, via6522::OPTIONS, options)?)),
        py65_console::KIND => {
            let config = parse(py65_console::KIND, py65_console::OPTIONS, options)?;
            Box::new(py65_console::Py65Console::new(config))
        }
        sim65::KIND => Box::new(sim65::Sim65::new(parse(sim65::KIND, sim65::OPTIONS, options)?)?),
        mc6821::KIND => Box::new(mc6821::Mc6821::new(parse(mc6821::KIND, mc6821::OPTIONS, options)?)?),
        user::KIND => Box::new(user::User::new(parse(user::KIND, user::OPTIONS, options)?)?),
        mc146818::KIND => {
            Box::new(mc146818::Mc146818::new(parse(mc146818::KIND, mc146818::OPTIONS, options)?))
        }
        stopwatch::KIND => {
            Box::new(stopwatch::Stopwatch::new(parse(stopwatch::KIND, stopwatch::OPTIONS, options)?))
        }
        random_port::KIND => {
            let config = parse(random_port::KIND, random_port::OPTIONS, options)?;
            Box::new(random_port::RandomPort::new(config))
        }
        disk::KIND => Box::new(disk::Disk::new(parse(disk::KIND, disk::OPTIONS, options)?)),
        network::KIND => Box::new(network::Network::new(parse(network::KIND, network::OPTIONS, options)?)?),
        sound::KIND => Box::new(sound::Sound::new(parse(sound::KIND, sound::OPTIONS, options)?)),
        display::KIND => Box::new(display::Display::new(parse(display::KIND, display::OPTIONS, options)?)),
        keyboard::KIND => {
            Box::new(keyboard::Keyboard::new(parse(keyboard::KIND, keyboard::OPTIONS, options)?))
        }
        pointer::KIND => Box::new(pointer::Pointer::new(parse(pointer::KIND, pointer::OPTIONS, options)?)),
        power::KIND => Box::new(power::Power::new(parse(power::KIND, power::OPTIONS, options)?)),
        #[cfg(feature = "testing")]
        probe::KIND => Box::new(probe::Probe::new(parse(probe::KIND, probe::OPTIONS, options)?)),
        #[cfg(feature = "testing")]
        pulses::KIND => Box::new(pulses::Pulses::new(parse(pulses::KIND, pulses::OPTIONS, options)?)?),
        _ => return Err(DeviceError::UnknownKind { kind: kind.to_owned() }),
    })
}

/// One option at a time, so that the error names the option.
fn parse<T>(
    kind: &'static str,
    known: &'static [&'static str],
    options: toml::Table,
) -> Result<T, DeviceError>
where
    T: serde::de::DeserializeOwned,
{
    for (option, value) in &options {
        if !known.contains(&option.as_str()) {
            return Err(DeviceError::UnknownOption { kind, option: option.clone(), known });
        }
        let mut alone = toml::Table::new();
        alone.insert(option.clone(), value.clone());
        if let Err(error) = alone.try_into::<T>() {
            let problem = error.message().to_owned();
            return Err(DeviceError::BadOption { kind, option: option.clone(), problem });
        }
    }
    options.try_into().map_err(|error: toml::de::Error| DeviceError::BadOption {
        kind,
        option: known.join(", "),
        problem: error.message().to_owned(),
    })
}

/// Checks that a frequency option is one that the arithmetic (and any real crystal) can have.
fn check_hz(kind: &'static str, option: &str, hz: u64) -> Result<(), DeviceError> {
    if (1..=100_000_000).contains(&hz) {
        return Ok(());
    }
    let problem = format!("{hz} Hz; give a frequency from 1 to 100000000");
    Err(DeviceError::BadOption { kind, option: option.to_owned(), problem })
}

/// A register of flags, from its bits and whether each is set.
fn flags<const COUNT: usize>(bits: [(u8, bool); COUNT]) -> u8 {
    bits.into_iter().filter(|&(_, set)| set).fold(0, |register, (bit, _)| register | bit)
}
