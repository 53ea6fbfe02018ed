//! The tests that `make mutants` asks, in one program: what is built some thousand times over is linked once each time.
//! The feature `mutants` leaves out those that take seconds: a mutant that the others miss is to be tried with them, and
//! with `make loom`.
#![allow(clippy::duplicate_mod)] // Each of these is a program of its own elsewhere, with its own copy of what they share.
#![allow(dead_code, unused_imports)] // So are the parts of those copies that one of them alone uses.

#[path = "../attack/main.rs"]
mod attack;
#[path = "../engine.rs"]
mod engine;
#[path = "../format/main.rs"]
mod format;
#[path = "../log/main.rs"]
mod log;
#[path = "../replay/main.rs"]
mod replay;
#[path = "../session/main.rs"]
mod session;
