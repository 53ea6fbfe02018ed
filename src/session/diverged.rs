//! A replay that has left its recording: it is found out why, once, and it says the same again when it is asked to go on.

use super::Session;
use crate::error::Error;
use crate::replay::Divergence;
use crate::sync::lock;

/// Completes the report of a divergence by replaying again; `true` from the function stops that. Whoever makes replays has
/// it (see [`Session::diagnosed_by`]): it moves other replays about, and a session knows nothing of that.
pub(crate) type Diagnose = fn(&Session, &mut Divergence, &mut dyn FnMut() -> bool);

impl Session {
    /// Player: divergences are diagnosed by this.
    pub(crate) fn diagnosed_by(mut self, diagnose: Diagnose) -> Self {
        self.diagnose = Some(diagnose);
        self
    }

    /// Finds out about a divergence what can be found out.
    pub(super) fn complete_report(&self, error: Error, interrupted: &mut dyn FnMut() -> bool) -> Error {
        let Error::Divergence(mut divergence) = error else { return error };
        if let Some(diagnose) = self.diagnose {
            diagnose(self, &mut divergence, interrupted);
        }
        *lock(&self.diverged) = Some(divergence.clone());
        Error::Divergence(divergence)
    }

    /// A replay that diverged has nothing to go on with: it says the same again.
    pub(super) fn require_on_course(&self) -> Result<(), Error> {
        let diverged = lock(&self.diverged).clone();
        diverged.map_or(Ok(()), |divergence| Err(Error::Divergence(divergence)))
    }
}
