//! An external machine's state: hashed into digests, kept in snapshots, returned from them.

use super::ExternalReplay;
use crate::error::Error;
use crate::log::Event;
use crate::persist::{Digest, Sections};
use crate::replay::{OWN_SUBSYSTEMS, ReplayMode};
use crate::snapshot::{self, Snapshot};
use crate::units::Position;

use crate::engine::REPLAY_SECTION;

/// What a machine says of one of its subsystems.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The subsystem.
    pub name: String,
    /// Its state.
    pub state: State,
}

/// A subsystem's state, or a hash of it that the machine has taken itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// All of it.
    Bytes(Vec<u8>),
    /// 16 bytes that are another for every other state.
    Hash(Digest),
}

/// Whether a digest has no hash of the machine.
pub(super) fn is_unknown(hashes: &[Digest]) -> bool {
    let of_machine = hashes.len().saturating_sub(OWN_SUBSYSTEMS.len());
    hashes[..of_machine].iter().all(|hash| *hash == Digest::UNKNOWN)
}

impl ExternalReplay {
    /// The hash of each subsystem, in the recording's order; unknown where no state is given.
    ///
    /// # Errors
    /// A state that has other parts than the recording's digests.
    pub(super) fn hashes(&self, state: Option<&[Part]>) -> Result<Vec<Digest>, Error> {
        let Some(state) = state else { return Ok(vec![Digest::UNKNOWN; self.subsystems().len()]) };
        self.check_parts(state)?;
        let part = |name: &String| state.iter().find(|part| part.name == *name);
        Ok(self
            .subsystems()
            .iter()
            .map(|name| match part(name).map(|part| &part.state) {
                Some(State::Bytes(bytes)) => Digest::of(bytes),
                Some(State::Hash(hash)) => *hash,
                None => Digest::UNKNOWN,
            })
            .collect())
    }

    fn check_parts(&self, state: &[Part]) -> Result<(), Error> {
        let known = self.subsystems();
        let missing = known.iter().find(|name| state.iter().all(|part| part.name != **name));
        let surplus = state.iter().find(|part| !known.contains(&part.name));
        let problem = match (missing, surplus) {
            (Some(name), _) => format!("the state has no part {name:?}"),
            (None, Some(part)) => format!("the state has a part {:?}", part.name),
            (None, None) => return Ok(()),
        };
        let problem = format!("{problem}: the digests of this recording are of {known:?}");
        Err(match self.inspect().mode() {
            ReplayMode::Play => Error::Mismatch(problem),
            _ => Error::Argument(problem),
        })
    }

    /// Logs a digest of the state here, or compares it with the log's.
    ///
    /// # Errors
    /// A state with other parts than the recording's; in play a divergence that names the subsystems that differ.
    pub fn digest(&mut self, state: Option<&[Part]>) -> Result<(), Error> {
        let mut hashes =
            if self.inspect().mode() == ReplayMode::None { Vec::new() } else { self.hashes(state)? };
        if self.inspect().mode() == ReplayMode::Play
            && let Some(Event::Digest(logged)) = self.replay()?.peek()?.map(|next| &next.event)
        {
            if is_unknown(logged) {
                hashes.fill(Digest::UNKNOWN);
            } else if state.is_none() {
                return Err(Error::State(format!(
                    "the recording has a digest of the state at {}, and this machine does not say its own: register \
                     it with vmstate_init(save, load), or give it to digest(state)",
                    self.position()
                )));
            }
        }
        Ok(self.replay()?.digest(hashes)?)
    }

    /// The state as a snapshot's container.
    fn container(&self, state: &[Part], replay: Option<Vec<u8>>) -> Result<Snapshot, Error> {
        self.check_parts(state)?;
        let mut sections = Vec::new();
        for part in state {
            match &part.state {
                State::Bytes(bytes) => sections.push((part.name.clone(), bytes.clone())),
                State::Hash(_) => {
                    let message = format!("a snapshot needs the bytes of {:?}, not their hash", part.name);
                    return Err(Error::Argument(message));
                }
            }
        }
        sections.extend(replay.map(|saved| (REPLAY_SECTION.to_owned(), saved)));
        Ok(Snapshot::new(self.identity, self.position(), sections))
    }

    fn parts(&self, snapshot: &Snapshot) -> Result<Vec<(String, Vec<u8>)>, Error> {
        if snapshot.identity() != self.identity {
            return Err(Error::Mismatch(format!(
                "the snapshot at {} is of another machine than {:?}",
                snapshot.position(),
                self.machine()
            )));
        }
        let of_machine = snapshot.sections().iter().filter(|(name, _)| name != REPLAY_SECTION);
        Ok(of_machine.cloned().collect())
    }

    /// The state that the run starts from: logged in record, returned from the log in play.
    ///
    /// # Errors
    /// When the log cannot be written; in play, a divergence when it does not have such a state here.
    pub fn vmstate_init(&mut self, state: Option<&[Part]>) -> Result<Option<Sections>, Error> {
        let container = match (self.inspect().mode(), state) {
            (ReplayMode::Record, Some(state)) => self.container(state, None)?.to_bytes(),
            _ => Vec::new(),
        };
        match self.replay()?.vmstate_init(|| container)? {
            Some(bytes) => self.parts(&Snapshot::from_bytes(&bytes)?).map(Some),
            None => Ok(None),
        }
    }

    /// Puts a snapshot of the state into the log, or passes the one that it has here.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub fn snapshot(&mut self, state: Option<&[Part]>) -> Result<(), Error> {
        if self.inspect().mode() != ReplayMode::Record {
            return Ok(self.replay()?.snapshot(|_| Vec::new())?);
        }
        let Some(state) = state else {
            return Err(Error::State(
                "a snapshot needs the machine's state: register it with vmstate_init".into(),
            ));
        };
        let saved = self.replay()?.save();
        let container = self.container(state, Some(saved))?.to_bytes();
        Ok(self.replay()?.snapshot(|_| container)?)
    }

    /// Asks for a snapshot in the log; whether one will be there for it. Nothing is recorded in none, and a replay has the
    /// snapshots of its recording.
    ///
    /// # Errors
    /// When the file's header cannot be written.
    pub fn request_snapshot(&mut self) -> Result<bool, Error> {
        if self.inspect().mode() != ReplayMode::Record {
            return Ok(false);
        }
        self.replay()?.request_snapshot()?;
        Ok(true)
    }

    /// Player: the places of the recording's snapshots; the first may be the initial state.
    pub fn snapshots(&self) -> Vec<Position> {
        self.reader.iter().flat_map(|reader| reader.snapshots()).map(|chunk| chunk.first).collect()
    }

    /// Player: goes to a snapshot of the recording, by its number, and returns the machine's state there. The log goes on
    /// with what comes after it.
    ///
    /// # Errors
    /// Not in play, no such snapshot, or the initial state, at which a replay stands before it has begun.
    pub fn resume(&mut self, number: u64) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let Some(reader) = self.reader.clone().filter(|_| self.inspect().mode() == ReplayMode::Play) else {
            return Err(Error::State("only a replay can go to a snapshot of its recording".into()));
        };
        let snapshot = snapshot::recorded(&reader, number)?;
        let parts = self.parts(&snapshot)?;
        let Some((_, saved)) = snapshot.sections().iter().find(|(name, _)| name == REPLAY_SECTION) else {
            return Err(Error::Argument(format!(
                "snapshot {number} is the state that the recording starts from: vmstate_init loads it"
            )));
        };
        self.replay()?.resume(saved)?;
        self.shutdown = None;
        Ok(parts)
    }
}
