//! A process as one would type it: name, arguments, how it ended.

use std::borrow::Cow;

use ckpt_model::{Mark, Strings, Task, escape};
use criu_image::names;

/// Empty arguments at the end that are shown one by one; a title that a program wrote over its arguments leaves more.
pub(crate) const FEW_EMPTY: usize = 3;

/// Arguments joined by spaces, quoted where a shell would need it.
pub(super) fn command_line(argv: &Strings) -> String {
    let mut words: Vec<&[u8]> = argv.iter().collect();
    let full = words.iter().rposition(|word| !word.is_empty()).map_or(0, |at| at.saturating_add(1));
    let empty = words.len().saturating_sub(full);
    if empty > FEW_EMPTY {
        words.truncate(full);
    }
    let words = words.into_iter().map(|word| quoted(escape(word)));
    let mut text = words.collect::<Vec<_>>().join(" ");
    if empty > FEW_EMPTY {
        text.push_str(&format!(" (and {empty} empty)"));
    }
    text
}

/// An argument, which is escaped already; in single quotes when it is empty or holds what a shell would take apart.
pub(crate) fn quoted(text: Cow<'_, str>) -> String {
    let special = |c: char| c.is_whitespace() || "'\"`$&|;<>()*?[]{}#!~".contains(c);
    if text.is_empty() || text.contains(special) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        text.into_owned()
    }
}

/// The last component of a path.
fn base(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The name of the task, where neither its first argument nor its executable has it already.
pub(super) fn other_name(task: &Task) -> Option<String> {
    let comm = task.comm.as_ref()?.as_bytes();
    let shown = |path: &[u8]| {
        let name = base(path);
        let name = name.strip_prefix(b"-").unwrap_or(name);
        // The kernel keeps 15 bytes of it.
        name == comm || (comm.len() >= 15 && name.starts_with(comm))
    };
    let first = task.argv.as_ref().and_then(Strings::first);
    let title = first.is_some_and(|first| first.starts_with(comm));
    let exe = task.exe.as_ref().map(|exe| exe.path.as_bytes());
    let exe = exe.map(|exe| exe.strip_suffix(b" (deleted)").unwrap_or(exe));
    (!title && !first.is_some_and(shown) && !exe.is_some_and(shown))
        .then(|| escape(comm).into_owned())
}

/// The path of the executable, where the first argument is another one.
pub(super) fn other_exe(task: &Task) -> Option<String> {
    let exe = task.exe.as_ref()?;
    let first = task.argv.as_ref().and_then(Strings::first);
    (first != Some(exe.path.as_bytes())).then(|| exe.path.escaped().into_owned())
}

/// What a wait status says: `exit 7`, `killed by SIGKILL`.
pub(super) fn ended(status: u32, machine: Option<u32>) -> String {
    let signal = status & 0x7f;
    if signal == 0 {
        return format!("exit {}", status >> 8 & 0xff);
    }
    let core = if status & 0x80 == 0 { "" } else { ", core dumped" };
    format!("killed by {}{core}", names::signal_text(machine, u64::from(signal)))
}

/// A mark in words.
pub(super) fn mark(mark: Mark, task: &Task) -> String {
    match mark {
        Mark::ExeDeleted => "exe deleted".to_owned(),
        Mark::ExeMemfd => "memfd".to_owned(),
        Mark::PosesAsKernelThread => "poses as kernel thread".to_owned(),
        Mark::CwdDeleted => "cwd deleted".to_owned(),
        Mark::Orphan => match task.ppid {
            Some(ppid) => format!("parent {ppid} is not in the dump"),
            None => "parent is not in the dump".to_owned(),
        },
        Mark::Cycle => "is its own ancestor".to_owned(),
        Mark::DuplicatePid => "pid occurs twice".to_owned(),
        Mark::NoAddressRandomisation => "addresses not randomised".to_owned(),
        Mark::ReadImpliesExec => "readable is executable".to_owned(),
        _ => mark.word().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ckpt_model::{FileRef, Text};

    use super::*;

    fn joined(bytes: &[u8]) -> String {
        command_line(&Strings(bytes.to_vec().into()))
    }

    #[test]
    fn arguments_read_as_one_would_type_them() {
        assert_eq!(joined(b"nginx\0-g\0daemon off;\0"), "nginx -g 'daemon off;'");
        assert_eq!(joined(b"sh\0-c\0\0"), "sh -c ''");
        assert_eq!(joined(b"echo\0it's\0\xff\x1b[31m\0"), "echo 'it'\\''s' '\\xff\\x1b[31m'");
        assert_eq!(
            joined(b"nginx: master process\0\0\0\0\0\0"),
            "'nginx: master process' (and 5 empty)"
        );
    }

    #[test]
    fn wait_statuses() {
        assert_eq!(ended(1792, None), "exit 7");
        assert_eq!(ended(9, None), "killed by SIGKILL");
        assert_eq!(ended(0x8b, None), "killed by SIGSEGV, core dumped");
    }

    #[test]
    fn names_that_say_nothing_new_are_left_out() {
        let mut task = Task::default();
        task.comm = Some(Text::from("nginx"));
        assert_eq!(other_name(&task).as_deref(), Some("nginx"));
        task.argv = Some(Strings(b"/usr/sbin/nginx\0".to_vec().into()));
        assert_eq!(other_name(&task), None);
        task.argv = Some(Strings(b"nginx: worker process\0".to_vec().into()));
        assert_eq!(other_name(&task), None);
        task.argv = Some(Strings(b"-bash\0".to_vec().into()));
        assert_eq!(other_name(&task).as_deref(), Some("nginx"));
        task.comm = Some(Text::from("bash"));
        assert_eq!(other_name(&task), None);
        task.comm = Some(Text::from("kworker/0:1"));
        let path = Text::from("/tmp/.x (deleted)");
        task.exe = Some(FileRef { path, deleted: true, ..FileRef::default() });
        assert_eq!(other_name(&task).as_deref(), Some("kworker/0:1"));
        assert_eq!(other_exe(&task).as_deref(), Some("/tmp/.x (deleted)"));
    }
}
