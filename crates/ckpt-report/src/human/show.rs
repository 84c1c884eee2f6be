//! `show`: one image as indented text.

use std::io::{self, Write};

use anstyle::Style;
use criu_image::kind::Content;
use criu_image::schema::{FieldSchema, Show};
use criu_image::show::{escape, show_record};
use criu_image::show_raw::{MessageShown, RawShown, show_raw};
use criu_image::wire::missing_required;
use criu_image::{ByteOrder, FieldLabel, Image, Record, ShowContext, Shown};

use super::columns::{columns, wrap};
use super::layout::{Layout, Palette, escaped_once, paint};
use super::units::{count, exact_size};

/// Bytes of a blob that are shown.
const MOST_BYTES: usize = 256;

/// Columns that a tab at the start of a line of text stands for.
const TAB: usize = 4;

/// Columns that a message is indented by.
const INDENT: usize = 2;

/// Writes all records of an image.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn show<W: Write>(
    out: &mut W,
    name: &str,
    image: &Image,
    context: &ShowContext,
    layout: &Layout,
) -> io::Result<()> {
    let mut sheet = Sheet { out, palette: Palette::of(layout), width: layout.width };
    sheet.image(name, image, context)
}

struct Sheet<'a, W> {
    out: &'a mut W,
    palette: Palette,
    width: Option<usize>,
}

impl<W: Write> Sheet<'_, W> {
    fn image(&mut self, name: &str, image: &Image, context: &ShowContext) -> io::Result<()> {
        let info = image.kind().info();
        let mut facts = vec![info.name.to_owned(), exact_size(image.bytes().len() as u64)];
        facts.extend(image.order().map(|order| match order {
            ByteOrder::Little => "little-endian".to_owned(),
            ByteOrder::Big => "big-endian".to_owned(),
        }));
        if let Content::Raw(what) = info.content {
            facts.push(format!("no records: {what}"));
        }
        let name = escaped_once(name);
        writeln!(self.out, "{}: {}", paint(self.palette.name, &name), facts.join(", "))?;
        for record in image.records() {
            match record {
                Ok(record) => self.record(&record, context)?,
                Err(error) => {
                    let text = escaped_once(&error.to_string());
                    writeln!(
                        self.out,
                        "\n{} {text}",
                        paint(self.palette.warning, "reading ended:")
                    )?;
                }
            }
        }
        self.raw(image, context)
    }

    /// What a file without records shows.
    fn raw(&mut self, image: &Image, context: &ShowContext) -> io::Result<()> {
        match show_raw(image, context.order) {
            RawShown::Opaque => Ok(()),
            RawShown::Text(text) => {
                writeln!(self.out)?;
                let text = text.strip_suffix(b"\n").unwrap_or(&text);
                text.split(|byte| *byte == b'\n').try_for_each(|line| {
                    let tabs = line.iter().take_while(|byte| **byte == b'\t').count();
                    let rest = line.get(tabs..).unwrap_or_default();
                    let indent = tabs.saturating_mul(TAB);
                    writeln!(self.out, "{:indent$}{}", "", escape(rest))
                })
            }
            RawShown::Messages(messages, error) => {
                for MessageShown { offset, name, message } in messages {
                    let (title, place) =
                        (paint(self.palette.heading, name), format!("at {offset}"));
                    writeln!(self.out, "\n{title} {}", paint(self.palette.dim, &place))?;
                    if let Shown::Message(fields) = message {
                        self.message(&fields, INDENT, false)?;
                    }
                }
                match error {
                    None => Ok(()),
                    Some(error) => {
                        let ended = paint(self.palette.warning, "reading ended:");
                        writeln!(self.out, "\n{ended} {}", escaped_once(&error.to_string()))
                    }
                }
            }
        }
    }

    fn record(&mut self, record: &Record, context: &ShowContext) -> io::Result<()> {
        let title = format!("record {}: {}", record.index, record.schema.name);
        let place = format!("at {}", record.offset);
        let (title, place) = (paint(self.palette.heading, &title), paint(self.palette.dim, &place));
        writeln!(self.out, "\n{title} {place}")?;
        for missing in missing_required(&record.payload, record.schema) {
            let text = format!("required field is missing: {missing}");
            writeln!(self.out, "  {}", paint(self.palette.warning, &text))?;
        }
        match show_record(record, context) {
            Shown::Message(fields) => self.message(&fields, INDENT, false),
            _ => Ok(()),
        }
    }

    /// The fields of a message. `inline` puts the first one on the line that is begun.
    fn message(
        &mut self,
        fields: &[(FieldLabel, Shown)],
        indent: usize,
        inline: bool,
    ) -> io::Result<()> {
        if fields.is_empty() && inline {
            return writeln!(self.out, "(empty)");
        }
        for (number, (label, shown)) in fields.iter().enumerate() {
            if number > 0 || !inline {
                write!(self.out, "{:indent$}", "")?;
            }
            let (show, style) = match label {
                FieldLabel::Known(FieldSchema { show, .. }) => (*show, self.palette.label),
                FieldLabel::Property(_) | FieldLabel::Extra => (Show::Plain, self.palette.label),
                FieldLabel::Unknown { .. } | FieldLabel::Broken(_) | FieldLabel::Omitted => {
                    (Show::Plain, self.palette.warning)
                }
            };
            let label = label.to_string();
            write!(self.out, "{}:", paint(style, &label))?;
            self.value(shown, show, indent, columns(&label).saturating_add(1))?;
        }
        Ok(())
    }

    /// A value, after `used` columns of a line that is indented.
    fn value(&mut self, shown: &Shown, show: Show, indent: usize, used: usize) -> io::Result<()> {
        let deeper = indent.saturating_add(INDENT);
        match shown {
            Shown::Message(fields) if fields.is_empty() => writeln!(self.out, " (empty)"),
            Shown::Message(fields) => {
                writeln!(self.out)?;
                self.message(fields, deeper, false)
            }
            Shown::List(values) if values.iter().any(is_big) => {
                writeln!(
                    self.out,
                    " {}",
                    paint(self.palette.dim, &count(values.len(), "entry", "entries"))
                )?;
                for value in values {
                    write!(self.out, "{:deeper$}- ", "")?;
                    match value {
                        Shown::Message(fields) => {
                            self.message(fields, deeper.saturating_add(2), true)?;
                        }
                        scalar => writeln!(self.out, "{}", text(scalar, show))?,
                    }
                }
                Ok(())
            }
            Shown::List(values) => {
                let all: Vec<String> = values.iter().map(|value| text(value, show)).collect();
                self.wrapped(&format!("[{}]", all.join(", ")), deeper, indent.saturating_add(used))
            }
            Shown::Bytes(bytes) if bytes.len() > MOST_BYTES => {
                self.wrapped(&text(shown, show), deeper, indent.saturating_add(used))?;
                let rest = bytes.len().saturating_sub(MOST_BYTES);
                let note = format!("and {rest} bytes more; JSON has them all");
                writeln!(self.out, "{:deeper$}{}", "", paint(self.palette.dim, &note))
            }
            scalar => self.wrapped(&text(scalar, show), deeper, indent.saturating_add(used)),
        }
    }

    /// Text on the line that is begun, or below it when it is too long.
    fn wrapped(&mut self, text: &str, indent: usize, used: usize) -> io::Result<()> {
        let fits = self
            .width
            .is_none_or(|width| used.saturating_add(1).saturating_add(columns(text)) <= width);
        if fits {
            return writeln!(self.out, " {text}");
        }
        writeln!(self.out)?;
        for line in wrap(text, self.width.map(|width| width.saturating_sub(indent))) {
            writeln!(self.out, "{:indent$}{}", "", paint(Style::new(), line))?;
        }
        Ok(())
    }
}

/// Whether a value takes lines of its own in a list.
fn is_big(value: &Shown) -> bool {
    matches!(value, Shown::Message(_) | Shown::Bytes(_) | Shown::List(_) | Shown::Text { .. })
}

/// A value on one line.
fn text(shown: &Shown, show: Show) -> String {
    match shown {
        Shown::Number(number) => number.to_string(),
        Shown::Signed(number) => number.to_string(),
        Shown::Bool(value) => value.to_string(),
        Shown::Rendered { text, raw } => match show {
            Show::Names(_) | Show::Signal | Show::Personality => format!("{text} ({raw})"),
            Show::Flags(_) | Show::OpenFlags | Show::MapFlags => format!("{text} ({raw:#x})"),
            _ => text.clone(),
        },
        Shown::Text { text, .. } => format!("\"{}\"", text.replace('"', "\\\"")),
        Shown::Derived(text) => text.clone(),
        Shown::Bytes(bytes) => {
            let start: Vec<String> =
                bytes.iter().take(MOST_BYTES).map(|byte| format!("{byte:02x}")).collect();
            format!("({}) {}", count(bytes.len(), "byte", "bytes"), start.join(" "))
        }
        Shown::List(values) => format!("({})", count(values.len(), "value", "values")),
        Shown::Message(fields) => format!("({})", count(fields.len(), "field", "fields")),
    }
}
