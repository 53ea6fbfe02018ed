//! The recording file as others read it: a second reader in Python, and the files of earlier versions.

#[path = "../common/log_support.rs"]
mod log_support;

mod golden;
mod rules;
