//! Boards from a fuzzer's bytes: many hold, some do not.

use super::scenario::many;
use arbitrary::{Result as Taken, Unstructured};
use rreplay::machine::AddressSpace;
use rreplay::machine::board::{Board, Cpu, CpuKind, DeviceSpec, IrqLine, Region, RegionKind, Unmapped};

const REGIONS_MAX: usize = 5;
const DEVICES_MAX: usize = 6;
const OPTIONS_MAX: usize = 2;
/// The last is none.
const KINDS: [&str; 5] = ["mos6551", "mc6850", "via6522", "py65_console", "mos6550"];
const OPTION_KEYS: [&str; 5] = ["crystal_hz", "external_clock_hz", "clock_hz", "flow", "shade"];

/// A board whose last region ends at the end of memory.
pub(super) fn any_board(u: &mut Unstructured<'_>) -> Taken<Board> {
    let cpu = Cpu {
        kind: *u.choose(&[CpuKind::W65c02, CpuKind::Mos6502])?,
        clock_hz: *u.choose(&[1_000_000, 1, 1_843_200, 1_000_000_000, 32_768, 0])?
            + u64::from(u.arbitrary::<u8>()?),
        reset_vector: u.arbitrary()?,
    };
    let mut regions = regions(u)?;
    if let Some(last) = regions.last_mut() {
        last.end = 0xFFFF;
    }
    let mut devices = Vec::new();
    for number in 0..u.int_in_range(0..=DEVICES_MAX)? {
        devices.push(device(u, number)?);
    }
    let console = match devices.as_slice() {
        [] => None,
        devices => Some(u.choose(devices)?.name.clone()),
    };
    let console = if u.ratio(1, 4)? { None } else { console };
    Ok(Board {
        name: name(u, "board")?,
        description: u.arbitrary()?,
        unmapped: if u.arbitrary()? { Unmapped::OpenBus } else { Unmapped::Error },
        console,
        rom: if u.ratio(1, 8)? { Some("monitor".into()) } else { None },
        cpu,
        regions,
        devices,
    })
}

/// One after the other, with gaps.
fn regions(u: &mut Unstructured<'_>) -> Taken<Vec<Region>> {
    let mut regions = Vec::new();
    let mut page: u32 = 0;
    for number in 0..u.int_in_range(1..=REGIONS_MAX)? {
        let first = page + u32::from(u.arbitrary::<u8>()? % 32);
        let last = first + u32::from(u.arbitrary::<u8>()? % 96);
        if last > 0xFF {
            break;
        }
        page = last + 1;
        regions.push(Region {
            name: name(u, &format!("region {number}"))?,
            kind: if u.arbitrary()? { RegionKind::Rom } else { RegionKind::Ram },
            start: (first as u16) << 8,
            end: (last as u16) << 8 | 0xFF,
            fill: u.arbitrary()?,
        });
    }
    Ok(regions)
}

fn device(u: &mut Unstructured<'_>, number: usize) -> Taken<DeviceSpec> {
    let mut options = toml::Table::new();
    let kind = (*u.choose(&KINDS)?).to_owned();
    for _ in 0..u.int_in_range(0..=OPTIONS_MAX)? {
        let key = (*u.choose(&OPTION_KEYS)?).to_owned();
        options.insert(key, value(u)?);
    }
    if u.ratio(3, 4)? {
        options.clear();
    }
    Ok(DeviceSpec {
        name: name(u, &format!("device {number}"))?,
        kind,
        space: AddressSpace::Memory,
        at: u.arbitrary()?,
        irq: *u.choose(&[IrqLine::Irq, IrqLine::Nmi, IrqLine::None])?,
        options,
    })
}

fn value(u: &mut Unstructured<'_>) -> Taken<toml::Value> {
    Ok(match u.int_in_range(0..=4)? {
        0 | 1 => toml::Value::Integer(u.arbitrary::<u32>()?.into()),
        2 => toml::Value::String((*u.choose(&["none", "handshake", "Handshake", ""])?).into()),
        3 => toml::Value::Integer(u.arbitrary()?),
        _ => toml::Value::Float(u.arbitrary()?),
    })
}

/// The usual name, or any letters after it.
fn name(u: &mut Unstructured<'_>, usual: &str) -> Taken<String> {
    let letters: Vec<char> = many(u, 6)?;
    Ok(usual.chars().chain(letters).collect())
}
