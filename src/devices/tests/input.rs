//! Keyboard and pointer.

use super::Bench;
use crate::devices::{keyboard, pointer};
use crate::events::InputEvent;

fn comes(bench: &mut Bench, cycle: u64, events: &[InputEvent]) {
    for &event in events {
        bench.with(cycle, |device, context| device.input(event, context));
    }
    bench.with(cycle, |device, context| device.input_sync(context));
}

fn key(name: &str, down: bool) -> InputEvent {
    let keycode = keyboard::KEYS.iter().find(|(key, _)| *key == name).expect("a key").1;
    InputEvent::Key { keycode, down }
}

#[test]
fn keys_wait_in_order_with_what_they_type() {
    let mut bench = Bench::made("keyboard", "");
    bench.write(0, keyboard::CONTROL, keyboard::control::INTERRUPT);
    comes(&mut bench, 10, &[key("a", true)]);
    assert_eq!(bench.device.irq(), Some(10));
    comes(&mut bench, 20, &[key("a", false), key("shift", true), key("1", true), key("z", true)]);
    let mut seen = Vec::new();
    while bench.read(30, keyboard::STATUS) & keyboard::status::WAITING != 0 {
        let character = bench.read(31, keyboard::CHARACTER);
        let released = bench.read(32, keyboard::STATUS) & keyboard::status::RELEASED != 0;
        let modifiers = bench.read(33, keyboard::MODIFIERS);
        seen.push((bench.read(34, keyboard::DATA), character, released, modifiers));
    }
    let expected = [
        (b'a', b'a', false, 0),
        (b'a', 0, true, 0),
        (0x89, 0, false, 1),
        (b'1', b'!', false, 1),
        (b'z', b'Z', false, 1),
    ];
    assert_eq!(seen, expected);
    assert_eq!(bench.device.irq(), None);
    assert_eq!(bench.read(40, keyboard::DATA), 0);
}

#[test]
fn nothing_shows_before_the_packet_is_complete() {
    let mut bench = Bench::made("keyboard", "");
    bench.write(0, keyboard::HELD, b'q');
    bench.with(10, |device, context| device.input(key("q", true), context));
    assert_eq!((bench.read(11, keyboard::STATUS), bench.read(11, keyboard::HELD)), (0, 0));
    comes(&mut bench, 12, &[]);
    assert_eq!(bench.read(13, keyboard::STATUS), keyboard::status::WAITING);
    assert_eq!(bench.read(13, keyboard::HELD), 0x80);
}

#[test]
fn a_full_keyboard_loses_events_but_not_what_is_held() {
    let mut bench = Bench::made("keyboard", "");
    for _ in 0..9 {
        comes(&mut bench, 10, &[key("x", true), key("x", false)]);
    }
    let waiting = keyboard::status::WAITING | keyboard::status::OVERRUN;
    assert_eq!(bench.read(11, keyboard::STATUS), waiting);
    comes(&mut bench, 12, &[key("up", true)]);
    bench.write(13, keyboard::HELD, 0x80);
    assert_eq!(bench.read(14, keyboard::HELD), 0x80);
    let count = (0..20).take_while(|_| bench.read(15, keyboard::DATA) != 0).count();
    assert_eq!(count, keyboard::FIFO_EVENTS);
    bench.write(16, keyboard::STATUS, 0);
    assert_eq!(bench.read(17, keyboard::STATUS), 0);
}

#[test]
fn keys_are_held_until_they_are_released_each_for_itself() {
    let mut bench = Bench::made("keyboard", "");
    let held = |bench: &mut Bench| {
        [b'x', b'y', b'z'].map(|key| {
            bench.write(50, keyboard::HELD, key);
            bench.read(51, keyboard::HELD)
        })
    };
    comes(&mut bench, 10, &[key("x", true), key("z", true)]);
    assert_eq!(held(&mut bench), [0x80, 0, 0x80]);
    comes(&mut bench, 11, &[key("x", false)]);
    assert_eq!(held(&mut bench), [0, 0, 0x80]);
    bench.device.reset(12);
    assert_eq!(held(&mut bench), [0, 0, 0x80], "a person's finger is still there");
    // While no event waits, the modifiers are those that are held now.
    bench.write(60, keyboard::CONTROL, keyboard::control::CLEAR);
    assert_eq!(bench.read(61, keyboard::MODIFIERS), 0);
    comes(&mut bench, 62, &[key("alt", true), key("shift_right", true)]);
    bench.write(63, keyboard::CONTROL, keyboard::control::CLEAR);
    assert_eq!(bench.read(64, keyboard::MODIFIERS), keyboard::modifier::ALT | keyboard::modifier::SHIFT);
}

#[test]
fn control_makes_control_characters() {
    let mut bench = Bench::made("keyboard", "");
    comes(&mut bench, 10, &[key("control", true), key("c", true)]);
    bench.read(11, keyboard::DATA);
    assert_eq!(bench.read(12, keyboard::CHARACTER), 3);
    assert_eq!(bench.read(12, keyboard::MODIFIERS), keyboard::modifier::CONTROL);
}

fn word(bench: &mut Bench, register: u16) -> u16 {
    u16::from_le_bytes([bench.read(90, register), bench.read(90, register + 1)])
}

#[test]
fn a_packet_of_the_pointer_stands_until_it_is_acknowledged() {
    let mut bench = Bench::made("pointer", "");
    bench.write(0, pointer::CONTROL, pointer::INTERRUPT);
    let first = [
        InputEvent::Button { button: 2, down: true },
        InputEvent::Rel { axis: 0, value: -5 },
        InputEvent::Rel { axis: 1, value: 300 },
        InputEvent::Abs { axis: 0, value: 1000 },
    ];
    comes(&mut bench, 10, &first);
    comes(
        &mut bench,
        20,
        &[InputEvent::Rel { axis: 0, value: 7 }, InputEvent::Abs { axis: 1, value: 70_000 }],
    );
    assert_eq!(bench.device.irq(), Some(10));
    assert_eq!(bench.read(21, pointer::BUTTONS), 4);
    assert_eq!((word(&mut bench, pointer::DX_LOW), word(&mut bench, pointer::DY_LOW)), (0xFFFB, 300));
    assert_eq!((word(&mut bench, pointer::X_LOW), word(&mut bench, pointer::Y_LOW)), (1000, 0));
    bench.write(30, pointer::ACKNOWLEDGE, 0);
    assert_eq!(bench.device.irq(), Some(10), "the next packet was there already");
    assert_eq!((word(&mut bench, pointer::DX_LOW), word(&mut bench, pointer::DY_LOW)), (7, 0));
    assert_eq!((word(&mut bench, pointer::X_LOW), word(&mut bench, pointer::Y_LOW)), (1000, 0xFFFF));
    bench.write(40, pointer::ACKNOWLEDGE, 0);
    assert_eq!((bench.device.irq(), bench.read(41, pointer::STATUS)), (None, 0));
    assert_eq!(word(&mut bench, pointer::DX_LOW), 0);
    assert_eq!(bench.read(42, pointer::BUTTONS), 4, "it is still down");
}

#[test]
fn a_click_that_nobody_saw_is_told() {
    let mut bench = Bench::made("pointer", "");
    comes(&mut bench, 10, &[InputEvent::Rel { axis: 0, value: 1 }]);
    comes(&mut bench, 11, &[InputEvent::Button { button: 0, down: true }]);
    comes(&mut bench, 12, &[InputEvent::Button { button: 0, down: false }]);
    bench.write(20, pointer::ACKNOWLEDGE, 0);
    assert_eq!(bench.read(21, pointer::STATUS), pointer::status::WAITING | pointer::status::OVERRUN);
    bench.write(25, pointer::ACKNOWLEDGE, 0);
    let both = [0, 1].map(|button| InputEvent::Button { button, down: true });
    comes(&mut bench, 26, &both);
    assert_eq!(
        (bench.read(27, pointer::STATUS), bench.read(27, pointer::BUTTONS)),
        (pointer::status::WAITING, 3)
    );
    // Down and up again within a packet is more than can be seen as well.
    bench.write(28, pointer::ACKNOWLEDGE, 0);
    let click = [true, false].map(|down| InputEvent::Button { button: 5, down });
    comes(&mut bench, 29, &click);
    assert_eq!(bench.read(29, pointer::STATUS), pointer::status::WAITING | pointer::status::OVERRUN);
    // The keys of a keyboard are nothing to a pointer.
    bench.write(30, pointer::ACKNOWLEDGE, 0);
    comes(&mut bench, 31, &[key("a", true), InputEvent::Button { button: 9, down: true }]);
    assert_eq!(bench.read(32, pointer::STATUS), 0);
}
