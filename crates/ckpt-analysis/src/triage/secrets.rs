//! Secrets in environments, files and memory: what somebody who was in the container has now. Never shown whole.

use std::collections::BTreeMap;

use ckpt_model::artifacts::{Artifact, Origin};
use ckpt_model::{Text, escape};
use ckpt_scan::Work;
use ckpt_scan::secrets::{Confidence as Sureness, FoldedSecret, Spot, Summary, summary};

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::bounded;
use super::subject::Subject;

const SECRET_IN_ENVIRONMENT: Rule = Rule {
    id: "secret-in-environment",
    title: "A secret in the environment of a process",
    why: "Whoever reads the environment of a process has it: every child inherits it, and `/proc/PID/environ` shows it to the same user. It is in this checkpoint, too, and should be changed when the container was broken into.",
    wrong: "It is how most containers are given their secrets; a secret of the right form may be an example, or no longer valid.",
    check: "ckpt-inspect tree --env --pid PID EVIDENCE",
    attack: &["T1552.001"],
};

const SECRET_IN_FILE: Rule = Rule {
    id: "secret-in-file",
    title: "A secret in a file that the container wrote",
    why: "It was left where it can be read again: configurations, dumps, histories, the loot of an intruder.",
    wrong: "Applications keep keys and configurations in files; databases hold what users put into them.",
    check: "ckpt-inspect search --artifacts --literal 'PRIVATE KEY' EVIDENCE",
    attack: &["T1552.001", "T1552.004"],
};

const SECRET_IN_MEMORY: Rule = Rule {
    id: "secret-in-memory",
    title: "A secret in the memory of a process",
    why: "The process used it, or read it from somebody: it says what an intruder who could read this memory has now.",
    wrong: "Servers hold the keys that they serve with, and the tokens of their users; memory keeps what was freed.",
    check: "ckpt-inspect search --memory --literal 'PRIVATE KEY' EVIDENCE",
    attack: &["T1003.007", "T1552"],
};

pub(super) const RULES: &[&Rule] = &[&SECRET_IN_ENVIRONMENT, &SECRET_IN_FILE, &SECRET_IN_MEMORY];

/// Where a secret is first of all. One that a process was given is in its memory, too, which says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Environment,
    File,
    Memory,
}

impl Kind {
    fn rule(self) -> &'static Rule {
        match self {
            Self::Environment => &SECRET_IN_ENVIRONMENT,
            Self::File => &SECRET_IN_FILE,
            Self::Memory => &SECRET_IN_MEMORY,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Environment => "in the environment",
            Self::File => "in files and data",
            Self::Memory => "in memory",
        }
    }

    fn of(spots: &[Spot]) -> Option<Self> {
        let kinds = spots.iter().map(|spot| match spot {
            Spot::Environment { .. } => Self::Environment,
            Spot::Artifact { .. } => Self::File,
            _ => Self::Memory,
        });
        kinds.min()
    }
}

/// Keys that open something by themselves.
const KEYS: [&str; 3] = ["private-key", "gcp-service-account", "kubeconfig"];

/// Looks for secrets in everything, and in the same pass for words in memory.
pub(super) fn search(subject: &Subject<'_>, words: &[&'static str]) -> Summary {
    let work = Work { threads: subject.options.threads.max(1), ..Work::default() };
    // What one file or memory has is listed once; programs are files or memory already, and packages hold examples.
    let once = |one: &&Artifact| {
        let own = |path: &Text| subject.packages.own(path.as_bytes());
        one.same_as.is_none() && one.origin != Origin::Exe && !one.path.as_ref().is_some_and(own)
    };
    let artifacts = subject.artifacts.list.iter().filter(once);
    summary(subject.checkpoint, artifacts, words, Sureness::Medium, work)
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(Kind, &str), Vec<&FoldedSecret>> = BTreeMap::new();
    for folded in &subject.searched.secrets {
        if let Some(kind) = Kind::of(&folded.spots) {
            groups.entry((kind, folded.secret.rule().id)).or_default().push(folded);
        }
    }
    findings.extend(groups.iter().filter_map(|((kind, _), list)| finding(subject, *kind, list)));
}

/// All secrets of one kind at one kind of place.
fn finding(subject: &Subject<'_>, kind: Kind, list: &[&FoldedSecret]) -> Option<Finding> {
    let first = list.first()?;
    let rule = first.secret.rule();
    let sure = list.iter().map(|folded| folded.secret.confidence()).max()?;
    let severity = match sure {
        _ if KEYS.contains(&rule.id) => Severity::Medium,
        Sureness::High => Severity::Low,
        _ => Severity::Info,
    };
    let confidence = match sure {
        Sureness::High => Confidence::High,
        Sureness::Medium => Confidence::Medium,
        Sureness::Low => Confidence::Low,
    };
    let more = list.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let title = format!("{} {}: {}{more}", rule.title, kind.word(), first.secret.redacted());
    let mut finding = Finding::new(kind.rule(), severity, confidence, title);
    let here = |spot: &&Spot| Kind::of(std::slice::from_ref(*spot)) == Some(kind);
    finding = match first.spots.iter().find(here) {
        Some(Spot::Environment { pid, .. }) => finding.of(*pid),
        Some(Spot::Memory { pid, address, .. }) => finding.of(*pid).at(*address),
        Some(Spot::Artifact { path: Some(path), .. }) => finding.path(path.clone()),
        _ => finding,
    };
    let seen = list.iter().filter_map(|folded| seen(subject, kind, folded));
    finding.evidence = bounded(seen.collect());
    Some(finding)
}

/// A secret and its first place of that kind.
fn seen(subject: &Subject<'_>, kind: Kind, folded: &FoldedSecret) -> Option<Seen> {
    let secret = &folded.secret;
    let detail = secret.detail().map(|text| format!(", {}", escape(text.as_bytes())));
    let more = folded.places.saturating_sub(1);
    let more = if more > 0 { format!(", and in {more} other places") } else { String::new() };
    let shown = format!("{}{}", secret.redacted(), detail.unwrap_or_default());
    let here = |spot: &&Spot| Kind::of(std::slice::from_ref(*spot)) == Some(kind);
    Some(match folded.spots.iter().find(here)? {
        Spot::Environment { pid, name, .. } => {
            let task = subject.checkpoint.processes().get(*pid);
            let what = format!("{name} of pid {pid}: {shown}{more}");
            Seen::new(what).member(task.and_then(|task| subject.mm(task)))
        }
        Spot::Memory { pid, address, kind } => {
            let what = format!("{kind} of pid {pid} at {address}: {shown}{more}");
            match subject.map(*pid) {
                Some(map) => subject.seen_in_memory(map, *address, what),
                None => Seen::new(what),
            }
        }
        Spot::Artifact { id, path, offset } => {
            let path = path.as_ref().map(|path| format!("{path}, ")).unwrap_or_default();
            let id = escape(id.as_bytes());
            let source = subject.artifacts.get(&id).map(|one| one.source.as_ref().to_owned());
            Seen::new(format!("{path}artifact {id}, byte {offset}: {shown}{more}")).member(source)
        }
        _ => return None,
    })
}
