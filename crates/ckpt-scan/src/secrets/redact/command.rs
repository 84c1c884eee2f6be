//! Command lines: what a program takes behind an option is a secret for the program and the option.

use std::ops::Range;

use super::names::is_option;

/// How an option has its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    /// `-ppassword`.
    Only,
    /// `-p password`.
    Never,
    /// Either.
    Either,
}

/// An option of some programs that takes a password.
struct Takes {
    programs: &'static [&'static str],
    option: &'static str,
    joined: Joined,
}

const fn takes(programs: &'static [&'static str], option: &'static str, joined: Joined) -> Takes {
    Takes { programs, option, joined }
}

/// Options that do not say in their name what they take.
static TAKES: [Takes; 16] = [
    takes(
        &[
            "mysql",
            "mysqladmin",
            "mysqlcheck",
            "mysqldump",
            "mysqlimport",
            "mysqlpump",
            "mysqlshow",
            "mysqlsh",
            "mariadb",
            "mariadb-admin",
            "mariadb-dump",
            "mariadb-import",
            "7z",
            "7za",
            "7zr",
            "rar",
            "unrar",
        ],
        "-p",
        Joined::Only,
    ),
    takes(
        &[
            "sshpass",
            "mongo",
            "mongosh",
            "mongodump",
            "mongoexport",
            "mongoimport",
            "mongorestore",
            "mongostat",
            "useradd",
            "usermod",
        ],
        "-p",
        Joined::Either,
    ),
    takes(
        &[
            "login",
            "cqlsh",
            "hydra",
            "medusa",
            "crackmapexec",
            "cme",
            "nxc",
            "netexec",
            "evil-winrm",
            "rabbitmqadmin",
            "rdesktop",
        ],
        "-p",
        Joined::Never,
    ),
    takes(&["redis-cli", "valkey-cli", "keydb-cli"], "-a", Joined::Never),
    takes(
        &["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami"],
        "-w",
        Joined::Either,
    ),
    takes(&["ssh-keygen"], "-N", Joined::Either),
    takes(&["ssh-keygen"], "-P", Joined::Either),
    takes(&["zip", "unzip", "zipcloak"], "-P", Joined::Either),
    takes(&["sqlcmd", "bcp", "isql", "osql", "tsql"], "-P", Joined::Either),
    takes(&["mosquitto_pub", "mosquitto_sub"], "-P", Joined::Never),
    takes(&["rar", "unrar"], "-hp", Joined::Only),
    takes(&["openssl"], "-k", Joined::Never),
    takes(&["openssl"], "-K", Joined::Never),
    takes(&["snmpget", "snmpset", "snmpwalk"], "-A", Joined::Never),
    takes(&["snmpget", "snmpset", "snmpwalk"], "-X", Joined::Never),
    takes(&["xfreerdp", "xfreerdp3", "wlfreerdp"], "/p:", Joined::Only),
];

/// Programs of which nothing but that they are another one is to be known.
const OTHERS: [&str; 17] = [
    "curl",
    "net",
    "ssh",
    "scp",
    "sftp",
    "rsync",
    "docker",
    "podman",
    "nerdctl",
    "buildah",
    "helm",
    "skopeo",
    "az",
    "oc",
    "smbclient",
    "rpcclient",
    "winexe",
];

/// Those that name users and groups as others name users and passwords.
const USER_AND_GROUP: [&str; 6] = ["docker", "podman", "nerdctl", "buildah", "chown", "install"];

/// Options that take a user with a password: `-u user:password`.
const USER_OPTIONS: [&str; 4] = ["-u", "-U", "--user", "--proxy-user"];

/// What the next word is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    Password,
    UserAndPassword,
    /// `net use` tells a share, and then its password.
    Share,
}

/// A command line, word by word.
#[derive(Debug, Default)]
pub(super) struct Command {
    program: Option<&'static str>,
    next: Next,
}

impl Command {
    /// Another command begins: behind `|`, `;`, `&`.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// The part of the next word that is a secret.
    pub(super) fn word(&mut self, word: &str) -> Option<Range<usize>> {
        match std::mem::take(&mut self.next) {
            Next::Password if !word.starts_with("--") => return self.password(word),
            Next::UserAndPassword if !word.starts_with('-') => return self.login(word),
            Next::Share if word.starts_with("\\\\") => {
                self.next = Next::Password;
                return None;
            }
            Next::Share if !word.starts_with('/') => self.next = Next::Share,
            _ => {}
        }
        if let Some(program) = program(word) {
            return self.begin(program);
        }
        let program = self.program;
        let mine =
            |takes: &&Takes| program.is_some_and(|program| takes.programs.contains(&program));
        for Takes { option, joined, .. } in TAKES.iter().filter(mine) {
            if word == *option && *joined != Joined::Only {
                self.next = Next::Password;
                return None;
            }
            let rest = word.strip_prefix(option).filter(|rest| !rest.is_empty());
            if rest.is_some() && *joined != Joined::Never {
                return Some(unquoted(word, option.len()..word.len()));
            }
        }
        if USER_OPTIONS.contains(&word) || (program == Some("curl") && ends_with_user(word)) {
            self.next = Next::UserAndPassword;
            return None;
        }
        if let Some((option, login)) = word.split_once('=')
            && USER_OPTIONS.contains(&option)
        {
            return moved(self.login(login), option.len().saturating_add(1));
        }
        if program == Some("curl")
            && let Some(login) = word.strip_prefix("-u")
        {
            return moved(self.login(login), 2);
        }
        if is_option(word) {
            self.next = Next::Password;
        }
        None
    }

    fn begin(&mut self, program: &'static str) -> Option<Range<usize>> {
        let containers = ["docker", "podman", "nerdctl", "buildah", "helm", "skopeo", "az", "oc"];
        // `login` of a registry takes a password behind `-p`, `run` a port.
        let logs_in = self.program.is_some_and(|before| containers.contains(&before));
        if program != "login" || logs_in {
            self.program = Some(program);
        }
        if program == "net" {
            self.next = Next::Share;
        }
        None
    }

    /// A word that is a password.
    fn password(&mut self, word: &str) -> Option<Range<usize>> {
        let program = self.program;
        if program == Some("sshpass") {
            // A command follows, with options of its own.
            self.program = None;
        }
        if program == Some("openssl")
            && let Some((how, password)) = word.split_once(':')
        {
            let start = word.len().saturating_sub(password.len());
            return (how == "pass").then_some(start..word.len());
        }
        let flag = word.starts_with('-') || matches!(word, "" | "*" | "stdin");
        (!flag).then(|| unquoted(word, 0..word.len()))
    }

    /// The password of `user:password`; of programs of SMB also of `user%password`.
    fn login(&self, word: &str) -> Option<Range<usize>> {
        if self.program.is_some_and(|program| USER_AND_GROUP.contains(&program)) {
            return None;
        }
        let smb = self
            .program
            .is_some_and(|program| matches!(program, "smbclient" | "rpcclient" | "winexe"));
        let (user, password) = word.split_once(if smb { '%' } else { ':' })?;
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A URL has its own form, and `1000:1000` is a user and a group.
        let other =
            password.is_empty() || password.starts_with("//") || (number(user) && number(password));
        let start = user.len().saturating_add(1);
        (!other).then(|| unquoted(word, start..word.len()))
    }
}

/// The name of a program that is known, whatever its path.
fn program(word: &str) -> Option<&'static str> {
    let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let all = TAKES.iter().flat_map(|takes| takes.programs).chain(&OTHERS);
    all.copied().find(|program| *program == name)
}

/// `-u` at the end of several options of one letter.
fn ends_with_user(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|letters| {
        letters.ends_with('u') && letters.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}

/// A range of a word without the quotes around it.
fn unquoted(word: &str, range: Range<usize>) -> Range<usize> {
    let text = word.get(range.clone()).unwrap_or_default();
    for quote in ['"', '\''] {
        if text.len() > 2 && text.starts_with(quote) && text.ends_with(quote) {
            return range.start.saturating_add(1)..range.end.saturating_sub(1);
        }
    }
    range
}

fn moved(range: Option<Range<usize>>, by: usize) -> Option<Range<usize>> {
    range.map(|range| range.start.saturating_add(by)..range.end.saturating_add(by))
}
