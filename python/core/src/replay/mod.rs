//! The state machine for machines of Python's own, as `rreplay.Replay` uses it.
//!
//! No function of Python is called from here. Where a host must be asked, Python asks it and brings the answer
//! ([`PyReplayCore::begin_question`]); what is to be delivered, Python takes and delivers. So an exception of a callback
//! passes through Python only, and nothing was logged that did not happen.
//!
//! Every method takes the replay lock, unless the calling thread holds it already.

mod convert;
mod facts;
mod held;

use super::errors::{OrRaise, named};
use convert::{GivenPart, Loaded, PyDelivery, StillToCome, delivery, input, loaded, member, parts};
use facts::Facts;
use held::{Caller, Holding};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rreplay::bus::{Exception, Interrupt};
use rreplay::error::Error;
use rreplay::events::{Checkpoint, Delivery};
use rreplay::external::{ExternalConfig, ExternalReplay, Missing};
use rreplay::log::StampedEvent;
use rreplay::nondet::{AudioRead, BlockResult, CharWritten, ClockKind, Owner, ShutdownCause};
use rreplay::replay::{Action, Function};
use rreplay::units::Position;
use std::path::PathBuf;

/// The state machine of a machine of Python's own, under the replay lock.
#[pyclass(frozen, module = "rreplay._core", name = "ReplayCore")]
pub struct PyReplayCore {
    holding: Holding,
}

impl PyReplayCore {
    fn new(external: ExternalReplay) -> Self {
        Self { holding: Holding::new(external) }
    }

    /// Something that comes in or is asked for; what is given back is Python's to deliver at once.
    fn arrives<'py>(
        &self,
        py: Python<'py>,
        caller: Caller,
        work: impl FnOnce(&mut ExternalReplay) -> Result<Option<Delivery>, Error> + Send,
    ) -> PyResult<Option<PyDelivery<'py>>> {
        let deliver_now = self.holding.with(py, caller, work)?;
        deliver_now.map(|deliver_now| delivery(py, deliver_now)).transpose()
    }
}

#[pymethods]
impl PyReplayCore {
    #[staticmethod]
    fn none() -> Self {
        Self::new(ExternalReplay::none())
    }

    #[staticmethod]
    #[pyo3(signature = (path, *, machine, subsystems, digest_every, snapshot_every, clock_hz, start))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
    fn record(
        py: Python<'_>,
        path: PathBuf,
        machine: String,
        subsystems: Vec<String>,
        digest_every: u64,
        snapshot_every: Option<u64>,
        clock_hz: u64,
        start: (u64, u64),
    ) -> PyResult<Self> {
        let start = Position::new(start.0, start.1);
        let config = ExternalConfig { machine, subsystems, digest_every, snapshot_every, clock_hz, start };
        py.detach(|| ExternalReplay::record(&path, config)).or_raise(py).map(Self::new)
    }

    #[staticmethod]
    fn play(py: Python<'_>, path: PathBuf, salvage: bool, machine: Option<&str>) -> PyResult<Self> {
        py.detach(|| ExternalReplay::play(&path, salvage, machine)).or_raise(py).map(Self::new)
    }

    // ---- the lock ----

    /// Takes the lock unless this thread has it; whether it did.
    fn enter(&self, py: Python<'_>) -> PyResult<bool> {
        if self.holding.holds() {
            return Ok(false);
        }
        self.holding.take(py).map(|()| true)
    }

    fn acquire(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.acquire(py)
    }

    fn release(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.release(py)
    }

    /// Whether the calling thread has the lock.
    fn is_held(&self) -> bool {
        self.holding.holds()
    }

    /// How many threads wait for the lock.
    fn waiters(&self) -> u64 {
        self.holding.waiters()
    }

    /// Whether the host is asked for this function now. If so, until `end_question` only hosts may call.
    fn begin_question(&self, py: Python<'_>, function: &str) -> PyResult<bool> {
        let row = Function::ALL.iter().find(|row| row.name() == function);
        let Some(row) = row else {
            return Err(named(py, "EngineError", &format!("the mode table has no function {function:?}")));
        };
        let mode = self.holding.with(py, Caller::Machine, |own| Ok(own.inspect().mode()))?;
        let asks = matches!(row.action(mode), Action::AskHost | Action::AskHostAndLog);
        if asks {
            self.holding.begin_question(row.name());
        }
        Ok(asks)
    }

    fn end_question(&self) {
        self.holding.end_question();
    }

    // ---- life ----

    fn mode(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().mode().name()))
    }

    fn is_finished(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.is_finished()))
    }

    fn add_blocker(&self, py: Python<'_>, reason: &str) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| {
            own.add_blocker(reason);
            Ok(())
        })
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, ExternalReplay::start)
    }

    /// Ends the recording; what was queued comes back to be delivered unlogged.
    fn finish<'py>(&self, py: Python<'py>, state: Option<Vec<GivenPart>>) -> PyResult<Vec<PyDelivery<'py>>> {
        let state = state.map(|state| parts(py, state)).transpose()?;
        let queued = self.holding.with(py, Caller::Anybody, |own| own.finish(state.as_deref()))?;
        queued.into_iter().map(|queued| delivery(py, queued)).collect()
    }

    /// Player: what the recording has still to come, if anything.
    fn missing(&self, py: Python<'_>) -> PyResult<Option<StillToCome>> {
        let missing = self.holding.with(py, Caller::Anybody, ExternalReplay::missing)?;
        Ok(missing.map(|Missing { next, end_icount }| {
            let StampedEvent { position, ordinal, event } = next;
            (event.to_string(), position.icount, position.cycles, ordinal.0, end_icount)
        }))
    }

    fn finish_torn(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Anybody, ExternalReplay::finish_torn)
    }

    fn flush_log(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.flush_log()?))
    }

    // ---- where it is ----

    fn position(&self, py: Python<'_>) -> PyResult<(u64, u64)> {
        let position = self.holding.with(py, Caller::Anybody, |own| Ok(own.position()))?;
        Ok((position.icount, position.cycles))
    }

    fn event_ordinal(&self, py: Python<'_>) -> PyResult<u64> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().events_passed()))
    }

    fn account_executed(&self, py: Python<'_>, instructions: u64, cycles: u64) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| own.account_executed(instructions, cycles))
    }

    fn instructions_until_next_event(&self, py: Python<'_>) -> PyResult<u64> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.instructions_until_next_event()?))
    }

    fn instructions_until_next_stop(&self, py: Python<'_>) -> PyResult<u64> {
        self.holding.with(py, Caller::Machine, ExternalReplay::instructions_until_next_stop)
    }

    fn cycles_until_next_event(&self, py: Python<'_>) -> PyResult<u64> {
        self.holding.with(py, Caller::Machine, ExternalReplay::cycles_until_next_event)
    }

    fn break_at(&self, py: Python<'_>, icount: Option<u64>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| {
            own.replay()?.break_at(icount);
            Ok(())
        })
    }

    fn break_icount(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().break_icount()))
    }

    fn take_break(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.take_break()))
    }

    fn at_end(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, ExternalReplay::at_end)
    }

    fn machine(&self, py: Python<'_>) -> PyResult<String> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.machine().to_owned()))
    }

    fn subsystems(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.subsystems().to_vec()))
    }

    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let info = PyDict::new(py);
        let (machine, subsystems, clock_hz, snapshots) = self.holding.with(py, Caller::Anybody, |own| {
            let snapshots: Vec<u64> = own.snapshots().iter().map(|position| position.icount).collect();
            Ok((own.machine().to_owned(), own.subsystems().to_vec(), own.clock_hz(), snapshots))
        })?;
        info.set_item("mode", self.mode(py)?)?;
        info.set_item("machine", machine)?;
        info.set_item("clock_hz", clock_hz)?;
        info.set_item("subsystems", subsystems)?;
        info.set_item("snapshots", snapshots)?;
        self.holding.with(py, Caller::Anybody, |own| Ok(Facts::of(own)))?.put(&info)?;
        Ok(info)
    }

    // ---- what the machine itself asks ----

    fn interrupt(&self, py: Python<'_>, line: &str) -> PyResult<bool> {
        let line: Interrupt = member(py, line)?;
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.interrupt(here, line)?)
        })
    }

    fn has_interrupt(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.has_interrupt(here)?)
        })
    }

    fn exception(&self, py: Python<'_>, kind: &str) -> PyResult<bool> {
        let kind: Exception = member(py, kind)?;
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.exception(here, kind)?)
        })
    }

    fn has_exception(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.has_exception(here)?)
        })
    }

    fn clock(&self, py: Python<'_>, kind: &str, host: Option<i64>) -> PyResult<i64> {
        let kind: ClockKind = member(py, kind)?;
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.clock(here, kind, || host.unwrap_or_default())?)
        })
    }

    /// The host call's return code and the bytes.
    fn random<'py>(
        &self,
        py: Python<'py>,
        length: usize,
        host: Option<(i32, Vec<u8>)>,
    ) -> PyResult<(i32, Bound<'py, PyBytes>)> {
        let (code, bytes) = self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            let mut buffer = vec![0; length];
            let code = own.replay()?.random(here, &mut buffer, |buffer| match host {
                Some((code, bytes)) => {
                    buffer.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
                    code
                }
                None => 0,
            })?;
            Ok((code, buffer))
        })?;
        Ok((code, PyBytes::new(py, &bytes)))
    }

    fn char_write(
        &self,
        py: Python<'_>,
        device: u16,
        data: &[u8],
        host: Option<(i32, u32)>,
    ) -> PyResult<(i32, u32)> {
        let written = self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            let device = own.char_device(device)?;
            let (result, offset) = host.unwrap_or_default();
            let written = own.replay()?.char_write(here, device, data, |_| CharWritten { result, offset })?;
            own.sent(device, data);
            Ok(written)
        })?;
        Ok((written.result, written.offset))
    }

    /// The bytes, or the host's negative error.
    fn char_read_all<'py>(
        &self,
        py: Python<'py>,
        device: u16,
        length: usize,
        host: Option<(i32, Vec<u8>)>,
    ) -> PyResult<(i32, Bound<'py, PyBytes>)> {
        let (result, bytes) = self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            let device = own.char_device(device)?;
            let mut buffer = vec![0; length];
            let result = own.replay()?.char_read_all(here, device, &mut buffer, |buffer| match host {
                Some((0.., bytes)) => {
                    buffer.iter_mut().zip(&bytes).for_each(|(place, byte)| *place = *byte);
                    bytes.len() as i32
                }
                Some((error, _)) => error,
                None => 0,
            })?;
            buffer.truncate(usize::try_from(result).unwrap_or(0));
            Ok((result, buffer))
        })?;
        Ok((result, PyBytes::new(py, &bytes)))
    }

    fn audio_out(&self, py: Python<'_>, offered: u32, host: Option<u32>) -> PyResult<u32> {
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.audio_out(here, offered, || host.unwrap_or_default())?)
        })
    }

    /// The samples and the write position.
    fn audio_in(
        &self,
        py: Python<'_>,
        length: usize,
        host: Option<(Vec<i16>, u32)>,
    ) -> PyResult<(Vec<i16>, u32)> {
        self.holding.with(py, Caller::Machine, |own| {
            let here = own.position();
            let mut samples = vec![0; length];
            let read = own.replay()?.audio_in(here, &mut samples, |samples| match host {
                Some((heard, write_position)) => {
                    samples.iter_mut().zip(&heard).for_each(|(place, sample)| *place = *sample);
                    AudioRead { recorded: heard.len() as u32, write_position }
                }
                None => AudioRead { recorded: 0, write_position: 0 },
            })?;
            samples.truncate(read.recorded as usize);
            Ok((samples, read.write_position))
        })
    }

    /// Whether the packet goes to the host: the device is there, and nothing is played.
    fn net_send(&self, py: Python<'_>, device: u16) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| {
            let device = own.net_device(device)?;
            let mut goes_out = false;
            own.replay()?.net_send(device, || goes_out = true);
            Ok(goes_out)
        })
    }

    fn shutdown_request(&self, py: Python<'_>, cause: &str) -> PyResult<bool> {
        let cause: ShutdownCause = member(py, cause)?;
        let caller = if cause.is_of_guest() { Caller::Machine } else { Caller::Host };
        self.holding.with(py, caller, |own| own.shutdown_request(cause))
    }

    /// The cause of the shutdown that acts, if there is one.
    fn shutdown(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.shutdown()?.map(ShutdownCause::name)))
    }

    fn clear_shutdown(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| {
            own.clear_shutdown();
            Ok(())
        })
    }

    // ---- devices ----

    fn register_char(&self, py: Python<'_>, name: &str) -> PyResult<u16> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.register_char(name)?.0))
    }

    /// Whether there is a character device of that number, as an error.
    fn check_char(&self, py: Python<'_>, device: u16) -> PyResult<()> {
        self.holding.with(py, Caller::Anybody, |own| own.char_device(device).map(|_| ()))
    }

    fn register_net(&self, py: Python<'_>, name: &str) -> PyResult<u16> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.register_net(name)?.0))
    }

    fn unregister_net(&self, py: Python<'_>, device: u16) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, |own| own.unregister_net(device))
    }

    fn transcript<'py>(&self, py: Python<'py>, device: u16) -> PyResult<Bound<'py, PyBytes>> {
        let sent = self.holding.with(py, Caller::Anybody, |own| {
            let device = own.char_device(device)?;
            Ok(own.transcript(device).to_vec())
        })?;
        Ok(PyBytes::new(py, &sent))
    }

    // ---- what its loop and the hosts ask ----

    fn checkpoint(&self, py: Python<'_>, checkpoint: &str) -> PyResult<bool> {
        let checkpoint: Checkpoint = member(py, checkpoint)?;
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.checkpoint(checkpoint)?))
    }

    fn has_checkpoint(&self, py: Python<'_>, checkpoint: &str) -> PyResult<bool> {
        let checkpoint: Checkpoint = member(py, checkpoint)?;
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.has_checkpoint(checkpoint)?))
    }

    // ---- async events ----

    fn events_enabled(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().events_enabled()))
    }

    fn enable_events(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, ExternalReplay::enable_events)
    }

    /// What is still queued comes back to be delivered.
    fn disable_events<'py>(&self, py: Python<'py>) -> PyResult<Vec<PyDelivery<'py>>> {
        let queued = self.holding.with(py, Caller::Machine, |own| {
            let mut queued = Vec::new();
            own.replay()?.disable_events(|delivery| queued.push(delivery))?;
            Ok(queued)
        })?;
        queued.into_iter().map(|queued| delivery(py, queued)).collect()
    }

    fn schedule_bh<'py>(&self, py: Python<'py>, owner: u16) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.schedule_bh(here, Owner(owner)))
        })
    }

    fn schedule_bh_oneshot<'py>(&self, py: Python<'py>, owner: u16) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Machine, |own| {
            let here = own.position();
            Ok(own.replay()?.schedule_bh_oneshot(here, Owner(owner)))
        })
    }

    fn input<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        first: u16,
        second: i32,
    ) -> PyResult<Option<PyDelivery<'py>>> {
        let event = input(py, kind, first, second)?;
        self.arrives(py, Caller::Host, |own| {
            own.require_started("an input event")?;
            Ok(own.replay()?.input(event))
        })
    }

    fn input_sync<'py>(&self, py: Python<'py>) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Host, |own| {
            own.require_started("the end of a packet of input")?;
            Ok(own.replay()?.input_sync())
        })
    }

    fn char_read<'py>(
        &self,
        py: Python<'py>,
        device: u16,
        data: Vec<u8>,
    ) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Host, |own| {
            let device = own.char_device(device)?;
            own.require_started("bytes for a character device")?;
            Ok(own.replay()?.char_read(device, data))
        })
    }

    fn net_packet<'py>(
        &self,
        py: Python<'py>,
        device: u16,
        flags: u32,
        packet: Vec<u8>,
    ) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Host, |own| {
            let device = own.net_device(device)?;
            own.require_started("a packet")?;
            Ok(own.replay()?.net_packet(device, flags, packet))
        })
    }

    fn next_block_id(&self, py: Python<'_>, owner: u16) -> PyResult<u64> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.next_block_id(Owner(owner))))
    }

    fn block<'py>(
        &self,
        py: Python<'py>,
        number: u64,
        result: i32,
        data: Vec<u8>,
    ) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Host, |own| {
            if own.inspect().outstanding_blocks().any(|outstanding| outstanding == number) {
                own.require_started("the completion of a block request")?;
            }
            Ok(own.replay()?.block(number, BlockResult { result, data })?)
        })
    }

    /// Block requests that have not completed, with who asked.
    fn outstanding_blocks(&self, py: Python<'_>) -> PyResult<Vec<(u64, u16)>> {
        self.holding.with(py, Caller::Anybody, |own| {
            Ok(own.inspect().outstanding_requests().map(|(id, owner)| (id, owner.0)).collect())
        })
    }

    // ---- the flush point ----

    fn has_queued_events(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().has_queued_events()))
    }

    fn begin_flush(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Machine, ExternalReplay::begin_flush)
    }

    fn next_delivery<'py>(&self, py: Python<'py>) -> PyResult<Option<PyDelivery<'py>>> {
        self.arrives(py, Caller::Machine, ExternalReplay::next_delivery)
    }

    fn end_flush(&self, py: Python<'_>) -> PyResult<()> {
        self.holding.with(py, Caller::Anybody, ExternalReplay::end_flush)
    }

    // ---- digests and snapshots ----

    fn digest_due(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.digest_due()?))
    }

    fn digest(&self, py: Python<'_>, state: Option<Vec<GivenPart>>) -> PyResult<()> {
        let state = state.map(|state| parts(py, state)).transpose()?;
        self.holding.with(py, Caller::Machine, |own| own.digest(state.as_deref()))
    }

    fn vmstate_init<'py>(
        &self,
        py: Python<'py>,
        state: Option<Vec<GivenPart>>,
    ) -> PyResult<Option<Loaded<'py>>> {
        let state = state.map(|state| parts(py, state)).transpose()?;
        let state = self.holding.with(py, Caller::Machine, |own| own.vmstate_init(state.as_deref()))?;
        Ok(state.map(|state| loaded(py, state)))
    }

    fn can_snapshot(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Anybody, |own| Ok(own.inspect().can_snapshot()))
    }

    /// Whether one will be there for it.
    fn request_snapshot(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, ExternalReplay::request_snapshot)
    }

    fn snapshot_due(&self, py: Python<'_>) -> PyResult<bool> {
        self.holding.with(py, Caller::Machine, |own| Ok(own.replay()?.snapshot_due()?))
    }

    fn snapshot(&self, py: Python<'_>, state: Option<Vec<GivenPart>>) -> PyResult<()> {
        let state = state.map(|state| parts(py, state)).transpose()?;
        self.holding.with(py, Caller::Machine, |own| own.snapshot(state.as_deref()))
    }

    fn resume<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Loaded<'py>> {
        self.holding.with(py, Caller::Machine, |own| own.resume(number)).map(|state| loaded(py, state))
    }
}
