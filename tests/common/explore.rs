//! Runs a model under every interleaving that loom finds, counts them, and fails when they are too few.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How far a model is explored.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Preemptions in one execution. `LOOM_MAX_PREEMPTIONS` overrides it.
    pub preemptions: usize,
    /// Executions below which the model has stopped exploring: some nine tenths of what it takes now.
    pub at_least: usize,
}

/// Thread switches in one execution, above what any model takes.
const SWITCHES_MAX: usize = 20_000;

/// Explores `model`, prints how many interleavings that took, and gives their number.
///
/// # Panics
/// When the model fails, deadlocks or leaks, or when there are fewer interleavings than the bounds say.
pub fn explore(name: &str, bounds: Bounds, model: impl Fn() + Send + Sync + 'static) -> usize {
    let preemptions = bounds.preemptions();
    let executions = explore_quietly(bounds, model);
    println!("loom: {name}: {executions} interleavings at preemption bound {preemptions}");
    bounds.require(name, executions);
    executions
}

/// Explores `model` and gives the number of interleavings.
///
/// # Panics
/// When the model fails, deadlocks or leaks.
pub fn explore_quietly(bounds: Bounds, model: impl Fn() + Send + Sync + 'static) -> usize {
    // Of std, and so outside of loom's view: it counts executions and takes no part in them.
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(bounds.preemptions());
    builder.max_branches = builder.max_branches.max(SWITCHES_MAX);
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    executions.load(Ordering::Relaxed)
}

/// Set by `make test-deep` and `make loom`: what only goes deeper is explored too.
const DEEP: &str = "RREPLAY_DEEP";

impl Bounds {
    /// Bounds of a model whose interleavings are too many for `make test`. Of each pair, the preemptions and the floor:
    /// `quick` is explored in `make test`, `deep` in `make test-deep`.
    pub fn by_depth(quick: (usize, usize), deep: (usize, usize)) -> Bounds {
        assert!(quick.0 < deep.0, "what is deep has more preemptions");
        let (preemptions, at_least) = if std::env::var_os(DEEP).is_some() { deep } else { quick };
        Bounds { preemptions, at_least }
    }

    /// The preemptions that are really allowed.
    pub fn preemptions(self) -> usize {
        loom::model::Builder::new().preemption_bound.unwrap_or(self.preemptions)
    }

    /// Fails when a model has explored too little.
    pub fn require(self, name: &str, executions: usize) {
        assert!(
            self.preemptions() < self.preemptions || executions >= self.at_least,
            "{name}: only {executions} interleavings were explored, not {}: the model no longer meets what it is for",
            self.at_least
        );
    }
}
