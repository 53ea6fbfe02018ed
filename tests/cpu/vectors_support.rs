//! Vectors that are not in the repository: a line of JSON each, compressed. They are looked for in `$RREPLAY_VECTORS`, then in
//! `../shared/vectors`. Continuous integration (`CI` is set) has them: without them nobody would notice that nothing is
//! compared any more.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// The vectors of a file; where there is none this says so and returns `None`.
///
/// # Panics
/// When there is none and `CI` is set.
pub fn open(name: &str) -> Option<impl Iterator<Item = Value>> {
    let folder = std::env::var_os("RREPLAY_VECTORS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"));
    let path = folder.join(name);
    let Ok(file) = File::open(&path) else {
        let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
        assert!(!ci, "no vectors at {}, and CI is set: RREPLAY_VECTORS names their folder", path.display());
        println!("skipped: no vectors at {}", path.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| serde_json::from_str(&line.expect("readable vectors")).expect("vectors are JSON")))
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
