//! Files made to hurt: right checksums around lengths, counts and payloads that lie. Each costs an error, and memory
//! within the bound that src/log/limits.rs promises.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::log_support::forge::{self, Forged};
use super::log_support::header;
use rreplay::log::{Header, LogReader, limits};
use rreplay::units::EventOrdinal;

const MEMORY_MAX: usize = 64 << 20;

thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// Counts the bytes that this thread holds. A thread frees what it has allocated in these tests.
struct CountingAllocator;

fn count(added: usize, removed: usize) {
    IN_USE.with(|in_use| {
        in_use.set(in_use.get().wrapping_add(added).wrapping_sub(removed));
        PEAK.with(|peak| peak.set(peak.get().max(in_use.get() as isize as usize)));
    });
}

// SAFETY: every call goes on to the system's allocator with its arguments unchanged; the counters are plain cells of
// the thread, without destructors, and touching them allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new block exist side by side while the bytes are moved.
        count(size, 0);
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// The most bytes held at once during `work`, beyond those held before.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = IN_USE.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    (result, PEAK.with(Cell::get) - before)
}

/// Opens, salvages, walks and looks ahead in a hostile file on disk. Gives the number of good events.
fn attack(name: &str, bytes: &[u8]) -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let (events, peak) = peak_of(|| {
        let _ = LogReader::open(file.path());
        let _ = LogReader::open_indexed(file.path());
        let Ok(reader) = LogReader::open_salvage(file.path()) else { return 0 };
        let good = reader.events().filter(Result::is_ok).count() as u64;
        assert_eq!(good, reader.events_count(), "{name}: salvage kept a chunk that cannot be read");
        let mut cursor = reader.events();
        cursor.peek_nth(limits::MAX_CHUNK_EVENTS as usize);
        let _ = cursor.seek(EventOrdinal(good));
        let _ = cursor.seek_icount(1 << 40);
        for number in 0..3 {
            let _ = reader.read_snapshot(number);
        }
        good
    });
    assert!(peak <= MEMORY_MAX, "{name}: {} MiB were used", peak >> 20);
    println!("{name}: {events} events, peak {} KiB", peak >> 10);
    events
}

fn base() -> (Vec<u8>, Vec<u8>) {
    forge::file(header().encode().unwrap())
}

fn with_frame(frame: &Forged) -> Vec<u8> {
    let (mut bytes, seed) = base();
    bytes.extend_from_slice(&frame.bytes(&seed));
    bytes
}

fn deflated(frame_type: u8, events: u64, raw: &[u8]) -> Forged {
    let payload = forge::deflate(raw);
    Forged { flags: 1, raw: Some(raw.len() as u64), ..Forged::new(frame_type, events, payload) }
}

#[test]
fn lengths_and_counts_that_lie() {
    let huge = [1 << 20, (1 << 22) + 1, 1 << 31, u64::from(u32::MAX), u64::MAX];
    for value in huge {
        for frame_type in [1, 2, 3, 4, 99] {
            let frame = || Forged::new(frame_type, u64::from(frame_type == 2), vec![20]);
            attack("stored length", &with_frame(&Forged { stored: Some(value), ..frame() }));
            attack("raw length", &with_frame(&Forged { raw: Some(value), ..frame() }));
            attack("both lengths", &with_frame(&Forged { stored: Some(value), raw: Some(value), ..frame() }));
            attack("deflated length", &with_frame(&Forged { flags: 1, raw: Some(value), ..frame() }));
            attack("event count", &with_frame(&Forged { events: value, ..frame() }));
            attack("ordinal", &with_frame(&Forged { first_ordinal: value, ..frame() }));
            attack("icount", &with_frame(&Forged { icount: value, ..frame() }));
        }
    }
    for flags in 0..=255 {
        attack("flags", &with_frame(&Forged { flags, ..Forged::new(2, 1, vec![20]) }));
    }
}

#[test]
fn bombs() {
    let zeros = vec![0; limits::MAX_FRAME_RAW as usize];
    for frame_type in [1, 2, 3, 4, 99] {
        attack("zeros", &with_frame(&deflated(frame_type, 1, &zeros)));
        attack("zeros", &with_frame(&deflated(frame_type, 65_536, &zeros[..limits::MAX_CHUNK_RAW as usize])));
        // More comes out than is announced, and less.
        let bomb = deflated(frame_type, u64::from(frame_type == 2), &zeros);
        attack("more than announced", &with_frame(&Forged { raw: Some(1 << 20), ..bomb.clone() }));
        let few = deflated(frame_type, u64::from(frame_type == 2), &zeros[..1 << 20]);
        attack("less than announced", &with_frame(&Forged { raw: Some((1 << 20) + 1), ..few }));
    }
    let many: Vec<u8> = (0..20).flat_map(|_| deflated(3, 0, &zeros).bytes(&base().1)).collect();
    attack("many snapshots", &[base().0, many].concat());
}

#[test]
fn events_that_decode_to_more_than_they_are() {
    // A digest of 256 hashes, then one that repeats them for two bytes and a map of zeros, again and again.
    let mut raw = vec![18];
    forge::varint(&mut raw, 256);
    raw.extend_from_slice(&[0xFF; 32]);
    raw.extend((0..256u16).flat_map(|n| [n as u8; 16]));
    let mut repeat = vec![18 | 0x80];
    repeat.extend_from_slice(&[0; 32]);
    let header = Header { subsystems: vec!["part".into(); 256], ..header() };
    let (base, seed) = forge::file(header.encode().unwrap());
    for count in [100u64, 2000, 2100, 60_000] {
        let mut payload = raw.clone();
        (0..count).for_each(|_| payload.extend_from_slice(&repeat));
        let frame = deflated(2, count + 1, &payload).bytes(&seed);
        let events = attack("repeated digests", &[base.clone(), frame].concat());
        assert_eq!(events, if count <= 2000 { count + 1 } else { 0 });
    }
    // The most events of the smallest size, and of the largest count of buffers.
    let syncs = vec![5; 65_536];
    assert_eq!(attack("small events", &with_frame(&deflated(2, 65_536, &syncs))), 65_536);
    let reads: Vec<u8> = (0..65_536).flat_map(|_| [6 | 0x80, b'x']).collect();
    assert_eq!(attack("small buffers", &with_frame(&deflated(2, 65_536, &reads))), 65_536);
    assert_eq!(attack("one event too many", &with_frame(&deflated(2, 65_537, &[5; 65_537]))), 0);
    // Lengths inside an event.
    for length in [1 << 20, (1 << 20) + 1, 1 << 30, u64::MAX] {
        let mut payload = vec![15 | 0x80];
        forge::varint(&mut payload, length);
        payload.push(0);
        assert_eq!(attack("a buffer's length", &with_frame(&Forged::new(2, 1, payload))), 0);
        let mut payload = vec![14, 0, 0];
        forge::varint(&mut payload, length);
        assert_eq!(attack("a sample count", &with_frame(&Forged::new(2, 1, payload))), 0);
    }
    // Places that overflow.
    let mut payload = vec![5, 5 | 2 << 5];
    forge::varint(&mut payload, u64::MAX);
    forge::varint(&mut payload, u64::MAX);
    assert_eq!(attack("a place that overflows", &with_frame(&Forged::new(2, 2, payload))), 0);
    let mut payload = vec![5, 5 | 1 << 5];
    forge::varint(&mut payload, u64::MAX);
    assert_eq!(attack("cycles that overflow", &with_frame(&Forged::new(2, 2, payload))), 0);
    attack("an event behind the end", &with_frame(&Forged::new(2, 2, vec![20, 5])));
}

#[test]
fn headers_that_lie() {
    let section = |name: &str, body: &[u8]| {
        let mut out = Vec::new();
        forge::varint(&mut out, name.len() as u64);
        out.extend_from_slice(name.as_bytes());
        forge::varint(&mut out, body.len() as u64);
        out.extend_from_slice(body);
        out
    };
    let file = |header: Vec<u8>| forge::file(header).0;
    for count in [1, 1024, 1025, u64::MAX] {
        let mut header = Vec::new();
        forge::varint(&mut header, count);
        attack("a count of sections", &file(header.clone()));
        header.extend_from_slice(&section("chars", &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F]));
        attack("a count of names", &file(header));
    }
    let required = || {
        [("board", &b""[..]), ("clock_hz", &[1]), ("start", &[5, 17]), ("initial_state", &[])]
            .map(|(name, body)| section(name, body))
            .concat()
    };
    let plus = |name: &str, body: &[u8]| file([vec![5], required(), section(name, body)].concat());
    assert!(LogReader::salvage_bytes(file([vec![4], required()].concat())).is_ok(), "the base is good");
    assert!(
        LogReader::salvage_bytes(plus("from the future", &[1; 99])).is_ok(),
        "unknown sections are skipped"
    );
    assert!(LogReader::salvage_bytes(plus("chars", &[1, 1, b'a'])).is_ok());
    for (name, body) in [
        ("chars", &[2, 1, b'a'][..]),
        ("chars", &[1, 1, b'a', 0]),
        ("chars", &[1, 1, 0xFF]),
        ("start", &[0, 0]),
        ("scheduler", &[0xFF]),
        ("scheduler", &[b'x'; 1025]),
        ("lineage", &[0; 17]),
        ("digest_every", &[0x80, 0]),
        ("roms", &[1, 0, 2, 0]),
    ] {
        assert!(LogReader::salvage_bytes(plus(name, body)).is_err(), "{name} {body:x?}");
        attack(name, &plus(name, body));
    }
    let mut rom = vec![1, 0, 1, 0];
    rom.extend_from_slice(&[0; 32]);
    for length in [0, 1, 1 << 30, u64::MAX] {
        let mut body = rom.clone();
        forge::varint(&mut body, length);
        body.push(1);
        assert!(LogReader::salvage_bytes(plus("roms", &body)).is_err(), "a ROM of {length} bytes");
        attack("a ROM's length", &plus("roms", &body));
    }
    // A header as large as it may be, and one that takes the most memory when parsed.
    let body = vec![0; (16 << 20) - 100];
    let raw = [vec![5], required(), section("padding", &body)].concat();
    let frame = |raw: &[u8]| {
        let mut out = forge::prologue(1, 1);
        let frame = deflated(1, 0, raw).bytes(&out.clone());
        out.extend_from_slice(&frame);
        out
    };
    attack("a large header", &frame(&raw));
    let state = [
        vec![4],
        section("board", b""),
        section("clock_hz", &[1]),
        section("start", &[5, 17]),
        section("initial_state", &body),
    ];
    attack("a large state", &frame(&state.concat()));
}

#[test]
fn more_chunks_than_there_may_be() {
    let (mut bytes, seed) = base();
    for first_ordinal in 0..limits::MAX_CHUNKS as u64 + 10 {
        bytes.extend_from_slice(&Forged { first_ordinal, ..Forged::new(2, 1, vec![5]) }.bytes(&seed));
    }
    assert_eq!(attack("chunks", &bytes), limits::MAX_CHUNKS as u64);
}

#[test]
fn an_index_that_claims_the_sky() {
    let with_index = |index: &[u8]| {
        let (mut bytes, seed) = base();
        let offset = bytes.len() as u64;
        bytes.extend_from_slice(&deflated(4, 0, index).bytes(&seed));
        [bytes, forge::footer(offset, &seed)].concat()
    };
    for count in [1, limits::MAX_CHUNKS as u64, limits::MAX_CHUNKS as u64 + 1, u64::MAX] {
        let mut index = Vec::new();
        forge::varint(&mut index, count);
        attack("index entries", &with_index(&index));
        for entry in
            [[3, 0, 1, 1, 0, 0, 0], [2, 0, 0, 1, 1, 0, 0], [2, 0, 1, 1, 1, 0, 0], [9, 9, 9, 9, 9, 9, 9]]
        {
            let body = (0..count.min(2 << 19)).flat_map(|_| entry);
            attack("index entries", &with_index(&index.iter().copied().chain(body).collect::<Vec<_>>()));
        }
    }
}

/// A footer that points anywhere, and a file full of frame starts that claim to be long.
#[test]
fn places_that_lie_cost_little_time() {
    let (bytes, seed) = base();
    for offset in [0, 12, bytes.len() as u64, 1 << 40, u64::MAX] {
        attack("a footer", &[bytes.clone(), forge::footer(offset, &seed)].concat());
    }
    let length = 1 << 22;
    let start = Forged { stored: Some(length), raw: Some(length), ..Forged::new(2, 1, vec![]) }.bytes(&seed);
    let starts: Vec<u8> = start.iter().copied().cycle().take(16 << 20).collect();
    attack("frame starts", &[bytes, starts].concat());
}
