//! Files that are named so as not to be seen, where programs leave temporary files and in directories of the system.

use std::collections::BTreeMap;

use ckpt_model::artifacts::Origin;
use ckpt_model::{FileType, Text};

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::{Group, bounded};
use super::places::{
    Hiding, SOCKET_FOLDERS, directly, hidden, is_hidden_away, is_of_tempfile, is_scratch, origin,
    split, within,
};
use super::subject::Subject;
use super::written::{Format, Written, written};

const HIDDEN_FILE: Rule = Rule {
    id: "hidden-file",
    title: "A hidden file where programs leave temporary files",
    why: "Names that begin with a dot, or look like something else (`...`, blanks at the end, characters that do not show or turn the text round), are for not being seen.",
    wrong: "Caches and sockets of many programs begin with a dot; the usual ones are known and left out.",
    check: "ckpt-inspect extract --list EVIDENCE",
    attack: &["T1564.001"],
};

pub(super) const RULES: &[&Rule] = &[&HIDDEN_FILE];

/// Directories of the system in which nothing begins with a dot, but for [`KNOWN_IN_SYSTEM`].
const SYSTEM: [&[u8]; 28] = [
    b"/var/lib",
    b"/var/cache",
    b"/var/spool",
    b"/run",
    b"/var/run",
    b"/opt",
    b"/mnt",
    b"/media",
    b"/srv",
    b"/boot",
    b"",
    b"/bin",
    b"/sbin",
    b"/lib",
    b"/lib64",
    b"/usr",
    b"/usr/bin",
    b"/usr/sbin",
    b"/usr/lib",
    b"/usr/lib64",
    b"/usr/local",
    b"/usr/local/bin",
    b"/usr/local/lib",
    b"/usr/share",
    b"/usr/include",
    b"/etc",
    b"/dev",
    b"/var",
];

/// Names with a dot that packages and engines put into directories of the system.
const KNOWN_IN_SYSTEM: [&[u8]; 16] = [
    b".build-id",
    b".pwd.lock",
    b".updated",
    b".java",
    b".git",
    b".gitignore",
    b".etckeeper",
    b".dockerenv",
    b".containerenv",
    b".dockerinit",
    b".autorelabel",
    b".udev",
    b".placeholder",
    b".keep",
    b".gitkeep",
    b".resolv.conf.systemd-resolved.bak",
];

/// How names begin that honest programs leave where everybody may write: sockets and locks of X11, PostgreSQL and Java,
/// caches of languages and browsers.
const KNOWN: [&[u8]; 34] = [
    b".X",
    b".s.PGSQL.",
    b".java_pid",
    b".attach_pid",
    b".org.chromium.",
    b".com.google.",
    b".org.mozilla",
    b".nfs",
    b".dotnet",
    b".cache",
    b".config",
    b".local",
    b".npm",
    b".node",
    b".yarn",
    b".pnpm",
    b".pki",
    b".mono",
    b".gradle",
    b".m2",
    b".ansible",
    b".keep",
    b".gitkeep",
    b".git",
    b".placeholder",
    b".fontconfig",
    b".dbus",
    b".gnupg",
    b".vscode",
    b".nuget",
    b".NET",
    b".ipython",
    b".matplotlib",
    b".lock",
];

/// Directories in which tools of developers keep programs.
const TOOLS: [&[u8]; 22] = [
    b".venv",
    b".bin",
    b".tox",
    b".nvm",
    b".rustup",
    b".cargo",
    b".pyenv",
    b".asdf",
    b".terraform",
    b".gem",
    b".bundle",
    b".virtualenv",
    b".sdkman",
    b".rbenv",
    b".jenkins",
    b".oh-my",
    b".deno",
    b".bun",
    b".volta",
    b".pixi",
    b".conda",
    b".nix",
];

/// What is hidden below one name.
#[derive(Debug)]
struct Hidden<'a> {
    hiding: Hiding,
    files: Vec<Written<'a>>,
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mounts: Vec<&[u8]> = subject
        .checkpoint
        .mounts()
        .iter()
        .filter(|mount| mount.fstype.as_ref().is_some_and(|kind| kind.as_bytes() == b"tmpfs"))
        .map(|mount| mount.mountpoint.as_bytes())
        .collect();
    let mut found: BTreeMap<(Origin, Vec<u8>), Hidden<'_>> = BTreeMap::new();
    for file in written(subject) {
        let Some((hiding, top)) = hides(&file, &mounts) else { continue };
        let new = || Hidden { hiding, files: Vec::new() };
        found.entry((file.origin, top.to_vec())).or_insert_with(new).files.push(file);
    }
    let mut group = Group::default();
    for ((place, top), hidden) in &found {
        if let Some(finding) = finding(*place, top, hidden) {
            group.push(finding);
        }
    }
    group.finish(findings);
}

/// Whether a file hides: tricks anywhere, a dot where it is odd. Gives the path up to the name that hides.
fn hides<'a>(file: &Written<'a>, mounts: &[&[u8]]) -> Option<(Hiding, &'a [u8])> {
    let path = file.path.as_bytes();
    let (hiding, top) = hidden(path)?;
    if hiding.is_trick() {
        return Some((hiding, top));
    }
    let name = split(top).1;
    if file.origin == Origin::Volume {
        return is_hidden_program(file, name).then_some((hiding, top));
    }
    if file.in_memory() || is_scratch(path) {
        // What leads to the mount is not in it.
        let own = mounts.iter().filter(|mount| within(path, &[**mount])).map(|mount| mount.len());
        let after = own.max().is_none_or(|len| top.len() > len);
        let socket = SOCKET_FOLDERS.contains(&name) && !file.is_file();
        let known = (is_known_temporary(name) && !SOCKET_FOLDERS.contains(&name))
            || (is_of_tempfile(path) && file.origin != Origin::DevShm);
        return (after && !socket && !known).then_some((hiding, top));
    }
    let odd = directly(top, &SYSTEM) && !KNOWN_IN_SYSTEM.contains(&name);
    // `/.cache` and the like belong to a user whose home is /.
    let home = split(top).0.is_empty() && (is_known_temporary(name) || is_setting(name));
    ((odd && !home) || is_hidden_program(file, name)).then_some((hiding, top))
}

/// A program in a directory with a dot that no tool is known to make.
fn is_hidden_program(file: &Written<'_>, name: &[u8]) -> bool {
    let known = KNOWN.iter().chain(&TOOLS).any(|known| name.starts_with(known));
    !known && is_hidden_away(file.path.as_bytes()) && file.format() == Some(Format::Program)
}

/// Whether a name with a dot is one that honest programs give where everybody may write.
pub(super) fn is_known_temporary(name: &[u8]) -> bool {
    KNOWN.iter().any(|known| name.starts_with(known))
}

/// Names of settings that any home has.
fn is_setting(name: &[u8]) -> bool {
    const ENDS: [&[u8]; 5] = [b"rc", b"_history", b"profile", b".swp", b"ssh"];
    ENDS.iter().any(|end| name.ends_with(end))
}

fn finding(place: Origin, top: &[u8], hidden: &Hidden<'_>) -> Option<Finding> {
    let files: Vec<&Written<'_>> = hidden.files.iter().filter(|file| file.is_file()).collect();
    let full = files.iter().filter(|file| file.size > 0);
    let telling = full.clone().find_map(|file| Some((*file, content(file)?)));
    let shm = place == Origin::DevShm && full.clone().next().is_some();
    let severity = if hidden.hiding.is_trick() || telling.is_some() || shm {
        Severity::High
    } else if full.clone().next().is_some() {
        Severity::Medium
    } else {
        Severity::Low
    };
    let confidence = if hidden.hiding.is_trick() { Confidence::High } else { Confidence::Medium };
    let top = Text::from(top);
    let first = hidden.files.first()?;
    let directory =
        hidden.files.iter().any(|file| *file.path != top) || first.kind == FileType::Directory;
    let kind = if directory { "directory" } else { first.kind.word() };
    let title = format!("hidden {kind} {}: {top}", origin(place));
    let reason = format!("its name {}", hidden.hiding.reason());
    let mut finding =
        Finding::new(&HIDDEN_FILE, severity, confidence, title).path(top).seen(first.seen(reason));
    if let Some((file, what)) = telling {
        finding = finding.seen(file.seen(format!("{} is {what}", file.path)));
    }
    let lines = hidden.files.iter().map(|file| file.seen(file.line()));
    finding.evidence.extend(bounded(lines.collect::<Vec<Seen>>()));
    Some(finding)
}

/// What makes a hidden file weigh more.
fn content(file: &Written<'_>) -> Option<&'static str> {
    let start = file.start(4096);
    let key = start
        .windows(19)
        .any(|window| window == b" PRIVATE KEY-----\nM" || window.ends_with(b"PRIVATE KEY-----"));
    // Archives are data, wherever they lie.
    let format = file.format().filter(|format| *format != Format::Archive);
    format.map(Format::word).or(key.then_some("a private key"))
}
