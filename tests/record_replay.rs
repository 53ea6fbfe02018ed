//! Recording, then replaying: generated scenarios, and our monitor typed at from another thread.

use proptest::prelude::*;
use rreplay::testing::{Scenario, check_record_replay};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 2000, failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn what_is_recorded_replays(scenario in any::<Scenario>()) {
        if let Err(failure) = check_record_replay(&scenario) {
            return Err(TestCaseError::fail(failure.to_string()));
        }
    }
}
