//! Runs of a transistor-level simulation of the NMOS 6502 with IRQ and NMI at random cycles, through whole machines: every
//! bus cycle must be the same, traced or not, in slices, recorded and replayed.
//!
//! Three instructions are the chip's and not the simulation's: ANC, ALR and ARR put A and their operand on one bus, where on a
//! chip each 0 wins (the single-step vectors have it so, and programs rely on it). The simulation knows switches and no
//! voltages: A wins, and of the operand only the carry of ALR sees a bit. A run whose cycles are not the same therefore gets
//! operands for these instructions with which both come to the same, and must then be the same.
//!
//! The runs are not in the repository. They are looked for in `$RREPLAY_VECTORS`, then in `../shared/vectors`; where there are
//! none the test says so and passes, but for continuous integration. `interrupt_lines.rs` has cases of its own for each rule.

use super::lines_support::{Bus, Pulsed};
use super::vectors_support::{number, open};
use rreplay::session::RunRequest;
use rreplay_kit::CpuChoice;
use serde_json::Value;

fn rows(value: &Value) -> impl Iterator<Item = &Vec<Value>> {
    value.as_array().expect("rows").iter().map(|row| row.as_array().expect("a row"))
}

fn pulsed(run: &Value) -> Pulsed {
    let ranges = |line| rows(&run[line]).map(|row| (number(&row[0]), number(&row[1]))).collect();
    let initial = &run["initial"];
    let register = |name| number(&initial[name]) as u32;
    Pulsed {
        cpu: CpuChoice::Mos6502,
        registers: ["pc", "a", "x", "y", "s", "p"].map(register),
        ram: rows(&run["ram"]).map(|row| (number(&row[0]) as u16, number(&row[1]) as u8)).collect(),
        irq: ranges("irq"),
        nmi: ranges("nmi"),
    }
}

/// An operand of ANC, ALR or ARR with which the chip does what the simulation does with `operand`.
fn without_bus_fight(opcode: u8, operand: u8) -> Option<u8> {
    match opcode {
        0x0B | 0x2B | 0x6B => Some(0xFF),
        0x4B => Some(0xFE | operand & 1),
        _ => None,
    }
}

/// The first cycles on the bus, with other operands where A and an operand fight for the bus; and whether there were any.
fn traced_without_bus_fights(pulsed: &Pulsed, cycles: usize) -> (Vec<Bus>, bool) {
    let session = pulsed.session();
    let (mut traced, mut changed) = (Vec::new(), false);
    while traced.len() < cycles {
        // An interrupt sequence and the first instruction of its handler come in one.
        let ahead = session.copy();
        if ahead.run(RunRequest { cycles: Some(1), ..RunRequest::default() }, &mut || false).is_err()
            || ahead.position().icount != session.position().icount
        {
            ahead.set_register("pc", session.registers().pc().into()).expect("a register");
        }
        let pc = ahead.registers().pc();
        let code = session.memory(pc, 2);
        let other = without_bus_fight(code[0], code[1]).filter(|&other| other != code[1]);
        if let Some(other) = other {
            session.write_memory(pc + 1, &[other]).expect("RAM");
        }
        let cycles = session
            .trace_bus(RunRequest { instructions: Some(1), ..RunRequest::default() }, &mut || false)
            .expect("it runs");
        if cycles.is_empty() {
            break;
        }
        let step = traced.len();
        traced.extend(cycles.iter().map(|cycle| (cycle.address, cycle.value, cycle.write)));
        if other.is_some() {
            session.write_memory(pc + 1, &code[1..]).expect("RAM");
            let fetch = traced[step..].windows(2).rposition(|pair| pair[0].0 == pc && pair[1].0 == pc + 1);
            traced[step + fetch.expect("the instruction is fetched") + 1].1 = code[1];
            changed = true;
        }
    }
    traced.truncate(cycles);
    (traced, changed)
}

#[test]
fn every_bus_cycle_is_that_of_the_transistors() {
    let Some(runs) = open("nmos6502-interrupts.jsonl.gz") else { return };
    let (mut count, mut cycles, mut with_operands, mut failures) = (0, 0, 0, Vec::new());
    for run in runs {
        let wanted: Vec<Bus> = rows(&run["cycles"])
            .map(|row| (number(&row[0]) as u16, number(&row[1]) as u8, row[2] == "w"))
            .collect();
        let pulsed = pulsed(&run);
        let mut got = pulsed.traced(wanted.len());
        if got != wanted {
            let changed;
            (got, changed) = traced_without_bus_fights(&pulsed, wanted.len());
            with_operands += usize::from(changed);
        }
        if let Some(at) = wanted.iter().zip(&got).position(|(want, got)| want != got) {
            failures.push(format!("run {count} at {at}: {:04X?}, wanted {:04X?}", got[at], wanted[at]));
        } else {
            assert_eq!(got.len(), wanted.len());
            if count % 10 == 0 {
                pulsed.check_slices_and_replays(wanted.len() as u64);
            }
        }
        count += 1;
        cycles += wanted.len();
    }
    println!("{count} runs, {cycles} bus cycles; {with_operands} runs with other operands of ANC, ALR, ARR");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 1000 && cycles >= 250_000, "the file has only {count} runs");
}
