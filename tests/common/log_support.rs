//! What the log tests share: strategies, sample recordings, and frames made by hand.
#![allow(dead_code)]

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::select;

use rreplay::bus::{Exception, Interrupt};
use rreplay::log::{
    AsyncEvent, Checkpoint, Event, Header, InputEvent, Lineage, LogReader, LogWriter, Options, RecordingId,
    RomRecord, RomTarget,
};
use rreplay::nondet::{CharId, CharWritten, ClockKind, ShutdownCause};
use rreplay::persist::Digest;
use rreplay::units::Position;

/// Settings of a property test. A failure prints the smallest input that fails, ready to become a test of its own.
pub fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// A header with every field in use.
pub fn header() -> Header {
    Header {
        engine_version: "0.1.0".into(),
        board_toml: "name = \"breadboard\"\nclock_hz = 1_000_000\n".into(),
        clock_hz: 1_000_000,
        roms: vec![
            RomRecord::new("monitor.bin", RomTarget::Region("rom".into()), &[0xEA; 300], true),
            RomRecord::new("program.prg", RomTarget::Address(0x0801), b"not embedded", false),
        ],
        devices: vec![("acia".into(), "mos6551".into()), ("via".into(), "via6522".into())],
        chars: vec!["acia".into()],
        subsystems: vec!["cpu".into(), "memory".into(), "acia".into()],
        start: Position::new(5, 17),
        initial_state: (0..=255).collect(),
        digest_every: 1_000_000,
        snapshot_every: Some(50_000_000),
        scheduler: "threads".into(),
        lineage: Some(Lineage { parent: RecordingId([7; 16]), position: Position::new(3, 9) }),
    }
}

/// One event of every kind and form, at places that use every form of delta.
pub fn sample_events() -> Vec<(Position, Event)> {
    let digest = |text: &str| Digest::of(text.as_bytes());
    sample_with(vec![digest("cpu 2"), digest("memory 2"), digest("acia 2")])
}

/// The sample of format version 1, in which a digest could have any number of hashes.
pub fn sample_events_of_version_1() -> Vec<(Position, Event)> {
    sample_with(vec![Digest::of(b"alone")])
}

fn sample_with(last_digest: Vec<Digest>) -> Vec<(Position, Event)> {
    let digest = |text: &str| Digest::of(text.as_bytes());
    let char_write = |device, bytes: &[u8], result, offset| Event::CharWrite {
        device: CharId(device),
        bytes: bytes.to_vec(),
        written: CharWritten { result, offset },
    };
    let clock = |kind, value| Event::Clock { kind, value };
    let events = vec![
        Event::Digest(vec![digest("cpu"), digest("memory"), digest("acia")]),
        Event::Checkpoint(Checkpoint::Init),
        clock(ClockKind::Host, 1_700_000_000_123_456_789),
        clock(ClockKind::VirtualRt, 5_000_000),
        Event::Checkpoint(Checkpoint::ClockWarpStart),
        Event::Interrupt(Interrupt::Irq),
        Event::Interrupt(Interrupt::Wake),
        Event::Exception(Exception::Brk),
        Event::Exception(Exception::Stop),
        Event::Async(AsyncEvent::CharRead { device: CharId(0), bytes: b"h".to_vec() }),
        char_write(0, b"h", 1, 1),
        char_write(0, b"ello", 4, 4),
        char_write(2, b"part", 2, 2),
        char_write(2, b"x", -11, 0),
        Event::Async(AsyncEvent::CharRead { device: CharId(2), bytes: b"more bytes\r\n".to_vec() }),
        clock(ClockKind::Host, 1_700_000_000_123_999_999),
        clock(ClockKind::Host, -4),
        Event::Async(AsyncEvent::Bh { id: 40 }),
        Event::Async(AsyncEvent::BhOneshot { id: u64::MAX }),
        Event::Async(AsyncEvent::Input(InputEvent::Key { keycode: 300, down: true })),
        Event::Async(AsyncEvent::Input(InputEvent::Key { keycode: 300, down: false })),
        Event::Async(AsyncEvent::Input(InputEvent::Button { button: 1, down: true })),
        Event::Async(AsyncEvent::Input(InputEvent::Rel { axis: 0, value: -3 })),
        Event::Async(AsyncEvent::Input(InputEvent::Abs { axis: 1, value: i32::MIN })),
        Event::Async(AsyncEvent::InputSync),
        Event::Async(AsyncEvent::Block { id: 1, result: 3, data: vec![1, 2, 3] }),
        Event::Async(AsyncEvent::Block { id: 0, result: -5, data: vec![] }),
        Event::Async(AsyncEvent::Net { device: 1, flags: 0x8000_0001, bytes: vec![0xFF; 14] }),
        Event::CharReadAll { device: CharId(1), bytes: b"line".to_vec() },
        Event::CharReadAllError { device: CharId(1), error: -5 },
        Event::AudioOut { frames: 512 },
        Event::AudioIn { recorded: 2, samples: vec![-1, 32767], write_position: 4 },
        Event::Random { result: 0, bytes: vec![9, 8, 7] },
        Event::Random { result: -11, bytes: vec![0; 3] },
        Event::Digest(vec![digest("cpu 2"), digest("memory"), digest("acia")]),
        Event::Digest(last_digest),
        Event::Snapshot { number: 0 },
        Event::Shutdown(ShutdownCause::HostQuit),
        Event::Shutdown(ShutdownCause::None),
        Event::End,
    ];
    let mut position = Position::new(5, 17);
    let mut placed = Vec::new();
    for (place, event) in events.into_iter().enumerate() {
        match place % 4 {
            0 => {}
            1 => position.cycles += 40_000 * place as u64,
            2 => position = Position::new(position.icount + 12, position.cycles + 37),
            _ => {
                position = Position::new(position.icount + 100_000, position.cycles + 313_131 - place as u64)
            }
        }
        placed.push((position, event));
    }
    placed
}

/// Writes a whole recording to memory. A snapshot event is given its frame.
pub fn record(header: &Header, events: &[(Position, Event)], options: Options) -> Vec<u8> {
    let mut writer = LogWriter::in_memory(header, options).unwrap();
    append_all(&mut writer, events);
    writer.finish().unwrap();
    writer.take_bytes().unwrap()
}

/// Appends events, with a frame for each snapshot.
pub fn append_all(writer: &mut LogWriter, events: &[(Position, Event)]) {
    for (position, event) in events {
        if let Event::Snapshot { number } = event {
            assert_eq!(writer.append_snapshot(*position, b"a snapshot's container").unwrap().0, *number);
        } else {
            writer.append(*position, event).unwrap();
        }
    }
}

/// All events of a reader, which must all be readable.
pub fn events_of(reader: &LogReader) -> Vec<(Position, Event)> {
    let events = reader.events().map(Result::unwrap).enumerate();
    events
        .map(|(place, event)| {
            assert_eq!(event.ordinal.0, place as u64);
            (event.position, event.event)
        })
        .collect()
}

/// Options with chunks of a few events, so that small recordings have many.
pub fn small_chunks() -> Options {
    Options { chunk_bytes: 40, level: 6 }
}

/// Any event except `end` and `snapshot`. A digest has so many hashes.
pub fn any_event(hashes: impl Into<SizeRange>) -> impl Strategy<Value = Event> {
    let bytes = || vec(any::<u8>(), 0..40);
    let device = || prop_oneof![4 => Just(CharId(0)), 1 => any::<u16>().prop_map(CharId)];
    let digest =
        prop_oneof![3 => (0u8..3).prop_map(|n| Digest([n; 16])), 1 => any::<[u8; 16]>().prop_map(Digest)];
    prop_oneof![
        select(Interrupt::ALL).prop_map(Event::Interrupt),
        select(Exception::ALL).prop_map(Event::Exception),
        select(ShutdownCause::ALL).prop_map(Event::Shutdown),
        select(Checkpoint::ALL).prop_map(Event::Checkpoint),
        any_async().prop_map(Event::Async),
        (device(), bytes(), any::<i32>(), any::<u32>()).prop_map(|(device, bytes, result, offset)| {
            Event::CharWrite { device, bytes, written: CharWritten { result, offset } }
        }),
        (device(), vec(any::<u8>(), 1..3)).prop_map(|(device, bytes)| {
            let written = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
            Event::CharWrite { device, bytes, written }
        }),
        (device(), bytes()).prop_map(|(device, bytes)| Event::CharReadAll { device, bytes }),
        (device(), any::<i32>()).prop_map(|(device, error)| Event::CharReadAllError { device, error }),
        any::<u32>().prop_map(|frames| Event::AudioOut { frames }),
        (any::<u32>(), vec(any::<i16>(), 0..20), any::<u32>()).prop_map(
            |(recorded, samples, write_position)| { Event::AudioIn { recorded, samples, write_position } }
        ),
        (prop_oneof![Just(0), any::<i32>()], bytes())
            .prop_map(|(result, bytes)| Event::Random { result, bytes }),
        (select(ClockKind::ALL), any::<i64>()).prop_map(|(kind, value)| Event::Clock { kind, value }),
        vec(digest, hashes).prop_map(Event::Digest),
    ]
}

fn any_async() -> impl Strategy<Value = AsyncEvent> {
    let bytes = || vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<u64>().prop_map(|id| AsyncEvent::Bh { id }),
        (0u64..1000).prop_map(|id| AsyncEvent::BhOneshot { id }),
        (any::<u16>(), any::<bool>())
            .prop_map(|(keycode, down)| AsyncEvent::Input(InputEvent::Key { keycode, down })),
        (any::<u8>(), any::<bool>())
            .prop_map(|(button, down)| AsyncEvent::Input(InputEvent::Button { button, down })),
        (any::<u8>(), any::<i32>())
            .prop_map(|(axis, value)| AsyncEvent::Input(InputEvent::Rel { axis, value })),
        (any::<u8>(), any::<i32>())
            .prop_map(|(axis, value)| AsyncEvent::Input(InputEvent::Abs { axis, value })),
        Just(AsyncEvent::InputSync),
        (prop_oneof![Just(0), Just(1), any::<u16>()], vec(any::<u8>(), 0..3))
            .prop_map(|(device, bytes)| AsyncEvent::CharRead { device: CharId(device), bytes }),
        (any::<u64>(), any::<i32>(), bytes()).prop_map(|(id, result, data)| AsyncEvent::Block {
            id,
            result,
            data
        }),
        (0u64..4, bytes()).prop_map(|(id, data)| AsyncEvent::Block { id, result: data.len() as i32, data }),
        (any::<u16>(), any::<u32>(), bytes()).prop_map(|(device, flags, bytes)| AsyncEvent::Net {
            device,
            flags,
            bytes
        }),
    ]
}

/// A run's worth of events from the header's start on, with `end` as the last.
pub fn any_run() -> impl Strategy<Value = Vec<(Position, Event)>> {
    any_run_with(header().subsystems.len())
}

/// As [`any_run`], with digests of so many hashes.
pub fn any_run_with(hashes: impl Into<SizeRange>) -> impl Strategy<Value = Vec<(Position, Event)>> {
    let delta = prop_oneof![
        3 => Just((0, 0)),
        2 => (Just(0), 1u64..100_000),
        4 => (1u64..10_000, 2u64..70_000),
        1 => (any::<u32>(), any::<u32>()).prop_map(|(icount, cycles)| (u64::from(icount), u64::from(cycles))),
        1 => (0u64..1 << 50, 0u64..1 << 50),
    ];
    vec((delta, any_event(hashes)), 0..120).prop_map(|steps| {
        let mut position = header().start;
        let mut events = Vec::new();
        for ((icount, cycles), event) in steps {
            position = Position::new(position.icount + icount, position.cycles + cycles);
            events.push((position, event));
        }
        events.push((position, Event::End));
        events
    })
}

/// Frames made by hand, from docs/log-format.md and not from the writer.
pub mod forge {
    /// A frame's fields; `stored` and `raw` default to the payload's length.
    #[derive(Clone)]
    pub struct Forged {
        pub frame_type: u8,
        pub flags: u8,
        pub stored: Option<u64>,
        pub raw: Option<u64>,
        pub first_ordinal: u64,
        pub events: u64,
        pub icount: u64,
        pub cycles: u64,
        pub payload: Vec<u8>,
    }

    impl Forged {
        pub fn new(frame_type: u8, events: u64, payload: Vec<u8>) -> Self {
            Self {
                frame_type,
                flags: 0,
                stored: None,
                raw: None,
                first_ordinal: 0,
                events,
                icount: 5,
                cycles: 17,
                payload,
            }
        }

        /// The frame's bytes, with a right checksum whatever the fields say.
        pub fn bytes(&self, seed: &[u8]) -> Vec<u8> {
            let mut out = vec![0x9C, b'r', b'f', 0xC5, self.frame_type, self.flags];
            let length = self.payload.len() as u64;
            for value in [
                self.stored.unwrap_or(length),
                self.raw.unwrap_or(length),
                self.first_ordinal,
                self.events,
                self.icount,
                self.cycles,
            ] {
                varint(&mut out, value);
            }
            out.extend_from_slice(&self.payload);
            let crc = crc(seed, &out);
            out.extend_from_slice(&crc);
            out
        }
    }

    pub fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value > 0x7F {
            out.push((value & 0x7F) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
    }

    pub fn crc(seed: &[u8], bytes: &[u8]) -> [u8; 4] {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(seed);
        hasher.update(bytes);
        hasher.finalize().to_le_bytes()
    }

    /// The first 12 bytes of a file.
    pub fn prologue(version: u16, min_reader: u16) -> Vec<u8> {
        let mut out = vec![0x8E, b'R', b'R', b'P', 0x0D, 0x0A, 0x1A, 0x0A];
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&min_reader.to_le_bytes());
        out
    }

    /// The last bytes of a file whose index frame starts at `offset`.
    pub fn footer(offset: u64, seed: &[u8]) -> Vec<u8> {
        let mut out = vec![0x8E, b'r', b'r', b'e', b'n', b'd', 0x1A, 0x0A];
        out.extend_from_slice(&offset.to_le_bytes());
        let crc = crc(seed, &out);
        out.extend_from_slice(&crc);
        out
    }

    /// A file that starts with a header of these bytes, and the seed of its other frames.
    pub fn file(header: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let mut out = prologue(1, 1);
        let frame = Forged::new(1, 0, header).bytes(&out.clone());
        let seed = frame[frame.len() - 4..].to_vec();
        out.extend_from_slice(&frame);
        (out, seed)
    }

    /// Raw DEFLATE.
    pub fn deflate(raw: &[u8]) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(raw).unwrap();
        encoder.finish().unwrap()
    }
}
