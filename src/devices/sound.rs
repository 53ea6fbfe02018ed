//! Sound: a FIFO of samples that are played, and one of samples that were recorded. A design of our own.
//!
//! 16 bits signed, one channel. Sound goes to the host and comes from it in batches of [`BATCH`] frames, on the CPU's
//! clock: a batch lasts `BATCH * clock_hz / rate` cycles, exactly on average. What the host answers shows at the *end* of
//! the batch: the frames that it took were being played meanwhile, and only then their places are free; what it recorded
//! was arriving. So the guest's view changes at cycles that are known beforehand, whoever looks.

use std::collections::VecDeque;

use super::{Context, Device, QuietRead, flags};
use crate::persist::PersistError;

/// The name in board files.
pub const KIND: &str = "sound";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &[];

/// [`control`] bits.
pub const CONTROL: u16 = 0;
/// [`status`] bits; those of [`status::STICKY`] that are written as 1 are cleared.
pub const STATUS: u16 = 1;
/// Frames a second, low byte: held until [`RATE_HIGH`] is written.
pub const RATE_LOW: u16 = 2;
/// Frames a second, high byte; takes both, brought into [`RATES`].
pub const RATE_HIGH: u16 = 3;
/// Low byte of a frame to play: held until [`OUT_HIGH`] is written, and beyond.
pub const OUT_LOW: u16 = 4;
/// High byte of a frame to play; puts both into the FIFO.
pub const OUT_HIGH: u16 = 5;
/// Free places in the output FIFO, low byte; holds the high byte for [`SPACE_HIGH`].
pub const SPACE_LOW: u16 = 6;
/// The high byte, as of the last read of [`SPACE_LOW`].
pub const SPACE_HIGH: u16 = 7;
/// How many places must be free for [`status::SPACE`]; 0 stands for 256.
pub const SPACE_THRESHOLD: u16 = 8;
/// How many frames must have been recorded for [`status::LEVEL`]; 0 stands for 256.
pub const LEVEL_THRESHOLD: u16 = 9;
/// Low byte of the oldest recorded frame; 0 when there is none.
pub const IN_LOW: u16 = 10;
/// High byte of the oldest recorded frame, which a read takes away; 0 when there is none.
pub const IN_HIGH: u16 = 11;
/// Recorded frames, low byte; holds the high byte for [`LEVEL_HIGH`].
pub const LEVEL_LOW: u16 = 12;
/// The high byte, as of the last read of [`LEVEL_LOW`].
pub const LEVEL_HIGH: u16 = 13;
/// How many frames of the last batch the host took.
pub const TAKEN: u16 = 14;
/// How many frames the host recorded for the last batch.
pub const RECORDED: u16 = 15;

/// Bits of [`CONTROL`].
pub mod control {
    /// Plays what is in the output FIFO.
    pub const PLAY: u8 = 0x01;
    /// Records.
    pub const RECORD: u8 = 0x02;
    /// Interrupts while [`status::SPACE`](super::status::SPACE) is set.
    pub const SPACE_INTERRUPT: u8 = 0x04;
    /// Interrupts while [`status::LEVEL`](super::status::LEVEL) is set.
    pub const LEVEL_INTERRUPT: u8 = 0x08;
    /// Written as 1: empties the output FIFO. Reads as 0.
    pub const CLEAR_OUT: u8 = 0x40;
    /// Written as 1: empties the input FIFO. Reads as 0.
    pub const CLEAR_IN: u8 = 0x80;
    /// The bits that stay.
    pub(super) const KEPT: u8 = PLAY | RECORD | SPACE_INTERRUPT | LEVEL_INTERRUPT;
}

/// Bits of [`STATUS`].
pub mod status {
    /// At least as many places are free as the threshold says.
    pub const SPACE: u8 = 0x01;
    /// At least as many frames are recorded as the threshold says.
    pub const LEVEL: u8 = 0x02;
    /// A batch began for which there were too few frames.
    pub const UNDERRUN: u8 = 0x04;
    /// A frame was written into a full output FIFO, and lost.
    pub const OUT_OVERRUN: u8 = 0x08;
    /// A recorded frame found the input FIFO full, and was lost.
    pub const IN_OVERRUN: u8 = 0x10;
    /// Batches are being played.
    pub const PLAYING: u8 = 0x20;
    /// The interrupt line is held.
    pub const IRQ: u8 = 0x80;
    /// The bits that stay until they are cleared.
    pub const STICKY: u8 = UNDERRUN | OUT_OVERRUN | IN_OVERRUN;
}

/// Frames that each FIFO holds.
pub const FIFO_FRAMES: usize = 256;
/// Frames that go to the host, or come from it, at once.
pub const BATCH: usize = 32;
/// The rates that there are, in Hz.
pub const RATES: std::ops::RangeInclusive<u16> = 1000..=48000;

/// The rate at power-on, in Hz.
const RATE_AT_POWER_ON: u16 = 8000;
const BATCH_BYTES: usize = 2 * BATCH;
const FIFO_BYTES: usize = 2 * FIFO_FRAMES;
/// Batches that are done one after the other when time has passed without a look. A machine never lets more than a few
/// pass; a saved state that claims a time long gone must not keep it busy.
const LATE_MAX: u32 = 16;

/// The sound device has no options.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The sound device.
#[derive(Clone, Debug)]
pub struct Sound {
    registers: Registers,
    play: Play,
    record: Record,
}

#[derive(Clone, Debug)]
struct Registers {
    control: u8,
    /// The sticky bits of the status.
    flags: u8,
    rate: u16,
    rate_latch: u8,
    out_latch: u8,
    space_high: u8,
    level_high: u8,
    space_threshold: u8,
    level_threshold: u8,
    /// The cycle since which the interrupt line is held.
    irq_since: Option<u64>,
}

persist!(Registers {
    control,
    flags,
    rate,
    rate_latch,
    out_latch,
    space_high,
    level_high,
    space_threshold,
    level_threshold,
    irq_since,
});

#[derive(Clone, Debug, Default)]
struct Play {
    /// Frames that are not free yet, two bytes each, low first: the running batch and what waits after it.
    out_fifo: VecDeque<u8>,
    /// How many frames of the running batch the host took.
    out_playing: u8,
    /// As the register shows it.
    taken: u8,
    /// When the running batch ends and the next one begins; `None` while nothing is played.
    out_due: Option<u64>,
    /// What the end of the batch is later than that cycle, in parts of a cycle, as many as the rate has Hz.
    out_fraction: u16,
}

persist!(Play { out_fifo, out_playing, taken, out_due, out_fraction });

#[derive(Clone, Debug, Default)]
struct Record {
    /// Frames to be read, two bytes each, low first.
    in_fifo: VecDeque<u8>,
    /// The frames that the host has recorded for the running batch.
    in_arriving: Vec<u8>,
    /// As the register shows it.
    recorded: u8,
    /// When the running batch ends and the next one begins; `None` while nothing is recorded.
    in_due: Option<u64>,
    in_fraction: u16,
}

persist!(Record { in_fifo, in_arriving, recorded, in_due, in_fraction });

persist_parts!(Sound { registers, play, record } checked by restored);

/// Whom a batch goes to.
enum Host<'a, 'b> {
    Outside(&'a mut Context<'b>),
    /// For a look ahead: it takes everything and records nothing.
    Guess {
        clock_hz: u64,
    },
}

impl Host<'_, '_> {
    fn clock_hz(&self) -> u64 {
        match self {
            Self::Outside(context) => context.clock_hz,
            Self::Guess { clock_hz } => *clock_hz,
        }
    }

    /// How many of the frames the host takes, at most all.
    fn play(&mut self, samples: &[i16]) -> u8 {
        let taken = match self {
            Self::Outside(context) => context.outside.audio_out(context.at, samples) as usize,
            Self::Guess { .. } => samples.len(),
        };
        taken.min(samples.len()) as u8
    }

    fn record(&mut self) -> Vec<u8> {
        let mut samples = [0_i16; BATCH];
        let recorded = match self {
            Self::Outside(context) => context.outside.audio_in(context.at, &mut samples).recorded as usize,
            Self::Guess { .. } => 0,
        };
        samples[..recorded.min(BATCH)].iter().flat_map(|sample| sample.to_le_bytes()).collect()
    }
}

/// The end of a batch that begins `fraction` parts after cycle `begin`: its cycle, and the parts left over.
fn batch_end(begin: u64, fraction: u16, rate: u16, clock_hz: u64) -> (u64, u16) {
    let rate = u128::from(rate.clamp(*RATES.start(), *RATES.end()));
    let parts = BATCH as u128 * u128::from(clock_hz) + u128::from(fraction);
    let cycles = u64::try_from(parts / rate).unwrap_or(u64::MAX);
    (begin.saturating_add(cycles.max(1)), (parts % rate) as u16)
}

/// What a threshold register means.
fn threshold(register: u8) -> usize {
    if register == 0 { FIFO_FRAMES } else { register.into() }
}

impl Sound {
    /// Silence, at 8000 Hz.
    pub fn new(_config: Config) -> Self {
        let registers = Registers {
            control: 0,
            flags: 0,
            rate: RATE_AT_POWER_ON,
            rate_latch: 0,
            out_latch: 0,
            space_high: 0,
            level_high: 0,
            space_threshold: 128,
            level_threshold: BATCH as u8,
            irq_since: None,
        };
        Self { registers, play: Play::default(), record: Record::default() }
    }

    fn restored(&mut self) -> Result<(), PersistError> {
        let fits = |bytes: usize, most: usize| bytes <= most && bytes.is_multiple_of(2);
        let (play, record) = (&self.play, &self.record);
        let checks = [
            (RATES.contains(&self.registers.rate), "rate"),
            (fits(play.out_fifo.len(), FIFO_BYTES), "out_fifo"),
            (usize::from(play.out_playing) <= BATCH.min(play.out_fifo.len() / 2), "out_playing"),
            (fits(record.in_fifo.len(), FIFO_BYTES), "in_fifo"),
            (fits(record.in_arriving.len(), BATCH_BYTES), "in_arriving"),
        ];
        match checks.iter().find(|(right, _)| !right) {
            Some(&(_, field)) => Err(PersistError::Invalid(field)),
            None => Ok(()),
        }
    }

    // ---- what the registers show ----

    fn space(&self) -> usize {
        FIFO_FRAMES - self.play.out_fifo.len() / 2
    }

    fn level(&self) -> usize {
        self.record.in_fifo.len() / 2
    }

    fn status(&self) -> u8 {
        self.registers.flags
            | flags([
                (status::SPACE, self.space() >= threshold(self.registers.space_threshold)),
                (status::LEVEL, self.level() >= threshold(self.registers.level_threshold)),
                (status::PLAYING, self.play.out_due.is_some()),
                (status::IRQ, self.registers.irq_since.is_some()),
            ])
    }

    /// Works the interrupt line out again, after something has changed in cycle `at`.
    fn drive_line(&mut self, at: u64) {
        let (control, status) = (self.registers.control, self.status());
        let space = control & control::SPACE_INTERRUPT != 0 && status & status::SPACE != 0;
        let level = control & control::LEVEL_INTERRUPT != 0 && status & status::LEVEL != 0;
        let since = self.registers.irq_since;
        self.registers.irq_since = (space || level).then(|| since.unwrap_or(at));
    }

    /// A register as a read gives it, without the read's side effect.
    fn register(&self, offset: u16) -> u8 {
        let registers = &self.registers;
        let arrived = |index: usize| self.record.in_fifo.get(index).copied().unwrap_or(0);
        match offset {
            CONTROL => registers.control,
            STATUS => self.status(),
            RATE_LOW => registers.rate.to_le_bytes()[0],
            RATE_HIGH => registers.rate.to_le_bytes()[1],
            OUT_LOW => registers.out_latch,
            SPACE_LOW => self.space() as u8,
            SPACE_HIGH => registers.space_high,
            SPACE_THRESHOLD => registers.space_threshold,
            LEVEL_THRESHOLD => registers.level_threshold,
            IN_LOW => arrived(0),
            IN_HIGH => arrived(1),
            LEVEL_LOW => self.level() as u8,
            LEVEL_HIGH => registers.level_high,
            TAKEN => self.play.taken,
            RECORDED => self.record.recorded,
            _ => 0,
        }
    }

    // ---- what happens by itself ----

    /// Does what is due by `now`, in order of time; of two batches that end in one cycle the played one first.
    fn advance(&mut self, now: u64, host: &mut Host<'_, '_>) {
        for _ in 0..LATE_MAX {
            let Some(due) = self.next_timer().filter(|&due| due <= now) else { return };
            if self.play.out_due == Some(due) {
                self.end_played_batch(due, host);
            } else {
                self.end_recorded_batch(due, host);
            }
            self.drive_line(due);
        }
        for due in [&mut self.play.out_due, &mut self.record.in_due].into_iter().flatten() {
            *due = (*due).max(now.saturating_add(1));
        }
    }

    fn end_played_batch(&mut self, due: u64, host: &mut Host<'_, '_>) {
        self.free_played();
        let waiting = self.play.out_fifo.len() / 2;
        if waiting < BATCH {
            self.registers.flags |= status::UNDERRUN;
        }
        if waiting == 0 {
            self.play.out_due = None;
            self.play.out_fraction = 0;
            return;
        }
        let (low, high) =
            (self.play.out_fifo.iter().step_by(2), self.play.out_fifo.iter().skip(1).step_by(2));
        let samples: Vec<i16> =
            low.zip(high).take(BATCH).map(|(&low, &high)| i16::from_le_bytes([low, high])).collect();
        self.play.out_playing = host.play(&samples);
        let (end, fraction) = batch_end(due, self.play.out_fraction, self.registers.rate, host.clock_hz());
        (self.play.out_due, self.play.out_fraction) = (Some(end), fraction);
    }

    /// What the host took has been played: its places are free.
    fn free_played(&mut self) {
        self.play.taken = std::mem::take(&mut self.play.out_playing);
        self.play.out_fifo.drain(..2 * usize::from(self.play.taken));
    }

    fn end_recorded_batch(&mut self, due: u64, host: &mut Host<'_, '_>) {
        let arriving = std::mem::take(&mut self.record.in_arriving);
        self.record.recorded = (arriving.len() / 2) as u8;
        let fit = arriving.len().min(FIFO_BYTES - self.record.in_fifo.len());
        if fit < arriving.len() {
            self.registers.flags |= status::IN_OVERRUN;
        }
        self.record.in_fifo.extend(&arriving[..fit]);
        self.begin_recorded_batch(due, host);
    }

    fn begin_recorded_batch(&mut self, at: u64, host: &mut Host<'_, '_>) {
        self.record.in_arriving = host.record();
        let (end, fraction) = batch_end(at, self.record.in_fraction, self.registers.rate, host.clock_hz());
        (self.record.in_due, self.record.in_fraction) = (Some(end), fraction);
    }

    // ---- accesses ----

    fn write_control(&mut self, value: u8, context: &mut Context<'_>) {
        self.registers.control = value & control::KEPT;
        if value & control::CLEAR_OUT != 0 {
            self.play.out_fifo.clear();
            self.play.out_playing = 0;
        }
        if value & control::CLEAR_IN != 0 {
            self.record.in_fifo.clear();
        }
        if value & control::PLAY == 0 && self.play.out_due.is_some() {
            self.free_played();
            self.play.out_due = None;
            self.play.out_fraction = 0;
        }
        self.start_playing(context);
        if value & control::RECORD == 0 {
            self.record.in_arriving.clear();
            self.record.in_due = None;
            self.record.in_fraction = 0;
        } else if self.record.in_due.is_none() {
            self.begin_recorded_batch(context.at.cycles, &mut Host::Outside(context));
        }
    }

    /// With the first frame the first batch is on its way: it goes to the host when there was time to write all of it.
    fn start_playing(&mut self, context: &Context<'_>) {
        let ready = self.registers.control & control::PLAY != 0 && !self.play.out_fifo.is_empty();
        if ready && self.play.out_due.is_none() {
            let (begin, fraction) = batch_end(context.at.cycles, 0, self.registers.rate, context.clock_hz);
            (self.play.out_due, self.play.out_fraction) = (Some(begin), fraction);
        }
    }

    fn write_rate(&mut self, high: u8) {
        let rate = u16::from_le_bytes([self.registers.rate_latch, high]);
        self.registers.rate = rate.clamp(*RATES.start(), *RATES.end());
        // Parts of a cycle at the old rate mean nothing at the new one.
        self.play.out_fraction = 0;
        self.record.in_fraction = 0;
    }

    fn write_frame(&mut self, high: u8, context: &Context<'_>) {
        if self.space() == 0 {
            self.registers.flags |= status::OUT_OVERRUN;
            return;
        }
        self.play.out_fifo.extend([self.registers.out_latch, high]);
        self.start_playing(context);
    }
}

impl Device for Sound {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        16
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        let value = self.register(offset);
        match offset {
            SPACE_LOW => self.registers.space_high = self.space().to_le_bytes()[1],
            LEVEL_LOW => self.registers.level_high = self.level().to_le_bytes()[1],
            IN_HIGH => {
                self.record.in_fifo.drain(..self.record.in_fifo.len().min(2));
                self.drive_line(now);
            }
            _ => {}
        }
        value
    }

    fn quiet_read(&self, offset: u16, now: u64) -> Option<QuietRead> {
        let until = self.next_timer().unwrap_or(u64::MAX);
        (offset == STATUS && now < until).then(|| QuietRead { value: self.status(), until })
    }

    fn write(&mut self, offset: u16, value: u8, context: &mut Context<'_>) {
        let now = context.at.cycles;
        self.advance(now, &mut Host::Outside(context));
        match offset {
            CONTROL => self.write_control(value, context),
            STATUS => self.registers.flags &= !value,
            RATE_LOW => self.registers.rate_latch = value,
            RATE_HIGH => self.write_rate(value),
            OUT_LOW => self.registers.out_latch = value,
            OUT_HIGH => self.write_frame(value, context),
            SPACE_THRESHOLD => self.registers.space_threshold = value,
            LEVEL_THRESHOLD => self.registers.level_threshold = value,
            _ => {}
        }
        self.drive_line(now);
    }

    /// Where a batch ends that began before `now` and nobody has run yet, the host is taken to take all of it.
    fn peek(&self, offset: u16, now: u64) -> u8 {
        let mut later = self.clone();
        // The length of batches beyond the running one is not known here; the longest does.
        later.advance(now, &mut Host::Guess { clock_hz: u64::MAX });
        later.register(offset)
    }

    fn next_timer(&self) -> Option<u64> {
        match (self.play.out_due, self.record.in_due) {
            (Some(play), Some(record)) => Some(play.min(record)),
            (play, record) => play.or(record),
        }
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        self.advance(context.at.cycles, &mut Host::Outside(context));
    }

    /// Everything that changes by itself is due by `next_timer`.
    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        self.registers.irq_since
    }

    /// Of the batches on their way: what the host has taken of one, and recorded for the other, is known from their beginning.
    fn next_irq(&self) -> Option<u64> {
        if self.registers.irq_since.is_some() {
            return None;
        }
        let control = self.registers.control;
        let space = self.space() + usize::from(self.play.out_playing);
        let played = self.play.out_due.filter(|_| {
            control & control::SPACE_INTERRUPT != 0 && space >= threshold(self.registers.space_threshold)
        });
        let level = (self.level() + self.record.in_arriving.len() / 2).min(FIFO_FRAMES);
        let recorded = self.record.in_due.filter(|_| {
            control & control::LEVEL_INTERRUPT != 0 && level >= threshold(self.registers.level_threshold)
        });
        played.into_iter().chain(recorded).min()
    }

    /// As at power-on: what was not handed to the host is lost.
    fn reset(&mut self, _now: u64) {
        *self = Self::new(Config {});
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
