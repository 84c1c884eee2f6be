//! The words for states and numbers that JSON and the screen share. What has no word stays a number.

use std::borrow::Cow;

use ckpt_memory::PageSizeSource;
use ckpt_model::{Namespace, Namespaces, Seccomp, Task, TaskState};
use criu_image::names::{self, NumberNames};

/// A word, or the number that has none.
pub(crate) type Word = Cow<'static, str>;

pub(crate) fn state(state: TaskState) -> Word {
    match state {
        TaskState::Alive => "alive".into(),
        TaskState::Stopped => "stopped".into(),
        TaskState::Zombie => "zombie".into(),
        TaskState::Unknown(number) => unknown(number),
        _ => "unknown".into(),
    }
}

pub(crate) fn seccomp(mode: Seccomp) -> Word {
    match mode {
        Seccomp::Disabled => "disabled".into(),
        Seccomp::Strict => "strict".into(),
        Seccomp::Filter => "filter".into(),
        Seccomp::Unknown(number) => unknown(number),
        _ => "unknown".into(),
    }
}

/// `other`, `fifo`, `rr`, `batch`, `idle`, `deadline`, `ext`.
pub(crate) fn sched_policy(number: u32) -> Word {
    named(&names::SCHED_POLICIES, "SCHED_", number)
}

/// `none`, `lz4-page`, `lz4-region`.
pub(crate) fn compression(number: u32) -> Word {
    named(&names::COMPRESSIONS, "", number)
}

/// `none`, `selinux`, `apparmor`.
pub(crate) fn lsm(number: u32) -> Word {
    if number == 0 { "none".into() } else { named(&names::LSM_TYPES, "", number) }
}

/// `nofile`, or the number of a limit without name.
pub(crate) fn rlimit(task: &Task, position: usize) -> Word {
    let table = names::rlimits(task.core.as_ref().map(|core| core.mtype));
    let name = i64::try_from(position).ok().and_then(|number| table.get(number));
    match name {
        Some(name) => lower(name, "RLIMIT_"),
        None => position.to_string().into(),
    }
}

pub(crate) fn page_size_source(source: PageSizeSource) -> &'static str {
    match source {
        PageSizeSource::PagesFile => "pages-file",
        PageSizeSource::Auxv => "auxv",
        PageSizeSource::Alignment => "alignment",
        PageSizeSource::Architecture => "architecture",
        _ => "unknown",
    }
}

/// The namespaces with the names of `/proc/PID/ns`.
pub(crate) fn namespaces(all: &Namespaces) -> [(&'static str, Option<Namespace>); 8] {
    [
        ("pid", all.pid),
        ("net", all.net),
        ("ipc", all.ipc),
        ("uts", all.uts),
        ("mnt", all.mnt),
        ("user", all.user),
        ("cgroup", all.cgroup),
        ("time", all.time),
    ]
}

fn named(table: &NumberNames, prefix: &str, number: u32) -> Word {
    table.get(i64::from(number)).map_or_else(|| unknown(number), |name| lower(name, prefix))
}

fn lower(name: &str, prefix: &str) -> Word {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-").into()
}

fn unknown(number: u32) -> Word {
    format!("unknown ({number})").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_word_keeps_its_number() {
        assert_eq!(state(TaskState::from_raw(77)), "unknown (77)");
        assert_eq!(seccomp(Seccomp::from_raw(9)), "unknown (9)");
        assert_eq!(sched_policy(1), "fifo");
        assert_eq!(sched_policy(40), "unknown (40)");
        assert_eq!(compression(2), "lz4-region");
        assert_eq!((lsm(0), lsm(2)), ("none".into(), "apparmor".into()));
    }

    #[test]
    fn limits_go_by_position() {
        let task = Task::default();
        assert_eq!(rlimit(&task, 7), "nofile");
        assert_eq!(rlimit(&task, 16), "16");
    }
}
