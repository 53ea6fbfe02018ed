//! What the attacks on recordings share: a machine that does a little of everything, a seeded generator, frames as
//! docs/log-format.md has them.
#![allow(dead_code, reason = "each test file uses its part")]

use super::session_support::{instructions, machine, run};
use rreplay::engine::Scheduler;
use rreplay::log::{LogWriter, Options, StampedEvent};
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::units::Position;
use rreplay_kit::SmallDisk;

/// Sleeps in WAI; timer 1 of the VIA wakes it by NMI every 1000 cycles, a typed byte by IRQ. Each time it prints the
/// next letter, exclusive-or the byte that was typed last, unless the transmitter is busy.
pub const WORKER: [u8; 51] = [
    0xA9, 0x1F, 0x8D, 0x03, 0xA0, // LDA #$1F, STA ACIA control: 19200 baud
    0xA9, 0x09, 0x8D, 0x02, 0xA0, // LDA #$09, STA ACIA command: receiver interrupts
    0xA9, 0x40, 0x8D, 0x1B, 0xA0, // LDA #$40, STA VIA ACR: timer 1 repeats
    0xA9, 0xC0, 0x8D, 0x1E, 0xA0, // LDA #$C0, STA VIA IER: timer 1 interrupts
    0xA9, 0xE6, 0x8D, 0x14, 0xA0, // LDA #$E6, STA VIA T1C-L
    0xA9, 0x03, 0x8D, 0x15, 0xA0, // LDA #$03, STA VIA T1C-H: every 1000 cycles
    0x58, 0xA2, 0x41, // CLI, LDX #'A'
    0xCB, 0xAD, 0x01, 0xA0, // 0421: WAI, LDA ACIA status
    0x29, 0x10, 0xF0, 0xF8, // AND #$10, BEQ 0421
    0x8A, 0x45, 0x20, 0x8D, 0x00, 0xA0, // TXA, EOR $20, STA ACIA data
    0xE8, 0x4C, 0x21, 0x04, // INX, JMP 0421
];

/// A machine that runs [`WORKER`].
pub fn worker() -> Session {
    machine(&WORKER)
}

/// Digests and snapshots stand close together in all these recordings.
pub fn record_options() -> RecordOptions {
    RecordOptions { digest_every: Some(64), snapshot_every: Some(300), ..RecordOptions::default() }
}

/// SplitMix64: the same numbers from the same seed everywhere.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

/// A number from the environment, for longer campaigns by hand.
pub fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}

/// What is done to a worker between two looks at it, from a seed: it is typed at now and then, and runs a little.
pub fn step(session: &Session, random: &mut Random, scheduler: Scheduler, sleep: bool) {
    if random.chance(3) {
        let typed: Vec<u8> = (0..=random.below(3)).map(|_| random.next() as u8).collect();
        session.send(&typed).unwrap();
    }
    let request = RunRequest { scheduler: Some(scheduler), sleep, ..instructions(1 + random.below(150)) };
    run(session, request).unwrap();
}

/// A finished recording of a worker, in memory.
pub fn record_worker(seed: u64, steps: u64, log: Options) -> Vec<u8> {
    record_session(&worker(), log, |session| {
        let mut random = Random(seed);
        (0..steps).for_each(|_| step(session, &mut random, Scheduler::Inline, false));
    })
}

/// Records what is done to a session, into memory.
pub fn record_session(session: &Session, log: Options, act: impl FnOnce(&Session)) -> Vec<u8> {
    let disk = SmallDisk::default();
    let sink = Box::new(disk.clone());
    session.record_with(record_options(), |header| LogWriter::with_sink(sink, "disk", header, log)).unwrap();
    act(session);
    session.finish().unwrap();
    disk.contents()
}

/// All events of a recording.
pub fn events_of(recording: &Recording) -> Vec<StampedEvent> {
    recording.events(None, None, None).unwrap().map(Result::unwrap).collect()
}

/// Where a replay came to, and what it had printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    pub position: Position,
    pub output: Vec<u8>,
    pub digests: Vec<(String, rreplay::persist::Digest)>,
}

/// A replay ends at the last event's place, or with the instruction in which that event happened.
pub fn check_end(here: Position, end: Position, what: &str) {
    assert!(here >= end && here.icount <= end.icount + 1, "{what}: ended at {here}, not at {end}");
}

/// Replays to the end, which must be reached.
pub fn replay(recording: &Recording, scheduler: Scheduler, what: &str) -> Replayed {
    let session = recording.replay().unwrap_or_else(|error| panic!("{what}: {error}"));
    let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
    let stop = run(&session, request).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(stop.reason, "end", "{what}");
    check_end(session.position(), recording.end(), what);
    assert_eq!(session.output(), recording.output().unwrap(), "{what}");
    Replayed { position: session.position(), output: session.output(), digests: session.digests() }
}

/// Where the whole frames of a file end, the header's first, as far as their lengths can be followed. Written from
/// docs/log-format.md and not from the reader.
pub fn frame_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 12;
    while let Some(length) = bytes.get(at..).and_then(frame_length)
        && at + length <= bytes.len()
    {
        at += length;
        ends.push(at);
    }
    ends
}

/// The length that the start of a frame announces.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes.strip_prefix(b"\x9Crf\xC5".as_slice())?.get(2..)?;
    let mut varint = || {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, left) = rest.split_first()?;
            rest = left;
            value |= usize::from(byte & 0x7F) << shift;
            if *byte < 0x80 {
                break;
            }
        }
        Some(value)
    };
    let stored = varint()?;
    (0..5).try_for_each(|_| varint().map(drop))?;
    Some(bytes.len() - rest.len() + stored + 4)
}
