//! The same questions to the state machine and to its model.

use super::replay_api::ReplayOperation;
use super::replay_model::{Answer, Model};
use rreplay::bus::{Exception, Interrupt};
use rreplay::events::{AsyncEvent, Checkpoint, Delivery, InputEvent};
use rreplay::log::Event;
use rreplay::nondet::{AudioRead, BlockResult, CharId, CharWritten, ClockKind, NetId, Owner, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::replay::{Replay, ReplayError, ReplayMode};
use rreplay::units::Position;

/// Who can be asked. Each function takes what the host would answer.
pub(super) trait Functions {
    fn mode(&self) -> ReplayMode;
    /// The guest has come to this position.
    fn account(&mut self, to: Position) -> Answer;
    /// A question of the guest at a position.
    fn guest(&mut self, at: Position, question: &Question) -> Answer;
    /// A call of the loop.
    fn of_loop(&mut self, call: &Call) -> Answer;
}

/// What a guest asks, with the host's answer.
#[derive(Clone, Debug)]
pub(super) enum Question {
    Interrupt(Interrupt),
    HasInterrupt,
    Exception(Exception),
    HasException,
    Clock(ClockKind, i64),
    HasClock(ClockKind),
    Random(Vec<u8>, i32),
    CharWrite(CharId, Vec<u8>, CharWritten),
    /// The room, and the host's result.
    CharReadAll(CharId, usize, i32),
    NetSend(NetId),
    AudioOut(u32),
    /// The room, and what the host records.
    AudioIn(usize, AudioRead),
    Shutdown(ShutdownCause),
    Call(bool, Owner),
    NextBlock(Owner),
}

/// What the loop does.
#[derive(Clone, Debug)]
pub(super) enum Call {
    HostShutdown(ShutdownCause),
    LoggedShutdown,
    Checkpoint(Checkpoint),
    HasCheckpoint(Checkpoint),
    Arrives(AsyncEvent),
    Block(u64, i32, Vec<u8>),
    RegisterNet,
    UnregisterNet(NetId),
    Flush,
    Enable,
    /// Returns what the flush before it delivers.
    Disable,
    Keep(Digest),
    RequestSnapshot,
    CanSnapshot,
    Break(Option<u64>),
    TakeBreak,
    UntilNext,
    NextStop,
    AtEnd,
}

/// Bytes that a host reads.
fn host_bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| at as u8 ^ 0x5A).collect()
}

/// Samples that a host records.
fn host_samples(count: usize) -> Vec<i16> {
    (0..count).map(|at| at as i16 * -7).collect()
}

/// Who asks: where the guest is, and the hash of all that it was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asking {
    now: Position,
    machine: u64,
    nets: u16,
    blocks: u64,
}

impl Asking {
    /// What a digest has of the machine.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.machine.to_le_bytes())
    }

    /// Asks, and takes in the answer.
    pub fn ask(&mut self, functions: &mut dyn Functions, operation: ReplayOperation) -> Answer {
        if let ReplayOperation::Go(instructions, cycles) = operation {
            let instructions = u64::from(instructions % 16);
            self.now.icount += instructions;
            self.now.cycles += u64::from(cycles).max(instructions);
            return Answer::Nothing;
        }
        if operation == ReplayOperation::Save {
            return functions.account(self.now);
        }
        let answer = match self.question(operation) {
            Some(question) => {
                let answer = functions.guest(self.now, &question);
                if matches!(question, Question::Call(..) | Question::NextBlock(_)) {
                    // Nothing of it is logged: the loop comes later.
                    self.now.cycles += 1;
                }
                self.blocks += u64::from(matches!(question, Question::NextBlock(_)));
                answer
            }
            None => {
                let Some(call) = self.call(operation) else { return Answer::Nothing };
                self.of_loop(functions, &call)
            }
        };
        self.learn(operation, &answer);
        answer
    }

    fn of_loop(&mut self, functions: &mut dyn Functions, call: &Call) -> Answer {
        if matches!(call, Call::Enable | Call::Disable) {
            // What happens unlogged is apart from what is logged.
            self.now.cycles += 1;
        }
        let accounted = functions.account(self.now);
        if accounted != Answer::Nothing {
            return accounted;
        }
        self.nets += u16::from(matches!(call, Call::RegisterNet));
        let answer = functions.of_loop(call);
        if matches!((call, &answer), (Call::Block(..), Answer::GivenBack(Some(_)))) {
            self.now.cycles += 1;
        }
        match (call, &answer) {
            // In play the host's own request is dropped, and the log's comes at the same place.
            (Call::HostShutdown(_), Answer::Flag(false)) => {
                let logged = functions.of_loop(&Call::LoggedShutdown);
                match logged {
                    Answer::Cause(cause) => Answer::Flag(cause.is_some()),
                    other => other,
                }
            }
            _ => answer,
        }
    }

    /// What the machine is told goes into its state; what it only may look at does not.
    fn learn(&mut self, operation: ReplayOperation, answer: &Answer) {
        use ReplayOperation as Op;
        let text = match (operation, answer) {
            (
                Op::Interrupt(_)
                | Op::Exception(_)
                | Op::Clock(..)
                | Op::Random(..)
                | Op::CharWrite(..)
                | Op::CharReadAll(..)
                | Op::AudioOut(_)
                | Op::AudioIn(..)
                | Op::GuestShutdown(_)
                | Op::HostShutdown(_)
                | Op::Checkpoint(_)
                | Op::Bh(..),
                answer,
            ) => format!("{answer:?}"),
            (_, Answer::Delivered(deliveries)) => {
                // One by one: they may come in one flush or in two.
                deliveries.iter().for_each(|delivery| self.fold(&format!("{delivery:?}")));
                return;
            }
            _ => return,
        };
        self.fold(&text);
    }

    fn fold(&mut self, text: &str) {
        for byte in text.bytes() {
            self.machine = (self.machine ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn question(&self, operation: ReplayOperation) -> Option<Question> {
        use ReplayOperation as Op;
        let clock = |host: bool| if host { ClockKind::Host } else { ClockKind::VirtualRt };
        Some(match operation {
            Op::Interrupt(which) => Question::Interrupt(one_of(Interrupt::ALL, which)),
            Op::HasInterrupt => Question::HasInterrupt,
            Op::Exception(which) => Question::Exception(one_of(Exception::ALL, which)),
            Op::HasException => Question::HasException,
            Op::Clock(host, value) => Question::Clock(clock(host), value),
            Op::HasClock(host) => Question::HasClock(clock(host)),
            Op::Random(count, result) => Question::Random(host_bytes((count % 9).into()), result),
            Op::CharWrite(count, result, offset) => {
                let device = CharId((count % 3).into());
                Question::CharWrite(device, host_bytes((count % 9).into()), CharWritten { result, offset })
            }
            Op::CharReadAll(device, room, result) => {
                let result = if result < 0 { result } else { result % 12 };
                Question::CharReadAll(CharId((device % 3).into()), (room % 9).into(), result)
            }
            Op::NetSend(device) => Question::NetSend(NetId((device % 3).into())),
            Op::AudioOut(frames) => Question::AudioOut(frames),
            Op::AudioIn(room, recorded, write_position) => {
                let read = AudioRead { recorded: (recorded % 12).into(), write_position };
                Question::AudioIn((room % 9).into(), read)
            }
            Op::GuestShutdown(which) => Question::Shutdown(one_of(
                &[ShutdownCause::GuestShutdown, ShutdownCause::GuestReset, ShutdownCause::GuestPanic],
                which,
            )),
            Op::Bh(oneshot, owner) => Question::Call(oneshot, Owner((owner % 3).into())),
            Op::NextBlock(owner) => Question::NextBlock(Owner((owner % 3).into())),
            _ => return None,
        })
    }

    fn call(&self, operation: ReplayOperation) -> Option<Call> {
        use ReplayOperation as Op;
        let net = |device: u8| u16::from(device) % (self.nets + 1);
        Some(match operation {
            Op::HostShutdown(which) => Call::HostShutdown(one_of(
                &[ShutdownCause::HostQuit, ShutdownCause::HostReset, ShutdownCause::SnapshotLoad],
                which,
            )),
            Op::LoggedShutdown => Call::LoggedShutdown,
            Op::Checkpoint(which) => Call::Checkpoint(one_of(Checkpoint::ALL, which)),
            Op::HasCheckpoint(which) => Call::HasCheckpoint(one_of(Checkpoint::ALL, which)),
            Op::Input(axis, value) => Call::Arrives(AsyncEvent::Input(InputEvent::Rel { axis, value })),
            Op::InputSync => Call::Arrives(AsyncEvent::InputSync),
            Op::CharRead(device, count) => Call::Arrives(AsyncEvent::CharRead {
                device: CharId((device % 3).into()),
                bytes: host_bytes((count % 9).into()),
            }),
            Op::NetPacket(device, count) => Call::Arrives(AsyncEvent::Net {
                device: net(device),
                flags: count.into(),
                bytes: host_bytes((count % 9).into()),
            }),
            Op::RegisterNet => Call::RegisterNet,
            Op::UnregisterNet(device) => Call::UnregisterNet(NetId(net(device))),
            Op::Block(id, result, count) => {
                Call::Block(u64::from(id) % (self.blocks + 1), result, host_bytes((count % 9).into()))
            }
            Op::Flush => Call::Flush,
            Op::EnableEvents => Call::Enable,
            Op::DisableEvents => Call::Disable,
            Op::Keep => Call::Keep(self.hash()),
            Op::RequestSnapshot => Call::RequestSnapshot,
            Op::CanSnapshot => Call::CanSnapshot,
            Op::BreakAt(distance) => {
                Call::Break(distance.map(|distance| self.now.icount + u64::from(distance)))
            }
            Op::TakeBreak => Call::TakeBreak,
            Op::UntilNext => Call::UntilNext,
            Op::NextStop => Call::NextStop,
            Op::AtEnd => Call::AtEnd,
            _ => return None,
        })
    }
}

fn one_of<T: Copy>(all: &[T], which: u8) -> T {
    all[usize::from(which) % all.len()]
}

/// A player that asks the host gets this wrong.
fn host<T>(mode: ReplayMode, asked: &mut bool, answer: T) -> T {
    *asked |= mode == ReplayMode::Play;
    answer
}

fn answer<T>(result: Result<T, ReplayError>, ok: impl FnOnce(T) -> Answer) -> Answer {
    match result {
        Ok(value) => ok(value),
        Err(ReplayError::Divergence(_)) => Answer::Diverged,
        Err(_) => Answer::Refused,
    }
}

impl Functions for Replay {
    fn mode(&self) -> ReplayMode {
        Replay::mode(self)
    }

    fn account(&mut self, to: Position) -> Answer {
        answer(self.account_executed(to), |()| Answer::Nothing)
    }

    fn guest(&mut self, at: Position, question: &Question) -> Answer {
        let mode = Replay::mode(self);
        let mut asked = false;
        let given = match question {
            Question::Interrupt(interrupt) => answer(self.interrupt(at, *interrupt), Answer::Flag),
            Question::HasInterrupt => answer(self.has_interrupt(at), Answer::Flag),
            Question::Exception(exception) => answer(self.exception(at, *exception), Answer::Flag),
            Question::HasException => answer(self.has_exception(at), Answer::Flag),
            Question::Clock(kind, value) => {
                answer(self.clock(at, *kind, || host(mode, &mut asked, *value)), Answer::Clock)
            }
            Question::HasClock(kind) => answer(self.has_clock(at, *kind), Answer::Flag),
            Question::Random(bytes, result) => {
                let mut buffer = vec![0xEE; bytes.len()];
                let read = self.random(at, &mut buffer, |buffer| {
                    buffer.copy_from_slice(bytes);
                    host(mode, &mut asked, *result)
                });
                answer(read, |result| Answer::Bytes(result, buffer))
            }
            Question::CharWrite(device, bytes, written) => {
                let write = |_: &[u8]| host(mode, &mut asked, *written);
                answer(self.char_write(at, *device, bytes, write), Answer::Written)
            }
            Question::CharReadAll(device, room, result) => {
                let mut buffer = vec![0; *room];
                let read = self.char_read_all(at, *device, &mut buffer, |buffer| {
                    buffer.copy_from_slice(&host_bytes(buffer.len()));
                    host(mode, &mut asked, *result)
                });
                answer(read, |result| {
                    buffer.truncate(usize::try_from(result).unwrap_or(0));
                    Answer::Bytes(result, buffer)
                })
            }
            Question::NetSend(device) => {
                self.net_send(*device, || host(mode, &mut asked, ()));
                Answer::Nothing
            }
            Question::AudioOut(frames) => {
                let played = self.audio_out(at, *frames, || host(mode, &mut asked, *frames));
                answer(played, |frames| Answer::Number(frames.into()))
            }
            Question::AudioIn(room, read) => {
                let mut samples = vec![0; *room];
                let recorded = self.audio_in(at, &mut samples, |samples| {
                    samples.copy_from_slice(&host_samples(samples.len()));
                    host(mode, &mut asked, *read)
                });
                answer(recorded, |read| {
                    samples.truncate(read.recorded as usize);
                    Answer::Samples(read.recorded, read.write_position, samples)
                })
            }
            Question::Shutdown(cause) => answer(self.shutdown_request(at, *cause), Answer::Flag),
            Question::Call(false, owner) => Answer::GivenBack(self.schedule_bh(at, *owner)),
            Question::Call(true, owner) => Answer::GivenBack(self.schedule_bh_oneshot(at, *owner)),
            Question::NextBlock(owner) => Answer::Number(self.next_block_id(*owner)),
        };
        if asked { Answer::HostAsked } else { given }
    }

    fn of_loop(&mut self, call: &Call) -> Answer {
        match call {
            Call::HostShutdown(cause) => answer(self.shutdown_request(self.position(), *cause), Answer::Flag),
            Call::LoggedShutdown => answer(self.logged_shutdown(), Answer::Cause),
            Call::Checkpoint(checkpoint) => answer(self.checkpoint(*checkpoint), Answer::Flag),
            Call::HasCheckpoint(checkpoint) => answer(self.has_checkpoint(*checkpoint), Answer::Flag),
            Call::Arrives(event) => answer(self.arrive(event.clone()), Answer::GivenBack),
            Call::Block(id, result, data) => {
                let completion = BlockResult { result: *result, data: data.clone() };
                answer(self.block(*id, completion), Answer::GivenBack)
            }
            Call::RegisterNet => answer(self.register_net("net"), |net| Answer::Number(net.0.into())),
            Call::UnregisterNet(net) => answer(self.unregister_net(*net), |()| Answer::Nothing),
            Call::Flush => {
                let mut delivered = Vec::new();
                let flushed = self.flush(|delivery| delivered.push(delivery));
                answer(flushed, |()| Answer::Delivered(delivered))
            }
            Call::Enable => {
                self.enable_events();
                Answer::Flag(self.events_enabled())
            }
            Call::Disable => {
                let mut delivered = Vec::new();
                let disabled = self.disable_events(|delivery| delivered.push(delivery));
                answer(disabled, |()| Answer::Delivered(delivered))
            }
            Call::Keep(hash) => {
                answer(keep(self, *hash), |(digest, snapshot)| Answer::Kept(digest, snapshot))
            }
            Call::RequestSnapshot => answer(self.request_snapshot(), |()| Answer::Nothing),
            Call::CanSnapshot => Answer::Flag(self.can_snapshot()),
            Call::Break(at) => {
                self.break_at(*at);
                Answer::Nothing
            }
            Call::TakeBreak => Answer::Flag(self.take_break()),
            Call::UntilNext => answer(self.instructions_until_next_event(), Answer::Number),
            Call::NextStop => answer(self.next_stop(), Answer::At),
            Call::AtEnd => answer(self.at_end(), Answer::Flag),
        }
    }
}

fn keep(replay: &mut Replay, hash: Digest) -> Result<(bool, bool), ReplayError> {
    let digest = replay.digest_due()?;
    if digest {
        replay.digest(vec![hash])?;
    }
    let snapshot = replay.snapshot_due()?;
    if snapshot {
        replay.snapshot(|saved| saved)?;
    }
    Ok((digest, snapshot))
}

impl Functions for Model {
    fn mode(&self) -> ReplayMode {
        self.mode
    }

    fn account(&mut self, to: Position) -> Answer {
        Model::account(self, to)
    }

    fn guest(&mut self, at: Position, question: &Question) -> Answer {
        match question.clone() {
            Question::Interrupt(interrupt) => Answer::Flag(self.pass(at, Event::Interrupt(interrupt))),
            Question::HasInterrupt => {
                Answer::Flag(self.sees(at, |event| matches!(event, Event::Interrupt(_))))
            }
            Question::Exception(exception) => Answer::Flag(self.pass(at, Event::Exception(exception))),
            Question::HasException => {
                Answer::Flag(self.sees(at, |event| matches!(event, Event::Exception(_))))
            }
            Question::Clock(kind, value) => self.clock(at, kind, value),
            Question::HasClock(kind) => Answer::Flag(
                self.has(at, |event| matches!(event, Event::Clock { kind: of, .. } if *of == kind)),
            ),
            Question::Random(bytes, result) => {
                let wanted = bytes.len();
                self.ask(at, Event::Random { result, bytes }, |event| match event {
                    Event::Random { result, bytes } if bytes.len() == wanted => {
                        Some(Answer::Bytes(*result, bytes.clone()))
                    }
                    _ => None,
                })
            }
            Question::CharWrite(device, bytes, written) => {
                let sent = (device, bytes.clone());
                self.ask(at, Event::CharWrite { device, bytes, written }, |event| match event {
                    Event::CharWrite { device, bytes, written } if (*device, bytes) == (sent.0, &sent.1) => {
                        Some(Answer::Written(*written))
                    }
                    _ => None,
                })
            }
            Question::CharReadAll(device, room, result) => {
                let event = match usize::try_from(result) {
                    Ok(count) => Event::CharReadAll { device, bytes: host_bytes(count.min(room)) },
                    Err(_) => Event::CharReadAllError { device, error: result },
                };
                self.ask(at, event, |event| match event {
                    Event::CharReadAll { device: of, bytes } if *of == device && bytes.len() <= room => {
                        Some(Answer::Bytes(bytes.len() as i32, bytes.clone()))
                    }
                    Event::CharReadAllError { device: of, error } if *of == device => {
                        Some(Answer::Bytes(*error, Vec::new()))
                    }
                    _ => None,
                })
            }
            Question::NetSend(_) => Answer::Nothing,
            Question::AudioOut(frames) => self.ask(at, Event::AudioOut { frames }, |event| match event {
                Event::AudioOut { frames: played } if *played <= frames => {
                    Some(Answer::Number((*played).into()))
                }
                _ => None,
            }),
            Question::AudioIn(room, read) => {
                let samples = host_samples(room.min(read.recorded as usize));
                let recorded = samples.len() as u32;
                let event = Event::AudioIn { recorded, samples, write_position: read.write_position };
                self.ask(at, event, |event| match event {
                    Event::AudioIn { recorded, samples, write_position } if samples.len() <= room => {
                        Some(Answer::Samples(*recorded, *write_position, samples.clone()))
                    }
                    _ => None,
                })
            }
            Question::Shutdown(cause) => Answer::Flag(self.guest_shutdown(at, cause)),
            Question::Call(oneshot, owner) => {
                let id = at.icount;
                let event = if oneshot { AsyncEvent::BhOneshot { id } } else { AsyncEvent::Bh { id } };
                Answer::GivenBack(self.call(event, owner))
            }
            Question::NextBlock(owner) => Answer::Number(self.next_block(owner)),
        }
    }

    fn of_loop(&mut self, call: &Call) -> Answer {
        match call.clone() {
            Call::HostShutdown(cause) => Answer::Flag(self.host_shutdown(cause)),
            Call::LoggedShutdown => Answer::Cause(self.logged_shutdown()),
            Call::Checkpoint(checkpoint) => {
                Answer::Flag(self.pass(self.position, Event::Checkpoint(checkpoint)))
            }
            Call::HasCheckpoint(checkpoint) => {
                Answer::Flag(self.sees(self.position, |event| *event == Event::Checkpoint(checkpoint)))
            }
            Call::Arrives(event) => Answer::GivenBack(self.arrives(event)),
            Call::Block(id, result, data) => self.block(id, result, data),
            Call::RegisterNet => {
                self.nets.push(true);
                Answer::Number(self.nets.len() as u64 - 1)
            }
            Call::UnregisterNet(net) => match self.nets.get_mut(usize::from(net.0)) {
                Some(there @ true) => {
                    *there = false;
                    Answer::Nothing
                }
                _ => Answer::Refused,
            },
            Call::Flush => Answer::Delivered(self.flush()),
            Call::Enable => {
                self.enabled = self.mode != ReplayMode::None;
                Answer::Flag(self.enabled)
            }
            Call::Disable => {
                let delivered: Vec<Delivery> = self.flush();
                self.enabled = false;
                Answer::Delivered(delivered)
            }
            Call::Keep(hash) => self.keep(hash),
            Call::RequestSnapshot => self.request_snapshot(),
            Call::CanSnapshot => Answer::Flag(self.can_snapshot()),
            Call::Break(at) => {
                self.break_at = at;
                Answer::Nothing
            }
            Call::TakeBreak => Answer::Flag(self.take_break()),
            Call::UntilNext => Answer::Number(self.until_next()),
            Call::NextStop => Answer::At(self.next_stop()),
            Call::AtEnd => Answer::Flag(self.at_end()),
        }
    }
}
