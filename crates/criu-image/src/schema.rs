//! What is known of a message without decoding it: field numbers, names, kinds, and how a value is read by people.
//!
//! Schemas are static data made by the same declaration as the structs in [`crate::messages`].

use crate::names::{FlagNames, NumberNames};

/// A message type that knows its own schema. Implemented by every struct of [`crate::messages`].
pub trait Described {
    /// The schema of this message.
    fn schema() -> &'static MessageSchema;
}

/// A message: its upstream name and its fields in ascending number.
#[derive(Debug)]
pub struct MessageSchema {
    /// Upstream name, e.g. `pagemap_entry`.
    pub name: &'static str,
    /// Fields as declared, in upstream order.
    pub fields: &'static [FieldSchema],
    pub(crate) decode: fn(&[u8]) -> Result<(), prost::DecodeError>,
    pub(crate) reencode: fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>,
}

impl MessageSchema {
    /// The field with this number.
    #[must_use]
    pub fn field(&self, number: u32) -> Option<&'static FieldSchema> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// Whether a payload decodes as this message.
    ///
    /// # Errors
    ///
    /// What the decoder says.
    pub fn check(&self, payload: &[u8]) -> Result<(), prost::DecodeError> {
        (self.decode)(payload)
    }

    /// Decodes a payload and encodes it again. The same bytes prove that decoding lost nothing.
    ///
    /// # Errors
    ///
    /// What the decoder says.
    pub fn reencode(&self, payload: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
        (self.reencode)(payload)
    }

    /// The field with this upstream name.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static FieldSchema> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// One field of a message.
#[derive(Debug)]
pub struct FieldSchema {
    /// Protobuf field number.
    pub number: u32,
    /// Upstream name.
    pub name: &'static str,
    /// How often it occurs.
    pub label: Label,
    /// Its protobuf type.
    pub kind: Kind,
    /// How its value is presented.
    pub show: Show,
}

/// How often a field occurs in a sound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Exactly once.
    Required,
    /// At most once.
    Optional,
    /// Any number of times; CRIU writes lists of numbers unpacked, readers accept packed ones too.
    Repeated,
}

/// Protobuf type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `uint32`, and enumerations, which are kept as numbers so that unknown values survive.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `int32`: negative values take ten bytes.
    Int32,
    /// `int64`: negative values take ten bytes.
    Int64,
    /// `sint32`: zigzag.
    Sint32,
    /// `sint64`: zigzag.
    Sint64,
    /// `fixed64`: eight bytes, little-endian.
    Fixed64,
    /// `bool`.
    Bool,
    /// `string`: a C string, not promised to be UTF-8.
    String,
    /// `bytes`.
    Bytes,
    /// A nested message. A function, because message types may contain themselves.
    Message(fn() -> &'static MessageSchema),
}

impl Kind {
    /// True for the kinds that travel as varints and so can be packed.
    #[must_use]
    pub const fn is_varint(self) -> bool {
        matches!(
            self,
            Self::Uint32
                | Self::Uint64
                | Self::Int32
                | Self::Int64
                | Self::Sint32
                | Self::Sint64
                | Self::Bool
        )
    }
}

/// How a value is presented to people. The number itself is never lost.
#[derive(Clone, Copy, Debug)]
pub enum Show {
    /// As it is.
    Plain,
    /// `0x7ffd…`.
    Hex,
    /// `0100644`: file modes.
    Octal,
    /// An IPv4 address (one word) or IPv6 address (four words). Each word is four bytes of the address read as a
    /// number by the dumping host, so the text depends on its byte order.
    Ip,
    /// `major:minor` of a kernel `dev_t`: 12 bits of major above 20 bits of minor.
    Dev,
    /// `major:minor` of a user space (`st_dev`) encoding.
    Odev,
    /// A set of bits by name.
    Flags(&'static FlagNames),
    /// A number by name.
    Names(&'static NumberNames),
    /// The bytes of `sun_path`: `@name` when abstract, a path without its final NUL otherwise.
    UnixName,
    /// A signal number, by the name it has on the architecture of the dump.
    Signal,
    /// A personality as CRIU reads it, see [`crate::names::personality`].
    Personality,
    /// A signal mask: bit n-1 is signal n.
    SignalSet,
    /// Flags of `open(2)`, whose values differ by architecture.
    OpenFlags,
    /// Flags of `mmap(2)`, whose values differ by architecture.
    MapFlags,
}

/// Upstream's field name for a Rust identifier: `r#type` is `type`.
pub(crate) const fn field_name(rust: &'static str) -> &'static str {
    match rust.as_bytes() {
        [b'r', b'#', ..] => rust.split_at(2).1,
        _ => rust,
    }
}
