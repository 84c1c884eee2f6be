//! `info`: sections of keys and values.

use std::collections::BTreeMap;
use std::io::{self, Write};

use ckpt_model::{
    Account, Accounting, Checkpoint, Container, CriuFacts, DefectKind, IdRange, ImageDirectory,
    Interface, SpecMount, Standing,
};
use criu_image::ByteOrder;
use criu_image::messages::DumpStatsEntry;

use super::columns::{columns, wrap};
use super::layout::{Layout, Palette, escaped_once, paint, plain};
use super::units::{count, duration, exact_size};
use crate::logs::logs;
use crate::{times, words};

/// Members of one standing that are named; JSON has them all.
const FEW_MEMBERS: usize = 12;

/// Writes what container, when, by whom, how large, and what is not in the archive.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn info<W: Write>(out: &mut W, checkpoint: &Checkpoint, layout: &Layout) -> io::Result<()> {
    let container = checkpoint.container();
    let accounting = checkpoint.accounting();
    let sections = [
        evidence(checkpoint),
        identity(container),
        pod(container),
        started(container),
        checkpoint_facts(checkpoint, container),
        moments(container),
        network(container),
        mounts(container),
        bind_mounts(container),
        sizes(checkpoint),
        statistics(checkpoint.statistics()),
        criu(checkpoint, &checkpoint.criu()),
        log_members(&accounting),
        labels("Labels", &container.labels),
        labels("Annotations", &container.annotations),
        members(checkpoint, &accounting),
        never_captured(container),
    ];
    // Only now is everything decoded that can have defects.
    let defects = defects(checkpoint);
    let palette = Palette::of(layout);
    let mut first = true;
    for section in sections.iter().chain([&defects]).filter(|section| !section.rows.is_empty()) {
        if !first {
            writeln!(out)?;
        }
        first = false;
        section.write(out, &palette, layout.width)?;
    }
    Ok(())
}

/// A title and rows below it. All text is safe already.
struct Section {
    title: &'static str,
    rows: Vec<Row>,
}

struct Row {
    key: String,
    value: String,
}

impl Section {
    fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new() }
    }

    fn row(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.rows.push(Row { key: key.into(), value: value.into() });
    }

    /// A row of an engine's text; none when it is not known.
    fn told(&mut self, key: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.row(key, plain(value));
        }
    }

    fn write<W: Write>(
        &self,
        out: &mut W,
        palette: &Palette,
        width: Option<usize>,
    ) -> io::Result<()> {
        writeln!(out, "{}", paint(palette.heading, self.title))?;
        let longest = self.rows.iter().map(|row| columns(&row.key)).max().unwrap_or_default();
        // A very long key would leave no room for any value.
        let keys = longest.min(width.map_or(40, |width| (width / 3).min(40)));
        let room = width.map(|width| width.saturating_sub(keys.saturating_add(4)));
        let mut previous = "";
        for row in &self.rows {
            let mut key = if row.key == previous { "" } else { row.key.as_str() };
            previous = &row.key;
            if columns(key) > keys {
                for line in wrap(key, width.map(|width| width.saturating_sub(2))) {
                    writeln!(out, "  {}", paint(palette.label, line))?;
                }
                key = "";
            }
            for line in wrap(&row.value, room) {
                let gap = keys.saturating_sub(columns(key)).saturating_add(2);
                let text = format!("  {}{:gap$}{line}", paint(palette.label, key), "");
                writeln!(out, "{}", text.trim_end())?;
                key = "";
            }
        }
        Ok(())
    }
}

fn evidence(checkpoint: &Checkpoint) -> Section {
    let mut section = Section::new("Evidence");
    let evidence = checkpoint.evidence();
    section.row("path", plain(evidence.name()));
    section.row("kind", plain(&evidence.kind()));
    section
}

fn identity(container: &Container) -> Section {
    let mut section = Section::new("Container");
    section.told("name", container.name.as_ref());
    section.told("name of the engine", container.engine_name.as_ref());
    section.told("id", container.id.as_ref());
    section.told("image", container.image.as_ref());
    section.told("image id", container.image_id.as_ref());
    section.told("host name", container.hostname.as_ref());
    if let Some(runtime) = &container.runtime {
        let version = container.runtime_version.as_ref().map(|version| format!(" {version}"));
        section.row("runtime", plain(&format!("{runtime}{}", version.unwrap_or_default())));
    }
    if let Some(privileged) = container.privileged {
        section.row("privileged", if privileged { "yes" } else { "no" });
    }
    section.told("root on the host", container.rootfs.as_ref());
    section
}

fn pod(container: &Container) -> Section {
    let mut section = Section::new("Pod");
    if let Some(pod) = &container.pod {
        section.told("name", pod.name.as_ref());
        section.told("namespace", pod.namespace.as_ref());
        section.told("uid", pod.uid.as_ref());
        section.told("sandbox id", pod.sandbox_id.as_ref());
    }
    section
}

fn started(container: &Container) -> Section {
    let mut section = Section::new("Started as");
    if !container.command.is_empty() {
        let words: Vec<String> =
            container.command.iter().map(|word| plain(word).into_owned()).collect();
        section.row("command", words.join(" "));
    }
    section.told("directory", container.cwd.as_ref());
    for variable in &container.env {
        section.row("env", plain(variable));
    }
    section
}

fn checkpoint_facts(checkpoint: &Checkpoint, container: &Container) -> Section {
    let mut section = Section::new("Checkpoint");
    let version = container.engine_version.as_ref().map(|version| format!(" {}", plain(version)));
    section.row("engine", format!("{}{}", container.engine.word(), version.unwrap_or_default()));
    if let Some(arch) = checkpoint.arch() {
        section.row("architecture", plain(&arch.machine(checkpoint.byte_order())));
    }
    for namespace in checkpoint.user_namespaces() {
        for (what, ranges) in [("users", &namespace.users), ("groups", &namespace.groups)] {
            for range in ranges {
                let IdRange { inside, outside, count } = range;
                section.row(what, format!("{inside} is {outside} outside, {count} in a row"));
            }
        }
    }
    section.told("kernel", container.host.kernel.as_ref());
    section.told("architecture of the host", container.host.arch.as_ref());
    section.told("distribution", container.host.distribution.as_ref());
    for directory in &checkpoint.place().directories {
        let chosen = checkpoint.directory() == Some(directory);
        section.row("images in", image_directory(directory, chosen));
    }
    section
}

fn image_directory(directory: &ImageDirectory, chosen: bool) -> String {
    let path = if directory.path.is_empty() { ".".into() } else { directory.path.escaped() };
    let mut text = format!("{path} ({}", directory.kind.word());
    if let Some(time) = times::seconds(directory.modified) {
        text.push_str(&format!(", {time}"));
    }
    if let Some(parent) = &directory.parent {
        match &parent.found {
            Some(found) => text.push_str(&format!(", parent {found}")),
            None => text.push_str(&format!(", parent {} is not in the evidence", parent.target)),
        }
    }
    text.push(')');
    if !chosen {
        text.push_str(", not shown");
    }
    text
}

fn moments(container: &Container) -> Section {
    let mut section = Section::new("Times");
    for moment in &container.times {
        let source = escaped_once(&moment.source);
        section.row(moment.event.word(), format!("{}  ({source})", moment.time));
    }
    section
}

fn network(container: &Container) -> Section {
    let mut section = Section::new("Network");
    for interface in &container.network {
        let name = interface.name.as_ref().map_or_else(|| "-".into(), |name| plain(name));
        section.row(name, describe_interface(interface));
    }
    section
}

fn describe_interface(interface: &Interface) -> String {
    let joined = |texts: &[String]| {
        texts.iter().map(|text| plain(text).into_owned()).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !interface.addresses.is_empty() {
        parts.push(joined(&interface.addresses));
    }
    if !interface.gateways.is_empty() {
        parts.push(format!("gateway {}", joined(&interface.gateways)));
    }
    parts.extend(interface.mac.as_ref().map(|mac| format!("mac {}", plain(mac))));
    parts.extend(interface.network.as_ref().map(|network| format!("network {}", plain(network))));
    format!("{}  ({})", parts.join(", "), escaped_once(&interface.source))
}

fn mounts(container: &Container) -> Section {
    let mut section = Section::new("Mounts asked for");
    for mount in &container.mounts {
        section.row(plain(&mount.destination), describe_mount(mount));
    }
    section
}

fn bind_mounts(container: &Container) -> Section {
    let mut section = Section::new("Bind mounts from outside");
    for mount in &container.bind_mounts {
        let (source, kind) = (plain(&mount.source), plain(&mount.file_type));
        section
            .row(plain(&mount.destination), format!("{source} ({kind}, {:o})", mount.permissions));
    }
    section
}

fn describe_mount(mount: &SpecMount) -> String {
    let mut parts = Vec::new();
    parts.extend(mount.kind.as_ref().map(|kind| plain(kind).into_owned()));
    parts.extend(mount.source.as_ref().map(|source| plain(source).into_owned()));
    let options: Vec<_> = mount.options.iter().map(|option| plain(option)).collect();
    if !options.is_empty() {
        parts.push(format!("({})", options.join(",")));
    }
    parts.join(" ")
}

fn sizes(checkpoint: &Checkpoint) -> Section {
    let mut section = Section::new("Sizes");
    let sizes = checkpoint.sizes();
    section.row("archive", exact_size(sizes.archive));
    section.row("images", exact_size(sizes.images));
    section.row("of these pages", exact_size(sizes.pages));
    let diff = sizes.rootfs_diff.map_or_else(|| "none".to_owned(), exact_size);
    section.row("rootfs-diff.tar", diff);
    section
}

fn statistics(stats: Option<&DumpStatsEntry>) -> Section {
    let mut section = Section::new("Statistics");
    let Some(stats) = stats else { return section };
    section.row("freezing", duration(stats.freezing_time));
    section.row("frozen", duration(stats.frozen_time));
    section.row("taking memory", duration(stats.memdump_time));
    section.row("writing memory", duration(stats.memwrite_time));
    section.row("pages scanned", stats.pages_scanned.to_string());
    section.row("pages written", stats.pages_written.to_string());
    let rarely = [
        ("pages left to the parent", Some(stats.pages_skipped_parent)),
        ("pages lazy", stats.pages_lazy),
        ("shared pages scanned", stats.shpages_scanned),
        ("shared pages written", stats.shpages_written),
        ("shared pages left to the parent", stats.shpages_skipped_parent),
    ];
    for (key, number) in rarely {
        if let Some(number) = number.filter(|number| *number > 0) {
            section.row(key, number.to_string());
        }
    }
    section
}

fn criu(checkpoint: &Checkpoint, facts: &CriuFacts) -> Section {
    let mut section = Section::new("CRIU");
    match (&facts.version, facts.inferred) {
        (Some(version), _) => section.row("version", plain(version)),
        (None, Some(inferred)) => {
            section.row("version", format!("{inferred}, by the form of the images"));
        }
        (None, None) => {}
    }
    if let Some(version) = facts.image_version {
        section.row("image version", version.to_string());
    }
    if let Some(id) = &facts.run_id {
        section.row("run id", id.escaped());
    }
    for plugin in &facts.plugins {
        section.row("plugin", plugin.escaped());
    }
    if let Some(compression) = facts.compression {
        section.row("compression", words::compression(compression));
    }
    if facts.tcp_close == Some(true) {
        section.row("TCP connections", "closed instead of dumped");
    }
    if let Some(lsm) = facts.lsm {
        section.row("security module", words::lsm(lsm));
    }
    if let Some(uptime) = facts.uptime_us {
        section.row("uptime of the host", format!("{} s", uptime / 1_000_000));
    }
    if checkpoint.images().is_some() {
        let order = match checkpoint.byte_order() {
            ByteOrder::Little => "little-endian",
            ByteOrder::Big => "big-endian",
        };
        section.row("byte order", order);
        let (size, source) = checkpoint.page_size();
        section.row("page size", format!("{size} (by {})", words::page_size_source(source)));
    }
    if let Some(log) = checkpoint.dump_log() {
        let outcome = match (log.failed, log.succeeded) {
            (true, _) => "failed",
            (false, true) => "succeeded",
            (false, false) => "ends before the dump did",
        };
        section.row("dump log", format!("{} ({outcome})", log.path));
    }
    section
}

fn log_members(accounting: &Accounting) -> Section {
    let mut section = Section::new("Logs");
    for log in logs(accounting) {
        section.row(log.path.escaped(), exact_size(log.size));
    }
    section
}

fn labels(title: &'static str, labels: &BTreeMap<String, String>) -> Section {
    let mut section = Section::new(title);
    for (key, value) in labels {
        section.row(plain(key), plain(value));
    }
    section
}

fn members(checkpoint: &Checkpoint, accounting: &Accounting) -> Section {
    let mut section = Section::new("Members");
    for standing in [Standing::Parsed, Standing::Recognised, Standing::Unknown] {
        let all: Vec<&Account> = accounting.of(standing).collect();
        let mut text = all.len().to_string();
        if standing != Standing::Parsed && !all.is_empty() {
            let names: Vec<_> =
                all.iter().take(FEW_MEMBERS).map(|account| account.path.to_string()).collect();
            let rest = all.len().saturating_sub(names.len());
            let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
            text.push_str(&format!(": {}{more}", names.join(", ")));
        }
        section.row(standing.word(), text);
    }
    if !checkpoint.stale().is_empty() {
        let stale = count(checkpoint.stale().len(), "image", "images");
        section.row(Standing::Stale.word(), format!("{stale} of an earlier checkpoint"));
    }
    section
}

fn never_captured(container: &Container) -> Section {
    let mut section = Section::new("Not in this archive");
    for what in container.engine.never_captured() {
        section.rows.push(Row { key: String::new(), value: format!("- {what}") });
    }
    section
}

fn defects(checkpoint: &Checkpoint) -> Section {
    let mut section = Section::new("Defects");
    let all = checkpoint.defects();
    for kind in [DefectKind::Missing, DefectKind::Damaged, DefectKind::Unknown, DefectKind::Suspect]
    {
        let number = all.iter().filter(|defect| defect.kind == kind).count();
        if number > 0 {
            section.row(kind.word(), number.to_string());
        }
    }
    section
}
