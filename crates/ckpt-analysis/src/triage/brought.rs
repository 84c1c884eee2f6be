//! Programs that were brought along: where everybody may write, and in the directories of the system.

use std::collections::BTreeMap;

use ckpt_model::artifacts::{Hold, Origin};
use ckpt_model::{ChangeKind, FileType, Text};

use super::finding::{Confidence, Finding, Rule, Severity};
use super::group::Group;
use super::places::{
    directly, is_hidden_away, is_library_path, is_local_program_path, is_of_tempfile, is_passing,
    is_program_path, is_scratch, split, within,
};
use super::provenance::is_hidden;
use super::quote::quote;
use super::subject::Subject;
use super::suspicion::suspicions;
use super::written::{Format, MOST_READ, Written, written};

const EXECUTABLE_IN_WRITABLE_PLACE: Rule = Rule {
    id: "executable-in-writable-place",
    title: "A program where everybody may write",
    why: "Tools that somebody brings along lie where every user may write and nothing survives: /tmp, /var/tmp, /dev/shm, a tmpfs.",
    wrong: "Java, Python and .NET unpack native libraries there; installers and build tools leave scripts.",
    check: "ckpt-inspect diff --exec EVIDENCE",
    attack: &["T1105"],
};

const SYSTEM_PROGRAM_WRITTEN: Rule = Rule {
    id: "system-program-written",
    title: "A program of the system was written or replaced",
    why: "A program in the directories that are searched first can hide files and processes, or take passwords.",
    wrong: "Packages, which are recognised where their database was written along (dpkg, apk); installers that bypass it; a change of mode or owner alone, which copies the file into the diff with the time that it had.",
    check: "ckpt-inspect diff --exec --path '/usr/bin/*' --path '/usr/sbin/*' --path '/bin/*' --path '/usr/lib/**' EVIDENCE",
    attack: &["T1554", "T1036.005"],
};

pub(super) const RULES: &[&Rule] = &[&EXECUTABLE_IN_WRITABLE_PLACE, &SYSTEM_PROGRAM_WRITTEN];

/// Set-user-id and set-group-id, which have a rule of their own.
const GIVES_RIGHTS: u32 = 0o6000;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    let files = written(subject).filter(|file| {
        file.is_file() && file.mode & GIVES_RIGHTS == 0 && file.capabilities.is_none()
    });
    for file in files {
        let found = if is_passing(&file) {
            brought(&file)
        } else if file.origin == Origin::RootfsDiff {
            of_system(subject, &file)
        } else {
            None
        };
        if let Some(finding) = found {
            group.push(finding);
        }
    }
    let others = written(subject);
    let links =
        others.filter(|file| file.kind == FileType::Symlink && file.origin == Origin::RootfsDiff);
    let links: Vec<Written<'_>> = links.filter(|file| leads(file).is_some()).collect();
    if !links.is_empty() {
        let files = written(subject).filter(Written::is_file);
        let files: BTreeMap<&[u8], Written<'_>> =
            files.map(|file| (file.path.as_bytes(), file)).collect();
        for link in &links {
            if let Some(finding) = replaced_by_link(subject, link, &files) {
                group.push(finding);
            }
        }
    }
    group.finish(findings);
}

/// Programs that whoever looks for an intruder starts, and those that see passwords.
const TOOLS: [&[u8]; 38] = [
    b"ps",
    b"top",
    b"ls",
    b"ss",
    b"netstat",
    b"lsof",
    b"find",
    b"grep",
    b"cat",
    b"id",
    b"w",
    b"who",
    b"last",
    b"kill",
    b"pgrep",
    b"pidof",
    b"pstree",
    b"df",
    b"du",
    b"stat",
    b"strings",
    b"ip",
    b"ifconfig",
    b"dmesg",
    b"crontab",
    b"systemctl",
    b"journalctl",
    b"su",
    b"sudo",
    b"login",
    b"passwd",
    b"ssh",
    b"sshd",
    b"scp",
    b"curl",
    b"wget",
    b"sh",
    b"bash",
];

/// Where a link in a directory of programs leads, when it is one that may deceive: not to another program of the system,
/// to an alternative, or to a program that has all of them in it.
fn leads(link: &Written<'_>) -> Option<Vec<u8>> {
    const ALTERNATIVES: [&[u8]; 1] = [b"/etc/alternatives"];
    const ALL_IN_ONE: [&[u8]; 4] = [b"busybox", b"toybox", b"coreutils", b"busybox.static"];
    let path = link.path.as_bytes();
    let alternative = directly(path, &ALTERNATIVES);
    if !is_program_path(path) && !alternative {
        return None;
    }
    let target = link.target?.as_bytes();
    let target = resolved(split(path).0, target);
    let usual = is_program_path(&target)
        || directly(&target, &ALTERNATIVES)
        || ALL_IN_ONE.contains(&split(&target).1);
    let odd = is_scratch(&target) || is_hidden_away(&target);
    (odd || !(usual || alternative)).then_some(target)
}

/// The path that a link in a folder names, without `.` and `..`.
fn resolved(folder: &[u8], target: &[u8]) -> Vec<u8> {
    let whole =
        if target.starts_with(b"/") { target.to_vec() } else { [folder, b"/", target].concat() };
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    [b"/", parts.join(&b'/').as_slice()].concat()
}

/// A link in the place of a program of the system.
fn replaced_by_link(
    subject: &Subject<'_>,
    link: &Written<'_>,
    files: &BTreeMap<&[u8], Written<'_>>,
) -> Option<Finding> {
    let path = link.path.as_bytes();
    if subject.packages.own(path) {
        return None;
    }
    let target = leads(link)?;
    let hidden = is_hidden_away(&target) && is_hidden(&target);
    let file = files.get(target.as_slice());
    let format = file.and_then(Written::format);
    let brought =
        matches!(format, Some(Format::Program | Format::Script)) && !subject.packages.own(&target);
    let replaced = subject.change(path).is_some_and(|one| one.kind == ChangeKind::Modified);
    let severity = match () {
        () if hidden || is_scratch(&target) => Severity::High,
        () if brought && (replaced || TOOLS.contains(&split(path).1)) => Severity::High,
        () if brought => Severity::Medium,
        () => return None,
    };
    let confidence = if replaced { Confidence::High } else { Confidence::Medium };
    let target = Text::from(target);
    let title = format!("a link in a directory of the system: {} leads to {target}", link.path);
    let mut finding = Finding::new(&SYSTEM_PROGRAM_WRITTEN, severity, confidence, title)
        .path(link.path.clone())
        .seen(link.seen(format!("{} is a link to {target}", link.path)));
    if let (Some(file), Some(format)) = (file, format) {
        finding = finding.seen(file.seen(format!("{} is {}", file.line(), format.word())));
    }
    Some(finding)
}

/// A program where everybody may write.
fn brought(file: &Written<'_>) -> Option<Finding> {
    // Whatever its headers say, what runs is a program.
    let runs = file.holders().iter().any(|holder| holder.hold == Hold::Exe);
    let format = file.format()?;
    let format = if runs && format == Format::Library { Format::Program } else { format };
    let path = file.path.as_bytes();
    let hidden = is_hidden_away(path) && !is_of_tempfile(path);
    let may_run = file.mode & 0o111 != 0;
    let run_time = within(path, &[b"/run", b"/var/run"]);
    let suspicious = suspicious(file, format);
    let severity = match format {
        Format::Archive => return None,
        _ if suspicious.is_some() => Severity::High,
        Format::Program if hidden => Severity::High,
        Format::Program if may_run && is_scratch(path) => Severity::High,
        Format::Program => Severity::Medium,
        Format::Library if hidden => Severity::High,
        Format::Library => Severity::Low,
        Format::Script if hidden => Severity::Medium,
        // Supervisors keep the scripts of their services there.
        Format::Script if run_time => return None,
        Format::Script => Severity::Low,
    };
    let confidence = if hidden { Confidence::High } else { Confidence::Medium };
    let what = if hidden { "hidden " } else { "" };
    let title = format!("{what}{}: {}", bare(format), file.path);
    let mut finding = Finding::new(&EXECUTABLE_IN_WRITABLE_PLACE, severity, confidence, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()));
    finding = finding.seen(file.seen(format!("it is {}", format.word())));
    Some(with_use(finding, file, suspicious))
}

fn bare(format: Format) -> &'static str {
    let word = format.word();
    word.strip_prefix("an ").or_else(|| word.strip_prefix("a ")).unwrap_or(word)
}

/// A line of a script that does what honest ones hardly do.
fn suspicious(file: &Written<'_>, format: Format) -> Option<String> {
    if format != Format::Script {
        return None;
    }
    let text = file.start(MOST_READ);
    let found = suspicions(&text).into_iter().find(|one| one.strong)?;
    Some(format!("it {}: {}", found.what, quote(found.line)))
}

/// Adds who uses the file, and what it does.
fn with_use(mut finding: Finding, file: &Written<'_>, suspicious: Option<String>) -> Finding {
    if let Some(what) = suspicious {
        finding = finding.seen(file.seen(what));
    }
    for holder in file.holders().iter().take(3) {
        let how = match holder.hold {
            Hold::Exe => "runs it",
            Hold::Map => "has it in its memory",
            _ => "has it open",
        };
        finding = finding.seen(file.seen(format!("pid {} {how}", holder.pid)));
    }
    finding
}

/// A program or library in the directories that are searched by name.
fn of_system(subject: &Subject<'_>, file: &Written<'_>) -> Option<Finding> {
    let path = file.path.as_bytes();
    let local = is_local_program_path(path) || directly(path, &[b"/usr/local/lib"]);
    let program = is_program_path(path);
    if !(program || local || is_library_path(path)) || subject.packages.own(path) {
        return None;
    }
    let format = file.format()?;
    let suspicious = suspicious(file, format);
    // Without the image nobody can say what was changed; a file that is older than the container perhaps only in its mode.
    let change = subject.change(path).map(|one| one.kind);
    let replaced = change == Some(ChangeKind::Modified);
    let older = change == Some(ChangeKind::Written) && file.is_older(subject);
    let severity = match format {
        _ if suspicious.is_some() => Severity::High,
        Format::Program | Format::Library if !local && older => Severity::Medium,
        Format::Program | Format::Library if !local => Severity::High,
        Format::Program | Format::Library => Severity::Medium,
        Format::Script if program && replaced => Severity::High,
        Format::Script if program => Severity::Medium,
        Format::Script if local => Severity::Low,
        _ => return None,
    };
    let confidence = match (replaced, older) {
        (true, _) => Confidence::High,
        (false, true) => Confidence::Low,
        (false, false) => Confidence::Medium,
    };
    let how = if replaced { "replaced" } else { "written" };
    let title = format!("{} {how} in a directory of the system: {}", bare(format), file.path);
    let mut finding = Finding::new(&SYSTEM_PROGRAM_WRITTEN, severity, confidence, title)
        .path(file.path.clone())
        .seen(file.seen(file.line()));
    let what = match (replaced, subject.packages.ran()) {
        (true, _) => "the image has a file of this name".to_owned(),
        (false, Some(manager)) => format!("{manager} ran, and none of its packages owns it"),
        (false, None) => "no package manager ran in this diff".to_owned(),
    };
    finding = finding.seen(file.seen(what));
    if older {
        let what =
            "its time is before the container was made: perhaps only its mode or owner changed";
        finding = finding.seen(file.seen(what));
    }
    Some(with_use(finding, file, suspicious))
}
