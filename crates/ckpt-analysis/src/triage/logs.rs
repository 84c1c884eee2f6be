//! Logs that were deleted, emptied or led to nowhere.

use std::collections::BTreeSet;
use std::ops::Bound;

use ckpt_model::artifacts::Origin;
use ckpt_model::{FileType, Text};

use super::finding::{Confidence, Finding, Rule, Seen, Severity};
use super::group::Group;
use super::places::{below, split};
use super::subject::Subject;
use super::written::{Written, deleted, gone, written};

const LOGS_DELETED: Rule = Rule {
    id: "logs-deleted",
    title: "Logs were deleted or emptied",
    why: "Whoever does not want to be seen removes the log that saw him; authentication logs and the records of logins come first.",
    wrong: "Log rotation; entrypoints that clear old logs; images that are cleaned up while they run. Files that were made new and empty cannot be told from emptied ones without the image.",
    check: "ckpt-inspect diff --only deleted --path '/var/log/**' EVIDENCE",
    attack: &["T1070.002"],
};

pub(super) const RULES: &[&Rule] = &[&LOGS_DELETED];

/// What a log tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    /// Who came in, and what the system did.
    Access,
    /// Logins by terminal, which images have as empty files.
    Logins,
    /// Packages and the making of the image.
    Packages,
    /// A service.
    Service,
}

/// What a path is, when it is a log or the directory of logs.
fn log(path: &[u8]) -> Option<Log> {
    const ACCESS: [&[u8]; 12] = [
        b"auth.log",
        b"secure",
        b"messages",
        b"syslog",
        b"sudo.log",
        b"kern.log",
        b"daemon.log",
        b"user.log",
        b"cron",
        b"audit",
        b"journal",
        b"fail2ban.log",
    ];
    const LOGINS: [&[u8]; 6] = [b"wtmp", b"btmp", b"lastlog", b"faillog", b"tallylog", b"wtmp.db"];
    const PACKAGES: [&[u8]; 9] = [
        b"apt",
        b"dpkg.log",
        b"alternatives.log",
        b"bootstrap.log",
        b"installer",
        b"dnf.log",
        b"yum.log",
        b"apk.log",
        b"fontconfig.log",
    ];
    if path == b"/var/log" {
        return Some(Log::Access);
    }
    if matches!(path, b"/run/utmp" | b"/var/run/utmp") {
        return Some(Log::Logins);
    }
    let rest = below(path, b"/var/log").or_else(|| below(path, b"/run/log"))?;
    let first = rest.split(|byte| *byte == b'/').next().unwrap_or(rest);
    let is = |names: &[&[u8]]| names.iter().any(|name| is_one_of(first, name));
    Some(if is(&ACCESS) {
        Log::Access
    } else if is(&LOGINS) {
        Log::Logins
    } else if is(&PACKAGES) {
        Log::Packages
    } else {
        Log::Service
    })
}

/// Whether a name is that of a log or of its rotation: `auth.log`, `auth.log.1`, `auth.log-20261123.gz`.
fn is_one_of(name: &[u8], log: &[u8]) -> bool {
    name.strip_prefix(log)
        .is_some_and(|rest| rest.is_empty() || matches!(rest.first(), Some(b'.' | b'-')))
}

/// Whether a log was put aside: its name ends in a number, a date or a packer's ending.
fn is_rotated(path: &[u8]) -> bool {
    let name = split(path).1;
    let name = [&b".gz"[..], b".xz", b".zst", b".bz2"]
        .iter()
        .find_map(|end| name.strip_suffix(*end))
        .unwrap_or(name);
    name.ends_with(b".old")
        || name.rsplit(|byte| matches!(byte, b'.' | b'-')).next().is_some_and(|end| {
            end.len() < name.len() && !end.is_empty() && end.iter().all(u8::is_ascii_digit)
        })
}

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let mut group = Group::default();
    // Logs that were put aside in the diff: what is missing was renamed, as a rule.
    let paths = written(subject).map(|file| file.path.as_bytes());
    let aside: BTreeSet<&[u8]> =
        paths.filter(|path| log(path).is_some() && is_rotated(path)).collect();
    for change in deleted(subject) {
        let path = &change.path;
        let Some(kind) = log(path.as_bytes()) else { continue };
        let next = aside.range::<[u8], _>((Bound::Excluded(path.as_bytes()), Bound::Unbounded));
        let renamed = next.take(1).any(|other| other.starts_with(path.as_bytes()));
        let severity = if renamed || is_rotated(path.as_bytes()) {
            Severity::Low
        } else {
            match kind {
                Log::Access | Log::Logins => Severity::High,
                Log::Service => Severity::Medium,
                Log::Packages => Severity::Low,
            }
        };
        let mut seen = vec![gone(subject, change)];
        if renamed {
            seen.push(Seen::new("a log of its name was put aside in the same diff"));
        }
        group.push(finding(severity, Confidence::High, path, "was deleted", seen));
    }
    for file in written(subject) {
        if let Some(kind) = log(file.path.as_bytes()) {
            emptied(subject, &file, kind, &mut group);
        }
    }
    group.finish(findings);
}

/// An empty file, or a link to nowhere, in the place of a log.
fn emptied(subject: &Subject<'_>, file: &Written<'_>, kind: Log, group: &mut Group) {
    if let Some(target) = file.target.filter(|target| target.as_bytes() == b"/dev/null") {
        let severity = if kind == Log::Access { Severity::High } else { Severity::Medium };
        let seen = vec![file.seen(format!("{} is a link to {target}", file.path))];
        group.push(finding(severity, Confidence::High, file.path, "leads to nowhere", seen));
        return;
    }
    if file.kind != FileType::File || file.size > 0 {
        return;
    }
    let before = subject.change(file.path.as_bytes()).and_then(|change| change.before.as_ref());
    let had = before.is_some_and(|before| before.size > 0);
    // The image says whether it was there.
    let compared = subject.changes.base.is_some() && file.origin == Origin::RootfsDiff;
    let severity = match kind {
        Log::Access | Log::Logins if had => Severity::High,
        Log::Service if had => Severity::Medium,
        Log::Packages if had => Severity::Low,
        Log::Packages => return,
        _ if compared => Severity::Info,
        Log::Access => Severity::Medium,
        Log::Logins => Severity::Low,
        // Servers make theirs when they start.
        Log::Service => Severity::Info,
    };
    let confidence = if had || compared { Confidence::High } else { Confidence::Low };
    let tells = match before {
        Some(before) if had => format!("it has {} bytes in the image", before.size),
        Some(_) => "it is empty in the image, too".to_owned(),
        None if compared => "the image does not have it".to_owned(),
        None => "nothing tells whether it was emptied or made anew".to_owned(),
    };
    let seen = vec![file.seen(file.line()), Seen::new(tells)];
    group.push(finding(severity, confidence, file.path, "is empty", seen));
}

fn finding(
    severity: Severity,
    confidence: Confidence,
    path: &Text,
    what: &str,
    seen: Vec<Seen>,
) -> Finding {
    let mut finding = Finding::new(&LOGS_DELETED, severity, confidence, format!("{path} {what}"))
        .path(path.clone());
    finding.evidence = seen;
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_by_name() {
        assert_eq!(log(b"/var/log/auth.log"), Some(Log::Access));
        assert_eq!(log(b"/var/log/audit/audit.log"), Some(Log::Access));
        assert_eq!(log(b"/var/log/wtmp"), Some(Log::Logins));
        assert_eq!(log(b"/var/log/apt/history.log"), Some(Log::Packages));
        assert_eq!(log(b"/var/log/nginx/access.log"), Some(Log::Service));
        assert_eq!(log(b"/var/log"), Some(Log::Access));
        assert_eq!(log(b"/data/x.log"), None);
        assert!(is_rotated(b"/var/log/auth.log.1") && is_rotated(b"/var/log/x.log-20261123.gz"));
        assert!(!is_rotated(b"/var/log/auth.log"));
    }
}
