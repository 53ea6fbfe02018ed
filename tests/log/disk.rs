//! Paths that cannot be recorded to, disks that fill, writes that come up short.

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::log_support::{append_all, events_of, header, record, sample_events, small_chunks};
use rreplay::log::{Header, LogError, LogReader, LogWriter, Options, Sink};
use rreplay::units::Position;

/// A disk of some size, on which every write is short or interrupted first.
struct FaultySink {
    disk: Arc<Mutex<Vec<u8>>>,
    size: usize,
    /// The most bytes that one write takes.
    stride: usize,
    interrupt_next: bool,
    can_truncate: bool,
    error: io::ErrorKind,
}

impl Write for FaultySink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt_next = !self.interrupt_next;
        if self.interrupt_next {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut disk = self.disk.lock().unwrap();
        let count = bytes.len().min(self.stride).min(self.size - disk.len());
        if count == 0 && !bytes.is_empty() {
            return Err(self.error.into());
        }
        disk.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for FaultySink {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if !self.can_truncate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.disk.lock().unwrap().truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_at_every_byte() {
    let events = sample_events();
    let whole = record(&header(), &events, small_chunks());
    let header_end = LogReader::from_bytes(whole.clone()).unwrap().info().header_bytes as usize;
    for size in 0..=whole.len() {
        for (stride, can_truncate) in [(7, true), (1000, false)] {
            let disk = Arc::new(Mutex::new(Vec::new()));
            let error = io::ErrorKind::StorageFull;
            let sink =
                FaultySink { disk: disk.clone(), size, stride, interrupt_next: false, can_truncate, error };
            let writer = LogWriter::with_sink(Box::new(sink), "disk", &header(), small_chunks());
            let mut writer = match writer {
                Ok(writer) => writer,
                Err(error) => {
                    assert!(size < header_end && matches!(error, LogError::Full { .. }), "{error}");
                    continue;
                }
            };
            let error = write_until_error(&mut writer, &events);
            assert_eq!(error.is_some(), size < whole.len(), "disk of {size}");
            let Some(error) = error else {
                assert_eq!(*disk.lock().unwrap(), whole);
                continue;
            };
            assert_eq!(writer.failure(), Some(&error));
            assert_eq!(writer.append(Position::new(u64::MAX, u64::MAX), &events[0].1), Err(error.clone()));
            assert_eq!((writer.flush(), writer.finish()), (Err(error.clone()), Err(error.clone())));
            drop(writer);
            let LogError::Full { events: kept, last, .. } = error else { panic!("disk of {size}: {error}") };
            let reader = LogReader::salvage_bytes(disk.lock().unwrap().clone()).unwrap();
            let left = events_of(&reader);
            assert!(events.starts_with(&left));
            assert_eq!((kept, last), (left.len() as u64, reader.last_position()), "disk of {size}");
            if can_truncate && let Some(damage) = reader.damage() {
                assert_eq!(damage.bytes_lost, 0, "a partial frame was left on a disk of {size}");
            }
        }
    }
}

fn write_until_error(writer: &mut LogWriter, events: &[(Position, rreplay::log::Event)]) -> Option<LogError> {
    for (position, event) in events {
        let written = match event {
            rreplay::log::Event::Snapshot { .. } => {
                writer.append_snapshot(*position, b"a snapshot's container").map(|(_, ordinal)| ordinal)
            }
            _ => writer.append(*position, event),
        };
        if let Err(error) = written {
            return Some(error);
        }
    }
    writer.finish().err()
}

#[test]
fn other_errors_of_the_disk_are_told_as_they_are() {
    let disk = Arc::new(Mutex::new(Vec::new()));
    let size = 1500;
    let sink = FaultySink {
        disk,
        size,
        stride: 9,
        interrupt_next: true,
        can_truncate: true,
        error: io::ErrorKind::BrokenPipe,
    };
    let mut writer = LogWriter::with_sink(Box::new(sink), "pipe", &header(), small_chunks()).unwrap();
    let many: Vec<_> =
        (0..1000).map(|n| (Position::new(100 + n, 1000 + n), sample_events()[5].1.clone())).collect();
    let error = write_until_error(&mut writer, &many).unwrap();
    assert!(matches!(error, LogError::Io { kind: io::ErrorKind::BrokenPipe, .. }));
    assert!(error.to_string().starts_with("cannot write to pipe: "), "{error}");
}

#[test]
fn paths_that_cannot_be_recorded_to() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let create = |path: &std::path::Path| LogWriter::create(path, &header(), Options::default()).map(drop);
    assert_eq!(create(place), Err(LogError::IsDirectory { path: place.to_owned() }));
    let path = place.join("missing/run.rreplay");
    assert_eq!(create(&path), Err(LogError::NoParent { path: path.clone(), parent: place.join("missing") }));
    fs::write(place.join("file"), b"").unwrap();
    let path = place.join("file/run.rreplay");
    assert!(matches!(create(&path), Err(LogError::NoParent { .. })));
    let path = place.join("x".repeat(300));
    assert!(create(&path).is_err());
    let path = place.join("protected.rreplay");
    fs::write(&path, b"precious").unwrap();
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = create(&path).unwrap_err();
    assert!(matches!(error, LogError::Permission { .. }));
    assert!(error.to_string().contains("write-protected"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(names(place), ["file", "protected.rreplay"], "something was left behind");
}

#[test]
fn an_earlier_recording_is_replaced_only_by_a_good_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    fs::write(&path, record(&header(), &sample_events(), small_chunks())).unwrap();
    let earlier = LogReader::open(&path).unwrap();
    let too_large = Header { initial_state: vec![0; 17 << 20], ..header() };
    assert!(matches!(LogWriter::create(&path, &too_large, Options::default()), Err(LogError::Header(_))));
    assert!(LogReader::open(&path).unwrap().complete());
    let mut writer = LogWriter::create(&path, &Header::default(), Options::default()).unwrap();
    assert_eq!(events_of(&earlier), sample_events(), "whoever reads the earlier one goes on reading it");
    append_all(&mut writer, &sample_events()[37..]);
    writer.finish().unwrap();
    assert_eq!(LogReader::open(&path).unwrap().events_count(), 3);
    assert_eq!(names(directory.path()), ["run.rreplay"]);
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
mod unix {
    use super::*;

    #[test]
    fn a_full_device_is_an_error_and_stays_a_device() {
        let error = LogWriter::create("/dev/full", &header(), Options::default()).unwrap_err();
        assert!(matches!(error, LogError::Full { .. }), "{error}");
        assert!(error.to_string().contains("no space left for /dev/full"), "{error}");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
        let mut writer = LogWriter::create("/dev/null", &header(), Options::default()).unwrap();
        append_all(&mut writer, &sample_events());
        writer.finish().unwrap();
        assert!(matches!(LogReader::open("/dev/null"), Err(LogError::NotAFile { .. })));
    }

    #[test]
    fn a_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real.rreplay"), directory.path().join("link.rreplay"));
        fs::write(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut writer = LogWriter::create(&link, &header(), Options::default()).unwrap();
        append_all(&mut writer, &sample_events());
        writer.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(LogReader::open(&real).unwrap().complete());
        assert_eq!(names(directory.path()), ["link.rreplay", "real.rreplay"]);
    }

    #[test]
    fn a_socket_is_refused_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let refused = LogError::NotAFile { path: path.clone() };
        assert_eq!(LogWriter::create(&path, &header(), Options::default()).map(drop), Err(refused.clone()));
        assert_eq!(LogReader::open(&path).map(drop), Err(refused));
    }
}

#[test]
fn paths_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.rreplay");
    assert_eq!(LogReader::open(&missing).map(drop), Err(LogError::NotFound { path: missing }));
    let path = directory.path().to_owned();
    assert_eq!(LogReader::open(&path).map(drop), Err(LogError::IsDirectory { path }));
}
