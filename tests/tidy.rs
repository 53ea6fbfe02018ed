//! The walls of ARCHITECTURE.md, as a test: who may import whom, and what only one file may name.
#![cfg(not(any(feature = "loom", feature = "shuttle")))]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Each module of the crate with the modules it may import; itself and the ground floor go without saying.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    // First floor: siblings, blind to each other.
    ("cpu", &[]),
    ("devices", &[]),
    ("log", &[]),
    ("memory", &[]),
    // Second floor. The machine knows no log and no replay, the replay no machine.
    ("machine", &["cpu", "devices", "memory"]),
    ("replay", &["log"]),
    ("snapshot", &["log", "memory"]),
    // Third floor. The engine knows no machine; hosts are the only module that touches the operating system.
    ("engine", &["replay", "log", "snapshot"]),
    ("host", &["engine"]),
    // Top floor.
    ("error", &["engine", "host", "log", "machine", "memory", "replay", "snapshot"]),
    (
        "session",
        &["cpu", "devices", "engine", "error", "host", "log", "machine", "memory", "replay", "snapshot"],
    ),
    (
        "timeline",
        &[
            "cpu",
            "engine",
            "error",
            "log",
            "machine",
            "memory",
            "persist",
            "recording",
            "replay",
            "session",
            "snapshot",
        ],
    ),
    ("external", &["engine", "error", "log", "replay", "snapshot"]),
    (
        "recording",
        &["engine", "error", "external", "host", "log", "machine", "session", "replay", "snapshot"],
    ),
    // Shells, each a crate of its own: python/core and tests/kit.
    (
        "python",
        &[
            "cpu",
            "engine",
            "error",
            "external",
            "log",
            "machine",
            "recording",
            "replay",
            "session",
            "snapshot",
            "timeline",
            "host",
        ],
    ),
    (
        "testing",
        &[
            "cpu",
            "devices",
            "engine",
            "error",
            "log",
            "machine",
            "memory",
            "recording",
            "replay",
            "session",
            "snapshot",
            "timeline",
            "host",
        ],
    ),
];

/// Nothing above is imported here, and everybody may import these.
const GROUND_FLOOR: &[&str] =
    &["units", "sync", "files", "bus", "events", "guest", "nondet", "persist", "seeded_faults"];

/// Words that only these files may hold.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("std::sync", &["sync.rs"]),
    ("std::thread", &["sync.rs"]),
    ("loom::", &["sync.rs"]),
    ("shuttle::", &["sync.rs"]),
    // The model of the host's time, for shuttle, stands beside its threads.
    ("Instant", &["host/", "sync.rs"]),
    ("SystemTime", &["host/"]),
    ("getrandom", &["host/"]),
    ("std::fs", &["files/", "host/", "log/", "python/", "testing/targets.rs"]),
    ("std::net", &["host/"]),
    ("pyo3", &["python/"]),
    ("HashMap", &[]),
    ("HashSet", &[]),
];

/// A file larger than this is telling us something.
const LINES_MAX: usize = 800;

/// The sources of the engine, by their paths below `src`; and those of the extension module and of the test kit, crates of
/// their own, as if they were the engine's modules `python` and `testing`.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let engine = sources_below(&root.join("src"));
    assert!(engine.len() > 30, "the sources are where they are looked for");
    let mut all = engine;
    for (module, place) in [("python", "python/core/src"), ("testing", "tests/kit/src")] {
        let sources = sources_below(&root.join(place));
        assert!(sources.len() > 10, "the sources of {place} are where they are looked for");
        all.extend(sources.into_iter().map(|(file, text)| {
            (format!("{module}/{file}"), text.replace("crate::", "self::").replace("rreplay::", "crate::"))
        }));
    }
    all
}

fn sources_below(root: &Path) -> Vec<(String, String)> {
    fn collect(directory: &Path, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                collect(&path, out);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                out.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(root, &mut paths);
    paths.sort();
    let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    paths.iter().map(|path| (relative(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// Code without comments, so that prose may name what it likes.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The first names behind `crate::`, also in groups.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => rest,
        };
        for name in names.split(',') {
            let word: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if word.starts_with(char::is_lowercase) {
                found.insert(word);
            }
            if !rest.starts_with('{') {
                break;
            }
        }
    }
    found
}

fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

fn is_test(file: &str) -> bool {
    file.split('/').any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn every_module_imports_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let module = module_of(&file);
        if file == "lib.rs" {
            continue;
        }
        let allowed: &[&str] = match MAY_IMPORT.iter().find(|(name, _)| *name == module) {
            Some((_, allowed)) => allowed,
            None if GROUND_FLOOR.contains(&module) => &[],
            None => {
                panic!("src/{file}: give the module {module} its floor in this test and in ARCHITECTURE.md")
            }
        };
        for import in imports(&code(&text)) {
            // Macros live at the crate's root.
            let fine = import == module
                || import == "persist"
                || GROUND_FLOOR.contains(&import.as_str())
                || allowed.contains(&import.as_str());
            if !fine {
                wrong.push(format!("src/{file} imports crate::{import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "walls are broken:\n{}", wrong.join("\n"));
}

#[test]
fn what_only_one_place_may_name_is_named_nowhere_else() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (word, places) in ONLY_IN {
            let allowed = is_test(&file) || places.iter().any(|place| file.starts_with(place));
            // Tests at the end of a file may use what they like.
            let own = code.split("#[cfg(test)]").next().unwrap_or_default();
            let own = own.split("#[cfg(all(test").next().unwrap_or_default();
            if !allowed && own.contains(word) {
                wrong.push(format!("src/{file} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_it_should_be() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("src/{file} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The nets above must be able to fail.
#[test]
fn the_nets_catch_what_they_are_for() {
    let sample = "use crate::{log::Event, units::Position};\nfn f() { crate::replay::x() } // crate::engine";
    let found: Vec<String> = imports(&code(sample)).into_iter().collect();
    assert_eq!(found, ["log", "replay", "units"]);
    assert_eq!(module_of("machine/board/parse.rs"), "machine");
    assert_eq!(module_of("units.rs"), "units");
}
