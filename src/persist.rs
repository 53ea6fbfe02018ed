//! Saving, restoring, naming and hashing plain state.
//!
//! A state struct lists its fields once, with [`persist!`](crate::persist!): from that list come the saved bytes, the
//! restore, the names that introspection and divergence reports use, and the digest (a hash of the saved bytes). The
//! list is checked by the compiler: a field that is left out is an error.

use std::collections::VecDeque;

/// Saved bytes that do not fit the state they are restored to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersistError {
    /// The bytes end inside a field.
    #[error("the saved state ends inside {0}")]
    Short(&'static str),
    /// A field holds a value that the state cannot have.
    #[error("the saved state holds an impossible value for {0}")]
    Invalid(&'static str),
    /// Bytes are left over after the last field.
    #[error("the saved state has {0} bytes too many")]
    Long(usize),
}

/// A field's value as introspection shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An unsigned number or register.
    Unsigned(u64),
    /// A flag.
    Bool(bool),
    /// A buffer.
    Bytes(Vec<u8>),
    /// An absent time or value.
    Absent,
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Unsigned(number) => write!(f, "{number} (${number:02X})"),
            Value::Bool(flag) => flag.fmt(f),
            Value::Bytes(bytes) => write!(f, "{} bytes {bytes:02X?}", bytes.len()),
            Value::Absent => f.write_str("-"),
        }
    }
}

/// Bounded reader over saved bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes; `field` is named in the error when there are fewer.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], PersistError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(PersistError::Short(field))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next fixed-size array.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], PersistError> {
        Ok(self.take(N, field)?.try_into().expect("take returns exactly N bytes"))
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Checks that everything was read.
    pub fn finish(self) -> Result<(), PersistError> {
        if self.rest.is_empty() { Ok(()) } else { Err(PersistError::Long(self.rest.len())) }
    }
}

/// One value that can stand in a saved state.
pub trait Field: Sized {
    /// Appends the value, little-endian.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads the value back.
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError>;
    /// The value as introspection shows it.
    fn value(&self) -> Value;
}

macro_rules! unsigned_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
                Ok(Self::from_le_bytes(reader.array(name)?))
            }
            fn value(&self) -> Value {
                Value::Unsigned(u64::from(*self))
            }
        }
    )*};
}
unsigned_field!(u8, u16, u32, u64);

impl Field for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        match u8::take(reader, name)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(PersistError::Invalid(name)),
        }
    }
    fn value(&self) -> Value {
        Value::Bool(*self)
    }
}

impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        if bool::take(reader, name)? { T::take(reader, name).map(Some) } else { Ok(None) }
    }
    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Absent, Field::value)
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        reader.array(name)
    }
    fn value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}

impl Field for Vec<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend_from_slice(self);
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        let length = u32::take(reader, name)? as usize;
        Ok(reader.take(length, name)?.to_vec())
    }
    fn value(&self) -> Value {
        Value::Bytes(self.clone())
    }
}

impl Field for VecDeque<u8> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u32).put(out);
        out.extend(self);
    }
    fn take(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, PersistError> {
        Vec::take(reader, name).map(VecDeque::from)
    }
    fn value(&self) -> Value {
        Value::Bytes(self.iter().copied().collect())
    }
}

/// Plain state that can be saved, restored and looked into.
///
/// Saved bytes must be a function of the state's meaning alone: a device that evaluates lazily brings itself up to date
/// before it is saved, so that two runs that differ only in when they looked give the same bytes.
pub trait Persist {
    /// Appends the state.
    fn save(&self, out: &mut Vec<u8>);
    /// Replaces the state. After an error the state is unspecified and must not be run.
    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), PersistError>;
    /// The fields by name, in declaration order.
    fn fields(&self) -> Vec<(&'static str, Value)>;
}

/// Saved state by subsystem, in the machine's order: CPU, lines, memory, then each device as `device/<name>`.
pub type Sections = Vec<(String, Vec<u8>)>;

/// 128-bit hash of a subsystem's saved bytes (BLAKE3, truncated).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Stands where the state was not known, and is compared with nothing.
    pub const UNKNOWN: Digest = Digest([0; 16]);

    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_hash(blake3::hash(bytes))
    }

    /// Takes the first 16 bytes of a BLAKE3 hash.
    pub fn from_hash(hash: blake3::Hash) -> Self {
        Self(hash.as_bytes()[..16].try_into().expect("a BLAKE3 hash has 32 bytes"))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Implements [`Persist`] for a struct from the complete list of its fields.
///
/// Fields behind `skip` are configuration: not saved, not shown, not hashed.
#[macro_export]
macro_rules! persist {
    ($type:ty { $($field:ident),* $(,)? } $(skip { $($skipped:ident),* $(,)? })?) => {
        impl $crate::persist::Persist for $type {
            fn save(&self, out: &mut Vec<u8>) {
                let Self { $($field,)* $($($skipped: _,)*)? } = self;
                $($crate::persist::Field::put($field, out);)*
            }
            fn restore(
                &mut self,
                reader: &mut $crate::persist::Reader<'_>,
            ) -> Result<(), $crate::persist::PersistError> {
                let Self { $($field,)* $($($skipped: _,)*)? } = self;
                $(*$field = $crate::persist::Field::take(reader, stringify!($field))?;)*
                Ok(())
            }
            fn fields(&self) -> Vec<(&'static str, $crate::persist::Value)> {
                let Self { $($field,)* $($($skipped: _,)*)? } = self;
                vec![$((stringify!($field), $crate::persist::Field::value($field)),)*]
            }
        }
    };
}
