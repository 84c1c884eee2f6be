//! Sockets and mounts.

use std::io::{self, Write};

use ckpt_analysis::compare::{Comparison, MountChange, MountFact, SocketChange, SocketFact};
use ckpt_model::{Mount, Socket, Text};

use super::sheet::{Sheet, Sign, sum};
use crate::json::{self, CompareShow};

pub(super) fn sockets<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let Some(found) = &comparison.sockets else { return Ok(()) };
    let (added, removed, changed) = (found.added.len(), found.removed.len(), found.changed.len());
    if added + removed + changed == 0 && !show.unchanged {
        return Ok(());
    }
    let same = found.unchanged.len();
    let counts = [(added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same")];
    sheet.title("sockets", &sum(&counts))?;
    for (sign, list) in [(Sign::Added, &found.added), (Sign::Removed, &found.removed)] {
        for socket in list {
            write_socket(sheet, sign, socket, "")?;
        }
    }
    for change in &found.changed {
        write_socket(sheet, Sign::Changed, change.b, &socket_changes(change))?;
    }
    for socket in found.unchanged.iter().filter(|_| show.unchanged) {
        write_socket(sheet, Sign::Same, socket, "")?;
    }
    Ok(())
}

fn write_socket<W: Write>(
    sheet: &mut Sheet<'_, W>,
    sign: Sign,
    socket: &Socket,
    what: &str,
) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    line.push_cuttable(anstyle::Style::new(), socket_text(socket), 20);
    line.push(sheet.palette.dim, holders(socket));
    if socket.external {
        line.push(sheet.palette.dim, " [outside of the dump]");
    }
    line.push_cuttable(sheet.palette.label, format!("  {what}"), 8);
    sheet.write(line)
}

/// `tcp LISTEN 127.0.0.1:7002`, as far as there is anything to say.
pub(super) fn socket_text(socket: &Socket) -> String {
    let end = |end: &Option<ckpt_model::Endpoint>| {
        end.as_ref().map(|end| json::endpoint(end, false).escaped().into_owned())
    };
    let state = json::state(socket).unwrap_or_default();
    let mut text = format!("{} {state}", json::kind(socket)).trim_end().to_owned();
    let (local, remote) = (end(&socket.local), end(&socket.remote));
    if let Some(local) = local {
        text.push_str(&format!(" {local}"));
    }
    // A listener has no other end, whatever address stands for it.
    if let Some(remote) = remote.filter(|_| socket.state_word() != Some("LISTEN")) {
        text.push_str(&format!(" -> {remote}"));
    }
    text
}

fn holders(socket: &Socket) -> String {
    let few: Vec<String> = socket
        .holders
        .iter()
        .take(4)
        .map(|holder| format!("pid {} fd {}", holder.pid, holder.fd))
        .collect();
    let more = socket.holders.len().saturating_sub(few.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if few.is_empty() { String::new() } else { format!("  {}{more}", few.join(", ")) }
}

fn socket_changes(change: &SocketChange<'_>) -> String {
    let (a, b) = (change.a, change.b);
    let number = |number: Option<u64>| number.map_or("?".to_owned(), |n| n.to_string());
    let end = |end: &Option<ckpt_model::Endpoint>| {
        let text = end.as_ref().map(|end| json::endpoint(end, false).escaped().into_owned());
        text.unwrap_or_else(|| "none".to_owned())
    };
    let ino = |ino: Option<u32>| ino.map_or("none".to_owned(), |ino| ino.to_string());
    let words = change.what.iter().map(|fact| match fact {
        SocketFact::State => {
            format!("was {}", json::state(a).unwrap_or("outside of the dump".into()))
        }
        SocketFact::Local => format!("was at {}", end(&a.local)),
        SocketFact::Remote => format!("was connected to {}", end(&a.remote)),
        SocketFact::Peer => format!("peer {} -> {}", ino(a.peer_ino), ino(b.peer_ino)),
        SocketFact::Received => {
            format!("unread bytes {} -> {}", number(a.received), number(b.received))
        }
        SocketFact::Outgoing => {
            format!("unsent bytes {} -> {}", number(a.outgoing), number(b.outgoing))
        }
        SocketFact::Shutdown => "shut down in other directions".to_owned(),
        SocketFact::Backlog => format!(
            "backlog {} -> {}",
            a.backlog.unwrap_or_default(),
            b.backlog.unwrap_or_default()
        ),
        SocketFact::Holders => format!("was held by{}", holders(a)),
        other => other.word().to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn mounts<W: Write>(
    sheet: &mut Sheet<'_, W>,
    comparison: &Comparison<'_>,
    show: &CompareShow,
) -> io::Result<()> {
    let Some(found) = &comparison.mounts else { return Ok(()) };
    let (added, removed, changed) = (found.added.len(), found.removed.len(), found.changed.len());
    if added + removed + changed == 0 && !show.unchanged {
        return Ok(());
    }
    let same = found.unchanged.len();
    let counts = [(added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same")];
    sheet.title("mounts", &sum(&counts))?;
    for (sign, list) in [(Sign::Added, &found.added), (Sign::Removed, &found.removed)] {
        for mount in list {
            write_mount(sheet, sign, mount, "")?;
        }
    }
    for change in &found.changed {
        write_mount(sheet, Sign::Changed, change.b, &mount_changes(change))?;
    }
    for mount in found.unchanged.iter().filter(|_| show.unchanged) {
        write_mount(sheet, Sign::Same, mount, "")?;
    }
    Ok(())
}

fn write_mount<W: Write>(
    sheet: &mut Sheet<'_, W>,
    sign: Sign,
    mount: &Mount,
    what: &str,
) -> io::Result<()> {
    let mut line = sheet.signed(1, sign);
    line.push_cuttable(anstyle::Style::new(), mount.mountpoint.escaped(), 16);
    let fstype = mount.fstype.as_ref().map_or("?".into(), Text::escaped);
    line.push(sheet.palette.dim, format!("  {fstype}"));
    line.push_cuttable(sheet.palette.dim, format!(" of {}", mount.source.escaped()), 8);
    line.push_cuttable(sheet.palette.label, format!("  {what}"), 16);
    sheet.write(line)
}

fn mount_changes(change: &MountChange<'_>) -> String {
    let (a, b) = (change.a, change.b);
    let both = |a: &Text, b: &Text| format!("{} -> {}", a.escaped(), b.escaped());
    let fstype =
        |mount: &Mount| mount.fstype.as_ref().map_or("?".into(), Text::escaped).into_owned();
    let words = change.what.iter().map(|fact| match fact {
        MountFact::Fstype => format!("type {} -> {}", fstype(a), fstype(b)),
        MountFact::Source => format!("source {}", both(&a.source, &b.source)),
        MountFact::Root => format!("root {}", both(&a.root, &b.root)),
        MountFact::Options => format!("options {}", both(&a.options, &b.options)),
        MountFact::Propagation => {
            format!("propagation {} -> {}", a.propagation.join(" "), b.propagation.join(" "))
        }
        MountFact::External => "brought in by another key".to_owned(),
        MountFact::Deleted => "its root was removed".to_owned(),
        other => other.word().to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}
