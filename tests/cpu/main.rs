//! The processor by itself: against arithmetic, other cores, vectors, and chips.

mod cycles;
mod decimal;
mod differential;
mod disassemble;
mod interrupt_lines;
mod interrupts;
mod lines_support;
mod netlist;
mod silicon;
mod unstable;
mod vectors;
mod vectors_support;
