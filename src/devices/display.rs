//! A display: 40 by 25 characters or 160 by 100 pixels, in 16 colours. A design of our own.
//!
//! It has 8 KiB of memory of its own, which a program reaches through [`DATA`] at [`ADDRESS_LOW`], and, more comfortably,
//! at a place ([`X`], [`Y`]) through [`TEXT`] and [`PIXEL`]. 50 times a second of the CPU's clock a frame is complete and
//! the beam goes back to the top: that sets a bit, and may interrupt.

mod font;

use super::{Context, Device, Frame, QuietRead};
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "display";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// [`mode`] bits.
pub const MODE: u16 = 0;
/// Bit 7: the beam has gone back to the top since the last write here.
pub const STATUS: u16 = 1;
/// Where [`DATA`] reads and writes, low byte.
pub const ADDRESS_LOW: u16 = 2;
/// Where [`DATA`] reads and writes, bits 12 to 8.
pub const ADDRESS_HIGH: u16 = 3;
/// A byte of the video memory; each access moves the address on by [`STEP`].
pub const DATA: u16 = 4;
/// How far the address moves, signed; 1 at power-on.
pub const STEP: u16 = 5;
/// Colour of the screen while it is off.
pub const BACKDROP: u16 = 6;
/// Colours of [`TEXT`] and of cleared cells: low half the character's, high half the ground's.
pub const COLOUR: u16 = 7;
/// A character at the place, which then moves on; in colours of [`COLOUR`].
pub const TEXT: u16 = 8;
/// Column of the place: a character or a pixel.
pub const X: u16 = 9;
/// Row of the place.
pub const Y: u16 = 10;
/// The colour of the pixel at the place, which then moves to the right.
pub const PIXEL: u16 = 11;
/// Does a [`command`]. Reads as 0.
pub const COMMAND: u16 = 12;
/// Frames since power-on, modulo 256.
pub const FRAMES: u16 = 13;

/// Bits of [`MODE`].
pub mod mode {
    /// Which picture is shown.
    pub const SHOWN: u8 = 0x03;
    /// No picture.
    pub const OFF: u8 = 0;
    /// 40 by 25 characters.
    pub const TEXT: u8 = 1;
    /// 160 by 100 pixels.
    pub const BITMAP: u8 = 2;
    /// In text mode the colours of the cell at the place are exchanged.
    pub const CURSOR: u8 = 0x40;
    /// Interrupts while bit 7 of the status is set.
    pub const INTERRUPT: u8 = 0x80;
}

/// What can be written to [`COMMAND`]; other values do nothing.
pub mod command {
    /// Text: blanks in [`COLOUR`](super::COLOUR) everywhere. Bitmap: pixels of its high half. The place is the top left.
    pub const CLEAR: u8 = 1;
    /// Everything moves up by a row of characters or pixels; the last row is cleared.
    pub const SCROLL: u8 = 2;
}

/// Bytes of video memory.
pub const MEMORY_BYTES: usize = 0x2000;
/// Where the colours of the characters begin in text mode; the characters themselves begin at 0.
pub const COLOURS: usize = 0x0400;
/// Columns and rows of characters.
pub const TEXT_SIZE: (usize, usize) = (40, 25);
/// Columns and rows of pixels in bitmap mode, two a byte, the left one in the high half.
pub const BITMAP_SIZE: (usize, usize) = (160, 100);
/// The screen's size in dots.
pub const SCREEN: (u32, u32) = (320, 200);
/// Frames a second.
pub const FRAMES_HZ: u64 = 50;

/// The colours, as red, green, blue: eight of each hue's darker kind, and their brighter ones at 8 more.
pub const PALETTE: [[u8; 3]; 16] = [
    [0x10, 0x12, 0x1C], // black
    [0x2B, 0x3F, 0x9E], // blue
    [0x2A, 0x7D, 0x46], // green
    [0x1F, 0x85, 0x94], // teal
    [0xA8, 0x32, 0x3A], // red
    [0x7C, 0x3A, 0x9A], // purple
    [0x96, 0x5B, 0x2C], // brown
    [0xB4, 0xB8, 0xC4], // light grey
    [0x57, 0x5C, 0x6E], // dark grey
    [0x5C, 0x8C, 0xF2], // sky
    [0x6F, 0xD0, 0x5E], // light green
    [0x66, 0xDB, 0xE0], // cyan
    [0xF2, 0x6B, 0x5E], // coral
    [0xE0, 0x86, 0xD8], // pink
    [0xF5, 0xD0, 0x52], // yellow
    [0xFA, 0xFB, 0xF5], // white
];

const STATUS_BLANK: u8 = 0x80;
const ADDRESS_MASK: u16 = MEMORY_BYTES as u16 - 1;
/// Bytes of a row of pixels.
const BITMAP_PITCH: usize = BITMAP_SIZE.0 / 2;
/// White on black.
const COLOUR_AT_POWER_ON: u8 = 0x0F;

/// The display has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The display.
#[derive(Clone, Debug)]
pub struct Display {
    registers: Registers,
    video: Video,
}

#[derive(Clone, Debug)]
struct Registers {
    mode: u8,
    /// The beam has gone back since the last write of the status.
    blank: bool,
    address: u16,
    step: u8,
    backdrop: u8,
    colour: u8,
    x: u8,
    y: u8,
    frames: u8,
    /// When the next frame is complete; `None` while the display has never been switched on.
    frame_due: Option<u64>,
    /// What that is later than the cycle, in parts of a cycle, [`FRAMES_HZ`] to one.
    frame_fraction: u8,
    /// CPU clock, in Hz, as of the write that switched the display on.
    cpu_hz: u64,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Registers {
    mode,
    blank,
    address,
    step,
    backdrop,
    colour,
    x,
    y,
    frames,
    frame_due,
    frame_fraction,
    cpu_hz,
    irq_since,
});

#[derive(Clone, Debug)]
struct Video {
    memory: Vec<u8>,
}

persist!(Video { memory });

persist_parts!(Display { registers, video } checked by restored);

impl Display {
    /// A display that is off, its memory zero.
    pub fn new(_config: Config) -> Self {
        Self { registers: Registers::at_power_on(), video: Video { memory: vec![0; MEMORY_BYTES] } }
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        if self.video.memory.len() != MEMORY_BYTES {
            return Err(PersistError::Invalid("memory"));
        }
        if self.registers.address > ADDRESS_MASK {
            return Err(PersistError::Invalid("address"));
        }
        if u64::from(self.registers.frame_fraction) >= FRAMES_HZ {
            return Err(PersistError::Invalid("frame_fraction"));
        }
        Ok(())
    }

    fn shown(&self) -> u8 {
        self.registers.mode & mode::SHOWN
    }

    // ---- the place ----

    /// The cell at the place, if it is on the screen.
    fn cell(&self) -> Option<usize> {
        let (x, y) = (usize::from(self.registers.x), usize::from(self.registers.y));
        (x < TEXT_SIZE.0 && y < TEXT_SIZE.1).then_some(y * TEXT_SIZE.0 + x)
    }

    /// The byte of the pixel at the place, if it is on the screen, and how far its bits are from bit 0.
    fn pixel(&self) -> Option<(usize, u32)> {
        let (x, y) = (usize::from(self.registers.x), usize::from(self.registers.y));
        let shift = if x.is_multiple_of(2) { 4 } else { 0 };
        (x < BITMAP_SIZE.0 && y < BITMAP_SIZE.1).then_some((y * BITMAP_PITCH + x / 2, shift))
    }

    /// Outside of the screen nothing is written, but the place moves all the same.
    fn write_text(&mut self, character: u8) {
        if let Some(cell) = self.cell() {
            self.video.memory[cell] = character;
            self.video.memory[COLOURS + cell] = self.registers.colour;
        }
        self.registers.x = self.registers.x.wrapping_add(1);
        if usize::from(self.registers.x) == TEXT_SIZE.0 {
            self.registers.x = 0;
            self.registers.y = self.registers.y.saturating_add(1);
        }
    }

    fn write_pixel(&mut self, colour: u8) {
        if let Some((at, shift)) = self.pixel() {
            let byte = &mut self.video.memory[at];
            *byte = *byte & !(0x0F << shift) | (colour & 0x0F) << shift;
        }
        self.registers.x = self.registers.x.wrapping_add(1);
    }

    // ---- commands ----

    fn command(&mut self, command: u8) {
        match command {
            command::CLEAR => {
                (self.registers.x, self.registers.y) = (0, 0);
                self.clear_rows(0);
            }
            command::SCROLL if self.shown() == mode::BITMAP => {
                let pixels = BITMAP_PITCH * BITMAP_SIZE.1;
                self.video.memory.copy_within(BITMAP_PITCH..pixels, 0);
                self.clear_rows(BITMAP_SIZE.1 - 1);
            }
            command::SCROLL => {
                let (columns, cells) = (TEXT_SIZE.0, TEXT_SIZE.0 * TEXT_SIZE.1);
                self.video.memory.copy_within(columns..cells, 0);
                self.video.memory.copy_within(COLOURS + columns..COLOURS + cells, COLOURS);
                self.clear_rows(TEXT_SIZE.1 - 1);
            }
            _ => {}
        }
    }

    /// Clears the rows from `first` on, as the mode has them; while the display is off, those of text.
    fn clear_rows(&mut self, first: usize) {
        let (memory, colour) = (&mut self.video.memory, self.registers.colour);
        if self.registers.mode & mode::SHOWN == mode::BITMAP {
            let ground = colour >> 4;
            memory[first * BITMAP_PITCH..BITMAP_SIZE.1 * BITMAP_PITCH].fill(ground << 4 | ground);
        } else {
            let cells = first * TEXT_SIZE.0..TEXT_SIZE.0 * TEXT_SIZE.1;
            memory[cells.clone()].fill(b' ');
            memory[COLOURS + cells.start..COLOURS + cells.end].fill(colour);
        }
    }

    // ---- the picture ----

    /// The colour, 0 to 15, of a dot of the screen.
    fn text_dot(&self, x: usize, y: usize) -> u8 {
        let cell = y / 8 * TEXT_SIZE.0 + x / 8;
        let colour = self.video.memory[COLOURS + cell];
        let dot = font::rows(self.video.memory[cell])[y % 8] & (0x80 >> (x % 8)) != 0;
        let inverse = self.registers.mode & mode::CURSOR != 0 && self.cell() == Some(cell);
        if dot != inverse { colour & 0x0F } else { colour >> 4 }
    }

    fn bitmap_dot(&self, x: usize, y: usize) -> u8 {
        let byte = self.video.memory[y / 2 * BITMAP_PITCH + x / 4];
        if x % 4 < 2 { byte >> 4 } else { byte & 0x0F }
    }

    /// A register as a read gives it, without the read's side effect.
    fn register(&self, offset: u16) -> u8 {
        let registers = &self.registers;
        match offset {
            MODE => registers.mode,
            STATUS if registers.blank => STATUS_BLANK,
            ADDRESS_LOW => registers.address.to_le_bytes()[0],
            ADDRESS_HIGH => registers.address.to_le_bytes()[1],
            DATA => self.video.memory[usize::from(registers.address)],
            STEP => registers.step,
            BACKDROP => registers.backdrop,
            COLOUR => registers.colour,
            TEXT => self.cell().map_or(0, |cell| self.video.memory[cell]),
            X => registers.x,
            Y => registers.y,
            PIXEL => self.pixel().map_or(0, |(at, shift)| self.video.memory[at] >> shift & 0x0F),
            FRAMES => registers.frames,
            _ => 0,
        }
    }
}

impl Registers {
    fn at_power_on() -> Self {
        Self {
            mode: 0,
            blank: false,
            address: 0,
            step: 1,
            backdrop: 0,
            colour: COLOUR_AT_POWER_ON,
            x: 0,
            y: 0,
            frames: 0,
            frame_due: None,
            frame_fraction: 0,
            cpu_hz: 0,
            irq_since: None,
        }
    }

    /// Counts the frames that are complete at `now`, however many.
    fn advance(&mut self, now: u64) {
        let Some(first) = self.frame_due.filter(|&due| due <= now) else { return };
        let (rate, period) = (u128::from(FRAMES_HZ), u128::from(self.cpu_hz.max(1)));
        let due = u128::from(first) * rate + u128::from(self.frame_fraction);
        let passed = ((u128::from(now) + 1) * rate - due).div_ceil(period);
        let next = due + passed * period;
        self.frames = self.frames.wrapping_add(passed as u8);
        self.frame_due = Some(u64::try_from(next / rate).unwrap_or(u64::MAX));
        self.frame_fraction = (next % rate) as u8;
        self.blank = true;
        self.drive_line(first);
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.blank && self.mode & mode::INTERRUPT != 0;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    /// The first picture begins when the display is first switched on; from then on frames follow each other for good.
    fn write_mode(&mut self, value: u8, context: &Context<'_>) {
        self.mode = value & (mode::SHOWN | mode::CURSOR | mode::INTERRUPT);
        if self.mode & mode::SHOWN != mode::OFF && self.frame_due.is_none() {
            self.cpu_hz = context.clock_hz;
            let cycles = context.clock_hz / FRAMES_HZ;
            self.frame_due = Some(context.at.cycles.saturating_add(cycles.max(1)));
            self.frame_fraction = (context.clock_hz % FRAMES_HZ) as u8;
        }
    }

    /// Bits 12 to 8 of an address, and the low byte.
    fn write_address(&mut self, low: u8, high: u8) {
        self.address = u16::from_le_bytes([low, high]) & ADDRESS_MASK;
    }

    fn step(&mut self) {
        let step = i16::from(self.step.cast_signed());
        self.address = self.address.wrapping_add_signed(step) & ADDRESS_MASK;
    }
}

impl Device for Display {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        16
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        self.registers.advance(context.at.cycles);
        let value = self.register(offset);
        match offset {
            DATA => self.registers.step(),
            PIXEL => self.registers.x = self.registers.x.wrapping_add(1),
            _ => {}
        }
        value
    }

    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.registers.frame_due.unwrap_or(u64::MAX);
        (offset == STATUS && now < until).then(|| QuietRead { value: self.register(offset), until })
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.registers.advance(now);
        let [low, high] = self.registers.address.to_le_bytes();
        match offset {
            MODE => self.registers.write_mode(value, context),
            STATUS => self.registers.blank = false,
            ADDRESS_LOW => self.registers.write_address(value, high),
            ADDRESS_HIGH => self.registers.write_address(low, value),
            DATA => {
                self.video.memory[usize::from(self.registers.address)] = value;
                self.registers.step();
            }
            STEP => self.registers.step = value,
            BACKDROP => self.registers.backdrop = value & 0x0F,
            COLOUR => self.registers.colour = value,
            TEXT => self.write_text(value),
            X => self.registers.x = value,
            Y => self.registers.y = value,
            PIXEL => self.write_pixel(value),
            COMMAND => self.command(value),
            _ => {}
        }
        self.registers.drive_line(now);
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        // A clone would copy the memory. Only two registers move by themselves.
        let mut later = self.registers.clone();
        later.advance(now);
        match offset {
            STATUS => u8::from(later.blank) << 7,
            FRAMES => later.frames,
            _ => self.register(offset),
        }
    }

    /// Frames are counted when somebody looks, unless the next one interrupts.
    fn next_timer(&self) -> Option<u64> {
        let interrupts = self.registers.mode & mode::INTERRUPT != 0 && !self.registers.blank;
        self.registers.frame_due.filter(|_| interrupts)
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.registers.advance(context.at.cycles);
    }

    fn catch_up(&mut self, now: u64) {
        self.registers.advance(now);
    }

    fn irq(&self) -> Option<u64> {
        self.registers.irq_since
    }

    fn next_irq(&self) -> Option<u64> {
        self.next_timer().filter(|_| self.registers.irq_since.is_none())
    }

    /// The registers are as at power-on; the video memory stays.
    fn reset(&mut self, _now: u64) {
        self.registers = Registers::at_power_on();
    }

    fn frame(&self) -> Option<Frame> {
        let (width, height) = SCREEN;
        let mut rgba = Vec::with_capacity(width as usize * height as usize * 4);
        for y in 0..height as usize {
            for x in 0..width as usize {
                let colour = match self.shown() {
                    mode::TEXT => self.text_dot(x, y),
                    mode::BITMAP => self.bitmap_dot(x, y),
                    _ => self.registers.backdrop & 0x0F,
                };
                rgba.extend(PALETTE[usize::from(colour)]);
                rgba.push(0xFF);
            }
        }
        Some(Frame { width, height, rgba })
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
