//! Files made to hurt, from a seed: right checksums around lengths, counts, payloads, boards and states that lie.

use super::attack_support::{Random, frame_ends, record_worker};
use super::log_support::forge::{self, Forged};
use rreplay::log::codec::ChunkEncoder;
use rreplay::log::{AsyncEvent, Checkpoint, Event, Header, LogReader, Options};
use rreplay::nondet::{CharId, CharWritten, ClockKind};
use rreplay::persist::Digest;
use rreplay::snapshot::Snapshot;
use rreplay::units::Position;

const MIB: usize = 1 << 20;
const HEADER: u8 = 1;
const EVENTS: u8 = 2;
const SNAPSHOT: u8 = 3;
const INDEX: u8 = 4;

/// An attack: its name, and how it makes a file.
type Attack = (&'static str, fn(&Base, &mut Random) -> Vec<u8>);

/// All attacks. A campaign goes through them again and again, with other numbers each time.
pub const ATTACKS: &[Attack] = &[
    ("frame fields that lie", frame_fields),
    ("frames that inflate", frame_bombs),
    ("a row of frames that inflate", many_bombs),
    ("an index that lies", index_entries),
    ("header bytes changed", header_bytes),
    ("header lists that lie", header_lists),
    ("a header full of ROMs", header_roms),
    ("a board that is deep", deep_board),
    ("a board that is long", long_board),
    ("a board with many parts", wide_board),
    ("a board with a word changed", changed_board),
    ("many chunks of one event", small_chunks),
    ("an initial state that inflates", state_bomb),
    ("an initial state with long queues", state_with_queues),
    ("an initial state changed", changed_state),
    ("snapshots that inflate", snapshot_bombs),
    ("events that carry much", heavy_events),
    ("events that the guest makes, and heavy", heavy_guest_events),
    ("digests that repeat", repeated_digests),
    ("event bytes changed", event_bytes),
    ("events of everything", any_events),
    ("places far away", far_places),
    ("output that repeats", long_output),
    ("damage before many frames", frames_behind_damage),
];

/// What all files start from: a real recording.
pub struct Base {
    pub bytes: Vec<u8>,
    pub header: Header,
    pub events: Vec<(Position, Event)>,
}

impl Base {
    pub fn new() -> Self {
        let bytes = record_worker(2, 12, Options::default());
        let reader = LogReader::from_bytes(bytes.clone()).unwrap();
        let events = reader.events().map(Result::unwrap).map(|event| (event.position, event.event)).collect();
        Self { header: reader.header().clone(), bytes, events }
    }

    /// A file with this header, and the seed of its frames.
    fn start(&self, header: &Header) -> (Vec<u8>, Vec<u8>) {
        self.start_raw(encode_unchecked(header))
    }

    fn start_raw(&self, payload: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let mut out = forge::prologue(2, 1);
        let start = self.header.start;
        let frame = Forged { icount: start.icount, cycles: start.cycles, ..deflated(HEADER, 0, &payload) };
        let frame = frame.bytes(&out.clone());
        let seed = frame[frame.len() - 4..].to_vec();
        out.extend_from_slice(&frame);
        (out, seed)
    }

    /// The events that a replay needs to begin: `init` and `reset`, which are always the first two.
    fn first_events(&self) -> Vec<(Position, Event)> {
        self.events[..2].to_vec()
    }

    /// A file of this header with these events, a chunk each so many.
    fn with_events(&self, header: &Header, events: &[(Position, Event)], a_chunk: usize) -> Vec<u8> {
        let (mut out, seed) = self.start(header);
        let mut first_ordinal = 0;
        for chunk in events.chunks(a_chunk) {
            let frame = Forged { first_ordinal, ..events_frame(chunk) };
            first_ordinal += frame.events;
            out.extend_from_slice(&frame.bytes(&seed));
        }
        out
    }
}

/// The header's bytes, whatever their bounds.
fn encode_unchecked(header: &Header) -> Vec<u8> {
    header.encode().unwrap_or_else(|_| {
        let mut out = vec![4];
        section(&mut out, "board", header.board_toml.as_bytes());
        section(&mut out, "clock_hz", &[1]);
        section(&mut out, "start", &[0, 0]);
        section(&mut out, "initial_state", &header.initial_state);
        out
    })
}

fn section(out: &mut Vec<u8>, name: &str, body: &[u8]) {
    forge::varint(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    forge::varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

fn deflated(frame_type: u8, events: u64, raw: &[u8]) -> Forged {
    let payload = forge::deflate(raw);
    if payload.len() >= raw.len() {
        return Forged { icount: 0, cycles: 0, ..Forged::new(frame_type, events, raw.to_vec()) };
    }
    let raw = Some(raw.len() as u64);
    Forged { flags: 1, raw, icount: 0, cycles: 0, ..Forged::new(frame_type, events, payload) }
}

fn events_frame(events: &[(Position, Event)]) -> Forged {
    let mut encoder = ChunkEncoder::new();
    for (position, event) in events {
        encoder.push(*position, event);
    }
    let first = encoder.first();
    let frame = deflated(EVENTS, u64::from(encoder.events()), encoder.raw());
    Forged { icount: first.icount, cycles: first.cycles, ..frame }
}

/// A number that a length or a count might be thought to have.
fn number(random: &mut Random) -> u64 {
    let power = 1u64 << random.below(64);
    let odd = random.next() >> random.below(64);
    *random.pick(&[0, 1, power, power - 1, power.wrapping_add(1), u64::MAX, odd, 16 << 20, 4 << 20, 65_536])
}

/// So many pieces that a file stays small.
fn repeat(out: &mut Vec<u8>, piece: &[u8], length: usize) {
    (0..length / piece.len().max(1)).for_each(|_| out.extend_from_slice(piece));
}

fn frame_fields(base: &Base, random: &mut Random) -> Vec<u8> {
    let (mut out, seed) = base.start(&base.header);
    for _ in 0..=random.below(3) {
        let mut frame = Forged::new(random.below(6) as u8, 1, vec![5; random.below(100) as usize]);
        frame.flags = if random.chance(3) { random.next() as u8 } else { random.below(2) as u8 };
        frame.stored = random.chance(2).then(|| number(random));
        frame.raw = random.chance(2).then(|| number(random));
        for field in [&mut frame.first_ordinal, &mut frame.events, &mut frame.icount, &mut frame.cycles] {
            if random.chance(2) {
                *field = number(random);
            }
        }
        out.extend_from_slice(&frame.bytes(&seed));
    }
    out
}

fn bomb(random: &mut Random) -> Forged {
    let frame_type = *random.pick(&[EVENTS, SNAPSHOT, INDEX, 99]);
    let most = if frame_type == EVENTS { 4 * MIB } else { 16 * MIB };
    let length = most - random.below(3) as usize * random.below(1 << 20) as usize;
    let fill = *random.pick(&[0, 5, 20, 0xFF]);
    let events = if frame_type == EVENTS { 1 + random.below(65_536) } else { 0 };
    let mut frame = deflated(frame_type, events, &vec![fill; length]);
    if random.chance(4) {
        frame.raw = Some((length as u64).wrapping_add_signed(random.below(5) as i64 - 2));
    }
    frame
}

fn frame_bombs(base: &Base, random: &mut Random) -> Vec<u8> {
    let (mut out, seed) = base.start(&base.header);
    out.extend_from_slice(&bomb(random).bytes(&seed));
    out
}

fn many_bombs(base: &Base, random: &mut Random) -> Vec<u8> {
    let (mut out, seed) = base.start(&base.header);
    // 65536 of the smallest events, which are good, again and again; or frames that are skipped.
    let frame_type = *random.pick(&[EVENTS, 99]);
    let mut first_ordinal = 0;
    for _ in 0..=random.below(12) {
        let (events, length) = if frame_type == EVENTS { (65_536, 65_536) } else { (0, 16 * MIB) };
        let frame = Forged { first_ordinal, ..deflated(frame_type, events, &vec![5; length]) };
        first_ordinal += events;
        out.extend_from_slice(&frame.bytes(&seed));
    }
    out
}

fn index_entries(base: &Base, random: &mut Random) -> Vec<u8> {
    let (mut out, seed) = base.start(&base.header);
    let start = out.len() as u64;
    let frame = events_frame(&base.events[..20]).bytes(&seed);
    out.extend_from_slice(&frame);
    let offset = out.len() as u64;
    let mut index = Vec::new();
    let count = *random.pick(&[1, 2, 1000, 524_288, 524_289, u64::MAX]);
    forge::varint(&mut index, count);
    let mut entry = Vec::new();
    for _ in 0..count.min(1 << 19) {
        entry.clear();
        // The frame that is there, again and again; or anything.
        let back = (start.wrapping_sub(offset), frame.len() as u64);
        let honest = random.chance(2);
        entry.push(if honest { EVENTS } else { random.below(5) as u8 });
        forge::varint(&mut entry, if honest { back.0 } else { number(random) });
        forge::varint(&mut entry, if honest { back.1 } else { number(random) });
        (0..4).for_each(|_| forge::varint(&mut entry, random.below(30)));
        index.extend_from_slice(&entry);
        if count > 2 {
            let rest = count.min(1 << 19) as usize * entry.len();
            repeat(&mut index, &entry.clone(), rest.min(15 * MIB));
            break;
        }
    }
    index.extend_from_slice(&[1, 20, 1, 1, 0, 0, 1]);
    out.extend_from_slice(&deflated(INDEX, 0, &index).bytes(&seed));
    let offset = if random.chance(4) { number(random) } else { offset };
    out.extend_from_slice(&forge::footer(offset, &seed));
    out
}

fn header_bytes(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut raw = base.header.encode().unwrap();
    for _ in 0..=random.below(3) {
        let place = random.below(raw.len() as u64) as usize;
        raw[place] = random.next() as u8;
    }
    let (mut out, seed) = base.start_raw(raw);
    out.extend_from_slice(&events_frame(&base.events[..20]).bytes(&seed));
    out
}

fn header_lists(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut raw = vec![5];
    for (name, body) in
        [("board", &b"x = 1"[..]), ("clock_hz", &[1]), ("start", &[0, 0]), ("initial_state", &[])]
    {
        section(&mut raw, name, body);
    }
    let mut list = Vec::new();
    let count = number(random);
    forge::varint(&mut list, count);
    let item = *random.pick(&[&[0u8][..], &[0, 0], &[1, b'x', 1, b'y'], &[0xFF, 0x07]]);
    repeat(&mut list, item, item.len() * count.min(1 << 22) as usize);
    list.truncate(15 * MIB);
    let name = *random.pick(&["chars", "devices", "subsystems", "roms", "unknown"]);
    section(&mut raw, name, &list);
    base.start_raw(raw).0
}

fn header_roms(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut header = base.header.clone();
    let image = vec![0xEA; *random.pick(&[512, 16 << 10, 60 << 10])];
    let most = (15 * MIB / (image.len() + 100)).min(1024);
    let count = 1 + random.below(most as u64) as usize;
    let target = header.roms[0].target.clone();
    let rom = rreplay::log::RomRecord::new("rom", target, &image, true);
    header.roms = vec![rom; count];
    base.with_events(&header, &base.events[..4], 4)
}

fn with_board(base: &Base, board_toml: String) -> Vec<u8> {
    base.with_events(&Header { board_toml, ..base.header.clone() }, &base.events[..4], 4)
}

fn deep_board(base: &Base, random: &mut Random) -> Vec<u8> {
    let depth = 1 << random.below(19);
    let (open, close) = *random.pick(&[("[", "]"), ("{a=", "}"), ("{a.b.c=[", "]}"), ("[[", "]]")]);
    let end = if random.chance(2) { close.repeat(depth) } else { String::new() };
    with_board(
        base,
        match random.below(3) {
            0 => format!("name = {}1{end}", open.repeat(depth)),
            1 => format!("{}name = 1", "a.".repeat(depth)),
            _ => format!("{}\n[[device]]\nx = {}1{end}", base.header.board_toml, open.repeat(depth)),
        },
    )
}

fn long_board(base: &Base, random: &mut Random) -> Vec<u8> {
    let length = *random.pick(&[100_000, MIB / 4 - 2000, MIB / 4 + 1, 8 * MIB, 15 * MIB]);
    let piece = *random.pick(&[" ", "\n", "# x\n", "a", "\"", "'''", "1", "_", "\\"]);
    let filler = piece.repeat(length / piece.len());
    let text = match random.below(3) {
        0 => format!("{}\n{filler}", base.header.board_toml),
        1 => base.header.board_toml.replace("name = \"bench\"", &format!("name = \"bench{filler}\"")),
        _ => format!("{filler}{}", base.header.board_toml),
    };
    with_board(base, text)
}

fn wide_board(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut text = base.header.board_toml.clone();
    let count = 1 << random.below(15);
    let piece = *random.pick(&[
        "[[device]]\n",
        "[[region]]\n",
        "[[device]]\nname = \"d#\"\nkind = \"via6522\"\nat = 0xB000\n",
        "[[region]]\nname = \"r#\"\nkind = \"ram\"\nstart = 0x9000\nend = 0x9000\n",
        "[[device]]\nname = \"d#\"\nkind = \"mos6551\"\nat = 0xB00#\nx# = [[[]]]\n",
        "k# = 1\n",
    ]);
    for number in 0..count {
        if text.len() + piece.len() > MIB / 4 - 16 {
            break;
        }
        text.push_str(&piece.replace('#', &number.to_string()));
    }
    with_board(base, text)
}

fn changed_board(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut words: Vec<String> = base.header.board_toml.split(' ').map(str::to_owned).collect();
    let place = random.below(words.len() as u64) as usize;
    words[place] = (*random.pick(&[
        "-1",
        "0",
        "65535",
        "65536",
        "9223372036854775807",
        "1e308",
        "nan",
        "\"\"",
        "[]",
        "{}",
        "true",
        "1979-05-27",
    ]))
    .to_owned();
    with_board(base, words.join(" "))
}

fn small_chunks(base: &Base, random: &mut Random) -> Vec<u8> {
    let count = 1 << random.below(17);
    let mut events = base.first_events();
    let at = events[1].0;
    events.extend((0..count).map(|_| (at, Event::Async(AsyncEvent::InputSync))));
    base.with_events(&base.header, &events, 1)
}

/// The initial state with its sections changed and its own checksum right.
fn with_state(base: &Base, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let state = Snapshot::from_bytes(&base.header.initial_state).unwrap();
    let mut sections = state.sections().clone();
    change(&mut sections);
    let initial_state = Snapshot::new(state.identity(), state.position(), sections).to_bytes();
    base.with_events(&Header { initial_state, ..base.header.clone() }, &base.events[..20], 20)
}

fn state_bomb(base: &Base, random: &mut Random) -> Vec<u8> {
    let (big, many) = (*random.pick(&[MIB, 15 * MIB, 17 * MIB, 40 * MIB]), random.chance(2));
    with_state(base, |sections| {
        if many {
            let size = big / 1100;
            sections.extend((0..1100).map(|number| (format!("s{number}"), vec![0; size])));
        } else {
            let place = sections.len() - 1;
            sections[place].1 = vec![0; big];
        }
    })
}

/// Device states in which a queue is as long as it can be said to be.
fn state_with_queues(base: &Base, random: &mut Random) -> Vec<u8> {
    let length = *random.pick(&[1000, MIB, 4 * MIB, 12 * MIB, 15 * MIB]);
    let place = random.next() as usize;
    with_state(base, |sections| {
        let devices: Vec<usize> =
            (0..sections.len()).filter(|section| sections[*section].0.starts_with("device/")).collect();
        let bytes = &mut sections[devices[place % devices.len()]].1;
        // Where four zeros say that a queue is empty, it has so many bytes.
        let zeros: Vec<usize> =
            (0..bytes.len().saturating_sub(4)).filter(|at| bytes[*at..at + 4] == [0; 4]).collect();
        let at = zeros.get(place % zeros.len().max(1)).copied().unwrap_or(0);
        let queue = [&(length as u32).to_le_bytes()[..], &vec![b'q'; length]].concat();
        bytes.splice(at..(at + 4).min(bytes.len()), queue);
    })
}

fn changed_state(base: &Base, random: &mut Random) -> Vec<u8> {
    let (section, place, value) = (random.next() as usize, random.next() as usize, random.next());
    with_state(base, |sections| {
        let section = section % sections.len();
        let bytes = &mut sections[section].1;
        let place = place % bytes.len();
        let value = value.to_le_bytes();
        let length = value.len().min(bytes.len() - place);
        bytes[place..place + length].copy_from_slice(&value[..length]);
    })
}

fn snapshot_bombs(base: &Base, random: &mut Random) -> Vec<u8> {
    let state = Snapshot::from_bytes(&base.header.initial_state).unwrap();
    let mut sections = state.sections().clone();
    let replay_state = vec![random.next() as u8; *random.pick(&[10, 100, MIB, 15 * MIB])];
    sections.push(("replay".to_owned(), replay_state));
    let container = if random.chance(2) {
        Snapshot::new(state.identity(), state.position(), sections).to_bytes()
    } else {
        vec![0; 16 * MIB]
    };
    let (mut out, seed) = base.start(&base.header);
    let first = base.first_events();
    let at = first[1].0;
    out.extend_from_slice(&events_frame(&first).bytes(&seed));
    for number in 0..=random.below(3) {
        let first_ordinal = 2 + number;
        let frame = Forged {
            first_ordinal,
            icount: at.icount,
            cycles: at.cycles,
            ..deflated(SNAPSHOT, 0, &container)
        };
        out.extend_from_slice(&frame.bytes(&seed));
        let event = Forged { first_ordinal, ..events_frame(&[(at, Event::Snapshot { number })]) };
        out.extend_from_slice(&event.bytes(&seed));
    }
    out
}

fn heavy_events(base: &Base, random: &mut Random) -> Vec<u8> {
    let length = *random.pick(&[1000, 64 << 10, MIB]);
    let bytes = vec![b'x'; length];
    let event = match random.below(4) {
        0 => AsyncEvent::CharRead { device: CharId(*random.pick(&[0, 1, 65_535])), bytes },
        1 => AsyncEvent::Net { device: random.below(3) as u16, flags: 0, bytes },
        2 => AsyncEvent::Block { id: random.below(3), result: 0, data: bytes },
        _ => AsyncEvent::CharRead { device: CharId(0), bytes },
    };
    let mut events = base.first_events();
    let at = events[1].0;
    events.extend((0..1 << random.below(9)).map(|_| (at, Event::Async(event.clone()))));
    let a_chunk = if length > 100_000 { 3 } else { 20 };
    base.with_events(&base.header, &events, a_chunk)
}

/// What the guest comes to by itself: a player looks far ahead over it.
fn heavy_guest_events(base: &Base, random: &mut Random) -> Vec<u8> {
    let bytes = vec![b'x'; MIB];
    let written = CharWritten { result: 1, offset: 1 };
    let event = match random.below(3) {
        0 => Event::CharWrite { device: CharId(0), bytes, written },
        1 => Event::Random { result: 0, bytes },
        _ => Event::AudioIn { recorded: 1, samples: vec![0; MIB / 2], write_position: 0 },
    };
    let mut events = base.first_events();
    let at = Position::new(events[1].0.icount + 10, events[1].0.cycles + 50);
    events.extend((0..1 << random.below(9)).map(|_| (at, event.clone())));
    base.with_events(&base.header, &events, 1 + random.below(3) as usize)
}

fn repeated_digests(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut header = base.header.clone();
    if random.chance(2) {
        header.subsystems = vec!["part".to_owned(); 256];
    }
    let mut events = base.first_events();
    let at = events[1].0;
    let digest = Event::Digest(vec![Digest([7; 16]); header.subsystems.len()]);
    events.extend((0..1 << random.below(14)).map(|_| (at, digest.clone())));
    base.with_events(&header, &events, 1 + random.below(2000) as usize)
}

fn event_bytes(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    base.events.iter().take(200).for_each(|(position, event)| {
        if !matches!(event, Event::Snapshot { .. }) {
            encoder.push(*position, event);
        }
    });
    let mut raw = encoder.raw().to_vec();
    for _ in 0..=random.below(4) {
        let place = random.below(raw.len() as u64) as usize;
        raw[place] = random.next() as u8;
    }
    let (mut out, seed) = base.start(&base.header);
    let first = base.header.start;
    let count = u64::from(encoder.events()).saturating_sub(random.below(3));
    let frame = Forged { icount: first.icount, cycles: first.cycles, ..deflated(EVENTS, count, &raw) };
    out.extend_from_slice(&frame.bytes(&seed));
    out
}

fn any_events(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut events = base.first_events();
    let mut at = events[1].0;
    for _ in 0..random.below(60) {
        let step = random.below(40);
        at = Position::new(at.icount + step, at.cycles + 3 * step + random.below(2));
        events.push((at, any_event(random)));
    }
    base.with_events(&base.header, &events, 1 + random.below(80) as usize)
}

fn any_event(random: &mut Random) -> Event {
    let bytes = vec![random.next() as u8; random.below(5) as usize];
    let device = CharId(*random.pick(&[0, 0, 0, 1, 65_535]));
    match random.below(14) {
        0 => Event::Async(AsyncEvent::CharRead { device, bytes }),
        1 => Event::Async(AsyncEvent::Bh { id: number(random) }),
        2 => Event::Async(AsyncEvent::BhOneshot { id: number(random) }),
        3 => Event::Async(AsyncEvent::Net { device: device.0, flags: 1, bytes }),
        4 => Event::Async(AsyncEvent::Block { id: number(random), result: -1, data: bytes }),
        5 => Event::Async(AsyncEvent::InputSync),
        6 => Event::Checkpoint(*random.pick(Checkpoint::ALL)),
        7 => Event::Interrupt(*random.pick(rreplay::bus::Interrupt::ALL)),
        8 => Event::Exception(*random.pick(rreplay::bus::Exception::ALL)),
        9 => Event::Shutdown(*random.pick(rreplay::nondet::ShutdownCause::ALL)),
        10 => Event::Clock { kind: *random.pick(ClockKind::ALL), value: random.next() as i64 },
        11 => Event::CharWrite { device, bytes, written: CharWritten { result: -5, offset: u32::MAX } },
        12 => Event::CharReadAllError { device, error: i32::MIN },
        _ => Event::AudioOut { frames: u32::MAX },
    }
}

fn far_places(base: &Base, random: &mut Random) -> Vec<u8> {
    let mut events = base.first_events();
    let mut at = events[1].0;
    for _ in 0..=random.below(5) {
        // A little room is left, so that the additions of the test do not overflow.
        let (icount, cycles) = (number(random) >> random.below(4), number(random) >> random.below(4));
        at = Position::new(at.icount.saturating_add(icount), at.cycles.saturating_add(cycles));
        events.push((at, any_event(random)));
    }
    events.push((at, Event::End));
    base.with_events(&base.header, &events, 100)
}

/// Much output in little: one byte a write, or a MiB.
fn long_output(base: &Base, random: &mut Random) -> Vec<u8> {
    let bytes = vec![b'x'; *random.pick(&[1, 1000, MIB])];
    let written = CharWritten { result: bytes.len() as i32, offset: bytes.len() as u32 };
    let a_chunk = (3 * MIB / bytes.len()).min(65_536);
    let event = Event::CharWrite { device: CharId(0), bytes, written };
    let mut events = base.first_events();
    let at = Position::new(events[1].0.icount + 10, events[1].0.cycles + 50);
    events.extend((0..a_chunk).map(|_| (at, event.clone())));
    let (mut out, seed) = base.start(&base.header);
    let mut first_ordinal = 0;
    let first = events_frame(&events[..2]);
    first_ordinal += first.events;
    out.extend_from_slice(&first.bytes(&seed));
    let heavy = events_frame(&events[2..]);
    for _ in 0..1 << random.below(7) {
        let frame = Forged { first_ordinal, ..heavy.clone() };
        first_ordinal += frame.events;
        out.extend_from_slice(&frame.bytes(&seed));
    }
    out
}

/// Whole frames that are not used, behind a byte that is wrong: they are only counted.
fn frames_behind_damage(base: &Base, random: &mut Random) -> Vec<u8> {
    let whole = small_chunks(base, random);
    let ends = frame_ends(&whole);
    let mut out = whole;
    if let Some(end) = ends.get(1) {
        out[*end - 1] ^= 0xFF;
    }
    let (_, seed) = base.start(&base.header);
    // Starts of frames that are none, among them.
    let start = Forged { stored: Some(1 << 22), raw: Some(1 << 22), ..Forged::new(EVENTS, 1, Vec::new()) }
        .bytes(&seed);
    repeat(&mut out, &start, random.below(200_000) as usize);
    out
}
