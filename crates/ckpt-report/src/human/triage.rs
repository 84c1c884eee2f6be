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
    let heading = format!("{} ({}): {counts}", plain(evidence.name()), plain(&evidence.kind()));
    sheet.lines(out, "", "", &heading, Style::new())?;
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
        self.head(out, finding)?;
        self.lines(out, "    ", "    ", &escaped_once(&finding.title), self.palette.name)?;
        let shown = if explain { finding.evidence.len() } else { FEW };
        for seen in finding.evidence.iter().take(shown) {
            self.lines(out, "    - ", "      ", &told(seen), Style::new())?;
        }
        if let Some(more) = finding.evidence.len().checked_sub(shown).filter(|more| *more > 0) {
            let rest = format!("and {more} more; --explain shows all");
            self.lines(out, "    - ", "      ", &rest, Style::new())?;
        }
        if explain {
            let pid = finding.pid.map(|pid| pid.to_string());
            self.explanation(out, finding.rule, pid.as_deref().unwrap_or("PID"))?;
        }
        Ok(())
    }

    /// What kind of thing it is, the process and address it is about, and how sure it is.
    fn head<W: Write>(&self, out: &mut W, finding: &Finding) -> io::Result<()> {
        let id = finding.rule.id;
        let mut facts = Vec::new();
        facts.extend(finding.pid.map(|pid| format!("pid {pid}")));
        facts.extend(finding.address.map(|address| format!("at {address}")));
        facts.push(format!("confidence {}", finding.confidence));
        facts.extend((!finding.rule.attack.is_empty()).then(|| finding.rule.attack.join(" ")));
        let text = format!("{id}  {}", facts.join(", "));
        let room = self.width.map(|width| width.saturating_sub(4));
        let mut lines = wrap(&text, room).into_iter();
        let first = lines.next().unwrap_or_default();
        let (id, rest) = first.split_at_checked(id.len()).unwrap_or((first, ""));
        let (id, rest) = (paint(self.style(finding.severity), id), paint(self.palette.dim, rest));
        writeln!(out, "  {id}{rest}")?;
        lines.try_for_each(|line| writeln!(out, "    {}", paint(self.palette.dim, line)))
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
