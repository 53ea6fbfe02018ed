//! The display: what a program writes, and what a person sees.

use super::Bench;
use crate::devices::display::*;

/// The colour of a dot.
fn dot(bench: &Bench, x: usize, y: usize) -> [u8; 3] {
    let frame = bench.device.frame().expect("a display shows something");
    assert_eq!((frame.width, frame.height), SCREEN);
    assert_eq!(frame.rgba.len(), 320 * 200 * 4);
    let at = (y * 320 + x) * 4;
    assert_eq!(frame.rgba[at + 3], 255);
    [frame.rgba[at], frame.rgba[at + 1], frame.rgba[at + 2]]
}

/// The cell of a character as eight rows of dots.
fn cell(bench: &Bench, column: usize, row: usize, ink: u8) -> Vec<String> {
    let rows = 0..8;
    rows.map(|y| {
        (0..8)
            .map(
                |x| {
                    if dot(bench, column * 8 + x, row * 8 + y) == PALETTE[usize::from(ink)] {
                        '#'
                    } else {
                        '.'
                    }
                },
            )
            .collect()
    })
    .collect()
}

#[test]
fn shows_the_backdrop_while_it_is_off() {
    let mut bench = Bench::made("display", "");
    bench.write(0, BACKDROP, 0x1E);
    assert_eq!(dot(&bench, 0, 0), PALETTE[0x0E]);
    assert_eq!(dot(&bench, 319, 199), PALETTE[0x0E]);
}

#[test]
fn writes_characters_in_their_colours() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::TEXT);
    bench.write(1, COLOUR, 0x1F);
    bench.write(2, COMMAND, command::CLEAR);
    bench.write(3, X, 39);
    bench.write(4, Y, 2);
    bench.write(5, TEXT, b'T');
    assert_eq!((bench.read(6, X), bench.read(6, Y)), (0, 3), "the place goes on to the next row");
    assert_eq!(dot(&bench, 0, 0), PALETTE[1]);
    let picture = cell(&bench, 39, 2, 15);
    let inked: usize = picture.iter().flat_map(|row| row.chars()).filter(|&dot| dot == '#').count();
    // A T of five by seven dots.
    assert_eq!(inked, 5 + 6, "{picture:#?}");
    bench.write(7, X, 39);
    bench.write(8, Y, 2);
    assert_eq!(bench.read(9, TEXT), b'T');
}

#[test]
fn every_letter_and_digit_looks_like_no_other() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::TEXT);
    bench.write(1, COMMAND, command::CLEAR);
    for character in 33..127 {
        bench.write(2, TEXT, character);
    }
    let pictures: std::collections::BTreeSet<_> =
        (0..94).map(|index| cell(&bench, index % 40, index / 40, 15)).collect();
    assert_eq!(pictures.len(), 94);
}

#[test]
fn the_cursor_exchanges_the_colours() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::TEXT | mode::CURSOR);
    bench.write(1, COMMAND, command::CLEAR);
    assert_eq!((dot(&bench, 3, 3), dot(&bench, 8, 3)), (PALETTE[15], PALETTE[0]));
    bench.write(2, X, 1);
    assert_eq!((dot(&bench, 3, 3), dot(&bench, 8, 3)), (PALETTE[0], PALETTE[15]));
}

#[test]
fn sets_pixels_two_by_two_dots_large() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::BITMAP);
    bench.write(1, X, 158);
    bench.write(2, Y, 99);
    bench.write(3, PIXEL, 4);
    bench.write(4, PIXEL, 0xF5);
    bench.write(5, PIXEL, 6); // beyond the right edge
    for (x, colour) in [(315, 0), (316, 4), (317, 4), (318, 5), (319, 5)] {
        assert_eq!(dot(&bench, x, 199), PALETTE[colour], "dot {x}");
        assert_eq!(dot(&bench, x, 198), PALETTE[colour]);
        assert_eq!(dot(&bench, x, 197), PALETTE[0]);
    }
    bench.write(6, X, 158);
    assert_eq!((bench.read(7, PIXEL), bench.read(8, PIXEL), bench.read(9, PIXEL)), (4, 5, 0));
    assert_eq!(bench.read(10, X), 161);
}

#[test]
fn its_memory_is_reached_with_any_step() {
    let mut bench = Bench::made("display", "");
    bench.write(0, ADDRESS_LOW, 0xFF);
    bench.write(1, ADDRESS_HIGH, 0xFF);
    bench.write(2, DATA, 0x11);
    assert_eq!((bench.read(3, ADDRESS_LOW), bench.read(3, ADDRESS_HIGH)), (0, 0), "it goes around at 2000");
    bench.write(4, STEP, 0xFE);
    bench.write(5, DATA, 0x22);
    assert_eq!((bench.read(6, ADDRESS_LOW), bench.read(6, ADDRESS_HIGH)), (0xFE, 0x1F));
    bench.write(7, STEP, 1);
    assert_eq!([8, 9, 10].map(|cycle| bench.read(cycle, DATA)), [0, 0x11, 0x22]);
}

#[test]
fn scrolls_what_is_shown() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::TEXT);
    bench.write(1, COMMAND, command::CLEAR);
    bench.write(2, Y, 24);
    bench.write(3, TEXT, b'X');
    bench.write(4, COMMAND, command::SCROLL);
    bench.write(5, X, 0);
    assert_eq!(bench.read(6, TEXT), b' ');
    bench.write(7, Y, 23);
    assert_eq!(bench.read(8, TEXT), b'X');
    bench.write(10, MODE, mode::BITMAP);
    bench.write(11, COLOUR, 0x70);
    bench.write(12, COMMAND, command::CLEAR);
    assert_eq!(dot(&bench, 100, 100), PALETTE[7]);
    bench.write(13, Y, 1);
    bench.write(14, PIXEL, 2);
    bench.write(15, COLOUR, 0x30);
    bench.write(16, COMMAND, command::SCROLL);
    assert_eq!((dot(&bench, 0, 0), dot(&bench, 2, 0)), (PALETTE[2], PALETTE[7]));
    assert_eq!(dot(&bench, 0, 199), PALETTE[3]);
}

#[test]
fn fifty_frames_a_second_are_counted_and_interrupt() {
    let mut bench = Bench::made("display", "");
    bench.clock_hz = 1_000_001;
    bench.write(100, MODE, mode::TEXT);
    assert_eq!(bench.device.next_timer(), None);
    assert_eq!((bench.read(20_099, STATUS), bench.read(20_099, FRAMES)), (0, 0));
    assert_eq!((bench.read(20_100, STATUS), bench.read(20_100, FRAMES)), (0x80, 1));
    bench.write(20_200, STATUS, 0);
    bench.write(20_201, MODE, mode::TEXT | mode::INTERRUPT);
    assert_eq!(bench.device.next_timer(), Some(40_100));
    bench.run_to(40_100);
    assert_eq!(bench.device.irq(), Some(40_100));
    bench.write(40_110, STATUS, 0);
    assert_eq!(bench.device.irq(), None);
    // 50 frames are 1,000,001 cycles.
    assert_eq!(bench.read(1_000_100, FRAMES), 49);
    assert_eq!(bench.read(1_000_101, FRAMES), 50);
}

#[test]
fn a_reset_leaves_the_picture() {
    let mut bench = Bench::made("display", "");
    bench.write(0, MODE, mode::BITMAP);
    bench.write(1, PIXEL, 9);
    bench.device.reset(10);
    assert_eq!(bench.read(11, MODE), 0);
    bench.write(12, MODE, mode::BITMAP);
    assert_eq!(dot(&bench, 0, 0), PALETTE[9]);
}

#[test]
fn its_registers_read_as_they_were_written() {
    let mut bench = Bench::made("display", "");
    let written = [
        (0, 0xFF, 0xC3),
        (2, 0x12, 0x12),
        (3, 0x34, 0x14),
        (5, 0x56, 0x56),
        (6, 0x78, 0x08),
        (7, 0x9A, 0x9A),
    ];
    for (register, value, read) in written {
        bench.write(0, register, value);
        assert_eq!(bench.read(1, register), read, "register {register}");
    }
    assert_eq!((bench.read(2, COMMAND), bench.read(2, 14), bench.read(2, 15)), (0, 0, 0));
}
