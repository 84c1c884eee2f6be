//! Shells and interpreters that somebody uses over the network: on a socket, behind a relay, started by a service.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use ckpt_model::{Descriptor, Endpoint, Family, Pid, Socket, Strings, Task, fd_type};
use criu_image::ImageKind;

use super::commands::{self, is_asked_for, is_own};
use super::executables::absolute;
use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::programs::{is_interpreter, is_shell, is_tool, program, script, stem};
use super::provenance::Provenance;
use super::subject::{Subject, base_name, command_line, named, shortened};
use super::talk::{self, is_conversation, is_inet, is_listener, is_outgoing};
use super::web_shell;

pub(super) static RULES: &[&Rule] = &[&ON_SOCKET, &RELAYED, &OF_SERVICE];

static ON_SOCKET: Rule = Rule {
    id: "shell-on-socket",
    title: "A shell or interpreter has a network connection",
    why: "What comes over the network is run as commands: a reverse shell, or a shell bound to a port.",
    wrong: "Services that an inetd starts have their connection as standard input and output; they are hardly ever shells. Scripts of bash that wait for a service, or ask for its health, have a connection for a moment.",
    check: "ckpt-inspect files --pid PID EVIDENCE; ckpt-inspect files --sockets EVIDENCE; ckpt-inspect extract --pid PID EVIDENCE",
    attack: &["T1059.004", "T1071", "T1095"],
};

static RELAYED: Rule = Rule {
    id: "shell-relayed",
    title: "A shell's terminal is held by a process that talks over the network",
    why: "Commands reach the shell through a pipe, a pair of sockets or a pseudo terminal from a process with a network connection: a relayed shell.",
    wrong: "Remote logins (sshd), web terminals and notebooks work like that.",
    check: "ckpt-inspect files --pid PID EVIDENCE; ckpt-inspect files --sockets --pipes EVIDENCE",
    attack: &["T1059.004"],
};

static OF_SERVICE: Rule = Rule {
    id: "interpreter-child-of-service",
    title: "A network service has started a shell or an interpreter",
    why: "A service that is reached over the network and runs a shell is how commands are injected into it, and how webshells work.",
    wrong: "Services that convert, send mail or run hooks start commands themselves; supervisors that listen on a port start whatever they are told to.",
    check: "ckpt-inspect tree EVIDENCE; ckpt-inspect files --pid PID EVIDENCE; ckpt-inspect diff EVIDENCE",
    attack: &["T1505.003", "T1190", "T1059.004"],
};

/// Programs whose children are shells by trade: logins, supervisors, builders, notebooks.
const STARTERS: [&[u8]; 32] = [
    b"sshd",
    b"sshd-session",
    b"dropbear",
    b"systemd",
    b"supervisord",
    b"tini",
    b"dumb-init",
    b"s6-svscan",
    b"runsvdir",
    b"cron",
    b"crond",
    b"jenkins",
    b"agent",
    b"gitlab-runner",
    b"Runner.Listener",
    b"buildkitd",
    b"containerd",
    b"dockerd",
    b"conmon",
    b"kubelet",
    b"ttyd",
    b"gotty",
    b"code-server",
    b"tmux",
    b"jupyter-lab",
    b"jupyter-notebook",
    b"jupyter-server",
    b"jupyter-labhub",
    b"jupyterhub-singleuser",
    b"openvscode-server",
    b"wetty",
    b"beam.smp",
];

/// Commands that tell somebody where he is.
const LOOKS_AROUND: [&[u8]; 8] =
    [b"id", b"whoami", b"uname", b"uname -a", b"w", b"netstat", b"ifconfig", b"ps aux"];

/// Files of accounts, which strangers read first.
const ACCOUNTS: [&[u8]; 2] = [b"/etc/passwd", b"/etc/shadow"];

/// Processes below a shell that are looked at.
const MOST_DESCENDANTS: usize = 64;

/// Connections of one process that are looked at.
const MOST_SOCKETS: usize = 64;

/// Ancestors that a descriptor may come from.
const MOST_ANCESTORS: usize = 64;

/// Descendants of a shell that are told.
const MOST_TOLD: usize = 6;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut told: BTreeSet<Pid> = BTreeSet::new();
    for task in &subject.tasks {
        if let Some(finding) = on_socket(subject, task).or_else(|| connected(subject, task)) {
            told.insert(task.pid);
            findings.push(finding);
        }
    }
    let pages = OnceCell::new();
    for task in &subject.tasks {
        if told.contains(&task.pid) {
            continue;
        }
        let finding = of_service(subject, task, &told, &pages).or_else(|| {
            let (severity, relay) = relayed(subject, task)?;
            let title = format!("{} is used over the network: {}", named(task), relay.what);
            let finding = Finding::new(&RELAYED, severity, Confidence::Medium, title);
            Some(with_process(subject, task, finding).seen(relay))
        });
        if let Some(finding) = finding {
            told.insert(task.pid);
            findings.push(finding);
        }
    }
}

/// Whether commands of whoever writes to it are run.
fn obeys(task: &Task) -> bool {
    is_shell(program(task)) || is_interpreter(program(task))
}

fn standard<'s>(subject: &Subject<'s>, task: &Task) -> Vec<&'s Descriptor> {
    let all = subject.checkpoint.descriptors().of(task.pid);
    all.iter().filter(|descriptor| descriptor.fd <= 2).collect()
}

fn with_process(subject: &Subject<'_>, task: &Task, finding: Finding) -> Finding {
    let mut finding = finding.of(task.pid);
    if let Some(exe) = subject.executable(task) {
        finding = finding.path(exe.path.clone());
    }
    finding.evidence.extend(subject.seen_arguments(task));
    finding
}

fn on_socket(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    let standard = standard(subject, task);
    let held = subject.sockets_of(task.pid);
    let on: Vec<(u32, &Socket)> = standard
        .iter()
        .filter_map(|one| {
            let (_, socket) = held.iter().find(|(fd, _)| *fd == one.fd)?;
            (is_inet(socket) && !is_listener(socket)).then_some((one.fd, *socket))
        })
        .collect();
    let (_, socket) = on.first()?;
    let reads = on.iter().any(|(fd, _)| *fd == 0);
    let writes = on.iter().any(|(fd, _)| *fd > 0);
    let all_one = on.len() == 3 && on.iter().all(|(_, one)| one.file_id == socket.file_id);
    let shell = is_shell(program(task));
    let service = started_by_inetd(subject, task, socket);
    let (severity, confidence) = match () {
        () if shell && reads && writes => (Severity::Critical, Confidence::High),
        () if shell && reads => (Severity::High, Confidence::Medium),
        () if service => (Severity::Low, Confidence::Low),
        () if reads && writes && obeys(task) => (Severity::High, Confidence::Medium),
        () if all_one => (Severity::High, Confidence::Medium),
        () if reads && writes && subject.is_foreign(task) => (Severity::High, Confidence::Medium),
        _ => return None,
    };
    let peer = match &socket.remote {
        Some(end @ Endpoint::Inet { port, .. }) if *port != 0 => {
            format!("connected to {}", end.text().escaped())
        }
        _ => talk::worded(socket),
    };
    let title = format!("{} has a network socket as its terminal, {peer}", named(task));
    let finding = Finding::new(&ON_SOCKET, severity, confidence, title);
    let mut finding = with_process(subject, task, finding);
    let member = subject.image(ImageKind::Files, None);
    for (fd, socket) in &on {
        let name = ["standard input", "standard output", "standard error"];
        let name = usize::try_from(*fd).ok().and_then(|fd| name.get(fd)).unwrap_or(&"descriptor");
        let what = format!("{name} is {}", talk::worded(socket));
        finding = finding.seen(Seen::new(what).member(member.clone()));
    }
    let other = subject.links.peer(socket);
    for holder in other.iter().flat_map(|other| &other.holders).take(MOST_TOLD) {
        let Some(task) = subject.task(holder.pid) else { continue };
        let what = format!("the other end is descriptor {} of {}", holder.fd, named(task));
        finding = finding.seen(Seen::new(what).member(member.clone()));
    }
    finding.evidence.extend(started_by(subject, task));
    Some(finding)
}

/// A shell that called somebody by itself, on whatever descriptor: `exec 5<>/dev/tcp/…`.
fn connected(subject: &Subject<'_>, task: &Task) -> Option<Finding> {
    if !is_shell(program(task)) {
        return None;
    }
    let held = subject.sockets_of(task.pid).iter();
    let mut talking = held
        .filter(|(fd, socket)| *fd > 2 && is_conversation(socket))
        .take(MOST_SOCKETS)
        .peekable();
    talking.peek()?;
    let of_ancestors = ancestors(subject, task);
    let (fd, socket) = talking.find(|(_, socket)| {
        !socket.holders.iter().any(|holder| of_ancestors.contains(&holder.pid))
    })?;
    let answered = socket.state == talk::ESTABLISHED && is_outgoing(subject, socket);
    let severity =
        if answered && !is_own(subject, task) { Severity::High } else { Severity::Medium };
    let title = format!("{} has a network connection of its own", named(task));
    let finding = Finding::new(&ON_SOCKET, severity, Confidence::Medium, title);
    let what = format!("descriptor {fd} is {}", talk::worded(socket));
    let seen = Seen::new(what).member(subject.image(ImageKind::Files, None));
    let mut finding = with_process(subject, task, finding).seen(seen);
    finding.evidence.extend(started_by(subject, task));
    Some(finding)
}

/// The processes above a task.
fn ancestors(subject: &Subject<'_>, task: &Task) -> BTreeSet<Pid> {
    let mut above = BTreeSet::new();
    let mut at = subject.parent(task);
    while let Some(parent) = at.filter(|parent| parent.pid != task.pid) {
        if above.len() >= MOST_ANCESTORS || !above.insert(parent.pid) {
            break;
        }
        at = subject.parent(parent);
    }
    above
}

/// Whether an inetd handed over a connection that came to its listener: its parent still listens there.
fn started_by_inetd(subject: &Subject<'_>, task: &Task, socket: &Socket) -> bool {
    let port = talk::port(socket.local.as_ref());
    let Some(parent) = subject.parent(task) else { return false };
    let mut held = subject.sockets_of(parent.pid).iter();
    port.is_some()
        && held.any(|(_, one)| is_listener(one) && talk::port(one.local.as_ref()) == port)
}

fn started_by(subject: &Subject<'_>, task: &Task) -> Option<Seen> {
    let parent = subject.parent(task)?;
    let line = parent.argv.as_ref().map(command_line).unwrap_or_default();
    let what = format!("started by {}: {}", named(parent), shortened(&line));
    Some(Seen::new(what).member(subject.image(ImageKind::Pstree, None)))
}

/// What makes a process a network service: a listener of its own, or a connection that came to one.
fn service<'s>(subject: &Subject<'s>, task: &Task) -> Option<&'s Socket> {
    let held = subject.sockets_of(task.pid);
    let sockets = || held.iter().map(|(_, socket)| *socket);
    let public = sockets().find(|one| is_listener(one) && !talk::is_loopback(one.local.as_ref()));
    let accepted =
        || sockets().find(|one| is_conversation(one) && subject.links.listens_at_port_of(one));
    let unix = |one: &&Socket| one.family == Family::Unix && one.state == talk::LISTEN;
    public
        .or_else(accepted)
        .or_else(|| sockets().find(|one| is_listener(one)))
        .or_else(|| sockets().find(unix))
}

/// A shell, an interpreter or a tool whose parent is a network service.
fn of_service(
    subject: &Subject<'_>,
    task: &Task,
    told: &BTreeSet<Pid>,
    pages: &OnceCell<bool>,
) -> Option<Finding> {
    let parent = subject.parent(task)?;
    let name = program(task);
    let shell = is_shell(name);
    if !(shell || is_interpreter(name) || is_tool(name)) || told.contains(&parent.pid) {
        return None;
    }
    // Workers run what their parent runs.
    let same = parent.exe.as_ref().map(|exe| &exe.path) == task.exe.as_ref().map(|exe| &exe.path);
    let starter = program(parent);
    if same || is_shell(starter) || is_asked_for(subject, task) {
        return None;
    }
    let socket = service(subject, parent)?;
    // Descriptors that a shell got from its parent make it no service; nor does what only talks to others.
    let by_trade = starts_shells(subject, parent);
    let relay = relayed(subject, task).map(|(_, relay)| relay);
    let piped = relay.is_some() || talks_to(subject, task, parent);
    // Behind something in the same container that is reached from outside, it is reached from outside, too.
    let remote = is_inet(socket) && subject.links.reached;
    let command = is_command(task);
    let severity = match () {
        () if by_trade => Severity::Low,
        () if shell
            && remote
            && (piped || is_interactive(task))
            && (reads_commands(task) || is_intruders(subject, task, pages)) =>
        {
            Severity::High
        }
        () if shell && (piped || remote) => Severity::Medium,
        () if !remote => Severity::Low,
        () if is_interpreter(name) && (piped || command) => Severity::Medium,
        _ => Severity::Low,
    };
    let title = format!("{} was started by the network service {}", named(task), named(parent));
    let finding = Finding::new(&OF_SERVICE, severity, Confidence::Medium, title);
    let mut finding = with_process(subject, task, finding);
    finding.evidence.extend(started_by(subject, task));
    let what = format!("{} has {}", named(parent), talk::worded(socket));
    finding = finding.seen(Seen::new(what).member(subject.image(ImageKind::Files, None)));
    finding.evidence.extend(relay);
    for child in subject.children(task).take(MOST_TOLD) {
        let line = child.argv.as_ref().map(command_line).unwrap_or_default();
        let what = format!("it started {}: {}", named(child), shortened(&line));
        finding = finding.seen(Seen::new(what).member(subject.image(ImageKind::Pstree, None)));
    }
    Some(finding)
}

/// Whether the children of a program are shells by trade. An interpreter is what its script makes of it, provided that
/// both are of the image.
fn starts_shells(subject: &Subject<'_>, task: &Task) -> bool {
    let known = |name: &[u8]| STARTERS.contains(&name) || STARTERS.contains(&stem(name));
    let name = program(task);
    if subject.is_foreign(task) {
        return false;
    }
    if known(name) {
        return true;
    }
    let argv = task.argv.as_ref().filter(|_| is_interpreter(name));
    let script = argv.and_then(|argv| script(name, argv));
    let Some(script) = script.and_then(|script| absolute(task, script)) else { return false };
    let end = base_name(&script);
    let ending = [&b".py"[..], b".js", b".jar", b".war"];
    let plain = ending.iter().find_map(|ending| end.strip_suffix(*ending)).unwrap_or(end);
    // Starters of a package lie in its folder: /usr/lib/code-server/out/node/entry.
    let server = script.split(|byte| *byte == b'/').any(|part| part.ends_with(b"code-server"));
    if !(known(plain) || server) {
        return false;
    }
    let of = Provenance::of_path(subject, &script);
    of.packaged || !(of.is_foreign() || of.written.is_some() || of.temporary)
}

/// Whether something beside the shell tells that it is not the service's own command: where its commands come from, what
/// they do, what runs below it, or a page that runs commands.
fn is_intruders(subject: &Subject<'_>, task: &Task, pages: &OnceCell<bool>) -> bool {
    let has_pages = || {
        *pages.get_or_init(|| {
            let mut found = Vec::new();
            web_shell::look(subject, &mut found);
            found.iter().any(|one| one.severity >= Severity::High)
        })
    };
    is_fed(subject, task)
        || commands::verdict(task).is_some_and(|(_, severity, _)| severity >= Severity::High)
        || looks_around(task)
        || starts_strangers(subject, task)
        || has_pages()
}

/// Whether standard input is a pipe that the parent writes to.
fn is_fed(subject: &Subject<'_>, task: &Task) -> bool {
    let input = subject.checkpoint.descriptors().get(task.pid, 0);
    let pipe = input.filter(|input| is_pipe(input));
    pipe.is_some_and(|pipe| ends(subject, pipe).any(|pid| Some(pid) == task.ppid))
}

/// Whether a command of the line asks who and where it is, or reads the accounts.
fn looks_around(task: &Task) -> bool {
    let mut words = task.argv.iter().flat_map(Strings::iter).skip(1).take(MOST_TOLD);
    words.any(|word| {
        let mut commands = word.split(|byte| matches!(byte, b';' | b'&' | b'|' | b'\n' | b'`'));
        let asks = commands.any(|command| LOOKS_AROUND.contains(&command.trim_ascii()));
        asks || ACCOUNTS.iter().any(|file| memchr::memmem::find(word, file).is_some())
    })
}

/// Whether something below a shell is not of the image, is a shell for somebody who types, or has called somebody.
fn starts_strangers(subject: &Subject<'_>, task: &Task) -> bool {
    let mut below: Vec<&Task> = subject.children(task).take(MOST_DESCENDANTS).collect();
    let mut at = 0_usize;
    while let Some(child) = below.get(at).copied() {
        let held = subject.sockets_of(child.pid).iter().map(|(_, socket)| *socket);
        let mut called = held.filter(|socket| is_outgoing(subject, socket)).take(MOST_SOCKETS);
        let calls =
            called.any(|socket| !socket.holders.iter().any(|holder| Some(holder.pid) == task.ppid));
        let typed = is_shell(program(child)) && is_interactive(child);
        if subject.is_foreign(child) || typed || calls {
            return true;
        }
        let room = MOST_DESCENDANTS.saturating_sub(below.len());
        below.extend(subject.children(child).take(room));
        at = at.saturating_add(1);
    }
    false
}

/// Whether a shell reads its commands from standard input: it has neither a command nor a script among its arguments, or
/// was told to with `-s`.
fn reads_commands(task: &Task) -> bool {
    let Some(argv) = &task.argv else { return true };
    if script(program(task), argv).is_some() {
        return false;
    }
    let groups =
        argv.iter().skip(1).filter(|word| word.starts_with(b"-") && !word.starts_with(b"--"));
    let mut letters = groups.flatten();
    // Words behind a command are its own.
    !matches!(letters.find(|letter| matches!(letter, b'c' | b's')), Some(b'c'))
}

/// Whether the program is on the command line: `sh -c …`, `python -c …`, `perl -e …`.
fn is_command(task: &Task) -> bool {
    let mut options = task.argv.iter().flat_map(Strings::iter).skip(1).take(4);
    options.any(|word| {
        let short = word.starts_with(b"-") && !word.starts_with(b"--") && word.len() <= 4;
        short && word.last().is_some_and(|last| matches!(last, b'c' | b'e' | b'r' | b'E'))
    })
}

/// Whether it is a shell for somebody who types: no argument, or `-i`.
fn is_interactive(task: &Task) -> bool {
    let mut rest = task.argv.iter().flat_map(Strings::iter).skip(1).filter(|word| !word.is_empty());
    rest.all(|word| matches!(word, b"-i" | b"-l" | b"-p" | b"-li" | b"--login" | b"--norc"))
}

/// Whether one of the standard streams of a process leads to another one through a pipe.
fn talks_to(subject: &Subject<'_>, task: &Task, other: &Task) -> bool {
    standard(subject, task)
        .iter()
        .any(|one| is_pipe(one) && ends(subject, one).any(|pid| pid == other.pid))
}

fn is_pipe(one: &Descriptor) -> bool {
    matches!(one.fd_type, fd_type::PIPE | fd_type::FIFO)
}

/// The processes at the other end of a pipe, named or not.
fn ends<'s>(subject: &'s Subject<'_>, end: &Descriptor) -> impl Iterator<Item = Pid> + 's {
    let reads = end.fd == 0;
    let pipe = subject.links.pipe(end.file_id);
    pipe.into_iter().flat_map(move |pipe| {
        let others = if reads { &pipe.writers } else { &pipe.readers };
        others.iter().map(|holder| holder.pid)
    })
}

/// What brings the commands of a shell from the network, or takes its answers there, and how much that matters.
fn relayed(subject: &Subject<'_>, task: &Task) -> Option<(Severity, Seen)> {
    if !is_shell(program(task)) {
        return None;
    }
    standard(subject, task).into_iter().find_map(|stream| {
        let (pids, through): (Vec<Pid>, _) = match stream.fd_type {
            fd_type::PIPE => (ends(subject, stream).collect(), "a pipe"),
            fd_type::FIFO => (ends(subject, stream).collect(), "a named pipe"),
            fd_type::UNIXSK => (subject.links.peers(task.pid, stream.fd), "a pair of sockets"),
            fd_type::TTY => {
                (subject.links.masters(subject.checkpoint, stream.file_id), "a pseudo terminal")
            }
            _ => return None,
        };
        let (other, socket) = pids.iter().find_map(|pid| {
            let other = subject.task(*pid).filter(|one| one.pid != task.pid)?;
            let held = subject.sockets_of(other.pid);
            // A connection that it made says more than one that was made to it.
            let mine = held.iter().find(|(_, socket)| is_outgoing(subject, socket));
            let (_, socket) = mine.or_else(|| held.iter().find(|(_, one)| is_conversation(one)))?;
            Some((other, *socket))
        })?;
        let login = starts_shells(subject, other);
        let severity = match () {
            () if login => Severity::Low,
            () if subject.is_foreign(other) => Severity::High,
            () if is_outgoing(subject, socket)
                && (is_interactive(task) || (stream.fd == 0 && reads_commands(task))) =>
            {
                Severity::High
            }
            () => Severity::Medium,
        };
        let name = if stream.fd == 0 { "standard input comes" } else { "its output goes" };
        let way = if stream.fd == 0 { "from" } else { "to" };
        let what = format!(
            "{name} through {through} {way} {}, which has {}",
            named(other),
            talk::worded(socket)
        );
        Some((severity, Seen::new(what).member(subject.image(ImageKind::Files, None))))
    })
}
