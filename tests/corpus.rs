//! The fuzzer's corpus, on any toolchain: each committed input is run through the oracle once.

use arbitrary::{Arbitrary, Unstructured};
use rreplay::testing::{Scenario, check_record_replay};

#[test]
fn each_input_of_record_replay_holds() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/record_replay");
    let mut inputs: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 10, "the corpus has only {} inputs", inputs.len());
    for input in inputs {
        let bytes = std::fs::read(&input).unwrap();
        let scenario = Scenario::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap();
        if let Err(failure) = check_record_replay(&scenario) {
            panic!("{}: {failure}", input.display());
        }
    }
}
