//! Shows what an input of the fuzz target `record_replay` stands for, and writes the recording that it makes:
//!
//! ```sh
//! cargo run --example scenario -- fuzz/artifacts/record_replay/crash-... -o crash.rreplay
//! ```
//!
//! The recording is as long as the scenario came, also when recording it fails, panics or hangs.

use rreplay_kit::{SmallDisk, record_scenario, targets};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// A scenario is recorded in some milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

const USAGE: &str = "usage: scenario FILE [-o OUT.rreplay]";

fn main() -> ExitCode {
    match arguments().and_then(|(input, output)| show(&input, output.as_deref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("scenario: {what}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<(PathBuf, Option<PathBuf>), String> {
    let mut given = std::env::args_os().skip(1);
    let input = given.next().filter(|input| input != "-o").ok_or(USAGE)?;
    match (given.next(), given.next(), given.next()) {
        (None, None, None) => Ok((input.into(), None)),
        (Some(option), Some(output), None) if option == "-o" => Ok((input.into(), Some(output.into()))),
        _ => Err(USAGE.to_owned()),
    }
}

fn show(input: &Path, output: Option<&Path>) -> Result<(), String> {
    let bytes = std::fs::read(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let scenario = targets::scenario(&bytes).map_err(|finding| finding.what)?;
    println!("{scenario:#?}");
    let Some(output) = output else { return Ok(()) };
    let disk = SmallDisk::default();
    let (ended, end) = channel();
    let recorder = {
        let disk = disk.clone();
        // Nobody waits for the receiver: this process may have ended.
        move || drop(ended.send(record_scenario(&scenario, &disk)))
    };
    thread::Builder::new().spawn(recorder).map_err(|error| format!("starting a thread: {error}"))?;
    match end.recv_timeout(PATIENCE) {
        Ok(Ok(())) => println!("recorded"),
        Ok(Err(what)) => println!("not recorded to its end: {what}"),
        Err(RecvTimeoutError::Timeout) => println!("not recorded to its end: it hangs"),
        Err(RecvTimeoutError::Disconnected) => println!("not recorded to its end: it panics"),
    }
    std::fs::write(output, disk.contents()).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("{}", targets::python_line(output));
    Ok(())
}
