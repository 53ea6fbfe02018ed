//! Any program does the same on our CPU and on those of others.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| rreplay_kit::targets::run(env!("CARGO_BIN_NAME"), input));
