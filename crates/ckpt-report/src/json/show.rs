//! `show`: one image, every field of it.

use ckpt_model::Defect;
use criu_image::kind::Content;
use criu_image::schema::{FieldSchema, Label, Show};
use criu_image::show::show_record;
use criu_image::show_raw::{MessageShown, RawShown, show_raw};
use criu_image::wire::missing_required;
use criu_image::{ByteOrder, FieldLabel, Image, Record, ShowContext, Shown};
use data_encoding::BASE64;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::shared::{DefectRecord, EvidenceRecord, base64, lossless};

/// `ckpt-inspect/show/1`.
#[derive(Clone, Debug, Serialize)]
pub struct ShowDocument<'a> {
    /// Name and version of this form.
    pub schema: &'static str,
    /// What was opened.
    pub evidence: EvidenceRecord<'a>,
    /// The image, as the user named it.
    pub image: &'a str,
    /// Its kind, by upstream's name of the magic in CamelCase.
    pub kind: &'static str,
    /// What a file without records holds.
    pub content: Option<&'static str>,
    /// Magic of the kind, `0x58313116`; null for files without one.
    pub magic: Option<String>,
    /// `little` or `big`; null for files that do not tell.
    pub byte_order: Option<&'static str>,
    /// Bytes of the file.
    pub size: usize,
    /// The text of a file that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
    /// Its records, or its netlink messages.
    pub records: Vec<RecordRecord>,
    /// Why reading ended early.
    pub error: Option<String>,
    /// What could not be read of the checkpoint.
    pub defects: Vec<DefectRecord>,
}

/// All records of an image.
#[must_use]
pub fn show<'a>(
    evidence: EvidenceRecord<'a>,
    name: &'a str,
    image: &Image,
    context: &ShowContext,
    defects: &[Defect],
) -> ShowDocument<'a> {
    let info = image.kind().info();
    let mut error = None;
    let mut records = Vec::new();
    for record in image.records() {
        match record {
            Ok(record) => records.push(RecordRecord::of(&record, context)),
            Err(end) => error = Some(end.to_string()),
        }
    }
    let mut text = None;
    match show_raw(image, context.order) {
        RawShown::Opaque => {}
        RawShown::Text(bytes) => text = Some(bytes),
        RawShown::Messages(messages, end) => {
            records.extend(messages.into_iter().enumerate().map(RecordRecord::of_message));
            error = end.map(|end| end.to_string());
        }
    }
    ShowDocument {
        schema: "ckpt-inspect/show/1",
        evidence,
        image: name,
        kind: info.name,
        content: match info.content {
            Content::Raw(what) => Some(what),
            Content::Single(_) | Content::Array(_) | Content::Pagemap => None,
        },
        magic: (info.magic != 0).then(|| format!("{:#010x}", info.magic)),
        byte_order: image.order().map(|order| match order {
            ByteOrder::Little => "little",
            ByteOrder::Big => "big",
        }),
        size: image.bytes().len(),
        text: text.as_ref().map(|bytes| lossless(bytes).into_owned()),
        text_base64: text.as_ref().and_then(|bytes| base64(bytes)),
        records,
        error,
        defects: defects.iter().cloned().map(DefectRecord::from).collect(),
    }
}

/// A record of an image.
#[derive(Clone, Debug, Serialize)]
pub struct RecordRecord {
    /// Index in the image, from 0.
    pub index: usize,
    /// Where its length field is in the file.
    pub offset: u64,
    /// Upstream name of its message.
    pub name: &'static str,
    /// Its fields in their order. Strings are escaped: `\xff`, `\n`, `\\`.
    pub message: Tree,
    /// What follows the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Tree>,
    /// Required fields that it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_required: Vec<String>,
}

impl RecordRecord {
    fn of_message((index, message): (usize, MessageShown)) -> Self {
        Self {
            index,
            offset: message.offset,
            name: message.name,
            message: Tree(message.message),
            extra: None,
            missing_required: Vec::new(),
        }
    }

    fn of(record: &Record, context: &ShowContext) -> Self {
        let mut message = show_record(record, context);
        let mut extra = None;
        if let Shown::Message(fields) = &mut message
            && fields.last().is_some_and(|(label, _)| matches!(label, FieldLabel::Extra))
        {
            extra = fields.pop().map(|(_, value)| Tree(value));
        }
        Self {
            index: record.index,
            offset: record.offset,
            name: record.schema.name,
            message: Tree(message),
            extra,
            missing_required: missing_required(&record.payload, record.schema)
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

/// A message of an image, as an object.
///
/// Fields have upstream's names and order; one that may repeat is a list. Hexadecimal and octal numbers are strings,
/// numbers with a meaning are `{"text", "raw"}`, bytes are `{"size", "base64"}`. Fields that are not in the schema are in
/// the list `_unknown`, bytes that are no message in `_broken`.
#[derive(Clone, Debug)]
pub struct Tree(pub Shown);

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value { shown: &self.0, show: Show::Plain }.serialize(serializer)
    }
}

/// A value, and how the schema presents it: the form of a field does not depend on what it says.
struct Value<'a> {
    shown: &'a Shown,
    show: Show,
}

#[derive(Serialize)]
struct Named<'a> {
    text: Option<&'a str>,
    raw: u64,
}

#[derive(Serialize)]
struct Blob {
    size: usize,
    base64: String,
}

impl Value<'_> {
    /// Whether a number of this field is written with its text beside it.
    fn is_named(&self) -> bool {
        match self.show {
            Show::Dev
            | Show::Odev
            | Show::Flags(_)
            | Show::Names(_)
            | Show::Personality
            | Show::Signal
            | Show::SignalSet
            | Show::OpenFlags
            | Show::MapFlags => true,
            Show::Plain | Show::Hex | Show::Octal | Show::Ip | Show::UnixName => false,
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shown {
            Shown::Number(raw) if self.is_named() => {
                Named { text: None, raw: *raw }.serialize(serializer)
            }
            Shown::Signed(raw) if self.is_named() => {
                Named { text: None, raw: raw.cast_unsigned() }.serialize(serializer)
            }
            Shown::Rendered { text, raw } if self.is_named() => {
                Named { text: Some(text), raw: *raw }.serialize(serializer)
            }
            Shown::Number(number) => serializer.serialize_u64(*number),
            Shown::Signed(number) => serializer.serialize_i64(*number),
            Shown::Bool(value) => serializer.serialize_bool(*value),
            Shown::Rendered { text, .. } | Shown::Derived(text) => serializer.serialize_str(text),
            // A socket's name begins with a NUL byte when it is abstract; its text says `@`.
            Shown::Text { text, .. } if matches!(self.show, Show::UnixName) => {
                serializer.serialize_str(text)
            }
            Shown::Text { raw, .. } => serializer.serialize_str(&lossless(raw)),
            Shown::Bytes(bytes) => {
                Blob { size: bytes.len(), base64: BASE64.encode(bytes) }.serialize(serializer)
            }
            Shown::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for shown in values {
                    list.serialize_element(&Value { shown, show: self.show })?;
                }
                list.end()
            }
            Shown::Message(fields) => message(fields, serializer),
        }
    }
}

#[derive(Serialize)]
struct UnknownField<'a> {
    field: u32,
    wire_type: String,
    value: Value<'a>,
}

#[derive(Serialize)]
struct BrokenRest<'a> {
    error: String,
    rest: Value<'a>,
}

fn message<S: Serializer>(
    fields: &[(FieldLabel, Shown)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    let mut unknown = Vec::new();
    for (label, shown) in fields {
        let plain = Value { shown, show: Show::Plain };
        match label {
            FieldLabel::Known(field) => {
                object.serialize_entry(field.name, &Field { field, shown })?;
                if let Some(bytes) = not_utf8(shown) {
                    let key = format!("{}_base64", field.name);
                    match (field.label, bytes.as_slice()) {
                        (Label::Required | Label::Optional, [only]) => {
                            object.serialize_entry(&key, only)?;
                        }
                        _ => object.serialize_entry(&key, &bytes)?,
                    }
                }
            }
            FieldLabel::Property(name) => object.serialize_entry(name, &plain)?,
            FieldLabel::Extra => object.serialize_entry("_extra", &plain)?,
            FieldLabel::Omitted => object.serialize_entry("_omitted_bytes", &plain)?,
            FieldLabel::Broken(error) => {
                object.serialize_entry(
                    "_broken",
                    &BrokenRest { error: error.to_string(), rest: plain },
                )?;
            }
            FieldLabel::Unknown { number, wire_type, .. } => unknown.push(UnknownField {
                field: *number,
                wire_type: wire_type.to_string(),
                value: plain,
            }),
        }
    }
    if !unknown.is_empty() {
        object.serialize_entry("_unknown", &unknown)?;
    }
    object.end()
}

/// The bytes of a text that is not UTF-8, or of every text of a list in which one is not.
fn not_utf8(shown: &Shown) -> Option<Vec<String>> {
    let texts = match shown {
        Shown::List(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let raw = |shown: &Shown| match shown {
        Shown::Text { raw, .. } => Some(raw.clone()),
        _ => None,
    };
    let broken = texts.iter().filter_map(raw).any(|raw| std::str::from_utf8(&raw).is_err());
    broken.then(|| texts.iter().filter_map(raw).map(|raw| BASE64.encode(&raw)).collect())
}

/// A field of the schema: a list when it may repeat, however often it does.
struct Field<'a> {
    field: &'static FieldSchema,
    shown: &'a Shown,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Value { shown: self.shown, show: self.field.show };
        let text = matches!((self.field.show, self.shown), (Show::Ip, Shown::Derived(_)));
        if self.field.label == Label::Repeated && !text && !matches!(self.shown, Shown::List(_)) {
            let mut list = serializer.serialize_seq(Some(1))?;
            list.serialize_element(&value)?;
            return list.end();
        }
        value.serialize(serializer)
    }
}
