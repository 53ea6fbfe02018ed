//! Which process this is.

use std::fmt;

/// A process of the operating system, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process(u32);

impl Process {
    /// The one that runs this.
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether it is the one that runs this, and no child that was forked since.
    pub fn is_this(self) -> bool {
        self == Self::this()
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.0)
    }
}
