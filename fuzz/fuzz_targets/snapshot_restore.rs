//! A snapshot restores to a machine that runs on as the first one does.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rreplay_kit::targets::run(env!("CARGO_BIN_NAME"), input));
