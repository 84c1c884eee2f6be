//! Which words of a line are run: the commands themselves, scripts that are given to an interpreter or sourced, and what
//! settings name as commands. So is `/tmp/x` told from `cp a /tmp/x`, `> /tmp/x` and `TMPDIR=/tmp/x`.

use super::shell::lists;
use crate::triage::line::Command;
use crate::triage::line::call::{Call, read, within};

/// Texts with commands inside of each other that are looked into.
const DEEPEST: usize = 4;

/// A word that is a path, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) path: Vec<u8>,
    /// It is run, not only named.
    pub(super) run: bool,
}

/// The absolute paths of a line, but those that output goes to.
pub(super) fn paths(line: &[u8]) -> Vec<Path> {
    let mut paths = Paths::default();
    if !line.contains(&b'/') {
        return paths.found;
    }
    for list in lists(line) {
        paths.list(&list, DEEPEST);
    }
    paths.found
}

#[derive(Debug, Default)]
struct Paths {
    /// Where later commands run.
    directory: Option<Vec<u8>>,
    found: Vec<Path>,
}

/// Bytes between paths in a word.
fn cuts(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || b"\"';&|(){}=`,<>@\\".contains(byte)
}

impl Paths {
    fn list(&mut self, commands: &[Command], depth: usize) {
        for command in commands {
            self.command(command);
            if let Some(depth) = depth.checked_sub(1) {
                for list in within(command) {
                    self.list(&list, depth);
                }
            }
        }
    }

    fn command(&mut self, command: &Command) {
        for word in &command.assigned {
            self.name(&word.text);
        }
        let Some(call) = Call::of(command) else { return };
        for word in call.wrappers.iter().chain([&call.program]) {
            self.run(&word.text, false);
        }
        let told = call.told();
        for word in told.script.iter().chain(&told.loads) {
            self.run(word, true);
        }
        for word in call.arguments.iter().map(|word| word.text.as_slice()) {
            if told.script != Some(word) {
                self.name(word);
            }
        }
        if call.runs_input() {
            for word in read(command) {
                self.run(&word.text, true);
            }
        }
        if matches!(call.name(), b"cd" | b"pushd") {
            self.directory = call.arguments.first().map(|word| word.text.clone());
        }
    }

    /// A word that is run; one that is the name of a file lies in the directory that was changed to.
    fn run(&mut self, word: &[u8], file: bool) {
        // systemd has signs in front of a command.
        let sign = |byte: &u8| matches!(byte, b'-' | b'+' | b'!' | b':' | b'@');
        let from = word.iter().position(|byte| !sign(byte)).unwrap_or_default();
        let plain = word.get(from..).filter(|rest| rest.starts_with(b"/")).unwrap_or(word);
        let end = plain.iter().position(cuts).unwrap_or(plain.len());
        let (path, rest) = plain.split_at_checked(end).unwrap_or_default();
        if path.starts_with(b"/") {
            self.found.push(Path { path: path.to_vec(), run: true });
        } else if let Some(directory) =
            self.directory.as_ref().filter(|path| path.starts_with(b"/"))
            && let Some(rest) =
                path.strip_prefix(b"./").or(Some(path).filter(|path| file && !path.is_empty()))
        {
            let path = [directory.as_slice(), b"/", rest].concat();
            self.found.push(Path { path, run: true });
        }
        self.name(rest);
    }

    fn name(&mut self, word: &[u8]) {
        let paths = word.split(cuts).filter(|piece| piece.starts_with(b"/"));
        self.found.extend(paths.map(|path| Path { path: path.to_vec(), run: false }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that a line runs.
    fn run(line: &str) -> Vec<String> {
        let paths = paths(line.as_bytes()).into_iter().filter(|path| path.run);
        paths.map(|path| String::from_utf8_lossy(&path.path).into_owned()).collect()
    }

    #[test]
    fn what_is_run() {
        for line in [
            "/tmp/x",
            "/tmp/x &",
            "cd / && /tmp/x --quiet",
            "true; nohup /tmp/x >/dev/null 2>&1 &",
            "* * * * * root /tmp/x",
            "*/5 * * * * /tmp/x",
            "0 3 * * mon www-data cd / && /tmp/x",
            "@reboot /tmp/x",
            "@reboot root /tmp/x -d",
            "ExecStart=/tmp/x --a",
            "ExecStartPre=-/tmp/x",
            "Exec=/tmp/x",
            "command=/tmp/x -c",
            "command = /tmp/x",
            "::respawn:/tmp/x",
            "x1:2345:respawn:/tmp/x a",
            ". /tmp/x",
            "source \"/tmp/x\"",
            "[ -x /tmp/y ] && . /tmp/x",
            "sh /tmp/x",
            "bash -x /tmp/x arg",
            "sh -c '/tmp/x'",
            "bash -lc \"exec /tmp/x\"",
            "sh < /tmp/x",
            "python3.11 /tmp/x",
            "A=1 B='2 3' /tmp/x",
            "env A=/tmp/y /tmp/x",
            "sudo -u www-data /tmp/x",
            "flock -n /tmp/lock /tmp/x",
            "timeout 5 /tmp/x",
            "gosu app /tmp/x",
            "v=$(/tmp/x)",
            "v=`/tmp/x`",
            "case) /tmp/x ;;",
            "if true; then /tmp/x; fi",
            "echo $P > /tmp/x; /tmp/x",
            "cd /tmp; ./x",
            "alias l='/tmp/x'",
            "export PROMPT_COMMAND='/tmp/x'",
            "#!/tmp/x",
            "DPkg::Pre-Invoke {\"/tmp/x\";};",
            "RUN+=\"/tmp/x\"",
            "cat a | /tmp/x",
            "  ProxyCommand /tmp/x %h %p",
            "post-up /tmp/x",
            "\tfsmonitor = \"/tmp/x\"",
            "hooksPath = /tmp/x",
            "server = /tmp/x",
            "root: |/tmp/x",
            "root: \"|/tmp/x\"",
            "st = !/bin/sh /tmp/x",
            "node -r /tmp/x app.js",
            "cd /tmp && python3 x",
            "command=\"/tmp/x\",no-pty ssh-rsa AAAA",
            "ACTION==\"add\", RUN+=\"/tmp/x\"",
            "su app -c '/tmp/x -d'",
            "bash <<< \"$(/tmp/x)\"",
        ] {
            let all = run(line);
            assert!(all.contains(&"/tmp/x".to_owned()), "{line}: {all:?}");
            assert!(!all.contains(&"/tmp/lock".to_owned()) && !all.contains(&"/tmp/y".to_owned()));
        }
    }

    #[test]
    fn what_is_only_named() {
        for line in [
            "export XDG_RUNTIME_DIR=/tmp/x",
            "TMPDIR=/tmp/x",
            "TMPDIR=\"/tmp/x\"",
            "A=\"1 /tmp/x\" true",
            "cp /x /tmp/x",
            "* * * * * cp /a /tmp/x",
            "0 3 * * * root /usr/bin/backup > /tmp/x 2>&1",
            "nginx -c /tmp/x",
            "exec nginx -c /tmp/x",
            "[ -f /tmp/x ] || exit 0",
            "java -Djava.io.tmpdir=/tmp/x",
            "open(\"/tmp/x\")",
            "with open('/tmp/x') as file:",
            "mkdir -p /tmp/x",
            "Environment=HOME=/tmp/x",
            "WorkingDirectory=/tmp/x",
            "echo ${A:-/tmp/x}",
            "echo hello &> /tmp/x",
            "cat < /tmp/x",
            "python3 -c 'open(\"/tmp/x\")'",
            "node --title=/tmp/x app.js",
        ] {
            let all = run(line);
            assert!(!all.contains(&"/tmp/x".to_owned()), "{line}: {all:?}");
        }
    }
}
