//! `create`: kinds, options, and the sentences of its errors.

use super::super::{DeviceError, KINDS, create};
use super::Bench;

fn error(kind: &str, options: &str) -> String {
    match create(kind, options.parse().expect("the options are TOML")) {
        Ok(device) => panic!("`{}` was made from {options}", device.kind()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_kind_is_made_without_options_and_names_itself() {
    for kind in KINDS {
        let device = create(kind, toml::Table::new()).expect("defaults are right");
        assert_eq!(device.kind(), *kind);
        assert_eq!(device.next_timer(), None, "{kind} rests at power-on");
        assert_eq!(device.irq(), None);
    }
}

#[test]
fn options_are_taken() {
    create("mos6551", "crystal_hz = 3686400\nexternal_clock_hz = 1000000\nflow = \"none\"".parse().unwrap())
        .unwrap();
    create("mc6850", "clock_hz = 7372800\nflow = \"handshake\"".parse().unwrap()).unwrap();
}

#[test]
fn errors_name_the_kind_the_option_and_what_there_is() {
    let sentence = error("z8530", "");
    for word in KINDS.iter().chain(&["z8530"]) {
        assert!(sentence.contains(word), "{sentence}");
    }
    let sentence = error("mos6551", "baud = 9600");
    for word in ["mos6551", "baud", "crystal_hz", "external_clock_hz", "flow"] {
        assert!(sentence.contains(word), "{sentence}");
    }
    let sentence = error("mc6850", "flow = \"xon\"");
    for word in ["mc6850", "flow", "xon", "handshake", "none"] {
        assert!(sentence.contains(word), "{sentence}");
    }
    assert!(error("via6522", "clock = 1").contains("it has none"));
    assert!(error("py65_console", "putc = 1").contains("py65_console"));
}

#[test]
fn impossible_frequencies_are_errors() {
    for (kind, option) in
        [("mos6551", "crystal_hz"), ("mos6551", "external_clock_hz"), ("mc6850", "clock_hz")]
    {
        for value in ["0", "-1", "100000001", "9223372036854775807", "1.5", "\"fast\""] {
            let sentence = error(kind, &format!("{option} = {value}"));
            assert!(sentence.contains(option) && sentence.contains(kind), "{sentence}");
        }
    }
}

#[test]
fn lines_are_checked() {
    let mut bench = Bench::made("mos6551", "");
    let unknown = bench.with(0, |device, context| device.set_line("ri", 1, context)).unwrap_err();
    assert!(matches!(&unknown, DeviceError::UnknownLine { line, .. } if line == "ri"));
    assert!(unknown.to_string().contains("cts, dcd, dsr"), "{unknown}");
    let level = bench.with(0, |device, context| device.set_line("cts", 2, context)).unwrap_err();
    assert!(matches!(level, DeviceError::LineLevel { level: 2, .. }));
    let mut bench = Bench::made("py65_console", "");
    bench.with(0, |device, context| device.set_line("cts", 1, context)).unwrap_err();
}
