//! Files that give rights to whoever runs them: set-user-id, set-group-id, file capabilities.

use ckpt_model::{Checkpoint, FileCapabilities};
use criu_image::names;
use memchr::memmem::find;

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::Group;
use super::places::{is_hidden_away, is_passing};
use super::subject::Subject;
use super::written::{Written, written};

const SETUID_OR_SETGID_FILE: Rule = Rule {
    id: "setuid-or-setgid-file",
    title: "A file that runs with the rights of its owner",
    why: "Whoever runs it gets the rights of its owner, root's as a rule. A copy of a shell with this bit is a way back to root that needs no password.",
    wrong: "Package managers install such programs (`sudo`, `su`, `mount`); an image that changes owners when it starts rewrites files that had the bit already.",
    check: "ckpt-inspect diff --setuid EVIDENCE",
    attack: &["T1548.001"],
};

const FILE_CAPABILITIES: Rule = Rule {
    id: "file-capabilities",
    title: "A file that gives capabilities",
    why: "Whoever runs it gets these capabilities without being root: `cap_setuid` or `cap_dac_override` on any program is as good as root.",
    wrong: "`ping` and servers on low ports have `cap_net_raw` or `cap_net_bind_service`, which weighs little here.",
    check: "ckpt-inspect diff --setuid EVIDENCE",
    attack: &["T1548.001"],
};

pub(super) const RULES: &[&Rule] = &[&SETUID_OR_SETGID_FILE, &FILE_CAPABILITIES];

/// Set-user-id and set-group-id.
const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
/// With set-group-id and without this the mode asks for mandatory locks, and gives nothing.
const GROUP_EXECUTE: u32 = 0o10;

/// Most bytes of a program that are looked through for the marks of a shell.
const MOST_OF_A_SHELL: u64 = 4 << 20;

/// Texts that shells have in them, each line those of one shell: its variables and its own name.
const SHELLS: [&[&[u8]]; 6] = [
    &[b"BASH_VERSION", b"BASH_ENV"],
    &[b"ZSH_VERSION", b"ZDOTDIR"],
    &[b"KSH_VERSION", b"PS4"],
    &[b"FPATH", b"OPTIND", b"PS4"],
    // dash and the other descendants of ash.
    &[b"OPTIND", b"MAILPATH", b"PS4"],
    &[b"BusyBox v", b"OPTIND"],
];

/// Capabilities with which somebody becomes root.
const AS_GOOD_AS_ROOT: [&str; 15] = [
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_CHOWN",
    "CAP_FOWNER",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_BPF",
    "CAP_MKNOD",
    "CAP_SYS_CHROOT",
];

/// Capabilities that `ping` and servers on low ports honestly have.
const USUAL: [&str; 3] = ["CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_IPC_LOCK"];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    for file in written(subject).filter(Written::is_file) {
        if let Some(finding) = setuid(subject, &file) {
            group.push(finding);
        }
        if let Some(capabilities) = file.capabilities {
            group.push(capable(subject, &file, capabilities));
        }
    }
    group.finish(findings);
}

fn setuid(subject: &Subject<'_>, file: &Written<'_>) -> Option<Finding> {
    let setuid = file.mode & SETUID != 0;
    let setgid = file.mode & SETGID != 0 && file.mode & GROUP_EXECUTE != 0;
    if !setuid && !setgid {
        return None;
    }
    let path = file.path.as_bytes();
    let as_root = setuid && file.uid == 0;
    let shell = setuid && is_shell(file);
    let odd = is_passing(file) || is_hidden_away(path);
    let nosuid = nosuid(subject.checkpoint, path);
    let severity = match (as_root && (shell || odd), as_root) {
        _ if nosuid => Severity::Medium,
        (true, _) => Severity::Critical,
        (false, _) if subject.packages.own(path) => Severity::Low,
        (false, true) => Severity::High,
        (false, false) => Severity::Medium,
    };
    let bits = if setuid { "set-user-id" } else { "set-group-id" };
    let what = if shell { "a shell" } else { "a file" };
    let title = format!("{what} with {bits}, owner {}: {}", file.uid, file.path);
    let mut finding = Finding::new(&SETUID_OR_SETGID_FILE, severity, Confidence::High, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()));
    if shell {
        finding = finding.seen(file.seen("its content has the marks of a shell"));
    }
    if odd {
        let hidden = "it lies in a hidden place";
        let open = "it lies where everybody may write, or in memory";
        let what = if is_hidden_away(path) { hidden } else { open };
        finding = finding.seen(file.seen(what));
    }
    if nosuid {
        let what = "it lies on a mount with nosuid, where the bit has no effect";
        finding = finding.seen(file.seen(what));
    }
    Some(finding)
}

/// Whether a program is a shell, by what is in it.
fn is_shell(file: &Written<'_>) -> bool {
    let content = file.start(MOST_OF_A_SHELL);
    content.starts_with(b"\x7fELF")
        && SHELLS.iter().any(|marks| marks.iter().all(|mark| find(&content, mark).is_some()))
}

/// Whether the runtime was told to mount the file system of a path without set-user-id.
fn nosuid(checkpoint: &Checkpoint, path: &[u8]) -> bool {
    let mounts = checkpoint.container().mounts.iter();
    let above = mounts.filter(|mount| {
        super::places::below(path, mount.destination.trim_end_matches('/').as_bytes()).is_some()
    });
    let nearest = above.max_by_key(|mount| mount.destination.len());
    nearest.is_some_and(|mount| mount.options.iter().any(|option| option == "nosuid"))
}

fn capable(subject: &Subject<'_>, file: &Written<'_>, given: FileCapabilities) -> Finding {
    let words = [given.permitted, given.permitted >> 32].map(|word| {
        let [a, b, c, d, ..] = word.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    });
    let (known, unknown) = names::capability_names(&words);
    let path = file.path.as_bytes();
    let root = known.iter().any(|name| AS_GOOD_AS_ROOT.contains(name));
    let usual = unknown.is_empty() && known.iter().all(|name| USUAL.contains(name));
    let odd = is_passing(file) || is_hidden_away(path);
    let severity = match (root, usual) {
        (true, _) if odd => Severity::Critical,
        _ if subject.packages.own(path) => Severity::Low,
        (true, _) => Severity::High,
        (false, true) => Severity::Low,
        (false, false) => Severity::Medium,
    };
    let mut list: Vec<String> = known.iter().map(|name| name.to_ascii_lowercase()).collect();
    list.extend(unknown.iter().map(|number| format!("capability {number}")));
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    let title = format!("{} gives {list}", file.path);
    let effective = if given.effective { "effective at once" } else { "not effective at once" };
    let what = format!("security.capability: permitted {list}; {effective}");
    Finding::new(&FILE_CAPABILITIES, severity, Confidence::High, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()))
        .seen(file.seen(what))
}
