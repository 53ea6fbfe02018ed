//! What tests reach into, and nobody else: only with the feature `testing`.

use super::Recording;
use crate::error::Error;
use crate::log::LogReader;
use crate::snapshot::Snapshot;
use crate::sync::Shared;

impl Recording {
    /// The file, as it is read.
    pub fn log_reader(&self) -> &Shared<LogReader> {
        self.reader()
    }

    /// The snapshot with that number, put together from those that it builds on.
    ///
    /// # Errors
    /// No such snapshot, or damage.
    pub fn composed_snapshot(&self, number: u64) -> Result<Snapshot, Error> {
        self.read_snapshot(number)
    }
}
