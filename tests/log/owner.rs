//! One owner for one file: two who write, names that change hands, permissions, and what an unfinished start leaves.
#![cfg(unix)]

use super::fifo_support::make_fifo;
use super::log_support::{append_all, events_of, header, sample_events};
use rreplay::files::{Claim, FileError, OwnFile, Whereabouts, write_whole};
use rreplay::log::{Header, LogError, LogFile, LogReader, LogWriter, Options};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn create(path: &Path) -> Result<LogWriter, LogError> {
    LogWriter::create(path, &header(), Options::default())
}

fn names(directory: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort();
    names
}

fn is_whole(path: &Path) -> bool {
    LogReader::open(path).is_ok_and(|reader| events_of(&reader) == sample_events())
}

/// Writes the sample and finishes.
fn finish(writer: &mut LogWriter) -> Result<(), LogError> {
    append_all(writer, &sample_events());
    writer.finish()
}

/// Every path by which a file is reached.
fn paths_to(path: &Path) -> [PathBuf; 4] {
    let place = path.parent().unwrap();
    let (link, hard) = (place.join("link"), place.join("hard"));
    symlink(path, &link).unwrap();
    fs::hard_link(path, &hard).unwrap();
    [path.to_owned(), place.join(".").join(path.file_name().unwrap()), link, hard]
}

#[test]
fn a_file_that_is_recorded_into_is_refused_by_every_name() {
    for starts_over in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.rreplay");
        if starts_over {
            finish(&mut create(&path).unwrap()).unwrap();
        }
        let mut writer = create(&path).unwrap();
        for path in paths_to(&path) {
            assert_eq!(create(&path).map(drop), Err(LogError::Busy { path: path.clone() }));
            assert!(matches!(write_whole(&path, b"picture"), Err(FileError::Busy)));
        }
        finish(&mut writer).unwrap();
        assert!(is_whole(&path));
        assert_eq!(names(directory.path()), ["hard", "link", "run.rreplay"]);
        // Also while the first writer is still there: it has finished.
        finish(&mut create(&path.with_file_name("link")).unwrap()).unwrap();
    }
}

#[test]
fn of_two_who_make_ready_for_a_new_file_one_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let (first, second) = (LogFile::beside(&path).unwrap(), LogFile::beside(&path).unwrap());
    let mut writer = LogWriter::in_file(second, &header(), Options::default()).unwrap();
    let refused = LogWriter::in_file(first, &header(), Options::default()).map(drop);
    assert_eq!(refused, Err(LogError::Busy { path: path.clone() }));
    finish(&mut writer).unwrap();
    assert!(is_whole(&path));
    assert_eq!(names(directory.path()), ["run.rreplay"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let ready = LogFile::beside(&path).unwrap();
    fs::write(&path, b"precious").unwrap();
    let refused = LogWriter::in_file(ready, &header(), Options::default()).unwrap_err();
    assert!(refused.to_string().contains("another program has just put a file there"), "{refused}");
    // As well where the one that was to be replaced was.
    let ready = LogFile::beside(&path).unwrap();
    fs::write(directory.path().join("other"), b"more precious").unwrap();
    fs::rename(directory.path().join("other"), &path).unwrap();
    assert!(LogWriter::in_file(ready, &header(), Options::default()).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"more precious");
    // One that is taken away leaves its place.
    let ready = LogFile::beside(&path).unwrap();
    fs::remove_file(&path).unwrap();
    finish(&mut LogWriter::in_file(ready, &header(), Options::default()).unwrap()).unwrap();
    assert!(is_whole(&path));
    assert_eq!(names(directory.path()), ["run.rreplay"]);
}

#[test]
fn what_is_unlinked_renamed_or_replaced_meanwhile_is_told_with_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let place = fs::canonicalize(directory.path()).unwrap();
    let (path, elsewhere) = (place.join("run.rreplay"), place.join("elsewhere"));
    let displaced = |change: &dyn Fn()| {
        let file = LogFile::beside(&path).unwrap();
        let written = file.written().unwrap();
        let mut writer = LogWriter::in_file(file, &header(), Options::default()).unwrap();
        change();
        let error = finish(&mut writer).unwrap_err();
        let LogError::Displaced { path: named, now } = &error else { panic!("{error}") };
        assert_eq!(*named, path);
        // The recording itself is whole, for whoever has it.
        assert_eq!(events_of(&LogReader::open_written(&written, &mut |_, _| true).unwrap()), sample_events());
        writer.finish().unwrap();
        (now.clone(), error.to_string())
    };
    let (now, text) = displaced(&|| fs::remove_file(&path).unwrap());
    assert_eq!(now, Whereabouts::Removed);
    assert!(text.contains("is lost with what `record` returned"), "{text}");
    let (now, text) = displaced(&|| fs::rename(&path, &elsewhere).unwrap());
    assert_eq!(
        now,
        if cfg!(target_os = "linux") { Whereabouts::Moved(elsewhere.clone()) } else { now.clone() }
    );
    assert!(!text.contains("lost") && is_whole(&elsewhere), "{text}");
    fs::write(&elsewhere, b"another file").unwrap();
    let (now, _) = displaced(&|| fs::rename(&elsewhere, &path).unwrap());
    assert_eq!(now, Whereabouts::Removed);
    assert_eq!(fs::read(&path).unwrap(), b"another file");
}

#[test]
fn what_another_program_does_to_the_file_ends_the_recording() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    for change in [
        (|path| fs::File::options().write(true).open(path).unwrap().set_len(10).unwrap()) as fn(&Path),
        |path| fs::write(path, b"").unwrap(),
        |path| {
            use std::io::Write;
            fs::File::options().append(true).open(path).unwrap().write_all(b"x").unwrap();
        },
    ] {
        let mut writer = create(&path).unwrap();
        change(&path);
        let (position, event) = &sample_events()[0];
        writer.append(*position, event).unwrap();
        let error = writer.finish().unwrap_err();
        assert!(error.to_string().contains("another program has changed it"), "{error}");
        assert_eq!(writer.failure(), Some(&error));
    }
}

#[test]
fn permissions_are_those_of_the_file_that_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    finish(&mut create(&path).unwrap()).unwrap();
    let usual = fs::metadata(&path).unwrap().mode() & 0o777;
    for mode in [0o600, 0o640, 0o664, 0o604, 0o200, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let owner = fs::metadata(&path).map(|about| (about.uid(), about.gid())).unwrap();
        let mut writer = create(&path).unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!(about.mode() & 0o7777, mode, "while it is written");
        finish(&mut writer).unwrap();
        let about = fs::metadata(&path).unwrap();
        assert_eq!((about.mode() & 0o7777, (about.uid(), about.gid())), (mode, owner));
    }
    fs::remove_file(&path).unwrap();
    finish(&mut create(&path).unwrap()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, usual, "a new file is as the user's mask has it");
}

#[test]
fn the_other_names_of_a_file_keep_what_they_had() {
    let directory = tempfile::tempdir().unwrap();
    let (path, other) = (directory.path().join("run.rreplay"), directory.path().join("kept"));
    fs::write(&path, b"the earlier one").unwrap();
    fs::hard_link(&path, &other).unwrap();
    finish(&mut create(&path).unwrap()).unwrap();
    assert!(is_whole(&path));
    assert_eq!(fs::read(&other).unwrap(), b"the earlier one");
}

#[test]
fn links_are_followed_to_where_something_is_or_is_not_yet() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::create_dir(place.join("there")).unwrap();
    symlink("there/run.rreplay", place.join("first")).unwrap();
    symlink("first", place.join("second")).unwrap();
    for _ in 0..2 {
        finish(&mut create(&place.join("second")).unwrap()).unwrap();
        assert!(is_whole(&place.join("there/run.rreplay")));
        assert!(fs::symlink_metadata(place.join("first")).unwrap().is_symlink());
    }
    symlink("nowhere/run.rreplay", place.join("lost")).unwrap();
    assert!(matches!(create(&place.join("lost")), Err(LogError::NoParent { .. })));
    symlink("circle", place.join("circle")).unwrap();
    assert!(create(&place.join("circle")).is_err());
    symlink("there", place.join("directory")).unwrap();
    assert!(matches!(create(&place.join("directory")), Err(LogError::IsDirectory { .. })));
    assert_eq!(names(place), ["circle", "directory", "first", "lost", "second", "there"]);
    assert_eq!(names(&place.join("there")), ["run.rreplay"]);
}

#[test]
fn what_is_kept_back_takes_its_place_when_it_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("part.rreplay");
    let kept_back = || {
        let file = LogFile::beside(&path).unwrap().kept_back();
        LogWriter::in_file(file, &header(), Options::default()).unwrap()
    };
    drop(kept_back());
    assert_eq!(names(directory.path()), Vec::<String>::new());
    fs::write(&path, b"the earlier one").unwrap();
    let mut given_up = kept_back();
    append_all(&mut given_up, &sample_events()[..5]);
    assert_eq!(create(&path).map(drop), Err(LogError::Busy { path: path.clone() }), "it waits for its end");
    drop(given_up);
    assert_eq!(fs::read(&path).unwrap(), b"the earlier one");
    finish(&mut kept_back()).unwrap();
    assert!(is_whole(&path));
    assert_eq!(names(directory.path()), ["part.rreplay"]);
}

#[test]
fn a_log_begins_anew_before_its_first_event_and_not_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rreplay");
    let plain = Header { chars: vec!["tty".into()], ..Header::default() };
    let mut writer = LogWriter::create(&path, &plain, Options::default()).unwrap();
    writer.restart(&header()).unwrap();
    finish(&mut writer).unwrap();
    assert!(is_whole(&path));
    assert_eq!(LogReader::open(&path).unwrap().header().chars, header().chars);
    let mut writer = create(&path).unwrap();
    append_all(&mut writer, &sample_events()[..1]);
    assert!(matches!(writer.restart(&plain), Err(LogError::Ended { .. })));
    // A device is written to as it is.
    let mut nowhere = create(Path::new("/dev/null")).unwrap();
    nowhere.restart(&header()).unwrap();
    finish(&mut nowhere).unwrap();
}

#[test]
fn hosts_share_a_file_with_each_other_and_not_with_a_recorder() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("output");
    let mut hosts = [0, 1].map(|_| OwnFile::beside(&path, Claim::Host).unwrap());
    hosts[0].put_in_place().unwrap();
    // It has just appeared: of several hosts the last one has its file there.
    hosts[1].put_in_place().unwrap();
    assert_eq!(hosts[0].whereabouts().unwrap(), Whereabouts::Removed);
    assert_eq!(hosts[1].whereabouts().unwrap(), Whereabouts::InPlace);
    let [_, mut first] = hosts;
    let second = OwnFile::beside(&path, Claim::Host).unwrap();
    assert_eq!(create(&path).map(drop), Err(LogError::Busy { path: path.clone() }));
    first.give_up_claim();
    drop(second);
    finish(&mut create(&path).unwrap()).unwrap();
    assert_eq!(names(directory.path()), ["output"]);
}

#[test]
fn a_fifo_a_terminal_and_a_disk_are_no_files_to_record_into() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    make_fifo(&fifo);
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let terminal = PathBuf::from(ptsname(&controller, Vec::new()).unwrap().to_string_lossy().into_owned());
    for path in [fifo, terminal] {
        assert_eq!(create(&path).map(drop), Err(LogError::NotAFile { path: path.clone() }));
        assert_eq!(LogReader::open(&path).map(drop), Err(LogError::NotAFile { path }));
    }
    assert_eq!(names(directory.path()), ["fifo"]);
}
