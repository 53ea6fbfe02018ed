//! The functions of the state machine in any order, against a naive model; and answers of a hostile log.

use proptest::prelude::*;
use rreplay::log::event::{Event, StampedEvent};
use rreplay::nondet::{AudioRead, CharId};
use rreplay::replay::{MemoryLog, MemorySource, PlayConfig, Replay, ReplayError};
use rreplay::units::{EventOrdinal, Position};
use rreplay_kit::{ReplayApiCase, check_replay_api};

/// 2000 cases, or as many as PROPTEST_CASES says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000);
    ProptestConfig { cases, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn recorder_and_players_answer_as_the_model_does(case in any::<ReplayApiCase>()) {
        check_replay_api(&case).map_err(TestCaseError::fail)?;
    }
}

fn player(event: Event) -> Replay {
    let event = StampedEvent { position: Position::default(), ordinal: EventOrdinal(0), event };
    let log = MemoryLog { events: vec![event], snapshots: Vec::new() };
    let mut replay = Replay::play(Box::new(MemorySource::new(log)), PlayConfig::default());
    replay.start().unwrap();
    replay
}

/// What a device would take for a number of bytes or samples in its buffer, no log can make larger than the buffer.
#[test]
fn a_log_cannot_answer_with_more_than_there_is_room_for() {
    let device = CharId(0);
    for event in [
        Event::CharReadAll { device, bytes: vec![0; 5] },
        Event::CharReadAllError { device, error: 5 },
        Event::CharReadAllError { device, error: 0 },
    ] {
        let mut replay = player(event.clone());
        let read = replay.char_read_all(Position::default(), device, &mut [0; 4], |_| 0);
        assert!(matches!(read, Err(ReplayError::Divergence(_))), "{event}");
    }
    for (recorded, count) in [(5, 4), (4, 5), (u32::MAX, 0)] {
        let mut replay = player(Event::AudioIn { recorded, samples: vec![0; count], write_position: 0 });
        let silence = |_: &mut [i16]| AudioRead { recorded: 0, write_position: 0 };
        let read = replay.audio_in(Position::default(), &mut [0; 4], silence);
        assert!(matches!(read, Err(ReplayError::Divergence(_))), "{recorded} of {count}");
    }
}
