//! Sound, at 1 MHz: a batch of 32 frames at 8000 Hz lasts 4000 cycles.

use super::Bench;
use crate::devices::sound::*;
use crate::persist::Value;

fn put(bench: &mut Bench, cycle: u64, sample: i16) {
    let [low, high] = sample.to_le_bytes();
    bench.write(cycle, OUT_LOW, low);
    bench.write(cycle + 1, OUT_HIGH, high);
}

fn space(bench: &mut Bench, cycle: u64) -> u16 {
    u16::from_le_bytes([bench.read(cycle, SPACE_LOW), bench.read(cycle, SPACE_HIGH)])
}

fn level(bench: &mut Bench, cycle: u64) -> u16 {
    u16::from_le_bytes([bench.read(cycle, LEVEL_LOW), bench.read(cycle, LEVEL_HIGH)])
}

#[test]
fn frames_are_played_in_batches_and_their_places_are_free_behind_them() {
    let mut bench = Bench::made("sound", "");
    bench.host.sound_room = 1000;
    bench.write(0, CONTROL, control::PLAY);
    let samples: Vec<i16> = (0..40).map(|index| index * 300 - 5000).collect();
    put(&mut bench, 100, samples[0]);
    for &sample in &samples[1..] {
        put(&mut bench, 200, sample);
    }
    assert_eq!(space(&mut bench, 300), 216);
    assert_eq!(bench.device.next_timer(), Some(4101), "time to write a whole batch");
    bench.run_to(4101);
    assert_eq!(bench.host.played, samples[..32]);
    assert_eq!(space(&mut bench, 8100), 216, "they are being played");
    bench.run_to(8101);
    assert_eq!((space(&mut bench, 8101), bench.read(8101, TAKEN)), (248, 32));
    assert_eq!(bench.host.played, samples);
    assert_eq!(bench.read(8102, STATUS) & status::UNDERRUN, status::UNDERRUN, "8 are no whole batch");
    bench.run_to(12_101);
    assert_eq!((space(&mut bench, 12_101), bench.read(12_102, STATUS) & status::PLAYING), (256, 0));
}

#[test]
fn what_the_host_does_not_take_stays() {
    let mut bench = Bench::made("sound", "");
    bench.host.sound_room = 10;
    for index in 0..64 {
        put(&mut bench, 10, index);
    }
    bench.write(20, CONTROL, control::PLAY);
    bench.run_to(8020);
    assert_eq!((space(&mut bench, 8021), bench.read(8021, TAKEN)), (202, 10));
    bench.host.sound_room = 1000;
    bench.run_to(12_020);
    let expected: Vec<i16> = (0..42).collect();
    assert_eq!(bench.host.played, expected, "nothing is lost and nothing is played twice");
}

#[test]
fn a_full_fifo_and_a_threshold() {
    let mut bench = Bench::made("sound", "");
    bench.host.sound_room = 1000;
    bench.write(0, SPACE_THRESHOLD, 64);
    for index in 0..FIFO_FRAMES as i16 {
        put(&mut bench, 10, index);
    }
    assert_eq!((space(&mut bench, 20), bench.read(21, STATUS)), (0, 0));
    put(&mut bench, 22, 0x7FFF);
    assert_eq!(bench.read(24, STATUS), status::OUT_OVERRUN);
    bench.write(25, STATUS, status::OUT_OVERRUN);
    bench.write(30, CONTROL, control::PLAY | control::SPACE_INTERRUPT);
    bench.run_to(8030);
    assert_eq!(bench.device.irq(), None, "32 are free");
    bench.run_to(12_030);
    assert_eq!(bench.device.irq(), Some(12_030));
    put(&mut bench, 12_040, 1);
    assert_eq!(bench.device.irq(), None);
}

#[test]
fn what_is_heard_arrives_at_the_end_of_its_batch() {
    let mut bench = Bench::made("sound", "");
    bench.host.heard = (0..40).map(|index| index * -7).collect();
    bench.write(0, RATE_LOW, 0x80);
    bench.write(1, RATE_HIGH, 0x3E); // 16000 Hz
    bench.write(10, CONTROL, control::RECORD | control::LEVEL_INTERRUPT);
    assert_eq!(level(&mut bench, 2009), 0);
    bench.run_to(2010);
    assert_eq!((level(&mut bench, 2010), bench.read(2011, RECORDED)), (32, 32));
    assert_eq!(bench.device.irq(), Some(2010));
    let heard = i16::from_le_bytes([bench.read(2012, IN_LOW), bench.read(2013, IN_HIGH)]);
    assert_eq!((heard, level(&mut bench, 2014)), (0, 31));
    assert_eq!(i16::from_le_bytes([bench.read(2015, IN_LOW), bench.read(2016, IN_HIGH)]), -7);
    assert_eq!(bench.device.irq(), None);
    bench.run_to(4010);
    assert_eq!((level(&mut bench, 4011), bench.read(4012, RECORDED)), (38, 8), "the host had no more");
}

#[test]
fn nobody_listens_for_ever() {
    let mut bench = Bench::made("sound", "");
    bench.host.heard = vec![1; 400];
    bench.write(10, CONTROL, control::RECORD);
    bench.run_to(10 + 9 * 4000);
    assert_eq!(
        (level(&mut bench, 36_011), bench.read(36_012, STATUS) & status::IN_OVERRUN),
        (256, status::IN_OVERRUN)
    );
    bench.write(36_013, CONTROL, control::CLEAR_IN);
    assert_eq!((level(&mut bench, 36_014), bench.device.next_timer()), (0, None));
}

#[test]
fn batches_of_an_uneven_rate_are_exact_on_average() {
    let mut bench = Bench::made("sound", "");
    bench.write(0, RATE_LOW, 0x44);
    bench.write(1, RATE_HIGH, 0xAC); // 44100 Hz
    bench.write(10, CONTROL, control::RECORD);
    // 441 batches of 32 frames last 0.32 s.
    for _ in 0..440 {
        let due = bench.device.next_timer().unwrap();
        bench.run_to(due);
    }
    assert_eq!(bench.device.next_timer(), Some(320_010));
}

#[test]
fn rates_are_kept_within_what_there_is() {
    let mut bench = Bench::made("sound", "");
    for (written, rate) in [(0_u16, 1000), (999, 1000), (22_050, 22_050), (0xFFFF, 48_000)] {
        let [low, high] = written.to_le_bytes();
        bench.write(0, RATE_LOW, low);
        bench.write(1, RATE_HIGH, high);
        assert_eq!(bench.field(2, "rate"), Value::Unsigned(rate));
    }
}

#[test]
fn its_registers_read_as_they_were_written() {
    let mut bench = Bench::made("sound", "");
    bench.write(0, CONTROL, 0xFF);
    assert_eq!(bench.read(1, CONTROL), 0x0F, "what empties the FIFOs does not stay");
    for (register, value) in [(OUT_LOW, 0x12), (SPACE_THRESHOLD, 0x34), (LEVEL_THRESHOLD, 0x56)] {
        bench.write(2, register, value);
        assert_eq!(bench.read(3, register), value);
    }
    bench.write(4, RATE_LOW, 0x40);
    bench.write(5, RATE_HIGH, 0x1F);
    assert_eq!((bench.read(6, RATE_LOW), bench.read(7, RATE_HIGH)), (0x40, 0x1F));
}
