//! From a [`Board`] to its canonical TOML text: fixed order, addresses in hexadecimal, every default written out.

use std::fmt::Write;

use super::{AddressSpace, Board};

pub(super) fn board(board: &Board) -> String {
    let mut out = String::new();
    write_board(board, &mut out).expect("writing to a String cannot fail");
    out
}

fn write_board(board: &Board, out: &mut String) -> std::fmt::Result {
    writeln!(out, "name = {}", quoted(&board.name))?;
    writeln!(out, "description = {}", quoted(&board.description))?;
    writeln!(out, "unmapped = \"{}\"", board.unmapped.name())?;
    if let Some(console) = &board.console {
        writeln!(out, "console = {}", quoted(console))?;
    }
    if let Some(rom) = &board.rom {
        writeln!(out, "rom = {}", quoted(rom))?;
    }
    writeln!(out, "\n[cpu]\nkind = \"{}\"\nclock_hz = {}", board.cpu.kind.name(), board.cpu.clock_hz)?;
    if let Some(address) = board.cpu.reset_vector {
        writeln!(out, "reset_vector = 0x{address:04X}")?;
    }
    for region in &board.regions {
        writeln!(out, "\n[[region]]\nname = {}\nkind = \"{}\"", quoted(&region.name), region.kind.name())?;
        writeln!(out, "start = 0x{:04X}\nend = 0x{:04X}", region.start, region.end)?;
        writeln!(out, "fill = 0x{:02X}", region.fill)?;
    }
    for device in &board.devices {
        writeln!(out, "\n[[device]]\nname = {}\nkind = {}", quoted(&device.name), quoted(&device.kind))?;
        if device.space != AddressSpace::Memory {
            // Left out where it is the usual one: the text is a recording's identity, and older ones do not have it.
            writeln!(out, "space = \"{}\"", device.space.name())?;
        }
        writeln!(out, "at = 0x{:04X}\nirq = \"{}\"", device.at, device.irq.name())?;
        for (key, value) in &device.options {
            writeln!(out, "{} = {value}", quoted_key(key))?;
        }
    }
    Ok(())
}

/// A basic string on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            _ if letter.is_control() => out += &format!("\\u{:04X}", u32::from(letter)),
            _ => out.push(letter),
        }
    }
    out + "\""
}

fn quoted_key(key: &str) -> String {
    let bare =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { key.into() } else { quoted(key) }
}
