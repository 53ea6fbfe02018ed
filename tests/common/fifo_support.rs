//! FIFOs for tests, made without a program: one that is started inherits every open file of this process between its fork and its exec,
//! so that a lock or the end of a line that another test has just let go of would be there for a while longer.

use std::path::Path;

/// Makes a FIFO.
#[cfg(not(target_vendor = "apple"))]
pub fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Makes a FIFO.
#[cfg(target_vendor = "apple")]
pub fn make_fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}
