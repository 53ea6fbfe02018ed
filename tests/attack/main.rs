//! Attacks on recordings: kill -9, cuts, flips, full disks, rewritten and hostile files.

#[path = "../common/log_support.rs"]
mod log_support;
#[path = "../common/session_support.rs"]
mod session_support;

mod attack_support;
#[cfg(not(feature = "mutants"))]
mod damage;
mod disk;
#[cfg(not(feature = "mutants"))]
mod hostile;
#[cfg(not(feature = "mutants"))]
mod hostile_files;
#[cfg(not(feature = "mutants"))]
mod kill;
#[cfg(not(feature = "mutants"))]
mod rewrite;
