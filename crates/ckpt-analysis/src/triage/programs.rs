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

/// What the options of an interpreter mean, by the letters of groups such as `-fNR`. Letters that are not named stand
/// for themselves.
#[derive(Clone, Copy, Debug)]
struct Language {
    /// Names of the interpreter, without version.
    names: &'static [&'static [u8]],
    /// Options behind which no script follows: the program is on the command line, or comes from elsewhere.
    ends: &'static [u8],
    /// Options with a value, in the same word or in the next.
    values: &'static [u8],
    /// As `values`; the value is the script.
    file: &'static [u8],
    /// As `values`; the value is loaded before the script.
    loads: &'static [u8],
    /// Options whose value, if any, is in the same word.
    attached: &'static [u8],
    /// The first word that is no option is a program, not the name of a script.
    inline: bool,
}

impl Language {
    const PLAIN: Self = Self {
        names: &[],
        ends: b"",
        values: b"",
        file: b"",
        loads: b"",
        attached: b"",
        inline: false,
    };

    /// The interpreter of that name.
    fn of(name: &[u8]) -> Self {
        if is_shell(name) {
            return Self { ends: b"cs", values: b"oO", ..Self::PLAIN };
        }
        let known = LANGUAGES.iter().find(|language| language.names.contains(&stem(name)));
        known.copied().unwrap_or(Self { ends: b"ceEr", values: b"W", ..Self::PLAIN })
    }
}

const LANGUAGES: [Language; 9] = [
    Language { names: &[b"python", b"pypy"], ends: b"cm", values: b"WX", ..Language::PLAIN },
    Language {
        names: &[b"perl"],
        ends: b"eE",
        values: b"I",
        attached: b"mMiFxCDdlV0",
        ..Language::PLAIN
    },
    Language {
        names: &[b"ruby"],
        ends: b"e",
        values: b"ICE",
        loads: b"r",
        attached: b"FKTWxi0",
        ..Language::PLAIN
    },
    Language {
        names: &[b"php", b"php-cgi"],
        ends: b"rBRE",
        values: b"cdtSz",
        file: b"fF",
        ..Language::PLAIN
    },
    Language {
        names: &[b"node", b"nodejs"],
        ends: b"ep",
        values: b"C",
        loads: b"r",
        ..Language::PLAIN
    },
    Language {
        names: &[b"deno", b"bun"],
        ends: b"e",
        values: b"c",
        loads: b"r",
        ..Language::PLAIN
    },
    Language {
        names: &[b"gawk", b"mawk", b"awk", b"original-awk"],
        values: b"Fv",
        file: b"f",
        inline: true,
        ..Language::PLAIN
    },
    Language {
        names: &[b"lua", b"luajit"],
        ends: b"e",
        loads: b"l",
        attached: b"jOb",
        ..Language::PLAIN
    },
    Language { names: &[b"expect", b"tclsh", b"wish"], ends: b"c", file: b"f", ..Language::PLAIN },
];

/// A program that runs another one, which its arguments name.
#[derive(Debug)]
pub(crate) struct Wrapper {
    names: &'static [&'static [u8]],
    /// Words before the other program that are its own: a user, a lock, a time.
    operands: usize,
    /// Options with a value in the next word.
    values: &'static [&'static [u8]],
}

const fn wrapper(
    names: &'static [&'static [u8]],
    operands: usize,
    values: &'static [&'static [u8]],
) -> Wrapper {
    Wrapper { names, operands, values }
}

const WRAPPERS: [Wrapper; 11] = [
    wrapper(&[b"sudo", b"doas"], 0, &[b"-u", b"-g", b"-h", b"-p", b"-C", b"-r", b"-t", b"-U"]),
    wrapper(&[b"env"], 0, &[b"-u", b"-C", b"--unset", b"--chdir"]),
    wrapper(&[b"nice", b"ionice"], 0, &[b"-n", b"-c", b"-p"]),
    wrapper(&[b"xargs"], 0, &[b"-I", b"-n", b"-P", b"-L", b"-d", b"-E", b"-s", b"-a"]),
    wrapper(&[b"stdbuf"], 0, &[b"-i", b"-o", b"-e"]),
    wrapper(&[b"exec"], 0, &[b"-a"]),
    wrapper(&[b"time"], 0, &[b"-f", b"-o"]),
    wrapper(
        &[
            b"nohup",
            b"setsid",
            b"command",
            b"builtin",
            b"unbuffer",
            b"tini",
            b"dumb-init",
            b"torsocks",
            b"torify",
            b"proxychains",
            b"proxychains4",
        ],
        0,
        &[],
    ),
    wrapper(&[b"timeout", b"flock"], 1, &[b"-s", b"-k", b"-w", b"-E"]),
    wrapper(&[b"gosu", b"su-exec", b"setuidgid", b"s6-setuidgid", b"taskset", b"chrt"], 1, &[]),
    wrapper(&[b"chroot"], 1, &[]),
];

impl Wrapper {
    /// The wrapper of that name. Programs of many names run the one that they are told, as well.
    pub(crate) fn of(name: &[u8]) -> Option<&'static Self> {
        static MANY: Wrapper = wrapper(&[], 0, &[]);
        let known = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name));
        known.or_else(|| is_multi_call(name).then_some(&MANY))
    }

    /// The arguments from the other program on.
    pub(crate) fn skip<'w, W>(&self, arguments: &'w [W], text: impl Fn(&W) -> &[u8]) -> &'w [W] {
        let mut operands = self.operands;
        let mut value = false;
        let own = |word: &W| {
            let word = text(word);
            if std::mem::take(&mut value) {
                return true;
            }
            if word.starts_with(b"-") {
                value = self.values.contains(&word);
                return true;
            }
            // Variables for it.
            if word.contains(&b'=') && !word.starts_with(b"/") {
                return true;
            }
            let operand = operands > 0;
            operands = operands.saturating_sub(1);
            operand
        };
        let own = arguments.iter().map(own).take_while(|own| *own).count();
        arguments.get(own..).unwrap_or_default()
    }
}

/// Programs that run another one in a container, in other namespaces or on another host.
const ELSEWHERE: [&[u8]; 8] =
    [b"docker", b"podman", b"nerdctl", b"kubectl", b"crictl", b"ssh", b"nsenter", b"unshare"];

/// Whether a program runs another one elsewhere, and shows what that writes.
pub(crate) fn runs_elsewhere(name: &[u8]) -> bool {
    ELSEWHERE.contains(&name)
}

/// Programs that fetch something.
const FETCHERS: [&[u8]; 7] =
    [b"curl", b"wget", b"fetch", b"lwp-download", b"aria2c", b"tftp", b"ftpget"];

/// Whether a program fetches something.
pub(crate) fn fetches(name: &[u8], _arguments: &[&[u8]]) -> bool {
    FETCHERS.contains(&name)
}

/// Functions that make something readable again, in whatever language.
pub(crate) const DECODES: [&[u8]; 13] = [
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

/// Programs that do, with some options.
const DECODERS: [&[u8]; 6] = [b"base64", b"base32", b"basenc", b"openssl", b"xxd", b"gunzip"];

/// Whether a line has a word in it without which nothing is fetched or made readable again.
pub(crate) fn may_bring(line: &[u8]) -> bool {
    let all = FETCHERS.iter().chain(&DECODERS).chain(&DECODES);
    all.into_iter().any(|word| memchr::memmem::find(line, word).is_some())
}

/// Whether a program is told to make something readable again.
pub(crate) fn decodes(name: &[u8], arguments: &[&[u8]]) -> bool {
    let option = |letters: &[u8]| {
        arguments.iter().any(|word| {
            let group = word.strip_prefix(b"-").filter(|group| !group.starts_with(b"-"));
            group.is_some_and(|group| group.iter().any(|letter| letters.contains(letter)))
        })
    };
    let first = arguments.first().copied().unwrap_or_default();
    match name {
        b"base64" | b"base32" | b"basenc" => option(b"dD") || arguments.contains(&&b"--decode"[..]),
        b"openssl" => matches!(first, b"enc" | b"base64") && arguments.contains(&&b"-d"[..]),
        b"xxd" => option(b"r"),
        b"gunzip" => option(b"c"),
        _ if is_interpreter(name) => {
            let text = told_by(name, arguments.iter().copied()).text.unwrap_or_default();
            DECODES.iter().any(|word| memchr::memmem::find(text, word).is_some())
        }
        _ => false,
    }
}

/// Files that an interpreter is told to run or to load that are looked at.
const MOST_FILES: usize = 16;

/// What an interpreter was told to run and to load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told<'a> {
    /// The script: the first argument that is no option. `None` when the program was given on the command line.
    pub(crate) script: Option<&'a [u8]>,
    /// The program, when it was given on the command line.
    pub(crate) text: Option<&'a [u8]>,
    /// Whether it is to be read from standard input.
    pub(crate) input: bool,
    /// What is loaded before it: modules, and the places of classes.
    pub(crate) loads: Vec<&'a [u8]>,
}

/// What an interpreter of that name was told to run, and to load.
pub(crate) fn told<'a>(name: &[u8], argv: &'a Strings) -> Told<'a> {
    told_by(name, argv.iter().skip(1))
}

/// As [`told`], by the arguments behind the name.
pub(crate) fn told_by<'a>(name: &[u8], words: impl Iterator<Item = &'a [u8]>) -> Told<'a> {
    let mut told = if stem(name) == b"java" { told_java(words) } else { told_others(name, words) };
    told.loads.retain(|file| !file.is_empty());
    told.loads.truncate(MOST_FILES);
    told
}

/// As [`told`], the script alone.
pub(crate) fn script<'a>(name: &[u8], argv: &'a Strings) -> Option<&'a [u8]> {
    told(name, argv).script
}

fn told_others<'a>(name: &[u8], words: impl Iterator<Item = &'a [u8]>) -> Told<'a> {
    let language = Language::of(name);
    let mut told = Told::default();
    let mut rest = words.filter(|word| !word.is_empty());
    while let Some(word) = rest.next() {
        if let Some(long) = word.strip_prefix(b"--") {
            let (option, value) = match long.iter().position(|byte| *byte == b'=') {
                Some(at) => (long.get(..at).unwrap_or(long), long.get(at.saturating_add(1)..)),
                None => (long, None),
            };
            match option {
                b"" => {
                    return operand(told, language, rest.next());
                }
                b"eval" | b"print" | b"command" => {
                    told.text = value.or_else(|| rest.next());
                    return told;
                }
                b"require" | b"import" | b"loader" | b"experimental-loader" | b"preload" => {
                    told.loads.extend(value.or_else(|| rest.next()));
                }
                b"rcfile" | b"init-file" if is_shell(name) => drop(rest.next()),
                b"file" if language.inline => {
                    told.script = value.or_else(|| rest.next());
                    return told;
                }
                _ => {}
            }
            continue;
        }
        let shell_option = word == b"+o" || word == b"+O";
        let Some(group) = word.strip_prefix(b"-") else {
            match word {
                _ if shell_option && is_shell(name) => drop(rest.next()),
                _ if word.starts_with(b"+") && is_shell(name) => {}
                b"run" | b"serve" if matches!(name, b"deno" | b"bun") => {}
                _ => {
                    return operand(told, language, Some(word));
                }
            }
            continue;
        };
        if group.is_empty() {
            return operand(told, language, None);
        }
        for (at, letter) in group.iter().enumerate() {
            if language.ends.contains(letter) {
                let same = group.get(at.saturating_add(1)..).filter(|text| !text.is_empty());
                match letter {
                    b's' => told.input = true,
                    // A module, a class, or where it comes from.
                    b'm' | b'B' | b'R' => {}
                    // Options of a shell follow the group that they are named in.
                    _ if is_shell(name) => told.text = rest.find(|word| !word.starts_with(b"-")),
                    _ => told.text = same.or_else(|| rest.next()),
                }
                return told;
            }
            if language.attached.contains(letter) {
                break;
            }
            let (file, loads) = (language.file.contains(letter), language.loads.contains(letter));
            if !(file || loads || language.values.contains(letter)) {
                continue;
            }
            let same = group.get(at.saturating_add(1)..).filter(|value| !value.is_empty());
            // Options of a shell follow the group that they are named in.
            let value = same.filter(|_| !is_shell(name)).or_else(|| rest.next());
            if file {
                told.script = value;
                return told;
            }
            told.loads.extend(value.filter(|_| loads));
            if !is_shell(name) {
                break;
            }
        }
    }
    operand(told, language, None)
}

/// What the first word is that is no option; without one the program comes from standard input.
fn operand<'a>(told: Told<'a>, language: Language, word: Option<&'a [u8]>) -> Told<'a> {
    match word {
        Some(_) if language.inline => Told { text: word, ..told },
        Some(_) => Told { script: word, ..told },
        None => Told { input: !language.inline, ..told },
    }
}

/// Options of java are words, and most values follow a colon.
fn told_java<'a>(mut rest: impl Iterator<Item = &'a [u8]>) -> Told<'a> {
    let mut told = Told::default();
    while let Some(word) = rest.next() {
        let places = |value: &'_ [u8]| value.iter().filter(|byte| **byte == b':').count();
        match word {
            b"-jar" => {
                told.script = rest.next();
                return told;
            }
            b"-cp" | b"-classpath" | b"--class-path" | b"-p" | b"--module-path" => {
                let value = rest.next().unwrap_or_default();
                if places(value) <= MOST_FILES {
                    told.loads.extend(value.split(|byte| *byte == b':'));
                }
            }
            _ => {
                let agent = [&b"-javaagent:"[..], b"-agentpath:"];
                let agent = agent.iter().find_map(|option| word.strip_prefix(*option));
                match agent {
                    Some(agent) => told.loads.extend(agent.split(|byte| *byte == b'=').next()),
                    None if word.starts_with(b"-") || word.is_empty() => {}
                    // A class, unless it is to be compiled first.
                    None => {
                        told.script = Some(word).filter(|word| word.ends_with(b".java"));
                        return told;
                    }
                }
            }
        }
    }
    told
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
        for (line, script, loads) in [
            ("python3 -u /srv/app.py x", Some("/srv/app.py"), &[][..]),
            ("python3 -W ignore -Xdev a.py", Some("a.py"), &[]),
            ("python3 -Ic print(1) a.py", None, &[]),
            ("python3 -m http.server", None, &[]),
            ("python3 -", None, &[]),
            ("perl -e print x", None, &[]),
            ("perl -p -MData::Dump -I /l a.pl", Some("a.pl"), &[]),
            ("java -Xmx1g -jar /a.jar", Some("/a.jar"), &[]),
            ("java -cp /tmp/.x/a.jar:/b/* M x", None, &["/tmp/.x/a.jar", "/b/*"]),
            ("java -javaagent:/c.jar=p M", None, &["/c.jar"]),
            ("node -r /tmp/x.js --import=/y.js app.js", Some("app.js"), &["/tmp/x.js", "/y.js"]),
            ("node -p 1", None, &[]),
            ("ruby -rsocket -I lib a.rb", Some("a.rb"), &["socket"]),
            ("php -d a=b -f /x.php", Some("/x.php"), &[]),
            ("bash -e /tmp/.x/run.sh", Some("/tmp/.x/run.sh"), &[]),
            ("bash -p -r -E /run.sh", Some("/run.sh"), &[]),
            ("bash -eo pipefail /run.sh", Some("/run.sh"), &[]),
            ("bash -ec x", None, &[]),
            ("bash --rcfile /r +o posix -- /run.sh", Some("/run.sh"), &[]),
            ("sh -s x", None, &[]),
            ("sh", None, &[]),
            ("awk {print} f", None, &[]),
            ("awk -F : -f /p.awk f", Some("/p.awk"), &[]),
            ("deno run -A /m.ts", Some("/m.ts"), &[]),
        ] {
            let argv = Strings(line.replace(' ', "\0").into_bytes().into());
            let name = line.split(' ').next().unwrap_or_default();
            let told = told(name.as_bytes(), &argv);
            assert_eq!(told.script, script.map(str::as_bytes), "{line}");
            let loads: Vec<&[u8]> = loads.iter().map(|file| file.as_bytes()).collect();
            assert_eq!(told.loads, loads, "{line}");
        }
    }
}
