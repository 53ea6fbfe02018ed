//! How fast a recording opens: megabytes of events before compression a second, with and without an index.
//!
//! `cargo bench --bench opening`. `RREPLAY_BENCH_MEGABYTES` sets how much is written (40).

#![allow(clippy::disallowed_methods)] // a benchmark reads the clock

use rreplay::bus::Interrupt;
use rreplay::log::{Checkpoint, Event, Header, LogReader, LogWriter, Options};
use rreplay::nondet::{CharId, CharWritten, ClockKind};
use rreplay::units::Position;
use std::time::Instant;

type Maker = fn(u64) -> (u64, Event);

/// A byte of a transcript.
fn printed(number: u64) -> Event {
    let byte = b"the quick brown fox jumps over the lazy dog\r\n"[number as usize % 45];
    Event::CharWrite { device: CharId(0), bytes: vec![byte], written: CharWritten { result: 1, offset: 1 } }
}

/// Instructions to the next event, and the event.
const KINDS: &[(&str, Maker)] = &[
    ("output alone", |number| (50, printed(number))),
    ("output and interrupts", |number| match number % 4 {
        0 => (37 + number % 11, Event::Checkpoint(Checkpoint::ClockVirtual)),
        1 => (0, Event::Interrupt(Interrupt::Irq)),
        2 => (13, Event::Clock { kind: ClockKind::Host, value: (number * 12_345_678) as i64 }),
        _ => (number % 7, printed(number)),
    }),
];

fn write(bytes: usize, make: Maker, flush_every: u64, finish: bool) -> Vec<u8> {
    let header = Header {
        board_toml: "name = \"bench\"".into(),
        clock_hz: 1_000_000,
        chars: vec!["acia".into()],
        ..Header::default()
    };
    let mut writer = LogWriter::in_memory(&header, Options::default()).expect("a header that holds");
    let mut at = Position::default();
    let (mut number, mut written) = (0, 0);
    while written < bytes {
        let (instructions, event) = make(number);
        at = Position::new(at.icount + instructions, at.cycles + instructions * 3);
        writer.append(at, &event).expect("memory takes it");
        number += 1;
        written += 4;
        if number % flush_every == 0 {
            writer.flush().expect("memory takes it");
        }
    }
    match finish {
        true => {
            writer.append(at, &Event::End).expect("memory takes it");
            writer.finish().expect("memory takes it");
        }
        false => writer.flush().expect("memory takes it"),
    }
    writer.take_bytes().expect("it is in memory")
}

fn main() {
    let text = std::env::var("RREPLAY_BENCH_MEGABYTES").ok();
    let megabytes: usize = text.and_then(|text| text.parse().ok()).unwrap_or(40);
    println!(
        "{:24} {:>12} {:>10} {:>10} {:>12} {:>12}",
        "", "flushed", "file MB", "events MB", "no index", "index"
    );
    for (name, make) in KINDS {
        for flush_every in [u64::MAX, 500] {
            let mut columns = Vec::new();
            let (mut size, mut events) = (0, 0);
            for finish in [false, true] {
                let bytes = write(megabytes << 20, *make, flush_every, finish);
                size = bytes.len();
                let begun = Instant::now();
                let reader = LogReader::salvage_bytes(bytes).expect("it can be read");
                let seconds = begun.elapsed().as_secs_f64();
                events = reader.totals().bytes();
                columns.push(events as f64 / 1e6 / seconds);
            }
            let flushed =
                if flush_every == u64::MAX { "when full".to_owned() } else { format!("{flush_every}") };
            println!(
                "{name:24} {flushed:>12} {:10.1} {:10.1} {:9.0} MB/s {:7.0} MB/s",
                size as f64 / 1e6,
                events as f64 / 1e6,
                columns[0],
                columns[1]
            );
        }
    }
}
