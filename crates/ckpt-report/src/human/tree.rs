//! `tree`: the processes.

use std::io::{self, Write};

use ckpt_model::{Checkpoint, Event, Node, Pid, Task};

use super::columns::{columns, wrap};
use super::command::{command_line, ended, mark, other_exe, other_name};
use super::details::details;
use super::guides::Guides;
use super::layout::{Layout, Palette, paint, plain};
use super::line::Line;
use super::units::count;
use crate::json::ToldStrings;
use crate::{subtree, times, words};

/// What is shown of the processes, and of which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeOptions {
    /// The environment, a variable a line.
    pub env: bool,
    /// The threads.
    pub threads: bool,
    /// Users, groups, capabilities, seccomp.
    pub creds: bool,
    /// The namespaces.
    pub ns: bool,
    /// These processes and their descendants; all when empty.
    pub pids: Vec<u32>,
}

/// Fewest columns that a command line and the path of an executable are cut to.
const LEAST_COMMAND: usize = 16;
const LEAST_EXE: usize = 12;

/// Writes the processes as a tree; below it what the dump missed and what an earlier one left.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn tree<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    options: &TreeOptions,
    layout: &Layout,
) -> io::Result<()> {
    let processes = checkpoint.processes();
    let nodes = subtree::chosen(processes, &options.pids);
    let drawn: Vec<(&Node, &Task)> =
        nodes.iter().filter_map(|node| Some((node, processes.tasks.get(node.task)?))).collect();
    let sheet = Sheet {
        palette: Palette::of(layout),
        width: layout.width,
        columns: Columns::of(&drawn),
        in_pod: checkpoint.container().pod.is_some(),
        options,
    };
    sheet.heading(out, checkpoint)?;
    sheet.processes(out, &drawn)?;
    sheet.not_captured(out, checkpoint)?;
    sheet.stale(out, checkpoint)
}

/// Widths of the columns before the tree.
struct Columns {
    pid: usize,
    user: usize,
    state: usize,
}

impl Columns {
    fn of(drawn: &[(&Node, &Task)]) -> Self {
        let widest = |text: fn(&Task) -> String, least: &str| {
            drawn.iter().map(|(_, task)| text(task).len()).fold(least.len(), usize::max)
        };
        Self { pid: widest(pid, "PID"), user: widest(user, "USER"), state: widest(state, "STATE") }
    }

    fn row(&self, pid: &str, user: &str, state: &str) -> String {
        format!("{pid:>0$} {user:>1$} {state:<2$} ", self.pid, self.user, self.state)
    }
}

fn pid(task: &Task) -> String {
    task.pid.to_string()
}

/// The effective user id.
fn user(task: &Task) -> String {
    let effective = task.credentials.as_ref().map(|creds| {
        let [_, effective, ..] = creds.uids;
        effective.to_string()
    });
    effective.unwrap_or_else(|| "-".to_owned())
}

fn state(task: &Task) -> String {
    task.state.map_or_else(|| "?".to_owned(), |state| words::state(state).into_owned())
}

struct Sheet<'a> {
    palette: Palette,
    width: Option<usize>,
    columns: Columns,
    in_pod: bool,
    options: &'a TreeOptions,
}

impl Sheet<'_> {
    fn heading<W: Write>(&self, out: &mut W, checkpoint: &Checkpoint) -> io::Result<()> {
        let container = checkpoint.container();
        let id: Option<String> = container.id.as_ref().map(|id| id.chars().take(12).collect());
        let mut facts = Vec::new();
        facts.extend(id.map(|id| plain(&id).into_owned()));
        facts.push(container.engine.word().to_owned());
        facts.extend(container.image.as_ref().map(|image| format!("image {}", plain(image))));
        facts.extend(container.hostname.as_ref().map(|name| format!("host name {}", plain(name))));
        let tasks = &checkpoint.processes().tasks;
        let threads = tasks.iter().map(|task| task.threads.len()).sum();
        let processes = count(tasks.len(), "process", "processes");
        facts.push(format!("{processes}, {}", count(threads, "thread", "threads")));
        let time = container.time(Event::Checkpointed);
        facts.extend(time.map(|moment| format!("checkpointed {}", moment.time)));
        let name = container.name.as_deref().map(|name| plain(name).into_owned());
        let all: Vec<String> = name.iter().cloned().chain(facts).collect();
        let text = all.join(" · ");
        for (number, line) in wrap(&text, self.width).into_iter().enumerate() {
            match name.as_deref().and_then(|name| line.strip_prefix(name)) {
                Some(rest) if number == 0 => {
                    let name = name.as_deref().unwrap_or_default();
                    writeln!(out, "{}{rest}", paint(self.palette.name, name))?;
                }
                _ => writeln!(out, "{line}")?,
            }
        }
        if checkpoint.images().is_some() && !checkpoint.processes().has_tree {
            let note = "No process tree in this dump: nothing is known of parents.";
            for line in wrap(note, self.width) {
                writeln!(out, "{line}")?;
            }
        }
        writeln!(out)
    }

    fn processes<W: Write>(&self, out: &mut W, drawn: &[(&Node, &Task)]) -> io::Result<()> {
        if drawn.is_empty() {
            return writeln!(out, "no processes");
        }
        let mut line = Line::default();
        line.push(self.palette.heading, self.columns.row("PID", "USER", "STATE") + "COMMAND");
        writeln!(out, "{}", line.render(self.width))?;
        let mut guides = Guides::new(self.width);
        let depths = drawn.iter().map(|(node, _)| node.depth);
        let next = depths.skip(1).map(Some).chain([None]);
        let mut told = ToldStrings::default();
        for ((node, task), next) in drawn.iter().zip(next) {
            guides.enter(node.depth, node.last);
            let same = told.same(task);
            writeln!(out, "{}", self.process(task, same, &guides).render(self.width))?;
            let has_children = next.is_some_and(|depth| depth > node.depth);
            self.details(out, task, same, &guides.below(has_children))?;
        }
        Ok(())
    }

    /// `same`: the process at which the arguments of the same memory stand.
    fn process(&self, task: &Task, same: Option<Pid>, guides: &Guides) -> Line {
        let palette = &self.palette;
        let mut line = Line::default();
        let plain = anstyle::Style::new();
        line.push(plain, self.columns.row(&pid(task), &user(task), &state(task)));
        line.push(palette.dim, guides.elbow());
        let argv = task.argv.as_ref().filter(|_| same.is_none());
        let argv = argv.filter(|argv| argv.iter().any(|word| !word.is_empty()));
        match (argv, &task.comm) {
            (Some(argv), _) => {
                line.push_cuttable(palette.name, command_line(argv), LEAST_COMMAND);
                if let Some(name) = other_name(task) {
                    line.push(palette.dim, format!("  name {name}"));
                }
            }
            (None, Some(comm)) => line.push(palette.name, comm.escaped()),
            (None, None) => line.push(palette.dim, "(name not known)"),
        }
        if let Some(same) = same {
            line.push(palette.dim, format!("  arguments of process {same}"));
        }
        if task.is_zombie() {
            line.push(palette.dim, " <defunct>");
            let machine = task.core.as_ref().map(|core| core.mtype);
            let ended = task.exit_code.map(|status| format!(" {}", ended(status, machine)));
            line.push(palette.dim, ended.unwrap_or_default());
        }
        if let Some(exe) = other_exe(task) {
            line.push_cuttable(palette.dim, format!("  exe {exe}"), LEAST_EXE);
        }
        if let Some(more) = task.threads.len().checked_sub(1).filter(|more| *more > 0) {
            line.push(palette.dim, format!("  +{}", count(more, "thread", "threads")));
        }
        for share in &task.shares {
            line.push(palette.dim, format!("  shares {} with {}", share.what.word(), share.with));
        }
        for what in &task.marks {
            line.push(palette.warning, format!(" [{}]", mark(*what, task)));
        }
        line
    }

    fn details<W: Write>(
        &self,
        out: &mut W,
        task: &Task,
        same: Option<Pid>,
        guides: &str,
    ) -> io::Result<()> {
        let details = details(task, self.options, self.in_pod, same);
        let indent = self.columns.row("", "", "");
        let label = details.iter().map(|detail| detail.label.len()).max().unwrap_or_default();
        let before = columns(&indent) + columns(guides) + label + 2;
        let room = self.width.map(|width| width.saturating_sub(before));
        let mut previous = "";
        for detail in &details {
            for text in wrap(&detail.text, room) {
                let shown = if detail.label == previous { "" } else { detail.label };
                previous = detail.label;
                let mut line = Line::default();
                line.push(self.palette.dim, format!("{indent}{guides}"));
                line.push(self.palette.label, format!("{shown:<label$}  "));
                line.push(anstyle::Style::new(), text);
                writeln!(out, "{}", line.render(self.width).trim_end())?;
            }
        }
        Ok(())
    }

    fn not_captured<W: Write>(&self, out: &mut W, checkpoint: &Checkpoint) -> io::Result<()> {
        let Some(log) = checkpoint.dump_log().filter(|log| !log.not_captured.is_empty()) else {
            return Ok(());
        };
        let heading = "Not captured (named by dump.log alone):";
        writeln!(out, "\n{}", paint(self.palette.heading, heading))?;
        for process in &log.not_captured {
            let mut line = Line::default();
            line.push(anstyle::Style::new(), format!("  host pid {}", process.host_pid));
            let name = process.comm.as_ref().map(|comm| format!("  {comm}"));
            line.push(self.palette.name, name.unwrap_or_default());
            writeln!(out, "{}", line.render(self.width))?;
        }
        Ok(())
    }

    fn stale<W: Write>(&self, out: &mut W, checkpoint: &Checkpoint) -> io::Result<()> {
        if checkpoint.stale().is_empty() {
            return Ok(());
        }
        let heading = "Stale images (not of this dump):";
        writeln!(out, "\n{}", paint(self.palette.heading, heading))?;
        let paths = checkpoint.stale().iter().map(|image| columns(&image.path.escaped()));
        let widest = paths.max().unwrap_or_default();
        for image in checkpoint.stale() {
            let mut line = Line::default();
            let path = image.path.escaped();
            let gap = widest.saturating_sub(columns(&path));
            line.push(anstyle::Style::new(), format!("  {path}{:gap$}", ""));
            let modified = times::seconds(image.modified).map(|time| format!(", {time}"));
            let why = format!("  {}{}", image.why, modified.unwrap_or_default());
            line.push_cuttable(self.palette.dim, why, 0);
            writeln!(out, "{}", line.render(self.width))?;
        }
        Ok(())
    }
}
