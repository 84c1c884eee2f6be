//! `build`: the image that was made, its digests and its annotations.

use std::io::{self, Write};

use super::layout::{Layout, Palette, paint, plain};
use super::units::{count, size};
use crate::json::BuildDocument;

/// Writes what was made of a checkpoint.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn build<W: Write>(
    out: &mut W,
    document: &BuildDocument<'_>,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let mut row = |key: &str, value: &str| {
        writeln!(out, "{}{value}", paint(palette.label, &format!("{key:10}")))
    };
    row("layout", &plain(document.directory))?;
    row("tag", document.tag.unwrap_or("none"))?;
    let platform = &document.platform;
    row("platform", &format!("{}/{}", platform.os, platform.architecture))?;
    if let Some(created) = &document.created {
        row("created", created)?;
    }
    row("manifest", &document.manifest.digest)?;
    row("config", &document.config.digest)?;
    let layer = &document.layer;
    row("layer", &layer.blob.digest)?;
    let members = usize::try_from(layer.members).unwrap_or(usize::MAX);
    let members = count(members, "member", "members");
    let packed = match layer.compression {
        "none" => size(layer.blob.size),
        codec => {
            format!("{}, {} as {codec}", size(layer.unpacked), size(layer.blob.size))
        }
    };
    row("", &format!("{members}, {packed}"))?;
    writeln!(out, "\n{}", paint(palette.heading, "ANNOTATIONS"))?;
    if document.annotations.is_empty() {
        return writeln!(out, "none");
    }
    for (key, value) in document.annotations {
        writeln!(out, "{}={}", paint(palette.label, &plain(key)), plain(value))?;
    }
    Ok(())
}
