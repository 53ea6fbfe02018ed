//! A pointer: eight buttons, movement, and a position. A design of our own.
//!
//! What a person does comes in packets, each ended by [`Device::input_sync`]. A
//! packet shows in the registers when the guest has acknowledged the one before; until then packets gather after it.
//! So no register changes while a program reads them one after the other.

use super::{Context, Device, QuietRead, flags};
use crate::events::InputEvent;

/// The name in board files.
pub const KIND: &str = "pointer";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// [`status`] bits.
pub const STATUS: u16 = 0;
/// A bit for each button that is down, button 0 in bit 0.
pub const BUTTONS: u16 = 1;
/// Movement to the right, low byte; signed, 16 bits.
pub const DX_LOW: u16 = 2;
/// Movement to the right, high byte.
pub const DX_HIGH: u16 = 3;
/// Movement downwards, low byte; signed, 16 bits.
pub const DY_LOW: u16 = 4;
/// Movement downwards, high byte.
pub const DY_HIGH: u16 = 5;
/// Position from the left, low byte; 16 bits.
pub const X_LOW: u16 = 6;
/// Position from the left, high byte.
pub const X_HIGH: u16 = 7;
/// Position from the top, low byte; 16 bits.
pub const Y_LOW: u16 = 8;
/// Position from the top, high byte.
pub const Y_HIGH: u16 = 9;
/// Bit 0: interrupts while a packet waits.
pub const CONTROL: u16 = 10;
/// Any write is done with the packet: movement is 0 again, and what has come meanwhile shows.
pub const ACKNOWLEDGE: u16 = 11;

/// Bits of [`STATUS`].
pub mod status {
    /// A packet waits.
    pub const WAITING: u8 = 0x01;
    /// A button changed more than once after a packet that was not acknowledged: one or more changes do not show.
    pub const OVERRUN: u8 = 0x02;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
}

/// The bit of [`CONTROL`] that lets the pointer interrupt.
pub const INTERRUPT: u8 = 0x01;

/// The pointer has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The pointer.
#[derive(Clone, Debug, Default)]
pub struct Pointer {
    control: u8,
    waiting: bool,
    overrun: bool,
    buttons: u8,
    /// Movement of the packet that waits, as the bits of an `i16`.
    dx: u16,
    dy: u16,
    x: u16,
    y: u16,
    /// What comes next: complete packets that wait after the one in the registers.
    next_waiting: bool,
    next_overrun: bool,
    next_buttons: u8,
    /// Buttons that have changed since they last showed.
    next_changed: u8,
    next_dx: u16,
    next_dy: u16,
    next_x: u16,
    next_y: u16,
    /// What has come of a packet that is not complete.
    packet_started: bool,
    packet_overrun: bool,
    packet_buttons: u8,
    packet_changed: u8,
    packet_dx: u16,
    packet_dy: u16,
    packet_x: u16,
    packet_y: u16,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Pointer {
    control,
    waiting,
    overrun,
    buttons,
    dx,
    dy,
    x,
    y,
    next_waiting,
    next_overrun,
    next_buttons,
    next_changed,
    next_dx,
    next_dy,
    next_x,
    next_y,
    packet_started,
    packet_overrun,
    packet_buttons,
    packet_changed,
    packet_dx,
    packet_dy,
    packet_x,
    packet_y,
    irq_since,
});

/// Adds a movement, at most as far as 16 bits go.
fn moved(distance: u16, by: i32) -> u16 {
    let sum = i32::from(distance.cast_signed()).saturating_add(by);
    (sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16).cast_unsigned()
}

impl Pointer {
    /// A pointer at the top left that nobody touches.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    /// The packet that has just been completed joins those that wait.
    fn gather(&mut self) {
        self.next_overrun |= self.packet_overrun || self.next_changed & self.packet_changed != 0;
        self.next_changed |= self.packet_changed;
        self.next_dx = moved(self.next_dx, self.packet_dx.cast_signed().into());
        self.next_dy = moved(self.next_dy, self.packet_dy.cast_signed().into());
        (self.next_buttons, self.next_x, self.next_y) = (self.packet_buttons, self.packet_x, self.packet_y);
        self.next_waiting = true;
        (self.packet_started, self.packet_overrun, self.packet_changed) = (false, false, 0);
        (self.packet_dx, self.packet_dy) = (0, 0);
    }

    /// Shows what waits, if the registers are free.
    fn show(&mut self) {
        if self.waiting || !self.next_waiting {
            return;
        }
        self.waiting = true;
        self.overrun = self.next_overrun;
        self.buttons = self.next_buttons;
        (self.dx, self.dy, self.x, self.y) = (self.next_dx, self.next_dy, self.next_x, self.next_y);
        self.forget_next();
    }

    fn forget_next(&mut self) {
        (self.next_waiting, self.next_overrun, self.next_changed) = (false, false, 0);
        (self.next_dx, self.next_dy) = (0, 0);
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.control & INTERRUPT != 0 && self.waiting;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    fn status(&self) -> u8 {
        flags([
            (status::WAITING, self.waiting),
            (status::OVERRUN, self.overrun),
            (status::IRQ, self.irq_since.is_some()),
        ])
    }

    fn register(&self, offset: u16) -> u8 {
        let of = |word: u16| word.to_le_bytes()[usize::from(offset & 1)];
        match offset {
            STATUS => self.status(),
            BUTTONS => self.buttons,
            DX_LOW | DX_HIGH => of(self.dx),
            DY_LOW | DY_HIGH => of(self.dy),
            X_LOW | X_HIGH => of(self.x),
            Y_LOW | Y_HIGH => of(self.y),
            CONTROL => self.control,
            _ => 0,
        }
    }

    fn button(&mut self, button: u8, down: bool) {
        let bit = 1 << button;
        if (self.packet_buttons & bit != 0) == down {
            return;
        }
        self.packet_overrun |= self.packet_changed & bit != 0;
        self.packet_changed |= bit;
        self.packet_buttons ^= bit;
    }
}

impl Device for Pointer {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        12
    }

    fn read(&mut self, offset: u16, _context: &mut Context<'_>) -> u8 {
        self.register(offset)
    }

    fn quiet_read(&self, offset: u16, _now: u64) -> Option<QuietRead> {
        Some(QuietRead::for_ever(self.register(offset)))
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        match offset {
            CONTROL => self.control = value & INTERRUPT,
            ACKNOWLEDGE => {
                (self.waiting, self.overrun, self.dx, self.dy) = (false, false, 0, 0);
                self.show();
            }
            _ => {}
        }
        self.drive_line(context.at.cycles);
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
        self.irq_since
    }

    /// What waits is forgotten. The buttons that a person holds stay down, and the position is where it was.
    fn reset(&mut self, now: u64) {
        (self.control, self.waiting, self.overrun, self.dx, self.dy) = (0, false, false, 0, 0);
        if self.next_waiting {
            (self.buttons, self.x, self.y) = (self.next_buttons, self.next_x, self.next_y);
        }
        self.forget_next();
        self.drive_line(now);
    }

    /// Buttons 0 to 7, axes 0 (x) and 1 (y): others this pointer does not have.
    fn input(&mut self, event: InputEvent, _context: &mut Context<'_>) {
        match event {
            InputEvent::Button { button, down } if button < 8 => self.button(button, down),
            InputEvent::Rel { axis: 0, value } => self.packet_dx = moved(self.packet_dx, value),
            InputEvent::Rel { axis: 1, value } => self.packet_dy = moved(self.packet_dy, value),
            InputEvent::Abs { axis: 0, value } => self.packet_x = value.clamp(0, 0xFFFF) as u16,
            InputEvent::Abs { axis: 1, value } => self.packet_y = value.clamp(0, 0xFFFF) as u16,
            _ => return,
        }
        self.packet_started = true;
    }

    /// A packet without anything for a pointer (the keys of a keyboard) is none.
    fn input_sync(&mut self, context: &mut Context<'_>) {
        if self.packet_started {
            self.gather();
            self.show();
            self.drive_line(context.at.cycles);
        }
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
