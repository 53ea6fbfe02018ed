//! Motorola 6821 peripheral interface adapter (PIA).
//!
//! | RS | control bit 2 | register |
//! |---|---|---|
//! | 0 | 1 / 0 | port A / its data direction |
//! | 1 | | control A |
//! | 2 | 1 / 0 | port B / its data direction |
//! | 3 | | control B |
//!
//! Both interrupt outputs are one here, as most boards wire them. The peripheral `apple1` is that computer's keyboard on
//! port A and its display on port B.
//!
//! Source: Motorola MC6821 data sheet; Apple-1 operation manual (keyboard, display). docs/devices/mc6821.md says what is
//! modelled.

mod apple1;
mod port;

use super::{Context, Device, DeviceError, QuietRead};
use apple1::Apple1;
use port::{Port, Side};

/// The name in board files.
pub const KIND: &str = "mc6821";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["peripheral", "display_cycles", "addresses"];

/// Register numbers, as RS1 and RS0 select them.
#[allow(missing_docs)]
pub mod register {
    pub const PORT_A: u16 = 0;
    pub const CONTROL_A: u16 = 1;
    pub const PORT_B: u16 = 2;
    pub const CONTROL_B: u16 = 3;
}

/// What the ports are wired to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peripheral {
    /// Pins that scripts set.
    #[default]
    None,
    /// The Apple-1's keyboard and display.
    Apple1,
}

/// Options.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the ports are wired to.
    #[serde(default)]
    pub peripheral: Peripheral,
    /// Cycles that the Apple-1's display takes for a character: 60 of them a second at the computer's clock.
    #[serde(default = "display_cycles")]
    pub display_cycles: u64,
    /// Addresses that select the chip. Of more than 16 it answers where address line 4 is as in the first of them, as the
    /// Apple-1 selects it; its registers repeat every four.
    #[serde(default = "addresses")]
    pub addresses: u16,
}

fn addresses() -> u16 {
    4
}

fn display_cycles() -> u64 {
    17_045
}

/// The longest that a display may take.
const DISPLAY_CYCLES_MAX: u64 = 1_000_000_000;

/// The most addresses that may select the chip: a 4 KiB page of the decoder.
const ADDRESSES_MAX: u16 = 4096;

/// The chip, and what it is wired to.
#[derive(Clone, Debug)]
pub struct Mc6821 {
    peripheral: Peripheral,
    display_cycles: u64,
    addresses: u16,
    a: Port,
    b: Port,
    apple1: Apple1,
    line: Line,
}

/// The interrupt output.
#[derive(Clone, Debug, Default)]
struct Line {
    /// The cycle since which it is held.
    irq: Option<u64>,
}

persist!(Line { irq });

impl crate::persist::Persist for Mc6821 {
    fn save(&self, out: &mut Vec<u8>) {
        self.a.save(out);
        self.b.save(out);
        self.apple1.save(out);
        self.line.save(out);
    }

    fn restore(
        &mut self,
        reader: &mut crate::persist::Reader<'_>,
    ) -> Result<(), crate::persist::PersistError> {
        self.a.restore(reader)?;
        self.b.restore(reader)?;
        self.apple1.restore(reader)?;
        self.line.restore(reader)
    }

    fn fields(&self) -> Vec<(&'static str, crate::persist::Value)> {
        let mut fields = self.a.fields_of(Side::A);
        fields.extend(self.b.fields_of(Side::B));
        if self.peripheral == Peripheral::Apple1 {
            fields.extend(self.apple1.fields());
        }
        fields
    }
}

impl Mc6821 {
    /// A chip at power-on.
    ///
    /// # Errors
    /// A display that takes too long.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        if config.display_cycles > DISPLAY_CYCLES_MAX {
            let problem = format!("{} cycles; at most {DISPLAY_CYCLES_MAX}", config.display_cycles);
            return Err(DeviceError::BadOption { kind: KIND, option: "display_cycles".to_owned(), problem });
        }
        if config.addresses == 0 || config.addresses > ADDRESSES_MAX || !config.addresses.is_multiple_of(4) {
            let problem = format!("{}; give a multiple of 4 up to {ADDRESSES_MAX}", config.addresses);
            return Err(DeviceError::BadOption { kind: KIND, option: "addresses".to_owned(), problem });
        }
        let mut chip = Self {
            peripheral: config.peripheral,
            display_cycles: config.display_cycles,
            addresses: config.addresses,
            a: Port::default(),
            b: Port::default(),
            apple1: Apple1::default(),
            line: Line::default(),
        };
        if chip.is_char() {
            // The keyboard holds the eighth line high.
            chip.a.pins = 0x80;
        }
        Ok(chip)
    }

    fn drive_line(&mut self, cycle: u64) {
        if self.a.interrupts() || self.b.interrupts() {
            self.line.irq.get_or_insert(cycle);
        } else {
            self.line.irq = None;
        }
    }

    /// Puts the next key on port A, if its time has come.
    fn advance(&mut self, now: u64) {
        if let Some((key, cycle)) = self.apple1.take_key(now) {
            self.a.pins = key | 0x80;
            // The strobe: a short pulse, of which the chip takes the edge that it was told to.
            self.a.set_c1(true);
            self.a.set_c1(false);
            self.drive_line(cycle);
        }
    }

    fn pins_b(&self, now: u64) -> u8 {
        match self.peripheral {
            Peripheral::None => self.b.pins,
            Peripheral::Apple1 => {
                if self.apple1.is_busy(now) {
                    0x80
                } else {
                    0
                }
            }
        }
    }

    fn value(&self, offset: u16, now: u64) -> u8 {
        match offset {
            register::PORT_A => self.a.read(self.a.pins),
            register::CONTROL_A => self.a.control,
            register::PORT_B => self.b.read(self.pins_b(now)),
            _ => self.b.control,
        }
    }
}

impl Device for Mc6821 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        self.addresses
    }

    fn claims(&self, offset: u16, _write: bool) -> bool {
        offset & 0x10 == 0
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let (offset, now) = (offset % 4, context.at.cycles);
        self.advance(now);
        let value = self.value(offset, now);
        match offset {
            register::PORT_A if self.a.shows_data() => {
                self.a.data_was_read();
                self.a.handshake();
                self.apple1.key_was_read(now);
            }
            register::PORT_B if self.b.shows_data() => self.b.data_was_read(),
            _ => {}
        }
        self.drive_line(now);
        value
    }

    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let offset = offset % 4;
        let until = self.apple1.key_due.unwrap_or(u64::MAX);
        let is_control = matches!(offset, register::CONTROL_A | register::CONTROL_B);
        (is_control && now < until).then(|| QuietRead { value: self.value(offset, now), until })
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let (offset, now) = (offset % 4, context.at.cycles);
        self.advance(now);
        match offset {
            register::PORT_A => self.a.write(value),
            register::CONTROL_A => self.a.set_control(value),
            register::PORT_B => {
                self.b.write(value);
                if self.b.shows_data() {
                    self.b.handshake();
                    if self.peripheral == Peripheral::Apple1 && !self.apple1.is_busy(now) {
                        self.apple1.display(value, self.display_cycles, context);
                    }
                }
            }
            _ => self.b.set_control(value),
        }
        self.drive_line(now);
    }

    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut later = self.clone();
        later.advance(now);
        later.value(offset % 4, now)
    }

    fn next_timer(&self) -> Option<u64> {
        self.apple1.key_due
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles);
    }

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.line.irq
    }

    fn next_irq(&self) -> Option<u64> {
        let interrupts = self.a.control & port::control::C1_INTERRUPTS != 0 && self.line.irq.is_none();
        self.apple1.key_due.filter(|_| interrupts)
    }

    /// RESET clears all six registers. The keyboard and what was typed are not the chip's.
    fn reset(&mut self, _now: u64) {
        self.a.reset();
        self.b.reset();
        self.line = Line::default();
    }

    fn receive(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        self.advance(context.at.cycles);
        self.apple1.type_keys(bytes, context.at.cycles);
        self.advance(context.at.cycles);
    }

    fn lines(&self) -> &'static [&'static str] {
        match self.peripheral {
            Peripheral::None => &["ca1", "ca2", "cb1", "cb2", "port_a", "port_b"],
            Peripheral::Apple1 => &[],
        }
    }

    fn set_line(&mut self, line: &str, level: u8, context: &mut Context<'_>) -> Result<(), DeviceError> {
        if !self.lines().contains(&line) {
            return Err(DeviceError::unknown_line(KIND, line, self.lines()));
        }
        let pin = || DeviceError::pin_level(KIND, line, level);
        match line {
            "ca1" => self.a.set_c1(pin()?),
            "ca2" => self.a.set_c2(pin()?),
            "cb1" => self.b.set_c1(pin()?),
            "cb2" => self.b.set_c2(pin()?),
            "port_a" => self.a.pins = level,
            _ => self.b.pins = level,
        }
        self.drive_line(context.at.cycles);
        Ok(())
    }

    fn is_char(&self) -> bool {
        self.peripheral == Peripheral::Apple1
    }

    fn pending_input(&self) -> usize {
        self.apple1.waiting()
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
