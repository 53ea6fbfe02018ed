//! Image formats: round trips through writers of our own, each kind of damage, and arbitrary bytes.

use proptest::prelude::*;

use super::*;

mod records;

// -- Writers ----------------------------------------------------------------------------------------------------

fn hex_record(kind: u8, address: u16, data: &[u8]) -> String {
    let mut bytes = vec![data.len() as u8, (address >> 8) as u8, address as u8, kind];
    bytes.extend_from_slice(data);
    bytes.push(bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte)));
    bytes.iter().fold(":".into(), |line, byte| line + &format!("{byte:02X}"))
}

fn write_hex(segments: &[Segment], chunk: usize) -> String {
    let mut out = String::new();
    for segment in segments {
        for (index, data) in segment.bytes.chunks(chunk).enumerate() {
            out += &hex_record(0, segment.address + (index * chunk) as u16, data);
            out += "\r\n";
        }
    }
    out + ":00000001FF\r\n"
}

fn s_record(kind: u8, address: u32, data: &[u8]) -> String {
    let width = match kind {
        0 | 1 | 5 | 9 => 2,
        2 | 6 | 8 => 3,
        _ => 4,
    };
    let mut bytes = vec![(width + data.len() + 1) as u8];
    bytes.extend_from_slice(&address.to_be_bytes()[4 - width..]);
    bytes.extend_from_slice(data);
    bytes.push(!bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    bytes.iter().fold(format!("S{kind}"), |line, byte| line + &format!("{byte:02X}"))
}

fn write_s_records(segments: &[Segment], kind: u8, chunk: usize) -> String {
    let mut lines = vec![s_record(0, 0, &[0xFF, b'x'])];
    for segment in segments {
        for (index, data) in segment.bytes.chunks(chunk).enumerate() {
            lines.push(s_record(kind, u32::from(segment.address) + (index * chunk) as u32, data));
        }
    }
    let count = lines.len() as u32 - 1;
    lines.push(s_record(if count > 0xFFFF { 6 } else { 5 }, count, &[]));
    lines.push(s_record(10 - kind, 0x1234, &[]));
    lines.join("\n") + "\n"
}

fn tape_record(address: u16, data: &[u8]) -> String {
    let [high, low] = address.to_be_bytes();
    let mut bytes = [&[data.len() as u8, high, low], data].concat();
    let sum = bytes.iter().fold(0u16, |sum, byte| sum + u16::from(*byte));
    bytes.extend(sum.to_be_bytes());
    bytes.iter().fold(";".into(), |line, byte| line + &format!("{byte:02X}"))
}

fn write_paper_tape(segments: &[Segment], chunk: usize) -> String {
    let mut lines = Vec::new();
    for segment in segments {
        for (index, data) in segment.bytes.chunks(chunk).enumerate() {
            lines.push(tape_record(segment.address + (index * chunk) as u16, data));
        }
    }
    lines.push(tape_record(lines.len() as u16, &[]));
    // As a KIM-1 punches it: blank tape after each line, and XOFF at the end.
    lines.join("\r\n\0\0\0\0\0\0") + "\r\n\x13"
}

/// An o65 file: header fields, then text, data, one relocation table each, `undefined` names.
struct O65 {
    mode: u16,
    text: (u16, Vec<u8>),
    data: (u16, Vec<u8>),
    bss_base: u16,
    /// (offset, type and segment, low byte of a HIGH)
    text_relocations: Vec<(usize, u8, Option<u8>)>,
    undefined: Vec<&'static str>,
}

impl Default for O65 {
    fn default() -> Self {
        Self {
            mode: 0,
            text: (0x1000, vec![0xEA; 16]),
            data: (0x0400, Vec::new()),
            bss_base: 0x4000,
            text_relocations: Vec::new(),
            undefined: Vec::new(),
        }
    }
}

impl O65 {
    fn write(&self) -> Vec<u8> {
        let mut out = vec![1, 0, b'o', b'6', b'5', 0];
        let lengths = [self.text.1.len() as u16, self.data.1.len() as u16, 16];
        let words = [
            [self.mode, self.text.0, lengths[0]],
            [self.data.0, lengths[1], self.bss_base],
            [lengths[2], 0x0010, 2],
            [0, 0, 0],
        ];
        let words = words.concat();
        words[..10].iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        out.extend_from_slice(&[4, 0, b't', 0, 0]); // an option, and their end
        out.extend_from_slice(&self.text.1);
        out.extend_from_slice(&self.data.1);
        out.extend_from_slice(&(self.undefined.len() as u16).to_le_bytes());
        self.undefined.iter().for_each(|name| out.extend(name.bytes().chain([0])));
        let mut next = 0;
        for &(at, kind, low) in &self.text_relocations {
            let mut distance = at + 1 - next;
            next = at + 1;
            while distance > 254 {
                out.push(255);
                distance -= 254;
            }
            out.extend_from_slice(&[distance as u8, kind]);
            out.extend(low);
        }
        out.extend_from_slice(&[0, 0, 1, 0]); // both tables end, one exported label
        out.extend_from_slice(b"main\0\x02\x00\x10");
        out
    }

    fn problem(&self, placement: Placement) -> O65Problem {
        match load("t.o65", &self.write(), Format::O65, placement) {
            Err(RomError::O65 { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }
}

fn stored(bytes: &[u8], format: Format) -> Result<RomImage, RomError> {
    load("rom", bytes, format, Placement::Stored)
}

fn segments(list: &[(u16, &[u8])]) -> Vec<Segment> {
    list.iter().map(|&(address, bytes)| Segment { address, bytes: bytes.to_vec() }).collect()
}

// -- Names and contents -------------------------------------------------------------------------------------------

#[test]
fn formats_are_known_by_name_or_by_content() {
    assert_eq!(Format::from_name("a/b.d/Rom.HEX"), Some(Format::IntelHex));
    assert_eq!(Format::from_name("osi.s19"), Some(Format::SRecord));
    assert_eq!(Format::from_name("v1.2/rom"), None);
    assert_eq!(Format::from_name("rom.weird"), None);
    assert_eq!(Format::detect(Some("rom.bin"), b":00000001FF"), Format::Bin, "the name decides");
    assert_eq!(Format::detect(Some("rom.txt"), b":00000001FF\r\n"), Format::IntelHex);
    assert_eq!(Format::detect(None, b"S1137AF00A0A0D0000000000000000000000000061\n"), Format::SRecord);
    assert_eq!(Format::detect(None, &O65::default().write()), Format::O65);
    assert_eq!(Format::detect(None, b":-) hello"), Format::Text);
    assert_eq!(Format::detect(None, b":-)\0 hello"), Format::Bin);
    assert_eq!(Format::detect(None, b""), Format::Bin);
}

#[test]
fn raw_images_go_where_they_are_told() {
    let place = |placement| load("rom.bin", &[1, 2, 3], Format::Bin, placement);
    let at = |address| Ok(segments(&[(address, &[1, 2, 3])]));
    assert_eq!(place(Placement::At(0x8000)).map(|image| image.segments), at(0x8000));
    assert_eq!(place(Placement::At(0xFFFD)).map(|image| image.segments), at(0xFFFD));
    assert_eq!(place(Placement::EndingAt(0xFFFF)).map(|image| image.segments), at(0xFFFD));
    assert_eq!(place(Placement::EndingAt(2)).map(|image| image.segments), at(0));
    assert!(matches!(place(Placement::EndingAt(1)), Err(RomError::BelowZero { last: 1, .. })));
    assert!(matches!(place(Placement::At(0xFFFE)), Err(RomError::PastEnd { address: 0xFFFE, .. })));
    let error = place(Placement::Stored).unwrap_err().to_string();
    assert!(error.contains("rom.bin") && error.contains("0x8000"), "{error}");
    let whole = load("all", &[7; 0x10000], Format::Bin, Placement::EndingAt(0xFFFF)).unwrap();
    assert_eq!(whole.span(), Some((0, 0xFFFF)));
    let too_large = load("all", &[7; 0x10001], Format::Bin, Placement::At(0));
    assert!(matches!(too_large, Err(RomError::TooLarge { size: 0x10001, limit: 0x10000, .. })));
}

#[test]
fn an_empty_file_is_an_error_in_every_format() {
    for format in [Format::Bin, Format::IntelHex, Format::SRecord, Format::Prg, Format::O65] {
        assert_eq!(stored(b"", format), Err(RomError::Empty { name: "rom".into() }), "{format:?}");
    }
    for (bytes, format) in [
        (&b":00000001FF"[..], Format::IntelHex),
        (b"S9030000FC", Format::SRecord),
        (b"\x00\x10", Format::Prg),
    ] {
        assert_eq!(stored(bytes, format), Err(RomError::NoData { name: "rom".into() }), "{format:?}");
    }
    let huge = vec![b'\n'; FILE_SIZE_MAX + 1];
    assert!(matches!(stored(&huge, Format::IntelHex), Err(RomError::TooLarge { .. })));
}

#[test]
fn prg_has_its_address_in_front() {
    let image = stored(&[0x01, 0x08, 0xAA, 0xBB], Format::Prg).unwrap();
    assert_eq!(image.segments, segments(&[(0x0801, &[0xAA, 0xBB])]));
    let moved = load("p", &[0x01, 0x08, 0xAA, 0xBB], Format::Prg, Placement::At(0x2000)).unwrap();
    assert_eq!(moved.segments, segments(&[(0x2000, &[0xAA, 0xBB])]));
    assert!(matches!(stored(&[1], Format::Prg), Err(RomError::Syntax { .. })));
    assert!(matches!(stored(&[0xFF, 0xFF, 1, 2], Format::Prg), Err(RomError::PastEnd { size: 2, .. })));
}

// -- Intel HEX ----------------------------------------------------------------------------------------------------

#[test]
fn intel_hex_addresses_and_start() {
    let text = [
        hex_record(2, 0, &[0x08, 0x00]), // segment 0800: base 8000
        hex_record(0, 0x0010, &[1, 2]),  // 8010
        hex_record(4, 0, &[0x00, 0x00]), // linear 0
        hex_record(0, 0xFFFC, &[0x10, 0x80]),
        hex_record(5, 0, &[0, 0, 0x80, 0x10]),
        hex_record(1, 0, &[]),
    ]
    .join("\n");
    let image = stored(text.as_bytes(), Format::IntelHex).unwrap();
    assert_eq!(image.segments, segments(&[(0x8010, &[1, 2]), (0xFFFC, &[0x10, 0x80])]));
    assert_eq!(image.start, Some(0x8010));
}

#[test]
fn intel_hex_errors_name_the_line() {
    let parse = |lines: &[String]| stored(lines.join("\n").as_bytes(), Format::IntelHex).unwrap_err();
    let (good, end) = (hex_record(0, 0x10, &[1, 2]), hex_record(1, 0, &[]));
    let spot = Spot::Line(2);
    let name = || "rom".to_string();
    let mut bad = good.clone();
    bad.replace_range(9..11, "77");
    let checksum = parse(&[good.clone(), bad, end.clone()]);
    assert!(matches!(checksum, RomError::Checksum { spot: Spot::Line(2), found: 0xEB, .. }), "{checksum:?}");
    assert_eq!(
        parse(&[good.clone(), good.clone(), end.clone()]),
        RomError::Overlap { name: name(), spot, address: 0x10 }
    );
    assert!(matches!(parse(std::slice::from_ref(&good)), RomError::Unfinished { .. }));
    let high = [hex_record(4, 0, &[0, 1]), good.clone(), end.clone()];
    assert_eq!(parse(&high), RomError::PastEnd { name: name(), spot, address: 0x10010, size: 2 });
    let wrap = [String::new(), hex_record(0, 0xFFFF, &[1, 2]), end.clone()];
    assert_eq!(parse(&wrap), RomError::PastEnd { name: name(), spot, address: 0xFFFF, size: 2 });
    for line in
        ["hello", ":", ":0", ":00000001F", ":ZZ000001FF", ":0000000AF6", ":01000001FE", ":00000005FB", ":é"]
    {
        let error = parse(&[good.clone(), line.to_string(), end.clone()]);
        assert!(matches!(&error, RomError::Syntax { spot: Spot::Line(2), .. }), "{line}: {error}");
        assert!(error.to_string().starts_with("rom, line 2: "), "{error}");
    }
    assert!(matches!(parse(&[good.clone(), end, good]), RomError::Syntax { spot: Spot::Line(3), .. }));
}

#[test]
fn old_line_ends_are_read() {
    let text = format!("{}\r:00000001FF\r\x1A", hex_record(0, 0x10, &[1]));
    assert_eq!(stored(text.as_bytes(), Format::IntelHex).unwrap().segments, segments(&[(0x10, &[1])]));
}

#[test]
fn moving_an_image_keeps_its_gaps() {
    let text = write_hex(&segments(&[(0x0000, &[1]), (0x7FFC, &[2, 3, 4, 5])]), 16);
    let load = |placement| load("e", text.as_bytes(), Format::IntelHex, placement);
    let wanted = segments(&[(0x8000, &[1]), (0xFFFC, &[2, 3, 4, 5])]);
    assert_eq!(load(Placement::At(0x8000)).unwrap().segments, wanted);
    assert_eq!(load(Placement::EndingAt(0xFFFF)).unwrap().segments, wanted);
    assert!(matches!(load(Placement::At(0x8001)), Err(RomError::PastEnd { address: 0x8001, .. })));
    assert!(matches!(load(Placement::EndingAt(0x7FFE)), Err(RomError::BelowZero { last: 0x7FFE, .. })));
}

// -- S-records ----------------------------------------------------------------------------------------------------

// -- o65 ----------------------------------------------------------------------------------------------------------

/// Our own source, through an assembler and linker that write o65 (options with names and dates taken out):
/// ```text
/// start: lda #<msg        .segment "DATA"     ; directly after the code
///        ldx #>msg        msg: .byte "hello"
///        sta ptr               .word start
///        lda msg          .segment "BSS"
///        sta buf          buf: .res 16
///        jmp start        .segment "ZEROPAGE"
///        .word msg, buf, start
///        .byte >buf, <start
/// ```
#[rustfmt::skip]
const LINKED_AT_1000: [u8; 87] = [
    0x01, 0x00, 0x6F, 0x36, 0x35, 0x00, 0x00, 0x08, 0x00, 0x10, 0x17, 0x00, 0x17, 0x10, 0x07, 0x00, 0x1E, 0x10,
    0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xA9, 0x17, 0xA2, 0x10, 0x85, 0x10, 0xAD, 0x17, 0x10, 0x8D, 0x1E, 0x10, 0x4C, 0x00, 0x10,
    0x17, 0x10, 0x1E, 0x10, 0x00, 0x10, 0x10, 0x00,
    0x68, 0x65, 0x6C, 0x6C, 0x6F, 0x00, 0x10,
    0x00, 0x00, 0x02, 0x23, 0x02, 0x43, 0x17, 0x04, 0x83, 0x03, 0x84, 0x03, 0x82, 0x02, 0x83, 0x02, 0x84,
    0x02, 0x82, 0x02, 0x44, 0x1E, 0x01, 0x22, 0x00, 0x06, 0x82, 0x00, 0x00, 0x00,
];

/// Text and data of the same program linked at 2345.
#[rustfmt::skip]
const AT_2345: [u8; 30] = [
    0xA9, 0x5C, 0xA2, 0x23, 0x85, 0x10, 0xAD, 0x5C, 0x23, 0x8D, 0x63, 0x23, 0x4C, 0x45, 0x23,
    0x5C, 0x23, 0x63, 0x23, 0x45, 0x23, 0x23, 0x45,
    0x68, 0x65, 0x6C, 0x6C, 0x6F, 0x45, 0x23,
];

#[test]
fn o65_relocated_is_what_the_linker_makes_there() {
    let at = |placement| load("u.o65", &LINKED_AT_1000, Format::O65, placement).unwrap().segments;
    assert_eq!(at(Placement::Stored), segments(&[(0x1000, &LINKED_AT_1000[27..57])]));
    assert_eq!(at(Placement::At(0x2345)), segments(&[(0x2345, &AT_2345)]));
    assert_eq!(at(Placement::EndingAt(0x2345 + 29)), at(Placement::At(0x2345)));
}

#[test]
fn o65_segments_with_addresses_of_their_own_stay() {
    let file = O65 {
        text: (0x1000, [&[0; 300][..], &[0x02, 0x04, 0x00, 0x40]].concat()),
        data: (0x0400, vec![1, 2, 3]),
        text_relocations: vec![(300, 0x83, None), (302, 0x84, None)],
        ..O65::default()
    };
    let image = load("t", &file.write(), Format::O65, Placement::At(0x8000)).unwrap();
    assert_eq!(image.segments[0], Segment { address: 0x0400, bytes: vec![1, 2, 3] });
    assert_eq!(image.segments[1].address, 0x8000);
    assert_eq!(image.segments[1].bytes[300..], [0x02, 0x04, 0x00, 0x40], "data and bss did not move");
}

#[test]
fn o65_high_bytes_carry() {
    // HIGH of 10F0, moved by 0x20: the carry out of the low byte counts.
    let file = |mode, low| O65 {
        mode,
        text: (0x1000, vec![0x10; 4]),
        text_relocations: vec![(3, 0x42, low)],
        ..O65::default()
    };
    let last = |file: &O65, at| {
        load("t", &file.write(), Format::O65, Placement::At(at)).unwrap().segments[0].bytes[3]
    };
    assert_eq!(last(&file(0, Some(0xF0)), 0x1010), 0x11);
    assert_eq!(last(&file(0, Some(0xEF)), 0x1010), 0x10);
    assert_eq!(last(&file(0x4000, None), 0x8000), 0x80, "page-wise files store no low byte");
    assert_eq!(file(0x4000, None).problem(Placement::At(0x8010)), O65Problem::Paged { address: 0x8010 });
}

#[test]
fn o65_that_cannot_run_here_is_refused_by_name() {
    let with_mode = |mode| O65 { mode, ..O65::default() }.problem(Placement::At(0x1001));
    assert_eq!(with_mode(0x8000), O65Problem::Cpu65816);
    assert_eq!(with_mode(0x0050), O65Problem::Cpu65816);
    assert_eq!(with_mode(0x0030), O65Problem::Cpu(3));
    assert_eq!(with_mode(0x2000), O65Problem::Size32);
    assert_eq!(with_mode(0x0400), O65Problem::Chained);
    assert_eq!(with_mode(0x0003), O65Problem::Alignment { address: 0x1001, alignment: 256 });
    let undefined = O65 { undefined: vec!["print", "getch"], ..O65::default() };
    let problem = undefined.problem(Placement::Stored);
    assert_eq!(problem, O65Problem::Undefined { symbol: "print".into(), count: 2 });
    let relocated =
        |entry| O65 { text_relocations: vec![entry], ..O65::default() }.problem(Placement::Stored);
    assert_eq!(relocated((15, 0x82, None)), O65Problem::RelocationOutside { length: 16 });
    assert_eq!(relocated((16, 0x22, None)), O65Problem::RelocationOutside { length: 16 });
    assert_eq!(relocated((0, 0x80, None)), O65Problem::RelocationSegment(0));
    assert_eq!(relocated((0, 0x12, None)), O65Problem::RelocationType(0x10));
    assert_eq!(relocated((0, 0xA2, None)), O65Problem::Cpu65816);
    let past_end = load("t", &O65::default().write(), Format::O65, Placement::At(0xFFF1)).unwrap_err();
    assert!(matches!(past_end, RomError::PastEnd { address: 0xFFF1, size: 16, .. }), "{past_end:?}");
    let onto_itself = O65 { data: (0x100F, vec![1]), ..O65::default() }.write();
    assert!(matches!(stored(&onto_itself, Format::O65), Err(RomError::Overlap { address: 0x100F, .. })));
}

#[test]
fn every_cut_of_an_o65_is_an_error() {
    let whole =
        O65 { data: (0x0400, vec![1]), text_relocations: vec![(1, 0x42, Some(0))], ..O65::default() }.write();
    assert!(stored(&whole, Format::O65).is_ok());
    for length in 1..whole.len() {
        let error = stored(&whole[..length], Format::O65).unwrap_err();
        assert!(matches!(error, RomError::O65 { .. }), "{length}: {error}");
    }
    let longer = [&whole[..], &[0, 0]].concat();
    let error = stored(&longer, Format::O65).unwrap_err().to_string();
    assert_eq!(error, format!("rom, byte {}: 2 bytes follow its end; is it the right file?", whole.len()));
}

// -- Anything -----------------------------------------------------------------------------------------------------

/// Up to six runs of bytes with gaps between them.
fn some_segments() -> impl Strategy<Value = Vec<Segment>> {
    prop::collection::vec((1u32..9000, prop::collection::vec(any::<u8>(), 1..700)), 1..6).prop_map(|runs| {
        let mut address = 0;
        let mut segments = Vec::new();
        for (gap, bytes) in runs {
            address += gap;
            segments.push(Segment { address: address as u16, bytes });
            address += 700;
        }
        segments
    })
}

fn any_format() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![
        Format::Bin,
        Format::IntelHex,
        Format::SRecord,
        Format::PaperTape,
        Format::Prg,
        Format::O65,
        Format::Sim65,
    ])
}

fn any_placement() -> impl Strategy<Value = Placement> {
    prop_oneof![
        Just(Placement::Stored),
        any::<u16>().prop_map(Placement::At),
        any::<u16>().prop_map(Placement::EndingAt)
    ]
}

/// A well-formed file of some format, to be damaged.
fn some_file() -> impl Strategy<Value = (Format, Vec<u8>)> {
    (any_format(), some_segments()).prop_map(|(format, segments)| {
        let bytes = match format {
            Format::Bin | Format::Prg => segments[0].bytes.clone(),
            Format::Sim65 => [b"sim65\x02\x00\x00\x00\x02\x00\x02", &segments[0].bytes[..]].concat(),
            Format::IntelHex => write_hex(&segments, 16).into_bytes(),
            Format::SRecord => write_s_records(&segments, 1, 16).into_bytes(),
            Format::PaperTape => write_paper_tape(&segments, 24).into_bytes(),
            Format::Text => b"no image but a letter".to_vec(),
            Format::O65 => O65 {
                text: (0x1000, segments[0].bytes.clone()),
                text_relocations: vec![(0, 0x22, None)],
                ..O65::default()
            }
            .write(),
        };
        (format, bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn text_formats_round_trip(segments in some_segments(), chunk in 1usize..=250) {
        let hex = write_hex(&segments, chunk);
        prop_assert_eq!(Format::sniff(hex.as_bytes()), Format::IntelHex);
        prop_assert_eq!(&stored(hex.as_bytes(), Format::IntelHex).unwrap().segments, &segments);
        for kind in 1..=3 {
            let text = write_s_records(&segments, kind, chunk);
            prop_assert_eq!(Format::sniff(text.as_bytes()), Format::SRecord);
            let image = stored(text.as_bytes(), Format::SRecord).unwrap();
            prop_assert_eq!(&image.segments, &segments);
            prop_assert_eq!(image.start, Some(0x1234));
        }
        let tape = write_paper_tape(&segments, chunk);
        prop_assert_eq!(Format::sniff(tape.as_bytes()), Format::PaperTape);
        prop_assert_eq!(&stored(tape.as_bytes(), Format::PaperTape).unwrap().segments, &segments);
    }

    #[test]
    fn o65_moves_there_and_back(text in prop::collection::vec(any::<u8>(), 4..900), base: u16, to: u16) {
        prop_assume!(usize::from(base) + text.len() <= 0x10000 && usize::from(to) + text.len() <= 0x10000);
        let last = text.len() - 2;
        let text_relocations = vec![(0, 0x82, None), (last, 0x82, None)];
        let file = O65 { text: (base, text.clone()), data: (0, vec![]), text_relocations, ..O65::default() };
        let moved = load("t", &file.write(), Format::O65, Placement::At(to)).unwrap();
        prop_assert_eq!(moved.segments.len(), 1);
        prop_assert_eq!(moved.segments[0].address, to);
        let back = O65 { text: (to, moved.segments[0].bytes.clone()), ..file };
        let again = load("t", &back.write(), Format::O65, Placement::At(base)).unwrap();
        prop_assert_eq!(&again.segments[0].bytes, &text);
    }

    #[test]
    fn a_flipped_bit_in_a_record_is_seen(segments in some_segments(), which: prop::sample::Index, bit in 0u32..8) {
        for (format, mut bytes) in [
            (Format::IntelHex, write_hex(&segments, 32).into_bytes()),
            (Format::SRecord, write_s_records(&segments, 1, 32).into_bytes()),
            (Format::PaperTape, write_paper_tape(&segments, 32).into_bytes()),
        ] {
            let at = which.index(bytes.len());
            let old = bytes[at];
            bytes[at] ^= 1 << bit;
            let same = old.eq_ignore_ascii_case(&bytes[at])
                || (old.is_ascii_whitespace() && bytes[at].is_ascii_whitespace());
            if !same {
                let image = stored(&bytes, format);
                prop_assert!(image.as_ref().map_or(true, |image| image.segments == segments), "{image:?}");
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        format in any_format(),
        placement in any_placement(),
    ) {
        check_outcome(load("x", &bytes, format, placement));
        check_outcome(load("x", &[&o65::MAGIC[..], &[0], &bytes].concat(), Format::O65, placement));
        Format::sniff(&bytes);
    }

    #[test]
    fn damaged_files_never_panic(
        (format, mut bytes) in some_file(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        placement in any_placement(),
    ) {
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        check_outcome(load("x", &bytes, format, placement));
        check_outcome(load("x", &bytes[..cut.index(bytes.len())], format, placement));
    }
}

/// What every successful load promises, and that every error has something to say.
fn check_outcome(outcome: Result<RomImage, RomError>) {
    match outcome {
        Ok(image) => {
            assert!(!image.segments.is_empty());
            let mut free = 0;
            for segment in &image.segments {
                assert!(!segment.bytes.is_empty() && usize::from(segment.address) >= free);
                free = usize::from(segment.address) + segment.bytes.len() + 1;
                assert!(free <= 0x10001);
            }
        }
        Err(error) => assert!(error.to_string().starts_with('x'), "{error}"),
    }
}
