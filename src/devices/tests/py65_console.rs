//! The console of py65's monitor.

use super::super::py65_console::{GETC, PUTC};
use super::Bench;

#[test]
fn only_a_write_of_putc_and_a_read_of_getc_are_its_own() {
    let bench = Bench::made("py65_console", "");
    assert_eq!(bench.device.register_count(), 4);
    for offset in 0..4 {
        assert_eq!(bench.device.claims(offset, true), offset == PUTC);
        assert_eq!(bench.device.claims(offset, false), offset == GETC);
    }
}

#[test]
fn keys_come_one_a_read_and_then_0() {
    let mut bench = Bench::made("py65_console", "");
    assert_eq!(bench.read(1, GETC), 0);
    bench.receive(2, b"ab");
    assert_eq!(bench.device.pending_input(), 2);
    bench.device.reset(3);
    assert_eq!([bench.read(4, GETC), bench.read(5, GETC), bench.read(6, GETC)], [b'a', b'b', 0]);
}

#[test]
fn a_write_prints_at_once() {
    let mut bench = Bench::made("py65_console", "");
    bench.write(10, PUTC, b'x');
    bench.write(14, PUTC, 0);
    assert_eq!(bench.host.written, [(10, b'x'), (14, 0)]);
    assert_eq!(bench.device.next_timer(), None);
}
