//! Runs compared: what answers cost, where recordings part, what a changed ROM does, the least input.

use rreplay::error::Error;
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::sync::Shared;
use rreplay::timeline::{KEYFRAMES_BUDGET, Timeline, Work};
use std::path::Path;

/// A ROM at $8000 with a program at its beginning; reset, NMI and IRQ go there.
fn image(program: &[u8]) -> ImageInput {
    let mut bytes = vec![0xEA; 0x8000];
    bytes[..program.len()].copy_from_slice(program);
    for vector in [0x7FFA, 0x7FFC, 0x7FFE] {
        bytes[vector..vector + 2].copy_from_slice(&[0x00, 0x80]);
    }
    ImageInput { target: Target::Main, name: "program".to_owned(), bytes, format: Format::Bin }
}

fn recorded(
    path: &Path,
    program: &[u8],
    instructions: u64,
    snapshot_every: Option<u64>,
) -> Shared<Recording> {
    let session = Session::new(Board::preset("breadboard").unwrap(), vec![image(program)]).unwrap();
    let options = RecordOptions { snapshot_every, automatic_snapshots: false, ..RecordOptions::default() };
    session.record(path, options).unwrap();
    let request = RunRequest { instructions: Some(instructions), ..RunRequest::default() };
    session.run(request, &mut || false).unwrap();
    session.finish().unwrap();
    Shared::new(Recording::open(path, false).unwrap())
}

fn timeline(recording: &Shared<Recording>) -> Timeline {
    Timeline::new(recording, &[], KEYFRAMES_BUDGET).unwrap()
}

fn work(timeline: &Timeline) -> Work {
    timeline.work(&mut || false).unwrap()
}

/// LDA #7; STA $10; then INC $11 over and over.
const COUNTER: [u8; 9] = [0xA9, 0x07, 0x85, 0x10, 0xE6, 0x11, 0x4C, 0x04, 0x80];

#[test]
fn the_last_write_costs_one_seek_beside_the_search() {
    let directory = tempfile::tempdir().unwrap();
    let recording = recorded(&directory.path().join("run"), &COUNTER, 1_500, None);
    let timeline = timeline(&recording);
    // The search looks through one stretch of 2,000 instructions: all of it.
    let before = work(&timeline);
    let found = timeline.last_write(0x11, Some(timeline.end()), &mut || false).unwrap().expect("it counts");
    let after = work(&timeline);
    println!("{before:?} {after:?}");
    assert_eq!((found.pc, found.by.as_str(), found.is_write), (Some(0x8004), "cpu", true));
    assert_eq!(after.seeks - before.seeks, 2, "one to the stretch, one to the instruction");
    assert!(after.instructions - before.instructions <= 2 * 1_500 + 2, "{before:?} {after:?}");
}

#[test]
fn a_place_that_nobody_asks_for_is_not_gone_to() {
    // JSR to PHA; PLA over and over: of all that is pushed, only the call's place matters.
    let mut program = vec![0x20, 0x10, 0x80, 0x4C, 0x00, 0x80];
    program.resize(0x10, 0xEA);
    program.extend([0x48, 0x68, 0x4C, 0x10, 0x80]);
    let directory = tempfile::tempdir().unwrap();
    let recording = recorded(&directory.path().join("run"), &program, 900, None);
    let timeline = timeline(&recording);
    timeline.seek(899, None, &mut || false).unwrap();
    let before = work(&timeline);
    let stop = timeline.reverse_step_out(&mut || false).unwrap();
    let after = work(&timeline);
    println!("{before:?} {after:?}");
    assert_eq!(stop.pc, 0x8000);
    // Some 300 pushes lie between.
    assert!(after.seeks - before.seeks < 12, "{before:?} {after:?}");
}

#[test]
fn recordings_part_at_an_instruction() {
    let directory = tempfile::tempdir().unwrap();
    let one = recorded(&directory.path().join("one"), &COUNTER, 500, None);
    let mut program = COUNTER;
    program[1] = 8;
    let other = recorded(&directory.path().join("other"), &program, 500, Some(100));
    let found = timeline(&one).diff(&timeline(&other), &mut || false).unwrap().expect("they part");
    assert_eq!((found.icount, &found.registers[..]), (Some(0), &[("a", 7, 8)][..]));
    assert_eq!(found.b.instruction.unwrap().text(), "LDA #$08");
    let again = recorded(&directory.path().join("again"), &COUNTER, 500, Some(100));
    assert!(timeline(&one).diff(&timeline(&again), &mut || false).unwrap().is_none());
}

#[test]
fn a_changed_rom_is_told_by_its_first_effect() {
    let directory = tempfile::tempdir().unwrap();
    let recording = recorded(&directory.path().join("run"), &COUNTER, 5_000, Some(1_000));
    let timeline = timeline(&recording);
    let mut program = COUNTER;
    program[5] = 0x12;
    let found = timeline.changed_rom(&[image(&program)], &mut || false).unwrap().expect("it is another one");
    assert_eq!(
        found.to_string(),
        "the ROM differs at $8005, the first instruction with another effect is $8004 INC $12 at icount 2, which was \
         $8004 INC $11: memory $0011 is $00 and was $01, memory $0012 is $01 and was $00"
    );
    assert!(timeline.changed_rom(&[image(&COUNTER)], &mut || false).unwrap().is_none());
    let stopped = timeline.changed_rom(&[image(&program)], &mut || true);
    assert!(stopped.is_ok(), "a short search is over before anybody is asked");
}

/// Whether a letter was typed after the prompt.
fn shows(letter: u8) -> impl FnMut(&Path) -> Result<bool, Error> {
    move |path| {
        let output = Recording::open(path, false)?.output()?;
        Ok(output.rsplit(|byte| *byte == b'>').next().is_some_and(|line| line.contains(&letter)))
    }
}

#[test]
fn the_least_input_is_found_without_python() {
    let directory = tempfile::tempdir().unwrap();
    let [path, tried, target] = ["run", "tried", "least"].map(|name| directory.path().join(name));
    let session = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    session.record(&path, RecordOptions::default()).unwrap();
    let run = |seconds| {
        let request = RunRequest { seconds: Some(seconds), ..RunRequest::default() };
        session.run(request, &mut || false).unwrap();
    };
    run(0.2);
    session.send(b"help").unwrap();
    run(0.2);
    session.finish().unwrap();
    let recording = Shared::new(Recording::open(&path, false).unwrap());
    let timeline = timeline(&recording);
    timeline.minimize(&tried, &target, &mut shows(b'l'), &mut || false).unwrap();
    let least = Recording::open(&target, false).unwrap();
    assert!(least.output().unwrap().ends_with(b"> l"), "{:?}", least.output());
    let refused = timeline.minimize(&tried, &target, &mut shows(b'z'), &mut || false).unwrap_err();
    assert!(refused.to_string().contains("does not hold"), "{refused}");
}
