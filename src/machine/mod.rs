//! (under construction)
pub mod rom;
