//! A timeline compared with another one, with a changed ROM, and with runs that have less input.

use super::Timeline;
use super::cancel::{Cancel, Monitor};
use crate::compare::{self, RomDifference, Run, RunDifference, Trials};
use crate::error::Error;
use crate::machine::board::ImageInput;
use crate::session::Session;
use std::path::Path;

impl Timeline {
    fn run_of(&self) -> Run<'_> {
        Run { search: &self.search, reader: self.recording.reader() }
    }

    /// Where the recordings of two timelines part; see [`compare::diff`].
    ///
    /// # Errors
    /// [`Error::Argument`] for recordings of different boards, or that have no instruction in common; else as
    /// [`look`](Timeline::look).
    pub fn diff(&self, other: &Timeline, monitor: &mut dyn Monitor) -> Result<Option<RunDifference>, Error> {
        compare::require_same_board(self.recording.board()?, other.recording.board()?)?;
        compare::diff(self.run_of(), other.run_of(), &mut Cancel::new(monitor))
    }

    /// What other images for the board's ROM do to the recorded run: where the ROM differs, and the first instruction with
    /// another effect. `None` for the ROM that was recorded.
    ///
    /// # Errors
    /// Images that do not fit the board; else as [`look`](Timeline::look).
    pub fn changed_rom(
        &self,
        images: &[ImageInput],
        monitor: &mut dyn Monitor,
    ) -> Result<Option<RomDifference>, Error> {
        let replay = (self.make_replay)()?;
        compare::changed_rom(self.run_of(), replay, images, &mut Cancel::new(monitor))
    }

    /// Finds less input with which a run from the recording's start still shows something, and records that run into
    /// `target`. `shows` judges recordings by their paths: the timeline's own first, then each run that is tried, which is
    /// recorded into `tried` and may be taken away.
    ///
    /// # Errors
    /// [`Error::Argument`] when the recording itself does not show it, [`Error::State`] when a run with the same input does
    /// not; a run that cannot be made or recorded, or what `shows` has to say; else as [`look`](Timeline::look).
    pub fn minimize(
        &self,
        tried: &Path,
        target: &Path,
        shows: &mut dyn FnMut(&Path) -> Result<bool, Error>,
        monitor: &mut dyn Monitor,
    ) -> Result<(), Error> {
        let path = self.recording.path();
        if !shows(path)? {
            return Err(Error::Argument(format!(
                "the predicate does not hold for {}: there is nothing to keep",
                path.display()
            )));
        }
        // That is no part of what progress is told of.
        let printed = self.console_output(self.start, &mut || monitor.is_cancelled())?;
        let inputs = compare::inputs(self.recording.reader())?;
        let fork = |cancel: &mut Cancel<'_>| -> Result<Session, Error> {
            let mut cursor = self.search.cursor(cancel)?;
            cursor.go_to(self.start, cancel)?;
            Ok(cursor.session().fork(&printed))
        };
        let trials = Trials { fork: &fork, end: self.recording.end().cycles, tried, shows };
        compare::minimize(trials, &inputs, target, &mut Cancel::new(monitor))
    }
}
