//! [`Scenario`]: a guest program on a board, and what the host does while it runs.

use super::boards::{BoardChoice, CpuChoice};
use super::program::Program;
use crate::error::Error;
use crate::session::Session;
use arbitrary::{Arbitrary, Unstructured};
use proptest::collection::vec;
use proptest::prelude::any;

/// Operations of the host that are looked at; a fuzzer may give more.
const OPERATIONS_MAX: usize = 12;
/// Bytes that are typed at once.
const TYPED_MAX: usize = 6;
/// The longest run of a scenario.
const INSTRUCTIONS_MAX: u16 = 3000;
/// What an instruction takes at most, with an interrupt sequence and then some.
pub(super) const CYCLES_PER_INSTRUCTION_MAX: u64 = 20;

/// Everything that a recording depends on, except the clock of the host.
#[derive(Clone, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub struct Scenario {
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
    /// Modulo 1024, and taken from 1024: instructions between digests.
    pub digest_every: u16,
    /// Modulo 128, and taken from 128: instructions of the slices in which one replay is made.
    pub replay_slice: u8,
}

/// How far to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Arbitrary, proptest_derive::Arbitrary)]
pub enum Extent {
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
    Run {
        /// How far.
        extent: Extent,
        /// On two threads.
        threads: bool,
    },
    /// Types bytes that arrive in the next run.
    Type(
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 1..6)")]
        Vec<u8>,
    ),
    /// Runs, and types each time the guest comes to an address of the program's first page, as often as there are bytes.
    TypeAt {
        /// Low byte of the address.
        address: u8,
        /// The bytes, one at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 1..6)")]
        bytes: Vec<u8>,
        /// How far.
        extent: Extent,
    },
    /// Runs on two threads while a third types.
    Race {
        /// The bytes, one at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| many(u, TYPED_MAX))]
        #[proptest(strategy = "vec(any::<u8>(), 1..6)")]
        bytes: Vec<u8>,
        /// How far.
        extent: Extent,
    },
    /// Presses the reset button.
    Reset,
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

/// Up to `max` of them. A vector of its own making would be short: it tosses a coin after each element.
pub(super) fn many<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>, max: usize) -> arbitrary::Result<Vec<T>> {
    let count = u.int_in_range(0..=max)?;
    (0..count).map(|_| u.arbitrary()).collect()
}

impl Scenario {
    /// The machine at power-on.
    ///
    /// # Errors
    /// None, unless the testing boards do not hold.
    pub fn session(&self) -> Result<Session, Error> {
        let board = self.board.board(self.cpu)?;
        let images = self.program.images(&board);
        Session::new(board, images)
    }

    /// What the host does, no more than is looked at.
    pub(super) fn operations(&self) -> impl Iterator<Item = &HostOperation> {
        self.host.iter().take(OPERATIONS_MAX)
    }

    /// Instructions between digests.
    pub(super) fn digest_every(&self) -> u64 {
        1024 - u64::from(self.digest_every % 1024)
    }

    /// Instructions of the slices of one replay.
    pub(super) fn replay_slice(&self) -> u64 {
        128 - u64::from(self.replay_slice % 128)
    }

    /// Whether the recording is the same each time: nothing is typed while two threads run.
    pub(super) fn is_repeatable(&self) -> bool {
        !self.operations().any(|operation| matches!(operation, HostOperation::Race { .. }))
    }
}

impl Extent {
    /// Instructions and cycles at most.
    pub(super) fn limits(self) -> (u64, u64) {
        let of_instructions = |count: u16| (u64::from(count), u64::from(count) * CYCLES_PER_INSTRUCTION_MAX);
        match self {
            Extent::Instructions(count) => of_instructions(count % INSTRUCTIONS_MAX),
            Extent::Cycles(count) => (u64::MAX, u64::from(count)),
            Extent::Address(_) => of_instructions(1000),
            Extent::Output(_) => of_instructions(2000),
        }
    }
}
