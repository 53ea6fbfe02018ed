//! Sound on WAV files: 16 bits, one channel.

use super::attach::SoundHost;
use super::error::HostError;
use crate::files::{Claim, OwnFile, Process, Wanted};
use crate::nondet::AudioRead;
use hound::{SampleFormat, WavIntoSamples, WavReader, WavSpec, WavWriter};
use std::io::{BufReader, BufWriter};
use std::path::Path;

/// What sound needs, for those who name something else.
const NEEDED: &str = "a WAV file is an ordinary file";

/// What a file's four-byte lengths leave for frames of two bytes, with room for its headers.
const FRAMES_MAX: u32 = u32::MAX / 2 - 64;

/// A file that takes what is played.
pub struct WavOutput {
    writer: WavWriter<BufWriter<OwnFile>>,
    process: Process,
}

impl WavOutput {
    /// Makes the file, which says that it was played at `rate` frames a second.
    ///
    /// # Errors
    /// A file that cannot be made, is no ordinary file, or is being recorded into.
    pub fn create(path: &Path, rate: u32) -> Result<Self, HostError> {
        let spec =
            WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let failed = |error| HostError::file("write", path, NEEDED, error);
        // A file of its own, in the place of what was there: the host of an earlier machine, which goes on or writes its
        // last lengths when it is collected, does that in the file it has.
        let mut file = OwnFile::beside(path, Claim::Host).map_err(failed)?;
        file.put_in_place().map_err(failed)?;
        let writer = WavWriter::new(BufWriter::new(file), spec).map_err(|error| match error {
            hound::Error::IoError(source) => HostError::io("write", path, source),
            other => HostError::format(path, "be written", &other),
        })?;
        Ok(Self { writer, process: Process::this() })
    }
}

impl SoundHost for WavOutput {
    /// Frames that the file does not take are not taken from the guest.
    fn play(&mut self, samples: &[i16]) -> u32 {
        let room = FRAMES_MAX.saturating_sub(self.writer.duration()) as usize;
        let fit = samples.iter().take(room);
        fit.take_while(|&&sample| self.writer.write_sample(sample).is_ok()).count() as u32
    }

    fn record(&mut self, _samples: &mut [i16]) -> AudioRead {
        AudioRead { recorded: 0, write_position: 0 }
    }

    /// The file is whole between two runs.
    fn run_ends(&mut self) {
        let _not_whole = self.writer.flush();
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}

/// A file that is heard.
pub struct WavInput {
    samples: WavIntoSamples<BufReader<OwnFile>, i16>,
    position: u32,
    process: Process,
}

impl WavInput {
    /// Opens the file.
    ///
    /// # Errors
    /// A file that cannot be read, that is no ordinary file, or that is not of 16-bit samples and one channel.
    pub fn open(path: &Path) -> Result<Self, HostError> {
        let opened = OwnFile::open_to_read(path, Wanted::File);
        let (file, _) = opened.map_err(|error| HostError::file("read", path, NEEDED, error))?;
        let reader = WavReader::new(BufReader::new(file)).map_err(|error| match error {
            hound::Error::IoError(source) => HostError::io("read", path, source),
            other => HostError::format(path, "be read as a WAV file", &other),
        })?;
        let spec = reader.spec();
        if spec.channels != 1 || spec.bits_per_sample != 16 || spec.sample_format != SampleFormat::Int {
            let (channels, bits) = (spec.channels, spec.bits_per_sample);
            return Err(HostError::Wave { path: path.to_owned(), channels, bits });
        }
        Ok(Self { samples: reader.into_samples(), position: 0, process: Process::this() })
    }
}

impl SoundHost for WavInput {
    fn play(&mut self, samples: &[i16]) -> u32 {
        samples.len() as u32
    }

    /// Behind the end of the file nothing is heard: no frames are recorded.
    fn record(&mut self, samples: &mut [i16]) -> AudioRead {
        let mut recorded = 0;
        for (to, sample) in samples.iter_mut().zip(self.samples.by_ref().map_while(Result::ok)) {
            *to = sample;
            recorded += 1;
        }
        self.position = self.position.wrapping_add(recorded);
        AudioRead { recorded, write_position: self.position }
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
