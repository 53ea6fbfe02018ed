//! Making a recording of its own out of a part of another.

use super::{RecordOptions, Session};
use crate::error::Error;
use crate::guest::Guest;
use crate::log::{Header, Lineage, LogError, LogWriter};
use crate::replay::ReplayMode;

impl Session {
    /// Player: from here on, what is replayed also goes to a writer of the caller's, as a recording that starts here and says what it
    /// was cut from.
    ///
    /// # Errors
    /// A place at which something that the machine has asked for waits, a recording of the first format, or a file that
    /// cannot be made.
    pub(crate) fn start_cut(
        &self,
        create: impl FnOnce(&Header) -> Result<LogWriter, LogError>,
    ) -> Result<(), Error> {
        let Some(origin) = &self.origin else {
            return Err(Error::State("only a replay can be cut".into()));
        };
        let mut vm = self.vm();
        if vm.replay.mode() != ReplayMode::Play || !vm.replay.can_snapshot() {
            return Err(Error::Argument(format!(
                "at {} something waits that the machine has asked for: start the cut some instructions later",
                vm.replay.position()
            )));
        }
        if !vm.replay.hashes_events() {
            return Err(Error::State(
                "a recording of the first format cannot be cut: replay it, fork it, and record that".into(),
            ));
        }
        let parent = origin.reader.header();
        let options = RecordOptions { digest_every: Some(parent.digest_every), ..RecordOptions::default() };
        let lineage = Lineage { parent: origin.reader.id(), position: vm.guest.position() };
        let header = Header { lineage: Some(lineage), ..self.header(&mut vm, options) };
        let writer = create(&header)?;
        let digests = vm.digests();
        Ok(vm.replay.start_extract(Box::new(writer), digests)?)
    }

    /// Player: nothing comes of the cut.
    pub(crate) fn abandon_cut(&self) {
        self.vm().replay.abandon_extract();
    }

    /// Player: the cut ends here.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn finish_cut(&self) -> Result<(), Error> {
        let mut vm = self.vm();
        let digests = vm.digests();
        Ok(vm.replay.finish_extract(digests)?)
    }
}
