//! How two machines of one board differ: registers by name, memory by address, devices by field.

use crate::cpu::CpuKind;
use crate::cursor::timers;
use crate::engine::VmState;
use crate::guest::Guest;
use crate::machine::Machine;
use crate::memory::{PAGE_SIZE, PageKind};
use crate::persist::{Digest, Sections, Value};
use crate::replay::{Differences, FieldDifference, Replay};

/// Differences that are listed; the rest is counted.
const LISTED_MAX: usize = 64;
/// Bytes of a buffer that are shown.
const BUFFER_BYTES_SHOWN: usize = 16;

/// A list that takes differences until it is full.
#[derive(Default)]
struct List(Differences);

impl List {
    fn compare(&mut self, subsystem: &str, field: &str, expected: String, found: String) {
        if expected == found {
            return;
        }
        if self.0.listed.len() == LISTED_MAX {
            self.0.left_out += 1;
            return;
        }
        let (subsystem, field) = (subsystem.to_owned(), field.to_owned());
        self.0.listed.push(FieldDifference { subsystem, field, expected, found });
    }

    fn names(&self, section: &str) -> bool {
        self.0.listed.iter().any(|difference| difference.subsystem == section)
    }
}

/// How the machine and the log position of `found` differ from those of `expected`.
pub fn vms(expected: &mut VmState<Machine>, found: &mut VmState<Machine>) -> Differences {
    let mut list = List::default();
    compare_machines(&mut list, &mut expected.guest, &mut found.guest, &[PageKind::Ram, PageKind::Rom]);
    compare_replays(&mut list, &expected.replay, &found.replay);
    list.0
}

/// How two machines differ.
pub fn machines(expected: &mut Machine, found: &mut Machine) -> Differences {
    let mut list = List::default();
    compare_machines(&mut list, expected, found, &[PageKind::Ram, PageKind::Rom]);
    list.0
}

/// How two machines differ beside their ROM.
pub fn beside_rom(expected: &mut Machine, found: &mut Machine) -> Differences {
    let mut list = List::default();
    compare_machines(&mut list, expected, found, &[PageKind::Ram]);
    list.0
}

fn compare_machines(list: &mut List, expected: &mut Machine, found: &mut Machine, kinds: &[PageKind]) {
    let (fields, other_fields) = (expected.section_fields(), found.section_fields());
    let mut parts = fields.iter().zip(&other_fields);
    let cpu = expected.cpu().kind();
    // CPU and lines, memory, then the devices, as the sections are ordered.
    for _ in 0..2 {
        parts.next().into_iter().for_each(|(part, other)| compare_fields(list, cpu, part, other));
    }
    compare_memory(list, expected, found, kinds);
    parts.for_each(|(part, other)| compare_fields(list, cpu, part, other));
    let names = ["virtual clock", "host clock", "virtual_rt clock"];
    let due = |due: Option<u64>| due.map_or("-".to_owned(), |due| due.to_string());
    for (name, (timer, other)) in names.iter().zip(timers(expected).into_iter().zip(timers(found))) {
        list.compare("timers", name, due(timer), due(other));
    }
    compare_saved(list, &expected.save(), &found.save());
}

type Part = (String, Vec<(&'static str, Value)>);

fn compare_fields(list: &mut List, cpu: CpuKind, (name, fields): &Part, (_, other): &Part) {
    for ((field, value), (_, other)) in fields.iter().zip(other) {
        list.compare(name, field, shown(cpu, name, field, value), shown(cpu, name, field, other));
    }
}

fn compare_memory(list: &mut List, expected: &Machine, found: &Machine, kinds: &[PageKind]) {
    let (memory, other) = (expected.memory(), found.memory());
    for &kind in kinds {
        let name = if kind == PageKind::Ram { "memory" } else { "rom" };
        for page in (0..=u8::MAX).filter(|&page| memory.kind(page) == kind) {
            let first = usize::from(page) * PAGE_SIZE;
            let bytes = memory.bytes()[first..][..PAGE_SIZE].iter().zip(&other.bytes()[first..][..PAGE_SIZE]);
            for (offset, (byte, other)) in bytes.enumerate().filter(|(_, (byte, other))| byte != other) {
                list.compare(name, &format!("${:04X}", first + offset), hex(*byte), hex(*other));
            }
        }
    }
}

/// State without a name is compared too.
fn compare_saved(list: &mut List, expected: &Sections, found: &Sections) {
    for ((name, bytes), (_, other)) in expected.iter().zip(found) {
        if bytes != other && !list.names(name) {
            let hash = |bytes: &[u8]| format!("hash {}", Digest::of(bytes));
            list.compare(name, "saved state", hash(bytes), hash(other));
        }
    }
}

fn compare_replays(list: &mut List, expected: &Replay, found: &Replay) {
    for ((subsystem, field, value), (_, _, other)) in expected.fields().into_iter().zip(found.fields()) {
        // The hash follows from the events; only where their number tells nothing does it.
        if field != "hash" || !list.names("events") {
            list.compare(subsystem, field, value, other);
        }
    }
}

fn hex(byte: u8) -> String {
    format!("${byte:02X}")
}

/// A value as its part of the machine is usually written.
fn shown(cpu: CpuKind, part: &str, field: &str, value: &Value) -> String {
    let register = cpu.register_by_name(field).filter(|_| part == "cpu");
    match (register, value) {
        (Some(register), Value::Unsigned(number)) => cpu.register(register).shown(*number),
        (_, Value::Unsigned(number)) if *number <= 0xFFFF => value.to_string(),
        (_, Value::Unsigned(number)) => number.to_string(),
        (_, Value::Bytes(bytes)) => buffer(bytes),
        _ => value.to_string(),
    }
}

fn buffer(bytes: &[u8]) -> String {
    let head: Vec<String> = bytes.iter().take(BUFFER_BYTES_SHOWN).map(|byte| format!("{byte:02X}")).collect();
    // Two long buffers that begin alike must not look alike.
    let rest = match bytes.len() {
        0..=BUFFER_BYTES_SHOWN => String::new(),
        _ => format!("... hash {}", Digest::of(bytes)),
    };
    format!("{} byte{} {}{rest}", bytes.len(), if bytes.len() == 1 { "" } else { "s" }, head.join(" "))
}
