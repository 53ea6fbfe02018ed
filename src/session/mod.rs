//! A session: a machine, the engine and its hosts, made from a board. Forward only.
//!
//! Every method takes `&self` and may be called from any thread; one run at a time. Between slices other threads may
//! look at the machine, which then stands at an instruction boundary.

mod attach;
mod build;
mod cut;
mod diverged;
pub(crate) mod fault_injection;
mod owner;
mod record;
mod run;
pub(crate) mod snapshot_check;
#[cfg(feature = "testing")]
mod test_access;

pub use attach::{Host, HostSort, KEYS};
pub use build::{Images, default_rom};
use diverged::Diagnose;
#[cfg(feature = "testing")]
pub use fault_injection::{FaultInjection, SourceChange};
pub use owner::Recorded;
pub use record::RecordOptions;
pub(crate) use record::{CHAOS, Start};
pub use run::{Extent, HookCallback, HookEvent, IDLE_SECONDS, RunRequest, Running, Stop};

use crate::cpu::instruction::ControlFlow;
use crate::cpu::{Instruction, Registers};
use crate::engine::{Engine, REPLAY_SECTION, ReplayGuard, Transcripts, VmState};
use crate::error::Error;
use crate::events::AsyncEvent;
use crate::files::Process;
use crate::host::{Attachments, HostInput, InputGate, Interval, SystemHost};
use crate::log::{Lineage, LogReader};
use crate::machine::board::{Board, ImageInput, Region, RegionKind};
use crate::machine::{AddressSpace, BusCycle, HookId, INPUT_PENDING_MAX, Machine};
use crate::nondet::{CharId, ShutdownCause};
use crate::persist::{Digest, Value};
use crate::replay::{Divergence, Replay, ReplayMode};
use crate::snapshot::Snapshot;
use crate::sync::{Arc, Kick, Mutex, MutexGuard, Shared, lock};
use crate::units::Position;
use fault_injection::FaultInjections;
use owner::{Claims, Recorder};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a recorder that is killed may lose. Shorter costs size: what is flushed is compressed on its own.
const LOG_FLUSH_INTERVAL: Duration = Duration::from_millis(500);

/// What a replay was made from, to make another.
#[derive(Clone)]
pub(crate) struct Origin {
    /// The recording.
    pub reader: Shared<LogReader>,
    /// What stands in for ROM that it does not hold.
    pub images: Vec<ImageInput>,
}

/// A machine that can be run, looked into, recorded and replayed.
///
/// ```
/// use rreplay::machine::board::Board;
/// use rreplay::session::{RunRequest, Session};
///
/// // The monitor in the board's ROM prints a prompt and waits.
/// let session = Session::new(Board::preset("breadboard")?, Vec::new())?;
/// let prompt = |output: &[u8]| output.ends_with(b"> ");
/// session.run(RunRequest { output: Some(Box::new(prompt)), ..RunRequest::default() }, &mut || false)?;
/// assert!(session.output().ends_with(b"> "));
/// assert_eq!(session.registers().pc(), session.disassemble(None, 1)[0].address);
/// # Ok::<(), rreplay::error::Error>(())
/// ```
pub struct Session {
    board: Shared<Board>,
    engine: Engine<Machine>,
    input: Arc<HostInput>,
    attached: Arc<Mutex<Attachments>>,
    chars: Vec<String>,
    nets: Vec<String>,
    console: Option<CharId>,
    /// Who runs the machine, and who waits for it.
    claims: Claims,
    /// The recording that is made of it, or was made last.
    recorder: Mutex<Recorder>,
    /// The process in which it was made; see [`require_own_process`](Session::require_own_process).
    process: Process,
    hooks: Mutex<BTreeMap<HookId, Shared<Mutex<HookCallback>>>>,
    /// When the recording is next handed to the operating system.
    log_flush: Mutex<Interval>,
    /// Player: what it plays.
    origin: Option<Origin>,
    /// Player: the snapshot it was last put to.
    resumed: Mutex<Option<Snapshot>>,
    fault_injections: Mutex<FaultInjections>,
    /// The recording that it was forked from, and where.
    lineage: Option<Lineage>,
    /// Player: how it has left its recording.
    diverged: Mutex<Option<Box<Divergence>>>,
    /// Player: who finds out more about that.
    diagnose: Option<Diagnose>,
}

impl Session {
    fn assemble(board: Shared<Board>, identity: Digest, machine: Machine, replay: Replay) -> Self {
        let chars: Vec<String> =
            machine.devices().filter(|slot| slot.char_id.is_some()).map(|slot| slot.name.clone()).collect();
        let nets: Vec<String> =
            machine.devices().filter(|slot| slot.net_id.is_some()).map(|slot| slot.name.clone()).collect();
        let console = board
            .console
            .as_ref()
            .and_then(|console| chars.iter().position(|name| name == console))
            .map(|index| CharId(index as u16));
        let main = Arc::new(Kick::default());
        let input = Arc::new(HostInput::new(main.clone()));
        let attached = Arc::<Mutex<Attachments>>::default();
        let host = SystemHost::new(attached.clone(), input.clone());
        let mut vm = VmState::new(machine, replay, Box::new(host));
        vm.identity = identity;
        let session = Self {
            board,
            engine: Engine::with_kick(vm, main),
            input,
            attached,
            chars,
            nets,
            console,
            claims: Claims::default(),
            recorder: Mutex::default(),
            process: Process::this(),
            hooks: Mutex::new(BTreeMap::new()),
            log_flush: Mutex::new(Interval::new(LOG_FLUSH_INTERVAL)),
            origin: None,
            resumed: Mutex::new(None),
            fault_injections: Mutex::new(FaultInjections::default()),
            lineage: None,
            diverged: Mutex::new(None),
            diagnose: None,
        };
        if session.mode() == ReplayMode::None
            && let Ok(replay) = session.registered(Replay::none())
        {
            // Packets come to registered devices only. A player's are registered when it starts.
            session.vm().replay = replay;
        }
        session
    }

    /// What is changed in this replay that no log knows of: nothing, but in tests.
    pub(crate) fn injections(&self) -> MutexGuard<'_, FaultInjections> {
        lock(&self.fault_injections)
    }

    /// Player: what it was made from.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Player: the snapshot it was last put to.
    pub(crate) fn resumed(&self) -> Option<Snapshot> {
        lock(&self.resumed).clone()
    }

    pub(crate) fn vm(&self) -> ReplayGuard<'_, VmState<Machine>> {
        self.engine.lock("session")
    }

    /// The machine's board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Whether the machine runs freely, is recorded or is replayed.
    pub fn mode(&self) -> ReplayMode {
        self.vm().replay.mode()
    }

    /// Instructions retired and cycles passed.
    pub fn position(&self) -> Position {
        use crate::guest::Guest;
        self.vm().guest.position()
    }

    /// Events of its recording that a replay has taken.
    pub(crate) fn events_passed(&self) -> u64 {
        self.vm().replay.events_passed()
    }

    /// CPU clock in Hz.
    pub fn clock_hz(&self) -> u64 {
        self.board.cpu.clock_hz
    }

    // ---- looking and changing ----

    /// The CPU's registers.
    pub fn registers(&self) -> Registers {
        let vm = self.vm();
        vm.guest.cpu().registers()
    }

    /// Sets a register, by its name in the processor's table.
    ///
    /// # Errors
    /// An unknown name, a value that does not fit, or a machine that is recorded or replayed.
    pub fn set_register(&self, name: &str, value: u32) -> Result<(), Error> {
        let mut vm = self.vm();
        let kind = vm.guest.cpu().kind();
        let Some(register) = kind.register_by_name(name) else {
            let names: Vec<&str> = kind.registers().iter().map(|register| register.name).collect();
            return Err(Error::Argument(format!(
                "there is no register {name:?}; there are {}",
                names.join(", ")
            )));
        };
        let max = kind.register(register).max();
        let fitting = u16::try_from(value).ok().filter(|value| *value <= max);
        let Some(value) = fitting else {
            return Err(Error::Argument(format!("register {name} holds 0 to {max}, not {value}")));
        };
        require_free(&vm, "a register")?;
        vm.guest.cpu_mut().set_register(register, value);
        Ok(())
    }

    /// Instructions from `address` (where the CPU is, when not given) on.
    pub fn disassemble(&self, address: Option<u16>, count: usize) -> Vec<Instruction> {
        let vm = self.vm();
        let machine = &vm.guest;
        let mut at = address.unwrap_or(machine.cpu().pc());
        let one = |_| {
            let instruction = machine.cpu().kind().decode(at, |address| machine.peek(address));
            at = instruction.next();
            instruction
        };
        (0..count).map(one).collect()
    }

    /// Where the next byte pushed goes; see [`Processor::stack_pointer`](crate::cpu::Processor::stack_pointer).
    pub fn stack_pointer(&self) -> u16 {
        self.vm().guest.cpu().stack_pointer()
    }

    /// Where the processor's interrupts lead now.
    pub fn interrupt_handlers(&self) -> Vec<u16> {
        let vm = self.vm();
        vm.guest.cpu().interrupt_handlers(|address| vm.guest.peek(address))
    }

    /// Where the calls lead to that stand at these addresses, as far as the instructions themselves tell.
    pub fn call_targets(&self, addresses: &[u16]) -> Vec<u16> {
        let vm = self.vm();
        let (kind, read) = (vm.guest.cpu().kind(), |address| vm.guest.peek(address));
        let calls = addresses.iter().filter(|at| kind.operation(**at, read).flow == ControlFlow::Call);
        calls.filter_map(|at| kind.decode(*at, read).target).collect()
    }

    /// `length` bytes from `start` on, without side effects; wraps at FFFF.
    pub fn memory(&self, start: u16, length: usize) -> Vec<u8> {
        self.vm().guest.peek_range(start, length)
    }

    /// Writes RAM or ROM, beneath any device.
    ///
    /// # Errors
    /// Where nothing is mapped, beyond FFFF, or on a machine that is recorded or replayed.
    pub fn write_memory(&self, start: u16, bytes: &[u8]) -> Result<(), Error> {
        let mut vm = self.vm();
        require_free(&vm, "memory")?;
        vm.guest.poke(start, bytes)?;
        let last = usize::from(start) + bytes.len().saturating_sub(1);
        let writes_into = |region: &Region| {
            usize::from(region.start) <= last && start <= region.end && region.kind == RegionKind::Rom
        };
        if self.board.regions.iter().any(writes_into) {
            vm.identity = build::identity(&self.board, &vm.guest);
        }
        Ok(())
    }

    /// The devices' names and kinds, in board order.
    pub fn devices(&self) -> Vec<(String, &'static str)> {
        self.vm().guest.devices().map(|slot| (slot.name.clone(), slot.device.kind())).collect()
    }

    /// A device's registers by their data sheet names.
    ///
    /// # Errors
    /// When the board has no device of that name.
    pub fn device_state(&self, name: &str) -> Result<Vec<(&'static str, Value)>, Error> {
        let fields = self.vm().guest.device_fields(name);
        fields.ok_or_else(|| self.unknown_device(name))
    }

    fn unknown_device(&self, name: &str) -> Error {
        let known: Vec<&str> = self.board.devices.iter().map(|device| device.name.as_str()).collect();
        Error::Argument(format!("the board {} has no device {name:?}; it has {known:?}", self.board.name))
    }

    /// The first and the last address of a device's registers, which are among memory.
    ///
    /// # Errors
    /// When the board has no device of that name, or has it at I/O ports.
    pub fn device_window(&self, name: &str) -> Result<(u16, u16), Error> {
        let found = {
            let vm = self.vm();
            let slot = vm.guest.devices().find(|slot| slot.name == name);
            slot.map(|slot| (slot.space, slot.first, slot.last()))
        };
        match found {
            Some((AddressSpace::Memory, first, last)) => Ok((first, last)),
            Some((AddressSpace::Io, ..)) => Err(Error::Argument(format!(
                "{name} is at I/O ports, and this takes addresses of memory: stop at the instruction that reads or writes the port"
            ))),
            None => Err(self.unknown_device(name)),
        }
    }

    // ---- the console ----

    /// Whether the board has a console.
    pub fn has_console(&self) -> bool {
        self.console.is_some()
    }

    fn console_id(&self) -> Result<CharId, Error> {
        self.console.ok_or_else(|| {
            Error::State(format!(
                "the board {} has no console; name its main character device: console = \"...\"",
                self.board.name
            ))
        })
    }

    /// Types bytes into the console. They arrive while the machine runs, at the speed of the line.
    ///
    /// # Errors
    /// When the board has no console, when the machine replays a recording, which has its own input, when more than
    /// [`INPUT_PENDING_MAX`] bytes would wait, or in a process that was forked from the one that records.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        let console = self.console_id()?;
        self.require_no_recording_elsewhere()?;
        // Held until the bytes wait with the others: of several who type each counts what the others have typed.
        let vm = self.vm();
        require_input(&vm)?;
        let waiting = self.waiting_input(&vm);
        if waiting + bytes.len() > INPUT_PENDING_MAX {
            return Err(Error::Argument(format!(
                "{waiting} bytes that were typed wait already, and {INPUT_PENDING_MAX} is the most: run the machine \
                 before you type more"
            )));
        }
        self.input.send(console, bytes);
        Ok(())
    }

    /// All that the console has printed.
    pub fn output(&self) -> Vec<u8> {
        self.output_from(0)
    }

    /// What the console has printed from byte `offset` on.
    pub fn output_from(&self, offset: usize) -> Vec<u8> {
        let Some(console) = self.console else { return Vec::new() };
        self.vm().transcripts.of(console).get(offset..).unwrap_or_default().to_vec()
    }

    /// Number of bytes the console has printed.
    pub fn output_length(&self) -> usize {
        self.console.map_or(0, |console| self.vm().transcripts.of(console).len())
    }

    /// Bytes typed that the guest has not read yet.
    pub fn input_pending(&self) -> usize {
        self.waiting_input(&self.vm())
    }

    fn waiting_input(&self, vm: &VmState<Machine>) -> usize {
        let in_devices: usize = vm.guest.devices().map(|slot| slot.device.pending_input()).sum();
        self.input.waiting() + vm.undelivered_bytes() + in_devices
    }

    /// Says that more input may come from another thread: until the gate is dropped, a machine that waits for input
    /// keeps waiting instead of being halted.
    pub fn open_gate(&self) -> InputGate {
        HostInput::open_gate(&self.input)
    }

    // ---- state ----

    /// The machine's state now.
    pub fn snapshot(&self) -> Snapshot {
        snapshot_of(&mut self.vm())
    }

    /// Makes the machine what it was when the snapshot was taken. What a disk was asked for since, or before, is not
    /// brought to it any more.
    ///
    /// # Errors
    /// A snapshot of another board or ROM, or a machine that is recorded or replayed.
    pub fn restore(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let mut vm = self.vm();
        require_own(&vm, snapshot)?;
        require_free(&vm, "the whole state")?;
        // What a recording's snapshot holds of its log has no meaning here.
        let of_machine = snapshot.sections().iter().filter(|(name, _)| name != REPLAY_SECTION);
        vm.guest.restore_sections(&of_machine.cloned().collect::<Vec<_>>())?;
        let mut replay = self.registered(Replay::none())?;
        replay.abandon_requests(&vm.replay);
        vm.replay = replay;
        vm.forget_sleep();
        Ok(())
    }

    /// A second machine in the same state, free to go its own way. What was typed and has not arrived stays here, and so
    /// do requests to a disk.
    pub fn copy(&self) -> Session {
        self.copy_at().0
    }

    /// A copy, and where the machine was when it was taken.
    fn copy_at(&self) -> (Session, Position) {
        use crate::guest::Guest;
        let (machine, transcripts, identity) = {
            let vm = self.vm();
            (vm.guest.clone_without_hooks(), vm.transcripts.clone(), vm.identity)
        };
        let position = machine.position();
        let copy = Self::assemble(self.board.clone(), identity, machine, Replay::none());
        copy.vm().transcripts = transcripts;
        (copy, position)
    }

    /// A machine in the state of this replay, free to go its own way: with what its console had printed until here.
    pub(crate) fn fork(&self, printed: &[u8]) -> Session {
        let (mut fork, position) = self.copy_at();
        if let Some(console) = fork.console {
            let mut transcripts = Transcripts::default();
            transcripts.append(console, printed);
            fork.vm().transcripts = transcripts;
        }
        fork.lineage = self.origin.as_ref().map(|origin| Lineage { parent: origin.reader.id(), position });
        fork
    }

    /// The hash of the whole machine: its state, its board and its ROM.
    pub fn digest(&self) -> Digest {
        let mut vm = self.vm();
        let parts = vm.guest.digest_sections().into_iter().flat_map(|digest| digest.0);
        Digest::of(&vm.identity.0.into_iter().chain(parts).collect::<Vec<u8>>())
    }

    /// The hash of each subsystem, by name.
    pub fn digests(&self) -> Vec<(String, Digest)> {
        let mut vm = self.vm();
        let digests = vm.guest.digest_sections();
        vm.guest.section_names().into_iter().zip(digests).collect()
    }

    /// Asks for a shutdown or a reset, as a host does: it comes at the next instruction boundary of the run that goes on,
    /// or of the next one. Ignored in play.
    ///
    /// # Errors
    /// A cause that no host has: what the guest asks for, it asks for itself.
    pub fn shutdown(&self, cause: ShutdownCause) -> Result<(), Error> {
        if cause.is_of_guest() || cause == ShutdownCause::None {
            return Err(Error::Argument(format!(
                "{cause} is no shutdown that a host asks for: use host_quit, host_reset or another host cause, \
                 subsystem_reset or snapshot_load"
            )));
        }
        self.require_no_recording_elsewhere()?;
        self.input.shut_down(cause);
        Ok(())
    }

    /// Brings an event from the host: a key, a movement, a packet, bytes. It arrives while the machine runs.
    ///
    /// # Errors
    /// When the machine replays a recording, which has its own input.
    pub fn arrive(&self, event: AsyncEvent) -> Result<(), Error> {
        self.require_no_recording_elsewhere()?;
        require_input(&self.vm())?;
        self.input.push(event);
        Ok(())
    }

    /// Presses the reset button: recorded, and so replayed.
    ///
    /// # Errors
    /// While the machine runs, in play (the recording has its own resets), or when the log cannot be written.
    pub fn reset(&self) -> Result<(), Error> {
        let _running = self.claim_briefly()?;
        {
            let mut vm = self.vm();
            if vm.replay.mode() == ReplayMode::Play {
                return Err(Error::State("a replay is reset where its recording was".into()));
            }
            vm.press_reset()?;
        }
        self.settle()
    }

    /// Runs and shows every bus cycle, dummy accesses and interrupt sequences too. The trace is kept in memory, 24 bytes a
    /// cycle; interrupted, it is what there was until then.
    ///
    /// # Errors
    /// The same as [`run`](Session::run).
    pub fn trace_bus(
        &self,
        request: RunRequest,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<BusCycle>, Error> {
        self.start_running()?.trace_bus(request, interrupted)
    }
}

impl Drop for Session {
    /// A machine that goes away ends its recording there.
    fn drop(&mut self) {
        // Nobody is left to hear of an error; the log's prefix stays usable.
        let _ = self.finish();
    }
}

/// The state of a machine.
fn snapshot_of(vm: &mut VmState<Machine>) -> Snapshot {
    use crate::guest::Guest;
    let sections = vm.guest.save_sections();
    Snapshot::new(vm.identity, vm.guest.position(), sections)
}

fn require_own(vm: &VmState<Machine>, snapshot: &Snapshot) -> Result<(), Error> {
    if snapshot.identity() == vm.identity {
        return Ok(());
    }
    Err(Error::Mismatch(format!(
        "the snapshot was taken on another board or ROM (identity {}) than this machine's ({}): restore it \
         on a machine made from the same board and images",
        snapshot.identity(),
        vm.identity
    )))
}

fn require_input(vm: &VmState<Machine>) -> Result<(), Error> {
    if vm.replay.mode() != ReplayMode::Play {
        return Ok(());
    }
    Err(Error::State(
        "a replay takes its input from the recording; fork it, or make a new machine, to type into it".into(),
    ))
}

/// Changes from outside would not be in the log.
fn require_free(vm: &VmState<Machine>, what: &str) -> Result<(), Error> {
    match vm.replay.mode() {
        ReplayMode::None => Ok(()),
        ReplayMode::Record => Err(Error::State(format!(
            "setting {what} now would not be in the recording: do it before, or let the guest do it"
        ))),
        ReplayMode::Play => Err(Error::State(format!(
            "setting {what} would make the replay diverge: take a copy of the machine and change that"
        ))),
    }
}
