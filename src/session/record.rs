//! Recording a session, and replaying a recording in one.

use super::build::{build_machine, identity, rom_contents};
use super::owner::Recorded;
use super::run::Running;
use super::{Origin, Session, require_own, snapshot_check, snapshot_of};
use crate::engine::{TIMERS, VmState};
use crate::error::Error;
use crate::guest::Guest;
use crate::log::limits::CHIPS_VERSION;
use crate::log::{
    EventCursor, Header, LogError, LogFile, LogReader, LogWriter, Options, RomRecord, RomTarget,
};
use crate::machine::board::{Board, ImageInput, MemoryImage};
use crate::machine::{Machine, Notes, Slot};
use crate::persist::Digest;
use crate::replay::{
    Checkpoint, Found, PlayConfig, RecordConfig, Replay, ReplayError, ReplayMode, Snapshots,
};
use crate::snapshot::Snapshot;
use crate::sync::{Shared, lock};
use std::path::Path;

/// Instructions between digests where nothing else is asked for: far enough apart that a recording stays small (one is
/// 16 bytes a subsystem, and does not compress), near enough that the interval replays in some hundredths of a second.
const DIGEST_EVERY: u64 = 10_000_000;

/// How the header's line about the scheduler begins when there was a seed.
pub(crate) const CHAOS: &str = "chaos ";

/// The part of a recording's initial state that holds the block requests on their way.
const REQUESTS_SECTION: &str = "requests";

/// How a recording is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordOptions {
    /// Instructions between digests.
    pub digest_every: Option<u64>,
    /// Instructions between snapshots.
    pub snapshot_every: Option<u64>,
    /// Without such a distance: whether snapshots are taken all the same, as many as pay, or only those asked for.
    pub automatic_snapshots: bool,
    /// Whether the file carries the ROM's bytes, or only their hash.
    pub embed_roms: bool,
    /// The seed by which everything is drawn that hardware leaves open; without one nothing is.
    pub chaos: Option<u64>,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            digest_every: None,
            snapshot_every: None,
            automatic_snapshots: true,
            embed_roms: true,
            chaos: None,
        }
    }
}

impl Session {
    /// Starts recording into a file, which is replaced if it exists. What other threads set is in the recording's
    /// beginning, or refused.
    ///
    /// # Errors
    /// A machine that is recorded or replayed already, a file that cannot be made, or one that is being recorded into;
    /// nothing is left behind then.
    pub fn record(&self, path: &Path, options: RecordOptions) -> Result<Recorded, Error> {
        let _running = self.ready_to_record(options)?;
        // Whatever could wait for the file system is done before the machine is held.
        let file = LogFile::beside(path)?;
        let written = file.written()?;
        let create = |header: &Header| LogWriter::in_file(file, header, Options::default());
        let number = self.begin_recording(options, create)?;
        Ok(Recorded::new(number, written))
    }

    /// Starts recording with a writer of the caller's: into memory, for tests and fuzzing. The machine is held while
    /// `create` runs, which must leave it alone.
    ///
    /// # Errors
    /// The same as [`record`](Session::record).
    pub fn record_with(
        &self,
        options: RecordOptions,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
    ) -> Result<(), Error> {
        let _running = self.ready_to_record(options)?;
        self.begin_recording(options, create).map(|_| ())
    }

    /// What is due here is done, so that nothing is left over from before the recording.
    fn ready_to_record(&self, options: RecordOptions) -> Result<Running<'_>, Error> {
        let running = self.claim_briefly()?;
        require_recordable(&self.vm())?;
        if options.digest_every == Some(0) || options.snapshot_every == Some(0) {
            return Err(Error::Argument(
                "digest_every and snapshot_every are instructions, from 1 on".into(),
            ));
        }
        self.settle()?;
        Ok(running)
    }

    /// One step, as other threads see it: the state that the header holds is the state in which recording begins.
    fn begin_recording(
        &self,
        options: RecordOptions,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
    ) -> Result<u64, Error> {
        let mut vm = self.vm();
        require_recordable(&vm)?;
        if !vm.signals.deliver_now.is_empty() {
            return Err(Error::State(
                "what the machine was told before its recording has not arrived yet: a hook or a host has stopped it; \
                 run an instruction, then record"
                    .into(),
            ));
        }
        let header = self.header(&mut vm, options);
        let config = RecordConfig {
            start: header.start,
            subsystems: vm.subsystems(),
            digest_every: header.digest_every,
            snapshots: match options.snapshot_every {
                Some(every) => Snapshots::Every(every),
                None if options.automatic_snapshots => Snapshots::Automatic,
                None => Snapshots::OnRequest,
            },
        };
        let writer = create(&header)?;
        let mut replay = self.registered(Replay::record(Box::new(writer), config))?;
        replay.take_over_requests(&vm.replay);
        replay.start()?;
        // What is read between the two is of the start-up, and not of the run.
        replay.checkpoint(Checkpoint::Init)?;
        replay.checkpoint(Checkpoint::Reset)?;
        vm.replay = replay;
        vm.guest.begin_changes();
        if let Some(seed) = options.chaos {
            vm.start_chaos(seed);
        }
        Ok(lock(&self.recorder).begin())
    }

    /// Puts a snapshot into the recording: here, or, while something waits for the next top of the loop, there.
    ///
    /// # Errors
    /// A machine that is not recorded or that runs, or a log that cannot be written.
    pub fn request_snapshot(&self) -> Result<(), Error> {
        let _running = self.claim_briefly()?;
        self.vm().replay.request_snapshot()?;
        self.settle()
    }

    /// The state machine with the machine's devices registered.
    pub(super) fn registered(&self, mut replay: Replay) -> Result<Replay, ReplayError> {
        for name in &self.chars {
            replay.register_char(name)?;
        }
        for name in &self.nets {
            replay.register_net(name)?;
        }
        Ok(replay)
    }

    pub(super) fn header(&self, vm: &mut VmState<Machine>, options: RecordOptions) -> Header {
        let initial_state = initial_state(vm);
        let roms = rom_contents(&self.board, &vm.guest).into_iter().map(|(region, bytes)| {
            RomRecord::new(region.clone(), RomTarget::Region(region), &bytes, options.embed_roms)
        });
        Header {
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            board_toml: self.board.to_toml(),
            clock_hz: self.clock_hz(),
            roms: roms.collect(),
            devices: vm
                .guest
                .devices()
                .map(|slot| (slot.name.clone(), slot.device.kind().to_owned()))
                .collect(),
            chars: self.chars.clone(),
            subsystems: Replay::recorded_subsystems(vm.subsystems()),
            start: vm.guest.position(),
            // The header is compressed as a whole.
            initial_state: initial_state.to_bytes_fast(),
            digest_every: options.digest_every.unwrap_or(DIGEST_EVERY),
            snapshot_every: options.snapshot_every,
            scheduler: options.chaos.map_or_else(String::new, |seed| format!("{CHAOS}{seed}")),
            lineage: self.lineage,
        }
    }

    /// Ends the recording here. Does nothing when nothing is recorded.
    ///
    /// # Errors
    /// When the rest of the log cannot be written, and what is in the file stays usable; when the file was renamed,
    /// replaced or removed meanwhile; in a process that was forked from the one that records.
    pub fn finish(&self) -> Result<(), Error> {
        let _running = self.claim_briefly()?;
        let mut vm = self.vm();
        if vm.replay.mode() != ReplayMode::Record {
            return Ok(());
        }
        let finished = vm.finish();
        lock(&self.recorder).end(None);
        Ok(finished?)
    }

    /// A machine that replays a recording, at its start. `images` stand in for ROM that the file holds only by hash.
    ///
    /// # Errors
    /// A recording that needs other ROM than is given, or whose board this version does not know.
    pub(crate) fn play(reader: Shared<LogReader>, images: &[ImageInput]) -> Result<Session, Error> {
        let board = Board::from_toml(&reader.header().board_toml)?;
        let start = Start::of(board, &reader, images)?;
        Self::play_from(&start, reader, images)
    }

    /// As [`play`](Session::play), from what was made ready for these images.
    pub(crate) fn play_from(
        start: &Start,
        reader: Shared<LogReader>,
        images: &[ImageInput],
    ) -> Result<Session, Error> {
        let header = reader.header();
        let config = PlayConfig {
            start: header.start,
            subsystems: header.subsystems.clone(),
            chars: Some(header.chars.clone()),
        };
        let mut replay = Replay::play(Box::new(EventCursor::new(reader.clone())), config);
        if reader.format_version() < CHIPS_VERSION {
            replay.is_of_older_engine(reader.format_version());
        }
        for saved in &start.requests {
            replay.restore_requests(saved)?;
        }
        let mut session = Self::assemble(start.board.clone(), start.identity, start.machine.clone(), replay);
        session.origin = Some(Origin { reader, images: images.to_vec() });
        session.start_playing()?;
        Ok(session)
    }

    /// Player: goes to a snapshot of this recording.
    ///
    /// # Errors
    /// A snapshot of another recording, board or ROM.
    pub(crate) fn resume(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let mut vm = self.vm();
        require_own(&vm, snapshot)?;
        vm.resume(snapshot).map_err(|problem| {
            Error::Mismatch(format!("the snapshot at {} cannot be restored: {problem}", snapshot.position()))
        })?;
        lock(&self.fault_injections).skip_to_here(&mut vm)?;
        *lock(&self.resumed) = Some(snapshot.clone());
        *lock(&self.diverged) = None;
        Ok(())
    }

    fn start_playing(&self) -> Result<(), ReplayError> {
        let mut vm = self.vm();
        let played = std::mem::replace(&mut vm.replay, Replay::none());
        vm.replay = self.registered(played)?;
        vm.number_requests();
        if let Some(origin) = &self.origin {
            let source = snapshot_check::from_file(origin.reader.clone());
            vm.snapshot_check = Some(snapshot_check::snapshot_check(origin.reader.clone(), source));
        }
        vm.guest.take_notes(Notes::All);
        vm.replay.start()?;
        // The first recordings had no checkpoint between start-up and run.
        let both = [Checkpoint::Init, Checkpoint::Reset];
        let passed = if vm.replay.has_subsystem(TIMERS) { &both[..] } else { &both[..1] };
        for &checkpoint in passed {
            // A recorder that was killed at once leaves a log without any event: it ends where it starts.
            if vm.replay.peek()?.is_some() && !vm.replay.checkpoint(checkpoint)? {
                return Err(vm.replay.diverged(Found::Event(format!("the checkpoint {checkpoint}"))));
            }
        }
        Ok(())
    }
}

/// What every replay of a recording starts from.
pub(crate) struct Start {
    board: Shared<Board>,
    identity: Digest,
    machine: Machine,
    /// Block requests that were on their way.
    requests: Vec<Vec<u8>>,
}

impl Start {
    /// The machine as a recording on that board found it. `images` stand in for ROM that the file holds only by hash.
    ///
    /// # Errors
    /// A recording that needs other ROM than is given.
    pub fn of(board: Board, reader: &LogReader, images: &[ImageInput]) -> Result<Self, Error> {
        let header = reader.header();
        let mut machine = build_machine(&board, &MemoryImage::default())?;
        load_roms(&board, header, images, &mut machine)?;
        let identity = identity(&board, &machine);
        let state = Snapshot::from_bytes(&header.initial_state)?;
        if state.identity() != identity {
            return Err(Error::Mismatch(format!(
                "{}: the initial state belongs to another board or ROM (identity {}) than the file's ({identity})",
                reader.path().display(),
                state.identity()
            )));
        }
        let (requests, of_machine): (Vec<_>, Vec<_>) =
            state.sections().iter().cloned().partition(|(name, _)| name == REQUESTS_SECTION);
        machine.restore_sections(&of_machine)?;
        check_header(header, &board, &machine).map_err(|what| {
            Error::Mismatch(format!("{}: its header contradicts itself: {what}", reader.path().display()))
        })?;
        let known = known_subsystems(&machine);
        if !known.contains(&header.subsystems) || machine.position() != header.start {
            return Err(Error::Mismatch(format!(
                "{}: the recorded machine has the parts {:?} at {}, this one {:?} at {}",
                reader.path().display(),
                header.subsystems,
                header.start,
                known[0],
                machine.position()
            )));
        }
        // All replays share the pages, and what is known of them.
        machine.digest_sections();
        let requests = requests.into_iter().map(|(_, saved)| saved).collect();
        Ok(Self { board: Shared::new(board), identity, machine, requests })
    }
}

fn require_recordable(vm: &VmState<Machine>) -> Result<(), Error> {
    match vm.replay.mode() {
        ReplayMode::None => Ok(()),
        ReplayMode::Record => {
            Err(Error::State("the machine is being recorded already: finish that first".into()))
        }
        ReplayMode::Play => {
            Err(Error::State("a replay cannot be recorded: take a copy of the machine first".into()))
        }
    }
}

/// The machine, and its block requests that are on their way.
fn initial_state(vm: &mut VmState<Machine>) -> Snapshot {
    let machine = snapshot_of(vm);
    let requests = vm.replay.requests();
    if requests.is_empty() {
        return machine;
    }
    let mut sections = machine.sections().clone();
    sections.push((REQUESTS_SECTION.to_owned(), requests));
    Snapshot::new(machine.identity(), machine.position(), sections)
}

/// What the header says beside the board follows from the board.
fn check_header(header: &Header, board: &Board, machine: &Machine) -> Result<(), String> {
    fn same<T: PartialEq + std::fmt::Debug>(what: &str, header: &T, board: &T) -> Result<(), String> {
        if header == board { Ok(()) } else { Err(format!("{what} {header:?}, of its board {board:?}")) }
    }
    let described = |slot: &Slot| (slot.name.clone(), slot.device.kind().to_owned());
    same("the clock in Hz is", &header.clock_hz, &board.cpu.clock_hz)?;
    same("the devices are", &header.devices, &machine.devices().map(described).collect())?;
    let chars = machine.devices().filter(|slot| slot.char_id.is_some()).map(|slot| slot.name.clone());
    same("the character devices are", &header.chars, &chars.collect())
}

/// The hashes that the digests of a recording of this machine have: today's, and those of the first recordings.
fn known_subsystems(machine: &Machine) -> [Vec<String>; 2] {
    let of_machine = machine.section_names();
    let mut today = of_machine.clone();
    today.push(TIMERS.to_owned());
    [Replay::recorded_subsystems(today), of_machine]
}

fn load_roms(
    board: &Board,
    header: &Header,
    images: &[ImageInput],
    machine: &mut Machine,
) -> Result<(), Error> {
    let given = match images {
        [] => None,
        images => {
            let image = board.place(images)?;
            Some(build_machine(board, &image)?)
        }
    };
    for rom in &header.roms {
        let region = match &rom.target {
            RomTarget::Region(name) => board.region(name),
            RomTarget::Address(_) => None,
        };
        let Some(region) = region else {
            return Err(Error::Mismatch(format!(
                "the recording has ROM {:?} for no region of its board",
                rom.name
            )));
        };
        let bytes = match (&given, &rom.bytes) {
            (Some(given), _) => {
                given.memory().bytes()[usize::from(region.start)..=usize::from(region.end)].to_vec()
            }
            (None, Some(bytes)) => bytes.clone(),
            (None, None) => {
                return Err(Error::Mismatch(format!(
                    "the recording holds only the hash of the ROM {:?}: give the image (rom=...)",
                    rom.name
                )));
            }
        };
        if !rom.matches(&bytes) {
            return Err(Error::Mismatch(format!(
                "the ROM {:?} is not the one that was recorded: recorded {}, given {}",
                rom.name,
                hex(&rom.hash),
                blake3::hash(&bytes)
            )));
        }
        machine.poke(region.start, &bytes)?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
