//! From TOML text to a [`Board`].

use serde::Deserialize;
use toml::{Spanned, Table, Value};

use super::check::Subject;
use super::error::{list, suggestion};
use super::{
    AddressSpace, Board, BoardError, BoardProblem, Cpu, CpuKind, DeviceSpec, IrqLine, Region, RegionKind,
    Unmapped,
};

/// The longest text looked at.
const TEXT_SIZE_MAX: usize = 1 << 20;

/// The keys of a `[[device]]` that are the board's; all others are the device's options.
pub(super) const DEVICE_KEYS: [&str; 5] = ["name", "kind", "space", "at", "irq"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BoardText {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    unmapped: Unmapped,
    console: Option<Spanned<String>>,
    rom: Option<String>,
    cpu: Spanned<CpuText>,
    #[serde(default)]
    region: Vec<Spanned<RegionText>>,
    #[serde(default)]
    device: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CpuText {
    #[serde(deserialize_with = "cpu_by_name")]
    kind: CpuKind,
    clock_hz: Spanned<i64>,
    reset_vector: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionText {
    name: String,
    kind: RegionKind,
    start: Spanned<i64>,
    end: Spanned<i64>,
    fill: Option<Spanned<i64>>,
}

pub(super) fn board(text: &str) -> Result<Board, BoardError> {
    if text.len() > TEXT_SIZE_MAX {
        return Err(BoardProblem::TooLong { size: text.len(), limit: TEXT_SIZE_MAX }.into());
    }
    let read: BoardText = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    let source = Source { text };
    let lines = Lines {
        console: read.console.as_ref().map(|console| source.line(console.span().start)),
        clock: source.line(read.cpu.get_ref().clock_hz.span().start),
        regions: read.region.iter().map(|region| source.line(region.span().start)).collect(),
        devices: read.device.iter().map(|device| source.line(device.span().start)).collect(),
    };
    let board = Board {
        name: read.name,
        description: read.description,
        unmapped: read.unmapped,
        console: read.console.map(Spanned::into_inner),
        rom: read.rom,
        cpu: source.cpu(read.cpu.into_inner())?,
        regions: read
            .region
            .into_iter()
            .map(|region| source.region(region.into_inner()))
            .collect::<Result<_, _>>()?,
        devices: read.device.into_iter().map(|device| source.device(device)).collect::<Result<_, _>>()?,
    };
    match board.find_problem() {
        None => Ok(board),
        Some((subject, problem)) => Err(BoardError { line: lines.of(subject), problem }),
    }
}

/// Where the parts stand, for problems found when all are known.
struct Lines {
    console: Option<usize>,
    clock: usize,
    regions: Vec<usize>,
    devices: Vec<usize>,
}

impl Lines {
    fn of(&self, subject: Subject) -> Option<usize> {
        match subject {
            Subject::Board => None,
            Subject::Console => self.console,
            Subject::Clock => Some(self.clock),
            Subject::Region(index) => self.regions.get(index).copied(),
            Subject::Device(index) => self.devices.get(index).copied(),
        }
    }
}

struct Source<'a> {
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count()
    }

    fn address(&self, what: String, value: &Spanned<i64>) -> Result<u16, BoardError> {
        u16::try_from(*value.get_ref()).map_err(|_| BoardError {
            line: Some(self.line(value.span().start)),
            problem: BoardProblem::Address { what, value: *value.get_ref() },
        })
    }

    fn cpu(&self, read: CpuText) -> Result<Cpu, BoardError> {
        let line = Some(self.line(read.clock_hz.span().start));
        let clock_hz = u64::try_from(*read.clock_hz.get_ref()).map_err(|_| {
            let found = read.clock_hz.get_ref().to_string();
            let problem =
                BoardProblem::Value { key: "clock_hz".into(), expected: "a positive number", found };
            BoardError { line, problem }
        })?;
        let reset_vector =
            read.reset_vector.map(|address| self.address("the reset vector".into(), &address)).transpose()?;
        Ok(Cpu { kind: read.kind, clock_hz, reset_vector })
    }

    fn region(&self, read: RegionText) -> Result<Region, BoardError> {
        let name = read.name;
        let start = self.address(format!("`start` of region \"{name}\""), &read.start)?;
        let end = self.address(format!("`end` of region \"{name}\""), &read.end)?;
        let fill = match read.fill {
            None => read.kind.default_fill(),
            Some(fill) => u8::try_from(*fill.get_ref()).map_err(|_| BoardError {
                line: Some(self.line(fill.span().start)),
                problem: BoardProblem::Value {
                    key: "fill".into(),
                    expected: "a byte, 0x00 to 0xFF",
                    found: fill.get_ref().to_string(),
                },
            })?,
        };
        Ok(Region { name, kind: read.kind, start, end, fill })
    }

    fn device(&self, read: Spanned<Table>) -> Result<DeviceSpec, BoardError> {
        let line = Some(self.line(read.span().start));
        device(read.into_inner()).map_err(|problem| BoardError { line, problem })
    }
}

/// Takes the board's keys out of the table and leaves the rest as options.
fn device(mut table: Table) -> Result<DeviceSpec, BoardProblem> {
    let whose = match table.get("name") {
        Some(Value::String(name)) => format!(" from device \"{name}\""),
        _ => " from a [[device]]".into(),
    };
    let mut text = |key: &str| match table.remove(key) {
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(wrong(key, "a text", &other)),
        None => Ok(None),
    };
    let missing = |key: &str| BoardProblem::Missing { key: key.into(), whose: whose.clone() };
    let name = text("name")?.ok_or_else(|| missing("name"))?;
    let kind = text("kind")?.ok_or_else(|| missing("kind"))?;
    let irq = match text("irq")? {
        None => IrqLine::default(),
        Some(word) => one_of(&word, [IrqLine::Irq, IrqLine::Nmi, IrqLine::None], IrqLine::name)?,
    };
    let space = match text("space")? {
        None => AddressSpace::default(),
        Some(word) => one_of(&word, [AddressSpace::Memory, AddressSpace::Io], AddressSpace::name)?,
    };
    let at = match table.remove("at") {
        Some(Value::Integer(value)) => u16::try_from(value)
            .map_err(|_| BoardProblem::Address { what: format!("`at` of device \"{name}\""), value })?,
        Some(other) => return Err(wrong("at", "an address", &other)),
        None => return Err(missing("at")),
    };
    Ok(DeviceSpec { name, kind, space, at, irq, options: table })
}

/// The one of a few that has this name.
fn one_of<T: Copy, const N: usize>(
    word: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, BoardProblem> {
    let names = || all.into_iter().map(&name);
    all.into_iter().find(|one| name(*one) == word).ok_or_else(|| BoardProblem::Unknown {
        word: word.into(),
        suggestion: suggestion(word, names()),
        known: list(names()),
    })
}

fn wrong(key: &str, expected: &'static str, found: &Value) -> BoardProblem {
    BoardProblem::Value { key: key.into(), expected, found: format!("{} {found}", found.type_str()) }
}

/// Adds the line, and a guess at what was meant. serde words its errors "unknown field `x`, expected `y` or `z`",
/// "unknown variant ..." and "missing field `x`"; anything else is passed on.
fn toml_error(text: &str, error: &toml::de::Error) -> BoardError {
    let message = error.message();
    let line = error.span().map(|span| Source { text }.line(span.start));
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let problem = match quoted.next() {
        Some(word) if unknown => {
            let known: Vec<&str> = quoted.collect();
            BoardProblem::Unknown {
                word: word.into(),
                suggestion: suggestion(word, known.iter().copied()),
                known: list(known),
            }
        }
        Some(key) if message.starts_with("missing field") => {
            BoardProblem::Missing { key: key.into(), whose: String::new() }
        }
        _ => BoardProblem::Toml { message: message.replace('\n', ", ") },
    };
    BoardError { line, problem }
}

fn cpu_by_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<CpuKind, D::Error> {
    let name = String::deserialize(deserializer)?;
    // Worded as serde words it, for `toml_error`.
    CpuKind::by_name(&name).ok_or_else(|| {
        let known: Vec<String> = CpuKind::names().map(|name| format!("`{name}`")).collect();
        let known = known.join(", ");
        serde::de::Error::custom(format_args!("unknown variant `{name}`, expected one of {known}"))
    })
}

/// A processor by name, for boards that are changed by a word.
pub(super) fn cpu_kind(name: &str) -> Result<CpuKind, BoardError> {
    CpuKind::by_name(name).ok_or_else(|| BoardError::unknown(name, CpuKind::names()))
}
