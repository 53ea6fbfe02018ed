//! A network device on capture files: what is sent goes to one, what comes in comes from the other.

use super::attach::NetHost;
use super::clock::since_epoch;
use super::error::HostError;
use crate::files::{Claim, OwnFile, Process, Wanted};
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use std::io::BufReader;
use std::path::Path;

/// What captures need, for those who name something else.
const NEEDED: &str = "a capture is an ordinary file";

/// Packets that come in at once.
const PACKETS_MAX: usize = 16;

/// Two capture files in the classic pcap format.
pub struct PcapHost {
    /// Not buffered: a packet that has been sent is in the file.
    output: Option<PcapWriter<OwnFile>>,
    input: Option<PcapReader<BufReader<OwnFile>>>,
    process: Process,
}

impl PcapHost {
    /// Makes the output file and opens the input file.
    ///
    /// # Errors
    /// A file that cannot be opened or made, or that is no ordinary file; an input that is no capture; an output that is
    /// being recorded into.
    pub fn open(output: Option<&Path>, input: Option<&Path>) -> Result<Self, HostError> {
        // The input first: when it is no capture, the output keeps what it holds.
        let input = input.map(|path| {
            let opened = OwnFile::open_to_read(path, Wanted::File);
            let (file, _) = opened.map_err(|error| HostError::file("read", path, NEEDED, error))?;
            PcapReader::new(BufReader::new(file))
                .map_err(|error| HostError::format(path, "be read as a pcap capture", &error))
        });
        let input = input.transpose()?;
        let output = output.map(create).transpose()?;
        Ok(Self { output, input, process: Process::this() })
    }
}

/// A file of its own, in the place of what was there: whoever has that open goes on with that.
fn create(path: &Path) -> Result<PcapWriter<OwnFile>, HostError> {
    let failed = |error| HostError::file("write", path, NEEDED, error);
    let mut file = OwnFile::beside(path, Claim::Host).map_err(failed)?;
    file.put_in_place().map_err(failed)?;
    PcapWriter::new(file).map_err(|error| HostError::format(path, "be written", &error))
}

impl NetHost for PcapHost {
    /// What cannot be written is lost, as on a wire.
    fn send(&mut self, _flags: u32, packet: &[u8]) {
        if let Some(output) = &mut self.output {
            let length = packet.len() as u32;
            let _lost = output.write_packet(&PcapPacket::new(since_epoch(), length, packet));
        }
    }

    /// The packets of the input file one after the other, at the guest's speed and not at that of the capture.
    fn poll(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut packets = Vec::new();
        while packets.len() < PACKETS_MAX {
            let Some(Ok(packet)) = self.input.as_mut().and_then(PcapReader::next_packet) else {
                self.input = None;
                break;
            };
            packets.push((0, packet.data.into_owned()));
        }
        packets
    }

    fn is_open(&self) -> bool {
        self.input.is_some()
    }

    fn process(&self) -> Option<Process> {
        Some(self.process)
    }
}
