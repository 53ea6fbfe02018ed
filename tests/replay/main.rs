//! The state machine of record and replay: each function in each mode.

mod api;
mod boundaries;
mod corners;
mod devices;
mod modes;
mod probe_support;
mod texts;
