//! [`Scenario`]: a guest program on a board, and what the hosts do while it runs.

use super::boards::{BoardChoice, CpuChoice};
use super::host::{HostConfig, TestHost};
use super::oracle::Manners;
use super::program::Program;
use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::any;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::events::InputEvent;
use rreplay::log::Options;
use rreplay::nondet::ShutdownCause;
use rreplay::session::Session;
use rreplay::units::Position;

/// Operations of the host that are looked at; a fuzzer may give more.
const OPERATIONS_MAX: usize = 12;
/// Acts of the host during one run.
const ACTS_MAX: usize = 6;
/// Bytes that are typed at once, and input events in one packet.
const TYPED_MAX: usize = 6;
/// The longest run of a scenario.
const INSTRUCTIONS_MAX: u16 = 3000;
/// The longest run in which an idle machine sleeps in real time.
const SLEEP_CYCLES_MAX: u16 = 300;
/// Cycles of all runs of a scenario, for each instruction of its patience.
const CYCLES_PER_PATIENCE: u64 = 8;
/// What an instruction takes at most, with an interrupt sequence and then some.
pub(super) const CYCLES_PER_INSTRUCTION_MAX: u64 = 20;

/// The shutdowns and resets that a host may ask for.
const HOST_CAUSES: [ShutdownCause; 7] = [
    ShutdownCause::HostReset,
    ShutdownCause::SubsystemReset,
    ShutdownCause::HostError,
    ShutdownCause::HostQuit,
    ShutdownCause::HostSignal,
    ShutdownCause::HostUi,
    ShutdownCause::SnapshotLoad,
];

/// Everything that a recording depends on, except the moments of threads.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct Scenario {
    /// Instructions of all runs together, and an eighth of their cycles. A fuzzer's scenario has as much as its input is
    /// long: what an input costs is in proportion to what it says.
    #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(patience(u.len())))]
    #[proptest(value = "u16::MAX")]
    pub patience: u16,
    /// The board.
    pub board: BoardChoice,
    /// Its processor.
    pub cpu: CpuChoice,
    /// What the guest runs.
    pub program: Program,
    /// What the host does, in order.
    #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, OPERATIONS_MAX))]
    #[proptest(strategy = "vec(any::<HostOperation>(), 1..8)")]
    pub host: Vec<HostOperation>,
    /// Modulo 4: the operations that are done before the recording begins.
    pub unrecorded: u8,
    /// Modulo 1024, and taken from 1024: instructions between digests.
    pub digest_every: u16,
    /// Modulo 961, and taken from 1024: instructions between snapshots. Denser ones would make a long scenario compress
    /// its memory some ten thousand times.
    pub snapshot_every: Option<u16>,
    /// Modulo 128, and taken from 128: instructions of the slices in which one replay is made.
    pub replay_slice: u8,
    /// How the host behaves that answers the guest.
    pub host_config: HostConfig,
    /// What its answers come from.
    pub seed: u16,
    /// Whether the host presses the reset button when a run has ended because the processor was stopped or jammed.
    #[proptest(strategy = "proptest::bool::weighted(0.8)")]
    pub resets_stopped: bool,
}

/// How far to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum RunLength {
    /// So many instructions, modulo 3000, and at most 20 times as many cycles.
    Instructions(u16),
    /// So many cycles.
    Cycles(u16),
    /// Until the guest comes to this address of the program's first page, or for 1000 instructions.
    Address(u8),
    /// Until so many more bytes are printed, modulo 8, or for 2000 instructions.
    Output(u8),
}

/// What the host does.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum HostOperation {
    /// Runs the machine.
    #[proptest(weight = 4)]
    Run {
        /// How far.
        length: RunLength,
        /// On two threads.
        threads: bool,
    },
    /// Does something between two runs; what it brings arrives in the next.
    #[proptest(weight = 4)]
    Act(HostAct),
    /// Runs, and does one thing each time the guest comes to an address of the program's first page.
    #[proptest(weight = 2)]
    ActAt {
        /// Low byte of the address.
        address: u8,
        /// What is done, one at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, ACTS_MAX))]
        #[proptest(strategy = "vec(any::<HostAct>(), 1..6)")]
        acts: Vec<HostAct>,
        /// How far.
        length: RunLength,
    },
    /// Runs on two threads while a third does these things.
    Race {
        /// What is done, one after the other; bytes are typed one at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, ACTS_MAX))]
        #[proptest(strategy = "vec(any::<HostAct>(), 1..6)")]
        acts: Vec<HostAct>,
        /// How far.
        length: RunLength,
    },
    /// Runs so many cycles, modulo 300; an idle machine sleeps in real time.
    Sleep {
        /// How far.
        cycles: u16,
        /// On two threads.
        threads: bool,
    },
    /// Presses the reset button.
    Reset,
    /// Asks for a snapshot in the recording, between two runs.
    Snapshot,
    /// Looks at everything there is to look at, which must not change anything.
    Look,
    /// Steps with every bus cycle traced.
    Trace(u8),
    /// Watches reads and writes of a page of addresses from here on, without stopping.
    Watch {
        /// The page.
        page: u8,
    },
}

/// What any thread of the host may do at any time.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum HostAct {
    /// Types bytes into the console.
    #[proptest(weight = 3)]
    Type(
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 1..6)")]
        Vec<u8>,
    ),
    /// Brings bytes for a character device; the last number is no device's.
    Bytes {
        /// Modulo 5.
        device: u8,
        /// The bytes.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 1..6)")]
        bytes: Vec<u8>,
    },
    /// Brings input of a user, and with `whole` the end of the packet.
    #[proptest(weight = 2)]
    Input {
        /// The events.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<UserInput>(), 0..4)")]
        events: Vec<UserInput>,
        /// Whether the packet ends here.
        whole: bool,
    },
    /// Brings a packet from the network; the second device is not there.
    Packet {
        /// Modulo 2.
        device: u8,
        /// Its flags.
        flags: u8,
        /// Its bytes.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 0..6)")]
        bytes: Vec<u8>,
    },
    /// Brings the packets that the network sends back.
    Echo,
    /// Ends the disk's requests, in an order that the number chooses.
    #[proptest(weight = 3)]
    Complete(u8),
    /// Asks for a shutdown or a reset.
    #[proptest(weight = 2)]
    Shutdown(u8),
    /// Asks for a snapshot in the recording.
    Snapshot,
    /// Moves the host's clocks by so many times 16 nanoseconds.
    #[proptest(weight = 2)]
    Tick(u16),
}

/// One input event of a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
#[allow(missing_docs)]
pub enum UserInput {
    Key(u16, bool),
    Button(u8, bool),
    Rel(u8, i32),
    Abs(u8, i32),
}

impl From<UserInput> for InputEvent {
    fn from(input: UserInput) -> Self {
        match input {
            UserInput::Key(keycode, down) => InputEvent::Key { keycode, down },
            UserInput::Button(button, down) => InputEvent::Button { button, down },
            UserInput::Rel(axis, value) => InputEvent::Rel { axis, value },
            UserInput::Abs(axis, value) => InputEvent::Abs { axis, value },
        }
    }
}

/// Up to `max` of them. A vector of its own making would be short: it tosses a coin after each element.
pub(super) fn many<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>, max: usize) -> arbitrary::Result<Vec<T>> {
    let count = u.int_in_range(0..=max)?;
    (0..count).map(|_| u.arbitrary()).collect()
}

/// The patience with a scenario that so many bytes describe.
fn patience(bytes: usize) -> u16 {
    u16::try_from(64 + bytes * 4).unwrap_or(u16::MAX)
}

/// The shutdown or reset that a number stands for.
pub(super) fn host_cause(number: u8) -> ShutdownCause {
    HOST_CAUSES[usize::from(number) % HOST_CAUSES.len()]
}

impl Scenario {
    /// The machine at power-on, without its host.
    ///
    /// # Errors
    /// None, unless the testing boards do not hold.
    pub fn session(&self) -> Result<Session, Error> {
        let board = self.board.board(self.cpu)?;
        let images = self.program.images(&board);
        Session::new(board, images)
    }

    /// The host that answers the guest.
    pub fn test_host(&self) -> TestHost {
        // A machine that sleeps until a clock has moved would never wake by one that stands.
        let host_config = if self.sleeps() { HostConfig::Lively } else { self.host_config };
        TestHost::new(self.seed.into(), host_config)
    }

    /// What the host does, no more than is looked at: before the recording begins, and then.
    pub(super) fn operations(&self) -> (&[HostOperation], &[HostOperation]) {
        let all = &self.host[..self.host.len().min(OPERATIONS_MAX)];
        all.split_at(usize::from(self.unrecorded % 4).min(all.len()))
    }

    fn all_operations(&self) -> impl Iterator<Item = &HostOperation> {
        self.host.iter().take(OPERATIONS_MAX)
    }

    /// Instructions between digests.
    pub(super) fn digest_every(&self) -> u64 {
        1024 - u64::from(self.digest_every % 1024)
    }

    /// Instructions between snapshots.
    pub(super) fn snapshot_every(&self) -> Option<u64> {
        self.snapshot_every.map(|every| 1024 - u64::from(every % 961))
    }

    /// The same with a part of its patience, for an oracle that takes longer than a replay.
    pub(super) fn with_patience_over(self, times: u16, most: u16) -> Self {
        Self { patience: (self.patience / times).min(most), ..self }
    }

    /// Cycles of a run that somebody else makes with its machine.
    pub(super) fn cycles_beside(&self) -> u64 {
        u64::from(self.patience) * 2
    }

    /// How its recording is written: one in eight is compressed, which costs more than to make it.
    pub(super) fn log_options(&self) -> Options {
        if self.compresses() { Options::default() } else { Options { level: 0, ..Options::default() } }
    }

    /// Whether what it makes is compressed.
    pub(super) fn compresses(&self) -> bool {
        self.seed % 8 == 7
    }

    /// Whether anybody asks for snapshots in its recording.
    pub(super) fn takes_snapshots(&self) -> bool {
        let acts = |acts: &[HostAct]| acts.contains(&HostAct::Snapshot);
        self.snapshot_every.is_some()
            || self.all_operations().any(|operation| match operation {
                HostOperation::Snapshot => true,
                HostOperation::Act(act) => *act == HostAct::Snapshot,
                HostOperation::ActAt { acts: all, .. } | HostOperation::Race { acts: all, .. } => acts(all),
                _ => false,
            })
    }

    /// Instructions of the slices of one replay.
    pub(super) fn replay_slice(&self) -> u64 {
        128 - u64::from(self.replay_slice % 128)
    }

    /// How its recording is replayed: one in eight on two threads, which cost more than what they run.
    pub(super) fn manners(&self) -> Manners {
        let whole = if self.seed % 8 == 1 { Scheduler::Threads } else { Scheduler::Inline };
        Manners { whole: Some(whole), slice: Some(self.replay_slice()) }
    }

    fn sleeps(&self) -> bool {
        self.all_operations().any(|operation| matches!(operation, HostOperation::Sleep { .. }))
    }

    /// Whether the recording is the same each time: no host does anything by itself, or while two threads run.
    pub(super) fn is_repeatable(&self) -> bool {
        let races = self.all_operations().any(|operation| matches!(operation, HostOperation::Race { .. }));
        !races && !self.sleeps() && self.host_config == HostConfig::Steady
    }
}

impl Scenario {
    /// Instructions and cycles at most of a run that begins at a position.
    pub(super) fn limits(&self, length: RunLength, here: Position) -> (u64, u64) {
        let patience = u64::from(self.patience);
        let (instructions, cycles) = length.limits();
        let instructions = match instructions {
            u64::MAX => u64::MAX,
            instructions => instructions.min(patience.saturating_sub(here.icount)),
        };
        (instructions, cycles.min((patience * CYCLES_PER_PATIENCE).saturating_sub(here.cycles)))
    }
}

impl RunLength {
    /// Instructions and cycles at most.
    fn limits(self) -> (u64, u64) {
        let of_instructions = |count: u16| (u64::from(count), u64::from(count) * CYCLES_PER_INSTRUCTION_MAX);
        match self {
            RunLength::Instructions(count) => of_instructions(count % INSTRUCTIONS_MAX),
            RunLength::Cycles(count) => (u64::MAX, u64::from(count)),
            RunLength::Address(_) => of_instructions(1000),
            RunLength::Output(_) => of_instructions(2000),
        }
    }
}

/// The cycles of a run in which an idle machine sleeps.
pub(super) fn sleep_cycles(cycles: u16) -> u64 {
    u64::from(cycles % SLEEP_CYCLES_MAX)
}
