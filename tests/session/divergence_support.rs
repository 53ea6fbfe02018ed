//! What the tests of divergences share: a busy machine, its recordings, random numbers, and reading of reports.
#![allow(dead_code, reason = "each test file uses its part")]

use super::session_support::{machine, run};
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{Event, EventCursor, Header, LogReader, LogWriter, Options, StampedEvent};
use rreplay::recording::Recording;
use rreplay::replay::{Cause, Diagnosis, Differences, Divergence, Executed};
use rreplay::session::{RecordOptions, RunRequest, Session, Stop};
use rreplay::units::Position;
use rreplay_kit::SmallDisk;

pub const SCHEDULERS: [Scheduler; 2] = [Scheduler::Inline, Scheduler::Threads];

/// A bit of everything: timer 1 interrupts (NMI) about every 500 cycles, received bytes interrupt (IRQ), a loop fills
/// 0300-03FF through a subroutine, and after every 64 turns the CPU waits (WAI) and prints.
pub const BUSY: [u8; 64] = [
    0xA9, 0x1F, 0x8D, 0x03, 0xA0, // LDA #$1F, STA $A003: 19200 baud
    0xA9, 0x09, 0x8D, 0x02, 0xA0, // LDA #$09, STA $A002: receiver interrupts
    0xA9, 0x40, 0x8D, 0x1B, 0xA0, // LDA #$40, STA $A01B: timer 1 runs on
    0xA9, 0xC0, 0x8D, 0x1E, 0xA0, // LDA #$C0, STA $A01E: and interrupts
    0xA9, 0xF3, 0x8D, 0x14, 0xA0, // LDA #$F3, STA $A014
    0xA9, 0x01, 0x8D, 0x15, 0xA0, // LDA #$01, STA $A015
    0x58, 0xA2, 0x00, // CLI, LDX #$00
    0xE8, 0x86, 0x10, 0x8A, 0x45, 0x11, // 0421: INX, STX $10, TXA, EOR $11
    0x9D, 0x00, 0x03, 0x20, 0x38, 0x04, // STA $0300,X, JSR $0438
    0x8A, 0x29, 0x3F, 0xD0, 0xEF, // TXA, AND #$3F, BNE $0421
    0xCB, 0x8E, 0x00, 0xA0, 0x80, 0xE9, // WAI, STX $A000, BRA $0421
    0x48, 0x7D, 0x00, 0x03, 0x85, 0x11, 0x68, 0x60, // 0438: PHA, ADC $0300,X, STA $11, PLA, RTS
];

/// How a recording is made.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    pub program: &'a [u8],
    pub typed: &'a [u8],
    pub instructions: u64,
    pub digest_every: u64,
    pub snapshot_every: Option<u64>,
}

pub const BUSY_PLAN: Plan<'_> = Plan {
    program: &BUSY,
    typed: b"hello, replay",
    instructions: 6000,
    digest_every: 1000,
    snapshot_every: None,
};

/// Records the machine of `session_support`; a third of what is typed comes at the start, the rest later.
pub fn record(plan: Plan<'_>) -> Recording {
    Recording::from_bytes(record_bytes(plan), false).unwrap()
}

/// As [`record`], as the bytes of a file.
pub fn record_bytes(plan: Plan<'_>) -> Vec<u8> {
    record_session(&machine(plan.program), plan)
}

/// As [`record_bytes`], on a machine of the caller's.
pub fn record_session(session: &Session, plan: Plan<'_>) -> Vec<u8> {
    let disk = SmallDisk::default();
    let options = RecordOptions {
        digest_every: Some(plan.digest_every),
        snapshot_every: plan.snapshot_every,
        ..RecordOptions::default()
    };
    let sink = Box::new(disk.clone());
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "disk", header, Options::default()))
        .unwrap();
    for portion in plan.typed.chunks(plan.typed.len().div_ceil(3).max(1)) {
        session.send(portion).unwrap();
        run(session, limited(plan.instructions / 3)).unwrap();
    }
    run(session, limited(plan.instructions - session.position().icount)).unwrap();
    session.finish().unwrap();
    disk.contents()
}

/// So many instructions, and no more cycles than they can take with some waiting.
pub fn limited(instructions: u64) -> RunRequest {
    RunRequest {
        instructions: Some(instructions),
        cycles: Some(instructions * 100 + 1000),
        ..RunRequest::default()
    }
}

/// Replays to the end.
pub fn finish(session: &Session, scheduler: Scheduler) -> Result<Stop, Error> {
    loop {
        let stop = run(session, RunRequest { scheduler: Some(scheduler), ..RunRequest::default() })?;
        if stop.reason != "shutdown" {
            return Ok(stop);
        }
    }
}

/// The report of a replay to the end, which must diverge.
pub fn diverge(session: &Session, scheduler: Scheduler) -> Divergence {
    match finish(session, scheduler) {
        Ok(stop) => panic!("the replay should diverge, and came to {stop:?}"),
        Err(error) => error.divergence().unwrap_or_else(|| panic!("{error}")).clone(),
    }
}

/// The first difference.
pub fn first(divergence: &Divergence) -> (Position, &Cause, Option<&Executed>, &Differences) {
    match &divergence.diagnosis {
        Some(Diagnosis::First { position, cause, instruction, differences }) => {
            (*position, cause, instruction.as_ref(), differences)
        }
        _ => panic!("no first difference: {}\n{divergence:?}", divergence.report()),
    }
}

/// `cpu.a`, `memory.$0300`, ... of all that differs.
pub fn names(differences: &Differences) -> Vec<String> {
    assert_eq!(differences.left_out, 0, "{differences:?}");
    let name = |row: &rreplay::replay::FieldDifference| format!("{}.{}", row.subsystem, row.field);
    differences.listed.iter().map(name).collect()
}

/// All events of a recording.
pub fn events(recording: &Recording) -> Vec<StampedEvent> {
    recording.events(None, None, None).unwrap().map(Result::unwrap).collect()
}

/// The recording with its events passed through `change`: a log that somebody has tampered with, whole in every other way.
pub fn rewrite(bytes: &[u8], change: impl FnOnce(&mut Vec<StampedEvent>)) -> Recording {
    let reader = LogReader::from_bytes(bytes.to_vec()).unwrap();
    rewrite_behind(reader.header(), bytes, change)
}

/// As [`rewrite`], behind another header.
pub fn rewrite_behind(
    header: &Header,
    bytes: &[u8],
    change: impl FnOnce(&mut Vec<StampedEvent>),
) -> Recording {
    rewrite_all(header, bytes, change, |_, snapshot| snapshot)
}

/// As [`rewrite`], with its snapshots passed through `change_snapshot`, which is given their numbers.
pub fn rewrite_with(
    bytes: &[u8],
    change: impl FnOnce(&mut Vec<StampedEvent>),
    change_snapshot: impl Fn(u64, Vec<u8>) -> Vec<u8>,
) -> Recording {
    let reader = LogReader::from_bytes(bytes.to_vec()).unwrap();
    rewrite_all(reader.header(), bytes, change, change_snapshot)
}

fn rewrite_all(
    header: &Header,
    bytes: &[u8],
    change: impl FnOnce(&mut Vec<StampedEvent>),
    change_snapshot: impl Fn(u64, Vec<u8>) -> Vec<u8>,
) -> Recording {
    let reader = LogReader::from_bytes(bytes.to_vec()).unwrap();
    let mut events: Vec<StampedEvent> = EventCursor::new(&reader).map(Result::unwrap).collect();
    change(&mut events);
    let disk = SmallDisk::default();
    let sink = Box::new(disk.clone());
    let mut writer = LogWriter::with_sink(sink, "disk", header, Options::default()).unwrap();
    for StampedEvent { position, event, .. } in &events {
        match event {
            Event::Snapshot { number } => {
                let snapshot = change_snapshot(*number, reader.read_snapshot(*number).unwrap());
                writer.append_snapshot(*position, &snapshot).map(drop).unwrap();
            }
            event => drop(writer.append(*position, event).unwrap()),
        }
    }
    writer.finish().unwrap();
    Recording::from_bytes(disk.contents(), true).unwrap()
}

/// Where a right replay stands at an instruction count.
pub fn position_at(recording: &Recording, icount: u64) -> Position {
    let session = recording.replay().unwrap();
    if let Some(instructions) = (icount - session.position().icount).checked_sub(1) {
        run(&session, RunRequest { instructions: Some(instructions), ..RunRequest::default() }).unwrap();
    }
    // Not over an interrupt that stands before that instruction, as a run of instructions would go.
    while session.position().icount < icount {
        run(&session, RunRequest { cycles: Some(1), ..RunRequest::default() }).unwrap();
    }
    session.position()
}

/// Random numbers that are the same every time (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
