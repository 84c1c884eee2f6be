//! Processes, and below each what of it changed: facts, threads, descriptors, mappings, memory.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use anstyle::Style;
use ckpt_analysis::compare::{
    Comparison, DescriptorChange, Held, Identity, Mapped, MappingChange, MemoryChange, Pair,
    ProcessChange,
};
use ckpt_model::{Checkpoint, Descriptor, Pid, Socket, Task};

use super::facts;
use super::memory;
use super::sheet::{Sheet, Sign, sum};
use super::system::socket_text;
use crate::human::columns::wrap;
use crate::human::command::{command_line, ended, mark, other_exe, other_name};
use crate::json::CompareShow;

/// Most lines of one kind below a process.
const MOST: usize = 40;

/// Everything about one pair of processes.
#[derive(Default)]
struct Story<'c> {
    change: Option<&'c ProcessChange<'c>>,
    opened: Vec<&'c Held<'c>>,
    closed: Vec<&'c Held<'c>>,
    fds: Vec<&'c DescriptorChange<'c>>,
    /// The process of which is told what became of the same descriptors.
    same_fds: Option<Pid>,
    mapped: Vec<&'c Mapped>,
    unmapped: Vec<&'c Mapped>,
    mappings: Vec<&'c MappingChange>,
    memory: Vec<&'c MemoryChange>,
    not_compared: bool,
}

impl Story<'_> {
    /// What it comes to.
    fn sign(&self) -> Sign {
        let changed = self.change.is_some()
            || !(self.opened.is_empty() && self.closed.is_empty() && self.fds.is_empty())
            || self.same_fds.is_some()
            || !(self.mapped.is_empty() && self.unmapped.is_empty() && self.mappings.is_empty());
        let mut memory = self.memory.iter();
        if changed || memory.any(|one| one.pages.differ() && !one.is_noise()) {
            Sign::Changed
        } else if self.not_compared || self.memory.iter().any(|one| one.pages.unknown > 0) {
            Sign::Unknown
        } else {
            // Pages that differ for a known cause.
            Sign::Same
        }
    }
}

/// The stories by pid in B; those of A's side are told of the partner.
fn stories<'c>(comparison: &'c Comparison<'c>) -> BTreeMap<Pid, Story<'c>> {
    let mut stories: BTreeMap<Pid, Story<'c>> = BTreeMap::new();
    let partner = |pid: Pid| comparison.matching.partner(pid).unwrap_or(pid);
    for change in comparison.processes.iter().flat_map(|found| &found.changed) {
        stories.entry(change.pair.b.pid).or_default().change = Some(change);
    }
    if let Some(found) = &comparison.descriptors {
        for held in &found.opened {
            stories.entry(held.pid).or_default().opened.push(held);
        }
        for held in &found.closed {
            stories.entry(partner(held.pid)).or_default().closed.push(held);
        }
        for change in &found.changed {
            stories.entry(change.b.pid).or_default().fds.push(change);
        }
        for same in &found.same {
            if let Some(story) = stories.get(&same.same_as)
                && !(story.opened.is_empty() && story.closed.is_empty() && story.fds.is_empty())
            {
                stories.entry(same.pid).or_default().same_fds = Some(same.same_as);
            }
        }
    }
    if let Some(found) = &comparison.memory {
        for mapped in &found.mappings.added {
            stories.entry(mapped.pid).or_default().mapped.push(mapped);
        }
        for mapped in &found.mappings.removed {
            stories.entry(partner(mapped.pid)).or_default().unmapped.push(mapped);
        }
        for change in &found.mappings.changed {
            stories.entry(change.b.pid).or_default().mappings.push(change);
        }
        for change in &found.changes {
            stories.entry(change.pid).or_default().memory.push(change);
        }
        for process in &found.not_compared {
            stories.entry(process.pid).or_default().not_compared = true;
        }
    }
    stories
}

pub(super) fn write<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let matching = &comparison.matching;
    let stories = stories(comparison);
    let sign = |pair: &Pair<'_>| stories.get(&pair.b.pid).map_or(Sign::Same, Story::sign);
    let of = |wanted| matching.pairs.iter().filter(|pair| sign(pair) == wanted).count();
    let (changed, unknown) = (of(Sign::Changed), of(Sign::Unknown));
    let compared = comparison.processes.is_some();
    let (came, went) = match compared {
        true => (matching.only_b.len(), matching.only_a.len()),
        false => (0, 0),
    };
    if came == 0 && went == 0 && stories.is_empty() && !(show.unchanged && compared) {
        return Ok(());
    }
    let counts = [
        (came, "started"),
        (went, "exited"),
        (changed, "changed"),
        (unknown, "not wholly compared"),
        (of(Sign::Same), "the same"),
    ];
    sheet.title("processes", &sum(&counts))?;
    if compared {
        for task in &matching.only_b {
            whole(sheet, Sign::Added, task)?;
        }
        for task in &matching.only_a {
            whole(sheet, Sign::Removed, task)?;
        }
    }
    let of = |checkpoint| match comparison.descriptors {
        Some(_) => SocketsByFile::of(checkpoint),
        None => SocketsByFile(HashMap::new()),
    };
    let sockets = (of(comparison.a), of(comparison.b));
    for pair in &matching.pairs {
        match stories.get(&pair.b.pid) {
            Some(story) => tell(sheet, comparison, &sockets, (pair, story), show)?,
            None if show.unchanged && compared => whole(sheet, Sign::Same, pair.b)?,
            None => {}
        }
    }
    Ok(())
}

/// A process in one line.
fn whole<W: Write>(sheet: &mut Sheet<'_, W>, sign: Sign, task: &Task) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    line.push(Style::new(), format!("{:<5} ", task.pid.to_string()));
    let argv = task.argv.as_ref().filter(|argv| argv.iter().any(|word| !word.is_empty()));
    match (argv, &task.comm) {
        (Some(argv), _) => {
            line.push_cuttable(sheet.palette.name, command_line(argv), 16);
            if let Some(name) = other_name(task) {
                line.push(sheet.palette.dim, format!("  name {name}"));
            }
        }
        (None, Some(comm)) => line.push(sheet.palette.name, comm.escaped()),
        (None, None) => line.push(sheet.palette.dim, "(name not known)"),
    }
    if task.is_zombie() {
        let machine = task.core.as_ref().map(|core| core.mtype);
        let ended = task.exit_code.map(|status| format!(" {}", ended(status, machine)));
        line.push(sheet.palette.dim, format!(" <defunct>{}", ended.unwrap_or_default()));
    }
    if let Some(exe) = other_exe(task) {
        line.push_cuttable(sheet.palette.dim, format!("  exe {exe}"), 12);
    }
    if let Some(parent) = task.ppid.filter(|parent| parent.0 != 0) {
        line.push(sheet.palette.dim, format!("  child of {parent}"));
    }
    for what in &task.marks {
        line.push(sheet.palette.warning, format!(" [{}]", mark(*what, task)));
    }
    sheet.write(line)
}

fn tell<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    sockets: &(SocketsByFile<'_>, SocketsByFile<'_>),
    (pair, story): (&Pair<'_>, &Story<'_>),
    show: &CompareShow,
) -> io::Result<()> {
    heading(sheet, pair, story.sign())?;
    if let Some(change) = story.change {
        facts::write(sheet, change)?;
    }
    descriptors(sheet, sockets, story)?;
    if story.not_compared {
        sheet.labelled(
            2,
            Sign::Unknown,
            "memory",
            "not compared: another program image has other addresses",
        )?;
    }
    memory::write(
        sheet,
        comparison,
        &memory::Pages {
            mapped: &story.mapped,
            unmapped: &story.unmapped,
            mappings: &story.mappings,
            memory: &story.memory,
        },
        MOST,
        show,
    )
}

fn heading<W: Write>(sheet: &mut Sheet<'_, W>, pair: &Pair<'_>, sign: Sign) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    let number = match (pair.a.pid, pair.b.pid) {
        (a, b) if a == b => b.to_string(),
        (a, b) => format!("{a} -> {b}"),
    };
    line.push(Style::new(), format!("{number:<5} "));
    let comm = pair.b.comm.as_ref().map(|comm| comm.escaped().into_owned());
    line.push(sheet.palette.name, comm.unwrap_or_else(|| "(name not known)".to_owned()));
    let argv = pair.b.argv.as_ref().map(command_line).filter(|text| !text.is_empty());
    line.push_cuttable(sheet.palette.dim, format!("  {}", argv.unwrap_or_default()), 8);
    sheet.write(line)?;
    let words = match pair.verdict.identity {
        Identity::Same | Identity::Unknown | Identity::Counterpart => return Ok(()),
        Identity::Execed => "the same process, and another program image",
        Identity::Replaced => "replaced: another process has this pid now",
        _ => "another program image: by execve, or in another process that has this pid now",
    };
    let because: Vec<String> = pair.verdict.because.iter().map(ToString::to_string).collect();
    let text = format!("{words} ({})", because.join("; "));
    let indent = 6;
    for part in wrap(&text, sheet.width.map(|width| width.saturating_sub(indent).max(24))) {
        let mut line = sheet.line();
        line.push(Style::new(), " ".repeat(indent));
        line.push(sheet.palette.warning, part);
        sheet.write(line)?;
    }
    Ok(())
}

fn descriptors<W: Write>(
    sheet: &mut Sheet<'_, W>,
    (a, b): &(SocketsByFile<'_>, SocketsByFile<'_>),
    story: &Story<'_>,
) -> io::Result<()> {
    let label = |fd: u32| format!("fd {fd}");
    if let Some(same) = story.same_fds {
        sheet.labelled(2, Sign::Changed, "fds", format!("as those of process {same}"))?;
    }
    for held in story.opened.iter().take(MOST) {
        let text = b.target(held.descriptor);
        sheet.labelled(2, Sign::Added, &label(held.descriptor.fd), text)?;
    }
    sheet.more(2, story.opened.len().saturating_sub(MOST))?;
    for held in story.closed.iter().take(MOST) {
        let text = a.target(held.descriptor);
        sheet.labelled(2, Sign::Removed, &label(held.descriptor.fd), text)?;
    }
    sheet.more(2, story.closed.len().saturating_sub(MOST))?;
    for change in story.fds.iter().take(MOST) {
        let text = facts::descriptor(
            change,
            &a.target(change.a.descriptor),
            &b.target(change.b.descriptor),
        );
        sheet.labelled(2, Sign::Changed, &label(change.b.descriptor.fd), text)?;
    }
    sheet.more(2, story.fds.len().saturating_sub(MOST))
}

/// The sockets of a checkpoint by the open file that they are.
struct SocketsByFile<'c>(HashMap<(u32, u32), &'c Socket>);

impl<'c> SocketsByFile<'c> {
    fn of(checkpoint: &'c Checkpoint) -> Self {
        let sockets = checkpoint.sockets().iter();
        Self(sockets.map(|socket| ((socket.fd_type, socket.file_id), socket)).collect())
    }

    /// What a descriptor refers to; of a socket with its addresses.
    fn target(&self, descriptor: &Descriptor) -> String {
        let target = descriptor.target.as_ref().map(|target| target.escaped().into_owned());
        let mut text = target.unwrap_or_else(|| descriptor.kind.word().to_owned());
        if let Some(socket) = self.0.get(&(descriptor.fd_type, descriptor.file_id)) {
            text.push_str("  ");
            text.push_str(&socket_text(socket));
        }
        text
    }
}
