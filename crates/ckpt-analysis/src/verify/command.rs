//! Whether the first process is what the runtime spec asks for.

use std::collections::{BTreeMap, BTreeSet};

use ckpt_model::Text;

use super::check::{Check, Effect, Spec, count};
use super::reader::{Subject, escaped};

pub(super) const COMMAND: Spec = Spec::coded(
    "C15",
    "command-line",
    "arguments and environment that the runtime spec asks for with those of the first process",
);

/// C15: what was asked for and what runs.
pub(super) fn command(subject: &Subject<'_>) -> Check {
    let checkpoint = subject.checkpoint;
    let container = checkpoint.container();
    if container.command.is_empty() {
        return COMMAND.not_applicable("no runtime spec tells a command");
    }
    let processes = checkpoint.processes();
    let Some(first) = processes.tasks.first().filter(|_| processes.has_tree) else {
        return COMMAND.not_checkable("there is no process tree");
    };
    let Some(argv) = &first.argv else {
        return COMMAND
            .not_checkable(format!("the arguments of process {} are not there", first.pid));
    };
    let argv: Vec<&[u8]> = argv.iter().collect();
    let asked: Vec<&[u8]> = container.command.iter().map(String::as_bytes).collect();
    let shown = |words: &[&[u8]]| {
        words
            .iter()
            .map(|word| Text::from(*word).escaped().into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let (expected, found) = (shown(&asked), shown(&argv));
    if argv != asked {
        let why = format!(
            "process {} shows other arguments: it executed another program, as scripts and init programs do, or wrote a title over them",
            first.pid
        );
        let mut check = COMMAND.not_checkable(why);
        (check.expected, check.found) = (Some(expected), Some(found));
        return check;
    }
    let mut check = COMMAND.begin();
    let Some(env) = &first.env else {
        let mut check =
            COMMAND.not_checkable(format!("the environment of process {} is not there", first.pid));
        (check.expected, check.found) = (Some(expected), Some(found));
        return check;
    };
    let env: BTreeSet<&[u8]> = env.iter().collect();
    // Of entries with one key the last one counts.
    let asked = container.env.iter();
    let asked: BTreeMap<&str, &str> =
        asked.map(|entry| (entry.split('=').next().unwrap_or_default(), entry.as_str())).collect();
    for (key, entry) in &asked {
        if !env.contains(entry.as_bytes()) {
            let what = format!(
                "process {} was started as the spec asks, and has another {} in its environment, or none",
                first.pid,
                escaped(key.as_bytes())
            );
            check.tell(Effect::Remark, format!("process {}", first.pid), what);
        }
    }
    check.end(
        format!("{expected} with {}", count(asked.len(), "variable", "variables")),
        format!("{found} with {}", count(env.len(), "variable", "variables")),
    )
}
