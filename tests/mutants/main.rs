//! The tests that `make mutants` asks, in one program: what is built some thousand times over is linked once each time.
//! Those that take seconds are left out: a mutant that these miss is to be tried with them, and with `make loom`.
#![allow(clippy::duplicate_mod)] // Each of these is a program of its own elsewhere, with its own copy of what they share.
#![allow(dead_code, unused_imports)] // So are the parts of those copies that one of them alone uses.

#[path = "../attack_disk.rs"]
mod attack_disk;
#[path = "../engine.rs"]
mod engine;
#[path = "../log_corners.rs"]
mod log_corners;
#[path = "../log_damage.rs"]
mod log_damage;
#[path = "../log_disk.rs"]
mod log_disk;
#[path = "../log_golden.rs"]
mod log_golden;
#[path = "../log_owner.rs"]
mod log_owner;
#[path = "../log_round_trip.rs"]
mod log_round_trip;
#[path = "../log_rules.rs"]
mod log_rules;
#[path = "../replay_api.rs"]
mod replay_api;
#[path = "../replay_boundaries.rs"]
mod replay_boundaries;
#[path = "../replay_corners.rs"]
mod replay_corners;
#[path = "../replay_devices.rs"]
mod replay_devices;
#[path = "../replay_modes.rs"]
mod replay_modes;
#[path = "../replay_texts.rs"]
mod replay_texts;
#[path = "../session_disk.rs"]
mod session_disk;
#[path = "../session_diverge.rs"]
mod session_diverge;
#[path = "../session_diverge_events.rs"]
mod session_diverge_events;
#[path = "../session_record.rs"]
mod session_record;
#[path = "../session_run.rs"]
mod session_run;
