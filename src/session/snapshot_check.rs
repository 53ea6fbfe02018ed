//! Comparing a replay with the snapshots of its recording: the state that each holds, and what it says of the way to it.
//!
//! A digest before each snapshot says that the run is the one that was recorded; nothing but this says that the snapshot
//! is of that run. Timelines go on from snapshots, and pass over what they say was not touched, so both must be true.

use crate::engine::{PartsCompared, SnapshotCheck};
use crate::log::{LogError, LogReader};
use crate::machine::{Captured, Machine, Noted, Notes};
use crate::memory::{AddressSet, MEMORY, PageBits};
use crate::replay::Replay;
use crate::seeded_faults::{SeededFault, is_seeded};
use crate::snapshot::{Composed, Composer, TouchedSet};
use crate::sync::Shared;

/// Where the snapshots that a replay compares itself with come from.
pub(crate) type SnapshotSource = Box<dyn FnMut(u64) -> Result<Shared<Composed>, LogError> + Send>;

/// Reads the snapshots from the file, for a replay that comes to them one after the other.
pub(super) fn from_file(reader: Shared<LogReader>) -> SnapshotSource {
    let mut composer = Composer::new(reader);
    Box::new(move |number| composer.compose(number).map(Shared::new))
}

/// The check of a replay of a recording.
pub(crate) fn snapshot_check(
    reader: Shared<LogReader>,
    mut source: SnapshotSource,
) -> SnapshotCheck<Machine> {
    Box::new(move |number, machine, replay| {
        let snapshot = source(number)?;
        let mut parts = PartsCompared::default();
        let problem = |problem| reader.snapshot_error(number, &problem);
        if !is_seeded(SeededFault::SnapshotNotCompared) {
            compare_states(machine, replay, &snapshot, &mut parts).map_err(problem)?;
        }
        let noted = machine.take_notes(Notes::All);
        if !is_seeded(SeededFault::TouchedNotCompared) {
            compare_touched(&noted, snapshot.touched(), &mut parts);
        }
        Ok(parts)
    })
}

fn note(parts: &mut PartsCompared, name: &str, agrees: bool) {
    let list = if agrees { &mut parts.matching } else { &mut parts.differing };
    list.push(name.to_owned());
}

fn compare_states(
    machine: &mut Machine,
    replay: &[u8],
    snapshot: &Composed,
    parts: &mut PartsCompared,
) -> Result<(), String> {
    let mut names = machine.section_names();
    names.retain(|name| name != MEMORY);
    let recorded: Vec<&String> = snapshot.parts().iter().map(|(name, _)| name).collect();
    if recorded != names.iter().collect::<Vec<_>>() {
        return Err(format!("it has the parts {recorded:?}, and the machine {names:?}"));
    }
    let own = machine.capture();
    let mut contents = snapshot.parts().iter().map(|(_, content)| content.clone()).collect::<Vec<_>>();
    if own.parts() != contents {
        // An older release may have saved the same state in another form.
        let mut other = machine.clone_without_hooks();
        let captured = Captured::new(contents, snapshot.pages().clone());
        other.reinstate(&captured).map_err(|error| error.to_string())?;
        contents = other.capture().parts().to_vec();
    }
    for ((name, own), recorded) in names.iter().zip(own.parts()).zip(&contents) {
        note(parts, name, own == recorded);
    }
    note(parts, MEMORY, own.pages() == snapshot.pages());
    let recorded = Replay::saved_parts(snapshot.replay()).map_err(|error| error.to_string())?;
    let own = Replay::saved_parts(replay).map_err(|error| error.to_string())?;
    for ((name, own), (_, recorded)) in own.iter().zip(&recorded) {
        note(parts, name, own == recorded);
    }
    Ok(())
}

/// Notes from the snapshot before on hold all that was touched; those from later on are a part of it.
fn compare_touched(noted: &Noted, recorded: &TouchedSet, parts: &mut PartsCompared) {
    if noted.notes == Notes::Useless {
        return;
    }
    let is_all = noted.notes == Notes::All;
    let agrees = |own: &AddressSet, recorded: &AddressSet| match is_all {
        true => own == recorded,
        false => recorded.contains_all(own),
    };
    match recorded {
        TouchedSet::Exact(touched, written) => {
            let own = &noted.touched;
            note(parts, "addresses executed", agrees(&own.executed, &touched.executed));
            note(parts, "addresses written", agrees(&own.written, &touched.written));
            note(parts, "device addresses read", agrees(&own.io_read, &touched.io_read));
            let exact = !is_all || noted.written == *written;
            note(parts, "pages written", exact && has_all(written, &noted.written));
        }
        // Older recorders may have noted more.
        TouchedSet::PagesWritten(written) => note(parts, "pages written", has_all(written, &noted.written)),
        TouchedSet::Unknown => {}
    }
}

fn has_all(pages: &PageBits, other: &PageBits) -> bool {
    pages.iter().zip(other).all(|(pages, other)| other & !pages == 0)
}
