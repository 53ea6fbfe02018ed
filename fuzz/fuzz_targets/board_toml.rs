//! Any text is a board that works, or an error that helps.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rreplay_kit::targets::run(env!("CARGO_BIN_NAME"), input));
