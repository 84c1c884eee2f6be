//! Accounts that were written: `passwd`, `shadow`, `group` and `gshadow` of the diff.
//!
//! Source: passwd(5), shadow(5), group(5). Hashes of passwords are recognised and never shown.

use ckpt_model::Text;
use std::collections::BTreeSet;

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::bounded;
use super::places::split;
use super::quote::inside;
use super::subject::Subject;
use super::written::{Written, written};

const ACCOUNTS_CHANGED: Rule = Rule {
    id: "accounts-changed",
    title: "The accounts of the container were changed",
    why: "A user or group was added or changed, which is how somebody comes back by the front door.",
    wrong: "Entrypoints add the user that they run as (`PUID`, OpenShift's arbitrary uid); packages add users of their own. The diff says only that the file was written: hold it against the image with `--base`.",
    check: "ckpt-inspect diff --path '/etc/passwd*' --path '/etc/*shadow*' --path '/etc/group*' EVIDENCE",
    attack: &["T1136.001", "T1098"],
};

const ACCOUNT_WITH_UID_0: Rule = Rule {
    id: "account-with-uid-0",
    title: "Another account is root",
    why: "An account with uid 0 has every right of root, whatever it is called.",
    wrong: "A few old systems ship one (`toor`); container users that are mapped to root by an entrypoint.",
    check: "ckpt-inspect search --artifacts --regex '(?m)^[^:\\n]+:[^:\\n]*:0+:' EVIDENCE",
    attack: &["T1136.001"],
};

const ACCOUNT_WITHOUT_PASSWORD: Rule = Rule {
    id: "account-without-password",
    title: "An account needs no password",
    why: "Whoever names it is in, as soon as something asks for a password (`su`, SSH, a console).",
    wrong: "Minimal images leave root's password empty because nothing in them can log in.",
    check: "ckpt-inspect search --artifacts --regex '(?m)^[^:\\n]+::[0-9]' EVIDENCE",
    attack: &["T1098"],
};

const ACCOUNT_IN_ADMIN_GROUP: Rule = Rule {
    id: "account-in-admin-group",
    title: "A group that is as good as root has members",
    why: "Members of `sudo`, `wheel`, `docker`, `shadow` or `disk` become root in one step.",
    wrong: "Images for development put their user into `sudo` when they start.",
    check: "ckpt-inspect search --artifacts --regex '(?m)^(sudo|wheel|docker|shadow|disk|root|adm):[^\\n]*:[^\\n]+$' EVIDENCE",
    attack: &["T1098.007"],
};

const SERVICE_ACCOUNT_CAN_LOG_IN: Rule = Rule {
    id: "service-account-can-log-in",
    title: "An account of a service can log in",
    why: "Accounts such as `www-data` or `daemon` have no shell and no password; with one of them they are a quiet way in.",
    wrong: "A service whose image gives it a shell on purpose (`postgres`, `git`).",
    check: "ckpt-inspect diff --path '/etc/passwd' --path '/etc/shadow' EVIDENCE",
    attack: &["T1098"],
};

pub(super) const RULES: &[&Rule] = &[
    &ACCOUNTS_CHANGED,
    &ACCOUNT_WITH_UID_0,
    &ACCOUNT_WITHOUT_PASSWORD,
    &ACCOUNT_IN_ADMIN_GROUP,
    &SERVICE_ACCOUNT_CAN_LOG_IN,
];

/// Most bytes of such a file that are read: large hosts have thousands of accounts.
const MOST: u64 = 1 << 20;

/// Accounts that distributions make for services, without shell and password.
const SERVICES: [&[u8]; 30] = [
    b"daemon",
    b"bin",
    b"sys",
    b"adm",
    b"lp",
    b"games",
    b"man",
    b"mail",
    b"news",
    b"uucp",
    b"proxy",
    b"www-data",
    b"backup",
    b"list",
    b"irc",
    b"gnats",
    b"nobody",
    b"_apt",
    b"apache",
    b"httpd",
    b"nginx",
    b"ftp",
    b"sshd",
    b"ntp",
    b"messagebus",
    b"systemd-network",
    b"systemd-resolve",
    b"systemd-timesync",
    b"tcpdump",
    b"postfix",
];

/// So many of them with a shell are the habit of a distribution: Debian gave them one until 2014.
const HABIT: usize = 4;

/// Groups whose members become root in one step.
const ADMINS: [&[u8]; 8] =
    [b"sudo", b"wheel", b"admin", b"docker", b"lxd", b"shadow", b"disk", b"root"];

/// Members that distributions put into those groups.
const USUAL_MEMBERS: [&[u8]; 8] =
    [b"root", b"adm", b"daemon", b"bin", b"sync", b"shutdown", b"halt", b"operator"];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut changed = Vec::new();
    for file in written(subject).filter(Written::is_file) {
        let look: fn(&Written<'_>, &[u8], &mut Vec<Finding>) -> usize = match file.path.as_bytes() {
            b"/etc/passwd" => passwd,
            b"/etc/shadow" => shadow,
            b"/etc/group" | b"/etc/gshadow" => group,
            _ => continue,
        };
        let text = file.start(MOST);
        let entries = look(&file, &text, findings);
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        changed.push((file, entries, lines.saturating_sub(entries)));
    }
    findings.extend(summary(subject, &changed));
}

/// That there was a change at all, once for all files.
fn summary(subject: &Subject<'_>, changed: &[(Written<'_>, usize, usize)]) -> Option<Finding> {
    let (first, ..) = changed.first()?;
    let names: Vec<String> = changed.iter().map(|(file, ..)| file.path.to_string()).collect();
    let run = subject.packages.ran();
    let severity = if run.is_some() { Severity::Info } else { Severity::Low };
    let verb = if names.len() == 1 { "was" } else { "were" };
    let title = format!("{} {verb} written", names.join(", "));
    let mut finding =
        Finding::new(&ACCOUNTS_CHANGED, severity, Confidence::High, title).path(first.path.clone());
    for (file, entries, others) in changed {
        let mut what = format!("{}: {entries} entries", file.line());
        if *others > 0 {
            what.push_str(&format!(", {others} lines that are none"));
        }
        finding = finding.seen(file.seen(what));
    }
    if let Some(manager) = run {
        let what = format!("{manager} installed packages in the same diff, which add accounts");
        finding = finding.seen(Seen::new(what));
    }
    Some(finding)
}

/// The fields of each line that has so many, and the line's number.
fn entries(text: &[u8], fields: usize) -> impl Iterator<Item = (usize, Vec<&[u8]>)> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.filter_map(move |(number, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A line of a hostile file may have any number of colons.
        let parts: Vec<&[u8]> = line.splitn(fields.saturating_add(8), |b| *b == b':').collect();
        let sound = parts.len() >= fields && !line.starts_with(b"#");
        sound.then_some((number.saturating_add(1), parts))
    })
}

fn field<'a>(parts: &[&'a [u8]], number: usize) -> &'a [u8] {
    parts.get(number).copied().unwrap_or_default()
}

fn tell(
    rule: &'static Rule,
    severity: Severity,
    confidence: Confidence,
    file: &Written<'_>,
    found: Vec<(String, String)>,
) -> Option<Finding> {
    let (name, _) = found.first()?;
    let more = found.len().saturating_sub(1);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let title = format!("{}: {name}{more} in {}", inside(rule.title), file.path);
    let mut finding = Finding::new(rule, severity, confidence, title).path(file.path.clone());
    finding.evidence = bounded(found.into_iter().map(|(_, what)| file.seen(what)).collect());
    Some(finding)
}

fn shown(name: &[u8]) -> String {
    super::quote::quote(name)
}

/// Zero, however it is written.
fn is_zero(number: &[u8]) -> bool {
    let digits = number.trim_ascii().strip_prefix(b"+").unwrap_or(number.trim_ascii());
    !digits.is_empty() && digits.iter().all(|byte| *byte == b'0')
}

fn passwd(file: &Written<'_>, text: &[u8], findings: &mut Vec<Finding>) -> usize {
    let (mut roots, mut open, mut services) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0_usize;
    let mut seen = BTreeSet::new();
    for (line, parts) in entries(text, 7) {
        number = number.saturating_add(1);
        let (name, password, uid, shell) =
            (field(&parts, 0), field(&parts, 1), field(&parts, 2), field(&parts, 6));
        let account = format!(
            "line {line}: {} has uid {} and shell {}",
            shown(name),
            shown(uid),
            shown(shell)
        );
        // A second root of the name root is one, too.
        if is_zero(uid) && (name != b"root" || !seen.insert(name)) {
            roots.push((shown(name), account.clone()));
        }
        if password.is_empty() && logs_in(shell) {
            open.push((shown(name), format!("{account}, and no password")));
        }
        if SERVICES.contains(&name) && logs_in(shell) && !is_zero(uid) {
            services.push((shown(name), account));
        }
    }
    if services.len() >= HABIT {
        services.clear();
    }
    findings.extend(tell(&ACCOUNT_WITH_UID_0, Severity::High, Confidence::High, file, roots));
    findings.extend(tell(&ACCOUNT_WITHOUT_PASSWORD, Severity::High, Confidence::High, file, open));
    let rule = &SERVICE_ACCOUNT_CAN_LOG_IN;
    findings.extend(tell(rule, Severity::Medium, Confidence::Medium, file, services));
    number
}

/// Whether a shell lets somebody work; an empty one is `/bin/sh`.
fn logs_in(shell: &[u8]) -> bool {
    const NONE: [&[u8]; 6] = [b"nologin", b"false", b"sync", b"halt", b"shutdown", b"true"];
    !NONE.contains(&split(shell).1)
}

fn shadow(file: &Written<'_>, text: &[u8], findings: &mut Vec<Finding>) -> usize {
    let (mut open, mut services) = (Vec::new(), Vec::new());
    let mut number = 0_usize;
    for (line, parts) in entries(text, 8) {
        number = number.saturating_add(1);
        let (name, password) = (field(&parts, 0), field(&parts, 1));
        if password.is_empty() {
            let what = format!("line {line}: {} has an empty password", shown(name));
            open.push((shown(name), what));
        }
        if SERVICES.contains(&name) && is_hash(password) {
            let what = format!("line {line}: {} has a password", shown(name));
            services.push((shown(name), what));
        }
    }
    let rule = &ACCOUNT_WITHOUT_PASSWORD;
    findings.extend(tell(rule, Severity::High, Confidence::Medium, file, open));
    let rule = &SERVICE_ACCOUNT_CAN_LOG_IN;
    findings.extend(tell(rule, Severity::High, Confidence::High, file, services));
    number
}

/// Whether a password is one: a hash of crypt(5). Locked ones begin with `!` or `*`.
fn is_hash(password: &[u8]) -> bool {
    password.starts_with(b"$") || (password.len() == 13 && !password.starts_with(b"!"))
}

fn group(file: &Written<'_>, text: &[u8], findings: &mut Vec<Finding>) -> usize {
    let mut admins = Vec::new();
    let mut number = 0_usize;
    for (line, parts) in entries(text, 4) {
        number = number.saturating_add(1);
        let (name, members) = (field(&parts, 0), field(&parts, 3));
        let others: Vec<String> = members
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .filter(|member| !member.is_empty() && !USUAL_MEMBERS.contains(member))
            .take(8)
            .map(shown)
            .collect();
        if ADMINS.contains(&name) && !others.is_empty() {
            let what = format!("line {line}: {} has {}", shown(name), others.join(", "));
            admins.push((format!("{} in {}", others.join(", "), shown(name)), what));
        }
    }
    let rule = &ACCOUNT_IN_ADMIN_GROUP;
    // `gshadow` repeats `group`.
    if *file.path == Text::from("/etc/group") {
        findings.extend(tell(rule, Severity::Medium, Confidence::Medium, file, admins));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_hashes() {
        assert!(
            is_zero(b"0") && is_zero(b"000") && is_zero(b"+0") && !is_zero(b"") && !is_zero(b"10")
        );
        assert!(
            is_hash(b"$6$salt$hash")
                && is_hash(b"abJnggxhB/yWI")
                && !is_hash(b"*")
                && !is_hash(b"!")
        );
        assert!(logs_in(b"/bin/bash") && logs_in(b"") && !logs_in(b"/usr/sbin/nologin"));
    }
}
