//! Interrupt lines in the middle of things, through whole machines: pulses of any length at any cycle, and chips whose timers
//! run out, or whose lines a program releases, within an instruction or an interrupt sequence.

use super::lines_support::{Pulsed, START};
use proptest::prelude::*;
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::session::{RunRequest, Session};
use rreplay::snapshot::Snapshot;
use rreplay_kit::CpuChoice::{self, Mos6502, W65c02};

/// NOP, NOP, NOP, BRK: the sequence of the last is cycles 6 to 12.
const BRK: [u8; 4] = [0xEA, 0xEA, 0xEA, 0x00];

/// The cycle in which the fetch of its vector begins.
const BRK_VECTOR: u64 = 11;

fn vectors(
    cpu: CpuChoice,
    program: &[u8],
    irq: &[(u64, u64)],
    nmi: &[(u64, u64)],
) -> Vec<(u64, &'static str)> {
    let pulsed = Pulsed::program(cpu, program).irq(irq).nmi(nmi);
    pulsed.check_slices_and_replays(40);
    pulsed.vectors(40)
}

#[test]
fn a_pulse_is_seen_where_the_instruction_polls_and_nowhere_else() {
    for cpu in [Mos6502, W65c02] {
        // NOP (0-1), LDA $1234 (2-5): polls at 0 and 4. The sequence begins at 6.
        let program = [0xEA, 0xAD, 0x34, 0x12];
        for cycle in 1..8 {
            let irq = vectors(cpu, &program, &[(cycle, cycle)], &[]);
            let wanted: &[(u64, &str)] = match cycle {
                4 => &[(11, "irq")],
                6 => &[(13, "irq")],
                _ => &[],
            };
            assert_eq!(irq, wanted, "IRQ in cycle {cycle} of {cpu:?}");
            // An edge stays until it is taken.
            let at = if cycle <= 4 { 11 } else { 11 + (cycle - 3) / 2 * 2 };
            assert_eq!(vectors(cpu, &program, &[], &[(cycle, cycle)]), [(at, "nmi")], "edge in {cycle}");
        }
    }
}

#[test]
fn a_branch_that_crosses_a_page_polls_twice_on_nmos() {
    // NOP (0-1), BNE back to $03F3 (2-5): polls at 2 and 4, the W65C02 at 4.
    let program = [0xEA, 0xD0, 0xF0];
    for (cpu, taken) in [(Mos6502, [2, 4]), (W65c02, [4, 4])] {
        for cycle in 1..6 {
            let seen = vectors(cpu, &program, &[(cycle, cycle)], &[]);
            let wanted = if taken.contains(&cycle) { vec![(11, "irq")] } else { vec![] };
            assert_eq!(seen, wanted, "IRQ in cycle {cycle} of {cpu:?}");
        }
        assert_eq!(vectors(cpu, &program, &[(2, 4)], &[]), [(11, "irq")]);
    }
    // In its page: cycles 2-4, poll at 2; at 3 on the W65C02.
    for (cpu, taken) in [(Mos6502, 2), (W65c02, 3)] {
        for cycle in 1..5 {
            let seen = vectors(cpu, &[0xEA, 0xD0, 0x10], &[(cycle, cycle)], &[]);
            assert_eq!(seen, if cycle == taken { vec![(10, "irq")] } else { vec![] }, "{cycle} of {cpu:?}");
        }
    }
}

#[test]
fn an_edge_in_the_first_four_cycles_of_a_sequence_takes_its_vector() {
    for cycle in 6..=9 {
        for last in cycle..cycle + 3 {
            assert_eq!(vectors(Mos6502, &BRK, &[], &[(cycle, last)]), [(BRK_VECTOR, "nmi")]);
            // IRQ is held until its sequence has begun.
            let irq = [(3, 6)];
            for cpu in [Mos6502, W65c02] {
                assert_eq!(vectors(cpu, &[], &irq, &[(cycle, last)]), [(BRK_VECTOR, "nmi")], "{cpu:?}");
            }
        }
    }
}

#[test]
fn a_short_pulse_in_the_fifth_or_sixth_cycle_of_a_sequence_is_lost_on_nmos() {
    let after = [(BRK_VECTOR, "irq"), (BRK_VECTOR + 9, "nmi")];
    for (first, last, is_seen) in
        [(10, 10, false), (10, 11, false), (10, 12, true), (11, 11, false), (11, 12, true), (12, 12, true)]
    {
        let wanted = if is_seen { &after[..] } else { &after[..1] };
        assert_eq!(vectors(Mos6502, &BRK, &[], &[(first, last)]), wanted, "BRK, {first} to {last}");
        assert_eq!(vectors(Mos6502, &[], &[(3, 6)], &[(first, last)]), wanted, "IRQ, {first} to {last}");
        assert_eq!(vectors(W65c02, &[], &[(3, 6)], &[(first, last)]), after);
    }
}

#[test]
fn an_edge_in_the_first_six_cycles_of_a_sequence_of_nmi_is_swallowed_on_nmos() {
    for first in 6..=13 {
        for length in [1, 2, 5] {
            // The first edge in cycle 4 is taken at 6; the pulse is over before the next.
            let edges = [(4, 4), (first, first + length - 1)];
            let seen = vectors(Mos6502, &[], &[], &edges);
            let again = match first {
                ..=11 => None,
                12 => Some((20, "nmi")),
                _ => Some((20, "nmi")),
            };
            let wanted: Vec<_> = [(11, "nmi")].into_iter().chain(again).collect();
            assert_eq!(seen, wanted, "{first}, {length} cycles");
        }
    }
    // The W65C02S takes each: in the sequence, and at the poll of the handler's first instruction.
    for first in 8..=12 {
        assert_eq!(vectors(W65c02, &[], &[], &[(4, 4), (first, first)]), [(11, "nmi"), (20, "nmi")]);
    }
    // One that was taken over is NMI's as well.
    assert_eq!(vectors(Mos6502, &BRK, &[], &[(7, 7), (10, 12)]), [(BRK_VECTOR, "nmi")]);
}

#[test]
fn a_reset_forgets_what_nmi_was_before_its_fifth_cycle_on_nmos() {
    // The reset comes at cycle 20, between two NOPs, so that its sequence is cycles 20 to 26.
    for (first, last, is_seen) in [
        (19, 19, false),
        (19, 30, false),
        (20, 20, false),
        (23, 30, false),
        (24, 24, false),
        (24, 25, false),
        (24, 26, true),
        (25, 25, false),
        (25, 26, true),
        (26, 26, true),
    ] {
        // INC $10, RTI.
        let mut pulsed = Pulsed::program(Mos6502, &[]).nmi(&[(first, last)]);
        pulsed.ram.extend([(0xFFFC, 0x00), (0xFFFD, 0x04)]);
        pulsed.ram.extend((0x0600..).zip([0xE6, 0x10, 0x40]));
        let session = pulsed.session();
        run_cycles(&session, 20);
        assert_eq!(session.position().cycles, 20);
        session.reset().expect("it is reset");
        run_cycles(&session, 60);
        assert_eq!(byte(&session, 0x10), u8::from(is_seen), "{first} to {last}");
    }
}

#[test]
fn a_pulse_wakes_from_a_wait_although_it_is_over() {
    let wai = [0x58, 0xCB]; // CLI (0-1), WAI (2-4)
    for (cycle, at) in [(3, 5), (4, 6), (5, 7), (10, 12), (11, 13)] {
        assert_eq!(vectors(W65c02, &wai, &[(cycle, cycle)], &[]), [(at + 5, "irq")]);
        assert_eq!(vectors(W65c02, &wai, &[], &[(cycle, cycle)]), [(at + 5, "nmi")]);
    }
}

/// The section `lines` has its old form but in the three cycles in which a poll may look back on a line that was released;
/// and a state in the old form, of an older release, is restored as it would have gone on there.
#[test]
fn what_irq_was_is_saved_only_while_a_poll_may_look_back_on_it() {
    let mut pulsed = Pulsed::program(Mos6502, &[]).irq(&[(5, 7)]);
    pulsed.registers[5] = 0x04;
    let session = pulsed.session();
    let mut lengths = Vec::new();
    for _ in 0..7 {
        run(&session, 1);
        let snapshot = session.snapshot();
        let (at, sections) = (snapshot.position().cycles, snapshot.sections());
        let lines = sections.iter().position(|(name, _)| name == "lines").expect("it is there");
        lengths.push((at, sections[lines].1.len()));
        let mut old = sections.clone();
        let usual = if sections[lines].1[0] == 0 { 3 } else { 11 };
        old[lines].1.truncate(usual);
        let old = Snapshot::new(snapshot.identity(), snapshot.position(), old);
        session.restore(&old).expect("an older release has saved this");
        assert_eq!(session.snapshot().sections()[lines].1.len(), usual);
        session.restore(&snapshot).expect("it is its own");
        assert_eq!(session.snapshot(), snapshot);
        // More than three cycles are nobody's.
        for wrong in [vec![0, 0, 0, 0], vec![0, 0, 0, 0, 8], vec![0, 0, 0, 1, 1, 1]] {
            let mut bad = snapshot.sections().clone();
            bad[lines].1 = wrong;
            assert!(session.restore(&Snapshot::new(snapshot.identity(), snapshot.position(), bad)).is_err());
        }
    }
    assert_eq!(lengths, [(2, 3), (4, 3), (6, 11), (8, 5), (10, 5), (12, 3), (14, 3)]);
}

// ---- chips ----

/// RAM everywhere; a chip on IRQ at $A000 and a VIA on NMI at $A010.
fn machine(cpu: &str, chip: &str, images: &[(u16, &[u8])]) -> Session {
    let text = format!(
        r#"
        name = "chips"
        description = ""
        unmapped = "open_bus"

        [cpu]
        kind = "{cpu}"
        clock_hz = 1_000_000

        [[region]]
        name = "ram"
        kind = "ram"
        start = 0x0000
        end = 0xFFFF

        [[device]]
        name = "chip"
        at = 0xA000
        irq = "irq"
        {chip}

        [[device]]
        name = "via_nmi"
        kind = "via6522"
        at = 0xA010
        irq = "nmi"
        "#
    );
    let image = |(address, bytes): &(u16, &[u8])| ImageInput {
        target: Target::Address(*address),
        name: format!("${address:04X}"),
        bytes: bytes.to_vec(),
        format: Format::Bin,
    };
    let images = images.iter().map(image).collect();
    Session::new(Board::from_toml(&text).expect("the board holds"), images).expect("it is built")
}

const VECTORS: (u16, &[u8]) = (0xFFFA, &[0x00, 0x06, 0x00, 0x04, 0x00, 0x05]);

fn run(session: &Session, instructions: u64) {
    let request = RunRequest { instructions: Some(instructions), ..RunRequest::default() };
    session.run(request, &mut || false).expect("it runs");
}

fn run_cycles(session: &Session, cycles: u64) {
    session
        .run(RunRequest { cycles: Some(cycles), ..RunRequest::default() }, &mut || false)
        .expect("it runs");
}

fn byte(session: &Session, address: u16) -> u8 {
    session.memory(address, 1)[0]
}

#[test]
fn a_timer_that_runs_out_in_a_sequence_takes_its_vector() {
    for (cpu, hijacks) in [("6502", true), ("w65c02", false)] {
        for cycle in 0..7u8 {
            // LDX #$FF, TXS; T1's interrupt on; T1 = N: it runs out N + 2 cycles after the write of T1C-H. Then LDA #0 (2), BRK.
            let count = cycle + 1;
            let program = [
                &[0xA2, 0xFF, 0x9A, 0xA9, 0xC0, 0x8D, 0x1E, 0xA0, 0xA9, count, 0x8D, 0x14, 0xA0][..],
                &[0xA9, 0x00, 0x8D, 0x15, 0xA0, 0xA9, 0x00, 0x00, 0xEA],
            ]
            .concat();
            // INC $10 in the IRQ handler, INC $11 in the NMI handler; each then stays.
            let irq = [0xE6, 0x10, 0x4C, 0x02, 0x05];
            let nmi = [0xE6, 0x11, 0x4C, 0x02, 0x06];
            let session = machine(
                cpu,
                "kind = \"via6522\"",
                &[(START, &program), (0x0500, &irq), (0x0600, &nmi), VECTORS],
            );
            run(&session, 30);
            let taken = hijacks && cycle <= 3;
            // A later edge waits for the first instruction of the handler.
            let wanted = if taken { (0, 1) } else { (1, 1) };
            let counted = (byte(&session, 0x10), byte(&session, 0x11));
            assert_eq!(counted, wanted, "{cpu}: T1 runs out in cycle {cycle} of BRK");
            // B in the pushed status, as BRK has it.
            assert_eq!(byte(&session, 0x01FD) & 0x10, 0x10, "{cpu}, {cycle}");
        }
    }
}

/// A loop of an access that releases the line, and a jump, with interrupts on: how often of seven arrivals, one in each of its
/// cycles, the handler runs.
fn phases_seen(chip: &str, setup: &[u8], polled: u8, sends: bool) -> u32 {
    let mut seen = 0;
    for delay in [&[0xEA][..], &[0x24, 0], &[0xEA, 0xEA], &[0xEA, 0x24, 0], &[0x24, 0, 0x24, 0]]
        .into_iter()
        .chain([&[0xEA, 0xEA, 0x24, 0][..], &[0xEA, 0xEA, 0xEA, 0xEA]])
    {
        // LDX #$FF, TXS, CLI, the setup, two to eight cycles, then LDA $A0xx, JMP back.
        let mut program = [&[0xA2, 0xFF, 0x9A, 0x58][..], setup, delay].concat();
        let [low, high] = (START + program.len() as u16).to_le_bytes();
        program.extend([0xAD, polled, 0xA0, 0x4C, low, high]);
        // INC $10; the register that releases the line; RTI.
        let handler = [0xE6, 0x10, 0xAD, polled, 0xA0, 0x40];
        let session = machine("6502", chip, &[(START, &program), (0x0500, &handler), VECTORS]);
        if sends {
            session
                .arrive(rreplay::events::AsyncEvent::CharRead {
                    device: rreplay::nondet::CharId(0),
                    bytes: b"a".to_vec(),
                })
                .expect("the chip takes it");
        }
        run(&session, 4000);
        assert!(byte(&session, 0x10) <= 1, "one arrival, one interrupt");
        seen += u32::from(byte(&session, 0x10));
    }
    seen
}

/// It is missed only where it comes in the very cycle of the access, which sees it.
#[test]
fn a_line_that_was_held_at_the_poll_is_taken_although_the_instruction_releases_it() {
    // T1 of a VIA, 200 cycles; T1C-L releases.
    let t1 = [0xA9, 0xC0, 0x8D, 0x0E, 0xA0, 0xA9, 200, 0x8D, 0x04, 0xA0, 0xA9, 0, 0x8D, 0x05, 0xA0];
    assert_eq!(phases_seen("kind = \"via6522\"", &t1, 4, false), 6);
    // A 6551 that receives at 19200 baud; the status register releases. The receiver starts with the command register.
    let acia = [0xA9, 0x1F, 0x8D, 0x03, 0xA0, 0xA9, 0x09, 0x8D, 0x02, 0xA0];
    assert_eq!(phases_seen("kind = \"mos6551\"", &acia, 1, true), 6);
    // An MC6850; the data register releases.
    let acia = [0xA9, 0x03, 0x8D, 0x00, 0xA0, 0xA9, 0x95, 0x8D, 0x00, 0xA0];
    assert_eq!(phases_seen("kind = \"mc6850\"", &acia, 1, true), 6);
}

// ---- anything ----

/// Bytes that as opcodes do something to interrupts, among others. Nothing that stops the processor.
fn code() -> impl Strategy<Value = u8> {
    let flow =
        vec![0x58, 0x78, 0x28, 0x08, 0x40, 0x00, 0x4C, 0xD0, 0x10, 0x50, 0x90, 0xF0, 0xEA, 0xE6, 0x60, 0xCB];
    let stops = |byte: &u8| byte & 0x1F == 0x12 || matches!(byte, 0x02 | 0x22 | 0x42 | 0x62 | 0xDB);
    prop_oneof![2 => prop::sample::select(flow), 3 => any::<u8>().prop_filter("it stops", move |b| !stops(b))]
}

fn pulses() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let gaps_and_lengths = prop::collection::vec((1u64..30, prop_oneof![Just(0), 0u64..3, 0u64..12]), 0..20);
    gaps_and_lengths.prop_map(|list| {
        let mut at = 3;
        list.into_iter()
            .map(|(gap, more)| {
                let first = at + gap;
                at = first + more + 1;
                (first, first + more)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn slices_and_replays_of_pulses_mean_nothing(
        cmos in any::<bool>(),
        code in prop::collection::vec(code(), 0x400),
        status in any::<u8>(),
        irq in pulses(),
        nmi in pulses(),
    ) {
        let cpu = if cmos { W65c02 } else { Mos6502 };
        let mut pulsed = Pulsed::program(cpu, &[]).irq(&irq).nmi(&nmi);
        pulsed.ram = (0x0000..0x1_0000).zip(code.iter().cycle()).map(|(at, byte)| (at as u16, *byte)).collect();
        pulsed.ram.extend([(0xFFFA, 0x00), (0xFFFB, 0x06), (0xFFFE, 0x00), (0xFFFF, 0x05)]);
        pulsed.registers[5] = status.into();
        pulsed.check_slices_and_replays(250);
    }
}
