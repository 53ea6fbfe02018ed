use rreplay::engine::Scheduler;
use rreplay::machine::board::{Board, ImageInput, Target};
use rreplay::recording::Recording;
use rreplay::session::{RecordOptions, RunRequest, Session};
fn main() {
    let s = Session::new(Board::preset("breadboard").unwrap(), vec![]).unwrap();
    s.record("/tmp/first.rreplay".as_ref(), RecordOptions::default()).unwrap();
    let mut never = || false;
    let stop = s.run(RunRequest { seconds: Some(1.0), ..Default::default() }, &mut never).unwrap();
    println!("{stop:?} {:?}", String::from_utf8_lossy(&s.output()));
    s.send(b"help\ruptime\rx 8000.801f\rwait 50\ruptime\r").unwrap();
    let stop = s
        .run(
            RunRequest { seconds: Some(5.0), scheduler: Some(Scheduler::Threads), ..Default::default() },
            &mut never,
        )
        .unwrap();
    println!("{stop:?}\n{}", String::from_utf8_lossy(&s.output()));
    s.finish().unwrap();
    let r = Recording::open("/tmp/first.rreplay".as_ref(), false).unwrap();
    println!("{:#?}", r.info());
    for scheduler in [Scheduler::Inline, Scheduler::Threads] {
        println!("{:?}", r.verify(scheduler, &mut |_| true));
    }
    // functional test
    let bytes = std::fs::read("/tmp/roms/robo_6502_functional_test.bin").unwrap();
    let s = Session::new(
        Board::preset("py65mon").unwrap().with_cpu("6502").unwrap(),
        vec![ImageInput {
            target: Target::Main,
            name: "ft".into(),
            bytes,
            format: rreplay::machine::rom::Format::Bin,
        }],
    )
    .unwrap();
    s.set_register("pc", 0x400).unwrap();
    let t = std::time::Instant::now();
    let stop = s.run(RunRequest { pc: Some(0x3469), ..Default::default() }, &mut never).unwrap();
    println!("{stop:?} {:?}", t.elapsed());
    s.set_register("pc", 0x400).unwrap();
    let t = std::time::Instant::now();
    let stop =
        s.run(RunRequest { instructions: Some(300_000_000), ..Default::default() }, &mut never).unwrap();
    println!("{stop:?} {} MIPS", 300.0 / t.elapsed().as_secs_f64());
}
