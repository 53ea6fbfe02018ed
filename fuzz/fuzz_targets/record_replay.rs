//! Any scenario that is recorded replays.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rreplay::testing::{Scenario, check_record_replay};

fuzz_target!(|scenario: Scenario| {
    if let Err(failure) = check_record_replay(&scenario) {
        panic!("{failure}");
    }
});
