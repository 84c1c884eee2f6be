//! Programs that the image does not have: deleted, in memory, written since, hidden.

use ckpt_memory::VirtAddr;
use ckpt_model::{Remap, Strings, Task, fd_type};
use criu_image::ImageKind;

use super::commands::is_own;
use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{Told, is_interpreter, is_shell, program, told};
use super::provenance::{Provenance, Store, Written};
use super::subject::{Subject, named};
use super::talk;

pub(super) static RULES: &[&Rule] = &[&DELETED, &MEMFD, &NOT_FROM_IMAGE, &ODD_PLACE, &SCRIPT];

static DELETED: Rule = Rule {
    id: "executable-deleted",
    title: "A process runs a program that was deleted",
    why: "A program that is gone from the file system and still runs leaves no file to find: a common way to hide it.",
    wrong: "Updating a package while its program runs deletes the old file; then a new file has its name.",
    check: "ckpt-inspect extract --pid PID --all --to DIR EVIDENCE; ckpt-inspect diff EVIDENCE",
    attack: &["T1070.004"],
};

static MEMFD: Rule = Rule {
    id: "executable-memfd",
    title: "A process runs a program that never was a file",
    why: "A program run from memfd_create(2) touches no file system, so that neither the image nor the diff has it: how fileless malware runs.",
    wrong: "Container runtimes run a copy of themselves from a memfd for a moment; some packers and sandboxes do it, too.",
    check: "ckpt-inspect extract --pid PID --all --to DIR EVIDENCE; ckpt-inspect strings --pid PID EVIDENCE",
    attack: &["T1620", "T1027.011"],
};

static NOT_FROM_IMAGE: Rule = Rule {
    id: "executable-not-from-image",
    title: "A process runs a program that the image does not have",
    why: "A container runs what its image brings. A program that was written afterwards was brought in by somebody.",
    wrong: "Containers that install, compile or unpack something when they start run what they made; changing owner or mode copies files into the diff; programs on volumes are what the volume is for.",
    check: "ckpt-inspect diff --base IMAGE EVIDENCE; ckpt-inspect extract --pid PID --all --to DIR EVIDENCE",
    attack: &["T1105", "T1610"],
};

static ODD_PLACE: Rule = Rule {
    id: "executable-in-odd-place",
    title: "A process runs a program from a place where programs are not kept",
    why: "Folders that begin with a dot and folders for temporary files are where intruders put tools: nobody lists the former and everybody may write to the latter.",
    wrong: "Build systems, tests and installers that unpack themselves run programs from temporary folders; tools that are managed per user live in folders with a dot.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect diff --base IMAGE EVIDENCE",
    attack: &["T1564.001", "T1036.005"],
};

static SCRIPT: Rule = Rule {
    id: "script-not-from-image",
    title: "An interpreter runs a script that the image does not have",
    why: "The interpreter is of the image, but what it runs was written afterwards, or lies hidden.",
    wrong: "Programs that are installed or generated when the container starts; scripts on a volume, as in development.",
    check: "ckpt-inspect diff EVIDENCE; ckpt-inspect extract --all --to DIR EVIDENCE",
    attack: &["T1059"],
};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        if let Some(exe) = subject.executable(task) {
            findings.extend(executable(subject, task, exe));
        }
        findings.extend(interpreted(subject, task));
    }
}

fn executable(subject: &Subject<'_>, task: &Task, exe: &Provenance) -> Option<Finding> {
    let talks = talk::seen(subject, task);
    let reaches = talk::reaches_out(subject, task);
    let (rule, severity, confidence, how) = judge(exe, !talks.is_empty(), reaches)?;
    let title = format!("{} runs {}, {how}", named(task), exe.path);
    let mut finding = Finding::new(rule, severity, confidence, title).of(task.pid);
    finding = finding.path(exe.path.clone());
    let what = format!("the executable is {}", task.exe.as_ref()?.path);
    finding = finding.seen(Seen::new(what).member(subject.mm(task)));
    finding.evidence.extend(exe.seen.iter().cloned());
    finding.evidence.extend(kept(subject, task));
    finding.evidence.extend(subject.seen_arguments(task));
    finding.evidence.extend(talks);
    if let Some(address) = entry(task) {
        finding = finding.at(address);
    }
    Some(finding)
}

/// Which rule it is, how much it matters, and in what words. `None` when it is as it should be.
fn judge(
    exe: &Provenance,
    talks: bool,
    reaches: bool,
) -> Option<(&'static Rule, Severity, Confidence, &'static str)> {
    let odd = exe.is_odd_place();
    let (rule, severity, confidence) = match () {
        () if exe.memfd => (&MEMFD, Severity::Critical, Confidence::High),
        () if exe.deleted && (odd || exe.store == Store::Memory) => {
            (&DELETED, Severity::Critical, Confidence::High)
        }
        () if exe.deleted && exe.updated() => (&DELETED, Severity::Medium, Confidence::High),
        () if exe.deleted => (&DELETED, Severity::High, Confidence::High),
        () if exe.written.is_some() && odd => {
            (&NOT_FROM_IMAGE, Severity::Critical, Confidence::High)
        }
        () if exe.packaged => (&NOT_FROM_IMAGE, Severity::Low, Confidence::High),
        () if exe.written == Some(Written::Anew) => {
            (&NOT_FROM_IMAGE, Severity::High, Confidence::High)
        }
        () if exe.written.is_some() => (&NOT_FROM_IMAGE, Severity::Medium, Confidence::Low),
        () if exe.store == Store::Memory => {
            let severity = if odd { Severity::Critical } else { Severity::High };
            (&NOT_FROM_IMAGE, severity, Confidence::High)
        }
        () if odd && (reaches || exe.hidden && talks) => {
            (&ODD_PLACE, Severity::High, Confidence::Medium)
        }
        () if odd => (&ODD_PLACE, Severity::Medium, Confidence::Medium),
        () if exe.store == Store::Outside => (&NOT_FROM_IMAGE, Severity::Low, Confidence::Medium),
        () => return None,
    };
    let how = match () {
        () if exe.memfd => "which never was in a file system",
        () if exe.updated() => "which was deleted, and another file has its name",
        () if exe.deleted => "which was deleted",
        () if exe.packaged => "of a package that was installed since",
        () if exe.written.is_some() => "which is not as in the image",
        () if exe.store == Store::Memory => "which lies on a file system in memory",
        () if exe.hidden => "which lies in a hidden place",
        () if exe.temporary => "which lies in a temporary folder",
        () => "which lies on a mount from outside",
    };
    Some((rule, severity, confidence, how))
}

/// The image that keeps the content of a program without a file.
fn kept(subject: &Subject<'_>, task: &Task) -> Option<Seen> {
    let exe = task.exe.as_ref()?;
    let content = subject.checkpoint.ghost(exe.file_id)?.content?;
    let Remap::Ghost(ghost) = subject.checkpoint.files().remap(exe.file_id)? else { return None };
    let member = subject.image(ImageKind::GhostFile, u64::from(ghost));
    Some(Seen::new(format!("its content is kept, {} bytes", content.size())).member(member))
}

/// Where the program begins in memory.
fn entry(task: &Task) -> Option<VirtAddr> {
    let start = task.mm.as_ref()?.mm_start_code;
    (start != 0).then_some(VirtAddr(start))
}

/// An interpreter whose script, or something that is loaded before it, is not of the image: the worst of them.
fn interpreted(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let name = program(task);
    if !(is_interpreter(name) || is_shell(name)) || subject.is_foreign(task) {
        return None;
    }
    let Told { script, loads, .. } = told(name, task.argv.as_ref()?);
    let talks = talk::seen(subject, task);
    let files = script.map(|file| (file, "runs the script")).into_iter();
    let files = files.chain(loads.into_iter().map(|file| (file, "loads")));
    let mut worst: Option<(Severity, Confidence, &str, Provenance)> = None;
    for (file, does) in files {
        let Some(found) = of_argument(subject, task, file) else { continue };
        let weight = weigh(subject, task, &found, !talks.is_empty());
        let Some((severity, confidence)) = weight else { continue };
        if worst.as_ref().is_none_or(|(known, ..)| *known < severity) {
            worst = Some((severity, confidence, does, found));
        }
    }
    let (severity, confidence, does, found) = worst?;
    let title = format!("{} {does} {}, {}", named(task), found.path, found.oddity()?);
    let mut finding = Finding::new(&SCRIPT, severity, confidence, title).of(task.pid);
    finding = finding.path(found.path.clone());
    finding.evidence.extend(subject.seen_arguments(task));
    finding.evidence.extend(found.seen);
    finding.evidence.extend(talks);
    Some(finding)
}

/// How much a script matters.
fn weigh(
    subject: &Subject<'_>,
    task: &Task,
    found: &Provenance,
    talks: bool,
) -> Option<(Severity, Confidence)> {
    let interpreter = is_interpreter(program(task));
    let odd = found.is_odd_place();
    // The diff has no files of file systems in memory.
    let anew = found.written == Some(Written::Anew) || found.store == Store::Memory;
    // Nor has it what was deleted; what the image has in a temporary folder it runs itself.
    let gone = found.temporary && found.written.is_none() && found.store == Store::Root;
    Some(match () {
        () if found.packaged => return None,
        () if found.memfd || found.deleted => (Severity::High, Confidence::High),
        () if anew && (found.hidden || (odd && (interpreter || talks))) => {
            (Severity::High, Confidence::High)
        }
        () if anew => (Severity::Medium, Confidence::High),
        () if gone
            && interpreter
            && !is_own(subject, task)
            && subject.has_diff()
            && talk::calls_out(subject, task) =>
        {
            (Severity::High, Confidence::Medium)
        }
        () if found.hidden || (gone && talks) => (Severity::Medium, Confidence::Medium),
        () if found.temporary => (Severity::Low, Confidence::Medium),
        () => return None,
    })
}

/// Where a file comes from that an argument names, if only by a descriptor. `None` when it names none.
fn of_argument(subject: &Subject<'_>, task: &Task, file: &[u8]) -> Option<Provenance> {
    let path = absolute(task, file)?;
    let Some(fd) = descriptor(&path) else { return Some(Provenance::of_path(subject, &path)) };
    let open = subject.checkpoint.descriptors().get(task.pid, fd)?;
    let file = subject.checkpoint.files().path(open.file_id)?;
    let is_file = matches!(open.fd_type, fd_type::REG | fd_type::MEMFD);
    is_file.then(|| Provenance::of_file(subject, &file))
}

/// The descriptor of `/dev/fd/N` and `/proc/self/fd/N`.
fn descriptor(path: &[u8]) -> Option<u32> {
    let folders = [&b"/dev/fd/"[..], b"/proc/self/fd/"];
    let number = folders.iter().find_map(|folder| path.strip_prefix(*folder))?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// A path as it stands on a command line, from the root on; `None` when it is certainly none.
pub(super) fn absolute(task: &Task, path: &[u8]) -> Option<Vec<u8>> {
    if path.starts_with(b"/") {
        return Some(path.to_vec());
    }
    let cwd = task.cwd.as_ref().filter(|cwd| !cwd.deleted)?.path.as_bytes();
    let relative = path.strip_prefix(b"./").unwrap_or(path);
    // A word without a folder or an ending is rather an expression or a class.
    let plain = !relative.contains(&b'/') && !relative.contains(&b'.');
    if plain || relative.contains(&b' ') || relative.starts_with(b"../") {
        return None;
    }
    Some([cwd.strip_suffix(b"/").unwrap_or(cwd), b"/", relative].concat())
}

/// Whether a task was started by a script of that name: then the kernel calls it so.
pub(super) fn is_named_by_script(task: &Task, comm: &[u8]) -> bool {
    let argv = task.argv.as_ref();
    argv.into_iter().flat_map(Strings::iter).skip(1).take(4).any(|word| {
        let name = super::subject::base_name(word);
        !comm.is_empty() && name.starts_with(comm)
    })
}
