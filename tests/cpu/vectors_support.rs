//! Vectors that are not in the repository: a line of JSON each, compressed. They are looked for in `$RREPLAY_VECTORS`, then in
//! `../shared/vectors`.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// The vectors of a file; where there is none this says so.
pub fn open(name: &str) -> Option<impl Iterator<Item = Value>> {
    let folder = std::env::var_os("RREPLAY_VECTORS")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors"));
    let path = folder.join(name);
    let Ok(file) = File::open(&path) else {
        println!("skipped: no vectors at {}", path.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| serde_json::from_str(&line.expect("readable vectors")).expect("vectors are JSON")))
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}
