//! MOS 6551 asynchronous communications interface adapter (ACIA).
//!
//! | RS | read | write |
//! |---|---|---|
//! | 0 | receive data | transmit data |
//! | 1 | status | programmed reset |
//! | 2 | command | command |
//! | 3 | control | control |
//!
//! Source: MOS Technology 6551 data sheet; the transmit interrupt of an idle transmitter and the moment of the receive
//! interrupt follow the timing figures of the Rockwell R6551 sheet. docs/devices/mos6551.md says what is modelled.

use super::serial::{Flow, Host, LineClock, LineTime, Receiver, Span, Transmitter, due};
use super::{Context, Device, DeviceError, QuietRead, check_hz};
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "mos6551";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["crystal_hz", "external_clock_hz", "flow"];

/// Status register bits.
pub mod status {
    /// Parity error.
    pub const PE: u8 = 0x01;
    /// Framing error.
    pub const FE: u8 = 0x02;
    /// Overrun.
    pub const OVRN: u8 = 0x04;
    /// Receiver data register full.
    pub const RDRF: u8 = 0x08;
    /// Transmitter data register empty.
    pub const TDRE: u8 = 0x10;
    /// Data carrier not detected (the level of the DCD pin).
    pub const DCD: u8 = 0x20;
    /// Data set not ready (the level of the DSR pin).
    pub const DSR: u8 = 0x40;
    /// Interrupt request.
    pub const IRQ: u8 = 0x80;
}

/// Command register bits.
pub mod command {
    /// Data terminal ready: enables the receiver and all interrupts.
    pub const DTR: u8 = 0x01;
    /// Receiver interrupt disabled.
    pub const IRD: u8 = 0x02;
    /// Transmitter interrupt control.
    pub const TIC: u8 = 0x0C;
    /// TIC 00: RTS high, transmitter off.
    pub const TIC_OFF: u8 = 0x00;
    /// TIC 01: RTS low, transmitter interrupt on.
    pub const TIC_INTERRUPT: u8 = 0x04;
    /// TIC 11: RTS low, break.
    pub const TIC_BREAK: u8 = 0x0C;
    /// Receiver echo mode.
    pub const REM: u8 = 0x10;
    /// Parity enabled.
    pub const PME: u8 = 0x20;
}

/// Control register bits.
pub mod control {
    /// Selected baud rate.
    pub const SBR: u8 = 0x0F;
    /// Receiver clock source: 0 is the pin RxC, 1 the baud rate generator.
    pub const RCS: u8 = 0x10;
    /// Word length: 8, 7, 6, 5 bits.
    pub const WL: u8 = 0x60;
    /// Stop bits: 0 is one, 1 is two (or one and a half, or one).
    pub const SBN: u8 = 0x80;
}

/// Crystal periods in one tick of the 16x clock, by SBR (50, 75, 109.92, 134.58, 150, 300, ... 19200 baud). SBR 0 does
/// not use the crystal.
const DIVISORS: [u64; 16] = [1, 2304, 1536, 1048, 856, 768, 384, 192, 96, 64, 48, 32, 24, 16, 12, 6];

/// How a 6551 is wired.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Crystal between XTAL1 and XTAL2, in Hz. 1 843 200 gives the baud rates of the data sheet.
    pub crystal_hz: u64,
    /// The 16x clock used where the control register asks for an external clock (SBR 0000, or RCS 0), in Hz. Without
    /// it the crystal's frequency: 115200 baud.
    pub external_clock_hz: Option<u64>,
    /// When the host sends.
    pub flow: Flow,
}

impl Default for Config {
    fn default() -> Self {
        Self { crystal_hz: 1_843_200, external_clock_hz: None, flow: Flow::Handshake }
    }
}

/// The chip.
#[derive(Clone, Debug)]
pub struct Mos6551 {
    registers: Registers,
    transmitter: Transmitter,
    receiver: Receiver,
    wiring: Wiring,
    /// The first cycle at which a register, the line or the host sees something new. Derived, not saved.
    next_change: u64,
    /// See [`Device::next_timer`]; `u64::MAX` for none. Derived, not saved.
    next_timer: u64,
}

#[derive(Clone, Debug)]
struct Registers {
    receive_data: u8,
    status: u8,
    command: u8,
    control: u8,
    /// The cycle since which IRQ is low.
    irq_since: Option<u64>,
    /// DCD or DSR has changed since the status register was read: its bits 5 and 6 are held.
    modem_change: bool,
    dcd: bool,
    dsr: bool,
    cts: bool,
    /// With the transmitter interrupt on and nothing to send: the end of the running character time.
    mark_until: Option<LineTime>,
    /// CPU clock as last seen, in Hz; 0 before the first write.
    cpu_hz: u64,
}

persist!(Registers {
    receive_data,
    status,
    command,
    control,
    irq_since,
    modem_change,
    dcd,
    dsr,
    cts,
    mark_until,
    cpu_hz,
});

persist_parts!(Mos6551 { registers, transmitter, receiver } checked by restored);

#[derive(Clone, Debug)]
struct Wiring {
    crystal_hz: u64,
    external_clock_hz: u64,
    flow: Flow,
    clock: LineClock,
}

impl Mos6551 {
    /// A chip at power-on (as after RESB), with DCD, DSR and CTS low.
    ///
    /// # Errors
    /// [`DeviceError::BadOption`] for a frequency of 0 or above 100 MHz.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        let external_clock_hz = config.external_clock_hz.unwrap_or(config.crystal_hz);
        check_hz(KIND, "crystal_hz", config.crystal_hz)?;
        check_hz(KIND, "external_clock_hz", external_clock_hz)?;
        Ok(Self {
            registers: Registers {
                receive_data: 0,
                status: status::TDRE,
                command: 0,
                control: 0,
                irq_since: None,
                modem_change: false,
                dcd: false,
                dsr: false,
                cts: false,
                mark_until: None,
                cpu_hz: 0,
            },
            transmitter: Transmitter::default(),
            receiver: Receiver::default(),
            wiring: Wiring {
                crystal_hz: config.crystal_hz,
                external_clock_hz,
                flow: config.flow,
                clock: LineClock::new(&[config.crystal_hz, external_clock_hz]),
            },
            next_change: u64::MAX,
            next_timer: u64::MAX,
        })
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        let clock = self.wiring.clock;
        clock.check(self.registers.mark_until, "mark_until")?;
        clock.check(self.transmitter.transmit_shift_until, "transmit_shift_until")?;
        self.receiver.check(&clock)?;
        self.schedule();
        Ok(())
    }

    // -- what the registers select

    fn echo(&self) -> bool {
        self.registers.command & (command::REM | command::TIC) == command::REM
    }

    /// Whether a character may go to the shift register.
    fn transmits(&self) -> bool {
        let tic = self.registers.command & command::TIC;
        tic != command::TIC_OFF && tic != command::TIC_BREAK && !self.registers.cts
    }

    fn receives(&self) -> bool {
        self.registers.command & command::DTR != 0
    }

    /// Whether a sender that looks would start a character: DTR and RTS low, receive register empty.
    fn ready(&self) -> bool {
        let rts_low = self.registers.command & command::TIC != command::TIC_OFF || self.echo();
        self.receives() && rts_low && self.registers.status & status::RDRF == 0
    }

    fn receive_interrupt(&self) -> bool {
        self.registers.command & (command::DTR | command::IRD) == command::DTR
    }

    fn transmit_interrupt(&self) -> bool {
        self.registers.command & (command::DTR | command::TIC) == command::DTR | command::TIC_INTERRUPT
    }

    fn data_bits(&self) -> u64 {
        8 - u64::from((self.registers.control & control::WL) >> 5)
    }

    fn data_mask(&self) -> u8 {
        0xFF >> (8 - self.data_bits())
    }

    /// Length of a character in 16ths of a bit: start, data, parity, stop bits.
    fn character_16ths(&self) -> u64 {
        let parity = u64::from(self.registers.command & command::PME != 0);
        let stop = match (self.registers.control & control::SBN != 0, self.data_bits(), parity) {
            (false, ..) | (true, 8, 1) => 16,
            (true, 5, 0) => 24,
            (true, ..) => 32,
        };
        16 * (1 + self.data_bits() + parity) + stop
    }

    fn transmit_character(&self) -> Span {
        let sbr = usize::from(self.registers.control & control::SBR);
        self.span(self.character_16ths(), if sbr == 0 { None } else { Some(DIVISORS[sbr]) })
    }

    /// `(until the receive register is loaded, until the line is free)`: the data sheet loads it 9/16 into the last
    /// stop bit.
    fn receive_character(&self) -> (Span, Span) {
        let sbr = usize::from(self.registers.control & control::SBR);
        let external = sbr == 0 || self.registers.control & control::RCS == 0;
        let divisor = if external { None } else { Some(DIVISORS[sbr]) };
        let whole = self.character_16ths();
        (self.span(whole - 7, divisor), self.span(whole, divisor))
    }

    fn span(&self, sixteenths: u64, divisor: Option<u64>) -> Span {
        let (ticks, hz) = match divisor {
            Some(divisor) => (sixteenths * divisor, self.wiring.crystal_hz),
            None => (sixteenths, self.wiring.external_clock_hz),
        };
        self.wiring.clock.span(ticks, hz, self.registers.cpu_hz)
    }

    // -- what happens by itself

    fn schedule(&mut self) {
        self.next_change = due(self.transmitter.transmit_shift_until)
            .min(due(self.receiver.arrival))
            .min(due(self.registers.mark_until));
        self.next_timer = self.due_by_itself();
    }

    /// When the chip must act by itself: a byte goes to the host, or IRQ falls.
    fn due_by_itself(&self) -> u64 {
        let mut next = u64::MAX;
        if self.transmitter.transmit_data_full && self.transmits() {
            next = due(self.transmitter.transmit_shift_until);
        }
        if self.echo() {
            next = next.min(due(self.receiver.arrival));
        }
        next.min(self.next_irq().unwrap_or(u64::MAX))
    }

    #[cold]
    #[inline(never)]
    fn advance(&mut self, now: u64, host: &mut Host<'_, '_>) {
        while self.next_change <= now && self.next_event(now, host) {
            self.schedule();
        }
    }

    /// The earliest event; of two in the same cycle the transmitter's comes first. False when it must wait for a host.
    fn next_event(&mut self, now: u64, host: &mut Host<'_, '_>) -> bool {
        let at = self.next_change;
        if let Some(end) = self.transmitter.transmit_shift_until.filter(|end| end.due() == at) {
            let loads = self.transmitter.transmit_data_full && self.transmits();
            if loads && !host.can_send() {
                return false;
            }
            self.transmitter.transmit_shift_until = None;
            if loads {
                self.load_shift_register(end, host);
            } else if self.transmit_interrupt() && !self.transmitter.transmit_data_full {
                self.start_mark(end);
                self.raise(at);
            }
        } else if let Some(end) = self.registers.mark_until.filter(|end| end.due() == at) {
            // Further character times that pass before `now` find the interrupt already requested.
            let span = self.transmit_character();
            self.registers.mark_until = Some(self.wiring.clock.repeat_past(end, span, now));
            self.raise(at);
        } else {
            if self.echo() && !host.can_send() {
                return false;
            }
            self.character_arrives(at, host);
        }
        true
    }

    fn start_mark(&mut self, from: LineTime) {
        self.registers.mark_until = Some(self.wiring.clock.add(from, self.transmit_character()));
    }

    fn load_shift_register(&mut self, begin: LineTime, host: &mut Host<'_, '_>) {
        let until = self.wiring.clock.add(begin, self.transmit_character());
        let byte = self.transmitter.load(until);
        self.registers.mark_until = None;
        self.registers.status |= status::TDRE;
        host.send(byte & self.data_mask());
        if self.transmit_interrupt() {
            self.raise(begin.due());
        }
    }

    /// Starts what can start at `now`, after a register or a pin has changed.
    fn start_what_can(&mut self, now: u64, host: &mut Host<'_, '_>) {
        if self.transmitter.transmit_data_full && self.transmitter.idle() && self.transmits() {
            self.load_shift_register(LineTime::at(now), host);
        }
        self.start_receiving(LineTime::at(now));
        self.schedule();
    }

    fn start_receiving(&mut self, now: LineTime) {
        if self.receiver.idle() && (self.wiring.flow == Flow::None || self.ready()) {
            let (sampled, character) = self.receive_character();
            self.receiver.start(now, sampled, character, &self.wiring.clock);
        }
    }

    fn character_arrives(&mut self, at: u64, host: &mut Host<'_, '_>) {
        if !self.receives() {
            self.receiver.abort(self.wiring.flow, at);
        } else if let Some(byte) = self.receiver.take() {
            let byte = byte & self.data_mask();
            if self.registers.status & status::RDRF != 0 {
                // The first character stays; this one is lost, and is not echoed.
                self.registers.status |= status::OVRN;
            } else {
                self.registers.receive_data = byte;
                self.registers.status &= !(status::OVRN | status::FE | status::PE);
                self.registers.status |= status::RDRF;
                if self.echo() {
                    host.send(byte);
                }
            }
            if self.receive_interrupt() {
                self.raise(at);
            }
        }
        self.start_receiving(self.receiver.line_free);
    }

    fn raise(&mut self, at: u64) {
        self.registers.status |= status::IRQ;
        self.registers.irq_since.get_or_insert(at);
    }

    // -- accesses

    #[cold]
    #[inline(never)]
    fn status_was_read(&mut self, now: u64) {
        self.registers.status &= !status::IRQ;
        self.registers.irq_since = None;
        self.registers.modem_change = false;
        self.modem_lines(now);
        self.schedule();
    }

    /// DCD and DSR as the status register shows them: a change while an earlier one is unread waits for the read.
    fn modem_lines(&mut self, now: u64) {
        let registers = &mut self.registers;
        if registers.modem_change {
            return;
        }
        let levels =
            if registers.dcd { status::DCD } else { 0 } | if registers.dsr { status::DSR } else { 0 };
        if registers.status & (status::DCD | status::DSR) != levels {
            registers.status = registers.status & !(status::DCD | status::DSR) | levels;
            if registers.command & command::DTR != 0 {
                registers.modem_change = true;
                self.raise(now);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn read_other(&mut self, offset: u16, now: u64) -> u8 {
        match offset & 3 {
            0 => {
                self.registers.status &= !status::RDRF;
                let data = self.registers.receive_data;
                self.start_receiving(LineTime::at(now));
                self.schedule();
                data
            }
            1 => self.registers.status,
            2 => self.registers.command,
            _ => self.registers.control,
        }
    }

    fn write_command(&mut self, value: u8, now: u64) {
        let (received, transmitted) = (self.receive_interrupt(), self.transmit_interrupt());
        self.registers.command = value;
        if !self.receives() {
            self.receiver.abort(self.wiring.flow, now);
        }
        // A condition that is already there requests its interrupt when it is enabled.
        if !received && self.receive_interrupt() && self.registers.status & status::RDRF != 0 {
            self.raise(now);
        }
        if !self.transmit_interrupt() {
            self.registers.mark_until = None;
        } else if !transmitted && self.registers.status & status::TDRE != 0 {
            self.raise(now);
            if self.transmitter.idle() {
                self.start_mark(LineTime::at(now));
            }
        }
    }
}

impl Device for Mos6551 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        4
    }

    #[inline]
    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let (value, until) = (self.registers.status, self.next_change);
        let quiet = offset & 3 == 1 && now < until && value & status::IRQ == 0;
        (quiet && !self.registers.modem_change).then_some(QuietRead { value, until })
    }

    #[inline]
    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let now = context.at.cycles;
        if now >= self.next_change {
            self.advance(now, &mut Host::Outside(context));
        }
        if offset & 3 != 1 {
            return self.read_other(offset, now);
        }
        let status = self.registers.status;
        if status & status::IRQ != 0 || self.registers.modem_change {
            self.status_was_read(now);
        }
        status
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        self.registers.cpu_hz = context.clock_hz;
        match offset & 3 {
            0 => {
                self.transmitter.transmit_data = value;
                self.transmitter.transmit_data_full = true;
                self.registers.status &= !status::TDRE;
                self.registers.mark_until = None;
            }
            1 => {
                self.registers.status &= !status::OVRN;
                self.write_command(self.registers.command & 0xE0, now);
            }
            2 => self.write_command(value, now),
            _ => self.registers.control = value,
        }
        self.start_what_can(now, &mut Host::Outside(context));
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut copy = self.clone();
        copy.advance(now, &mut Host::Ignore);
        copy.read_other(offset, now)
    }

    fn next_timer(&self) -> Option<u64> {
        (self.next_timer != u64::MAX).then_some(self.next_timer)
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles, &mut Host::Outside(context));
    }

    fn catch_up(&mut self, now: u64) {
        self.advance(now, &mut Host::Wait);
    }

    fn irq(&self) -> Option<u64> {
        self.registers.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        // With a byte to be sent, the transmitter asks for the next one when it has taken it.
        let transmits =
            self.transmit_interrupt() && (!self.transmitter.transmit_data_full || self.transmits());
        let sent = due(self.transmitter.transmit_shift_until).min(due(self.registers.mark_until));
        let arrived = due(self.receiver.arrival.filter(|_| self.receive_interrupt()));
        let next = arrived.min(if transmits { sent } else { u64::MAX });
        (next != u64::MAX && self.registers.irq_since.is_none()).then_some(next)
    }

    fn reset(&mut self, now: u64) {
        self.advance(now, &mut Host::Wait);
        self.registers.status &= status::DCD | status::DSR;
        self.registers.status |= status::TDRE;
        self.registers.irq_since = None;
        self.registers.modem_change = false;
        self.registers.mark_until = None;
        self.registers.control = 0;
        self.registers.command = 0;
        self.transmitter.transmit_data_full = false;
        self.transmitter.transmit_shift_until = None;
        self.receiver.abort(self.wiring.flow, now);
        self.modem_lines(now);
        self.start_receiving(LineTime::at(now));
        self.schedule();
    }

    fn receive(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        self.registers.cpu_hz = context.clock_hz;
        self.receiver.wire.extend(bytes);
        self.start_what_can(now, &mut Host::Outside(context));
    }

    fn lines(&self) -> &'static [&'static str] {
        &["cts", "dcd", "dsr"]
    }

    fn set_line(&mut self, line: &str, level: u8, context: &mut Context<'_>) -> Result<(), DeviceError> {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        let pin = match line {
            "cts" => &mut self.registers.cts,
            "dcd" => &mut self.registers.dcd,
            "dsr" => &mut self.registers.dsr,
            _ => return Err(DeviceError::unknown_line(KIND, line, self.lines())),
        };
        *pin = DeviceError::pin_level(KIND, line, level)?;
        self.modem_lines(now);
        self.start_what_can(now, &mut Host::Outside(context));
        Ok(())
    }

    fn is_char(&self) -> bool {
        true
    }

    fn pending_input(&self) -> usize {
        self.receiver.wire.len() + usize::from(self.registers.status & status::RDRF != 0)
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
