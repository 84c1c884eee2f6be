//! Code that is loaded into processes: libraries that the image does not have, and those that the environment forces on
//! them.

use std::collections::BTreeSet;

use ckpt_memory::{Mapping, MappingKind};
use ckpt_model::{FileRef, MemoryMap, Strings, Task, Text, escape};

use super::executables::absolute;
use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::places::split;
use super::programs::{program, stem};
use super::provenance::{Provenance, Store, Written, in_system};
use super::quote::quote;
use super::subject::{Subject, base_name, named};

pub(super) static RULES: &[&Rule] = &[&LIBRARY, &PRELOADED];

static LIBRARY: Rule = Rule {
    id: "library-not-from-image",
    title: "A process has code loaded that the image does not have",
    why: "Code of a file that was deleted, lies in memory or was written since the container was made runs inside a process that looks honest.",
    wrong: "Runtimes unpack native parts of packages to a temporary folder and may delete them once loaded; packages that are installed or updated while the container runs.",
    check: "ckpt-inspect maps --pid PID EVIDENCE; ckpt-inspect extract --pid PID --all --to DIR EVIDENCE",
    attack: &["T1574.006", "T1055.001"],
};

static PRELOADED: Rule = Rule {
    id: "preloaded-library",
    title: "The environment makes programs load a library",
    why: "LD_PRELOAD, LD_AUDIT and their like put a library into every program: it can hide files and processes, and take passwords.",
    wrong: "Allocators (jemalloc, tcmalloc), profilers and agents are loaded like that; then the library is of the image and the container's own environment names it.",
    check: "ckpt-inspect tree --env --pid PID EVIDENCE; ckpt-inspect maps --pid PID EVIDENCE; ckpt-inspect diff EVIDENCE",
    attack: &["T1574.006"],
};

/// Variables that name code to load, and what separates the names.
const LOADERS: [(&[u8], Form); 11] = [
    (b"LD_PRELOAD", Form::List),
    (b"LD_AUDIT", Form::List),
    (b"NODE_OPTIONS", Form::Options(&[b"--require", b"-r", b"--import", b"--loader"])),
    (b"JAVA_TOOL_OPTIONS", Form::Options(&[b"-javaagent", b"-agentpath"])),
    (b"JDK_JAVA_OPTIONS", Form::Options(&[b"-javaagent", b"-agentpath"])),
    (b"_JAVA_OPTIONS", Form::Options(&[b"-javaagent", b"-agentpath"])),
    (b"PERL5OPT", Form::Options(&[b"-I", b"-Mlib"])),
    (b"RUBYOPT", Form::Options(&[b"-r", b"-I"])),
    (b"BASH_ENV", Form::List),
    (b"ENV", Form::List),
    (b"PYTHONSTARTUP", Form::List),
];

/// Variables that name folders where code is looked for first.
const FOLDERS: [&[u8]; 4] = [b"LD_LIBRARY_PATH", b"PYTHONPATH", b"PERL5LIB", b"RUBYLIB"];

/// Files that somebody keeps at home to start shells and interpreters with.
const OF_HOME: [&[u8]; 10] = [
    b".bash_env",
    b".bashrc",
    b".bash_profile",
    b".profile",
    b".shinit",
    b".shrc",
    b".env",
    b".pythonrc",
    b".pythonrc.py",
    b".pystartup",
];

/// How a variable names what is to be loaded.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Paths, separated by colons or blanks.
    List,
    /// Options, each with a path behind it, behind `=` or behind `:`.
    Options(&'static [&'static [u8]]),
}

/// Bytes of a path, as far as the kernel takes one: `include/uapi/linux/limits.h`.
const PATH_MAX: usize = 4096;

/// Files of one process that are told, and of one variable that are looked at.
const MOST_FILES: usize = 16;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        let map = subject.map(task.pid);
        let preloaded = preloaded(subject, task, map);
        let told: Vec<Text> = preloaded.iter().filter_map(|one| one.path.clone()).collect();
        findings.extend(preloaded);
        // Who shares memory is told of once.
        if let Some(map) = map.filter(|_| task.mm_owner.is_none_or(|owner| owner == task.pid)) {
            findings.extend(loaded(subject, map, &told));
        }
    }
}

/// The files whose code is mapped, but for the executable, each once.
fn libraries<'m>(map: &'m MemoryMap<'_>) -> Vec<(&'m Mapping, FileRef)> {
    let exe = map.task.exe.as_ref().map(|exe| exe.path.as_bytes());
    let mut known = BTreeSet::new();
    let mappings = map.space.mappings().iter().filter(|mapping| {
        let file = matches!(
            mapping.kind,
            MappingKind::FilePrivate | MappingKind::MemfdPrivate | MappingKind::MemfdShared
        );
        file && mapping.executable()
    });
    let files = mappings.filter_map(|mapping| {
        let name = mapping.name.as_deref()?;
        let new = Some(name) != exe && name.starts_with(b"/") && known.insert(name);
        let file = file_of(mapping)?;
        new.then_some((mapping, file))
    });
    files.collect()
}

/// The file that a mapping is of.
fn file_of(mapping: &Mapping) -> Option<FileRef> {
    Some(FileRef {
        path: Text::from(mapping.name.as_deref()?),
        deleted: mapping.deleted,
        memfd: !mapping.kind.is_file(),
        file_id: u32::try_from(mapping.vma.shmid).ok()?,
    })
}

/// Libraries of a process that are not of the image: one finding, about the worst of them.
fn loaded(subject: &Subject<'_>, map: &MemoryMap<'_>, told: &[Text]) -> Option<Finding> {
    let task = map.task;
    let runtime = unpacks_libraries(map);
    let mut found: Vec<(Severity, &Mapping, Provenance)> = Vec::new();
    for (mapping, file) in libraries(map) {
        let library = Provenance::of_file(subject, &file);
        if told.contains(&library.path) {
            continue;
        }
        if let Some(severity) = weigh(subject, map, mapping, &library, runtime) {
            found.push((severity, mapping, library));
        }
    }
    // The first of the worst.
    found.sort_by_key(|(severity, mapping, _)| (std::cmp::Reverse(*severity), mapping.start));
    let (severity, mapping, worst) = found.first()?;
    let title =
        format!("{} has {} loaded, {}", named(task), worst.path, worst.oddity().unwrap_or("odd"));
    let mut finding = Finding::new(&LIBRARY, *severity, Confidence::High, title).of(task.pid);
    finding = finding.path(worst.path.clone()).at(mapping.start);
    for (_, mapping, library) in found.iter().take(MOST_FILES) {
        let oddity = library.oddity().unwrap_or("odd");
        let what = format!("{} {} {}: {oddity}", mapping.start, mapping.perms(), library.path);
        finding = finding.seen(Seen::new(what).member(subject.mm(task)));
        finding.evidence.extend(library.seen.iter().cloned());
    }
    if let Some(more) = found.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
        finding = finding.seen(Seen::new(format!("and {more} more")).member(subject.mm(task)));
    }
    Some(finding)
}

fn weigh(
    subject: &Subject<'_>,
    map: &MemoryMap<'_>,
    mapping: &Mapping,
    library: &Provenance,
    runtime: bool,
) -> Option<Severity> {
    let odd = library.is_odd_place();
    Some(match () {
        // Compilers at run time map their code twice, through a memfd; a library is an ELF file.
        () if library.memfd && !begins_as_elf(map, mapping) => return None,
        () if library.memfd => Severity::High,
        () if library.packaged => return None,
        // The image has it: an application's own way to name its folders, as a rule.
        () if library.hidden && is_of_image(subject, library) => Severity::Medium,
        () if library.hidden => Severity::High,
        () if odd && runtime => Severity::Low,
        () if library.deleted && odd => Severity::High,
        () if library.deleted && library.replaced => Severity::Medium,
        () if library.deleted && is_of_system(&library.path) => Severity::Medium,
        () if library.deleted => Severity::High,
        () if library.store == Store::Memory && odd => Severity::High,
        // Programs that are one file unpack their libraries to a temporary folder.
        () if library.written.is_some() && odd => Severity::Medium,
        () if library.written == Some(Written::Anew) => Severity::Medium,
        () if library.written.is_some() => Severity::Low,
        () if library.store == Store::Memory || library.temporary => Severity::Medium,
        () => return None,
    })
}

/// Whether a file was there before the container was made, as far as its changes tell, and lies where applications do.
fn is_of_image(subject: &Subject<'_>, file: &Provenance) -> bool {
    let quiet = file.written.is_none() && !file.deleted && file.store == Store::Root;
    quiet && subject.has_diff() && !file.temporary && !in_system(file.path.as_bytes())
}

/// Whether it lies where packages put libraries, and take old versions away when they are updated.
fn is_of_system(path: &Text) -> bool {
    let folders: [&[u8]; 4] = [b"/usr/lib", b"/lib", b"/usr/local/lib/python", b"/opt/"];
    folders.iter().any(|folder| path.as_bytes().starts_with(folder))
}

/// Whether the file that a mapping is of begins as ELF files do, as far as some mapping shows its beginning.
pub(super) fn begins_as_elf(map: &MemoryMap<'_>, mapping: &Mapping) -> bool {
    let mut same = map.space.mappings().iter().filter(|one| one.vma.shmid == mapping.vma.shmid);
    same.any(|one| {
        one.offset() == 0 && map.space.read(one.start, 4).is_ok_and(|bytes| bytes == b"\x7fELF")
    })
}

/// Whether the program is one that unpacks native parts of packages to temporary folders.
fn unpacks_libraries(map: &MemoryMap<'_>) -> bool {
    let program = stem(program(map.task));
    matches!(program, b"java" | b"node" | b"nodejs" | b"electron" | b"bun" | b"dotnet")
        || map.space.mappings().iter().any(|mapping| {
            mapping.name.as_deref().is_some_and(|name| base_name(name) == b"libjvm.so")
        })
}

/// What the environment of a process forces on it.
fn preloaded(subject: &Subject<'_>, task: &Task, map: Option<&MemoryMap<'_>>) -> Option<Finding> {
    let mut worst: Option<Finding> = None;
    for variable in task.env.iter().flat_map(Strings::iter) {
        let Some(at) = variable.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = variable.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        let finding = match LOADERS.iter().find(|(known, _)| *known == name) {
            Some((_, form)) => forced(subject, task, map, name, value, *form),
            None if FOLDERS.contains(&name) => searched(subject, task, name, value),
            None => None,
        };
        let Some(finding) = finding else { continue };
        match &mut worst {
            None => worst = Some(finding),
            Some(first) if first.severity >= finding.severity => {
                first.evidence.extend(finding.evidence);
            }
            Some(first) => {
                let before = std::mem::replace(first, finding);
                first.evidence.extend(before.evidence);
            }
        }
    }
    worst
}

fn forced(
    subject: &Subject<'_>,
    task: &Task,
    map: Option<&MemoryMap<'_>>,
    name: &[u8],
    value: &[u8],
    form: Form,
) -> Option<Finding> {
    let by_linker = name.starts_with(b"LD_");
    let of_spec = is_of_spec(subject, name, value);
    let mut worst: Option<(Severity, Provenance, Option<&Mapping>)> = None;
    for path in named_paths(value, form) {
        let mapped = map.filter(|_| by_linker).and_then(|map| mapping_of(map, path));
        // The linker looks for names without a folder, and fills in $LIB and $ORIGIN: what is mapped is what it found.
        let file = mapped.and_then(file_of);
        // Only shells know what a tilde means.
        let named = Some(path).filter(|path| !path.starts_with(b"~"));
        let library = match (file, named.and_then(|path| absolute(task, path))) {
            (Some(file), _) => Provenance::of_file(subject, &file),
            (None, _) if by_linker => Provenance::of_path(subject, path),
            (None, Some(path)) => Provenance::of_path(subject, &path),
            (None, None) => continue,
        };
        let foreign = if by_linker {
            library.is_foreign() || library.temporary
        } else {
            is_strange(&library, of_spec)
        };
        let severity = match () {
            () if foreign && by_linker && mapped.is_some() => Severity::Critical,
            () if foreign => Severity::High,
            // Other variables name code of the image all the time.
            () if !by_linker => continue,
            () if of_spec => Severity::Info,
            () => Severity::Low,
        };
        if worst.as_ref().is_none_or(|(known, ..)| *known < severity) {
            worst = Some((severity, library, mapped));
        }
    }
    let (severity, library, mapped) = worst?;
    let name = escape(name);
    let title = format!("{} is made to load {} by {name}", named(task), library.path);
    let mut finding = Finding::new(&PRELOADED, severity, Confidence::High, title).of(task.pid);
    finding = finding.path(library.path.clone());
    let what = format!("environment: {name}={}", quote(value));
    finding = finding.seen(Seen::new(what).member(subject.mm(task)));
    if of_spec {
        let what = "the container was started with this variable";
        finding = finding.seen(Seen::new(what));
    }
    if let Some(mapping) = mapped {
        let (start, perms) = (mapping.start, mapping.perms());
        let what = format!("{start} {perms} it is loaded");
        finding = finding.at(start).seen(Seen::new(what).member(subject.mm(task)));
    }
    finding.evidence.extend(library.seen);
    Some(finding)
}

/// Whether what an interpreter is made to load is not of the image. Where it hides tells little when the container was
/// started so, or when such files are kept there.
fn is_strange(file: &Provenance, of_spec: bool) -> bool {
    let path = file.path.as_bytes();
    let (folder, name) = split(path);
    let (above, _) = split(folder);
    let home = folder == b"/root" || above == b"/home";
    let usual = of_spec || (home && OF_HOME.contains(&name));
    let anew = file.written == Some(Written::Anew) && !file.packaged;
    file.deleted || file.store == Store::Memory || file.temporary || anew || (file.hidden && !usual)
}

/// A variable of [`FOLDERS`], where it names a folder that libraries are not kept in.
fn searched(subject: &Subject<'_>, task: &Task, name: &[u8], value: &[u8]) -> Option<Finding> {
    let folders = value.split(|byte| matches!(byte, b':' | b';')).take(MOST_FILES);
    let mut folders = folders.filter(|folder| folder.len() < PATH_MAX);
    let folder = folders.find(|folder| {
        let inside = [folder, &b"/"[..]].concat();
        let found = Provenance::of_path(subject, &inside);
        folder.starts_with(b"/") && found.is_odd_place()
    })?;
    let of_spec = is_of_spec(subject, name, value);
    let name = escape(name);
    let severity = if of_spec { Severity::Low } else { Severity::Medium };
    let folder = Text::from(folder);
    let title = format!("{} looks for libraries in {folder} first", named(task));
    let what = format!("environment: {name}={}", quote(value));
    let finding = Finding::new(&PRELOADED, severity, Confidence::Medium, title).of(task.pid);
    Some(finding.path(folder).seen(Seen::new(what).member(subject.mm(task))))
}

/// The paths that a variable names.
fn named_paths(value: &[u8], form: Form) -> Vec<&[u8]> {
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let words: Vec<&[u8]> = match form {
        Form::List => value.split(|byte| *byte == b':' || blank(byte)).collect(),
        Form::Options(options) => {
            let mut paths = Vec::new();
            let mut words = value.split(blank).filter(|word| !word.is_empty());
            while let Some(word) = words.next() {
                let option = options.iter().find_map(|option| word.strip_prefix(*option));
                match option {
                    Some(b"") => paths.extend(words.next()),
                    Some(rest) => {
                        let path = rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b":"));
                        let path = path.unwrap_or(rest);
                        paths.push(path.split(|byte| *byte == b'=').next().unwrap_or(path));
                    }
                    None => {}
                }
            }
            paths
        }
    };
    let paths = words.into_iter().filter(|word| !word.is_empty() && word.len() < PATH_MAX);
    paths.take(MOST_FILES).collect()
}

/// Whether the container was started with a variable as it is.
fn is_of_spec(subject: &Subject<'_>, name: &[u8], value: &[u8]) -> bool {
    let env = &subject.checkpoint.container().env;
    env.iter().any(|known| {
        known.as_bytes().strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) == Some(value)
    })
}

/// The first mapping of a file; by its last component where the path is not the kernel's.
fn mapping_of<'m>(map: &'m MemoryMap<'_>, path: &[u8]) -> Option<&'m Mapping> {
    let of = |wanted: &dyn Fn(&[u8]) -> bool| {
        map.space.mappings().iter().find(|mapping| {
            let name = mapping.name.as_deref().unwrap_or_default();
            wanted(name.strip_suffix(b" (deleted)").unwrap_or(name))
        })
    };
    of(&|name| name == path)
        .or_else(|| of(&|name| name.starts_with(b"/") && base_name(name) == base_name(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_variables() {
        let list = named_paths(b"/a.so:/b.so /c.so", Form::List);
        assert_eq!(list, [&b"/a.so"[..], b"/b.so", b"/c.so"]);
        let form = Form::Options(&[b"--require", b"-javaagent"]);
        let options =
            named_paths(b"--x --require /a.js --require=/b.js -javaagent:/c.jar=p=1", form);
        assert_eq!(options, [&b"/a.js"[..], b"/b.js", b"/c.jar"]);
        assert!(named_paths(b"", Form::List).is_empty());
    }
}
