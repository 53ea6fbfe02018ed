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
    ("cursor", &["cpu", "engine", "error", "log", "machine", "memory", "replay", "session", "snapshot"]),
    (
        "compare",
        &["cpu", "cursor", "engine", "error", "log", "machine", "memory", "replay", "session", "snapshot"],
    ),
    (
        "timeline",
        &[
            "compare",
            "cpu",
            "cursor",
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
        &[
            "compare", "engine", "error", "external", "host", "log", "machine", "session", "replay",
            "snapshot",
        ],
    ),
    // Shells, each a crate of its own: python/core and tests/kit.
    (
        "python",
        &[
            "compare",
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

/// What belongs to one processor: registers, instructions, vectors, the word for its flags. It stands where that processor is
/// described, and wherever else it stood a second one would have to be built in.
const WORDS_OF_A_PROCESSOR: &[&str] = &[
    "RESET_VECTOR",
    "NV-BDIZC",
    "NV1BDIZC",
    "JSR",
    "RTI",
    "BRK",
    "JMP",
    "0xFFFA",
    "0xFFFC",
    "0xFFFE",
    "$FFFC",
    "mos6502::",
    "cpu.a",
    "cpu.x",
    "cpu.y",
    "registers.a",
    "get(\"a\")",
    "get(\"x\")",
    "get(\"y\")",
    // The third processor, with which tests show the same.
    "specimen",
    "Specimen",
];

/// Where they may stand, and why.
const PLACES_OF_A_PROCESSOR: &[&str] = &[
    "cpu/mos6502/",
    "cpu/specimen.rs",
    // Where processors are registered.
    "cpu/kinds.rs",
    "cpu/mod.rs",
    // The operating system of C programs for a 6502: its calling convention is in registers of that processor.
    "devices/sim65.rs",
    // Generators of programs and oracles of what they do are each for one processor.
    "testing/",
    // A pair of numbers that is no vector.
    "memory/touched.rs",
    // A recording's word for the event.
    "python/enums.py",
];

/// A file larger than this is telling us something.
const LINES_MAX: usize = 800;

/// The sources of the engine, by their paths below `src`; and those of the extension module and of the test kit, crates of
/// their own, as if they were the engine's modules `python` and `testing`.
fn sources() -> Vec<(String, String)> {
    let engine = files_below("src", "rs");
    assert!(engine.len() > 30, "the sources are where they are looked for");
    let mut all = engine;
    for (module, place) in [("python", "python/core/src"), ("testing", "tests/kit/src")] {
        let sources = files_below(place, "rs");
        assert!(sources.len() > 10, "the sources of {place} are where they are looked for");
        all.extend(sources.into_iter().map(|(file, text)| {
            (format!("{module}/{file}"), text.replace("crate::", "self::").replace("rreplay::", "crate::"))
        }));
    }
    all
}

/// The files below a folder of the repository, by their paths in it.
fn files_below(folder: &str, wanted: &str) -> Vec<(String, String)> {
    fn collect(directory: &Path, wanted: &str, out: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                collect(&path, wanted, out);
            } else if path.extension().is_some_and(|extension| extension == wanted) {
                out.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    collect(&root, wanted, &mut paths);
    paths.sort();
    let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
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

/// Whether a text has a word that is no part of a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let begins = !word.starts_with(is_part) || !text[..at].ends_with(is_part);
        let ends = !word.ends_with(is_part) || !text[at + word.len()..].starts_with(is_part);
        begins && ends
    })
}

/// In comments and texts too: who describes the processor in general must not speak of one.
#[test]
fn no_processor_is_known_outside_its_own_module() {
    let package = files_below("python/rreplay", "py");
    let package = package.into_iter().map(|(file, text)| (format!("python/{file}"), text));
    let mut wrong = Vec::new();
    for (file, text) in sources().into_iter().chain(package) {
        if is_test(&file) || PLACES_OF_A_PROCESSOR.iter().any(|place| file.starts_with(place)) {
            continue;
        }
        let words = WORDS_OF_A_PROCESSOR.iter().filter(|word| has_word(&text, word));
        wrong.extend(words.map(|word| format!("{file} has {word}")));
    }
    assert!(wrong.is_empty(), "what one processor is stands outside its module:\n{}", wrong.join("\n"));
}

/// The nets above must be able to fail.
#[test]
fn the_nets_catch_what_they_are_for() {
    let sample = "use crate::{log::Event, units::Position};\nfn f() { crate::replay::x() } // crate::engine";
    let found: Vec<String> = imports(&code(sample)).into_iter().collect();
    assert_eq!(found, ["log", "replay", "units"]);
    assert_eq!(module_of("machine/board/parse.rs"), "machine");
    assert_eq!(module_of("units.rs"), "units");
    assert!(
        has_word("let pc = cpu.a;", "cpu.a") && has_word("a JSR", "JSR") && has_word("x(\"a\")", "\"a\"")
    );
    assert!(!has_word("cpu.at", "cpu.a") && !has_word("JSRS", "JSR") && !has_word("_RTI", "RTI"));
    assert!(has_word(
        &files_below("src", "rs").iter().map(|(_, text)| text.as_str()).collect::<String>(),
        "JSR"
    ));
}
