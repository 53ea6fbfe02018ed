//! The fuzz targets, in one list: cargo-fuzz, `fuzz/run` and the ordinary test over the corpora all call [`run`].
//!
//! A new target is a function from any bytes to `Ok` or a [`Finding`], a line in [`TARGETS`], a line in
//! `fuzz/Cargo.toml`, a copy of any file in `fuzz/fuzz_targets/` and a directory of seeds in `fuzz/corpus/`;
//! `tests/oracle/corpus.rs` says what is missing.

use super::{
    Failure, Scenario, board_toml, check_record_replay, cpu_differential, log_reader, replay_api,
    snapshot_restore, time_travel,
};
use arbitrary::{Arbitrary, Unstructured};
use rreplay::persist::Digest;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its binary and of its corpus.
    pub name: &'static str,
    /// Judges an input. Whatever the bytes are, it gives `Ok` or a finding, and never panics.
    pub check: fn(&[u8]) -> Result<(), Finding>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "record_replay", check: record_replay },
    Target { name: "log_reader", check: log_reader::check },
    Target { name: "cpu_differential", check: cpu_differential::check },
    Target { name: "board_toml", check: board_toml::check },
    Target { name: "snapshot_restore", check: |input| Ok(snapshot_restore(input)?) },
    Target { name: "time_travel", check: |input| Ok(time_travel(input)?) },
    Target { name: "replay_api", check: |input| Ok(replay_api(input)?) },
];

/// Where recordings of findings go when libFuzzer does not say where its artifacts go: a directory.
pub const ARTIFACTS_VARIABLE: &str = "RREPLAY_ARTIFACTS";

/// Something that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What, with all that is needed to see it again.
    pub what: String,
    /// The recording that shows it, whole or in part, where there is one.
    pub recording: Option<Vec<u8>>,
}

impl From<String> for Finding {
    fn from(what: String) -> Self {
        Self { what, recording: None }
    }
}

impl From<Box<Failure>> for Finding {
    fn from(failure: Box<Failure>) -> Self {
        let recording = Some(failure.recording.clone()).filter(|bytes| !bytes.is_empty());
        Self { what: failure.to_string(), recording }
    }
}

impl Finding {
    /// Writes the recording, if there is one, to a file whose name begins with `prefix`, as libFuzzer names its
    /// artifacts, and returns the finding with the line of Python that opens it.
    pub fn report(&self, prefix: Option<&str>, target: &str, input: &[u8]) -> String {
        let Some(recording) = &self.recording else { return self.what.clone() };
        let Some(prefix) = prefix else {
            return format!("{}\nset {ARTIFACTS_VARIABLE} to a directory to have its recording", self.what);
        };
        let path = PathBuf::from(format!("{prefix}{target}-{}.rreplay", Digest::of(input)));
        match write(&path, recording) {
            Ok(path) => format!("{}\nopen it in Python:\n{}", self.what, python_line(&path)),
            Err(error) => format!("{}\nits recording cannot be written to {path:?}: {error}", self.what),
        }
    }
}

/// Writes a file, whose directory is made when it is missing, and returns its absolute path.
fn write(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, bytes)?;
    std::path::absolute(path)
}

/// The line of Python that opens a recording and says what is wrong with it.
pub fn python_line(path: &Path) -> String {
    format!("import rreplay as rr; rr.Recording({:?}, salvage=True).verify()", path.display().to_string())
}

/// Where this process puts artifacts: as libFuzzer was told, else as the environment says.
pub fn artifact_prefix() -> Option<String> {
    let told = env::args().find_map(|argument| argument.strip_prefix("-artifact_prefix=").map(str::to_owned));
    told.or_else(|| env::var(ARTIFACTS_VARIABLE).ok().map(|directory| format!("{directory}/")))
}

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Judges one input.
///
/// # Panics
/// With the finding, as fuzzers want it, and for a name that is no target's.
pub fn run(name: &str, input: &[u8]) {
    let Some(target) = target(name) else { panic!("there is no fuzz target {name:?} in {TARGETS:?}") };
    if let Err(finding) = (target.check)(input) {
        panic!("{}", finding.report(artifact_prefix().as_deref(), name, input));
    }
}

/// Any scenario that is recorded replays.
fn record_replay(input: &[u8]) -> Result<(), Finding> {
    let scenario = scenario(input)?;
    check_record_replay(&scenario)?;
    Ok(())
}

/// The scenario that bytes stand for, as the target `record_replay` reads them.
///
/// # Errors
/// None so far: all bytes stand for one.
pub fn scenario(input: &[u8]) -> Result<Scenario, Finding> {
    Scenario::arbitrary_take_rest(Unstructured::new(input))
        .map_err(|error| Finding::from(format!("these bytes are no scenario: {error}")))
}
