//! Which words of a line are run: the commands themselves, scripts that are given to an interpreter or sourced, and what
//! settings name as commands.
//!
//! Not a parser of shells: it knows enough of sh(1), crontab(5), systemd.service(5), inittab(5) and the settings of
//! supervisors to tell `/tmp/x` from `cp a /tmp/x`, `> /tmp/x` and `TMPDIR=/tmp/x`.

use crate::triage::places::split;

/// A word that is a path, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) path: Vec<u8>,
    /// It is run, not only named.
    pub(super) run: bool,
}

/// What the next word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A command.
    Command,
    /// What stands before a command and belongs to the wrapper in front: a user, a lock, a time.
    Before,
    /// The script of an interpreter, whose `-c` takes commands.
    Script { commands: bool },
    /// The directory that later words begin at.
    Directory,
    /// The value of a variable or option; what follows it is a command when it stands before one.
    Value,
    /// An argument.
    Argument,
}

/// Words that stand before a command, and how many operands they take themselves.
const WRAPPERS: [(&[u8], usize); 44] = [
    (b"ProxyCommand", 0),
    (b"LocalCommand", 0),
    (b"up", 0),
    (b"down", 0),
    (b"pre-up", 0),
    (b"post-up", 0),
    (b"pre-down", 0),
    (b"post-down", 0),
    (b"sudo", 0),
    (b"doas", 0),
    (b"env", 0),
    (b"nohup", 0),
    (b"setsid", 0),
    (b"exec", 0),
    (b"eval", 0),
    (b"trap", 0),
    (b"command", 0),
    (b"time", 0),
    (b"nice", 0),
    (b"ionice", 0),
    (b"xargs", 0),
    (b"runuser", 0),
    (b"stdbuf", 0),
    (b"export", 0),
    (b"alias", 0),
    (b"builtin", 0),
    (b"busybox", 0),
    (b"if", 0),
    (b"elif", 0),
    (b"then", 0),
    (b"else", 0),
    (b"do", 0),
    (b"while", 0),
    (b"until", 0),
    (b"!", 0),
    (b"watch", 0),
    (b"gosu", 1),
    (b"su-exec", 1),
    (b"setuidgid", 1),
    (b"s6-setuidgid", 1),
    (b"flock", 1),
    (b"timeout", 1),
    (b"chroot", 1),
    (b"taskset", 1),
];

/// Interpreters, and whether `-c` gives them commands of a shell.
const INTERPRETERS: [(&[u8], bool); 17] = [
    (b"sh", true),
    (b"bash", true),
    (b"dash", true),
    (b"ash", true),
    (b"zsh", true),
    (b"ksh", true),
    (b"su", true),
    (b"python", false),
    (b"python2", false),
    (b"python3", false),
    (b"perl", false),
    (b"ruby", false),
    (b"php", false),
    (b"node", false),
    (b"java", false),
    (b"source", false),
    (b".", false),
];

/// Settings whose values are commands, in lower case: systemd's begin with `Exec`.
const SETTINGS: [&[u8]; 16] = [
    b"server",
    b"binary",
    b"pager",
    b"editor",
    b"helper",
    b"sshcommand",
    b"script-shell",
    b"command",
    b"program",
    b"run",
    b"prompt_command",
    b"bash_env",
    b"hookspath",
    b"fsmonitor",
    b"proxycommand",
    b"localcommand",
];

/// Commands that stand where a system crontab has a user, and take paths.
const OF_FILES: [&[u8]; 16] = [
    b"cp", b"mv", b"rm", b"ls", b"cat", b"cd", b"touch", b"mkdir", b"find", b"chmod", b"chown",
    b"test", b"rsync", b"tar", b"gzip", b"echo",
];

/// Bytes between words.
fn cuts(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(
            byte,
            b'"' | b'\'' | b';' | b'&' | b'|' | b'(' | b')' | b'{' | b'}' | b'=' | b'`' | b','
        )
        || matches!(byte, b'<' | b'>' | b'@' | b'\\')
}

/// What is known while a line is read.
#[derive(Debug)]
struct Reader<'a> {
    line: &'a [u8],
    at: usize,
    next: Next,
    /// Operands of a wrapper that are still to come.
    operands: usize,
    /// What follows the word that is skipped.
    after: Next,
    /// Brackets that are open.
    depth: usize,
    /// Words so far.
    number: usize,
    /// The last word.
    last: &'a [u8],
    /// What commands and their names are given to by `=`.
    named: bool,
    directory: Option<&'a [u8]>,
    found: Vec<Word>,
}

/// The absolute paths of a line, but those that output goes to.
pub(super) fn words(line: &[u8]) -> Vec<Word> {
    let (line, next) = begin(line);
    let mut reader = Reader {
        line,
        at: 0,
        next,
        operands: 0,
        after: Next::Command,
        depth: 0,
        number: 0,
        last: b"",
        named: false,
        directory: None,
        found: Vec::new(),
    };
    while reader.step() {}
    reader.found
}

/// Cuts off what stands before the first command: `#!`, the times of a job and its user, the fields of inittab.
fn begin(line: &[u8]) -> (&[u8], Next) {
    if let Some(rest) = line.strip_prefix(b"#!") {
        return (rest, Next::Command);
    }
    if let Some(rest) = after_times(line) {
        let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let user = first.iter().all(name)
            && second.is_some()
            && !OF_FILES.contains(&first)
            && !INTERPRETERS.iter().any(|(known, _)| *known == first)
            && !WRAPPERS.iter().any(|(known, _)| *known == first);
        return (rest, if user { Next::Before } else { Next::Command });
    }
    // `id:levels:action:command`.
    let fields = line.splitn(4, |byte| *byte == b':').collect::<Vec<_>>();
    if let [id, levels, action, command] = fields.as_slice() {
        let plain = |part: &[u8]| part.iter().all(u8::is_ascii_alphanumeric);
        if plain(id) && plain(levels) && plain(action) && !action.is_empty() {
            return (command, Next::Command);
        }
    }
    (line, Next::Command)
}

/// The rest of a line behind the five fields of cron, or `@reboot` and the like.
fn after_times(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_start();
    let word = |from: &[u8]| from.iter().position(u8::is_ascii_whitespace);
    if line.starts_with(b"@") {
        let rest = line.get(word(line)?..)?.trim_ascii_start();
        return Some(rest);
    }
    let mut rest = line;
    for _ in 0..5 {
        let end = word(rest)?;
        let field = rest.get(..end)?;
        let of_time =
            |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b',' | b'/' | b'-');
        let named = field.len() == 3 && field.iter().all(u8::is_ascii_alphabetic);
        if !named && !field.iter().all(of_time) {
            return None;
        }
        rest = rest.get(end..)?.trim_ascii_start();
    }
    Some(rest)
}

impl<'a> Reader<'a> {
    fn byte(&self, at: Option<usize>) -> Option<u8> {
        at.and_then(|at| self.line.get(at)).copied()
    }

    /// Takes one word, or one byte between words.
    fn step(&mut self) -> bool {
        let Some(byte) = self.byte(Some(self.at)) else { return false };
        if cuts(byte) {
            self.between(byte);
            return true;
        }
        let rest = self.line.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| cuts(*byte)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or(rest);
        self.at = self.at.saturating_add(end);
        self.word(word);
        self.number = self.number.saturating_add(1);
        self.last = word;
        true
    }

    fn between(&mut self, byte: u8) {
        let before = self.byte(self.at.checked_sub(1));
        let after = self.byte(self.at.checked_add(1));
        self.at = self.at.saturating_add(1);
        let redirects = |byte: Option<u8>| matches!(byte, Some(b'<' | b'>'));
        match byte {
            b';' | b'|' | b'`' | b'\n' => self.begin_command(),
            b'&' if !redirects(before) && !redirects(after) => self.begin_command(),
            b'(' => {
                self.depth = self.depth.saturating_add(1);
                let opens = |byte: u8| cuts(byte) || byte == b'$';
                if before.is_none_or(opens) {
                    self.begin_command();
                }
            }
            // The end of a label of `case`.
            b')' if self.depth == 0 => self.begin_command(),
            b')' => self.depth = self.depth.saturating_sub(1),
            b'{' if before.is_none_or(|byte| byte.is_ascii_whitespace()) => self.begin_command(),
            b'>' => self.skip_target(),
            b'<' if !matches!(self.next, Next::Script { .. }) && after != Some(b'(') => {
                self.skip_target();
            }
            b'=' => self.assigned(),
            b'"' | b'\'' if self.next == Next::Value => self.skip_quoted(byte),
            // A blank ends an empty value, if it directly follows the sign.
            _ if byte.is_ascii_whitespace()
                && self.next == Next::Value
                && before == Some(b'=')
                && (self.number > 1 || self.named) =>
            {
                self.next = self.after;
            }
            _ => {}
        }
    }

    fn begin_command(&mut self) {
        self.next = Next::Command;
        self.operands = 0;
        self.named = false;
    }

    /// Goes past where output goes to, or input comes from.
    fn skip_target(&mut self) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let leads = |byte: &u8| matches!(byte, b'>' | b'<' | b'&' | b'|' | b'"' | b'\'' | b' ');
        let from = rest.iter().position(|byte| !leads(byte)).unwrap_or(rest.len());
        let target = rest.get(from..).unwrap_or_default();
        let end = target.iter().position(|byte| cuts(*byte)).unwrap_or(target.len());
        self.at = self.at.saturating_add(from).saturating_add(end);
    }

    /// Goes past a value in quotation marks, unless commands are in it.
    fn skip_quoted(&mut self, mark: u8) {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == mark) else { return };
        let inner = rest.get(..end).unwrap_or_default();
        let runs = mark == b'"' && (inner.contains(&b'`') || inner.windows(2).any(|w| w == b"$("));
        if !runs {
            self.at = self.at.saturating_add(end).saturating_add(1);
            self.next = self.after;
        }
    }

    /// What stands before `=` says what stands behind it.
    fn assigned(&mut self) {
        let key = self.last.strip_suffix(b"+").unwrap_or(self.last).to_ascii_lowercase();
        let names = self.number == 1 || self.next == Next::Command;
        let commands = key.starts_with(b"exec") || SETTINGS.contains(&key.as_slice());
        if names && (commands || self.named) {
            self.begin_command();
            return;
        }
        if !matches!(self.next, Next::Value) {
            // The next word of a command that begins with variables may be the command.
            self.after = self.next;
            self.next = Next::Value;
        }
    }

    fn word(&mut self, word: &'a [u8]) {
        let assigns = self.byte(Some(self.at)) == Some(b'=');
        match self.next {
            Next::Argument => self.name(word, false),
            Next::Value => {
                self.name(word, false);
                self.next = self.after;
            }
            Next::Directory => {
                self.directory = Some(word);
                self.name(word, false);
                self.next = Next::Argument;
            }
            Next::Before => {
                self.name(word, false);
                self.operands = self.operands.saturating_sub(1);
                if self.operands == 0 {
                    self.next = Next::Command;
                }
            }
            _ if assigns => {}
            Next::Command => self.command(word),
            Next::Script { commands } => match word.strip_prefix(b"-") {
                Some(letters) if commands && letters.ends_with(b"c") => self.begin_command(),
                // `python -c`, `perl -e`, `php -r`: the text follows.
                Some(b"c" | b"e" | b"r" | b"m") => self.next = Next::Argument,
                Some(_) => {}
                None => {
                    self.name(word, true);
                    self.next = Next::Argument;
                }
            },
        }
    }

    fn command(&mut self, word: &'a [u8]) {
        let name = split(word).1;
        // systemd has signs in front of a command.
        let word = word
            .iter()
            .position(|byte| !matches!(byte, b'-' | b'+' | b'!' | b':'))
            .and_then(|from| word.get(from..))
            .filter(|rest| rest.starts_with(b"/"))
            .unwrap_or(word);
        if matches!(word, b"-u" | b"-g" | b"-a") {
            self.next = Next::Before;
            self.operands = 1;
            return;
        }
        if word.starts_with(b"-") || word.first().is_some_and(u8::is_ascii_digit) {
            return;
        }
        self.name(word, true);
        if let Some((_, operands)) = WRAPPERS.iter().find(|(known, _)| *known == name) {
            self.named |= name == b"alias";
            self.operands = *operands;
            // `flock -n` and `timeout -s`: their options come first.
            self.next = if *operands > 0 { self.options() } else { Next::Command };
            return;
        }
        let of_version = |known: &[u8]| {
            name.strip_prefix(known)
                .is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.')))
        };
        self.next = match INTERPRETERS.iter().find(|(known, _)| of_version(known)) {
            Some((_, commands)) => Next::Script { commands: *commands },
            None if matches!(name, b"cd" | b"pushd") => Next::Directory,
            None => Next::Argument,
        };
    }

    /// Goes past the options of a wrapper that takes operands.
    fn options(&mut self) -> Next {
        loop {
            let rest = self.line.get(self.at..).unwrap_or_default();
            let blanks = rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0);
            let word = rest.get(blanks..).unwrap_or_default();
            if !word.starts_with(b"-") {
                return Next::Before;
            }
            let end = word.iter().position(|byte| cuts(*byte)).unwrap_or(word.len());
            self.at = self.at.saturating_add(blanks).saturating_add(end.max(1));
        }
    }

    fn name(&mut self, word: &[u8], run: bool) {
        if word.starts_with(b"/") {
            self.found.push(Word { path: word.to_vec(), run });
        } else if run
            && let Some(rest) = word.strip_prefix(b"./")
            && let Some(directory) = self.directory.filter(|path| path.starts_with(b"/"))
        {
            self.found.push(Word { path: [directory, b"/", rest].concat(), run });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paths that a line runs.
    fn run(line: &str) -> Vec<String> {
        let words = words(line.as_bytes()).into_iter().filter(|word| word.run);
        words.map(|word| String::from_utf8_lossy(&word.path).into_owned()).collect()
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
