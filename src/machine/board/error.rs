//! What can be wrong with a board description.

use std::fmt;

/// A board that cannot be built, with the line of the description where that is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoardError {
    /// Line of the TOML text, counted from 1; `None` for boards that were made otherwise.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: BoardProblem,
}

impl std::error::Error for BoardError {}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "board description, line {line}: {}", self.problem),
            None => write!(f, "board description: {}", self.problem),
        }
    }
}

impl BoardError {
    /// A word that means nothing here, and those that do.
    pub fn unknown(word: &str, known: impl IntoIterator<Item = &'static str> + Clone) -> Self {
        let suggestion = suggestion(word, known.clone());
        BoardProblem::Unknown { word: word.to_owned(), suggestion, known: list(known) }.into()
    }
}

impl From<BoardProblem> for BoardError {
    fn from(problem: BoardProblem) -> Self {
        Self { line: None, problem }
    }
}

/// What is wrong with a board description.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are what the messages say
pub enum BoardProblem {
    /// Text that is no TOML, or a value of another type.
    #[error("{message}")]
    Toml { message: String },
    /// A text far larger than any description.
    #[error("the text has {size} bytes and a description at most {limit}: is it the right file?")]
    TooLong { size: usize, limit: usize },
    /// A key or a word that means nothing here.
    #[error("\"{word}\" is not known here{suggestion}; known are {known}")]
    Unknown { word: String, suggestion: String, known: String },
    /// A key that must be there.
    #[error("the key \"{key}\" is missing{whose}: add it")]
    Missing { key: String, whose: String },
    /// A value that the key cannot have.
    #[error("\"{key}\" is to be {expected} and is {found}")]
    Value { key: String, expected: &'static str, found: String },
    /// An address beyond 16 bits.
    #[error("{what} is {value} (0x{value:X}), outside the address space 0x0000 to 0xFFFF")]
    Address { what: String, value: i64 },
    /// No memory at all.
    #[error("the board has no memory: add a [[region]] with kind = \"ram\" and one with kind = \"rom\"")]
    Empty,
    /// A part without a name.
    #[error("a {what} has an empty name: give it one")]
    Unnamed { what: &'static str },
    /// Two parts with one name.
    #[error("there are two {what}s with the name \"{name}\": rename one")]
    SameName { what: &'static str, name: String },
    /// A clock that no machine has.
    #[error("clock_hz is {clock_hz}; it must lie between 1 and 1000000000")]
    Clock { clock_hz: u64 },
    /// A region that ends before it begins.
    #[error(
        "region \"{name}\" begins at ${start:04X} and ends before, at ${end:04X}: `end` is its last address"
    )]
    Backward { name: String, start: u16, end: u16 },
    /// A region that does not fill its pages.
    #[error(
        "region \"{name}\" (${start:04X}-${end:04X}) must begin at a multiple of $100 and end just before one, as $0000-$3FFF does"
    )]
    Unaligned { name: String, start: u16, end: u16 },
    /// Two regions at one address.
    #[error(
        "region \"{first}\" (${first_start:04X}-${first_end:04X}) and region \"{second}\" (${second_start:04X}-${second_end:04X}) overlap: move or shorten one"
    )]
    RegionsOverlap {
        first: String,
        first_start: u16,
        first_end: u16,
        second: String,
        second_start: u16,
        second_end: u16,
    },
    /// Two devices at one address.
    #[error(
        "device \"{first}\" (${first_start:04X}-${first_end:04X}) and device \"{second}\" (${second_start:04X}-${second_end:04X}) overlap: move one"
    )]
    DevicesOverlap {
        first: String,
        first_start: u16,
        first_end: u16,
        second: String,
        second_start: u16,
        second_end: u16,
    },
    /// A device whose registers leave the address space.
    #[error("device \"{name}\" has {count} registers at ${at:04X}, which goes beyond ${end:04X}: move it")]
    DevicePastEnd { name: String, at: u16, count: u16, end: u16 },
    /// No memory where the CPU looks for its first instruction's address.
    #[error(
        "no region covers the reset vector ${first:04X}-${last:04X}, so the CPU could not start: let a region end at $FFFF"
    )]
    ResetVector { first: u16, last: u16 },
    /// No memory where the CPU starts.
    #[error("no region covers ${address:04X}, where the CPU starts: let a region begin there")]
    ResetAddress { address: u16 },
    /// A reset vector for a processor that has none.
    #[error("a {cpu} has no reset vector, it starts at a fixed address: leave `reset_vector` out")]
    NoResetVector { cpu: &'static str },
    /// A device at an I/O port of a processor without ports.
    #[error(
        "device \"{name}\" is to be at an I/O port, and a {cpu} has none: leave `space` out, and give it an address of memory"
    )]
    NoPorts { name: String, cpu: &'static str },
    /// A console that is no device of the board.
    #[error("the console is to be \"{console}\", and the board has {known}{suggestion}")]
    NoConsole { console: String, known: String, suggestion: String },
    /// A console that cannot carry characters.
    #[error("the console is to be \"{console}\", a {kind}, which carries no characters: name a serial chip")]
    ConsoleKind { console: String, kind: String },
    /// More devices than the bus can tell apart.
    #[error("the board has {count} devices and may have {limit}: leave some out")]
    TooManyDevices { count: usize, limit: usize },
    /// A device kind or option that the device model refuses.
    #[error("device \"{name}\" ({kind}): {reason}")]
    Device { name: String, kind: String, reason: String },
    /// A preset that does not exist.
    #[error(
        "there is no preset \"{name}\"{suggestion}; there are {known}, or give the path of a .toml file, as in \"./{name}.toml\""
    )]
    NoPreset { name: String, known: String, suggestion: String },
    /// Arguments for a program that a board has no place for.
    #[error("board \"{board}\" has no device of kind \"sim65\", so no program on it can be given arguments")]
    NoArguments { board: String },
}

/// `"a", "b"`, or `nothing`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// ` (did you mean "x"?)` when a known word is near, else nothing.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known.into_iter().map(|candidate| (distance(word, candidate), candidate)).min();
    // Beyond a third of its letters the guess would be as odd as the word.
    let limit = (word.chars().count() / 3).max(1);
    match near {
        Some((distance, candidate)) if distance <= limit => format!(" (did you mean \"{candidate}\"?)"),
        _ => String::new(),
    }
}

/// Letters to insert, remove, change or swap with their neighbour to make one word of the other, regardless of case.
fn distance(left: &str, right: &str) -> usize {
    // Longer words are nobody's typing error, and their comparison would take long.
    if left.len() > 64 || right.len() > 64 {
        return usize::MAX;
    }
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    // cost[i][j]: from the first i letters of `left` to the first j of `right`.
    let mut cost = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            cost[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let same = left[i - 1] == right[j - 1];
                    let change = cost[i - 1][j - 1] + usize::from(!same);
                    let swapped =
                        i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
                    let swap = if swapped { cost[i - 2][j - 2] + 1 } else { usize::MAX };
                    change.min(swap).min(cost[i - 1][j] + 1).min(cost[i][j - 1] + 1)
                }
            };
        }
    }
    cost[left.len()][right.len()]
}
