//! A character device on FIFOs, terminals and devices: lines that are slow, silent or not there, and never waited for.
#![cfg(unix)]

#[path = "common/fifo_support.rs"]
mod fifo_support;

use fifo_support::make_fifo;
use rreplay::host::{CharHost, DiskImage, FileHost, HostError, PcapHost, WavInput, WavOutput};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// errno EAGAIN: nothing more is taken now.
const EAGAIN: i32 = 11;
/// errno ENOSPC: no space is left.
const ENOSPC: i32 = 28;

fn fifo() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    make_fifo(&path);
    (directory, path)
}

/// A terminal, and whoever sits at it.
fn terminal() -> (OwnedFd, PathBuf) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap().to_string_lossy().into_owned();
    (controller, PathBuf::from(path))
}

fn open(path: &Path, read: bool) -> File {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(read).write(!read).custom_flags(nonblocking).open(path).unwrap()
}

/// Sends until nothing more is taken. Gives how many bytes were.
fn fill(host: &mut FileHost) -> usize {
    let piece = [b'x'; 1000];
    let mut taken = 0;
    loop {
        let written = host.write(&piece);
        if written.result == -EAGAIN {
            return taken;
        }
        assert!(written.result > 0, "{written:?}");
        taken += written.offset as usize;
    }
}

/// Reads what comes while the host is polled, until there is no more.
fn drain(host: &mut FileHost, reader: &mut File) -> usize {
    let (mut buffer, mut got) = ([0; 4096], 0);
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        got += count;
        host.poll();
    }
    got
}

/// Polls until nobody is there any more: at once, or when a program that somebody has just started lets go of the other end, which
/// it inherits between its fork and its exec.
fn poll_to_the_end(host: &mut FileHost) {
    while host.is_open() {
        assert_eq!(host.poll(), b"");
    }
}

#[test]
fn a_fifo_without_a_reader_holds_what_fits_until_one_comes() {
    let (_directory, path) = fifo();
    let mut host = FileHost::open(Some(&path), false, None).unwrap();
    let taken = fill(&mut host);
    assert!(taken >= 4 << 10, "{taken}");
    let mut reader = open(&path, true);
    assert_eq!(drain(&mut host, &mut reader), taken);
    // There is room again; a reader that goes away is not missed.
    assert_eq!(host.write(b"more").offset, 4);
    drop(reader);
    assert!(fill(&mut host) >= 3 << 10);
    assert_eq!(host.process(), Some(rreplay::files::Process::this()));
}

#[test]
fn a_fifo_has_no_end_before_its_first_writer_and_ends_with_the_last() {
    let (_directory, path) = fifo();
    let mut host = FileHost::open(None, false, Some(&path)).unwrap();
    for _ in 0..3 {
        assert_eq!(host.poll(), b"");
        assert!(host.is_open() && !host.is_waited_for());
    }
    let mut writer = open(&path, false);
    assert_eq!(host.poll(), b"");
    writer.write_all(b"hello").unwrap();
    assert_eq!(host.poll(), b"hello");
    assert_eq!((host.poll(), host.is_open()), (Vec::new(), true));
    drop(writer);
    poll_to_the_end(&mut host);
    assert!(!host.is_waited_for());
}

#[test]
fn a_writer_that_came_and_went_without_a_byte_was_the_end() {
    let (_directory, path) = fifo();
    let mut host = FileHost::open(None, false, Some(&path)).unwrap();
    let writer = open(&path, false);
    assert_eq!((host.poll(), host.is_open()), (Vec::new(), true));
    drop(writer);
    poll_to_the_end(&mut host);
}

#[test]
fn a_terminal_where_nobody_reads_or_types_is_a_slow_line() {
    let (controller, path) = terminal();
    let mut host = FileHost::open(Some(&path), false, Some(&path)).unwrap();
    assert_eq!(host.poll(), b"");
    assert!(host.is_open() && !host.is_waited_for());
    assert!(fill(&mut host) >= 1000);
    let mut person = File::from(controller);
    person.write_all(b"typed\n").unwrap();
    assert_eq!(host.poll(), b"typed\n");
    drop(person);
    poll_to_the_end(&mut host);
}

#[test]
fn devices_without_end_and_without_room() {
    let mut zeros =
        FileHost::open(Some(Path::new("/dev/full")), false, Some(Path::new("/dev/zero"))).unwrap();
    assert_eq!(zeros.poll().len(), 16 << 10);
    let full = zeros.write(b"abc");
    assert_eq!((full.result, full.offset), (-ENOSPC, 0));
    let mut nothing =
        FileHost::open(Some(Path::new("/dev/null")), true, Some(Path::new("/dev/null"))).unwrap();
    assert_eq!(nothing.write(b"abc").offset, 3);
    nothing.poll();
    assert!(!nothing.is_open());
}

#[test]
fn an_ordinary_file_is_waited_for_and_written_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (directory.path().join("input"), directory.path().join("output"));
    fs::write(&input, b"to the guest").unwrap();
    fs::write(&output, b"an earlier run").unwrap();
    let missing = FileHost::open(Some(&output), false, Some(&directory.path().join("missing")));
    assert!(matches!(missing.err(), Some(HostError::Io { .. })));
    assert_eq!(fs::read(&output).unwrap(), b"an earlier run", "what cannot be had has emptied a file");
    let mut host = FileHost::open(Some(&output), false, Some(&input)).unwrap();
    assert!(host.is_waited_for());
    assert_eq!(host.poll(), b"to the guest");
    assert_eq!(host.write(b"from it").offset, 7);
    assert_eq!(fs::read(&output).unwrap(), b"from it");
    host.poll();
    assert!(!host.is_open());
    let mut host = FileHost::open(Some(&output), true, None).unwrap();
    assert_eq!(host.write(b" again").offset, 6);
    assert_eq!(fs::read(&output).unwrap(), b"from it again");
}

#[test]
fn what_is_of_no_use_is_refused_by_name() {
    let (directory, fifo) = fifo();
    let (_controller, terminal) = terminal();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let found = |path: &Path, result: Result<(), HostError>| match result {
        Err(error @ HostError::Kind { .. }) => {
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            error.to_string()
        }
        other => panic!("{}: {other:?}", path.display()),
    };
    let here = directory.path();
    for path in [here, &socket] {
        found(path, FileHost::open(Some(path), false, None).map(drop));
        found(path, FileHost::open(None, false, Some(path)).map(drop));
    }
    let endless = Path::new("/dev/zero");
    for (path, what) in [(here, "a directory"), (&fifo, "a FIFO"), (&socket, "a socket")] {
        for text in [
            found(path, DiskImage::open(path, false).map(drop)),
            found(path, DiskImage::open(path, true).map(drop)),
            found(path, WavInput::open(path).map(drop)),
            found(path, WavOutput::create(path, 8000).map(drop)),
            found(path, PcapHost::open(Some(path), None).map(drop)),
            found(path, PcapHost::open(None, Some(path)).map(drop)),
        ] {
            assert!(text.contains(what), "{text}");
        }
    }
    for path in [&*terminal, endless] {
        found(path, DiskImage::open(path, false).map(drop));
        found(path, WavInput::open(path).map(drop));
        found(path, PcapHost::open(None, Some(path)).map(drop));
    }
    found(&terminal, WavOutput::create(&terminal, 8000).map(drop));
    found(&terminal, PcapHost::open(Some(&terminal), None).map(drop));
}

#[test]
fn a_refused_fifo_does_not_wake_whoever_waits_at_its_other_end() {
    let (directory, path) = fifo();
    let told = directory.path().join("told");
    // It waits in `open` until somebody reads.
    let script = format!("echo hello > '{}'; echo done > '{}'", path.display(), told.display());
    let mut writer = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
    for _ in 0..100 {
        assert!(DiskImage::open(&path, false).is_err());
        assert!(WavInput::open(&path).is_err());
    }
    assert_eq!(fs::read(&path).unwrap(), b"hello\n", "its reader is the one that was meant");
    assert!(writer.wait().unwrap().success());
    assert!(told.exists());
}

#[test]
fn the_host_of_an_earlier_machine_ends_in_a_file_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tone.wav");
    let play = |host: &mut WavOutput, sample: i16| {
        use rreplay::host::SoundHost;
        assert_eq!(host.play(&[sample; 100]), 100);
        host.run_ends();
    };
    let mut earlier = WavOutput::create(&path, 8000).unwrap();
    play(&mut earlier, 1);
    let mut later = WavOutput::create(&path, 8000).unwrap();
    play(&mut later, 2);
    play(&mut earlier, 1);
    drop(earlier);
    play(&mut later, 2);
    drop(later);
    let mut sound = WavInput::open(&path).unwrap();
    use rreplay::host::SoundHost;
    let mut samples = [0; 300];
    assert_eq!(sound.record(&mut samples).recorded, 200);
    assert!(samples[..200].iter().all(|sample| *sample == 2));
}
