//! (under construction)
pub mod event;
