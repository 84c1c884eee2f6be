//! `verify`: the verdict, then every check with what was compared.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::verify::{Check, Outcome, Verdict, Verification};
use ckpt_model::{Checkpoint, Standing};

use super::columns::wrap;
use super::layout::{Layout, Palette, escaped_once, paint, plain};

/// Contradictions of one check that are shown; JSON has more of them.
const MOST_SHOWN: usize = 10;

/// Where what belongs to a check begins.
const INDENT: usize = 41;

/// Writes the verdict, the checks, and what no check could miss.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn verify<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    verification: &Verification,
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    let evidence = checkpoint.evidence();
    let style = match verification.verdict {
        Verdict::Whole | Verdict::WholeWithRemarks => palette.name,
        _ => palette.warning,
    };
    let verdict = paint(style, &verification.verdict.to_string());
    writeln!(out, "{} ({}): {verdict}", plain(evidence.name()), plain(&evidence.kind()))?;
    writeln!(out)?;
    writeln!(out, "{}", paint(palette.heading, "Checks"))?;
    for check in &verification.checks {
        one(out, check, &palette, layout.width)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", paint(palette.heading, "Members"))?;
    let accounting = checkpoint.accounting();
    for standing in [Standing::Parsed, Standing::Recognised, Standing::Unknown, Standing::Stale] {
        let number = accounting.of(standing).count();
        writeln!(out, "  {}{number}", paint(palette.label, &format!("{:12}", standing.word())))?;
    }
    if !verification.never_captured.is_empty() {
        writeln!(out)?;
        let heading = "Never in archives of this engine, so that no check could miss it";
        writeln!(out, "{}", paint(palette.heading, heading))?;
        for what in verification.never_captured {
            lines(out, "  - ", "    ", what, layout.width)?;
        }
    }
    Ok(())
}

fn one<W: Write>(
    out: &mut W,
    check: &Check,
    palette: &Palette,
    width: Option<usize>,
) -> io::Result<()> {
    let (word, style) = match check.outcome {
        Outcome::Passed => ("passed", Style::new()),
        Outcome::Failed(effect) => (effect.word(), palette.warning),
        Outcome::NotApplicable => ("not applicable", palette.dim),
        Outcome::NotCheckable => ("not checkable", palette.dim),
    };
    let word = paint(style, &format!("{word:14}"));
    let name = format!("{:3} {:18}", check.code.unwrap_or_default(), check.id);
    let numbers = match (&check.expected, &check.found) {
        (Some(expected), Some(found)) => format!("{expected}; {found}"),
        _ => check.why.clone().unwrap_or_default(),
    };
    let head = format!("  {word}  {} ", paint(palette.label, &name));
    let indent = " ".repeat(INDENT);
    lines(out, &head, &indent, &escaped_once(&numbers), width)?;
    if let (Some(why), Some(_)) = (&check.why, &check.expected) {
        lines(out, &indent, &indent, &escaped_once(why), width)?;
    }
    for trouble in check.troubles.iter().take(MOST_SHOWN) {
        let text = format!("{}: {}", escaped_once(&trouble.place), escaped_once(&trouble.what));
        lines(out, &format!("{indent}- "), &format!("{indent}  "), &text, width)?;
    }
    let shown = check.troubles.len().min(MOST_SHOWN);
    let more = check.troubles.len().saturating_sub(shown).saturating_add(check.more);
    if more > 0 {
        writeln!(out, "{indent}- and {more} more")?;
    }
    Ok(())
}

/// A text with something before its first line, and before the others.
fn lines<W: Write>(
    out: &mut W,
    first: &str,
    others: &str,
    text: &str,
    width: Option<usize>,
) -> io::Result<()> {
    let room = width.map(|width| width.saturating_sub(others.len()));
    let mut before = first;
    for line in wrap(text, room) {
        writeln!(out, "{}", format!("{before}{line}").trim_end())?;
        before = others;
    }
    Ok(())
}
