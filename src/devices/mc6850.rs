//! Motorola MC6850 asynchronous communications interface adapter (ACIA).
//!
//! | RS | read | write |
//! |---|---|---|
//! | 0 | status | control |
//! | 1 | receive data | transmit data |
//!
//! The chip has no reset pin: RESB changes nothing, software resets it by a master reset (control bits 1-0 set).
//! Source: Motorola MC6850 data sheet. docs/devices/mc6850.md says what is modelled.

use super::serial::{Flow, Host, LineClock, LineTime, Receiver, Span, Transmitter, due};
use super::{Context, Device, DeviceError, QuietRead, check_hz};
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "mc6850";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["clock_hz", "flow"];

/// Status register bits.
pub mod status {
    /// Receive data register full.
    pub const RDRF: u8 = 0x01;
    /// Transmit data register empty.
    pub const TDRE: u8 = 0x02;
    /// Data carrier lost: the DCD pin is high, or has been since the interrupt was cleared.
    pub const DCD: u8 = 0x04;
    /// Not clear to send: the level of the CTS pin.
    pub const CTS: u8 = 0x08;
    /// Framing error.
    pub const FE: u8 = 0x10;
    /// Receiver overrun.
    pub const OVRN: u8 = 0x20;
    /// Parity error.
    pub const PE: u8 = 0x40;
    /// Interrupt request.
    pub const IRQ: u8 = 0x80;
}

/// Control register bits.
pub mod control {
    /// Counter divide select: 1, 16, 64, master reset.
    pub const CDS: u8 = 0x03;
    /// CDS 11.
    pub const MASTER_RESET: u8 = 0x03;
    /// Word select.
    pub const WS: u8 = 0x1C;
    /// Transmitter control.
    pub const TC: u8 = 0x60;
    /// TC 01: RTS low, transmitter interrupt enabled.
    pub const TC_INTERRUPT: u8 = 0x20;
    /// TC 10: RTS high.
    pub const TC_RTS_HIGH: u8 = 0x40;
    /// TC 11: RTS low, break.
    pub const TC_BREAK: u8 = 0x60;
    /// Receive interrupt enable.
    pub const RIE: u8 = 0x80;
}

/// `(data bits, parity bits, stop bits)` by word select.
const WORDS: [(u8, u64, u64); 8] =
    [(7, 1, 2), (7, 1, 2), (7, 1, 1), (7, 1, 1), (8, 0, 2), (8, 0, 1), (8, 1, 1), (8, 1, 1)];

/// Clock periods in a bit, by counter divide select.
const DIVIDES: [u64; 4] = [1, 16, 64, 64];

/// How an MC6850 is wired.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Clock at the pins RxCLK and TxCLK, in Hz. 1 843 200 is 115200 baud with a divide of 16.
    pub clock_hz: u64,
    /// When the host sends.
    pub flow: Flow,
}

impl Default for Config {
    fn default() -> Self {
        Self { clock_hz: 1_843_200, flow: Flow::Handshake }
    }
}

/// The chip.
#[derive(Clone, Debug)]
pub struct Mc6850 {
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
    control: u8,
    receive_data_full: bool,
    /// A character was lost, and the valid one before it has not been read: OVRN does not show yet.
    overrun_pending: bool,
    /// The cycle since which IRQ is low.
    irq_since: Option<u64>,
    /// DCD has gone high and its interrupt has not been cleared.
    dcd_interrupt: bool,
    /// The status register has been read since: a read of the data register clears the interrupt.
    dcd_status_read: bool,
    dcd: bool,
    cts: bool,
    /// The power-on reset holds the chip until the control register is written for the first time.
    power_on_reset: bool,
    /// CPU clock as last seen, in Hz; 0 before the first write.
    cpu_hz: u64,
}

persist!(Registers {
    receive_data,
    status,
    control,
    receive_data_full,
    overrun_pending,
    irq_since,
    dcd_interrupt,
    dcd_status_read,
    dcd,
    cts,
    power_on_reset,
    cpu_hz,
});

persist_parts!(Mc6850 { registers, transmitter, receiver } checked by restored);

#[derive(Clone, Debug)]
struct Wiring {
    clock_hz: u64,
    flow: Flow,
    clock: LineClock,
}

impl Mc6850 {
    /// A chip at power-on, with DCD and CTS low.
    ///
    /// # Errors
    /// [`DeviceError::BadOption`] for a frequency of 0 or above 100 MHz.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        check_hz(KIND, "clock_hz", config.clock_hz)?;
        Ok(Self {
            registers: Registers {
                receive_data: 0,
                status: 0,
                control: 0,
                receive_data_full: false,
                overrun_pending: false,
                irq_since: None,
                dcd_interrupt: false,
                dcd_status_read: false,
                dcd: false,
                cts: false,
                power_on_reset: true,
                cpu_hz: 0,
            },
            transmitter: Transmitter::default(),
            receiver: Receiver::default(),
            wiring: Wiring {
                clock_hz: config.clock_hz,
                flow: config.flow,
                // In half periods: the receiver samples in the middle of a bit, with a divide of 1 too.
                clock: LineClock::new(&[2 * config.clock_hz]),
            },
            next_change: u64::MAX,
            next_timer: u64::MAX,
        })
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        self.wiring.clock.check(self.transmitter.transmit_shift_until, "transmit_shift_until")?;
        self.receiver.check(&self.wiring.clock)?;
        self.schedule();
        Ok(())
    }

    // -- what the registers select

    fn in_reset(&self) -> bool {
        self.registers.power_on_reset || self.registers.control & control::CDS == control::MASTER_RESET
    }

    fn transmitter_control(&self) -> u8 {
        self.registers.control & control::TC
    }

    fn receive_interrupt(&self) -> bool {
        self.registers.control & control::RIE != 0
    }

    /// Whether a sender that looks would start a character: RTS low, receive register empty.
    fn ready(&self) -> bool {
        self.transmitter_control() != control::TC_RTS_HIGH
            && !self.registers.receive_data_full
            && !self.registers.dcd
    }

    fn word(&self) -> (u8, u64, u64) {
        WORDS[usize::from((self.registers.control & control::WS) >> 2)]
    }

    fn data_mask(&self) -> u8 {
        if self.word().0 == 7 { 0x7F } else { 0xFF }
    }

    /// `(until the receive register is loaded, until the line is free)`: the receiver is done in the middle of the
    /// first stop bit.
    fn character(&self) -> (Span, Span) {
        let (data, parity, stop) = self.word();
        let bit = 2 * DIVIDES[usize::from(self.registers.control & control::CDS)];
        let before_stop = (1 + u64::from(data) + parity) * bit;
        let span = |ticks| self.wiring.clock.span(ticks, 2 * self.wiring.clock_hz, self.registers.cpu_hz);
        (span(before_stop + bit / 2), span(before_stop + stop * bit))
    }

    // -- what happens by itself

    fn schedule(&mut self) {
        self.next_change = due(self.transmitter.transmit_shift_until).min(due(self.receiver.arrival));
        self.next_timer = self.due_by_itself();
    }

    /// When the chip must act by itself: a byte goes to the host, or IRQ falls.
    fn due_by_itself(&self) -> u64 {
        let mut next = u64::MAX;
        if self.must_send() {
            next = due(self.transmitter.transmit_shift_until);
        }
        if self.receive_interrupt() && self.registers.irq_since.is_none() {
            next = next.min(due(self.receiver.arrival));
        }
        next
    }

    #[cold]
    #[inline(never)]
    fn advance(&mut self, now: u64, host: &mut Host<'_, '_>) {
        while self.next_change <= now && self.next_event(host) {
            self.schedule();
        }
    }

    /// The earliest event; of two in the same cycle the transmitter's comes first. False when it must wait for a host.
    fn next_event(&mut self, host: &mut Host<'_, '_>) -> bool {
        let at = self.next_change;
        if let Some(end) = self.transmitter.transmit_shift_until.filter(|end| end.due() == at) {
            if self.must_send() && !host.can_send() {
                return false;
            }
            self.transmitter.transmit_shift_until = None;
            if self.transmitter.transmit_data_full {
                self.load_shift_register(end, host);
            }
        } else {
            self.character_arrives(at);
        }
        true
    }

    /// Whether the host gets a byte when the shift register is free. What is sent during a break is lost: TxData is
    /// held low.
    fn must_send(&self) -> bool {
        self.transmitter.transmit_data_full && self.transmitter_control() != control::TC_BREAK
    }

    fn load_shift_register(&mut self, begin: LineTime, host: &mut Host<'_, '_>) {
        let send = self.must_send();
        let until = self.wiring.clock.add(begin, self.character().1);
        let byte = self.transmitter.load(until);
        if send {
            host.send(byte & self.data_mask());
        }
        self.refresh(begin.due());
    }

    /// Starts what can start at `now`, after a register or a pin has changed.
    fn start_what_can(&mut self, now: u64, host: &mut Host<'_, '_>) {
        if self.transmitter.transmit_data_full && self.transmitter.idle() {
            self.load_shift_register(LineTime::at(now), host);
        }
        self.start_receiving(LineTime::at(now));
        self.refresh(now);
        self.schedule();
    }

    fn start_receiving(&mut self, now: LineTime) {
        if self.receiver.idle() && !self.in_reset() && (self.wiring.flow == Flow::None || self.ready()) {
            let (sampled, character) = self.character();
            self.receiver.start(now, sampled, character, &self.wiring.clock);
        }
    }

    fn character_arrives(&mut self, at: u64) {
        if self.registers.dcd {
            self.receiver.abort(self.wiring.flow, at);
        } else if let Some(byte) = self.receiver.take() {
            if self.registers.receive_data_full {
                self.registers.overrun_pending = self.registers.status & status::OVRN == 0;
            } else {
                self.registers.receive_data = byte & self.data_mask();
                self.registers.receive_data_full = true;
                self.registers.status &= !(status::FE | status::PE);
            }
            self.refresh(at);
        }
        self.start_receiving(self.receiver.line_free);
    }

    /// Works the status register and the interrupt line out again, after something has changed in cycle `at`.
    fn refresh(&mut self, at: u64) {
        let in_reset = self.in_reset();
        let full = self.registers.receive_data_full && !self.registers.dcd;
        let empty = !self.transmitter.transmit_data_full && !in_reset && !self.registers.cts;
        let transmit_interrupt = self.transmitter_control() == control::TC_INTERRUPT;
        let receive_interrupt = self.receive_interrupt();
        let registers = &mut self.registers;
        let mut bits = registers.status & (status::FE | status::OVRN | status::PE);
        let received = full || registers.dcd_interrupt || bits & status::OVRN != 0;
        let request = !in_reset && (receive_interrupt && received || transmit_interrupt && empty);
        for (bit, set) in [
            (status::RDRF, full),
            (status::TDRE, empty),
            (status::DCD, registers.dcd || registers.dcd_interrupt),
            (status::CTS, registers.cts),
            (status::IRQ, request),
        ] {
            bits |= if set { bit } else { 0 };
        }
        registers.status = bits;
        registers.irq_since = if request { registers.irq_since.or(Some(at)) } else { None };
    }

    // -- accesses

    fn master_reset(&mut self, now: u64) {
        self.registers.status &= !(status::FE | status::OVRN | status::PE);
        self.registers.receive_data_full = false;
        self.registers.overrun_pending = false;
        self.registers.dcd_interrupt = false;
        self.registers.dcd_status_read = false;
        self.transmitter.transmit_data_full = false;
        self.transmitter.transmit_shift_until = None;
        self.receiver.abort(self.wiring.flow, now);
    }

    #[cold]
    #[inline(never)]
    fn read_data(&mut self, now: u64) -> u8 {
        if self.registers.dcd_status_read {
            self.registers.dcd_interrupt = false;
            self.registers.dcd_status_read = false;
        }
        if self.registers.overrun_pending {
            // The valid character is read: only now OVRN shows, and RDRF stays until it is read away too.
            self.registers.overrun_pending = false;
            self.registers.status |= status::OVRN;
        } else {
            self.registers.status &= !status::OVRN;
            self.registers.receive_data_full = false;
        }
        self.start_receiving(LineTime::at(now));
        self.refresh(now);
        self.schedule();
        self.registers.receive_data
    }
}

impl Device for Mc6850 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        2
    }

    #[inline]
    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.next_change;
        let quiet = offset & 1 == 0 && now < until && !self.registers.dcd_interrupt;
        let value = self.registers.status;
        (quiet && !self.registers.dcd_status_read).then_some(QuietRead { value, until })
    }

    #[inline]
    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let now = context.at.cycles;
        if now >= self.next_change {
            self.advance(now, &mut Host::Outside(context));
        }
        if offset & 1 != 0 {
            return self.read_data(now);
        }
        self.registers.dcd_status_read = self.registers.dcd_interrupt;
        self.registers.status
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        self.registers.cpu_hz = context.clock_hz;
        if offset & 1 == 0 {
            self.registers.control = value;
            // The data sheet asks for a master reset first. Firmware in wide use sets the divide ratio at once, and on
            // the chips that are around it runs.
            self.registers.power_on_reset = false;
            if value & control::CDS == control::MASTER_RESET {
                self.master_reset(now);
            }
        } else if !self.in_reset() {
            self.transmitter.transmit_data = value;
            self.transmitter.transmit_data_full = true;
            self.refresh(now);
        }
        self.start_what_can(now, &mut Host::Outside(context));
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut copy = self.clone();
        copy.advance(now, &mut Host::Ignore);
        if offset & 1 == 0 { copy.registers.status } else { copy.registers.receive_data }
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
        let transmits = self.transmitter_control() == control::TC_INTERRUPT
            && self.transmitter.transmit_data_full
            && !self.registers.cts;
        let receives = self.receive_interrupt() && !self.registers.dcd;
        let taken = self.transmitter.transmit_shift_until.filter(|_| transmits);
        let arrived = self.receiver.arrival.filter(|_| receives);
        let next = due(taken).min(due(arrived));
        (next != u64::MAX && self.registers.irq_since.is_none()).then_some(next)
    }

    fn reset(&mut self, now: u64) {
        self.advance(now, &mut Host::Wait);
    }

    fn receive(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        self.registers.cpu_hz = context.clock_hz;
        self.receiver.wire.extend(bytes);
        self.start_what_can(now, &mut Host::Outside(context));
    }

    fn lines(&self) -> &'static [&'static str] {
        &["cts", "dcd"]
    }

    fn set_line(&mut self, line: &str, level: u8, context: &mut Context<'_>) -> Result<(), DeviceError> {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        match line {
            "cts" => self.registers.cts = DeviceError::pin_level(KIND, line, level)?,
            "dcd" => {
                let high = DeviceError::pin_level(KIND, line, level)?;
                if high && !self.registers.dcd {
                    self.registers.dcd_interrupt = true;
                    self.receiver.abort(self.wiring.flow, now);
                }
                self.registers.dcd = high;
            }
            _ => return Err(DeviceError::unknown_line(KIND, line, self.lines())),
        }
        self.start_what_can(now, &mut Host::Outside(context));
        Ok(())
    }

    fn is_char(&self) -> bool {
        true
    }

    fn pending_input(&self) -> usize {
        self.receiver.wire.len() + usize::from(self.registers.receive_data_full)
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
