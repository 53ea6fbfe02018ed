//! (under construction)
pub mod event;

/// placeholder
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct LogError;
