//! `search`: hits under the mappings and artifacts that hold them.

use std::io::{self, Write};

use anstyle::Style;
use ckpt_model::escape;
use ckpt_scan::Place;
use ckpt_scan::strings::Encoding;

use super::columns::columns;
use super::layout::{Layout, Palette, paint};
use super::line::Line;
use super::units::{count, size};
use crate::json::SearchCountRecord;

/// Most pids that are listed behind a hit.
const MOST_PIDS: usize = 8;

/// A hit as it is shown: where, the bytes and what lies around them.
#[derive(Clone, Debug)]
pub struct HitLine<'a> {
    /// Its place to be shown under.
    pub place: Place<'a>,
    /// Other places that have it.
    pub also: Vec<Place<'a>>,
    /// The pattern, where there are several.
    pub pattern: Option<&'a str>,
    /// How its bytes are read.
    pub encoding: Encoding,
    /// Text before it, of the hit, and behind it.
    pub text: [Vec<u8>; 3],
}

/// Writes hits under headings, one for each mapping and artifact.
#[derive(Debug)]
pub struct SearchSheet {
    layout: Layout,
    palette: Palette,
    /// Pid and start of the mapping, or id of the artifact, of the heading that was written last.
    heading: Option<(Option<(u32, u64)>, String)>,
    hits: u64,
}

impl SearchSheet {
    /// A sheet without hits.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, palette: Palette::of(&layout), heading: None, hits: 0 }
    }

    /// Writes a hit, under a heading of its own where it is the first there.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn hit<W: Write>(&mut self, out: &mut W, hit: &HitLine<'_>) -> io::Result<()> {
        let heading = heading(&hit.place);
        if self.heading.as_ref() != Some(&heading) {
            if self.heading.is_some() {
                writeln!(out)?;
            }
            let mut line = Line::default();
            line.push_cuttable(self.palette.heading, heading.1.clone(), 24);
            writeln!(out, "{}", line.render(self.layout.width))?;
            self.heading = Some(heading);
        }
        self.hits = self.hits.saturating_add(1);
        let at = match &hit.place {
            Place::Memory { address, .. } => format!("  {address:#014x}  "),
            Place::Artifact { offset, .. } => format!("  {offset:#014x}  "),
            _ => "  ".to_owned(),
        };
        let mut line = Line::default();
        line.push(self.palette.label, at);
        let [before, bytes, after] = &hit.text;
        let also = also(&hit.place, &hit.also);
        let encoding = match hit.encoding {
            Encoding::Utf16Le | Encoding::Utf16Be => format!("  {}", hit.encoding.word()),
            _ => String::new(),
        };
        let notes = columns(&also).saturating_add(columns(&encoding));
        let notes = notes.saturating_add(hit.pattern.map_or(0, |text| columns(text) + 3));
        // What lies around is cut before the hit itself.
        line.push_cuttable(self.palette.dim, escape(before).into_owned(), 0);
        line.push_cuttable(self.palette.warning, escape(bytes).into_owned(), 24);
        let room = self.layout.width.map_or(usize::MAX, |width| width / 2);
        line.push_cuttable(self.palette.dim, escape(after).into_owned(), 8.min(room));
        if let Some(pattern) = hit.pattern {
            line.push(Style::new(), format!("  [{}]", escape(pattern.as_bytes())));
        }
        line.push(self.palette.label, encoding);
        line.push(self.palette.dim, also);
        let width = self.layout.width.map(|width| width.max(notes.saturating_add(40)));
        writeln!(out, "{}", line.render(width))
    }

    /// Writes how many there were in so many bytes; `None` where the search was stopped before its end.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn finish<W: Write>(self, out: &mut W, searched: Option<u64>) -> io::Result<()> {
        let hits = count(usize::try_from(self.hits).unwrap_or(usize::MAX), "hit", "hits");
        let total = match searched {
            None => format!("\nstopped after {hits}: there may be more"),
            Some(searched) if self.hits == 0 => format!("nothing found in {}", size(searched)),
            Some(searched) => format!("\n{hits} in {}", size(searched)),
        };
        writeln!(out, "{}", paint(self.palette.dim, &total))
    }
}

fn heading(place: &Place<'_>) -> (Option<(u32, u64)>, String) {
    match place {
        Place::Memory { task, mapping, .. } => {
            let comm = task.comm.as_ref().map(|comm| comm.escaped().into_owned());
            let name = mapping.name.as_deref().map(|name| format!(" {}", escape(name)));
            let text = format!(
                "process {} {}: {:x}-{:x} {} {}{}",
                task.pid,
                comm.unwrap_or_default(),
                mapping.start,
                mapping.end,
                mapping.perms(),
                mapping.kind.word(),
                name.unwrap_or_default()
            );
            (Some((task.pid.0, mapping.start.0)), text)
        }
        Place::Artifact { artifact, .. } => {
            let path = artifact.path.as_ref().map(|path| format!(" {}", path.escaped()));
            let text =
                format!("{} {}{}", artifact.origin.word(), artifact.id, path.unwrap_or_default());
            (None, text)
        }
        _ => (None, String::new()),
    }
}

/// `  also in pid 4, 6`; with the address where that is another.
fn also(place: &Place<'_>, also: &[Place<'_>]) -> String {
    let here = match place {
        Place::Memory { address, .. } => Some(*address),
        _ => None,
    };
    let pids = also.iter().filter_map(|place| match place {
        Place::Memory { task, address, .. } if Some(*address) == here => Some(task.pid.to_string()),
        Place::Memory { task, address, .. } => Some(format!("{} at {address}", task.pid)),
        _ => None,
    });
    let pids: Vec<String> = pids.collect();
    let some = pids.iter().take(MOST_PIDS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match pids.len().saturating_sub(MOST_PIDS) {
        _ if pids.is_empty() => String::new(),
        0 => format!("  also in pid {some}"),
        more => format!("  also in pid {some} and {more} more"),
    }
}

/// Writes how often each pattern was found, where.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn search_counts<W: Write>(
    out: &mut W,
    counts: &[SearchCountRecord<'_>],
    layout: &Layout,
) -> io::Result<()> {
    let palette = Palette::of(layout);
    if counts.is_empty() {
        return writeln!(out, "nothing found");
    }
    let heading = format!("{:>10}  {:<20}  PATTERN", "HITS", "WHERE");
    writeln!(out, "{}", paint(palette.heading, &heading))?;
    for count in counts {
        let place = match (count.pid, count.artifact) {
            (Some(pid), _) => format!("process {pid}"),
            (None, artifact) => artifact.unwrap_or_default().to_owned(),
        };
        let mut line = Line::default();
        line.push(Style::new(), format!("{:>10}  {place:<20}  ", count.hits));
        line.push_cuttable(palette.name, escape(count.pattern.as_bytes()).into_owned(), 8);
        writeln!(out, "{}", line.render(layout.width))?;
    }
    Ok(())
}
