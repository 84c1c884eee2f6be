//! `files`: the descriptors of each process, or the lists that are asked for.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use ckpt_model::{
    Checkpoint, Descriptor, DescriptorType, Details, Holder, Pid, Socket, Task, Text,
};
use criu_image::names;

use super::columns::columns;
use super::layout::{Layout, Palette, paint};
use super::line::Line;
use super::units::count;
use crate::json::{self, FilesOptions, Kept, Repeats};

/// Writes the descriptors of each process; with lists asked for, those in their place.
///
/// # Errors
///
/// When `out` cannot be written to.
pub fn files<W: Write>(
    out: &mut W,
    checkpoint: &Checkpoint,
    options: &FilesOptions,
    layout: &Layout,
) -> io::Result<()> {
    let sheet = Sheet { palette: Palette::of(layout), width: layout.width };
    if !options.any_list() {
        return sheet.processes(out, checkpoint, options);
    }
    if options.sockets {
        sheet.sockets(out, checkpoint, options)?;
    }
    let document = json::files_lists(checkpoint, options);
    if let Some(pipes) = &document.pipes {
        let rows = pipes.iter().map(|pipe| {
            let ends = |ends: &[json::FdRecord], besides: Option<usize>| {
                let few = ends.iter().take(4).map(|end| format!("{}/{}", end.pid, end.fd));
                let mut few: Vec<String> = few.collect();
                let more = ends.len().saturating_sub(few.len());
                let more = more.saturating_add(besides.unwrap_or_default());
                few.extend((more > 0).then(|| format!("+{more}")));
                if few.is_empty() { "-".to_owned() } else { few.join(" ") }
            };
            let path = pipe.path.as_deref().map(|path| Text::from(path).escaped().into_owned());
            let number = |number: Option<u64>| number.map_or("-".to_owned(), |n| n.to_string());
            vec![
                pipe.ino.to_string(),
                number(pipe.bytes),
                number(pipe.capacity.map(u64::from)),
                ends(&pipe.writers, pipe.more_writers),
                ends(&pipe.readers, pipe.more_readers),
                path.unwrap_or_default(),
            ]
        });
        let head = ["INODE", "BYTES", "CAPACITY", "WRITERS", "READERS", "PATH"];
        sheet.table(out, "pipes", &head, rows.collect())?;
    }
    if options.mounts {
        let wanted = document.mounts.as_ref();
        let wanted: Option<HashSet<(u32, u32)>> =
            wanted.map(|all| all.iter().map(|one| (one.ns, one.id)).collect());
        let rows = checkpoint.mounts().iter().filter(|mount| {
            let wanted = wanted.as_ref();
            wanted.is_some_and(|all| all.contains(&(mount.ns, mount.id)))
        });
        let rows = rows.map(|mount| {
            let mut notes = mount.propagation.join(" ");
            if mount.external.is_some() {
                notes.push_str(" external");
            }
            if mount.deleted {
                notes.push_str(" deleted");
            }
            let fstype = mount.fstype.as_ref().map_or("?".into(), Text::escaped);
            vec![
                mount.ns.to_string(),
                fstype.into_owned(),
                mount.mountpoint.escaped().into_owned(),
                notes,
                mount.source.escaped().into_owned(),
                mount.root.escaped().into_owned(),
                mount.options.escaped().into_owned(),
            ]
        });
        let head = ["NS", "TYPE", "MOUNTPOINT", "PROPAGATION", "SOURCE", "ROOT", "OPTIONS"];
        sheet.table(out, "mounts", &head, rows.collect())?;
    }
    if options.locks {
        let locks = checkpoint.locks().iter().filter(|lock| options.wants(lock.pid.0));
        let rows = locks.map(|lock| {
            vec![
                lock.kind.unwrap_or("?").to_owned(),
                lock.access.unwrap_or("?").to_owned(),
                lock.pid.to_string(),
                lock.fd.to_string(),
                lock.start.to_string(),
                lock.end.map_or("EOF".to_owned(), |end| end.to_string()),
                lock.path.as_ref().map_or("?".into(), Text::escaped).into_owned(),
            ]
        });
        let head = ["KIND", "ACCESS", "PID", "FD", "START", "END", "PATH"];
        sheet.table(out, "locks", &head, rows.collect())?;
    }
    if let Some(networks) = &document.networks {
        sheet.networks(out, networks)?;
    }
    if let Some(ipc) = &document.ipc {
        sheet.ipc(out, ipc)?;
    }
    Ok(())
}

struct Sheet {
    palette: Palette,
    width: Option<usize>,
}

impl Sheet {
    fn processes<W: Write>(
        &self,
        out: &mut W,
        checkpoint: &Checkpoint,
        options: &FilesOptions,
    ) -> io::Result<()> {
        let known = Known { sockets: by_file(checkpoint), sizes: RefCell::default() };
        let mut repeats = Repeats::default();
        let mut shown: HashMap<Pid, Pid> = HashMap::new();
        let tasks = checkpoint.processes().by_pid().into_iter();
        for (number, task) in tasks.filter(|task| options.wants(task.pid.0)).enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            let name = task.comm.as_ref().map_or("?".into(), Text::escaped);
            let mut head = format!("{} {name}", task.pid);
            for (label, file) in [("exe", &task.exe), ("cwd", &task.cwd), ("root", &task.root)] {
                if let Some(file) = file {
                    head.push_str(&format!("  {label} {}", file.path.escaped()));
                }
            }
            if task.is_zombie() {
                head.push_str("  zombie: no files");
            }
            writeln!(out, "{}", paint(self.palette.name, &head))?;
            let descriptors = checkpoint.descriptors().of(task.pid);
            let Some(table) = checkpoint.descriptors().first_with(task.pid) else { continue };
            if descriptors.is_empty() {
                continue;
            }
            let same = *shown.entry(table).or_insert(task.pid);
            if same != task.pid && !repeats.take(descriptors.len()) {
                let count = count(descriptors.len(), "descriptor", "descriptors");
                writeln!(out, "{count}, the same as those of process {same}")?;
                continue;
            }
            let rows = descriptors.iter().map(|fd| row(checkpoint, &known, task, fd)).collect();
            self.rows(out, &["FD", "TYPE", "FLAGS", "POS", "TARGET", "DETAILS"], rows)?;
        }
        Ok(())
    }

    fn sockets<W: Write>(
        &self,
        out: &mut W,
        checkpoint: &Checkpoint,
        options: &FilesOptions,
    ) -> io::Result<()> {
        let wanted = |socket: &&Socket| {
            options.pids.is_empty() || socket.holders.iter().any(|held| options.wants(held.pid.0))
        };
        let end = |end: Option<&ckpt_model::Endpoint>| {
            end.map_or_else(
                || "*".to_owned(),
                |end| json::endpoint(end, options.resolve_ports).escaped().into_owned(),
            )
        };
        let bytes = |bytes: Option<u64>| bytes.map_or("-".to_owned(), |bytes| bytes.to_string());
        let rows = checkpoint.sockets().iter().filter(wanted).map(|socket| {
            let mut notes = Vec::new();
            if let Some(peer) = socket.peer_ino {
                // They are in the order of their inodes, those without one behind.
                let all = checkpoint.sockets();
                let at = all.partition_point(|other| other.ino.is_some_and(|ino| ino < peer));
                let found = all.get(at).filter(|other| other.ino == Some(peer));
                let who = found.map(|peer| holders(&peer.holders)).unwrap_or_default();
                let word = if socket.waiting { "waits at" } else { "peer" };
                notes.push(format!("{word} {peer} {who}").trim_end().to_owned());
            }
            let passed: usize = socket.queue.iter().map(|queued| queued.rights.len()).sum();
            if passed > 0 {
                notes.push(format!("{passed} open file(s) in flight"));
            }
            if socket.external {
                notes.push("outside of the dump".to_owned());
            }
            notes.extend(json::socket_options(checkpoint, socket));
            vec![
                json::kind(socket).into_owned(),
                json::state(socket).unwrap_or("-".into()).into_owned(),
                bytes(socket.received),
                bytes(socket.outgoing),
                end(socket.local.as_ref()),
                end(socket.remote.as_ref()),
                socket.ino.map_or("-".to_owned(), |ino| ino.to_string()),
                holders(&socket.holders),
                notes.join(", "),
            ]
        });
        let head =
            ["TYPE", "STATE", "RECV", "SEND", "LOCAL", "REMOTE", "INODE", "PID/FD", "DETAILS"];
        self.table(out, "sockets", &head, rows.collect())
    }

    fn networks<W: Write>(&self, out: &mut W, all: &[json::NetworkRecord<'_>]) -> io::Result<()> {
        if all.is_empty() {
            return writeln!(out, "no network namespace in the dump");
        }
        let safe = |text: &str| Text::from(text).escaped().into_owned();
        for network in all {
            writeln!(out, "{}", self.heading(&format!("network namespace {}", network.ns)))?;
            if let Some(key) = &network.external {
                writeln!(out, "  of a pod or the host, not in the dump: {}", safe(key))?;
            }
            for interface in &network.interfaces {
                let name = interface.name.as_deref().map_or_else(String::new, safe);
                let mut line = format!("  {}: {name}", interface.index);
                for fact in
                    [&interface.kind, &interface.mac, &interface.flags].into_iter().flatten()
                {
                    line.push_str(&format!("  {fact}"));
                }
                for address in &interface.addresses {
                    line.push_str(&format!("  {}", address.address));
                }
                writeln!(out, "{line}")?;
            }
            for route in &network.routes {
                writeln!(out, "  route {}", route.text)?;
            }
            for rule in &network.rules {
                writeln!(out, "  rule {}", rule.text)?;
            }
            for firewall in &network.firewalls {
                let note = if firewall.criu_network_lock {
                    " (with CRIU's own network lock: made for the dump, no rule of the container)"
                } else {
                    ""
                };
                writeln!(out, "  {}{note}", firewall.program)?;
                for line in firewall.text.replace('\t', "    ").lines() {
                    writeln!(out, "    {}", safe(line))?;
                }
            }
        }
        Ok(())
    }

    fn ipc<W: Write>(&self, out: &mut W, all: &[json::IpcRecord]) -> io::Result<()> {
        let owner = |kind: &str, owner: &json::OwnerRecord| {
            let json::OwnerRecord { key, id, uid, gid, mode } = owner;
            format!("  {kind} {id}  key {key}  owner {uid}:{gid}  mode {mode}")
        };
        for namespace in all {
            writeln!(out, "{}", self.heading(&format!("System V, namespace {}", namespace.ns)))?;
            for segment in &namespace.shm {
                writeln!(out, "{}  {} bytes", owner("shm", &segment.owner), segment.size)?;
            }
            for queue in &namespace.msg {
                writeln!(out, "{}  {} messages", owner("msg", &queue.owner), queue.messages.len())?;
                for message in &queue.messages {
                    let text = Text::from(message.text.as_str());
                    writeln!(out, "    type {}: {}", message.kind, text.escaped())?;
                }
            }
            for set in &namespace.sem {
                let values: Vec<String> = set.values.iter().map(u16::to_string).collect();
                writeln!(out, "{}  values {}", owner("sem", &set.owner), values.join(" "))?;
            }
        }
        Ok(())
    }

    fn heading(&self, text: &str) -> String {
        paint(self.palette.heading, text)
    }

    fn table<W: Write>(
        &self,
        out: &mut W,
        what: &str,
        head: &[&str],
        rows: Vec<Vec<String>>,
    ) -> io::Result<()> {
        if rows.is_empty() { writeln!(out, "no {what}") } else { self.rows(out, head, rows) }
    }

    /// Columns as wide as they must be; on a terminal the last ones give way.
    fn rows<W: Write>(&self, out: &mut W, head: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        /// Wider cells push what follows them out of its column.
        const WIDEST: usize = 48;
        let mut widths: Vec<usize> = head.iter().map(|title| columns(title)).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell).min(WIDEST));
            }
        }
        let head = head.iter().map(|title| (*title).to_owned()).collect();
        for (number, row) in std::iter::once(head).chain(rows).enumerate() {
            let style = if number == 0 { self.palette.heading } else { anstyle::Style::new() };
            let mut text = String::new();
            let mut due = 0usize;
            for (cell, width) in row.iter().zip(&widths) {
                if !cell.is_empty() {
                    let gap = due.saturating_sub(columns(&text)).max(usize::from(due > 0));
                    text.extend(std::iter::repeat_n(' ', gap));
                    text.push_str(cell);
                }
                due = due.saturating_add(*width).saturating_add(2);
            }
            let mut line = Line::default();
            line.push(style, text.trim_end());
            writeln!(out, "{}", line.render(self.width))?;
        }
        Ok(())
    }
}

fn holders(holders: &[Holder]) -> String {
    let all: Vec<String> =
        holders.iter().take(4).map(|holder| format!("{}/{}", holder.pid, holder.fd)).collect();
    let more = holders.len().saturating_sub(all.len());
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    format!("{}{more}", all.join(" "))
}

/// What descriptors are looked up in.
struct Known<'a> {
    sockets: Sockets<'a>,
    /// Bytes of deleted files whose content is there.
    sizes: RefCell<HashMap<Kept, Option<u64>>>,
}

impl Known<'_> {
    fn recovered(&self, checkpoint: &Checkpoint, file_id: u32) -> Option<u64> {
        let size = || checkpoint.recovered(file_id).map(|content| content.size());
        *self.sizes.borrow_mut().entry(json::kept(checkpoint, file_id)).or_insert_with(size)
    }
}

/// The sockets by the type and id of their open files.
type Sockets<'a> = HashMap<(u32, u32), &'a Socket>;

fn by_file(checkpoint: &Checkpoint) -> Sockets<'_> {
    let mut sockets = Sockets::new();
    for socket in checkpoint.sockets() {
        sockets.entry((socket.fd_type, socket.file_id)).or_insert(socket);
    }
    sockets
}

fn row(
    checkpoint: &Checkpoint,
    known: &Known<'_>,
    task: &Task,
    descriptor: &Descriptor,
) -> Vec<String> {
    let machine = task.core.as_ref().map(|core| core.mtype);
    let flags = descriptor.flags.map_or("?".to_owned(), |flags| {
        let text = names::open_flags(machine).text(u64::from(flags));
        // What every open file of a 64-bit process has says nothing.
        let words = text.split(" | ").filter(|word| *word != "O_LARGEFILE");
        words.map(|word| word.strip_prefix("O_").unwrap_or(word)).collect::<Vec<_>>().join("|")
    });
    let target = match &descriptor.target {
        Some(target) => target.escaped().into_owned(),
        None => names::FD_TYPES.text(i64::from(descriptor.fd_type)).to_ascii_lowercase(),
    };
    let has_position = matches!(descriptor.kind, DescriptorType::Regular | DescriptorType::Memfd);
    let pos = descriptor.pos.filter(|pos| has_position || *pos != 0);
    vec![
        descriptor.fd.to_string(),
        descriptor.kind.word().to_owned(),
        flags,
        pos.map_or("-".to_owned(), |pos| pos.to_string()),
        target,
        details(checkpoint, known, task, descriptor),
    ]
}

fn details(
    checkpoint: &Checkpoint,
    known: &Known<'_>,
    task: &Task,
    descriptor: &Descriptor,
) -> String {
    let machine = task.core.as_ref().map(|core| core.mtype);
    match checkpoint.details(descriptor) {
        Details::File { reg, .. } if descriptor.deleted => {
            let size = known.recovered(checkpoint, descriptor.file_id);
            let content = size.map(|size| format!("recovered, {size} bytes"));
            let link = checkpoint.files().link(reg.id).map(|link| {
                format!("CRIU linked {} to it", Text::from(link.name.as_slice()).escaped())
            });
            content.into_iter().chain(link).collect::<Vec<_>>().join(", ")
        }
        Details::Pipe(ino) => {
            let all = checkpoint.pipes();
            let at = all.partition_point(|pipe| pipe.ino < ino);
            let pipe = all.get(at).filter(|pipe| pipe.ino == ino);
            let waiting = pipe.and_then(|pipe| pipe.waiting).filter(|bytes| *bytes > 0);
            waiting.map_or_else(String::new, |bytes| format!("{bytes} bytes waiting"))
        }
        Details::Socket(_) => {
            let found = known.sockets.get(&(descriptor.fd_type, descriptor.file_id));
            found.map_or_else(String::new, |socket| socket_line(socket))
        }
        Details::Eventfd { counter } => format!("counter {counter}"),
        Details::Epoll(watches) => {
            let watched = watches.len();
            let watches = watches.iter().take(MOST_WATCHES).map(|watch| {
                let events = names::EPOLL_EVENTS.text(u64::from(watch.events));
                format!("{} ({events}, data {:#x})", watch.tfd, watch.data)
            });
            format!("watches {}", listed(&watches.collect::<Vec<_>>(), watched))
        }
        Details::Signalfd(set) => names::signal_set_text(machine, set),
        Details::Timerfd(timer) => format!(
            "{} in {}.{:09} s, every {}.{:09} s, {} missed",
            names::CLOCKS.text(i64::from(timer.clockid)),
            timer.vsec,
            timer.vnsec,
            timer.isec,
            timer.insec,
            timer.ticks
        ),
        Details::Inotify(watches) => {
            let watched = watches.len();
            let watches = watches.iter().take(MOST_WATCHES).map(|watch| {
                let path = watch.f_handle.path.as_deref().map(Text::from);
                let what = path.map_or_else(
                    || format!("inode {}", watch.i_ino),
                    |path| path.escaped().into_owned(),
                );
                let events = names::INOTIFY_MASK.text(u64::from(watch.mask));
                format!("{}: {what} ({events})", watch.wd)
            });
            listed(&watches.collect::<Vec<_>>(), watched)
        }
        Details::Fanotify(group) => format!("{} mark(s)", group.mark.len()),
        Details::Terminal(tty) => {
            let mut text = names::TTY_TYPES.text(i64::from(tty.r#type)).to_ascii_lowercase();
            if let Some(size) = &tty.winsize {
                text.push_str(&format!(" {}x{}", size.ws_row, size.ws_col));
            }
            if tty.termios.as_ref().is_some_and(|termios| termios.c_lflag & json::ECHO == 0) {
                text.push_str(" without echo");
            }
            if checkpoint.files().hung_up(tty) {
                text.push_str(" hung up");
            }
            if tty.sid != 0 {
                text.push_str(&format!(" session {} group {}", tty.sid, tty.pgrp));
            }
            text
        }
        Details::Namespace(namespace) => {
            let kind = names::NAMESPACES.text(i64::from(namespace.ns_cflag));
            format!("{kind}, id {}", namespace.ns_id)
        }
        Details::Tun(tun) => tun
            .netdev
            .as_deref()
            .map_or_else(String::new, |name| Text::from(name).escaped().into_owned()),
        Details::Memfd(inode) => {
            let seals = names::SEALS.text(u64::from(inode.seals));
            format!("recovered, {} bytes, seals {seals}", inode.size)
        }
        Details::Pidfd(Some(pid)) => format!("process {pid}"),
        Details::Pidfd(None) => "a process that had been reaped".to_owned(),
        Details::BpfMap(map) => {
            let kind = names::BPF_MAP_TYPES.text(i64::from(map.map_type));
            format!("{kind} {}", Text::from(map.map_name.as_slice()).escaped())
        }
        Details::External => "kept by a plugin of CRIU".to_owned(),
        _ => String::new(),
    }
}

/// Most watches that a row tells: many descriptors can lead to one open file, and each has a row.
const MOST_WATCHES: usize = 32;

/// The first ones of so many.
fn listed(first: &[String], all: usize) -> String {
    let more = all.saturating_sub(first.len());
    let text = first.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

/// `tcp ESTAB 127.0.0.1:80 127.0.0.1:4000, 124 bytes unread`.
fn socket_line(socket: &Socket) -> String {
    let state = json::state(socket).unwrap_or_default();
    let mut text = format!("{} {state}", json::kind(socket)).trim_end().to_owned();
    for end in [&socket.local, &socket.remote].into_iter().flatten() {
        text.push_str(&format!(" {}", end.text().escaped()));
    }
    for (bytes, what) in [(socket.received, "unread"), (socket.outgoing, "on their way")] {
        if let Some(bytes) = bytes.filter(|bytes| *bytes > 0) {
            text.push_str(&format!(", {bytes} bytes {what}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_how_many_watches_it_leaves_out() {
        let first = || vec!["3".to_owned(), "4".to_owned()];
        assert_eq!(listed(&first(), 2), "3, 4");
        assert_eq!(listed(&first(), 1002), "3, 4 and 1000 more");
    }
}
