//! The system calls of cc65's simulator target, `cl65 -t sim6502`: six addresses that a C program jumps to.
//!
//! Not a chip. A fetch of one of the addresses gives an RTS, and at the end of that instruction the call is carried out:
//! arguments come from the processor's registers and the C stack, results go back there. Source: the documentation and
//! behaviour of cc65 2.19 (header version 2); calling convention: the last argument in A (low) and X (high), the others on
//! the C stack, whose pointer is in zero page.

use std::collections::VecDeque;

use super::{Context, Device, DeviceError, DirectMemory, DirectRegisters};
use crate::nondet::{CharRequest, ShutdownCause};

/// The name in board files.
pub const KIND: &str = "sim65";

/// The option names of [`Config`].
pub(super) const OPTIONS: &[&str] = &["sp_address", "arguments"];

/// `open(name, flags, ...)`: offset from the first address, FFF4.
pub const OPEN: u16 = 0;
/// `close(descriptor)`.
pub const CLOSE: u16 = 1;
/// `read(descriptor, buffer, count)`.
pub const READ: u16 = 2;
/// `write(descriptor, buffer, count)`.
pub const WRITE: u16 = 3;
/// Fetches the program's arguments.
pub const ARGS: u16 = 4;
/// `exit(code)`.
pub const EXIT: u16 = 5;

/// What the processor finds at each address.
const RTS: u8 = 0x60;
/// What a failed call gives: -1.
const FAILED: u16 = 0xFFFF;
/// The longest file name.
const NAME_MAX: u16 = 1024;
/// Bytes that one event of a recording carries.
const PIECE: usize = 4096;
/// Arguments, and bytes of all of them together.
const ARGUMENTS_MAX: usize = 64;
const ARGUMENT_BYTES_MAX: usize = 4096;
/// Standard input, output and errors.
const STANDARD_INPUT: u16 = 0;
const STANDARD_ERROR: u16 = 2;

/// Options.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where in zero page the C stack pointer is. A program's file header says it, and goes before this.
    #[serde(default)]
    pub sp_address: u8,
    /// What `main` is given, the program's name first.
    #[serde(default = "program")]
    pub arguments: Vec<String>,
}

fn program() -> Vec<String> {
    vec!["program".to_owned()]
}

/// The simulator's calls.
#[derive(Clone, Debug)]
pub struct Sim65 {
    sp_address: u8,
    arguments: Vec<Vec<u8>>,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// The call that the processor has just fetched, by its offset.
    call: Option<u8>,
    /// The cycle at which it is carried out.
    due: Option<u64>,
    /// Bytes typed that the program has not read.
    getc: VecDeque<u8>,
    /// Where a read that waits for input puts it.
    read_buffer: Option<u16>,
    /// How much it takes.
    read_count: u16,
    /// What the program has given to `exit`.
    exit_code: Option<u8>,
}

persist!(State { call, due, getc, read_buffer, read_count, exit_code });
persist_parts!(Sim65 { state } checked by checked);

/// The program's world while a call is carried out.
struct Caller<'a> {
    cpu: &'a mut dyn DirectRegisters,
    memory: &'a mut dyn DirectMemory,
    sp_address: u8,
}

impl Caller<'_> {
    fn word(&mut self, address: u16) -> u16 {
        u16::from_le_bytes([self.memory.read(address), self.memory.read(address.wrapping_add(1))])
    }

    fn put_word(&mut self, address: u16, value: u16) {
        self.put(address, &value.to_le_bytes());
    }

    fn put(&mut self, address: u16, bytes: &[u8]) {
        for (offset, &byte) in (0..=u16::MAX).zip(bytes) {
            self.memory.write(address.wrapping_add(offset), byte);
        }
    }

    fn get(&mut self, address: u16, count: u16) -> Vec<u8> {
        (0..count).map(|offset| self.memory.read(address.wrapping_add(offset))).collect()
    }

    /// Takes a 16-bit argument off the C stack, and `bytes` with it.
    fn pop(&mut self, bytes: u16) -> u16 {
        let stack = self.word(self.sp_address.into());
        let value = self.word(stack);
        self.put_word(self.sp_address.into(), stack.wrapping_add(bytes));
        value
    }

    fn ax(&self) -> u16 {
        self.cpu.get("x") << 8 | self.cpu.get("a")
    }

    fn returns(&mut self, value: u16) {
        self.cpu.set("a", value & 0xFF);
        self.cpu.set("x", value >> 8);
    }
}

impl Sim65 {
    /// The calls, for a program that has not started.
    ///
    /// # Errors
    /// Too many or too long arguments, or one with a zero byte.
    pub fn new(config: Config) -> Result<Self, DeviceError> {
        let bytes: usize = config.arguments.iter().map(|argument| argument.len() + 1).sum();
        let problem = if config.arguments.len() > ARGUMENTS_MAX || bytes > ARGUMENT_BYTES_MAX {
            Some(format!(
                "{} arguments of {bytes} bytes; at most {ARGUMENTS_MAX} of {ARGUMENT_BYTES_MAX} bytes together fit",
                config.arguments.len()
            ))
        } else if config.arguments.iter().any(|argument| argument.contains('\0')) {
            Some("a zero byte ends a C string, so no argument can hold one".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(DeviceError::BadOption { kind: KIND, option: "arguments".to_owned(), problem });
        }
        let arguments = config.arguments.into_iter().map(String::into_bytes).collect();
        Ok(Self { sp_address: config.sp_address, arguments, state: State::default() })
    }

    fn checked(&mut self) -> Result<(), crate::persist::PersistError> {
        if self.state.call.is_none() {
            self.state.due = None;
        }
        Ok(())
    }

    /// Carries out a call at the instruction boundary after it.
    fn carry_out(&mut self, call: u16, context: &mut Context<'_>) {
        let Context { at, char_id, outside, memory: Some(memory), cpu: Some(cpu), .. } = context else {
            return;
        };
        let mut caller = Caller { cpu: &mut **cpu, memory: &mut **memory, sp_address: self.sp_address };
        let mut ask = |request: CharRequest<'_>, buffer: &mut [u8]| {
            outside.char_request(*at, *char_id, request, buffer)
        };
        match call {
            OPEN => {
                // It takes a variable number of arguments, so all are on the stack, and Y tells their size.
                let extra = caller.cpu.get("y").saturating_sub(4);
                caller.pop(extra);
                let flags = caller.pop(2);
                let name = caller.pop(2);
                let path: Vec<u8> = (0..NAME_MAX)
                    .map(|offset| caller.memory.read(name.wrapping_add(offset)))
                    .take_while(|&byte| byte != 0)
                    .collect();
                let mut descriptor = [0];
                let opened = ask(CharRequest::Open { path: &path, flags }, &mut descriptor) == 1;
                caller.returns(if opened { descriptor[0].into() } else { FAILED });
            }
            CLOSE => {
                let descriptor = caller.ax();
                let closed =
                    descriptor <= STANDARD_ERROR || ask(CharRequest::Close { descriptor }, &mut []) >= 0;
                caller.returns(if closed { 0 } else { FAILED });
            }
            READ => {
                let count = caller.ax();
                let buffer = caller.pop(2);
                let descriptor = caller.pop(2);
                if descriptor == STANDARD_INPUT {
                    self.state.read_buffer = Some(buffer);
                    self.state.read_count = count;
                    self.read_on(context);
                    return;
                }
                let mut bytes = vec![0; usize::from(count).min(PIECE)];
                let result = ask(CharRequest::Read { descriptor }, &mut bytes);
                let Ok(read) = usize::try_from(result) else {
                    caller.returns(FAILED);
                    return;
                };
                caller.put(buffer, &bytes[..read.min(bytes.len())]);
                caller.returns(read as u16);
            }
            WRITE => {
                let count = caller.ax();
                let buffer = caller.pop(2);
                let descriptor = caller.pop(2);
                let bytes = caller.get(buffer, count);
                let mut written: usize = 0;
                let mut failed = false;
                for piece in bytes.chunks(PIECE) {
                    let taken = if (1..=STANDARD_ERROR).contains(&descriptor) {
                        let sent = outside.char_write(*at, *char_id, piece);
                        if sent.result < 0 { -1 } else { sent.result }
                    } else {
                        let mut taken = [0; 2];
                        let request = CharRequest::Write { descriptor, bytes: piece };
                        match outside.char_request(*at, *char_id, request, &mut taken) {
                            2 => u16::from_le_bytes(taken).into(),
                            _ => -1,
                        }
                    };
                    failed = taken < 0;
                    written += usize::try_from(taken).unwrap_or(0).min(piece.len());
                    if taken != piece.len() as i32 {
                        break;
                    }
                }
                caller.returns(if failed && written == 0 { FAILED } else { written as u16 });
            }
            ARGS => {
                let variable = caller.ax();
                self.give_arguments(variable, &mut caller);
            }
            _ => {
                self.state.exit_code = Some(caller.cpu.get("a") as u8);
                outside.shutdown_request(*at, ShutdownCause::GuestShutdown);
            }
        }
    }

    /// Puts the arguments on the C stack, as `main` expects them, and their number into A and X.
    fn give_arguments(&self, variable: u16, caller: &mut Caller<'_>) {
        let count = self.arguments.len() as u16;
        let stack = caller.word(caller.sp_address.into());
        let mut pointers = stack.wrapping_sub((count + 1) * 2);
        caller.put_word(variable, pointers);
        let mut text = pointers;
        for argument in &self.arguments {
            text = text.wrapping_sub(argument.len() as u16 + 1);
            caller.put(text, argument);
            caller.put(text.wrapping_add(argument.len() as u16), &[0]);
            caller.put_word(pointers, text);
            pointers = pointers.wrapping_add(2);
        }
        caller.put_word(pointers, 0);
        caller.put_word(caller.sp_address.into(), text);
        caller.returns(count);
    }

    /// A read of standard input: what has been typed, or the end of it, or a rest until something comes.
    fn read_on(&mut self, context: &mut Context<'_>) {
        let Some(buffer) = self.state.read_buffer else { return };
        if self.state.getc.is_empty() && self.state.read_count != 0 {
            let request = CharRequest::Read { descriptor: STANDARD_INPUT };
            if context.outside.char_request(context.at, context.char_id, request, &mut []) < 0 {
                context.outside.suspend_request(context.at);
                return;
            }
        }
        let Context { memory: Some(memory), cpu: Some(cpu), .. } = context else { return };
        let mut caller = Caller { cpu: &mut **cpu, memory: &mut **memory, sp_address: self.sp_address };
        let count = usize::from(self.state.read_count).min(self.state.getc.len());
        let bytes: Vec<u8> = self.state.getc.drain(..count).collect();
        caller.put(buffer, &bytes);
        caller.returns(count as u16);
        self.state.read_buffer = None;
    }
}

impl Device for Sim65 {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn register_count(&self) -> u16 {
        EXIT + 1
    }

    fn processor_registers(&self) -> &'static [&'static str] {
        &["a", "x", "y"]
    }

    fn claims(&self, _offset: u16, write: bool) -> bool {
        !write
    }

    fn read(&mut self, offset: u16, context: &mut Context<'_>) -> u8 {
        // The processor reads the byte after a one-byte instruction too, and that is no call.
        if self.state.call.is_none() {
            self.state.call = Some(offset as u8);
            self.state.due = Some(context.at.cycles + 1);
        }
        RTS
    }

    fn write(&mut self, _offset: u16, _value: u8, _context: &mut Context<'_>) {}

    fn peek(&self, _offset: u16, _now: u64) -> u8 {
        RTS
    }

    fn next_timer(&self) -> Option<u64> {
        self.state.due
    }

    fn run_timer(&mut self, context: &mut Context<'_>) {
        if self.state.due.is_none_or(|due| due > context.at.cycles) || context.cpu.is_none() {
            return;
        }
        self.state.due = None;
        if let Some(call) = self.state.call.take() {
            self.carry_out(call.into(), context);
        }
    }

    fn catch_up(&mut self, _now: u64) {}

    fn irq(&self) -> Option<u64> {
        None
    }

    fn reset(&mut self, _now: u64) {
        let getc = std::mem::take(&mut self.state.getc);
        self.state = State { getc, ..State::default() };
    }

    fn receive(&mut self, bytes: &[u8], context: &mut Context<'_>) {
        self.state.getc.extend(bytes);
        self.read_on(context);
    }

    fn is_char(&self) -> bool {
        true
    }

    fn reads_at_once(&self) -> bool {
        true
    }

    fn pending_input(&self) -> usize {
        self.state.getc.len()
    }

    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}
