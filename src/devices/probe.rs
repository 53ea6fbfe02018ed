//! The probe: no chip, but a window through which a program reaches all of [`Nondet`](crate::nondet::Nondet), for tests.
//! Only with the feature `testing`.
//!
//! A program puts its arguments into registers and writes a command; the answer is in registers at once. What comes
//! from outside sets a bit of [`STATUS`], interrupts if that bit is set in [`ENABLE`], and leaves its bytes to be read
//! from [`DATA`]. Everything that the probe ever learns goes into a running hash, which the program can read and which is
//! part of its saved state: an answer that is another one shows, whether the program looks at it or not.
//!
//! The command in [`ACTION`] is run, once, by whatever happens to the probe next: a call, a completion, an alarm, an
//! arrival. So everything can also be asked for at an instruction boundary.

use std::collections::VecDeque;

use super::{Context, Device};
use crate::events::InputEvent;
use crate::nondet::{BlockRequest, ClockKind, ShutdownCause};

/// The name in board files.
pub const KIND: &str = "probe";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Runs a command ([`Command`]); reads as the last one.
pub const COMMAND: u16 = 0;
/// Argument of commands, low byte.
pub const ARGUMENT_LOW: u16 = 1;
/// Argument of commands, high byte.
pub const ARGUMENT_HIGH: u16 = 2;
/// What has happened ([`Happened`]); a bit that is written as 1 is cleared.
pub const STATUS: u16 = 3;
/// The bits of [`STATUS`] that interrupt.
pub const ENABLE: u16 = 4;
/// The last answer's number, lowest byte; the others follow.
pub const RESULT: u16 = 5;
/// Read: the next byte that was learned, 0 when there is none. Written: a byte to be sent.
pub const DATA: u16 = 9;
/// Bytes that can be read from [`DATA`], at most 255.
pub const LENGTH: u16 = 10;
/// Things that have happened, modulo 256.
pub const COUNT: u16 = 11;
/// Block requests that have not completed, modulo 256.
pub const OUTSTANDING: u16 = 12;
/// The hash of all that was learned, lowest byte.
pub const HASH: u16 = 13;
/// The command that the next event runs; 0 for none.
pub const ACTION: u16 = 14;
/// Bytes that wait to be sent; any write forgets them.
pub const PENDING: u16 = 15;

/// Number of registers.
const REGISTERS: u16 = 16;
/// Bytes that a program can prepare.
const PENDING_MAX: usize = 64;
/// Bytes that are kept to be read: a sector.
const DATA_MAX: usize = 512;
/// What one unit of an alarm on a host clock is worth, in nanoseconds.
pub const ALARM_UNIT_NS: i64 = 16;

/// Bits of [`STATUS`].
pub struct Happened;

#[allow(missing_docs, reason = "the names say it")]
impl Happened {
    pub const PACKET: u8 = 0x01;
    pub const BLOCK: u8 = 0x02;
    pub const CALL: u8 = 0x04;
    pub const HOST_ALARM: u8 = 0x08;
    pub const VIRTUAL_RT_ALARM: u8 = 0x10;
    pub const ALARM: u8 = 0x20;
    pub const INPUT: u8 = 0x40;
    pub const RECEIVED: u8 = 0x80;
}

/// What can be written to [`COMMAND`] and [`ACTION`]; other numbers do nothing.
pub struct Command;

impl Command {
    /// Reads the wall clock into the data, 8 bytes.
    pub const HOST_CLOCK: u8 = 1;
    /// Reads the clock of running time into the data, 8 bytes.
    pub const VIRTUAL_RT_CLOCK: u8 = 2;
    /// As many random bytes as the argument says, at most 31.
    pub const RANDOM: u8 = 3;
    /// Sends the pending bytes to the probe's host: the result, and the offset as data.
    pub const CHAR_WRITE: u8 = 4;
    /// Reads as many bytes as the argument says, at most 63, from the probe's host.
    pub const CHAR_READ_ALL: u8 = 5;
    /// Plays the pending bytes, two a sample.
    pub const AUDIO_OUT: u8 = 6;
    /// Records as many samples as the argument says, at most 31: the number, and write position and samples as data.
    pub const AUDIO_IN: u8 = 7;
    /// Sends the pending bytes as a packet, with the argument as its flags.
    pub const NET_SEND: u8 = 8;
    /// Reads the sector of the argument.
    pub const BLOCK_READ: u8 = 9;
    /// Writes the pending bytes and zeros to the sector of the argument.
    pub const BLOCK_WRITE: u8 = 10;
    /// Flushes the disk.
    pub const BLOCK_FLUSH: u8 = 11;
    /// Asks for a deferred call.
    pub const CALL: u8 = 12;
    /// Asks for a deferred call that happens once.
    pub const CALL_ONESHOT: u8 = 13;
    /// Sets the alarm on the wall clock, the argument times [`ALARM_UNIT_NS`] from now; 0 takes it away.
    pub const HOST_ALARM: u8 = 14;
    /// Sets the alarm on the clock of running time.
    pub const VIRTUAL_RT_ALARM: u8 = 15;
    /// Sets the alarm on the virtual clock, the argument in cycles from now; 0 takes it away.
    pub const ALARM: u8 = 16;
    /// Asks to be suspended.
    pub const SUSPEND: u8 = 17;
    /// Asks for a shutdown.
    pub const SHUTDOWN: u8 = 18;
    /// Asks for a reset.
    pub const RESET: u8 = 19;
    /// Reports a panic of the guest.
    pub const PANIC: u8 = 20;

    /// One more than the largest.
    pub const END: u8 = 21;
}

/// The probe has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The probe.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    command: u8,
    argument: u16,
    status: u8,
    enable: u8,
    result: u32,
    data: VecDeque<u8>,
    count: u8,
    outstanding: u8,
    hash: u32,
    action: u8,
    pending: Vec<u8>,
    /// Input events since the last sync.
    input: Vec<u8>,
    /// The reading of the wall clock at which the alarm is due, as the bits of an `i64`.
    host_alarm: Option<u64>,
    virtual_rt_alarm: Option<u64>,
    /// The cycle at which the alarm on the virtual clock is due.
    alarm: Option<u64>,
    /// The cycle since which the interrupt line is held.
    irq: Option<u64>,
}

persist!(Probe {
    command,
    argument,
    status,
    enable,
    result,
    data,
    count,
    outstanding,
    hash,
    action,
    pending,
    input,
    host_alarm,
    virtual_rt_alarm,
    alarm,
    irq,
});

impl Probe {
    /// A probe that nothing has happened to.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    // ---- what happens ----

    /// FNV-1a over everything that is learned.
    fn learn(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.hash = (self.hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }

    /// An answer: its number, and its bytes to be read.
    fn answer(&mut self, result: i32, data: &[u8]) {
        self.result = result.cast_unsigned();
        self.learn(&result.to_le_bytes());
        self.learn(data);
        self.data = data[..data.len().min(DATA_MAX)].iter().copied().collect();
    }

    /// Something has happened at `cycle`.
    fn happens(&mut self, bit: u8, cycle: u64) {
        self.status |= bit;
        self.count = self.count.wrapping_add(1);
        self.learn(&[bit, self.count]);
        self.drive_line(cycle);
    }

    fn drive_line(&mut self, cycle: u64) {
        if self.status & self.enable == 0 {
            self.irq = None;
        } else {
            self.irq.get_or_insert(cycle);
        }
    }

    /// The alarm on the virtual clock, in its own cycle. Gives whether it was due.
    fn ring(&mut self, now: u64) -> bool {
        let due = self.alarm.take_if(|due| *due <= now);
        due.map(|due| self.happens(Happened::ALARM, due)).is_some()
    }

    /// Does what is due, before anything else happens.
    fn advance(&mut self, context: &mut Context<'_>) {
        if self.ring(context.at.cycles) {
            self.act(context);
        }
    }

    /// Runs the action, once.
    fn act(&mut self, context: &mut Context<'_>) {
        let action = std::mem::take(&mut self.action);
        self.run(action, context);
    }

    fn arrives(&mut self, bit: u8, result: i32, bytes: &[u8], context: &mut Context<'_>) {
        self.advance(context);
        self.answer(result, bytes);
        self.happens(bit, context.at.cycles);
        self.act(context);
    }

    // ---- what the program asks for ----

    fn run(&mut self, command: u8, context: &mut Context<'_>) {
        let (at, argument) = (context.at, self.argument);
        let outside = &mut *context.outside;
        match command {
            Command::HOST_CLOCK | Command::VIRTUAL_RT_CLOCK => {
                let kind =
                    if command == Command::HOST_CLOCK { ClockKind::Host } else { ClockKind::VirtualRt };
                let now = outside.clock(at, kind);
                self.answer(now as i32, &now.to_le_bytes());
            }
            Command::RANDOM => {
                let mut bytes = vec![0; usize::from(argument % 32)];
                let result = outside.random(at, &mut bytes);
                self.answer(result, &bytes);
            }
            Command::CHAR_WRITE => {
                let bytes = std::mem::take(&mut self.pending);
                let written = outside.char_write(at, context.char_id, &bytes);
                self.answer(written.result, &written.offset.to_le_bytes());
            }
            Command::CHAR_READ_ALL => {
                let mut bytes = vec![0; usize::from(argument % 64)];
                let result = outside.char_read_all(at, context.char_id, &mut bytes);
                self.answer(result, &bytes);
            }
            Command::AUDIO_OUT | Command::AUDIO_IN => self.run_audio(command, context),
            Command::NET_SEND => {
                let packet = std::mem::take(&mut self.pending);
                outside.net_send(at, context.net_id, argument.into(), &packet);
            }
            Command::BLOCK_READ | Command::BLOCK_WRITE | Command::BLOCK_FLUSH => {
                self.run_block(command, context);
            }
            Command::CALL => outside.schedule_bh(at, context.owner),
            Command::CALL_ONESHOT => outside.schedule_bh_oneshot(at, context.owner),
            Command::HOST_ALARM => {
                self.host_alarm = alarm(argument, || outside.clock(at, ClockKind::Host));
            }
            Command::VIRTUAL_RT_ALARM => {
                self.virtual_rt_alarm = alarm(argument, || outside.clock(at, ClockKind::VirtualRt));
            }
            Command::ALARM => {
                self.alarm = (argument != 0).then(|| at.cycles.saturating_add(argument.into()));
            }
            Command::SUSPEND => outside.suspend_request(at),
            Command::SHUTDOWN => outside.shutdown_request(at, ShutdownCause::GuestShutdown),
            Command::RESET => outside.shutdown_request(at, ShutdownCause::GuestReset),
            Command::PANIC => outside.shutdown_request(at, ShutdownCause::GuestPanic),
            _ => {}
        }
    }

    fn run_audio(&mut self, command: u8, context: &mut Context<'_>) {
        if command == Command::AUDIO_OUT {
            let bytes = std::mem::take(&mut self.pending);
            let samples: Vec<i16> =
                bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
            let frames = context.outside.audio_out(context.at, &samples);
            self.answer(frames.cast_signed(), &[]);
            return;
        }
        let mut samples = vec![0_i16; usize::from(self.argument % 32)];
        let read = context.outside.audio_in(context.at, &mut samples);
        let mut data = read.write_position.to_le_bytes().to_vec();
        data.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.answer(read.recorded.cast_signed(), &data);
    }

    fn run_block(&mut self, command: u8, context: &mut Context<'_>) {
        let sector = u64::from(self.argument);
        let request = match command {
            Command::BLOCK_READ => BlockRequest::Read { sector, count: 1 },
            Command::BLOCK_WRITE => {
                let mut data = std::mem::take(&mut self.pending);
                data.resize(512, 0);
                BlockRequest::Write { sector, data }
            }
            _ => BlockRequest::Flush,
        };
        // The number is a name for the request and nothing more: what completes is told apart by what it brings.
        context.outside.block(context.at, context.owner, request);
        self.outstanding = self.outstanding.wrapping_add(1);
    }

    /// A register as a read gives it, without the read's side effect.
    fn register(&self, offset: u16) -> u8 {
        let [argument_low, argument_high] = self.argument.to_le_bytes();
        match offset {
            COMMAND => self.command,
            ARGUMENT_LOW => argument_low,
            ARGUMENT_HIGH => argument_high,
            STATUS => self.status,
            ENABLE => self.enable,
            RESULT..DATA => self.result.to_le_bytes()[usize::from(offset - RESULT)],
            DATA => self.data.front().copied().unwrap_or(0),
            LENGTH => self.data.len().min(0xFF) as u8,
            COUNT => self.count,
            OUTSTANDING => self.outstanding,
            HASH => self.hash as u8,
            ACTION => self.action,
            _ => self.pending.len() as u8,
        }
    }
}

/// When an alarm is due that is set now; the clock is only asked when it is needed.
fn alarm(argument: u16, now: impl FnOnce() -> i64) -> Option<u64> {
    (argument != 0).then(|| now().saturating_add(i64::from(argument) * ALARM_UNIT_NS).cast_unsigned())
}

impl Device for Probe {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        REGISTERS
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        self.advance(context);
        let value = self.register(offset);
        if offset == DATA {
            self.data.pop_front();
        }
        value
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        self.advance(context);
        let [low, high] = self.argument.to_le_bytes();
        match offset {
            COMMAND => {
                self.command = value;
                self.run(value, context);
            }
            ARGUMENT_LOW => self.argument = u16::from_le_bytes([value, high]),
            ARGUMENT_HIGH => self.argument = u16::from_le_bytes([low, value]),
            STATUS => self.status &= !value,
            ENABLE => self.enable = value,
            DATA if self.pending.len() < PENDING_MAX => self.pending.push(value),
            ACTION => self.action = value,
            PENDING => self.pending.clear(),
            _ => {}
        }
        self.drive_line(context.at.cycles);
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut later = self.clone();
        later.ring(now);
        later.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        self.alarm
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context);
    }

    /// What is due has been done by `run_timer`, and nothing here moves by itself.
    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.irq
    }

    fn next_irq(&self) -> Option<u64> {
        let interrupts = self.enable & Happened::ALARM != 0 && self.irq.is_none();
        self.alarm.filter(|_| interrupts)
    }

    /// The registers are cleared and the alarms taken away. What was learned stays, and requests complete all the same.
    fn reset(&mut self, _now: u64) {
        *self = Self { hash: self.hash, count: self.count, outstanding: self.outstanding, ..Self::default() };
    }

    fn receive(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        self.arrives(Happened::RECEIVED, bytes.len() as i32, bytes, context);
    }

    fn is_char(&self) -> bool {
        true
    }

    fn is_net(&self) -> bool {
        true
    }

    fn packet(&mut self, flags: u32, bytes: &[u8], context: &mut Context<'_>) {
        self.arrives(Happened::PACKET, flags.cast_signed(), bytes, context);
    }

    fn input(&mut self, event: InputEvent, context: &mut Context<'_>) {
        self.advance(context);
        let (kind, of, value) = match event {
            InputEvent::Key { keycode, down } => (1, keycode, i32::from(down)),
            InputEvent::Button { button, down } => (2, button.into(), i32::from(down)),
            InputEvent::Rel { axis, value } => (3, axis.into(), value),
            InputEvent::Abs { axis, value } => (4, axis.into(), value),
        };
        if self.input.len() < DATA_MAX {
            self.input.push(kind);
            self.input.extend(of.to_le_bytes());
            self.input.extend(value.to_le_bytes());
        }
        self.act(context);
    }

    fn input_sync(&mut self, context: &mut Context<'_>) {
        let packet = std::mem::take(&mut self.input);
        self.arrives(Happened::INPUT, packet.len() as i32, &packet, context);
    }

    fn deferred_call(&mut self, context: &mut Context<'_>) {
        self.advance(context);
        self.happens(Happened::CALL, context.at.cycles);
        self.act(context);
    }

    fn block_completed(&mut self, _id: u64, result: i32, data: &[u8], context: &mut Context<'_>) {
        self.outstanding = self.outstanding.wrapping_sub(1);
        self.arrives(Happened::BLOCK, result, data, context);
    }

    fn next_clock_timer(&self, clock: ClockKind) -> Option<i64> {
        let due = match clock {
            ClockKind::Host => self.host_alarm,
            ClockKind::VirtualRt => self.virtual_rt_alarm,
        };
        due.map(u64::cast_signed)
    }

    fn run_clock_timer(&mut self, clock: ClockKind, now: i64, context: &mut Context<'_>) {
        self.advance(context);
        let (alarm, bit) = match clock {
            ClockKind::Host => (&mut self.host_alarm, Happened::HOST_ALARM),
            ClockKind::VirtualRt => (&mut self.virtual_rt_alarm, Happened::VIRTUAL_RT_ALARM),
        };
        if alarm.take_if(|due| due.cast_signed() <= now).is_none() {
            return;
        }
        self.learn(&now.to_le_bytes());
        self.happens(bit, context.at.cycles);
        self.act(context);
    }

    fn pending_input(&self) -> usize {
        0
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
