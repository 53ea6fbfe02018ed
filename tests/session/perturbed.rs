//! The adversary against the state of a replaying machine: whatever is changed, wherever, the report names the place,
//! to the instruction, and the thing.

use super::divergence_support::*;
use super::session_support::*;
use rreplay::engine::Scheduler;
use rreplay::log::{Event, StampedEvent};
use rreplay::recording::Recording;
use rreplay::replay::{Cause, Found};
use rreplay::session::{RunRequest, Session};
use rreplay::units::Position;
use rreplay_kit::{Line, Perturb, Perturbation, Register, changeable_fields};

const SEED: u64 = 20_261_123;
const TRIALS: u32 = 400;

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// The replay diverged, and the report was right.
    Named,
    /// Overwritten before anybody looked: the replay came to the right end in the right state.
    Overwritten,
    /// It is still there, in ROM that nobody has read since.
    Unread,
}

/// Replays with one change at `at`, and checks the report: the exact place, nothing executed there, and of all state
/// exactly what `expected` accepts.
fn try_change(
    recording: &Recording,
    at: Position,
    change: &Perturbation,
    scheduler: Scheduler,
    expected: &dyn Fn(&str) -> bool,
) -> Fate {
    let session = recording.replay().unwrap();
    session.perturb_at(at, change.clone()).unwrap();
    let context = format!("{change:?} at {at}, {scheduler:?}");
    let Err(error) = finish(&session, scheduler) else { return undisturbed(recording, at, change, &context) };
    let divergence = error.divergence().unwrap_or_else(|| panic!("{context}: {error}"));
    let context = format!("{context}\n{}", divergence.report());
    let (position, cause, instruction, differences) = first(divergence);
    assert_eq!(position, at, "{context}");
    assert_eq!((cause, instruction), (&Cause::Outside, None), "{context}");
    let names = names(differences);
    assert!(!names.is_empty() && names.iter().all(|name| expected(name)), "{names:?} {context}");
    assert!(divergence.position >= at && divergence.report().to_string().lines().count() <= 42, "{context}");
    Fate::Named
}

/// A replay that went well in spite of a change: at the next digest and at the end it must be in the right state, but
/// for ROM that nobody reads.
fn undisturbed(recording: &Recording, at: Position, change: &Perturbation, context: &str) -> Fate {
    let is_digest = |event: &StampedEvent| event.position > at && matches!(event.event, Event::Digest(_));
    let digest = events(recording).into_iter().find(is_digest).unwrap().position;
    let mut fate = Fate::Overwritten;
    for cycles in [digest.cycles, recording.end().cycles] {
        let [changed, right] = [true, false].map(|is_changed| {
            let session = recording.replay().unwrap();
            if is_changed {
                session.perturb_at(at, change.clone()).unwrap();
            }
            // To the very cycle, for the CPU may wait there.
            let cycles = Some(cycles - session.position().cycles);
            run(&session, RunRequest { cycles, ..RunRequest::default() }).unwrap();
            session
        });
        assert_eq!(changed.position(), right.position(), "{context}");
        assert_eq!(changed.digests(), right.digests(), "{context}");
        let memory = |session: &Session, start| session.memory(start, 0x200);
        if memory(&changed, 0xFE00) != memory(&right, 0xFE00) {
            fate = Fate::Unread;
        }
    }
    fate
}

fn any_change(random: &mut Random, recording: &Recording, at: Position) -> (Perturbation, String) {
    match random.below(8) {
        0 | 1 => {
            let address = random.pick(&[random_ram(0), random_ram(1), random_ram(2)]).to_owned();
            let address = address + random.below(0x100) as u16;
            let bits = 1 << random.below(8);
            (Perturbation::Memory { address, bits }, format!("memory.${address:04X}"))
        }
        2 => {
            // Every other time in the interrupt handlers, the rest of it is never executed.
            let (handlers, anywhere) = (0xFE10 + random.below(21), 0xFE00 + random.below(0x200));
            let address = *random.pick(&[handlers, anywhere]) as u16;
            (Perturbation::Memory { address, bits: 1 << random.below(8) }, format!("rom.${address:04X}"))
        }
        3 | 4 => {
            let register = *random.pick(&Register::ALL);
            let bits = match register {
                Register::P => *random.pick(&[0x01, 0x02, 0x04, 0x08, 0x40, 0x80]),
                Register::Pc => 1 << random.below(16),
                _ => 1 << random.below(8),
            };
            (Perturbation::Register { register, bits }, format!("cpu.{}", register.name()))
        }
        5 | 6 => {
            let device = *random.pick(&["acia", "via"]);
            let session = recording.replay().unwrap();
            run(&session, instructions(at.icount - session.position().icount)).unwrap();
            let fields = changeable_fields(&session, device).unwrap();
            let names: Vec<&str> = fields.keys().copied().collect();
            let field = *random.pick(&names);
            let bit = random.below(fields[field] as u64) as usize;
            let change =
                Perturbation::DeviceField { device: device.to_owned(), field: field.to_owned(), bit };
            (change, format!("device/{device}.{field}"))
        }
        _ => match *random.pick(&[Line::Irq, Line::Nmi]) {
            Line::Irq => (Perturbation::Line(Line::Irq), "lines.irq_since".to_owned()),
            Line::Nmi => (Perturbation::Line(Line::Nmi), "lines.nmi_edge".to_owned()),
        },
    }
}

/// Where the program lives, what it fills, and what nobody uses.
fn random_ram(place: usize) -> u16 {
    [0x0000, 0x0300, 0x5500][place]
}

#[test]
fn whatever_is_changed_is_named_with_its_place() {
    let recordings = [
        record(BUSY_PLAN),
        record(Plan { snapshot_every: Some(700), digest_every: 300, ..BUSY_PLAN }),
        record(Plan { program: &LISTENER, typed: &[b'x'; 90], ..BUSY_PLAN }),
    ];
    let mut random = Random(SEED);
    let mut fates: Vec<(String, Fate)> = Vec::new();
    for _ in 0..TRIALS {
        let recording = random.pick(&recordings);
        let (start, end) = (recording.start().icount, recording.end().icount);
        let at = position_at(recording, start + random.below(end - start));
        let (change, field) = any_change(&mut random, recording, at);
        let scheduler = *random.pick(&SCHEDULERS);
        // What a device's field decides follows it at once: its timer, and what its line is.
        let expected = |name: &str| name == field || name.starts_with("timers.");
        let fate = try_change(recording, at, &change, scheduler, &expected);
        let part = field.split('.').next().unwrap_or_default().to_owned();
        fates.push((part, fate));
    }
    let count = |fate| fates.iter().filter(|(_, other)| *other == fate).count();
    let (named, overwritten, unread) = (count(Fate::Named), count(Fate::Overwritten), count(Fate::Unread));
    println!("seed {SEED}: {named} named, {overwritten} overwritten unseen, {unread} in ROM and never read");
    assert!(named > TRIALS as usize * 6 / 10, "{named} of {TRIALS}");
    for part in ["memory", "rom", "cpu", "device/acia", "device/via", "lines"] {
        let of_part = |wanted| fates.iter().filter(|(name, fate)| name == part && *fate == wanted).count();
        assert!(of_part(Fate::Named) > 0, "{part} was never named: {fates:?}");
    }
    // Only what lies in ROM can stay without being seen: all else is in the digests.
    assert!(fates.iter().all(|(part, fate)| *fate != Fate::Unread || part == "rom"));
}

#[test]
fn a_change_that_only_the_digest_sees_is_named_too() {
    let recording = record(Plan { digest_every: 100, instructions: 2000, program: &COUNTER, ..BUSY_PLAN });
    for scheduler in SCHEDULERS {
        for (icount, change, part, field) in [
            (150, Perturbation::Memory { address: 0x3456, bits: 0x01 }, "memory", "memory.$3456"),
            (777, Perturbation::Register { register: Register::A, bits: 0x10 }, "cpu", "cpu.a"),
            (1999, Perturbation::Register { register: Register::Y, bits: 0x01 }, "cpu", "cpu.y"),
            (0, Perturbation::Memory { address: 0x7FFF, bits: 0x80 }, "memory", "memory.$7FFF"),
        ] {
            let at = position_at(&recording, icount);
            let session = recording.replay().unwrap();
            session.perturb_at(at, change.clone()).unwrap();
            let divergence = diverge(&session, scheduler);
            let Found::State { subsystems, matching } = &divergence.found else { panic!("{divergence}") };
            assert_eq!(subsystems, &[part], "{change:?}");
            assert!(!matching.contains(&part.to_owned()) && matching.len() >= 6, "{matching:?}");
            assert!(divergence.position.icount - icount <= 100, "{change:?}: {divergence}");
            assert!(divergence.pc.is_some() && divergence.byte_offset.is_some());
            assert!(matches!(divergence.expected.as_ref().unwrap().event, Event::Digest(_)));
            assert!(divergence.to_string().contains(part), "{divergence}");
            assert!(divergence.last_matching_digest.is_none_or(|digest| digest.icount <= icount));
            let (position, cause, _, differences) = first(&divergence);
            assert_eq!((position, cause, names(differences)), (at, &Cause::Outside, vec![field.to_owned()]));
        }
    }
}

#[test]
fn what_is_overwritten_before_a_digest_has_no_effect_and_the_later_change_is_the_one_named() {
    let recording = record(Plan { digest_every: 500, instructions: 2000, program: &COUNTER, ..BUSY_PLAN });
    for scheduler in SCHEDULERS {
        let session = recording.replay().unwrap();
        // The counter at 10 is written at every turn; nobody touches 3456.
        let at = |icount| position_at(&recording, icount);
        session.perturb_at(at(600), Perturbation::Memory { address: 0x0010, bits: 0xFF }).unwrap();
        session.perturb_at(at(700), Perturbation::Memory { address: 0x3456, bits: 0xFF }).unwrap();
        session.perturb_at(at(800), Perturbation::Memory { address: 0x0010, bits: 0xFF }).unwrap();
        let divergence = diverge(&session, scheduler);
        let (position, _, _, differences) = first(&divergence);
        assert_eq!((position, names(differences)), (at(700), vec!["memory.$3456".to_owned()]));
    }
}

#[test]
fn a_change_of_rom_is_traced_back_behind_digests_that_agreed() {
    // The interrupt handler is changed long before the first byte comes in.
    let recording = record(Plan { typed: b"", digest_every: 100, ..BUSY_PLAN });
    let at = position_at(&recording, recording.start().icount + 41);
    for scheduler in SCHEDULERS {
        let session = recording.replay().unwrap();
        // INC $22 in the NMI handler becomes INC $23.
        session.perturb_at(at, Perturbation::Memory { address: 0xFE25, bits: 0x01 }).unwrap();
        let divergence = diverge(&session, scheduler);
        let (position, cause, _, differences) = first(&divergence);
        assert_eq!((position, cause), (at, &Cause::Outside), "{}", divergence.report());
        assert_eq!(names(differences), ["rom.$FE25"]);
    }
}

#[test]
fn a_change_while_the_cpu_waits_is_named_by_its_cycle() {
    let recording = record(Plan { program: &LISTENER, typed: b"abc", ..BUSY_PLAN });
    // The program is in its WAI from instruction 6 on.
    let arrival = position_at(&recording, recording.start().icount + 6);
    for cycles in [1, 77, 400] {
        for scheduler in SCHEDULERS {
            let at = Position::new(arrival.icount, arrival.cycles + cycles);
            let session = recording.replay().unwrap();
            session.perturb_at(at, Perturbation::Memory { address: 0x3456, bits: 0x01 }).unwrap();
            let divergence = diverge(&session, scheduler);
            let (position, cause, _, differences) = first(&divergence);
            assert_eq!((position, cause), (at, &Cause::Outside), "{}", divergence.report());
            assert_eq!(names(differences), ["memory.$3456"]);
        }
    }
}

#[test]
fn a_byte_that_nobody_sent_is_found_in_the_chip() {
    let printer =
        record(Plan { program: &PRINTER, typed: b"", digest_every: 100, instructions: 2000, ..BUSY_PLAN });
    let listener = record(Plan { program: &LISTENER, typed: b"a", ..BUSY_PLAN });
    for scheduler in SCHEDULERS {
        for (recording, icount) in [(&printer, 250), (&listener, 8)] {
            let at = position_at(recording, recording.start().icount + icount);
            let session = recording.replay().unwrap();
            session.perturb_at(at, Perturbation::Input { device: 0, byte: b'!' }).unwrap();
            let divergence = diverge(&session, scheduler);
            let (position, cause, _, differences) = first(&divergence);
            assert_eq!((position, cause), (at, &Cause::Outside), "{}", divergence.report());
            let names = names(differences);
            assert!(names.iter().all(|name| name.starts_with("device/acia.") || name.starts_with("timers.")));
        }
    }
}

#[test]
fn without_a_change_nothing_diverges() {
    for (program, typed) in [(&COUNTER[..], &b""[..]), (&PRINTER, b""), (&LISTENER, b"abc"), (&BUSY, b"abc")]
    {
        let recording = record(Plan { program, typed, ..BUSY_PLAN });
        for scheduler in SCHEDULERS {
            assert!(recording.verify(scheduler, &[], &mut |_| true).unwrap().ok);
        }
    }
}
