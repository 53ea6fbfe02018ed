//! Timelines of generated recordings, each answer compared with a replay of an instruction at a time.

use proptest::prelude::*;
use rreplay::testing::{TravelCase, check_travel};

/// 300 cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_answer_is_that_of_a_naive_replay(case in any::<TravelCase>()) {
        check_travel(&case).map_err(TestCaseError::fail)?;
    }
}
