//! What can be wrong with an image or with where it is to go.

use std::fmt;

/// A place in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spot {
    /// A line of a text format, counted from 1.
    Line(usize),
    /// A byte of a binary format, counted from 0.
    Offset(usize),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Line(line) => write!(f, "line {line}"),
            Spot::Offset(offset) => write!(f, "byte {offset}"),
        }
    }
}

/// An image that cannot be read, or cannot be placed on a board.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)] // the fields are what the messages say
pub enum RomError {
    /// A file without a byte.
    #[error("{name} is empty: check that whatever builds it succeeded")]
    Empty { name: String },
    /// A file that is larger than any image can be.
    #[error("{name} has {size} bytes and an image of its format at most {limit}: is it the right file?")]
    TooLarge { name: String, size: usize, limit: usize },
    /// A hex file without a data record, an o65 without text and data.
    #[error("{name} holds no bytes to load: check that whatever builds it succeeded")]
    NoData { name: String },
    /// A raw image for which nobody says where it goes.
    #[error("{name} is a raw image and has no address: give one, as in rom={{0x8000: \"{name}\"}}")]
    NoAddress { name: String },
    /// A line or field that the format does not allow.
    #[error("{name}, {spot}: {reason}")]
    Syntax { name: String, spot: Spot, reason: String },
    /// A record whose bytes do not add up.
    #[error(
        "{name}, {spot}: the checksum is ${found:02X} and should be ${expected:02X}: the file is damaged, make it anew"
    )]
    Checksum { name: String, spot: Spot, found: u8, expected: u8 },
    /// A record whose bytes do not add up, where the sum has 16 bits.
    #[error(
        "{name}, {spot}: the checksum is ${found:04X} and should be ${expected:04X}: the file is damaged, make it anew"
    )]
    Sum { name: String, spot: Spot, found: u16, expected: u16 },
    /// Text that is no image.
    #[error(
        "{name} is text and no image in a format that is known (Intel HEX, S-records, MOS paper tape): is it the right file? To load its bytes as they are, say where, as in rom={{0x0200: ...}}, or name it .bin"
    )]
    Text { name: String },
    /// What is no image yet.
    #[error("{name} is {kind}")]
    Unlinked { name: String, kind: &'static str },
    /// A text format without its last record.
    #[error("{name} has no end record ({expected}): it seems to be cut off, make it anew")]
    Unfinished { name: String, expected: &'static str },
    /// Bytes beyond the address space.
    #[error(
        "{name}, {spot}: {size} bytes at ${address:04X} go beyond $FFFF: link the program lower, or give another load address"
    )]
    PastEnd { name: String, spot: Spot, address: u64, size: usize },
    /// Bytes below the address space.
    #[error(
        "{name}: {size} bytes that end at ${last:04X} would begin below $0000: give a higher load address"
    )]
    BelowZero { name: String, size: usize, last: u16 },
    /// An address with two bytes for it in one file.
    #[error("{name}, {spot}: the file has a byte for ${address:04X} already: check the linker's memory map")]
    Overlap { name: String, spot: Spot, address: u16 },
    /// An o65 file that cannot be loaded.
    #[error("{name}, byte {offset}: {problem}")]
    O65 { name: String, offset: usize, problem: O65Problem },

    /// A region name that the board does not have.
    #[error("{name} is to go to region \"{region}\", and board \"{board}\" has {known}")]
    NoSuchRegion { name: String, region: String, board: String, known: String },
    /// An image without a target on a board without memory at the reset vector.
    #[error(
        "{name} has no target and board \"{board}\" no memory at {start}: name a region or a load address"
    )]
    NoMainRegion { name: String, board: String, start: String },
    /// A program of cc65's simulator on a board that serves none.
    #[error(
        "{name} is a program for cc65's sim65, and board \"{board}\" does not serve its calls: it runs on board \"sim65\", at the shell by its name alone"
    )]
    NotServed { name: String, board: String },
    /// A raw image that is larger than its region.
    #[error(
        "{name} has {size} bytes and region \"{region}\" (${start:04X}-${end:04X}) {room}: use the image of another board, or another board"
    )]
    LargerThanRegion { name: String, size: usize, region: String, start: u16, end: u16, room: usize },
    /// Bytes of an image that leave the region that it was to go to.
    #[error(
        "{name} has bytes at ${address:04X}, outside region \"{region}\" (${start:04X}-${end:04X}): give the load address instead of the region, or link for the region"
    )]
    OutsideRegion { name: String, address: u16, region: String, start: u16, end: u16 },
    /// Bytes of an image where the board has no memory.
    #[error("{name} has bytes at ${address:04X}, where board \"{board}\" has {there}: {memory}")]
    NoMemory { name: String, address: u16, board: String, there: String, memory: String },
    /// Two images with bytes for one address.
    #[error("{first} and {second} both have a byte for ${address:04X}: load one of them elsewhere")]
    ImagesOverlap { first: String, second: String, address: u16 },
    /// No image for a board that cannot start without one.
    #[error(
        "board \"{board}\" has nothing in its ROM \"{region}\": give an image, as in rom=\"firmware.bin\""
    )]
    NoImage { board: String, region: String },
    /// Images without a reset vector on a board whose vectors lie in ROM.
    #[error(
        "nothing that was loaded ({names}) holds {start} of board \"{board}\", so the CPU could not start: check the load address{}",
        if *.is_vector { ", or set reset_vector in the board's [cpu]" } else { "" }
    )]
    NoVector { names: String, board: String, start: String, is_vector: bool },
}

/// Why an o65 file cannot be loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum O65Problem {
    #[error("this is no o65 file: it does not begin with 01 00 \"o65\"")]
    Magic,
    #[error("o65 version {0} is not known, only 0 (the format's version 1.x)")]
    Version(u8),
    #[error("the file ends inside its {0}: it seems to be cut off, make it anew")]
    Truncated(&'static str),
    #[error("it is for a 65816 CPU; assemble it for the 6502 or 65C02")]
    Cpu65816,
    #[error("it is for CPU type {0}, which is neither a 6502 nor a 65C02; assemble it for one of these")]
    Cpu(u8),
    #[error("it has 32-bit sizes; link it with 16-bit ones")]
    Size32,
    #[error("another o65 file is chained to it; link them into one")]
    Chained,
    #[error(
        "it refers to \"{symbol}\", which it does not define ({count} undefined in all); link it with what defines it"
    )]
    Undefined { symbol: String, count: usize },
    #[error("a header option has an impossible length")]
    OptionLength,
    #[error("relocation type ${0:02X} is not one of a 6502 (WORD $80, HIGH $40, LOW $20)")]
    RelocationType(u8),
    #[error("segment {0} does not exist (1 absolute, 2 text, 3 data, 4 bss, 5 zero)")]
    RelocationSegment(u8),
    #[error("a relocation lies outside its segment of {length} bytes")]
    RelocationOutside { length: usize },
    #[error(
        "its segments must lie on multiples of {alignment}, and ${address:04X} is none; give another load address"
    )]
    Alignment { address: u16, alignment: u16 },
    #[error(
        "it can be moved by whole pages only, and ${address:04X} is not such an address; give another load address"
    )]
    Paged { address: u16 },
    #[error("{0} bytes follow its end; is it the right file?")]
    Trailing(usize),
}
