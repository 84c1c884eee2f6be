//! The process tree, and what each process is.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::legible::without_empty;
use super::shown::{Budget, Shown};
use super::{Legible, Limits, Sources};
use crate::human::details::cap_names;
use crate::human::units::count;
use crate::json::{FilesRecord, ProcessRecord, TreeDocument};

/// Levels that are drawn; below them a row says how deep it is.
const MAX_DEPTH: usize = 20;

/// The section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Processes {
    has_tree: bool,
    list: Shown<Row>,
    not_captured: Shown<(String, String)>,
    stale: Shown<(String, String)>,
}

/// A process, and how the tree goes on after it.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Whether it is the one of its pid that links lead to.
    is_first: bool,
    pid: u32,
    comm: String,
    line: String,
    /// Other than alive.
    state: Option<String>,
    user: Option<String>,
    badges: Vec<Badge>,
    /// Its real level, where it is deeper than is drawn.
    level: Option<usize>,
    children: usize,
    /// Whether the next row is a child.
    opens: bool,
    /// How many lists end behind it.
    closes: usize,
    facts: Vec<(&'static str, String)>,
    arguments: Shown<String>,
    /// Empty ones behind those.
    empty_arguments: usize,
    environment: Shown<(String, String)>,
    descriptors: Shown<Descriptor>,
}

#[derive(Clone, Debug, Serialize)]
struct Badge {
    text: String,
    tone: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct Descriptor {
    fd: u32,
    kind: &'static str,
    target: String,
    position: String,
    flags: String,
    note: String,
}

impl Processes {
    pub(super) fn of(sources: &Sources<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let tree = &sources.tree;
        let nodes = forest(tree);
        let found = severities(sources);
        let files: HashMap<u32, &FilesRecord<'_>> =
            sources.files.processes.iter().rev().map(|files| (files.pid, files)).collect();
        let mut known = HashSet::new();
        let mut budget = Budget { each: limits.of_process, left: limits.of_processes };
        let mut list = Shown::first(&nodes, limits.processes, "tree", |node| {
            let process = node.process;
            let mut row = Row::of(process, files.get(&process.pid).copied(), legible, &mut budget);
            row.is_first = known.insert(process.pid);
            row.level = (node.depth > MAX_DEPTH).then_some(node.depth);
            row.children = node.children;
            if let Some(severity) = found.get(&process.pid) {
                row.badges.insert(0, Badge { text: (*severity).to_owned(), tone: severity });
            }
            row
        });
        let depths: Vec<usize> = nodes.iter().map(|node| node.depth.min(MAX_DEPTH)).collect();
        for (place, row) in list.rows.iter_mut().enumerate() {
            let depth = depths.get(place).copied().unwrap_or_default();
            let next = depths.get(place.saturating_add(1)).copied();
            let next =
                next.filter(|_| place.saturating_add(1) < list.all.saturating_sub(list.more));
            row.opens = next.is_some_and(|next| next > depth);
            row.closes = if row.opens { 0 } else { depth.saturating_sub(next.unwrap_or_default()) };
        }
        Self {
            has_tree: tree.has_tree,
            list,
            not_captured: Shown::first(
                &tree.not_captured,
                limits.of_process,
                "tree --format json",
                |one| {
                    let comm = legible.maybe(one.comm.as_deref());
                    (format!("host pid {}, {comm}", one.host_pid), legible.text(&one.line))
                },
            ),
            stale: Shown::first(&tree.stale, limits.of_process, "tree --format json", |one| {
                (legible.text(&one.path), legible.text(&one.why))
            }),
        }
    }
}

/// The worst severity of what was found about each process.
fn severities(sources: &Sources<'_>) -> HashMap<u32, &'static str> {
    // Findings come with the most serious first.
    let found = sources.triage.findings.iter().rev();
    found.filter_map(|finding| Some((finding.pid?, finding.severity))).collect()
}

/// A process at its depth.
struct Node<'a> {
    process: &'a ProcessRecord<'a>,
    depth: usize,
    children: usize,
}

/// The rows of the tree, depth first. Every process is in it once, whatever parents are claimed.
fn forest<'a>(tree: &'a TreeDocument<'_>) -> Vec<Node<'a>> {
    let processes = &tree.processes;
    let mut children: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, process) in processes.iter().enumerate() {
        if let Some(ppid) = process.ppid {
            children.entry(ppid).or_default().push(index);
        }
    }
    let mut by_pid: HashMap<u32, Vec<usize>> = HashMap::new();
    for (index, process) in processes.iter().enumerate().rev() {
        by_pid.entry(process.pid).or_default().push(index);
    }
    let mut seen = vec![false; processes.len()];
    let mut nodes = Vec::new();
    let roots = tree.roots.iter().filter_map(|pid| by_pid.get_mut(pid)?.pop());
    let roots: Vec<usize> = roots.chain(0..processes.len()).collect();
    for root in roots {
        let mut stack = vec![(root, 0_usize)];
        while let Some((index, depth)) = stack.pop() {
            match seen.get_mut(index) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let Some(process) = processes.get(index) else { continue };
            // Of several processes with one pid, which is an error, the first has the children.
            let below = children.remove(&process.pid).unwrap_or_default();
            nodes.push(Node { process, depth, children: below.len() });
            stack.extend(below.into_iter().rev().map(|child| (child, depth.saturating_add(1))));
        }
    }
    nodes
}

impl Row {
    fn of(
        process: &ProcessRecord<'_>,
        files: Option<&FilesRecord<'_>>,
        legible: &Legible<'_>,
        budget: &mut Budget,
    ) -> Self {
        let argv = process.argv.as_deref().unwrap_or_default();
        let (full, empty_arguments) = without_empty(argv);
        let fits = budget.each.min(budget.left);
        let arguments = legible.arguments(full, fits);
        let mut arguments = budget.first(arguments, "tree --format json", |argument| argument);
        arguments.all = full.len();
        arguments.more = full.len().saturating_sub(arguments.rows.len());
        let env = process.env.as_deref().unwrap_or_default();
        let descriptors = files.map(|files| files.fds.as_slice()).unwrap_or_default();
        let comm = legible.maybe(process.comm.as_deref());
        Self {
            is_first: true,
            pid: process.pid,
            line: if argv.is_empty() { String::new() } else { legible.command(argv) },
            comm,
            state: process.state.as_deref().filter(|state| *state != "alive").map(str::to_owned),
            user: process.uids.map(|[_, effective, ..]| format!("uid {effective}")),
            badges: badges(process),
            level: None,
            children: 0,
            opens: false,
            closes: 0,
            facts: facts(process, legible).into_iter().chain(same(process, files)).collect(),
            arguments,
            empty_arguments,
            environment: budget.first(env, "tree --env", |variable| legible.variable(variable)),
            descriptors: budget.first(descriptors, "files", |fd| {
                let recovered = fd.recovered.as_ref().map(|_| "content recovered");
                let note =
                    [fd.deleted.then_some("deleted"), recovered, fd.cloexec.then_some("cloexec")];
                Descriptor {
                    fd: fd.fd,
                    kind: fd.kind,
                    target: legible.maybe(fd.target.as_deref()),
                    position: fd.pos.map(|at| at.to_string()).unwrap_or_default(),
                    flags: fd.flags.clone().unwrap_or_default(),
                    note: note.into_iter().flatten().collect::<Vec<_>>().join(", "),
                }
            }),
        }
    }
}

/// What stands at another process, because both have it together.
fn same(
    process: &ProcessRecord<'_>,
    files: Option<&FilesRecord<'_>>,
) -> impl Iterator<Item = (&'static str, String)> {
    let strings = process.strings_of.map(|pid| format!("those of process {pid}"));
    let table = files.and_then(|files| files.fds_of.zip(files.fds_count));
    let table = table.map(|(pid, count)| format!("{count}, those of process {pid}"));
    let all = [("Arguments, environment", strings), ("Descriptors", table)];
    all.into_iter().filter_map(|(label, text)| Some((label, text?)))
}

fn badges(process: &ProcessRecord<'_>) -> Vec<Badge> {
    let mut badges: Vec<Badge> = process
        .marks
        .iter()
        .map(|mark| Badge { text: (*mark).to_owned(), tone: "notice" })
        .collect();
    if process.threads.len() > 1 {
        badges
            .push(Badge { text: count(process.threads.len(), "thread", "threads"), tone: "plain" });
    }
    badges
}

fn facts(process: &ProcessRecord<'_>, legible: &Legible<'_>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |label, value: Option<String>| facts.extend(value.map(|value| (label, value)));
    let text = |text: Option<&str>| text.map(|text| legible.text(text));
    let ids = |ids: [u32; 4]| {
        let [real, effective, saved, filesystem] = ids;
        if ids == [real; 4] {
            real.to_string()
        } else {
            format!("real {real}, effective {effective}, saved {saved}, file system {filesystem}")
        }
    };
    let caps = |set: &str| u64::from_str_radix(set, 16).map_or_else(|_| set.to_owned(), cap_names);
    fact("Executable", text(process.exe.as_ref().map(|exe| exe.path.as_ref())));
    fact("Working directory", text(process.cwd.as_deref()));
    fact("Root", text(process.root.as_deref().filter(|root| *root != "/")));
    fact("Parent", process.ppid.map(|pid| pid.to_string()));
    let session = process.pgid.zip(process.sid);
    fact("Group, session", session.map(|(pgid, sid)| format!("{pgid}, {sid}")));
    fact("Exit status", process.exit_code.map(|code| format!("{code} (raw)")));
    fact("User", process.uids.map(ids));
    fact("Group id", process.gids.map(ids));
    let groups = process.groups.filter(|groups| !groups.is_empty()).map(|groups| {
        let some: Vec<String> = groups.iter().take(32).map(ToString::to_string).collect();
        let more = groups.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", some.join(", "))
    });
    fact("Groups", groups);
    if let Some(sets) = &process.caps {
        fact("Effective capabilities", Some(caps(&sets.effective)));
        if sets.permitted != sets.effective {
            fact("Permitted", Some(caps(&sets.permitted)));
        }
        if sets.bounding != sets.effective {
            fact("Bounding", Some(caps(&sets.bounding)));
        }
        let gained = |set: &&String| set.contains(|digit| digit != '0');
        fact("Inheritable", Some(&sets.inheritable).filter(gained).map(|set| caps(set)));
        fact("Ambient", sets.ambient.as_ref().filter(gained).map(|set| caps(set)));
    }
    let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    fact("No new privileges", process.no_new_privs.map(yes_no));
    fact("Seccomp", process.seccomp.as_deref().map(str::to_owned));
    fact("Security profile", text(process.lsm_profile.as_deref()));
    fact("Umask", process.umask.clone());
    fact("Login uid", process.loginuid.filter(|uid| *uid != u32::MAX).map(|uid| uid.to_string()));
    if process.threads.len() > 1 {
        let some = process.threads.iter().take(24).map(|thread| {
            format!("{} {}", thread.tid, legible.within(thread.comm.as_deref().unwrap_or("–"), 32))
        });
        let some: Vec<String> = some.collect();
        let more = process.threads.len().saturating_sub(some.len());
        let more =
            if more > 0 { format!(" and {more} more; see tree --threads") } else { String::new() };
        fact("Threads", Some(format!("{}{more}", some.join(", "))));
    }
    facts
}
