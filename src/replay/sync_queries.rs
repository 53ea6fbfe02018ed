//! What the guest asks or does: interrupts, exceptions, clocks, entropy, output, audio, shutdown. Each method is told
//! the position of the asking access.

use super::table::{Action, Function};
use super::{Replay, ReplayError, ReplayMode};
use crate::bus::{Exception, Interrupt};
use crate::log::event::Event;
use crate::nondet::{AudioRead, CharId, CharWritten, ClockKind, NetId, ShutdownCause};
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::units::Position;

impl Replay {
    /// Player: whether the log has an interrupt next, here. False in the other modes, which have no log to look into.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_interrupt(&mut self, at: Position) -> Result<bool, ReplayError> {
        self.has_next(at, |event| matches!(event, Event::Interrupt(_)))
    }

    /// The CPU is about to accept an interrupt. Logged; in play true, and consumed, only when the log says so.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn interrupt(&mut self, at: Position, interrupt: Interrupt) -> Result<bool, ReplayError> {
        let mut at = at;
        if self.mode == ReplayMode::Record {
            if is_seeded(SeededFault::WakeNotLogged) && interrupt == Interrupt::Wake {
                return Ok(true);
            }
            at.icount += u64::from(is_seeded(SeededFault::LateInterrupt));
        }
        self.pass(Function::Interrupt, at, Event::Interrupt(interrupt))
    }

    /// Player: whether the log has an exception next, here. False in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_exception(&mut self, at: Position) -> Result<bool, ReplayError> {
        self.has_next(at, |event| matches!(event, Event::Exception(_)))
    }

    /// A synchronous exception of the CPU; see [`interrupt`](Replay::interrupt).
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn exception(&mut self, at: Position, exception: Exception) -> Result<bool, ReplayError> {
        self.pass(Function::Exception, at, Event::Exception(exception))
    }

    /// Reads a host clock, in nanoseconds: every read is logged. In play the logged value if that clock is next,
    /// else the last value of that kind.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn clock(
        &mut self,
        at: Position,
        kind: ClockKind,
        read_host: impl FnOnce() -> i64,
    ) -> Result<i64, ReplayError> {
        let last = self.cached_clocks[kind as usize];
        if is_seeded(SeededFault::UnloggedClock) && self.mode == ReplayMode::Record {
            return Ok(read_host());
        }
        if self.action(Function::Clock) == Action::AnswerFromLogOrLast && !self.has_clock(at, kind)? {
            return Ok(last);
        }
        let value = self.answer(
            Function::Clock,
            at,
            read_host,
            |&value| Event::Clock { kind, value },
            |event| match event {
                Event::Clock { value, .. } => Some(*value),
                _ => None,
            },
            || format!("a read of the {kind} clock"),
        )?;
        self.cached_clocks[kind as usize] = value;
        if is_seeded(SeededFault::StaleClock) && self.mode == ReplayMode::Play {
            return Ok(last);
        }
        Ok(value)
    }

    /// Whether the log has a read of that clock next, here. True in the other modes.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn has_clock(&mut self, at: Position, wanted: ClockKind) -> Result<bool, ReplayError> {
        self.next_here(at, |event| matches!(event, Event::Clock { kind, .. } if *kind == wanted))
    }

    /// Fills `buffer` from the host's entropy and returns the host call's return code.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when no read of this length is next.
    pub fn random(
        &mut self,
        at: Position,
        buffer: &mut [u8],
        read_host: impl FnOnce(&mut [u8]) -> i32,
    ) -> Result<i32, ReplayError> {
        let length = buffer.len();
        let (result, bytes) = self.answer(
            Function::Random,
            at,
            || {
                let mut bytes = vec![0; length];
                (read_host(&mut bytes), bytes)
            },
            |(result, bytes)| Event::Random { result: *result, bytes: bytes.clone() },
            |event| match event {
                Event::Random { result, bytes } if bytes.len() == length => Some((*result, bytes.clone())),
                _ => None,
            },
            || format!("a request for {length} random bytes"),
        )?;
        buffer.copy_from_slice(&bytes);
        Ok(result)
    }

    /// Sends bytes of a character device to its host and returns the host's result, which may be partial or an error.
    /// The bytes are logged too, so that a recording has its transcript.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when these bytes are not what the log has next.
    pub fn char_write(
        &mut self,
        at: Position,
        device: CharId,
        bytes: &[u8],
        write_host: impl FnOnce(&[u8]) -> CharWritten,
    ) -> Result<CharWritten, ReplayError> {
        self.answer(
            Function::CharWrite,
            at,
            || write_host(bytes),
            |&written| Event::CharWrite { device, bytes: bytes.to_vec(), written },
            |event| match event {
                Event::CharWrite { device: of, bytes: logged, written }
                    if *of == device && logged == bytes =>
                {
                    Some(*written)
                }
                _ => None,
            },
            || format!("char_write of {:?} by device {}", bytes.escape_ascii().to_string(), device.0),
        )
    }

    /// Fills `buffer` from the host side of a character device, at once: the number of bytes, or a negative errno.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when the log has no such read next, or one of more
    /// bytes than `buffer` has.
    pub fn char_read_all(
        &mut self,
        at: Position,
        device: CharId,
        buffer: &mut [u8],
        read_host: impl FnOnce(&mut [u8]) -> i32,
    ) -> Result<i32, ReplayError> {
        let room = buffer.len();
        let read = self.answer(
            Function::CharReadAll,
            at,
            || {
                let mut bytes = vec![0; room];
                let result = read_host(&mut bytes);
                usize::try_from(result).map_err(|_| result).map(|count| {
                    bytes.truncate(count);
                    bytes
                })
            },
            |read| match read {
                Ok(bytes) => Event::CharReadAll { device, bytes: bytes.clone() },
                Err(error) => Event::CharReadAllError { device, error: *error },
            },
            |event| match event {
                Event::CharReadAll { device: of, bytes } if *of == device && bytes.len() <= room => {
                    Some(Ok(bytes.clone()))
                }
                Event::CharReadAllError { device: of, error } if *of == device && *error < 0 => {
                    Some(Err(*error))
                }
                _ => None,
            },
            || format!("char_read_all of up to {room} bytes by device {}", device.0),
        )?;
        Ok(match read {
            Ok(bytes) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                bytes.len() as i32
            }
            Err(error) => error,
        })
    }

    /// A packet from the guest. The host gets it, except in play; nothing comes back, so nothing is logged.
    pub fn net_send(&mut self, device: NetId, send_host: impl FnOnce()) {
        if self.action(Function::NetSend) == Action::AskHost && self.has_net(device) {
            send_host();
        }
    }

    /// Plays sound, and returns the number of frames that the host took of those that are offered.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when it has no such event next, or one of more
    /// frames than are offered: no host takes what it was not given.
    pub fn audio_out(
        &mut self,
        at: Position,
        offered: u32,
        play_host: impl FnOnce() -> u32,
    ) -> Result<u32, ReplayError> {
        self.answer(
            Function::AudioOut,
            at,
            play_host,
            |&frames| Event::AudioOut { frames },
            |event| match event {
                Event::AudioOut { frames } if *frames <= offered => Some(*frames),
                _ => None,
            },
            || format!("audio_out of {offered} frames"),
        )
    }

    /// Records sound into `samples`. The samples that were recorded and the write position are logged.
    ///
    /// # Errors
    /// When the log cannot be written or read; in play a divergence when it has no such event next, or one of more
    /// samples than there is room for.
    pub fn audio_in(
        &mut self,
        at: Position,
        samples: &mut [i16],
        record_host: impl FnOnce(&mut [i16]) -> AudioRead,
    ) -> Result<AudioRead, ReplayError> {
        let room = samples.len();
        let (read, heard) = self.answer(
            Function::AudioIn,
            at,
            || {
                let mut heard = vec![0; room];
                let read = record_host(&mut heard);
                heard.truncate(read.recorded as usize);
                (AudioRead { recorded: heard.len() as u32, ..read }, heard)
            },
            |(read, heard)| Event::AudioIn {
                recorded: read.recorded,
                samples: heard.clone(),
                write_position: read.write_position,
            },
            |event| match event {
                Event::AudioIn { recorded, samples, write_position }
                    if samples.len() <= room && *recorded as usize <= room =>
                {
                    let read = AudioRead { recorded: *recorded, write_position: *write_position };
                    Some((read, samples.clone()))
                }
                _ => None,
            },
            || format!("audio_in of up to {room} samples"),
        )?;
        samples[..heard.len()].copy_from_slice(&heard);
        Ok(read)
    }

    /// Asks for a shutdown. In none and record it acts (true); in record it is logged first. In play a request of the
    /// guest acts when the log has it next, a request of the host is ignored: see
    /// [`logged_shutdown`](Replay::logged_shutdown).
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn shutdown_request(&mut self, at: Position, cause: ShutdownCause) -> Result<bool, ReplayError> {
        let function = if cause.is_of_guest() { Function::GuestShutdown } else { Function::HostShutdown };
        let acts = self.pass(function, at, Event::Shutdown(cause))?;
        self.shutdown_logged |= acts;
        Ok(acts)
    }

    // ---- the rules of the table ----

    pub(super) fn action(&self, function: Function) -> Action {
        function.action(self.mode)
    }

    /// What the mode table says of events that carry no answer.
    pub(super) fn pass(
        &mut self,
        function: Function,
        at: Position,
        event: Event,
    ) -> Result<bool, ReplayError> {
        match self.action(function) {
            Action::Pass => Ok(true),
            Action::LogAndPass => {
                self.log(at, event)?;
                Ok(true)
            }
            Action::PassIfNext => {
                let next = self.next_here(at, |logged| *logged == event)?;
                if next {
                    self.consume()?;
                }
                Ok(next)
            }
            _ => Ok(false),
        }
    }

    /// What the mode table says of questions: they are asked of the host, or answered by the log.
    fn answer<T>(
        &mut self,
        function: Function,
        at: Position,
        ask_host: impl FnOnce() -> T,
        to_log: impl FnOnce(&T) -> Event,
        from_log: impl FnOnce(&Event) -> Option<T>,
        question: impl FnOnce() -> String,
    ) -> Result<T, ReplayError> {
        match self.action(function) {
            Action::AskHost => Ok(ask_host()),
            Action::AskHostAndLog => {
                let answer = ask_host();
                self.log(at, to_log(&answer))?;
                Ok(answer)
            }
            _ => {
                let next = self.peek()?.filter(|next| next.position == at);
                match next.and_then(|next| from_log(&next.event)) {
                    Some(answer) => {
                        self.consume()?;
                        Ok(answer)
                    }
                    None => Err(self.unexpected(at, question())),
                }
            }
        }
    }
}
