//! Laying images into a board's memory.
//!
//! A raw image in a region ends where the region ends, so that the vectors, its last bytes, come to their place; for a
//! processor that starts at a fixed address it begins where the region begins. An image of the region's size fills it. An image with addresses of its own keeps them. A load address given by the user goes
//! before both. Every byte must fall into RAM or ROM, and no two images may have the same address.

use super::error::list;
use super::{AddressSpace, Board, DeviceSpec, Region, RegionKind, Window};
use crate::cpu::ResetTarget;
use crate::machine::rom::{self, Filled, Format, Placement, RomError, Segment};
use crate::memory::{ADDRESS_SPACE, Memory, MemoryError, PageKind, page_of};
use crate::persist::{Digest, Field, PersistError, Reader};

/// Where the user wants an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Nowhere in particular: the board's ROM.
    Main,
    /// A region by its name.
    Region(String),
    /// A load address.
    Address(u16),
}

/// An image as the user gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageInput {
    /// Where it goes.
    pub target: Target,
    /// What errors call it.
    pub name: String,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// How to read them; see [`Format::detect`].
    pub format: Format,
}

/// What images put into memory at power-on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MemoryImage {
    /// In order of address; they neither touch nor overlap.
    pub segments: Vec<Segment>,
    /// The start address of the first image that gives one.
    pub start: Option<u16>,
}

impl Board {
    /// This board as programs ask for it that say so themselves: the header of a sim65 program names the processor, the
    /// start address, and where its C stack pointer is.
    pub fn configured_by(mut self, images: &[ImageInput]) -> Result<Self, RomError> {
        for image in images.iter().filter(|image| image.format == Format::Sim65) {
            let header = rom::sim65_header(&image.name, &image.bytes)?;
            self.cpu.kind = header.cpu;
            self.cpu.reset_vector = Some(header.reset);
            let mut serving = self.devices.iter_mut().filter(|device| device.kind == "sim65").peekable();
            if serving.peek().is_none() {
                return Err(RomError::NotServed { name: image.name.clone(), board: self.name.clone() });
            }
            for device in serving {
                device.options.insert("sp_address".into(), toml::Value::Integer(header.sp_address.into()));
            }
        }
        Ok(self)
    }

    /// Reads the images and says what they put where.
    pub fn place(&self, images: &[ImageInput]) -> Result<MemoryImage, RomError> {
        let mut plan = Plan::default();
        let mut start = None;
        for (index, input) in images.iter().enumerate() {
            let image = self.load(input)?;
            for segment in &image.segments {
                self.check_covered(&input.name, segment)?;
                plan.add(images, index, segment)?;
            }
            start = start.or(image.start);
        }
        if let (Some(vector), ResetTarget::Vector(first)) =
            (self.cpu.reset_vector, self.cpu.kind.reset_target())
        {
            for (address, byte) in (first..).zip(vector.to_le_bytes()) {
                plan.bytes.set(address, byte);
            }
        }
        self.check_vector(images, &plan)?;
        Ok(MemoryImage { segments: plan.finish(), start })
    }

    /// As [`Board::place`], with the board's built-in ROM beside the images when these alone leave the reset vector
    /// empty: so a program can be loaded into RAM under the monitor, and a user's own ROM takes the monitor's place.
    pub fn place_over(&self, images: &[ImageInput], built_in: &ImageInput) -> Result<MemoryImage, RomError> {
        match self.place(images) {
            Err(RomError::NoImage { .. } | RomError::NoVector { .. }) => {
                self.place(&[images, std::slice::from_ref(built_in)].concat())
            }
            placed => placed,
        }
    }

    /// The memory of this board at power-on, with `windows` marked as I/O. Fails only for an image that was placed on
    /// another board.
    pub fn memory(&self, image: &MemoryImage, windows: &[Window]) -> Result<Box<Memory>, MemoryError> {
        let mut memory = Box::new(Memory::new());
        for region in &self.regions {
            let kind = match region.kind {
                RegionKind::Ram => PageKind::Ram,
                RegionKind::Rom => PageKind::Rom,
            };
            memory.map(page_of(region.start), page_of(region.end), kind);
            memory.load(region.start, &vec![region.fill; region.size()])?;
        }
        for segment in &image.segments {
            memory.load(segment.address, &segment.bytes)?;
        }
        for window in windows.iter().filter(|window| window.space == AddressSpace::Memory) {
            (page_of(window.first)..=page_of(window.last)).for_each(|page| memory.set_io(page, true));
        }
        Ok(memory)
    }

    /// The region that an image without a target goes to: the only ROM, else the one with the reset vector, or in which the
    /// processor starts.
    pub fn main_region(&self) -> Option<&Region> {
        let mut roms = self.regions.iter().filter(|region| region.kind == RegionKind::Rom);
        match (roms.next(), roms.next()) {
            (Some(only), None) => Some(only),
            _ => self.region_at(self.cpu.kind.reset_target().bytes().0),
        }
    }

    fn load(&self, input: &ImageInput) -> Result<rom::RomImage, RomError> {
        let ImageInput { name, bytes, format, .. } = input;
        let raw = *format == Format::Bin;
        let region = match &input.target {
            Target::Address(address) => return rom::load(name, bytes, *format, Placement::At(*address)),
            Target::Main if !raw => return rom::load(name, bytes, *format, Placement::Stored),
            Target::Main => self.main_region().ok_or_else(|| {
                let (name, board) = (name.clone(), self.name.clone());
                RomError::NoMainRegion { name, board, start: self.start_words() }
            })?,
            Target::Region(region) => self.region(region).ok_or_else(|| RomError::NoSuchRegion {
                name: name.clone(),
                region: region.clone(),
                board: self.name.clone(),
                known: list(self.regions.iter().map(|region| region.name.as_str())),
            })?,
        };
        if raw && bytes.len() > region.size() {
            return Err(larger_than_region(name, bytes.len(), region));
        }
        let placement = match format {
            Format::Bin => match self.cpu.kind.reset_target() {
                // Its last bytes are the vectors.
                ResetTarget::Vector(_) => Placement::EndingAt(region.end),
                ResetTarget::Address(_) => Placement::At(region.start),
            },
            Format::O65 => Placement::At(region.start),
            Format::IntelHex
            | Format::SRecord
            | Format::PaperTape
            | Format::Prg
            | Format::Sim65
            | Format::Text => Placement::Stored,
        };
        let image = rom::load(name, bytes, *format, placement)?;
        let asked_for = |segment: &&Segment| match format {
            // Its text is what was asked for; data and bss may be linked elsewhere.
            Format::O65 => segment.address == region.start,
            _ => true,
        };
        let ends =
            image.segments.iter().filter(asked_for).flat_map(|segment| [segment.address, segment.last()]);
        match ends.filter(|address| !(region.start..=region.end).contains(address)).min() {
            Some(address) => Err(outside_region(name, address, region)),
            None => Ok(image),
        }
    }

    fn check_covered(&self, name: &str, segment: &Segment) -> Result<(), RomError> {
        let uncovered = (segment.address..=segment.last()).find(|&address| self.region_at(address).is_none());
        let Some(address) = uncovered else { return Ok(()) };
        let is_there = |device: &&DeviceSpec| {
            device.space == AddressSpace::Memory && page_of(device.at) == page_of(address)
        };
        let there = match self.devices.iter().find(is_there) {
            Some(device) => format!("no memory but device \"{}\" (at ${:04X})", device.name, device.at),
            None => "no memory".into(),
        };
        let describe =
            |region: &Region| format!("{} is ${:04X}-${:04X}", region.name, region.start, region.end);
        let memory = self.regions.iter().map(describe).collect::<Vec<_>>().join(", ");
        let (name, board) = (name.into(), self.name.clone());
        Err(RomError::NoMemory { name, address, board, there, memory })
    }

    /// A ROM without a reset vector cannot start; RAM without one can be filled by hand.
    fn check_vector(&self, images: &[ImageInput], plan: &Plan) -> Result<(), RomError> {
        let (first, last) = self.cpu.kind.reset_target().bytes();
        let region = self.region_at(first).filter(|region| region.kind == RegionKind::Rom);
        let can_start = (first..=last).all(|address| plan.bytes.has(address));
        let Some(region) = region.filter(|_| !can_start) else { return Ok(()) };
        let (board, region) = (self.name.clone(), region.name.clone());
        if images.is_empty() {
            return Err(RomError::NoImage { board, region });
        }
        let names = images.iter().map(|image| image.name.as_str()).collect::<Vec<_>>().join(", ");
        let is_vector = matches!(self.cpu.kind.reset_target(), ResetTarget::Vector(_));
        Err(RomError::NoVector { names, board, start: self.start_words(), is_vector })
    }

    /// Where the processor starts, in words.
    fn start_words(&self) -> String {
        match self.cpu.kind.reset_target() {
            ResetTarget::Vector(first) => format!("the reset vector ${first:04X}-${:04X}", first + 1),
            ResetTarget::Address(address) => format!("the start address ${address:04X}"),
        }
    }
}

fn larger_than_region(name: &str, size: usize, region: &Region) -> RomError {
    let Region { start, end, .. } = *region;
    RomError::LargerThanRegion {
        name: name.into(),
        size,
        region: region.name.clone(),
        start,
        end,
        room: region.size(),
    }
}

fn outside_region(name: &str, address: u16, region: &Region) -> RomError {
    let Region { start, end, .. } = *region;
    RomError::OutsideRegion { name: name.into(), address, region: region.name.clone(), start, end }
}

/// The bytes of all images, and which image each segment comes from.
#[derive(Default)]
struct Plan {
    bytes: Filled,
    segments: Vec<(usize, u16, u16)>,
}

impl Plan {
    fn add(&mut self, images: &[ImageInput], index: usize, segment: &Segment) -> Result<(), RomError> {
        if let Err(address) = self.bytes.fill(usize::from(segment.address), &segment.bytes) {
            let other = self.segments.iter().find(|(_, first, last)| (*first..=*last).contains(&address));
            let other = other.map_or(index, |(other, ..)| *other);
            let (first, second) = (images[other].name.clone(), images[index].name.clone());
            return Err(RomError::ImagesOverlap { first, second, address });
        }
        self.segments.push((index, segment.address, segment.last()));
        Ok(())
    }

    fn finish(self) -> Vec<Segment> {
        self.bytes.segments()
    }
}

/// Saved form: a count, then for each segment its address and its bytes with their length; the start address.
impl MemoryImage {
    /// Appends the image, as a recording carries it.
    pub fn save(&self, out: &mut Vec<u8>) {
        (self.segments.len() as u32).put(out);
        for segment in &self.segments {
            segment.address.put(out);
            segment.bytes.put(out);
        }
        self.start.put(out);
    }

    /// Reads what [`MemoryImage::save`] wrote, for a board: bytes where the board has no memory are refused.
    pub fn read(reader: &mut Reader<'_>, board: &Board) -> Result<Self, PersistError> {
        let count = u32::take(reader, "segment count")?;
        let mut segments = Vec::new();
        let mut free = 0;
        for _ in 0..count {
            let address = u16::take(reader, "segment address")?;
            let bytes = Vec::<u8>::take(reader, "segment bytes")?;
            let end = usize::from(address) + bytes.len();
            let segment = Segment { address, bytes };
            let sound = !segment.bytes.is_empty() && usize::from(address) >= free && end <= ADDRESS_SPACE;
            if !sound || board.check_covered("", &segment).is_err() {
                return Err(PersistError::Invalid("segment address"));
            }
            free = end + 1;
            segments.push(segment);
        }
        Ok(Self { segments, start: Field::take(reader, "start address")? })
    }

    /// A hash of the image: which ROM a recording was made with.
    pub fn digest(&self) -> Digest {
        let mut saved = Vec::new();
        self.save(&mut saved);
        Digest::of(&saved)
    }
}
