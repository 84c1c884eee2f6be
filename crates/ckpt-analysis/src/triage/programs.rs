//! What is known of programs by their names: shells, interpreters, programs of many names, compilers at run time.
//!
//! Names decide only what is innocent or what a program can do; whether something is suspicious is never read off a name
//! alone.

use ckpt_model::{Strings, Task, Text};

use super::subject::base_name;

/// Shells, by the name of the file.
const SHELLS: [&[u8]; 15] = [
    b"sh", b"bash", b"rbash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"lksh", b"oksh", b"yash",
    b"csh", b"tcsh", b"fish", b"pwsh",
];

/// Interpreters of programs that are text, without version.
const INTERPRETERS: [&[u8]; 24] = [
    b"python",
    b"pypy",
    b"perl",
    b"ruby",
    b"node",
    b"nodejs",
    b"deno",
    b"bun",
    b"php",
    b"php-cgi",
    b"lua",
    b"luajit",
    b"tclsh",
    b"wish",
    b"expect",
    b"gawk",
    b"mawk",
    b"awk",
    b"original-awk",
    b"guile",
    b"julia",
    b"Rscript",
    b"groovy",
    b"java",
];

/// Programs that are many, by the name they are called by.
const MULTI_CALL: [&[u8]; 8] =
    [b"busybox", b"toybox", b"coreutils", b"ubase", b"sbase", b"uutils", b"dropbearmulti", b"gosu"];

/// Small programs that shells start for somebody who looks around or fetches something.
const TOOLS: [&[u8]; 24] = [
    b"cat", b"id", b"whoami", b"uname", b"ls", b"ps", b"find", b"grep", b"curl", b"wget", b"nc",
    b"ncat", b"socat", b"telnet", b"ssh", b"scp", b"tee", b"head", b"tail", b"dd", b"base64",
    b"openssl", b"env", b"xxd",
];

/// Daemons and parts of the system that an intruder likes to be taken for: nobody writes these names over another
/// program's by chance.
const SYSTEM: [&[u8]; 42] = [
    b"systemd",
    b"systemd-journal",
    b"systemd-journald",
    b"systemd-logind",
    b"systemd-resolve",
    b"systemd-resolved",
    b"systemd-networkd",
    b"systemd-timesyn",
    b"systemd-timesyncd",
    b"systemd-udevd",
    b"dbus-daemon",
    b"dbus-broker",
    b"sshd",
    b"cron",
    b"crond",
    b"atd",
    b"rsyslogd",
    b"syslogd",
    b"auditd",
    b"agetty",
    b"getty",
    b"login",
    b"udevd",
    b"polkitd",
    b"NetworkManager",
    b"snapd",
    b"chronyd",
    b"ntpd",
    b"dhclient",
    b"acpid",
    b"irqbalance",
    b"containerd",
    b"containerd-shim",
    b"dockerd",
    b"kubelet",
    b"kube-proxy",
    b"httpd",
    b"apache2",
    b"nginx",
    b"php-fpm",
    b"mysqld",
    b"postgres",
];

/// Debuggers and tracers.
const TRACERS: [&[u8]; 9] = [
    b"gdb",
    b"gdbserver",
    b"lldb",
    b"lldb-server",
    b"strace",
    b"ltrace",
    b"bpftrace",
    b"rr",
    b"dlv",
];

/// The name of a program without the version at its end: `python3.14` is `python`.
pub(crate) fn stem(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'-'));
    end.and_then(|end| name.get(..=end)).filter(|stem| !stem.is_empty()).unwrap_or(name)
}

/// The file name of the program that a task runs; of a program of many names the one it was called by.
pub(crate) fn program(task: &Task) -> &[u8] {
    let exe = task.exe.as_ref().map(|exe| {
        let path = exe.path.as_bytes();
        base_name(path.strip_suffix(b" (deleted)").unwrap_or(path))
    });
    let comm = task.comm.as_ref().map(Text::as_bytes).unwrap_or_default();
    match exe {
        Some(exe) if is_multi_call(exe) => {
            let called = task.argv.as_ref().and_then(Strings::first).map(base_name);
            let called = called.map(|name| name.strip_prefix(b"-").unwrap_or(name));
            match called.filter(|name| !name.is_empty() && !is_multi_call(name)) {
                Some(name) => name,
                None => task.argv.as_ref().and_then(|argv| argv.iter().nth(1)).unwrap_or(comm),
            }
        }
        Some(exe) => exe,
        None => comm,
    }
}

/// Whether it is a shell.
pub(crate) fn is_shell(name: &[u8]) -> bool {
    SHELLS.contains(&name) || SHELLS.contains(&stem(name))
}

/// Whether it interprets programs that are text, and is no shell.
pub(crate) fn is_interpreter(name: &[u8]) -> bool {
    INTERPRETERS.contains(&stem(name))
}

/// Whether it is one of those small programs that shells start.
pub(crate) fn is_tool(name: &[u8]) -> bool {
    TOOLS.contains(&name) || name.starts_with(b"nc.")
}

/// Whether it is many programs in one file.
pub(crate) fn is_multi_call(name: &[u8]) -> bool {
    MULTI_CALL.contains(&name)
}

/// Whether it is the name of a part of the system, as far as 15 bytes of it tell.
pub(crate) fn is_system(name: &[u8]) -> bool {
    SYSTEM.contains(&name)
}

/// Whether it looks into other processes.
pub(crate) fn is_tracer(name: &[u8]) -> bool {
    TRACERS.contains(&name)
}

/// The script that an interpreter was told to run: the first argument that is no option. `None` when the program was
/// given on the command line.
pub(crate) fn script(argv: &Strings) -> Option<&[u8]> {
    let mut rest = argv.iter().skip(1);
    loop {
        let word = rest.next()?;
        match word {
            b"-jar" => return rest.next(),
            b"-c" | b"-e" | b"-E" | b"-r" | b"--eval" | b"-p" | b"-m" | b"-s" | b"-" => {
                return None;
            }
            b"-W" | b"-X" | b"-cp" | b"-classpath" | b"--require" | b"-I" | b"-d" | b"-f"
            | b"-F" => {
                let value = rest.next()?;
                if word == b"-f" {
                    return Some(value);
                }
            }
            option if option.starts_with(b"-") || option.is_empty() => {}
            script => return Some(script),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_no_part_of_a_name() {
        assert_eq!(stem(b"python3.14"), b"python");
        assert_eq!(stem(b"php-fpm8.2"), b"php-fpm");
        assert_eq!(stem(b"php8.2"), b"php");
        assert_eq!(stem(b"7"), b"7");
        assert_eq!(stem(b""), b"");
    }

    #[test]
    fn scripts_of_interpreters() {
        let of = |argv: &[u8]| script(&Strings(argv.to_vec())).map(<[u8]>::to_vec);
        assert_eq!(of(b"python3\0-u\0/srv/app.py\0x\0"), Some(b"/srv/app.py".to_vec()));
        assert_eq!(of(b"perl\0-e\0print 1\0"), None);
        assert_eq!(of(b"java\0-Xmx1g\0-jar\0/a.jar\0"), Some(b"/a.jar".to_vec()));
        assert_eq!(of(b"sh\0"), None);
    }
}
