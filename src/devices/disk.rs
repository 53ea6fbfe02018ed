//! A disk whose controller moves sectors between it and the guest's memory by itself. A design of our own.
//!
//! A command starts at the next instruction boundary, when the controller has the bus, and ends when the host is through:
//! then the sectors are in memory, or on the disk. One command at a time; the CPU runs on meanwhile.

use super::{Context, Device, DirectMemory, QuietRead, flags};
use crate::nondet::BlockRequest;
use crate::persist::{Field, PersistError, Reader, Value};

/// The name in board files.
pub const KIND: &str = "disk";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// Starts a [`command`]; reads as the last one.
pub const COMMAND: u16 = 0;
/// [`status`] bits; [`status::DONE`], written as 1, is cleared.
pub const STATUS: u16 = 1;
/// Bit 0: interrupts while [`status::DONE`] is set.
pub const CONTROL: u16 = 2;
/// Why the last command failed: one of [`error`].
pub const ERROR: u16 = 3;
/// First sector, lowest byte of four.
pub const SECTOR: u16 = 4;
/// Where in memory, low byte.
pub const ADDRESS_LOW: u16 = 8;
/// Where in memory, high byte.
pub const ADDRESS_HIGH: u16 = 9;
/// How many sectors, 1 to 128.
pub const COUNT: u16 = 10;
/// How many sectors the last command has moved.
pub const COMPLETED: u16 = 11;

/// What can be written to [`COMMAND`].
pub mod command {
    /// From the disk to memory.
    pub const READ: u8 = 1;
    /// From memory to the disk.
    pub const WRITE: u8 = 2;
    /// Waits until everything written is safe.
    pub const FLUSH: u8 = 3;
}

/// Bits of [`STATUS`].
pub mod status {
    /// A command is on its way.
    pub const BUSY: u8 = 0x01;
    /// A command has ended since this was cleared.
    pub const DONE: u8 = 0x02;
    /// The last command failed.
    pub const ERROR: u8 = 0x04;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
}

/// Values of [`ERROR`].
pub mod error {
    /// It did not fail.
    pub const NONE: u8 = 0;
    /// There is no disk.
    pub const NO_DISK: u8 = 1;
    /// Sectors after the end of the disk were asked for; nothing was moved.
    pub const NO_SECTOR: u8 = 2;
    /// The disk is write-protected.
    pub const PROTECTED: u8 = 3;
    /// There is no such command.
    pub const COMMAND: u8 = 4;
    /// [`COUNT`](super::COUNT) is 0 or above [`SECTORS_MAX`](super::SECTORS_MAX).
    pub const COUNT: u8 = 5;
    /// A command was started while another one was on its way: that one goes on.
    pub const BUSY: u8 = 6;
    /// The disk has failed.
    pub const HOST: u8 = 7;
}

/// The bit of [`CONTROL`].
pub const INTERRUPT: u8 = 0x01;
/// Bytes of a sector.
pub const SECTOR_BYTES: usize = 512;
/// Sectors that one command moves: the whole memory.
pub const SECTORS_MAX: u8 = 128;

/// errno: no such device, read-only file system, no space left, invalid argument.
const ENXIO: i32 = 6;
const EROFS: i32 = 30;
const ENOSPC: i32 = 28;
const EINVAL: i32 = 22;

/// The disk has no options: its image is attached to the machine.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The request that is going on.
///
/// Its number is the state machine's, which counts the requests of a whole session: two machines in the same state may have
/// other numbers. It is not saved, so that their states, digests and snapshots are the same, and the controller is told it
/// again ([`Device::number_request`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Request {
    #[default]
    None,
    /// By its number.
    Numbered(u64),
    /// One of a saved state.
    Saved,
}

/// As an `Option<u64>` that is always 0 or absent.
impl Field for Request {
    fn put(&self, out: &mut Vec<u8>) {
        (*self != Request::None).then_some(0_u64).put(out);
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        let request = <Option<u64> as Field>::take(reader, name)?;
        Ok(if request.is_some() { Request::Saved } else { Request::None })
    }
    fn value(&self) -> Value {
        Value::Bool(*self != Request::None)
    }
}

/// The controller.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    command: u8,
    control: u8,
    error: u8,
    done: bool,
    sector: u32,
    address: u16,
    count: u8,
    completed: u8,
    /// The command that waits for the bus or is being carried out, and what it works on; 0 for none.
    active: u8,
    active_sector: u32,
    active_address: u16,
    active_count: u8,
    /// The command has not started.
    waits_for_bus: bool,
    request: Request,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Disk {
    command,
    control,
    error,
    done,
    sector,
    address,
    count,
    completed,
    active,
    active_sector,
    active_address,
    active_count,
    waits_for_bus,
    request,
    irq_since,
});

/// The bytes from `address` on; memory goes around.
fn gather(memory: &mut dyn DirectMemory, address: u16, count: usize) -> Vec<u8> {
    (0..count).map(|offset| memory.read(address.wrapping_add(offset as u16))).collect()
}

fn scatter(memory: &mut dyn DirectMemory, address: u16, bytes: &[u8]) {
    for (offset, &byte) in bytes.iter().enumerate() {
        memory.write(address.wrapping_add(offset as u16), byte);
    }
}

/// What a negative errno of the host is called here.
fn error_of(result: i32) -> u8 {
    match -result {
        ENXIO => error::NO_DISK,
        EINVAL | ENOSPC => error::NO_SECTOR,
        EROFS => error::PROTECTED,
        _ => error::HOST,
    }
}

impl Disk {
    /// A controller with nothing to do.
    pub fn new(_config: Config) -> Self {
        Self::default()
    }

    fn drive_line(&mut self, at: u64) {
        let request = self.done && self.control & INTERRUPT != 0;
        self.irq_since = request.then(|| self.irq_since.unwrap_or(at));
    }

    /// The command has ended. [`DONE`](status::DONE) stays until it is cleared.
    fn ends(&mut self, error: u8, completed: u8, at: u64) {
        (self.active, self.waits_for_bus, self.request) = (0, false, Request::None);
        (self.done, self.error, self.completed) = (true, error, completed);
        self.drive_line(at);
    }

    fn start(&mut self, command: u8, context: &mut Context<'_>) {
        if self.active != 0 {
            self.error = error::BUSY;
            return;
        }
        self.command = command;
        let wrong = if !(command::READ..=command::FLUSH).contains(&command) {
            error::COMMAND
        } else if command != command::FLUSH && !(1..=SECTORS_MAX).contains(&self.count) {
            error::COUNT
        } else {
            error::NONE
        };
        self.done = false;
        if wrong != error::NONE {
            self.ends(wrong, 0, context.at.cycles);
            return;
        }
        (self.error, self.completed) = (error::NONE, 0);
        (self.active, self.active_sector) = (command, self.sector);
        (self.active_address, self.active_count) = (self.address, self.count);
        self.waits_for_bus = true;
        context.outside.schedule_bh(context.at, context.owner);
    }

    /// The controller has the bus: what is to be written is taken out of memory.
    fn transfer(&mut self, context: &mut Context<'_>) {
        let sector = u64::from(self.active_sector);
        let request = match self.active {
            command::READ => BlockRequest::Read { sector, count: self.active_count.into() },
            command::WRITE => {
                let Some(memory) = context.memory.as_deref_mut() else { return };
                let bytes = usize::from(self.active_count) * SECTOR_BYTES;
                BlockRequest::Write { sector, data: gather(memory, self.active_address, bytes) }
            }
            _ => BlockRequest::Flush,
        };
        self.waits_for_bus = false;
        self.request = Request::Numbered(context.outside.block(context.at, context.owner, request));
    }

    fn completed(&mut self, result: i32, data: &[u8], context: &mut Context<'_>) {
        let at = context.at.cycles;
        if result < 0 {
            self.ends(error_of(result), 0, at);
            return;
        }
        let asked = if self.active == command::FLUSH { 0 } else { self.active_count };
        let moved = (result.unsigned_abs() as usize / SECTOR_BYTES).min(asked.into()) as u8;
        if self.active == command::READ
            && let Some(memory) = context.memory.as_deref_mut()
        {
            let bytes = (usize::from(moved) * SECTOR_BYTES).min(data.len());
            scatter(memory, self.active_address, &data[..bytes]);
        }
        self.ends(if moved == asked { error::NONE } else { error::HOST }, moved, at);
    }

    fn status(&self) -> u8 {
        flags([
            (status::BUSY, self.active != 0),
            (status::DONE, self.done),
            (status::ERROR, self.error != error::NONE),
            (status::IRQ, self.irq_since.is_some()),
        ])
    }

    fn register(&self, offset: u16) -> u8 {
        match offset {
            COMMAND => self.command,
            STATUS => self.status(),
            CONTROL => self.control,
            ERROR => self.error,
            SECTOR..ADDRESS_LOW => self.sector.to_le_bytes()[usize::from(offset - SECTOR)],
            ADDRESS_LOW => self.address.to_le_bytes()[0],
            ADDRESS_HIGH => self.address.to_le_bytes()[1],
            COUNT => self.count,
            _ => self.completed,
        }
    }
}

impl Device for Disk {
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
        let [low, high] = self.address.to_le_bytes();
        match offset {
            COMMAND => self.start(value, context),
            STATUS => self.done &= value & status::DONE == 0,
            CONTROL => self.control = value & INTERRUPT,
            SECTOR..ADDRESS_LOW => {
                let mut bytes = self.sector.to_le_bytes();
                bytes[usize::from(offset - SECTOR)] = value;
                self.sector = u32::from_le_bytes(bytes);
            }
            ADDRESS_LOW => self.address = u16::from_le_bytes([value, high]),
            ADDRESS_HIGH => self.address = u16::from_le_bytes([low, value]),
            COUNT => self.count = value,
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

    /// The registers are cleared and the command is given up: what the host still brings goes nowhere. What it has been
    /// given to write is written.
    fn reset(&mut self, _now: u64) {
        *self = Self::default();
    }

    fn deferred_call(&mut self, context: &mut Context<'_>) {
        if self.waits_for_bus {
            self.transfer(context);
        }
    }

    fn block_completed(&mut self, id: u64, result: i32, data: &[u8], context: &mut Context<'_>) {
        if self.request == Request::Numbered(id) {
            self.completed(result, data, context);
        }
    }

    fn number_request(&mut self, id: u64) {
        if self.request != Request::None {
            self.request = Request::Numbered(id);
        }
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
