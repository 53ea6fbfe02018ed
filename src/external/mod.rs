//! External machines: the state machine with a recording file, for a machine that the user brings.
//!
//! A [`Session`](crate::session::Session) knows its machine: it makes the header, takes the hashes and the snapshots.
//! Here the machine is known by its name alone. It registers its devices, calls the functions of
//! [`Replay`] and says its own state when it is asked for it.
//!
//! Its recordings are like all others, but for the board: where the header of a session's describes one, theirs has the
//! single key `machine`, with the machine's name ([`machine_name`]).

mod ending;
mod running;
mod state;

pub use ending::Missing;
pub use state::{Part, State};

use crate::engine::Transcripts;
use crate::error::Error;
use crate::files::Process;
use crate::log::{EventCursor, Header, LogError, LogReader, LogWriter, Options};
use crate::nondet::{CharId, NetId, ShutdownCause};
use crate::persist::Digest;
use crate::replay::{
    EventSink, FlushSteps, MemorySink, OWN_SUBSYSTEMS, PlayConfig, RecordConfig, Replay, ReplayMode,
    Snapshots,
};
use crate::sync::Shared;
use crate::units::Position;
use running::Standstill;
use std::path::Path;

/// The key of a header's board text that holds the name of an external machine.
pub const MACHINE_KEY: &str = "machine";

/// Bytes that a machine's name may have.
const NAME_BYTES_MAX: usize = 200;

/// What a recording of an external machine is made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalConfig {
    /// The machine's name; a replay may ask for it.
    pub machine: String,
    /// The parts of its state, each with a hash of its own in a digest.
    pub subsystems: Vec<String>,
    /// Instructions between digests; 0 leaves them to the start and the end.
    pub digest_every: u64,
    /// Instructions between snapshots; `None` for none but those asked for.
    pub snapshot_every: Option<u64>,
    /// Its clock in Hz.
    pub clock_hz: u64,
    /// Where it starts.
    pub start: Position,
}

/// The state machine of an external machine, with its file.
pub struct ExternalReplay {
    replay: Replay,
    machine: String,
    subsystems: Vec<String>,
    /// Binds snapshots to the machine.
    identity: Digest,
    clock_hz: u64,
    /// Recorder: the header, which may change until the first event comes.
    setup: Option<Setup>,
    /// Recorder: whose file it is.
    owner: Option<Process>,
    /// Player: the recording.
    reader: Option<Shared<LogReader>>,
    nets: Vec<String>,
    transcripts: Transcripts,
    shutdown: Option<ShutdownCause>,
    flush: Option<FlushSteps>,
    /// Whether async events wait for the flush point, or did: before that nothing that a host brings is logged.
    started: bool,
    /// Where the last flush was.
    flushed_at: Option<Position>,
    finished: bool,
    /// Player: whether flushes move anything.
    flushes: Standstill,
    /// Player: whether a loop that only asks how far it may go moves anything.
    questions: Standstill,
}

/// A recorder until its first event: what is registered meanwhile goes into the header, for which the file is begun anew.
struct Setup {
    writer: LogWriter,
    header: Header,
    blockers: Vec<String>,
}

impl Setup {
    /// Begins the file anew with these devices in its header, if there are any.
    fn settle(&mut self, chars: &[String]) -> Result<(), LogError> {
        if self.header.chars != chars {
            let header = Header { chars: chars.to_vec(), ..self.header.clone() };
            self.writer.restart(&header)?;
            self.header = header;
        }
        Ok(())
    }
}

/// The name of the machine in the board text of a recording, when it was not made on a board of ours.
pub fn machine_name(board_toml: &str) -> Option<String> {
    // This is asked each time a recording is opened, and a whole board takes long to read.
    if !board_toml.contains(MACHINE_KEY) {
        return None;
    }
    let table: toml::Table = board_toml.parse().ok()?;
    table.get(MACHINE_KEY)?.as_str().map(str::to_owned)
}

/// The board text of a recording of that machine.
fn board_text(machine: &str) -> String {
    let mut table = toml::Table::new();
    table.insert(MACHINE_KEY.to_owned(), machine.into());
    table.to_string()
}

impl ExternalReplay {
    /// Records nothing and plays nothing.
    pub fn none() -> Self {
        Self::new(Replay::none(), String::new(), Vec::new())
    }

    fn new(replay: Replay, machine: String, subsystems: Vec<String>) -> Self {
        Self {
            replay,
            identity: Digest::of(board_text(&machine).as_bytes()),
            machine,
            subsystems,
            clock_hz: 0,
            setup: None,
            owner: None,
            reader: None,
            nets: Vec::new(),
            transcripts: Transcripts::default(),
            shutdown: None,
            flush: None,
            started: false,
            flushed_at: None,
            finished: false,
            flushes: Standstill::default(),
            questions: Standstill::default(),
        }
    }

    /// Records into a file, which is replaced if it exists.
    ///
    /// # Errors
    /// A name or number that makes no sense, a file that cannot be made, or one that is being recorded into; nothing is
    /// left behind then.
    pub fn record(path: &Path, config: ExternalConfig) -> Result<Self, Error> {
        config.check()?;
        let header = Header {
            engine_version: env!("CARGO_PKG_VERSION").to_owned(),
            board_toml: board_text(&config.machine),
            clock_hz: config.clock_hz,
            subsystems: Replay::recorded_subsystems(config.subsystems.clone()),
            start: config.start,
            digest_every: config.digest_every,
            snapshot_every: config.snapshot_every,
            ..Header::default()
        };
        let writer = LogWriter::create(path, &header, Options::default())?;
        // Devices register with it, and nothing is logged to it.
        let replay = recorder(Box::new(MemorySink::default()), &header);
        let mut external = Self::new(replay, config.machine, config.subsystems);
        external.clock_hz = config.clock_hz;
        external.owner = Some(Process::this());
        external.setup = Some(Setup { writer, header, blockers: Vec::new() });
        Ok(external)
    }

    /// Plays a recording; with `salvage` what is left of a damaged one. `machine` is the name it must have, if that
    /// matters.
    ///
    /// # Errors
    /// A file that cannot be read, a recording of another machine, or of a board of ours; both sides are named.
    pub fn play(path: &Path, salvage: bool, machine: Option<&str>) -> Result<Self, Error> {
        Self::play_reader(
            if salvage { LogReader::open_salvage(path)? } else { LogReader::open(path)? },
            machine,
        )
    }

    fn play_reader(reader: LogReader, machine: Option<&str>) -> Result<Self, Error> {
        let reader = Shared::new(reader);
        let header = reader.header();
        let path = reader.path().display();
        let Some(recorded) = machine_name(&header.board_toml) else {
            return Err(Error::Mismatch(format!(
                "{path} was recorded on a board of rreplay, not on a machine of yours: replay it with \
                 rreplay.open(path).replay()"
            )));
        };
        if let Some(machine) = machine.filter(|machine| *machine != recorded) {
            return Err(Error::Mismatch(format!(
                "{path} was recorded on the machine {recorded:?}, this one is {machine:?}"
            )));
        }
        let of_machine = header.subsystems.strip_suffix(&OWN_SUBSYSTEMS.map(str::to_owned));
        let Some(of_machine) = of_machine.filter(|names| !names.is_empty()) else {
            let found = &header.subsystems;
            return Err(Error::Mismatch(format!("{path} has digests of other subsystems: {found:?}")));
        };
        let (subsystems, clock_hz) = (of_machine.to_vec(), header.clock_hz);
        let config = PlayConfig {
            start: header.start,
            subsystems: header.subsystems.clone(),
            chars: Some(header.chars.clone()),
        };
        let replay = Replay::play(Box::new(EventCursor::new(reader.clone())), config);
        let mut external = Self::new(replay, recorded, subsystems);
        external.clock_hz = clock_hz;
        external.reader = Some(reader);
        Ok(external)
    }

    /// The machine's name; empty in mode none.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// The parts of the machine's state that digests have a hash of.
    pub fn subsystems(&self) -> &[String] {
        &self.subsystems
    }

    /// The machine's clock in Hz, 0 in mode none.
    pub fn clock_hz(&self) -> u64 {
        self.clock_hz
    }

    /// The state machine, to ask or tell it something. What a recorder writes first ends the registration of devices.
    ///
    /// # Errors
    /// When the file's header cannot be written; in a process that was forked from the one that records.
    pub fn replay(&mut self) -> Result<&mut Replay, Error> {
        self.require_owner()?;
        if let Some(setup) = &mut self.setup {
            // A failure leaves the setup in place, so the next call tries again: nothing is ever logged outside the file.
            setup.settle(self.replay.chars())?;
        }
        if let Some(setup) = self.setup.take() {
            self.replay = self.begun(setup)?;
        }
        Ok(&mut self.replay)
    }

    fn require_owner(&self) -> Result<(), Error> {
        match self.owner.filter(|owner| !owner.is_this()) {
            None => Ok(()),
            Some(owner) => Err(Error::State(format!(
                "the machine is recorded by {owner}, and this is {}, forked from it: only {owner} goes on with it and \
                 writes the recording",
                Process::this()
            ))),
        }
    }

    /// The state machine, to look at.
    pub fn inspect(&self) -> &Replay {
        &self.replay
    }

    /// Where the machine is.
    pub fn position(&self) -> Position {
        self.replay.position()
    }

    /// The recorder on its file, with what was registered.
    fn begun(&self, setup: Setup) -> Result<Replay, Error> {
        let Setup { writer, header, blockers } = setup;
        let mut replay = recorder(Box::new(writer), &header);
        for name in self.replay.chars() {
            replay.register_char(name)?;
        }
        for (number, name) in self.nets.iter().enumerate() {
            let device = replay.register_net(name)?;
            if !self.replay.has_net(NetId(number as u16)) {
                replay.unregister_net(device)?;
            }
        }
        blockers.iter().for_each(|reason| replay.add_blocker(reason));
        Ok(replay)
    }

    // ---- devices, start ----

    /// Registers a character device; numbers follow the order of registration.
    ///
    /// # Errors
    /// In record, once something is logged; in play, when the recording has another device under this number.
    pub fn register_char(&mut self, name: &str) -> Result<CharId, Error> {
        check_name("a character device's name", name)?;
        if self.replay.mode() == ReplayMode::Record && self.setup.is_none() {
            return Err(Error::State(format!(
                "{name:?} cannot be registered now: the recording has begun, with its devices in its header; register \
                 them before anything else"
            )));
        }
        Ok(self.replay.register_char(name)?)
    }

    /// The character device of a number.
    ///
    /// # Errors
    /// When it was not registered.
    pub fn char_device(&self, number: u16) -> Result<CharId, Error> {
        let registered = self.replay.chars().len();
        if usize::from(number) < registered {
            return Ok(CharId(number));
        }
        Err(Error::Argument(format!(
            "there is no character device {number}: {registered} are registered (register_char)"
        )))
    }

    /// Registers a network device; numbers follow the order of registration.
    ///
    /// # Errors
    /// When there are 65,536 already.
    pub fn register_net(&mut self, name: &str) -> Result<NetId, Error> {
        check_name("a network device's name", name)?;
        let id = self.replay.register_net(name)?;
        self.nets.push(name.to_owned());
        Ok(id)
    }

    /// Takes a network device away: its packets are dropped from now on.
    ///
    /// # Errors
    /// When it was never registered, or is gone already.
    pub fn unregister_net(&mut self, number: u16) -> Result<(), Error> {
        Ok(self.replay.unregister_net(self.net_device(number)?)?)
    }

    /// The network device of a number, which may have been taken away since.
    ///
    /// # Errors
    /// When it was never registered.
    pub fn net_device(&self, number: u16) -> Result<NetId, Error> {
        let registered = self.nets.len();
        if usize::from(number) < registered {
            return Ok(NetId(number));
        }
        Err(Error::Argument(format!(
            "there is no network device {number}: {registered} were registered (register_net)"
        )))
    }

    /// Remembers why this machine cannot be recorded or played.
    pub fn add_blocker(&mut self, reason: &str) {
        self.replay.add_blocker(reason);
        if let Some(setup) = &mut self.setup {
            setup.blockers.push(reason.to_owned());
        }
    }

    /// Starts recording or playing.
    ///
    /// # Errors
    /// Every blocker; in play, a character device of the recording that was not registered.
    pub fn start(&mut self) -> Result<(), Error> {
        if let Some(reader) = &self.reader {
            let registered = self.replay.chars().len();
            if let Some(missing) = reader.header().chars.get(registered) {
                return Err(Error::Mismatch(format!(
                    "the recording has a character device {registered} called {missing:?}, and {registered} are \
                     registered here: register the recorded ones in their order before start"
                )));
            }
        }
        self.replay()?.start()?;
        self.started = true;
        Ok(())
    }

    // ---- transcripts ----

    /// A character device has sent bytes.
    pub fn sent(&mut self, device: CharId, bytes: &[u8]) {
        self.transcripts.append(device, bytes);
    }

    /// All that a character device has sent.
    pub fn transcript(&self, device: CharId) -> &[u8] {
        self.transcripts.of(device)
    }
}

impl ExternalConfig {
    fn check(&self) -> Result<(), Error> {
        check_name("machine", &self.machine)?;
        if self.subsystems.is_empty() {
            return Err(Error::Argument(
                "subsystems names the parts of the machine's state, at least one".into(),
            ));
        }
        for (place, name) in self.subsystems.iter().enumerate() {
            check_name("a subsystem's name", name)?;
            let is_own = OWN_SUBSYSTEMS.contains(&name.as_str()) || name == crate::engine::REPLAY_SECTION;
            if is_own || self.subsystems[..place].contains(name) {
                return Err(Error::Argument(format!(
                    "subsystems has {name:?}, which stands there twice or is a name of the state machine's own"
                )));
            }
        }
        if self.clock_hz == 0 {
            return Err(Error::Argument("clock_hz is the machine's clock in hertz, from 1 on".into()));
        }
        if self.snapshot_every == Some(0) {
            return Err(Error::Argument("snapshot_every is instructions, from 1 on".into()));
        }
        Ok(())
    }
}

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Error::Argument(format!(
            "{what} is a text of 1 to {NAME_BYTES_MAX} bytes without control characters, and {name:?} is not"
        )));
    }
    Ok(())
}

fn recorder(sink: Box<dyn EventSink>, header: &Header) -> Replay {
    let of_machine = header.subsystems.len() - OWN_SUBSYSTEMS.len();
    let config = RecordConfig {
        start: header.start,
        subsystems: header.subsystems[..of_machine].to_vec(),
        digest_every: header.digest_every,
        snapshots: header.snapshot_every.map_or(Snapshots::OnRequest, Snapshots::Every),
    };
    Replay::record(sink, config)
}
