//! What is generated, recorded and replayed, and compared whole with what a naive replay says.

#[path = "../common/session_support.rs"]
mod session_support;

mod corpus;
mod forged;
mod record_replay;
mod snapshot_restore;
mod timeline;
