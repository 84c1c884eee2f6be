//! `triage`: the findings by severity, each with what it rests on.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use ckpt_analysis::triage::{Finding, Rule, Seen, Severity, Triage};
use ckpt_model::Checkpoint;

use super::columns::wrap;
use super::layout::{Layout, Palette, escaped_once, paint, plain};

/// Evidence of a finding that is shown without explanation; with it, and in JSON, there is all of it.
const FEW: usize = 4;

/// What is told under every list of findings.
const CAVEAT: &str = "A finding is a reason to look, not a verdict; and no findings prove nothing: an intruder who works with what the image brings leaves no mark here.";

/// Writes how many findings there are, then each of them, the most serious first. With `explain` also why it matters, how
/// it can be wrong and how to check it.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn triage<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    triage: &Triage,
    explain: bool,
    layout: &Layout,
) -> io::Result<()> {
    let sheet = Sheet { palette: Palette::of(layout), width: layout.width, color: layout.color };
    let evidence = checkpoint.evidence();
    let counts = counts(triage);
    writeln!(out, "{} ({}): {counts}", plain(evidence.name()), plain(&evidence.kind()))?;
    let mut severity = None;
    for finding in &triage.findings {
        if severity.replace(finding.severity) != Some(finding.severity) {
            let heading = finding.severity.word().to_uppercase();
            writeln!(out, "\n{}", paint(sheet.style(finding.severity), &heading))?;
        }
        sheet.finding(out, finding, explain)?;
    }
    writeln!(out)?;
    sheet.lines(out, "", "", CAVEAT, sheet.palette.dim)
}

/// Writes the rules: what is looked for, and with `explain` what each means.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn rules<W: Write>(
    out: &mut W,
    rules: &[&Rule],
    explain: bool,
    layout: &Layout,
) -> io::Result<()> {
    let sheet = Sheet { palette: Palette::of(layout), width: layout.width, color: layout.color };
    let widest = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    for rule in rules {
        let head = format!("{:widest$}  ", rule.id);
        let indent = " ".repeat(head.len());
        sheet.lines(out, &paint(sheet.palette.name, &head), &indent, rule.title, Style::new())?;
        if explain {
            sheet.explanation(out, rule, "PID")?;
        }
    }
    Ok(())
}

/// `7 findings: 1 critical, 2 high, 4 info`.
fn counts(triage: &Triage) -> String {
    let number = triage.findings.len();
    let severities =
        [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let each = severities.into_iter().filter_map(|severity| {
        let count = triage.findings.iter().filter(|one| one.severity == severity).count();
        (count > 0).then(|| format!("{count} {severity}"))
    });
    let each: Vec<_> = each.collect();
    match number {
        0 => "no findings".to_owned(),
        1 => format!("1 finding: {}", each.join(", ")),
        _ => format!("{number} findings: {}", each.join(", ")),
    }
}

/// How it is laid out.
struct Sheet {
    palette: Palette,
    width: Option<usize>,
    color: bool,
}

impl Sheet {
    fn style(&self, severity: Severity) -> Style {
        if !self.color {
            return Style::new();
        }
        match severity {
            Severity::Critical => AnsiColor::Red.on_default().bold(),
            Severity::High => AnsiColor::Red.on_default(),
            Severity::Medium => AnsiColor::Yellow.on_default().bold(),
            Severity::Low => AnsiColor::Cyan.on_default(),
            _ => Style::new().dimmed(),
        }
    }

    fn finding<W: Write>(&self, out: &mut W, finding: &Finding, explain: bool) -> io::Result<()> {
        let head = format!("  {}", paint(self.style(finding.severity), finding.rule.id));
        let mut facts = Vec::new();
        if let Some(pid) = finding.pid {
            facts.push(format!("pid {pid}"));
        }
        if let Some(address) = finding.address {
            facts.push(format!("at {address}"));
        }
        facts.push(format!("confidence {}", finding.confidence));
        facts.extend((!finding.rule.attack.is_empty()).then(|| finding.rule.attack.join(" ")));
        let facts = paint(self.palette.dim, &facts.join(", "));
        writeln!(out, "{head}  {facts}")?;
        self.lines(out, "    ", "    ", &escaped_once(&finding.title), self.palette.name)?;
        let shown = if explain { finding.evidence.len() } else { FEW };
        for seen in finding.evidence.iter().take(shown) {
            self.lines(out, "    - ", "      ", &told(seen), Style::new())?;
        }
        if let Some(more) = finding.evidence.len().checked_sub(shown).filter(|more| *more > 0) {
            writeln!(out, "    - and {more} more; --explain shows all")?;
        }
        if explain {
            let pid = finding.pid.map(|pid| pid.to_string());
            self.explanation(out, finding.rule, pid.as_deref().unwrap_or("PID"))?;
        }
        Ok(())
    }

    /// Why it matters, how it can be wrong, and the commands to check it, one a line.
    fn explanation<W: Write>(&self, out: &mut W, rule: &Rule, pid: &str) -> io::Result<()> {
        let label = |label: &str| format!("    {}", paint(self.palette.label, label));
        let others = " ".repeat(10);
        self.lines(out, &label("why   "), &others, rule.why, Style::new())?;
        self.lines(out, &label("wrong "), &others, rule.wrong, Style::new())?;
        let mut first = label("check ");
        for command in rule.check.split("; ") {
            let command = command.replace("PID", pid);
            self.lines(out, &first, &others, &command, Style::new())?;
            first.clone_from(&others);
        }
        Ok(())
    }

    /// A text in a style, with something before its first line and before the others.
    fn lines<W: Write>(
        &self,
        out: &mut W,
        first: &str,
        others: &str,
        text: &str,
        style: Style,
    ) -> io::Result<()> {
        let room = self.width.map(|width| width.saturating_sub(others.len()));
        let mut before = first;
        for line in wrap(text, room) {
            writeln!(out, "{before}{}", paint(style, line.trim_end()))?;
            before = others;
        }
        Ok(())
    }
}

/// Something seen, and where.
fn told(seen: &Seen) -> String {
    let what = escaped_once(&seen.what);
    match (&seen.member, seen.offset) {
        (Some(member), Some(offset)) => {
            format!("{what} ({}, offset {offset:#x})", escaped_once(member))
        }
        (Some(member), None) => format!("{what} ({})", escaped_once(member)),
        _ => what,
    }
}
