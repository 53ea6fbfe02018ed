//! A network interface: one packet to send, a ring of those that came. A design of our own.
//!
//! Packets are Ethernet frames without preamble and check sum: destination, source, type, payload. A send starts at the
//! next instruction boundary, and lasts as long as the frame does at ten million bits a second.

use std::collections::VecDeque;

use super::{Context, Device, DeviceError, QuietRead, flags};
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "network";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["address"];

/// Does a [`command`]. Reads as 0.
pub const COMMAND: u16 = 0;
/// [`status`] bits; those of [`status::STICKY`] that are written as 1 are cleared.
pub const STATUS: u16 = 1;
/// [`control`] bits.
pub const CONTROL: u16 = 2;
/// Written: the next byte of the packet to send.
pub const SEND_DATA: u16 = 3;
/// Bytes of the packet to send, low byte.
pub const SEND_LENGTH_LOW: u16 = 4;
/// Bytes of the packet to send, high byte.
pub const SEND_LENGTH_HIGH: u16 = 5;
/// The next byte of the oldest packet, which a read takes away; 0 after its end.
pub const RECEIVE_DATA: u16 = 6;
/// Bytes of the oldest packet that have not been read, low byte.
pub const RECEIVE_LENGTH_LOW: u16 = 7;
/// Bytes of the oldest packet that have not been read, high byte.
pub const RECEIVE_LENGTH_HIGH: u16 = 8;
/// Packets that wait, at most 255.
pub const RECEIVED: u16 = 9;
/// The interface's address, first of six bytes.
pub const ADDRESS: u16 = 10;

/// What can be written to [`COMMAND`]; other values do nothing.
pub mod command {
    /// Sends the packet; nothing while one is being sent.
    pub const SEND: u8 = 1;
    /// Forgets the packet to send.
    pub const CLEAR: u8 = 2;
    /// Is done with the oldest packet that came.
    pub const NEXT: u8 = 3;
}

/// Bits of [`STATUS`].
pub mod status {
    /// A packet waits.
    pub const RECEIVED: u8 = 0x01;
    /// A packet has been sent.
    pub const SENT: u8 = 0x02;
    /// A packet came that the ring had no room for, and was lost.
    pub const OVERRUN: u8 = 0x04;
    /// The packet to send was shorter or longer than an Ethernet frame can be, and was not sent.
    pub const BAD_LENGTH: u8 = 0x08;
    /// A packet is being sent.
    pub const SENDING: u8 = 0x10;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
    /// The bits that stay until they are cleared.
    pub const STICKY: u8 = SENT | OVERRUN | BAD_LENGTH;
}

/// Bits of [`CONTROL`].
pub mod control {
    /// Interrupts while a packet waits.
    pub const RECEIVE_INTERRUPT: u8 = 0x01;
    /// Interrupts while [`status::SENT`](super::status::SENT) is set.
    pub const SEND_INTERRUPT: u8 = 0x02;
    /// Receives packets to the address and to all.
    pub const RECEIVE: u8 = 0x10;
    /// Receives packets to groups too.
    pub const GROUPS: u8 = 0x20;
    /// Receives packets to anybody.
    pub const PROMISCUOUS: u8 = 0x40;
    /// The bits that there are.
    pub(super) const ALL: u8 = RECEIVE_INTERRUPT | SEND_INTERRUPT | RECEIVE | GROUPS | PROMISCUOUS;
}

/// Bytes of the ring; each packet takes two more than it has.
pub const RING_BYTES: usize = 8192;
/// The lengths that a frame can have here: two addresses and a type at least. No padding is added.
pub const FRAME_BYTES: std::ops::RangeInclusive<usize> = 14..=1514;
/// Bits a second.
const BIT_RATE: u128 = 10_000_000;
/// Preamble, check sum and the gap between frames, in bytes.
const OVERHEAD: usize = 24;
const ADDRESS_BYTES: usize = 6;

/// Options.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address at power-on, six bytes in hexadecimal with colons between.
    #[serde(default = "address")]
    pub address: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { address: address() }
    }
}

fn address() -> String {
    "02:00:00:00:00:01".to_owned()
}

fn parsed(address: &str) -> Option<[u8; ADDRESS_BYTES]> {
    let part = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        digits.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    address.split(':').map(part).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The interface.
#[derive(Clone, Debug)]
pub struct Network {
    address_at_power_on: [u8; ADDRESS_BYTES],
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    control: u8,
    /// The sticky bits of the status.
    flags: u8,
    address: [u8; ADDRESS_BYTES],
    send_buffer: Vec<u8>,
    /// The packet that is on its way.
    sending: Vec<u8>,
    waits_for_bus: bool,
    /// The cycle at which the packet is sent.
    sent_due: Option<u64>,
    /// Each packet after its length, low byte first.
    ring: VecDeque<u8>,
    ring_packets: u16,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(State {
    control,
    flags,
    address,
    send_buffer,
    sending,
    waits_for_bus,
    sent_due,
    ring,
    ring_packets,
    irq_since,
});

persist_parts!(Network { state } checked by restored);

impl Network {
    /// An interface that is off.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        let Some(address) = parsed(&config.address) else {
            let problem = format!(
                "{:?} is no address; write six bytes in hexadecimal, such as 02:00:00:00:00:01",
                config.address
            );
            return Err(DeviceError::BadOption { kind: KIND, option: "address".to_owned(), problem });
        };
        Ok(Self { address_at_power_on: address, state: State { address, ..State::default() } })
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        let state = &self.state;
        let mut packets = 0;
        let mut at = 0;
        while let (Some(&low), Some(&high)) = (state.ring.get(at), state.ring.get(at + 1)) {
            at += 2 + usize::from(u16::from_le_bytes([low, high]));
            packets += 1;
        }
        let checks = [
            (state.send_buffer.len() <= *FRAME_BYTES.end() + 1, "send_buffer"),
            (state.sending.len() <= *FRAME_BYTES.end(), "sending"),
            (state.ring.len() <= RING_BYTES && at == state.ring.len(), "ring"),
            (state.ring_packets == packets, "ring_packets"),
        ];
        match checks.iter().find(|(right, _)| !right) {
            Some(&(_, field)) => Err(PersistError::Invalid(field)),
            None => Ok(()),
        }
    }

    fn advance(&mut self, now: u64) {
        if let Some(due) = self.state.sent_due.take_if(|due| *due <= now) {
            self.state.flags |= status::SENT;
            self.drive_line(due);
        }
    }

    fn drive_line(&mut self, at: u64) {
        let (control, status) = (self.state.control, self.status());
        let received = control & control::RECEIVE_INTERRUPT != 0 && status & status::RECEIVED != 0;
        let sent = control & control::SEND_INTERRUPT != 0 && status & status::SENT != 0;
        let since = self.state.irq_since;
        self.state.irq_since = (received || sent).then(|| since.unwrap_or(at));
    }

    fn is_sending(&self) -> bool {
        self.state.waits_for_bus || self.state.sent_due.is_some()
    }

    fn status(&self) -> u8 {
        self.state.flags
            | flags([
                (status::RECEIVED, self.state.ring_packets != 0),
                (status::SENDING, self.is_sending()),
                (status::IRQ, self.state.irq_since.is_some()),
            ])
    }

    // ---- sending ----

    fn send(&mut self, context: &mut Context<'_>) {
        if self.is_sending() {
            return;
        }
        let packet = std::mem::take(&mut self.state.send_buffer);
        if !FRAME_BYTES.contains(&packet.len()) {
            self.state.flags |= status::BAD_LENGTH;
            return;
        }
        self.state.sending = packet;
        self.state.waits_for_bus = true;
        context.outside.schedule_bh(context.at, context.owner);
    }

    fn put_on_wire(&mut self, context: &mut Context<'_>) {
        let packet = std::mem::take(&mut self.state.sending);
        self.state.waits_for_bus = false;
        let bits = 8 * (packet.len() + OVERHEAD) as u128;
        let cycles = u64::try_from(bits * u128::from(context.clock_hz) / BIT_RATE).unwrap_or(u64::MAX);
        self.state.sent_due = Some(context.at.cycles.saturating_add(cycles.max(1)));
        context.outside.net_send(context.at, context.net_id, 0, &packet);
    }

    // ---- receiving ----

    /// Whether a packet to this destination is for us.
    fn is_wanted(&self, destination: &[u8]) -> bool {
        let control = self.state.control;
        let to_group = destination[0] & 1 != 0;
        let to_all = destination.iter().all(|&byte| byte == 0xFF);
        let wanted =
            to_all || destination == self.state.address || to_group && control & control::GROUPS != 0;
        control & control::PROMISCUOUS != 0 || control & control::RECEIVE != 0 && wanted
    }

    fn left(&self) -> usize {
        match (self.state.ring.front(), self.state.ring.get(1)) {
            (Some(&low), Some(&high)) => u16::from_le_bytes([low, high]).into(),
            _ => 0,
        }
    }

    /// Takes a byte of the oldest packet; the packet keeps its place until [`command::NEXT`].
    fn take_byte(&mut self) {
        let left = self.left();
        if left != 0 {
            self.state.ring.drain(..3);
            for byte in (left as u16 - 1).to_be_bytes() {
                self.state.ring.push_front(byte);
            }
        }
    }

    fn next_packet(&mut self) {
        if self.state.ring_packets != 0 {
            self.state.ring.drain(..2 + self.left());
            self.state.ring_packets -= 1;
        }
    }

    fn register(&self, offset: u16) -> u8 {
        let [send_low, send_high] = (self.state.send_buffer.len() as u16).to_le_bytes();
        let [receive_low, receive_high] = (self.left() as u16).to_le_bytes();
        match offset {
            STATUS => self.status(),
            CONTROL => self.state.control,
            SEND_LENGTH_LOW => send_low,
            SEND_LENGTH_HIGH => send_high,
            RECEIVE_DATA if self.left() != 0 => self.state.ring[2],
            RECEIVE_LENGTH_LOW => receive_low,
            RECEIVE_LENGTH_HIGH => receive_high,
            RECEIVED => self.state.ring_packets.min(255) as u8,
            ADDRESS.. => self.state.address[usize::from(offset - ADDRESS)],
            _ => 0,
        }
    }
}

impl Device for Network {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        16
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        self.advance(context.at.cycles);
        let value = self.register(offset);
        if offset == RECEIVE_DATA {
            self.take_byte();
        }
        value
    }

    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.state.sent_due.unwrap_or(u64::MAX);
        let quiet = offset != RECEIVE_DATA && now < until;
        quiet.then(|| QuietRead { value: self.register(offset), until })
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        match offset {
            COMMAND => match value {
                command::SEND => self.send(context),
                command::CLEAR => self.state.send_buffer.clear(),
                command::NEXT => self.next_packet(),
                _ => {}
            },
            STATUS => self.state.flags &= !value,
            CONTROL => self.state.control = value & control::ALL,
            // One byte more than a frame is kept, so that it is seen to be too long.
            SEND_DATA if self.state.send_buffer.len() <= *FRAME_BYTES.end() => {
                self.state.send_buffer.push(value);
            }
            ADDRESS.. => self.state.address[usize::from(offset - ADDRESS)] = value,
            _ => {}
        }
        self.drive_line(context.at.cycles);
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut later = self.clone();
        later.advance(now);
        later.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        self.state.sent_due
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
    }

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.state.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        let interrupts = self.state.control & control::SEND_INTERRUPT != 0 && self.state.irq_since.is_none();
        self.state.sent_due.filter(|_| interrupts)
    }

    /// As at power-on; what waited is lost.
    fn reset(&mut self, _now: u64) {
        self.state = State { address: self.address_at_power_on, ..State::default() };
    }

    fn is_net(&self) -> bool {
        true
    }

    fn packet(&mut self, _flags: u32, bytes: &[u8], context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        if !FRAME_BYTES.contains(&bytes.len()) || !self.is_wanted(&bytes[..ADDRESS_BYTES]) {
            return;
        }
        if self.state.ring.len() + 2 + bytes.len() > RING_BYTES {
            self.state.flags |= status::OVERRUN;
            return;
        }
        self.state.ring.extend((bytes.len() as u16).to_le_bytes());
        self.state.ring.extend(bytes);
        self.state.ring_packets += 1;
        self.drive_line(context.at.cycles);
    }

    fn deferred_call(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        if self.state.waits_for_bus {
            self.put_on_wire(context);
        }
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
