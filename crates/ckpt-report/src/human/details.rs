//! What `tree` shows below a process when it is asked for: threads, credentials, namespaces, environment.

use ckpt_model::{
    Credentials, Namespaces, PendingSignal, Personality, Pid, Seccomp, Task, Thread, escape,
};
use criu_image::names;

use super::tree::TreeOptions;
use crate::words;

/// A line of detail: what it is of, and the text, which is safe already.
pub(super) struct Detail {
    pub(super) label: &'static str,
    pub(super) text: String,
}

/// All that was asked for, in a fixed order. `same`: the process at which the environment of the same memory stands.
pub(super) fn details(
    task: &Task,
    options: &TreeOptions,
    in_pod: bool,
    same: Option<Pid>,
) -> Vec<Detail> {
    let mut details = Vec::new();
    if options.threads {
        for of in &task.threads {
            details.push(thread(of, task));
            details.extend(of.pending.iter().map(|signal| pending(signal, task)));
        }
        details.extend(task.pending.iter().map(|signal| pending(signal, task)));
    }
    if options.creds {
        creds(task, &mut details);
    }
    if options.ns
        && let Some(all) = &task.namespaces
    {
        details.extend(namespaces(all, in_pod));
    }
    if let Some(same) = same.filter(|_| options.env) {
        details.push(Detail { label: "env", text: format!("that of process {same}") });
    } else if options.env {
        let env = task.env.iter().flat_map(ckpt_model::Strings::iter);
        details.extend(
            env.map(|variable| Detail { label: "env", text: escape(variable).into_owned() }),
        );
    }
    details
}

fn thread(thread: &Thread, task: &Task) -> Detail {
    let mut text = thread.tid.to_string();
    if let Some(comm) = &thread.comm {
        text.push_str(&format!(" {comm}"));
    }
    if let Some(ip) = thread.ip {
        text.push_str(&format!("  ip {ip}"));
    }
    if let Some(sp) = thread.sp {
        text.push_str(&format!("  sp {sp}"));
    }
    if let Some(blocked) = thread.sigblk.filter(|blocked| *blocked != 0) {
        let machine = thread.core.as_ref().map(|core| core.mtype);
        text.push_str(&format!("  blocks {}", names::signal_set_text(machine, blocked)));
    }
    if let Some(mode) = thread.seccomp.filter(|mode| *mode != Seccomp::Disabled) {
        text.push_str(&format!("  seccomp {}", words::seccomp(mode)));
    }
    if let Some(policy) = thread.sched_policy.filter(|policy| *policy != 0) {
        text.push_str(&format!("  scheduled {}", words::sched_policy(policy)));
        if let Some(priority) = thread.sched_priority {
            text.push_str(&format!(" {priority}"));
        }
    }
    if let Some(nice) = thread.nice.filter(|nice| *nice != 0) {
        text.push_str(&format!("  nice {nice}"));
    }
    if thread.compat == Some(true) {
        text.push_str("  32-bit");
    }
    if let Some(signal) = thread.parent_death_signal.filter(|signal| *signal != 0) {
        let machine = thread.core.as_ref().map(|core| core.mtype);
        let signal = names::signal_text(machine, signal.into());
        text.push_str(&format!("  gets {signal} when its parent ends"));
    }
    if let Some(creds) = task.own_credentials(thread) {
        text.push_str(&format!(
            "  own credentials: uid {}, gid {}, capabilities {}",
            ids(&creds.uids),
            ids(&creds.gids),
            cap_names(creds.caps.effective)
        ));
    }
    Detail { label: "thread", text }
}

/// A signal that waits, with its sender and what it carries.
fn pending(signal: &PendingSignal, task: &Task) -> Detail {
    let machine = task.core.as_ref().map(|core| core.mtype);
    let mut text = names::signal_text(machine, signal.signo.into());
    match signal.code_name() {
        Some(name) => text.push_str(&format!("  {name}")),
        None => text.push_str(&format!("  code {}", signal.code)),
    }
    if let Some(pid) = signal.pid {
        text.push_str(&format!("  from pid {pid}"));
    }
    if let Some(uid) = signal.uid {
        text.push_str(&format!(" of uid {uid}"));
    }
    if let Some(status) = signal.status {
        text.push_str(&format!("  status {status}"));
    }
    if let Some(fd) = signal.fd {
        text.push_str(&format!("  descriptor {fd}"));
    }
    if let Some(timer) = signal.timer {
        text.push_str(&format!("  timer {timer}"));
    }
    if let Some(value) = signal.value {
        text.push_str(&format!("  value {value}"));
    }
    Detail { label: "pending", text }
}

fn creds(task: &Task, details: &mut Vec<Detail>) {
    if let Some(creds) = &task.credentials {
        details.push(Detail { label: "uid", text: ids(&creds.uids) });
        details.push(Detail { label: "gid", text: ids(&creds.gids) });
        if !creds.groups.is_empty() {
            let groups: Vec<String> = creds.groups.iter().map(u32::to_string).collect();
            details.push(Detail { label: "groups", text: groups.join(" ") });
        }
        caps(creds, details);
        if creds.secbits != 0 {
            let text = names::SECBITS.text(u64::from(creds.secbits));
            details.push(Detail { label: "securebits", text });
        }
        if let Some(profile) = &creds.lsm_profile {
            details.push(Detail { label: "lsm profile", text: profile.escaped().into_owned() });
        }
        let text = match creds.no_new_privs {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not recorded by this CRIU",
        };
        details.push(Detail { label: "no new privs", text: text.to_owned() });
    }
    if let Some(mode) = task.seccomp {
        details.push(Detail { label: "seccomp", text: words::seccomp(mode).into_owned() });
    }
    details.extend(unusual(task).map(|(label, text)| Detail { label, text }));
}

/// What few processes have: a personality of their own, an audited login, no core, other processes' orphans.
fn unusual(task: &Task) -> impl Iterator<Item = (&'static str, String)> {
    const UNSET: u32 = u32::MAX;
    let personality = task.personality.filter(|personality| personality.stored != 0);
    let personality = personality.map(|Personality { value, stored }| match value {
        Some(value) => names::PERSONALITY.text(value.into()),
        None => format!("unknown ({stored})"),
    });
    let login = task.loginuid.filter(|uid| *uid != UNSET).map(|uid| uid.to_string());
    let dumpable = match task.dumpable {
        None | Some(1) => None,
        Some(0) => Some("no: only root may look into it".to_owned()),
        Some(2) => Some("for root alone".to_owned()),
        Some(other) => Some(format!("unknown ({other})")),
    };
    let reaper = (task.child_subreaper == Some(true)).then(|| "adopts orphans".to_owned());
    let all = [
        ("personality", personality),
        ("login uid", login),
        ("dumpable", dumpable),
        ("subreaper", reaper),
    ];
    all.into_iter().filter_map(|(label, text)| Some((label, text?)))
}

/// `1000`, or all four when they differ.
pub(super) fn ids(ids: &[u32; 4]) -> String {
    let [real, effective, saved, filesystem] = ids;
    if ids.iter().all(|id| id == real) {
        real.to_string()
    } else {
        format!("real {real}, effective {effective}, saved {saved}, file system {filesystem}")
    }
}

/// The sets, equal ones together.
fn caps(creds: &Credentials, details: &mut Vec<Detail>) {
    let caps = &creds.caps;
    let sets = [
        ("effective", Some(caps.effective)),
        ("permitted", Some(caps.permitted)),
        ("bounding", Some(caps.bounding)),
        ("inheritable", Some(caps.inheritable)),
        ("ambient", caps.ambient),
    ];
    let mut groups: Vec<(u64, Vec<&str>)> = Vec::new();
    for (name, set) in sets {
        let Some(set) = set else { continue };
        match groups.iter_mut().find(|(known, _)| *known == set) {
            Some((_, names)) => names.push(name),
            None => groups.push((set, vec![name])),
        }
    }
    for (set, which) in groups {
        let text = format!("{}: {}", which.join(", "), cap_names(set));
        details.push(Detail { label: "caps", text });
    }
}

/// `chown kill setuid`; `none`; `all` for every capability that has a name, and no bit more.
pub(crate) fn cap_names(set: u64) -> String {
    let every =
        names::CAPABILITIES.values.iter().fold(0_u64, |all, (bit, _)| all | 1 << (bit & 63));
    match set {
        0 => return "none".to_owned(),
        set if set == every => return "all".to_owned(),
        _ => {}
    }
    let bits = (0..64_u32).filter(|bit| set >> bit & 1 == 1);
    let words: Vec<String> = bits
        .map(|bit| match names::CAPABILITIES.get(i64::from(bit)) {
            Some(name) => name.strip_prefix("CAP_").unwrap_or(name).to_ascii_lowercase(),
            None => bit.to_string(),
        })
        .collect();
    words.join(" ")
}

fn namespaces(all: &Namespaces, in_pod: bool) -> Option<Detail> {
    let shared = if in_pod { " (shared with host or pod)" } else { " (shared with host)" };
    let known = words::namespaces(all).into_iter().filter_map(|(name, namespace)| {
        let namespace = namespace?;
        let shared = if namespace.shared_with_criu { shared } else { "" };
        Some(format!("{name} {}{shared}", namespace.id))
    });
    let text = known.collect::<Vec<_>>().join(", ");
    (!text.is_empty()).then_some(Detail { label: "namespaces", text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_only_when_they_differ() {
        assert_eq!(ids(&[7; 4]), "7");
        assert_eq!(ids(&[1000, 0, 0, 0]), "real 1000, effective 0, saved 0, file system 0");
    }

    #[test]
    fn what_few_processes_have_is_told_of_those_alone() {
        let lines = |task: &Task| {
            unusual(task).map(|(label, text)| format!("{label}: {text}")).collect::<Vec<_>>()
        };
        let mut task = Task::default();
        assert_eq!(lines(&task), Vec::<String>::new(), "nothing is known");
        task.personality = Some(Personality { value: Some(0), stored: 0 });
        (task.loginuid, task.dumpable) = (Some(u32::MAX), Some(1));
        task.child_subreaper = Some(false);
        assert_eq!(lines(&task), Vec::<String>::new(), "nothing is unusual");
        task.personality = Some(Personality { value: Some(0x4_0000), stored: 40_000 });
        (task.loginuid, task.dumpable) = (Some(1000), Some(0));
        task.child_subreaper = Some(true);
        assert_eq!(
            lines(&task),
            [
                "personality: PER_LINUX | ADDR_NO_RANDOMIZE",
                "login uid: 1000",
                "dumpable: no: only root may look into it",
                "subreaper: adopts orphans",
            ]
        );
        task.personality = Some(Personality { value: None, stored: 100_000_000 });
        assert_eq!(lines(&task)[0], "personality: unknown (100000000)");
    }

    #[test]
    fn threads_tell_their_mode_and_what_their_parent_means_to_them() {
        let text = |of: Thread| thread(&of, &Task::default()).text;
        let mut of = Thread::default();
        assert_eq!(text(of.clone()), "0");
        (of.compat, of.parent_death_signal) = (Some(true), Some(9));
        assert_eq!(text(of), "0  32-bit  gets SIGKILL when its parent ends");
    }

    #[test]
    fn capability_sets() {
        assert_eq!(cap_names(0), "none");
        assert_eq!(cap_names(0x1ff_ffff_ffff), "all");
        assert_eq!(cap_names(0x21 | 1 << 50), "chown kill 50");
        let mut creds = Credentials::default();
        creds.caps.bounding = 1;
        let mut details = Vec::new();
        caps(&creds, &mut details);
        let texts: Vec<_> = details.iter().map(|detail| detail.text.as_str()).collect();
        assert_eq!(texts, ["effective, permitted, inheritable: none", "bounding: chown"]);
    }
}
