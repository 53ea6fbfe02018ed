//! A network device on capture files: what is sent goes to one, what comes in comes from the other.

use super::attach::NetHost;
use super::clock::since_epoch;
use super::error::HostError;
use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Packets that come in at once.
const PACKETS_MAX: usize = 16;

/// Two capture files in the classic pcap format.
pub struct PcapHost {
    /// Not buffered: a packet that has been sent is in the file.
    output: Option<PcapWriter<File>>,
    input: Option<PcapReader<BufReader<File>>>,
}

impl PcapHost {
    /// Makes the output file and opens the input file.
    ///
    /// # Errors
    /// A file that cannot be opened or made; an input that is no capture.
    pub fn open(output: Option<&Path>, input: Option<&Path>) -> Result<Self, HostError> {
        let output = output.map(|path| {
            let file = File::create(path).map_err(|source| HostError::io("write", path, source))?;
            PcapWriter::new(file).map_err(|error| HostError::format(path, "be written", &error))
        });
        let input = input.map(|path| {
            let file = File::open(path).map_err(|source| HostError::io("read", path, source))?;
            PcapReader::new(BufReader::new(file))
                .map_err(|error| HostError::format(path, "be read as a pcap capture", &error))
        });
        Ok(Self { output: output.transpose()?, input: input.transpose()? })
    }
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
}
