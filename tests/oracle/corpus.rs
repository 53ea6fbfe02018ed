//! The fuzz targets on any toolchain: each committed input is judged once, and so are some random ones; and the lists
//! that a new target has to be in agree.

use rreplay_kit::targets::{ARTIFACTS_VARIABLE, Finding, TARGETS, artifact_prefix, target};
use std::path::{Path, PathBuf};

const INPUTS_MAX: usize = 40;
const BYTES_MAX: usize = 150 << 10;
/// Random inputs for each target.
const RANDOM_INPUTS: u64 = 150;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The names in a directory, sorted.
fn listing(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = fuzz().join("corpus").join(target);
    let files = listing(&directory).into_iter().map(|name| directory.join(name));
    files.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Judges an input as the fuzzer does, with the recording of a finding in the directory of this build.
fn judge(name: &str, input: &[u8], whence: &str) {
    if let Err(finding) = (target(name).unwrap().check)(input) {
        let prefix = format!("{}/", env!("CARGO_TARGET_TMPDIR"));
        panic!("{name}, {whence}: {}", finding.report(Some(&prefix), name, input));
    }
}

#[test]
fn each_input_of_each_corpus_holds() {
    for target in TARGETS {
        for (path, input) in corpus(target.name) {
            judge(target.name, &input, &path.display().to_string());
        }
    }
}

#[test]
fn random_inputs_hold() {
    for target in TARGETS {
        for seed in 1..=RANDOM_INPUTS {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut byte = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            };
            let input: Vec<u8> = (0..usize::from(byte()) * 2).map(|_| byte()).collect();
            judge(target.name, &input, &format!("seed {seed}"));
        }
    }
}

#[test]
fn corpora_are_there_and_small() {
    let mut bytes = 0;
    for target in TARGETS {
        let inputs = corpus(target.name);
        let count = inputs.len();
        assert!((10..=INPUTS_MAX).contains(&count), "the corpus of {} has {count} inputs", target.name);
        bytes += inputs.iter().map(|(_, input)| input.len()).sum::<usize>();
    }
    assert!(bytes <= BYTES_MAX, "the corpora have {bytes} bytes: minimise them as fuzz/README.md says");
}

#[test]
fn every_target_is_in_every_list() {
    let mut names: Vec<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    names.sort();
    assert_eq!(listing(&fuzz().join("corpus")), names, "fuzz/corpus has a directory for each target");
    let files: Vec<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(listing(&fuzz().join("fuzz_targets")), files, "fuzz/fuzz_targets has a file for each target");
    let manifest: toml::Table = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let mut binaries: Vec<String> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|binary| {
            let name = binary["name"].as_str().unwrap();
            assert_eq!(binary["path"].as_str(), Some(format!("fuzz_targets/{name}.rs").as_str()));
            name.to_owned()
        })
        .collect();
    binaries.sort();
    assert_eq!(binaries, names, "fuzz/Cargo.toml has a line for each target");
    for name in names {
        let page = std::fs::read_to_string(fuzz().join("README.md")).unwrap();
        assert!(page.contains(&format!("`{name}`")), "fuzz/README.md says what {name} checks");
    }
}

#[test]
fn a_finding_leaves_its_recording_and_the_line_that_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = format!("{}/artifacts/", directory.path().display());
    let finding = Finding { what: "it was wrong".into(), recording: Some(b"a recording".to_vec()) };
    let report = finding.report(Some(&prefix), "log_reader", b"input");
    let written = listing(&directory.path().join("artifacts"));
    let [name] = written.as_slice() else { panic!("{written:?}") };
    assert!(name.starts_with("log_reader-") && name.ends_with(".rreplay"), "{name}");
    let path = format!("{prefix}{name}");
    assert_eq!(std::fs::read(&path).unwrap(), b"a recording");
    let line = format!("import rreplay as rr; rr.Recording({path:?}, salvage=True).verify()");
    assert!(report.starts_with("it was wrong\n") && report.lines().any(|found| found == line), "{report}");
    // Another input, another file; without a place, none.
    finding.report(Some(&prefix), "log_reader", b"another input");
    assert_eq!(listing(&directory.path().join("artifacts")).len(), 2);
    assert!(finding.report(None, "log_reader", b"input").contains(ARTIFACTS_VARIABLE));
    assert_eq!(Finding::from("alone".to_owned()).report(Some(&prefix), "board_toml", b""), "alone");
    assert_eq!(artifact_prefix().is_some(), std::env::var(ARTIFACTS_VARIABLE).is_ok());
}
