//! Recording is one step for other threads, and one recording's end is no other's.

use super::session_support::*;
use rreplay::engine::Scheduler;
use rreplay::error::Error;
use rreplay::log::{LogError, LogWriter, Options};
use rreplay::machine::board::{Board, Target};
use rreplay::recording::Recording;
use rreplay::replay::ReplayMode;
use rreplay::session::{RecordOptions, Session};
use rreplay::sync::{Arc, JoinHandle, spawn, yield_now};
use rreplay_kit::SmallDisk;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What another thread does, over and over; it is told how often it has.
type Change = fn(&Session, u64);

/// Changes of a machine that other threads make, each at any time.
const CHANGES: [(&str, Change); 8] = [
    ("registers", |session, turn| {
        let _recorded = session.set_register("x", (turn & 0xFF) as u32);
        let _recorded = session.set_register("pc", 0x0400);
    }),
    ("memory", |session, turn| {
        let _recorded = session.write_memory(0x10, &turn.to_le_bytes());
    }),
    ("ROM", |session, turn| {
        let _recorded = session.write_memory(0xFF00, &turn.to_le_bytes());
    }),
    ("restore", |session, _| {
        // A snapshot from before the ROM was written into is another machine's.
        let _refused = session.restore(&session.snapshot());
    }),
    ("send", |session, _| {
        let _full = session.send(b"k");
    }),
    ("reset", |session, _| {
        let _busy = session.reset();
    }),
    ("snapshot", |session, _| {
        let _not_recorded = session.request_snapshot();
    }),
    ("look", |session, _| {
        let copy = session.copy();
        assert_eq!(copy.mode(), ReplayMode::None);
        session.digest();
    }),
];

/// Makes the change over and over on a thread of its own, until told to stop. Gives how often.
fn keep_changing(
    session: &Arc<Session>,
    change: Change,
    stop: &Arc<AtomicBool>,
    turns: &Arc<AtomicU64>,
) -> JoinHandle<()> {
    let (session, stop, turns) = (session.clone(), stop.clone(), turns.clone());
    let changing = spawn("changer", move || {
        while !stop.load(Ordering::Relaxed) {
            change(&session, turns.fetch_add(1, Ordering::Relaxed));
        }
    });
    changing.unwrap()
}

/// Another thread may be in a run of its own just now.
fn unless_busy<T>(mut attempt: impl FnMut() -> Result<T, Error>) -> T {
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(Error::State(why)) if why.contains("running already") => yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

fn record_and_run(session: &Session, disk: &SmallDisk) {
    let options = RecordOptions { digest_every: Some(20), ..RecordOptions::default() };
    let sink = Box::new(disk.clone());
    // What another thread does in a moment is waited for, and refuses nobody.
    session
        .record_with(options, |header| LogWriter::with_sink(sink, "<memory>", header, Options::default()))
        .unwrap();
    run(session, instructions(100)).unwrap();
    session.finish().unwrap();
}

#[test]
fn what_other_threads_change_while_a_recording_starts_is_in_it_or_refused() {
    const RECORDINGS: u32 = 60;
    for (name, change) in CHANGES {
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let session = Arc::new(machine(&COUNTER));
        let changing = keep_changing(&session, change, &stop, &turns);
        // The machine is changed from now on, however long the other thread takes to start.
        while turns.load(Ordering::Relaxed) == 0 {
            yield_now();
        }
        for number in 0..RECORDINGS {
            let disk = SmallDisk::default();
            record_and_run(&session, &disk);
            let recording = Recording::from_bytes(disk.contents(), false).unwrap();
            let verified = recording.verify(Scheduler::Inline, &[], &mut |_| true);
            let verified = verified.unwrap_or_else(|error| panic!("{name}, recording {number}: {error}"));
            assert!(verified.ok, "{name}, recording {number}");
        }
        stop.store(true, Ordering::Relaxed);
        changing.join().unwrap();
    }
}

#[test]
fn one_of_several_who_record_at_once_does_and_the_others_are_told() {
    let session = Arc::new(machine(&COUNTER));
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let starting = [0, 1, 2].map(|number| {
            let (session, path) = (session.clone(), directory.path().join(format!("{number}.rreplay")));
            spawn("recorder", move || session.record(&path, RecordOptions::default()).map(|_| path)).unwrap()
        });
        let started: Vec<_> = starting.into_iter().map(|starting| starting.join().unwrap()).collect();
        let [one] = &*started.iter().flatten().collect::<Vec<_>>() else {
            panic!("one records: {started:?}")
        };
        run(&session, instructions(10)).unwrap();
        session.finish().unwrap();
        assert!(Recording::open(one, false).unwrap().complete());
        for refused in started.iter().filter_map(|started| started.as_ref().err()) {
            assert_eq!(refused.class(), "StateError", "{refused}");
        }
        let files = std::fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 1, "those who were refused have left something behind");
    }
}

#[test]
fn a_trace_that_is_refused_leaves_the_run_of_the_other_thread_its_own() {
    let session = Arc::new(machine(&COUNTER));
    let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let tracing = keep_changing(
        &session,
        |session, _| {
            if let Ok(trace) = session.trace_bus(instructions(1), &mut || false) {
                assert!((2..10).contains(&trace.len()), "{} cycles in one instruction", trace.len());
            }
        },
        &stop,
        &turns,
    );
    for _ in 0..300 {
        let trace = unless_busy(|| session.trace_bus(instructions(30), &mut || false));
        assert!(trace.len() >= 60, "{} cycles in 30 instructions", trace.len());
    }
    stop.store(true, Ordering::Relaxed);
    tracing.join().unwrap();
}

#[test]
fn two_who_type_at_once_do_not_type_more_than_fits() {
    const PIECE: usize = 32 << 10;
    let session = Arc::new(
        Session::new(
            Board::from_toml(BOARD).unwrap(),
            vec![bin("rom", Target::Region("rom".into()), &rom())],
        )
        .unwrap(),
    );
    let typing = [0; 4].map(|_| {
        let session = session.clone();
        spawn("typist", move || while session.send(&[b'x'; PIECE]).is_ok() {}).unwrap()
    });
    typing.into_iter().for_each(|typing| typing.join().unwrap());
    assert_eq!(session.input_pending(), rreplay::machine::INPUT_PENDING_MAX / PIECE * PIECE);
}

fn started(session: &Session, path: &Path) -> rreplay::session::Recorded {
    session.record(path, RecordOptions::default()).unwrap()
}

#[test]
fn the_end_of_an_earlier_recording_is_not_that_of_a_later_one() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let session = machine(&COUNTER);
    let earlier = started(&session, &first);
    session.finish().unwrap();
    let later = started(&session, &second);
    session.finish_recording(&earlier).unwrap();
    assert_eq!(session.mode(), ReplayMode::Record);
    run(&session, instructions(10)).unwrap();
    session.finish_recording(&later).unwrap();
    session.finish_recording(&later).unwrap();
    assert_eq!(session.mode(), ReplayMode::None);
    assert_eq!(Recording::open_written(later.file(), &mut |_, _| true).unwrap().end().icount, 10);
}

#[test]
fn a_recording_reads_the_file_it_wrote_whatever_its_path_leads_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&COUNTER);
    let recorded = started(&session, &path);
    run(&session, instructions(10)).unwrap();
    session.finish_recording(&recorded).unwrap();
    let other = machine(&COUNTER);
    let of_other = started(&other, &path);
    run(&other, instructions(33)).unwrap();
    other.finish_recording(&of_other).unwrap();
    assert_eq!(Recording::open_written(recorded.file(), &mut |_, _| true).unwrap().end().icount, 10);
    assert_eq!(Recording::open(&path, false).unwrap().end().icount, 33);
}

#[test]
fn a_recording_that_could_not_go_on_says_so_at_its_end_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let session = machine(&PRINTER);
    let recorded = started(&session, &path);
    // Another program empties the file.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    let failed = session.request_snapshot().unwrap_err();
    assert!(failed.to_string().contains("another program has changed it"), "{failed}");
    assert_eq!(session.mode(), ReplayMode::None);
    let again = session.finish_recording(&recorded).unwrap_err();
    assert_eq!(again.to_string(), failed.to_string());
    // The machine goes on, and can be recorded again: the file is nobody's.
    started(&session, &path);
    session.finish().unwrap();
    assert!(Recording::open(&path, false).unwrap().complete());
}

#[test]
fn a_path_that_is_recorded_to_is_refused_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let (first, second) = (machine(&COUNTER), machine(&COUNTER));
    let recorded = started(&first, &path);
    run(&first, instructions(10)).unwrap();
    let refused = second.record(&path, RecordOptions::default()).unwrap_err();
    assert!(matches!(&refused, Error::Log(LogError::Busy { path: named }) if *named == path), "{refused}");
    assert_eq!(second.mode(), ReplayMode::None);
    run(&first, instructions(10)).unwrap();
    first.finish_recording(&recorded).unwrap();
    assert_eq!(Recording::open(&path, false).unwrap().end().icount, 20);
    started(&second, &path);
    drop(second);
    assert_eq!(Recording::open(&path, false).unwrap().end().icount, 0);
}
