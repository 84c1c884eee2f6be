//! Whether the first process is what the runtime spec asks for.

use std::collections::{BTreeMap, BTreeSet};

use ckpt_model::{Strings, Task, Text};

use super::check::{Check, Effect, Gathering, Spec, count};
use super::reader::{Subject, escaped};

pub(super) const COMMAND: Spec = Spec::coded(
    "C15",
    "command-line",
    "arguments and environment that the runtime spec asks for with those of the first process",
);

/// Most bytes of a command line that are shown.
const MOST_SHOWN: usize = 400;

/// Most variables that are named, and most bytes of a name.
const MOST_NAMED: usize = 10;
const LONGEST_NAME: usize = 64;

/// Most bytes of a title, and most words of a command, that are looked at to tell whose title it is.
const LONGEST_TITLE: usize = 4096;
const MOST_WORDS: usize = 64;

/// Variables that runtimes add to what the spec asks for: runc and crun the first one, docker the others.
const ADDED: [&[u8]; 3] = [b"HOME", b"HOSTNAME", b"TERM"];

/// Programs that run a script given by `-c`.
const SHELLS: [&str; 6] = ["sh", "ash", "bash", "dash", "ksh", "zsh"];

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
    let (expected, found) = (shown(&asked), shown(&argv));
    let open = |why: String| {
        let check = COMMAND.not_checkable(why);
        Check { expected: Some(expected.clone()), found: Some(found.clone()), ..check }
    };
    if argv != asked && !is_interpreted(&asked, &argv) {
        if let Some(why) = rewritten(&asked, &argv) {
            return open(format!("process {} shows other arguments: {why}", first.pid));
        }
        let mut check = COMMAND.begin();
        let what = "it shows other arguments than the spec asks for, and nothing in the spec tells why: it executed another program, or wrote over them";
        check.tell(Effect::Remark, format!("process {}", first.pid), what);
        return check.end(expected, found);
    }
    let Some(env) = &first.env else {
        return open(format!("the environment of process {} is not there", first.pid));
    };
    let mut check = COMMAND.begin();
    let variables = environment(&container.env, first, env, &mut check);
    check.end(
        format!("{expected} with {}", count(variables, "variable", "variables")),
        format!("{found} with {}", count(env.iter().count(), "variable", "variables")),
    )
}

/// Compares the environment; how many variables the spec asks for.
fn environment(asked: &[String], first: &Task, env: &Strings, check: &mut Gathering) -> usize {
    let place = format!("process {}", first.pid);
    let told: BTreeSet<&[u8]> = env.iter().collect();
    // Of entries with one key the last one counts.
    let wanted: BTreeMap<&[u8], &[u8]> =
        asked.iter().map(|entry| (key(entry.as_bytes()), entry.as_bytes())).collect();
    for (key, entry) in &wanted {
        if !told.contains(entry) {
            let what = format!(
                "it was started as the spec asks, and has another {} in its environment, or none",
                escaped(key.get(..LONGEST_NAME).unwrap_or(key))
            );
            check.tell(Effect::Remark, &*place, what);
        }
    }
    let given: BTreeSet<&[u8]> = asked.iter().map(String::as_bytes).collect();
    let is_extra = |entry: &&[u8]| {
        let replaced = wanted.get(key(entry)).is_some_and(|wanted| !told.contains(wanted));
        !given.contains(entry) && !ADDED.contains(&key(entry)) && !replaced
    };
    let extra: Vec<&[u8]> = told.iter().copied().filter(is_extra).collect();
    if !extra.is_empty() {
        // Values are left out: they may be secrets.
        let names: Vec<String> = extra.iter().take(MOST_NAMED).map(|entry| name(entry)).collect();
        let more = match extra.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = format!(
            "it has {} that the spec does not ask for: {}{more}",
            count(extra.len(), "variable", "variables"),
            names.join(", ")
        );
        check.tell(Effect::Remark, place, what);
    }
    wanted.len()
}

/// What stands before the equals sign.
fn key(entry: &[u8]) -> &[u8] {
    entry.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// The name of a variable, safe for a terminal. What has none is no variable, and not shown.
fn name(entry: &[u8]) -> String {
    let key = key(entry);
    match key.get(..LONGEST_NAME) {
        _ if key.len() == entry.len() => "text without a name".to_owned(),
        Some(cut) if cut.len() < key.len() => format!("{}…", escaped(cut)),
        _ => escaped(key),
    }
}

/// A command line in a bounded length, safe for a terminal.
fn shown(words: &[&[u8]]) -> String {
    let mut line: Vec<u8> = Vec::new();
    for word in words {
        let room = MOST_SHOWN.saturating_add(1).saturating_sub(line.len());
        line.extend(word.iter().take(room));
        line.push(b' ');
    }
    line.pop();
    match line.get(..MOST_SHOWN) {
        Some(cut) if cut.len() < line.len() => format!("{}…", Text::from(cut).escaped()),
        _ => Text::from(line.as_slice()).escaped().into_owned(),
    }
}

/// Last part of a path.
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Whether the kernel executed the interpreter that the first line of the program names: it puts that in front, perhaps
/// with one argument, and gives the program's path.
fn is_interpreted(asked: &[&[u8]], argv: &[&[u8]]) -> bool {
    let Some((program, arguments)) = asked.split_first() else { return false };
    [1, 2].into_iter().any(|before| {
        let Some((script, rest)) = argv.get(before..).and_then(<[_]>::split_first) else {
            return false;
        };
        rest == arguments && base(script) == base(program)
    })
}

/// Why other arguments are no surprise, as far as the spec tells.
fn rewritten(asked: &[&[u8]], argv: &[&[u8]]) -> Option<&'static str> {
    let words: Vec<&[u8]> = argv.iter().copied().filter(|word| !word.is_empty()).collect();
    let Some((first, others)) = words.split_first() else {
        return Some("it emptied them, as programs do that write a title over them");
    };
    let title = first.get(..LONGEST_TITLE).unwrap_or(first);
    if others.is_empty() && asked.iter().take(MOST_WORDS).any(|word| is_titled(title, word)) {
        return Some("it wrote a title over them");
    }
    if asked.ends_with(&words) {
        return Some("it executed what stands at their end, as scripts do that prepare a program");
    }
    let (program, arguments) = asked.split_first()?;
    let program = std::str::from_utf8(base(program)).ok()?;
    if SHELLS.contains(&program) {
        let mut arguments = arguments.iter();
        return match arguments.find(|word| !word.starts_with(b"-") || word.ends_with(b"c")) {
            Some(option) if option.starts_with(b"-") => {
                executes(arguments.next()?, &words).then_some("its script executes them")
            }
            Some(_) => Some("it executed another program, as scripts do"),
            None => None,
        };
    }
    let script = program.ends_with(".sh") || program.contains("entrypoint");
    script.then_some("it executed another program, as scripts do")
}

/// Whether a title is one of a program: it has the program's name, and more.
fn is_titled(title: &[u8], word: &[u8]) -> bool {
    let name = base(word);
    let mut parts = title.split(|byte| !is_of_name(*byte));
    name.len() > 1
        && !word.starts_with(b"-")
        && title.len() > name.len()
        && name.iter().all(|byte| is_of_name(*byte))
        && parts.any(|part| part == name)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'+')
}

/// Whether a script has all words of a command, one after another.
fn executes(script: &[u8], words: &[&[u8]]) -> bool {
    let Ok(mut rest) = std::str::from_utf8(script) else { return false };
    words.iter().all(|word| {
        let found = std::str::from_utf8(word).ok().and_then(|word| rest.split_once(word));
        found.is_some_and(|(_, after)| {
            rest = after;
            true
        })
    })
}
