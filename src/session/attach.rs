//! Joining devices to hosts.

use super::Session;
pub use crate::devices::keyboard::KEYS;
use crate::error::Error;
use crate::host::{CharHost, DiskHost, EntropyHost, HostError, NetHost, RequestHost, SoundHost};
use crate::nondet::{CharId, NetId, Owner};
use crate::replay::ReplayMode;
use crate::sync::lock;

/// What a device can be joined to.
#[allow(missing_docs, reason = "the traits say what each is")]
pub enum Host {
    Char(Box<dyn CharHost>),
    Request(Box<dyn RequestHost>),
    Disk(Box<dyn DiskHost>),
    Entropy(Box<dyn EntropyHost>),
    Net(Box<dyn NetHost>),
    SoundOut(Box<dyn SoundHost>),
    SoundIn(Box<dyn SoundHost>),
}

/// The sorts of hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum HostSort {
    Char,
    /// An object of the user's.
    Object,
    /// A directory for file calls.
    Calls,
    Disk,
    Entropy,
    Net,
    SoundOut,
    SoundIn,
}

impl Host {
    fn sort(&self) -> HostSort {
        match self {
            Host::Char(_) => HostSort::Char,
            Host::Request(host) if host.serves() == "user" => HostSort::Object,
            Host::Request(_) => HostSort::Calls,
            Host::Disk(_) => HostSort::Disk,
            Host::Entropy(_) => HostSort::Entropy,
            Host::Net(_) => HostSort::Net,
            Host::SoundOut(_) => HostSort::SoundOut,
            Host::SoundIn(_) => HostSort::SoundIn,
        }
    }
}

impl HostSort {
    fn name(self) -> &'static str {
        match self {
            HostSort::Char => "a character host",
            HostSort::Object => "an object of the user's",
            HostSort::Calls => "a directory for file calls",
            HostSort::Disk => "a disk image",
            HostSort::Entropy => "a source of entropy",
            HostSort::Net => "a network",
            HostSort::SoundOut => "a sound output",
            HostSort::SoundIn => "a sound input",
        }
    }

    /// Whether a device has a use for it.
    fn fits(self, kind: &str, place: &Place) -> bool {
        match self {
            HostSort::Char => place.char_id.is_some() && kind != "user",
            HostSort::Object => kind == "user",
            HostSort::Calls => kind == "sim65",
            HostSort::Disk => kind == "disk",
            HostSort::Entropy => kind == "random_port",
            HostSort::Net => place.net_id.is_some(),
            HostSort::SoundOut | HostSort::SoundIn => kind == "sound",
        }
    }
}

/// A device as hosts see it.
struct Place {
    owner: Owner,
    char_id: Option<CharId>,
    net_id: Option<NetId>,
}

impl Session {
    /// Joins a device to a host, in place of the host of that sort which it has.
    ///
    /// # Errors
    /// A device that the board does not have, one that has no use for such a host, or a machine that replays: its
    /// recording is its host.
    pub fn attach(&self, device: &str, host: Host) -> Result<(), Error> {
        let place = self.check_attachable(device, host.sort())?;
        let mut attached = lock(&self.attached);
        let before = match host {
            Host::Char(host) => place.char_id.and_then(|id| attached.chars.insert(id, host)).map(Host::Char),
            Host::Request(host) => {
                place.char_id.and_then(|id| attached.requests.insert(id, host)).map(Host::Request)
            }
            Host::Net(host) => place.net_id.and_then(|id| attached.nets.insert(id, host)).map(Host::Net),
            Host::Disk(host) => attached.disks.insert(place.owner, host).map(Host::Disk),
            Host::Entropy(host) => attached.entropy.replace(host).map(Host::Entropy),
            Host::SoundOut(host) => attached.sound_out.replace(host).map(Host::SoundOut),
            Host::SoundIn(host) => attached.sound_in.replace(host).map(Host::SoundIn),
        };
        // Its end may write to a file, or call a function of the user's: not while the machine's hosts are held.
        drop(attached);
        drop(before);
        Ok(())
    }

    fn check_attachable(&self, device: &str, sort: HostSort) -> Result<Place, Error> {
        if self.mode() == ReplayMode::Play {
            return Err(Error::State(format!(
                "a replay has no hosts, its recording answers for them: attach {device:?} on a machine that runs freely"
            )));
        }
        let (kind, place) = self.place_of(device)?;
        if sort.fits(kind, &place) {
            return Ok(place);
        }
        let sort = sort.name();
        Err(Error::Device(format!("the device {device:?} is a {kind}, which cannot be joined to {sort}")))
    }

    /// Makes a host of a sort and joins a device to it; `make` gives what else there is to tell about the host. It is not
    /// called when the device has no use for it: to open a file for writing empties it.
    ///
    /// # Errors
    /// A host that cannot be had, and those of [`attach`](Session::attach).
    pub fn attach_made<T>(
        &self,
        device: &str,
        sort: HostSort,
        make: impl FnOnce() -> Result<(Host, T), HostError>,
    ) -> Result<T, Error> {
        self.check_attachable(device, sort)?;
        let (host, told) = make().map_err(|source| Error::Attach {
            board: self.board.name.clone(),
            device: device.to_owned(),
            source: Box::new(source),
        })?;
        self.attach(device, host)?;
        Ok(told)
    }

    /// Parts a device from all its hosts.
    ///
    /// # Errors
    /// A device that the board does not have.
    pub fn detach(&self, device: &str) -> Result<(), Error> {
        let (kind, place) = self.place_of(device)?;
        let mut attached = lock(&self.attached);
        let mut before: Vec<Option<Host>> = Vec::new();
        if let Some(id) = place.char_id {
            before.push(attached.chars.remove(&id).map(Host::Char));
            before.push(attached.requests.remove(&id).map(Host::Request));
        }
        if let Some(id) = place.net_id {
            before.push(attached.nets.remove(&id).map(Host::Net));
        }
        before.push(attached.disks.remove(&place.owner).map(Host::Disk));
        if kind == "random_port" {
            before.push(attached.entropy.take().map(Host::Entropy));
        }
        if kind == "sound" {
            before.push(attached.sound_out.take().map(Host::SoundOut));
            before.push(attached.sound_in.take().map(Host::SoundIn));
        }
        // As in `attach`.
        drop(attached);
        drop(before);
        Ok(())
    }

    fn place_of(&self, name: &str) -> Result<(&'static str, Place), Error> {
        let found = {
            let vm = self.vm();
            let mut devices = vm.guest.devices().enumerate();
            devices.find(|(_, slot)| slot.name == name).map(|(index, slot)| {
                let place = Place { owner: Owner(index as u16), char_id: slot.char_id, net_id: slot.net_id };
                (slot.device.kind(), place)
            })
        };
        found.ok_or_else(|| {
            let known: Vec<&str> = self.board.devices.iter().map(|device| device.name.as_str()).collect();
            Error::Argument(format!("the board {} has no device {name:?}; it has {known:?}", self.board.name))
        })
    }

    /// The number of a network device.
    ///
    /// # Errors
    /// A device that the board does not have, or that has no network side.
    pub fn net_id(&self, device: &str) -> Result<NetId, Error> {
        let (kind, place) = self.place_of(device)?;
        place.net_id.ok_or_else(|| {
            Error::Device(format!("the device {device:?} is a {kind}, which has no network side"))
        })
    }

    /// The picture on a device's screen.
    ///
    /// # Errors
    /// A device that the board does not have, or that has no screen.
    pub fn frame(&self, device: &str) -> Result<crate::devices::Frame, Error> {
        let (kind, place) = self.place_of(device)?;
        let vm = self.vm();
        let slot = vm.guest.devices().nth(usize::from(place.owner.0));
        slot.and_then(|slot| slot.device.frame())
            .ok_or_else(|| Error::Device(format!("the device {device:?} is a {kind}, which has no screen")))
    }
}
