//! `scan`: rules that match under the processes and artifacts in which they do, and secrets, each once.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_model::artifacts::Artifact;
use ckpt_model::{Task, escape};
use ckpt_scan::Place;
use ckpt_scan::secrets::{Confidence, FoldedSecret, Spot};
use ckpt_scan::yara::{Matched, RuleMatch};

use super::layout::{Layout, Palette, paint};
use super::line::Line;
use super::units::count;
use crate::json::ScanCountRecord;

/// Most matches of one string that are shown of a target.
const MOST_MATCHES: usize = 10;

/// Writes what a scan found.
#[derive(Debug)]
pub struct ScanSheet {
    layout: Layout,
    palette: Palette,
    any: bool,
}

impl ScanSheet {
    /// A sheet with nothing on it.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, palette: Palette::of(&layout), any: false }
    }

    /// Writes the rules that match the memory of processes, or an artifact; `place` says what lies at a position.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn target<'p, W: Write>(
        &mut self,
        out: &mut W,
        tasks: &[&Task],
        artifact: Option<&Artifact>,
        rules: &[RuleMatch],
        place: impl Fn(u64) -> Option<Place<'p>>,
    ) -> io::Result<()> {
        self.gap(out)?;
        let title = artifact.map_or_else(|| memory_title(tasks), artifact_title);
        let mut line = Line::default();
        line.push_cuttable(self.palette.heading, title, 24);
        line.push(self.palette.dim, format!(": {}", count(rules.len(), "rule", "rules")));
        writeln!(out, "{}", line.render(self.layout.width))?;
        for rule in rules {
            self.rule(out, rule, &place)?;
        }
        Ok(())
    }

    fn gap<W: Write>(&mut self, out: &mut W) -> io::Result<()> {
        if std::mem::replace(&mut self.any, true) { writeln!(out) } else { Ok(()) }
    }

    fn rule<'p, W: Write>(
        &self,
        out: &mut W,
        rule: &RuleMatch,
        place: &impl Fn(u64) -> Option<Place<'p>>,
    ) -> io::Result<()> {
        let mut line = Line::default();
        line.push(self.palette.warning, format!("  {}", escape(rule.rule.as_bytes())));
        if !rule.tags.is_empty() {
            line.push(Style::new(), format!(" [{}]", escape(rule.tags.join(" ").as_bytes())));
        }
        if rule.namespace != "default" {
            line.push_cuttable(
                self.palette.dim,
                format!("  {}", escape(rule.namespace.as_bytes())),
                8,
            );
        }
        writeln!(out, "{}", line.render(self.layout.width))?;
        let mut rest = rule.matched.as_slice();
        while let Some(first) = rest.first() {
            let len = rest.iter().take_while(|one| one.string == first.string).count();
            let (same, others) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            for matched in same.iter().take(MOST_MATCHES) {
                self.matched(out, matched, place(matched.position))?;
            }
            if let Some(more) = same.len().checked_sub(MOST_MATCHES).filter(|more| *more > 0) {
                let told = format!("    … {} {more} more", escape(first.string.as_bytes()));
                writeln!(out, "{}", paint(self.palette.dim, &told))?;
            }
            rest = others;
        }
        Ok(())
    }

    fn matched<W: Write>(
        &self,
        out: &mut W,
        matched: &Matched,
        place: Option<Place<'_>>,
    ) -> io::Result<()> {
        let mut line = Line::default();
        line.push(self.palette.label, format!("    {:#014x}  ", matched.position));
        line.push(self.palette.name, format!("{}  ", escape(matched.string.as_bytes())));
        if let Some(Place::Memory { mapping, .. }) = place {
            let what = format!("{} {}  ", mapping.perms(), mapping.kind.word());
            line.push(self.palette.dim, what);
        }
        line.push_cuttable(Style::new(), escape(&matched.bytes).into_owned(), 16);
        let more = matched.length.saturating_sub(matched.bytes.len() as u64);
        if more > 0 {
            line.push(self.palette.dim, format!("… {more} bytes more"));
        }
        if matched.xor_key > 0 {
            line.push(self.palette.dim, format!("  xor {:#04x}", matched.xor_key));
        }
        writeln!(out, "{}", line.render(self.layout.width))
    }

    /// Writes secrets, redacted unless `reveal`.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn secrets<W: Write>(
        &mut self,
        out: &mut W,
        secrets: &[FoldedSecret],
        reveal: bool,
    ) -> io::Result<()> {
        if secrets.is_empty() {
            return Ok(());
        }
        self.gap(out)?;
        let widest = secrets.iter().map(|one| one.secret.rule().id.len()).max().unwrap_or_default();
        for FoldedSecret { secret, places, spots, .. } in secrets {
            let style = match secret.confidence() {
                Confidence::High => self.palette.warning,
                _ => Style::new(),
            };
            let mut line = Line::default();
            line.push(style, format!("{:<6}  ", secret.confidence().word()));
            line.push(self.palette.heading, format!("{:<widest$}  ", secret.rule().id));
            let shown =
                if reveal { escape(secret.value()).into_owned() } else { secret.redacted() };
            line.push_cuttable(Style::new(), shown, 32);
            if let Some(detail) = secret.detail() {
                line.push_cuttable(self.palette.dim, format!("  {}", escape(detail.as_bytes())), 8);
            }
            writeln!(out, "{}", line.render(self.layout.width))?;
            for (whose, what) in grouped(spots) {
                let mut line = Line::default();
                line.push(self.palette.dim, format!("        {whose}"));
                line.push_cuttable(self.palette.dim, what.join(", "), 24);
                writeln!(out, "{}", line.render(self.layout.width))?;
            }
            let more = places.saturating_sub(spots.len() as u64);
            if more > 0 {
                let told = format!("        … {more} more places");
                writeln!(out, "{}", paint(self.palette.dim, &told))?;
            }
        }
        Ok(())
    }

    /// Writes a line behind everything.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn note<W: Write>(&mut self, out: &mut W, note: &str) -> io::Result<()> {
        self.gap(out)?;
        writeln!(out, "{}", paint(self.palette.dim, note))
    }
}

fn memory_title(tasks: &[&Task]) -> String {
    let Some((first, others)) = tasks.split_first() else { return "process".to_owned() };
    let comm = first.comm.as_ref().map(|comm| format!(" {}", comm.escaped()));
    let others: Vec<String> = others.iter().take(8).map(|task| task.pid.to_string()).collect();
    let shared = if others.is_empty() {
        String::new()
    } else {
        format!(" (its memory is that of {} too)", others.join(", "))
    };
    format!("process {}{}{shared}", first.pid, comm.unwrap_or_default())
}

fn artifact_title(artifact: &Artifact) -> String {
    let path = artifact.path.as_ref().map(|path| format!(" {}", path.escaped()));
    format!("{} {}{}", artifact.origin.word(), artifact.id, path.unwrap_or_default())
}

/// Places of a secret under what they have in common: a variable, a process, an artifact.
fn grouped(spots: &[Spot]) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for spot in spots {
        let (whose, what) = match spot {
            Spot::Environment { pid, name, .. } => {
                (format!("variable {} in process ", name.escaped()), pid.to_string())
            }
            Spot::Memory { pid, address, kind } => {
                (format!("process {pid}: "), format!("{kind} {address}"))
            }
            Spot::Artifact { id, path, offset } => {
                let path = path.as_ref().map(|path| format!(" {}", path.escaped()));
                (format!("{id}{}: ", path.unwrap_or_default()), format!("offset {offset:#x}"))
            }
            _ => continue,
        };
        match groups.last_mut() {
            Some((last, all)) if *last == whose => all.push(what),
            _ => groups.push((whose, vec![what])),
        }
    }
    groups
}

/// Writes how often each rule matched, where.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn scan_counts<W: Write>(
    out: &mut W,
    counts: &[ScanCountRecord<'_>],
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    if counts.is_empty() {
        return writeln!(out, "nothing found");
    }
    let heading = format!("{:>10}  {:<20}  RULE", "HITS", "WHERE");
    writeln!(out, "{}", paint(palette.heading, &heading))?;
    for one in counts {
        let place = match (one.pid, one.artifact) {
            (Some(pid), _) => format!("process {pid}"),
            (None, artifact) => artifact.unwrap_or_default().to_owned(),
        };
        let mut line = Line::default();
        line.push(Style::new(), format!("{:>10}  {place:<20}  ", one.hits));
        line.push_cuttable(palette.name, escape(one.rule.as_bytes()).into_owned(), 8);
        if one.namespace != "default" {
            line.push(palette.dim, format!("  {}", escape(one.namespace.as_bytes())));
        }
        writeln!(out, "{}", line.render(layout.width))?;
    }
    Ok(())
}
