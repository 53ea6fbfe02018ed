//! The address space against a plain model of it.

use crate::sync::Shared as Arc;

const NOTHING: Watched = Watched { reads: false, writes: false, executes: false };

use proptest::prelude::*;

use super::*;

/// RAM 0000-3FFF, ROM 8000-FFFF, a device on page 60 over nothing and one on page 10 over RAM.
fn board() -> Memory {
    let mut memory = Memory::new();
    memory.map(0x00, 0x3F, PageKind::Ram);
    memory.map(0x80, 0xFF, PageKind::Rom);
    memory.set_io(0x60, true);
    memory.set_io(0x10, true);
    memory
}

fn write(memory: &mut Memory, address: u16, value: u8) {
    if !memory.write_fast(address, value) {
        memory.write_backing(address, value);
    }
}

#[test]
fn kinds_decide_what_is_fast() {
    let mut memory = board();
    let data = |memory: &Memory, page| memory.flags(page) & (READ_SLOW | WRITE_SLOW);
    assert_eq!(data(&memory, 0x00), 0);
    assert_eq!(data(&memory, 0x10), READ_SLOW | WRITE_SLOW, "a device lies over this RAM");
    assert_eq!(data(&memory, 0x50), READ_SLOW | WRITE_SLOW, "unmapped");
    assert_eq!(data(&memory, 0x80), WRITE_SLOW, "ROM");
    memory.set_watch(0x02, Watched { reads: true, ..NOTHING });
    assert_eq!(data(&memory, 0x02), READ_SLOW);
    memory.set_watch(0x02, Watched { writes: true, ..NOTHING });
    assert_eq!(data(&memory, 0x02), WRITE_SLOW);
    memory.set_watch(0x02, NOTHING);
    assert_eq!(data(&memory, 0x02), 0);
    memory.set_io(0x10, false);
    assert_eq!(data(&memory, 0x10), 0);
}

#[test]
fn code_is_plain_where_no_byte_of_an_instruction_is_slow_to_read() {
    let mut memory = board();
    assert!(memory.is_plain_code(0x0200) && memory.is_plain_code(0x8000));
    assert!(!memory.is_plain_code(0x10FF), "a device");
    assert!(
        !memory.is_plain_code(0x0F00),
        "an instruction at the end of this page reaches into the device's"
    );
    assert!(memory.is_plain_code(0x1100));
    memory.set_io(0x10, false);
    assert!(memory.is_plain_code(0x0F00) && memory.is_plain_code(0x1000));
    memory.set_watch(0x00, Watched { reads: true, ..NOTHING });
    assert!(!memory.is_plain_code(0xFFFF), "the address space is a ring");
    memory.set_watch(0x00, NOTHING);
    assert!(memory.is_plain_code(0xFFFF));
}

/// Notes that an instruction begins and a byte is written at an address, and says what is ready there then.
fn note(memory: &mut Memory, address: u16) -> (bool, bool) {
    memory.note_executed(address);
    memory.note_written(address);
    ready(memory, address)
}

fn ready(memory: &mut Memory, address: u16) -> (bool, bool) {
    let value = memory.bytes()[usize::from(address)];
    (memory.is_ready_code(address), memory.write_ready(address, value))
}

#[test]
fn a_noted_address_is_ready_until_its_page_needs_a_look() {
    let mut memory = board();
    assert_eq!(ready(&mut memory, 0x0210), (false, false), "nothing is noted");
    assert_eq!(note(&mut memory, 0x0210), (true, true));
    assert_eq!(ready(&mut memory, 0x0211), (false, false), "the next address is another one");
    assert_eq!(note(&mut memory, 0x8010), (true, false), "ROM is not written");
    assert_eq!(note(&mut memory, 0x1010), (false, false), "a device");
    assert_eq!(note(&mut memory, 0x0FF0), (false, true), "an instruction may reach into the device's page");

    // Each way to a slow bit takes back what it makes slow, and taking it away gives nothing back.
    let watch = |memory: &mut Memory, page, watched| {
        memory.set_watch(page, watched);
        memory.set_watch(page, NOTHING);
    };
    watch(&mut memory, 0x02, Watched { executes: true, ..NOTHING });
    assert_eq!(ready(&mut memory, 0x0210), (false, true));
    note(&mut memory, 0x0210);
    watch(&mut memory, 0x03, Watched { reads: true, ..NOTHING });
    assert_eq!(ready(&mut memory, 0x0210), (false, true), "the next page is read slowly");
    note(&mut memory, 0x0210);
    watch(&mut memory, 0x02, Watched { writes: true, ..NOTHING });
    assert_eq!(ready(&mut memory, 0x0210), (true, false));
    note(&mut memory, 0x0210);
    memory.set_io(0x02, true);
    memory.set_io(0x02, false);
    assert_eq!(ready(&mut memory, 0x0210), (false, false));
    note(&mut memory, 0x0210);
    let pages = memory.collect_pages();
    assert_eq!(ready(&mut memory, 0x0210), (true, false), "the first write after a freeze marks the page");
    assert_eq!(note(&mut memory, 0x0210), (true, false));
    write(&mut memory, 0x0210, 0x55);
    assert_eq!(note(&mut memory, 0x0210), (true, true));
    memory.restore_pages(&pages).unwrap();
    assert_eq!(ready(&mut memory, 0x0210), (true, false), "the page is as it was frozen");
    memory.map(0x02, 0x02, PageKind::Unmapped);
    assert_eq!(ready(&mut memory, 0x0210), (false, false));

    // Whoever takes the notes has them noted again.
    note(&mut memory, 0x0310);
    let touched = memory.take_touched();
    assert!(touched.executed.meets(0x0310, 0x0310) && touched.written.meets(0x0310, 0x0310));
    assert_eq!(ready(&mut memory, 0x0310), (false, false));
    assert!(!memory.take_touched().executed.meets(0, 0xFFFF));
}

#[test]
fn each_kind_answers_a_write_in_its_way() {
    let mut memory = board();
    memory.load(0x8000, &[0xA9]).unwrap();
    assert!(!memory.write_fast(0x8000, 0x12));
    assert_eq!(memory.write_backing(0x8000, 0x12), Written::Ignored);
    assert_eq!(memory.read_fast(0x8000), Some(0xA9));
    assert_eq!(memory.write_backing(0x5000, 0x12), Written::Unmapped);
    assert_eq!(memory.read_backing(0x5000), None);
    assert_eq!(open_bus(0x5012), 0x50);
    assert_eq!(memory.write_backing(0x1000, 0x12), Written::Stored);
    assert_eq!(memory.read_fast(0x1000), None, "a device may answer here");
    assert_eq!(memory.read_backing(0x1000), Some(0x12));
}

#[test]
fn only_the_first_write_after_a_freeze_is_slow() {
    let mut memory = board();
    assert!(memory.write_fast(0x0200, 1), "nothing was frozen yet");
    memory.collect_pages();
    assert!(!memory.write_fast(0x0200, 2));
    assert_eq!(memory.read_fast(0x0200), Some(1));
    assert_eq!(memory.write_backing(0x0200, 2), Written::Stored);
    assert!(memory.is_dirty(0x02));
    assert!(memory.write_fast(0x0201, 3));
    assert!(!memory.write_fast(0x0300, 4), "the neighbour is still clean");
}

#[test]
fn a_watched_page_stays_slow_after_it_is_dirty() {
    let mut memory = board();
    memory.set_watch(0x02, Watched { writes: true, ..NOTHING });
    memory.collect_pages();
    memory.write_backing(0x0200, 2);
    assert!(!memory.write_fast(0x0200, 3));
}

#[test]
fn snapshots_share_what_did_not_change() {
    let mut memory = board();
    write(&mut memory, 0x0200, 1);
    write(&mut memory, 0x0300, 1);
    let first = memory.collect_pages();
    write(&mut memory, 0x0300, 2);
    write(&mut memory, 0x0200, 9);
    write(&mut memory, 0x0200, 1);
    let second = memory.collect_pages();
    let shared = |page| Arc::ptr_eq(first.get(page).unwrap(), second.get(page).unwrap());
    assert!(shared(0x00) && !shared(0x03));
    assert!(shared(0x02), "a page that changed back is the same page");
    assert_eq!(first.get(0x80), None, "ROM is configuration");
    assert_eq!(second.changed_since(&first).map(|(page, _)| page).collect::<Vec<_>>(), [0x03]);
    assert_eq!(second.differences(&first).collect::<Vec<_>>(), [(0x0300, 2, 1)]);
    let delta: Vec<_> = second.changed_since(&first).map(|(page, bytes)| (page, bytes.clone())).collect();
    assert_eq!(first.with(delta), second);
}

#[test]
fn a_table_of_another_map_is_refused_and_changes_nothing() {
    let mut memory = board();
    write(&mut memory, 0x0200, 1);
    let mut other = Memory::new();
    other.map(0x00, 0x40, PageKind::Ram);
    let error = memory.restore_pages(&other.collect_pages()).unwrap_err();
    assert_eq!(error, MemoryError::OtherMap { page: 0x40, table_has_ram: true });
    assert!(error.to_string().contains("$4000"), "{error}");
    assert_eq!(memory.read_fast(0x0200), Some(1));
    let mut saved = Vec::new();
    other.save(&mut saved);
    assert_eq!(memory.restore(&mut Reader::new(&saved)), Err(PersistError::Invalid("ram_map")));
    saved.clear();
    memory.save(&mut saved);
    saved.pop();
    assert_eq!(memory.restore(&mut Reader::new(&saved)), Err(PersistError::Short("ram")));
}

#[test]
fn loading_checks_its_range() {
    let mut memory = board();
    let past_end = MemoryError::PastEnd { address: 0xFFFF, length: 2 };
    assert_eq!(memory.load(0xFFFF, &[1, 2]), Err(past_end));
    assert_eq!(memory.load(0x3FFF, &[1, 2]), Err(MemoryError::Unmapped { address: 0x4000 }));
    assert_eq!(memory.read_fast(0x3FFF), Some(0), "a refused load writes nothing");
    memory.load(0xFFFF, &[7]).unwrap();
    memory.load(0xFFFF, &[]).unwrap();
    assert_eq!(memory.bytes()[0xFFFF], 7);
    memory.collect_pages();
    memory.load(0x01FF, &[1; 3]).unwrap();
    let dirty = (0..=255).filter(|&page| memory.is_dirty(page)).collect::<Vec<_>>();
    assert_eq!(dirty, [0x01, 0x02]);
}

#[test]
fn the_digest_depends_on_ram_and_its_place_only() {
    let mut memory = board();
    let empty = memory.digest();
    memory.load(0x8000, &[1]).unwrap();
    assert_eq!(memory.digest(), empty, "ROM has its own identity");
    write(&mut memory, 0x0200, 1);
    let at_0200 = memory.digest();
    write(&mut memory, 0x0200, 0);
    assert_eq!(memory.digest(), empty);
    write(&mut memory, 0x0300, 1);
    assert_ne!(memory.digest(), empty);
    assert_ne!(memory.digest(), at_0200, "the same page content elsewhere");
}

#[derive(Clone, Debug)]
enum Step {
    Write(u16, u8),
    Collect,
    Restore(usize),
    Digest,
    Clone,
    SaveRestore,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (any::<u16>(), any::<u8>()).prop_map(|(address, value)| Step::Write(address, value)),
        20 => (0x0FF0..0x1210u16, 0..4u8).prop_map(|(address, value)| Step::Write(address, value)),
        4 => Just(Step::Collect),
        3 => any::<usize>().prop_map(Step::Restore),
        2 => Just(Step::Digest),
        1 => Just(Step::Clone),
        1 => Just(Step::SaveRestore),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is written, frozen and restored in whatever order, RAM holds what a plain array would, snapshots keep
    /// what they were taken of, and the digest is a function of the bytes.
    #[test]
    fn behaves_like_a_plain_array(steps in prop::collection::vec(step(), 1..200)) {
        let mut memory = board();
        let mut model = vec![0u8; 0x4000];
        let mut snapshots: Vec<(Pages, Vec<u8>)> = Vec::new();
        for step in steps {
            match step {
                Step::Write(address, value) => {
                    write(&mut memory, address, value);
                    if let Some(byte) = model.get_mut(usize::from(address)) {
                        *byte = value;
                    }
                }
                Step::Collect => snapshots.push((memory.collect_pages(), model.clone())),
                Step::Restore(which) if !snapshots.is_empty() => {
                    let (pages, bytes) = &snapshots[which % snapshots.len()];
                    memory.restore_pages(pages).unwrap();
                    model.clone_from(bytes);
                }
                Step::Restore(_) => {}
                Step::Digest => {
                    let mut fresh = board();
                    fresh.load(0, &model).unwrap();
                    prop_assert_eq!(memory.digest(), fresh.digest());
                }
                Step::Clone => memory = memory.clone(),
                Step::SaveRestore => {
                    let mut saved = Vec::new();
                    memory.save(&mut saved);
                    memory = board();
                    let mut reader = Reader::new(&saved);
                    memory.restore(&mut reader).unwrap();
                    reader.finish().unwrap();
                }
            }
            prop_assert!(memory.bytes()[..0x4000] == model[..]);
        }
        for (pages, bytes) in snapshots {
            memory.restore_pages(&pages).unwrap();
            prop_assert!(memory.bytes()[..0x4000] == bytes[..]);
            prop_assert_eq!(memory.digest(), pages.digest());
        }
    }
}
