//! Single-step vectors: registers, RAM and the bus cycle by cycle.
//!
//! The vectors are not in the repository. They are looked for in `$RREPLAY_VECTORS`, then in `../shared/vectors`; where
//! there are none the tests say so and pass, but for continuous integration.

use super::vectors_support::{number, open};
use rreplay::bus::{Bus, Exception, Interrupt};
use rreplay::cpu::Processor;
use rreplay::cpu::mos6502::{Mos6502, Variant};
use rreplay::units::Position;
use serde_json::Value;

/// 64 KiB of RAM that logs each cycle.
struct Analyser {
    ram: Box<[u8; 0x10000]>,
    cycles: Vec<(u16, u8, char)>,
    exceptions: Vec<Exception>,
}

impl Bus for Analyser {
    fn read(&mut self, address: u16, at: Position) -> u8 {
        assert_eq!(at.cycles, self.cycles.len() as u64, "the cycle of a bus access");
        let value = self.ram[usize::from(address)];
        self.cycles.push((address, value, 'r'));
        value
    }
    fn write(&mut self, address: u16, value: u8, at: Position) {
        assert_eq!(at.cycles, self.cycles.len() as u64, "the cycle of a bus access");
        self.ram[usize::from(address)] = value;
        self.cycles.push((address, value, 'w'));
    }
    fn deadline(&self) -> u64 {
        1
    }
    fn lower_deadline(&mut self) {}
    fn irq_at(&mut self, _: u64) -> bool {
        false
    }
    fn nmi_at(&mut self, _: u64) -> bool {
        false
    }
    fn acknowledge_nmi(&mut self, _: u64) {}
    fn accept(&mut self, _: Interrupt, _: Position) -> bool {
        panic!("no line is active")
    }
    fn exception(&mut self, exception: Exception, _: Position) {
        self.exceptions.push(exception);
    }
}

/// How far a vector's bus cycles are to be believed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BusTrust {
    Exact,
    /// Count and writes, and the addresses of all reads but one.
    CountAndWrites,
    /// All but the last cycle, and that it is a write; so the RAM is not compared.
    AllButTheStore,
    Nothing,
}

/// What differs between the CPU and one vector, by the name of the part.
#[derive(Default)]
struct Differences {
    state: Option<String>,
    bus: Option<String>,
}

fn run(vector: &Value, variant: Variant, analyser: &mut Analyser, trust: BusTrust) -> Differences {
    let (initial, wanted) = (&vector["initial"], &vector["final"]);
    let cells = |state: &Value| -> Vec<(u16, u8)> {
        let rows = state["ram"].as_array().expect("rows");
        rows.iter().map(|row| (number(&row[0]) as u16, number(&row[1]) as u8)).collect()
    };
    for (address, value) in cells(initial) {
        analyser.ram[usize::from(address)] = value;
    }
    analyser.cycles.clear();
    let mut cpu = Mos6502::new(variant);
    cpu.pc = number(&initial["pc"]) as u16;
    cpu.sp = number(&initial["s"]) as u8;
    cpu.a = number(&initial["a"]) as u8;
    cpu.x = number(&initial["x"]) as u8;
    cpu.y = number(&initial["y"]) as u8;
    cpu.p = number(&initial["p"]) as u8;
    cpu.run(analyser);

    let mut differences = Differences::default();
    let got = [cpu.pc, cpu.sp.into(), cpu.a.into(), cpu.x.into(), cpu.y.into(), cpu.p.into()];
    let names = ["pc", "s", "a", "x", "y", "p"];
    for (name, got) in names.into_iter().zip(got) {
        let want = number(&wanted[name]) as u16;
        if got != want {
            differences.state = Some(format!("{name} is {got:04X}, wanted {want:04X}"));
        }
    }
    for (address, want) in cells(wanted) {
        let got = std::mem::take(&mut analyser.ram[usize::from(address)]);
        if got != want && trust != BusTrust::AllButTheStore {
            differences.state = Some(format!("({address:04X}) is {got:02X}, wanted {want:02X}"));
        }
    }
    let want: Vec<(u16, u8, char)> = vector["cycles"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let kind = row[2].as_str().and_then(|text| text.chars().next()).expect("r or w");
            (number(&row[0]) as u16, number(&row[1]) as u8, kind)
        })
        .collect();
    let same_but_for_one_read = || {
        let pairs = || analyser.cycles.iter().zip(&want).filter(|(got, want)| got != want);
        analyser.cycles.len() == want.len()
            && pairs().count() == 1
            && pairs().all(|(got, want)| got.2 == 'r' && want.2 == 'r')
    };
    let same_but_for_the_store = || match (analyser.cycles.split_last(), want.split_last()) {
        (Some((got, before)), Some((want, wanted))) => before == wanted && got.2 == want.2,
        _ => false,
    };
    let believed = match trust {
        BusTrust::Exact => false,
        BusTrust::CountAndWrites => same_but_for_one_read(),
        BusTrust::AllButTheStore => same_but_for_the_store(),
        BusTrust::Nothing => true,
    };
    if analyser.cycles != want && !believed {
        differences.bus = Some(format!("bus is {:04X?}\n       wanted {want:04X?}", analyser.cycles));
    }
    for (address, _) in cells(initial).into_iter().chain(analyser.cycles.iter().map(|row| (row.0, 0))) {
        analyser.ram[usize::from(address)] = 0;
    }
    differences
}

/// Runs a file; `trust` gives for an opcode and its vector whether the final state counts, and how far the bus does.
fn check(name: &str, variant: Variant, trust: impl Fn(u8, &Value) -> (bool, BusTrust)) {
    let Some(vectors) = open(name) else { return };
    let mut analyser = Analyser { ram: Box::new([0; 0x10000]), cycles: Vec::new(), exceptions: Vec::new() };
    let (mut count, mut exact, mut failures) = (0, 0, Vec::new());
    for vector in vectors {
        let title = vector["name"].as_str().expect("a name").to_owned();
        let opcode = u8::from_str_radix(&title[..2], 16).expect("names start with the opcode");
        let (state, bus) = trust(opcode, &vector);
        let differences = run(&vector, variant, &mut analyser, bus);
        count += 1;
        exact += u32::from(bus == BusTrust::Exact);
        failures.extend(differences.state.filter(|_| state).map(|text| format!("{title}: {text}")));
        failures.extend(differences.bus.map(|text| format!("{title}: {text}")));
    }
    println!("{name}: {count} vectors, {exact} of them compared cycle by cycle");
    let total = failures.len();
    // One of each opcode is enough to see what is wrong.
    failures.dedup_by_key(|text| text[..2].to_owned());
    assert!(failures.is_empty(), "{total} differences, for example:\n{}", failures.join("\n"));
    assert!(count > 30_000, "the file has only {count} vectors");
}

/// Whether an indexed store crosses a page: the cycle before the store reads the address without the carry.
fn carries(vector: &Value) -> bool {
    let cycles = vector["cycles"].as_array().expect("rows");
    let page = |ago: usize| number(&cycles[cycles.len() - ago][0]) >> 8;
    page(1) != page(2)
}

#[test]
fn nmos_vectors_agree_in_registers_ram_and_every_bus_cycle() {
    check("nmos6502.jsonl.gz", Variant::Nmos6502, |opcode, vector| match opcode {
        // The NOPs with an absolute address lack their last read in the vectors; the chip makes it.
        0x0C | 0x1C | 0x3C | 0x5C | 0x7C | 0xDC | 0xFC => (true, BusTrust::Nothing),
        // SHA, TAS, SHY, SHX: where the index carries, the vectors have what an emulator does and no chip; unstable.rs has
        // what chips do. Where it does not, both are the same.
        0x93 | 0x9B | 0x9C | 0x9E | 0x9F if carries(vector) => (true, BusTrust::AllButTheStore),
        _ => (true, BusTrust::Exact),
    });
}

#[test]
fn w65c02_vectors_agree_in_registers_and_ram_and_in_undisputed_bus_cycles() {
    const D: u8 = 0x08;
    check("w65c02.jsonl.gz", Variant::W65c02, |opcode, vector| {
        let p = number(&vector["initial"]["p"]) as u8;
        let column = opcode & 0x1F;
        let arithmetic = matches!(opcode & 0xE0, 0x60 | 0xE0)
            && matches!(column, 0x01 | 0x05 | 0x09 | 0x0D | 0x11 | 0x12 | 0x15 | 0x19 | 0x1D);
        let bus = match column {
            // BBR and BBS: five cycles, and one for each of "taken" and "page crossed".
            0x0F | 0x1F => BusTrust::Nothing,
            // The address of the cycle that adds X to a zero-page address.
            0x01 | 0x14..=0x16 => BusTrust::CountAndWrites,
            // The address of the decimal cycle of ADC # and SBC #.
            0x09 if arithmetic => BusTrust::CountAndWrites,
            0x1C if opcode == 0x5C => BusTrust::Nothing,
            0x1C if opcode == 0x7C => BusTrust::CountAndWrites,
            _ => BusTrust::Exact,
        };
        (!arithmetic || p & D == 0, bus)
    });
}
