//! What bytes look like that nobody has named.

use super::{Format, trim};

/// What UTF-8 text may begin with: editors on Windows write it.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes that say nothing about being text or not: that short a file may be an instruction or two.
const TEXT_MIN: usize = 4;

/// Of so many characters of a text one at the most is none of ASCII's, where its encoding is not known.
const ASCII_SHARE: usize = 4;

/// Files that a linker or something else must be given first, by how they begin.
const UNLINKED: [(&[u8], &str); 5] = [
    (
        b"\x55\x7A\x6E\x61",
        "an object file of ca65 that is not linked yet: link it (ld65, cl65) and give what comes out",
    ),
    (b"\x6E\x61\x55\x7A", "a library of ar65: link it with a program (ld65, cl65) and give what comes out"),
    (b"VOBJ", "an object file of vasm that is not linked yet: link it (vlink) and give what comes out"),
    (b"\x7FELF", "an ELF file: have the linker or objcopy make a raw image of it (objcopy -O binary)"),
    (b"!<arch>\n", "a library of object files: link it with a program and give what comes out"),
];

/// The bytes after a byte order mark, if there is one.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// The format that the first line with anything in it is a record of.
pub(super) fn record_format(bytes: &[u8]) -> Option<Format> {
    let lines = without_mark(bytes).split(|&byte| byte == b'\n' || byte == b'\r').map(trim);
    let is_hex = |text: &[u8]| text.len() >= 8 && text.iter().all(u8::is_ascii_hexdigit);
    match lines.take(LINES_MAX).find(|line| !line.is_empty())? {
        [b':', digits @ ..] if is_hex(digits) => Some(Format::IntelHex),
        [b'S' | b's', b'0'..=b'9', digits @ ..] if is_hex(digits) => Some(Format::SRecord),
        [b';', digits @ ..] if is_hex(digits) => Some(Format::PaperTape),
        _ => None,
    }
}

/// Empty lines that are looked past, and no more: it may be a ROM full of them.
const LINES_MAX: usize = 64;

/// Whether it is text: UTF-8, UTF-16 that says so, or letters of any of the old encodings of one byte each; without a
/// character that text does not have.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let is_space = |one: char| "\t\n\r\x0C\x1A".contains(one);
    let is_plain = |text: &str| text.chars().all(|one| !one.is_control() || is_space(one));
    let is_of_old_letters = || {
        let others = bytes.iter().filter(|byte| !byte.is_ascii()).count();
        others * ASCII_SHARE <= bytes.len()
            && bytes.iter().all(|&byte| !byte.is_ascii_control() || is_space(byte.into()))
    };
    let wide = |of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).skip(1).map(|pair| of([pair[0], pair[1]])).collect();
        bytes.len().is_multiple_of(2) && String::from_utf16(&units).is_ok_and(|text| is_plain(&text))
    };
    bytes.len() >= TEXT_MIN
        && match bytes {
            [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
            [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
            _ => std::str::from_utf8(bytes).map_or_else(|_| is_of_old_letters(), is_plain),
        }
}

/// What must be done first with a file that is no image yet.
pub(super) fn unlinked(bytes: &[u8]) -> Option<&'static str> {
    UNLINKED.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, kind)| *kind)
}
