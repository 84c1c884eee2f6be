//! What container, when, by whom, on what host; and how much there is of everything.

use serde::Serialize;

use super::shown::Shown;
use super::{Legible, Limits, Sources};
use crate::human::units::{duration, exact_size, size};
use crate::json::{InfoDocument, StatisticsRecord};

/// The head of the page and its first section.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    title: String,
    /// Under the title: image, pod, when.
    line: Vec<String>,
    case: Option<String>,
    note: Option<String>,
    evidence: String,
    kind: String,
    tiles: Vec<Tile>,
    groups: Vec<Group>,
    annotations: Shown<(String, String)>,
    /// Lines of the dump's log that begin with `Error`.
    dump_errors: Shown<String>,
    never_captured: Vec<&'static str>,
}

/// A number with what it counts, that leads to its section.
#[derive(Clone, Debug, Serialize)]
struct Tile {
    number: String,
    what: String,
    section: &'static str,
}

/// Facts under a heading.
#[derive(Clone, Debug, Serialize)]
struct Group {
    heading: &'static str,
    facts: Vec<(String, String)>,
}

impl Group {
    fn new(heading: &'static str) -> Self {
        Self { heading, facts: Vec::new() }
    }

    fn fact(mut self, label: &str, value: Option<impl Into<String>>) -> Self {
        self.facts.extend(
            value
                .map(|value| (label.to_owned(), value.into()))
                .filter(|(_, value)| !value.is_empty()),
        );
        self
    }
}

impl Summary {
    pub(super) fn of(sources: &Sources<'_>, legible: &Legible<'_>, limits: &Limits) -> Self {
        let info = &sources.info;
        let about = &sources.about;
        let text = |text: Option<&str>| text.map(|text| legible.text(text));
        let name = text(info.container.name).or_else(|| text(info.container.id));
        let title = about.title.as_deref().map(|title| legible.text(title)).or(name);
        let pod = info.pod.as_ref().map(|pod| {
            let parts = [pod.namespace, pod.name].into_iter().flatten();
            format!("pod {}", parts.map(|part| legible.text(part)).collect::<Vec<_>>().join("/"))
        });
        let line = [text(info.container.image), pod, info.checkpointed_at.clone()];
        Self {
            title: title.unwrap_or_else(|| "Checkpoint".to_owned()),
            line: line.into_iter().flatten().collect(),
            case: about.case.as_deref().map(|case| legible.text(case)),
            note: about.note.as_deref().map(|note| legible.within(note, 4000)),
            evidence: legible.text(info.evidence.path),
            kind: legible.text(&info.evidence.kind),
            tiles: tiles(sources),
            groups: groups(info, legible),
            annotations: annotations(info, legible, limits),
            dump_errors: Shown::first(
                info.criu.log.iter().flat_map(|log| &log.errors),
                limits.of_process,
                "info",
                |line| legible.within(&line.text, 600),
            ),
            never_captured: info.never_captured.to_vec(),
        }
    }
}

fn tiles(sources: &Sources<'_>) -> Vec<Tile> {
    let tile = |number: usize, one: &str, many: &str, section| Tile {
        number: grouped(number as u64),
        what: if number == 1 { one } else { many }.to_owned(),
        section,
    };
    let threads: usize = sources.tree.processes.iter().map(|process| process.threads.len()).sum();
    let sockets = sources.files.sockets.as_ref().map_or(0, Vec::len);
    let mut tiles = vec![
        tile(sources.triage.findings.len(), "finding", "findings", "findings"),
        tile(sources.tree.processes.len(), "process", "processes", "processes"),
        tile(threads, "thread", "threads", "processes"),
        tile(sockets, "socket", "sockets", "sockets"),
    ];
    if let Some(diff) = &sources.diff {
        let changes = diff.changes.iter().filter(|change| change.noise.is_none()).count();
        tiles.push(tile(changes, "changed file", "changed files", "changes"));
    }
    tiles.push(tile(sources.extract.artifacts.len(), "artefact", "artefacts", "artifacts"));
    tiles.push(tile(sources.verify.defects.len(), "defect", "defects", "defects"));
    let memory = Tile {
        number: size(sources.info.sizes.pages),
        what: "of memory".to_owned(),
        section: "memory",
    };
    tiles.insert(4, memory);
    tiles
}

fn groups(info: &InfoDocument<'_>, legible: &Legible<'_>) -> Vec<Group> {
    let text = |text: Option<&str>| text.map(|text| legible.text(text));
    let container = &info.container;
    let versioned = |name: Option<&str>, version: Option<&str>| {
        let parts: Vec<_> =
            [name, version].into_iter().flatten().map(|part| legible.text(part)).collect();
        parts.join(" ")
    };
    let mut groups = vec![
        Group::new("Container")
            .fact("Name", text(container.name))
            .fact("Id", text(container.id))
            .fact("Image", text(container.image))
            .fact("Image id", text(container.image_id))
            .fact("Command", Some(legible.command(container.command)))
            .fact("Working directory", text(container.cwd))
            .fact("Host name", text(container.hostname))
            .fact("Privileged", container.privileged.map(|yes| if yes { "yes" } else { "no" }))
            .fact("Root on the host", text(container.rootfs)),
    ];
    if let Some(pod) = &info.pod {
        groups.push(
            Group::new("Pod")
                .fact("Name", text(pod.name))
                .fact("Namespace", text(pod.namespace))
                .fact("Uid", text(pod.uid))
                .fact("Sandbox", text(pod.sandbox_id)),
        );
    }
    let log = info.criu.log.as_ref();
    groups.push(
        Group::new("Engine and dump")
            .fact("Engine", Some(versioned(Some(info.engine.name), info.engine.version)))
            .fact("Runtime", Some(versioned(container.runtime, container.runtime_version)))
            .fact(
                "CRIU",
                text(info.criu.version.as_deref())
                    .or_else(|| info.criu.inferred.map(str::to_owned)),
            )
            .fact("Dump", log.and_then(|log| log.outcome))
            .fact("Compression", info.criu.compression.as_deref())
            .fact(
                "TCP",
                (info.criu.tcp_close == Some(true))
                    .then_some("connections were closed, not dumped"),
            ),
    );
    groups.push(
        Group::new("Host")
            .fact("Kernel", text(info.host.kernel))
            .fact("Architecture", text(info.arch.as_deref().or(info.host.arch)))
            .fact("Distribution", text(info.host.distribution))
            .fact("Page size", Some(exact_size(info.criu.page_size)))
            .fact("Security module", info.criu.lsm.as_deref()),
    );
    let mut times = Group::new("When");
    for moment in info.times.iter().take(12) {
        let source = legible.text(moment.source);
        times.facts.push((capital(moment.what), format!("{} ({source})", moment.time)));
    }
    groups.push(times);
    let mut network = Group::new("Network");
    for interface in info.network.iter().take(12) {
        let parts = [interface.network, interface.name].into_iter().flatten();
        let mut words: Vec<String> = parts.map(|part| legible.text(part)).collect();
        words.extend(interface.addresses.iter().take(8).map(|address| legible.text(address)));
        words.extend(interface.mac.map(|mac| legible.text(mac)));
        network.facts.push(("Interface".to_owned(), words.join(" · ")));
    }
    groups.push(network);
    groups.push(
        Group::new("Sizes")
            .fact("Evidence", Some(exact_size(info.sizes.archive)))
            .fact("Images", Some(exact_size(info.sizes.images)))
            .fact("Memory pages", Some(exact_size(info.sizes.pages)))
            .fact("File system changes", info.sizes.rootfs_diff.map(exact_size)),
    );
    groups.extend(info.statistics.as_ref().map(statistics));
    groups.retain(|group| !group.facts.is_empty());
    groups
}

/// `Dump began` of `dump-began`.
fn capital(word: &str) -> String {
    let word = word.replace('-', " ");
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn statistics(counted: &StatisticsRecord) -> Group {
    let pages = |pages: u64| Some(grouped(pages));
    Group::new("What CRIU counted")
        .fact("Freezing", Some(duration(counted.freezing_us)))
        .fact("Frozen", Some(duration(counted.frozen_us)))
        .fact("Memory read in", Some(duration(counted.memdump_us)))
        .fact("Memory written in", Some(duration(counted.memwrite_us)))
        .fact("Pages scanned", pages(counted.pages_scanned))
        .fact("Pages written", pages(counted.pages_written))
        .fact("Pages left to the parent", pages(counted.pages_skipped_parent).filter(|n| n != "0"))
}

/// Annotations; of those that hold a document only its size, for what may be in it.
fn annotations(
    info: &InfoDocument<'_>,
    legible: &Legible<'_>,
    limits: &Limits,
) -> Shown<(String, String)> {
    Shown::first(info.annotations, limits.of_process, "info --format json", |(name, value)| {
        let document = value.trim_start().starts_with(['{', '[']) && value.len() > 40;
        let value = match document {
            true => format!("JSON, {} bytes", value.len()),
            false => legible.variable(&format!("{name}={value}")).1,
        };
        (legible.text(name), value)
    })
}

/// A number with its thousands apart: `12 345`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(capital("image-created"), "Image created");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
