//! (under construction)
pub mod board;
pub mod rom;
