//! `verify --manifest` and `verify --check`: what was sealed, and what differs from it.

use std::io::{self, Write};

use ckpt_analysis::verify::custody::{Comparison, Difference, Fact, Manifest, MemberRecord};

use super::layout::{Layout, Palette, paint, plain};
use super::units::{count, exact_size};

/// Differences that are shown; JSON has them all.
const MOST_SHOWN: usize = 1000;

/// Writes what a manifest seals, and its digest, which is worth noting somewhere else.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn custody<W: Write>(
    out: &mut W,
    path: &str,
    manifest: &Manifest,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let evidence = &manifest.evidence;
    let files = manifest.members.iter().filter(|member| member.sha256.is_some()).count();
    let unhashed = manifest.members.iter().filter(|member| member.unhashed.is_some()).count();
    let mut row = |key: &str, value: &str| {
        writeln!(out, "{}{value}", paint(palette.label, &format!("{key:10}")))
    };
    row("evidence", &format!("{} ({})", plain(&evidence.path), plain(&evidence.kind)))?;
    row("size", &exact_size(evidence.size))?;
    if let Some(sha256) = &evidence.sha256 {
        row("sha256", sha256)?;
    }
    let mut members = count(manifest.members.len(), "member", "members");
    members.push_str(&format!(", {} hashed", count(files, "file", "files")));
    if unhashed > 0 {
        members.push_str(&format!(", {unhashed} without a hash because they are not whole"));
    }
    row("members", &members)?;
    row("made", &plain(&manifest.made))?;
    for (key, text) in [("operator", &manifest.operator), ("note", &manifest.note)] {
        if let Some(text) = text {
            row(key, &plain(text))?;
        }
    }
    row("manifest", &plain(path))?;
    row("digest", manifest.digest.as_deref().unwrap_or_default())
}

/// Writes whether evidence is what its manifest says, and each difference.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn custody_check<W: Write>(
    out: &mut W,
    path: &str,
    expected: &Manifest,
    found: &Manifest,
    comparison: &Comparison<'_>,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let evidence = &found.evidence;
    let verdict = if comparison.is_same() {
        paint(palette.name, "the same")
    } else {
        paint(palette.warning, "differs")
    };
    writeln!(out, "{} ({}): {verdict}", plain(&evidence.path), plain(&evidence.kind))?;
    let by = expected.operator.as_ref().map(|who| format!(" by {}", plain(who)));
    writeln!(
        out,
        "{} {}, made {}{} with {}",
        paint(palette.label, "manifest"),
        plain(path),
        plain(&expected.made),
        by.unwrap_or_default(),
        plain(&expected.tool)
    )?;
    if let Some(note) = &expected.note {
        writeln!(out, "{}     {}", paint(palette.label, "note"), plain(note))?;
    }
    writeln!(
        out,
        "{}   {}",
        paint(palette.label, "digest"),
        expected.digest.as_deref().unwrap_or_default()
    )?;
    let mut same = format!("{} the same", count(comparison.same, "member is", "members are"));
    if comparison.unhashed > 0 {
        same.push_str(&format!(
            ", {} of them without a hash, because they are not whole",
            comparison.unhashed
        ));
    }
    writeln!(out, "{same}")?;
    for difference in comparison.differences.iter().take(MOST_SHOWN) {
        one(out, difference, &palette)?;
    }
    let more = comparison.differences.len().saturating_sub(MOST_SHOWN);
    if more > 0 {
        writeln!(out, "and {more} more differences; --format json lists them all")?;
    }
    if comparison.is_repacked() {
        writeln!(out, "every member is the same: the archive was packed again")?;
    } else if comparison.is_around() {
        writeln!(out, "every member is the same: {}", around(comparison))?;
    }
    Ok(())
}

/// What can be said of bytes that belong to no member.
fn around(comparison: &Comparison<'_>) -> &'static str {
    let mut all = comparison.differences.iter();
    if all.any(|difference| matches!(difference, Difference::Defect(_))) {
        "what differs is around them"
    } else {
        "what differs is around them (padding, the end, the compression, or what headers have that no manifest records)"
    }
}

fn one<W: Write>(out: &mut W, difference: &Difference<'_>, palette: &Palette) -> io::Result<()> {
    let word = paint(palette.warning, &format!("{:9}", difference.word()));
    match difference {
        Difference::Evidence(fact) => writeln!(out, "{word} {}", told(fact)),
        Difference::Defect(fact) => {
            let when = if fact.found.is_some() { "now" } else { "no longer" };
            let text = fact.found.as_deref().or(fact.expected.as_deref()).unwrap_or_default();
            writeln!(out, "{word} {when}: {}", plain(text))
        }
        Difference::Changed { member, facts } => {
            writeln!(out, "{word} {}", name(member))?;
            facts.iter().try_for_each(|fact| writeln!(out, "          {}", told(fact)))
        }
        Difference::Added(member) | Difference::Removed(member) => {
            writeln!(
                out,
                "{word} {} ({}, {} bytes)",
                name(member),
                plain(&member.kind),
                member.size
            )
        }
        Difference::Renamed { from, to } => writeln!(out, "{word} {} -> {}", name(from), name(to)),
        Difference::Order => writeln!(out, "{word} the members stand in another order"),
    }
}

fn name(member: &MemberRecord) -> String {
    let bytes = member.path_bytes();
    let path = if bytes.is_empty() { ".".into() } else { ckpt_model::escape(&bytes) };
    match member.copy {
        0 => path.into_owned(),
        copy => format!("{path} (copy {})", copy.saturating_add(1)),
    }
}

fn told(fact: &Fact) -> String {
    let value = |value: &Option<String>| match value {
        Some(text) => plain(text).into_owned(),
        None => "none".to_owned(),
    };
    let more = if fact.name == "size" { length(fact) } else { String::new() };
    format!("{}: {}, now {}{more}", fact.name, value(&fact.expected), value(&fact.found))
}

/// ` (1 byte more)`.
fn length(fact: &Fact) -> String {
    let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<u64>().ok());
    let Some((was, is)) = number(&fact.expected).zip(number(&fact.found)) else {
        return String::new();
    };
    let bytes = was.abs_diff(is);
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    format!(" ({bytes} {unit} {})", if is > was { "more" } else { "less" })
}
