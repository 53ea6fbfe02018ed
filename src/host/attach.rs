//! What the devices of a machine are joined to: the traits of hosts, and the table of those that are attached.
//!
//! A host is asked by the vCPU thread (what must be answered at once) and by the main loop (what has come in). Both go
//! through one lock, which nobody holds while waiting: hosts never block.

use crate::events::AsyncEvent;
use crate::files::Process;
use crate::nondet::{AudioRead, BlockRequest, BlockResult, CharId, CharRequest, CharWritten, NetId, Owner};
use std::collections::BTreeMap;

/// The host side of a character device. No method waits.
pub trait CharHost: Send {
    /// Takes bytes that the guest has sent: all, some (`offset` of them), or none and a negative errno.
    fn write(&mut self, bytes: &[u8]) -> CharWritten;

    /// Bytes that have come for the guest since the last call, at most a few KiB.
    fn poll(&mut self) -> Vec<u8>;

    /// Whether more may come by itself: else a program that reads is told that this was the end.
    fn is_open(&self) -> bool;

    /// Whether a machine that waits for input goes on waiting because of this host.
    fn is_waited_for(&self) -> bool {
        self.is_open()
    }

    /// The process whose files or sockets it has; `None` for a host that has none.
    fn process(&self) -> Option<Process> {
        None
    }
}

/// What answers the questions of a device that must be answered at once: files, or a device that the user wrote.
pub trait RequestHost: Send {
    /// The device kind whose questions it knows.
    fn serves(&self) -> &'static str;

    /// Answers with bytes in `buffer` (their number), or a negative errno.
    fn request(&mut self, request: CharRequest<'_>, buffer: &mut [u8]) -> i32;

    /// Whether the answer was that something is wrong with the host itself, so that the run should end.
    fn has_failed(&mut self) -> bool {
        false
    }

    /// The same as [`CharHost::process`].
    fn process(&self) -> Option<Process> {
        None
    }
}

/// The host side of a disk.
pub trait DiskHost: Send {
    /// Carries out a request. Errors are negative errnos in the result.
    fn request(&mut self, request: &BlockRequest) -> BlockResult;

    /// The same as [`CharHost::process`].
    fn process(&self) -> Option<Process> {
        None
    }
}

/// Where entropy comes from instead of the operating system.
pub trait EntropyHost: Send {
    /// Fills `buffer`: 0, or a negative errno with the buffer zeroed.
    fn fill(&mut self, buffer: &mut [u8]) -> i32;
}

/// The host side of a network device. No method waits.
pub trait NetHost: Send {
    /// Sends a packet, or loses it, as networks do.
    fn send(&mut self, flags: u32, packet: &[u8]);

    /// Packets that have come since the last call, with their flags.
    fn poll(&mut self) -> Vec<(u32, Vec<u8>)>;

    /// Whether more may come by itself.
    fn is_open(&self) -> bool;

    /// Whether something is wrong with the host itself, so that the run should end; asked once after each packet sent.
    fn has_failed(&mut self) -> bool {
        false
    }

    /// A run has ended: what is kept back should be where a user can look at it.
    fn run_ends(&mut self) {}

    /// The same as [`CharHost::process`].
    fn process(&self) -> Option<Process> {
        None
    }
}

/// The host side of a sound device: 16 bits, one channel.
pub trait SoundHost: Send {
    /// Plays samples and returns the number of frames taken.
    fn play(&mut self, samples: &[i16]) -> u32;

    /// Records samples.
    fn record(&mut self, samples: &mut [i16]) -> AudioRead;

    /// A run has ended: what is kept back should be where a user can look at it.
    fn run_ends(&mut self) {}

    /// The same as [`CharHost::process`].
    fn process(&self) -> Option<Process> {
        None
    }
}

/// All hosts of a machine.
#[derive(Default)]
pub struct Attachments {
    /// By number of the character device.
    pub chars: BTreeMap<CharId, Box<dyn CharHost>>,
    /// Files and users' devices, by number of the character device.
    pub requests: BTreeMap<CharId, Box<dyn RequestHost>>,
    /// By the device that asks.
    pub disks: BTreeMap<Owner, Box<dyn DiskHost>>,
    /// By number of the network device.
    pub nets: BTreeMap<NetId, Box<dyn NetHost>>,
    /// Where entropy comes from.
    pub entropy: Option<Box<dyn EntropyHost>>,
    /// What is heard.
    pub sound_out: Option<Box<dyn SoundHost>>,
    /// What is listened to.
    pub sound_in: Option<Box<dyn SoundHost>>,
    /// Bytes that came in and that the guest has not read yet.
    pub waiting: usize,
}

/// While so much waits for the guest, a stream's bytes stay with the operating system, which holds the sender back.
const WAITING_MAX: usize = 64 << 10;

/// The longest packet that any network has.
pub const PACKET_MAX: usize = 0xFFFF;

impl Attachments {
    /// What has come in, in the order of the devices.
    pub fn poll(&mut self) -> Vec<AsyncEvent> {
        let mut events = Vec::new();
        let has_room = self.waiting < WAITING_MAX;
        for (&device, host) in self.chars.iter_mut().filter(|_| has_room) {
            let bytes = host.poll();
            if !bytes.is_empty() {
                events.push(AsyncEvent::CharRead { device, bytes });
            }
        }
        for (device, host) in &mut self.nets {
            let packets = host.poll().into_iter().filter(|(_, bytes)| bytes.len() <= PACKET_MAX);
            events.extend(packets.map(|(flags, bytes)| AsyncEvent::Net { device: device.0, flags, bytes }));
        }
        events
    }

    /// A run has ended.
    pub fn run_ends(&mut self) {
        self.nets.values_mut().for_each(|host| host.run_ends());
        for sound in [&mut self.sound_out, &mut self.sound_in].into_iter().flatten() {
            sound.run_ends();
        }
    }

    /// Whether any of them has what another process has opened: both would read, write and move about in it.
    pub fn is_of_other_process(&self) -> bool {
        let chars = self.chars.values().map(|host| host.process());
        let requests = self.requests.values().map(|host| host.process());
        let disks = self.disks.values().map(|host| host.process());
        let nets = self.nets.values().map(|host| host.process());
        let sounds = [&self.sound_out, &self.sound_in].into_iter().flatten().map(|host| host.process());
        let mut all = chars.chain(requests).chain(disks).chain(nets).chain(sounds);
        all.any(|process| process.is_some_and(|process| !process.is_this()))
    }

    /// Whether any of them may bring more by itself.
    pub fn is_open(&self) -> bool {
        self.chars.values().any(|host| host.is_waited_for()) || self.nets.values().any(|host| host.is_open())
    }
}
