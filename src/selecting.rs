//! Which processes and mappings a command is about.

use anyhow::{Result, bail};
use ckpt::memory::Mapping;
use ckpt::model::{Checkpoint, Glob, MappingFilter, Pid, Task};
use clap::Args;

use crate::output;

/// Most pids that an error lists.
const MOST_LISTED: usize = 50;

/// Processes and mappings as the user names them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Select")]
pub(crate) struct SelectArgs {
    /// Only this process; repeatable, or a list with commas.
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(crate) pid: Vec<u32>,

    /// Only processes of this name (`comm`): a pattern with `*`, `?`, `[a-z]`; repeatable.
    #[arg(long, value_name = "GLOB")]
    pub(crate) comm: Vec<Glob>,

    /// Only mappings of this kind: heap, stack, anon, rwx, exec, shared, file:GLOB; repeatable, one must match.
    #[arg(long, value_name = "KIND")]
    pub(crate) vma: Vec<MappingFilter>,
}

/// Processes and mappings, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// The processes, by pid.
    pub(crate) pids: Vec<Pid>,
    /// Which of their mappings; all when empty.
    pub(crate) filters: Vec<MappingFilter>,
    /// Whether the user named processes; otherwise they are all.
    named: bool,
}

impl Selection {
    /// Whether a mapping of a selected task is meant.
    pub(crate) fn has(&self, mapping: &Mapping, task: &Task) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(mapping, task))
    }

    /// Says of processes that the user named and that have no memory, why nothing of them is shown.
    pub(crate) fn tell_without_memory(&self, checkpoint: &Checkpoint) {
        let tasks = self.pids.iter().filter_map(|pid| checkpoint.processes().get(*pid));
        let named = tasks.filter(|task| self.named && checkpoint.memory(task.pid).is_none());
        for task in named.take(MOST_LISTED) {
            let why =
                if task.is_zombie() { "it has ended" } else { "its images are not in the dump" };
            output::note(format_args!("process {} has no memory: {why}", task.pid));
        }
    }
}

impl SelectArgs {
    /// Finds what the user named; an error lists what there is.
    pub(crate) fn select(&self, checkpoint: &Checkpoint) -> Result<Selection> {
        require(checkpoint, &self.pid)?;
        let tasks = checkpoint.processes().by_pid();
        let has_pid = |task: &Task| self.pid.is_empty() || self.pid.contains(&task.pid.0);
        let has_name = |task: &Task| {
            let comm = task.comm.as_ref().map_or(&b""[..], |comm| comm.as_bytes());
            self.comm.is_empty() || self.comm.iter().any(|glob| glob.matches(comm))
        };
        let wanted = tasks.iter().filter(|task| has_pid(task) && has_name(task));
        let mut pids: Vec<Pid> = wanted.map(|task| task.pid).collect();
        pids.dedup();
        if pids.is_empty() && !self.comm.is_empty() {
            let known = |wanted: &dyn Fn(&Task) -> bool| {
                listed(tasks.iter().filter(|task| wanted(task)).map(|task| {
                    let comm = task.comm.as_ref().map(|comm| comm.escaped().into_owned());
                    format!("{} {}", task.pid, comm.unwrap_or_default())
                }))
            };
            if !tasks.iter().any(|task| has_name(task)) {
                bail!("no process of that name; there are {}", known(&|_| true));
            }
            bail!(
                "--pid and --comm have no process in common: --pid names {}, --comm {}",
                known(&has_pid),
                known(&has_name)
            );
        }
        let named = !(self.pid.is_empty() && self.comm.is_empty());
        Ok(Selection { pids, filters: self.vma.clone(), named })
    }
}

/// Fails when one of the pids is not in the checkpoint.
pub(crate) fn require(checkpoint: &Checkpoint, pids: &[u32]) -> Result<()> {
    let processes = checkpoint.processes();
    if let Some(pid) = pids.iter().find(|pid| processes.get(Pid(**pid)).is_none()) {
        let known = processes.by_pid().into_iter().map(|task| task.pid.to_string());
        bail!("no process {pid} in the checkpoint; there are {}", listed(known));
    }
    Ok(())
}

/// Some of many, joined with commas.
fn listed(mut all: impl Iterator<Item = String>) -> String {
    let some: Vec<String> = all.by_ref().take(MOST_LISTED).collect();
    match all.count() {
        _ if some.is_empty() => "none".to_owned(),
        0 => some.join(", "),
        more => format!("{} and {more} more", some.join(", ")),
    }
}
