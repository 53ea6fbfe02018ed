//! Any bytes are read as a recording, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rreplay_kit::targets::run(env!("CARGO_BIN_NAME"), input));
