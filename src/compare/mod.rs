//! Where two runs part, and why.

mod bisect;
mod lockstep;
mod state_differences;

pub(crate) use bisect::diagnose;
