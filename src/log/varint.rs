//! Numbers as the log writes them: LEB128 varints, at most 10 bytes and never longer than needed, and zigzag.

/// Bytes that break a rule of the format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a field.
    #[error("the bytes end inside {0}")]
    Short(&'static str),
    /// A varint is longer than its value needs, or does not fit 64 bits.
    #[error("{0} is not a proper variable-length number")]
    Varint(&'static str),
    /// A field holds a value that it cannot have.
    #[error("{field} holds the impossible value {value}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
    },
    /// A field is above its bound.
    #[error("{field} is {value}, above the bound of {max}")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// What it holds.
        value: u64,
        /// The bound.
        max: u64,
    },
    /// Text is not UTF-8.
    #[error("{0} is not UTF-8 text")]
    Text(&'static str),
    /// Bytes are left over.
    #[error("{0} bytes are left over")]
    Trailing(usize),
    /// Compressed bytes do not inflate to what was announced.
    #[error("the compressed bytes do not inflate to the announced length")]
    Inflate,
    /// The checksum does not match.
    #[error("the checksum does not match")]
    Checksum,
    /// No frame starts here.
    #[error("no frame starts here")]
    NoFrame,
    /// A value disagrees with what stands elsewhere in the file.
    #[error("{0}")]
    Disagrees(&'static str),
}

/// Appends an unsigned varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Maps small signed numbers to small unsigned ones: 0, -1, 1, -2, 2 ...
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Appends a signed number as a zigzag varint.
#[inline]
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, zigzag(value));
}

/// Appends bytes after their length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads numbers and bytes from the front of a slice. Every read names its field for the error.
#[derive(Clone, Debug)]
pub struct ByteReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteReader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, field: &'static str) -> Result<u8, CodecError> {
        let byte = *self.bytes.get(self.at).ok_or(CodecError::Short(field))?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], CodecError> {
        if count > self.remaining() {
            return Err(CodecError::Short(field));
        }
        let bytes = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(bytes)
    }

    /// The next fixed-size array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        self.take(N, field)?.try_into().map_err(|_| CodecError::Short(field))
    }

    /// An unsigned varint.
    #[inline]
    pub fn varint(&mut self, field: &'static str) -> Result<u64, CodecError> {
        let first = self.byte(field)?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let mut value = u64::from(first & 0x7F);
        let mut shift = 7;
        loop {
            let byte = self.byte(field)?;
            // The tenth byte has room for one bit; a last byte of 0 means that the number was written too long.
            if byte == 0 || (shift == 63 && byte > 1) {
                return Err(CodecError::Varint(field));
            }
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// An unsigned varint of at most `max`.
    #[inline]
    pub fn bounded(&mut self, max: u64, field: &'static str) -> Result<u64, CodecError> {
        let value = self.varint(field)?;
        if value > max { Err(CodecError::TooLarge { field, value, max }) } else { Ok(value) }
    }

    /// A zigzag varint.
    #[inline]
    pub fn signed(&mut self, field: &'static str) -> Result<i64, CodecError> {
        self.varint(field).map(unzigzag)
    }

    /// A zigzag varint that fits 32 bits.
    pub fn signed_32(&mut self, field: &'static str) -> Result<i32, CodecError> {
        let value = self.signed(field)?;
        i32::try_from(value).map_err(|_| CodecError::Invalid { field, value: value as u64 })
    }

    /// Bytes after their length, which is at most `max`.
    pub fn length_and_bytes(&mut self, max: usize, field: &'static str) -> Result<&'a [u8], CodecError> {
        let length = self.bounded(max as u64, field)? as usize;
        self.take(length, field)
    }

    /// Checks that everything was read.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.remaining() == 0 { Ok(()) } else { Err(CodecError::Trailing(self.remaining())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_every_width() {
        for shift in 0..64 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                assert!(bytes.len() <= 10);
                let mut reader = ByteReader::new(&bytes);
                assert_eq!(reader.varint("value"), Ok(value));
                assert_eq!(reader.finish(), Ok(()));
                assert_eq!(unzigzag(zigzag(value as i64)), value as i64);
            }
        }
    }

    #[test]
    fn overlong_and_overflowing_varints_are_refused() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xFF, 0x80, 0x00],
            &[0xFF; 10],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
        ] {
            assert_eq!(
                ByteReader::new(bytes).varint("value"),
                Err(CodecError::Varint("value")),
                "{bytes:x?}"
            );
        }
        assert_eq!(ByteReader::new(&[0x80]).varint("value"), Err(CodecError::Short("value")));
        let largest = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
        assert_eq!(ByteReader::new(&largest).varint("value"), Ok(u64::MAX));
    }

    #[test]
    fn small_signed_numbers_take_one_byte() {
        for value in -64..64 {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(bytes.len(), 1);
        }
    }
}
