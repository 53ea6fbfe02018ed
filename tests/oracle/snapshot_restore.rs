//! Snapshots of generated machines, as bytes: restored, run on, and tampered with.

use proptest::prelude::*;
use rreplay_kit::{SnapshotCase, check_snapshot_restore};

/// 900 cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(900);
    ProptestConfig { cases, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_restored_machine_runs_on_and_a_tampered_snapshot_does_no_harm(case in any::<SnapshotCase>()) {
        check_snapshot_restore(&case).map_err(TestCaseError::fail)?;
    }
}
