//! The recording of a real session, cut at every length, with every byte flipped, with its parts exchanged: it is refused,
//! or what is salvaged replays to where it says it ends, as the original was there. Nothing but the original verifies as
//! good.

use super::attack_support::*;
use super::session_support::run;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{ChunkInfo, LogError, LogReader, Options, StampedEvent};
use rreplay::recording::Recording;
use rreplay::session::{RunRequest, Session};
use std::collections::BTreeMap;

/// A recording, and what is known of its replay.
struct Original {
    bytes: Vec<u8>,
    recording: Recording,
    events: Vec<StampedEvent>,
    chunks: Vec<ChunkInfo>,
    header_end: u64,
    output: Vec<u8>,
    /// Prefixes that were replayed already, by their number of events.
    replayed: BTreeMap<usize, Replayed>,
    /// Damaged files that were looked at.
    looked_at: u64,
}

impl Original {
    fn new() -> Self {
        let bytes = record_worker(5, 11, Options { chunk_bytes: 150, level: 6 });
        let recording = Recording::from_bytes(bytes.clone(), false).unwrap();
        for scheduler in [Scheduler::Inline, Scheduler::Threads] {
            assert!(recording.verify(scheduler, &[], &mut |_| true).unwrap().ok);
        }
        let events = events_of(&recording);
        let reader = LogReader::from_bytes(bytes.clone()).unwrap();
        let (chunks, snapshots, length) = (reader.chunks().len(), reader.snapshots().count(), bytes.len());
        let is_fit = chunks > 15 && snapshots > 1 && length < 16 << 10;
        assert!(is_fit, "{chunks} chunks, {snapshots} snapshots, {length} bytes");
        let (chunks, header_end) = (reader.chunks().to_vec(), reader.info().header_bytes);
        let output = recording.output().unwrap();
        assert!(output.len() > 20);
        Self { bytes, recording, events, chunks, header_end, output, replayed: BTreeMap::new(), looked_at: 0 }
    }

    /// A session of the original that was replayed to a boundary at which a prefix ended.
    fn replayed_to(&self, end: &Replayed) -> Session {
        let session = self.recording.replay().unwrap();
        let start = session.position();
        let cycles = Some(end.position.cycles - start.cycles);
        run(&session, RunRequest { cycles, ..RunRequest::default() }).unwrap();
        assert_eq!(session.position(), end.position);
        session
    }

    /// Replays a prefix, and compares where it ends with the original at that place.
    fn check_prefix(&mut self, prefix: &Recording, events: usize, what: &str) {
        let scheduler = if self.looked_at.is_multiple_of(2) { Scheduler::Inline } else { Scheduler::Threads };
        let verification = prefix.verify(scheduler, &[], &mut |_| true).unwrap();
        assert!(!verification.ok, "{what}: a prefix was called good");
        let end = replay(prefix, scheduler, what);
        assert!(self.output.starts_with(&end.output), "{what}: it printed something else");
        if let Some(before) = self.replayed.get(&events) {
            assert_eq!(*before, end, "{what}: the same prefix ended otherwise");
            return;
        }
        // An event that is lost and stood at this very place has not happened in the prefix.
        if self.events.get(events).is_none_or(|lost| lost.position > end.position) {
            let there = self.replayed_to(&end);
            assert_eq!(there.digests(), end.digests, "{what}: the machine is in another state");
            assert_eq!(there.output(), end.output, "{what}");
        }
        check_snapshots(prefix, &end, what);
        self.replayed.insert(events, end);
    }

    /// Looks at a changed file. Gives the number of events that are left, if any part of it can be used.
    fn check(&mut self, changed: &[u8], what: &str) -> Option<usize> {
        assert!(changed != self.bytes, "{what}: nothing was changed");
        self.looked_at += 1;
        let opened = Recording::from_bytes(changed.to_vec(), false);
        let salvaged = match Recording::from_bytes(changed.to_vec(), true) {
            Ok(salvaged) => salvaged,
            Err(Error::Log(
                LogError::NotARecording { .. }
                | LogError::HeaderDamaged { .. }
                | LogError::NewerVersion { .. },
            )) => {
                assert!(opened.is_err(), "{what}");
                return None;
            }
            Err(other) => panic!("{what}: salvage gave {other}"),
        };
        assert_eq!(salvaged.header(), self.recording.header(), "{what}");
        let events = events_of(&salvaged);
        assert!(self.events.starts_with(&events), "{what}: not a prefix");
        match (opened, salvaged.damage()) {
            (Err(Error::Log(LogError::Damaged { damage, .. })), Some(told)) => {
                assert_eq!(*damage, *told, "{what}")
            }
            (Ok(_), None) => {
                assert_eq!(events.len(), self.events.len(), "{what}: events are lost and not missed")
            }
            (opened, told) => panic!("{what}: open gives {opened:?}, salvage says {told:?}"),
        }
        assert!(!salvaged.complete(), "{what}: it is called complete");
        if !self.replayed.contains_key(&events.len()) || self.looked_at.is_multiple_of(97) {
            self.check_prefix(&salvaged, events.len(), what);
        }
        Some(events.len())
    }

    fn part(&self, place: usize) -> std::ops::Range<usize> {
        self.chunks[place].offset as usize..self.chunks[place].end() as usize
    }
}

/// From each snapshot that is left a replay comes to the same end.
fn check_snapshots(prefix: &Recording, end: &Replayed, what: &str) {
    for (number, position) in prefix.snapshots().into_iter().enumerate() {
        let session =
            prefix.replay_from(number as u64, &[]).unwrap_or_else(|error| panic!("{what}: {error}"));
        let stop = run(&session, RunRequest::default()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(stop.reason, "end", "{what}, from snapshot {number}");
        // A cut just behind a snapshot leaves it as the end.
        let same_end = session.position() == end.position && session.digests() == end.digests;
        let is_last = position >= prefix.end() && session.position() == position;
        assert!(same_end || is_last, "{what}, from snapshot {number}: ended at {}", session.position());
    }
}

#[test]
fn a_session_cut_at_every_length() {
    let mut original = Original::new();
    for length in 0..original.bytes.len() {
        let cut = original.bytes[..length].to_vec();
        let left = original.check(&cut, &format!("cut to {length}"));
        let whole = original.chunks.iter().filter(|chunk| chunk.end() <= length as u64);
        let expected =
            (length as u64 >= original.header_end).then(|| whole.map(|chunk| chunk.events as usize).sum());
        assert_eq!(left, expected, "cut to {length}");
    }
    // Every whole number of chunks was met, from none on, and replayed.
    let chunks_of_events = original.chunks.iter().filter(|chunk| !chunk.is_snapshot).count();
    assert_eq!(original.replayed.len(), chunks_of_events + 1);
    println!("{} lengths, {} prefixes replayed", original.looked_at, original.replayed.len());
}

#[test]
fn a_session_with_every_byte_flipped() {
    let mut original = Original::new();
    let mut random = Random(8);
    let places = 0..original.bytes.len();
    // One mask a byte, and every bit of some.
    let masks = |place: usize, random: &mut Random| match place % 11 {
        0 => (0..8).map(|bit| 1 << bit).collect(),
        _ => vec![1 + random.below(255) as u8],
    };
    let changes: Vec<(usize, u8)> = places
        .flat_map(|place| masks(place, &mut random).into_iter().map(move |mask| (place, mask)))
        .collect();
    for (place, mask) in changes {
        let mut changed = original.bytes.clone();
        changed[place] ^= mask;
        let left = original.check(&changed, &format!("byte {place} changed by {mask:02x}"));
        // The part that was hit, and all behind it, is lost.
        let whole = original.chunks.iter().filter(|chunk| chunk.end() <= place as u64);
        let expected =
            (place as u64 >= original.header_end).then(|| whole.map(|chunk| chunk.events as usize).sum());
        assert_eq!(left, expected, "byte {place} changed by {mask:02x}");
    }
    println!("{} flips, {} prefixes replayed", original.looked_at, original.replayed.len());
}

#[test]
fn a_session_with_chunks_left_out_doubled_or_exchanged() {
    let mut original = Original::new();
    for place in 0..original.chunks.len() {
        let part = original.part(place);
        let mut left_out = original.bytes.clone();
        left_out.drain(part.clone());
        original.check(&left_out, &format!("chunk {place} left out"));
        let mut doubled = original.bytes.clone();
        doubled.splice(part.end..part.end, original.bytes[part.clone()].to_vec());
        original.check(&doubled, &format!("chunk {place} doubled"));
        for other in place + 1..original.chunks.len() {
            let later = original.part(other);
            let bytes = &original.bytes;
            let swapped = [
                &bytes[..part.start],
                &bytes[later.clone()],
                &bytes[part.end..later.start],
                &bytes[part.clone()],
                &bytes[later.end..],
            ]
            .concat();
            original.check(&swapped, &format!("chunks {place} and {other} exchanged"));
        }
    }
}

/// A recording that starts as the original did has the same header, so its frames have right checksums here. A chunk
/// whose events do not continue the order is refused; one that does is found out by the replay.
#[test]
fn a_session_with_chunks_of_another_one() {
    let original = Original::new();
    let (mut refused, mut diverged) = (0, 0);
    let mut spliced = |bytes: Vec<u8>, what: &str| {
        let salvaged = Recording::from_bytes(bytes.clone(), true).unwrap();
        match salvaged.verify(Scheduler::Inline, &[], &mut |_| true) {
            Ok(verification) => assert!(!verification.ok, "{what}: it was called good"),
            Err(Error::Divergence(_)) => diverged += 1,
            Err(other) => panic!("{what}: {other}"),
        }
        match Recording::from_bytes(bytes, false) {
            // A frame of the same length at the same place, such as a snapshot's: only the replay can tell.
            Ok(_) => {}
            Err(Error::Log(LogError::Damaged { .. })) => refused += 1,
            Err(other) => panic!("{what}: {other}"),
        }
    };
    for seed in 20..26 {
        let other = record_worker(seed, 11, Options { chunk_bytes: 150, level: 6 });
        let theirs = LogReader::from_bytes(other.clone()).unwrap();
        assert_eq!(theirs.header(), original.recording.header());
        for place in 0..original.chunks.len().min(theirs.chunks().len()) {
            let (part, chunk) = (original.part(place), theirs.chunks()[place]);
            let their_part = &other[chunk.offset as usize..chunk.end() as usize];
            if *their_part == original.bytes[part.clone()] {
                continue;
            }
            let mut one = original.bytes.clone();
            one.splice(part.clone(), their_part.iter().copied());
            spliced(one, &format!("chunk {place} of recording {seed}"));
            // All that is theirs from there on, with their end.
            let tail = [&original.bytes[..part.start], &other[chunk.offset as usize..]].concat();
            if tail != other {
                spliced(tail, &format!("from chunk {place} on recording {seed}"));
            }
        }
    }
    println!("{refused} splices were refused, {diverged} diverged");
    assert!(refused > 100 && diverged > 5, "{refused} and {diverged}");
}

#[test]
fn a_session_changed_in_several_places() {
    let mut original = Original::new();
    let mut random = Random(from_environment("RREPLAY_DAMAGE_SEED", 1));
    for round in 0..from_environment("RREPLAY_DAMAGES", 500) {
        let mut changed = original.bytes.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(changed.len() as u64) as usize;
            let length = (random.below(40) as usize).min(changed.len() - place);
            match random.below(4) {
                0 => changed[place] ^= 1 + random.below(255) as u8,
                1 => changed[place..place + length].fill(0),
                2 => drop(changed.drain(place..place + length)),
                _ => {
                    let copied = changed[place..place + length].to_vec();
                    let to = random.below(changed.len() as u64) as usize;
                    changed.splice(to..to, copied);
                }
            }
        }
        if changed != original.bytes {
            original.check(&changed, &format!("round {round}"));
        }
    }
}
