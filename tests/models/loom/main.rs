//! The lock, the kick and the engine's two threads under every interleaving that loom finds. Run with `make loom`.

#[path = "../../common/mod.rs"]
mod common;

mod engine;
mod lock;
mod theorem;
