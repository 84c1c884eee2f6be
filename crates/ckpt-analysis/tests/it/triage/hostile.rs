//! Whatever lies in a diff: no panic, no end without an end, nothing that steers a terminal.

use std::sync::LazyLock;

use ckpt_analysis::triage::Finding;
use ckpt_synth::{Archive, Member};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::triage::findings;
use crate::{dump, init, open};

/// Paths that detectors look at.
const PATHS: [&str; 22] = [
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/cron.d/x",
    "etc/crontab",
    "etc/ld.so.preload",
    "etc/sudoers",
    "etc/pam.d/x",
    "etc/environment",
    "etc/ssh/sshd_config",
    "root/.ssh/authorized_keys",
    "root/.bashrc",
    "root/.bash_history",
    "var/www/x.php",
    "var/www/.htaccess",
    "srv/cgi-bin/x.cgi",
    "var/www/x.jsp",
    "var/lib/dpkg/info/x.list",
    "lib/apk/db/installed",
    "usr/lib/python3/site-packages/x.pth",
    "tmp/.x",
    "usr/bin/x",
];

/// Pieces that hostile contents are made of.
const PIECES: [&[u8]; 26] = [
    b"root:",
    b":",
    b"0",
    b"\n",
    b"\r\n",
    b"\x1b[2J",
    b"\xff\xfe",
    b"\0",
    b"eval(",
    b"$_GET[",
    b"`",
    b"base64 -d",
    b" | sh",
    b"/tmp/.x",
    b"\x7fELF",
    b"#!",
    b"ssh-rsa ",
    b"'.'",
    b"/*",
    b"$a=",
    b"import ",
    b"F:",
    b"R:",
    "\u{202e}".as_bytes(),
    b"request.",
    b"(",
];

static TEMPLATE: LazyLock<Archive> = LazyLock::new(|| Archive::podman(&dump([init()])));

fn is_safe(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && c != '\u{202e}')
}

fn all_safe(found: &[Finding]) -> bool {
    found.iter().all(|one| {
        let evidence = one.evidence.iter();
        let mut texts = evidence.flat_map(|seen| [Some(&seen.what), seen.member.as_ref()]);
        is_safe(&one.title) && texts.all(|text| text.is_none_or(|text| is_safe(text)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn contents_of_any_kind(
        files in vec((select(&PATHS[..]), vec(select(&PIECES[..]), 0..60), 0_u32..0o7777), 1..5),
    ) {
        let mut diff = Archive::new();
        for (path, pieces, mode) in &files {
            diff.push(Member::file(*path, pieces.concat()).mode(*mode));
        }
        let mut archive = TEMPLATE.clone();
        archive.replace("rootfs-diff.tar", diff.tar());
        let found = findings(&open(&archive));
        prop_assert!(all_safe(&found), "{found:#?}");
        prop_assert!(found.iter().all(|one| !one.evidence.is_empty()));
    }

    #[test]
    fn names_of_any_kind(names in vec(vec(any::<u8>().prop_filter("no slash, no NUL", |b| !matches!(b, 0 | b'/')), 1..12), 1..6)) {
        let mut diff = Archive::new();
        for name in &names {
            diff.push(Member::file([b"tmp/", name.as_slice()].concat(), b"#!/bin/sh\n".to_vec()));
        }
        let mut archive = TEMPLATE.clone();
        archive.replace("rootfs-diff.tar", diff.tar());
        prop_assert!(all_safe(&findings(&open(&archive))));
    }

    #[test]
    fn logs_of_any_kind(lines in vec(vec(select(&PIECES[..]), 0..8), 0..20)) {
        let mut archive = Archive::crio(&dump([init()]));
        let text: Vec<u8> = lines.iter().flat_map(|line| {
            [b"(00.1) Warn  (criu/seize.c:404): Unexpected process 7 in the freezer cgroup ".as_slice(), &line.concat(), b"\n"].concat()
        }).collect();
        archive.replace("dump.log", text);
        prop_assert!(all_safe(&findings(&open(&archive))));
    }
}
