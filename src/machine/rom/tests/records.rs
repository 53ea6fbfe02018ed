//! S-records and MOS paper tape line by line, what text may be wrapped in, and text that is no image.

use super::*;

#[test]
fn s_record_errors_name_the_line() {
    let parse = |lines: &[String]| stored(lines.join("\r\n").as_bytes(), Format::SRecord).unwrap_err();
    let (good, end) = (s_record(1, 0x10, &[1, 2]), s_record(9, 0, &[]));
    let mut bad = good.clone();
    bad.replace_range(8..10, "77");
    let checksum = parse(&[good.clone(), bad, end.clone()]);
    assert!(matches!(checksum, RomError::Checksum { spot: Spot::Line(2), found: 0xE7, .. }), "{checksum:?}");
    assert!(matches!(parse(std::slice::from_ref(&good)), RomError::Unfinished { .. }));
    let overlap = parse(&[good.clone(), good.clone(), end.clone()]);
    assert!(matches!(overlap, RomError::Overlap { spot: Spot::Line(2), address: 0x10, .. }), "{overlap:?}");
    let high = parse(&[good.clone(), s_record(2, 0x01_0000, &[1]), end.clone()]);
    assert!(matches!(high, RomError::PastEnd { address: 0x1_0000, .. }), "{high:?}");
    let wrap = parse(&[s_record(3, 0xFFFF_FFFF, &[1, 2]), end.clone()]);
    assert!(matches!(wrap, RomError::PastEnd { address: 0xFFFF_FFFF, .. }), "{wrap:?}");
    let count = parse(&[good.clone(), s_record(5, 2, &[]), end.clone()]);
    assert!(count.to_string().contains("2 data records"), "{count}");
    for line in [
        "x",
        "S",
        "S1",
        "S10",
        "S100",
        "S1001",
        "SZ",
        "S4030000FC",
        "S9040000FFFC",
        "S1ZZ",
        "S10200FD",
        "S1é",
    ] {
        let error = parse(&[good.clone(), line.to_string(), end.clone()]);
        assert!(matches!(&error, RomError::Syntax { spot: Spot::Line(2), .. }), "{line}: {error}");
    }
    assert!(matches!(parse(&[end, good]), RomError::Syntax { spot: Spot::Line(2), .. }));
}

#[test]
fn s_record_start_addresses() {
    let with_end = |end: String| {
        stored(format!("{}\n{end}", s_record(1, 0x10, &[1])).as_bytes(), Format::SRecord).unwrap().start
    };
    assert_eq!(with_end(s_record(9, 0x0400, &[])), Some(0x0400));
    assert_eq!(with_end(s_record(7, 0xFFFF, &[])), Some(0xFFFF));
    assert_eq!(with_end(s_record(9, 0, &[])), None, "0 is what linkers write that know none");
    assert_eq!(with_end(s_record(8, 0x1_0000, &[])), None);
}

#[test]
fn s_records_are_whole_by_their_count_too() {
    let data = [s_record(1, 0x10, &[1]), s_record(1, 0x11, &[2])];
    let parse = |lines: &[String]| stored(lines.join("\r\n").as_bytes(), Format::SRecord);
    for count in [s_record(5, 2, &[]), s_record(6, 2, &[])] {
        let lines = [&data[..], std::slice::from_ref(&count)].concat();
        let image = parse(&lines).unwrap();
        assert_eq!((image.segments, image.start), (segments(&[(0x10, &[1, 2])]), None));
        // A count that is followed by more counts nothing.
        let lines = [&data[..], &[count, s_record(1, 0x12, &[3])]].concat();
        assert!(matches!(parse(&lines), Err(RomError::Unfinished { .. })));
    }
    assert!(matches!(parse(&data), Err(RomError::Unfinished { .. })));
    let lines = [&data[..1], &[s_record(5, 2, &[])]].concat();
    assert!(matches!(parse(&lines), Err(RomError::Syntax { spot: Spot::Line(2), .. })));
}

#[test]
fn paper_tape_is_what_a_kim_1_punches() {
    // LDA #$12, STA $0200, with the sum of each record; then their number.
    let tape = ";0500 00 A912 8D0002 014F\r\n;0000010001\r\n".replace(' ', "");
    let image = stored(tape.as_bytes(), Format::PaperTape).unwrap();
    assert_eq!((image.segments, image.start), (segments(&[(0, &[0xA9, 0x12, 0x8D, 0x00, 0x02])]), None));
    assert_eq!(Format::detect(Some("tape.ptp"), b""), Format::PaperTape);
    assert_eq!(Format::detect(Some("tape.txt"), tape.as_bytes()), Format::PaperTape);
}

#[test]
fn paper_tape_errors_name_the_line() {
    let parse = |lines: &[String]| stored(lines.join("\n").as_bytes(), Format::PaperTape).unwrap_err();
    let (good, end) = (tape_record(0x0200, &[1, 2]), tape_record(1, &[]));
    let mut bad = good.clone();
    bad.replace_range(7..9, "77");
    let sum = parse(&[good.clone(), bad, end.clone()]);
    assert!(matches!(sum, RomError::Sum { spot: Spot::Line(2), found: 7, expected: 0x7D, .. }), "{sum}");
    assert!(matches!(parse(std::slice::from_ref(&good)), RomError::Unfinished { .. }));
    assert!(matches!(parse(&[good.clone(), good.clone()]), RomError::Overlap { spot: Spot::Line(2), .. }));
    let count = parse(&[good.clone(), tape_record(2, &[])]);
    assert!(count.to_string().contains("2 data records"), "{count}");
    let high = parse(&[tape_record(0xFFFF, &[1, 2]), end.clone()]);
    assert!(matches!(high, RomError::PastEnd { address: 0xFFFF, .. }), "{high}");
    for line in ["x", ";", ";0", ";00000000", ";0102000003ZZ", ":00000001FF", ";020200010207", ";0102000102"]
    {
        let error = parse(&[good.clone(), line.to_string(), end.clone()]);
        assert!(matches!(&error, RomError::Syntax { spot: Spot::Line(2), .. }), "{line}: {error}");
    }
    assert!(matches!(parse(&[tape_record(0, &[]), good]), RomError::Syntax { spot: Spot::Line(2), .. }));
}

#[test]
fn a_byte_order_mark_and_blank_tape_are_skipped() {
    let wanted = segments(&[(0x10, &[1, 2])]);
    let texts = [
        (Format::IntelHex, hex_record(0, 0x10, &[1, 2]) + "\r\n:00000001FF\r\n"),
        (Format::SRecord, s_record(1, 0x10, &[1, 2]) + "\n" + &s_record(9, 0, &[])),
        (Format::PaperTape, tape_record(0x10, &[1, 2]) + "\n" + &tape_record(1, &[])),
    ];
    for (format, text) in texts {
        for before in ["\u{FEFF}", "\u{FEFF}\r\n\r\n", "\0\0\0\x7F\r\n\0", "\n\n  "] {
            let bytes = (before.to_owned() + &text + "\x13\0\0\x1A").into_bytes();
            assert_eq!(Format::sniff(&bytes), format, "{before:?}");
            assert_eq!(stored(&bytes, format).unwrap().segments, wanted, "{before:?}");
            // The names of these formats are used for each other.
            for name in ["a.hex", "a.s19", "a.ptp"] {
                assert_eq!(Format::detect(Some(name), &bytes), format, "{name}");
            }
        }
    }
}

#[test]
fn text_in_no_known_format_is_no_image() {
    let texts: [&[u8]; 7] = [
        b"; a listing\n0200  A9 12     LDA #$12\n",
        b"404: Not Found",
        b"hello\n",
        b"Gr\xFC\xDFe aus K\xF6ln\r\n", // in Latin-1
        "\u{FEFF}Grüße\r\n".as_bytes(),
        b"\xFF\xFEh\0e\0l\0l\0o\0",
        b"\xFE\xFF\0h\0e\0l\0l\0o",
    ];
    for text in texts {
        assert_eq!(Format::detect(Some("x.txt"), text), Format::Text);
        let error = stored(text, Format::Text).unwrap_err();
        assert!(error.to_string().contains("name it .bin"), "{error}");
        // Whoever calls it so has said it.
        assert_eq!(Format::detect(Some("x.bin"), text), Format::Bin);
        assert!(load("x.bin", text, Format::Bin, Placement::At(0x0200)).is_ok());
    }
    // Programs that happen to be made of letters, and bytes that are no text.
    for bytes in [
        &b"X`"[..],
        b"HELP\0 ME, I AM",
        b"\xA9A\xC9Z\xD0\xFC`",
        b"\xA9\x12\x8D\x00\x02",
        b"\xFF\xFE\x00\xD8\x00\x00\x01\x00",
    ] {
        assert_eq!(Format::detect(None, bytes), Format::Bin, "{bytes:02X?}");
    }
}

#[test]
fn what_is_not_linked_is_named() {
    for (bytes, said) in [
        (&b"\x55\x7A\x6E\x61\x11\x00\x00\x00"[..], "object file of ca65"),
        (b"\x6E\x61\x55\x7A\x11\x00", "library of ar65"),
        (b"VOBJ\x01\x08", "object file of vasm"),
        (b"\x7FELF\x01\x01\x01\x00", "ELF file"),
        (b"!<arch>\nmain.o/", "library of object files"),
    ] {
        for format in [Format::sniff(bytes), Format::Bin, Format::Prg, Format::IntelHex] {
            let error = load("main.o", bytes, format, Placement::At(0x0200)).unwrap_err();
            assert!(
                matches!(error, RomError::Unlinked { .. }) && error.to_string().contains(said),
                "{error}"
            );
        }
    }
}
