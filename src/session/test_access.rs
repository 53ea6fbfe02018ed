//! What tests reach into, and nobody else: only with the feature `testing`.

use super::Session;
use super::fault_injection::FaultInjections;
use crate::engine::{ReplayGuard, VmState};
use crate::error::Error;
use crate::host::HostInput;
use crate::machine::Machine;
use crate::snapshot::Snapshot;
use crate::sync::{Arc, MutexGuard};

impl Session {
    /// The machine and its engine's state, locked.
    pub fn lock_vm(&self) -> ReplayGuard<'_, VmState<Machine>> {
        self.vm()
    }

    /// The changes that are planned, and those that were made.
    pub fn fault_injections(&self) -> MutexGuard<'_, FaultInjections> {
        self.injections()
    }

    /// Puts a player to a snapshot of its recording.
    ///
    /// # Errors
    /// A snapshot of another recording, board or ROM.
    pub fn resume_from(&self, snapshot: &Snapshot) -> Result<(), Error> {
        self.resume(snapshot)
    }

    /// Where a test's host brings its events.
    pub fn host_input(&self) -> Arc<HostInput> {
        self.input.clone()
    }
}
