//! Timelines of generated recordings, each answer compared with a replay of an instruction at a time.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rreplay::testing::{OriginCase, Origins, TravelCase, check_origins, check_travel};
use std::cell::Cell;

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

#[test]
fn going_back_finds_what_going_forwards_brings() {
    let all = Cell::new(Origins::default());
    let outcome = TestRunner::new(config()).run(&any::<OriginCase>(), |case| {
        let mut sum = all.get();
        sum += check_origins(&case).map_err(TestCaseError::fail)?;
        all.set(sum);
        Ok(())
    });
    println!("{:?}", all.get());
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let Origins { compared, grown, limited, .. } = all.get();
    assert!(grown * 5 > compared, "most bytes have a history: {:?}", all.get());
    assert!(limited * 20 < compared, "few graphs are cut off: {:?}", all.get());
}
