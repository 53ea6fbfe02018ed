use rreplay::testing::*;
use rreplay::recording::Recording;
#[test]
fn debug() {
    let s = Scenario {
        board: BoardChoice::Workshop { strict: false }, cpu: CpuChoice::Mos6502,
        program: Program { in_ram: true, setup: Setup { serial_interrupts: false, timer: None, cli: true, probe_interrupts: 215 },
            irq: Handler::Acknowledge, nmi: Handler::Acknowledge,
            body: Body::Instructions(vec![Instruction::Receive, Instruction::Probe(92,0), Instruction::Delay(52), Instruction::ReadTimer(7), Instruction::Probe(23,0), Instruction::Probe(126,0), Instruction::ProbeAction(206), Instruction::Wait, Instruction::Return]) },
        host: vec![HostOperation::Run { extent: Extent::Cycles(36998), threads: false }, HostOperation::Sleep { cycles: 1, threads: false }],
        unrecorded: 48, digest_every: 7168, snapshot_every: None, replay_slice: 0, temper: Temper::Steady, seed: 733 };
    let disk = SmallDisk::default();
    record_scenario(&s, &disk).unwrap();
    let r = Recording::from_bytes(disk.contents(), false).unwrap();
    let all: Vec<_> = r.events(None, None, None).unwrap().map(|e| e.unwrap()).collect();
    for e in &all[all.len().saturating_sub(25)..] { println!("{}", e.to_string().chars().take(100).collect::<String>()); }
    if let Err(f) = check_record_replay(&s) { println!("{}", f.what); }
}
