//! Board descriptions and the placing of images, through the public face.

use proptest::prelude::*;

use super::*;
use crate::devices::{Context, Device};
use crate::machine::rom::{Format, RomError};
use crate::memory::{PageKind, READ_SLOW};
use crate::persist::{PersistError, Reader, Value};

const MINIMAL: &str = r#"
name = "tiny"

[cpu]
kind = "6502"
clock_hz = 1000

[[region]]
name = "rom"
kind = "rom"
start = 0xF000
end = 0xFFFF
"#;

fn problem_of(text: &str) -> (Option<usize>, BoardProblem) {
    let error = Board::from_toml(text).unwrap_err();
    (error.line, error.problem)
}

fn line_of(text: &str, needle: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(needle)).map(|index| index + 1)
}

/// The facts of the presets' chips, by kind.
fn facts(board: &Board) -> Vec<DeviceFacts> {
    let of = |kind: &str| match kind {
        "via6522" => DeviceFacts { register_count: 16, is_char: false },
        "mc6850" => DeviceFacts { register_count: 2, is_char: true },
        "mc6821" if board.name == "lab" => DeviceFacts { register_count: 4, is_char: true },
        "mc6821" => DeviceFacts { register_count: 240, is_char: true },
        "mc146818" | "random_port" => DeviceFacts { register_count: 2, is_char: false },
        "stopwatch" | "disk" | "pointer" => DeviceFacts { register_count: 12, is_char: false },
        "network" | "sound" | "display" => DeviceFacts { register_count: 16, is_char: false },
        "keyboard" => DeviceFacts { register_count: 8, is_char: false },
        "power" => DeviceFacts { register_count: 6, is_char: false },
        "sim65" => DeviceFacts { register_count: 6, is_char: true },
        _ => DeviceFacts { register_count: 4, is_char: true },
    };
    board.devices.iter().map(|device| of(&device.kind)).collect()
}

fn image(target: Target, name: &str, bytes: &[u8]) -> ImageInput {
    ImageInput { target, name: name.into(), bytes: bytes.to_vec(), format: Format::detect(Some(name), bytes) }
}

fn main_image(name: &str, bytes: &[u8]) -> ImageInput {
    image(Target::Main, name, bytes)
}

// -- Presets ------------------------------------------------------------------------------------------------------

#[test]
fn presets_are_what_their_table_says() {
    assert_eq!(
        Board::presets().collect::<Vec<_>>(),
        ["apple1", "breadboard", "lab", "py65mon", "sbc6850", "sim65"]
    );
    let maps = Board::presets().map(|name| {
        let board = Board::preset(name).unwrap();
        assert_eq!(board.name, name);
        let windows = board.windows(&facts(&board)).unwrap();
        let regions =
            board.regions.iter().map(|r| format!("{} {:04X}-{:04X}", r.kind.name(), r.start, r.end));
        let devices = windows.iter().map(|window| {
            let device = &board.devices[window.device];
            format!("{} {:04X}-{:04X} {}", device.kind, window.first, window.last, device.irq.name())
        });
        let cpu = format!("{} {}", board.cpu.kind.name(), board.cpu.clock_hz);
        [cpu].into_iter().chain(regions).chain(devices).collect::<Vec<_>>().join("; ")
    });
    assert_eq!(
        maps.collect::<Vec<_>>(),
        [
            "6502 1022727; ram 0000-7FFF; ram E000-EFFF; rom FF00-FFFF; mc6821 D010-D0FF none",
            "w65c02 1000000; ram 0000-3FFF; rom 8000-FFFF; mos6551 5000-5003 irq; via6522 6000-600F irq",
            "w65c02 2000000; ram 0000-BEFF; rom C000-FFFF; via6522 BF00-BF0F irq; mos6551 BF10-BF13 irq; \
             mc6821 BF14-BF17 irq; mc6850 BF18-BF19 irq; user BF1C-BF1F irq; mc146818 BF20-BF21 irq; \
             random_port BF24-BF25 none; stopwatch BF28-BF33 irq; power BF38-BF3D irq; disk BF40-BF4B irq; \
             network BF50-BF5F irq; sound BF60-BF6F irq; display BF70-BF7F irq; keyboard BF80-BF87 irq; \
             pointer BF88-BF93 irq",
            "w65c02 1000000; ram 0000-FFFF; py65_console F001-F004 none",
            "w65c02 1843200; ram 0000-7FFF; rom C000-FFFF; via6522 8000-800F irq; mc6850 A000-A001 irq",
            "6502 1000000; ram 0000-FFFF; sim65 FFF4-FFF9 none",
        ]
    );
    assert_eq!(Board::preset("breadboard").unwrap().rom.as_deref(), Some("monitor"));
    let error = Board::preset("beadboard").unwrap_err().to_string();
    assert!(error.contains("did you mean \"breadboard\"") && error.contains("\"sbc6850\""), "{error}");
}

#[test]
fn presets_survive_their_canonical_text() {
    for name in Board::presets() {
        let board = Board::preset(name).unwrap();
        let text = board.to_toml();
        assert_eq!(Board::from_toml(&text), Ok(board.clone()), "{text}");
        assert_eq!(Board::from_toml(&text).unwrap().to_toml(), text);
        assert_eq!(Board::from_table(&text.parse().unwrap()), Ok(board));
    }
}

#[test]
fn the_nmos_option_is_one_field() {
    let mut board = Board::preset("sbc6850").unwrap();
    board.cpu.kind = CpuKind::Mos6502;
    board.check().unwrap();
    assert_eq!(Board::from_toml(&board.to_toml()).unwrap().cpu.kind, CpuKind::Mos6502);
    assert_ne!(board, Board::preset("sbc6850").unwrap());
}

#[test]
fn the_example_of_the_manual_is_a_board() {
    let manual = include_str!("../../../docs/boards.md");
    let example = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let board = Board::from_toml(example).unwrap();
    assert_eq!((board.name.as_str(), board.unmapped), ("shed", Unmapped::Error));
    let windows = board.windows(&facts(&board)).unwrap();
    assert_eq!(windows[1], Window { device: 1, space: AddressSpace::Memory, first: 0xC010, last: 0xC01F });
    assert_eq!(board.devices[1].irq, IrqLine::Nmi);
}

#[test]
fn the_examples_of_the_device_pages_are_devices() {
    for page in [
        include_str!("../../../docs/devices/mc6850.md"),
        include_str!("../../../docs/devices/mos6551.md"),
        include_str!("../../../docs/devices/py65_console.md"),
        include_str!("../../../docs/devices/via6522.md"),
    ] {
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let board = Board::from_toml(&format!("{MINIMAL}\n{example}")).unwrap();
        assert_eq!(board.devices.len(), 1);
    }
}

// -- Texts --------------------------------------------------------------------------------------------------------

#[test]
fn what_is_left_out_has_its_default() {
    let text = format!(
        "{MINIMAL}\n[[device]]\nname = 'v'\nkind = 'via6522'\nat = 0x8000\nshade = 'blue'\ndeep = {{a = [1]}}\n"
    );
    // The text alone: the chip has no such options, as the whole check says.
    let board = parse::board(&text).unwrap();
    assert!(Board::from_toml(&text).unwrap_err().to_string().contains("deep"));
    assert_eq!((board.unmapped, board.description.as_str(), &board.console), (Unmapped::OpenBus, "", &None));
    assert_eq!(board.regions[0].fill, 0xFF, "erased");
    assert_eq!(board.devices[0].irq, IrqLine::None);
    assert_eq!(board.devices[0].options.keys().collect::<Vec<_>>(), ["deep", "shade"]);
    assert_eq!(parse::board(&board.to_toml()), Ok(board));
    let error_board = Board::from_toml(&format!("unmapped = \"error\"\n{MINIMAL}")).unwrap();
    assert_eq!(error_board.unmapped, Unmapped::Error);
}

#[test]
fn unknown_words_are_named_with_the_nearest_known_one() {
    for (from, to, word, guess) in [
        ("clock_hz", "clok_hz", "clok_hz", "clock_hz"),
        ("[[region]]", "[[regoin]]", "regoin", "region"),
        ("end =", "stop = 1\nend =", "stop", ""),
        ("\"rom\"\nstart", "\"Rom\"\nstart", "Rom", "rom"),
        ("\"6502\"", "\"6520\"", "6520", "6502"),
        ("name = \"tiny\"", "name = \"tiny\"\nconsol = \"acia\"", "consol", "console"),
    ] {
        let text = MINIMAL.replacen(from, to, 1);
        let (line, problem) = problem_of(&text);
        let BoardProblem::Unknown { word: found, suggestion, known } = &problem else {
            panic!("{problem:?}")
        };
        assert_eq!(found, word);
        assert!(!known.is_empty());
        let wanted = if guess.is_empty() { String::new() } else { format!(" (did you mean \"{guess}\"?)") };
        assert_eq!(suggestion, &wanted, "{word}");
        assert_eq!(line, line_of(&text, word), "{word}: {problem}");
    }
}

#[test]
fn problems_name_their_line() {
    let second = |start: &str, end: &str| {
        format!("{MINIMAL}\n[[region]]\nname = \"two\"\nkind = \"ram\"\nstart = {start}\nend = {end}\n")
    };
    let region_line = line_of(&second("0", "0xFF"), "name = \"two\"").map(|line| line - 1);

    let text = second("0xE000", "0xF0FF");
    let overlap = Board::from_toml(&text).unwrap_err();
    assert_eq!(overlap.line, region_line);
    assert!(
        overlap.to_string().contains("\"rom\" ($F000-$FFFF) and region \"two\" ($E000-$F0FF)"),
        "{overlap}"
    );

    let problem = problem_of(&second("0x10", "0xFF"));
    assert_eq!(
        problem,
        (region_line, BoardProblem::Unaligned { name: "two".into(), start: 0x10, end: 0xFF })
    );
    let problem = problem_of(&second("0x200", "0xFF"));
    assert_eq!(
        problem,
        (region_line, BoardProblem::Backward { name: "two".into(), start: 0x200, end: 0xFF })
    );

    for value in ["0x10000", "-1"] {
        let text = second("0", value);
        let (line, problem) = problem_of(&text);
        assert_eq!(line, line_of(&text, &format!("end = {value}")));
        assert!(matches!(problem, BoardProblem::Address { .. }), "{problem}");
        assert!(problem.to_string().contains("`end` of region \"two\""), "{problem}");
    }

    let (line, problem) = problem_of(&second("0", "0xFF").replace("\"two\"", "\"rom\""));
    assert_eq!((line, problem), (region_line, BoardProblem::SameName { what: "region", name: "rom".into() }));

    for clock in ["0", "1000000001"] {
        let text = MINIMAL.replace("clock_hz = 1000", &format!("clock_hz = {clock}"));
        let clock_hz = clock.parse().unwrap();
        assert_eq!(problem_of(&text), (line_of(&text, "clock_hz"), BoardProblem::Clock { clock_hz }));
    }
    let (line, problem) = problem_of(&MINIMAL.replace("= 1000", "= -5"));
    assert!(line.is_some() && problem.to_string().contains("\"clock_hz\""), "{problem}");
    let (_, problem) = problem_of(&MINIMAL.replace("end =", "fill = 256\nend ="));
    assert!(problem.to_string().contains("\"fill\" is to be a byte"), "{problem}");
}

#[test]
fn boards_that_cannot_be_are_refused() {
    let no_regions = &MINIMAL[..MINIMAL.find("[[region]]").unwrap()];
    assert_eq!(problem_of(no_regions).1, BoardProblem::Empty);
    assert_eq!(problem_of("").1, BoardProblem::Missing { key: "name".into(), whose: String::new() });
    assert_eq!(
        problem_of(&MINIMAL.replace("0xFFFF", "0xFEFF")),
        (None, BoardProblem::ResetVector { first: 0xFFFC, last: 0xFFFD })
    );
    assert_eq!(problem_of(&MINIMAL.replace("\"tiny\"", "\"\"")).1, BoardProblem::Unnamed { what: "board" });
    assert_eq!(
        problem_of(&MINIMAL.replace("\"rom\"\nkind", "''\nkind")).1,
        BoardProblem::Unnamed { what: "region" }
    );
    let (line, problem) = problem_of("name = \"x");
    assert!(matches!(problem, BoardProblem::Toml { .. }) && line == Some(1), "{line:?} {problem}");
    let (line, problem) = problem_of(&MINIMAL.replace("0xF000", "'F000'"));
    assert!(
        matches!(problem, BoardProblem::Toml { .. }) && line == line_of(MINIMAL, "start"),
        "{line:?} {problem}"
    );
    let huge = "#".repeat(2 << 20);
    assert!(matches!(problem_of(&huge).1, BoardProblem::TooLong { .. }));
}

#[test]
fn device_entries_are_checked() {
    let with = |keys: &str| format!("{MINIMAL}\n[[device]]\n{keys}\n");
    let line = line_of(&with("x"), "[[device]]");
    for (keys, wanted) in [
        ("kind = 'via6522'\nat = 0", "the key \"name\" is missing from a [[device]]: add it"),
        ("name = 'v'\nat = 0", "the key \"kind\" is missing from device \"v\": add it"),
        ("name = 'v'\nkind = 'via6522'", "the key \"at\" is missing from device \"v\": add it"),
        ("name = 'v'\nkind = 'k'\nat = '0'", "\"at\" is to be an address and is string \"0\""),
        ("name = 'v'\nkind = 'k'\nat = 65536", "`at` of device \"v\" is 65536 (0x10000), outside"),
        ("name = 'v'\nkind = 'k'\nat = 0\nirq = 'irg'", "(did you mean \"irq\"?)"),
        ("name = ''\nkind = 'k'\nat = 0", "a device has an empty name"),
    ] {
        let error = Board::from_toml(&with(keys)).unwrap_err();
        assert_eq!(error.line, line, "{keys}");
        assert!(error.to_string().contains(wanted), "{keys}: {error}");
    }
    let twice = with("name = 'v'\nkind = 'k'\nat = 0\n[[device]]\nname = 'v'\nkind = 'j'\nat = 9");
    let (second, problem) = problem_of(&twice);
    assert_eq!(problem, BoardProblem::SameName { what: "device", name: "v".into() });
    assert_eq!(second, line.map(|line| line + 4));
    let text = format!("console = 'acai'\n{}", with("name = 'acia'\nkind = 'k'\nat = 0"));
    let (line, problem) = problem_of(&text);
    assert_eq!(line, Some(1));
    assert!(problem.to_string().contains("did you mean \"acia\""), "{problem}");
}

#[test]
fn a_board_made_by_hand_is_checked_too() {
    let mut board = Board::preset("breadboard").unwrap();
    board.devices[0].options.insert("at".into(), toml::Value::Integer(3));
    let problem = board.check().unwrap_err().problem;
    assert!(matches!(&problem, BoardProblem::Device { name, .. } if name == "acia"), "{problem}");
    board.devices[0].options.clear();
    board.cpu.clock_hz = 0;
    assert_eq!(board.check().unwrap_err().problem, BoardProblem::Clock { clock_hz: 0 });
}

// -- Devices ------------------------------------------------------------------------------------------------------

/// A chip that does nothing, with some registers.
#[derive(Clone)]
struct Inert(DeviceFacts);

impl crate::persist::Persist for Inert {
    fn save(&self, _: &mut Vec<u8>) {}
    fn restore(&mut self, _: &mut Reader<'_>) -> Result<(), PersistError> {
        Ok(())
    }
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Device for Inert {
    fn kind(&self) -> &'static str {
        "inert"
    }
    fn register_count(&self) -> u16 {
        self.0.register_count
    }
    fn read(&mut self, _: u16, _: &mut Context<'_>) -> u8 {
        0
    }
    fn write(&mut self, _: u16, _: u8, _: &mut Context<'_>) {}
    fn peek(&self, _: u16, _: u64) -> u8 {
        0
    }
    fn next_timer(&self) -> Option<u64> {
        None
    }
    fn run_timer(&mut self, _: &mut Context<'_>) {}
    fn catch_up(&mut self, _: u64) {}
    fn irq(&self) -> Option<u64> {
        None
    }
    fn reset(&mut self, _: u64) {}
    fn is_char(&self) -> bool {
        self.0.is_char
    }
    fn clone_box(&self) -> Box<dyn Device> {
        Box::new(self.clone())
    }
}

fn create(kind: &str, options: &toml::Table) -> Result<Box<dyn Device>, String> {
    if let Some(option) = options.keys().next() {
        return Err(format!("no option \"{option}\""));
    }
    let (register_count, is_char) = match kind {
        "via6522" => (16, false),
        "mos6551" => (4, true),
        other => return Err(format!("no kind {other}")),
    };
    Ok(Box::new(Inert(DeviceFacts { register_count, is_char })))
}

#[test]
fn devices_are_made_and_their_windows_checked() {
    let board = Board::preset("breadboard").unwrap();
    let changed = |change: fn(&mut Board)| {
        let mut board = board.clone();
        change(&mut board);
        board.create_devices(create).map(|devices| devices.len()).map_err(|error| error.to_string())
    };
    assert_eq!(changed(|_| {}), Ok(2));
    assert_eq!(changed(|board| board.devices[1].at = 0x5004), Ok(2), "next to each other");
    for (change, wanted) in [
        (
            (|board| board.devices[1].at = 0x4FF4) as fn(&mut Board),
            "\"acia\" ($5000-$5003) and device \"via\" ($4FF4-$5003) overlap",
        ),
        (|board| board.devices[1].at = 0xFFF1, "\"via\" has 16 registers at $FFF1, which goes beyond $FFFF"),
        (|board| board.devices[1].kind = "via".into(), "device \"via\" (via): no kind via"),
        (
            |board| drop(board.devices[0].options.insert("x".into(), 1.into())),
            "device \"acia\" (mos6551): no option \"x\"",
        ),
        (
            |board| board.console = Some("via".into()),
            "the console is to be \"via\", a via6522, which carries no",
        ),
    ] {
        let error = changed(change).unwrap_err();
        assert!(error.contains(wanted), "{error}");
    }
}

// -- Images -------------------------------------------------------------------------------------------------------

#[test]
fn a_raw_image_ends_where_its_region_ends() {
    let board = Board::preset("sbc6850").unwrap();
    let whole = board.place(&[main_image("basic.rom", &[7; 0x4000])]).unwrap();
    assert_eq!((whole.segments[0].address, whole.segments[0].bytes.len()), (0xC000, 0x4000));
    let half = board.place(&[image(Target::Region("rom".into()), "basic.bin", &[7; 0x2000])]).unwrap();
    assert_eq!((half.segments[0].address, half.segments[0].last()), (0xE000, 0xFFFF));
    let error = board.place(&[main_image("big.bin", &[7; 0x4001])]).unwrap_err();
    assert!(matches!(error, RomError::LargerThanRegion { size: 0x4001, room: 0x4000, .. }), "{error}");
    assert!(error.to_string().contains("\"rom\" ($C000-$FFFF) 16384"), "{error}");
    let py65 = Board::preset("py65mon").unwrap();
    let forth = py65.place(&[main_image("forth.bin", &[7; 0x8000])]).unwrap();
    assert_eq!(forth.segments[0].address, 0x8000, "RAM takes images too, beneath the console");
    let all = py65.place(&[main_image("test.bin", &[7; 0x10000])]).unwrap();
    assert_eq!(all.segments[0].address, 0);
    assert_eq!(py65.place(&[]), Ok(MemoryImage::default()), "RAM can be filled by hand");
}

#[test]
fn images_with_addresses_keep_them_unless_told_otherwise() {
    let py65 = Board::preset("py65mon").unwrap();
    let prg = [0x00, 0x04, 1, 2, 3];
    let at = |target| py65.place(&[image(target, "p.prg", &prg)]).map(|image| image.segments[0].address);
    assert_eq!(at(Target::Main), Ok(0x0400));
    assert_eq!(at(Target::Address(0x0200)), Ok(0x0200));
    assert_eq!(at(Target::Region("ram".into())), Ok(0x0400));
    let error = at(Target::Region("rom".into())).unwrap_err();
    assert!(error.to_string().contains("has \"ram\""), "{error}");
    let board = Board::preset("breadboard").unwrap();
    let outside = board.place(&[image(Target::Region("rom".into()), "p.prg", &prg)]).unwrap_err();
    assert!(matches!(outside, RomError::OutsideRegion { address: 0x0400, .. }), "{outside}");
    let s19 = "S107FFFC008011224A\nS90380007C";
    let image = py65.place(&[main_image("x.s19", s19.as_bytes())]).unwrap();
    assert_eq!(image.start, Some(0x8000));
    assert_eq!(image.segments[0].bytes, [0x00, 0x80, 0x11, 0x22]);
}

#[test]
fn an_o65_goes_to_the_start_of_a_region() {
    let mut o65 = vec![1, 0, b'o', b'6', b'5', 0, 0, 0];
    for word in [0x1000u16, 4, 0x0400, 1, 0x4000, 0, 0, 0, 0] {
        o65.extend_from_slice(&word.to_le_bytes());
    }
    o65.extend_from_slice(&[0, 0x4C, 0x00, 0x10, 0xEA, 9, 0, 0, 2, 0x82, 0, 0, 0, 0]);
    let py65 = Board::preset("py65mon").unwrap();
    let addresses = |target| {
        let image = py65.place(&[image(target, "x.o65", &o65)]).unwrap();
        image.segments.iter().map(|segment| (segment.address, segment.bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(addresses(Target::Main), [(0x0400, vec![9]), (0x1000, vec![0x4C, 0x00, 0x10, 0xEA])]);
    assert_eq!(
        addresses(Target::Address(0x2000)),
        [(0x0400, vec![9]), (0x2000, vec![0x4C, 0x00, 0x20, 0xEA])]
    );
    let mut board = Board::preset("breadboard").unwrap();
    board.cpu.reset_vector = Some(0x8000);
    let image = board.place(&[image(Target::Region("rom".into()), "x.o65", &o65)]).unwrap();
    assert_eq!(image.segments[1].bytes, [0x4C, 0x00, 0x80, 0xEA]);
    assert_eq!(image.segments[2].bytes, [0x00, 0x80], "the reset vector is laid over the images");
}

#[test]
fn images_must_find_memory_and_room() {
    let board = Board::preset("breadboard").unwrap();
    let rom = main_image("rom.bin", &[0xEA; 0x8000]);
    let beside = |target, name, bytes: &[u8]| board.place(&[rom.clone(), image(target, name, bytes)]);
    assert!(beside(Target::Address(0x3FFF), "data.bin", &[1]).is_ok());
    let io = beside(Target::Address(0x3FFF), "data.bin", &[1; 0x2000]).unwrap_err().to_string();
    assert!(io.contains("data.bin has bytes at $4000") && io.contains("ram is $0000-$3FFF"), "{io}");
    let device = beside(Target::Address(0x5002), "data.bin", &[1]).unwrap_err().to_string();
    assert!(device.contains("device \"acia\" (at $5000)"), "{device}");
    let overlap = beside(Target::Address(0x9000), "data.bin", &[1]).unwrap_err();
    let (first, second) = ("rom.bin".into(), "data.bin".into());
    assert_eq!(overlap, RomError::ImagesOverlap { first, second, address: 0x9000 });
    assert!(matches!(board.place(&[]), Err(RomError::NoImage { .. })));
    let low = board.place(&[image(Target::Address(0x8000), "low.bin", &[1])]).unwrap_err().to_string();
    assert!(low.contains("(low.bin)") && low.contains("reset_vector"), "{low}");
    assert!(matches!(board.place(&[main_image("e.bin", &[])]), Err(RomError::Empty { .. })));
}

#[test]
fn the_built_in_rom_stands_in_for_a_missing_one_only() {
    let board = Board::preset("breadboard").unwrap();
    let monitor = main_image("monitor", &[0xEA; 0x8000]);
    let program = image(Target::Address(0x0200), "p.bin", &[1, 2]);
    let own = main_image("own.bin", &[0x11; 0x8000]);
    let place = |images: &[ImageInput]| board.place_over(images, &monitor).unwrap().segments;
    assert_eq!(place(&[]).len(), 1);
    assert_eq!(
        place(std::slice::from_ref(&program)).iter().map(|s| s.address).collect::<Vec<_>>(),
        [0x0200, 0x8000]
    );
    assert_eq!(place(&[own, program])[1].bytes[0], 0x11);
    let broken = image(Target::Address(0x5000), "p.bin", &[1]);
    assert!(matches!(board.place_over(&[broken], &monitor), Err(RomError::NoMemory { .. })));
}

#[test]
fn memory_at_power_on_is_fill_then_images() {
    let mut board = Board::preset("breadboard").unwrap();
    board.regions[0].fill = 0xA5;
    let image = board.place(&[main_image("m.bin", &[1, 2, 3, 4, 5, 6])]).unwrap();
    let windows = board.windows(&facts(&board)).unwrap();
    let mut memory = board.memory(&image, &windows).unwrap();
    assert_eq!(memory.read_fast(0x0000), Some(0xA5));
    assert_eq!(memory.read_fast(0x8000), Some(0xFF));
    assert_eq!(memory.read_fast(0xFFFA), Some(1));
    assert!(memory.write_fast(0x3FFF, 1));
    assert!(memory.is_io(0x50) && memory.is_io(0x60) && !memory.is_io(0x51));
    assert_eq!((memory.kind(0x50), memory.flags(0x50) & READ_SLOW), (PageKind::Unmapped, READ_SLOW));
    let other = Board::preset("sbc6850").unwrap();
    let image = board.place(&[main_image("m.bin", &[1; 0x8000])]).unwrap();
    assert!(other.memory(&image, &[]).is_err(), "an image of another board");
}

#[test]
fn memory_images_survive_being_saved() {
    let board = Board::preset("breadboard").unwrap();
    let placed = board
        .place(&[main_image("m.bin", &[1; 9]), image(Target::Address(0x0200), "p.bin", &[1, 2])])
        .unwrap();
    let mut saved = Vec::new();
    placed.save(&mut saved);
    let read = |bytes: &[u8], board: &Board| MemoryImage::read(&mut Reader::new(bytes), board);
    assert_eq!(read(&saved, &board), Ok(placed.clone()));
    assert_eq!(read(&saved, &board).unwrap().digest(), placed.digest());
    assert!(read(&saved, &Board::from_toml(MINIMAL).unwrap()).is_err(), "no RAM there");
    for length in 0..saved.len() {
        assert!(read(&saved[..length], &board).is_err());
    }
    saved[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read(&saved, &board).is_err());
}

// -- Anything -----------------------------------------------------------------------------------------------------

fn any_value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
        (-1e300..1e300).prop_map(toml::Value::from),
        any::<String>().prop_map(toml::Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(toml::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..3)
                .prop_map(|map| toml::Value::Table(map.into_iter().collect())),
        ]
    })
}

fn any_region() -> impl Strategy<Value = (RegionKind, u8)> {
    (prop::sample::select(vec![RegionKind::Ram, RegionKind::Rom]), any::<u8>())
}

fn any_device() -> impl Strategy<Value = DeviceSpec> {
    let options = prop::collection::btree_map(any::<String>(), any_value(), 0..4);
    let irq = prop::sample::select(vec![IrqLine::None, IrqLine::Irq, IrqLine::Nmi]);
    (any::<String>(), any::<u16>(), irq, options).prop_map(|(kind, at, irq, options)| DeviceSpec {
        space: AddressSpace::Memory,
        name: String::new(),
        kind,
        at,
        irq,
        options: options
            .into_iter()
            .filter(|(key, _)| !super::parse::DEVICE_KEYS.contains(&key.as_str()))
            .collect(),
    })
}

/// Boards that hold together, with whatever texts in them.
fn any_board() -> impl Strategy<Value = Board> {
    let texts = (any::<String>(), any::<String>(), prop::option::of(any::<String>()));
    let cpu = (
        prop::sample::select(vec![CpuKind::W65c02, CpuKind::Mos6502]),
        1u64..=1_000_000_000,
        prop::option::of(any::<u16>()),
    );
    let unmapped = prop::sample::select(vec![Unmapped::OpenBus, Unmapped::Error]);
    let regions = prop::collection::vec(any_region(), 1..5);
    let devices = prop::collection::vec(any_device(), 0..4);
    (texts, cpu, unmapped, regions, devices).prop_map(
        |((name, description, rom), cpu, unmapped, regions, devices)| {
            let count = regions.len();
            let place = |(index, (kind, fill)): (usize, (RegionKind, u8))| {
                let start = (index as u16) * 0x2000;
                let end = if index + 1 == count { 0xFFFF } else { start + 0x1EFF };
                Region { name: format!("{index} \"r\"\n"), kind, start, end, fill }
            };
            let devices: Vec<DeviceSpec> = devices
                .into_iter()
                .enumerate()
                .map(|(index, device)| DeviceSpec { name: format!("d{index}{}", device.kind), ..device })
                .collect();
            Board {
                name: format!("b{name}"),
                description,
                unmapped,
                console: devices.last().map(|device| device.name.clone()),
                rom,
                cpu: Cpu { kind: cpu.0, clock_hz: cpu.1, reset_vector: cpu.2 },
                regions: regions.into_iter().enumerate().map(place).collect(),
                devices,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn canonical_text_round_trips(board in any_board()) {
        prop_assert_eq!(board.check(), Ok(()));
        let text = board.to_toml();
        let again = parse::board(&text);
        prop_assert_eq!(again.as_ref(), Ok(&board), "{}", text);
        prop_assert_eq!(again.unwrap().to_toml(), text);
    }

    #[test]
    fn damaged_descriptions_never_panic(
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        instead in prop_oneof!["\\PC{0,12}", "(0x)?[0-9]{1,20}", Just("[[device]]\n".to_string())],
        preset in prop::sample::select(Board::presets().collect::<Vec<_>>()),
    ) {
        let text = Board::preset(preset).unwrap().to_toml();
        let start = at.index(text.len());
        let end = (start + length).min(text.len());
        let damaged = format!("{}{instead}{}", &text[..start], &text[end..]);
        match Board::from_toml(&damaged) {
            Ok(board) => {
                prop_assert_eq!(Board::from_toml(&board.to_toml()), Ok(board.clone()));
                let _ = board.windows(&facts(&board));
                let _ = board.place(&[main_image("x.bin", &[1; 300])]);
            }
            Err(error) => prop_assert!(error.line.is_none_or(|line| line <= damaged.lines().count() + 1), "{error}"),
        }
    }

    /// Whatever images go wherever, what is placed lies in regions and holds the images' bytes.
    #[test]
    fn placed_bytes_are_the_images(
        images in prop::collection::vec((0u16.., prop::collection::vec(any::<u8>(), 1..3000)), 0..4),
        preset in prop::sample::select(Board::presets().collect::<Vec<_>>()),
    ) {
        let board = Board::preset(preset).unwrap();
        let mut inputs: Vec<_> = images.iter().map(|(at, bytes)| image(Target::Address(*at), "i.bin", bytes)).collect();
        inputs.push(main_image("rom.bin", &[0xEA; 6]));
        if let Ok(placed) = board.place(&inputs) {
            let total: usize = placed.segments.iter().map(|segment| segment.bytes.len()).sum();
            prop_assert_eq!(total, 6 + images.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
            let memory = board.memory(&placed, &[]).unwrap();
            for (at, bytes) in images {
                prop_assert_eq!(&memory.bytes()[usize::from(at)..][..bytes.len()], &bytes[..]);
            }
        }
    }
}
