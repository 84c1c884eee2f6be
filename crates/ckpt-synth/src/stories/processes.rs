//! Processes that are out of the ordinary.

use super::looper_shell;
use crate::task::SockFilter;
use crate::{Caps, Dump, File, Message, State, Task, Vma};

/// The start of an ELF file, which stands for a program: magic, and this text after it.
pub const IMPLANT: &[u8] =
    b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0implant by ckpt-synth";

/// The environment that pid 2 of [`broken_environ`] should have had.
pub const LOST_ENVIRON: &[&str] = &["PATH=/bin", "SECRET=lost-1234", "LANG=C"];

/// Three processes. Pid 1 has a sound environment; pid 2's area is bytes of no encoding (`ff fe 80`, again and again,
/// no NUL); pid 3's area is zeros.
#[must_use]
pub fn broken_environ() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell())
        .task(Task::new(2, 1).env(LOST_ENVIRON).broken_environ(b"\xff\xfe\x80"))
        .task(Task::new(3, 1).env(LOST_ENVIRON).broken_environ(b"\0"));
    dump
}

/// What the processes of [`titles`] show, by pid.
pub const TITLES: &[(u32, &str)] = &[
    (1, "nginx: master process /usr/sbin/nginx -g daemon off;"),
    (2, "nginx: worker process"),
    (3, "nginx: cache manager process which has a long name"),
    (4, "x"),
];

/// Overwritten arguments: pid 1's title fills the argument area and goes on into the environment; pid 2's is shorter
/// than the area and followed by NULs; pid 3's runs far into the environment, which is then gone; pid 4's is one letter.
/// All were started as `/usr/sbin/nginx -g daemon off; -c conf` with `TITLE_TOKEN=nginx-77` in the environment.
#[must_use]
pub fn titles() -> Dump {
    let mut dump = Dump::new();
    for (pid, title) in TITLES {
        let task = Task::new(*pid, u32::from(*pid != 1))
            .exe("/usr/sbin/nginx")
            .argv(&["/usr/sbin/nginx", "-g", "daemon off;", "-c", "conf"])
            .env(&["PATH=/usr/bin:/bin", "TITLE_TOKEN=nginx-77", "LANG=C.UTF-8"])
            .title(title);
        dump.task(task);
    }
    dump
}

/// What `clone` shares: 2 has the memory of 1 (`CLONE_VM`), 3 its descriptors (`CLONE_FILES`), 4 its directories
/// (`CLONE_FS`), 5 all three and the signal handlers; 6 shares nothing. Only pid 1 and pid 6 have all images.
#[must_use]
pub fn sharing() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell().cwd("/srv").fd(5, File::path("/etc/passwd")))
        .task(Task::new(2, 1).comm("vm").share_vm_with(1))
        .task(Task::new(3, 1).comm("files").share_files_with(1))
        .task(Task::new(4, 1).comm("fs").share_fs_with(1))
        .task(
            Task::new(5, 1)
                .comm("all")
                .share_vm_with(1)
                .share_files_with(1)
                .share_fs_with(1)
                .share_sighand_with(1),
        )
        .task(Task::new(6, 1).comm("none"));
    dump
}

/// Pid 4 runs `/tmp/.sysupd`, which was deleted; its content, [`IMPLANT`], is in `ghost-file-1.img`. It also holds
/// `/tmp/stage2` open, deleted, 20000 bytes of `2`, so that its ghost is in chunks.
#[must_use]
pub fn deleted_exe() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell()).task(
        Task::new(4, 1)
            .exe_deleted("/tmp/.sysupd", IMPLANT)
            .argv(&["/tmp/.sysupd", "--daemon"])
            .fd(3, File::deleted("/tmp/stage2", vec![b'2'; 20_000])),
    );
    dump
}

/// Pid 6 runs a memfd called `systemd-journald`, whose content is [`IMPLANT`]; `comm` is cut to `memfd:systemd-j`.
#[must_use]
pub fn memfd_exe() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell())
        .task(Task::new(6, 1).exe_memfd("systemd-journald", IMPLANT).argv(&["/proc/self/fd/3"]));
    dump
}

/// Pid 3 poses as a kernel thread: `comm` is `kworker/0:1` and its arguments are overwritten with `[kworker/0:1]`, but
/// it runs `/usr/lib/.cache/upd` and has memory.
#[must_use]
pub fn kworker() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell()).task(
        Task::new(3, 1)
            .exe("/usr/lib/.cache/upd")
            .comm("kworker/0:1")
            .argv(&["/usr/lib/.cache/upd", "--connect", "203.0.113.7:443"])
            .title(b"[kworker/0:1]")
            .fd(3, File::tcp(777, ([10, 88, 0, 5], 40_022), ([203, 0, 113, 7], 443), b"cmd", b"")),
    );
    dump
}

/// One process with four threads: 1 `java`, 11 `GC Thread#0`, 12 `C2 CompilerThre`, 13 `net` (a name of 15 bytes among
/// them).
#[must_use]
pub fn threads() -> Dump {
    let mut dump = Dump::new();
    dump.task(
        Task::new(1, 0)
            .exe("/usr/bin/java")
            .argv(&["java", "-jar", "app.jar"])
            .thread(11, "GC Thread#0")
            .thread(12, "C2 CompilerThread0")
            .thread(13, "net"),
    );
    dump
}

/// The seccomp filter of pid 3 in [`credentials`]: allow everything.
pub const ALLOW_ALL: &[SockFilter] = &[(6, 0, 0, 0x7fff_0000)];

/// Pid 1: root with every capability. Pid 2: uid 33, gid 33, groups 4 and 27, no capability, `no_new_privs`. Pid 3: as
/// root by default, with a seccomp filter and the AppArmor profile `crio-default`. Pid 4: stopped. Pid 5: in `/jail` by
/// chroot, umask 077, `oom_score_adj` -500, logged in as 1000, session 5.
#[must_use]
pub fn credentials() -> Dump {
    let mut dump = Dump::new();
    dump.task(Task::new(1, 0).caps(Caps::ALL))
        .task(
            Task::new(2, 1)
                .comm("www")
                .uid(33)
                .gid(33)
                .groups(&[4, 27])
                .caps(Caps::NONE)
                .no_new_privs(),
        )
        .task(Task::new(3, 1).comm("caged").seccomp(ALLOW_ALL).lsm_profile("crio-default"))
        .task(Task::new(4, 1).comm("stopped").state(State::Stopped))
        .task(
            Task::new(5, 1)
                .comm("jailed")
                .root("/jail")
                .cwd("/jail/home")
                .umask(0o77)
                .oom_score_adj(-500)
                .loginuid(1000)
                .session(5, 5),
        );
    dump
}

/// The `comm` of pid 2 in [`control_bytes`]: a terminal escape that sets a colour, and a bell.
pub const ESCAPE_COMM: &[u8] = b"\x1b[31mred\x07\x1b[0m";

/// Names that a terminal or a parser may stumble over, in `comm`, arguments, environment, executable and open files:
/// pid 2 has escapes, newlines and tabs; pid 3 bytes that are no UTF-8; pid 4 right-to-left and zero-width characters;
/// pid 5 an empty `comm` and no arguments at all; pid 6 a `comm` full of quotes, brackets and markup.
#[must_use]
pub fn control_bytes() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell())
        .task(
            Task::new(2, 1)
                .comm(ESCAPE_COMM)
                .exe("/tmp/a\nb\tc\x1b]0;title\x07")
                .argv(&["\x1b[2J", "line\nbreak", "tab\tand\rreturn"])
                .env(&["PS1=\x1b[1m$ ", "NO_EQUALS", "=nothing before", "TWO=1", "TWO=2"])
                .fd(3, File::path("/var/log/\x1b[5mblink")),
        )
        .task(
            Task::new(3, 1)
                .comm(b"\xff\xfe\x80raw")
                .exe(b"/opt/caf\xe9/bin".to_vec())
                .argv(&[&b"caf\xe9"[..], b"\xf0\x9f\x92"])
                .env(&[&b"NAME=\xc3\x28"[..]])
                .cwd(b"/srv/\xff".to_vec()),
        )
        .task(
            Task::new(4, 1)
                .comm("\u{202e}gpj.exe")
                .exe("/tmp/\u{200b}ls")
                .argv(&["\u{202e}txt.sh", "\u{feff}bom"]),
        )
        .task(Task::new(5, 1).comm("").argv(&[] as &[&str]).env(&[] as &[&str]))
        .task(Task::new(6, 1).comm("\"'<b>&|,;{}[]").argv(&[
            "=cmd()",
            "<script>alert(1)</script>",
            "a,b\"c",
            "%s%n",
            "",
        ]));
    dump
}

/// One of each kind of open file in pid 1: 3 a file at offset 4096; 4 a deleted file; 5 and 6 the ends of a pipe with
/// `pipe data` in it; 7 a memfd `scratch` with content `in the memfd`; 8 a TCP listener on 0.0.0.0:80; 9 an established
/// connection from 10.88.0.9:50000 with `GET / HTTP/1.1` unread and `HTTP/1.1 200` unsent; 10 and 11 a unix socket pair
/// with one message for 11; 12 a unix listener at `/run/app.sock`; 13 an eventfd that counts 42; 14 a UDP socket on port
/// 53; 15 a type that no CRIU has (99). Pid 2 inherited 0 to 6.
#[must_use]
pub fn descriptors() -> Dump {
    let pipe = (File::pipe_read(500, b"pipe data"), File::pipe_write(500));
    let log = File::Reg {
        path: b"/var/log/app.log".to_vec(),
        flags: 0o102_001,
        pos: 4096,
        deleted: None,
    };
    let gone = File::deleted("/tmp/gone", b"still here\n");
    let inherit = |task: Task| {
        task.fd(3, log.clone())
            .fd(4, gone.clone())
            .fd(5, pipe.0.clone())
            .fd_cloexec(6, pipe.1.clone())
    };
    let udp = File::Inet {
        ino: 905,
        kind: 2,
        state: 7,
        local: ([0; 4], 53),
        remote: ([0; 4], 0),
        queues: None,
    };
    let unknown = File::Other { kind: 99, field: 99, message: Message::new() };
    let first = inherit(looper_shell())
        .fd(7, File::memfd("scratch"))
        .fd(8, File::tcp_listen(901, ([0; 4], 80)))
        .fd(
            9,
            File::tcp(
                902,
                ([10, 88, 0, 5], 80),
                ([10, 88, 0, 9], 50_000),
                b"GET / HTTP/1.1\r\n\r\n",
                b"HTTP/1.1 200",
            ),
        )
        .fd(10, File::unix_pair(903, 904, vec![]))
        .fd(11, File::unix_pair(904, 903, vec![b"over the pair".to_vec()]))
        .fd(12, File::unix_listen(906, "/run/app.sock"))
        .fd(13, File::Eventfd { counter: 42 })
        .fd(14, udp)
        .fd(15, unknown);
    let mut dump = Dump::new();
    dump.memfd("scratch", 7000, 12, &[(0, b"in the memfd")])
        .task(first)
        .task(inherit(Task::new(2, 1).comm("heir")));
    dump
}

/// Pid 2's text was written to: a stored page lies in its executable mapping, at `0x402000`, and begins with
/// `\xe9hooked`. Pid 3 has memory that is writable and executable at `0x7100_0000_0000`, with shell code (`90 90 cc`).
#[must_use]
pub fn patched_text() -> Dump {
    let mut dump = Dump::new();
    dump.task(looper_shell())
        .task(Task::new(2, 1).comm("patched").pages(0x40_2000, b"\xe9hooked"))
        .task(
            Task::new(3, 1)
                .comm("injected")
                .map(Vma::anon(0x7100_0000_0000, 0x2000).prot(7))
                .pages(0x7100_0000_0000, b"\x90\x90\xcc"),
        );
    dump
}
