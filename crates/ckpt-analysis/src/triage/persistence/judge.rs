//! How much a file at such a place weighs, by what is in it.

use memchr::memmem::find;

use super::locations::Nature;
use crate::triage::finding::{Confidence, Severity};
use crate::triage::places::{is_hidden_away, is_scratch};
use crate::triage::quote::quote;
use crate::triage::suspicion::{Suspicion, suspicions};
use crate::triage::written::Written;

/// Most lines of a file that are told.
const MOST: usize = 4;

/// What a file weighs, and why.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) severity: Severity,
    pub(super) confidence: Confidence,
    /// Something in it is what intruders do.
    pub(super) suspicious: bool,
    /// It is so, whoever brought the file.
    pub(super) strong: bool,
    /// What was seen and the line, both safe for a terminal; the line may be empty.
    pub(super) reasons: Vec<(String, String)>,
}

impl Verdict {
    pub(super) fn new(severity: Severity, confidence: Confidence) -> Self {
        Self { severity, confidence, suspicious: false, strong: false, reasons: Vec::new() }
    }

    pub(super) fn because(mut self, what: impl Into<String>) -> Self {
        self.reasons.push((what.into(), String::new()));
        self
    }

    /// As [`line`](Self::line), and told first.
    fn first(mut self, what: &str, line: &[u8]) -> Self {
        self.reasons.insert(0, (what.to_owned(), quote(line)));
        self.reasons.truncate(MOST);
        self
    }

    fn line(mut self, what: &str, line: &[u8]) -> Self {
        if self.reasons.len() < MOST {
            self.reasons.push((what.to_owned(), quote(line)));
        }
        self
    }

    /// It was written while the container started.
    pub(super) fn of_start(mut self) -> Self {
        self.severity = self.severity.min(Severity::Medium);
        self.because("it was written within a minute of the container's start")
    }

    fn suspicious(mut self, severity: Severity) -> Self {
        self.suspicious = true;
        self.severity = self.severity.max(severity);
        self.confidence = Confidence::High;
        self
    }
}

/// Judges the beginning of a file; `None` when it says nothing.
pub(super) fn judge(nature: Nature, file: &Written<'_>, text: &[u8]) -> Option<Verdict> {
    match nature {
        Nature::Commands(base) => commands(base, text),
        Nature::Settings => commands(Severity::Low, text).filter(|found| found.suspicious),
        Nature::Python => python(text),
        Nature::Servers => servers(text),
        Nature::NameService => name_service(text),
        Nature::Keys => keys(text),
        Nature::SshServer => settings(&with_blanks(text), &SSH_SERVER, Severity::Low),
        Nature::PamRules => pam(text),
        Nature::Sudoers => settings(text, &SUDO, Severity::Medium),
        Nature::Binary => {
            let known = text.starts_with(b"\x7fELF");
            let confidence = if known { Confidence::High } else { Confidence::Low };
            Some(Verdict::new(Severity::High, confidence))
        }
        Nature::Preload => preload(text),
        Nature::LibraryPaths => library_paths(text),
        Nature::Environment => environment(text),
        Nature::PythonPaths => python_paths(text),
        Nature::Udev => settings(text, &UDEV, Severity::Low),
        Nature::AptSettings => apt(text),
        Nature::ModuleNames => settings(text, &MODULES, Severity::Medium),
    }
    .map(|verdict| hidden(file, verdict))
}

/// A hidden file in a directory of settings is suspicious as it is; those that a home begins with have to be called so.
fn hidden(file: &Written<'_>, verdict: Verdict) -> Verdict {
    let (folder, name) = crate::triage::places::split(file.path.as_bytes());
    // insserv(8) keeps the order of init scripts in `.depend.start` and the like.
    let order = folder == b"/etc/init.d" && name.starts_with(b".depend.");
    let odd =
        folder.starts_with(b"/etc/") && folder != b"/etc/skel" && name.starts_with(b".") && !order;
    if !odd {
        return verdict;
    }
    let mut verdict = verdict.suspicious(Severity::High);
    verdict.reasons.insert(0, ("has a name that begins with a dot".to_owned(), String::new()));
    verdict
}

/// The lines that say something.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let all = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    all.filter(|line| !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b";"))
}

fn commands(base: Severity, text: &[u8]) -> Option<Verdict> {
    let binary = text.starts_with(b"\x7fELF");
    let first = lines(text).next();
    if !binary && first.is_none() {
        return None;
    }
    let found = if binary { Vec::new() } else { suspicions(text) };
    let python = if binary { None } else { runs_python(text) };
    let mut verdict = Verdict::new(base, Confidence::Medium);
    for Suspicion { what, strong, line, .. } in &found {
        let severity = if *strong { Severity::Critical } else { Severity::High };
        verdict = verdict.suspicious(severity).line(what, line);
        verdict.strong |= *strong;
    }
    if found.is_empty() {
        verdict = match (first, python) {
            _ if binary => verdict.because("it is an ELF program"),
            (_, Some(line)) => verdict.suspicious(Severity::High).line("runs hidden code", line),
            (Some(line), None) => verdict.line("its first line", line),
            (None, None) => verdict,
        };
    }
    Some(verdict)
}

/// Code of Python that runs before every program. What decodes and what runs may stand lines apart in a short file.
fn python(text: &[u8]) -> Option<Verdict> {
    const SHORT: usize = 8 << 10;
    let verdict = commands(Severity::Medium, text)?;
    let all = |words: &[&[u8]]| {
        lines(text).find(|line| words.iter().any(|word| find(line, word).is_some()))
    };
    let code = all(&[b"exec(", b"eval("]).filter(|_| all(&HIDES).is_some());
    let fetches: [&[u8]; 3] = [b"urlopen", b"requests.get", b"socket."];
    let command =
        || all(&[b"os.system(", b"os.popen(", b"subprocess."]).filter(|_| all(&fetches).is_some());
    match code.or_else(command).filter(|_| !verdict.suspicious && text.len() < SHORT) {
        Some(line) => {
            let found = Verdict::new(Severity::Medium, Confidence::Medium);
            Some(found.suspicious(Severity::High).line("runs hidden code", line))
        }
        None => Some(verdict),
    }
}

/// Servers that inetd(8) or xinetd(8) start: a shell among them serves whoever connects.
fn servers(text: &[u8]) -> Option<Verdict> {
    const SHELLS: [&[u8]; 8] = [b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"busybox", b"nc"];
    let mut verdict = commands(Severity::Medium, text)?;
    for line in lines(text) {
        let cut = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'=';
        let words: Vec<&[u8]> = line.split(cut).filter(|word| !word.is_empty()).take(12).collect();
        let server = match words.as_slice() {
            [b"server", server, ..] => *server,
            [_, b"stream" | b"dgram" | b"raw" | b"rdm" | b"seqpacket", _, _, _, server, ..] => {
                *server
            }
            _ => continue,
        };
        let name = crate::triage::places::split(server).1;
        // busybox is what its first argument says.
        let applet = words.iter().rev().take_while(|word| **word != server).last();
        let shell = SHELLS.contains(&name)
            && (name != b"busybox" || applet.is_some_and(|applet| SHELLS.contains(applet)));
        if shell {
            verdict = verdict
                .suspicious(Severity::Critical)
                .first("gives a shell to whoever connects", line);
            verdict.strong = true;
        } else if is_scratch(server) || is_hidden_away(server) {
            verdict = verdict
                .suspicious(Severity::High)
                .first("serves with what lies in an odd place", line);
            verdict.strong = true;
        }
    }
    Some(verdict)
}

/// Sources of names that are no library of a distribution. Source: nsswitch.conf(5).
fn name_service(text: &[u8]) -> Option<Verdict> {
    const KNOWN: [&[u8]; 26] = [
        b"files",
        b"db",
        b"compat",
        b"dns",
        b"systemd",
        b"resolve",
        b"myhostname",
        b"mymachines",
        b"sss",
        b"ldap",
        b"ldapd",
        b"winbind",
        b"wins",
        b"nis",
        b"nisplus",
        b"altfiles",
        b"usrfiles",
        b"hesiod",
        b"extrausers",
        b"libvirt",
        b"libvirt_guest",
        b"cache",
        b"tcb",
        b"docker",
        b"wrapper",
        b"oslogin",
    ];
    let mut found: Option<Verdict> = None;
    for line in lines(text) {
        let Some(at) = memchr::memchr(b':', line) else { continue };
        let (database, sources) = line.split_at_checked(at)?;
        let databases: [&[u8]; 5] = [b"passwd", b"shadow", b"group", b"gshadow", b"hosts"];
        if !databases.contains(&database) {
            continue;
        }
        let mut sources = sources.get(1..)?.split(u8::is_ascii_whitespace);
        let odd = sources.any(|source| {
            let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let word = !source.is_empty() && source.iter().all(name);
            let action = matches!(source, b"return" | b"continue" | b"merge");
            word && !action
                && !KNOWN.contains(&source)
                && !source.starts_with(b"mdns")
                && !source.starts_with(b"google")
                && !source.starts_with(b"cache_")
        });
        if odd {
            let verdict = found.take().unwrap_or(Verdict::new(Severity::Medium, Confidence::Low));
            found = Some(verdict.line("names come from a library of its own", line));
        }
    }
    found
}

/// The text with `=` as a blank: both stand between a keyword and its value. Source: sshd_config(5).
fn with_blanks(text: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| if matches!(byte, b'=' | b'"') { b' ' } else { *byte };
    text.iter().map(blank).collect()
}

/// Rules of PAM; what lets everybody in stands before what asks for a password.
fn pam(text: &[u8]) -> Option<Verdict> {
    let verdict = settings(text, &PAM, Severity::Medium)?;
    let auth = |line: &&[u8]| {
        let line = line.strip_prefix(b"-").unwrap_or(line);
        line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"auth"))
            || line.starts_with(b"@include")
    };
    let asks: [&[u8]; 7] =
        [b"pam_unix", b"include", b"substack", b"pam_sss", b"pam_ldap", b"pam_krb5", b"pam_rootok"];
    let first = lines(text).filter(auth).find(|line| {
        find(line, b"pam_permit").is_some() || asks.iter().any(|word| find(line, word).is_some())
    });
    let open = first.filter(|line| find(line, b"pam_permit").is_some());
    Some(match open.filter(|_| verdict.severity < Severity::High) {
        Some(line) => {
            let found = Verdict::new(Severity::High, Confidence::High);
            found.line("lets everybody in before anything asks", line)
        }
        None => verdict,
    })
}

const HIDES: [&[u8]; 7] =
    [b"base64", b"zlib", b"marshal", b"urlopen", b"requests.get", b"socket.", b"codecs.decode"];

/// A line of Python that runs what it decodes or fetches.
fn runs_python(text: &[u8]) -> Option<&[u8]> {
    const RUNS: [&[u8]; 4] = [b"exec(", b"eval(", b"os.system(", b"subprocess."];
    let has = |words: &[&[u8]], line: &[u8]| words.iter().any(|word| find(line, word).is_some());
    lines(text).find(|line| has(&RUNS, line) && has(&HIDES, line))
}

/// Keys by type and comment; the key itself is in the file.
fn keys(text: &[u8]) -> Option<Verdict> {
    const TYPES: [&[u8]; 5] =
        [b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-", b"cert-authority"];
    let mut verdict = Verdict::new(Severity::High, Confidence::High);
    let mut number = 0_usize;
    for line in lines(text) {
        let words = || line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(at) = words().position(|word| TYPES.iter().any(|kind| word.starts_with(kind)))
        else {
            continue;
        };
        number = number.saturating_add(1);
        let kind = words().nth(at).unwrap_or_default();
        let comment: Vec<&[u8]> = words().skip(at.saturating_add(2)).collect();
        let shown = [kind, b" ... ", &comment.join(&b' ')].concat();
        verdict = verdict.line("a key", &shown);
        if at > 0 && find(line, b"command=").is_some() {
            verdict = verdict.line("it runs a command", words().next().unwrap_or_default());
        }
    }
    (number > 0).then_some(verdict)
}

/// Words that make a line of a settings file weigh so much: all of them, in lower case, in one line.
type Risks = [(&'static [&'static [u8]], Severity, &'static str)];

const SSH_SERVER: [(&[&[u8]], Severity, &str); 6] = [
    (&[b"permitrootlogin yes"], Severity::High, "root may log in with a password"),
    (&[b"permitemptypasswords yes"], Severity::High, "passwords may be empty"),
    (&[b"authorizedkeyscommand /"], Severity::High, "keys come from a program"),
    (&[b"authorizedkeysfile /"], Severity::High, "keys lie elsewhere"),
    (&[b"passwordauthentication yes"], Severity::Medium, "passwords are enough"),
    (&[b"strictmodes no"], Severity::Medium, "keys of others are taken"),
];

const PAM: [(&[&[u8]], Severity, &str); 5] = [
    (&[b"pam_exec"], Severity::High, "runs a program at every login"),
    (&[b"auth sufficient pam_permit"], Severity::High, "lets everybody in"),
    (&[b"pam_python"], Severity::High, "runs a script at every login"),
    (&[b"pam_script"], Severity::High, "runs a script at every login"),
    (&[b"/tmp/"], Severity::Critical, "takes a module from where everybody may write"),
];

const SUDO: [(&[&[u8]], Severity, &str); 4] = [
    (&[b"nopasswd"], Severity::High, "needs no password"),
    (&[b"!authenticate"], Severity::High, "needs no password"),
    (&[b"permit nopass"], Severity::High, "needs no password"),
    (&[b"all=(all"], Severity::High, "may do everything, with a password"),
];

const UDEV: [(&[&[u8]], Severity, &str); 3] = [
    (&[b"run+="], Severity::High, "runs a program when a device appears"),
    (&[b"run="], Severity::High, "runs a program when a device appears"),
    (&[b"run{"], Severity::High, "runs a program when a device appears"),
];

const MODULES: [(&[&[u8]], Severity, &str); 2] = [
    (&[b"install ", b"/"], Severity::High, "runs a program in the place of a module"),
    (&[b"insmod "], Severity::High, "loads a module by its path"),
];

fn settings(text: &[u8], risks: &Risks, base: Severity) -> Option<Verdict> {
    let first = lines(text).next()?;
    let mut verdict = Verdict::new(base, Confidence::Medium);
    for line in lines(text) {
        // Blanks are one, so that words stand side by side.
        let words: Vec<&[u8]> =
            line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        let lower = words.join(&b' ').to_ascii_lowercase();
        let risk = risks.iter().find(|(all, ..)| all.iter().all(|w| find(&lower, w).is_some()));
        let risk = risk.filter(|_| !is_default(&lower));
        if let Some((_, severity, what)) = risk {
            verdict = verdict.line(what, line);
            verdict.severity = verdict.severity.max(*severity);
            verdict.confidence = Confidence::High;
        }
    }
    if verdict.reasons.is_empty() {
        verdict = verdict.line("its first line", first);
    }
    Some(verdict)
}

/// A line that sudo comes with: root, and the groups of administrators, who give their passwords.
fn is_default(lower: &[u8]) -> bool {
    const OWN: [&[u8]; 4] = [b"root ", b"%sudo ", b"%wheel ", b"%admin "];
    let all = find(lower, b"all=(all").is_some();
    let bare = [&b"nopasswd"[..], b"!authenticate"].iter().all(|w| find(lower, w).is_none());
    all && bare && OWN.iter().any(|own| lower.starts_with(own))
}

/// Libraries by name, separated by blanks or colons. Source: ld.so(8).
fn preload(text: &[u8]) -> Option<Verdict> {
    let cut = |byte: &u8| byte.is_ascii_whitespace() || *byte == b':';
    let uncommented = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.split(|byte| *byte == b'#').next().unwrap_or_default());
    let libraries: Vec<&[u8]> =
        uncommented.flat_map(|line| line.split(cut)).filter(|word| !word.is_empty()).collect();
    if libraries.is_empty() {
        return None;
    }
    let mut verdict = Verdict::new(Severity::High, Confidence::High);
    for library in libraries {
        verdict = verdict.line("loaded into every program", library);
        if is_scratch(library) || is_hidden_away(library) {
            verdict.severity = Severity::Critical;
        }
    }
    Some(verdict)
}

fn library_paths(text: &[u8]) -> Option<Verdict> {
    let mut verdict = Verdict::new(Severity::Low, Confidence::Medium);
    let mut number = 0_usize;
    // What is included is such a file itself.
    let own = lines(text).filter(|line| !line.starts_with(b"include"));
    for line in own.flat_map(|line| line.split(|byte| *byte == b':')) {
        number = number.saturating_add(1);
        verdict = verdict.line("libraries are looked for in", line);
        if is_hidden_away(line) || is_scratch(line) || line == b"/tmp" || line == b"/dev/shm" {
            verdict = verdict.suspicious(Severity::High);
            verdict.strong = true;
        }
    }
    (number > 0).then_some(verdict)
}

/// Variables that make programs load or run what they name.
const LOADING: [&[u8]; 12] = [
    b"LD_PRELOAD",
    b"LD_AUDIT",
    b"LD_LIBRARY_PATH",
    b"BASH_ENV",
    b"PROMPT_COMMAND",
    b"PYTHONSTARTUP",
    b"PYTHONPATH",
    b"PERL5OPT",
    b"PERL5LIB",
    b"RUBYOPT",
    b"NODE_OPTIONS",
    b"JAVA_TOOL_OPTIONS",
];

fn environment(text: &[u8]) -> Option<Verdict> {
    let mut found = None;
    for line in lines(text) {
        let bare = line.strip_prefix(b"export ").unwrap_or(line);
        let name = bare.split(|byte| matches!(byte, b'=' | b' ' | b'\t')).next()?;
        if LOADING.contains(&name) {
            let first = name.starts_with(b"LD_PRELOAD") || name.starts_with(b"LD_AUDIT");
            let severity = if first { Severity::High } else { Severity::Medium };
            let verdict = found.take().unwrap_or(Verdict::new(severity, Confidence::High));
            let mut verdict: Verdict = verdict.line("every login loads what it names", line);
            verdict.severity = verdict.severity.max(severity);
            found = Some(verdict);
        }
    }
    found
}

/// Lines of a `.pth` file that Python runs. Source: the documentation of Python's `site`.
fn python_paths(text: &[u8]) -> Option<Verdict> {
    const DOES: [&[u8]; 12] = [
        b"exec(",
        b"eval(",
        b"compile(",
        b"base64",
        b"marshal",
        b"zlib",
        b"socket",
        b"subprocess",
        b"os.system",
        b"os.popen",
        b"urllib",
        b"requests",
    ];
    let runs = |line: &&[u8]| line.starts_with(b"import ") || line.starts_with(b"import\t");
    let line = lines(text).find(runs)?;
    let bad =
        lines(text).filter(runs).find(|line| DOES.iter().any(|word| find(line, word).is_some()));
    let verdict = Verdict::new(Severity::Low, Confidence::Medium);
    Some(match bad {
        Some(line) => verdict.suspicious(Severity::High).line("runs", line),
        None => verdict.line("runs", line),
    })
}

/// Settings of apt and dpkg with commands in them.
fn apt(text: &[u8]) -> Option<Verdict> {
    // dpkg writes it small.
    let invokes = |line: &&[u8]| {
        [&b"-Invoke"[..], b"-Install-Pkgs", b"-invoke"]
            .iter()
            .any(|word| find(line, word).is_some())
    };
    let line = lines(text).find(invokes)?;
    let mut verdict = Verdict::new(Severity::Medium, Confidence::Medium).line("runs", line);
    for found in suspicions(text) {
        let severity = if found.strong { Severity::Critical } else { Severity::High };
        verdict = verdict.suspicious(severity).line(found.what, found.line);
        verdict.strong |= found.strong;
    }
    Some(verdict)
}
