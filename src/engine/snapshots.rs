//! Digests and snapshots in a run: taken by a recorder, compared by a player, and resumed from by a player.

use super::vm_state::{REPLAY_SECTION, VmState};
use crate::guest::Guest;
use crate::log::Event;
use crate::replay::{Found, ReplayError, ReplayMode};
use crate::snapshot::{Changes, Snapshot};

/// How a replay compares itself with the snapshots of its recording as it comes to them: told a snapshot's number, the
/// guest, and what the state machine saves there, it says in which parts the two differ.
pub type SnapshotCheck<G> = Box<dyn FnMut(u64, &mut G, &[u8]) -> Result<PartsCompared, ReplayError> + Send>;

/// The parts of a state, by name: those that differ from another state, and those that agree.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartsCompared {
    /// Those that differ.
    pub differing: Vec<String>,
    /// Those that agree.
    pub matching: Vec<String>,
}

impl<G: Guest> VmState<G> {
    /// The state of the guest and of the state machine, to go on from in play.
    pub fn save(&mut self) -> Snapshot {
        let saved = self.replay.save();
        self.container(saved)
    }

    /// The same as [`save`](VmState::save), in the form that a recording has: what has changed since its last snapshot.
    fn save_changes(&mut self) -> Vec<u8> {
        let replay = self.replay.save();
        match self.guest.save_changes() {
            Some(mut sections) => {
                sections.push((REPLAY_SECTION.to_owned(), replay));
                Changes::new(self.identity, self.guest.position(), sections).to_bytes()
            }
            None => self.container(replay).to_bytes(),
        }
    }

    fn container(&mut self, replay: Vec<u8>) -> Snapshot {
        let mut sections = self.guest.save();
        sections.push((REPLAY_SECTION.to_owned(), replay));
        Snapshot::new(self.identity, self.guest.position(), sections)
    }

    /// Player: goes to where [`save`](VmState::save) was called, in this recording.
    ///
    /// # Errors
    /// Says which part does not fit.
    pub fn resume(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let Some(((name, saved), of_guest)) = snapshot.sections().split_last() else {
            return Err("the snapshot is empty".to_owned());
        };
        if name != REPLAY_SECTION {
            return Err(format!(
                "the snapshot has no part {REPLAY_SECTION:?}: it was not taken in a recording"
            ));
        }
        self.guest.restore(of_guest)?;
        self.replay.resume(saved).map_err(|error| error.to_string())?;
        self.number_requests();
        let (machine, log) = (self.guest.position(), self.replay.position());
        if machine != log {
            return Err(format!("its machine is at {machine}, its log at {log}"));
        }
        self.guest.begin_changes();
        self.forget_sleep();
        self.last_progress = None;
        Ok(())
    }

    /// The numbers of the guest's requests are the state machine's, and not saved with the guest: where both were restored it
    /// is told them.
    pub fn number_requests(&mut self) {
        for (id, owner) in self.replay.outstanding_requests() {
            self.guest.number_request(id, owner);
        }
    }

    /// Digest and snapshot, where they are due.
    pub(super) fn keep_state(&mut self) -> Result<(), ReplayError> {
        if self.replay.digest_due()? {
            let digests = self.digests();
            self.replay.digest(digests)?;
        }
        if self.replay.snapshot_due()? {
            let container = match self.replay.mode() {
                ReplayMode::Record => self.save_changes(),
                _ => self.check_snapshot().map(|()| Vec::new())?,
            };
            self.replay.snapshot(|_| container)?;
        }
        Ok(())
    }

    /// Player: compares this run with the snapshot that the log has next: its state, and what it says of the way to it.
    fn check_snapshot(&mut self) -> Result<(), ReplayError> {
        let number = match self.replay.peek()?.map(|next| &next.event) {
            Some(Event::Snapshot { number }) => *number,
            _ => return Ok(()),
        };
        let Some(check) = &mut self.snapshot_check else { return Ok(()) };
        let PartsCompared { differing, matching } = check(number, &mut self.guest, &self.replay.save())?;
        if differing.is_empty() {
            return Ok(());
        }
        Err(self.replay.diverged(Found::State { subsystems: differing, matching }))
    }
}
