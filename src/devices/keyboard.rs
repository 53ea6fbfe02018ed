//! A keyboard: presses and releases in a FIFO, and which keys are held. A design of our own.
//!
//! Keys that print have the ASCII code of what they print without shift; the others have codes from 128 on ([`KEYS`]).
//! Nothing of a packet of input events shows before the packet is complete
//! ([`Device::input_sync`]).

use std::collections::VecDeque;

use super::{Context, Device, QuietRead, flags};
use crate::events::InputEvent;
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "keyboard";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Key code of the next event, which a read takes away; 0 when there is none.
pub const DATA: u16 = 0;
/// [`status`] bits; any write clears the overrun.
pub const STATUS: u16 = 1;
/// [`control`] bits.
pub const CONTROL: u16 = 2;
/// [`modifier`] keys that were held at the next event; while there is none, those that are held now.
pub const MODIFIERS: u16 = 3;
/// The character that the next event types, shift and control considered; 0 for releases and for keys that type nothing.
pub const CHARACTER: u16 = 4;
/// Written: the code of a key. Read: bit 7 set while that key is held.
pub const HELD: u16 = 5;

/// Bits of [`STATUS`].
pub mod status {
    /// An event waits.
    pub const WAITING: u8 = 0x01;
    /// An event found the FIFO full, and was lost.
    pub const OVERRUN: u8 = 0x02;
    /// The event that waits is a release.
    pub const RELEASED: u8 = 0x40;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
}

/// Bits of [`CONTROL`].
pub mod control {
    /// Interrupts while an event waits.
    pub const INTERRUPT: u8 = 0x01;
    /// Written as 1: empties the FIFO. Reads as 0.
    pub const CLEAR: u8 = 0x80;
}

/// Bits of [`MODIFIERS`].
pub mod modifier {
    /// Either shift key.
    pub const SHIFT: u8 = 0x01;
    /// The control key.
    pub const CONTROL: u8 = 0x02;
    /// The alt key.
    pub const ALT: u8 = 0x04;
}

/// Names of keys with their codes.
pub const KEYS: &[(&str, u16)] = &[
    ("a", 0x61),
    ("b", 0x62),
    ("c", 0x63),
    ("d", 0x64),
    ("e", 0x65),
    ("f", 0x66),
    ("g", 0x67),
    ("h", 0x68),
    ("i", 0x69),
    ("j", 0x6A),
    ("k", 0x6B),
    ("l", 0x6C),
    ("m", 0x6D),
    ("n", 0x6E),
    ("o", 0x6F),
    ("p", 0x70),
    ("q", 0x71),
    ("r", 0x72),
    ("s", 0x73),
    ("t", 0x74),
    ("u", 0x75),
    ("v", 0x76),
    ("w", 0x77),
    ("x", 0x78),
    ("y", 0x79),
    ("z", 0x7A),
    ("0", 0x30),
    ("1", 0x31),
    ("2", 0x32),
    ("3", 0x33),
    ("4", 0x34),
    ("5", 0x35),
    ("6", 0x36),
    ("7", 0x37),
    ("8", 0x38),
    ("9", 0x39),
    ("'", 0x27),
    (",", 0x2C),
    ("-", 0x2D),
    (".", 0x2E),
    ("/", 0x2F),
    (";", 0x3B),
    ("=", 0x3D),
    ("[", 0x5B),
    ("\\", 0x5C),
    ("]", 0x5D),
    ("`", 0x60),
    ("backspace", 0x08),
    ("tab", 0x09),
    ("enter", 0x0D),
    ("escape", 0x1B),
    ("space", 0x20),
    ("delete", 0x7F),
    ("up", 0x80),
    ("down", 0x81),
    ("left", 0x82),
    ("right", 0x83),
    ("home", 0x84),
    ("end", 0x85),
    ("page_up", 0x86),
    ("page_down", 0x87),
    ("insert", 0x88),
    ("shift", 0x89),
    ("shift_right", 0x8A),
    ("control", 0x8B),
    ("alt", 0x8C),
    ("f1", 0x91),
    ("f2", 0x92),
    ("f3", 0x93),
    ("f4", 0x94),
    ("f5", 0x95),
    ("f6", 0x96),
    ("f7", 0x97),
    ("f8", 0x98),
    ("f9", 0x99),
    ("f10", 0x9A),
    ("f11", 0x9B),
    ("f12", 0x9C),
];

/// What keys other than letters print without and with shift, on an American keyboard.
const SHIFTED: [&[u8]; 2] = [b"1234567890-=[]\\;'`,./", b"!@#$%^&*()_+{}|:\"~<>?"];

const SHIFT_LEFT: u8 = 0x89;
const SHIFT_RIGHT: u8 = 0x8A;
const CONTROL_KEY: u8 = 0x8B;
const ALT_KEY: u8 = 0x8C;

/// Events that wait for the guest.
pub const FIFO_EVENTS: usize = 16;
/// Events of a packet that are kept until it is complete; more than the FIFO can hold are counted as lost there.
const PACKET_EVENTS: usize = FIFO_EVENTS + 1;
/// An event is its key code, and its flags: the modifiers, and [`status::RELEASED`].
const EVENT_BYTES: usize = 2;

/// The keyboard has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The keyboard.
#[derive(Clone, Debug, Default)]
pub struct Keyboard {
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    control: u8,
    overrun: bool,
    /// The key that [`HELD`] is about.
    held_key: u8,
    /// A bit for each key code, as of the last complete packet.
    held: [u8; 32],
    /// The same, as of the last event.
    held_next: [u8; 32],
    fifo: VecDeque<u8>,
    /// Events of a packet that is not complete: key code, and 1 for a press.
    packet: Vec<u8>,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(State { control, overrun, held_key, held, held_next, fifo, packet, irq_since });

persist_parts!(Keyboard { state } checked by restored);

/// The character that a key types with these modifiers; 0 for none.
fn character(key: u8, modifiers: u8) -> u8 {
    if key >= 0x80 {
        return 0;
    }
    if modifiers & modifier::CONTROL != 0 && key.is_ascii_alphabetic() {
        return key & 0x1F;
    }
    if modifiers & modifier::SHIFT == 0 {
        return key;
    }
    let shifted = SHIFTED[0].iter().position(|&plain| plain == key);
    shifted.map_or(key.to_ascii_uppercase(), |index| SHIFTED[1][index])
}

fn hold(held: &mut [u8; 32], key: u8, down: bool) {
    let (byte, bit) = (usize::from(key >> 3), 1 << (key & 7));
    held[byte] = if down { held[byte] | bit } else { held[byte] & !bit };
}

impl Keyboard {
    /// A keyboard that nobody touches.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        let fits =
            |bytes: usize, events: usize| bytes <= events * EVENT_BYTES && bytes.is_multiple_of(EVENT_BYTES);
        if !fits(self.state.fifo.len(), FIFO_EVENTS) {
            return Err(PersistError::Invalid("fifo"));
        }
        if !fits(self.state.packet.len(), PACKET_EVENTS) {
            return Err(PersistError::Invalid("packet"));
        }
        Ok(())
    }

    fn is_held(&self, key: u8) -> bool {
        self.state.held[usize::from(key >> 3)] & (1 << (key & 7)) != 0
    }

    fn modifiers_now(&self) -> u8 {
        flags([
            (modifier::SHIFT, self.is_held(SHIFT_LEFT) || self.is_held(SHIFT_RIGHT)),
            (modifier::CONTROL, self.is_held(CONTROL_KEY)),
            (modifier::ALT, self.is_held(ALT_KEY)),
        ])
    }

    /// The event that waits: its key, and its flags.
    fn next_event(&self) -> Option<(u8, u8)> {
        Some((*self.state.fifo.front()?, *self.state.fifo.get(1)?))
    }

    /// A key goes down or up, and the event takes its place in the FIFO.
    fn key(&mut self, key: u8, down: bool) {
        hold(&mut self.state.held, key, down);
        if self.state.fifo.len() < FIFO_EVENTS * EVENT_BYTES {
            let released = if down { 0 } else { status::RELEASED };
            self.state.fifo.extend([key, self.modifiers_now() | released]);
        } else {
            self.state.overrun = true;
        }
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.state.control & control::INTERRUPT != 0 && !self.state.fifo.is_empty();
        self.state.irq_since = request.then(|| self.state.irq_since.unwrap_or(at));
    }

    fn status(&self) -> u8 {
        flags([
            (status::WAITING, !self.state.fifo.is_empty()),
            (status::OVERRUN, self.state.overrun),
            (status::RELEASED, self.next_event().is_some_and(|(_, flags)| flags & status::RELEASED != 0)),
            (status::IRQ, self.state.irq_since.is_some()),
        ])
    }

    /// A register as a read gives it, without the read's side effect.
    fn register(&self, offset: u16) -> u8 {
        match offset {
            DATA => self.next_event().map_or(0, |(key, _)| key),
            STATUS => self.status(),
            CONTROL => self.state.control,
            MODIFIERS => self.next_event().map_or(self.modifiers_now(), |(_, flags)| flags & 0x0F),
            CHARACTER => match self.next_event() {
                Some((key, flags)) if flags & status::RELEASED == 0 => character(key, flags),
                _ => 0,
            },
            HELD if self.is_held(self.state.held_key) => 0x80,
            _ => 0,
        }
    }
}

impl Device for Keyboard {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        8
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let value = self.register(offset);
        if offset == DATA {
            self.state.fifo.drain(..self.state.fifo.len().min(EVENT_BYTES));
            self.drive_line(context.at.cycles);
        }
        value
    }

    fn quiet_read(&self, offset: u16, _now: u64) -> Option<QuietRead> {
        (offset != DATA).then(|| QuietRead::for_ever(self.register(offset)))
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        match offset {
            STATUS => self.state.overrun = false,
            CONTROL => {
                self.state.control = value & control::INTERRUPT;
                if value & control::CLEAR != 0 {
                    self.state.fifo.clear();
                }
                self.drive_line(context.at.cycles);
            }
            HELD => self.state.held_key = value,
            _ => {}
        }
    }

    fn peek(&self, offset: u16, _now: u64) -> u8 {
        self.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        None
    }

    fn run_timer(&mut self, _context: &mut Context<'_>) {}

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.state.irq_since
    }

    /// The registers and the FIFO are cleared. Keys that a person holds stay held.
    fn reset(&mut self, _now: u64) {
        let State { held, held_next, packet, .. } = std::mem::take(&mut self.state);
        self.state = State { held, held_next, packet, ..State::default() };
    }

    /// Code 0 and codes above 255 are of keys that this keyboard does not have.
    fn input(&mut self, event: InputEvent, _context: &mut Context<'_>) {
        let InputEvent::Key { keycode, down } = event else { return };
        let Some(key) = u8::try_from(keycode).ok().filter(|&key| key != 0) else { return };
        hold(&mut self.state.held_next, key, down);
        if self.state.packet.len() < PACKET_EVENTS * EVENT_BYTES {
            self.state.packet.extend([key, u8::from(down)]);
        }
    }

    fn input_sync(&mut self, context: &mut Context<'_>) {
        let packet = std::mem::take(&mut self.state.packet);
        for event in packet.chunks_exact(EVENT_BYTES) {
            self.key(event[0], event[1] != 0);
        }
        // A packet of more events than are kept must not leave a key held for ever.
        self.state.held = self.state.held_next;
        self.drive_line(context.at.cycles);
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
