//! Any image as a tree for people, from the raw bytes and the schema, so that nothing is lost.
//!
//! The tree is neutral: JSON, text and tables are made from it elsewhere. Unlike decoding it keeps fields that are not
//! known, values in codings that do not fit, repeated occurrences of what should occur once, and the bytes after an error.
//! Depth and number of nodes are bounded by [`ShowLimits`]; what did not fit is counted in the tree.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use crate::error::ImageError;
use crate::extra::Extra;
use crate::frame::{ByteOrder, Framing, Image, Record, count};
use crate::kind::ImageKind;
use crate::messages::CoreEntry;
use crate::names;
use crate::schema::{Described, FieldSchema, Kind, Label, MessageSchema, Show};
use crate::wire::{self, WireError, WireField, WireType, WireValue};

/// A value of the tree.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A number.
    Number(u64),
    /// A number of a signed field.
    Signed(i64),
    /// A truth value.
    Bool(bool),
    /// A number that people read as text: an address, flags, a device, a name.
    Rendered {
        /// The text; printable ASCII.
        text: String,
        /// The number.
        raw: u64,
    },
    /// A string, or the name of a socket.
    Text {
        /// The text, escaped by [`escape`]: it holds no control characters.
        text: String,
        /// The bytes as they are.
        raw: Bytes,
    },
    /// Text that is worked out and not in the image as such: an IP address, what a property says.
    Derived(String),
    /// Bytes, a slice of the image.
    Bytes(Bytes),
    /// Values of a repeated field, or of one that occurs more often than it should.
    List(Vec<Shown>),
    /// A message: fields in the order of their first occurrence.
    Message(Vec<(FieldLabel, Shown)>),
}

/// What a value of a message is.
#[derive(Clone, Debug)]
pub enum FieldLabel {
    /// A field of the schema.
    Known(&'static FieldSchema),
    /// A field that is not in the schema, or is coded in another way than its type allows.
    Unknown {
        /// Field number.
        number: u32,
        /// How it is coded.
        wire_type: WireType,
        /// Bytes of its value.
        size: usize,
    },
    /// From here on the bytes are not protobuf; the value is the rest of the message.
    Broken(WireError),
    /// A limit of the tree was reached; the value is the number of bytes of the message that are not shown.
    Omitted,
    /// What follows the payload of the record.
    Extra,
    /// A property of what follows.
    Property(&'static str),
}

impl fmt::Display for FieldLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(field) => f.write_str(field.name),
            Self::Unknown { number, wire_type: WireType::LengthDelimited, size } => {
                write!(f, "unknown field {number} (length-delimited, {size} bytes)")
            }
            Self::Unknown { number, wire_type, .. } => {
                write!(f, "unknown field {number} ({wire_type})")
            }
            Self::Broken(error) => write!(f, "not protobuf: {error}"),
            Self::Omitted => f.write_str("bytes not shown"),
            Self::Extra => f.write_str("extra"),
            Self::Property(name) => f.write_str(name),
        }
    }
}

/// Bounds of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowLimits {
    /// Messages in messages; deeper ones are shown as bytes. 64 by default.
    pub depth: usize,
    /// Values of all kinds in one record. 1 048 576 by default, which is about 100 MB; real records have thousands.
    pub nodes: usize,
}

impl Default for ShowLimits {
    fn default() -> Self {
        Self { depth: wire::MAX_DEPTH, nodes: 1 << 20 }
    }
}

/// What presentation depends on beside the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShowContext {
    /// Byte order of the dump: that of its IP addresses.
    pub order: ByteOrder,
    /// Architecture of the dump, a `core_entry.mtype`: open flags, mapping flags and signals depend on it. A `core` image
    /// tells its own.
    pub mtype: Option<u32>,
    /// Bounds.
    pub limits: ShowLimits,
}

impl ShowContext {
    /// The context of an image on its own, with default bounds.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        Self {
            order: image.order().unwrap_or(ByteOrder::Little),
            mtype: None,
            limits: ShowLimits::default(),
        }
    }

    /// The same for a dump of this architecture.
    #[must_use]
    pub fn with_mtype(self, mtype: Option<u32>) -> Self {
        Self { mtype, ..self }
    }
}

/// A record as a tree: always a [`Shown::Message`].
#[must_use]
pub fn show_record(record: &Record, context: &ShowContext) -> Shown {
    let mut tree = show_payload(&record.payload, record.schema, context);
    if let (Shown::Message(fields), Some(extra)) = (&mut tree, show_extra(record)) {
        fields.push((FieldLabel::Extra, extra));
    }
    tree
}

/// A payload as a tree: always a [`Shown::Message`].
#[must_use]
pub fn show_payload(
    payload: &Bytes,
    schema: &'static MessageSchema,
    context: &ShowContext,
) -> Shown {
    let mut context = *context;
    if context.mtype.is_none() && std::ptr::eq(schema, CoreEntry::schema()) {
        context.mtype = mtype_of(payload);
    }
    let mut tree = Tree { nodes: context.limits.nodes, context };
    Shown::Message(tree.message(payload, schema, 0))
}

fn mtype_of(payload: &[u8]) -> Option<u32> {
    wire::walk(payload).map_while(Result::ok).find_map(|field| match (field.number, field.value) {
        (1, WireValue::Varint(mtype)) => u32::try_from(mtype).ok(),
        _ => None,
    })
}

fn show_extra(record: &Record) -> Option<Shown> {
    let mut fields = vec![
        (FieldLabel::Property("kind"), Shown::Derived(record.extra.what()?.to_owned())),
        (FieldLabel::Property("bytes"), Shown::Number(count(record.extra_bytes.len()))),
    ];
    let mut add = |name, value| fields.push((FieldLabel::Property(name), value));
    match &record.extra {
        Extra::TcpQueues { received, outgoing } => {
            add("received", Shown::Number(count(received.len())));
            add("outgoing", Shown::Number(count(outgoing.len())));
        }
        Extra::Messages(messages) => add("messages", Shown::Number(messages.remaining().into())),
        Extra::Semaphores(semaphores) => {
            let values = semaphores.values().map(|value| Shown::Number(value.into()));
            add("values", Shown::List(values.collect()));
        }
        Extra::BpfMap { keys, values } => {
            add("keys", Shown::Number(count(keys.len())));
            add("values", Shown::Number(count(values.len())));
        }
        _ => {}
    }
    Some(Shown::Message(fields))
}

struct Tree {
    context: ShowContext,
    /// Values that may still be made.
    nodes: usize,
}

impl Tree {
    fn message(
        &mut self,
        payload: &Bytes,
        schema: &'static MessageSchema,
        depth: usize,
    ) -> Vec<(FieldLabel, Shown)> {
        let mut fields: Vec<(FieldLabel, Shown)> = Vec::new();
        // Where the values of each known field are in `fields`.
        let mut places: Vec<Option<usize>> = vec![None; schema.fields.len()];
        let mut at = 0_usize;
        for field in wire::walk(payload) {
            let field = match field {
                Ok(field) => field,
                Err(error) => {
                    fields.push((
                        FieldLabel::Broken(error),
                        Shown::Bytes(payload.slice(at.min(payload.len())..)),
                    ));
                    break;
                }
            };
            if self.nodes == 0 {
                let left = payload.len().saturating_sub(field.offset);
                fields.push((FieldLabel::Omitted, Shown::Number(count(left))));
                break;
            }
            self.nodes = self.nodes.saturating_sub(1);
            at = field.end;
            let position = schema.fields.iter().position(|known| known.number == field.number);
            let known = position.and_then(|position| schema.fields.get(position));
            match (position, known) {
                (Some(position), Some(known)) if wire::fits(known, &field.value) => {
                    let place = places.get_mut(position);
                    let values = self.values(known, &field, payload, depth);
                    match place {
                        Some(Some(index)) => {
                            if let Some((_, shown)) = fields.get_mut(*index) {
                                append(shown, values);
                            }
                        }
                        place => {
                            if let Some(place) = place {
                                *place = Some(fields.len());
                            }
                            fields.push((FieldLabel::Known(known), first(known, values)));
                        }
                    }
                }
                _ => {
                    let label = FieldLabel::Unknown {
                        number: field.number,
                        wire_type: field.value.wire_type(),
                        size: field.end.saturating_sub(field.value_offset),
                    };
                    fields.push((label, unknown(&field, payload)));
                }
            }
        }
        for (label, shown) in &mut fields {
            if let (FieldLabel::Known(FieldSchema { show: Show::Ip, .. }), Shown::List(words)) =
                (label, &*shown)
                && let Some(address) = address(words, self.context.order)
            {
                *shown = Shown::Derived(address);
            }
        }
        fields
    }

    /// The values of one occurrence of a field: several when it is packed.
    fn values(
        &mut self,
        known: &'static FieldSchema,
        field: &WireField<'_>,
        payload: &Bytes,
        depth: usize,
    ) -> Vec<Shown> {
        let slice =
            |start: usize, end: usize| payload.slice(start.min(end)..end.min(payload.len()));
        match (known.kind, field.value) {
            (Kind::Message(schema), WireValue::Bytes(_)) => {
                let data = slice(field.value_offset, field.end);
                if depth >= self.context.limits.depth {
                    return vec![Shown::Bytes(data)];
                }
                vec![Shown::Message(self.message(&data, schema(), depth.saturating_add(1)))]
            }
            (Kind::String, WireValue::Bytes(data)) => {
                vec![Shown::Text { text: escape(data), raw: slice(field.value_offset, field.end) }]
            }
            (Kind::Bytes, WireValue::Bytes(data)) => vec![match known.show {
                Show::UnixName => {
                    Shown::Text { text: unix_name(data), raw: slice(field.value_offset, field.end) }
                }
                _ => Shown::Bytes(slice(field.value_offset, field.end)),
            }],
            (kind, WireValue::Varint(raw) | WireValue::Fixed64(raw)) => {
                vec![self.number(known.show, scalar(kind, raw))]
            }
            (Kind::Fixed64, WireValue::Bytes(data)) => {
                let raw = data
                    .chunks_exact(8)
                    .filter_map(<[u8]>::first_chunk)
                    .map(|raw| u64::from_le_bytes(*raw));
                self.list(known, raw)
            }
            (_, WireValue::Bytes(data)) => {
                self.list(known, wire::packed(data).map_while(Result::ok))
            }
            (_, WireValue::Fixed32(raw)) => vec![Shown::Number(raw.into())],
        }
    }

    fn list(&mut self, known: &FieldSchema, raw: impl Iterator<Item = u64>) -> Vec<Shown> {
        let mut values = Vec::new();
        for raw in raw {
            if self.nodes == 0 {
                break;
            }
            self.nodes = self.nodes.saturating_sub(1);
            values.push(self.number(known.show, scalar(known.kind, raw)));
        }
        values
    }

    fn number(&self, show: Show, value: Scalar) -> Shown {
        let plain = match value {
            Scalar::Bool(value) => return Shown::Bool(value),
            Scalar::Signed(value) => Shown::Signed(value),
            Scalar::Unsigned(value) => Shown::Number(value),
        };
        let (raw, signed) = match value {
            Scalar::Signed(value) => (value.cast_unsigned(), Some(value)),
            Scalar::Unsigned(value) => (value, i64::try_from(value).ok()),
            Scalar::Bool(_) => return plain,
        };
        let mtype = self.context.mtype;
        let text = match show {
            Show::Plain | Show::Ip | Show::UnixName => return plain,
            Show::Hex => format!("{raw:#x}"),
            Show::Octal => format!("0{raw:o}"),
            Show::Dev => format!("{}:{}", raw >> 20, raw & 0xf_ffff),
            Show::Odev => format!("{}:{}", raw >> 8 & 0xfff, (raw & 0xff) | (raw >> 12 & 0xf_ff00)),
            Show::Flags(flags) => flags.text(raw),
            Show::OpenFlags => names::open_flags(mtype).text(raw),
            Show::MapFlags => names::map_flags(mtype).text(raw),
            Show::Personality => match u32::try_from(raw).ok().and_then(names::personality) {
                Some(value) => names::PERSONALITY.text(value.into()),
                None => return plain,
            },
            Show::Signal if raw != 0 => names::signal_text(mtype, raw),
            Show::Signal => return plain,
            Show::SignalSet => names::signal_set_text(mtype, raw),
            Show::Names(table) => match signed.and_then(|value| table.get(value)) {
                Some(name) => name.to_owned(),
                None => return plain,
            },
        };
        Shown::Rendered { text, raw }
    }
}

#[derive(Clone, Copy)]
enum Scalar {
    Unsigned(u64),
    Signed(i64),
    Bool(bool),
}

/// A varint or fixed value as its type reads it.
fn scalar(kind: Kind, raw: u64) -> Scalar {
    let low = u32::try_from(raw & 0xffff_ffff).unwrap_or(u32::MAX);
    match kind {
        Kind::Uint32 => Scalar::Unsigned(low.into()),
        Kind::Int32 => Scalar::Signed(low.cast_signed().into()),
        Kind::Int64 => Scalar::Signed(raw.cast_signed()),
        Kind::Sint32 => Scalar::Signed(
            ((low >> 1).cast_signed() ^ 0_i32.wrapping_sub((low & 1).cast_signed())).into(),
        ),
        Kind::Sint64 => {
            Scalar::Signed((raw >> 1).cast_signed() ^ 0_i64.wrapping_sub((raw & 1).cast_signed()))
        }
        Kind::Bool => Scalar::Bool(raw != 0),
        Kind::Uint64 | Kind::Fixed64 | Kind::String | Kind::Bytes | Kind::Message(_) => {
            Scalar::Unsigned(raw)
        }
    }
}

fn first(known: &FieldSchema, mut values: Vec<Shown>) -> Shown {
    match (known.label, values.pop()) {
        (Label::Required | Label::Optional, Some(value)) if values.is_empty() => value,
        (_, last) => {
            values.extend(last);
            Shown::List(values)
        }
    }
}

fn append(shown: &mut Shown, values: Vec<Shown>) {
    if let Shown::List(list) = shown {
        list.extend(values);
    } else {
        let before = std::mem::replace(shown, Shown::Bool(false));
        *shown = Shown::List(std::iter::once(before).chain(values).collect());
    }
}

fn unknown(field: &WireField<'_>, payload: &Bytes) -> Shown {
    match field.value {
        WireValue::Varint(value) | WireValue::Fixed64(value) => Shown::Number(value),
        WireValue::Fixed32(value) => Shown::Number(value.into()),
        WireValue::Bytes(_) => {
            let end = field.end.min(payload.len());
            Shown::Bytes(payload.slice(field.value_offset.min(end)..end))
        }
    }
}

/// An address of one (IPv4) or four words (IPv6); `None` for other counts.
fn address(words: &[Shown], order: ByteOrder) -> Option<String> {
    let bytes = |word: &Shown| match word {
        Shown::Number(word) => u32::try_from(*word).ok().map(|word| order.bytes_of_u32(word)),
        _ => None,
    };
    match words {
        [word] => Some(Ipv4Addr::from(bytes(word)?).to_string()),
        [a, b, c, d] => {
            let mut all = [0; 16];
            for (to, word) in all.chunks_exact_mut(4).zip([a, b, c, d]) {
                to.copy_from_slice(&bytes(word)?);
            }
            Some(Ipv6Addr::from(all).to_string())
        }
        _ => None,
    }
}

/// An IP address of an image as text: each word is four bytes of the address read as a number by the dumping host.
/// `None` when there are neither one nor four words.
#[must_use]
pub fn ip_text(words: &[u32], order: ByteOrder) -> Option<String> {
    let words: Vec<Shown> =
        words.iter().take(5).map(|word| Shown::Number((*word).into())).collect();
    address(&words, order)
}

/// The address of a unix socket as text: empty when unnamed, `@name` when abstract, else the path without its final NUL.
#[must_use]
pub fn unix_name(name: &[u8]) -> String {
    match name {
        [0, rest @ ..] => format!("@{}", escape(rest)),
        [path @ .., 0] => escape(path),
        path => escape(path),
    }
}

/// A C string as printable text. Valid UTF-8 stays; backslashes are doubled; control characters, other bytes and
/// characters that change how text is laid out become `\n`, `\x1b` or `\u{202e}`. The bytes can be told back from it.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        // Most text is plain, and is copied as it is up to the next byte that may need something.
        while let Some(at) = rest.bytes().position(needs_a_look) {
            let (plain, odd) = rest.split_at_checked(at).unwrap_or((rest, ""));
            text.push_str(plain);
            let mut characters = odd.chars();
            // Writing to a string cannot fail.
            let _ = match characters.next() {
                Some('\\') => text.write_str("\\\\"),
                Some('\n') => text.write_str("\\n"),
                Some('\r') => text.write_str("\\r"),
                Some('\t') => text.write_str("\\t"),
                Some(character @ ('\0'..='\x1f' | '\x7f')) => {
                    write!(text, "\\x{:02x}", u32::from(character))
                }
                Some(character) if lays_out(character) => {
                    write!(text, "\\u{{{:x}}}", u32::from(character))
                }
                Some(character) => text.write_char(character),
                None => break,
            };
            rest = characters.as_str();
        }
        text.push_str(rest);
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Whether a byte of UTF-8 is a control character or a backslash, or may begin a character that [`lays_out`].
fn needs_a_look(byte: u8) -> bool {
    matches!(byte, 0..=0x1f | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf3)
}

/// Characters without a shape of their own that change how others are shown.
fn lays_out(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// An image in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    /// Kind.
    pub kind: ImageKind,
    /// Form of the header.
    pub framing: Framing,
    /// Byte order; `None` for raw files.
    pub order: Option<ByteOrder>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Records read.
    pub records: u64,
    /// Records whose payload does not decode.
    pub bad_records: u64,
    /// Fields that the schemas do not know.
    pub unknown_fields: u64,
    /// Required fields that are missing.
    pub missing_required: u64,
    /// Bytes that follow records.
    pub extra_bytes: u64,
    /// Why reading ended early, if it did.
    pub framing_error: Option<ImageError>,
    /// What is wrong with the first bad record.
    pub first_bad_record: Option<ImageError>,
}

impl ImageSummary {
    /// Reads all records of an image and counts.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        let mut summary = Self {
            kind: image.kind(),
            framing: image.framing(),
            order: image.order(),
            bytes: count(image.bytes().len()),
            records: 0,
            bad_records: 0,
            unknown_fields: 0,
            missing_required: 0,
            extra_bytes: 0,
            framing_error: None,
            first_bad_record: None,
        };
        for record in image.records() {
            match record {
                Ok(record) => summary.add(&record),
                Err(error) => summary.framing_error = Some(error),
            }
        }
        summary
    }

    fn add(&mut self, record: &Record) {
        self.records = self.records.saturating_add(1);
        self.extra_bytes = self.extra_bytes.saturating_add(count(record.extra_bytes.len()));
        self.unknown_fields =
            self.unknown_fields.saturating_add(wire::count_unknown(&record.payload, record.schema));
        self.missing_required = self
            .missing_required
            .saturating_add(wire::count_missing(&record.payload, record.schema));
        if let Err(error) = record.check() {
            self.bad_records = self.bad_records.saturating_add(1);
            self.first_bad_record.get_or_insert(error);
        }
    }
}
