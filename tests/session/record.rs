//! Recording a session: states, refusals, resets, snapshots, ROM by hash.

use super::session_support::*;
use rreplay::engine::Scheduler;
use rreplay::log::EventKind;
use rreplay::machine::board::{Board, Target};
use rreplay::persist::Digest;
use rreplay::recording::Recording;
use rreplay::replay::ReplayMode;
use rreplay::session::{RecordOptions, RunRequest, Session};
use rreplay::snapshot::Snapshot;
use std::path::Path;

fn record(session: &Session, path: &Path) {
    session.record(path, RecordOptions { digest_every: Some(100), ..RecordOptions::default() }).unwrap();
}

fn state(session: &Session) -> (Vec<(String, Digest)>, Snapshot, Vec<u8>) {
    (session.digests(), session.snapshot(), session.output())
}

/// Replays under both schedulers and compares with the machine that was recorded.
fn check_replays(path: &Path, recorded: &Session) {
    let recording = Recording::open(path, false).unwrap();
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        let session = recording.replay().unwrap();
        assert_eq!(session.mode(), ReplayMode::Play);
        let request = RunRequest { scheduler: Some(scheduler), ..RunRequest::default() };
        assert_eq!(reason(&session, request), "end");
        assert!(state(&session) == state(recorded), "{scheduler:?}");
        let verification = recording.verify(scheduler, &[], &mut |_| true).unwrap();
        assert!(verification.ok && verification.icount == recorded.position().icount);
    }
}

#[test]
fn input_interrupts_and_a_reset_replay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&LISTENER);
    run(&session, instructions(4)).unwrap();
    record(&session, &path);
    assert_eq!(session.mode(), ReplayMode::Record);
    session.send(b"ab").unwrap();
    run(&session, instructions(20)).unwrap();
    session.reset().unwrap();
    assert_eq!(session.registers().pc(), 0x0400);
    session.send(b"c").unwrap();
    run(&session, RunRequest { scheduler: Some(Scheduler::Threads), ..RunRequest::default() }).unwrap();
    assert_eq!(session.memory(0x20, 1), b"c");
    session.finish().unwrap();
    session.finish().unwrap();
    assert_eq!(session.mode(), ReplayMode::None);
    check_replays(&path, &session);
    let recording = Recording::open(&path, false).unwrap();
    assert!(recording.complete() && recording.damage().is_none());
    assert_eq!(recording.start().icount, 4);
    let resets = recording.events(Some(EventKind::Checkpoint), None, None).unwrap();
    let resets = resets.filter(|event| event.as_ref().unwrap().event.to_string().contains("reset_requested"));
    assert_eq!(resets.count(), 1);
    // The machine goes on after the recording, and can be recorded again over the same file.
    run(&session, instructions(1)).unwrap();
    record(&session, &path);
    run(&session, instructions(1)).unwrap();
    session.finish().unwrap();
    check_replays(&path, &session);
}

#[test]
fn a_reset_as_the_last_or_only_thing_replays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    for instructions_before in [0, 7] {
        let session = machine(&PRINTER);
        record(&session, &path);
        run(&session, instructions(instructions_before)).unwrap();
        session.reset().unwrap();
        session.finish().unwrap();
        check_replays(&path, &session);
    }
    let session = machine(&PRINTER);
    record(&session, &path);
    session.finish().unwrap();
    check_replays(&path, &session);
}

#[test]
fn a_machine_that_is_recorded_or_replayed_is_not_changed_from_outside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&COUNTER);
    let snapshot = session.snapshot();
    record(&session, &path);
    let refuse_changes = |session: &Session| {
        assert_eq!(refused(session.set_register("a", 1)).0, "StateError");
        assert_eq!(refused(session.write_memory(0x10, &[1])).0, "StateError");
        assert_eq!(refused(session.restore(&snapshot)).0, "StateError");
        let other = directory.path().join("other.rreplay");
        assert_eq!(refused(session.record(&other, RecordOptions::default())).0, "StateError");
        assert!(!other.exists());
    };
    refuse_changes(&session);
    run(&session, instructions(1000)).unwrap();
    session.finish().unwrap();
    check_replays(&path, &session);
    let replaying = Recording::open(&path, false).unwrap().replay().unwrap();
    refuse_changes(&replaying);
    assert_eq!(refused(replaying.send(b"x")).0, "StateError");
    assert_eq!(refused(replaying.reset()).0, "StateError");
    // A copy is free, and the replay does not notice it.
    run(&replaying, instructions(500)).unwrap();
    let copy = replaying.copy();
    assert_eq!(copy.mode(), ReplayMode::None);
    copy.set_register("x", 0).unwrap();
    run(&copy, instructions(5)).unwrap();
    assert_eq!(reason(&replaying, RunRequest::default()), "end");
    assert_eq!(replaying.digests(), session.digests());
    assert_eq!(reason(&replaying, RunRequest::default()), "end");
}

#[test]
fn options_that_make_no_sense_are_refused_and_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&COUNTER);
    for options in [
        RecordOptions { digest_every: Some(0), ..RecordOptions::default() },
        RecordOptions { snapshot_every: Some(0), ..RecordOptions::default() },
    ] {
        assert_eq!(refused(session.record(&path, options)).0, "ArgumentError");
    }
    let missing = directory.path().join("missing/run.rreplay");
    let (class, text) = refused(session.record(&missing, RecordOptions::default()));
    assert!(class == "LogError" && text.contains("there is no directory"), "{text}");
    let (class, text) = refused(session.record(directory.path(), RecordOptions::default()));
    assert!(class == "LogError" && text.contains("is a directory"), "{text}");
    std::fs::write(&path, b"mine").unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let (class, text) = refused(session.record(&path, RecordOptions::default()));
    assert!(class == "LogError" && text.contains("permission"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(session.mode(), ReplayMode::None);
    run(&session, instructions(1)).unwrap();
}

#[test]
fn snapshots_restore_and_are_refused_elsewhere() {
    let session = machine(&PRINTER);
    run(&session, instructions(777)).unwrap();
    let snapshot = session.snapshot();
    let copy = session.copy();
    assert_eq!((copy.snapshot(), copy.output()), (snapshot.clone(), session.output()));
    run(&session, instructions(777)).unwrap();
    run(&copy, instructions(777)).unwrap();
    assert!(state(&session) == state(&copy));
    let later = session.snapshot();
    assert_ne!(later, snapshot);
    session.restore(&Snapshot::from_bytes(&snapshot.to_bytes()).unwrap()).unwrap();
    assert_eq!((session.snapshot(), session.position()), (snapshot.clone(), snapshot.position()));
    run(&session, instructions(777)).unwrap();
    assert_eq!(session.snapshot(), later);
    // Another ROM, another board.
    let other = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    let (class, text) = refused(other.restore(&snapshot));
    assert!(class == "MismatchError" && text.contains("another board or ROM"), "{text}");
    let mut rom = rom();
    rom[0x100] ^= 1;
    let images = vec![bin("rom", Target::Main, &rom)];
    let other = Session::new(Board::from_toml(BOARD).unwrap(), images).unwrap();
    assert_eq!(refused(other.restore(&snapshot)).0, "MismatchError");
    // RAM is state and not identity.
    machine(&COUNTER).restore(&snapshot).unwrap();
}

#[test]
fn digests_are_stable_and_see_every_change() {
    let (one, two) = (machine(&PRINTER), machine(&PRINTER));
    assert_eq!(one.digests(), two.digests());
    let names: Vec<String> = one.digests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["cpu", "lines", "memory", "device/acia", "device/via"]);
    let changed = |session: &Session| -> Vec<String> {
        let pairs = session.digests().into_iter().zip(one.digests());
        pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0).collect()
    };
    two.write_memory(0x3333, &[1]).unwrap();
    assert_eq!(changed(&two), ["memory"]);
    two.write_memory(0x3333, &[0]).unwrap();
    two.set_register("x", 9).unwrap();
    assert_eq!(changed(&two), ["cpu"]);
    assert_ne!(one.digest(), two.digest());
    two.set_register("x", one.registers().by_name("x").unwrap().into()).unwrap();
    assert_eq!(one.digest(), two.digest());
}

#[test]
fn a_recording_without_rom_bytes_wants_the_same_image() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&COUNTER);
    session.record(&path, RecordOptions { embed_roms: false, ..RecordOptions::default() }).unwrap();
    run(&session, instructions(100)).unwrap();
    session.finish().unwrap();
    let recording = Recording::open(&path, false).unwrap();
    let (class, text) = refused(recording.replay());
    assert!(class == "MismatchError" && text.contains("give the image"), "{text}");
    let replaying = recording.replay_with(&[bin("rom", Target::Main, &rom())]).unwrap();
    assert_eq!(reason(&replaying, RunRequest::default()), "end");
    assert_eq!(replaying.digests(), session.digests());
    let mut wrong = rom();
    wrong[0x100] ^= 1;
    let (class, text) = refused(recording.replay_with(&[bin("rom", Target::Main, &wrong)]));
    assert!(class == "MismatchError" && text.contains("is not the one that was recorded"), "{text}");
}

#[test]
fn a_fault_is_recorded_around_and_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let strict = BOARD.replace("console", "unmapped = \"error\"\nconsole");
    let session = machine_on(&strict, &[0xEA, 0x8D, 0x34, 0x92, 0x4C, 0x00, 0x04]);
    record(&session, &path);
    let fault = refused(run(&session, instructions(100)));
    session.finish().unwrap();
    let recording = Recording::open(&path, false).unwrap();
    let replaying = recording.replay().unwrap();
    assert_eq!(refused(run(&replaying, instructions(100))), fault);
    assert_eq!(reason(&replaying, RunRequest::default()), "end");
    assert_eq!(replaying.digests(), session.digests());
    // Without limits it goes on as its recording did.
    let replaying = recording.replay().unwrap();
    assert_eq!(reason(&replaying, RunRequest::default()), "end");
    assert_eq!(replaying.digests(), session.digests());
}

#[test]
fn rom_that_was_written_before_recording_is_what_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&[0xAD, 0x00, 0xFF, 0x4C, 0x00, 0x04]);
    let before = session.snapshot();
    session.write_memory(0xFF00, &[0x5A]).unwrap();
    record(&session, &path);
    run(&session, instructions(10)).unwrap();
    assert_eq!(session.registers().by_name("a"), Some(0x5A));
    session.finish().unwrap();
    check_replays(&path, &session);
    assert_eq!(refused(session.restore(&before)).0, "MismatchError");
    session.write_memory(0xFF00, &[0xEA]).unwrap();
    session.restore(&before).unwrap();
}

#[test]
fn whoever_reads_on_and_on_is_asked_whether_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&COUNTER);
    session.record(&path, RecordOptions { digest_every: Some(1), ..RecordOptions::default() }).unwrap();
    run(&session, instructions(300_000)).unwrap();
    session.finish().unwrap();
    let recording = Recording::open(&path, false).unwrap();
    let mut asked = 0;
    let stop_at_the_second = || {
        asked += 1;
        asked == 2
    };
    // There is not one of this kind: all of the file is passed over for the first.
    let mut events = recording.events_unless(Some(EventKind::Net), None, None, stop_at_the_second).unwrap();
    assert_eq!(refused(events.next().unwrap()).0, "StateError");
    assert!(events.next().is_none(), "it goes on from there");
    drop(events);
    assert!(asked >= 4, "asked {asked} times in 300,000 events");
    assert_eq!(refused(recording.output_unless(|| true)).0, "StateError");
    assert_eq!(recording.output_unless(|| false).unwrap(), recording.output().unwrap());
}
