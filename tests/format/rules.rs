//! Rules of docs/log-format.md that tie parts of a file together, each broken in a file whose checksums are all right.
//! Both readers refuse the file; salvage gives what stands before the broken part.

use std::path::Path;
use std::process::Command;

use super::log_support::forge::{self, Forged};
use super::log_support::header;
use rreplay::log::{LogError, LogReader};
use rreplay::units::Position;

/// Events as bytes: `input_sync`, `end`, and what the rules are about.
const SYNC: u8 = 5;
const END: u8 = 20;
const SNAPSHOT: u8 = 19;

fn digest(hashes: u8) -> Vec<u8> {
    let map = (1u64 << hashes) - 1;
    let mut out = vec![18, hashes];
    out.extend_from_slice(&map.to_le_bytes()[..usize::from(hashes).div_ceil(8)]);
    (0..hashes).for_each(|hash| out.extend_from_slice(&[hash; 16]));
    out
}

fn events(events: u64, payload: &[u8]) -> Forged {
    Forged::new(2, events, payload.to_vec())
}

fn snapshot() -> Forged {
    Forged::new(3, 0, b"state".to_vec())
}

/// A finished file, with places where it can be told to lie.
struct Draft {
    version: u16,
    header_frame: Forged,
    frames: Vec<Forged>,
    /// Kind, events and bytes, as the index has them.
    kinds: Vec<[u64; 3]>,
    /// Subtracted from the index frame's first ordinal and icount.
    index_off: (u64, u64),
}

impl Draft {
    /// Frames in their order, and the index's sums. Ordinals are filled in.
    fn new(frames: &[Forged], kinds: &[[u64; 3]]) -> Self {
        let mut frames = frames.to_vec();
        let mut ordinal = 0;
        for frame in &mut frames {
            frame.first_ordinal = ordinal;
            ordinal += frame.events;
        }
        let header_frame = Forged::new(1, 0, header().encode().unwrap());
        Self { version: 2, header_frame, frames, kinds: kinds.to_vec(), index_off: (0, 0) }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = forge::prologue(self.version, 1);
        let header_frame = self.header_frame.bytes(&out.clone());
        let seed = header_frame[header_frame.len() - 4..].to_vec();
        out.extend_from_slice(&header_frame);
        let mut index = vec![self.frames.len() as u8];
        let mut before = (0, 0);
        for frame in &self.frames {
            let bytes = frame.bytes(&seed);
            index.push(frame.frame_type);
            let here = (frame.icount, frame.cycles);
            let lengths = [0, bytes.len() as u64, frame.payload.len() as u64, frame.events];
            for value in lengths.into_iter().chain([here.0 - before.0, here.1 - before.1]) {
                forge::varint(&mut index, value);
            }
            before = here;
            out.extend_from_slice(&bytes);
        }
        index.push(self.kinds.len() as u8);
        self.kinds.iter().flatten().for_each(|value| forge::varint(&mut index, *value));
        index.extend_from_slice(&[5, 17, 1]);
        let offset = out.len() as u64;
        let count: u64 = self.frames.iter().map(|frame| frame.events).sum();
        let first_ordinal = count - self.index_off.0;
        let frame = Forged { first_ordinal, icount: 5 - self.index_off.1, ..Forged::new(4, 0, index) };
        out.extend_from_slice(&frame.bytes(&seed));
        out.extend_from_slice(&forge::footer(offset, &seed));
        out
    }
}

fn second_reader(path: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log_second_reader.py");
    let output = Command::new("python3").arg(script).arg(path).output().expect("python3 is on the path");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(error) }
}

fn check_good(what: &str, draft: &Draft) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("good.rreplay");
    std::fs::write(&path, draft.bytes()).unwrap();
    for reader in [LogReader::open(&path), LogReader::open_indexed(&path)] {
        let reader = reader.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(reader.complete() && reader.events().all(|event| event.is_ok()), "{what}");
    }
    assert_eq!(second_reader(&path), Ok(()), "{what}");
}

/// The file is refused, in whatever way it is opened, and salvage gives its first `left` events.
fn check_refused(what: &str, draft: &Draft, reason: &str, left: u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bad.rreplay");
    std::fs::write(&path, draft.bytes()).unwrap();
    let damage = match LogReader::open(&path) {
        Err(LogError::Damaged { damage, .. }) => damage,
        other => panic!("{what}: {other:?}"),
    };
    assert!(damage.to_string().contains(reason), "{what}: {damage}");
    assert_eq!((damage.events, damage.last), (left, Position::new(5, 17)), "{what}");
    let salvaged = LogReader::open_salvage(&path).unwrap();
    assert!(!salvaged.complete() && salvaged.damage() == Some(&*damage), "{what}");
    assert_eq!(salvaged.events().filter(Result::is_ok).count() as u64, left, "{what}");
    // By the index alone the file may open; but then the part that breaks the rule cannot be read.
    if let Ok(reader) = LogReader::open_indexed(&path) {
        let events: Vec<_> = reader.events().collect();
        assert!(matches!(events.last(), Some(Err(LogError::Chunk { .. }))), "{what}");
    }
    let told = second_reader(&path).expect_err(what);
    assert!(told.contains("FormatError"), "{what}: {told}");
}

#[test]
fn a_digest_has_one_hash_for_each_subsystem() {
    let draft = |hashes: u8| {
        let payload = digest(hashes);
        let size = payload.len() as u64;
        let frames = [events(1, &[SYNC]), events(1, &payload), events(1, &[END])];
        Draft::new(&frames, &[[5, 1, 1], [18, 1, size], [20, 1, 1]])
    };
    check_good("three hashes", &draft(3));
    for hashes in [1, 2, 4, 9] {
        check_refused(&format!("{hashes} hashes"), &draft(hashes), "one hash for each subsystem", 1);
        // In version 1 it could be any number.
        check_good("version 1", &Draft { version: 1, ..draft(hashes) });
    }
}

#[test]
fn a_snapshot_event_has_its_frame_just_before_it() {
    let kinds = [[5, 1, 1], [19, 1, 2], [20, 1, 1]];
    let first = || events(1, &[SYNC]);
    let refers = |number: u8| events(2, &[SNAPSHOT, number, END]);
    check_good("a snapshot", &Draft::new(&[first(), snapshot(), refers(0)], &kinds));
    let two = [snapshot(), events(1, &[SNAPSHOT, 0]), snapshot(), events(2, &[SNAPSHOT, 1, END])];
    check_good("two snapshots", &Draft::new(&two, &[[19, 2, 4], [20, 1, 1]]));

    let late = Forged { cycles: 18, ..events(1, &[END]) };
    let between = Forged { cycles: 18, ..refers(0) };
    let reason = "do not fit together";
    for (what, frames, left) in [
        ("no frame", vec![first(), refers(0)], 1),
        ("another number", vec![first(), snapshot(), refers(1)], 1),
        ("the frame after its event", vec![first(), events(1, &[SNAPSHOT, 0]), snapshot(), late], 1),
        ("the frame before its place", vec![first(), snapshot(), between], 1),
        ("not the first event", vec![snapshot(), events(3, &[SYNC, SNAPSHOT, 0, END])], 0),
        ("an event between", vec![snapshot(), first(), refers(0)], 0),
        ("a frame that no event refers to", vec![first(), snapshot(), events(1, &[END])], 1),
    ] {
        check_refused(what, &Draft::new(&frames, &kinds), reason, left);
    }
    let frames = [first(), snapshot(), snapshot(), refers(1)];
    check_refused("two frames in a row", &Draft::new(&frames, &kinds), "has no snapshot event", 1);
    let frames = [events(1, &[END]), snapshot()];
    check_refused("a frame after the end", &Draft::new(&frames, &[[20, 1, 1]]), "after the end", 1);
}

#[test]
fn a_file_that_ends_between_a_snapshot_and_its_event_is_unfinished() {
    let bytes = Draft::new(&[events(1, &[SYNC]), snapshot()], &[[5, 1, 1]]).bytes();
    let reader = LogReader::salvage_bytes(bytes.clone()).unwrap();
    let end = reader.chunks().last().unwrap().end() as usize;
    let reader = LogReader::salvage_bytes(bytes[..end].to_vec()).unwrap();
    let damage = reader.damage().unwrap();
    assert!(damage.to_string().contains("was not finished"), "{damage}");
    assert_eq!((damage.bytes_lost, damage.events), (0, 1));
    assert_eq!(reader.read_snapshot(0).unwrap(), b"state");
}

#[test]
fn header_and_index_stand_where_the_run_starts_and_ends() {
    let good = || Draft::new(&[events(2, &[SYNC, END])], &[[5, 1, 1], [20, 1, 1]]);
    check_good("the base", &good());
    for (first_ordinal, icount, cycles) in [(1, 5, 17), (0, 4, 17), (0, 5, 18)] {
        let header_frame = Forged { first_ordinal, icount, cycles, ..good().header_frame };
        let bytes = Draft { header_frame, ..good() }.bytes();
        let error = LogReader::salvage_bytes(bytes.clone()).unwrap_err();
        assert!(matches!(error, LogError::HeaderDamaged { .. }), "{error}");
        assert!(error.to_string().contains("the header frame's place"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        assert!(second_reader(file.path()).unwrap_err().contains("FormatError"));
    }
    for index_off in [(1, 0), (0, 1)] {
        check_refused("the index", &Draft { index_off, ..good() }, "the index frame's place", 2);
    }
}

#[test]
fn the_kinds_of_an_index_ascend_and_occur() {
    let draft = |kinds: &[[u64; 3]]| Draft::new(&[events(2, &[SYNC, END])], kinds);
    for kinds in [
        &[[20, 1, 1], [5, 1, 1]][..],
        &[[5, 1, 1], [5, 1, 1], [20, 1, 1]],
        &[[5, 1, 1], [7, 0, 0], [20, 1, 1]],
        &[[5, 1, 1], [21, 1, 1]],
        &[[5, 1, 1], [127, 1, 1]],
    ] {
        check_refused(&format!("{kinds:?}"), &draft(kinds), "the index's kind", 2);
    }
}

#[test]
fn a_chunk_starts_at_or_behind_the_last_event_before_it() {
    const WAITED: u8 = 1 << 5;
    const RAN: u8 = 2 << 5;
    // Behind the second event time has moved on to cycle 20, or to icount 7.
    let waited = events(2, &[SYNC, SYNC | WAITED, 3]);
    let ran = events(2, &[SYNC, SYNC | RAN, 2, 0]);
    for (what, first, icount, cycles, bytes) in [("cycles", waited, 5, 18, 3), ("icount", ran, 6, 99, 4)] {
        let behind = Forged { icount, cycles, ..events(1, &[END]) };
        let draft = Draft::new(&[first, behind], &[[5, 2, bytes], [20, 1, 1]]);
        let error = match LogReader::from_bytes(draft.bytes()) {
            Err(LogError::Damaged { damage, .. }) => damage,
            other => panic!("{what}: {other:?}"),
        };
        assert!(error.to_string().contains("starts before the last event"), "{what}: {error}");
        assert_eq!(error.events, 2, "{what}");
    }
}

#[test]
fn a_file_has_one_header() {
    let first = events(1, &[SYNC]);
    let second = Forged::new(1, 0, header().encode().unwrap());
    let draft = Draft::new(&[first, second, events(1, &[END])], &[[5, 1, 1], [20, 1, 1]]);
    check_refused("a second header", &draft, "a second header", 1);
}

/// What a shorter form can say must be said by it, and no number goes beyond its range.
#[test]
fn encoding_is_canonical() {
    let draft = |count: u64, payload: &[u8]| {
        let size = payload.len() as u64;
        let frames = [events(1, &[SYNC]), events(count, payload), events(1, &[END])];
        let kind = u64::from(payload[0] & 0x1F);
        let mut kinds = vec![[5, 1, 1], [kind, count, size], [20, 1, 1]];
        kinds.sort_unstable();
        Draft::new(&frames, &kinds)
    };
    let key = |keycode: u64| {
        let mut out = vec![4];
        forge::varint(&mut out, 3 + keycode);
        out
    };
    let digests = |map: u8, hashes: &[u8]| {
        let mut out = digest(3);
        out.extend_from_slice(&[18 | 0x80, map]);
        hashes.iter().for_each(|hash| out.extend_from_slice(&[*hash; 16]));
        out
    };
    // device, bytes, result (zigzag), offset
    check_good("a byte to another device", &draft(1, &[10, 1, 1, b'a', 2, 1]));
    check_good("a byte that was not taken", &draft(1, &[10, 0, 1, b'a', 0, 0]));
    check_good("two bytes", &draft(1, &[10, 0, 2, b'a', b'b', 4, 2]));
    check_refused("a byte to the usual device", &draft(1, &[10, 0, 1, b'a', 2, 1]), "char_write", 1);
    // id, result (zigzag), bytes
    check_good("a block of which less was read", &draft(1, &[7, 0, 0, 1, b'x']));
    check_refused("a block as usual", &draft(1, &[7, 0, 2, 1, b'x']), "block", 1);
    check_good("the first hash is another one", &draft(2, &digests(0b001, &[9])));
    check_refused("the others are sent again", &draft(2, &digests(0b111, &[9, 1, 2])), "digest", 1);
    check_refused("the last is sent again", &draft(2, &digests(0b101, &[9, 2])), "digest", 1);
    check_good("the last key", &draft(1, &key(0xFFFF)));
    check_refused("a key beyond it", &draft(1, &key(0x1_0000)), "keycode", 1);
}
