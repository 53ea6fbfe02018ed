//! A run that goes on from a lie: what follows from it, as a recorder would have written it down.

use super::forged_log::{ForgedLog, State};
use super::lies::hashes;
use rreplay::engine::{Limits, PartsCompared, StopReason, VcpuAction};
use rreplay::guest::Guest;
use rreplay::log::{LogError, StampedEvent};
use rreplay::persist::Digest;
use rreplay::recording::Recording;
use rreplay::replay::{EventSource, Found, Replay, ReplayError};
use rreplay::session::Session;
use rreplay::sync::{Mutex, Shared, lock};
use rreplay::units::EventOrdinal;

/// Stops of a replay that goes nowhere any more.
const STALLS_MAX: u32 = 8;

/// What a replay that carries a lie on finds, and changes.
struct Carried {
    events: Vec<StampedEvent>,
    states: Vec<State>,
}

/// The log that is being changed, as its player sees it.
struct CarriedSource {
    carried: Shared<Mutex<Carried>>,
    /// The event that was last looked at.
    looked_at: Option<StampedEvent>,
    next: u64,
}

impl EventSource for CarriedSource {
    fn peek(&mut self, ahead: usize) -> Result<Option<&StampedEvent>, LogError> {
        self.looked_at = lock(&self.carried).events.get(self.next as usize + ahead).cloned();
        Ok(self.looked_at.as_ref())
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn seek(&mut self, ordinal: EventOrdinal) -> Result<(), LogError> {
        self.next = ordinal.0;
        Ok(())
    }

    fn read_snapshot(&self, _number: u64) -> Result<Vec<u8>, LogError> {
        // The seal is made when all is written.
        Ok(Vec::new())
    }

    fn byte_offset(&self) -> Option<u64> {
        None
    }
}

impl ForgedLog {
    /// Computes the digests and snapshots after a snapshot from what stands in it, as far as a replay from there comes.
    pub(super) fn carry_on(&mut self, number: u64) -> Result<(), String> {
        let Ok(recording) = Recording::from_bytes(self.write()?, false) else { return Ok(()) };
        let Ok(session) = recording.replay_from(number, &[]) else { return Ok(()) };
        let carried =
            Shared::new(Mutex::new(Carried { events: self.events.clone(), states: self.states.clone() }));
        install(&session, &carried);
        play_on(&session, &carried);
        session.lock_vm().snapshot_check = None;
        drop(session);
        let carried = lock(&carried);
        (self.events, self.states) = (carried.events.clone(), carried.states.clone());
        Ok(())
    }
}

fn install(session: &Session, carried: &Shared<Mutex<Carried>>) {
    let mut vm = session.lock_vm();
    let source = carried.clone();
    vm.replay.change_source(|_, next| Box::new(CarriedSource { carried: source, looked_at: None, next }));
    let carried = carried.clone();
    vm.snapshot_check = Some(Box::new(move |number, machine, _| {
        let captured = machine.capture();
        if let Some(state) = lock(&carried).states.get_mut(number as usize) {
            for ((_, part), own) in state.parts.iter_mut().zip(captured.parts()) {
                part.clone_from(own);
            }
            state.pages = captured.pages().clone();
        }
        Ok(PartsCompared::default())
    }));
}

/// Goes to the end, and puts right on the way what the log has of the state.
fn play_on(session: &Session, carried: &Shared<Mutex<Carried>>) {
    let mut vm = session.lock_vm();
    let (mut last, mut stalls) = (None, 0);
    vm.begin_run(Limits::NONE);
    while stalls < STALLS_MAX {
        match vm.run_vcpu_quantum() {
            VcpuAction::Continue => continue,
            VcpuAction::Rest(_) | VcpuAction::Done(Ok(StopReason::End | StopReason::Halted)) => return,
            VcpuAction::Done(Ok(_)) => vm.begin_run(Limits::NONE),
            VcpuAction::Done(Err(ReplayError::Divergence(divergence))) => {
                let (Found::State { .. }, Some(expected)) = (&divergence.found, &divergence.expected) else {
                    return;
                };
                let mut own = vm.digests();
                own.extend(own_digests(&vm.replay));
                if let Some(event) = lock(carried).events.get_mut(expected.ordinal.0 as usize)
                    && let Some(digests) = hashes(&mut event.event)
                {
                    *digests = own;
                }
            }
            VcpuAction::Done(Err(_)) => return,
        }
        let here = Some((vm.guest.position(), vm.replay.events_passed()));
        stalls = if last == here { stalls + 1 } else { 0 };
        last = here;
    }
}

/// The hashes of the state machine's own subsystems, from what it saves.
fn own_digests(replay: &Replay) -> Vec<Digest> {
    let Ok(parts) = Replay::saved_parts(&replay.save()) else { return Vec::new() };
    let part = |wanted: &str| parts.iter().find(|(name, _)| *name == wanted).map(|(_, part)| part.clone());
    let queue = part("queue").unwrap_or_default();
    let events = part("events").unwrap_or_default();
    // Number of events, hash, length of what is not hashed yet, and that.
    let chain = [&events[8..24], &events[28..]].concat();
    vec![Digest::of(&queue), Digest::of(&chain)]
}
