//! The recording file: what is written reads back, whatever happens to the file meanwhile.
//!
//! Nothing here starts a program: it would inherit the open files of the tests beside it, and with them their locks.

#[path = "../common/fifo_support.rs"]
mod fifo_support;
#[path = "../common/log_support.rs"]
mod log_support;

mod corners;
mod damage;
mod disk;
#[cfg(not(feature = "mutants"))]
mod hostile;
mod owner;
mod round_trip;
