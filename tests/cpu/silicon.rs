//! What real chips do, seen by programs: each case is a few instructions on a board of RAM and a 6522, and the bytes that they leave
//! behind on the chips of a VIC-20, of 1541 drives, of a C64 and in a transistor-level simulation.

use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::machine::rom::Format;
use rreplay::session::{RunRequest, Session};

const START: u16 = 0x0400;

/// Registers of the 6522, as the low bytes of addresses in page A0.
const PORT_B: u8 = 0x0;
const T1C_L: u8 = 0x4;
const T1C_H: u8 = 0x5;
const T2C_L: u8 = 0x8;
const T2C_H: u8 = 0x9;
const SR: u8 = 0xA;
const ACR: u8 = 0xB;
const IFR: u8 = 0xD;
const IER: u8 = 0xE;

/// A program that grows.
#[derive(Clone, Default)]
struct Code(Vec<u8>);

impl Code {
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// LDA #, STA: the write is in the sixth cycle.
    fn set(self, register: u8, value: u8) -> Self {
        self.bytes(&[0xA9, value, 0x8D, register, 0xA0])
    }

    /// STA, of what A holds: the write is in the fourth cycle.
    fn store(self, register: u8) -> Self {
        self.bytes(&[0x8D, register, 0xA0])
    }

    /// LDA, STA zero page: the read is in the fourth cycle of seven.
    fn keep(self, register: u8, at: u8) -> Self {
        self.bytes(&[0xAD, register, 0xA0, 0x85, at])
    }

    /// So many cycles, at least two: NOPs, and an LDA zero page where they are odd.
    fn wait(self, cycles: usize) -> Self {
        let odd: &[u8] = if cycles % 2 == 1 { &[0xA5, 0x00] } else { &[] };
        self.bytes(odd).bytes(&vec![0xEA; (cycles - 3 * (cycles % 2)) / 2])
    }

    /// JMP to itself.
    fn stay(self) -> Self {
        let [low, high] = (START + self.0.len() as u16).to_le_bytes();
        self.bytes(&[0x4C, low, high])
    }

    /// What the program leaves in zero page from $10 on.
    fn leaves(self, instructions: u64, length: usize) -> Vec<u8> {
        let session = machine(&self.stay().0);
        let request = RunRequest { instructions: Some(instructions), ..RunRequest::default() };
        session.run(request, &mut || false).expect("it runs");
        session.memory(0x10, length)
    }
}

fn machine(program: &[u8]) -> Session {
    let board = r#"
        name = "silicon"
        description = "RAM, and a 6522"
        unmapped = "open_bus"

        [cpu]
        kind = "6502"
        clock_hz = 1_000_000

        [[region]]
        name = "ram"
        kind = "ram"
        start = 0x0000
        end = 0xFFFF

        [[device]]
        name = "via"
        kind = "via6522"
        at = 0xA000
        irq = "irq"
        "#;
    let image = |address, bytes: &[u8]| ImageInput {
        target: Target::Address(address),
        name: format!("${address:04X}"),
        bytes: bytes.to_vec(),
        format: Format::Bin,
    };
    let [low, high] = START.to_le_bytes();
    let images = vec![image(START, program), image(0xFFFC, &[low, high])];
    Session::new(Board::from_toml(board).expect("it holds"), images).expect("it is built")
}

#[test]
fn a_one_shot_that_has_timed_out_is_not_armed_by_free_run() {
    let timed_out = Code::default().set(ACR, 0).set(T1C_L, 3).set(T1C_H, 0).wait(10);
    let free = timed_out.set(IFR, 0x7F).set(ACR, 0x40).wait(20);
    assert_eq!(free.keep(IFR, 0x10).leaves(200, 1), [0x00]);
    // Started in free run it sets its flag again and again.
    let started = Code::default().set(ACR, 0x40).set(T1C_L, 3).set(T1C_H, 0).wait(10).set(IFR, 0x7F).wait(20);
    assert_eq!(started.keep(IFR, 0x10).leaves(200, 1), [0x40]);
}

#[test]
fn t1_of_power_on_does_not_interrupt_in_free_run() {
    // LDX #0, LDY #0, two nested loops of DEX, BNE and DEY, BNE: five times round what T1 counts.
    let code = Code::default().set(ACR, 0x40).set(IER, 0xC0).bytes(&[0xA2, 0, 0xA0, 0]);
    let code = code.bytes(&[0xCA, 0xD0, 0xFD, 0x88, 0xD0, 0xFA]);
    assert_eq!(code.keep(IFR, 0x10).leaves(140_000, 1), [0x00]);
}

#[test]
fn pb7_that_is_given_to_t1_after_the_start_falls_at_the_time_out() {
    let code = Code::default().set(T1C_L, 50).set(T1C_H, 0).set(ACR, 0x80);
    let code = code.keep(PORT_B, 0x10).wait(60).keep(PORT_B, 0x11);
    assert_eq!(code.leaves(100, 2), [0xFF, 0x7F]);
    // Given before, it is low from the start to the time-out.
    let code = Code::default().set(ACR, 0x80).set(T1C_L, 50).set(T1C_H, 0);
    let code = code.keep(PORT_B, 0x10).wait(60).keep(PORT_B, 0x11);
    assert_eq!(code.leaves(100, 2), [0x7F, 0xFF]);
}

#[test]
fn t2_follows_acr5_a_cycle_late() {
    // Counting pulses, T2 = 0; ACR = 0 in cycle w; T2C-L read in w + 4, w + 6: the first count is in w + 2.
    let held = Code::default().set(ACR, 0x20).set(T2C_L, 0).store(T2C_H).store(ACR);
    assert_eq!(held.clone().keep(T2C_L, 0x10).leaves(60, 1), [0xFD]);
    assert_eq!(held.wait(2).keep(T2C_L, 0x10).leaves(60, 1), [0xFB]);
    // T2 = $00FF in cycle w, so that w + 1 reads FF; ACR = $20 in w + 6, which reads FA, and w + 7 counts once more.
    let counting = Code::default().set(ACR, 0).set(T2C_L, 0xFF).set(T2C_H, 0).set(ACR, 0x20);
    assert_eq!(counting.keep(T2C_L, 0x10).leaves(60, 1), [0xF9]);
}

#[test]
fn reads_of_sr_every_seven_cycles_do_not_start_a_byte_anew() {
    let code = Code::default().set(ACR, 0).set(SR, 0x01).set(ACR, 0x18);
    let code = (0x10..0x15).fold(code, |code, at| code.keep(SR, at));
    assert_eq!(code.leaves(60, 5), [0x01, 0x08, 0x80, 0x01, 0x08]);
}

#[test]
fn under_t2_a_bit_moves_two_cycles_after_the_low_byte_reads_ff() {
    // Mode 100; T2 = 20 in cycle w: its low byte reads FF in w + 22. SR read in w + 22 and later.
    let code = Code::default().set(ACR, 0).set(ACR, 0x10).set(SR, 0x01).set(T2C_L, 20).set(T2C_H, 0);
    let read = |after: usize| code.clone().wait(after - 4).keep(SR, 0x10).leaves(60, 1)[0];
    assert_eq!([22, 23, 24, 25].map(read), [0x01, 0x01, 0x02, 0x02]);
}

/// The address and value that an instruction with these registers writes last.
fn written(code: &[u8], registers: &[(&str, u32)]) -> (u16, u8) {
    let session = machine(code);
    for &(name, value) in registers {
        session.set_register(name, value).expect("a register");
    }
    let trace = session
        .trace_bus(RunRequest { instructions: Some(1), ..RunRequest::default() }, &mut || false)
        .expect("it runs");
    let last = trace.last().expect("it has cycles");
    assert!(last.write);
    (last.address, last.value)
}

#[test]
fn unstable_stores_put_their_value_on_the_bus_of_the_carry() {
    let all = [("a", 0xFF), ("x", 0xFF), ("y", 0xFF)];
    // SHY $B3FE,X; SHX, SHA and TAS $B3FE,Y, with an index of 4: the sum would be $B402.
    for (opcode, index) in [(0x9C, "x"), (0x9E, "y"), (0x9F, "y"), (0x9B, "y")] {
        let registers = [&all[..], &[(index, 4)]].concat();
        assert_eq!(written(&[opcode, 0xFE, 0xB3], &registers), (0xB402, 0xB4), "{opcode:02X}");
    }
    // The value loses bits, and the address with it: $9D & $E8 is $88.
    assert_eq!(written(&[0x9E, 0x90, 0xE7], &[("x", 0x9D), ("y", 0xA1)]), (0x8831, 0x88));
}
